"""Files of ready features: .npz, CSV, TSV or Parquet, one row per image.

In an .npz file the features are the array `features` [N, D], else the columns
that `feature_columns` chooses. Other columns have the meanings of `meanings`;
the rest goes into the manifest as it is.
"""

from collections.abc import Sequence
import pathlib
import sys
from typing import NamedTuple

import numpy as np

from heterojax import regular_files
from heterojax.datasets import feature_columns
from heterojax.datasets import feature_tables
from heterojax.datasets import labels
from heterojax.datasets import lookalikes
from heterojax.datasets import manifest
from heterojax.datasets import meanings
from heterojax.datasets import npz
from heterojax.datasets import parts
from heterojax.datasets.feature_tables import Raw
from heterojax.errors import UserError

_MEANINGS = ('label', 'prediction', 'group', 'split', 'fold', 'id')
# What the manifest writes itself; a column of the file is prefixed.
_MANIFEST_COLUMNS = ('path', 'included', 'reason', 'sha256')
_READERS = {
  '.csv': feature_tables.from_text,
  '.tsv': feature_tables.from_text,
  '.parquet': feature_tables.from_parquet,
  '.pq': feature_tables.from_parquet,
}
_ENDINGS = ('.npz', *_READERS)


class Table(NamedTuple):
  """A file's content.

  Attributes:
    matrix: features `[N, D]` float32.
    columns: N cells each, under the names by which this program knows them.
    notes: what is not used, and what is unusual, as sentences.
    features: names of the feature columns; () where they have none.
    split_column: what the file calls that of the split.
  """

  matrix: np.ndarray
  columns: dict[str, list[str]]
  notes: tuple[str, ...] = ()
  features: tuple[str, ...] = ()
  split_column: str = 'split'


def read(path: pathlib.Path, columns: meanings.Columns, features: str) -> Table:
  """Reads a file of features.

  Args:
    path: of the .npz, .csv, .tsv, .parquet or .pq file.
    columns: what the user says of them, see `meanings.parse`.
    features: which columns are features, see `feature_columns.choose`; of an
      .npz file, the name of the array.

  Returns:
    Its content; whole numbers are written without a fraction, as '1', and what
    is missing is '', but for the words of labels, also as predictions.

  Raises:
    UserError: if it is no such file, has no features or no labels, or is
      written meanwhile.
  """
  if not path.exists():
    raise UserError(f'There is no file {path} (--config.data.dir or .files).')
  if path.suffix.lower() not in _ENDINGS or not path.is_file():
    raise UserError(
      f'{path} is no file of features: --config.data.dir (or .files) must'
      f' name {", ".join(_ENDINGS)} files.'
    )
  # Columns are read one after the other: labels must be those of the features.
  with regular_files.unchanged(path):
    return _read(path, columns, features)


def _read(
  path: pathlib.Path, columns: meanings.Columns, features: str
) -> Table:
  is_npz = path.suffix.lower() == '.npz'
  if is_npz:
    raw = _from_npz(path, features or 'features', columns)
  else:
    raw = _READERS[path.suffix.lower()](path)
  chosen, notes = meanings.choose(path, raw.names, columns, _MEANINGS)
  notes = raw.notes + notes
  if not raw.has_names and 'label' not in chosen:
    words = [name for name in raw.kinds.others if raw.kinds.others[name][0]]
    if len(words) == 1:
      chosen['label'] = tuple(words)
      notes += (f'The column {words[0]} of {path.name} is the label.',)
  chosen = parts.without_phases(chosen, columns, raw.cells)
  taken = [name for names in chosen.values() for name in names]
  if is_npz:
    used = feature_columns.Chosen(())
  else:
    doubtful = [] if features else _doubtful(raw, chosen, taken)
    used = feature_columns.choose(path, raw.kinds, features, taken, doubtful)
  meanings.require(path, raw.names, chosen, ('label',))
  matrix = raw.matrix(used.columns)
  if not matrix.size:
    raise UserError(f'{path} holds no features: they are {list(matrix.shape)}.')
  known, more = _known(path, raw, chosen, used.columns)
  _check_lengths(path, known)
  return Table(
    matrix,
    known,
    notes + used.notes + more,
    used.columns,
    chosen.get('split', ('split',))[0],
  )


def _check_lengths(path: pathlib.Path, columns: dict[str, list[str]]) -> None:
  for name, cells in columns.items():
    lengths = [*map(len, cells)]
    if (longest := max(lengths)) > manifest.LONGEST_CELL:
      raise UserError(
        f'{path}: {name!r} has {longest} characters in row'
        f' {lengths.index(longest)}, but may have {manifest.LONGEST_CELL} at'
        ' most: shorten it, or leave the column out.'
      )


def _doubtful(
  raw: Raw, chosen: meanings.Columns, taken: Sequence[str]
) -> list[str]:
  """Columns of whole numbers that look like those of patients or labels."""
  if 'label' not in chosen:
    return []
  of_rows = raw.cells(chosen['label'][0])
  tests = (lookalikes.repeats_within_classes, lookalikes.tells_classes)
  whole = [
    name
    for name in raw.kinds.numbers
    if name not in taken and _is_whole(raw.matrix([name]))
  ]
  return [
    name
    for name in whole
    if any(test(raw.cells(name), of_rows) for test in tests)
  ]


def _is_whole(values: np.ndarray) -> bool:
  known = values[np.isfinite(values)]
  return bool(np.all(known == np.round(known)))


def _known(
  path: pathlib.Path,
  raw: Raw,
  chosen: meanings.Columns,
  features: Sequence[str],
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
  """The columns under the names by which this program knows them, and notes."""
  used, notes = {*features}, ()
  known: dict[str, list[str]] = {}
  unused: dict[str, list[str]] = {}
  for name in raw.names:
    if name in used:
      continue
    if name in raw.kinds.lists:
      notes += (f'{path.name} holds lists in {name!r}, which are not used.',)
      continue
    cells = raw.cells(name)
    of = [meaning for meaning, names in chosen.items() if name in names]
    for meaning in of:
      if meaning == 'label':
        several = chosen['label']
        known['label'] = [meanings.whole(cell) for cell in cells]
        if len(several) > 1:
          hot = {n: raw.cells(n) for n in several}
          known['label'] = labels.one_hot(path, hot)
      elif meaning == 'group':
        known['group'], more = meanings.groups(path, cells)
        notes += more
      elif meaning == 'id':
        known['id'] = unused[name] = cells  # They may be those of patients.
      elif meaning == 'prediction':
        known['prediction'] = [meanings.whole(cell) for cell in cells]
      else:
        known[meaning] = [meanings.known(cell) for cell in cells]
    if not of:
      cells = ['' if cell.lower() == 'nan' else cell for cell in cells]
      unused[name] = cells
      kept = f'source_{name}' if name in _RESERVED else name
      known[kept] = cells
  if 'prediction' in known:
    # A class may be called by a word that stands for none elsewhere.
    words = {*known['label']}
    known['prediction'] = [
      cell if cell in words else meanings.known(cell)
      for cell in known['prediction']
    ]
  groups = known.get('group', [''] * len(known['label']))
  looks = lookalikes.find(unused, known['label'], groups)
  return known, notes + lookalikes.notes(path, looks)


# Names that the program gives to columns that have a meaning or are its own.
_RESERVED = (*_MANIFEST_COLUMNS, *_MEANINGS)


def _from_npz(
  path: pathlib.Path, features: str, columns: meanings.Columns
) -> Raw:
  headers = npz.headers(path)
  if features not in headers:
    matrices = [n for n, h in headers.items() if _is_matrix(h)]
    hint = ''
    if matrices:
      hint = f'; {feature_columns.OPTION}={matrices[0]} would take that'
    raise UserError(
      f'{path} has no array {features} [N, D]: it holds'
      f' {", ".join(headers) or "nothing"}{hint}.'
    )
  header = headers[features]
  if header.dtype.hasobject:
    raise UserError(_objects(path, features))
  if not _is_matrix(header):
    raise UserError(
      f'{path}: {features} is {header.dtype} {list(header.shape)}, but must be'
      ' numbers [N, D].'
    )
  asked = {name for names in columns.values() for name in names}
  n, cells, notes = header.shape[0], {}, ()
  for name, (shape, dtype, _) in headers.items():
    if name == features:
      continue
    means = meanings.of(name) in _MEANINGS or name in asked
    if dtype.hasobject and means:
      raise UserError(_objects(path, name))
    if shape in ((n,), (n, 1)) and dtype.kind in 'fiubUS':
      cells[name] = _npz_cells(path, name)
    elif means:
      raise UserError(
        f'{path}: {name} is {dtype} {list(shape)}, but must be one value for'
        f' each of the {n} rows of {features}.'
      )
    else:
      why = (
        'holds Python objects' if dtype.hasobject else 'is not one value a row'
      )
      notes += (f'{path.name} holds {name!r}, which {why} and is not used.',)
  return Raw(
    tuple(cells),
    feature_columns.Kinds((), (), {}),
    lambda _: _float32(npz.load(path, features)),
    cells.__getitem__,
    notes=notes,
  )


def _is_matrix(header: npz.Header) -> bool:
  return len(header.shape) == 2 and header.dtype.kind in 'fiu'


def _npz_cells(path: pathlib.Path, name: str) -> list[str]:
  values = npz.load(path, name).reshape(-1)
  if values.dtype.kind == 'S':
    values = np.char.decode(values, 'utf-8', 'backslashreplace')
  try:
    _check_characters(values)
    cells = [feature_tables.text(value) for value in values]
    ''.join(cells).encode()
  except (SystemError, ValueError) as error:
    raise UserError(
      f'{path}: {name} holds characters that do not exist.'
    ) from error
  return cells


def _check_characters(values: np.ndarray) -> None:
  """Any number can stand where a character does; Python finds out too late."""
  if values.dtype.kind == 'U' and values.nbytes:
    numbers = np.dtype(np.uint32).newbyteorder(values.dtype.byteorder)
    if np.ascontiguousarray(values).view(numbers).max() > sys.maxunicode:
      raise ValueError('no character')


def _objects(path: pathlib.Path, name: str) -> str:
  kind = 'float' if name == 'features' else 'str'
  return (
    f'{path}: the array {name} holds Python objects (dtype object), which are'
    f' not loaded, as they can run any code: save it as {name}=np.asarray('
    f'{name}, {kind}), or the table as CSV or Parquet.'
  )


def _float32(values: np.ndarray) -> np.ndarray:
  with np.errstate(over='ignore'):  # Infinite then, and left out later.
    return np.ascontiguousarray(values, np.float32)

"""Files of ready features: .npz, CSV or Parquet, one row per image.

Feature columns are named by a number, alone or after one common prefix; in an
.npz file they are the array `features` [N, D]. Some other columns have a
meaning (see `ALIASES`); the rest goes into the manifest as it is.
"""

from collections import Counter
from collections.abc import Sequence
import csv
import pathlib
import re
from typing import Any, NamedTuple

import numpy as np

from heterojax.datasets import npz
from heterojax.errors import UserError

ALIASES = {
  'label': ('label', 'labels'),
  'prediction': ('prediction', 'predictions'),
  'group': ('group', 'patient', 'patient_id'),
  'split': ('split', 'phase'),
  'fold': ('fold',),
  'id': ('id', 'img_ids', 'image_id'),
}
_MEANING = {name: m for m, names in ALIASES.items() for name in names}
# What the manifest writes itself; a column of the file is prefixed.
_MANIFEST_COLUMNS = ('path', 'included', 'reason', 'sha256')
# Python refuses to read numbers of thousands of digits.
_NUMBERED = re.compile(r'(.*?)(\d{1,18})')
_WHOLE = re.compile(r'^([+-]?\d+)\.0+$')
# Values that a Parquet file may have, whatever its size, and per byte of it.
_ALWAYS_ALLOWED = 1 << 22
_MOST_PER_BYTE = 100
# A row of a flattened feature map fills more than pyarrow's usual block.
_BLOCK_BYTES = 64 << 20


class Table(NamedTuple):
  """A file's content.

  Attributes:
    matrix: features `[N, D]` float32.
    columns: N cells each, under the names by which this program knows them.
    notes: what is not used, as sentences.
  """

  matrix: np.ndarray
  columns: dict[str, list[str]]
  notes: tuple[str, ...] = ()


def read(path: pathlib.Path) -> Table:
  """Reads a file of features.

  Args:
    path: of the .npz, .csv, .parquet or .pq file.

  Returns:
    Its content; whole numbers are written without a fraction, as '1', and what
    is missing is ''.

  Raises:
    UserError: if it is no such file, has no features or no labels.
  """
  readers = {
    '.npz': _from_npz,
    '.csv': _from_csv,
    '.parquet': _from_parquet,
    '.pq': _from_parquet,
  }
  if not path.exists():
    raise UserError(f'There is no file {path} (--config.data.dir or .files).')
  if path.suffix.lower() not in readers or not path.is_file():
    raise UserError(
      f'{path} is no file of features: --config.data.dir (or .files) must'
      f' name {", ".join(readers)} files.'
    )
  table = readers[path.suffix.lower()](path)
  if not table.matrix.size:
    raise UserError(
      f'{path} holds no features: they are {list(table.matrix.shape)}.'
    )
  columns = _by_meaning(path, table.columns)
  if 'label' not in columns:
    raise UserError(f'{path} has no column {" or ".join(ALIASES["label"])}.')
  return table._replace(columns=columns)


def _from_npz(path: pathlib.Path) -> Table:
  headers = npz.headers(path)
  if 'features' not in headers:
    raise UserError(
      f'{path} has no array features [N, D]: it holds'
      f' {", ".join(headers) or "nothing"}.'
    )
  header = headers['features']
  if len(header.shape) != 2 or header.dtype.kind not in 'fiu':
    raise UserError(
      f'{path}: features is {header.dtype} {list(header.shape)}, but must be'
      ' numbers [N, D].'
    )
  n, columns, notes = header.shape[0], {}, ()
  for name, (shape, dtype) in headers.items():
    if name == 'features':
      continue
    if shape in ((n,), (n, 1)) and dtype.kind in 'fiubUS':
      values = npz.load(path, name).reshape(-1)
      if dtype.kind == 'S':
        values = np.char.decode(values, 'utf-8', 'backslashreplace')
      try:
        columns[name] = [_text(value) for value in values]
        ''.join(columns[name]).encode()
      # Any number can stand where a character does.
      except (SystemError, ValueError) as error:
        raise UserError(
          f'{path}: {name} holds characters that do not exist.'
        ) from error
    elif name in _MEANING:
      raise UserError(
        f'{path}: {name} is {dtype} {list(shape)}, but must be one value for'
        f' each of the {n} rows of features.'
      )
    else:
      notes += (
        f'{path.name} holds {name!r}, which is not one value a row and is not'
        ' used.',
      )
  return Table(_float32(npz.load(path, 'features')), columns, notes)


def _from_csv(path: pathlib.Path) -> Table:
  import pyarrow.csv  # pylint: disable=import-outside-toplevel; slow.

  try:
    with path.open(encoding='utf-8-sig', newline='') as file:
      lines = csv.reader(file, strict=True)
      # Blank lines before the header do not count.
      header = [n.strip() for n in next(filter(None, lines), [])]
      skipped = lines.line_num
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise UserError(_unreadable(path, 'CSV', error)) from error
  features = _feature_columns(path, header)
  known = set(features)
  # Columns without a name, as an exported index, are left out.
  names = [name or f'\0{i}' for i, name in enumerate(header)]
  others = [n for n in header if n and n not in known]
  try:
    table = pyarrow.csv.read_csv(
      path,
      read_options=pyarrow.csv.ReadOptions(
        column_names=names, skip_rows=skipped, block_size=_BLOCK_BYTES
      ),
      parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
      convert_options=pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(features, pyarrow.float32())
        | dict.fromkeys(others, pyarrow.string()),
        include_columns=features + others,
      ),
    )
  except (OSError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'CSV', error)) from error
  return _from_arrow(table, features, others)


def _from_parquet(path: pathlib.Path) -> Table:
  import pyarrow.parquet  # pylint: disable=import-outside-toplevel; slow.

  try:
    with pyarrow.parquet.ParquetFile(path) as file:
      _check_parquet(path, file.metadata)
      table = file.read()
  except (OSError, ValueError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'Parquet', error)) from error
  features = _feature_columns(path, table.column_names)
  for name in features:
    kind = table.schema.field(name).type
    if not (
      pyarrow.types.is_integer(kind)
      or pyarrow.types.is_floating(kind)
      or pyarrow.types.is_null(kind)
    ):
      raise UserError(f'{path}: the feature column {name!r} holds {kind}.')
  known = set(features)
  others = [
    name
    for name in table.column_names
    if name and name not in known and not name.startswith('__index_')
  ]
  try:
    return _from_arrow(table, features, others)
  except (ValueError, TypeError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'Parquet', error)) from error


def _check_parquet(path: pathlib.Path, metadata: Any) -> None:
  """Equal values take nothing in a file, however many they are."""
  values = metadata.num_rows * metadata.num_columns
  most = max(_ALWAYS_ALLOWED, _MOST_PER_BYTE * path.stat().st_size)
  if not 0 <= values <= most:
    raise UserError(
      f'{path} declares {metadata.num_rows:,} rows of'
      f' {metadata.num_columns:,} columns, which is more than a file of its'
      ' size holds.'
    )


def _from_arrow(
  table: Any, features: Sequence[str], others: Sequence[str]
) -> Table:
  matrix = np.empty((table.num_rows, len(features)), np.float32)
  for d, name in enumerate(features):
    # A missing number becomes NaN, and its row is left out later.
    values = table.column(name).to_numpy()
    matrix[:, d] = _float32(np.asarray(values, np.float64))
  columns = {
    name: [_text(value) for value in table.column(name).to_pylist()]
    for name in others
  }
  return Table(matrix, columns)


def _feature_columns(path: pathlib.Path, names: Sequence[str]) -> list[str]:
  """Names of the feature columns in the order of their numbers.

  Raises:
    UserError: if there are none, several sets of them, or repeated names.
  """
  repeated = [n for n, count in Counter(names).items() if n and count > 1]
  if repeated:
    raise UserError(f'{path} has the column {repeated[0]!r} more than once.')
  sets: dict[str, dict[int, str]] = {}
  for name in names:
    if (match := _NUMBERED.fullmatch(name)) and name not in _MEANING:
      numbers = sets.setdefault(match[1], {})
      if (other := numbers.setdefault(int(match[2]), name)) != name:
        raise UserError(f'{path} has the columns {other!r} and {name!r}.')
  if '' in sets:
    sets = {'': sets['']}
  elif any(len(columns) > 1 for columns in sets.values()):
    sets = {
      prefix: columns for prefix, columns in sets.items() if len(columns) > 1
    }
  if not sets:
    raise UserError(
      f'{path} has no feature columns: name them by a number, as 0, 1, 2 or'
      ' f0, f1, f2.'
    )
  if len(sets) > 1:
    shown = ' and '.join(
      f'{min(columns.values())!r}' for columns in sets.values()
    )
    raise UserError(
      f'{path} has several sets of numbered columns, as {shown}: name the'
      ' features by a number alone.'
    )
  (columns,) = sets.values()
  return [columns[number] for number in sorted(columns)]


def _by_meaning(
  path: pathlib.Path, columns: dict[str, list[str]]
) -> dict[str, list[str]]:
  """The columns under the names by which this program knows them."""
  known: dict[str, list[str]] = {}
  for name, cells in columns.items():
    meaning = _MEANING.get(name)
    if meaning in known:
      raise UserError(
        f'{path} has several columns for the {meaning}:'
        f' {", ".join(n for n in columns if _MEANING.get(n) == meaning)}.'
      )
    if meaning and meaning != 'id':
      cells = [_WHOLE.sub(r'\1', cell) for cell in cells]
    elif name in _MANIFEST_COLUMNS:
      name = f'source_{name}'
    known[meaning or name] = cells
  return known


def _float32(values: np.ndarray) -> np.ndarray:
  with np.errstate(over='ignore'):  # Infinite then, and left out later.
    return np.ascontiguousarray(values, np.float32)


def _text(value: Any) -> str:
  """A cell; whole numbers without a fraction, '' for what is missing."""
  if value is None or value != value:
    return ''
  if isinstance(value, (float, np.floating)) and float(value).is_integer():
    value = int(value)
  text = str(value).strip()
  return '' if text.lower() == 'nan' else text


def _unreadable(path: pathlib.Path, kind: str, error: Exception) -> str:
  said = ' '.join(str(error).split()).rstrip('.')
  return f'{path} cannot be read as a {kind} file of features ({said[:200]}).'

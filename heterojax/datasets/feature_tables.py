"""Tables of ready features as they are in a file: CSV, TSV and Parquet."""

from collections import Counter
from collections.abc import Callable, Sequence
import pathlib
from typing import Any, NamedTuple

import numpy as np

from heterojax.datasets import meanings
from heterojax.datasets import numbers
from heterojax.datasets import tables
from heterojax.datasets.feature_columns import Kinds
from heterojax.errors import UserError

# Values that a Parquet file may have, whatever its size, and per byte of it.
_ALWAYS_ALLOWED = 1 << 22
_MOST_PER_BYTE = 100
# A row of a flattened feature map fills more than pyarrow's usual block.
_BLOCK_BYTES = 64 << 20
_NEARLY = 0.5  # Of the cells, beyond which a column is meant to be numbers.


class Raw(NamedTuple):
  """A table of which it is not known yet what is a feature.

  Attributes:
    names: of its columns of one value, or of several numbers, a row.
    kinds: what those hold.
    matrix: the features `[N, D]` float32 of columns of numbers or lists.
    cells: the text of a column, N cells.
    has_names: whether the file names its columns.
    notes: what is unusual about it, as sentences.
  """

  names: tuple[str, ...]
  kinds: Kinds
  matrix: Callable[[Sequence[str]], np.ndarray]
  cells: Callable[[str], list[str]]
  has_names: bool = True
  notes: tuple[str, ...] = ()


def from_text(path: pathlib.Path) -> Raw:
  """Reads a text table, see `tables.Form`.

  Raises:
    UserError: if it cannot be read.
  """
  import pyarrow.csv  # pylint: disable=import-outside-toplevel; slow.

  form = tables.inspect(path)
  # Columns without a name, as an exported index, are left out.
  names = [name or f'\0{i}' for i, name in enumerate(form.names)]
  used = [name for name in form.names if name]
  if not used:
    raise UserError(f'{path} has no feature columns: it {meanings.has(())}.')
  try:
    table = pyarrow.csv.read_csv(
      pyarrow.BufferReader(form.data),
      read_options=pyarrow.csv.ReadOptions(
        column_names=names,
        skip_rows=form.skipped,
        block_size=_BLOCK_BYTES,
        encoding=form.encoding.removesuffix('-sig'),
      ),
      parse_options=pyarrow.csv.ParseOptions(
        newlines_in_values=True, delimiter=form.separator
      ),
      convert_options=pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(used, pyarrow.string()),
        include_columns=used,
      ),
    )
  except (OSError, ValueError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'CSV', error)) from error
  if not table.num_rows:
    raise UserError(f'{path} holds no features: it has no rows.')
  found: dict[str, np.ndarray] = {}
  lists: dict[str, np.ndarray] = {}
  others: dict[str, tuple[str, int]] = {}
  nearly, commas, empty = [], [], {}
  for name in used:
    column = table.column(name)
    # Nearly all columns of a large table are plain numbers.
    if (values := _as_numbers(column)) is not None and not np.isnan(
      values
    ).all():
      found[name] = values
      continue
    column = _known(column)
    values = None
    if column.null_count < len(column):
      values = _as_numbers(column)
      if values is None:
        values = _with_commas(column, form.separator)
        commas += [name] * (values is not None)
    if values is not None:
      found[name] = values
    elif (several := _as_lists(path, name, column)) is not None:
      lists[name] = several
    else:
      others[name], is_nearly = _example(column)
      nearly += [name] * is_nearly
      if column.null_count == len(column):
        empty[name] = np.full(len(column), np.nan, np.float32)

  def cells(name: str) -> list[str]:
    found = [text(value) for value in table.column(name).to_pylist()]
    if tables.has_decimal_commas(found, form.separator):
      found = [cell.replace(',', '.') for cell in found]
    return found

  columns = found | empty
  notes = form.notes
  if commas:
    notes += (tables.decimal_note(path, commas),)
  return Raw(
    tuple(used),
    Kinds(tuple(found), tuple(lists), others, tuple(nearly)),
    lambda names: _matrix(table.num_rows, names, columns, lists),
    cells,
    form.has_names,
    notes,
  )


def from_parquet(path: pathlib.Path) -> Raw:
  """Reads a Parquet file.

  Raises:
    UserError: if it cannot be read.
  """
  import pyarrow.parquet  # pylint: disable=import-outside-toplevel; slow.

  types = pyarrow.types
  try:
    with pyarrow.parquet.ParquetFile(path) as file:
      _check_parquet(path, file.metadata)
      table = file.read()
  except (OSError, ValueError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'Parquet', error)) from error
  names = [n for n in table.column_names if n and not n.startswith('__index_')]
  repeated = [name for name, n in Counter(names).items() if n > 1]
  if repeated:
    raise UserError(f'{path} has the column {repeated[0]!r} more than once.')
  found: dict[str, np.ndarray] = {}
  lists: dict[str, np.ndarray] = {}
  others: dict[str, tuple[str, int]] = {}
  used, notes = [], ()
  try:
    for name in names:
      column = table.column(name)
      kind = column.type
      if types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
      if types.is_integer(kind) or types.is_floating(kind):
        found[name] = _float32(column.to_numpy())
      elif types.is_decimal(kind):
        found[name] = _float32(column.cast(pyarrow.float64()).to_numpy())
      elif types.is_null(kind):
        found[name] = np.full(len(column), np.nan, np.float32)
      elif (
        several := _of_lists(path, name, column) if _holds_lists(kind) else None
      ) is not None:
        lists[name] = several
      elif types.is_nested(kind) or types.is_binary(kind):
        notes += (
          f'{path.name} holds {name!r} of {kind}, which is not used.'[:400],
        )
        continue
      else:
        others[name] = (str(kind), 0)
      used.append(name)
  except (ValueError, TypeError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'Parquet', error)) from error

  def cells(name: str) -> list[str]:
    try:
      return [text(value) for value in table.column(name).to_pylist()]
    except (ValueError, TypeError, pyarrow.ArrowException) as error:
      raise UserError(_unreadable(path, 'Parquet', error)) from error

  return Raw(
    tuple(used),
    Kinds(tuple(found), tuple(lists), others),
    lambda names: _matrix(table.num_rows, names, found, lists),
    cells,
    notes=notes,
  )


def _known(column: Any) -> Any:
  """Cells of text without blanks around them, null where missing."""
  import pyarrow.compute as pc  # pylint: disable=import-outside-toplevel; slow.

  column = pc.utf8_trim_whitespace(column)
  words = pc.SetLookupOptions(_arrow_strings())
  missing = pc.is_in(pc.utf8_lower(column), options=words)
  return pc.if_else(missing, None, column)


def _arrow_strings() -> Any:
  import pyarrow  # pylint: disable=import-outside-toplevel; slow.

  return pyarrow.array(sorted(meanings.MISSING), pyarrow.string())


def _as_numbers(column: Any) -> np.ndarray | None:
  """Cells as float32, NaN where missing; None where one is no number."""
  import pyarrow.compute as pc  # pylint: disable=import-outside-toplevel; slow.

  for plus in (False, True):
    try:
      if plus:
        column = pc.replace_substring_regex(column, r'^\+', '')
      return _float32(pc.cast(column, 'float32').to_numpy())
    except ValueError:
      continue
  return None


def _with_commas(column: Any, separator: str) -> np.ndarray | None:
  """Cells as numbers with decimal commas, see `tables.has_decimal_commas`."""
  import pyarrow.compute as pc  # pylint: disable=import-outside-toplevel; slow.

  if pc.any(pc.match_substring(column, '.')).as_py():
    return None  # Points or commas may be those of thousands.
  commas = pc.match_substring(column, ',')
  thousands = pc.match_substring_regex(column, tables.THOUSANDS)
  if separator == ',' and pc.all(pc.equal(commas, thousands)).as_py():
    return None
  return _as_numbers(pc.replace_substring(column, ',', '.'))


def _as_lists(path: pathlib.Path, name: str, column: Any) -> np.ndarray | None:
  """Cells such as '[0.5, 1]' as `[N, D]` float32; None for others."""
  first = next((cell for cell in column.to_pylist() if cell), '')
  if not (first.startswith('[') and first.endswith(']')):
    return None
  rows = []
  for row, cell in enumerate(column.to_pylist(), 1):
    if cell is None:
      rows.append(None)
      continue
    inner = cell.removeprefix('[').removesuffix(']').replace(',', ' ').split()
    values = [numbers.parse(number) for number in inner]
    if len(cell) < len(inner) or any(v != v for v in values):
      if '...' in inner:
        raise UserError(
          f'{path}, row {row}: {name} was shortened when it was written (it'
          ' holds ...): write the lists in full, or as Parquet.'
        )
      return None
    rows.append(values)
  return _stacked(path, name, rows)


def _holds_lists(kind: Any) -> bool:
  import pyarrow  # pylint: disable=import-outside-toplevel; slow.

  types = pyarrow.types
  is_list = (
    types.is_list(kind)
    or types.is_large_list(kind)
    or types.is_fixed_size_list(kind)
  )
  return is_list and (
    types.is_integer(kind.value_type) or types.is_floating(kind.value_type)
  )


def _of_lists(path: pathlib.Path, name: str, column: Any) -> np.ndarray | None:
  return _stacked(path, name, column.to_pylist())


def _stacked(
  path: pathlib.Path, name: str, rows: Sequence[Sequence[float] | None]
) -> np.ndarray | None:
  """`[N, D]` float32, NaN in rows without a list."""
  width = next((len(row) for row in rows if row is not None), 0)
  if not width:
    return None
  for number, row in enumerate(rows, 1):
    if row is not None and len(row) != width:
      raise UserError(
        f'{path}, row {number}: {name} holds {len(row)} numbers, and {width} in'
        ' the first row: lists of features must be equally long.'
      )
  missing = [np.nan] * width
  return _float32(
    np.array([missing if row is None else row for row in rows], np.float64)
  )


def _example(column: Any) -> tuple[tuple[str, int], bool]:
  """A cell that is no number and its row, and whether most are numbers."""
  cells = column.to_pylist()
  known = [(row, cell) for row, cell in enumerate(cells, 1) if cell]
  odd = [(c, row) for row, c in known if np.isnan(numbers.parse(c))]
  if not known:
    return ('', 0), False
  return odd[0] if odd else (known[0][1], known[0][0]), (
    1 - len(odd) / len(known) > _NEARLY
  )


def _matrix(
  n: int,
  names: Sequence[str],
  columns: dict[str, np.ndarray],
  lists: dict[str, np.ndarray],
) -> np.ndarray:
  parts = [
    lists[name] if name in lists else columns[name][:, None] for name in names
  ]
  matrix = np.empty((n, sum(part.shape[1] for part in parts)), np.float32)
  start = 0
  for part in parts:
    matrix[:, start : start + part.shape[1]] = part
    start += part.shape[1]
  return matrix


def _check_parquet(path: pathlib.Path, metadata: Any) -> None:
  """Equal values take nothing in a file, however many they are."""
  values = metadata.num_rows * metadata.num_columns
  most = max(_ALWAYS_ALLOWED, _MOST_PER_BYTE * path.stat().st_size)
  if 0 <= values <= most:
    # Lists hold more values than rows.
    values = sum(
      metadata.row_group(g).column(c).num_values
      for g in range(metadata.num_row_groups)
      for c in range(metadata.num_columns)
    )
  if not 0 <= values <= most:
    raise UserError(
      f'{path} declares {metadata.num_rows:,} rows of'
      f' {metadata.num_columns:,} columns, which is more than a file of its'
      ' size holds.'
    )


def _float32(values: Any) -> np.ndarray:
  with np.errstate(over='ignore'):  # Infinite then, and left out later.
    return np.ascontiguousarray(np.asarray(values, np.float64), np.float32)


def text(value: Any) -> str:
  """A cell; whole numbers without a fraction, '' for what is missing."""
  if value is None or value != value:
    return ''
  if isinstance(value, (float, np.floating)) and float(value).is_integer():
    value = int(value)
  return str(value).strip()


def _unreadable(path: pathlib.Path, kind: str, error: Exception) -> str:
  said = ' '.join(str(error).split()).rstrip('.')
  return f'{path} cannot be read as a {kind} file of features ({said[:200]}).'

"""Tables of ready features as they are in a file: CSV, TSV and Parquet."""

from collections import Counter
from collections.abc import Callable, Sequence
import dataclasses
import pathlib
from typing import Any, NamedTuple

import numpy as np

from heterojax.datasets import arrow_text
from heterojax.datasets import meanings
from heterojax.datasets import tables
from heterojax.datasets.feature_columns import Kinds
from heterojax.errors import UserError
from heterojax.run import scripts

# Counts the values of a Parquet file.
VALUES = pathlib.Path(__file__).with_name('parquet_values.py')
# Values that a Parquet file may have, whatever its size, and per byte of it.
_ALWAYS_ALLOWED = 1 << 22
_MOST_PER_BYTE = 100
_MOST_TEXT = 1 << 28  # Bytes, of a file that is small.
# A row of a flattened feature map fills more than pyarrow's usual block.
_BLOCK_BYTES = 64 << 20


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


@dataclasses.dataclass
class _Sorted:
  """Columns by what they hold.

  Attributes:
    numbers: `[N]` float32 of each column of numbers, also of those that are
      all missing.
    lists: `[N, D]` float32 of each column of lists.
    others: see `Kinds`.
    nearly: likewise.
  """

  numbers: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  lists: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  others: dict[str, tuple[str, int]] = dataclasses.field(default_factory=dict)
  nearly: list[str] = dataclasses.field(default_factory=list)

  def add_numbers(self, name: str, values: np.ndarray) -> None:
    self.numbers[name] = values
    if np.isnan(values).all():
      self.others[name] = ('', 0)

  @property
  def kinds(self) -> Kinds:
    known = tuple(name for name in self.numbers if name not in self.others)
    return Kinds(known, tuple(self.lists), self.others, tuple(self.nearly))

  def matrix(self, names: Sequence[str]) -> np.ndarray:
    """The columns side by side."""
    parts = [
      self.lists[name] if name in self.lists else self.numbers[name][:, None]
      for name in names
    ]
    widths = [part.shape[1] for part in parts]
    matrix = np.empty((len(parts[0]), sum(widths)), np.float32)
    for start, part in zip(np.cumsum([0, *widths]), parts, strict=False):
      matrix[:, start : start + part.shape[1]] = part
    return matrix


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
        column_types=dict.fromkeys(names, pyarrow.string()),
      ),
    )
  except (OSError, ValueError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'CSV', error)) from error
  if not table.num_rows:
    raise UserError(f'{path} holds no features: it has no rows.')
  columns, commas = _Sorted(), []
  filled = {
    name for name in {*names} - {*used} if any(table.column(name).to_pylist())
  }
  for name in used:
    column = table.column(name)
    values = arrow_text.as_numbers(column)
    # Nearly all columns of a large table are plain numbers.
    if values is not None and not np.isnan(values).all():
      columns.add_numbers(name, values)
      continue
    column = arrow_text.known(column)
    if (values := arrow_text.as_numbers(column)) is None:
      values = arrow_text.with_commas(column, form.separator)
      commas += [name] * (values is not None)
    if values is not None:
      columns.add_numbers(name, values)
    elif (several := arrow_text.as_lists(path, name, column)) is not None:
      columns.lists[name] = several
    else:
      columns.others[name], is_nearly = arrow_text.example(column)
      columns.nearly += [name] * is_nearly

  def cells(name: str) -> list[str]:
    found = [text(value) for value in table.column(name).to_pylist()]
    if tables.has_decimal_commas(found, form.separator):
      found = [cell.replace(',', '.') for cell in found]
    return found

  notes = form.notes + tables.unnamed(
    path, ['' if name in filled else 'named or empty' for name in names]
  )
  if commas:
    notes += (tables.decimal_note(path, commas),)
  return Raw(
    tuple(used),
    columns.kinds,
    columns.matrix,
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
      _check_parquet(path, file)
      texts = [f.name for f in file.schema_arrow if _is_text(f.type)]
    # Each different text once, however many rows have it.
    with pyarrow.parquet.ParquetFile(path, read_dictionary=texts) as file:
      table = file.read()
    _check_texts(path, table)
  except (OSError, ValueError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'Parquet', error)) from error
  names = [name for name in table.column_names if name]
  repeated = [name for name, n in Counter(names).items() if n > 1]
  if repeated:
    raise UserError(f'{path} has the column {repeated[0]!r} more than once.')
  columns = _Sorted()
  used, notes = [], tables.unnamed(path, table.column_names)
  try:
    for name in names:
      column, kind = table.column(name), table.column(name).type
      if types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
      if types.is_decimal(kind):
        column = column.cast(pyarrow.float64())
      if types.is_null(kind):
        columns.add_numbers(name, np.full(len(column), np.nan, np.float32))
      elif _is_number(kind) or types.is_decimal(kind):
        columns.add_numbers(name, arrow_text.float32(column.to_numpy()))
      elif (
        _holds_lists(kind)
        and (several := arrow_text.of_lists(path, name, column)) is not None
      ):
        columns.lists[name] = several
      elif types.is_nested(kind) or types.is_binary(kind):
        what = f'{name!r} of {str(kind)[:80]}'
        notes += (f'{path.name} holds {what}, which is not used.',)
        continue
      else:
        columns.others[name] = (str(kind), 0)
      used.append(name)
  except (ValueError, TypeError, pyarrow.ArrowException) as error:
    raise UserError(_unreadable(path, 'Parquet', error)) from error

  def cells(name: str) -> list[str]:
    try:
      return [text(value) for value in table.column(name).to_pylist()]
    # Times that Python has none for overflow.
    except (
      ValueError,
      TypeError,
      OverflowError,
      pyarrow.ArrowException,
    ) as error:
      raise UserError(_unreadable(path, 'Parquet', error)) from error

  return Raw(
    tuple(used),
    columns.kinds,
    columns.matrix,
    cells,
    notes=notes,
  )


def _is_number(kind: Any) -> bool:
  import pyarrow  # pylint: disable=import-outside-toplevel; slow.

  return pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)


def _holds_lists(kind: Any) -> bool:
  import pyarrow  # pylint: disable=import-outside-toplevel; slow.

  types = pyarrow.types
  is_list = (
    types.is_list(kind)
    or types.is_large_list(kind)
    or types.is_fixed_size_list(kind)
  )
  return is_list and _is_number(kind.value_type)


def _check_parquet(path: pathlib.Path, file: Any) -> None:
  """Equal values take nothing in a file, however many they are."""
  import pyarrow  # pylint: disable=import-outside-toplevel; slow.

  metadata = file.metadata
  values = metadata.num_rows * metadata.num_columns
  most = max(_ALWAYS_ALLOWED, _MOST_PER_BYTE * path.stat().st_size)
  nested = [pyarrow.types.is_nested(field.type) for field in file.schema_arrow]
  if 0 <= values <= most and any(nested):
    # Lists hold more values than rows.
    values = _values(path)
  if not 0 <= values <= most:
    raise UserError(
      f'{path} declares {metadata.num_rows:,} rows of'
      f' {metadata.num_columns:,} columns, which is more than a file of its'
      ' size holds.'
    )


def _is_text(kind: Any) -> bool:
  import pyarrow  # pylint: disable=import-outside-toplevel; slow.

  types = pyarrow.types
  if types.is_dictionary(kind):
    kind = kind.value_type
  return any(
    of(kind)
    for of in (
      types.is_string,
      types.is_large_string,
      types.is_binary,
      types.is_large_binary,
    )
  )


def _check_texts(path: pathlib.Path, table: Any) -> None:
  """Equal texts take nothing in a file either, however long they are."""
  # pylint: disable-next=import-outside-toplevel; slow.
  from pyarrow import compute

  total = 0
  for column in filter(lambda column: _is_text(column.type), table.columns):
    for chunk in column.chunks:
      lengths = compute.call_function('binary_length', [chunk.dictionary])
      of_rows = lengths.take(chunk.indices)
      total += compute.call_function('sum', [of_rows]).as_py() or 0
  if total > max(_MOST_TEXT, _MOST_PER_BYTE * path.stat().st_size):
    raise UserError(
      f'{path} holds {total / 1e9:,.1f} GB of text, which is more than a file'
      ' of its size holds.'
    )


def _values(path: pathlib.Path) -> int:
  """Counted in a process of its own, which a damaged file may crash."""
  done = scripts.run(VALUES, path)
  if done.returncode:
    raise ValueError('its columns contradict themselves')
  return int(done.stdout)


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

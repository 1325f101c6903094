"""Text tables: CSV, TSV and what spreadsheets make of them.

The separator, the encoding, whether there is a row of names and whether numbers
have a decimal comma are seen in the file itself; what is not plain CSV in UTF-8
is said in a note. Lists of images are read cell by cell (`read`); files of
features, which may be large, by pyarrow with the `Form` that is found here.
"""

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
import csv
import io
import itertools
import pathlib
import re
from typing import AnyStr, NamedTuple

from heterojax.datasets import layout
from heterojax.datasets import manifest
from heterojax.datasets import meanings
from heterojax.errors import UserError

_SEPARATORS = {',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars'}
_SAMPLED = 20  # Rows that the separator is told by.
_EXCELS = re.compile(r'sep=(.)')  # A first line that Excel itself reads.
_FRACTION = re.compile(r'[+-]?[0-9]*[.,][0-9]+([eE][+-]?[0-9]+)?')
_IMAGE = re.compile(r'.*[^/\\]\.(jpe?g|png|bmp|tiff?|gif|webp|dcm|dicom)', re.I)
_COMMA = re.compile(r'[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?')
# Where commas separate columns too, a cell like '1,234' may be of thousands.
THOUSANDS = r'^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$'
_WHOLE = re.compile(r'[+-]?[0-9]+')
# Archives and workbooks by their first bytes.
_PACKED = {
  b'PK\x03\x04': 'a workbook or an archive: save the table as "CSV UTF-8"',
  b'\xd0\xcf\x11\xe0': 'a workbook: save the table as "CSV UTF-8"',
  b'\x1f\x8b': 'compressed: unpack it',
}


class Form(NamedTuple):
  """How a text table is written.

  Attributes:
    data: the file.
    encoding: as Python calls it.
    separator: of the cells.
    names: of the columns, '' for one without; `column_1`, ... where the file
      names none.
    has_names: whether it does.
    skipped: lines before the first row.
    notes: what is unusual, as sentences.
  """

  data: bytes
  encoding: str
  separator: str
  names: tuple[str, ...]
  has_names: bool
  skipped: int
  notes: tuple[str, ...] = ()


class Table(NamedTuple):
  """A table of text.

  Attributes:
    names: of its columns.
    rows: cells by the name of the column.
    has_names: whether the file names its columns.
    notes: what is unusual about it, as sentences.
  """

  names: tuple[str, ...]
  rows: list[dict[str, str]]
  has_names: bool
  notes: tuple[str, ...]


def read(path: pathlib.Path) -> Table:
  """Reads a text table, without blanks around cells.

  Args:
    path: of the file. Blank lines are skipped and cells that a row lacks are
      empty; columns without a name (an exported index, say) are left out; so is
      the apostrophe by which a cell like '=x is kept from being a formula.

  Returns:
    Its rows; numbers with a decimal comma have a point.

  Raises:
    UserError: if it cannot be read as such a file.
  """
  form = inspect(path)
  try:
    lines = [
      [manifest.original(cell).strip() for cell in row]
      for row, number in _lines(form.data, form.encoding, form.separator)
      if number > form.skipped and row
    ]
  except (OSError, csv.Error) as error:
    raise UserError(_unreadable(path, error)) from error
  width = len(form.names)
  for number, row in enumerate(lines, 1):
    if any(row[width:]):
      raise UserError(
        f'{path}, row {number}: {len(row)} cells for {width} columns; a'
        ' separator inside a cell needs quotation marks around the cell.'
      )
  used = [i for i, name in enumerate(form.names) if name]
  filled = {i for row in lines for i, cell in enumerate(row) if cell}
  more = unnamed(
    path,
    [name if i in filled else 'empty' for i, name in enumerate(form.names)],
  )
  columns = {
    form.names[i]: [row[i] if i < len(row) else '' for row in lines]
    for i in used
  }
  columns, notes = with_points(path, columns, form)
  rows = [
    dict(zip(columns, cells, strict=True))
    for cells in zip(*columns.values(), strict=True)
  ]
  rows = rows or [{} for _ in lines]
  return Table(tuple(columns), rows, form.has_names, form.notes + more + notes)


def unnamed(path: pathlib.Path, names: Sequence[str]) -> tuple[str, ...]:
  """That columns have no name, '', and are not used."""
  places = [str(i) for i, name in enumerate(names, 1) if not name]
  if not places:
    return ()
  said = 's {} have' if len(places) > 1 else ' {} has'
  return (
    f'Column{said.format(meanings.shown(places, 3))} no name in {path.name} and'
    f' {"are" if len(places) > 1 else "is"} not used.',
  )


def inspect(path: pathlib.Path) -> Form:
  """Finds how a text table is written.

  Args:
    path: of the file.

  Returns:
    Its form; an empty file has no columns.

  Raises:
    UserError: if it is no text, or names a column twice.
  """
  try:
    data = layout.read_file(path)
  except OSError as error:
    raise UserError(_unreadable(path, error)) from error
  for start, what in _PACKED.items():
    if data.startswith(start):
      raise UserError(f'{path} is {what}.')
  encoding, notes = _encoding(path, data)
  separator, skipped = _separator(data, encoding)
  if separator != ',':
    notes += (f'{path.name} is separated by {_SEPARATORS[separator]}.',)
  try:
    # Blank lines before the names do not count.
    first, number = next(
      (
        (row, number)
        for row, number in _lines(data, encoding, separator)
        if row and number > skipped
      ),
      ([], skipped),
    )
  except csv.Error as error:
    raise UserError(_unreadable(path, error)) from error
  names = tuple(manifest.original(cell).strip() for cell in first)
  has_names = _are_names(names, separator)
  if has_names:
    skipped = number
  else:
    names = tuple(f'column_{i}' for i in range(1, len(names) + 1))
    notes += (
      f'{path.name} has no row of names: its columns are called column_1 to'
      f' column_{len(names)}.',
    )
  repeated = [k for k, n in Counter(names).items() if k and n > 1]
  if repeated:
    raise UserError(f'{path} has the column {repeated[0]!r} more than once.')
  return Form(data, encoding, separator, names, has_names, skipped, notes)


def with_points(
  path: pathlib.Path, columns: dict[str, list[str]], form: Form
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
  """Columns whose numbers have a decimal comma with a point, and a note.

  See `THOUSANDS` for what is none.
  """
  changed = {
    name: [
      cell.replace(',', '.') if _COMMA.fullmatch(cell) else cell
      for cell in cells
    ]
    for name, cells in columns.items()
    if has_decimal_commas(cells, form.separator)
  }
  if not changed:
    return columns, ()
  return columns | changed, (decimal_note(path, changed),)


def has_decimal_commas(cells: Sequence[str], separator: str) -> bool:
  """Whether all that is known are numbers, some of them with a comma."""
  if not any(',' in cell for cell in cells):
    return False
  there = [cell for cell in cells if not meanings.is_missing(cell)]
  if separator == ',' and all(
    re.fullmatch(THOUSANDS, cell) for cell in there if ',' in cell
  ):
    return False
  commas = [bool(_COMMA.fullmatch(cell)) for cell in there]
  return any(commas) and all(
    comma or _WHOLE.fullmatch(cell)
    for comma, cell in zip(commas, there, strict=True)
  )


def decimal_note(path: pathlib.Path, names: Iterable[str]) -> str:
  return (
    f'Commas in numbers of {path.name} are decimal ones'
    f' ({meanings.shown(names, 3)}).'
  )


def is_image_name(cell: str) -> bool:
  """Whether a cell ends as the names of image files do."""
  return bool(_IMAGE.fullmatch(cell))


def require_columns(
  path: pathlib.Path, rows: list[dict[str, str]], columns: tuple[str, ...]
) -> None:
  """Raises a UserError where a table is empty or lacks a column."""
  if not rows:
    raise UserError(f'{path} holds no rows.')
  missing = [name for name in columns if name not in rows[0]]
  if missing:
    raise UserError(
      f'{path} has no column {", ".join(map(repr, missing))}: it needs'
      f' {", ".join(columns)} and {meanings.has(rows[0])}.'
    )


def _encoding(path: pathlib.Path, data: bytes) -> tuple[str, tuple[str, ...]]:
  """The encoding of a text, and what must be said of it."""
  if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
    return _decodes(path, data, 'utf-16'), ()
  # The second byte of ASCII in UTF-16 is a zero.
  if b'\0' in data[:2]:
    byteorder = 'be' if data[:1] == b'\0' else 'le'
    return _decodes(path, data, f'utf-16-{byteorder}'), ()
  _check_zeros(path, data, b'\0', b'\n')
  try:
    if not data.isascii():
      data.decode('utf-8-sig')
  except UnicodeDecodeError as error:
    line = data.count(b'\n', 0, error.start) + 1
    return _decodes(path, data, 'cp1252'), (
      f'{path.name} is not in UTF-8 (line {line} has the byte'
      f' 0x{data[error.start]:02x}): it is read as Windows-1252 (Latin-1).',
    )
  return 'utf-8-sig', ()


def _decodes(path: pathlib.Path, data: bytes, encoding: str) -> str:
  """The encoding, where it is that of the text."""
  try:
    text = data.decode(encoding)
  except UnicodeDecodeError as error:
    raise UserError(
      f'{path} is no text in UTF-8, UTF-16 or Windows-1252 (byte'
      f' {error.start:,}): save it as "CSV UTF-8".'
    ) from error
  _check_zeros(path, text, '\0', '\n')
  return encoding


def _check_zeros(
  path: pathlib.Path, text: AnyStr, zero: AnyStr, end: AnyStr
) -> None:
  """Raises a UserError for zeros, of which readers leave out rows, unsaid."""
  if (start := text.find(zero)) >= 0:
    line = text.count(end, 0, start) + 1
    raise UserError(
      f'{path} is no text (line {line:,} has a zero byte, as where a file has'
      ' not arrived whole): it must be a CSV file in UTF-8.'
    )


def _lines(
  data: bytes, encoding: str, separator: str
) -> Iterator[tuple[list[str], int]]:
  """Rows, each with the number of its last line."""
  text = io.TextIOWrapper(io.BytesIO(data), encoding, newline='')
  reader = csv.reader(text, strict=True, delimiter=separator)
  for row in reader:
    yield row, reader.line_num


def _separator(data: bytes, encoding: str) -> tuple[str, int]:
  """The separator, and lines before the table that only name it."""
  text = io.TextIOWrapper(io.BytesIO(data), encoding, newline='')
  first = text.readline(20)
  if (said := _EXCELS.fullmatch(first.strip())) and said[1] in _SEPARATORS:
    return said[1], 1
  widths: dict[str, list[int]] = {}
  for separator in _SEPARATORS:
    try:
      rows = filter(None, (row for row, _ in _lines(data, encoding, separator)))
      widths[separator] = [*map(len, itertools.islice(rows, _SAMPLED))]
    except csv.Error:
      continue
  columns = {s: w[0] for s, w in widths.items() if w and w[0] > 1}
  others = [s for s in columns if s != ',']
  if ',' in columns:
    others = [
      s
      for s in others
      # A comma may be a decimal one.
      if len(set(widths[s])) == 1 < len(widths[s])
      and (columns[s] > columns[','] or s == ';' and columns[s] == columns[','])
    ]
  return max(others, key=lambda s: columns[s], default=','), 0


def _are_names(cells: Sequence[str], separator: str) -> bool:
  """Whether a first row names columns, and is none of them."""
  if not cells or any(map(meanings.of, cells)):
    return True
  numbers = [
    cell
    for cell in cells
    if _FRACTION.fullmatch(cell)
    and (separator != ',' or ',' not in cell)
    and meanings.whole(cell) == cell  # Names of columns may be 0.0, 1.0.
  ]
  return not numbers and not any(map(is_image_name, cells))


def _unreadable(path: pathlib.Path, error: Exception) -> str:
  return f'{path} cannot be read as a CSV file ({error}).'

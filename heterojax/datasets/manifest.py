"""The manifest: every candidate image once, and what became of it.

Every CSV file of this program is written here. Spreadsheets run a cell that
begins with =, +, -, @, a tab or a carriage return as a formula, so text of that
kind gets an apostrophe in front, as OWASP advises ("CSV Injection"); numbers
stay as they are. `parse_csv` takes the apostrophe off again, and so does
`read_table`, as a user's table may be a manifest or come from a program that
does the same. Files of features are read as they stand there.
"""

import codecs
from collections import Counter
from collections.abc import Sequence
import csv
import dataclasses
import io
import itertools
import pathlib
import re

from heterojax.datasets import layout
from heterojax.datasets.sources import Source
from heterojax.errors import UserError

TASKS = ('classification', 'regression')
_COLUMNS = ('id', 'path', 'label', 'group', 'split', 'included', 'reason')
# The last four are the full-width forms, which some take for the others.
_FORMULA = re.compile("'*[=+@\t\r\n＝＋－＠-]")
_NUMBER = re.compile(r'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?')


@dataclasses.dataclass(frozen=True)
class Candidate:
  """One image of a class, as one row of the source names it.

  Attributes:
    id: unique; for ODIR-5K `{row}_{left|right}`.
    path: relative to the root of the cohort; several candidates may share it.
    label: name of the class, or the number that is to be estimated as text.
    group: patient, or '' where the source names none.
    split: 'train', 'validation', 'test', or '' where not (yet) assigned.
    included: whether the study uses it.
    reason: why not, in words; '' where included.
    columns: further columns of the data set, in their order.
  """

  id: str
  path: str
  label: str
  group: str
  split: str = ''
  included: bool = True
  reason: str = ''
  columns: tuple[tuple[str, str], ...] = ()

  @property
  def unit(self) -> tuple[bool, str]:
    """What must not be on both sides: the group, or else the image itself."""
    return bool(self.group), self.group or self.id

  def left_out(self, reason: str) -> 'Candidate':
    return dataclasses.replace(self, included=False, reason=reason)


@dataclasses.dataclass(frozen=True)
class Cohort:
  """What a data set's reader gives.

  Attributes:
    name: of the data set.
    source: what the candidates' paths are looked up in.
    classes: labels, that of the disease first; () where labels are numbers.
    candidates: all of them, in the order of the source.
    notes: what the reader found that a reader of the report must know, as
      counts that differ from the published ones; whole sentences.
    label_columns: columns that tell the label by themselves.
    named_splits: whether the source says who is tested.
    task: one of `TASKS`.
    masks_are_left_out: whether a picture of two values is taken for a mask.
  """

  name: str
  source: Source
  classes: tuple[str, ...]
  candidates: tuple[Candidate, ...]
  notes: tuple[str, ...] = ()
  label_columns: tuple[str, ...] = ()
  named_splits: bool = False
  task: str = 'classification'
  masks_are_left_out: bool = False

  @property
  def codes(self) -> dict[str, int]:
    """What heads learn for each class: 0 for the last one, 1 for that before.

    Of two classes the disease is 1.
    """
    return {label: code for code, label in enumerate(reversed(self.classes))}

  @property
  def included(self) -> tuple[Candidate, ...]:
    return tuple(c for c in self.candidates if c.included)

  def replaced(self, changed: dict[str, Candidate]) -> 'Cohort':
    """The cohort with some candidates replaced, found by id."""
    return dataclasses.replace(
      self,
      candidates=tuple(changed.get(c.id, c) for c in self.candidates),
    )


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
  """A table as CSV with Unix line ends; floats keep every digit.

  Text that a spreadsheet would run has an apostrophe in front.
  """
  buffer = io.StringIO()
  minimal = csv.writer(buffer, lineterminator='\n')
  # Python before 3.13 leaves a carriage return bare, which ends a row.
  quoted = csv.writer(buffer, lineterminator='\n', quoting=csv.QUOTE_ALL)
  for row in [header, *rows]:
    cells = [_harmless(c) if isinstance(c, str) else c for c in row]
    writer = quoted if '\r' in ''.join(map(str, cells)) else minimal
    writer.writerow(cells)
  return buffer.getvalue()


def parse_csv(text: str) -> list[dict[str, str]]:
  """Reads what `csv_text` wrote, cell by cell as it was given.

  Args:
    text: of the file.

  Returns:
    One dictionary a row.
  """
  lines = csv.reader(io.StringIO(text, newline=''))
  header, *rows = [[*map(_original, row)] for row in lines] or [[]]
  return [dict(zip(header, row, strict=True)) for row in rows]


def _harmless(cell: str) -> str:
  """A cell that no spreadsheet takes for a formula."""
  # One more apostrophe where there are some, so that `_original` is exact.
  is_text = not _NUMBER.fullmatch(cell)
  return f"'{cell}" if is_text and _FORMULA.match(cell) else cell


def _original(cell: str) -> str:
  return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def manifest_csv(cohort: Cohort) -> str:
  """`manifest.csv`: the fixed columns and then those of the data set."""
  more = list(dict.fromkeys(k for c in cohort.candidates for k, _ in c.columns))
  rows = []
  for c in cohort.candidates:
    values = dict(c.columns)
    fixed = [c.id, c.path, c.label, c.group, c.split]
    fixed += [str(c.included).lower(), c.reason]
    rows.append(fixed + [values.get(column, '') for column in more])
  return csv_text([*_COLUMNS, *more], rows)


def read_table(path: pathlib.Path) -> list[dict[str, str]]:
  """Rows of a UTF-8 CSV file, without blanks around cells.

  Args:
    path: of the file. Blank lines are skipped and cells that a row lacks are
      empty; columns without a name (an exported index, say) are left out; so is
      the apostrophe by which a cell like '=x is kept from being a formula.

  Returns:
    One dictionary a row.

  Raises:
    UserError: if it cannot be read as such a file.
  """
  try:
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=''), strict=True)
    lines = [[_original(c).strip() for c in row] for row in reader if row]
  except (OSError, csv.Error) as error:
    raise UserError(
      f'{path} cannot be read as a CSV file ({error}).'
    ) from error
  columns, *rows = lines or [[]]
  repeated = [k for k, n in Counter(columns).items() if k and n > 1]
  if repeated:
    raise UserError(f'{path} has the column {repeated[0]!r} more than once.')
  for number, row in enumerate(rows, 1):
    if any(row[len(columns) :]):
      raise UserError(
        f'{path}, row {number}: {len(row)} cells for {len(columns)} columns;'
        ' a comma inside a cell needs quotation marks around the cell.'
      )
  width = len(columns)
  table = [
    dict(itertools.zip_longest(columns, row[:width], fillvalue=''))
    for row in rows
  ]
  if '' in columns:
    for cells in table:
      del cells['']
  return table


def _text(path: pathlib.Path) -> str:
  """Text of a CSV file; a UserError where it is written in another way."""
  data = layout.read_file(path)
  if data.startswith(b'PK\x03\x04'):
    raise UserError(
      f'{path} is a workbook or an archive: save the table as "CSV UTF-8".'
    )
  # The second byte of ASCII in UTF-16 is a zero.
  if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (
    b'\0' in data[:2]
  ):
    raise UserError(f'{path} is in UTF-16: save it as "CSV UTF-8".')
  try:
    text = data.decode('utf-8-sig')
  except UnicodeDecodeError as error:
    line = data.count(b'\n', 0, error.start) + 1
    raise UserError(
      f'{path} is not in UTF-8 (line {line} has the byte'
      f' 0x{data[error.start]:02x}, perhaps of Latin-1): save it as "CSV'
      ' UTF-8".'
    ) from error
  first = text[:10_000].strip().splitlines()[:1]
  for character, name in ((';', 'semicolons'), ('\t', 'tabs'), ('|', 'bars')):
    if first and character in first[0] and ',' not in first[0]:
      raise UserError(
        f'{path} is separated by {name}: save it with commas between the'
        ' columns.'
      )
  return text


def require_columns(
  path: pathlib.Path, rows: list[dict[str, str]], columns: tuple[str, ...]
) -> None:
  """Raises a UserError where a table is empty or lacks a column."""
  if not rows:
    raise UserError(f'{path} holds no rows.')
  missing = [name for name in columns if name not in rows[0]]
  if missing:
    there = [*rows[0]] or ['no names of columns']
    shown = ', '.join(there[:12])
    if len(there) > 12:
      shown += f' and {len(there) - 12} more'
    raise UserError(
      f'{path} has no column {", ".join(map(repr, missing))}: it needs'
      f' {", ".join(columns)} and has {shown}.'
    )

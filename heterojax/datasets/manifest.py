"""The manifest: every candidate image once, and what became of it.

Every CSV file of this program is written here. Spreadsheets run a cell that
begins with =, +, -, @, a tab or a carriage return as a formula, so text of that
kind gets an apostrophe in front, as OWASP advises ("CSV Injection"); numbers
stay as they are. `parse_csv` takes the apostrophe off again, and so does
`tables.read`, as a user's table may be a manifest or come from a program that
does the same. Files of features are read as they stand there.
"""

from collections.abc import Iterable, Iterator, Sequence
import csv
import dataclasses
import io
import itertools
import pathlib
import re
from typing import TextIO

from heterojax import errors
from heterojax.datasets.sources import Source

TASKS = ('classification', 'regression')
# Of a file that are in memory at a time.
_ROWS = 4096
# Characters of a cell that can be read again, with an apostrophe in front.
LONGEST_CELL = csv.field_size_limit() - 1
COLUMNS = ('id', 'path', 'label', 'group', 'split', 'included', 'reason')
# The last four are the full-width forms, which some take for the others.
_FORMULA = re.compile("'*[=+@\t\r\n＝＋－＠-]")
_NUMBER = re.compile(r'[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?')


@dataclasses.dataclass(frozen=True, slots=True)
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
    external: a second data set, of which nothing is trained; if there is one.
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
  external: 'Cohort | None' = None

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


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
  """A table as CSV with Unix line ends; floats keep every digit.

  Text that a spreadsheet would run has an apostrophe in front.
  """
  return ''.join(csv_chunks(header, rows))


def csv_chunks(
  header: Sequence[str], rows: Iterable[Sequence[object]]
) -> Iterator[str]:
  """`csv_text`, some thousand rows at a time."""
  every = itertools.chain([header], rows)
  while some := list(itertools.islice(every, _ROWS)):
    buffer = io.StringIO()
    minimal = csv.writer(buffer, lineterminator='\n')
    # Python before 3.13 leaves a carriage return bare, which ends a row.
    quoted = csv.writer(buffer, lineterminator='\n', quoting=csv.QUOTE_ALL)
    for row in some:
      cells = [_harmless(c) if isinstance(c, str) else c for c in row]
      writer = quoted if '\r' in ''.join(map(str, cells)) else minimal
      writer.writerow(cells)
    yield buffer.getvalue()


def parse_csv(text: str) -> list[dict[str, str]]:
  """Reads what `csv_text` wrote, cell by cell as it was given.

  Args:
    text: of the file.

  Returns:
    One dictionary a row.
  """
  return list(_parsed(io.StringIO(text, newline='')))


class Rows:
  """Rows of a file that `csv_text` wrote, read anew by each loop over them.

  None of them is kept: there may be a million. The loop raises a UserError
  where the file cannot be read, or lacks a column.

  Args:
    path: of the file.
    *needed: columns that it must have.
  """

  def __init__(self, path: pathlib.Path, *needed: str):
    self._path, self._needed = path, needed

  def __iter__(self) -> Iterator[dict[str, str]]:
    try:
      # A label may hold a line end.
      with self._path.open(encoding='utf-8', newline='') as file:
        for row in _parsed(file):
          if lacking := [name for name in self._needed if name not in row]:
            raise ValueError(f'it has no column {lacking[0]!r}')
          yield row
    except (ValueError, csv.Error) as error:
      raise errors.damaged(self._path, str(error)) from error


def _parsed(file: TextIO) -> Iterator[dict[str, str]]:
  lines = csv.reader(file)
  header = [*map(original, next(lines, []))]
  for row in lines:
    yield dict(zip(header, map(original, row), strict=True))


def _harmless(cell: str) -> str:
  """A cell that no spreadsheet takes for a formula."""
  # One more apostrophe where there are some, so that `original` is exact.
  is_text = not _NUMBER.fullmatch(cell)
  return f"'{cell}" if is_text and _FORMULA.match(cell) else cell


def original(cell: str) -> str:
  """A cell without the apostrophe of `csv_text`."""
  return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def manifest_csv(cohort: Cohort) -> Iterator[str]:
  """`manifest.csv`: the fixed columns and then those of the data set.

  Yields:
    Its text, some thousand rows at a time.
  """
  more = list(dict.fromkeys(k for c in cohort.candidates for k, _ in c.columns))

  def rows() -> Iterator[list[str]]:
    for c in cohort.candidates:
      values = dict(c.columns)
      fixed = [c.id, c.path, c.label, c.group, c.split]
      fixed += [str(c.included).lower(), c.reason]
      yield fixed + [values.get(column, '') for column in more]

  return csv_chunks([*COLUMNS, *more], rows())

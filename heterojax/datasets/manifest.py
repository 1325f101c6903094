"""The manifest: every candidate image once, and what became of it."""

from collections import Counter
import csv
import dataclasses
import io
import itertools
import pathlib

from heterojax.errors import UserError

_COLUMNS = ('id', 'path', 'label', 'group', 'split', 'included', 'reason')


@dataclasses.dataclass(frozen=True)
class Candidate:
  """One image of a class, as one row of the source names it.

  Attributes:
    id: unique; for ODIR-5K `{row}_{left|right}`.
    path: relative to the root of the cohort; several candidates may share it.
    label: name of the class.
    group: patient, or '' where the source names none.
    split: 'train', 'validation', 'test', or '' where not (yet) assigned.
    included: whether the study uses it.
    reason: why not, in words; '' where included.
    columns: the data set's own columns, in their order.
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
    root: folder that the candidates' paths start from.
    positive: label of the disease.
    negative: label of the other class.
    candidates: all of them, in the order of the source.
  """

  name: str
  root: pathlib.Path
  positive: str
  negative: str
  candidates: tuple[Candidate, ...]

  @property
  def included(self) -> tuple[Candidate, ...]:
    return tuple(c for c in self.candidates if c.included)

  def replaced(self, changed: dict[str, Candidate]) -> 'Cohort':
    """The cohort with some candidates replaced, found by id."""
    return dataclasses.replace(
        self,
        candidates=tuple(changed.get(c.id, c) for c in self.candidates),
    )


def csv_text(header: list[str], rows: list[list[object]]) -> str:
  """A table as CSV with Unix line ends; floats keep every digit."""
  buffer = io.StringIO()
  minimal = csv.writer(buffer, lineterminator='\n')
  # Python before 3.13 leaves a carriage return bare, which ends a row.
  quoted = csv.writer(buffer, lineterminator='\n', quoting=csv.QUOTE_ALL)
  for row in [header, *rows]:
    writer = quoted if '\r' in ''.join(map(str, row)) else minimal
    writer.writerow(row)
  return buffer.getvalue()


def manifest_csv(cohort: Cohort) -> str:
  """`manifest.csv`: the fixed columns and then the data set's own."""
  own = list(dict.fromkeys(k for c in cohort.candidates for k, _ in c.columns))
  rows = []
  for c in cohort.candidates:
    values = dict(c.columns)
    fixed = [c.id, c.path, c.label, c.group, c.split]
    fixed += [str(c.included).lower(), c.reason]
    rows.append(fixed + [values.get(column, '') for column in own])
  return csv_text([*_COLUMNS, *own], rows)


def read_table(path: pathlib.Path) -> list[dict[str, str]]:
  """Rows of a UTF-8 CSV file, with surrounding blanks stripped.

  Args:
    path: of the file. Blank lines are skipped and cells that a row lacks are
      empty; columns without a name (an exported index, say) are left out.

  Returns:
    One dictionary a row.

  Raises:
    UserError: if it cannot be read as such a file.
  """
  try:
    with path.open(encoding='utf-8-sig', newline='') as file:
      reader = csv.reader(file, strict=True)
      lines = [[cell.strip() for cell in row] for row in reader if row]
      columns, *rows = lines or [[]]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise UserError(
        f'{path} cannot be read as a CSV file in UTF-8 ({error}).'
    ) from error
  repeated = [k for k, n in Counter(columns).items() if k and n > 1]
  if repeated:
    raise UserError(f'{path} has the column {repeated[0]!r} more than once.')
  for number, row in enumerate(rows, 1):
    if any(row[len(columns) :]):
      raise UserError(
          f'{path}, row {number}: {len(row)} cells for {len(columns)} columns;'
          ' a comma inside a cell needs quotation marks around the cell.'
      )
  return [
      {k: v for k, v in itertools.zip_longest(columns, row, fillvalue='') if k}
      for row in rows
  ]


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
        f' {", ".join(columns)}.'
    )

"""What a report is made of: sections of text, tables, figures and notes.

A page says what stands in it; `page.html` alone says how it looks. A column of
a table is written once and serves the CSV file, the head and the cells of the
page, and the definition below it. Plain text is escaped; `Markup` is HTML.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
import re
import types
from typing import Any, Generic, NamedTuple, TypeVar

from markupsafe import Markup
from markupsafe import escape

from heterojax.datasets import manifest
from heterojax.report import embedding
from heterojax.report import formatting
from heterojax.report import templates

Text = str | Markup
Row = TypeVar('Row')


class Paragraph(NamedTuple):
  """Text; `style` is '' or a class of `style.css`: note, warning, quiet."""

  text: Text
  style: str = ''
  kind = 'paragraph'


class Items(NamedTuple):
  """A list of texts."""

  items: Sequence[Text]
  style: str = ''
  kind = 'items'


class Heading(NamedTuple):
  """A heading within a section; `anchor` is what links lead to."""

  text: Text
  anchor: str = ''
  kind = 'heading'


class Quoted(NamedTuple):
  """Text to paste, with its line breaks."""

  text: str
  kind = 'quoted'


class Pairs(NamedTuple):
  """Names and what is said of each: a table without a head."""

  rows: Sequence[tuple[str, Text]]
  kind = 'pairs'


class Figure(NamedTuple):
  """A figure of the run.

  Attributes:
    name: of its file, without an ending.
    alt: what a reader who cannot see it must know.
    caption: below it.
  """

  name: str
  alt: str
  caption: Text = ''
  kind = 'figure'


class Tile(NamedTuple):
  """A small picture: its JPEG bytes, what it shows, and a line below it."""

  jpeg: bytes
  alt: str
  caption: Text
  kind = 'tile'


class Tiles(NamedTuple):
  """Small pictures in a row; `none` is said where there are none."""

  tiles: Sequence[Tile]
  none: str = ''
  kind = 'tiles'


# No tuple, from which a type checker does not see what `value` is called with.
@dataclasses.dataclass(frozen=True)
class Column(Generic[Row]):
  """A column of a table, over rows of one kind.

  Attributes:
    key: head in the CSV file; '' where it is in the page only.
    value: cell of the CSV file, None where there is nothing.
    head: head in the page; '' where it is in the CSV file only.
    text: cell of the page; without it, the value as a number or a text.
    definition: what the page says of it below the table.
    align: 'number', 'text', 'long' (which may break) or 'short' (never).
  """

  key: str
  value: Callable[[Row], object]
  head: Text = ''
  text: Callable[[Row], Text] | None = None
  definition: Text = ''
  align: str = 'number'

  def cell(self, row: Row) -> Text:
    """The cell of the page."""
    if self.text:
      return self.text(row)
    value = self.value(row)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
      return formatting.number(value)
    if isinstance(value, Markup):
      return value
    return '' if value is None else str(value)


def on_page(
  head: Text, value: Callable[[Row], object], align: str = 'number'
) -> Column[Row]:
  """A column that is in the page only."""
  return Column('', value, head, align=align)


@dataclasses.dataclass(frozen=True)
class Table(Generic[Row]):
  """A table; see `Column`.

  Attributes:
    name: of its CSV file, without an ending; '' where it has none.
    columns: left to right.
    rows: of the CSV file.
    caption: above it in the page.
    shown: which rows the page shows.
    defined: whether the page says below it what its columns are.
  """

  name: str
  columns: Sequence[Column[Row]]
  rows: Sequence[Row]
  caption: Text = ''
  shown: Callable[[Row], bool] = lambda row: True
  defined: bool = True
  kind = 'table'

  @property
  def heads(self) -> list[Column[Row]]:
    """The columns of the page."""
    return [column for column in self.columns if column.head]

  @property
  def cells(self) -> list[list[tuple[Column[Row], Text]]]:
    """The rows of the page."""
    return [
      [(column, column.cell(row)) for column in self.heads]
      for row in self.rows
      if self.shown(row)
    ]

  @property
  def definitions(self) -> list[Column[Row]]:
    """The columns that are explained below it."""
    return [c for c in self.heads if c.definition and self.defined]

  @property
  def sortable(self) -> bool:
    """Whether each of several rows of the page can stand alone."""
    cells = self.cells
    return len(cells) > 2 and all(row[0][1] for row in cells)

  def csv(self) -> str:
    """The file."""
    columns = [column for column in self.columns if column.key]
    return manifest.csv_text(
      [column.key for column in columns],
      [[column.value(row) for column in columns] for row in self.rows],
    )

  def file(self) -> str:
    """What is taken from the page: the file, or else what the page shows."""
    if self.name:
      return self.csv()
    return manifest.csv_text(
      [_plain(column.head) for column in self.heads],
      [[_plain(text) for _, text in row] for row in self.cells],
    )


class Folded(NamedTuple):
  """A part of a section that a reader opens."""

  title: Text
  blocks: Sequence['Block']
  kind = 'folded'


Block = (
  Paragraph | Items | Heading | Quoted | Pairs | Figure | Tiles | Table | Folded
)


class Section(NamedTuple):
  """A titled part of a page.

  Attributes:
    title: of it.
    blocks: in their order.
    anchor: what links lead to, where it is not made from the title.
    folded: whether a reader opens it.
    asked: guidelines of reporting, and which of their items ask for it.
  """

  title: Text
  blocks: Sequence[Block]
  anchor: str = ''
  folded: bool = False
  asked: Mapping[str, Sequence[str]] = types.MappingProxyType({})

  @property
  def id(self) -> str:
    """What links lead to."""
    title = escape(self.title).striptags().lower()
    return self.anchor or re.sub('[^a-z0-9]+', '-', title).strip('-')


class Page(NamedTuple):
  """A report.

  Attributes:
    title: of the page.
    question: that it answers.
    facts: name and value of the numbers at its head.
    sections: in their order.
    made: when, by what and with which command.
  """

  title: str
  question: str
  facts: Sequence[tuple[str, Text]]
  sections: Sequence[Section]
  made: Text = ''


def html(page: Page, figures: Mapping[str, bytes]) -> str:
  """The page as one file that needs nothing else.

  Args:
    page: what stands in it.
    figures: file name to content; each `Figure` needs its SVG and its PNG.

  Returns:
    HTML.
  """
  style, script = map(templates.text, ('style.css', 'script.js'))
  filters = {
    'csv': embedding.table,
    'drawing': embedding.drawing,
    'picture': embedding.picture,
  }
  text = templates.load('page.html', filters).render(
    page=page,
    figures=figures,
    style=Markup(style),
    script=Markup(script),
    policy=embedding.policy(style, script),
  )
  return formatting.seen(text)


def _plain(text: Text) -> str:
  """A cell without marks; its lines are parted."""
  parted = re.sub('</div><div>|<br>', '; ', escape(text))
  return Markup(parted.replace('<small>', ' ')).striptags()


def missing(why: str) -> Markup:
  """What stands in a cell that has no value."""
  return Markup('<span class="none">{}</span>').format(why)


def estimate(value: Any, text: Callable[[Any], Text]) -> Text:
  """A cell with a number, or with why there is none.

  Args:
    value: a number, `Missing`, or None where it is not reported.
    text: how the number is written.

  Returns:
    The cell.
  """
  why = formatting.why_null(value)
  return missing(why) if why else text(value)


def stacked(*texts: Text) -> Markup:
  """A cell with several values, one below the other."""
  return Markup('').join(Markup('<div>{}</div>').format(text) for text in texts)


def with_small(text: Text, small: Text) -> Markup:
  """A cell with a second, smaller line; alone where that is ''."""
  if not small:
    return escape(text)
  return Markup('{}<small>{}</small>').format(text, small)


def quiet(text: Text) -> Markup:
  return Markup('<span class="quiet">{}</span>').format(text)


def reasons(whys: Iterable[tuple[str, str]]) -> str:
  """Names and why each is null, for the last column of a table."""
  return '; '.join(f'{name} {why}' for name, why in whys if why)

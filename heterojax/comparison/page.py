"""`comparison.html`: one file that needs nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import functools
from typing import NamedTuple

from markupsafe import Markup

from heterojax.comparison import agreement
from heterojax.comparison import overview
from heterojax.comparison import reasons
from heterojax.comparison import shown
from heterojax.comparison import side_by_side
from heterojax.comparison.cells import OURS
from heterojax.comparison.cells import PAPER
from heterojax.comparison.cells import Cell
from heterojax.comparison.side_by_side import Comparison
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Row
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.terms import OUR_CHOICE
from heterojax.stats import metrics
from heterojax.studies.pages import scores
from heterojax.studies.retraining.pages import published_counts
from heterojax.studies.retraining.pages import tables

_PARTS = {
  'train': 'Training',
  'train_augmented': 'Training with augmented copies',
  'test': 'Test',
}
_INTERVALS = (
  'Shares are of 1. Below a value stands its 95% interval. It is about the test'
  ' images only, takes patients for independent, or images where no patients'
  ' are named, and says nothing about what another seed, split or draw would'
  ' change. Below the mean of the random heads stand the smallest and the'
  ' largest of them.'
)
_SIZES = (
  'Below the mean of the folds of a size stand the smallest and the largest of'
  ' them, below the CV that chance alone gives the middle 95% of such CVs, and'
  ' below a gain its 95% interval.'
)
_PAPER = (
  'The paper prints no intervals: those beside its shares are Wilson'
  f' intervals of the printed value and its number of test images {OURS}.'
)
_FILES = Markup(
  'The same numbers: <code>comparison.csv</code>,'
  ' <code>comparison.json</code>. This is a research tool for describing data'
  ' sets. It is not a medical device.'
)


class _Row(NamedTuple):
  """A row of a table: what it is about, and a cell of each source."""

  group: str
  name: str
  cells: dict[str, Cell]


class _Tested(NamedTuple):
  """A part of the test images, and a cell of each source."""

  part: Text
  cells: Mapping[str, Text]


def render(compared: Sequence[Comparison]) -> str:
  """The page.

  Args:
    compared: one comparison per study and classes.

  Returns:
    Its HTML.
  """
  papers = any(c.group.published for c in compared)
  runs = [run for c in compared for run in c.group.runs]
  titles = [_title(c, compared) for c in compared]
  studies = {c.group.retraining for c in compared}
  said = {_INTERVALS: True in studies, _SIZES: False in studies, _PAPER: papers}
  how = [Paragraph(text) for text, of_these in said.items() if of_these]
  page = blocks.Page(
    'Side by side with Wang (2023)' if papers else 'Runs side by side',
    agreement.sentence(runs),
    (),
    [
      blocks.Section('The answers', [*overview.answers(runs)]),
      *(
        blocks.Section(title, [*overview.group(c, i), *_section(c)])
        for i, (c, title) in enumerate(zip(compared, titles, strict=True))
      ),
      blocks.Section('How to read it', [*how, Paragraph(_FILES, 'quiet')]),
    ],
  )
  return blocks.html(page, overview.figures(compared))


def _title(c: Comparison, compared: Sequence[Comparison]) -> str:
  """The classes; behind them the study, where there are two."""
  classes, study = c.group.classes, c.group.runs[0].study
  named = scores.against(classes) if classes.names else 'Regression'
  if len({other.group.runs[0].study for other in compared}) == 1:
    return named
  return f'{named}: the {study.replace("_", "-")} study'


def _section(c: Comparison) -> Iterator[Block]:
  """What the tables of the retraining study hold."""
  if not c.group.retraining:
    return
  paper = c.group.published
  if paper:
    yield Paragraph(f'Published: {paper.source}.')
  if c.differences:
    yield Heading('What the protocol changes')
    yield _protocols(c)
    yield from (Paragraph(sentence, 'note') for sentence in c.differences)
  yield Heading('Numbers of images')
  yield _numbers(c, 'Images', _rows(c, side_by_side.DATA, _PARTS.get))
  yield _heading(c, 'overall', 'Accuracy of the head of all images')
  yield _overall(c)
  yield _heading(
    c, 'clusters', 'Heads retrained on one cluster, and on random images'
  )
  yield from _clusters(c)
  yield from _published_counts(c)
  yield _heading(c, 'between_cluster_distances', 'Distances between centroids')
  yield from _distances(c)
  yield Heading('Which numbers cannot be expected to agree, and why')
  yield _reasons(c)
  if paper:
    yield Items(paper.notes, 'quiet')


def _heading(c: Comparison, of: str, text: str) -> Heading:
  """Names the paper's table where it has one."""
  return Heading(f'{c.printed_in[of]}. {text}' if c.group.published else text)


def _matched_to(c: Comparison) -> str:
  return 'the paper' if c.group.published else 'the first run'


def _sources(c: Comparison) -> list[str]:
  papers = [PAPER] if c.group.published else []
  return [*papers, *(run.label for run in c.group.runs)]


def _rows(
  c: Comparison, table: str, titled: Callable[[str], str | None]
) -> list[_Row]:
  """The rows of a table; the title of a group stands in the first of them."""
  found: dict[tuple[str, str], dict[str, Cell]] = {}
  for cell in c.cells:
    if cell.table == table and cell.metric:
      of_sources = found.setdefault((cell.row, cell.metric), {})
      of_sources[cell.source] = cell
  names, rows, before = _titles(c), [], None
  for (row, metric), of_sources in found.items():
    group = '' if row == before else titled(row) or ''
    rows.append(_Row(group, names[metric], of_sources))
    before = row
  return rows


def _titles(c: Comparison) -> dict[str, str]:
  """Metric to what the page calls it."""
  titles = {
    'matched_cluster': 'Matched cluster of the run',
    'matching_cost': 'Cost of the match',
    'n': 'All',
    'size': 'Training images',
    **dict(tables.of_each(c.group.classes)),
    'intra_cluster_distance': 'Intra-cluster distance',
    'centroid_distance': 'Distance',
  }
  for metric in metrics.of_task(c.group.classes.task):
    titles[metric.name] = metric.title
    titles[f'retrained_{metric.name}'] = f'{metric.title}, retrained'
    titles[f'random_{metric.name}'] = f'{metric.title}, random'
  return titles


def _per_source(
  c: Comparison, text: Callable[[str, Row], Text]
) -> list[Column[Row]]:
  """A column for the paper, where there is one, and for each run."""
  return [
    _cell(source, functools.partial(text, source)) for source in _sources(c)
  ]


def _numbers(c: Comparison, head: str, rows: Sequence[_Row]) -> Table[_Row]:
  """Each number of each source."""
  columns: list[Column[_Row]] = [
    _text(head, lambda row: row.group),
    _text('Number', lambda row: row.name),
    *_per_source(c, lambda source, row: shown.text(row.cells.get(source))),
  ]
  return Table('', columns, rows)


def _text(
  head: Text, text: Callable[[Row], Text], align: str = 'text'
) -> Column[Row]:
  return Column('', lambda row: None, head, text, align=align)


def _cell(head: Text, text: Callable[[Row], Text]) -> Column[Row]:
  return Column('', lambda row: None, head, text)


def _protocols(c: Comparison) -> Table[_Row]:
  """The clean run, the published one and their difference, in each row."""

  def cell(row: _Row, which: int) -> Cell:
    return [*row.cells.values()][which]

  def difference(row: _Row) -> str:
    value = cell(row, 2).value
    return '' if value is None else f'{value:+z.3f}'.replace('-', '−')

  columns: list[Column[_Row]] = [
    _text('Runs', lambda row: row.group),
    _text('Metric', lambda row: row.name),
    _cell('Clean', lambda row: shown.text(cell(row, 0), with_n=True)),
    _cell(
      'Published protocol', lambda row: shown.text(cell(row, 1), with_n=True)
    ),
    _cell('Difference', difference),
    _text('Intervals', lambda row: cell(row, 2).note),
  ]
  return Table(
    '',
    columns,
    _rows(c, side_by_side.PROTOCOLS, formatting.capital),
    'The head of all images on the whole test set.',
  )


def _overall(c: Comparison) -> Table[_Tested]:
  """The whole test set, then the test clusters of each source, best first."""
  pairs = 'cluster numbers differ from run to run'
  if c.group.published:
    pairs = (
      'the paper does not say which of them is which cluster of its'
      f' {c.printed_in["clusters"]}, and gives no n'
    )
  table = c.printed_in['overall']
  whole = {
    cell.source: shown.text(cell, with_n=True)
    for cell in c.cells
    if cell.table == table and cell.row == 'whole test set'
  }
  parts = {
    source: Markup('<br>').join(map(_test_cluster, by_accuracy(c, source)))
    for source in _sources(c)
  }
  columns: list[Column[_Tested]] = [
    _text('Test images', lambda row: row.part),
    *_per_source(c, lambda source, row: row.cells[source]),
  ]
  return Table(
    '',
    columns,
    [
      _Tested('Whole test set', whole),
      _Tested(Markup('Test clusters,<br>the best first'), parts),
    ],
    'Test clusters stand in the order of their accuracy and are paired with'
    f' nothing: {pairs}.',
  )


def by_accuracy(c: Comparison, source: str) -> list[Cell]:
  """The test clusters of a source, the best first, the unknown last."""
  found = [
    cell
    for cell in c.cells
    if cell.table == c.printed_in['overall']
    and cell.source == source
    and 'test cluster ' in cell.row
  ]
  return sorted(found, key=lambda c: (c.value is None, -(c.value or 0)))


def _test_cluster(cell: Cell) -> Markup:
  note = f'; {cell.note}' if cell.source == PAPER else ''
  named = blocks.quiet(f'{cell.row}{note}')
  return Markup('{} {}').format(shown.text(cell, with_n=True), named)


def _clusters(c: Comparison) -> Iterator[Block]:
  yield Paragraph(
    f'Our clusters are matched one to one to those of {_matched_to(c)}, so that'
    f' the sum of the costs is smallest. The cost of a match is {_cost(c)}. A'
    ' row with a large cost compares clusters that are not alike.'
    f'{_not_the_same(c)} {OUR_CHOICE}'
  )
  rows = _rows(c, c.printed_in['clusters'], formatting.capital)
  yield _numbers(c, f'Cluster of {_matched_to(c)}', rows)


def _cost(c: Comparison) -> str:
  if c.by_members:
    return (
      '1 less the Jaccard similarity of the two clusters, over the images of'
      ' both runs: 0 for the same images, 1 where they share none'
    )
  positive, *others = c.group.classes.names
  share, extremes = 'shares of the classes', ''
  if len(others) == 1:
    share = f'share of {positive}'
    extremes = (
      f', 1 between a cluster of {positive} only and an equally large one of'
      f' {others[0]} only'
    )
  return (
    f'the distance of the two clusters in the plane of ({share} in the cluster,'
    ' share of all training images that are in the cluster): 0 for the same mix'
    f' and share{extremes}'
  )


def _not_the_same(c: Comparison) -> str:
  if c.by_members:
    return ''
  return ' One with a small cost may still compare clusters of other images.'


def _published_counts(c: Comparison) -> Iterator[Block]:
  """What the paper's tables can show, and heads of its class mixes."""
  paper = c.group.published
  if paper is None or not (said := published_counts.sentences(paper)):
    return
  yield Heading(published_counts.TITLE)
  yield Items(said)
  yield from published_counts.table(
    paper,
    {
      f'Same class mix, {run.label}': published_counts.same_mix_of(run.results)
      for run in c.group.runs
    },
  )


def _distances(c: Comparison) -> Iterator[Block]:
  if c.group.published:
    yield Paragraph(
      'The paper’s text holds no distances, so that its cells are empty. It'
      ' says:'
    )
    yield Items([f'“{text}”' for text in c.group.published.figure])
  table = c.printed_in['between_cluster_distances']
  rows = _rows(c, table, formatting.capital)

  def distance(source: str, row: _Row) -> Text:
    cell = row.cells.get(source)
    return blocks.with_small(shown.text(cell), cell.note if cell else '')

  columns: list[Column[_Row]] = [
    _text('Clusters', lambda row: row.group),
    *_per_source(c, distance),
  ]
  yield Table(
    '',
    columns,
    rows,
    f'Clusters are named by those of {_matched_to(c)} that they are matched to.'
    ' The unit is that of each run’s features: compare the order within a'
    ' column, not the numbers across.',
  )


def _marked(reason: reasons.Reason) -> Text:
  mark = Markup('<span class="mark">{}</span>').format(reason.mark)
  return Markup('{} {}').format(reason.why, mark)


def _reasons(c: Comparison) -> Table[reasons.Reason]:
  columns: list[Column[reasons.Reason]] = [
    _text('Numbers', lambda reason: reason.numbers),
    _text('Why', _marked, 'long'),
  ]
  return Table('', columns, c.reasons)

"""Tables 1 and 2: how far clusters and their images are apart.

Cluster numbers are arbitrary, here and in the paper: its numbers stand beside
those of a run, but only their ranges compare.
"""

from collections.abc import Callable, Sequence
import dataclasses
from typing import NamedTuple

from markupsafe import Markup

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages.values import estimated
from heterojax.studies.sample_size.records import Distances
from heterojax.studies.sample_size.records import Matrix
from heterojax.studies.sample_size.records import PublishedSize
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.records import ToCentroid

# Sources of a row.
OURS, PUBLISHED = 'this run', 'published'
_PAPER = 'Mendez (2019)'


@dataclasses.dataclass(frozen=True)
class Kind:
  """A half of Table 1."""

  name: str
  of: Callable[[Distances], Matrix]


KINDS = (
  Kind('centroid', lambda size: size.centroid_distances),
  Kind('closest point', lambda size: size.closest_point_distances),
)
_STATISTICS: tuple[tuple[str, str, Callable[[ToCentroid], Estimate]], ...] = (
  ('min', 'Min', lambda row: row.min),
  ('max', 'Max', lambda row: row.max),
  ('mean', 'Mean', lambda row: row.mean),
  ('std', 'SD', lambda row: row.std),
)


class PairRow(NamedTuple):
  """The distance of two clusters of one size."""

  source: str
  kind: Kind
  size: Distances
  a: int
  b: int

  @property
  def distance(self) -> Estimate:
    return distance(self.kind.of(self.size), self.a, self.b)


class CentroidRow(NamedTuple):
  """A row of Table 2."""

  source: str
  size: Distances
  row: ToCentroid


class BothRow(NamedTuple):
  """A cluster of a size with its row of Table 2 here and in the paper."""

  n: int
  cluster: int
  ours: ToCentroid | None
  papers: ToCentroid | None


def published_sizes(results: Results) -> tuple[PublishedSize, ...]:
  """What the paper gives for each of its sizes; nothing for other data."""
  published = codec.known(results.published)
  return published.sizes if published else ()


def _sources(results: Results) -> list[tuple[str, Sequence[Distances]]]:
  return [
    (OURS, results.by_size),
    (PUBLISHED, published_sizes(results)),
  ]


def distance(matrix: Matrix, a: int, b: int) -> Estimate:
  """The distance of two clusters."""
  value = matrix.value[a][b]
  return codec.Missing(matrix.why) if value is None else value


def table1(results: Results) -> Table[PairRow]:
  """Table 1: distances between the clusters, a pair a row."""
  columns: list[Column[PairRow]] = [
    Column('source', lambda row: row.source),
    Column('kind', lambda row: row.kind.name),
    Column('n', lambda row: row.size.n),
    Column('a', lambda row: row.a),
    Column('b', lambda row: row.b),
    estimated('distance', lambda row: row.distance),
    Column('reason', lambda row: values.why(row.distance)),
  ]
  rows = [
    PairRow(source, kind, size, a, b)
    for source, sizes in _sources(results)
    for kind in KINDS
    for size in sizes
    for a, b in values.pairs(len(size.to_centroid))
  ]
  return Table('table1', columns, rows)


def table2(results: Results) -> Table[CentroidRow]:
  """Table 2: distances between a centroid and the points of its cluster."""
  columns: list[Column[CentroidRow]] = [
    Column('source', lambda row: row.source),
    Column('cluster', lambda row: row.row.cluster),
    Column('n', lambda row: row.size.n),
    *(
      estimated(name, lambda row, of=of: of(row.row))
      for name, _, of in _STATISTICS
    ),
    Column(
      'reason',
      lambda row: values.reasons(**{
        name: of(row.row) for name, _, of in _STATISTICS
      }),
    ),
  ]
  rows = [
    CentroidRow(source, size, row)
    for source, sizes in _sources(results)
    for size in sizes
    for row in size.to_centroid
  ]
  return Table('table2', columns, rows)


def between(results: Results, kind: Kind) -> Table[tuple[int, int]]:
  """A half of Table 1 with a column for each size, here and in the paper."""
  published = published_sizes(results)
  sizes = [*results.by_size, *published]
  most = max(len(size.to_centroid) for size in sizes)

  def column(size: Distances, of_paper: bool) -> Column[tuple[int, int]]:
    source = (_PAPER if of_paper else 'This run') if published else ''
    head = Markup('{}<br>{}') if source else Markup('{}{}')

    def text(pair: tuple[int, int]) -> Text:
      if max(pair) >= len(size.to_centroid):
        return '–'
      cell = blocks.estimate(distance(kind.of(size), *pair), formatting.signed)
      return blocks.quiet(cell) if of_paper else cell

    return Column('', text, head.format(source, values.of_size(size.n)), text)

  columns: list[Column[tuple[int, int]]] = [
    Column('', lambda pair: f'{pair[0]}–{pair[1]}', 'Clusters', align='text'),
    *(column(size, False) for size in results.by_size),
    *(column(size, True) for size in published),
  ]
  caption = f'Table 1, {kind.name} distances'
  if kind.name != 'centroid':
    caption += (
      f': of the two training {results.unit}s of different clusters that are'
      ' nearest to each other'
    )
  return Table('', columns, values.pairs(most), f'{caption}.')


def to_centroid(results: Results) -> list[BothRow]:
  """Rows of Table 2, the paper's beside those of its size and cluster."""
  ours, papers = (
    {(size.n, row.cluster): row for size in sizes for row in size.to_centroid}
    for _, sizes in _sources(results)
  )
  return [
    BothRow(*at, ours.get(at), papers.get(at))
    for at in sorted({*ours, *papers})
  ]


def within(results: Results) -> Table[BothRow]:
  """Table 2, here and in the paper."""
  published = published_sizes(results)

  def column(
    head: str, of: Callable[[ToCentroid], Estimate], of_paper: bool
  ) -> Column[BothRow]:
    source = (_PAPER if of_paper else 'This run') if published else ''

    def text(row: BothRow) -> Text:
      own = row.papers if of_paper else row.ours
      if own is None:
        return '–'
      cell = blocks.estimate(of(own), formatting.signed)
      return blocks.quiet(cell) if of_paper else cell

    title = Markup('{}<br>{}').format(source, head) if source else head
    return Column('', text, title, text)

  columns: list[Column[BothRow]] = [
    Column(
      '',
      lambda row: '' if row.cluster else formatting.number(row.n),
      f'{formatting.capital(results.unit)}s',
      align='text',
    ),
    Column('', lambda row: row.cluster, 'Cluster', align='text'),
    *(column(head, of, False) for _, head, of in _STATISTICS),
  ]
  if published:
    columns += [column(head, of, True) for _, head, of in _STATISTICS]
  return Table(
    '',
    columns,
    to_centroid(results),
    'Table 2: distances between the centroid of a cluster and its training'
    f' {results.unit}s.',
  )

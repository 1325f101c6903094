"""The sections about heads and clusters, in the order of the paper."""

import dataclasses

from markupsafe import Markup

from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Figure
from heterojax.report.blocks import Folded
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.blocks import Tile
from heterojax.report.blocks import Tiles
from heterojax.stats import metrics
from heterojax.studies import choosing
from heterojax.studies.pages import checklists
from heterojax.studies.pages.leaks import Shared
from heterojax.studies.retraining.pages import figures
from heterojax.studies.retraining.pages import montage
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.pages import wording
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import Rejected
from heterojax.studies.retraining.records import RejectedCluster
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import View

# Numbers of the paper's first data set, where a run is of neither.
_PRINTED_IN = {
  'overall': 'Table 1',
  'clusters': 'Table 3',
  'between_cluster_distances': 'Figure 1',
}


def printed_in(results: Results, what: str) -> str:
  """The table or figure of the paper that holds such numbers."""
  paper = results.paper
  return (paper.printed_in if paper else _PRINTED_IN)[what]


def overall(results: Results, shared: Shared) -> Section:
  """Table 1: the head of all images."""
  one, printed = results.backbone.unit, printed_in(results, 'overall')
  return Section(
    f'{printed}. The head of all {one}s, in each test cluster',
    [
      Paragraph(wording.overall(results)),
      Paragraph(wording.intervals(results, shared), 'quiet'),
      tables.table1(results),
      Figure(
        'table1_overall_in_clusters',
        f'Accuracy of the head of all {one}s on the whole test set and in each'
        ' test cluster, with 95% intervals; the numbers are in'
        f' {printed}.',
      ),
      *([tables.classes(results)] if len(results.classes.names) > 2 else []),
    ],
    asked=checklists.OVERALL,
  )


def retrained(results: Results) -> Section:
  """Table 3: the heads of clusters and the random ones."""
  one, printed = results.backbone.unit, printed_in(results, 'clusters')
  table = tables.table3(results)
  scored = 'Every head is scored on {} test {}s.'
  caption = (
    f'This run. {scored.format(formatting.number(results.dataset.n_test), one)}'
    f' For random {one}s: the mean of'
    f' {formatting.counted(results.random_runs, "run")}.'
  )
  if results.folds:
    several = formatting.capital(f'{one}s')
    caption += f' {several} and distances are means over folds.'
  shown: list[Block] = [
    dataclasses.replace(table, shown=lambda row: row.ours, caption=caption),
    Folded('In words', [Items(wording.clusters(results))]),
  ]
  if paper := results.paper:
    n_test = formatting.number(paper.dataset.n_test)
    caption = (
      f'Published, Wang (2023), {printed}; its cluster numbers are not ours.'
      f' {scored.format(n_test, one)}'
    )
    beside = dataclasses.replace(
      table, shown=lambda row: not row.ours, caption=caption, defined=False
    )
    shown += [beside, Items(paper.notes, 'quiet')]
  title = f'{printed}. Heads retrained on one cluster, and on random {one}s'
  return Section(title, shown, asked=checklists.CLUSTERS)


def distances(results: Results) -> Section:
  """Figure 1, and what is in each cluster."""
  one, folds = results.backbone.unit, results.split.folds
  means = ' Distances and numbers are means over folds.' if folds else ''
  apart = ''
  if results.reduction.fit == 'separate':
    apart = (
      f' The test {one}s were reduced by themselves: their axes are not those'
      f' of the training {one}s.'
    )
  mix = ''
  if folds:
    mix = f' Training {one}s: mean over folds; test {one}s: all folds.'
  groups = choosing.groups(results.cluster.method, results.cluster.names)
  shown: list[Block] = [
    *([Paragraph(groups)] if groups else []),
    Paragraph(wording.distances(results)),
    Figure(
      'figure1_distances',
      'Distances between the centroids of the clusters, as numbers and as a'
      ' map.',
      'Left: Euclidean distance between centroids, the deeper the blue the'
      ' further. Right: the same distances drawn in a plane as well as a plane'
      ' can show them; a circle’s area is the cluster’s number of training'
      f' {one}s.{means}',
    ),
    Figure(
      'clusters',
      f'Training and test {one}s in two dimensions, coloured by cluster, marked'
      ' by class.',
      f'{"The first fold: every" if folds else "Every"} {one}, in the two'
      f' directions in which the training {one}s vary most. Colour and number:'
      ' cluster. Clusters that overlap here can be apart in the other'
      f' directions.{apart}',
    ),
    Figure(
      'class_mix',
      f'Number of {one}s of each class in every cluster, in training and in the'
      ' test set.',
      f'Class mix of each cluster.{mix}',
    ),
  ]
  if known := results.known_subpopulations:
    shown.append(Paragraph(wording.subpopulations(known, one, folds)))
  if beside := results.reduction.rejected:
    shown += _rejected(results, beside)
  printed = printed_in(results, 'between_cluster_distances')
  return Section(f'{printed}. The clusters and how far apart they are', shown)


def _rejected(results: Results, beside: Rejected) -> list[Block]:
  """The clusters of another reduction, number by number."""
  one = results.backbone.unit
  columns: list[Column[tuple[Cluster, RejectedCluster]]] = [
    Column('', lambda row: row[0].id, 'Cluster', align='text')
  ]
  titles = ('This report', f'{beside.n_components} components')
  for side, title in enumerate(titles):
    columns.append(Column('', lambda row, s=side: row[s].size, title))
    columns.extend(
      Column('', lambda row, s=side, name=name: row[s].class_counts[name], name)
      for name in results.classes.names
    )
  folds = ': mean over folds, and of the first fold' if results.folds else ''
  caption = (
    f'Training {one}s{folds}. The two numberings have nothing to do with each'
    ' other.'
  )
  rows = list(zip(results.clusters, beside.clusters, strict=True))
  return [
    Heading('Another reduction beside it'),
    Paragraph(wording.rejected(results, beside)),
    Table('', columns, rows, caption),
  ]


def transfer(results: Results) -> Section:
  """Each head in each test cluster."""
  one = results.backbone.unit
  coin = 'worse than a coin'
  if len(results.classes.names) > 2:
    coin = 'wrong more often than right'
  figure = Figure(
    'transfer',
    'Accuracy of the head of each cluster in each test cluster.',
    f'Accuracy of each head (row) on the test {one}s of each cluster (column);'
    f' framed: its own. Orange is {coin}. The last row is what one'
    ' gets by always naming the class that is most frequent there: a head that'
    f' does no better has shown no skill there. Few {one}s make a rough'
    ' estimate: see n.',
  )
  return Section('Where a cluster’s lesson holds', [figure])


def pairs(results: Results) -> Section:
  """Distances of clusters against differences of their heads."""
  compared = results.distance_vs_performance
  named = ', named a–b' if len(compared.pairs) <= figures.MAX_NAMES else ''
  columns: list[Column[metrics.Metric]] = [
    Column('', lambda metric: metric.title, 'Metric', align='text'),
    Column(
      '',
      lambda metric: None,
      'Rank correlation',
      lambda metric: blocks.estimate(
        compared.spearman.get(metric.name), formatting.signed
      ),
    ),
    Column(
      '',
      lambda metric: sum(p.of(metric.name) is not None for p in compared.pairs),
      'Pairs',
    ),
  ]
  return Section(
    'Do closer clusters teach more similar things?',
    [
      Paragraph(
        'The paper’s second finding is that closer clusters have retrained'
        ' heads that perform more alike. Spearman’s rank correlation is 1 if'
        ' the order of the distances is the order of the differences, 0 if'
        ' there is no such relation, and −1 if it is the reverse.'
      ),
      Figure(
        'distance_vs_performance',
        'Distance of each pair of clusters against the difference of their'
        ' retrained heads in each metric.',
        f'One point is one pair of clusters{named}. The scales of the panels'
        ' differ.',
      ),
      Table('', columns, metrics.of_task(results.classes.task)),
      Paragraph(compared.why, 'note'),
    ],
  )


def looks(results: Results, view: View) -> list[Section]:
  """What each cluster looks like; none where there are no images."""
  central, one = montage.central(results, view), results.backbone.unit
  if not central:
    return []
  first = ' of the first fold' if results.folds else ''
  shown: list[Block] = [
    Paragraph(
      f'First the training {one}s{first} nearest to each centroid, squeezed to'
      ' a square as the network sees them. Their class stands beside the'
      ' cluster’s number, and below an image where it is the other one. Then'
      f' the test {one}s{first} about which the head of all {one}s is wrong,'
      ' those first about which it is surest, with their class and its answer.'
    )
  ]
  wrong = montage.wrong(results, view)
  for cluster, near, failed in zip(
    results.clusters, central, wrong, strict=True
  ):
    usual = montage.usual_label(near)
    heading: Text = f'Cluster {cluster.id}'
    if usual:
      heading = Markup('{} {}').format(heading, blocks.quiet(usual))
    shown += [
      Heading(heading),
      Tiles(
        [
          _tile(tile, tile.label if tile.label != usual else '')
          for tile in near
        ],
        f'No original training {one} is in this cluster.',
      ),
      Tiles(
        [_tile(tile, _mistake(tile)) for tile in failed],
        f'No test {one} of this cluster is answered wrongly.',
      ),
    ]
  title = 'What each cluster looks like'
  return [Section(title, shown, asked=checklists.WRONG)]


def _mistake(tile: montage.Tile) -> str:
  sure = formatting.percent(tile.share, 0)
  return f'{tile.label}, answered {tile.answer} ({sure})'


def _tile(tile: montage.Tile, below: str) -> Tile:
  name = tile.name
  if tile.problem:
    name += f': cannot be shown, {tile.problem}'
  caption = blocks.quiet(name)
  if below:
    caption += Markup('<br><b>{}</b>').format(below)
  return Tile(tile.jpeg, f'{tile.name}, {below or tile.label}', caption)

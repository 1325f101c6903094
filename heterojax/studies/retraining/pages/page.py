"""What stands in `report.html`, from top to bottom."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Figure
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.blocks import Tile
from heterojax.report.blocks import Tiles
from heterojax.stats import metrics
from heterojax.studies.pages import common
from heterojax.studies.pages import leaks
from heterojax.studies.pages import network as network_words
from heterojax.studies.pages import scores
from heterojax.studies.pages import shortcuts
from heterojax.studies.pages.common import Rows
from heterojax.studies.pages.leaks import Shared
from heterojax.studies.pages.shortcuts import Audit
from heterojax.studies.retraining.pages import deviations
from heterojax.studies.retraining.pages import methods
from heterojax.studies.retraining.pages import montage
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.pages import wording
from heterojax.studies.retraining.records import Rejected
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import View

# Numbers of the paper's first data set, where a run is of neither.
_PRINTED_IN = {
  'overall': 'Table 1',
  'clusters': 'Table 3',
  'between_cluster_distances': 'Figure 1',
}
# More pairs of clusters than this are not named in the figure.
_MAX_NAMES = 15


def page(
  results: Results, view: View, rows: Rows, config: Mapping[str, Any]
) -> blocks.Page:
  """The page.

  Args:
    results: of the study.
    view: of the study.
    rows: of `manifest.csv`; none where it is not there.
    config: the resolved configuration; {} if it is not known.

  Returns:
    What stands in it.
  """
  d = results.dataset
  title = f'Heterogeneity of {d.name}: {d.positive} against {d.negative}'
  shared, audit = shared_of(results), audit_of(results, view, rows)
  sections = [
    _found(results, shared, audit),
    _overall(results, shared),
    _retrained(results),
    _distances(results),
    _transfer(results),
    _pairs(results),
    *_montage(results, view),
    _data(results, shared, audit, rows),
    common.how(
      methods.settings(results, shared, config),
      deviations.not_in_the_paper(results, config),
      methods.paragraph(results, shared, config),
      methods.CITATION,
      methods.BIBTEX,
    ),
    common.limits(
      results.backbone.unit, _limits(results), peeks=not d.n_validation
    ),
    common.environment(results.environment, results.timings),
  ]
  question = (
    'Is this data set heterogeneous in a way that changes what a CNN learns'
    ' from it?'
  )
  return blocks.Page(title, question, _facts(results), sections)


def shared_of(results: Results) -> Shared:
  """Its leaks with what they are said of."""
  d = results.dataset
  return Shared(
    leaks=results.leaks,
    classes=d.classes,
    n_test=d.n_test,
    validates=bool(d.n_validation),
    protocol=results.protocol,
    unit=results.backbone.unit,
    folds=results.split.folds,
  )


def audit_of(results: Results, view: View, rows: Rows) -> Audit:
  """Its audited columns, and their values in each cluster."""
  folds = results.folds
  audit = Audit(
    results.shortcuts,
    results.dataset.classes,
    results.backbone.unit,
    (folds[0].overall if folds else results.overall).value('auc'),
    bool(folds),
    {},
  )
  of_id = {row['id']: row for row in rows}
  known = [
    (of_id[name], label)
    for name, label in zip(view.audited, view.audited_labels, strict=True)
    if name in of_id
  ]
  by_cluster = {
    entry.column: [
      [row.get(entry.column, '') for row, label in known if label == c.id]
      for c in results.clusters
    ]
    for entry in audit.audited
  }
  return audit._replace(by_cluster=by_cluster)


def _facts(results: Results) -> list[tuple[str, Text]]:
  d, network, folds = results.dataset, results.backbone, results.split.folds
  mean = ', mean' if folds else ''
  training: Text = formatting.number(d.n_train)
  if results.copies:
    copies = f'({formatting.number(d.n_train_augmented)} with copies)'
    training = Markup('{} {}').format(training, blocks.quiet(copies))
  facts = [(f'training {network.unit}s{mean}', training)]
  if d.n_validation:
    number = formatting.number(d.n_validation)
    facts.append((f'validation {network.unit}s{mean}', number))
  tested = f', {folds} folds' if folds else ''
  facts += [
    (f'test {network.unit}s{tested}', formatting.number(d.n_test)),
    ('clusters', str(len(results.clusters))),
  ]
  if network.given:
    dim = formatting.number(network.dim)
    facts.append(('features', f'given, {dim} numbers'))
  else:
    name = network_words.title(network)
    facts.append(('network', f'{name}, {network.train}'))
  return [*facts, ('protocol', results.protocol)]


def _printed_in(results: Results, what: str) -> str:
  """The table or figure of the paper that holds the same."""
  paper = results.paper
  return (paper.printed_in if paper else _PRINTED_IN)[what]


def _found(results: Results, shared: Shared, audit: Audit) -> Section:
  network, d, folds = results.backbone, results.dataset, results.split.folds
  one = network.unit
  trained_on = 'given features' if network.given else f'{network.train} network'
  head = Markup(
    'A <i>head</i> is the small classifier that is trained on top of the {},'
    ' here on all training {one}s, on those of one cluster, or on equally many'
    ' random ones.'
  ).format(trained_on, one=one)
  caption = (
    f'Does a cluster teach the same as equally many random {one}s? A diamond'
    ' far from the gray dots says no. Every head is scored on the whole test'
    f' set at a threshold of 0.5{", out of fold" if folds else ""}. n ='
    f' training {one}s of a cluster{" (mean over folds)" if folds else ""},'
    f' {d.positive} + {d.negative}'
    f'{", copies included" if results.copies else ""}.'
  )
  if results.paper:
    caption += (
      ' Hollow: what Wang (2023) reports, whose cluster numbers have nothing to'
      ' do with ours and who gives only the mean of the random runs.'
    )
  names = formatting.capital(scores.names('classification'))
  return Section(
    'What was found',
    [
      Paragraph(head, 'quiet'),
      Items(results.findings, 'findings'),
      Paragraph(wording.not_a_test(results), 'note'),
      *leaks.warning(shared),
      *shortcuts.warning(audit),
      Figure(
        'table3_retrained_vs_random',
        f'{names} of each cluster’s retrained head beside the heads trained on'
        f' random {one}s; the numbers are in'
        f' {_printed_in(results, "clusters")}.',
        caption,
      ),
      Paragraph(wording.class_mix(results)),
    ],
  )


def _overall(results: Results, shared: Shared) -> Section:
  one, printed = results.backbone.unit, _printed_in(results, 'overall')
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
    ],
  )


def _retrained(results: Results) -> Section:
  one, printed = results.backbone.unit, _printed_in(results, 'clusters')
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
  k = len(results.clusters)
  found: list[Block] = [
    table._replace(rows=table.rows[:k], caption=caption),
    Items(wording.clusters(results)),
  ]
  if paper := results.paper:
    n_test = formatting.number(paper.dataset.n_test)
    caption = (
      f'Published, Wang (2023), {printed}; its cluster numbers are not ours.'
      f' {scored.format(n_test, one)}'
    )
    beside = table._replace(rows=table.rows[k:], caption=caption, defined=False)
    found += [beside, Items(paper.notes, 'quiet')]
  title = f'{printed}. Heads retrained on one cluster, and on random {one}s'
  return Section(title, found)


def _distances(results: Results) -> Section:
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
  found: list[Block] = [
    Paragraph(wording.distances(results)),
    Figure(
      'figure1_distances',
      'Distances between the centroids of the clusters, as numbers and as a'
      ' map.',
      'Left: Euclidean distance between centroids, darker is further. Right:'
      ' the same distances drawn in a plane as well as a plane can show them; a'
      f' circle’s area is the cluster’s number of training {one}s.{means}',
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
    found.append(Paragraph(wording.subpopulations(known, folds)))
  if beside := results.reduction.rejected:
    found += _rejected(results, beside)
  printed = _printed_in(results, 'between_cluster_distances')
  return Section(f'{printed}. The clusters and how far apart they are', found)


def _rejected(results: Results, beside: Rejected) -> list[Block]:
  """The clusters of another reduction, number by number."""
  one = results.backbone.unit
  columns = [Column('', lambda row: row[0].id, 'Cluster', align='text')]
  titles = ('This report', f'{beside.n_components} components')
  for side, title in enumerate(titles):
    columns.append(Column('', lambda row, s=side: row[s].size, title))
    columns += [
      Column('', lambda row, s=side, name=name: row[s].class_counts[name], name)
      for name in results.dataset.classes
    ]
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


def _transfer(results: Results) -> Section:
  one = results.backbone.unit
  figure = Figure(
    'transfer',
    'Accuracy of the head of each cluster in each test cluster.',
    f'Accuracy of each head (row) on the test {one}s of each cluster (column);'
    ' framed: its own. Orange is worse than a coin. The last row is what one'
    ' gets by always naming the class that is more frequent there: a head that'
    f' does no better has shown no skill there. Few {one}s make a rough'
    ' estimate: see n.',
  )
  return Section('Where a cluster’s lesson holds', [figure])


def _pairs(results: Results) -> Section:
  found = results.distance_vs_performance
  named = ', named a–b' if len(found.pairs) <= _MAX_NAMES else ''
  columns = [
    Column('', lambda metric: metric.title, 'Metric', align='text'),
    Column(
      '',
      lambda metric: None,
      'Rank correlation',
      lambda metric: blocks.estimate(
        found.spearman.get(metric.name), formatting.signed
      ),
    ),
    Column(
      '',
      lambda metric: sum(p.of(metric.name) is not None for p in found.pairs),
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
      Table('', columns, metrics.of_task('classification')),
      Paragraph(found.why, 'note'),
    ],
  )


def _montage(results: Results, view: View) -> list[Section]:
  """What each cluster looks like; none where there are no images."""
  rows, one = montage.rows(results, view), results.backbone.unit
  if not rows:
    return []
  first = ' of the first fold' if results.folds else ''
  found: list[Block] = [
    Paragraph(
      f'The training {one}s{first} nearest to each centroid, squeezed to a'
      ' square as the network sees them. Their class stands beside the'
      ' cluster’s number, and below an image where it is the other one.'
    )
  ]
  for cluster, row in zip(results.clusters, rows, strict=True):
    usual = montage.usual_label(row)
    heading: Text = f'Cluster {cluster.id}'
    if usual:
      heading = Markup('{} {}').format(heading, blocks.quiet(usual))
    none = f'No original training {one} is in this cluster.'
    tiles = [_tile(tile, usual) for tile in row]
    found += [Heading(heading), Tiles(tiles, none)]
  return [Section('What each cluster looks like', found)]


def _tile(tile: montage.Tile, usual: str) -> Tile:
  name = tile.name
  if tile.problem:
    name += f': cannot be shown, {tile.problem}'
  caption = blocks.quiet(name)
  if tile.label != usual:
    caption += Markup('<br><b>{}</b>').format(tile.label)
  return Tile(tile.jpeg, f'{tile.name}, {tile.label}', caption)


def _data(
  results: Results, shared: Shared, audit: Audit, rows: Rows
) -> Section:
  text = methods.protocol(results, shared)
  if rows:
    text = f'{text} {leaks.patients(shared, rows)}'.rstrip()
  counts: list[Block] = [_parts(results)]
  if results.folds:
    counts += [
      Heading('Folds'),
      Paragraph(wording.folds_agree(results)),
      tables.folds(results),
    ]
  d, unit = results.dataset, results.backbone.unit
  more = [
    *common.left_out(rows, d.classes, unit),
    *leaks.blocks(shared),
    *shortcuts.blocks(audit),
  ]
  return common.data(text, d.notes, counts, more)


def _parts(results: Results) -> Table:
  """How many images of each class every part has."""
  d, paper, folds = results.dataset, results.paper, results.split.folds
  names = {
    'train': 'Training',
    'train_augmented': 'Training with augmented copies',
    'test': 'Test',
    'validation': 'Validation',
  }
  if not results.copies:
    del names['train_augmented']
  if not d.n_validation:
    del names['validation']

  def name(part: str) -> str:
    over = ', all folds' if part == 'test' else ', mean over folds'
    return names[part] + (over if folds else '')

  def published(part: str) -> Text:
    number = getattr(paper and paper.dataset, f'n_{part}', None)
    return blocks.quiet('none') if number is None else formatting.number(number)

  columns = [
    Column(
      '',
      lambda part: name(part),
      formatting.capital(f'{results.backbone.unit}s'),
      align='text',
    ),
    *(
      Column('', lambda part, c=c: getattr(d, f'class_counts_{part}')[c], c)
      for c in d.classes
    ),
    Column('', lambda part: getattr(d, f'n_{part}'), 'All'),
  ]
  if paper:
    columns.append(Column('', lambda part: None, 'Published', published))
  return Table('', columns, list(names))


def _limits(results: Results) -> Sequence[Text]:
  one, n_test = results.backbone.unit, results.dataset.n_test
  return [
    f'A cluster’s head may fail because its {one}s look different, because one'
    ' class is nearly missing, or because of chance; this report does not tell'
    ' these apart.',
    f'A metric over few {one}s is rough: one {one} of'
    f' {formatting.number(n_test)} is {formatting.percent(1 / n_test, 2)}.',
  ]

"""Key numbers, Tables 1 to 4 of Wang 2023 where it has them, and ranks.

Every cell of a run stands beside the same cell of the others.
"""

from collections.abc import Iterator, Mapping, Sequence
import itertools
import operator
from typing import Any, NamedTuple

from heterojax.comparison import agreement
from heterojax.comparison import cells as cells_lib
from heterojax.comparison import matching
from heterojax.comparison import members as members_lib
from heterojax.comparison import numbers
from heterojax.comparison import ranking
from heterojax.comparison import reasons as reasons_lib
from heterojax.comparison.cells import PAPER
from heterojax.comparison.cells import Cell
from heterojax.comparison.runs import Group
from heterojax.comparison.runs import Run
from heterojax.records import codec
from heterojax.report import blocks
from heterojax.stats import metrics
from heterojax.stats.metrics import Classes
from heterojax.studies import records
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import Published
from heterojax.studies.retraining.records import PublishedCluster

DATA, PROTOCOLS = 'data', 'protocols'
# Names of the tables where the paper has none.
_UNPRINTED = {
  'overall': 'overall head',
  'clusters': 'cluster heads',
  'between_cluster_distances': 'distances',
}
_INTRA = 'intra_cluster_distance'
_ACCURACY = metrics.METRICS['accuracy']


class Comparison(NamedTuple):
  """What is written about one group of runs.

  Attributes:
    group: the runs.
    printed_in: name of each table.
    matches: label of a run to its pairs of clusters.
    by_members: whether these are matched by the images that they share.
    cells: all numbers.
    pairs: which run ranks new images better.
    differences: sentences about pairs of a clean and a published run.
    reasons: why numbers cannot be expected to agree.
  """

  group: Group
  printed_in: Mapping[str, str]
  matches: dict[str, list[matching.Pair]]
  by_members: bool = False
  cells: tuple[Cell, ...] = ()
  pairs: tuple[ranking.Pair, ...] = ()
  differences: tuple[str, ...] = ()
  reasons: tuple[reasons_lib.Reason, ...] = ()


def compare(group: Group) -> Comparison:
  """Puts the runs of a group beside the paper, or beside the first of them."""
  key = tuple(cell for run in group.runs for cell in numbers.of_run(run))
  pairs = ranking.pairs(group)
  if not group.retraining:
    return Comparison(group, _UNPRINTED, {}, cells=key, pairs=pairs)
  published = group.published
  reference = (published or group.runs[0].results).clusters
  ours = [run.results.clusters for run in group.runs]
  if known := members_lib.of_runs(group):
    costs = [
      matching.by_members(reference, clusters, known[0], own)
      for clusters, own in zip(ours, known, strict=True)
    ]
  else:
    costs = [matching.by_mix(reference, c, group.classes.names) for c in ours]
  compared = Comparison(
    group,
    published.printed_in if published else _UNPRINTED,
    {
      run.label: matching.match(reference, clusters, cost)
      for run, clusters, cost in zip(group.runs, ours, costs, strict=True)
    },
    known is not None,
  )
  return compared._replace(
    cells=(
      *key,
      *_data(group),
      *_overall(compared),
      *_clusters(compared, reference),
      *_distances(compared),
      *_protocols(group),
    ),
    pairs=pairs,
    differences=tuple(
      reasons_lib.of_protocols(clean, published)
      for clean, published in _both_protocols(group)
    ),
    reasons=tuple(reasons_lib.cannot_agree(group, compared.by_members)),
  )


def table(compared: Sequence[Comparison]) -> blocks.Table:
  """`comparison.csv`: all cells, behind the pair of classes."""
  rows = [
    (' vs. '.join(c.group.classes.names), *cell)
    for c in compared
    for cell in c.cells
  ]
  names = ('data', *Cell._fields)
  columns = [
    blocks.Column(name, operator.itemgetter(i)) for i, name in enumerate(names)
  ]
  return blocks.Table('comparison', columns, rows)


def as_json(compared: Sequence[Comparison]) -> dict[str, Any]:
  """`comparison.json`."""
  runs = [run for c in compared for run in c.group.runs]
  return {
    'schema_version': 2,
    'agreement': agreement.sentence(runs),
    'settings': [setting._asdict() for setting in agreement.settings(runs)],
    'groups': [
      {
        'study': c.group.runs[0].study,
        **records.of_classes(c.group.classes),
        'published': c.group.published and c.group.published.source,
        'runs': [
          {
            'label': run.label,
            'workdir': run.folder,
            'answer': run.answer,
            'p_value': run.p_value,
          }
          for run in c.group.runs
        ],
        'ranking': [
          run.label
          for run in ranking.order(c.group)
          if ranking.auc(run) is not None
        ],
        'pairs': [_pair(pair) for pair in c.pairs],
        'matches': {
          label: [pair._asdict() for pair in pairs]
          for label, pairs in c.matches.items()
        },
        'cells': [cell._asdict() for cell in c.cells],
        'differences': c.differences,
        'cannot_agree': [reason._asdict() for reason in c.reasons],
      }
      for c in compared
    ],
  }


def _pair(pair: ranking.Pair) -> dict[str, Any]:
  difference = pair.difference and pair.difference._asdict()
  return {**pair._asdict(), 'difference': difference}


def _data(group: Group) -> Iterator[Cell]:
  """Numbers of images."""
  sources = [(run.label, run.results.dataset.parts) for run in group.runs]
  if group.published:
    sources.insert(0, (PAPER, group.published.dataset.parts))
  for part in ('train', 'train_augmented', 'test'):
    for source, parts in sources:
      n, counts = parts[part]
      yield Cell(DATA, part, 'n', source, n)
      for metric, label in tables.of_each(group.classes):
        yield Cell(DATA, part, metric, source, counts[label])


def _overall(compared: Comparison) -> Iterator[Cell]:
  """Tables 1 and 2; their test clusters are matched to nothing."""
  name, published = compared.printed_in['overall'], compared.group.published
  whole = (name, 'whole test set', 'accuracy')
  if published:
    counts = _tested(published, compared.group.classes)
    yield cells_lib.printed(whole, _ACCURACY, published.overall, counts)
    for c in published.test_clusters:
      accuracy, note = c.test.value('accuracy'), 'n not reported'
      if accuracy and not cells_lib.is_fraction(accuracy, sum(counts)):
        note += (
          f'; as printed, though no fraction of at most {sum(counts)} images'
        )
      where = (name, f'test cluster {c.number}', 'accuracy')
      yield Cell(*where, PAPER, accuracy, note=note)
  for run in compared.group.runs:
    yield cells_lib.score(whole, run.label, _ACCURACY, run.results.overall)
    for c in run.results.clusters:
      where = (name, f'our test cluster {c.id}', 'accuracy')
      yield cells_lib.score(where, run.label, _ACCURACY, c.test)


def _tested(published: Published, classes: Classes) -> list[int]:
  """The paper's test images of each class."""
  counts = published.dataset.class_counts_test
  return [int(counts[name]) for name in classes.names]


def _clusters(
  compared: Comparison, reference: matching.Clusters
) -> Iterator[Cell]:
  """Tables 3 and 4, in the order of the reference's clusters."""
  name, group = compared.printed_in['clusters'], compared.group
  for c in reference:
    row = (name, f'cluster {c.id}')
    matched = [
      (run, pair)
      for run in group.runs
      for pair in compared.matches[run.label]
      if pair.reference == c.id
    ]
    for run, pair in matched:
      yield from _match(row, run, pair)
    if group.published and isinstance(c, PublishedCluster):
      yield from _published_cluster(row, group.published, c, group.classes)
    for run, pair in matched:
      if pair.ours is not None:
        yield from _our_cluster(row, run, pair.ours)
  for run in group.runs:
    for pair in compared.matches[run.label]:
      if pair.reference is None and pair.ours is not None:
        row = (name, f'our cluster {pair.ours}, not matched')
        yield from _our_cluster(row, run, pair.ours)


def _match(
  row: tuple[str, str], run: Run, pair: matching.Pair
) -> Iterator[Cell]:
  note = '' if pair.ours is not None else 'no cluster is left to match'
  yield Cell(*row, 'matched_cluster', run.label, pair.ours, note=note)
  yield Cell(*row, 'matching_cost', run.label, pair.cost, note=note)


def _published_cluster(
  row: tuple[str, str],
  published: Published,
  c: PublishedCluster,
  classes: Classes,
) -> Iterator[Cell]:
  yield from _members(row, PAPER, c, classes)
  counts = _tested(published, classes)
  for metric in metrics.of_task(classes.task):
    where = (*row, f'retrained_{metric.name}')
    yield cells_lib.printed(where, metric, c.retrained, counts)
    where, value = (*row, f'random_{metric.name}'), c.random.value(metric.name)
    note = c.random.why(metric.name) or (
      'mean of 5 runs; their spread is not reported'
    )
    yield Cell(*where, PAPER, value, note=note)


def _our_cluster(row: tuple[str, str], run: Run, ours: int) -> Iterator[Cell]:
  c = next(c for c in run.results.clusters if c.id == ours)
  name = f'our cluster {ours}'
  yield from _members(row, run.label, c, run.classes, name)
  for metric in metrics.of_task(run.classes.task):
    where = (*row, f'retrained_{metric.name}')
    yield cells_lib.score(where, run.label, metric, c.retrained, name)
    where = (*row, f'random_{metric.name}')
    yield cells_lib.mean_of_runs(where, run.label, metric, c.random, name)


def _members(
  row: tuple[str, str],
  source: str,
  c: Cluster | PublishedCluster,
  classes: Classes,
  note: str = '',
) -> Iterator[Cell]:
  """Size, class mix and intra-cluster distance."""
  yield Cell(*row, 'size', source, c.size, note=note)
  for metric, label in tables.of_each(classes):
    yield Cell(*row, metric, source, c.class_counts[label], note=note)
  distance = c.intra_cluster_distance
  if reason := codec.why(distance):
    note = cells_lib.joined(note, f'not estimable: {reason}')
  yield Cell(*row, _INTRA, source, codec.known(distance), note=note)


def _distances(compared: Comparison) -> Iterator[Cell]:
  """Figures 1 and 2, of which the paper's text has sentences, no numbers."""
  name, group = compared.printed_in['between_cluster_distances'], compared.group
  if group.published:
    for sentence in group.published.figure:
      yield Cell(name, '', '', PAPER, None, note=sentence)
  for run in group.runs:
    clusters = [
      (p.ours, f'our {p.ours}' if p.reference is None else str(p.reference))
      for p in compared.matches[run.label]
      if p.ours is not None
    ]
    at = {c.id: i for i, c in enumerate(run.results.clusters)}
    distances = run.results.between_cluster_distances
    for (a, one), (b, other) in itertools.combinations(clusters, 2):
      where = (name, f'clusters {one} and {other}', 'centroid_distance')
      distance = distances[at[a]][at[b]]
      note = f'our clusters {a} and {b}'
      yield Cell(*where, run.label, distance, note=note)


def _both_protocols(group: Group) -> Iterator[tuple[Run, Run]]:
  """Pairs of a clean run and one of the published protocol."""
  clean, published = (
    [run for run in group.runs if run.results.protocol == protocol]
    for protocol in ('clean', 'published')
  )
  return itertools.product(clean, published)


def _protocols(group: Group) -> Iterator[Cell]:
  """What the published split did: the overall head under both protocols."""
  for pair in _both_protocols(group):
    row = (PROTOCOLS, f'{pair[0].label} minus {pair[1].label}')
    for name in ('accuracy', pair[0].results.overall.ranking):
      where, metric = (*row, name), metrics.METRICS[name]
      clean, published = (
        cells_lib.score(where, run.label, metric, run.results.overall)
        for run in pair
      )
      yield from (clean, published)
      difference, note = None, 'one of the two is not estimable'
      if clean.value is not None and published.value is not None:
        difference = clean.value - published.value
        note = cells_lib.overlap(clean, published)
      yield Cell(*where, 'difference', difference, note=note)

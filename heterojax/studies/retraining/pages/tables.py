"""The tables of a retraining study, from `results.json` alone.

A value that cannot be estimated is an empty cell, and the column `reason` says
why. What Wang 2023 reports stands in rows of its own, `source` published.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from heterojax.datasets import manifest
from heterojax.datasets import selection
from heterojax.stats import metrics

OURS = 'this run'
PUBLISHED = 'published'
# The strongest first.
LEAKS = {
  'same_path': 'Same file',
  'identical_file': 'Identical file',
  'identical_pixels': 'Identical pixels',
  'near_duplicate': 'Near duplicate',
  'shared_group': 'Same patient or group',
}
_ACCURACY = (
  'n',
  'n_positive',
  'n_negative',
  'accuracy',
  'accuracy_lo',
  'accuracy_hi',
  'reason',
)
_SIZES = ('n_train', 'n_train_augmented', 'n_validation', 'n_test')
_SHORTCUT = (
  'kind',
  'measure',
  'n',
  'with_class',
  'p_value',
  'with_cluster',
  'p_value_with_cluster',
  'auc_alone',
)


class Table(NamedTuple):
  """A header and rows of the same length."""

  header: list[str]
  rows: list[list[object]]

  def csv(self) -> str:
    return manifest.csv_text(self.header, self.rows)


def why_null(values: dict[str, Any], name: str) -> str:
  """Why a value is null, in words; '' where it is not."""
  if values.get(name) is not None:
    return ''
  why = values.get(f'{name}_why')
  return f'not estimable: {why}' if why else 'not reported'


def table1(results: dict[str, Any]) -> Table:
  """Accuracy of the overall head, on the whole test set and per cluster."""
  header = ['source', 'part', *_ACCURACY]
  ours = [('whole test set', results['overall'])]
  ours += [(f'cluster {c["id"]}', c['test']) for c in results['clusters']]
  rows = [[OURS, part, *_accuracy(score)] for part, score in ours]
  published = results['published']
  if published:
    counts = published['dataset']['class_counts_test'].values()
    accuracy = published['overall']['accuracy']
    rows.append([
      PUBLISHED,
      'whole test set',
      published['dataset']['n_test'],
      *counts,
      accuracy,
      None,
      None,
      '',
    ])
    printed_in = published['printed_in']['overall']
    rows += [
      [
        PUBLISHED,
        f'cluster {c["number"]} of its {printed_in}',
        *_accuracy(c['test'])[:-1],
        'n not reported',
      ]
      for c in published['test_clusters']
    ]
  return Table(header, rows)


def _accuracy(score: dict[str, Any]) -> list[object]:
  """The cells of `_ACCURACY`."""
  return [
    score.get('n'),
    *class_counts(score),
    score['accuracy'],
    *(interval(score, 'accuracy') or (None, None)),
    why_null(score, 'accuracy'),
  ]


def interval(score: dict[str, Any], name: str) -> list[float] | None:
  """The 95 % interval of a metric; None where there is none."""
  return score.get('intervals', {}).get(name)


def class_counts(score: dict[str, Any]) -> tuple[int | None, int | None]:
  """Positive and negative images that a score is over; None if unknown."""
  if 'tp' not in score:
    return None, None
  return score['tp'] + score['fn'], score['tn'] + score['fp']


def table3(results: dict[str, Any]) -> Table:
  """Each cluster's retrained head beside the random heads of its size."""
  header = 'source,cluster,size,n_positive,n_negative,intra_cluster_distance'
  columns = [*header.split(','), 'n_test']
  for name in metrics.METRICS:
    columns += [f'retrained_{name}{end}' for end in ('', '_lo', '_hi')]
    columns.append(f'random_{name}')
    columns += [f'random_{name}_min', f'random_{name}_max']
  rows = [
    _row3(OURS, cluster, results['dataset']['n_test'])
    for cluster in results['clusters']
  ]
  published = results['published']
  if published:
    rows += [
      _row3(PUBLISHED, cluster, published['dataset']['n_test'])
      for cluster in published['clusters']
    ]
  return Table([*columns, 'reason'], rows)


def _row3(source: str, cluster: dict[str, Any], n_test: int) -> list[object]:
  distance = 'intra_cluster_distance'
  row = [source, cluster['id'], cluster['size']]
  row += [*cluster['class_counts'].values(), cluster[distance], n_test]
  reasons = [(distance, why_null(cluster, distance))]
  for name in metrics.METRICS:
    for kind in ('retrained', 'random'):
      row.append(cluster[kind][name])
      if kind == 'retrained':
        row += interval(cluster[kind], name) or (None, None)
      reasons.append((f'{kind}_{name}', why_null(cluster[kind], name)))
    row += extremes(cluster['random'], name) or (None, None)
  if source == PUBLISHED:
    reasons.append(('random minimum and maximum', 'not reported'))
  return [*row, _joined(reasons)]


def random_runs(results: dict[str, Any]) -> int:
  """How many random runs a cluster has; an empty cluster has none."""
  return max(len(c['random']['runs']) for c in results['clusters'])


def extremes(random: dict[str, Any], name: str) -> tuple[float, float] | None:
  """Smallest and largest value over the random runs; None without any."""
  values = [run[name] for run in random.get('runs', ())]
  if not values or None in values:
    return None
  return min(values), max(values)


def _joined(reasons: Iterable[tuple[str, str]]) -> str:
  return '; '.join(f'{name} {why}' for name, why in reasons if why)


def between_cluster_distances(results: dict[str, Any]) -> Table:
  """Figure 1 as numbers: Euclidean distances of the centroids."""
  ids = [c['id'] for c in results['clusters']]
  rows = [
    [i, *distances]
    for i, distances in zip(
      ids, results['between_cluster_distances'], strict=True
    )
  ]
  return Table(['cluster', *(f'cluster_{i}' for i in ids)], rows)


def distance_vs_performance(results: dict[str, Any]) -> Table:
  """Each pair's centroid distance and how much its heads' metrics differ."""
  differences = [f'difference_{name}' for name in metrics.METRICS]
  rows = []
  for pair in results['distance_vs_performance']['pairs']:
    found = pair['difference']
    missing = [
      (f'difference_{name}', 'not estimable: one of the two metrics is not')
      for name in metrics.METRICS
      if found[name] is None
    ]
    rows.append([
      pair['a'],
      pair['b'],
      pair['centroid_distance'],
      *(found[name] for name in metrics.METRICS),
      _joined(missing),
    ])
  return Table(['a', 'b', 'centroid_distance', *differences, 'reason'], rows)


def transfer(results: dict[str, Any]) -> Table:
  """The head of each cluster in each test cluster."""
  header = ['head_of_cluster', 'test_cluster', *_ACCURACY]
  rows = [
    [cluster['id'], j, *_accuracy(score)]
    for cluster in results['clusters']
    for j, score in enumerate(cluster['retrained_in_test_clusters'])
  ]
  return Table(header, rows)


def leaked(results: dict[str, Any], kind: str) -> tuple[int, ...]:
  """Images per class that a kind of leak concerns; zeros where unknown."""
  d, found = results['dataset'], results['leaks'].get(kind) or {}
  return tuple(found.get(label, 0) for label in (d['positive'], d['negative']))


def leaks(
  results: dict[str, Any],
) -> list[tuple[str, list[tuple[int, ...]], str]]:
  """Kind, images per class in the test and validation parts, and a reason.

  Without any counts the reason says why nothing is known, else why they are a
  lower bound.
  """
  prefixes = ['', 'validation_'] if results['dataset']['n_validation'] else ['']
  found, rows = results['leaks'], []
  for kind, title in LEAKS.items():
    counts = []
    if found[kind] is not None:
      counts = [leaked(results, prefix + kind) for prefix in prefixes]
    rows.append((title, counts, found.get(f'{kind}_why', '')))
  return rows


def shortcuts(results: dict[str, Any]) -> Table:
  """Each column of the manifest, and what it says of class and cluster."""
  rows = []
  for entry in results['shortcuts']:
    values = [entry[name] for name in _SHORTCUT]
    whys: dict[str, list[str]] = {}
    for name, value in zip(_SHORTCUT, values, strict=True):
      if value is None:
        whys.setdefault(entry[f'{name}_why'], []).append(name)
    reasons = [
      (', '.join(names), f'not estimable: {why}') for why, names in whys.items()
    ]
    if values == [None] * len(values) and len(whys) == 1:
      reasons = [('not audited:', next(iter(whys)))]
    rows.append([entry['column'], *values, _joined(reasons)])
  return Table(['column', *_SHORTCUT, 'reason'], rows)


def folds(results: dict[str, Any]) -> Table:
  """Each fold's sizes, the score of its overall head, and its clusters."""
  ids = [c['id'] for c in results['clusters']]
  header = ['fold', *_SIZES]
  for name in metrics.METRICS:
    header += [name, f'{name}_lo', f'{name}_hi']
  header += [f'size_of_cluster_{i}' for i in ids]
  rows = []
  for number, fold in enumerate(results['folds']):
    score = fold['overall']
    row = [number, *(fold[name] for name in _SIZES)]
    for name in metrics.METRICS:
      row += [score[name], *(interval(score, name) or (None, None))]
    reasons = [(name, why_null(score, name)) for name in metrics.METRICS]
    row += [*fold['cluster_sizes'], fold['adjusted_rand_with_first']]
    rows.append([*row, _joined(reasons)])
  return Table([*header, 'adjusted_rand_with_first', 'reason'], rows)


def left_out(
  rows: list[dict[str, str]], labels: Sequence[str]
) -> list[tuple[str, list[int]]]:
  """Reasons and how many candidates of each class and of none they left out.

  Args:
    rows: of `manifest.csv`.
    labels: the positive and the negative class; nothing for regression.

  Returns:
    The most frequent reason first.
  """
  counts: dict[str, list[int]] = {}
  for row in rows:
    if row['included'] == 'true':
      continue
    reason = selection.general(row['reason'])
    # The last column is for labels of neither class.
    of_class = counts.setdefault(reason, [0] * (len(labels) + 1))
    known = row['label'] in labels
    of_class[labels.index(row['label']) if known else -1] += 1
  return sorted(counts.items(), key=lambda item: -sum(item[1]))


def files(results: dict[str, Any]) -> dict[str, str]:
  """File name to content of every table."""
  functions = [
    table1,
    table3,
    between_cluster_distances,
    distance_vs_performance,
    transfer,
    shortcuts,
  ]
  if 'folds' in results:
    functions.append(folds)
  made = {function.__name__: function(results) for function in functions}
  return {f'{name}.csv': table.csv() for name, table in made.items()}

"""The tables of a retraining study, from `results.json` alone.

A value that cannot be estimated is an empty cell, and the column `reason` says
why. What Wang 2023 reports stands in rows of its own, `source` published.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from heterojax import metrics
from heterojax.datasets import manifest

OURS = 'this run'
PUBLISHED = 'published'


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
  header = 'source,part,n,n_positive,n_negative,accuracy,reason'.split(',')
  ours = [('whole test set', results['overall'])]
  ours += [(f'cluster {c["id"]}', c['test']) for c in results['clusters']]
  rows = [[OURS, part, *_accuracy(score)] for part, score in ours]
  published = results['published']
  if published:
    counts = published['dataset']['class_counts_test'].values()
    accuracy = published['overall']['accuracy']
    rows.append([
        PUBLISHED, 'whole test set', published['dataset']['n_test'], *counts,
        accuracy, '',
    ])  # pyformat: disable
    rows += [
        [
            PUBLISHED,
            f'cluster {c["table_1_cluster"]} of its Table 1',
            *_accuracy(c['test'])[:-1],
            'n not reported',
        ]
        for c in published['test_clusters']
    ]
  return Table(header, rows)


def _accuracy(score: dict[str, Any]) -> list[object]:
  """n, images of each class, accuracy and the reason where it is null."""
  return [
      score.get('n'),
      *class_counts(score),
      score['accuracy'],
      why_null(score, 'accuracy'),
  ]


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
    columns += [f'retrained_{name}', f'random_{name}']
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
      reasons.append((f'{kind}_{name}', why_null(cluster[kind], name)))
    row += extremes(cluster['random'], name) or (None, None)
  if source == PUBLISHED:
    reasons.append(('random minimum and maximum', 'not reported'))
  return [*row, _joined(reasons)]


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
      for i, distances in zip(ids, results['between_cluster_distances'])
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
  header = 'head_of_cluster,test_cluster,n,n_positive,n_negative,accuracy'
  rows = [
      [cluster['id'], j, *_accuracy(score)]
      for cluster in results['clusters']
      for j, score in enumerate(cluster['retrained_in_test_clusters'])
  ]
  return Table([*header.split(','), 'reason'], rows)


def files(results: dict[str, Any]) -> dict[str, str]:
  """File name to content of every table."""
  made = {
      function.__name__: function(results)
      for function in (
          table1,
          table3,
          between_cluster_distances,
          distance_vs_performance,
          transfer,
      )
  }
  return {f'{name}.csv': table.csv() for name, table in made.items()}

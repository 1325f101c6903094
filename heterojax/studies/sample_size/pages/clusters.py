"""The tables of clusters: Figures 2 and 3 in numbers."""

from typing import NamedTuple

from markupsafe import Markup

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.studies.sample_size.pages import tables
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages.values import estimated
from heterojax.studies.sample_size.records import Fold
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.records import Size


class ClusterRow(NamedTuple):
  """A cluster of a fold."""

  size: Size
  number: int
  fold: Fold
  cluster: int


def clusters(results: Results) -> Table[ClusterRow]:
  """Every cluster of every fold: Figures 2 and 3 before averaging."""
  columns: list[Column[ClusterRow]] = [
    Column('n', lambda row: row.size.n),
    Column('fold', lambda row: row.number),
    Column('cluster', lambda row: row.cluster),
    Column('metric', lambda r: r.fold.cluster_metric.value[r.cluster]),
    Column(
      'metric_sd_over_trainings',
      lambda r: r.fold.training_spread.cluster_metric_std.value[r.cluster],
    ),
    Column('n_test', lambda r: r.fold.cluster_n_test[r.cluster]),
    Column('size', lambda r: r.fold.cluster_size[r.cluster]),
    Column('jaccard', lambda r: r.fold.jaccard.value[r.cluster]),
    Column('empty_in_trainings', _empty_in_trainings),
    Column('reason', lambda r: _why_cluster(results, r)),
  ]
  rows = [
    ClusterRow(*row, cluster)
    for row in tables.fold_rows(results)
    for cluster in range(results.cluster.k)
  ]
  return Table('clusters', columns, rows)


def _empty_in_trainings(row: ClusterRow) -> int:
  own = {empty.cluster: empty.trainings for empty in row.fold.empty}
  return own.get(row.cluster, 0)


def _why_cluster(results: Results, row: ClusterRow) -> str:
  if row.fold.cluster_metric.value[row.cluster] is not None:
    return ''
  return f'metric {without(results, row.fold, row.cluster)}'


def without(results: Results, fold: Fold, cluster: int) -> str:
  """Why a cluster of a fold has no metric, in words."""
  if not fold.cluster_n_test[cluster]:
    return f'not estimable: no test {results.unit}'
  return values.why(fold.cluster_metric)


def figure2_metric_per_cluster(results: Results) -> Table[Size]:
  """Figure 2: the metric of all test images and of each cluster's."""
  columns: list[Column[Size]] = [
    Column('n', lambda size: size.n),
    Column('n_test', lambda size: size.n_test),
    estimated('baseline', lambda size: size.baseline),
    estimated('all', lambda size: size.metric_mean),
    *(
      Column(f'cluster_{c}', lambda s, c=c: s.cluster_metric_mean.value[c])
      for c in range(results.cluster.k)
    ),
    Column('reason', _why_clusters),
  ]
  return Table('figure2_metric_per_cluster', columns, results.by_size)


def _why_clusters(size: Size) -> str:
  own = size.cluster_metric_mean
  missing = [f'cluster_{c}' for c, v in enumerate(own.value) if v is None]
  return f'{", ".join(missing)} {values.why(own)}' if missing else ''


def figure3_cluster_sizes(results: Results) -> Table[Size]:
  """Figure 3: shares of all images."""
  shares: list[Column[Size]] = [
    Column(f'cluster_{c}', lambda size, c=c: size.cluster_size_mean[c])
    for c in range(results.cluster.k)
  ]
  return Table(
    'figure3_cluster_sizes',
    [Column('n', lambda size: size.n), *shares],
    results.by_size,
  )


class MetricRow(NamedTuple):
  """The metric of all images and of each cluster, of a fold or a size.

  Attributes:
    n: the size, where it is said.
    fold: its number, or that it is the mean.
    metric: of all test images.
    n_test: how many there are; '' for the mean.
    clusters: a cell each.
  """

  n: str
  fold: Text
  metric: Estimate
  n_test: str
  clusters: list[Text]


def metric_per_cluster(results: Results) -> Table[MetricRow]:
  """The metric of each cluster in each fold, and its mean."""
  unit, metric = results.unit, formatting.capital(values.metric(results))
  columns: list[Column[MetricRow]] = [
    Column('', lambda r: r.n, f'{formatting.capital(unit)}s', align='text'),
    Column('', lambda r: r.fold, 'Fold', lambda r: r.fold, align='text'),
    Column(
      '',
      lambda r: codec.known(r.metric),
      'All',
      lambda r: blocks.with_small(
        blocks.estimate(r.metric, values.fraction), r.n_test
      ),
    ),
    *(
      Column(
        '',
        lambda r, c=c: r.clusters[c],
        f'Cluster {c}',
        lambda r, c=c: r.clusters[c],
      )
      for c in range(results.cluster.k)
    ),
  ]
  rows = []
  for size in results.by_size:
    for number, fold in enumerate(size.folds):
      n = '' if number else formatting.number(size.n)
      tested = f'n = {formatting.number(fold.n_test)}'
      cells = [_metric_cell(results, fold, c) for c in range(results.cluster.k)]
      rows.append(MetricRow(n, str(number), fold.metric, tested, cells))
    means = [
      blocks.estimate(value, values.fraction)
      for value in values.entries(size.cluster_metric_mean)
    ]
    mean = Markup('<b>mean</b>')
    rows.append(MetricRow('', mean, size.metric_mean, '', means))
  return Table(
    '',
    columns,
    rows,
    f'{metric} of each cluster; n: its test {unit}s in a fold (a mean over'
    ' trainings where they differ).',
  )


def _metric_cell(results: Results, fold: Fold, c: int) -> Text:
  value = fold.cluster_metric.value[c]
  if value is None:
    return blocks.missing(without(results, fold, c))
  n = f'n = {values.whole(fold.cluster_n_test[c])}'
  return blocks.with_small(values.fraction(value), n)

"""The tables of a sample-size study, from `results.json` alone.

A value that cannot be estimated is an empty cell, and the column `reason` says
why. What Mendez 2019 reports stands in rows of its own, `source` published.
"""

from typing import Any

from heterojax.report import formatting
from heterojax.stats import metrics
from heterojax.studies.retraining.pages.tables import Table
from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import values

_CVS = ('cv_of_means', 'cv_expected', 'cv_corrected')
_CV_COLUMNS = (*_CVS, 'cv_band_low', 'cv_band_high')
_VALIDITY = ('inertia', 'silhouette', 'calinski_harabasz', 'davies_bouldin')
_SCORES = {
  'accuracy': metrics.METRICS,
  'one_minus_nrmse': metrics.NORMALISED + metrics.ERRORS,
}
ERRORS = metrics.ERRORS
# Of a task's metrics, as heads of columns.
TITLES = {
  'accuracy': 'Accuracy',
  'auc': 'AUC',
  'sensitivity': 'Sensitivity',
  'specificity': 'Specificity',
  'one_minus_nrmse': '1 − NRMSE',
  'one_minus_nrmse_mean': '1 − NRMSE by mean',
  'one_minus_nrmse_std': '1 − NRMSE by sd',
  'rmse': 'RMSE',
  'mean_absolute_error': 'Mean absolute error',
}


def score_names(results: dict[str, Any]) -> tuple[str, ...]:
  """All metrics of the task."""
  return _SCORES[results['metric']]


def _cvs(described: dict[str, Any], cv: str) -> list[object]:
  """The cells of a CV and `_CV_COLUMNS`."""
  ends = values.interval(described, 'cv_band') or (None, None)
  return [described[cv], *(described[name] for name in _CVS), *ends]


def _reason(described: dict[str, Any], *names: str) -> str:
  return values.reasons(described, (*names, *_CVS, 'cv_band', 'adjusted_rand'))


def figure4_cv(results: dict[str, Any]) -> Table:
  """Figure 4: the CV of every size beside what chance alone gives."""
  header = ['n', 'n_train', 'n_test', 'baseline', 'metric', 'mean_of_cvs']
  header += [*_CV_COLUMNS, 'band', 'against_chance', 'sd_over_trainings']
  rows = []
  for size in values.smallest_first(results):
    rows.append([
      size['n'],
      size['n_train'],
      size['n_test'],
      size['baseline'],
      size['metric_mean'],
      *_cvs(size, 'mean_of_cvs'),
      size['band'],
      values.position(size, 'mean_of_cvs'),
      size['training_spread']['cv_std'],
      size['adjusted_rand'],
      _reason(size, 'baseline', 'metric_mean', 'mean_of_cvs'),
    ])
  return Table([*header, 'adjusted_rand', 'reason'], rows)


def folds(results: dict[str, Any]) -> Table:
  """Every fold of every size."""
  names = score_names(results)
  header = ['n', 'fold', 'n_train', 'n_test', 'metric', 'baseline', 'cv']
  header += [*_CV_COLUMNS, 'against_chance', 'cv_sd', 'cv_min', 'cv_max']
  header += ['adjusted_rand', 'n_components', 'explained_variance', *names]
  rows = []
  for size in values.smallest_first(results):
    for number, fold in enumerate(size['folds']):
      own, scores = fold['training_spread'], fold['scores']
      why = [
        _reason(fold, 'metric', 'baseline', 'cv', 'n_components'),
        values.reasons(scores, names),
      ]
      rows.append([
        size['n'],
        number,
        *(fold[name] for name in ('n_train', 'n_test', 'metric', 'baseline')),
        *_cvs(fold, 'cv'),
        values.position(fold, 'cv'),
        *(own[name] for name in ('cv_std', 'cv_min', 'cv_max')),
        fold['adjusted_rand'],
        fold['n_components'],
        fold['explained_variance'],
        *(scores.get(name) for name in names),
        '; '.join(filter(None, why)),
      ])
  return Table([*header, 'reason'], rows)


def clusters(results: dict[str, Any]) -> Table:
  """Every cluster of every fold: Figures 2 and 3 before averaging."""
  header = 'n,fold,cluster,metric,metric_sd_over_trainings,n_test,size,jaccard'
  rows = []
  for size in values.smallest_first(results):
    for number, fold in enumerate(size['folds']):
      empty = {e['cluster']: e['trainings'] for e in fold['empty']}
      spread = fold['training_spread']['cluster_metric_std']
      for c, metric in enumerate(fold['cluster_metric']):
        rows.append([
          size['n'],
          number,
          c,
          metric,
          spread[c],
          fold['cluster_n_test'][c],
          fold['cluster_size'][c],
          fold['jaccard'][c],
          empty.get(c, 0),
          f'metric {without(results, fold, c)}' if metric is None else '',
        ])
  return Table([*header.split(','), 'empty_in_trainings', 'reason'], rows)


def without(results: dict[str, Any], fold: dict[str, Any], cluster: int) -> str:
  """Why a cluster of a fold has no metric, in words."""
  if not fold['cluster_n_test'][cluster]:
    return values.missing(results)
  return values.why(fold, 'cluster_metric')


def figure2_metric_per_cluster(results: dict[str, Any]) -> Table:
  """Figure 2: the metric of all test images and of each cluster's."""
  header = ['n', 'n_test', 'baseline', 'all']
  header += [f'cluster_{c}' for c in range(values.k_of(results))]
  rows = []
  for size in values.smallest_first(results):
    found = size['cluster_metric_mean']
    missing = [f'cluster_{c}' for c, m in enumerate(found) if m is None]
    reason = ''
    if missing:
      why = values.why(size, 'cluster_metric_mean')
      reason = f'{", ".join(missing)} {why}'
    rows.append([
      size['n'],
      size['n_test'],
      size['baseline'],
      size['metric_mean'],
      *found,
      reason,
    ])
  return Table([*header, 'reason'], rows)


def figure3_cluster_sizes(results: dict[str, Any]) -> Table:
  """Figure 3: shares of all images."""
  header = ['n', *(f'cluster_{c}' for c in range(values.k_of(results)))]
  rows = [
    [size['n'], *size['cluster_size_mean']]
    for size in values.smallest_first(results)
  ]
  return Table(header, rows)


def figure5_cv_vs_metric(results: dict[str, Any]) -> Table:
  """Figure 5: points, correlations, and predictions both ways."""
  found, unit = results['cv_vs_metric'], formatting.unit(results)
  header = ['source', 'what', 'cv', 'metric', 'value', 'low', 'high', 'reason']
  rows = [
    [
      values.OURS,
      f'point of {size["n"]} {unit}s',
      size['mean_of_cvs'],
      size['metric_mean'],
      None,
      None,
      None,
      values.reasons(size, ('mean_of_cvs', 'metric_mean')),
    ]
    for size in values.smallest_first(results)
  ]
  for name in ('pearson', 'spearman'):
    rows.append([
      values.OURS,
      name,
      None,
      None,
      found[name],
      None,
      None,
      values.why(found, name),
    ])
  for line in ('fit', 'fit_cv'):
    for name in ('slope', 'intercept'):
      value = (found[line] or {}).get(name)
      rows.append([
        values.OURS,
        f'{line} {name}',
        None,
        None,
        value,
        None,
        None,
        values.why(found, line),
      ])
  for name, given in (('metric_given_cv', 'cv'), ('cv_given_metric', 'metric')):
    rows += [
      [
        values.OURS,
        f'prediction from the {given}',
        row['cv'],
        row['metric'],
        None,
        *row['interval'],
        'beyond what was observed' if row['extrapolated'] else '',
      ]
      for row in found[name] or ()
    ]
  if results['published']:
    value = results['published']['cv_vs_metric']['pearson']
    rows.append([
      values.PUBLISHED,
      'pearson',
      None,
      None,
      value,
      None,
      None,
      '',
    ])
  return Table(header, rows)


def fuzzifiers(results: dict[str, Any]) -> Table:
  """The CV with other fuzzifiers, and the sizes of their clusters."""
  k = values.k_of(results)
  header = ['n', 'fuzzifier', 'mean_of_cvs', 'cv_of_means']
  header += [f'size_of_largest_{c + 1}' for c in range(k)]
  rows = [
    [
      size['n'],
      own['fuzzifier'],
      own['mean_of_cvs'],
      own['cv_of_means'],
      *sorted_sizes(own),
      values.reasons(own, ('mean_of_cvs', 'cv_of_means')),
    ]
    for size in values.smallest_first(results)
    for own in size['fuzzifiers'] or ()
  ]
  return Table([*header, 'reason'], rows)


def sorted_sizes(fuzzifier: dict[str, Any]) -> list[float]:
  """Shares of the clusters, the largest first."""
  return sorted(fuzzifier['cluster_size_mean'], reverse=True)


def validity(results: dict[str, Any]) -> Table:
  """Indices of each algorithm and number of clusters."""
  header = ['method', 'k', *_VALIDITY, 'sizes', 'reason']
  rows = [
    [
      row['method'],
      row['k'],
      *(row[name] for name in _VALIDITY),
      ' '.join(map(str, row['sizes'])),
      values.reasons(row, _VALIDITY),
    ]
    for row in values.validity_rows(results)
  ]
  return Table(header, rows)


def components(results: dict[str, Any]) -> Table:
  """The CV in every number of components."""
  header = ['n', 'fold', 'n_components', 'cv', 'cv_minus_one', 'chosen']
  rows = [
    [size['n'], number, q, cv, minus_one, str(q == own['chosen']).lower()]
    for size in values.smallest_first(results)
    for number, fold in enumerate(size['folds'])
    if (own := fold['cv_by_components'])
    for q, cv, minus_one in zip(
      own['n_components'], own['cv'], own['cv_minus_one'], strict=True
    )
  ]
  return Table(header, rows)


def cv_at_chosen(by_components: dict[str, Any]) -> float | None:
  """CV with the chosen number of components, empty clusters left out."""
  cvs = dict(
    zip(by_components['n_components'], by_components['cv'], strict=True)
  )
  return cvs.get(by_components['chosen'])


def has_components(results: dict[str, Any]) -> bool:
  """Whether the number of components was chosen by the CV."""
  return any(
    fold['cv_by_components']
    for size in results['sizes']
    for fold in size['folds']
  )


def files(results: dict[str, Any]) -> dict[str, str]:
  """File name to content of every table."""
  functions = [
    figure2_metric_per_cluster,
    figure3_cluster_sizes,
    figure4_cv,
    figure5_cv_vs_metric,
    distances.table1,
    distances.table2,
    folds,
    clusters,
    validity,
  ]
  if any(size['fuzzifiers'] for size in results['sizes']):
    functions.append(fuzzifiers)
  if has_components(results):
    functions.append(components)
  made = {function.__name__: function(results) for function in functions}
  return {f'{name}.csv': table.csv() for name, table in made.items()}

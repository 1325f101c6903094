"""The fields of `results.json` before there is one, for conditions over them.

A tree of stand-ins: it has the names, the lengths and the types that results
will have as far as the settings tell, and no value means anything.
"""

from collections.abc import Sequence
from typing import Any

from heterojax.datasets.manifest import Cohort
from heterojax.stats import metrics
from heterojax.studies.settings import Settings

_NUMBER, _TEXT = 1, ''


class _Fields(dict):
  """Fields, and the reason why one is null as a text of its own."""

  def __missing__(self, name: Any) -> str:
    if str(name).endswith('_why') and str(name).removesuffix('_why') in self:
      return _TEXT
    raise KeyError(name)


class _AnyName(dict):
  """Names that only the data know, as those of classes."""

  def __init__(self, value: Any):
    super().__init__()
    self._value = value

  def __missing__(self, name: Any) -> Any:
    return self._value


class _AnyLength(list):
  """A list whose length is not known."""

  def __getitem__(self, index: Any) -> Any:
    if not isinstance(index, int):
      return super().__getitem__(index)
    return super().__getitem__(0)


class _Anything:
  """What only the data know."""

  def _self(self, *_: Any) -> '_Anything':
    return self

  __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = _self
  __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _self
  __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _self
  __hash__ = None


def of(
  settings: Settings, cohorts: Sequence[Cohort] | None = None
) -> dict[str, Any]:
  """Stand-ins for the results of a study.

  Args:
    settings: of the study.
    cohorts: one per fold (of every size); None where the data are not read yet,
      and then lists of sizes and folds have any length and classes any name.

  Returns:
    The tree. A list of unknown length has an entry at every index.
  """
  study = {'retraining': _retraining, 'sample_size': _sample_size}
  return _fields(
    'schema_version seed',
    'study protocol',
    split=_fields('folds named'),
    backbone=_fields(
      'dim', 'name source weights weights_sha256 feature train dtype'
    ),
    findings=_AnyLength([_TEXT]),
    published=_Anything(),
    timings=_Anything(),
    environment=_Anything(),
    **study[settings.study](settings, cohorts),
  )


def _fields(numbers: str = '', texts: str = '', **others: Any) -> _Fields:
  return _Fields(
    dict.fromkeys(numbers.split(), _NUMBER)
    | dict.fromkeys(texts.split(), _TEXT)
    | others
  )


def _many(length: int | None, entry: Any = _NUMBER) -> list[Any]:
  return _AnyLength([entry]) if length is None else [entry] * length


def _classes(cohorts: Sequence[Cohort] | None) -> dict[str, Any]:
  if cohorts is None:
    return _AnyName(_NUMBER)
  return _Fields(dict.fromkeys(cohorts[0].classes, _NUMBER))


def _score(task: str = 'classification') -> _Fields:
  if task == 'regression':
    return _fields(' '.join(('n', *metrics.NORMALISED, *metrics.ERRORS)))
  return _fields(
    ' '.join(metrics.COUNTS + metrics.METRICS),
    intervals=_Fields(dict.fromkeys(metrics.METRICS, _many(2))),
  )


def _retraining(
  settings: Settings, cohorts: Sequence[Cohort] | None
) -> dict[str, Any]:
  k, runs = settings.cluster.k, settings.heads.random_runs
  classes = _classes(cohorts)
  parts = ('train', 'validation', 'train_augmented', 'test')
  numbers = ' '.join(f'n_{part}' for part in parts)
  counts = {f'class_counts_{part}': classes for part in parts}
  score, means = _score(), _fields(' '.join(metrics.COUNTS + metrics.METRICS))
  of_metrics = _Fields(dict.fromkeys(metrics.METRICS, _NUMBER))
  reduction = _fields('n_components explained_variance', 'method fit')
  if settings.reduction.rejected:
    reduction['rejected'] = _fields(
      'n_components explained_variance adjusted_rand',
      clusters=_many(k, _fields('id size', class_counts=classes)),
    )
  pair = _fields('a b centroid_distance', difference=of_metrics)
  found = {
    'dataset': _fields(
      f'n_candidates {numbers}',
      'name positive negative',
      notes=_AnyLength([_TEXT]),
      **counts,
    ),
    'reduction': reduction,
    'cluster': _fields('k n_init fuzzifier', 'method covariance'),
    'overall': score,
    'clusters': _many(
      k,
      _fields(
        'id size originals intra_cluster_distance',
        class_counts=classes,
        test=score,
        retrained=score,
        retrained_in_test_clusters=_many(k, score),
        random=_Fields(
          means,
          runs=_many(runs, _Fields(score, class_counts=classes)),
        ),
      ),
    ),
    'between_cluster_distances': _many(k, _many(k)),
    'distance_vs_performance': _fields(
      '', 'why', pairs=_many(k * (k - 1) // 2, pair), spearman=of_metrics
    ),
    # Which kinds and columns there are depends on the data.
    'leaks': _AnyName(_Anything()),
    'shortcuts': _AnyLength([_Anything()]),
  }
  folds = None if cohorts is None else len(cohorts)
  if folds != 1:
    found['folds'] = _many(
      folds,
      _fields(
        f'{numbers} adjusted_rand_with_first',
        overall=score,
        cluster_sizes=_many(k),
        **counts,
      ),
    )
  if settings.data.subpopulation:
    found['known_subpopulations'] = _fields(
      'adjusted_rand_train adjusted_rand_test', 'column'
    )
  return found


def _sample_size(
  settings: Settings, cohorts: Sequence[Cohort] | None
) -> dict[str, Any]:
  task = settings.data.task
  data = _fields(
    'n_candidates n', 'name positive negative', notes=_AnyLength([_TEXT])
  )
  if task == 'regression':
    data['target'] = _fields('min max mean std')
  else:
    data['class_counts'] = _classes(cohorts)
  line = _fields('slope intercept residual_sd')
  predicted = _fields('cv metric extrapolated', interval=_many(2))
  return {
    'task': _TEXT,
    'metric': _TEXT,
    'dataset': data,
    'reduction': _fields('n_components explained_variance', 'method rule'),
    'cluster': _fields(
      'k n_init trainings fuzzifier', 'method covariance matching'
    ),
    'sizes': _sizes(settings, cohorts),
    'cv_vs_metric': _fields(
      'n n_left_out pearson pearson_p_value spearman',
      'warning',
      fit=line,
      fit_cv=line,
      metric_given_cv=_AnyLength([predicted]),
      cv_given_metric=_AnyLength([predicted]),
    ),
    'validity': _fields(
      'n',
      rows=_AnyLength([
        _fields(
          'k inertia silhouette calinski_harabasz davies_bouldin',
          'method',
          sizes=_AnyLength([_NUMBER]),
        )
      ]),
      reading=_AnyLength([_TEXT]),
    ),
  }


def _sizes(
  settings: Settings, cohorts: Sequence[Cohort] | None
) -> list[_Fields]:
  """`sizes`, each with as many folds as it has."""
  if cohorts is None:
    return _AnyLength([_size(settings, None)])
  folds: dict[int, int] = {}
  for cohort in cohorts:
    rows = cohort.candidates if settings.data.files else cohort.included
    folds[len(rows)] = folds.get(len(rows), 0) + 1
  return [_size(settings, number) for number in folds.values()]


def _cvs(name: str) -> _Fields:
  return _fields(
    f'{name} cv_of_means cv_expected cv_corrected cv_p_value band_exchanged',
    'band_unit',
    cv_band=_many(2),
  )


def _size(settings: Settings, folds: int | None) -> _Fields:
  k, own = settings.cluster.k, settings.reduction
  fold = _fields(
    'n_train n_test metric baseline n_clusters_with_test adjusted_rand'
    ' n_components explained_variance unconverged',
    scores=_score(settings.data.task),
    cluster_metric=_many(k),
    cluster_size=_many(k),
    cluster_n_test=_many(k),
    training_spread=_fields(
      'cv_std cv_min cv_max', cluster_metric_std=_many(k)
    ),
    jaccard=_many(k),
    empty=_AnyLength([_fields('cluster trainings')]),
    coinciding=_AnyLength([_fields('trainings', clusters=_many(2))]),
    cv_by_components=None,
    **_cvs('cv'),
  )
  if own.rule == 'minimum_mode_cv':
    curve = dict.fromkeys(
      ('n_components', 'cv', 'cv_minus_one'), _AnyLength([_NUMBER])
    )
    fold['cv_by_components'] = _fields(
      'mode frequency chosen', 'metric', **curve
    )
  fuzzified = _fields(
    'fuzzifier mean_of_cvs cv_of_means', cluster_size_mean=_many(k)
  )
  fuzzifiers = None
  if settings.cluster.method == 'fuzzy':
    fuzzifiers = _AnyLength([fuzzified])
  return _fields(
    'n n_train n_test baseline metric_mean n_clusters_with_test adjusted_rand',
    'band',
    folds=_many(folds, fold),
    cluster_metric_mean=_many(k),
    cluster_size_mean=_many(k),
    training_spread=_fields('cv_std'),
    centroid_distances=_many(k, _many(k)),
    closest_point_distances=_many(k, _many(k)),
    to_centroid=_many(k, _fields('cluster min max mean std')),
    fuzzifiers=fuzzifiers,
    **_cvs('mean_of_cvs'),
  )

"""From the clusterings of a sample-size study to `results.json`.

Every metric is the average over the trainings of the clustering and then over
the folds (Mendez 2019, section 3). Both orders of averaging are given: the mean
of the folds' CVs, and the CV of the clusters' mean metrics.
"""

from collections.abc import Sequence
import itertools
from typing import Any

import numpy as np

from heterojax import heterogeneity
from heterojax import rng
from heterojax import statistics
from heterojax.backbones import Backbone
from heterojax.datasets.manifest import Cohort
from heterojax.studies import cautions
from heterojax.studies import choosing
from heterojax.studies import cluster_tables
from heterojax.studies import mendez2019
from heterojax.studies import scoring
from heterojax.studies import summary
from heterojax.studies.cluster_cv import FoldClusters
from heterojax.studies.cluster_cv import SizeClusters
from heterojax.studies.cluster_cv import Trainings
from heterojax.studies.settings import Settings
from heterojax.studies.top_models import Learned

_CONSTANT = 'the targets of the test images are all the same'
_NO_CV = 'fewer than two clusters have test images, or their mean is zero'


def summarise(
    settings: Settings,
    cohorts: Sequence[Cohort],
    backbone: Backbone | None,
    learned: Sequence[Learned],
    found: Sequence[SizeClusters],
) -> dict[str, Any]:
  """`results.json` but for timings and environment.

  Args:
    settings: of the study.
    cohorts: one per fold of every size.
    backbone: the network; None where the features are given.
    learned: features and predictions of each part.
    found: the clusterings, smallest size first.

  Returns:
    The results, ready for JSON.
  """
  largest = cohorts[-1]
  c, last = settings.cluster, found[-1].folds
  sizes = [_size(settings, own) for own in found]
  cv = [s['mean_of_cvs'] for s in sizes]
  metric = [s['metric_mean'] for s in sizes]
  dim = learned[0].x.shape[1]
  results: dict[str, Any] = {
      'schema_version': 1,
      'study': settings.study,
      'task': settings.data.task,
      'protocol': settings.split.protocol,
      'seed': settings.seed,
      'metric': scoring.METRIC[settings.data.task],
      'split': {
          'folds': len(last) if len(last) > 1 else 0,
          'named': largest.named_splits,
      },
      'dataset': _dataset(settings, largest, last),
      'backbone': summary.describe_backbone(settings, backbone, dim),
      'reduction': _reduction(settings, last),
      'cluster': {
          'method': c.method,
          'k': c.k,
          'n_init': c.n_init,
          'trainings': c.trainings,
          'fuzzifier': c.fuzzifier if c.method == 'fuzzy' else None,
          'covariance': c.covariance if c.method == 'gmm' else None,
      },
      'sizes': sizes,
      'cv_vs_metric': heterogeneity.cv_vs_metric(cv, metric),
      'validity': _validity(settings, found[-1]),
      'findings': cautions.cautions(settings, largest, found),
      **_published(settings),
  }
  return results


def _dataset(
    settings: Settings, cohort: Cohort, folds: Sequence[FoldClusters]
) -> dict[str, Any]:
  described: dict[str, Any] = {
      'name': cohort.name,
      'positive': cohort.positive,
      'negative': cohort.negative,
      'n_candidates': len(cohort.candidates),
      'n': folds[0].part.n,
      'notes': list(cohort.notes),
  }
  # Validation images are neither trained on nor tested, and belong to it too.
  samples = folds[0].part.samples
  if settings.data.task == 'regression':
    y = samples.y
    described['target'] = {
        name: float(f(y))
        for name, f in (
            ('min', np.min), ('max', np.max), ('mean', np.mean), ('std', np.std)
        )
    }  # pyformat: disable
  else:
    names = (cohort.positive, cohort.negative)
    described['class_counts'] = samples.class_counts(
        range(len(samples.ids)), names
    )
  return described


def _reduction(
    settings: Settings, folds: Sequence[FoldClusters]
) -> dict[str, Any]:
  own = settings.reduction
  described: dict[str, Any] = {'method': own.method, 'rule': own.rule}
  if own.method == 'none':
    why = 'images were clustered without reduction'
    return described | {
        'n_components': None,
        'n_components_why': why,
        'explained_variance': None,
        'explained_variance_why': why,
    }
  return described | {
      'n_components': _mean([f.reduced.n_components for f in folds]),
      'explained_variance': _mean(
          [f.reduced.explained_variance for f in folds]
      ),
  }


def _mean(values: Sequence[float]) -> float | int:
  """The mean; a whole number stays one."""
  mean = float(np.mean(values))
  return int(mean) if mean.is_integer() else mean


def _known(name: str, value: float | None, why: str) -> dict[str, Any]:
  """A number, or null and the reason."""
  if value is not None and np.isfinite(value):
    return {name: float(value)}
  return {name: None, f'{name}_why': why}


def _fold(fold: FoldClusters) -> dict[str, Any]:
  """One fold of `sizes[].folds`."""
  k = fold.centers.shape[1]
  samples = fold.part.samples
  metric = statistics.nanmean(fold.own.metric, 0)
  spread = np.sqrt(statistics.nanmean((fold.own.metric - metric[None]) ** 2, 0))
  empty = (fold.own.counts == 0).sum(axis=0)
  return {
      'n_train': len(samples.of('train')),
      'n_test': len(samples.of('test')),
      **_known('metric', fold.scored.metric, _CONSTANT),
      **_known('baseline', fold.scored.baseline, _CONSTANT),
      'scores': fold.scored.scores,
      'cluster_metric': statistics.or_none(metric),
      'cluster_size': fold.own.sizes.tolist(),
      'cluster_n_test': fold.own.counts.mean(axis=0).tolist(),
      **_cvs(
          'cv',
          statistics.nanmean(fold.own.cv)[None],
          fold.null[None],
          metric,
      ),
      'training_spread': {
          **_spread(fold.own.cv),
          'cluster_metric_std': statistics.or_none(spread),
      },
      **_agreement([fold]),
      'jaccard': statistics.or_none(fold.jaccard),
      'n_components': fold.reduced.n_components,
      'explained_variance': fold.reduced.explained_variance,
      'empty': [
          {'cluster': c, 'trainings': int(empty[c])}
          for c in range(k)
          if empty[c]
      ],
      'coinciding': [
          {'clusters': [a, b], 'trainings': int(fold.coinciding[a, b])}
          for a, b in itertools.combinations(range(k), 2)
          if fold.coinciding[a, b]
      ],
      'unconverged': int(np.sum(~fold.converged)),
      'cv_by_components': fold.reduced.by_components,
  }


def _agreement(folds: Sequence[FoldClusters]) -> dict[str, Any]:
  """Adjusted Rand index between trainings."""
  found = [f.adjusted_rand for f in folds]
  if None in found:
    why = 'the clustering was trained once'
    return {'adjusted_rand': None, 'adjusted_rand_why': why}
  return {'adjusted_rand': float(np.mean(found))}


def _spread(cv: np.ndarray) -> dict[str, Any]:
  """How the CV `[R]` differs between the trainings of the clustering."""
  known = cv[np.isfinite(cv)]
  if not len(known):
    known = np.array([np.nan])
  return {
      **_known('cv_std', np.std(known), _NO_CV),
      **_known('cv_min', np.min(known), _NO_CV),
      **_known('cv_max', np.max(known), _NO_CV),
  }


def _cvs(
    name: str, cvs: np.ndarray, nulls: np.ndarray, metric: np.ndarray
) -> dict[str, Any]:
  """The CV of a fold or a size beside what chance alone gives.

  Args:
    name: what the contract calls it.
    cvs: `[T]`, the mean over trainings in each fold.
    nulls: `[T, draws]`.
    metric: `[K]` mean metric of the clusters.

  Returns:
    The CV and its siblings.
  """
  estimate = heterogeneity.combine(cvs, nulls)
  of_means = heterogeneity.coefficient_of_variation(metric)
  low, high = estimate.band
  band = {'cv_band': [low, high]}
  if not np.isfinite(low):
    band = {'cv_band': None, 'cv_band_why': _NO_CV}
  return {
      **_known(name, estimate.cv, _NO_CV),
      **_known('cv_of_means', float(of_means), _NO_CV),
      **_known('cv_expected', estimate.expected, _NO_CV),
      **band,
      **_known('cv_corrected', estimate.corrected, _NO_CV),
      **_known('cv_p_value', estimate.p_value, _NO_CV),
  }


def _size(settings: Settings, found: SizeClusters) -> dict[str, Any]:
  """One entry of `sizes`."""
  folds = [_fold(fold) for fold in found.folds]
  metric = _of_clusters([fold.own for fold in found.folds])
  cvs = _cvs(
      'mean_of_cvs',
      np.array([statistics.nanmean(f.own.cv) for f in found.folds]),
      np.stack([f.null for f in found.folds]),
      metric,
  )
  mean = cvs['mean_of_cvs']
  spread = [_spread(f.own.cv)['cv_std'] for f in found.folds]

  def mean_of(name: str) -> float:
    return float(statistics.nanmean([f[name] for f in folds]))

  described = {
      'n': found.n,
      'n_train': _mean([f['n_train'] for f in folds]),
      'n_test': _mean([f['n_test'] for f in folds]),
      **_known('baseline', mean_of('baseline'), _CONSTANT),
      'folds': folds,
      **_known('metric_mean', mean_of('metric'), _CONSTANT),
      'cluster_metric_mean': statistics.or_none(metric),
      'cluster_size_mean': np.mean(
          [f['cluster_size'] for f in folds], axis=0
      ).tolist(),
      **cvs,
      'band': heterogeneity.band(mean),
      'training_spread': {
          **_known('cv_std', float(statistics.nanmean(spread)), _NO_CV),
      },
      **_agreement(found.folds),
      **cluster_tables.distances(found),
      'fuzzifiers': None,
  }
  if mean is None:
    described['band_why'] = _NO_CV
  if names := found.folds[0].fuzzified:
    described['fuzzifiers'] = [
        _fuzzifier(m, [fold.fuzzified[m] for fold in found.folds])
        for m in names
    ]
  return described


def _of_clusters(folds: Sequence[Trainings]) -> np.ndarray:
  """`[K]` metric, mean over the trainings and then over the folds."""
  means = [statistics.nanmean(fold.metric, 0) for fold in folds]
  return statistics.nanmean(means, 0)


def _fuzzifier(m: float, own: Sequence[Trainings]) -> dict[str, Any]:
  """A row of the table of fuzzifiers, from T folds."""
  metric = _of_clusters(own)
  of_means = heterogeneity.coefficient_of_variation(metric)
  mean = float(statistics.nanmean([statistics.nanmean(t.cv) for t in own]))
  return {
      'fuzzifier': m,
      **_known('mean_of_cvs', mean, _NO_CV),
      **_known('cv_of_means', float(of_means), _NO_CV),
      'cluster_size_mean': np.mean([t.sizes for t in own], axis=0).tolist(),
  }


def _validity(settings: Settings, found: SizeClusters) -> dict[str, Any]:
  """Algorithms and numbers of clusters, on the first fold of a size."""
  fold = found.folds[0]
  train = fold.part.samples.of('train')
  key = rng.key(settings.seed, rng.Purpose.CHOICE, found.n)
  rows = choosing.choose(fold.reduced.z[train], key=key)
  return {
      'n': len(train),
      'rows': rows,
      'reading': choosing.reading(rows),
  }


def _published(settings: Settings) -> dict[str, Any]:
  """The paper's numbers, for its two models."""
  model = settings.published
  if not model:
    why = 'the paper did not study these data'
    return {'published': None, 'published_why': why}
  return {'published': mendez2019.mendez2019(model)}

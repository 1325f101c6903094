"""From the clusterings of a sample-size study to `results.json`.

Every metric is the average over the trainings of the clustering and then over
the folds (Mendez 2019, section 3). Both orders of averaging are given: the mean
of the folds' CVs, and the CV of the clusters' mean metrics.
"""

from collections.abc import Sequence
import itertools
from typing import Any

import numpy as np

from heterojax import rng
from heterojax.backbones import Backbone
from heterojax.datasets.manifest import Cohort
from heterojax.stats import chance
from heterojax.stats import heterogeneity
from heterojax.stats import inference as statistics
from heterojax.studies import cautions
from heterojax.studies import choosing
from heterojax.studies import nulls
from heterojax.studies.retraining import summary
from heterojax.studies.sample_size import cluster_tables
from heterojax.studies.sample_size import mendez2019
from heterojax.studies.sample_size import scoring
from heterojax.studies.sample_size.cluster_cv import FoldClusters
from heterojax.studies.sample_size.cluster_cv import SizeClusters
from heterojax.studies.sample_size.cluster_cv import Trainings
from heterojax.studies.sample_size.top_models import Learned
from heterojax.studies.settings import Settings

_CONSTANT = 'the targets of the test images are all the same'
_NOT_REDUCED = 'images were clustered without reduction'
_NO_NULL = 'no exchange of images gives a CV'
_NO_TEST = 'a cluster has no test images in any training of the clustering'
_NOT_FOUND = 'a cluster has no training images in the first training'


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
      **choosing.algorithm(c),
      'trainings': c.trainings,
      'matching': c.matching,
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
        ('min', np.min),
        ('max', np.max),
        ('mean', np.mean),
        ('std', np.std),
      )
    }
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
    return described | {
      'n_components': None,
      'n_components_why': _NOT_REDUCED,
      'explained_variance': None,
      'explained_variance_why': _NOT_REDUCED,
    }
  return described | {
    'n_components': _mean([f.reduced.n_components for f in folds]),
    'explained_variance': _mean([f.reduced.explained_variance for f in folds]),
  }


def _mean(values: Sequence[float]) -> float | int:
  """The mean; a whole number stays one."""
  mean = float(np.mean(values))
  return int(mean) if mean.is_integer() else mean


def _fold(fold: FoldClusters) -> dict[str, Any]:
  """One fold of `sizes[].folds`."""
  k = fold.centers.shape[1]
  samples = fold.part.samples
  metric = statistics.nanmean(fold.own.metric, 0)
  spread = np.sqrt(statistics.nanmean((fold.own.metric - metric[None]) ** 2, 0))
  empty = (fold.own.counts == 0).sum(axis=0)
  no_metric = _CONSTANT if fold.scored.metric is None else _NO_TEST
  return {
    'n_train': len(samples.of('train')),
    'n_test': len(samples.of('test')),
    **nulls.number('metric', fold.scored.metric, _CONSTANT),
    **nulls.number('baseline', fold.scored.baseline, _CONSTANT),
    'scores': fold.scored.scores,
    **nulls.numbers('cluster_metric', metric, no_metric),
    'cluster_size': fold.own.sizes.tolist(),
    'cluster_n_test': fold.own.counts.mean(axis=0).tolist(),
    'n_clusters_with_test': _with_test([fold]),
    **_cvs('cv', [fold], metric),
    'training_spread': {
      **_spread(fold.own),
      **nulls.numbers('cluster_metric_std', spread, no_metric),
    },
    **_agreement([fold]),
    **nulls.numbers('jaccard', fold.jaccard, _NOT_FOUND),
    'n_components': fold.reduced.n_components,
    **nulls.number(
      'explained_variance', fold.reduced.explained_variance, _NOT_REDUCED
    ),
    'empty': [
      {'cluster': c, 'trainings': int(empty[c])} for c in range(k) if empty[c]
    ],
    'coinciding': [
      {'clusters': [a, b], 'trainings': int(fold.coinciding[a, b])}
      for a, b in itertools.combinations(range(k), 2)
      if fold.coinciding[a, b]
    ],
    'unconverged': int(np.sum(~fold.converged)),
    **_by_components(fold.reduced.by_components),
  }


def _by_components(found: dict[str, Any] | None) -> dict[str, Any]:
  if found is None:
    why = 'the number of components was not chosen by the CV'
    return {'cv_by_components': None, 'cv_by_components_why': why}
  return {'cv_by_components': found}


def _with_test(folds: Sequence[FoldClusters]) -> float | int:
  """Clusters that have test images: those over which each CV goes, on average.

  The mean over trainings and folds; a whole number stays one.
  """
  return _mean([np.mean(np.sum(f.own.counts > 0, axis=1)) for f in folds])


def _band_unit(folds: Sequence[FoldClusters]) -> dict[str, Any]:
  """What was exchanged over the clusters, and which share of images could be.

  Images, or groups (patients) where any has several test images. A group that
  has as many test images as no other keeps its clusters.
  """
  shares = [chance.exchangeable(f.units) for f in folds]
  grouped = any(len(np.unique(f.units)) < len(f.units) for f in folds)
  return {
    'band_unit': 'group' if grouped else 'image',
    'band_exchanged': float(np.mean(shares)),
  }


def _agreement(folds: Sequence[FoldClusters]) -> dict[str, Any]:
  """Adjusted Rand index between trainings."""
  found = [f.adjusted_rand for f in folds]
  if None in found:
    why = 'the clustering was trained once'
    return {'adjusted_rand': None, 'adjusted_rand_why': why}
  return {'adjusted_rand': float(np.mean(found))}


def _spread(own: Trainings) -> dict[str, Any]:
  """How the CV differs between the trainings of the clustering."""
  known = own.cv[np.isfinite(own.cv)]
  why = heterogeneity.why_none(own.metric)
  values = [np.nan] * 3
  if len(known):
    values = [np.std(known), np.min(known), np.max(known)]
  return {
    name: value
    for part in zip(('cv_std', 'cv_min', 'cv_max'), values, strict=True)
    for name, value in nulls.number(*part, why).items()
  }


def _cvs(
  name: str, folds: Sequence[FoldClusters], metric: np.ndarray
) -> dict[str, Any]:
  """The CV of a fold or a size beside what chance alone gives.

  Args:
    name: what the contract calls it.
    folds: T; each one's CV is the mean over its trainings.
    metric: `[K]` mean metric of the clusters.

  Returns:
    The CV and its siblings.
  """
  estimate = chance.combine(
    np.array([statistics.nanmean(f.own.cv) for f in folds]),
    np.stack([f.null for f in folds]),
  )
  of_means = heterogeneity.coefficient_of_variation(metric)
  why = heterogeneity.why_none(np.concatenate([f.own.metric for f in folds]))
  low, high = estimate.band
  band = {'cv_band': [low, high]}
  if not np.isfinite(low):
    band = {'cv_band': None, 'cv_band_why': why or _NO_NULL}
  return {
    **nulls.number(name, estimate.cv, why),
    **nulls.number(
      'cv_of_means', float(of_means), heterogeneity.why_none(metric[None])
    ),
    **nulls.number('cv_expected', estimate.expected, why or _NO_NULL),
    **band,
    **nulls.number('cv_corrected', estimate.corrected, why or _NO_NULL),
    **nulls.number('cv_p_value', estimate.p_value, why or _NO_NULL),
    **_band_unit(folds),
  }


def _size(settings: Settings, found: SizeClusters) -> dict[str, Any]:
  """One entry of `sizes`."""
  folds = [_fold(fold) for fold in found.folds]
  metric = _of_clusters([fold.own for fold in found.folds])
  cvs = _cvs('mean_of_cvs', found.folds, metric)
  why = cvs.get('mean_of_cvs_why', '')

  def mean_of(name: str) -> float:
    return float(statistics.nanmean([f[name] for f in folds]))

  spread = statistics.nanmean([f['training_spread']['cv_std'] for f in folds])
  no_metric = _NO_TEST
  if all(f.scored.metric is None for f in found.folds):
    no_metric = _CONSTANT
  described = {
    'n': found.n,
    'n_train': _mean([f['n_train'] for f in folds]),
    'n_test': _mean([f['n_test'] for f in folds]),
    **nulls.number('baseline', mean_of('baseline'), _CONSTANT),
    'folds': folds,
    **nulls.number('metric_mean', mean_of('metric'), _CONSTANT),
    **nulls.numbers('cluster_metric_mean', metric, no_metric),
    'cluster_size_mean': np.mean(
      [f['cluster_size'] for f in folds], axis=0
    ).tolist(),
    'n_clusters_with_test': _with_test(found.folds),
    **cvs,
    'band': heterogeneity.band(cvs['mean_of_cvs']),
    'training_spread': nulls.number('cv_std', float(spread), why),
    **_agreement(found.folds),
    **cluster_tables.distances(found),
    **_fuzzifiers(settings, found),
  }
  return described | ({'band_why': why} if why else {})


def _of_clusters(folds: Sequence[Trainings]) -> np.ndarray:
  """`[K]` metric, mean over the trainings and then over the folds."""
  means = [statistics.nanmean(fold.metric, 0) for fold in folds]
  return statistics.nanmean(means, 0)


def _fuzzifiers(settings: Settings, found: SizeClusters) -> dict[str, Any]:
  """The table of fuzzifiers."""
  if not (names := found.folds[0].fuzzified):
    why = f'{choosing.METHODS[settings.cluster.method]} has none'
    return {'fuzzifiers': None, 'fuzzifiers_why': why}
  return {
    'fuzzifiers': [
      _fuzzifier(m, [fold.fuzzified[m] for fold in found.folds]) for m in names
    ]
  }


def _fuzzifier(m: float, own: Sequence[Trainings]) -> dict[str, Any]:
  """A row of the table of fuzzifiers, from T folds."""
  metric = _of_clusters(own)
  of_means = heterogeneity.coefficient_of_variation(metric)
  mean = float(statistics.nanmean([statistics.nanmean(t.cv) for t in own]))
  why = heterogeneity.why_none(np.concatenate([t.metric for t in own]))
  why_means = heterogeneity.why_none(metric[None])
  return {
    'fuzzifier': m,
    **nulls.number('mean_of_cvs', mean, why),
    **nulls.number('cv_of_means', float(of_means), why_means),
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

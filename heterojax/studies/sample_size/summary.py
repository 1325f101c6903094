"""From the clusterings of a sample-size study to its results.

Every metric is the average over the trainings of the clustering and then over
the folds (Mendez 2019, section 3). Both orders of averaging are given: the mean
of the folds' CVs, and the CV of the clusters' mean metrics.
"""

from collections.abc import Sequence
import dataclasses
import itertools
from typing import TypedDict

import numpy as np

from heterojax import rng
from heterojax.backbones import Backbone
from heterojax.datasets import patients
from heterojax.datasets.manifest import Cohort
from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.stats import heterogeneity
from heterojax.stats import inference as statistics
from heterojax.stats.metrics import Classes
from heterojax.studies import choosing
from heterojax.studies import records as shared
from heterojax.studies.answer import answer
from heterojax.studies.answer.stage import Asked
from heterojax.studies.sample_size import cautions
from heterojax.studies.sample_size import cluster_tables
from heterojax.studies.sample_size import facts as facts_lib
from heterojax.studies.sample_size import mendez2019
from heterojax.studies.sample_size import records
from heterojax.studies.sample_size import scoring
from heterojax.studies.sample_size.audits import Audits
from heterojax.studies.sample_size.cluster_cv import FoldClusters
from heterojax.studies.sample_size.cluster_cv import SizeClusters
from heterojax.studies.sample_size.cluster_cv import Trainings
from heterojax.studies.sample_size.top_models import Learned
from heterojax.studies.settings import Settings
from heterojax.verdict import chance
from heterojax.verdict import ranks

_MIDDLE = (2.5, 97.5)
_CONSTANT = 'the targets of the test images are all the same'
_NOT_REDUCED = 'images were clustered without reduction'
_NO_EXCHANGE = 'no exchange of {unit}s that are alike changes the CV'
_NO_TEST = 'a cluster has no test images in any training of the clustering'
_NOT_FOUND = 'a cluster has no training images'
_NO_RULE = 'the number of components was not chosen by the CV'


def summarise(
  settings: Settings,
  cohorts: Sequence[Cohort],
  backbone: Backbone | None,
  learned: Sequence[Learned],
  clustered: Sequence[SizeClusters],
  audited: Audits,
  predictions_given: bool,
  fits: shared.Heads | None,
  asked: Asked,
) -> records.Results:
  """The results but for timings and environment.

  Args:
    settings: of the study.
    cohorts: one per fold of every size.
    backbone: the network; None where the features are given.
    learned: features and predictions of each part.
    clustered: the clusterings, smallest size first.
    audited: leaks and shortcuts of the largest size.
    predictions_given: whether no head was trained.
    fits: how logistic heads were fitted; None for others.
    asked: the questions of the answer, on the largest size.

  Returns:
    The results.
  """
  largest, last = cohorts[-1], clustered[-1].folds
  sizes = tuple(_size(settings, size) for size in clustered)
  published = Missing('the paper did not study these data')
  if settings.published:
    published = mendez2019.mendez2019(settings.published)
  network = shared.network(settings, backbone, learned[0].x.shape[1])
  results = records.Results(
    schema_version=shared.VERSION,
    study=settings.study,
    task=settings.data.task,
    protocol=settings.split.protocol,
    seed=settings.seed,
    metric=scoring.METRIC[settings.data.task],
    predictions='given' if predictions_given else 'trained',
    split=shared.Split(
      folds=len(last) if len(last) > 1 else 0, named=largest.named_splits
    ),
    dataset=_dataset(
      largest, Classes(largest.classes, settings.data.ordered), last
    ),
    backbone=network,
    reduction=_reduction(settings, last),
    cluster=records.Clustering(
      **shared.clustering(settings.cluster),
      trainings=settings.cluster.trainings,
      matching=settings.cluster.matching,
    ),
    heads=fits,
    sizes=sizes,
    cv_vs_metric=heterogeneity.cv_vs_metric(
      [codec.known(size.mean_of_cvs) for size in sizes],
      [codec.known(size.metric_mean) for size in sizes],
    ),
    validity=_validity(settings, clustered[-1]),
    findings=tuple(
      cautions.cautions(settings, largest, clustered, network.unit)
    ),
    leaks=audited.leaks,
    shortcuts=audited.shortcuts,
    published=published,
    timings={},
    environment={},
  )
  facts = facts_lib.facts(results, learned[-len(last) :], last)
  suspicion = patients.suspected(cohorts[-len(last) :])
  facts = facts._replace(suspicion=suspicion)
  return dataclasses.replace(
    results,
    verdict=answer.verdict(asked.measured, facts),
    one_rule_band=_one_rule_band(asked),
  )


def _one_rule_band(asked: Asked) -> records.OneRuleBand | Missing:
  cvs, measured = asked.cvs, asked.measured
  if cvs is None or np.isnan(cvs[0]):
    if isinstance(measured, Missing):
      return measured
    none = 'no fold has test images in two clusters'
    return Missing(codec.why(measured.one_rule.p_value) or none)
  low, high = np.nanpercentile(cvs[1:], _MIDDLE)
  return records.OneRuleBand(
    cv=float(cvs[0]),
    band=(float(low), float(high)),
    p_value=ranks.p_value(np.nan_to_num(cvs), ranks.TIE),
    worlds=len(cvs) - 1,
  )


def _dataset(
  cohort: Cohort, classes: Classes, folds: Sequence[FoldClusters]
) -> records.Dataset:
  # Validation images are neither trained on nor tested, and belong to it too.
  samples = folds[0].part.samples
  target = counts = None
  if cohort.classes:
    everyone = range(len(samples.ids))
    counts = samples.class_counts(everyone, cohort.classes)
  else:
    measures = (np.min, np.max, np.mean, np.std)
    target = records.Target(*(float(of(samples.y)) for of in measures))
  return records.Dataset(
    name=cohort.name,
    **shared.of_classes(classes),
    n_candidates=len(cohort.candidates),
    n=folds[0].part.n,
    notes=tuple(cohort.notes),
    target=target,
    class_counts=counts,
  )


def _reduction(
  settings: Settings, folds: Sequence[FoldClusters]
) -> records.Reduction:
  number = explained = Missing(_NOT_REDUCED)
  solver = None
  if settings.reduction.method != 'none':
    number = _mean([f.reduced.n_components for f in folds])
    shares = [f.reduced.explained_variance for f in folds]
    explained = _mean([share for share in shares if share is not None])
    solver = next((f.reduced.solver for f in folds if f.reduced.solver), None)
  return records.Reduction(
    settings.reduction.method,
    settings.reduction.rule,
    number,
    explained,
    solver,
  )


def _mean(values: Sequence[float]) -> Number:
  """The mean; a whole number stays one."""
  mean = float(np.mean(values))
  return int(mean) if mean.is_integer() else mean


def _fold(fold: FoldClusters, null: chance.Null) -> records.Fold:
  k, samples, scored = fold.centers.shape[1], fold.part.samples, fold.scored
  trainings = fold.trainings
  metric = statistics.nanmean(trainings.metric, 0)
  empty = (trainings.counts == 0).sum(axis=0)
  no_metric = _CONSTANT if scored.metric is None else _NO_TEST
  return records.Fold(
    n_train=len(samples.of('train')),
    n_test=len(samples.of('test')),
    metric=codec.estimate(scored.metric, _CONSTANT),
    baseline=codec.estimate(scored.baseline, _CONSTANT),
    scores=scored.scores,
    cluster_metric=codec.estimates(metric.tolist(), no_metric),
    cluster_size=tuple(trainings.sizes.tolist()),
    cluster_n_test=tuple(trainings.counts.mean(axis=0).tolist()),
    n_clusters_with_test=_with_test([fold]),
    cv=_cv([fold], null),
    **_against_chance([fold], metric, null),
    training_spread=_spread(trainings, metric, no_metric),
    adjusted_rand=_agreement([fold]),
    jaccard=codec.estimates(fold.jaccard.tolist(), _NOT_FOUND),
    n_components=fold.reduced.n_components,
    explained_variance=codec.estimate(
      fold.reduced.explained_variance, _NOT_REDUCED
    ),
    empty=tuple(records.Empty(c, int(empty[c])) for c in range(k) if empty[c]),
    coinciding=tuple(
      records.Coinciding((a, b), int(fold.coinciding[a, b]))
      for a, b in itertools.combinations(range(k), 2)
      if fold.coinciding[a, b]
    ),
    unconverged=int(np.sum(~fold.converged)),
    cv_by_components=fold.reduced.by_components or Missing(_NO_RULE),
  )


def _with_test(folds: Sequence[FoldClusters]) -> Number:
  """Clusters that have test images: those over which each CV goes, on average.

  The mean over trainings and folds; a whole number stays one.
  """
  return _mean([np.mean(np.sum(f.trainings.counts > 0, axis=1)) for f in folds])


def _agreement(folds: Sequence[FoldClusters]) -> Estimate:
  """Adjusted Rand index between trainings."""
  rands = [f.adjusted_rand for f in folds]
  known = [rand for rand in rands if rand is not None]
  if len(known) < len(rands):
    return Missing('the clustering was trained once')
  return float(np.mean(known))


def _spread(
  trainings: Trainings, metric: np.ndarray, no_metric: str
) -> records.FoldSpread:
  """How the trainings of the clustering differ from their mean metric `[K]`."""
  cvs = trainings.cv[np.isfinite(trainings.cv)]
  spread = np.sqrt(statistics.nanmean((trainings.metric - metric) ** 2, 0))
  why = heterogeneity.why_none(trainings.metric)
  some = len(cvs) > 0
  return records.FoldSpread(
    cv_std=float(np.std(cvs)) if some else Missing(why),
    cv_min=float(np.min(cvs)) if some else Missing(why),
    cv_max=float(np.max(cvs)) if some else Missing(why),
    cluster_metric_std=codec.estimates(spread.tolist(), no_metric),
  )


class _AgainstChance(TypedDict):
  """The fields of a CV beside what chance alone gives, in a fold and a size."""

  cv_of_means: Estimate
  cv_expected: Estimate
  cv_band: Interval | Missing
  cv_corrected: Estimate
  cv_p_value: Estimate


def _why_no_cv(folds: Sequence[FoldClusters]) -> str:
  return heterogeneity.why_none(
    np.concatenate([f.trainings.metric for f in folds])
  )


def _cv(folds: Sequence[FoldClusters], null: chance.Null) -> Estimate:
  return codec.estimate(chance.estimate(null.cvs).cv, _why_no_cv(folds))


def _cv_of_means(metric: np.ndarray) -> Estimate:
  of_means = float(heterogeneity.coefficient_of_variation(metric))
  return codec.estimate(of_means, heterogeneity.why_none(metric[None]))


def _against_chance(
  folds: Sequence[FoldClusters], metric: np.ndarray, null: chance.Null
) -> _AgainstChance:
  """What stands beside the CV of a fold or a size.

  Args:
    folds: T.
    metric: `[K]` mean metric of the clusters.
    null: of these folds.

  Returns:
    The fields.
  """
  estimate = chance.estimate(null.cvs)
  why = _why_no_cv(folds) or _NO_EXCHANGE.format(unit=null.exchange.unit)
  band = estimate.band if np.isfinite(estimate.band[0]) else Missing(why)
  return {
    'cv_of_means': _cv_of_means(metric),
    'cv_expected': codec.estimate(estimate.expected, why),
    'cv_band': band,
    'cv_corrected': codec.estimate(estimate.corrected, why),
    'cv_p_value': codec.estimate(estimate.p_value, why),
  }


def _size(settings: Settings, size: SizeClusters) -> records.Size:
  null = size.null
  folds = tuple(
    _fold(fold, null._replace(cvs=null.cvs[:, [t]]))
    for t, fold in enumerate(size.folds)
  )
  trainings = [fold.trainings for fold in size.folds]
  metric = _of_clusters(trainings)
  why = _why_no_cv(size.folds)
  cv = _cv(size.folds, null)
  constant = all(f.scored.metric is None for f in size.folds)
  band = heterogeneity.band(codec.known(cv))
  spread = _mean_of_known([f.training_spread.cv_std for f in folds])
  centroids, closest = cluster_tables.between(size)
  return records.Size(
    n=size.n,
    n_train=_mean([f.n_train for f in folds]),
    n_test=_mean([f.n_test for f in folds]),
    baseline=codec.estimate(
      _mean_of_known([f.baseline for f in folds]), _CONSTANT
    ),
    folds=folds,
    metric_mean=codec.estimate(
      _mean_of_known([f.metric for f in folds]), _CONSTANT
    ),
    cluster_metric_mean=codec.estimates(
      metric.tolist(), _CONSTANT if constant else _NO_TEST
    ),
    cluster_size_mean=_mean_sizes(trainings),
    n_clusters_with_test=_with_test(size.folds),
    mean_of_cvs=cv,
    **_against_chance(size.folds, metric, null),
    band_draws=len(null.cvs) - 1,
    band_unit=null.exchange.unit,
    band_stays=null.exchange.stays,
    band_exchanged=null.exchange.moved,
    band=band or Missing(why),
    training_spread=records.SizeSpread(codec.estimate(spread, why)),
    adjusted_rand=_agreement(size.folds),
    centroid_distances=centroids,
    closest_point_distances=closest,
    to_centroid=cluster_tables.to_centroid(size),
    fuzzifiers=_fuzzifiers(settings, size),
    closest_points_asked=cluster_tables.asked(size),
  )


def _mean_of_known(values: Sequence[Estimate]) -> float:
  return float(statistics.nanmean([codec.known(value) for value in values]))


def _of_clusters(folds: Sequence[Trainings]) -> np.ndarray:
  """`[K]` metric, mean over the trainings and then over the folds."""
  means = [statistics.nanmean(fold.metric, 0) for fold in folds]
  return statistics.nanmean(means, 0)


def _mean_sizes(folds: Sequence[Trainings]) -> records.PerCluster:
  return tuple(np.mean([fold.sizes for fold in folds], axis=0).tolist())


def _fuzzifiers(
  settings: Settings, size: SizeClusters
) -> tuple[records.Fuzzifier, ...] | Missing:
  """The table of fuzzifiers."""
  if not (fuzzifiers := size.folds[0].fuzzified):
    return Missing(f'{choosing.METHODS[settings.cluster.method]} has none')
  return tuple(
    _fuzzifier(m, [fold.fuzzified[m] for fold in size.folds])
    for m in fuzzifiers
  )


def _fuzzifier(m: float, folds: Sequence[Trainings]) -> records.Fuzzifier:
  """A row of the table of fuzzifiers, from T folds."""
  mean = float(statistics.nanmean([statistics.nanmean(t.cv) for t in folds]))
  why = heterogeneity.why_none(np.concatenate([t.metric for t in folds]))
  return records.Fuzzifier(
    fuzzifier=m,
    mean_of_cvs=codec.estimate(mean, why),
    cv_of_means=_cv_of_means(_of_clusters(folds)),
    cluster_size_mean=_mean_sizes(folds),
  )


def _validity(settings: Settings, size: SizeClusters) -> records.Validity:
  """Algorithms and numbers of clusters, on the first fold of a size."""
  fold = size.folds[0]
  train = fold.part.samples.of('train')
  key = rng.key(settings.seed, rng.Purpose.CHOICE, size.n)
  rows = choosing.choose(fold.reduced.z[train], key=key)
  return records.Validity(len(train), rows, choosing.reading(rows))

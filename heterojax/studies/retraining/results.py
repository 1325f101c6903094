"""From the outcome of a retraining study to its results and `clusters.csv`.

Statistics of Wang 2023: accuracy, AUC, sensitivity and specificity on the whole
test set, between-cluster and intra-cluster distances. Where the data are split
into folds, every score is over the out-of-fold predictions of all images, and
sizes, counts of training images and distances are means over the folds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from heterojax import cluster
from heterojax.backbones import Backbone
from heterojax.datasets import leaks
from heterojax.datasets import patients
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_chunks
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.stats import metrics
from heterojax.stats import scores
from heterojax.stats.metrics import Classes
from heterojax.stats.scores import Score
from heterojax.studies import audits
from heterojax.studies import partition
from heterojax.studies import records as shared
from heterojax.studies import said
from heterojax.studies.answer import answer
from heterojax.studies.answer.records import Measured
from heterojax.studies.retraining import analysis
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining import facts as facts_lib
from heterojax.studies.retraining import records
from heterojax.studies.retraining import wang2023
from heterojax.studies.retraining.cautions import cautions
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.samples import counts_of_classes
from heterojax.studies.samples import numbered
from heterojax.studies.settings import Settings


def summarise(
  settings: Settings,
  cohorts: Sequence[Cohort],
  backbone: Backbone | None,
  outcome: Outcome,
  agreement: Sequence[float],
  shared_images: leaks.Found,
  measured: Measured | Missing,
  jaccard: facts_lib.Jaccard,
) -> records.Results:
  """What a study found, but for timings and environment.

  Args:
    settings: of the study.
    cohorts: one per fold.
    backbone: the network; None where the features are given.
    outcome: of the study.
    agreement: of each fold's clusters with the first's.
    shared_images: the leaks of all folds, see `audits.find_leaks_of_folds`.
    measured: the questions of the answer, or why they were not asked.
    jaccard: K, see `facts.jaccard`.

  Returns:
    The results.
  """
  cohort, folds = cohorts[0], outcome.folds
  classes = metrics.Classes(cohort.classes, settings.data.ordered)
  names, first = classes.names, folds[0]
  distances = np.mean(
    [cluster.between_clusters(fold.clusters.centers) for fold in folds],
    axis=0,
  )
  clusters = describe_clusters(settings, classes, folds)
  several = subpopulations = None
  if len(folds) > 1:
    several = tuple(
      _fold(settings, classes, *pair)
      for pair in zip(folds, agreement, strict=True)
    )
  network = shared.network(settings, backbone, outcome.x.shape[1])
  if column := settings.data.subpopulation:
    subpopulations = analysis.known_subpopulations(
      cohort, first.samples, first.clusters.labels, column
    )
  results = records.Results(
    schema_version=shared.VERSION,
    study=settings.study,
    protocol=settings.split.protocol,
    seed=settings.seed,
    split=shared.Split(len(several or ()), cohort.named_splits),
    dataset=records.Dataset(
      name=cohort.name,
      **shared.of_classes(classes),
      **_sizes(folds, names),
      n_candidates=len(cohort.candidates),
      notes=tuple(cohort.notes),
    ),
    backbone=network,
    reduction=_reduction(settings, outcome, names),
    cluster=shared.Clustering(
      **shared.clustering(
        settings.cluster, partition.groups(settings.cluster, cohorts)
      )
    ),
    heads=outcome.fits,
    overall=_score(folds, classes, _overall),
    clusters=clusters,
    between_cluster_distances=tuple(map(tuple, distances.tolist())),
    distance_vs_performance=analysis.distance_vs_performance(
      [c.retrained for c in clusters], distances, classes.task
    ),
    findings=(
      *cautions(settings, folds, network.unit),
      *analysis.artificial(clusters),
    ),
    leaks=leaks.count(shared_images, cohort),
    shortcuts=audits.find_shortcuts(
      cohort,
      first.samples,
      first.clusters.labels,
      partition.column(settings.cluster),
    ),
    published=wang2023.published(*names)
    or Missing('the paper reports no such pair of classes'),
    folds=several,
    known_subpopulations=subpopulations,
    timings={},
    environment={},
    external=Missing('no second data set was given (data.external)'),
  )
  facts = facts_lib.facts(results, folds, jaccard)
  facts = facts._replace(suspicion=patients.suspected(cohorts))
  return dataclasses.replace(results, verdict=answer.verdict(measured, facts))


def _mean(values: Sequence[float]) -> float | int:
  """The mean over folds; a whole number stays one."""
  mean = float(np.mean(values))
  return int(mean) if mean.is_integer() else mean


def _mean_counts(counts: Sequence[dict[str, int]]) -> Mapping[str, Number]:
  return {name: _mean([c[name] for c in counts]) for name in counts[0]}


def _fold(
  settings: Settings, classes: Classes, fold: Fold, agreement: float
) -> records.Fold:
  return records.Fold(
    **_sizes([fold], classes.names),
    overall=_score([fold], classes, _overall),
    cluster_sizes=tuple(
      len(_members(fold, c)) for c in range(settings.cluster.k)
    ),
    adjusted_rand_with_first=agreement,
  )


def _sizes(folds: Sequence[Fold], names: tuple[str, ...]) -> dict[str, Any]:
  """Fields of the sizes of each part; every fold tests other images."""
  parts = []
  for fold in folds:
    samples = fold.samples
    train = samples.of('train')
    parts.append({
      'train': train[samples.is_original[train]],
      'train_augmented': train,
      'validation': samples.of('validation'),
      'test': samples.of('test'),
    })

  def counts(part: str) -> list[dict[str, int]]:
    return [
      fold.samples.class_counts(positions[part], names)
      for fold, positions in zip(folds, parts, strict=True)
    ]

  test = {name: sum(c[name] for c in counts('test')) for name in names}
  return {
    'n_train': _mean([len(p['train']) for p in parts]),
    'n_train_augmented': _mean([len(p['train_augmented']) for p in parts]),
    'n_validation': _mean([len(p['validation']) for p in parts]),
    'n_test': sum(test.values()),
    'class_counts_train': _mean_counts(counts('train')),
    'class_counts_validation': _mean_counts(counts('validation')),
    'class_counts_train_augmented': _mean_counts(counts('train_augmented')),
    'class_counts_test': test,
  }


def _reduction(
  settings: Settings, outcome: Outcome, names: tuple[str, ...]
) -> records.Reduction:
  chosen, folds = settings.reduction, outcome.folds
  n_components = explained = Missing('images were clustered without reduction')
  solver = None
  if chosen.method != 'none':
    n_components = _mean([f.clusters.z.shape[1] for f in folds])
    explained = _mean([f.clusters.explained_variance or 0.0 for f in folds])
    sizes = [len(f.samples.of('train')) for f in folds]
    solver = cluster.approximate(max(sizes), outcome.x.shape[1])
  rejected = None
  if chosen.rejected:
    rejected = clustering.rejected(
      settings, outcome.x, folds[0].samples, folds[0].clusters, names
    )
  return records.Reduction(
    chosen.method, chosen.fit, n_components, explained, rejected, solver
  )


def _members(fold: Fold, c: int) -> np.ndarray:
  """Positions of the training samples of one cluster."""
  train = fold.samples.of('train')
  return train[fold.clusters.labels[train] == c]


def _overall(fold: Fold) -> np.ndarray:
  return fold.of_head('overall')


def _score(
  folds: Sequence[Fold],
  classes: Classes,
  of_head: Callable[[Fold], np.ndarray],
  c: int | None = None,
) -> Score:
  """How a head does on the test images of all folds, or of one cluster."""
  y, logits, units = [], [], []
  for fold in folds:
    test = fold.samples.of('test')
    if c is not None:
      test = test[fold.clusters.labels[test] == c]
    y.append(fold.samples.y[test])
    logits.append(of_head(fold)[test])
    units += fold.samples.unit_names(test)
  return scores.score_of(
    np.concatenate(y), np.concatenate(logits), classes, numbered(units)
  )


def describe_clusters(
  settings: Settings, classes: Classes, folds: Sequence[Fold]
) -> tuple[records.Cluster, ...]:
  """Sizes, distances and scores of each cluster's heads.

  A cluster that is empty in a fold has no head for the images that this fold
  tests, and so no score over the whole test set, nor a random head of its size.

  Args:
    settings: of the study.
    classes: of the study.
    folds: T.

  Returns:
    K clusters.
  """
  k = range(settings.cluster.k)
  described = []
  for c in k:
    members = [(fold, _members(fold, c)) for fold in folds]
    sizes = [len(rows) for _, rows in members]

    def retrained(fold: Fold, c: int = c) -> np.ndarray:
      return fold.of_head('cluster', c)

    why = _why_no_head(sizes)
    if why:
      whole = scores.unscored(why, classes)
      parts, own = (whole,) * len(k), ()
    else:
      whole = _score(folds, classes, retrained)
      parts = tuple(_score(folds, classes, retrained, j) for j in k)
      own = [whole] + [
        _score(
          folds,
          classes,
          lambda fold, c=c, s=s: fold.of_head('cluster', c, s),
        )
        for s in _runs(folds[0], 'cluster', c)
      ]
    # Which families there are is a matter of the protocol.
    families = {head.kind for head in folds[0].heads} - {'overall', 'cluster'}
    distance, margin = _intra_cluster_distance(
      fold.clusters.z[rows] for fold, rows in members
    )
    described.append(
      records.Cluster(
        id=c,
        size=_mean(sizes),
        originals=_mean([
          int(np.sum(fold.samples.is_original[rows])) for fold, rows in members
        ]),
        class_counts=_mean_counts([
          fold.samples.class_counts(rows, classes.names)
          for fold, rows in members
        ]),
        intra_cluster_distance=distance,
        intra_cluster_margin=margin,
        test=_score(folds, classes, _overall, c),
        retrained=whole,
        retrained_in_test_clusters=parts,
        distinct_originals=_mean([
          len(np.unique(fold.samples.original[rows])) for fold, rows in members
        ]),
        retrained_runs=_own(own or [whole], own),
        **{
          family: _random(drawn or [whole], drawn)
          for family in sorted(families)
          for drawn in (
            [
              _random_run(folds, classes, family, c, r)
              for r in ([] if why else _runs(folds[0], family, c))
            ],
          )
        },
      )
    )
  return tuple(described)


def _runs(fold: Fold, kind: str, c: int) -> list[int]:
  """Numbers of the heads of a kind; of own heads but for the first one."""
  return [
    head.run
    for head in fold.heads
    if (head.kind, head.cluster) == (kind, c) and head.run >= 0
  ]


def _why_no_head(sizes: Sequence[int]) -> str:
  """Why a cluster has no head for all test images; '' where it has one."""
  if all(sizes):
    return ''
  folds = ''
  if len(sizes) > 1:
    folds = f' in {sizes.count(0)} of {len(sizes)} folds'
  return f'no training image is in this cluster{folds}'


def _own(of: Sequence[Score], runs: Sequence[Score]) -> records.Own:
  """All trainings of a cluster's head with the mean of some scores."""
  return records.Own(**vars(scores.mean_score(of)), runs=tuple(runs))


def _random(
  of: Sequence[Score], runs: Sequence[records.RandomRun]
) -> records.Random:
  """The random heads of a cluster with the mean of some scores."""
  return records.Random(**vars(scores.mean_score(of)), runs=tuple(runs))


def _random_run(
  folds: Sequence[Fold], classes: Classes, kind: str, c: int, r: int
) -> records.RandomRun:
  name = HeadName(kind, c, r)
  counts, distinct = [], []
  for fold in folds:
    samples, rows = fold.samples, fold.heads[name].rows
    drawn = samples.y_of_pictures[rows]
    counts.append(counts_of_classes(drawn, classes.names))
    # What each picture was before it was changed.
    before = np.zeros(len(samples.y_of_pictures), int)
    before[samples.row] = samples.original
    distinct.append(len(np.unique(before[rows])))
  score = _score(folds, classes, lambda fold: fold.of_head(*name))
  return records.RandomRun(
    **vars(score),
    class_counts=_mean_counts(counts),
    distinct_originals=_mean(distinct),
  )


def _intra_cluster_distance(
  members: Iterable[np.ndarray],
) -> tuple[Estimate, float | None]:
  """The distance, and where it is of random pairs how far it may be off."""
  sizes, distances = [], []
  for z in members:
    sizes.append(len(z))
    distances.append(cluster.intra_cluster(z))
  known = [distance for distance in distances if distance is not None]
  if len(known) < len(distances):
    why = _why_no_head(sizes) or 'one image has no pair'
    return Missing(why), None
  # The margins of the folds are not independent.
  margin = float(np.mean([d.margin for d in known])) or None
  return float(np.mean([d.value for d in known])), margin


def clusters_csv(folds: Sequence[Fold]) -> Iterator[str]:
  """`clusters.csv`: every sample, as the overall head sees it.

  Yields:
    Its text, some thousand rows at a time.
  """
  classes, several = folds[0].samples.classes, len(folds) > 1
  header = ['id', 'split', 'cluster', 'centroid_distance']
  header += [*said.header(classes), *(['fold'] if several else [])]

  def rows() -> Iterator[list[object]]:
    for number, fold in enumerate(folds):
      samples, clusters = fold.samples, fold.clusters
      of_head = said.cells(fold.overall(), fold.answers(), samples.y, classes)
      for i, cells in enumerate(of_head):
        yield [
          samples.ids[i],
          samples.split[i],
          int(clusters.labels[i]),
          float(clusters.distance[i]),
          *cells,
          *([number] if several else []),
        ]

  return csv_chunks(header, rows())

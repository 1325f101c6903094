"""From the outcome of a retraining study to `results.json` and its CSV file.

Statistics of Wang 2023: accuracy, AUC, sensitivity and specificity on the whole
test set, between-cluster and intra-cluster distances. Where the data are split
into folds, every score is over the out-of-fold predictions of all images, and
sizes, counts of training images and distances are means over the folds.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from heterojax import cluster
from heterojax.backbones import Backbone
from heterojax.datasets import leaks
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_text
from heterojax.stats import metrics
from heterojax.studies import audits
from heterojax.studies import cautions
from heterojax.studies import choosing
from heterojax.studies.retraining import analysis
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining import published
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.settings import Settings

Names = tuple[str, str]  # Of the (positive, negative) class.


def summarise(
  settings: Settings,
  cohorts: Sequence[Cohort],
  backbone: Backbone | None,
  outcome: Outcome,
  agreement: Sequence[float],
  found: Sequence[leaks.Leak],
) -> dict[str, Any]:
  """`results.json` but for timings and environment.

  Args:
    settings: of the study.
    cohorts: one per fold.
    backbone: the network; None where the features are given.
    outcome: of the study.
    agreement: of each fold's clusters with the first's.
    found: see `audits.find_leaks`.

  Returns:
    The results, ready for JSON.
  """
  cohort, folds = cohorts[0], outcome.folds
  names = (cohort.positive, cohort.negative)
  distances = np.mean(
    [cluster.between_clusters(fold.clusters.centers) for fold in folds],
    axis=0,
  )
  described = describe_clusters(settings, names, folds)
  results: dict[str, Any] = {
    'schema_version': 1,
    'study': settings.study,
    'protocol': settings.split.protocol,
    'seed': settings.seed,
    'split': {
      'folds': len(folds) if len(folds) > 1 else 0,
      'named': cohort.named_splits,
    },
    'dataset': {
      'name': cohort.name,
      'positive': cohort.positive,
      'negative': cohort.negative,
      **_sizes(folds, names),
      'n_candidates': len(cohort.candidates),
      'notes': list(cohort.notes),
    },
    'backbone': describe_backbone(settings, backbone, outcome.x.shape[1]),
    'reduction': _reduction(settings, outcome, names),
    'cluster': choosing.algorithm(settings.cluster),
    'overall': _score(folds, _overall),
    'clusters': described,
    'between_cluster_distances': distances.tolist(),
    'distance_vs_performance': analysis.distance_vs_performance(
      described, distances
    ),
    'findings': [
      *cautions.of_retraining(settings, folds),
      *analysis.findings(described),
    ],
    'leaks': leaks.count(found, cohort),
    'shortcuts': audits.find_shortcuts(cohort, folds[0]),
    'published': published.wang2023(*names),
  }
  if results['published'] is None:
    results['published_why'] = 'the paper reports no such pair of classes'
  if len(folds) > 1:
    results['folds'] = [
      {
        **_sizes([fold], names),
        'overall': _score([fold], _overall),
        'cluster_sizes': [
          len(_members(fold, c)) for c in range(settings.cluster.k)
        ],
        'adjusted_rand_with_first': agreed,
      }
      for fold, agreed in zip(folds, agreement, strict=True)
    ]
  if settings.data.subpopulation:
    results['known_subpopulations'] = analysis.known_subpopulations(
      cohort,
      folds[0].samples,
      folds[0].clusters.labels,
      settings.data.subpopulation,
    )
  return results


def _mean(values: Sequence[float]) -> float | int:
  """The mean over folds; a whole number stays one."""
  mean = float(np.mean(values))
  return int(mean) if mean.is_integer() else mean


def _mean_counts(counts: Sequence[dict[str, int]]) -> dict[str, float | int]:
  return {name: _mean([c[name] for c in counts]) for name in counts[0]}


def _sizes(folds: Sequence[Fold], names: Names) -> dict[str, Any]:
  """How many images there are of each kind; every fold tests other ones."""
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
      fold.samples.class_counts(own[part], names)
      for fold, own in zip(folds, parts, strict=True)
    ]

  test = {name: sum(c[name] for c in counts('test')) for name in names}
  return {
    'n_train': _mean([len(own['train']) for own in parts]),
    'n_train_augmented': _mean([len(p['train_augmented']) for p in parts]),
    'n_validation': _mean([len(own['validation']) for own in parts]),
    'n_test': sum(test.values()),
    'class_counts_train': _mean_counts(counts('train')),
    'class_counts_validation': _mean_counts(counts('validation')),
    'class_counts_train_augmented': _mean_counts(counts('train_augmented')),
    'class_counts_test': test,
  }


def describe_backbone(
  settings: Settings, backbone: Backbone | None, dim: int
) -> dict[str, Any]:
  """`backbone`: the network, or null and why where the features are given."""
  described = {
    'name': settings.backbone.name,
    'source': None,
    'weights': None,
    'weights_sha256': None,
    'feature': 'given',
    'dim': dim,
    'train': settings.backbone.train,
    'dtype': None,
  }
  if backbone is None:
    why = 'the features are given'
    unknown = [name for name, value in described.items() if value is None]
    return described | {f'{name}_why': why for name in unknown}
  return described | {
    'name': backbone.name,
    'source': backbone.source,
    'weights': backbone.weights,
    'weights_sha256': backbone.weights_sha256,
    'feature': settings.backbone.feature,
    'dtype': settings.backbone.dtype,
  }


def _reduction(
  settings: Settings, outcome: Outcome, names: Names
) -> dict[str, Any]:
  own, folds = settings.reduction, outcome.folds
  described: dict[str, Any] = {'method': own.method, 'fit': own.fit}
  if own.method == 'none':
    why = 'images were clustered without reduction'
    for name in ('n_components', 'explained_variance'):
      described |= {name: None, f'{name}_why': why}
  else:
    described |= {
      'n_components': _mean([f.clusters.z.shape[1] for f in folds]),
      'explained_variance': _mean([
        f.clusters.explained_variance for f in folds
      ]),
    }
  if own.rejected:
    described['rejected'] = clustering.rejected(
      settings, outcome.x, folds[0].samples, folds[0].clusters, names
    )
  return described


def _members(fold: Fold, c: int) -> np.ndarray:
  """Positions of the training samples of one cluster."""
  train = fold.samples.of('train')
  return train[fold.clusters.labels[train] == c]


def _overall(fold: Fold) -> np.ndarray:
  return fold.of_head('overall')


def _score(
  folds: Sequence[Fold],
  of_head: Callable[[Fold], np.ndarray],
  c: int | None = None,
) -> dict[str, Any]:
  """SCORE of a head over the test images of all folds, or of one cluster's."""
  y, logits = [], []
  for fold in folds:
    test = fold.samples.of('test')
    if c is not None:
      test = test[fold.clusters.labels[test] == c]
    y.append(fold.samples.y[test])
    logits.append(of_head(fold)[test])
  every = np.concatenate(logits)
  return metrics.score(np.concatenate(y), metrics.probability(every), every)


def describe_clusters(
  settings: Settings, names: Names, folds: Sequence[Fold]
) -> list[dict[str, Any]]:
  """`clusters`: sizes, distances and scores of each cluster's heads.

  A cluster that is empty in a fold has no head for the images that this fold
  tests, and so no score over the whole test set, nor a random head of its size.
  """
  described = []
  for c in range(settings.cluster.k):
    own = [(fold, _members(fold, c)) for fold in folds]
    sizes = [len(rows) for _, rows in own]
    counts = [f.samples.class_counts(rows, names) for f, rows in own]

    def retrained(fold: Fold, c: int = c) -> np.ndarray:
      return fold.of_head('cluster', c)

    if why := _why_no_head(sizes):
      heads = _no_heads(settings.cluster.k, why)
    else:
      runs = [
        _random_run(folds, names, c, r)
        for r in range(settings.heads.random_runs)
      ]
      heads = {
        'retrained': _score(folds, retrained),
        'retrained_in_test_clusters': [
          _score(folds, retrained, j) for j in range(settings.cluster.k)
        ],
        'random': {**metrics.mean_score(runs), 'runs': runs},
      }
    described.append({
      'id': c,
      'size': _mean(sizes),
      'originals': _mean([
        int(np.sum(fold.samples.is_original[rows])) for fold, rows in own
      ]),
      'class_counts': _mean_counts(counts),
      **_intra_cluster_distance([f.clusters.z[rows] for f, rows in own]),
      'test': _score(folds, _overall, c),
      **heads,
    })
  return described


def _why_no_head(sizes: Sequence[int]) -> str:
  """Why a cluster has no head for all test images; '' where it has one."""
  if all(sizes):
    return ''
  folds = ''
  if len(sizes) > 1:
    folds = f' in {sizes.count(0)} of {len(sizes)} folds'
  return f'no training image is in this cluster{folds}'


def _no_heads(k: int, why: str) -> dict[str, Any]:
  """The fields of a cluster without a head."""
  nothing = metrics.score(np.zeros(0), np.zeros(0))
  nothing |= {f'{name}_why': why for name in metrics.METRICS}
  return {
    'retrained': nothing,
    'retrained_in_test_clusters': [nothing] * k,
    'random': {**metrics.mean_score([nothing]), 'runs': []},
  }


def _random_run(
  folds: Sequence[Fold], names: Names, c: int, r: int
) -> dict[str, Any]:
  name = HeadName('random', c, r)
  counts = []
  for fold in folds:
    drawn = fold.samples.y_of_pictures[fold.heads[name].rows]
    positives = int(np.sum(drawn))
    counts.append(
      dict(zip(names, (positives, len(drawn) - positives), strict=True))
    )
  score = _score(folds, lambda fold: fold.of_head(*name))
  return {**score, 'class_counts': _mean_counts(counts)}


def _intra_cluster_distance(members: Sequence[np.ndarray]) -> dict[str, Any]:
  distances = [cluster.intra_cluster(z) for z in members]
  if None in distances:
    why = _why_no_head([len(z) for z in members]) or 'one image has no pair'
    return {
      'intra_cluster_distance': None,
      'intra_cluster_distance_why': why,
    }
  return {'intra_cluster_distance': float(np.mean(distances))}


def clusters_csv(folds: Sequence[Fold]) -> str:
  """`clusters.csv`: every sample, as the overall head sees it."""
  header = [
    'id',
    'split',
    'cluster',
    'centroid_distance',
    'probability',
    'correct',
  ]
  rows = []
  for number, fold in enumerate(folds):
    samples, clusters = fold.samples, fold.clusters
    probabilities = fold.overall()
    correct = (probabilities > 0.5) == (samples.y == 1)
    rows += [
      [
        samples.ids[i],
        samples.split[i],
        int(clusters.labels[i]),
        float(clusters.distance[i]),
        float(probabilities[i]),
        str(bool(correct[i])).lower(),
        number,
      ]
      for i in range(len(samples.ids))
    ]
  if len(folds) > 1:
    return csv_text([*header, 'fold'], rows)
  return csv_text(header, [row[:-1] for row in rows])

"""From the outcome of a retraining study to `results.json` and its CSV file.

Statistics of Wang 2023: accuracy, AUC, sensitivity and specificity on the whole
test set, between-cluster and intra-cluster distances.
"""

from typing import Any

import numpy as np

from heterojax import cluster
from heterojax import metrics
from heterojax.backbones import Backbone
from heterojax.datasets import leaks
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_text
from heterojax.studies import analysis
from heterojax.studies import published
from heterojax.studies.outcome import HeadName
from heterojax.studies.outcome import Outcome
from heterojax.studies.settings import Settings


def summarise(
    settings: Settings, cohort: Cohort, backbone: Backbone, outcome: Outcome
) -> dict[str, Any]:
  """`results.json` but for timings and environment."""
  names = (cohort.positive, cohort.negative)
  samples, clusters = outcome.samples, outcome.clusters
  train, test = samples.of('train'), samples.of('test')
  originals = train[samples.is_original[train]]
  distances = cluster.between_clusters(clusters.centers)
  described = describe_clusters(settings, cohort, outcome)
  reduced = settings.reduction.method != 'none'
  results: dict[str, Any] = {
      'schema_version': 1,
      'study': settings.study,
      'protocol': settings.split.protocol,
      'seed': settings.seed,
      'dataset': {
          'name': cohort.name,
          'positive': cohort.positive,
          'negative': cohort.negative,
          'n_train': len(originals),
          'n_train_augmented': len(train),
          'n_validation': len(samples.of('validation')),
          'n_test': len(test),
          'n_candidates': len(cohort.candidates),
          'class_counts_train': samples.class_counts(originals, names),
          'class_counts_train_augmented': samples.class_counts(train, names),
          'class_counts_test': samples.class_counts(test, names),
      },
      'backbone': {
          'name': backbone.name,
          'source': backbone.source,
          'weights': backbone.weights,
          'weights_sha256': backbone.weights_sha256,
          'feature': settings.backbone.feature,
          'train': settings.backbone.train,
      },
      'reduction': {
          'method': settings.reduction.method,
          'n_components': settings.reduction.n_components if reduced else None,
          'explained_variance': clusters.explained_variance,
          'fit': settings.reduction.fit,
      },
      'overall': metrics.score(
          samples.y[test], outcome.of_head('overall')[test]
      ),
      'clusters': described,
      'between_cluster_distances': distances.tolist(),
      'distance_vs_performance': analysis.distance_vs_performance(
          described, distances
      ),
      'findings': analysis.findings(described),
      'leaks': leaks.audit(cohort),
      'shortcuts': None,
      'shortcuts_why': 'columns of the manifest are not audited yet',
      'published': published.wang2023(*names),
  }
  if not reduced:
    why = 'images were clustered without reduction'
    results['reduction'] |= {
        'n_components_why': why, 'explained_variance_why': why
    }
  if results['published'] is None:
    results['published_why'] = 'the paper reports no such pair of classes'
  if settings.data.subpopulation:
    results['known_subpopulations'] = analysis.known_subpopulations(
        cohort, samples, clusters.labels, settings.data.subpopulation
    )
  return results


def describe_clusters(
    settings: Settings, cohort: Cohort, outcome: Outcome
) -> list[dict[str, Any]]:
  """`clusters`: sizes, distances and scores of each cluster's heads."""
  names = (cohort.positive, cohort.negative)
  samples, clusters = outcome.samples, outcome.clusters
  train, test = samples.of('train'), samples.of('test')
  y = samples.y[test]
  in_cluster = clusters.labels[test]
  overall = outcome.of_head('overall')[test]
  described = []
  for c in range(settings.cluster.k):
    own = train[clusters.labels[train] == c]
    retrained = outcome.of_head('cluster', c)[test]
    runs = []
    for r in range(settings.heads.random_runs):
      name = HeadName('random', c, r)
      drawn = samples.y_of_pictures[outcome.heads[name].rows]
      positives = int(np.sum(drawn))
      runs.append({
          **metrics.score(y, outcome.of_head(*name)[test]),
          'class_counts': {
              cohort.positive: positives,
              cohort.negative: len(drawn) - positives,
          },
      })
    described.append({
        'id': c,
        'size': len(own),
        'class_counts': samples.class_counts(own, names),
        **_intra_cluster_distance(clusters.z[own]),
        'test': metrics.score(y[in_cluster == c], overall[in_cluster == c]),
        'retrained': metrics.score(y, retrained),
        'retrained_in_test_clusters': [
            metrics.score(y[in_cluster == j], retrained[in_cluster == j])
            for j in range(settings.cluster.k)
        ],
        'random': {**metrics.mean_score(runs), 'runs': runs},
    })
  return described


def _intra_cluster_distance(z: np.ndarray) -> dict[str, Any]:
  distance = cluster.intra_cluster(z)
  if distance is None:
    return {
        'intra_cluster_distance': None,
        'intra_cluster_distance_why': 'one image has no pair',
    }
  return {'intra_cluster_distance': distance}


def clusters_csv(outcome: Outcome) -> str:
  """`clusters.csv`: every sample, as the overall head sees it."""
  samples, clusters = outcome.samples, outcome.clusters
  probabilities = outcome.of_head('overall')
  correct = (probabilities > 0.5) == (samples.y == 1)
  rows = [
      [
          samples.ids[i],
          samples.split[i],
          int(clusters.labels[i]),
          float(clusters.distance[i]),
          float(probabilities[i]),
          str(bool(correct[i])).lower(),
      ]
      for i in range(len(samples.ids))
  ]
  header = 'id,split,cluster,centroid_distance,probability,correct'
  return csv_text(header.split(','), rows)

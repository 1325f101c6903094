"""What a sample-size study says of each cluster and each sample in itself.

Tables 1 and 2 of Mendez 2019, and `clusters.csv`.
"""

from collections.abc import Sequence

import numpy as np

from heterojax import cluster
from heterojax.cluster import distances as cluster_distances
from heterojax.datasets.manifest import csv_text
from heterojax.records import codec
from heterojax.stats import inference as statistics
from heterojax.studies import said as said_lib
from heterojax.studies.sample_size import scoring
from heterojax.studies.sample_size.cluster_cv import SizeClusters
from heterojax.studies.sample_size.records import Matrix
from heterojax.studies.sample_size.records import ToCentroid
from heterojax.studies.sample_size.top_models import Learned
from heterojax.studies.settings import Settings

_EMPTY = 'a cluster has no training images in any training of the clustering'


def between(size: SizeClusters) -> tuple[Matrix, Matrix]:
  """Table 1 over training images, means over trainings and folds.

  Returns:
    Distances of the centroids, and of the closest points.
  """
  k = size.folds[0].centers.shape[1]
  centroids, closest = [], []
  for fold in size.folds:
    train = fold.part.samples.of('train')
    centroids += [cluster.between_clusters(c) for c in fold.centers]
    pairs = cluster_distances.closest_point_distances(
      fold.reduced.z[train], fold.trainings.labels[:, train], k
    )
    closest.append(statistics.nanmean(pairs, 0))
  return (
    codec.estimates(np.mean(centroids, axis=0).tolist(), _EMPTY),
    codec.estimates(statistics.nanmean(closest, 0).tolist(), _EMPTY),
  )


def asked(size: SizeClusters) -> int | None:
  """Training images whose closest points were looked for; None of all."""
  most = max(len(fold.part.samples.of('train')) for fold in size.folds)
  some = cluster_distances.asked(most)
  return None if some is None else len(some)


def to_centroid(size: SizeClusters) -> tuple[ToCentroid, ...]:
  """Table 2 over training images, means over trainings and folds."""
  means = []
  for fold in size.folds:
    train = fold.part.samples.of('train')
    to = cluster_distances.to_centroid(
      fold.reduced.z[train], fold.centers, fold.trainings.labels[:, train]
    )
    means.append([statistics.nanmean(values, 0) for values in to])
  rows = statistics.nanmean(means, 0).T
  return tuple(
    ToCentroid(c, *(codec.estimate(value, _EMPTY) for value in row))
    for c, row in enumerate(rows)
  )


def clusters_csv(
  settings: Settings,
  clustered: Sequence[SizeClusters],
  learned: Sequence[Learned],
) -> str:
  """`clusters.csv`: every sample of every part.

  The cluster is the one that most trainings give, the distance is the mean over
  trainings to the centroid of the sample's own cluster in each, and so is the
  membership, of which K-means knows 1 only.
  """
  classes = clustered[0].folds[0].part.samples.classes
  answer = (
    said_lib.header(classes) if classes else ['predicted', 'absolute_error']
  )
  header = ['id', 'split', 'cluster', 'centroid_distance', *answer]
  header += ['membership', 'n', 'fold']
  folds = [fold for size in clustered for fold in size.folds]
  rows = []
  for fold, said in zip(folds, learned, strict=True):
    samples, z = fold.part.samples, fold.reduced.z
    distance = np.mean(
      [
        np.linalg.norm(z - c[labels], axis=1)
        for c, labels in zip(fold.centers, fold.trainings.labels, strict=True)
      ],
      axis=0,
    )
    if classes:
      answers = scoring.answers(said.predicted, classes)
      cells = list(said_lib.cells(said.predicted, answers, samples.y, classes))
    else:
      errors = np.abs(said.predicted - samples.y)
      cells = np.stack([said.predicted, errors], axis=1).tolist()
    majority = fold.clusters
    rows += [
      [
        samples.ids[i],
        samples.split[i],
        int(majority[i]),
        float(distance[i]),
        *cells[i],
        float(fold.membership[i]),
        fold.part.n,
        fold.part.fold,
      ]
      for i in range(len(samples.ids))
    ]
  return csv_text(header, rows)

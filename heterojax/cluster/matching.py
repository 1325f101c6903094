"""Clusters of several trainings: common numbers, agreement and stability.

Axes: N samples, R trainings of the clustering, B bootstraps, K clusters.
"""

import numpy as np
from scipy import optimize


def match(reference: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
  """Numbers for the clusters that agree with a reference most.

  Matched one to one, so that as many samples as possible have the same number
  (`scipy.optimize.linear_sum_assignment`).

  Args:
    reference: `[N]` int, from 0 to K - 1.
    labels: `[N]` int, of the same samples.
    k: K.

  Returns:
    `[K]` int, the new number of each cluster: `new[labels]` are the new labels.
  """
  return _assigned(_shared(np.asarray(labels), np.asarray(reference), k))


def align_trainings(
  labels: np.ndarray, k: int, metric: np.ndarray | None = None
) -> np.ndarray:
  """Gives the clusters of all trainings common numbers.

  "Cluster identifying and re-labeling was performed using the cluster patients
  and accuracy" (Mendez 2019, section 3). Each training is matched one to one
  with the training that all others can be matched with best, the first of
  equals, which keeps its numbers; so no training is preferred for its place.

  Without a metric what counts is the number of samples that two clusters share.
  With one, it is the share of members (Jaccard) plus the closeness of the
  metric, which falls from 1 at equal values to 0 at the largest difference of
  any two clusters of all trainings [our choice]. A cluster without a metric is
  half close to all others.

  Args:
    labels: `[R, N]` int, from 0 to K - 1, of the same samples.
    k: K.
    metric: `[R, K]` of each cluster, NaN where there is none.

  Returns:
    `[R, K]` int, the new number of each cluster of each training.
  """
  labels = np.asarray(labels)
  alike = _shared(labels[:, None], labels[None], k)  # [R, R, K, K]
  if metric is not None:
    alike = _jaccard(alike) + _closeness(np.asarray(metric, np.float64))
  new = np.array([[_assigned(table) for table in row] for row in alike])
  total = np.take_along_axis(alike, new[..., None], axis=-1).sum(axis=(1, 2, 3))
  # Sums of the same numbers in another order differ in the last bits.
  reference = np.argmax(np.round(total, 9))
  return new[:, reference]


def pairwise_adjusted_rand(labels: np.ndarray) -> float | None:
  """Mean adjusted Rand index over all pairs of trainings.

  Args:
    labels: `[R, N]` int from 0, of the same samples.

  Returns:
    The mean of `sklearn.metrics.adjusted_rand_score`, 1 for equal partitions
    whatever their numbers and 0 expected by chance; None for one training.
  """
  labels = np.asarray(labels)
  if len(labels) < 2:
    return None
  first, second = np.triu_indices(len(labels), 1)
  table = _shared(labels[first], labels[second], int(labels.max()) + 1)

  def pairs(sizes: np.ndarray) -> np.ndarray:
    return np.sum(sizes * (sizes - 1) / 2, axis=-1)

  both = pairs(table.reshape(len(table), -1))
  a, b = pairs(table.sum(axis=2)), pairs(table.sum(axis=1))
  n = labels.shape[1]
  chance = a * b / max(n * (n - 1) / 2, 1)
  largest = (a + b) / 2
  # Where nothing could differ, all in one cluster or each in another.
  same = largest == chance
  score = (both - chance) / np.where(same, 1, largest - chance)
  return float(np.mean(np.where(same, 1, score)))


def bootstrap_jaccard(
  labels: np.ndarray, boot_labels: np.ndarray, weights: np.ndarray, k: int
) -> np.ndarray:
  """How well bootstraps find each cluster again (Hennig 2007).

  Of each cluster and bootstrap the largest Jaccard similarity with any cluster
  of the bootstrap, over the samples that were drawn, each counted once (as
  `fpc::clusterboot` with `bscompare=FALSE`); the mean over the bootstraps that
  drew any of its members. By that package's guidelines a stable cluster has
  0.75 or more, and one below 0.6 is not to be trusted.

  Args:
    labels: `[N]` int, from 0 to K - 1, the clusters to judge.
    boot_labels: `[B, N]` int, from 0 to K - 1, of those fitted to bootstraps.
    weights: `[B, N]`, how often each sample was drawn.
    k: K.

  Returns:
    `[K]` float64, NaN where no bootstrap drew a member.
  """
  own = np.asarray(labels)[None]
  # One after the other: a million samples have memory for few cells each.
  shared = np.concatenate([
    _shared(own, found[None], k, often[None] > 0)
    for found, often in zip(
      np.asarray(boot_labels), np.asarray(weights), strict=True
    )
  ])
  best = _jaccard(shared).max(axis=2)
  seen = shared.sum(axis=2) > 0
  times = seen.sum(axis=0)
  return np.where(
    times > 0, (best * seen).sum(axis=0) / np.maximum(times, 1), np.nan
  )


def _shared(
  a: np.ndarray, b: np.ndarray, k: int, counted: np.ndarray | None = None
) -> np.ndarray:
  """Samples in cluster i of `a [..., N]` and j of `b`: `[..., K, K]` int."""
  cell = a * k + b
  tables = cell.reshape(-1, cell.shape[-1])
  cell = np.arange(len(tables))[:, None] * k**2 + tables
  if counted is not None:
    cell = cell[counted]
  counts = np.bincount(cell.ravel(), minlength=len(tables) * k**2)
  return counts.reshape(*np.broadcast_shapes(a.shape, b.shape)[:-1], k, k)


def _jaccard(shared: np.ndarray) -> np.ndarray:
  """Jaccard similarities of the clusters of two partitions; 0 of two empty."""
  sizes = shared.sum(axis=-1, keepdims=True), shared.sum(axis=-2, keepdims=True)
  union = sizes[0] + sizes[1] - shared
  return shared / np.maximum(union, 1)


def _closeness(metric: np.ndarray) -> np.ndarray:
  """`[R, R, K, K]`, from 0 to 1."""
  known = metric[~np.isnan(metric)]
  spread = np.ptp(known) if known.size else 0
  difference = np.abs(metric[:, None, :, None] - metric[None, :, None, :])
  closeness = 1 - difference / (spread if spread > 0 else 1)
  return np.nan_to_num(closeness, nan=0.5)


def _assigned(alike: np.ndarray) -> np.ndarray:
  """The column for each row, `[K]`, with the largest sum."""
  return optimize.linear_sum_assignment(alike, maximize=True)[1]

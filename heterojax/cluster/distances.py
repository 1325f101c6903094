"""Distances between and inside clusters (Wang 2023, Statistics)."""

import numpy as np
from sklearn.metrics import pairwise_distances_chunked


def between_clusters(centers: np.ndarray) -> np.ndarray:
  """Euclidean distances of the centroids, `[K, K]` float64 from `[K, D]`."""
  centers = np.asarray(centers, np.float64)
  return np.linalg.norm(centers[:, None] - centers[None], axis=-1)


def intra_cluster(x: np.ndarray) -> float | None:
  """Mean Euclidean distance of all pairs i < j of the members `[N, D]`.

  Args:
    x: the members, in the space that was clustered.

  Returns:
    The mean, or None where there is no pair.
  """
  n = len(x)
  if n < 2:
    return None
  # Centring keeps what the expansion |a|^2 - 2ab + |b|^2 loses small; float64
  # makes it vanish. Chunks bound the memory.
  x = np.asarray(x, np.float64)
  sums = pairwise_distances_chunked(
      x - x.mean(axis=0), reduce_func=lambda rows, _: rows.sum(axis=1)
  )
  return float(sum(chunk.sum() for chunk in sums) / (n * (n - 1)))

"""Distances between and inside clusters (Wang 2023, Statistics)."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import pairwise_distances_chunked

# Rows that are compared with each other at a time.
_BLOCK = 1024


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


def nearest_by_cosine(
    x: jax.Array,
    rows: np.ndarray,
    others: np.ndarray,
    content: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """The nearest other row of different content, by cosine distance.

  Args:
    x: `[P, D]` features.
    rows: `[M]` int, the rows asked about.
    others: `[N]` int, the rows to choose from; their mean is the origin.
    content: `[P]` int; rows of equal content are not compared.

  Returns:
    `[M]` positions in `others` and `[M]` distances, 0..2; where every other row
    has the same content the distance is infinite.
  """
  mean = jnp.mean(x[others], axis=0)
  best = np.zeros(len(rows), int)
  distance = np.full(len(rows), np.inf)
  for first in range(0, len(rows), _BLOCK):
    own = slice(first, first + _BLOCK)
    for start in range(0, len(others), _BLOCK):
      block = others[start : start + _BLOCK]
      found = np.asarray(_cosine(x[rows[own]], x[block], mean), np.float64)
      found[content[rows[own]][:, None] == content[block][None]] = np.inf
      nearest = found.argmin(axis=1)
      value = found[np.arange(len(found)), nearest]
      better = value < distance[own]
      best[own] = np.where(better, start + nearest, best[own])
      distance[own] = np.where(better, value, distance[own])
  return best, distance


@jax.jit
def _cosine(a: jax.Array, b: jax.Array, mean: jax.Array) -> jax.Array:
  """Cosine distances `[A, B]` of centred rows."""

  def directed(rows):
    rows = rows - mean[None]
    length = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return rows / jnp.where(length > 0, length, 1.0)

  product = jnp.matmul(directed(a), directed(b).T, precision='highest')
  return jnp.clip(1 - product, 0, 2)  # Rounding may leave the range.

"""Distances between and inside clusters (Wang 2023; Mendez 2019, Tables 1, 2).

Axes: N samples, Q components, R trainings of the clustering, K clusters.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import pairwise_distances_chunked

from heterojax import rng
from heterojax.cluster import moments
from heterojax.compute import platform
from heterojax.compute import row_blocks
from heterojax.compute.arrays import Array
from heterojax.run.progress import Progress

# Rows that are compared with each other at a time.
_BLOCK = 1024
# Members of which all pairs are compared, and pairs that are drawn of more.
MOST_OF_ALL_PAIRS = 20_000
PAIRS = 1_000_000
# Of more samples so many are compared with all, and of each cluster so many.
ASKED, _OF_EACH = 8192, 16
_NORMAL_95 = 1.96
# Of the root mean square distance to the centroids.
_COINCIDE = 0.01
# Distances that are held at a time by `closest_point_distances`.
_CHUNK = 2**17


class ToCentroid(NamedTuple):
  """Distances of the members of each cluster to its center, float64 `[..., K]`.

  Attributes:
    min: the least.
    max: the largest.
    mean: over the members.
    std: of the population (the divisor is the number of members).
  """

  min: np.ndarray
  max: np.ndarray
  mean: np.ndarray
  std: np.ndarray


def between_clusters(centers: np.ndarray) -> np.ndarray:
  """Euclidean distances of the centroids, `[K, K]` float64 from `[K, D]`."""
  centers = np.asarray(centers, np.float64)
  return np.linalg.norm(centers[:, None] - centers[None], axis=-1)


class MeanDistance(NamedTuple):
  """Mean Euclidean distance of all pairs of some samples.

  Attributes:
    value: the mean.
    margin: so far it may be from that of all pairs (95%), where it is of random
      pairs; 0 where it is of all.
  """

  value: float
  margin: float


def intra_cluster(x: np.ndarray) -> MeanDistance | None:
  """Mean Euclidean distance of all pairs i < j of the members `[N, D]`.

  Args:
    x: the members, in the space that was clustered.

  Returns:
    The mean, or None where there is no pair. Of more than 20,000 members it is
    that of a million pairs, which are drawn with equal chances.
  """
  n = len(x)
  if n < 2:
    return None
  if n > MOST_OF_ALL_PAIRS:
    return _of_random_pairs(x)
  # Centring keeps what the expansion |a|^2 - 2ab + |b|^2 loses small; float64
  # makes it vanish. Chunks bound the memory.
  x = np.asarray(x, np.float64)
  sums = pairwise_distances_chunked(
    x - x.mean(axis=0), reduce_func=lambda rows, _: rows.sum(axis=1)
  )
  total = sum(chunk.sum() for chunk in sums)
  return MeanDistance(float(total / (n * (n - 1))), 0.0)


def _of_random_pairs(x: np.ndarray) -> MeanDistance:
  """`intra_cluster` from a million pairs of different members."""
  numbers = rng.generator(0, rng.Purpose.PAIRS)
  one = numbers.integers(len(x), size=PAIRS)
  other = (one + numbers.integers(1, len(x), size=PAIRS)) % len(x)
  distance = np.concatenate([
    np.linalg.norm(
      np.asarray(x[one[block]], np.float64) - x[other[block]], axis=1
    )
    # Several copies are held, in float64.
    for block in row_blocks.slices(PAIRS, 8 * x.shape[1])
  ])
  error = np.std(distance, ddof=1) / np.sqrt(PAIRS)
  return MeanDistance(float(np.mean(distance)), float(_NORMAL_95 * error))


def asked(n: int) -> np.ndarray | None:
  """Samples that are compared with all n; None where all are.

  Returns:
    `[ASKED]` int, drawn with equal chances, always the same ones; rising.
  """
  if n <= MOST_OF_ALL_PAIRS:
    return None
  numbers = rng.generator(0, rng.Purpose.PAIRS, 'asked')
  return np.sort(numbers.choice(n, ASKED, replace=False))


def closest_point_distances(
  x: jax.typing.ArrayLike, labels: jax.typing.ArrayLike, k: int
) -> np.ndarray:
  """Least Euclidean distance between the members of two clusters.

  The "closest-point distance" of Mendez 2019, Table 1 (single linkage). The
  distances are computed once, a chunk at a time, for all trainings. Of more
  than 20,000 samples only those `asked`, and some of each cluster, are compared
  with all; closer pairs may be left, so that the distances are upper limits.

  Args:
    x: `[N, Q]`; computed in float64.
    labels: `[N]` or `[R, N]` int; a row of -1 is in no cluster.
    k: K.

  Returns:
    `[K, K]` or `[R, K, K]` float64, symmetric, 0 from a cluster to itself, NaN
    where one of the two has no members.
  """
  labels = np.asarray(labels)
  every, n = np.atleast_2d(labels), np.shape(x)[0]
  rows = max(1, _CHUNK // max(1, n))
  some = asked(n)
  if some is not None:
    few = [
      np.flatnonzero(own == c)[:_OF_EACH] for own in every for c in range(k)
    ]
    some = np.unique(np.concatenate([some, *few]))
  with platform.float64():
    x = jnp.asarray(x, jnp.float64)
    of = jnp.asarray(every, jnp.int32)
    points, own = (x, of) if some is None else (x[some], of[:, some])
    least = np.asarray(_closest(points, own, x, of, k, rows))
  # Of two clusters the one may be nearer than the other has been asked about.
  least = least if some is None else np.fmin(least, np.swapaxes(least, 1, 2))
  return least.reshape(*labels.shape[:-1], k, k)


@functools.partial(jax.jit, static_argnums=(4, 5))
def _closest(
  points: jax.Array,
  own: jax.Array,
  x: jax.Array,
  labels: jax.Array,
  k: int,
  rows: int,
) -> jax.Array:
  # Of each training: the rows are its labels.
  least = jax.vmap(functools.partial(jax.ops.segment_min, num_segments=k))

  def of_sample(point: jax.Array) -> jax.Array:
    distance = squared_to(point, x)
    return least(jnp.broadcast_to(distance, labels.shape), labels)

  # All rows of a batch see all of x, so the rows bound the memory.
  nearest = jax.lax.map(of_sample, points, batch_size=rows)  # [N, R, K]
  closest = least(jnp.moveaxis(nearest, 1, 0), own)
  return jnp.sqrt(jnp.where(jnp.isinf(closest), jnp.nan, closest))


def squared_to(point: jax.Array, x: jax.Array) -> jax.Array:
  """Squared distances `[N]` of `[Q]` to `[N, Q]`; exact where they are 0."""
  return jnp.sum((x - point[None]) ** 2, axis=1)


def to_centroid(
  x: np.ndarray, centers: np.ndarray, labels: np.ndarray
) -> ToCentroid:
  """Euclidean distances of samples to the center of their cluster.

  Of Mendez 2019, Table 2 ("StDv" is taken to be that of the population).

  Args:
    x: `[N, Q]`.
    centers: `[..., K, Q]`, for instance of R trainings.
    labels: `[..., N]` int; a row of -1 is in no cluster.

  Returns:
    Summaries per cluster, NaN where it has no members.
  """
  x, centers = np.asarray(x, np.float64), np.asarray(centers, np.float64)
  labels = np.asarray(labels)
  centroids = np.take_along_axis(
    centers, np.maximum(labels, 0)[..., None], axis=-2
  )
  distance = np.linalg.norm(x - centroids, axis=-1)[..., None]
  members = labels[..., None] == np.arange(centers.shape[-2])  # [..., N, K]
  size = members.sum(axis=-2)
  empty = size == 0

  def mean(values: np.ndarray) -> np.ndarray:
    sums = np.sum(np.where(members, values, 0), axis=-2)
    return np.where(empty, np.nan, sums / np.maximum(size, 1))

  center = mean(distance)
  least = np.where(members, distance, np.inf).min(axis=-2, initial=np.inf)
  largest = np.where(members, distance, -np.inf).max(axis=-2, initial=-np.inf)
  return ToCentroid(
    min=np.where(empty, np.nan, least),
    max=np.where(empty, np.nan, largest),
    mean=center,
    std=np.sqrt(mean((distance - center[..., None, :]) ** 2)),
  )


def coinciding(
  x: np.ndarray, centers: np.ndarray, labels: np.ndarray
) -> np.ndarray:
  """Which centroids are one, bool `[..., K, K]`.

  They are where they are closer than a hundredth of what samples are off theirs
  (root mean square): there is no gap where such clusters part. Fuzzy K-means
  with a large fuzzifier has such optima.

  Args:
    x: `[N, Q]` training samples.
    centers: `[..., K, Q]`, for instance of R trainings.
    labels: `[..., N]` int.
  """
  centers = np.asarray(centers, np.float64)
  squares = 0.0
  for rows in row_blocks.slices(len(x), 8 * centers[..., 0, :].size):
    centroids = np.take_along_axis(centers, labels[..., rows, None], axis=-2)
    squares += np.sum((x[rows] - centroids) ** 2, axis=(-2, -1))
  off = np.sqrt(squares / len(x))
  apart = np.linalg.norm(
    centers[..., :, None, :] - centers[..., None, :, :], axis=-1
  )
  # Samples may all lie on their centroids, two of which may still be one.
  one = (apart < _COINCIDE * off[..., None, None]) | (apart == 0)
  return one & ~np.eye(centers.shape[-2], dtype=bool)


def nearest_by_cosine(
  x: Array,
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
  if row_blocks.is_large(len(others), x.shape[1]):
    mean = np.asarray(moments.mean(x, others), np.float32)
  else:
    mean = mean_of(x[others])
  best = np.zeros(len(rows), int)
  distance = np.full(len(rows), np.inf)
  pairs = len(rows) * len(others)
  with Progress('near duplicates', pairs, 'pairs') as progress:
    for first in range(0, len(rows), _BLOCK):
      part = slice(first, first + _BLOCK)
      own = x[rows[part]]
      for start in range(0, len(others), _BLOCK):
        block = others[start : start + _BLOCK]
        between = np.asarray(cosine_distances(own, x[block], mean), np.float64)
        between[content[rows[part]][:, None] == content[block][None]] = np.inf
        nearest = between.argmin(axis=1)
        value = between[np.arange(len(between)), nearest]
        better = value < distance[part]
        best[part] = np.where(better, start + nearest, best[part])
        distance[part] = np.where(better, value, distance[part])
        progress.update(between.size)
  return best, distance


def mean_of(rows: Array) -> np.ndarray:
  """Mean `[D]` of rows; their sum may be more than their type holds."""
  mean = np.asarray(jnp.mean(rows, axis=0))
  if not np.isfinite(mean).all():
    wide = np.mean(np.asarray(rows), axis=0, dtype=np.float64)
    mean = wide.astype(mean.dtype)
  return mean


@jax.jit
def cosine_distances(a: Array, b: Array, mean: Array) -> jax.Array:
  """Cosine distances `[A, B]` of rows `[A, D]` and `[B, D]` less the mean."""

  def directed(rows):
    rows = rows - mean[None]
    # A power of two, so that no digit changes and squares stay in range.
    _, e = jnp.frexp(jnp.max(jnp.abs(rows), axis=1, keepdims=True))
    rows = rows * jnp.ldexp(jnp.ones((), rows.dtype), -jnp.clip(e, -100, 100))
    length = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return rows / jnp.where(length > 0, length, 1.0)

  product = jnp.matmul(directed(a), directed(b).T, precision='highest')
  return jnp.clip(1 - product, 0, 2)  # Rounding may leave the range.

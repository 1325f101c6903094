"""Indices of how well labels separate the data, equal to scikit-learn's.

Axes: N samples, Q components, L labelings, K clusters at most.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import distances
from heterojax.cluster import scale
from heterojax.compute import platform
from heterojax.run.progress import Progress

# Distances that are held at a time.
_CHUNK = 2**19
# Samples that others are compared with at a time, where those are few.
_BLOCK = 1024
_NORMAL_95 = 1.96
# Of the largest number: distances up to this are none in Davies-Bouldin. For
# scikit-learn those up to 1e-8 are, whatever the unit of the data.
_ZERO = 1e-12


class Indices(NamedTuple):
  """One number per labeling, `[L]` float64.

  Attributes:
    inertia: sum of squared distances to the means of the clusters.
    silhouette: mean over the samples, larger is better.
    silhouette_margin: so far it may be from that of all (95%), where it is of
      random samples; 0 where it is of all.
    calinski_harabasz: larger is better.
    davies_bouldin: smaller is better.
  """

  inertia: np.ndarray
  silhouette: np.ndarray
  silhouette_margin: np.ndarray
  calinski_harabasz: np.ndarray
  davies_bouldin: np.ndarray


def indices(
  x: jax.typing.ArrayLike, labels: jax.typing.ArrayLike, k: int
) -> Indices:
  """Validity indices of several labelings of the same samples.

  The distances are computed once, a chunk at a time, for all labelings. As in
  scikit-learn (`silhouette_score`, `calinski_harabasz_score`,
  `davies_bouldin_score`) only clusters that have members count, and a sample
  that is alone in its cluster has a silhouette of 0. The inertia is that of
  `KMeans` at convergence, for labels of any origin. Other units of the data
  change the inertia alone. Of more than 20,000 samples the silhouettes of those
  are taken that `distances.asked` draws, each from its distances to all.

  Args:
    x: `[N, Q]`; computed in float64.
    labels: `[L, N]` int, from 0 to K - 1.
    k: K.

  Returns:
    The indices. With one cluster, or as many as samples, all but the inertia
    are undefined, and NaN.

  Raises:
    ValueError: if the shapes do not fit or a label is out of range.
  """
  x, labels = np.asarray(x, np.float64), np.asarray(labels)
  if x.ndim != 2 or labels.ndim != 2 or labels.shape[1] != len(x) or not x.size:
    raise ValueError(
      f'x must be [N, Q] and labels [L, N], not {list(x.shape)} and'
      f' {list(labels.shape)}'
    )
  if labels.size and not 0 <= labels.min() <= labels.max() < k:
    raise ValueError(
      f'labels must be from 0 to {k - 1}, not from {labels.min()} to'
      f' {labels.max()}'
    )
  rows = max(1, _CHUNK // len(x))
  some = distances.asked(len(x))
  e = scale.exponent(x)
  x = scale.times(x, -e)
  zero = _ZERO * np.max(np.abs(x))
  with platform.float64():
    x, labels = jnp.asarray(x), jnp.asarray(labels, jnp.int32)
    # Apart, for XLA would fuse a mean into its uses and round each otherwise:
    # equal means and a sample at its mean would not be at distance 0.
    means = _means(x, labels, k)
    inertia, ch, db, present = _of_means(x, labels, means, zero)
    if some is None:
      silhouettes = _silhouettes(x, labels, k, rows)
      silhouette, margin = jnp.mean(silhouettes, axis=0), jnp.zeros(len(labels))
    else:
      silhouettes = _of_some(x, labels, k, some)
      silhouette = jnp.mean(silhouettes, axis=0)
      error = jnp.std(silhouettes, axis=0, ddof=1) / np.sqrt(len(some))
      margin = _NORMAL_95 * np.sqrt(1 - len(some) / len(x)) * error
    undefined = (present < 2) | (present == len(x))
    others = (
      jnp.where(undefined, jnp.nan, index)
      for index in (silhouette, margin, ch, db)
    )
    inertia = scale.times_square(inertia, e)
    return Indices(inertia, *map(np.asarray, others))


@functools.partial(jax.jit, static_argnums=2)
def _means(x: jax.Array, labels: jax.Array, k: int) -> jax.Array:
  """`[L, K, Q]`, zeros where a cluster has no members."""

  def of_labeling(labeling: jax.Array) -> jax.Array:
    members = (labeling[:, None] == jnp.arange(k)[None]).astype(x.dtype)
    counts = jnp.maximum(jnp.sum(members, axis=0), 1)
    sums = jnp.matmul(members.T, x, precision='highest')
    return sums / counts[:, None]

  return jax.lax.map(of_labeling, labels)


@jax.jit
def _of_means(
  x: jax.Array, labels: jax.Array, means: jax.Array, zero: float
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  """`_by_means` of each labeling."""
  return jax.lax.map(
    lambda labeling: _by_means(x, labeling[0], labeling[1], zero),
    (labels, means),
  )


@functools.partial(jax.jit, static_argnums=(2, 3))
def _silhouettes(
  x: jax.Array, labels: jax.Array, k: int, rows: int
) -> jax.Array:
  """Silhouette of each sample in each labeling, `[N, L]`."""
  members = _members(labels, k)
  counts = jnp.sum(members, axis=1)
  flat = _flat(members, x.dtype)

  def of_sample(sample: tuple[jax.Array, jax.Array]) -> jax.Array:
    point, inside = sample  # [Q] and [L, K]
    distance = jnp.sqrt(distances.squared_to(point, x))
    sums = jnp.matmul(distance, flat, precision='highest').reshape(inside.shape)
    return _silhouette(sums, inside, counts)

  # All rows of a batch see all of x, so the rows bound the memory.
  return jax.lax.map(
    of_sample, (x, jnp.moveaxis(members, 1, 0)), batch_size=rows
  )


def _of_some(
  x: jax.Array, labels: jax.Array, k: int, some: np.ndarray
) -> jax.Array:
  """`_silhouettes` `[M, L]` of some samples; all others come block by block."""
  inside = jnp.moveaxis(_members(labels[:, some], k), 1, 0)
  counts = jnp.stack([jnp.bincount(own, length=k) for own in labels])
  points, sums = x[some], jnp.zeros((len(some), labels.shape[0] * k))
  with Progress('silhouettes', len(x), 'samples') as progress:
    for start in range(0, len(x), _BLOCK):
      block = slice(start, start + _BLOCK)
      sums += _sums_of_block(points, x[block], labels[:, block], k)
      sums.block_until_ready()
      progress.update(len(x[block]))
  return jax.vmap(_silhouette, (0, 0, None))(
    sums.reshape(inside.shape), inside, counts
  )


@functools.partial(jax.jit, static_argnums=3)
def _sums_of_block(
  points: jax.Array, x: jax.Array, labels: jax.Array, k: int
) -> jax.Array:
  """`[M, L K]` sums of the distances to the members of each cluster."""
  flat = _flat(_members(labels, k), x.dtype)

  def of_point(point: jax.Array) -> jax.Array:
    distance = jnp.sqrt(distances.squared_to(point, x))
    return jnp.matmul(distance, flat, precision='highest')

  return jax.lax.map(of_point, points, batch_size=_CHUNK // _BLOCK)


def _members(labels: jax.Array, k: int) -> jax.Array:
  """`[L, N, K]` bool."""
  return labels[..., None] == jnp.arange(k)[None, None]


def _flat(members: jax.Array, dtype: np.dtype) -> jax.Array:
  """`[N, L K]`."""
  n = members.shape[1]
  return jnp.moveaxis(members, 1, 0).reshape(n, -1).astype(dtype)


def _silhouette(
  sums: jax.Array, inside: jax.Array, counts: jax.Array
) -> jax.Array:
  """Silhouette of a sample in each labeling, `[L]`.

  Args:
    sums: `[L, K]` of its distances to the members of each cluster.
    inside: `[L, K]` bool, which is its own.
    counts: `[L, K]` members of each.
  """
  size = jnp.sum(jnp.where(inside, counts, 0), axis=1)
  others = jnp.maximum(size - 1, 1)
  within = jnp.sum(jnp.where(inside, sums, 0), axis=1) / others
  means = sums / jnp.maximum(counts, 1)
  nearest = jnp.min(jnp.where(inside | (counts == 0), jnp.inf, means), axis=1)
  larger = jnp.maximum(within, nearest)
  known = (size > 1) & (larger > 0)
  return jnp.where(known, (nearest - within) / larger, 0)


def _by_means(
  x: jax.Array, labels: jax.Array, means: jax.Array, zero: float
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  """Inertia, Calinski-Harabasz, Davies-Bouldin, clusters that have members."""
  members = labels[:, None] == jnp.arange(len(means))[None]
  members = members.astype(x.dtype)
  counts = jnp.sum(members, axis=0)
  here = counts > 0
  present = jnp.sum(here)
  squared = jnp.sum((x - means[labels]) ** 2, axis=1)

  inertia = jnp.sum(squared)
  apart = jnp.sum((means - jnp.mean(x, axis=0)[None]) ** 2, axis=1)
  between = jnp.sum(counts * apart) * (len(x) - present)
  ch = between / (inertia * (present - 1))
  ch = jnp.where(inertia == 0, 1.0, ch)

  sums = jnp.matmul(members.T, jnp.sqrt(squared), precision='highest')
  spread = sums / jnp.maximum(counts, 1)
  both = here[:, None] & here[None]
  distance = jnp.sqrt(jax.vmap(distances.squared_to, (0, None))(means, means))
  ratio = (spread[:, None] + spread[None]) / distance
  # Clusters of equal means are left out of the comparison.
  worst = jnp.max(jnp.where(both & (distance > 0), ratio, 0), axis=1)
  db = jnp.sum(worst) / present
  tight = jnp.all(spread <= zero)
  together = jnp.all(jnp.where(both, distance, 0) <= zero)
  return inertia, ch, jnp.where(tight | together, 0, db), present

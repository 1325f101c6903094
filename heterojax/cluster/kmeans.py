"""K-means with scikit-learn's semantics (`sklearn.cluster.KMeans`, Lloyd).

Axes: N samples, D features, K clusters, L candidates of greedy k-means++.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import precision


class KMeans(NamedTuple):
  """A fitted clustering.

  Attributes:
    centers: `[K, D]`.
    labels: `[N]` int32, the nearest center of each sample.
    inertia: `[]`, sum of squared distances to it.
    n_iter: `[]` int32, Lloyd iterations of the best restart.
  """

  centers: jax.Array
  labels: jax.Array
  inertia: jax.Array
  n_iter: jax.Array


class _State(NamedTuple):
  centers: jax.Array
  labels: jax.Array
  shift: jax.Array  # Sum of squared movements of the centers.
  strict: jax.Array  # Whether the labels repeated.
  n_iter: jax.Array


def kmeans(
    x: jax.typing.ArrayLike,
    k: int,
    *,
    init: jax.typing.ArrayLike | None = None,
    key: jax.Array | None = None,
    n_init: int = 10,
    max_iter: int = 300,
    tol: float = 1e-4,
) -> KMeans:
  """Clusters samples; the best of several restarts by inertia.

  Args:
    x: `[N, D]`; float32 is computed in float32, all else in float64.
    k: number of clusters, from 1 to N.
    init: `[K, D]` starting centers, for one run; without it each restart starts
      from greedy k-means++.
    key: PRNG key of the restarts; it is consumed. Needed without `init`.
    n_init: number of restarts.
    max_iter: Lloyd iterations at most.
    tol: stop once the centers' squared movement is no more than this times the
      mean variance of the features.

  Returns:
    The clustering.

  Raises:
    ValueError: if shapes or numbers do not fit, or both or neither of `init`
      and `key` are given.
  """
  shape = np.shape(x)
  if len(shape) != 2 or not 1 <= k <= shape[0]:
    raise ValueError(f'k is {k}, but must be from 1 to N for x {list(shape)}')
  if (init is None) == (key is None):
    raise ValueError('give either init or key')
  if n_init < 1 or max_iter < 1:
    raise ValueError(f'n_init {n_init} and max_iter {max_iter} must be >= 1')
  if init is not None and np.shape(init) != (k, shape[1]):
    raise ValueError(
        f'init must be {[k, shape[1]]}, not {list(np.shape(init))}'
    )
  with precision.of(x):
    x = jnp.asarray(x, precision.dtype_of(x))
    if init is None:
      return _fit(x, jax.random.split(key, n_init), tol, k, max_iter)
    return _fit_from(x, jnp.asarray(init, x.dtype), tol, max_iter)


def predict(x: jax.typing.ArrayLike, centers: jax.typing.ArrayLike) -> jax.Array:
  """Nearest center of each sample, `[N]` int32; the first of equals."""
  with precision.of(x):
    dtype = precision.dtype_of(x)
    return _predict(jnp.asarray(x, dtype), jnp.asarray(centers, dtype))


@functools.partial(jax.jit, static_argnums=(3, 4))
def _fit(
    x: jax.Array, keys: jax.Array, tol: float, k: int, max_iter: int
) -> KMeans:
  # Distances do not change with the origin; their rounding errors do.
  mean = jnp.mean(x, axis=0)
  x = x - mean[None]
  threshold = tol * jnp.mean(jnp.var(x, axis=0))

  def restart(key: jax.Array) -> KMeans:
    return _lloyd(x, plus_plus(key, x, k), threshold, max_iter)

  # A vmap would keep every restart running until the slowest stops.
  runs = jax.lax.map(restart, keys)
  best = jnp.argmin(runs.inertia)
  run = jax.tree.map(lambda leaf: leaf[best], runs)
  return run._replace(centers=run.centers + mean[None])


@functools.partial(jax.jit, static_argnums=3)
def _fit_from(
    x: jax.Array, init: jax.Array, tol: float, max_iter: int
) -> KMeans:
  mean = jnp.mean(x, axis=0)
  x = x - mean[None]
  threshold = tol * jnp.mean(jnp.var(x, axis=0))
  run = _lloyd(x, init - mean[None], threshold, max_iter)
  return run._replace(centers=run.centers + mean[None])


@jax.jit
def _predict(x: jax.Array, centers: jax.Array) -> jax.Array:
  return _nearest(x, centers)


def _nearest(x: jax.Array, centers: jax.Array) -> jax.Array:
  """argmin over j of |c_j|^2 - 2 x.c_j, the part that depends on j."""
  half = 0.5 * jnp.sum(centers**2, axis=1)
  return jnp.argmin(half[None] - _dot(x, centers), axis=1).astype(jnp.int32)


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
  """`a @ b.T` in full precision, which accelerators round by default."""
  return jnp.matmul(a, b.T, precision='highest')


def _squared_distance(x: jax.Array, centers: jax.Array) -> jax.Array:
  """`[N]`, of each sample to its own center `[N, D]`, by differences."""
  return jnp.sum((x - centers) ** 2, axis=1)


def _lloyd(
    x: jax.Array, init: jax.Array, threshold: jax.Array, max_iter: int
) -> KMeans:
  """One run from given centers; `x` and `init` are centred."""

  def going(state: _State) -> jax.Array:
    moving = ~state.strict & (state.shift > threshold)
    return (state.n_iter < max_iter) & ((state.n_iter == 0) | moving)

  def iterate(state: _State) -> _State:
    labels = _nearest(x, state.centers)
    centers = _means(x, labels, state.centers)
    return _State(
        centers=centers,
        labels=labels,
        shift=jnp.sum((centers - state.centers) ** 2),
        strict=jnp.all(labels == state.labels),
        n_iter=state.n_iter + 1,
    )

  start = _State(
      centers=init,
      labels=jnp.full(x.shape[0], -1, jnp.int32),
      shift=jnp.asarray(jnp.inf, x.dtype),
      strict=jnp.asarray(False),
      n_iter=jnp.asarray(0, jnp.int32),
  )
  end = jax.lax.while_loop(going, iterate, start)
  # Labels must be those of the centers that are returned; they are already
  # where they repeated.
  labels = jnp.where(end.strict, end.labels, _nearest(x, end.centers))
  inertia = jnp.sum(_squared_distance(x, end.centers[labels]))
  return KMeans(end.centers, labels, inertia, end.n_iter)


def _means(x: jax.Array, labels: jax.Array, centers: jax.Array) -> jax.Array:
  """New centers `[K, D]`; an empty cluster takes the sample farthest off.

  As scikit-learn's `_relocate_empty_clusters_dense`: the j-th empty cluster
  gets the sample with the j-th largest distance to its center, which its old
  cluster loses.
  """
  k = centers.shape[0]
  sums = jax.ops.segment_sum(x, labels, num_segments=k)
  counts = jnp.bincount(labels, length=k)

  def relocate(sums, counts):
    distance = _squared_distance(x, centers[labels])
    # There may be fewer samples than clusters to fill.
    order = jnp.argsort(-distance)[:k]
    empty = counts == 0
    # Rank of each empty cluster among the empty ones, in order of index.
    rank = jnp.cumsum(empty) - 1
    chosen = order[jnp.clip(rank, 0, k - 1)]
    moves = empty & (jnp.max(distance) > 0)
    gain = jnp.where(moves[:, None], x[chosen], 0)
    sums = jnp.where(moves[:, None], gain, sums)
    counts = jnp.where(moves, 1, counts)
    # Samples that left are taken off their old clusters, all at once.
    loss = jax.ops.segment_sum(gain, labels[chosen], num_segments=k)
    fewer = jax.ops.segment_sum(
        moves.astype(counts.dtype), labels[chosen], num_segments=k
    )
    return sums - loss, counts - fewer

  sums, counts = jax.lax.cond(
      jnp.any(counts == 0), relocate, lambda s, c: (s, c), sums, counts
  )
  means = sums / jnp.maximum(counts, 1)[:, None].astype(x.dtype)
  # A cluster that is still empty takes the place of the heaviest one: of its
  # sum, if it comes before it, as scikit-learn divides in order of index.
  heaviest = jnp.argmax(counts)
  before = (jnp.arange(k) < heaviest)[:, None]
  place = jnp.where(before, sums[heaviest][None], means[heaviest][None])
  return jnp.where((counts > 0)[:, None], means, place)


def plus_plus(key: jax.Array, x: jax.Array, k: int) -> jax.Array:
  """Greedy k-means++ (`sklearn.cluster.kmeans_plusplus`): `[K, D]` centers.

  Of 2 + int(ln K) candidates drawn with probability proportional to the squared
  distance, the one that lowers the sum of distances most becomes the center.

  Args:
    key: PRNG key; it is consumed.
    x: `[N, D]`.
    k: number of centers.

  Returns:
    K rows of `x`.
  """
  num_candidates = 2 + int(np.log(k))
  norms = jnp.sum(x**2, axis=1)

  def distances(points: jax.Array) -> jax.Array:
    """Squared distances `[L, N]` from `[L, D]`."""
    return jnp.maximum(
        jnp.sum(points**2, axis=1)[:, None]
        - 2 * _dot(points, x)
        + norms[None],
        0,
    )

  first_key, rest_key = jax.random.split(key)
  first = jax.random.randint(first_key, (), 0, x.shape[0])
  centers = jnp.zeros((k, x.shape[1]), x.dtype).at[0].set(x[first])
  closest = distances(x[first][None])[0]

  def add(c: int, carry: tuple[jax.Array, jax.Array]):
    centers, closest = carry
    cumulative = jnp.cumsum(closest)
    draws = jax.random.uniform(
        jax.random.fold_in(rest_key, c), (num_candidates,), x.dtype
    )
    candidates = jnp.searchsorted(cumulative, draws * cumulative[-1])
    candidates = jnp.clip(candidates, 0, x.shape[0] - 1)
    new = jnp.minimum(closest[None], distances(x[candidates]))
    best = jnp.argmin(jnp.sum(new, axis=1))
    return centers.at[c].set(x[candidates[best]]), new[best]

  return jax.lax.fori_loop(1, k, add, (centers, closest))[0]

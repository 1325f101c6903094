"""K-means with scikit-learn's semantics (`sklearn.cluster.KMeans`, Lloyd).

Axes: N samples, D features, K clusters.

Weights are multiplicities; without them (None) every sample counts once. A
sample of weight 0 is labelled and takes no other part.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import precision
from heterojax.cluster import restarts
from heterojax.cluster.initialisation import plus_plus
from heterojax.cluster.points import Points
from heterojax.cluster.points import Rows
from heterojax.cluster.points import centers_of
from heterojax.cluster.points import points_of
from heterojax.cluster.weights import weighted_mean

# Columns that are compared one by one, for each is compiled.
_MOST_COMPARED = 64


class KMeans(NamedTuple):
  """A fitted clustering.

  Attributes:
    centers: `[K, D]`.
    labels: `[N]` int32, the nearest center of each sample.
    inertia: `[]`, weighted sum of squared distances to it.
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
    weights: jax.typing.ArrayLike | None = None,
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
    weights: `[N]`, not negative; scikit-learn's `sample_weight`, but `tol` is
      of the weighted variance, so that a weight of 2 is a row given twice.
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
  restarts.check(x, k, init, key, weights, n_init, max_iter)
  if init is not None and np.shape(init) != (k, np.shape(x)[1]):
    raise ValueError(
        f'init must be {[k, np.shape(x)[1]]}, not {list(np.shape(init))}'
    )
  with precision.of(x):
    x = jnp.asarray(x, precision.dtype_of(x))
    weights = None if weights is None else jnp.asarray(weights, x.dtype)
    if init is None:
      return _fit(x, weights, jax.random.split(key, n_init), tol, k, max_iter)
    return _fit_from(x, weights, jnp.asarray(init, x.dtype), tol, max_iter)


def predict(
    x: jax.typing.ArrayLike, centers: jax.typing.ArrayLike
) -> jax.Array:
  """Nearest center of each sample, `[N]` int32; the first of equals."""
  with precision.of(x):
    dtype = precision.dtype_of(x)
    return _predict(jnp.asarray(x, dtype), jnp.asarray(centers, dtype))


def fit(
    x: jax.Array,
    weights: jax.Array | None,
    keys: jax.Array,
    tol: float,
    k: int,
    max_iter: int,
    own_k: jax.Array | None = None,
) -> KMeans:
  """`kmeans` of arrays, a restart per key `[n_init]`; not compiled.

  With `own_k` `[]` the clusters after so many do not exist: they have no
  member, and their centers are the mean of the data.
  """
  mean = weighted_mean(x, weights)
  points, _ = points_of(x, mean)
  exists = jnp.arange(k) < (k if own_k is None else own_k)
  threshold = _threshold(tol, points, x.shape[1], weights)

  def restart(key: jax.Array) -> KMeans:
    init = points.at(plus_plus(key, points, k, weights, own_k))
    init = jnp.where(exists[:, None], init, 0)
    return _lloyd(points, weights, init, threshold, max_iter, exists)

  run = restarts.best(restart, keys, lambda runs: runs.inertia)
  return _finish(run, points, x, weights, mean)


_fit = jax.jit(fit, static_argnums=(4, 5))


@functools.partial(jax.jit, static_argnums=4)
def _fit_from(
    x: jax.Array,
    weights: jax.Array | None,
    init: jax.Array,
    tol: float,
    max_iter: int,
) -> KMeans:
  mean = weighted_mean(x, weights)
  points, start = points_of(x, mean, init)
  exists = jnp.full(len(init), True)
  threshold = _threshold(tol, points, x.shape[1], weights)
  run = _lloyd(points, weights, start, threshold, max_iter, exists)
  return _finish(run, points, x, weights, mean, init)


def _threshold(
    tol: float, points: Points, d: int, weights: jax.Array | None
) -> jax.Array:
  """`tol` times the mean variance of D features, which takes a pass of all."""
  dtype = points.norms().dtype
  return jax.lax.cond(
      tol > 0,
      lambda: (tol * points.total(weights) / d).astype(dtype),
      lambda: jnp.zeros((), dtype),
  )


def _finish(
    run: KMeans,
    points: Points,
    x: jax.Array,
    weights: jax.Array | None,
    mean: jax.Array,
    init: jax.Array | None = None,
) -> KMeans:
  """The run in the terms of the data."""
  centers = centers_of(points, run.centers, x, mean, init)
  if isinstance(points, Rows):
    return run._replace(centers=centers)
  # Differences of rows cancel less than those of products.
  inertia = Rows(x).inertia(centers, run.labels, weights)
  return run._replace(centers=centers, inertia=inertia)


@jax.jit
def _predict(x: jax.Array, centers: jax.Array) -> jax.Array:
  return _argmin(Rows(x).scores(centers))


def _nearest(
    points: Points, centers: jax.Array, exists: jax.Array
) -> jax.Array:
  """Number of the nearest center that exists, `[N]` int32."""
  scores = points.scores(centers)
  return _argmin(jnp.where(exists[None], scores, jnp.inf))


def _argmin(rows: jax.Array) -> jax.Array:
  """First smallest of each row of `[N, K]`, `[N]` int32."""
  k = rows.shape[1]
  if jax.default_backend() != 'cpu' or k > _MOST_COMPARED:
    return jnp.argmin(rows, axis=1).astype(jnp.int32)
  # Column against column is one loop for XLA; its own reduction of pairs takes
  # twice as long for 64 of them.
  least, found = rows[:, 0], jnp.zeros(len(rows), jnp.int32)
  for j in range(1, k):
    less = rows[:, j] < least
    least = jnp.where(less, rows[:, j], least)
    found = jnp.where(less, j, found)
  return found


def _lloyd(
    points: Points,
    weights: jax.Array | None,
    init: jax.Array,
    threshold: jax.Array,
    max_iter: int,
    exists: jax.Array,
) -> KMeans:
  """One run from given centers, in the terms of the samples."""
  fitted = True if weights is None else weights > 0

  def going(state: _State) -> jax.Array:
    moving = ~state.strict & (state.shift > threshold)
    return (state.n_iter < max_iter) & ((state.n_iter == 0) | moving)

  def iterate(state: _State) -> _State:
    labels = _nearest(points, state.centers, exists)
    centers = _means(points, weights, labels, state.centers, exists)
    return _State(
        centers=centers,
        labels=labels,
        shift=points.moved(centers - state.centers),
        strict=jnp.all((labels == state.labels) | ~jnp.asarray(fitted)),
        n_iter=state.n_iter + 1,
    )

  start = _State(
      centers=init,
      labels=jnp.full(len(points.norms()), -1, jnp.int32),
      shift=jnp.asarray(jnp.inf, init.dtype),
      strict=jnp.asarray(False),
      n_iter=jnp.asarray(0, jnp.int32),
  )
  end = jax.lax.while_loop(going, iterate, start)
  # Labels must be those of the centers that are returned; they are already
  # where they repeated.
  labels = jnp.where(
      end.strict & fitted, end.labels, _nearest(points, end.centers, exists)
  )
  inertia = points.inertia(end.centers, labels, weights)
  return KMeans(end.centers, labels, inertia, end.n_iter)


def _means(
    points: Points,
    weights: jax.Array | None,
    labels: jax.Array,
    centers: jax.Array,
    exists: jax.Array,
) -> jax.Array:
  """New centers; an empty cluster takes the sample farthest off.

  As scikit-learn's `_relocate_empty_clusters_dense`: the j-th empty cluster
  gets the sample with the j-th largest distance to its center, which its old
  cluster loses.
  """
  k = centers.shape[0]
  sums = points.sums(labels, weights, k)
  if weights is None:
    counts = jnp.bincount(labels, length=k)
  else:
    counts = jax.ops.segment_sum(weights, labels, num_segments=k)

  def relocate(sums, counts):
    distance = points.distance(centers, labels)
    if weights is not None:
      distance = jnp.where(weights > 0, distance, -1)
    farthest = jax.lax.top_k(distance, k)[1]
    empty = exists & (counts == 0)
    # Rank of each empty cluster among the empty ones, in order of index.
    chosen = farthest[jnp.clip(jnp.cumsum(empty) - 1, 0, k - 1)]
    moves = empty & (jnp.max(distance) > 0)
    mass = moves.astype(counts.dtype)
    if weights is not None:
      mass *= weights[chosen]
    gain = jnp.where(
        moves[:, None], mass[:, None].astype(sums.dtype) * points.at(chosen), 0
    )
    # Samples that left are taken off their old clusters, all at once.
    loss = jax.ops.segment_sum(gain, labels[chosen], num_segments=k)
    less = jax.ops.segment_sum(mass, labels[chosen], num_segments=k)
    sums = jnp.where(moves[:, None], gain, sums)
    return sums - loss, jnp.where(moves, mass, counts) - less

  missing = jnp.any(exists & (counts == 0))
  sums, counts = jax.lax.cond(
      missing, relocate, lambda s, c: (s, c), sums, counts
  )
  filled = counts > 0
  means = sums / jnp.where(filled, counts, 1)[:, None].astype(sums.dtype)
  # A cluster that is still empty takes the place of the heaviest one: of its
  # sum, if it comes before it, as scikit-learn divides in order of index. One
  # that does not exist stays.
  heaviest = jnp.argmax(counts)
  before = (jnp.arange(k) < heaviest)[:, None]
  place = jnp.where(before, sums[heaviest][None], means[heaviest][None])
  place = jnp.where(exists[:, None], place, centers)
  return jnp.where(filled[:, None], means, place)

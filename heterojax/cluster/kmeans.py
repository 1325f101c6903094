"""K-means with scikit-learn's semantics (`sklearn.cluster.KMeans`, Lloyd).

Axes: N samples, D features, K clusters.

Weights are multiplicities; without them (None) every sample counts once. A
sample of weight 0 is labelled and takes no other part.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import by_cores
from heterojax.cluster import lloyd
from heterojax.cluster import precision
from heterojax.cluster import restarts
from heterojax.cluster import scale
from heterojax.cluster.initialisation import plus_plus
from heterojax.cluster.lloyd import KMeans
from heterojax.cluster.points import Points
from heterojax.cluster.points import Products
from heterojax.cluster.points import Rows
from heterojax.cluster.points import centers_of
from heterojax.cluster.points import points_of
from heterojax.cluster.weights import weighted_mean
from heterojax.compute import sharded_rows


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
    x: `[N, D]`; float32 is computed in float32, all else in float64. Devices
      may divide the rows.
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
    ValueError: if shapes or numbers do not fit, `x` is not finite, or both or
      neither of `init` and `key` are given.
  """
  restarts.check(x, k, init, key, weights, n_init, max_iter)
  if init is not None and np.shape(init) != (k, np.shape(x)[1]):
    raise ValueError(
      f'init must be {[k, np.shape(x)[1]]}, not {list(np.shape(init))}'
    )
  if e := scale.exponent(x):
    run = kmeans(
      scale.times(x, -e),
      k,
      init=None if init is None else scale.times(init, -e),
      key=key,
      weights=weights,
      n_init=n_init,
      max_iter=max_iter,
      tol=tol,
    )
    return run._replace(
      centers=scale.times(run.centers, e),
      inertia=scale.times_square(run.inertia, e),
    )
  with precision.of(x), sharded_rows.of(x):
    x = jnp.asarray(x, precision.dtype_of(x))
    weights = None if weights is None else jnp.asarray(weights, x.dtype)
    cores_suit = by_cores.suits(x, weights)
    if key is not None:
      keys = jax.random.split(key, n_init)
      if cores_suit:
        starts = (_start(x, key, k) for key in keys)
        run = by_cores.best(x, starts, tol, max_iter)
      else:
        run = _fit(x, weights, keys, tol, k, max_iter)
    else:
      start = jnp.asarray(init, x.dtype)
      if cores_suit:
        run = by_cores.best(x, [start], tol, max_iter)
      else:
        run = _fit_from(x, weights, start, tol, max_iter)
    return restarts.finite(run, run.inertia, x)


def predict(
  x: jax.typing.ArrayLike, centers: jax.typing.ArrayLike
) -> jax.Array:
  """Nearest center of each sample, `[N]` int32; the first of equals."""
  if e := scale.exponent(x):
    x, centers = scale.times(x, -e), scale.times(centers, -e)
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
  own_k: int | jax.Array | None = None,
) -> KMeans:
  """`kmeans` of arrays, a restart per key `[n_init]`; not compiled.

  With `own_k` `[]` the clusters after so many do not exist: they have no
  member, and their centers are the mean of the data. Columns of zeros, which
  fill up what others have more, then do not change the tolerance either.
  """
  mean = weighted_mean(x, weights)
  points, _ = points_of(x, mean)
  exists, d = jnp.arange(k) < (k if own_k is None else own_k), x.shape[1]
  if own_k is not None:
    d = jnp.maximum(jnp.sum(jnp.any(x != 0, axis=0)), 1)
  threshold = _threshold(tol, points, d, weights)

  def restart(key: jax.Array) -> KMeans:
    init = points.at(plus_plus(key, points, k, weights, own_k))
    init = jnp.where(exists[:, None], init, 0)
    return lloyd.lloyd(points, weights, init, threshold, max_iter, exists)

  run = restarts.best(restart, keys, lambda runs: runs.inertia)
  return _finish(run, points, x, weights, mean)


_fit = jax.jit(fit, static_argnums=(4, 5))


@functools.partial(jax.jit, static_argnums=2)
def _start(x: jax.Array, key: jax.Array, k: int) -> jax.Array:
  """Starting centers `[K, D]` of a restart."""
  return x[plus_plus(key, points_of(x, weighted_mean(x, None))[0], k)]


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
  run = lloyd.lloyd(points, weights, start, threshold, max_iter, exists)
  return _finish(run, points, x, weights, mean, init)


def _threshold(
  tol: float,
  points: Points,
  d: int | jax.Array,
  weights: jax.Array | None,
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
  if not isinstance(points, Products):
    return run._replace(centers=centers)
  # Differences of rows cancel less than those of products.
  inertia = Rows(x).inertia(centers, run.labels, weights)
  return run._replace(centers=centers, inertia=inertia)


@jax.jit
def _predict(x: jax.Array, centers: jax.Array) -> jax.Array:
  # Scores are differences of squares, which an offset would drown.
  origin = jnp.mean(centers, axis=0)[None]
  return lloyd.argmin(Rows(x - origin).scores(centers - origin))

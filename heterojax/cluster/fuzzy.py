"""Fuzzy K-means (Bezdek 1981, Pattern Recognition with Fuzzy Objective
Function Algorithms, chapter 3), in the iteration of scikit-fuzzy's `cmeans`.

Axes: N samples, D features, K clusters. Inside, samples are the last axis,
along which a processor computes several at a time.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import precision
from heterojax.cluster import restarts
from heterojax.cluster import scale
from heterojax.cluster.weights import weighted_mean
from heterojax.cluster.weights import weights_of


class FuzzyKMeans(NamedTuple):
  """A fitted clustering.

  Attributes:
    centers: `[K, D]`.
    memberships: `[N, K]`, to these centers; each row sums to 1.
    labels: `[N]` int32, the cluster of largest membership, the first of equals.
    objective: `[]`, the weighted sum of membership^fuzzifier times squared
      distance, of these centers and the memberships that they were made of.
    n_iter: `[]` int32, iterations of the best restart.
  """

  centers: jax.Array
  memberships: jax.Array
  labels: jax.Array
  objective: jax.Array
  n_iter: jax.Array


class _State(NamedTuple):
  centers: jax.Array
  memberships: jax.Array  # [K, N]
  objective: jax.Array
  change: jax.Array  # Frobenius norm of the memberships' change.
  n_iter: jax.Array


def fuzzy_kmeans(
  x: jax.typing.ArrayLike,
  k: int,
  *,
  fuzzifier: float = 2.0,
  init: jax.typing.ArrayLike | None = None,
  key: jax.Array | None = None,
  weights: jax.typing.ArrayLike | None = None,
  n_init: int = 1,
  max_iter: int = 300,
  tol: float = 1e-4,
) -> FuzzyKMeans:
  """Clusters samples; the best of several restarts by objective.

  Where there are fewer different samples than clusters, centers coincide and
  share their memberships.

  Args:
    x: `[N, D]`; float32 is computed in float32, all else in float64.
    k: number of clusters, from 1 to N.
    fuzzifier: exponent of the memberships, above 1; towards 1 they become 0 or
      1, and large values make them equal.
    init: `[N, K]` starting memberships, not negative, each row with a positive
      one, for one run; without it each restart starts from uniform draws
      between 0 and 1, as scikit-fuzzy's.
    key: PRNG key of the restarts; it is consumed. Needed without `init`.
    weights: `[N]`, not negative: multiplicities; rows of weight 0 are only
      labelled.
    n_init: number of restarts.
    max_iter: iterations at most.
    tol: stop once the Frobenius norm of the change of the memberships, over all
      samples and clusters, is below it.

  Returns:
    The clustering.

  Raises:
    ValueError: if shapes or numbers do not fit, `x` is not finite, or both or
      neither of `init` and `key` are given.
  """
  restarts.check(x, k, init, key, weights, n_init, max_iter)
  check_fuzzifier(fuzzifier)
  if e := scale.exponent(x):
    run = fuzzy_kmeans(
      scale.times(x, -e),
      k,
      fuzzifier=fuzzifier,
      init=init,
      key=key,
      weights=weights,
      n_init=n_init,
      max_iter=max_iter,
      tol=tol,
    )
    return run._replace(
      centers=scale.times(run.centers, e),
      objective=scale.times_square(run.objective, e),
    )
  with precision.of(x):
    x = jnp.asarray(x, precision.dtype_of(x))
    weights = weights_of(x, weights)
    if key is not None:
      keys = jax.random.split(key, n_init)
      run = _fit(x, weights, keys, tol, k, fuzzifier, max_iter)
      return restarts.finite(run, run.objective, x)
    init = np.asarray(init)
    if init.shape != (len(x), k):
      raise ValueError(f'init must be {[len(x), k]}, not {list(init.shape)}')
    if not ((init >= 0).all() and (init.sum(axis=1) > 0).all()):
      raise ValueError('init must not be negative, nor have a row of zeros')
    init = jnp.asarray(init.T, x.dtype)
    run = _fit_from(x, weights, init, tol, fuzzifier, max_iter)
    return restarts.finite(run, run.objective, x)


def check_fuzzifier(fuzzifier: float) -> None:
  """Raises ValueError unless it is a finite number above 1."""
  if not 1 < fuzzifier < np.inf:
    raise ValueError(f'fuzzifier is {fuzzifier}, but must be above 1')


def memberships(
  x: jax.typing.ArrayLike,
  centers: jax.typing.ArrayLike,
  fuzzifier: float = 2.0,
) -> jax.Array:
  """Memberships `[N, K]` of `[N, D]` to fixed centers (`cmeans_predict`)."""
  check_fuzzifier(fuzzifier)
  if e := scale.exponent(x):
    x, centers = scale.times(x, -e), scale.times(centers, -e)
  with precision.of(x):
    dtype = precision.dtype_of(x)
    x, centers = jnp.asarray(x, dtype), jnp.asarray(centers, dtype)
    return _memberships_to(x, centers, fuzzifier)


def fit(
  x: jax.Array,
  weights: jax.Array,
  keys: jax.Array,
  tol: float,
  k: int,
  fuzzifier: float,
  max_iter: int,
  own_k: int | jax.Array | None = None,
) -> FuzzyKMeans:
  """`fuzzy_kmeans` of arrays, a restart per key `[n_init]`; not compiled.

  With `own_k` `[]` the clusters after so many do not exist: their memberships
  are 0, and their centers are the mean of the data.
  """
  existing = k if own_k is None else own_k
  # Rows first: those of a sample are the same however many follow.
  place = jnp.arange(len(x))[None] * existing + jnp.arange(k)[:, None]

  def restart(key: jax.Array) -> FuzzyKMeans:
    init = jax.random.uniform(key, (len(x) * k,), x.dtype)[place]
    return _run(x, weights, init, tol, fuzzifier, max_iter, existing)

  return restarts.best(restart, keys, lambda runs: runs.objective)


_fit = jax.jit(fit, static_argnums=(4, 5, 6))


@functools.partial(jax.jit, static_argnums=(4, 5))
def _fit_from(
  x: jax.Array,
  weights: jax.Array,
  init: jax.Array,
  tol: float,
  fuzzifier: float,
  max_iter: int,
) -> FuzzyKMeans:
  return _run(x, weights, init, tol, fuzzifier, max_iter, len(init))


@functools.partial(jax.jit, static_argnums=2)
def _memberships_to(
  x: jax.Array, centers: jax.Array, fuzzifier: float
) -> jax.Array:
  return _memberships(_squared_distances(x.T, centers), fuzzifier).T


def _run(
  x: jax.Array,
  weights: jax.Array,
  init: jax.Array,
  tol: float,
  fuzzifier: float,
  max_iter: int,
  own_k: int | jax.Array,
) -> FuzzyKMeans:
  """One run from memberships `[K, N]`."""
  k, eps = len(init), jnp.finfo(x.dtype).eps
  exists = (jnp.arange(k) < own_k)[:, None]
  # Distances do not change with the origin; their rounding errors do.
  mean = weighted_mean(x, weights)
  x = x - mean[None]
  columns = x.T

  def going(state: _State) -> jax.Array:
    return (state.n_iter < max_iter) & ~(state.change < tol)

  def iterate(state: _State) -> _State:
    # The floor of scikit-fuzzy; it keeps every cluster from being empty.
    floored = jnp.maximum(state.memberships, eps)
    shares = weights[None] * _power(floored, fuzzifier)
    shares = jnp.where(exists, shares, 0)
    # Only an exponent that takes the floor to 0 leaves a sum of 0.
    total = jnp.maximum(jnp.sum(shares, axis=1), jnp.finfo(x.dtype).tiny)
    centers = jnp.matmul(shares, x, precision='highest') / total[:, None]
    apart = _squared_distances(columns, centers)
    new = _memberships(jnp.where(exists, apart, jnp.inf), fuzzifier)
    change = weights[None] * (new - state.memberships) ** 2
    return _State(
      centers=centers,
      memberships=new,
      objective=jnp.sum(shares * apart),
      change=jnp.sqrt(jnp.sum(change)),
      n_iter=state.n_iter + 1,
    )

  init = jnp.where(exists, jnp.maximum(init, eps), 0)
  start = _State(
    centers=jnp.zeros((k, x.shape[1]), x.dtype),
    memberships=init / jnp.sum(init, axis=0)[None],
    objective=jnp.asarray(jnp.inf, x.dtype),
    change=jnp.asarray(jnp.inf, x.dtype),
    n_iter=jnp.asarray(0, jnp.int32),
  )
  end = jax.lax.while_loop(going, iterate, start)
  return FuzzyKMeans(
    centers=end.centers + mean[None],
    memberships=end.memberships.T,
    labels=jnp.argmax(end.memberships, axis=0).astype(jnp.int32),
    objective=end.objective,
    n_iter=end.n_iter,
  )


def _squared_distances(columns: jax.Array, centers: jax.Array) -> jax.Array:
  """`[K, N]` from `[D, N]` and `[K, D]`; differences are 0 at a center."""
  return jnp.sum((columns[None] - centers[:, :, None]) ** 2, axis=1)


def _memberships(apart: jax.Array, fuzzifier: float) -> jax.Array:
  """`[K, N]`: proportional to squared distance^(-1 / (fuzzifier - 1)).

  Each distance is compared with the smallest one, so that no power overflows,
  and those that underflow are of clusters that have no share.
  """
  nearest = jnp.min(apart, axis=0)[None]
  # On a center, 0 / 0: that one has all, in equal parts with its equals.
  positive = jnp.where(apart > 0, apart, 1)
  ratio = jnp.where(apart > nearest, nearest / positive, 1)
  power = _power(ratio, 1 / (fuzzifier - 1))
  return power / jnp.sum(power, axis=0)[None]


def _power(base: jax.Array, exponent: float) -> jax.Array:
  """Whole exponents, as of the fuzzifiers 2 and 1.5, by multiplications."""
  if abs(exponent - round(exponent)) < 1e-9:
    return jax.lax.integer_pow(base, round(exponent))
  return base**exponent

"""Gaussian mixture with scikit-learn's semantics
(`sklearn.mixture.GaussianMixture`: expectation maximisation from K-means).

Axes: N samples, D features, K components.
"""

from collections.abc import Callable
import functools
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import precision
from heterojax.cluster import restarts
from heterojax.cluster.kmeans import fit as fit_kmeans
from heterojax.cluster.weights import weighted_mean
from heterojax.cluster.weights import weights_of

Covariance = Literal['full', 'diag', 'spherical']
COVARIANCES = get_args(Covariance)

# scikit-learn's KMeans with n_init=1 gives the first responsibilities.
_KMEANS_TOL, _KMEANS_ITERATIONS = 1e-4, 300


class GaussianMixture(NamedTuple):
  """A fitted mixture.

  Attributes:
    weights: `[K]`, they sum to 1.
    means: `[K, D]`.
    covariances: `[K, D, D]` if full, `[K, D]` if diagonal, `[K]` if spherical.
    memberships: `[N, K]`, posterior probabilities; each row sums to 1.
    labels: `[N]` int32, the most probable component, the first of equals.
    lower_bound: `[]`, mean log-likelihood of a sample at the last step
      (scikit-learn's `lower_bound_`).
    n_iter: `[]` int32, steps of the best restart.
  """

  weights: jax.Array
  means: jax.Array
  covariances: jax.Array
  memberships: jax.Array
  labels: jax.Array
  lower_bound: jax.Array
  n_iter: jax.Array


class _Model(NamedTuple):
  weights: jax.Array
  means: jax.Array
  covariances: jax.Array
  factors: jax.Array  # Upper triangular U with precision U U'; or 1 / sd.


class _State(NamedTuple):
  model: _Model
  lower_bound: jax.Array
  change: jax.Array
  n_iter: jax.Array


def gaussian_mixture(
  x: jax.typing.ArrayLike,
  k: int,
  *,
  covariance: Covariance = 'full',
  init: tuple[jax.typing.ArrayLike, ...] | None = None,
  key: jax.Array | None = None,
  weights: jax.typing.ArrayLike | None = None,
  n_init: int = 1,
  max_iter: int = 100,
  tol: float = 1e-3,
  reg_covar: float = 1e-6,
) -> GaussianMixture:
  """Fits a mixture; the best of several restarts by lower bound.

  A component that has lost all samples keeps the regularised variance and a
  weight of nearly 0, as scikit-learn's; its mean is that of the data.

  Args:
    x: `[N, D]`; float32 is computed in float32, all else in float64.
    k: number of components, from 1 to N.
    covariance: 'full', 'diag' or 'spherical'.
    init: weights `[K]`, means `[K, D]` and precisions (of the shape of the
      covariances), for one run; without it each restart starts from `kmeans`.
    key: PRNG key of the restarts; it is consumed. Needed without `init`.
    weights: `[N]`, not negative: multiplicities; rows of weight 0 are only
      labelled.
    n_init: number of restarts.
    max_iter: steps at most.
    tol: stop once the lower bound changes by less.
    reg_covar: added to all variances. Where float32 or large numbers make the
      rounding of a covariance larger than it, that is added instead, for which
      scikit-learn raises an error.

  Returns:
    The mixture.

  Raises:
    ValueError: if shapes or numbers do not fit, `x` is not finite, or both or
      neither of `init` and `key` are given.
  """
  restarts.check(x, k, init, key, weights, n_init, max_iter)
  check_covariance(covariance)
  with precision.of(x):
    x = jnp.asarray(x, precision.dtype_of(x))
    weights = weights_of(x, weights)
    if key is not None:
      keys = jax.random.split(key, n_init)
      run = _fit(x, weights, keys, tol, reg_covar, k, covariance, max_iter)
      return restarts.finite(run, run.lower_bound, x)
    init = tuple(jnp.asarray(leaf, x.dtype) for leaf in init or ())
    _check_init(init, k, x.shape[1], covariance)
    run = _fit_from(x, weights, init, tol, reg_covar, covariance, max_iter)
    return restarts.finite(run, run.lower_bound, x)


def check_covariance(covariance: str) -> None:
  """Raises ValueError unless it is one of the three kinds."""
  if covariance not in COVARIANCES:
    raise ValueError(
      f'covariance is {covariance!r}, but must be one of'
      f' {", ".join(COVARIANCES)}'
    )


def _check_init(
  init: tuple[jax.Array, ...], k: int, d: int, covariance: Covariance
) -> None:
  shapes = {'full': (k, d, d), 'diag': (k, d), 'spherical': (k,)}
  want = [(k,), (k, d), shapes[covariance]]
  if [leaf.shape for leaf in init] != want:
    raise ValueError(
      f'init must be weights, means and precisions {want}, not'
      f' {[leaf.shape for leaf in init]}'
    )


def fit(
  x: jax.Array,
  weights: jax.Array,
  keys: jax.Array,
  tol: float,
  reg_covar: float,
  k: int,
  covariance: Covariance,
  max_iter: int,
  own_k: int | jax.Array | None = None,
) -> GaussianMixture:
  """`gaussian_mixture` of arrays, a restart per key; not compiled.

  With `own_k` `[]` the components after so many do not exist: their weights and
  memberships are 0, and their means are that of the data.
  """
  existing = k if own_k is None else own_k

  def restart(key: jax.Array) -> GaussianMixture:
    hard = fit_kmeans(
      x, weights, key[None], _KMEANS_TOL, k, _KMEANS_ITERATIONS, existing
    )
    shares = jax.nn.one_hot(hard.labels, k, dtype=x.dtype)

    def first(centred):
      return _estimate(
        centred, weights, shares, existing, reg_covar, covariance
      )

    return _run(
      x, weights, first, existing, tol, reg_covar, covariance, max_iter
    )

  return restarts.best(restart, keys, lambda runs: -runs.lower_bound)


_fit = jax.jit(fit, static_argnums=(5, 6, 7))


@functools.partial(jax.jit, static_argnums=(5, 6))
def _fit_from(
  x: jax.Array,
  weights: jax.Array,
  init: tuple[jax.Array, ...],
  tol: float,
  reg_covar: float,
  covariance: Covariance,
  max_iter: int,
) -> GaussianMixture:
  shares, means, precisions = init
  if covariance == 'full':
    # Reversed, the upper factor of the precision is its lower one.
    lower = jnp.linalg.cholesky(precisions[:, ::-1, ::-1])
    factors = lower[:, ::-1, ::-1]
  else:
    factors = jnp.sqrt(precisions)
  means = means - weighted_mean(x, weights)[None]
  model = _Model(shares, means, jnp.zeros_like(precisions), factors)
  return _run(
    x,
    weights,
    lambda _: model,
    len(means),
    tol,
    reg_covar,
    covariance,
    max_iter,
  )


def _run(
  x: jax.Array,
  weights: jax.Array,
  first: Callable[[jax.Array], _Model],
  own_k: int | jax.Array,
  tol: float,
  reg_covar: float,
  covariance: Covariance,
  max_iter: int,
) -> GaussianMixture:
  """One run from the model that `first` makes of the centred data."""
  # Densities do not change with the origin; their rounding errors do.
  mean = weighted_mean(x, weights)
  x = x - mean[None]

  def going(state: _State) -> jax.Array:
    return (state.n_iter < max_iter) & ~(state.change < tol)

  def iterate(state: _State) -> _State:
    joint = _log_joint(x, state.model, covariance)
    density = jax.nn.logsumexp(joint, axis=1)
    bound = jnp.sum(weights * density) / jnp.sum(weights)
    shares = jnp.exp(joint - density[:, None])
    return _State(
      model=_estimate(x, weights, shares, own_k, reg_covar, covariance),
      lower_bound=bound,
      change=jnp.abs(bound - state.lower_bound),
      n_iter=state.n_iter + 1,
    )

  start = _State(
    model=first(x),
    lower_bound=jnp.asarray(-jnp.inf, x.dtype),
    change=jnp.asarray(jnp.inf, x.dtype),
    n_iter=jnp.asarray(0, jnp.int32),
  )
  end = jax.lax.while_loop(going, iterate, start)
  joint = _log_joint(x, end.model, covariance)
  return GaussianMixture(
    weights=end.model.weights,
    means=end.model.means + mean[None],
    covariances=end.model.covariances,
    memberships=jax.nn.softmax(joint, axis=1),
    labels=jnp.argmax(joint, axis=1).astype(jnp.int32),
    lower_bound=end.lower_bound,
    n_iter=end.n_iter,
  )


def _estimate(
  x: jax.Array,
  weights: jax.Array,
  shares: jax.Array,
  own_k: int | jax.Array,
  reg_covar: float,
  covariance: Covariance,
) -> _Model:
  """The model of responsibilities `[N, K]` (the M-step)."""
  d, eps = x.shape[1], jnp.finfo(x.dtype).eps
  shares = weights[:, None] * shares
  totals = jnp.sum(shares, axis=0) + 10 * eps
  means = jnp.matmul(shares.T, x, precision='highest') / totals[:, None]
  # Differences, [K, N, D]: a mean square less a squared mean would cancel.
  apart = x[None] - means[:, None]
  weighted = shares.T[:, :, None] * apart
  if covariance == 'full':
    products = jnp.matmul(
      jnp.swapaxes(weighted, 1, 2), apart, precision='highest'
    )
    covariances = products / totals[:, None, None]
    # The factorisation of a singular matrix fails by as much as this.
    rounding = d * eps * jnp.trace(covariances, axis1=1, axis2=2)
    added = jnp.maximum(reg_covar, rounding)
    covariances += added[:, None, None] * jnp.eye(d, dtype=x.dtype)[None]
    lower = jnp.linalg.cholesky(covariances)
    identity = jnp.broadcast_to(jnp.eye(d, dtype=x.dtype), lower.shape)
    factors = jnp.swapaxes(
      jax.lax.linalg.triangular_solve(
        lower, identity, left_side=True, lower=True
      ),
      1,
      2,
    )
  else:
    variances = jnp.sum(weighted * apart, axis=1) / totals[:, None]
    covariances = variances + reg_covar
    if covariance == 'spherical':
      covariances = jnp.mean(covariances, axis=1)
    factors = 1 / jnp.sqrt(covariances)
  totals = jnp.where(jnp.arange(len(totals)) < own_k, totals, 0)
  return _Model(totals / jnp.sum(totals), means, covariances, factors)


def _log_joint(
  x: jax.Array, model: _Model, covariance: Covariance
) -> jax.Array:
  """Log of weight times density, `[N, K]` (the E-step)."""
  d = x.shape[1]
  apart = x[None] - model.means[:, None]
  if covariance == 'full':
    scaled = jnp.matmul(apart, model.factors, precision='highest')
    diagonal = jnp.diagonal(model.factors, axis1=1, axis2=2)
    half_log_det = jnp.sum(jnp.log(diagonal), axis=1)
  elif covariance == 'diag':
    scaled = apart * model.factors[:, None]
    half_log_det = jnp.sum(jnp.log(model.factors), axis=1)
  else:
    scaled = apart * model.factors[:, None, None]
    half_log_det = d * jnp.log(model.factors)
  square = jnp.sum(scaled**2, axis=2).T
  constant = jnp.log(model.weights) + half_log_det - d / 2 * np.log(2 * np.pi)
  return constant[None] - square / 2

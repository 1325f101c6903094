"""Many clusterings: every training of every part by one compiled program.

Axes: P parts, R trainings, N rows, Q components, K clusters, L lanes (trainings
that one call of the program runs).
"""

from collections.abc import Sequence
import dataclasses
import functools
from typing import Literal, NamedTuple, get_args

import jax
import numpy as np

from heterojax.cluster import forms
from heterojax.cluster import fuzzy
from heterojax.cluster import mixture
from heterojax.cluster import precision
from heterojax.cluster import scale
from heterojax.cluster import weights as weights_lib
from heterojax.cluster.kmeans import fit as fit_kmeans

Method = Literal['kmeans', 'fuzzy', 'gmm']
METHODS = get_args(Method)

# scikit-learn's default; no study has a reason to change it.
_REG_COVAR = 1e-6
# It is added to variances: below 2^-6 in size all would be one component.
_LEAST_EXPONENT = -6
# Lanes of an accelerator, and the N x Q x K numbers of all of them at most.
_LANES, _LARGEST = 64, 2**26


@dataclasses.dataclass(frozen=True)
class Algorithm:
  """What is fitted, and how.

  Attributes:
    method: 'kmeans', 'fuzzy' (fuzzy K-means) or 'gmm' (Gaussian mixture).
    k: number of clusters, the largest of the parts where they differ.
    n_init: restarts of a training, of which the best is kept.
    max_iter: iterations at most.
    tol: as in `kmeans`, `fuzzy_kmeans` and `gaussian_mixture`.
    fuzzifier: of fuzzy K-means, above 1.
    covariance: of the mixture: 'full', 'diag' or 'spherical'.
  """

  method: Method
  k: int
  n_init: int = 1
  max_iter: int = 300
  tol: float = 1e-4
  fuzzifier: float = 2.0
  covariance: mixture.Covariance = 'full'

  def __post_init__(self):
    if self.method not in METHODS:
      raise ValueError(
        f'method is {self.method!r}, but must be one of {", ".join(METHODS)}'
      )
    if min(self.k, self.n_init, self.max_iter) < 1:
      raise ValueError('k, n_init and max_iter must be 1 or more')
    fuzzy.check_fuzzifier(self.fuzzifier)
    mixture.check_covariance(self.covariance)


class Partitions(NamedTuple):
  """Fitted clusterings.

  Attributes:
    centers: `[P, R, K, Q]`; the means of a mixture.
    labels: `[P, R, N]` int32, the cluster of largest membership.
    memberships: `[P, R, N, K]`; 0 or 1 for K-means.
    objective: `[P, R]`, smaller is better: inertia, the fuzzy objective, or the
      negative mean log-likelihood.
    n_iter: `[P, R]` int32, iterations of the restart that was kept.
  """

  centers: np.ndarray
  labels: np.ndarray
  memberships: np.ndarray
  objective: np.ndarray
  n_iter: np.ndarray


# The fields of `Partitions` inside of a program.
_Fitted = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]


def partitions(
  z: jax.typing.ArrayLike,
  weights: jax.typing.ArrayLike,
  keys: jax.Array,
  algorithm: Algorithm,
  k: jax.typing.ArrayLike | Sequence[int] | None = None,
) -> Partitions:
  """Fits every training of every part.

  A training is that of `kmeans`, `fuzzy_kmeans` or `gaussian_mixture` with its
  part, weights, key and number of clusters, whatever the others are. Where a
  part has fewer different fitted rows than clusters, or all are equal, centers
  coincide and hard clusters are empty; nothing raises and nothing is NaN.

  One program serves any number of parts and trainings and all `k`: compiling it
  takes longer than most studies run it.

  Args:
    z: `[P, N, Q]`, finite, of any size; float32 is computed in float32, all
      else in float64.
      Parts of fewer rows are padded to one N with rows of weight 0.
    weights: `[P, N]`, not negative: whole numbers are multiplicities, and rows
      of weight 0 (test images, padding) are not fitted, only labelled.
    keys: `[P, R]` PRNG keys; they are consumed.
    algorithm: what is fitted.
    k: `[P]` ints, from 1 to K = `algorithm.k`: number of clusters of each part,
      K without it. The clusters after so many have no member, memberships of 0
      and the mean of the fitted rows as their center.

  Returns:
    The clusterings.

  Raises:
    ValueError: if shapes or numbers do not fit, or a part has no row to fit.
  """
  z, weights = np.asarray(z, precision.dtype_of(z)), np.asarray(weights)
  if z.ndim != 3 or algorithm.k > z.shape[1]:
    raise ValueError(
      f'z must be [P, N, Q] with N >= k = {algorithm.k}, not {list(z.shape)}'
    )
  if keys.ndim != 2 or len(keys) != len(z) or not keys.size:
    raise ValueError(f'keys must be [{len(z)}, R], not {list(keys.shape)}')
  weights_lib.check(weights, z.shape[:2])
  k = np.full(len(z), algorithm.k) if k is None else np.asarray(k)
  whole = k.shape == (len(z),) and np.issubdtype(k.dtype, np.integer)
  if not (whole and 1 <= k.min() <= k.max() <= algorithm.k):
    raise ValueError(
      f'k must be {len(z)} whole numbers from 1 to {algorithm.k}, not {k}'
    )
  # By what is fitted: an outlier of the others must not make that vanish.
  least = _LEAST_EXPONENT if algorithm.method == 'gmm' else None
  exponents = [
    scale.exponent(part, own[:, None] > 0, least)
    for part, own in zip(z, weights, strict=True)
  ]
  if any(exponents):
    z = np.ldexp(z, -np.array(exponents)[:, None, None])
    found = partitions(z, weights, keys, algorithm, k)
    return _of_scale(found, exponents, algorithm.method)
  _, n, q = z.shape
  number, lanes = keys.size, _lanes(n, q, algorithm.k)
  # On the host, for on a device even this would be a program for each P and R.
  streams = np.asarray(jax.random.key_data(keys)).reshape(number, -1)
  runs = []
  with precision.of(z):
    for start in range(0, number, lanes):
      lane = np.arange(start, start + lanes).clip(max=number - 1)
      part = lane // keys.shape[1]
      runs.append(
        _trainings(
          # Of one lane they are no copy.
          z[part] if lanes > 1 else z[part[0]][None],
          weights[part].astype(z.dtype),
          streams[lane],
          k[part].astype(np.int32),
          algorithm,
          jax.random.key_impl(keys),
        )
      )
    runs = jax.device_get(runs)

  def of_all(*leaves: np.ndarray) -> np.ndarray:
    values = np.concatenate(leaves)[:number]
    return values.reshape(keys.shape + values.shape[1:])

  return Partitions(*(of_all(*leaves) for leaves in zip(*runs, strict=True)))


def _of_scale(
  found: Partitions, exponents: Sequence[int], method: Method
) -> Partitions:
  """Clusterings in the terms of parts that were divided by 2^e."""
  e = np.array(exponents)
  objective = np.asarray(found.objective, np.float64)
  if method == 'gmm':  # Of a density, in each of the dimensions.
    objective = objective + e[:, None] * found.centers.shape[-1] * np.log(2)
  else:
    objective = np.ldexp(objective, 2 * e[:, None])
  centers = np.ldexp(found.centers, e[:, None, None, None])
  return found._replace(centers=centers, objective=objective)


def _lanes(n: int, q: int, k: int) -> int:
  """How many trainings one call runs."""
  # On two cores and with Q = 10, 16 side by side took 0.1 ms less or more each
  # at N = 75, which is what a call costs; but 1.4 to 4 times as long at
  # N = 366, as all wait for the slowest, and 5 to 10 times at N = 2928.
  if forms.are_of_cpu():
    return 1
  return max(1, min(_LANES, _LARGEST // (n * q * k)))


@functools.partial(jax.jit, static_argnums=(4, 5))
def _trainings(
  z: jax.Array,
  weights: jax.Array,
  streams: jax.Array,
  own_k: jax.Array,
  algorithm: Algorithm,
  impl: str,
) -> _Fitted:
  """`[L, ...]`, from the data of each lane and that of its key."""

  def training(x, weights, stream, own_k) -> _Fitted:
    key = jax.random.wrap_key_data(stream, impl=impl)
    keys = jax.random.split(key, algorithm.n_init)
    return _fit(x, weights, keys, own_k, algorithm)

  if len(z) == 1:  # With a vmap both sides of a condition are computed.
    run = training(z[0], weights[0], streams[0], own_k[0])
    return jax.tree.map(lambda leaf: leaf[None], run)
  return jax.vmap(training)(z, weights, streams, own_k)


def _fit(
  x: jax.Array,
  weights: jax.Array,
  keys: jax.Array,
  own_k: jax.Array,
  algorithm: Algorithm,
) -> _Fitted:
  """One training."""
  k, tol, max_iter = algorithm.k, algorithm.tol, algorithm.max_iter
  if algorithm.method == 'kmeans':
    run = fit_kmeans(x, weights, keys, tol, k, max_iter, own_k)
    hard = jax.nn.one_hot(run.labels, k, dtype=x.dtype)
    return run.centers, run.labels, hard, run.inertia, run.n_iter
  if algorithm.method == 'fuzzy':
    run = fuzzy.fit(
      x, weights, keys, tol, k, algorithm.fuzzifier, max_iter, own_k
    )
    return run.centers, run.labels, run.memberships, run.objective, run.n_iter
  kind = algorithm.covariance
  run = mixture.fit(x, weights, keys, tol, _REG_COVAR, k, kind, max_iter, own_k)
  loss = -run.lower_bound
  return run.means, run.labels, run.memberships, loss, run.n_iter

"""Principal components with scikit-learn's conventions.

Where there are more than 8,192 rows and more columns than that, they are found
in two reads of the data (`range_finder`), and are an approximation. Else:

The N x N or D x D second moments, whichever are smaller, are computed on the
device and decomposed on the host, both in float64: products or an eigensolver
in float32 lose exactly the trailing components that small eigengaps separate
(an angle of 5e-3 where the spectrum falls as rank^-1.5), and LAPACK on the host
is the same solver for every backend.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import moments
from heterojax.cluster import precision
from heterojax.cluster import range_finder
from heterojax.cluster import scale
from heterojax.cluster import spectrum
from heterojax.cluster.products import centred
from heterojax.cluster.products import chunks
from heterojax.cluster.products import of_rows
from heterojax.compute import cores
from heterojax.compute import platform
from heterojax.compute import row_blocks
from heterojax.compute.arrays import Array

# Rows or columns, whichever are fewer, of which all products are decomposed.
_MOST_EXACT = 8192
# Of a unit vector, what must be orthogonal to those before it.
_NEARLY = 0.9


class PCA(NamedTuple):
  """A fitted reduction (names as in `sklearn.decomposition.PCA`).

  Attributes:
    mean: `[D]`.
    components: `[Q, D]`, orthonormal rows; in each the entry of largest
      magnitude is positive (`svd_flip` with `u_based_decision=False`).
    explained_variance: `[Q]`, with N - 1 in the denominator.
    explained_variance_ratio: `[Q]`, of the total variance.
    singular_values: `[Q]` of the centred data.
  """

  mean: jax.Array
  components: jax.Array
  explained_variance: jax.Array
  explained_variance_ratio: jax.Array
  singular_values: jax.Array

  def explained(self, q: int | None = None) -> float:
    """Share of the variance that the first q components explain, or all Q."""
    share = np.sum(np.asarray(self.explained_variance_ratio, np.float64)[:q])
    return min(1.0, float(share))  # Of all of it rounding may make more.


def pca(
  x: Array,
  n_components: int | float,
  rows: np.ndarray | None = None,
) -> PCA:
  """Fits principal components, exactly or as `approximate` says.

  Args:
    x: `[N, D]`, with more rows than columns or fewer.
    n_components: Q, from 1 to min(N, D); or a share of the variance between 0
      and 1, which the fewest components that explain more than it are kept for.
    rows: int, those of `x` that are the N, as in `x[rows]`, but that no copy is
      made of them; without them, all.

  Returns:
    The reduction, float32 for float32 data and float64 for all other; variances
    of numbers whose squares no float32 holds are float64.

  Raises:
    ValueError: if Q is out of range, or `x` is not a matrix of two rows or more
      or not finite.
  """
  dtype = precision.dtype_of(x)
  shape = np.shape(x)
  if rows is not None:
    shape = len(rows), *shape[1:]
  if len(shape) != 2 or shape[0] < 2:
    raise ValueError(f'x must be [N, D] with N >= 2, not {list(shape)}')
  if n_components not in range(1, min(shape) + 1) and not 0 < n_components < 1:
    raise ValueError(
      f'n_components is {n_components}, but must be from 1 to min(N, D) ='
      f' {min(shape)}, or a share of the variance between 0 and 1'
    )
  if e := scale.exponent_of_rows(x, rows):
    x = row_blocks.taken(np.asarray(x), rows)
    return _of_scale(pca(scale.times(x, -e), n_components), e)
  if approximate(*shape):
    return _randomised(x, n_components, rows)
  wide = shape[0] <= shape[1]
  # With X the centred data, X = U S V': the smaller of X X' = U S^2 U' and
  # X' X = V S^2 V' is decomposed, and V follows from U as V = X' U / S.
  with platform.float64():
    x = cores.placed(x, dtype)
    mean = moments.mean(x, rows)
    products = moments.second_moments(x, mean, wide, rows)
    if not np.isfinite(products).all():
      raise ValueError('x holds values that are not finite')
    # Only what is kept: the variance of all is the trace.
    values, vectors = spectrum.leading(products.T, n_components)
    if wide:
      own = row_blocks.taken(x, rows)
      found = _back_project(own, mean, jnp.asarray(vectors))
      components, independent = _orthonormal(found)
      if not independent:
        # Beyond the rank S is zero and X' U is noise, which overlaps with the
        # other rows; Gram-Schmidt leaves those as they are and completes them.
        found = np.asarray(found, np.float64)
        components = jnp.asarray(np.linalg.qr(found.T).Q.T)
    else:
      components = jnp.asarray(vectors.T)
    kept, total = jnp.asarray(values), jnp.asarray(np.trace(products))
    return _finish(mean, components, kept, total, shape[0], dtype)


def approximate(n: int, width: int) -> str | None:
  """How the components of `[n, width]` are approximated; None if they are not.

  Returns:
    'randomised' where both sides are more than second moments can be decomposed
    of.
  """
  return 'randomised' if min(n, width) > _MOST_EXACT else None


def _randomised(
  x: Array, n_components: int | float, rows: np.ndarray | None
) -> PCA:
  """`pca` of data whose second moments are more than can be decomposed."""
  if n_components < 1:
    raise ValueError(
      'a share of the variance needs all components, which are not computed of'
      f' more than {_MOST_EXACT} rows and columns: give their number'
    )
  dtype = precision.dtype_of(x)
  found = range_finder.find(np.asarray(x, dtype), int(n_components), rows)
  with platform.float64():
    return _finish(
      jnp.asarray(found.mean),
      jnp.asarray(found.components),
      jnp.asarray(found.values),
      jnp.asarray(found.total),
      len(x if rows is None else rows),
      dtype,
    )


def _of_scale(fitted: PCA, e: int) -> PCA:
  """The reduction of `x * 2^e` from that of `x`."""
  values = np.asarray(fitted.singular_values, np.float64)
  return fitted._replace(
    mean=scale.times(fitted.mean, e),
    explained_variance=scale.times_square(fitted.explained_variance, e),
    singular_values=scale.times(values, e),
  )


def transform(
  reduction: PCA, x: Array, rows: np.ndarray | None = None
) -> jax.Array:
  """Coordinates in the components, in the type of `x`.

  Args:
    reduction: the components of D features.
    x: `[P, D]`.
    rows: `[N]` int, those that are wanted; without them, all.

  Returns:
    `[N, Q]`.
  """
  n, width = np.shape(x) if rows is None else (len(rows), np.shape(x)[1])
  large = row_blocks.is_large(n, width)
  if rows is not None and not large:
    x, rows = x[rows], None
  if e := scale.exponent_of_rows(x, rows):
    moved = reduction._replace(mean=scale.times(reduction.mean, -e))
    x = row_blocks.taken(np.asarray(x), rows)
    with precision.of(x):
      return jnp.asarray(scale.times(transform(moved, scale.times(x, -e)), e))
  with precision.of(x):
    dtype = precision.dtype_of(x)
    mean = jnp.asarray(reduction.mean, dtype)
    components = jnp.asarray(reduction.components, dtype)
    if isinstance(x, np.ndarray) and large:
      found, start = np.empty((n, len(components)), dtype), 0
      for block in row_blocks.of(x, rows):
        part = _transform(jnp.asarray(block, dtype), mean, components)
        found[start : start + len(block)] = part
        start += len(block)
      return jnp.asarray(found)
    return _transform(jnp.asarray(x, dtype), mean, components)


def coordinates(
  reduction: PCA, x: Array, rows: np.ndarray | None = None
) -> jax.Array:
  """`transform`, but zero in components whose direction is arbitrary.

  Those are the ones beyond the rank of the data that were fitted.
  """
  values = np.asarray(reduction.singular_values, np.float64)
  # They may come from float32 numbers.
  least = values.max(initial=0) * np.finfo(np.float32).eps
  rank = int(np.sum(values > least))
  with precision.of(x):
    found = transform(reduction, x, rows)
    return found if rank >= found.shape[1] else found.at[:, rank:].set(0)


@jax.jit
def _transform(
  x: jax.Array, mean: jax.Array, components: jax.Array
) -> jax.Array:
  # (x - m) C' = x C' - m C' would cancel; the centred copy does not. Nor may an
  # accelerator round the factors, as it does by default.
  return jnp.matmul(x - mean[None], components.T, precision='highest')


@jax.jit
def _back_project(
  x: jax.Array, mean: jax.Array, vectors: jax.Array
) -> jax.Array:
  """`U'(X - m)`, `[Q, D]`, chunk of columns by chunk of columns."""
  directions = vectors.T.astype(x.dtype)

  def project(start: jax.typing.ArrayLike, size: int) -> jax.Array:
    chunk = centred(x, mean, start, size, 1).astype(x.dtype)
    return jnp.matmul(directions, chunk, precision='highest')

  chunk, whole, rest = chunks(x.shape[1])
  starts = jnp.arange(whole) * chunk
  body = jax.lax.map(lambda start: project(start, chunk), starts)
  body = jnp.moveaxis(body, 0, 1).reshape(len(directions), -1)
  return jnp.concatenate([body, project(whole * chunk, rest)], axis=1)


@jax.jit
def _orthonormal(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Rows after Gram-Schmidt, and whether they were nearly orthogonal before.

  With `R R' = L L'` the rows of `L^-1 R` are orthonormal: a product instead of
  reflections, and as accurate where L is nearly diagonal.
  """
  length = jnp.sqrt(jnp.sum(rows.astype(jnp.float64) ** 2, axis=1))
  rows = rows / length[:, None].astype(rows.dtype)
  zero = jnp.zeros(rows.shape[1])
  factor = jnp.linalg.cholesky(of_rows([rows], zero))
  inverse = jax.scipy.linalg.solve_triangular(
    factor, jnp.eye(len(rows)), lower=True
  )
  # A factor that does not exist is of NaN.
  independent = jnp.min(jnp.diagonal(factor)) > _NEARLY
  result = jnp.matmul(inverse.astype(rows.dtype), rows, precision='highest')
  return result, independent & jnp.all(jnp.isfinite(inverse))


@functools.partial(jax.jit, static_argnums=(4, 5))
def _finish(
  mean: jax.Array,
  components: jax.Array,
  kept: jax.Array,
  total: jax.Array,
  n: int,
  dtype: np.dtype,
) -> PCA:
  """The sign rule, and the variances from the eigenvalues."""
  largest = jnp.argmax(jnp.abs(components), axis=1, keepdims=True)
  signs = jnp.sign(jnp.take_along_axis(components, largest, axis=1))
  # The solver may return the smallest of numbers for a matrix of zeros.
  kept = jnp.where(total > 0, jnp.clip(kept, 0), 0.0)
  fitted = PCA(
    mean=mean,
    components=components * jnp.where(signs < 0, -1.0, 1.0),
    explained_variance=kept / (n - 1),
    explained_variance_ratio=kept / jnp.where(total > 0, total, 1.0),
    singular_values=jnp.sqrt(kept),
  )
  return jax.tree.map(lambda leaf: leaf.astype(dtype), fitted)

"""Mean and second moments, in float64.

Accelerators compute them where the data are. XLA has no product that knows its
result to be symmetric; on CPU the one of BLAS does half of the work.

Axes: N samples, D features.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import blas

from heterojax.cluster import products
from heterojax.compute import row_blocks
from heterojax.compute import sharded_rows
from heterojax.compute.arrays import Array

# Rows or columns that are centred at once, instead of a copy of all.
_CHUNK = 1024
_SYRK: Any = blas.get_blas_funcs('syrk', dtype=np.float64)


def mean(x: Array, rows: np.ndarray | None = None) -> Array:
  """`[D]` float64 of `[N, D]`, or of some of its rows, where the data are.

  On the host no copy is made of a large one. One row is added after the other
  then, as `np.mean` does, so that no block's size has a part in the sum.
  """
  if not isinstance(x, np.ndarray):
    return jnp.mean(x if rows is None else x[rows], axis=0, dtype=np.float64)
  n = len(x if rows is None else rows)
  if not row_blocks.is_large(n, x.shape[1]):
    own = x if rows is None else x[rows]
    return np.asarray(np.mean(own, axis=0, dtype=np.float64))
  total = np.zeros((1, x.shape[1]))
  for block in row_blocks.of(x, rows):
    total = np.sum(np.concatenate([total, block]), axis=0, keepdims=True)
  return total[0] / n


def second_moments(
  x: Array, mean: Array, wide: bool, rows: np.ndarray | None = None
) -> np.ndarray:
  """Inner products of the rows or of the columns of centred data.

  Args:
    x: `[N, D]`; in the memory of the host BLAS computes. Devices may divide
      the rows.
    mean: `[D]` float64.
    wide: whether of the rows.
    rows: `[n]` int, those that the data are; without them, all.

  Returns:
    With X the centred data `X X'` `[N, N]` or `X' X` `[D, D]` float64, of which
    only what is not below the diagonal counts.
  """
  if not isinstance(x, np.ndarray):
    x = x if rows is None else x[rows]
    with sharded_rows.of(x):
      return np.asarray(_on_device(x, mean, wide))
  shape = len(x if rows is None else rows), x.shape[1]
  size, length = shape if wide else shape[::-1]
  total = np.zeros((size, size), order='F')
  with np.errstate(invalid='ignore'):  # Of infinite numbers.
    for start in range(0, length, _CHUNK):
      chunk = slice(start, start + _CHUNK)
      if wide:
        part = x[:, chunk] if rows is None else x[:, chunk][rows]
        part = part - mean[chunk]
      else:
        part = x[chunk if rows is None else rows[chunk]] - mean
      # BLAS counts columns first, so that it is given the transpose.
      total = _SYRK(
        1.0, part.T, beta=1.0, c=total, trans=wide, overwrite_c=True
      )
  return total


@functools.partial(jax.jit, static_argnums=2)
def _on_device(x: jax.Array, mean: jax.Array, wide: bool) -> jax.Array:
  return products.of_rows([x], mean) if wide else products.of_columns(x, mean)

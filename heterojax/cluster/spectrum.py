"""The leading eigenpairs of a symmetric matrix.

The steps of LAPACK's `dsyevr`, one by one: reduction to a tridiagonal matrix,
eigenpairs of that (MRRR), and the way back. As one call they took a third
longer, and eigenvalues that decide how many pairs are wanted cost a second
reduction.

Axes: N rows and columns, Q eigenpairs.
"""

from typing import Any

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

_KINDS: Any = ('sytrd', 'sytrd_lwork', 'ormqr')
_REDUCE, _REDUCE_ROOM, _MULTIPLY = lapack.get_lapack_funcs(
  _KINDS, dtype=np.float64
)


def leading(
  matrix: np.ndarray, wanted: int | float
) -> tuple[np.ndarray, np.ndarray]:
  """The largest eigenvalues and their vectors.

  Args:
    matrix: `[N, N]` float64, finite, of which only what is not above the
      diagonal counts.
    wanted: Q from 1 to N; or a share of the sum of all eigenvalues between 0
      and 1, which the fewest that exceed it are kept for.

  Returns:
    `[Q]` descending eigenvalues, and orthonormal columns `[N, Q]`.
  """
  n = len(matrix)
  if n == 1:
    return matrix[0].copy(), np.ones((1, 1))
  room = int(_REDUCE_ROOM(n, lower=True)[0])
  reflectors, diagonal, beside, factors, _ = _REDUCE(
    matrix, lower=True, lwork=room
  )
  if wanted < 1:
    values = np.asarray(scipy.linalg.eigvalsh_tridiagonal(diagonal, beside))
    values = values[::-1]
    wanted = _number(values, wanted)
  values, vectors = scipy.linalg.eigh_tridiagonal(
    diagonal,
    beside,
    select='i',
    select_range=(n - int(wanted), n - 1),
    lapack_driver='stemr',
  )
  # Reflectors leave the first row as it is.
  args = 'L', 'N', reflectors[1:, :-1], factors, vectors[1:]
  room = int(_MULTIPLY(*args, lwork=-1)[1][0])
  vectors[1:] = _MULTIPLY(*args, lwork=room)[0]
  return values[::-1], vectors[:, ::-1]


def _number(values: np.ndarray, share: float) -> int:
  """How many of the descending values it takes to exceed a share."""
  sums = np.cumsum(np.clip(values, 0, None))
  # Rounding may leave the last sum below the total.
  passed = np.searchsorted(sums / (sums[-1] or 1), share, side='right')
  return min(int(passed) + 1, len(values))

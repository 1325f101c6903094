"""Rows of a matrix, so many at a time that memory does not grow with it.

A matrix of features may be a mapped file that no memory holds. What reads all
of it takes one block after the other; the blocks hang on the shape alone, so
that sums over them have the same bits on every machine.
"""

from collections.abc import Iterator

import numpy as np

from heterojax.compute.arrays import Array

# Numbers of a block.
_NUMBERS = 2**24
# Of a matrix that is read whole, and of which copies are made.
_WHOLE = 2**27


def size(width: int) -> int:
  """Rows of a block, each of so many numbers; at least one."""
  return max(1, _NUMBERS // max(1, width))


def slices(n: int, width: int) -> Iterator[slice]:
  """Blocks of `[n, width]`, in order."""
  step = size(width)
  for start in range(0, n, step):
    yield slice(start, min(start + step, n))


def of(x: Array, rows: np.ndarray | None = None) -> Iterator[Array]:
  """`x`, or `x[rows]`, block by block.

  Args:
    x: `[P, D]`.
    rows: `[n]` int; without them all of `x`, of which blocks are no copies.

  Yields:
    `[b, D]`.
  """
  for block in slices(len(x if rows is None else rows), x.shape[1]):
    yield x[block if rows is None else rows[block]]


def taken(x: Array, rows: np.ndarray | None) -> Array:
  """`x[rows]`, which is a copy; or, without rows, `x` itself."""
  return x if rows is None else x[rows]


def is_large(n: int, width: int) -> bool:
  """Whether a matrix `[n, width]` is not to be copied."""
  return n * width > _WHOLE

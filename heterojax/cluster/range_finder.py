"""The leading components of data that are read twice and never held.

A randomised range finder (Halko, Martinsson and Tropp 2011, algorithm 5.3 on
the second moments C): the first read gives `C G` of a random `G`, whose columns
span nearly what the leading components do, and the second read finds the best
components in their span (Rayleigh and Ritz). What is found never explains more
of the variance than the exact components.

Axes: N samples, D features, Q components, L random directions.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from heterojax import rng
from heterojax.compute import row_blocks
from heterojax.compute.arrays import Array
from heterojax.run.progress import Progress

# Directions beside twice as many as there are components.
_MORE = 32
# Neither the data nor the study's seed has a part in it.
_SEED = 0


class Found(NamedTuple):
  """Leading components.

  Attributes:
    mean: `[D]` float64.
    components: `[Q, D]` float64, orthonormal.
    values: `[Q]` float64, descending sums of squares along them.
    total: of all squares.
  """

  mean: np.ndarray
  components: np.ndarray
  values: np.ndarray
  total: float


def find(x: np.ndarray, number: int, rows: np.ndarray | None = None) -> Found:
  """Components of the rows less their mean.

  Args:
    x: `[P, D]` float32 or float64.
    number: Q.
    rows: `[N]` int, those that the data are; without them, all.

  Returns:
    They.

  Raises:
    ValueError: if a number is not finite.
  """
  n, width = len(x if rows is None else rows), x.shape[1]
  size = min(2 * number + _MORE, n, width)
  numbers = rng.generator(_SEED, rng.Purpose.COMPONENTS)
  directions = numbers.standard_normal((width, size)).astype(x.dtype)
  # Rows are taken less one of them: their mean is not known yet, and squares
  # of numbers far from 0 would leave no digits to differences.
  near = x[0 if rows is None else rows[0]]
  image, sums = np.zeros((width, size)), np.zeros(width)
  total, along = 0.0, np.zeros(size)
  with Progress('components', 2 * n, 'rows') as progress:
    for block in _blocks(x, rows, near, progress):
      seen = block @ directions
      image += block.T @ seen
      along += seen.sum(axis=0, dtype=np.float64)
      sums += block.sum(axis=0, dtype=np.float64)
      total += float(np.einsum('ij,ij', block, block, dtype=np.float64))
    mean = sums / n
    image -= np.outer(mean, along)
    total -= n * float(mean @ mean)
    if not np.isfinite(total):
      raise ValueError('x holds values that are not finite')
    basis = np.linalg.qr(image).Q
    held, inner = basis.astype(x.dtype), np.zeros((size, size))
    for block in _blocks(x, rows, near, progress):
      seen = np.asarray(block @ held, np.float64) - mean @ basis
      inner += seen.T @ seen
  values, vectors = np.linalg.eigh(inner)
  order = slice(None, -number - 1, -1)
  return Found(mean + near, (basis @ vectors[:, order]).T, values[order], total)


def _blocks(
  x: np.ndarray,
  rows: np.ndarray | None,
  near: np.ndarray,
  progress: Progress,
) -> Iterator[Array]:
  for block in row_blocks.of(x, rows):
    yield block - near
    progress.update(len(block))

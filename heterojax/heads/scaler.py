"""Features that are standardised by some of their rows."""

from typing import NamedTuple

import numpy as np

from heterojax.compute import row_blocks
from heterojax.compute.arrays import Array
from heterojax.run import interruption

# Columns that are computed with at once, instead of a copy of all.
_COLUMNS = 4096
_EPSILON = np.finfo(np.float64).eps


class Scaler(NamedTuple):
  """What `(x - mean) / scale` is taken by.

  Attributes:
    mean: `[D]` float64.
    scale: `[D]` float64, the population sd; 1 where a feature is constant.
  """

  mean: np.ndarray
  scale: np.ndarray


def standardise(
  x: Array, rows: np.ndarray, *, by_blocks: bool = False
) -> Scaler:
  """Mean and scale of some rows, as scikit-learn's `StandardScaler` has them.

  Args:
    x: `[P, D]`; computed in float64.
    rows: `[n]` int, those to take them from.
    by_blocks: whether they are read block by block, and not copied.

  Returns:
    They. A feature counts as constant where its variance is not above what
    rounding gives.

  Raises:
    ValueError: if there are no rows.
  """
  if not len(rows):
    raise ValueError('there are no rows to standardise by')
  mean, variance = _moments(x, rows, by_blocks)
  # The bound of scikit-learn's `_is_constant_feature`.
  least = len(rows) * _EPSILON * variance
  least += (len(rows) * mean * _EPSILON) ** 2
  return Scaler(mean, np.where(variance <= least, 1.0, np.sqrt(variance)))


def spread(x: Array, rows: np.ndarray, *, by_blocks: bool = False) -> float:
  """Root of the mean variance of some rows over all features.

  One number keeps the proportions of the features of a network, of which those
  that hardly vary are not blown up.

  Args:
    x: `[P, D]`; computed in float64.
    rows: `[n]` int, those to take it from.
    by_blocks: see `standardise`.

  Returns:
    It; 1 where these rows are all the same.

  Raises:
    ValueError: if there are no rows.
  """
  if not len(rows):
    raise ValueError('there are no rows to take a spread of')
  total = 0.0
  variance = _moments(x, rows, by_blocks)[1]
  for start in range(0, x.shape[1], _COLUMNS):
    total += float(np.sum(variance[start : start + _COLUMNS]))
  return float(np.sqrt(total / x.shape[1])) or 1.0


def _moments(
  x: Array, rows: np.ndarray, by_blocks: bool
) -> tuple[np.ndarray, np.ndarray]:
  """`[D]` float64 mean and variance of some rows."""
  n, width = len(rows), x.shape[1]
  if by_blocks:
    x, total, squares = np.asarray(x), np.zeros(width), np.zeros(width)
    for block in row_blocks.of(x, rows):
      interruption.check()
      total += np.sum(block, axis=0, dtype=np.float64)
    mean = total / n
    for block in row_blocks.of(x, rows):
      interruption.check()
      squares += np.sum(np.square(block - mean), axis=0)
    return mean, squares / n
  mean, variance = np.empty(width), np.empty(width)
  for start in range(0, width, _COLUMNS):
    part = slice(start, start + _COLUMNS)
    values = np.asarray(x[:, part][rows], np.float64)
    mean[part], variance[part] = np.mean(values, axis=0), np.var(values, axis=0)
  return mean, variance

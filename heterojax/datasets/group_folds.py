"""scikit-learn's folds of whole groups, found in a tenth of the time.

Axes: F folds, C classes.
"""

import math

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

# From so many numbers on NumPy adds in another order than one after the other.
_IN_ORDER = 8


class GroupFolds(StratifiedGroupKFold):
  """`StratifiedGroupKFold`, with the same folds.

  For each group it asks NumPy for standard deviations of a handful of numbers,
  which takes minutes where there are 100,000 groups. The same operations are
  done here in the same order on plain numbers.
  """

  def _find_best_fold(
    self,
    y_counts_per_fold: np.ndarray,
    y_cnt: np.ndarray,
    group_y_counts: np.ndarray,
  ) -> int | None:
    """The fold that a group goes to.

    Args:
      y_counts_per_fold: `[F, C]` what each has.
      y_cnt: `[C]` what there is in all.
      group_y_counts: `[C]` what the group has.
    """
    folds, classes = y_counts_per_fold.shape
    if not 1 < classes < _IN_ORDER:
      return super()._find_best_fold(y_counts_per_fold, y_cnt, group_y_counts)
    every = y_cnt.tolist()
    shares = (y_counts_per_fold / y_cnt).T.tolist()
    after = ((y_counts_per_fold + group_y_counts) / y_cnt).T.tolist()
    sizes = y_counts_per_fold.sum(axis=1).tolist()
    best, least, fewest = None, math.inf, math.inf
    for i in range(folds):
      total = 0.0
      for c in range(len(every)):
        of, kept = shares[c], shares[c][i]
        of[i] = after[c][i]
        total += _deviation(of)
        of[i] = kept
      value = total / classes
      if value < least or (_is_close(value, least) and sizes[i] < fewest):
        best, least, fewest = i, value, sizes[i]
    return best


def _deviation(values: list[float]) -> float:
  """`np.std`."""
  n, total, squares = len(values), 0.0, 0.0
  for value in values:
    total += value
  mean = total / n
  for value in values:
    off = value - mean
    squares += off * off
  return math.sqrt(squares / n)


def _is_close(a: float, b: float) -> bool:
  """`np.isclose`."""
  return math.isfinite(b) and abs(a - b) <= 1e-8 + 1e-5 * abs(b)

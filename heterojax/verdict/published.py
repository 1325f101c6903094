"""What counts in a published table can show about clusters, exactly.

Of a table there are only sizes of clusters and numbers of errors. Given both
margins, every way to lay the errors over the clusters has a known probability
if clusters have nothing to do with errors, and there are few ways: all are
listed. Classes and patients are not in such tables, so that nothing here knows
of them.
"""

from collections.abc import Sequence
import math
from typing import NamedTuple

import numpy as np
from scipy import special

from heterojax.stats import heterogeneity

# Tables that are listed at most.
_MOST = 2_000_000
# Equal probabilities differ in their last bits: as in R's `fisher.test`.
_TIE = 1e-7
_BAND = (0.025, 0.975)


class Exact(NamedTuple):
  """Exact p-values of a table of k clusters with errors.

  Attributes:
    p_value: of Freeman and Halton (1951), Fisher's exact test of a k x 2 table:
      the probability of all tables that are no more likely than this one.
    uneven_p_value: of all whose Pearson's chi-squared is no smaller; it orders
      tables as Q of `uneven` with one class does.
    cv: coefficient of variation of the accuracies; NaN without a right answer.
    cv_p_value: of all whose CV is no smaller; NaN where there is none.
    cv_band: the middle 95 % of the CV; NaN where there is none.
    tables: how many there are with these margins.
  """

  p_value: float
  uneven_p_value: float
  cv: float
  cv_p_value: float
  cv_band: tuple[float, float]
  tables: int


def exact(sizes: Sequence[int], errors: Sequence[int]) -> Exact:
  """Lists all tables with the margins of this one.

  Args:
    sizes: `[K]`, images of each cluster, at least 1.
    errors: `[K]`, how many of them the model is wrong for.

  Returns:
    The p-values; 1 where all images are right, or all are wrong.

  Raises:
    ValueError: if an error count is not from 0 to its size, or there are more
      than 2 million tables.
  """
  n, x = np.asarray(sizes), np.asarray(errors)
  if n.shape != x.shape or np.any(n < 1) or np.any((x < 0) | (x > n)):
    raise ValueError(f'{errors} errors of {sizes} images')
  tables = _tables(n, int(x.sum()))
  # Up to what all tables have in common.
  logs = -np.sum(
    special.gammaln(tables + 1) + special.gammaln(n - tables + 1), axis=1
  )
  weights = np.exp(logs - logs.max())
  total = math.fsum(weights)

  def share(of: np.ndarray) -> float:
    # Rounded once: that of all is 1.
    return math.fsum(weights[of]) / total

  own = int(np.flatnonzero(np.all(tables == x, axis=1))[0])
  # As large as Pearson's, up to the same.
  q = np.sum(tables**2 / n, axis=1)
  cvs = heterogeneity.variation(1 - tables / n, np)
  cv = float(cvs[own])
  cv_p, band = float('nan'), (float('nan'), float('nan'))
  if not np.isnan(cv):
    cv_p = share(cvs >= cv - _TIE)
    order = np.argsort(cvs, kind='stable')
    cumulated = np.cumsum(weights[order]) / total
    at = np.searchsorted(cumulated, np.array(_BAND) * (1 - _TIE))
    low, high = cvs[order][at]
    band = float(low), float(high)
  return Exact(
    p_value=share(weights <= weights[own] * (1 + _TIE)),
    uneven_p_value=share(q >= q[own] - _TIE),
    cv=cv,
    cv_p_value=cv_p,
    cv_band=band,
    tables=len(tables),
  )


def _tables(n: np.ndarray, errors: int) -> np.ndarray:
  """All `[T, K]` numbers from 0 to n that sum to the errors."""
  tables = np.empty((1, 0), np.int64)
  left = np.array([errors])
  for i, size in enumerate(n):
    # What is left must fit into the clusters that come.
    lowest = np.maximum(0, left - n[i + 1 :].sum())
    ways = np.minimum(size, left) - lowest + 1
    if ways.sum() > _MOST:
      raise ValueError(f'more than {_MOST} tables')
    row = np.repeat(np.arange(len(tables)), ways)
    first = np.cumsum(ways) - ways
    here = np.arange(len(row)) - first[row] + lowest[row]
    tables = np.column_stack([tables[row], here])
    left = left[row] - here
  return tables

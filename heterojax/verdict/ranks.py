"""p-values of the first of several rows that are exchangeable under the null.

The first row is what was observed, the others are draws. All are treated alike,
so that the rank of the first is uniform under the null whatever the statistic:
p = (1 + b) / (1 + B), where b of the B draws are not below it, which is never 0
(Phipson and Smyth 2010). Nothing depends on the order of clusters.
"""

import numpy as np

# Sums of the same terms in another order differ in their last bits; statistics
# that are standardised have values of about 1.
TIE = 1e-9


def total(terms: np.ndarray) -> np.ndarray:
  """Sum along the last axis, the same bits for any order of the terms."""
  return np.cumsum(np.sort(terms, axis=-1), axis=-1)[..., -1]


def p_value(statistic: np.ndarray, tie: float = 0) -> float:
  """Share of the rows that are not below the first.

  Args:
    statistic: `[1 + B]`, floats, or whole numbers of any size (dtype object).
    tie: what is below the first by no more counts as equal to it.

  Returns:
    From 1 / (1 + B) to 1.
  """
  return float(np.mean(statistic >= statistic[0] - tie))


def standardised(rows: np.ndarray, rounding: float = 0.0) -> np.ndarray:
  """Distance from the mean of all rows, in standard deviations.

  Mean and deviation are over the observed row too: only then are the rows
  exchangeable afterwards.

  Args:
    rows: `[1 + B, K]`.
    rounding: deviations up to this one are none.

  Returns:
    `[1 + B, K]` float64; NaN where all rows are the same.
  """
  rows = np.ascontiguousarray(rows, np.float64)
  centred = rows - rows.mean(axis=0)
  sd = np.sqrt(np.mean(centred**2, axis=0))
  # Rows that are the same may differ in the last bits of their mean.
  varies = sd > np.maximum(TIE * np.max(np.abs(rows), axis=0), rounding)
  return np.where(varies, centred / np.where(varies, sd, 1.0), np.nan)


def step_down(z: np.ndarray) -> np.ndarray:
  """p-values of several columns, adjusted by the distribution of their maximum.

  Step-down maxT (Westfall and Young 1993, algorithm 2.8): the largest value is
  compared with the maxima over all columns, the next one with those over the
  columns that are left, and no p-value is below that of a larger value. Under
  the null of all columns any p-value is at most alpha with probability alpha,
  however the columns are related.

  Args:
    z: `[1 + B, K]` of `standardised`; columns of NaN are left out.

  Returns:
    `[K]`, NaN where a column is.
  """
  known = np.flatnonzero(~np.isnan(z[0]))
  order = known[np.argsort(-z[0, known], kind='stable')]
  maxima = np.maximum.accumulate(z[:, order[::-1]], axis=1)[:, ::-1]
  adjusted = np.full(z.shape[1], np.nan)
  above = np.mean(maxima >= z[0, order] - TIE, axis=0)
  adjusted[order] = np.maximum.accumulate(above)
  return adjusted

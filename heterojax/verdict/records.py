"""What a test returns, and Holm's adjustment over several tests."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Test(NamedTuple):
  """The outcome of a test over K clusters.

  Attributes:
    statistic: as observed, larger against the null; NaN without a p-value.
    null: `[B]` float64, of the draws, without the observed one; where there
      are no more arrangements than draws, of all other ones, whose order then
      means nothing.
    p_value: (1 + b) / (1 + B), where b of the null are not below the statistic;
      None where there is none.
    adjusted: `[K]` p-values of the clusters, adjusted for there being K of
      them; NaN where a cluster has none.
    effect: `[K]` in the unit of the values; the test says what it is.
    interval: `[K, 2]` of the effect; the test says which.
    unit: what is exchanged: 'image' or 'patient'.
    stays: how many units cannot be exchanged for want of one like them.
    why: why there is no p-value; '' where there is one.
  """

  # Not a case for pytest, whatever its name.
  __test__ = False

  statistic: float
  null: np.ndarray
  p_value: float | None
  adjusted: np.ndarray
  effect: np.ndarray
  interval: np.ndarray
  unit: str
  stays: int
  why: str = ''


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
  """p-values that hold for all tests together (Holm 1979).

  Args:
    p_values: of the tests, however they are related; None where a test could
      not be made, which is then none of them.

  Returns:
    The adjusted ones in the same order, None where there was none.
  """
  known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
  adjusted: list[float | None] = [None] * len(p_values)
  largest = 0.0
  for before, (p, i) in enumerate(known):
    largest = max(largest, min(1.0, (len(known) - before) * p))
    adjusted[i] = largest
  return tuple(adjusted)

"""Areas under ROC curves: what each image adds to one, and its interval.

Axes: N images, M of the class and N - M others.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize
from scipy import stats

from heterojax.stats import inference


class Area(NamedTuple):
  """An area, and what tells how far it may be off.

  Attributes:
    value: the area.
    influence: `[N]`, of mean 0 in each class; the sum of squares is DeLong's
      variance, to which a class of one image adds nothing.
    told: units of the smaller side that have an image which is not above, or
      not below, all others.
  """

  value: float
  influence: np.ndarray
  told: int


def area(y: np.ndarray, values: np.ndarray, units: np.ndarray) -> Area | None:
  """The area, and the parts of it (DeLong, DeLong and Clarke-Pearson 1988).

  By midranks, as Sun and Xu (2014), O(N log N).

  Args:
    y: `[N]` bool.
    values: `[N]`, larger for the class.
    units: `[N]` of anything that NumPy can sort, equal for images of one
      patient.

  Returns:
    None where a side has no image.
  """
  y, values = np.asarray(y, bool), np.asarray(values)
  sides = (y, ~y)
  m, n = (int(side.sum()) for side in sides)
  if not m or not n:
    return None
  ranks = stats.rankdata(values)
  # Of each positive the share of negatives below it, and the reverse.
  placed = np.empty(len(y))
  placed[y] = (ranks[y] - stats.rankdata(values[y])) / n
  placed[~y] = 1 - (ranks[~y] - stats.rankdata(values[~y])) / m
  value = float(np.mean(placed[y]))
  influence = np.zeros(len(y))
  for side, size in zip(sides, (m, n), strict=True):
    if size > 1:  # Variances have n - 1 in the denominator.
      influence[side] = (placed[side] - value) / np.sqrt(size * (size - 1))
  told = min(
    len(np.unique(units[side & beaten]))
    for side in sides
    for beaten in (placed < 1, placed > 0)
  )
  return Area(value, influence, told)


def interval(
  y: np.ndarray,
  values: np.ndarray,
  units: np.ndarray,
  confidence: float = 0.95,
) -> tuple[float, float] | None:
  """Interval of one AUC.

  The areas A with |A - AUC| <= z sd(A), where sd(A) is of Hanley and McNeil
  (1982) with the mean class size for both (Newcombe 2006, method 5), times the
  root of the `design_effect` of patients. It has a width for every sample, and
  keeps the limit 1 at AUC 1 (0 at 0). Classes that vary unlike each other have
  a larger variance than that model: where DeLong's is larger, sd(A) is as much
  larger. DeLong's alone is too small by chance where few images are misranked.

  Args:
    y: `[N]` of 0 and 1.
    values: `[N]`, larger for the positive class.
    units: `[N]` of anything that NumPy can sort, equal for images of one
      patient.
    confidence: of the interval, two-sided.

  Returns:
    The lower and the upper limit, from 0 to 1; None where a class is missing.
  """
  y = np.asarray(y, bool)
  found = area(y, values, units)
  if found is None:
    return None
  pairs = float(y.sum()) * float((~y).sum())
  return limits([found], [pairs], units, confidence)


def mean(each: Sequence[Area]) -> Area:
  """The mean of some areas on the same images."""
  return Area(
    float(np.mean([area.value for area in each])),
    np.mean([area.influence for area in each], axis=0),
    min(area.told for area in each),
  )


def limits(
  each: Sequence[Area],
  pairs: Sequence[float],
  units: np.ndarray,
  confidence: float,
) -> tuple[float, float]:
  """Limits of the mean of some areas on the same images.

  They are as those of one area, and the variance as much larger than DeLong's
  as those of the areas are together.

  Args:
    each: C areas.
    pairs: C, of an image of the class and another one.
    units: `[N]`.
    confidence: of the interval, two-sided.

  Returns:
    The lower and the upper limit, from 0 to 1.
  """
  others, whole = len(units) / 2 - 1, mean(each)
  model = np.array([_shape(area.value, others) for area in each]) / pairs
  found = np.array([np.sum(area.influence**2) for area in each])
  if found.sum() > 0:
    variance = np.sum(whole.influence**2)
    variance *= np.maximum(found, model).sum() / found.sum()
    scale = float(variance / _shape(whole.value, others))
  else:  # As if the areas rose and fell together.
    scale = float(np.mean(1 / np.array(pairs)))
  scale *= inference.design_effect(whole.influence, units, whole.told)
  scale *= float(stats.norm.ppf((1 + confidence) / 2)) ** 2
  low = _lower(whole.value, scale, others)
  return low, 1 - _lower(1 - whole.value, scale, others)


def _shape(area: Any, others: float) -> Any:
  """Hanley and McNeil's variance of an area, times the pairs of images."""
  correlated = others * ((1 - area) / (2 - area) + area / (1 + area))
  return area * (1 - area) * (1 + correlated)


def _lower(found: float, scale: float, others: float) -> float:
  """The least A with (found - A)^2 at most a multiple of its `_shape`."""
  # An area of 1 is another root, which is not the limit.
  if not found:
    return 0.0
  root: Any = optimize.brentq(
    lambda a: (found - a) ** 2 - scale * _shape(a, others),
    0,
    found * (1 - 1e-9),
  )
  return root

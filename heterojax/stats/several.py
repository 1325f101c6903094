"""Metrics of a classifier of several classes.

Axes: N images, C classes, whose codes are 0 to C - 1.
"""

from typing import NamedTuple

import numpy as np

from heterojax.stats import areas


class MacroAuc(NamedTuple):
  """Mean area under the ROC curves of each class against all others.

  Attributes:
    value: the mean, as scikit-learn's `roc_auc_score(multi_class='ovr')`.
    each: `[C]` the areas; NaN where a class, or every other, has no image.
    interval: 95 %; None unless all areas are known.
  """

  value: float
  each: np.ndarray
  interval: tuple[float, float] | None


def confusion(y: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
  """`[C, C]` int: how many images of each class (rows) got each answer."""
  counts = np.zeros((classes, classes), int)
  np.add.at(counts, (np.asarray(y), np.asarray(predicted)), 1)
  return counts


def balanced_accuracy(counts: np.ndarray) -> float:
  """Mean of the shares of each class that are right.

  Args:
    counts: see `confusion`.

  Returns:
    The mean over the classes that have an image, as scikit-learn's
    `balanced_accuracy_score`; NaN without any.
  """
  sizes = counts.sum(axis=1)
  there = sizes > 0
  if not there.any():
    return np.nan
  return float(np.mean(np.diag(counts)[there] / sizes[there]))


def quadratic_kappa(counts: np.ndarray) -> float:
  """Cohen's kappa whose disagreements weigh as the squares of their distance.

  Args:
    counts: see `confusion`; the codes are the order of the classes.

  Returns:
    The agreement, as scikit-learn's `cohen_kappa_score(weights='quadratic')`:
    1 where all is right, 0 by chance alone. NaN where all images are of one
    class and get one answer, the same or not.
  """
  code = np.arange(len(counts))
  weight = (code[:, None] - code[None]) ** 2
  n = counts.sum()
  if not n:
    return np.nan
  by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
  expected = np.sum(weight * by_chance)
  if np.count_nonzero(by_chance) < 2:
    return np.nan
  return float(1 - np.sum(weight * counts) / expected)


def macro_auc(
  y: np.ndarray,
  values: np.ndarray,
  units: np.ndarray | None = None,
  confidence: float = 0.95,
) -> MacroAuc:
  """The mean area of all classes, with an interval.

  Its variance is DeLong's of a sum of areas on the same images: each image adds
  to the area of its own class as a positive and to those of others as a
  negative. It is as much larger as `areas.interval` has those of the areas,
  varies with the mean as there, and allows for patients likewise. Where a class
  has one image, that is no estimate. The ends are then the means of those of
  the areas, as if these rose and fell together, so that the interval is too
  wide rather than too narrow.

  Args:
    y: `[N]` int.
    values: `[N, C]`, larger for the class, such as probabilities.
    units: `[N]` of anything that NumPy can sort, equal for images of one
      patient; None: of their own.
    confidence: of the interval, two-sided.

  Returns:
    The mean over the classes that have an area; NaN without any.
  """
  y, values = np.asarray(y), np.asarray(values, np.float64)
  n, classes = values.shape
  units = np.arange(n) if units is None else units
  found = [areas.area(y == c, values[:, c], units) for c in range(classes)]
  known = [area for area in found if area is not None]
  each = np.array([np.nan if area is None else area.value for area in found])
  if not known:
    return MacroAuc(np.nan, each, None)
  value = areas.mean(known).value
  if len(known) < classes:
    return MacroAuc(value, each, None)
  sizes = np.bincount(y, minlength=classes)
  pairs = sizes * (n - sizes)
  if sizes.min() > 1:
    ends = areas.limits(known, pairs, units, confidence)
    return MacroAuc(value, each, ends)
  ends = [
    areas.limits([area], [of], units, confidence)
    for area, of in zip(known, pairs, strict=True)
  ]
  low, high = np.mean(ends, axis=0)
  return MacroAuc(value, each, (float(low), float(high)))

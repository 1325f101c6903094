"""Metrics of a classifier of several classes.

Axes: N images, C classes, whose codes are 0 to C - 1.
"""

from typing import NamedTuple

import numpy as np
from scipy import special
from scipy import stats

from heterojax.stats import inference


class MacroAuc(NamedTuple):
  """Mean area under the ROC curves of each class against all others.

  Attributes:
    value: the mean, as scikit-learn's `roc_auc_score(multi_class='ovr')`.
    each: `[C]` the areas; NaN where a class, or every other, has no image.
    interval: 95 %, on the logit scale; None unless all areas are known.
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
  y: np.ndarray, values: np.ndarray, confidence: float = 0.95
) -> MacroAuc:
  """The mean area of all classes, with an interval.

  Its variance is DeLong's of a sum of areas on the same images: each image adds
  to the area of its own class as a positive and to those of others as a
  negative, and the sums of each class are independent. Where nothing varies, as
  where all areas are 1 or all answers alike, or a class has one image, that is
  no estimate. The ends are then the means of those of the areas by
  `inference.delong`, which always have a width: as if the areas rose and fell
  together, so that the interval is too wide rather than too narrow.

  Args:
    y: `[N]` int.
    values: `[N, C]`, larger for the class, such as probabilities.
    confidence: of the interval, two-sided.

  Returns:
    The mean over the classes that have an area; NaN without any.
  """
  y, values = np.asarray(y), np.asarray(values, np.float64)
  n, classes = values.shape
  sizes = np.bincount(y, minlength=classes)
  each, added = np.full(classes, np.nan), np.empty((n, classes))
  for c in range(classes):
    own = y == c
    m, others = sizes[c], n - sizes[c]
    if not m or not others:
      continue
    ranks = stats.rankdata(values[:, c])
    # Of each positive the share of negatives below it, and the reverse.
    of_own = (ranks[own] - stats.rankdata(values[own, c])) / others
    of_others = 1 - (ranks[~own] - stats.rankdata(values[~own, c])) / m
    each[c] = np.mean(of_own)
    added[own, c] = of_own / m
    added[~own, c] = of_others / others
  known = np.isfinite(each)
  if not known.any():
    return MacroAuc(np.nan, each, None)
  value = float(np.mean(each[known]))
  if not known.all():
    return MacroAuc(value, each, None)
  total = added.mean(axis=1)
  of_class = [total[y == c] for c in range(classes)]
  spread = max(np.ptp(of) * len(of) for of in of_class)
  if sizes.min() == 1 or spread < inference.ROUNDING:
    ends = [
      inference.delong(y == c, values[:, c], confidence) for c in range(classes)
    ]
    low, high = np.mean(np.array(ends), axis=0)
    return MacroAuc(value, each, (float(low), float(high)))
  variance = sum(len(of) * np.var(of, ddof=1) for of in of_class)
  z = float(stats.norm.ppf((1 + confidence) / 2))
  half = z * np.sqrt(variance) / (value * (1 - value))
  low, high = special.expit(special.logit(value) + np.array([-half, half]))
  return MacroAuc(value, each, (float(low), float(high)))

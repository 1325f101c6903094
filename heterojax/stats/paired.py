"""Two classifiers on the same images: how much better one ranks them.

An AUC is, to first order, a sum of what each image adds to it (DeLong, DeLong
and Clarke-Pearson 1988); images of one patient add up before they are squared
(Obuchowski 1997). The difference of two AUCs is the sum of differences, so that
what both find easy or hard cancels.

Axes: N images, C classes, whose codes are 0 to C - 1.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from heterojax.stats import areas
from heterojax.stats import inference

_CONFIDENCE = 0.95


class Difference(NamedTuple):
  """How much larger one AUC is than another.

  Attributes:
    value: the difference.
    interval: 95 %, of another training set and other test images.
    p_value: of no difference, two-sided.
  """

  value: float
  interval: tuple[float, float]
  p_value: float


def auc(y: np.ndarray, ranks: np.ndarray) -> areas.Area | None:
  """The AUC, of several classes the mean over each against the others.

  Args:
    y: `[N]` codes.
    ranks: `[N]`, larger for class 1 of two classes; of more `[N, C]` by code.

  Returns:
    None where a class, or every other one, has fewer than two images.
  """
  y, ranks = np.asarray(y), np.asarray(ranks)
  columns = [(1, ranks)] if ranks.ndim == 1 else enumerate(ranks.T)
  units, known = np.arange(len(y)), []
  for c, of in columns:
    own = y == c
    found = areas.area(own, of, units)
    if found is None or min(own.sum(), (~own).sum()) < 2:
      return None
    known.append(found)
  return areas.mean(known)


def difference(
  a: areas.Area,
  b: areas.Area,
  y: np.ndarray,
  units: np.ndarray,
  n_train: float,
) -> Difference | None:
  """How much better one classifier ranks the images than another.

  Both were trained on a sample, and on another one either might be ahead. The
  variance over test images is therefore multiplied by 1 + N / n_train (Nadeau
  and Bengio 2003): n_train images vary a classifier as much as N vary its test.

  Args:
    a: of one classifier.
    b: of another one, on the same images.
    y: `[N]` codes.
    units: `[N]`, patients, or images where these are not known.
    n_train: images that each was trained on.

  Returns:
    a less b; None where a class is of fewer than two patients, or no image
    tells how sure it is, as of two classifiers that rank all of them rightly,
    or of which the one does and the other ranks all alike.
  """
  change = a.influence - b.influence
  names, unit = np.unique(units, return_inverse=True)
  of_units = np.bincount(unit, change, len(names))
  of_class = [
    np.unique(unit[y == c], return_counts=True)[1] for c in np.unique(y)
  ]
  freedom = min(map(len, of_class)) - 1
  if len(of_class) < 2 or freedom < 1:
    return None
  value = a.value - b.value
  if np.max(np.abs(of_units)) * len(y) < inference.ROUNDING:
    return None
  # Influences allow for a mean that follows images, but not whole patients.
  kept = min(
    inference.kept(sizes) / (1 - 1 / np.sum(sizes)) for sizes in of_class
  )
  variance = float(np.sum(of_units**2)) / kept * (1 + len(y) / n_train)
  error = float(np.sqrt(variance))
  half = error * float(stats.t.ppf((1 + _CONFIDENCE) / 2, freedom))
  p_value = 2 * float(stats.t.sf(abs(value) / error, freedom))
  return Difference(value, (value - half, value + half), p_value)

"""Do neighbours in feature space share the class, or a column such as the site?

The robustness index (de Jong et al. 2025; Koemen et al. 2025) counts, among the
nearest neighbours of each image, those of the same class and another value of
the column, and those of another class and the same value: it is the share of
the first in both. 1 is all class, 0 all column. Neighbours are by cosine
distance, and of other patients only. The margin-aware index weighs neighbours
by their distance; the margin of an image compares how far the nearest of both
kinds are. Definitions are those of croma 1.0, over all images. A study asks it
of features less their mean, of which a cosine is another than of raw ones.

Axes: N images, D features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Numbers of neighbours that are tried; the one by which neighbours tell the
# class best is taken.
KS = (5, 11, 21, 31, 51)
# Nearest neighbours of each kind in a margin.
_OF_EACH = 5
_TAIL = 0.10
_TAU = 0.2  # Where distances are all 0 it makes no difference.
_BLOCK = 1024


class Robustness(NamedTuple):
  """How far neighbours follow the class, and how far a column of the data.

  Attributes:
    k: neighbours that the indices look at.
    index: robustness index; NaN where no neighbour is of either kind.
    margin_aware: the same with weights exp(-distance / tau), where tau is the
      median distance of these neighbours.
    margin: median over images of (b - a) / (b + a), with a the mean distance of
      the 5 nearest of the same class and another value, b that of the 5 nearest
      of another class and the same value; below 0 the column is nearer.
    dominated: share of the images whose margin is not above 0.
    tail: mean margin of the tenth of the images where it is least.
    undefined: images that have no margin, for want of neighbours.
  """

  k: int
  index: float
  margin_aware: float
  margin: float
  dominated: float
  tail: float
  undefined: int


def robustness(
  x: np.ndarray,
  y: np.ndarray,
  values: np.ndarray,
  units: np.ndarray,
  ks: Sequence[int] = KS,
) -> Robustness:
  """Compares the class with a column.

  Args:
    x: `[N, D]`.
    y: `[N]` int, classes.
    values: `[N]` int, the column.
    units: `[N]` int, equal for images of one patient, which are no neighbours.
    ks: numbers of neighbours to choose from, of which those below N count.

  Returns:
    The indices.

  Raises:
    ValueError: if there is no number below N.
  """
  ks = sorted(k for k in ks if k < len(x))
  if not ks:
    raise ValueError(f'{len(x)} images have no {min(KS)} neighbours each')
  norm = np.linalg.norm(x, axis=1, keepdims=True)
  z = np.asarray(x / np.where(norm > 0, norm, 1), np.float64)
  _, y = np.unique(y, return_inverse=True)
  most = ks[-1]
  near = np.empty((len(z), most), int)
  distances = np.empty((len(z), most))
  margins = np.empty(len(z))
  for start in range(0, len(z), _BLOCK):
    rows = slice(start, start + _BLOCK)
    away = np.maximum(1 - z[rows] @ z.T, 0)
    away[units[rows, None] == units] = np.inf
    order = _nearest(away, most)
    distances[rows] = np.take_along_axis(away, order, 1)
    near[rows] = np.where(np.isfinite(distances[rows]), order, -1)
    same_class = y[rows, None] == y
    same_value = values[rows, None] == values
    margins[rows] = _margins(away, same_class, same_value)
  k = _chosen(y, near, ks)
  near, distances = near[:, :k], distances[:, :k]
  there = near >= 0
  same_class = y[near] == y[:, None]
  same_value = values[near] == values[:, None]
  of_class = there & same_class & ~same_value
  of_column = there & ~same_class & same_value
  typed = distances[of_class | of_column]
  tau = float(np.median(typed)) if len(typed) else _TAU
  weights = np.exp(-distances / (tau or _TAU))
  known = margins[np.isfinite(margins)]
  cut = np.percentile(known, 100 * _TAIL) if len(known) else np.nan
  return Robustness(
    k=k,
    index=_share(of_class.sum(), of_column.sum()),
    margin_aware=_share(weights[of_class].sum(), weights[of_column].sum()),
    margin=float(np.median(known)) if len(known) else np.nan,
    dominated=float(np.mean(known <= 0)) if len(known) else np.nan,
    tail=float(np.mean(known[known <= cut])) if len(known) else np.nan,
    undefined=len(margins) - len(known),
  )


def _nearest(away: np.ndarray, most: int) -> np.ndarray:
  """`[n, most]` int, the nearest of each row of distances `[n, N]`."""
  found = np.sort(np.argpartition(away, most - 1, axis=1)[:, :most], axis=1)
  order = np.argsort(np.take_along_axis(away, found, 1), axis=1, kind='stable')
  return np.take_along_axis(found, order, 1)


def _margins(
  away: np.ndarray, same_class: np.ndarray, same_value: np.ndarray
) -> np.ndarray:
  """`[n]` of distances `[n, N]`; NaN for want of neighbours of a kind."""
  means = []
  for kind in (same_class & ~same_value, ~same_class & same_value):
    of_kind = np.where(kind, away, np.inf)
    few = min(_OF_EACH, of_kind.shape[1] - 1)
    nearest = np.partition(of_kind, few, axis=1)[:, :_OF_EACH]
    means.append(np.mean(nearest, axis=1))
  total = means[0] + means[1]
  known = np.isfinite(total) & (total > 0)
  a, b = means[0][known], means[1][known]
  margins = np.full(len(total), np.nan)
  margins[known] = (b - a) / total[known]
  return margins


def _chosen(y: np.ndarray, near: np.ndarray, ks: Sequence[int]) -> int:
  """By balanced accuracy of the majority of k neighbours; the least of ties.

  Of classes with equal votes each is half right, or a third, so that no order
  of the classes makes a difference.
  """
  there = near >= 0
  if not there.any():  # All images are of one patient.
    raise ValueError('no image has a neighbour of another patient')
  codes = np.arange(y.max() + 1)
  votes = there[..., None] & (y[near][..., None] == codes)
  # Each class counts alike.
  weights = 1 / np.bincount(y)[y]
  right = []
  for k in ks:
    count = votes[:, :k].sum(axis=1)
    most = count == count.max(axis=1, keepdims=True)
    hit = most[np.arange(len(y)), y] / most.sum(axis=1)
    # In another order of the images it differs by less.
    right.append(round(float(np.average(hit, weights=weights)), 9))
  return ks[int(np.argmax(right))]


def _share(of_class: float, of_column: float) -> float:
  both = of_class + of_column
  return float(of_class / both) if both > 0 else np.nan

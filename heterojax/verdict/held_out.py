"""What a head of all images loses on a value that it has not been shown.

The head of all images is cross-fitted, and so has seen other images with the
value. Beside it stands a head of all images without the value, which sees fewer
images, or more where the value is rarer than a fold: the drop is of both.

Axes: N images.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from heterojax.compute.arrays import Array
from heterojax.heads import logistic
from heterojax.heads.logistic import Gram
from heterojax.stats import inference
from heterojax.verdict import one_vs_rest

# Images of each class, with the value and without it, and patients with it.
LEAST = 10


class Drop(NamedTuple):
  """The drop in accuracy of one value.

  Attributes:
    value: of the column.
    n: images with it.
    drop: share of right answers of the head that has seen the value, less that
      of the head that has not.
    interval: of the drop, over patients; of one value.
  """

  value: int
  n: int
  drop: float
  interval: tuple[float, float]


def drops(
  x: Array | Gram,
  y: np.ndarray,
  values: np.ndarray,
  units: np.ndarray,
  right: np.ndarray,
  c: float,
  classes: int = 2,
) -> Iterator[Drop]:
  """The drop of each value of which there are enough images.

  Args:
    x: `[N, D]`, or its `Gram`.
    y: `[N]` int codes of the classes.
    values: `[N]` int, the column; -1 where it is not known.
    units: `[N]` int, equal for images of one patient.
    right: `[N]` of 0 and 1, the cross-fitted head; NaN where it was not tested.
    c: C of the heads.
    classes: how many there are.

  Yields:
    They; of a patient with images of another value, these are left out too.
  """
  known = ~np.isnan(right)
  for value in np.unique(values[values >= 0]):
    mine = np.flatnonzero((values == value) & known)
    apart = ~np.isin(units, units[mine])
    rest = np.flatnonzero((values >= 0) & (values != value) & apart)
    enough = min(
      np.bincount(y[rows], minlength=classes).min() for rows in (mine, rest)
    )
    of = np.unique(units[mine], return_inverse=True)[1]
    if enough < LEAST or of.max() + 1 < LEAST:
      continue
    found = one_vs_rest.logits(
      lambda labels, rest=rest: logistic.logits(
        logistic.fit(x, labels, [rest] * len(labels), c), x
      ),
      y[np.newaxis],
      classes,
    )[0, mine]
    there = one_vs_rest.answers(found, classes) == y[mine]
    mean, half = map(
      float, inference.over_units(right[mine] - there, of, two_more=True)
    )
    # No share of right answers falls by more than all.
    ends = max(-1.0, mean - half), min(1.0, mean + half)
    yield Drop(int(value), len(mine), mean, ends)

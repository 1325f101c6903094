"""Can a column be read from the features of images of the same class?

A head that reads the scanner may pass for one that sees the disease. Whether
it could is asked inside of each class, so that what the disease itself says of
a column does not count: heads that tell one value of the column from the others
are cross-fitted, and their AUC on images that they have not seen is compared
with that of heads of exchanged values. Images of one class are exchanged, or
whole patients, which is exact if the column says nothing that the features hold
of images of a class (`exchange`).

Axes: N images, V values of the column, R draws with the observed one first.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from heterojax.heads import labellings
from heterojax.heads import logistic
from heterojax.heads import optimum
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import gains
from heterojax.verdict import ranks
from heterojax.verdict import teaches_less

DRAWS = 199
# Images with a value, and without it, of a class that is asked.
LEAST = 10
# Share of the images that must have others to change places with.
_MOVED = 0.5
_CHUNK = 50
# No stopping can change whether p is at most this.
_CLEAR = 0.05
_FOLDS, _EXCHANGE = range(2)


class Readable(NamedTuple):
  """The outcome.

  Attributes:
    auc: mean over values and classes, each times its pairs of images; NaN
      where nothing could be asked.
    p_value: None where there is none.
    n: images that were read.
    unit: what is exchanged: 'image' or 'patient'.
    why: why there is no p-value; '' where there is one.
  """

  auc: float
  p_value: float | None
  n: int
  unit: str = 'image'
  why: str = ''


class _Cell(NamedTuple):
  """One value in one class: the rows `[n]`, their parts `[n]`, the value."""

  rows: np.ndarray
  part: np.ndarray
  value: int


def test(
  x: np.ndarray,
  y: np.ndarray,
  values: np.ndarray,
  units: np.ndarray,
  c: float,
  key: jax.Array,
  draws: int = DRAWS,
) -> Readable:
  """Asks whether the features hold a column.

  Args:
    x: `[N, D]`.
    y: `[N]` int, classes.
    values: `[N]` int, the column; -1 where it is not known.
    units: `[N]` int, equal for images of one patient.
    c: C of the heads. It must not have been chosen by the column.
    key: of the division and the draws.
    draws: R - 1 at most; there are fewer where p is sure to be above 0.05.

  Returns:
    The outcome.
  """
  cells = list(_cells(y, values, units, jax.random.fold_in(key, _FOLDS)))
  read = np.unique(np.concatenate([cell.rows for cell in cells] or [[]]))
  if not cells:
    why = (
      f'in no class do {LEAST} images have one value and {LEAST} another one'
    )
    return Readable(np.nan, None, 0, why=why)
  several = len(np.unique(units)) < len(units)
  groups = units if several else None
  strata = exchanges.strata(y, values >= 0)
  exchange = exchanges.exchange(strata, groups)
  if exchange.moved < _MOVED:
    why = (
      f'only {exchange.moved:.0%} of the images are of a patient for whom'
      ' another one has as many images of each class'
    )
    return Readable(np.nan, None, len(read), exchange.unit, why)
  drawn = np.concatenate([
    values[np.newaxis],
    teaches_less.partitions(
      values, strata, jax.random.fold_in(key, _EXCHANGE), draws, groups
    ),
  ])
  enough = int(_CLEAR * (1 + draws) + ranks.TIE)
  found = np.zeros(0)
  for start in range(0, 1 + draws, _CHUNK):
    found = np.append(found, _auc(x, drawn[start : start + _CHUNK], cells, c))
    if np.sum(found[1:] >= found[0] - ranks.TIE) >= enough:
      break
  p = ranks.p_value(found, ranks.TIE)
  return Readable(float(found[0]), p, len(read), exchange.unit)


# Its name begins with `test`, but it is no case.
test.__test__ = False


def _cells(
  y: np.ndarray, values: np.ndarray, units: np.ndarray, key: jax.Array
) -> Iterator[_Cell]:
  known = np.unique(values[values >= 0])
  for label in np.unique(y):
    rows = np.flatnonzero((y == label) & (values >= 0))
    if not len(rows):
      continue
    # Of whole patients, and blind to the values, which change places.
    stream = jax.random.fold_in(key, int(label))
    part = optimum.parts_of(np.zeros(len(rows), int), units[rows], stream)
    if not part.any():
      continue
    # Of two values the second says no more.
    for value in known[: 1 if len(known) == 2 else None]:
      count = np.sum(values[rows] == value)
      if min(count, len(rows) - count) >= LEAST:
        yield _Cell(rows, part, int(value))


def _auc(
  x: np.ndarray, drawn: np.ndarray, cells: list[_Cell], c: float
) -> np.ndarray:
  """`[R]` of the values `[R, N]`."""
  better, pairs = np.zeros(len(drawn)), np.zeros(len(drawn))
  for rows, part, value in cells:
    labels = (drawn == value).astype(np.int64)
    for i in range(part.max() + 1):
      train, test_rows = rows[part != i], rows[part == i]
      heads = labellings.fit(x, labels, train, c)
      own = labels[:, test_rows]
      ones = own.sum(axis=1)
      better += gains.wins(logistic.logits(heads, x[test_rows]), own)
      pairs += ones * (len(test_rows) - ones)
  return np.where(pairs > 0, better / np.maximum(pairs, 1), 0.5)

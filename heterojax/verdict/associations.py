"""Does a column go with groups of images, where patients have several?

Images of one patient share a site and an age, and mostly lie in one cluster, so
that few patients make any column go with any clusters. What is compared is an
association with those after the groups of whole patients changed places
(`exchange`), which is exact where the column has nothing to do with them.

Axes: N images, G groups, B draws.
"""

from typing import NamedTuple

import jax
import numpy as np

from heterojax.verdict import exchange as exchanges
from heterojax.verdict import ranks
from heterojax.verdict import teaches_less

DRAWS = 199
# Share of the images that must have others to change places with.
_MOVED = 0.5


class Exchanged(NamedTuple):
  """Groups of images, as they are and after exchanges.

  Attributes:
    rows: `[1 + B, N]` int from 0, the observed ones first.
    why: why there is no p-value; '' where there is one.
  """

  rows: np.ndarray
  why: str = ''


def exchanged(
  groups: np.ndarray, units: np.ndarray, key: jax.Array, draws: int = DRAWS
) -> Exchanged:
  """Exchanges groups among patients with as many images.

  Args:
    groups: `[N]` int from 0, clusters or classes.
    units: `[N]` int, equal for images of one patient.
    key: of the draws.
    draws: B.
  """
  groups = groups.astype(np.min_scalar_type(int(groups.max())))
  one = np.zeros(len(groups), int)
  moved = exchanges.exchange(one, units).moved
  if moved < _MOVED:
    why = (
      f'only {moved:.0%} of the images are of a patient for whom another one'
      ' has as many images'
    )
    return Exchanged(groups[np.newaxis], why)
  drawn = teaches_less.partitions(groups, one, key, draws, units)
  return Exchanged(np.concatenate([groups[np.newaxis], drawn]))


def p_value(values: np.ndarray, of: Exchanged) -> float:
  """p of a column that has nothing to do with the groups.

  Args:
    values: `[N]` floats, of which NaN are left out, for eta squared; or of any
      other kind that NumPy can sort, for chi-squared.
    of: the groups.

  Returns:
    From 1 / (1 + B) to 1; 1 where nothing varies.
  """
  known = np.ones(len(values), bool)
  if values.dtype.kind == 'f':
    known = ~np.isnan(values)
    weight = values[known] - np.mean(values[known])
    # Squares of small numbers vanish.
    weight /= np.max(np.abs(weight)) or 1.0
    weight /= np.linalg.norm(weight) or 1.0
    code, sizes = np.zeros(len(weight), int), np.ones(1)
  else:
    _, code, sizes = np.unique(values, return_inverse=True, return_counts=True)
    weight = np.ones(len(code))
  k = int(of.rows.max()) + 1

  def association(groups: np.ndarray) -> float:
    sums = np.bincount(code * k + groups, weight, len(sizes) * k)
    members = np.maximum(np.bincount(groups, minlength=k), 1)
    squares = sums.reshape(-1, k) ** 2 / sizes[:, np.newaxis]
    return float(np.sum(squares / members))

  rows = np.array([association(row[known]) for row in of.rows])
  return ranks.p_value(rows, ranks.TIE)

"""In how many dimensions features differ, as far as directions show it."""

import numpy as np

from heterojax.cluster.distances import cosine_distances
from heterojax.cluster.distances import mean_of
from heterojax.compute.arrays import Array

# Rows that are compared with each other at a time.
_BLOCK = 1024
# Rows of which all pairs are compared: two million of them.
_MOST = 2048


def effective_dimension(x: Array, rows: np.ndarray) -> float:
  """How many dimensions make random directions as unlike as those of rows.

  Of directions that are drawn at random in d dimensions the squared cosine is
  1 / d on average. Here it is the mean over all pairs of rows less their mean:
  the participation ratio `(sum l)^2 / sum l^2` of the eigenvalues of the second
  moments of directions, but that no row is paired with itself, so that few rows
  do not make it small, nor does one long row make it 1.

  Args:
    x: `[P, D]` features.
    rows: `[N]` int; each counts once. Of many, 2,048 at equal steps are used.

  Returns:
    From 1 to infinity: infinite where no two rows differ, or there is one.
  """
  rows = np.unique(rows)
  if len(rows) > _MOST:
    rows = rows[np.linspace(0, len(rows) - 1, _MOST).round().astype(int)]
  with np.errstate(over='ignore'):
    mean = np.mean(np.asarray(x[rows]), axis=0)
  if not np.isfinite(mean).all():
    mean = mean_of(x[rows])
  total, starts = 0.0, range(0, len(rows), _BLOCK)
  for first in starts:
    for second in range(first, len(rows), _BLOCK):
      one, other = rows[first : first + _BLOCK], rows[second : second + _BLOCK]
      apart = cosine_distances(x[one], x[other], mean)
      squares = (1 - np.asarray(apart, np.float64)) ** 2
      if first == second:
        total += float(np.sum(squares) - np.trace(squares))
      else:
        total += 2 * float(np.sum(squares))
  if not total:
    return float('inf')
  return len(rows) * (len(rows) - 1) / total

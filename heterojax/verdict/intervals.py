"""Intervals of how far each cluster is from what its strata let expect.

The effect of a cluster, its mean less the expected one, is a sum of the means
of all cells (stratum and cluster) with known weights. Those of a cluster make
one weighted mean. Each has an interval of its own, and these are combined as
variances are (MOVER: Zou and Donner 2008), so that a cluster without a single
error is still uncertain. Intervals of cells would not do: that of a single
image reaches less far than such images vary.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy import stats

from heterojax.verdict import ranks

# Degrees of freedom that tell a variance: one, but for rounding.
_LEAST = 1 - ranks.TIE


class _Alike(NamedTuple):
  """How much images of one patient are alike.

  Attributes:
    inflation: `[K]` of the variance of each cluster's mean, 1 or more.
    freedom: `[K]`, what the squares of values less the mean of their cell are
      expected to sum to, where images have the variance 1.
  """

  inflation: np.ndarray
  freedom: np.ndarray


def of_excess(
  values: np.ndarray,
  labels: np.ndarray,
  k: int,
  strata: np.ndarray,
  groups: np.ndarray | None = None,
  confidence: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
  """Effects, and intervals that hold for all clusters together (Bonferroni).

  Values of 0 and 1 have Wilson's intervals, as if the cluster had one rate,
  which is never narrower than with several in strata of equal weight. Others
  have Student's with the deviation inside of the cells of the cluster. Images
  of one patient are as many fewer as the design effect of Kish says, with one
  correlation for all patients.

  Args:
    values: `[N]` floats or whole numbers.
    labels: `[N]` from 0 to k - 1.
    k: clusters.
    strata: `[N]` int from 0.
    groups: `[N]`, equal for images of one patient; None: of their own.
    confidence: of all intervals together.

  Returns:
    `[K]`, a_c - e_c, the mean of the cluster less that of the means that the
    strata of its images have; NaN where a cluster is empty. `[K, 2]`, their
    intervals; infinite where no cell shows how much values vary.
  """
  values = np.asarray(values, np.float64)
  n_strata = int(np.max(strata)) + 1
  size = n_strata * k
  cells = strata * k + labels
  counts = np.bincount(cells, minlength=size)
  sums = np.bincount(cells, values, size)
  means = sums / np.maximum(counts, 1)
  residuals = values - means[cells]
  table, sums = counts.reshape(-1, k), sums.reshape(-1, k)
  n, of_stratum = table.sum(axis=0), table.sum(axis=1, keepdims=True)
  # Image by image, whatever the names of the clusters.
  rates = np.bincount(strata, values)[:, np.newaxis] / of_stratum
  expected = table * rates
  filled = np.where(n > 0, n, np.nan)
  effect = (sums.sum(axis=0) - expected.sum(axis=0)) / filled
  # How much the mean of each cell counts in each effect: [K, S, K].
  weights = np.eye(k)[:, np.newaxis] - table / of_stratum
  weights = np.nan_to_num((table / filled).T[..., np.newaxis] * weights)
  # Those of a cluster have one sign, and make one weighted mean: [K, K].
  weight = weights.sum(axis=1)
  share = weights / np.where(weight != 0, weight, 1)[:, np.newaxis]
  of_cluster = np.sum(share * means.reshape(-1, k), axis=1)
  spread = np.sum(share**2 / np.maximum(table, 1), axis=1)
  images = 1 / np.where(spread > 0, spread, 1)
  alike = _alike(values, strata, labels, k, groups)
  images = images / alike.inflation
  at = 1 - (1 - confidence) / (2 * len(np.unique(labels)))
  if np.all((values == 0) | (values == 1)):
    below, above = _wilson(of_cluster, images, float(stats.norm.ppf(at)))
  else:
    squares = np.bincount(labels, residuals**2, k)
    below = above = _student(squares, alike, at) / np.sqrt(images)
  reach = []
  for lower, upper in ((below, above), (above, below)):
    side = np.where(weight > 0, lower, upper)
    # A cluster that does not count may be one of which nothing is known.
    side = np.where(weight != 0, side, 0) * weight
    reach.append(np.sqrt(ranks.total(side**2)))
  interval = np.stack([effect - reach[0], effect + reach[1]], axis=1)
  return effect, interval


def _wilson(
  means: np.ndarray, n: np.ndarray, z: float
) -> tuple[np.ndarray, np.ndarray]:
  """How far below and above its mean each interval reaches."""
  spread = np.sqrt(means * (1 - means) / n + z**2 / (4 * n**2))
  centre = means + z**2 / (2 * n)
  scale = 1 + z**2 / n
  return (
    means - (centre - z * spread) / scale,
    (centre + z * spread) / scale - means,
  )


def _student(squares: np.ndarray, alike: _Alike, at: float) -> np.ndarray:
  """How far the interval of an image of each cluster reaches.

  The variance is the cluster's; or that of all, where too few units of it are
  in one cell. Infinite where there are too few of all.
  """
  inflation, freedom = alike
  units = freedom / inflation
  own = units > _LEAST
  of_all = ranks.total(freedom), ranks.total(units)
  freedom = np.where(own, freedom, of_all[0])
  units = np.where(own, units, of_all[1])
  squares = np.where(own, squares, ranks.total(squares))
  known = units > _LEAST
  half = stats.t.ppf(at, np.where(known, units, 1))
  half = half * np.sqrt(squares / np.where(known, freedom, 1))
  return np.where(known, half, np.inf)


def design_effect(
  values: np.ndarray,
  strata: np.ndarray,
  labels: np.ndarray,
  k: int,
  groups: np.ndarray | None,
) -> np.ndarray:
  """By how much images of one patient inflate the variance of each cluster.

  They vary together whatever their class (Kish), so that they count by cluster
  and not by cell.

  Args:
    values: as of `of_excess`, and so are the others.
    strata: `[N]`.
    labels: `[N]`.
    k: K.
    groups: `[N]`.

  Returns:
    `[K]`, 1 or more.
  """
  return _alike(values, strata, labels, k, groups).inflation


def _alike(
  values: np.ndarray,
  strata: np.ndarray,
  labels: np.ndarray,
  k: int,
  groups: np.ndarray | None,
) -> _Alike:
  counts = np.bincount(labels, minlength=k)
  _, first, cell = np.unique(
    strata * k + labels, return_index=True, return_inverse=True
  )
  # In the order of their first images, whatever the names of the clusters.
  cell = np.argsort(np.argsort(first))[cell]
  own = labels[np.sort(first)]
  of_images = counts - np.bincount(own, minlength=k)
  if groups is None:
    return _Alike(np.ones(k), of_images)
  group = np.unique(groups, return_inverse=True)[1]
  # Images of one patient in one cell, and in one cluster.
  part = _part(cell, group)
  correlation = _correlation(values, cell, group, part)
  of_patients = counts - np.bincount(own, part.power(2).sum(axis=0), k)
  there = sparse.coo_array((np.ones(len(group)), (group, labels)))
  there.resize(group.max() + 1, k)
  squares = there.tocsr().power(2).sum(axis=0)
  return _Alike(
    1 + (squares / np.maximum(counts, 1) - 1).clip(0) * correlation,
    (1 - correlation) * of_images + correlation * of_patients,
  )


def _part(cell: np.ndarray, group: np.ndarray) -> sparse.csr_array:
  """Patients by cells: images over the root of the number in the cell."""
  n = np.bincount(cell)
  return sparse.coo_array((1 / np.sqrt(n[cell]), (group, cell))).tocsr()


def _correlation(
  values: np.ndarray,
  cell: np.ndarray,
  group: np.ndarray,
  part: sparse.csr_array,
) -> float:
  """Of two images of one patient, beyond what their cells let expect.

  Values less the mean of their cell are the less alike the fewer patients are
  in it. So the squares of the patients' sums, as a multiple of those of images,
  are compared with what any correlation lets expect (a method of moments).

  Args:
    values: `[N]`.
    cell: `[N]` int from 0.
    group: `[N]` int from 0, patients.
    part: see `_part`.

  Returns:
    From 0 to 1.
  """
  n = np.bincount(cell)
  residuals = values - (np.bincount(cell, values) / n)[cell]
  squares = np.sum(residuals**2)
  if not squares:
    return 0.0
  ratio = np.sum(np.bincount(group, residuals) ** 2) / squares
  # What is expected of images of variance 1 is `none` and `one` without a
  # correlation, `one` and `two` with that of 1: traces of M, G M and G M G M,
  # where M takes off the means of cells and G is 1 within a patient.
  sizes = np.bincount(group)
  of_patient = part.power(2).sum(axis=1)
  none = len(cell) - len(n)
  one = len(cell) - np.sum(of_patient)
  two = (
    np.sum(sizes * (sizes - 2 * of_patient)) + (part.T @ part).power(2).sum()
  )
  told = two - one + ratio * (none - one)
  if told <= ranks.TIE * len(cell):
    return 1.0  # No cell has two patients, which alone could tell.
  return float(np.clip((ratio * none - one) / told, 0, 1))

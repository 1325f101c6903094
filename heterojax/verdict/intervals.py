"""Intervals of how far each cluster is from what its strata let expect.

The effect of a cluster, its mean less the expected one, is a sum of the means
of all cells (stratum and cluster) with known weights. Each mean has an interval
of its own, and they are combined as variances are (MOVER: Zou and Donner 2008),
so that a cell without a single error is still uncertain.
"""

import numpy as np
from scipy import stats

from heterojax.verdict import ranks


def of_excess(
  values: np.ndarray,
  labels: np.ndarray,
  k: int,
  strata: np.ndarray,
  groups: np.ndarray | None = None,
  confidence: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
  """Effects, and intervals that hold for all clusters together (Bonferroni).

  Values of 0 and 1 have Wilson's intervals, others Student's with the deviation
  inside of the cells of a stratum. Images of one patient are as many fewer as
  the design effect of Kish says, with one correlation for all patients.

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
    intervals; infinite where no stratum shows how much values vary.
  """
  values = np.asarray(values, np.float64)
  n_strata = int(np.max(strata)) + 1
  size = n_strata * k
  cells = strata * k + labels
  counts = np.bincount(cells, minlength=size)
  sums = np.bincount(cells, values, size)
  means = sums / np.maximum(counts, 1)
  residuals = values - means[cells]
  effective = counts / _design_effect(residuals, cells, groups, size)
  at = 1 - (1 - confidence) / (2 * len(np.unique(labels)))
  if np.all((values == 0) | (values == 1)):
    below, above = _wilson(means, effective, float(stats.norm.ppf(at)))
  else:
    below = above = _student(residuals, strata, counts, effective, at)
  table, sums = counts.reshape(-1, k), sums.reshape(-1, k)
  n, of_stratum = table.sum(axis=0), table.sum(axis=1, keepdims=True)
  # Image by image, whatever the names of the clusters.
  rates = np.bincount(strata, values)[:, np.newaxis] / of_stratum
  expected = table * rates
  filled = np.where(n > 0, n, np.nan)
  effect = (sums.sum(axis=0) - expected.sum(axis=0)) / filled
  # How much the mean of each cell counts in each effect: [K, S, K].
  weights = np.eye(k)[:, np.newaxis] - table / of_stratum
  weights = (table / filled).T[..., np.newaxis] * weights
  weights = np.nan_to_num(weights).reshape(k, size)
  reach = []
  for lower, upper in ((below, above), (above, below)):
    side = np.where(weights > 0, lower, upper)
    # A cell that does not count may be one of which nothing is known.
    side = np.where(weights != 0, side, 0) * weights
    reach.append(np.sqrt(ranks.total(side**2)))
  interval = np.stack([effect - reach[0], effect + reach[1]], axis=1)
  return effect, interval


def _wilson(
  means: np.ndarray, n: np.ndarray, z: float
) -> tuple[np.ndarray, np.ndarray]:
  """How far below and above its mean the interval of each cell reaches."""
  n = np.where(n > 0, n, 1)
  spread = np.sqrt(means * (1 - means) / n + z**2 / (4 * n**2))
  centre = means + z**2 / (2 * n)
  scale = 1 + z**2 / n
  return (
    means - (centre - z * spread) / scale,
    (centre + z * spread) / scale - means,
  )


def _student(
  residuals: np.ndarray,
  strata: np.ndarray,
  counts: np.ndarray,
  effective: np.ndarray,
  at: float,
) -> np.ndarray:
  """How far the interval of each cell reaches; the variance is the stratum's.

  Infinite in a stratum in which no cell has two images.
  """
  sizes = np.bincount(strata)
  table = counts.reshape(len(sizes), -1)
  freedom = sizes - np.sum(table > 0, axis=1)
  squares = np.bincount(strata, residuals**2)
  known = np.maximum(freedom, 1)
  half = stats.t.ppf(at, known) * np.sqrt(squares / known)
  half = np.where(freedom > 0, half, np.inf)
  half = np.repeat(half, table.shape[1])
  return half / np.sqrt(np.where(counts > 0, effective, 1))


def _design_effect(
  residuals: np.ndarray,
  cells: np.ndarray,
  groups: np.ndarray | None,
  size: int,
) -> np.ndarray:
  """By how much images of one patient inflate the variance of each cell."""
  if groups is None or not np.any(residuals):
    return np.ones(size)
  _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
  pairs = np.sum(sizes * (sizes - 1))
  together = np.sum(np.bincount(group, residuals) ** 2) - np.sum(residuals**2)
  correlation = together / max(pairs, 1) / np.mean(residuals**2)
  correlation = min(max(correlation, 0.0), 1.0)
  # Images of one patient in one cell.
  _, first, there = np.unique(
    cells * len(sizes) + group, return_index=True, return_counts=True
  )
  counts = np.bincount(cells, minlength=size)
  squares = np.bincount(cells[first], there**2, size)
  return 1 + (squares / np.maximum(counts, 1) - 1).clip(0) * correlation

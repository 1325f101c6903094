"""Intervals of how far each cluster is from what its strata let expect.

The effect of a cluster, its mean less the expected one, is a sum of the means
of all cells (stratum and cluster) with known weights. Those of a cluster make
one weighted mean. Each has an interval of its own, and these are combined as
variances are (MOVER: Zou and Donner 2008), so that a cluster without a single
error is still uncertain. Intervals of cells would not do: that of a single
image reaches less far than such images vary.
"""

import numpy as np
from scipy import stats

from heterojax.stats import inference
from heterojax.verdict import alike as alike_lib
from heterojax.verdict import ranks

# Degrees of freedom that tell a variance: one, but for rounding.
_LEAST = 1 - ranks.TIE


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
  have Student's with the deviation inside of the cells of the cluster, or of
  all clusters where that is larger. Where images of one patient are `alike`, an
  interval is as much wider or narrower as this makes the effect vary more or
  less.

  Args:
    values: `[N]` floats or whole numbers.
    labels: `[N]` from 0 to k - 1.
    k: clusters.
    strata: `[N]` int from 0.
    groups: `[N]`, equal for images of one patient; None: of their own.
    confidence: of all intervals together.

  Returns:
    `[K]`, a_c - e_c, the mean of the cluster less that of the means that the
    strata of its images have; NaN where a cluster is empty, or alone in all of
    its strata and so compared with itself. `[K, 2]`, their intervals; infinite
    where no cell shows how much values vary.
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
  effect[~weights.any(axis=(1, 2))] = np.nan
  # Those of a cluster have one sign, and make one weighted mean: [K, K].
  weight = weights.sum(axis=1)
  share = weights / np.where(weight != 0, weight, 1)[:, np.newaxis]
  of_cluster = np.sum(share * means.reshape(-1, k), axis=1)
  spread = np.sum(share**2 / np.maximum(table, 1), axis=1)
  images = 1 / np.where(spread > 0, spread, 1)
  present, cell = alike_lib.in_order(cells)
  alike = alike_lib.alike(values, cell, labels, k, groups)
  covariance = alike.covariance(cell, len(present))
  counts = counts[present]
  # How much an image of each cell counts in each effect: [K, M].
  influence = weights.reshape(k, size)[:, present] / counts
  if groups is not None:
    inflation = alike_lib.inflation(influence, counts, covariance)
    images = images / inflation[:, np.newaxis]
  at = 1 - (1 - confidence) / (2 * len(np.unique(labels)))
  if np.all((values == 0) | (values == 1)):
    z = float(stats.norm.ppf(at))
    low, high = inference.score_limits(of_cluster, images, z)
    below, above = of_cluster - low, high - of_cluster
  else:
    squares = np.bincount(labels, residuals**2, k)
    own = np.equal.outer(np.arange(k), present % k).astype(float)
    units = alike.freedom / alike_lib.inflation(own, counts, covariance)
    student = _student(squares, alike.freedom, units, at)
    below = above = student / np.sqrt(images)
  reach = []
  for lower, upper in ((below, above), (above, below)):
    side = np.where(weight > 0, lower, upper)
    # A cluster that does not count may be one of which nothing is known.
    side = np.where(weight != 0, side, 0) * weight
    reach.append(np.sqrt(ranks.total(side**2)))
  interval = np.stack([effect - reach[0], effect + reach[1]], axis=1)
  return effect, interval


def _student(
  squares: np.ndarray, freedom: np.ndarray, units: np.ndarray, at: float
) -> np.ndarray:
  """How far the interval of an image of each cluster reaches.

  The variance is the cluster's, but no smaller than that of all. Squared errors
  are skewed: a cluster without its few large ones has a small mean and a small
  variance, and an interval by these alone ends below the truth. Where too few
  units of a cluster are in one cell, it is that of all; infinite where there
  are too few of all.
  """
  own = units > _LEAST
  of_all = ranks.total(squares) / max(ranks.total(freedom), _LEAST)
  variance = np.where(own, squares / np.where(own, freedom, 1), 0)
  units = np.where(own, units, ranks.total(units))
  known = units > _LEAST
  half = stats.t.ppf(at, np.where(known, units, 1))
  half = half * np.sqrt(np.maximum(variance, of_all))
  return np.where(known, half, np.inf)

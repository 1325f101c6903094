"""What the coefficient of variation is with no heterogeneity at all.

Small test clusters alone make a metric vary over clusters, and so do clusters
with other shares of a class that is harder. Here what the images of each class
and fold have is exchanged over the clusters, or what whole patients have
(`exchange`): the sizes and the classes of all clusters stay, and so does the
metric of every class. The exchanges are the same for all trainings of the
clustering.

Images of a patient that are alike in one cluster alone make clusters differ by
more than that, since exchanges take all of a patient for equally alike. Draws
are then taken as much further apart (`alike`) before the CV is taken, which
keeps what the mix of classes adds to it; the band is then approximate.

A band says "as even as classes let expect", not "one rule": a cluster close to
the boundary of one rule for all is harder too (`uneven`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from heterojax.stats import heterogeneity
from heterojax.stats import inference as statistics
from heterojax.stats import metrics
from heterojax.verdict import alike
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import ranks
from heterojax.verdict import sums as sums_of

DRAWS = 999
# The middle 95 % of the draws.
_PERCENTILES = (2.5, 97.5)


class Fold(NamedTuple):
  """The N test images of a fold.

  Attributes:
    terms: of the metric.
    classes: `[N]` int; one for all where there are none.
    groups: `[N]` of str, the patient of each image, '' where not known.
    labels: `[R, N]` from 0 to k - 1, a row for each training of the clustering.
  """

  terms: metrics.Terms
  classes: np.ndarray
  groups: np.ndarray
  labels: np.ndarray


class Null(NamedTuple):
  """Coefficients of variation (CV) where images were exchanged.

  Attributes:
    cvs: `[1 + B, T]` of each fold, means over the trainings, NaN where not
      estimable: as observed, then of each draw, or of all other arrangements
      where they are no more than the draws; these are taken further apart where
      images of a patient are more alike in one cluster than in two.
    exchange: of the images of all folds.
  """

  cvs: np.ndarray
  exchange: exchanges.Exchange


class Estimate(NamedTuple):
  """A coefficient of variation beside its null; NaN: not estimable.

  Attributes:
    cv: as it is.
    expected: its mean with no heterogeneity.
    band: the middle 95 % of it with no heterogeneity.
    corrected: what is left without the part that chance explains.
    p_value: (1 + b) / (1 + B), where b of B draws are not below it.
    draws: B.
  """

  cv: float
  expected: float
  band: tuple[float, float]
  corrected: float
  p_value: float
  draws: int


def null(
  folds: Sequence[Fold], k: int, key: jax.Array, draws: int = DRAWS
) -> Null:
  """Draws the CVs of all folds together.

  Args:
    folds: T, with the same number of trainings and at least an image each. A
      patient may be in several of them.
    k: clusters.
    key: of the draws. The same key gives the same bits for other names of the
      clusters.
    draws: at least 1.

  Returns:
    The CVs.
  """
  sizes = [len(fold.classes) for fold in folds]
  number = np.repeat(np.arange(len(folds)), sizes)
  classes, groups = (
    np.concatenate([getattr(fold, name) for fold in folds])
    for name in ('classes', 'groups')
  )
  labels = np.concatenate([fold.labels for fold in folds], axis=1)
  strata = exchanges.strata(classes, number)
  patients = exchanges.patients(groups)
  exchange = exchanges.exchange(strata, patients)
  # A column for each training, fold and cluster.
  shape = len(labels), len(folds), k
  clusters = number * k + labels
  columns = np.arange(len(labels))[:, np.newaxis] * len(folds) * k + clusters
  values = np.concatenate([fold.terms.values for fold in folds])
  images = sums_of.Images(sums_of.exact(values), columns, int(np.prod(shape)))
  rows = sums_of.sums(images, strata, exchange, key, draws)
  counts = np.bincount(columns.ravel(), minlength=images.k)
  counts = np.where(counts > 0, counts, np.nan)
  metric = _metric(folds, (rows / counts).reshape(-1, *shape))
  if patients is not None:
    orbits = exchange.orbits
    # What images of a patient in two folds have in common is in no CV.
    units = exchanges.strata(patients, number)
    ratio = _ratios(values, strata, units, orbits, clusters, len(folds) * k)
    ratio = ratio.reshape(shape)
    means = (np.bincount(orbits, values) / np.bincount(orbits))[orbits]
    drawn = np.bincount(columns.ravel(), np.tile(means, shape[0]), images.k)
    mean = _metric(folds, (drawn / counts).reshape(-1, *shape))
    apart = mean + np.sqrt(ratio) * (metric[1:] - mean)
    metric[1:] = np.where(ratio > 1, apart, metric[1:])
  cvs = [_cv(metric[:, :, t]) for t in range(len(folds))]
  return Null(np.stack(cvs, axis=1), exchange)


def _ratios(
  values: np.ndarray,
  strata: np.ndarray,
  units: np.ndarray,
  orbits: np.ndarray,
  labels: np.ndarray,
  k: int,
) -> np.ndarray:
  """Ratios `[R, K]` of `alike.beyond_exchange`, for clusterings `[R, N]`."""
  return np.stack([
    alike.beyond_exchange(values, strata, row, k, units, orbits)[0]
    for row in labels
  ])


def _metric(folds: Sequence[Fold], means: np.ndarray) -> np.ndarray:
  """The metric `[..., R, T, K]` of means of values; NaN without an image."""
  of_folds = [
    fold.terms.transform(means[..., t, :]) for t, fold in enumerate(folds)
  ]
  return np.stack(of_folds, axis=-2)


def _cv(metric: np.ndarray) -> np.ndarray:
  """CV `[1 + B]` of `[1 + B, R, K]`, mean over the trainings that have one."""
  # Sums then have the same bits whatever the names of the clusters.
  cvs = heterogeneity.variation(np.sort(metric, axis=-1), np)
  return heterogeneity.mean_of_known(cvs, np)[0]


def estimate(cvs: np.ndarray) -> Estimate:
  """Mean of the CVs of T folds, beside the null of that mean.

  The corrected CV of a fold is `sqrt(cv^2 - mean(null^2))`. Variances add, so
  it is their difference, 0 where chance explains more ("double-corrected
  variance" of Lum, Zhang and Bower 2022, with permutations in place of the
  binomial formula). That of several folds is of the mean of these differences.

  The observed CV is one of the null, as every draw is: then a CV is above the
  band with probability .025 at most where there is nothing to find, and about
  that where draws were taken further apart.

  Args:
    cvs: `[1 + B, T]` of `null`; folds without an observed CV are left out.

  Returns:
    The estimate; all but the CV are NaN where no exchange changes it.
  """
  cvs = cvs[:, ~np.isnan(cvs[0])]
  rows = statistics.nanmean(cvs, 1)
  cv, draws = float(rows[0]), len(rows) - 1
  # Equal coefficients differ by the order in which their terms are added.
  rows = np.where(np.abs(rows - cv) <= ranks.TIE * cv, cv, rows)
  if np.all((rows == cv) | np.isnan(rows)):
    nan = float('nan')
    return Estimate(cv, nan, (nan, nan), nan, nan, draws)
  low, high = np.nanpercentile(rows, _PERCENTILES)
  excess = cvs[0] ** 2 - statistics.nanmean(cvs**2, 0)
  return Estimate(
    cv=cv,
    expected=float(np.nanmean(rows)),
    band=(float(low), float(high)),
    corrected=float(np.sqrt(max(np.mean(excess), 0.0))),
    # A draw without an estimate counts against a finding.
    p_value=float(np.mean(~(rows < cv))),
    draws=draws,
  )

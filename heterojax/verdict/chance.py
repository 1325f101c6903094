"""What the coefficient of variation is with no heterogeneity at all.

Small test clusters alone make a metric vary over clusters, and so do clusters
with other shares of a class that is harder. Here what the images of each class
and fold have is exchanged over the clusters, or what whole patients have
(`exchange`): the sizes and the classes of all clusters stay, and so does the
metric of every class. The exchanges are the same for all trainings of the
clustering.

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
      where they are no more than the draws.
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
  exchange = exchanges.exchange(strata, exchanges.patients(groups))
  # A column for each training, fold and cluster.
  shape = len(labels), len(folds), k
  training = np.arange(len(labels))[:, np.newaxis]
  columns = (training * len(folds) + number) * k + labels
  values = np.concatenate([fold.terms.values for fold in folds])
  images = sums_of.Images(sums_of.exact(values), columns, int(np.prod(shape)))
  rows = sums_of.sums(images, strata, exchange, key, draws)
  counts = np.bincount(columns.ravel(), minlength=images.k)
  means = np.full(rows.shape, np.nan)
  np.divide(rows, counts, out=means, where=counts > 0)
  means = means.reshape(-1, *shape)
  cvs = [
    _cv(fold.terms.transform(means[:, :, t])) for t, fold in enumerate(folds)
  ]
  return Null(np.stack(cvs, axis=1), exchange)


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
  band with probability .025 at most where there is nothing to find.

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

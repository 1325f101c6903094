"""Is the model wrong more often in some cluster than its classes let expect?

What is compared are the errors of one model on test images. Under the null the
error of an image has nothing to do with its cluster, given its class, the fold
that it was tested in, and its patient. It says "harder", not "another rule": a
cluster close to the boundary of one rule for all is harder too.
"""

from collections.abc import Sequence
import math
from typing import NamedTuple

import jax
import numpy as np

from heterojax.verdict import alike
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import intervals
from heterojax.verdict import ranks
from heterojax.verdict import records
from heterojax.verdict import sums as sums_of

DRAWS = 9999


class Several(NamedTuple):
  """The outcome over several clusterings of the same images.

  Attributes:
    p_value: of there being none in which some cluster is uneven; None where no
      clustering has a p-value.
    adjusted: `[M]` p-values of the clusterings, adjusted for there being M; NaN
      where one has none.
    tests: `[M]`, each as if it were the only one, from the same draws.
  """

  p_value: float | None
  adjusted: np.ndarray
  tests: tuple[records.Test, ...]


def test(
  values: np.ndarray,
  classes: np.ndarray,
  labels: np.ndarray,
  k: int,
  *,
  key: jax.Array,
  folds: np.ndarray | None = None,
  groups: np.ndarray | None = None,
  draws: int = DRAWS,
) -> records.Test:
  """Compares the values of clusters with those after exchanges of images.

  The statistic is Q = sum_c n_c (a_c - e_c)^2, where a_c is the mean of the
  cluster's values and e_c what it would be if each image had the mean of its
  class and fold. Draws exchange the values of images of the same class and
  fold; with groups those of patients with the same number of images in each,
  and of the images of a patient among themselves (see `exchange`). Where there
  are no more arrangements than draws, all of them take their place.

  The adjusted p-values are one-sided: that a cluster is worse. Only that is
  said of a cluster, and since the excesses of all clusters sum to 0, of two the
  better one would otherwise be found as often as the worse. They are of
  z_c = (sum of the cluster - mean) / deviation, over all draws and the observed
  sums, by step-down maxT from the same draws. So Q may be small in p with no
  cluster named: where one is better than the others.

  Where images of a patient are more alike in one cluster than in two, which no
  exchange keeps, draws are taken as much further apart (`alike`): the test is
  then approximate.

  Sums of 0 and 1 are compared as whole numbers, so that equal statistics are
  equal. Other values may differ in their last bits and have a tolerance.

  Args:
    values: `[N]`, larger for worse: 1 where the model is wrong and 0 where it
      is right, or squared errors.
    classes: `[N]` of anything that NumPy can sort; one class for all where
      there are none.
    labels: `[N]` int from 0 to k - 1.
    k: clusters.
    key: of the draws. The same key gives the same bits for other names of the
      clusters, and, where values are 0 and 1 and there are no groups, for
      another order of the images.
    folds: `[N]` in which the images were tested; None: one.
    groups: `[N]` patients; None: each image is a unit by itself.
    draws: at least 1.

  Returns:
    The test. The effect is a_c - e_c, its intervals hold for all clusters
    together (`intervals`).

  Raises:
    ValueError: if shapes, values or labels are not as said.
  """
  return test_several(
    values,
    classes,
    np.asarray(labels)[np.newaxis],
    (k,),
    key=key,
    folds=folds,
    groups=groups,
    draws=draws,
  ).tests[0]


# Its name begins with `test`, but it is no case.
test.__test__ = False


def test_several(
  values: np.ndarray,
  classes: np.ndarray,
  labels: np.ndarray,
  k: Sequence[int],
  *,
  key: jax.Array,
  folds: np.ndarray | None = None,
  groups: np.ndarray | None = None,
  draws: int = DRAWS,
) -> Several:
  """Compares the values of clusters in several clusterings (see `test`).

  What is exchanged are values, whatever the clusters, so that one set of draws
  is for all clusterings. The maximum over them, of Q less its mean over its
  deviation, is then exact however they are related.

  Args:
    values: as of `test`.
    classes: as of `test`.
    labels: `[M, N]`, of each clustering from 0 to its k - 1.
    k: `[M]`, clusters of each.
    key: as of `test`.
    folds: as of `test`.
    groups: as of `test`.
    draws: as of `test`.

  Returns:
    The tests.

  Raises:
    ValueError: as of `test`.
  """
  labels = np.asarray(labels)
  values = _checked(values, classes, labels, k, folds, groups, draws)
  strata = exchanges.strata(classes, folds)
  exchange = exchanges.exchange(strata, groups)
  moved, rounding = values, 0.0
  if values.dtype.kind == 'f':
    # What is common to a stratum would only cost bits.
    means = np.bincount(strata, values) / np.bincount(strata)
    moved = values - means[strata]
    # Sums of the same values in another order differ in their last bits.
    rounding = ranks.TIE * float(np.sum(np.abs(moved)))
  ends = np.cumsum(k)
  columns = labels + (ends - k)[:, np.newaxis]
  images = sums_of.Images(moved, columns, int(ends[-1]))
  rows = sums_of.sums(images, strata, exchange, key, draws)
  tests, statistics = [], []
  for own, end, number in zip(labels, ends, k, strict=True):
    sums = rows[:, end - number : end]
    q, scale = _q(sums, own, strata, values)
    statistic = np.asarray(q / scale, np.float64)
    tie = ranks.TIE * np.max(q) if rounding else 0
    z = ranks.standardised(sums, rounding)
    beyond, of_all = alike.beyond_exchange(values, strata, own, number, groups)
    if of_all > 1:
      statistic[1:] *= of_all
      z[1:] *= np.sqrt(beyond)
      q, tie = statistic, ranks.TIE * np.max(statistic)
    effect, interval = intervals.of_excess(values, own, number, strata, groups)
    found = records.Test(
      statistic=float(statistic[0]),
      null=statistic[1:],
      p_value=ranks.p_value(q, tie),
      adjusted=ranks.step_down(z),
      effect=effect,
      interval=interval,
      unit=exchange.unit,
      stays=exchange.stays,
    )
    why = _why_none(own, values, strata)
    if not why and np.all(np.ptp(sums, axis=0) <= rounding):
      why = f'no exchange of {exchange.unit}s changes what the clusters have'
    if why:
      found = found._replace(
        statistic=math.nan,
        null=np.zeros(0),
        p_value=None,
        adjusted=np.full(number, np.nan),
        why=why,
      )
      statistic = np.full_like(statistic, np.nan)
    tests.append(found)
    statistics.append(statistic)
  z = ranks.standardised(np.stack(statistics, axis=1))
  adjusted = ranks.step_down(z)
  known = adjusted[~np.isnan(adjusted)]
  p_value = float(np.min(known)) if len(known) else None
  return Several(p_value, adjusted, tuple(tests))


test_several.__test__ = False


def _checked(
  values: np.ndarray,
  classes: np.ndarray,
  labels: np.ndarray,
  k: Sequence[int],
  folds: np.ndarray | None,
  groups: np.ndarray | None,
  draws: int,
) -> np.ndarray:
  """Values as `sums.exact` has them."""
  values = np.asarray(values)
  n = len(values)
  lengths = {'classes': classes, 'folds': folds, 'groups': groups}
  for name, column in lengths.items():
    if column is not None and np.shape(column) != (n,):
      raise ValueError(f'{name} are {np.shape(column)}, values {values.shape}')
  if labels.shape != (len(k), n):
    raise ValueError(f'labels are {labels.shape}, not {(len(k), n)}')
  if not n or draws < 1:
    raise ValueError(f'{n} values and {draws} draws; at least 1 of each')
  if not np.all(np.isfinite(values)):
    raise ValueError('values are not finite')
  for row, number in zip(labels, k, strict=True):
    if row.min() < 0 or row.max() >= number:
      raise ValueError(f'labels are not from 0 to {number - 1}')
  return sums_of.exact(values)


def _q(
  sums: np.ndarray, labels: np.ndarray, strata: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, int]:
  """Q `[1 + B]` times a number, and that number.

  Sums of 0 and 1 less what is expected are fractions, whose denominators are
  the sizes of strata: times these, Q is whole numbers, of any size, and equal
  ones are equal. Other sums are of values without the mean of their stratum.
  """
  k = sums.shape[1]
  n = np.bincount(labels, minlength=k)
  if values.dtype.kind == 'f':
    return ranks.total(sums**2 / np.maximum(n, 1)), 1
  sizes = np.bincount(strata)
  ones = np.bincount(strata, values).astype(np.int64)
  table = np.bincount(strata * k + labels, minlength=len(sizes) * k)
  common = math.lcm(*sizes.tolist())
  rates = ones.astype(object) * (common // sizes.astype(object))
  expected = table.reshape(-1, k).astype(object).T @ rates
  filled = n > 0
  every = math.lcm(*n[filled].tolist())
  deviations = common * sums[:, filled].astype(object) - expected[filled]
  q = deviations**2 @ (every // n[filled].astype(object))
  return q, common**2 * every


def _why_none(
  labels: np.ndarray, values: np.ndarray, strata: np.ndarray
) -> str:
  """Why the data have no p-value, whatever is exchanged; '' where they may."""
  if len(np.unique(labels)) < 2:
    return 'all test images are in one cluster'
  first = np.unique(strata, return_index=True)[1]
  if np.all(values == values[first][strata]):
    return 'all test images of a class and fold have the same error'
  return ''

"""Heterogeneity as the coefficient of variation of a metric over clusters.

What it would be with no heterogeneity at all is in `verdict.chance`.
"""

from collections.abc import Sequence
import dataclasses
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from heterojax.records.codec import Estimate
from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.stats import inference as statistics

# Upper limits of the paper's names (section 3 and abstract).
BANDS = {'recommended': 0.05, 'very good': 0.1, 'good': 0.2, 'acceptable': 0.3}
_LAST_BAND = 'not acceptable'


class ModeCV(NamedTuple):
  """The choice of the minimum mode CV.

  Attributes:
    cv: with the number of components that is chosen, not rounded.
    frequency: numbers of components that have it, to 4 decimals.
    n_components: the smallest of them; None where no CV is estimable.
  """

  cv: float
  frequency: int
  n_components: int | None


@dataclasses.dataclass(frozen=True)
class Fit:
  """A line through the sizes, by least squares."""

  slope: float
  intercept: float
  residual_sd: float


@dataclasses.dataclass(frozen=True)
class MetricGivenCv:
  """The metric that a line gives for a CV, with the interval of a new size."""

  cv: float
  metric: float
  interval: Interval
  extrapolated: bool


@dataclasses.dataclass(frozen=True)
class CvGivenMetric:
  """The CV that a line gives for a metric, with the interval of a new size."""

  metric: float
  cv: float
  interval: Interval
  extrapolated: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class CvVsMetric:
  """How the CV goes with the metric over sizes (the paper's Figure 5).

  `fit` is the metric on the CV and `fit_cv` the CV on the metric, two lines,
  because least squares is not symmetric. Their predictions have 95 % intervals
  of a new size, which may leave the range of the metric, and say where they are
  beyond what was observed.
  """

  n: int
  n_left_out: int
  pearson: Estimate
  pearson_p_value: Number | None
  spearman: Estimate
  fit: Fit | Missing
  fit_cv: Fit | Missing
  metric_given_cv: tuple[MetricGivenCv, ...] | Missing
  cv_given_metric: tuple[CvGivenMetric, ...] | Missing
  warning: str


def cluster_means(
  values: np.ndarray, labels: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
  """Mean per cluster of one value per image, for several clusterings.

  Args:
    values: `[N]`.
    labels: `[R, N]` from 0 to k - 1.
    k: clusters.

  Returns:
    Means `[R, K]`, NaN where a cluster is empty, and numbers of images
    `[R, K]`.
  """
  labels = np.asarray(labels)
  runs = len(labels)
  cells = (labels + k * np.arange(runs)[:, np.newaxis]).ravel()
  counts = np.bincount(cells, minlength=runs * k).reshape(runs, k)
  sums = np.bincount(
    cells, np.tile(np.asarray(values, np.float64), runs), runs * k
  ).reshape(runs, k)
  means = np.full((runs, k), np.nan)
  np.divide(sums, counts, out=means, where=counts > 0)
  return means, counts


def coefficient_of_variation(
  metric: np.ndarray, empty: str = 'leave_out'
) -> np.ndarray:
  """Population standard deviation over mean, along the last axis.

  Args:
    metric: `[..., K]`, NaN or None where a cluster is empty.
    empty: 'leave_out', or 'minus_one', which is the convention of the paper's
      laboratory in its later work: an empty cluster has the metric -1.

  Returns:
    `[...]`; NaN with fewer than two clusters or a mean that is not above 0,
    where a ratio to the mean says nothing.
  """
  if empty not in ('leave_out', 'minus_one'):
    raise ValueError(f"empty is {empty!r}, not 'leave_out' or 'minus_one'")
  metric = np.asarray(metric, np.float64)
  if empty == 'minus_one':
    metric = np.where(np.isnan(metric), -1.0, metric)
  return variation(metric, np)


def variation(metric: Any, xp: Any) -> Any:
  """The coefficient `[...]` of `[..., K]` in NumPy or JAX, NaN left out."""
  mean, number = mean_of_known(metric, xp)
  squares = (metric - mean[..., np.newaxis]) ** 2
  variance, _ = mean_of_known(squares, xp)
  possible = (number > 1) & (mean > 0)
  return xp.where(
    possible, xp.sqrt(variance) / xp.where(possible, mean, 1.0), xp.nan
  )


def mean_of_known(x: Any, xp: Any) -> tuple[Any, Any]:
  """Mean along the last axis without the NaN, and how many there are."""
  known = ~xp.isnan(x)
  number = xp.sum(known, axis=-1)
  total = xp.sum(xp.where(known, x, 0.0), axis=-1)
  mean = total / xp.where(number > 0, number, 1)
  return xp.where(number > 0, mean, xp.nan), number


def mean_cv(cvs: np.ndarray) -> float:
  """Mean of the CVs that are estimable; NaN where none is."""
  return float(mean_of_known(np.asarray(cvs, np.float64), np)[0])


def why_none(metric: np.ndarray) -> str:
  """Why no training of a clustering has a CV, in words.

  Args:
    metric: `[R, K]`, NaN where a cluster is empty.

  Returns:
    The reason; '' where `mean_cv` has a value.
  """
  metric = np.asarray(metric, np.float64)
  if np.any(~np.isnan(variation(metric, np))):
    return ''
  if np.all(np.sum(~np.isnan(metric), axis=-1) < 2):
    return 'fewer than two clusters have a metric'
  return 'the mean of the metric over clusters is not above 0'


def band(cv: float | None) -> str | None:
  """The paper's name for a CV, which has 'acceptable' up to 0.30 itself."""
  if cv is None or np.isnan(cv):
    return None
  if cv == BANDS['acceptable']:
    return 'acceptable'
  return next((name for name, end in BANDS.items() if cv < end), _LAST_BAND)


def minimum_mode_cv(cvs: Sequence[float | None] | np.ndarray) -> ModeCV:
  """The smallest number of components whose CV is the most frequent one.

  CVs are compared when rounded to 4 decimals; of several that are equally
  frequent the smallest is taken, as by `scipy.stats.mode`.

  Args:
    cvs: with 1, 2, ... components, None or NaN where not estimable.

  Returns:
    The choice.
  """
  cvs = np.asarray(cvs, np.float64)
  if np.isnan(cvs).all():
    return ModeCV(float('nan'), 0, None)
  rounded = np.round(cvs, 4)
  mode = stats.mode(rounded, nan_policy='omit')
  first = int(np.argmax(rounded == mode.mode))
  return ModeCV(float(cvs[first]), int(mode.count), first + 1)


def cv_vs_metric(
  cvs: Sequence[float | None],
  performances: Sequence[float | None],
  cvs_at: Sequence[float] = tuple(BANDS.values()),
  metrics_at: Sequence[float] = (0.8, 0.9, 0.95),
) -> CvVsMetric:
  """Relates the CV to the metric over sizes.

  Args:
    cvs: `[S]`, None or NaN where not estimable; such a size is left out.
    performances: `[S]`, the metric of all test images, likewise.
    cvs_at: for which the metric is predicted.
    metrics_at: for which the CV is predicted.

  Returns:
    The relation; missing with fewer than three sizes, or a column that is
    constant.
  """
  # Equal fractions differ in their last bits, which are no relation.
  pairs = np.round(np.array([cvs, performances], np.float64), 12)
  x, y = pairs[:, ~np.isnan(pairs).any(axis=0)]
  n = len(x)
  n_left_out = pairs.shape[1] - n
  if why := _why_no_line(x, y):
    none = Missing(why)
    return CvVsMetric(
      n=n,
      n_left_out=n_left_out,
      pearson=none,
      pearson_p_value=None,
      spearman=none,
      fit=none,
      fit_cv=none,
      metric_given_cv=none,
      cv_given_metric=none,
      warning=f'{n} sizes show no relation: {why}.',
    )
  forward, backward = statistics.fit_line(x, y), statistics.fit_line(y, x)
  pearson, p_value = np.asarray(stats.pearsonr(x, y))
  needed = statistics.critical_correlation(n)
  return CvVsMetric(
    n=n,
    n_left_out=n_left_out,
    pearson=float(pearson),
    pearson_p_value=float(p_value),
    spearman=float(np.asarray(stats.spearmanr(x, y))[0]),
    fit=_fit(forward),
    fit_cv=_fit(backward),
    metric_given_cv=tuple(
      MetricGivenCv(*_predicted(forward, x, cv)) for cv in cvs_at
    ),
    cv_given_metric=tuple(
      CvGivenMetric(*_predicted(backward, y, metric)) for metric in metrics_at
    ),
    warning=(
      f'{n} sizes carry little: with {n} points a correlation is'
      f' significant at 0.05 only beyond {needed:.3f}, and sizes that share'
      ' images are not independent.'
    ),
  )


def _why_no_line(x: np.ndarray, y: np.ndarray) -> str:
  if len(x) < 3:
    return 'fewer than three sizes have both a CV and a metric'
  for values, name in ((x, 'CV'), (y, 'metric')):
    if np.ptp(values) == 0:
      return f'the {name} is the same for all sizes'
  return ''


def _fit(line: statistics.Line) -> Fit:
  return Fit(line.slope, line.intercept, line.residual_sd)


def _predicted(
  line: statistics.Line, observed: np.ndarray, x: float
) -> tuple[float, float, Interval, bool]:
  """Where, what is predicted there, its interval, and whether it is beyond."""
  value, interval = statistics.predict(line, x)
  inside = bool(observed.min() <= x <= observed.max())
  return float(x), value, interval, not inside

"""Intervals of proportions and AUCs, associations, and lines with intervals."""

from typing import Any, NamedTuple
import warnings

import numpy as np
from scipy import stats

# Where a cell expects fewer, chi-squared is no good approximation.
_EXPECTED = 5
_RESAMPLES = 9999
# What shares may differ by although they are the same.
ROUNDING = 1e-12
_CRAMERS_V = "Cramer's V"
_ETA_SQUARED = 'eta squared'


class Association(NamedTuple):
  """How much one column says about another.

  Attributes:
    strength: from 0 to 1; None where it cannot be estimated.
    p_value: of independence; None where it cannot be estimated.
    n: rows that it is over.
    measure: name of the strength.
    why: why there is none, in words; '' where there is one.
  """

  strength: float | None
  p_value: float | None
  n: int
  measure: str
  why: str = ''


class Line(NamedTuple):
  """A least-squares line.

  Attributes:
    slope, intercept: of y on x.
    residual_sd: with n - 2 in the denominator.
    n: points.
    x_mean: of the points.
    x_squares: sum of their squared distances from it.
  """

  slope: float
  intercept: float
  residual_sd: float
  n: int
  x_mean: float
  x_squares: float


def wilson(
  successes: float, n: float, confidence: float = 0.95
) -> tuple[float, float]:
  """Wilson's score interval of a proportion (`scipy.stats.binomtest`).

  Args:
    successes: from 0 to n.
    n: above 0; a fraction where images count for less than one.
    confidence: of the interval, two-sided.

  Returns:
    The lower and the upper limit.
  """
  z = float(stats.norm.ppf((1 + confidence) / 2))
  low, high = score_limits(successes / n, n, z)
  # But for rounding, which may lead out of them, 0 and 1 are limits.
  return float(low) if successes else 0.0, float(high) if successes < n else 1.0


def score_limits(share: Any, n: Any, z: float) -> tuple[Any, Any]:
  """The limits of `wilson`, of numbers or arrays, z deviations away."""
  spread = np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
  centre = share + z**2 / (2 * n)
  scale = 1 + z**2 / n
  return (centre - z * spread) / scale, (centre + z * spread) / scale


def proportion(
  right: np.ndarray, units: np.ndarray, confidence: float = 0.95
) -> tuple[float, float]:
  """Wilson's interval of a share of images, of which patients have several.

  It is that of as many images as would tell as much if each were of another
  patient (Rao and Scott 1992): N over the `design_effect`.

  Args:
    right: `[N]` bool, N at least 1.
    units: `[N]` of anything that NumPy can sort, equal for images of one
      patient.
    confidence: of the interval, two-sided.

  Returns:
    The lower and the upper limit; `wilson` where each image is of its own unit.
  """
  right = np.asarray(right, bool)
  told = min(len(np.unique(units[right == side])) for side in (False, True))
  effect = design_effect(right - np.mean(right), units, told)
  return wilson(right.sum() / effect, len(right) / effect, confidence)


def design_effect(influence: np.ndarray, units: np.ndarray, told: int) -> float:
  """By how much images of one patient inflate the variance of a mean.

  The squares of the sums of units as a multiple of those of images, at least 1
  (Liang and Zeger 1986; of an AUC, Obuchowski 1997). Few patients that differ
  tell little of how alike images of one are, and none that do nothing. It is
  therefore as if one more patient had told that they are all alike, in which
  case it is the size of a unit, as an image sees it (Kish 1965) [our choice].

  Args:
    influence: `[N]`, what each image adds, of mean 0.
    units: `[N]` of anything that NumPy can sort.
    told: units that show how alike images are, such as those with an error.

  Returns:
    From 1; 1 where each image is of its own unit.
  """
  _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
  number, n = len(sizes), len(unit)
  if number == n:
    return 1.0
  alike = float(np.sum(sizes**2.0) / n)
  squares, found = float(np.sum(influence**2)), alike
  if number > 1 and squares > 0:
    together = float(np.sum(np.bincount(unit, influence) ** 2))
    # Each variance is of sums about a mean that follows them.
    found = together / squares / kept(sizes) * (n - 1) / n
  return max((told * max(found, 1.0) + alike) / (told + 1), 1.0)


def kept(sizes: np.ndarray) -> float:
  """The share that squares of sums of units keep of what they would be.

  They are about a mean that follows the units, and one with most of the images
  the more. Where images of a unit are alike, which is as bad as it gets, this
  is what Bell and McCaffrey (2002) divide by: 1 - 1 / M for M equal units.

  Args:
    sizes: `[M]`, images of each of two units or more.
  """
  share = sizes / np.sum(sizes)
  own, others = (1 - share) ** 2, np.sum(share**2) - share**2
  return float(np.average(own + others, weights=share**2))


def cramers_v(a: np.ndarray, b: np.ndarray) -> Association:
  """Cramer's V of two columns of categories, and Pearson's chi-squared test.

  V is `scipy.stats.contingency.association`, without a correction for its bias:
  by chance alone it is above 0, the more so the more categories and the fewer
  rows, which is what the p-value allows for. Where a cell of the table expects
  fewer than 5 rows, the p-value is of the same statistic over 9,999 random
  tables with the same margins (Hope 1968; R's `chisq.test` with
  `simulate.p.value`), always the same ones, and so no less than 1 / 10,000.

  Args:
    a: `[N]` of any kind that NumPy can sort.
    b: `[N]`, the groups.

  Returns:
    The association; rows are taken to be independent.
  """
  _, rows = np.unique(np.asarray(a), return_inverse=True)
  _, columns = np.unique(np.asarray(b), return_inverse=True)
  if why := _why_none(len(rows), rows, columns):
    return Association(None, None, len(rows), _CRAMERS_V, why)
  table = stats.contingency.crosstab(rows, columns).count
  sparse = stats.contingency.expected_freq(table).min() < _EXPECTED
  method = stats.MonteCarloMethod(
    n_resamples=_RESAMPLES, rng=np.random.default_rng(0)
  )
  test: Any = stats.chi2_contingency(
    table, correction=False, method=method if sparse else None
  )
  v = stats.contingency.association(table, method='cramer')
  # Its last bits can be above 1.
  p_value = float(test.pvalue)
  return Association(min(float(v), 1.0), p_value, len(rows), _CRAMERS_V)


def eta_squared(values: np.ndarray, groups: np.ndarray) -> Association:
  """Squared correlation ratio of a number with groups, and its F test.

  The share of the variance that lies between the groups. The p-value is of the
  one-way analysis of variance (`scipy.stats.f_oneway`), because its F is this
  same share in another form; a test by ranks (Kruskal-Wallis) would be of
  another effect than the one that is reported.

  Args:
    values: `[N]` floats; rows of NaN are left out.
    groups: `[N]` of any kind that NumPy can sort.

  Returns:
    The association; rows are taken to be independent.
  """
  values = np.asarray(values, np.float64)
  known = ~np.isnan(values)
  values, n = values[known], int(known.sum())
  _, index, sizes = np.unique(
    np.asarray(groups)[known], return_inverse=True, return_counts=True
  )
  why = _why_none(n, values, index)
  if not why and len(sizes) == n:
    why = f'each of the {n} values is a group of its own'
  if why:
    return Association(None, None, n, _ETA_SQUARED, why)
  # Shift and scale change nothing but what squares can hold.
  centred = values - values.mean()
  centred /= np.max(np.abs(centred))
  means = np.bincount(index, centred) / sizes
  eta = np.sum(sizes * means**2) / np.sum(centred**2)
  with warnings.catch_warnings():
    # Groups that are constant but differ have an F of infinity and a p of 0.
    warnings.simplefilter('ignore', stats.ConstantInputWarning)
    p_value = stats.f_oneway(
      *(centred[index == g] for g in range(len(sizes)))
    ).pvalue
  return Association(min(float(eta), 1.0), float(p_value), n, _ETA_SQUARED)


def fit_line(x: np.ndarray, y: np.ndarray) -> Line:
  """Least-squares line of y on x (`scipy.stats.linregress`).

  Args:
    x: `[N]`, N at least 3, not constant.
    y: `[N]`.

  Returns:
    The line.
  """
  x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
  fit: Any = stats.linregress(x, y)
  residuals = y - fit.intercept - fit.slope * x
  return Line(
    slope=float(fit.slope),
    intercept=float(fit.intercept),
    residual_sd=float(np.sqrt(np.sum(residuals**2) / (len(x) - 2))),
    n=len(x),
    x_mean=float(np.mean(x)),
    x_squares=float(np.sum((x - np.mean(x)) ** 2)),
  )


def predict(
  line: Line, x: float, confidence: float = 0.95
) -> tuple[float, tuple[float, float]]:
  """A new observation at x, and its prediction interval.

  Args:
    line: of `fit_line`.
    x: where.
    confidence: of the interval, two-sided: Student's t with N - 2 degrees of
      freedom, the residuals taken to be normal, independent and of one
      variance.

  Returns:
    The value on the line, and the lower and the upper limit.
  """
  value = line.intercept + line.slope * x
  spread = 1 + 1 / line.n + (x - line.x_mean) ** 2 / line.x_squares
  t = stats.t.ppf((1 + confidence) / 2, line.n - 2)
  half = float(t * line.residual_sd * np.sqrt(spread))
  return value, (value - half, value + half)


def critical_correlation(n: int, level: float = 0.05) -> float:
  """Pearson correlation beyond which n points are significant, two-sided.

  Args:
    n: at least 3.
    level: of significance.

  Returns:
    From 0 to 1, by `t = r sqrt((n - 2) / (1 - r^2))`.
  """
  t = stats.t.ppf(1 - level / 2, n - 2)
  return float(t / np.sqrt(n - 2 + t**2))


def _why_none(n: int, values: np.ndarray, groups: np.ndarray) -> str:
  if not n:
    return 'no values'
  if n == 1:
    return 'one value alone'
  if values.dtype.kind == 'f' and np.isinf(values).any():
    return 'a value is infinite'
  if np.all(values == values[0]):
    return f'all {n} values are the same'
  if np.all(groups == groups[0]):
    return f'all {n} values are in one group'
  return ''


def over_units(
  values: np.ndarray,
  units: np.ndarray,
  confidence: float = 0.95,
  *,
  two_more: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
  """Means over images, and how far their intervals reach, over units.

  Student's, with the variance of the sums of units (Liang and Zeger 1986). An
  interval without a width would claim certainty where all units have the same.
  It is then as if there were two more, one above them by 1 and one below
  [our choice], as Agresti and Min (2005) add pairs to those of a difference of
  shares: 0.14 of 20 units, 0.003 of 1,000. Where few units differ, all to one
  side, Student's interval is too narrow as well: of 100 units it misses a
  difference of 0.05 in 13 %, and with two more in 4 %.

  Args:
    values: `[..., N]`, shares or differences of shares.
    units: `[N]` of anything that NumPy can sort, equal for images of one
      patient.
    confidence: of each interval, two-sided.
    two_more: whether they are always added, for values that are mostly 0 and
      else -1 or 1.

  Returns:
    `[...]` means, and `[...]`; infinite with one unit.
  """
  _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
  number, n = len(sizes), len(unit)
  mean = np.mean(values, axis=-1)
  if number < 2:
    return mean, np.full_like(mean, np.inf)
  residuals = values - mean[..., np.newaxis]
  sums = np.zeros((*np.shape(mean), number))
  np.add.at(np.moveaxis(sums, -1, 0), unit, np.moveaxis(residuals, -1, 0))
  alike = np.max(np.abs(sums), axis=-1) < ROUNDING * sizes.max()
  more = 2 * (alike | two_more)
  squares = np.sum(sums**2, axis=-1) * (number / n) ** 2
  squares = squares * (1 - 1 / number) / kept(sizes) + more
  number = number + more
  error = np.sqrt(squares / (number * (number - 1)))
  return mean, stats.t.ppf((1 + confidence) / 2, number - 1) * error


def ratio(
  part: np.ndarray, whole: np.ndarray, units: np.ndarray
) -> tuple[float, float]:
  """95 % interval of a ratio of two means over images (Fieller 1954).

  The ratios R of which the mean of part - R whole may be 0, by `over_units`. It
  holds 0 where the interval of the mean of the part does.

  Args:
    part: `[N]`.
    whole: `[N]`, of a mean above 0.
    units: `[N]` of anything that NumPy can sort, equal for images of one
      patient.

  Returns:
    The lower and the upper limit; infinite where the mean of the whole may be
    0, as with one unit.
  """
  scale = np.mean(whole)  # What is alike does not depend on the unit.
  part, whole = part / scale, whole / scale
  means, half = over_units(np.stack([part, whole, part + whole]), units)
  of_part, of_whole, of_both = half**2
  a = 1 - of_whole
  if not a > 0:
    return -np.inf, np.inf
  b = means[0] - (of_both - of_part - of_whole) / 2
  root = np.sqrt(max(b**2 - a * (means[0] ** 2 - of_part), 0))
  return float((b - root) / a), float((b + root) / a)


def nanmean(values: Any, axis: int | None = None) -> np.ndarray:
  """Mean of what can be estimated; NaN, without a warning, of nothing."""
  values = np.asarray(values, float)
  known = np.isfinite(values)
  total = np.where(known, values, 0).sum(axis)
  count = known.sum(axis)
  return np.where(count, total / np.maximum(count, 1), np.nan)

"""Intervals and associations against formulas, loops, SciPy and simulation."""

import warnings

import numpy as np
import pytest
from scipy import special
from scipy import stats

from heterojax.stats import inference as statistics

_Z = stats.norm.ppf(0.975)


@pytest.mark.parametrize('successes, n', [(0, 1), (1, 1), (3, 5), (90, 100)])
def test_wilson_is_its_formula(successes: int, n: int) -> None:
  p = successes / n
  center = p + _Z**2 / (2 * n)
  half = _Z * np.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
  expected = (np.array([center - half, center + half])) / (1 + _Z**2 / n)
  got = statistics.wilson(successes, n)
  np.testing.assert_allclose(got, expected, atol=1e-12)
  assert 0 <= got[0] < got[1] <= 1
  wider = statistics.wilson(successes, n, confidence=0.99)
  assert wider[1] - wider[0] > got[1] - got[0]
  theirs = stats.binomtest(successes, n).proportion_ci(method='wilson')
  np.testing.assert_allclose(got, theirs, atol=1e-12)


def test_a_share_of_patients_with_one_image_each_is_wilsons() -> None:
  right = np.random.default_rng(0).random(50) < 0.8
  names = np.array([f'patient {i}' for i in range(50)])
  got = statistics.proportion(right, names)
  assert got == statistics.wilson(right.sum(), 50)


def test_a_share_never_leaves_0_to_1() -> None:
  for n in range(1, 400):
    assert statistics.wilson(0, n)[0] == 0 and statistics.wilson(n, n)[1] == 1


def test_a_share_of_patients_is_wilsons_of_fewer_images() -> None:
  """One of nine patients has all errors, which are told by that one alone."""
  units = np.repeat(np.arange(9), [5, 3, 2, 1, 1, 4, 2, 2, 6])
  right = np.ones(26, bool)
  right[[0, 2, 3]] = False
  residuals = right - 23 / 26
  for told_right in (True, False):
    effect = statistics.design_effect(residuals, units, 1)
    shown = right if told_right else ~right
    expected = statistics.wilson(shown.sum() / effect, 26 / effect)
    assert statistics.proportion(shown, units) == pytest.approx(expected)


def test_images_that_are_shown_several_times_tell_no_more() -> None:
  """The limits are nearly those of the patients, and not of the images."""
  right = np.random.default_rng(1).random(200) < 0.85
  once = statistics.proportion(right, np.arange(200))
  for times in (2, 10):
    got = statistics.proportion(
      np.repeat(right, times), np.repeat(np.arange(200), times)
    )
    np.testing.assert_allclose(got, once, atol=0.003)


def test_the_design_effect_by_hand() -> None:
  """Three patients: all right, all wrong, and one with one image, right."""
  right = np.array([1, 1, 1, 0, 0, 1])
  units = np.array([4, 4, 4, 7, 7, 5])
  residuals = right - 4 / 6
  # Sums 1, -4/3 and 1/3; squares 26/9 and of images 4/9 + 8/9. A unit with a
  # share w of the images keeps 1 - 2 w + 14 / 36 of its own square.
  kept = (9 * 14 / 36 + 4 * 26 / 36 + 1 * 38 / 36) / 14
  found = 26 / 12 / kept * (5 / 6)
  alike = (9 + 4 + 1) / 6
  for told in (0, 1, 5):
    expected = (told * found + alike) / (told + 1)
    got = statistics.design_effect(residuals, units, told)
    assert got == pytest.approx(expected)
  # Nothing varies, or there is one patient: nothing is known.
  for values, of in ((0 * residuals, units), (residuals, 0 * units)):
    effect = statistics.design_effect(values, of, 0)
    assert effect == pytest.approx(alike if of is units else 6)
  # Two patients tell, too, and the scale of values does not matter.
  two = np.array([0, 0, 0, 1, 1, 1])
  for scale in (1, 1e-3):
    got = statistics.design_effect(scale * residuals, two, 1)
    # Sums 1 and -1.
    assert got == pytest.approx((2 / (12 / 9) * 2 * (5 / 6) + 3) / 2)
  # Images less alike than chance would have them do not make one surer.
  unlike = np.array([1.0, -1, 1, -1, 1, -1])
  pairs = np.repeat(np.arange(3), 2)
  assert statistics.design_effect(unlike, pairs, 3) == (3 * 1 + 2) / 4


@pytest.mark.parametrize(
  'patients, images, share, alike',
  [(20, 5, 0.8, 0.0), (20, 5, 0.8, 0.5), (60, 3, 0.97, 0.5), (10, 10, 0.7, 1)],
)
def test_the_interval_of_a_share_covers_it(
  patients: int, images: int, share: float, alike: float
) -> None:
  """Patients whose rates vary, from not at all to being 0 or 1.

  docs/limits.md says how few of 95 % it may be.
  """
  rng = np.random.default_rng(0)
  units = np.repeat(np.arange(patients), images)
  covered, naive = [], []
  for _ in range(400):
    rates = np.full(patients, share)
    if alike == 1:
      rates = (rng.random(patients) < share).astype(float)
    elif alike:
      rates = rng.beta(
        *(np.array([share, 1 - share]) * (1 / alike - 1)), patients
      )
    right = rng.random(len(units)) < rates[units]
    low, high = statistics.proportion(right, units)
    covered.append(low <= share <= high)
    low, high = statistics.wilson(right.sum(), len(right))
    naive.append(low <= share <= high)
  assert np.mean(covered) > 0.91
  if alike:
    assert np.mean(naive) < 0.9


@pytest.mark.parametrize('most', [60, 200, 1000])
def test_intervals_hold_where_one_patient_has_most_images(most: int) -> None:
  """The mean follows that patient, whose images seem to be as expected."""
  rng = np.random.default_rng(1)
  missed = np.zeros(2)
  for _ in range(300):
    units = np.repeat(np.arange(40), [most, *rng.integers(1, 8, 39)])
    rates = rng.beta(0.5, 0.2, 40)
    right = rng.random(len(units)) < rates[units]
    low, high = statistics.proportion(right, units)
    missed[0] += not low <= 0.5 / 0.7 <= high
    mean, half = statistics.over_units(rng.normal(size=40)[units], units)
    missed[1] += abs(mean) > half
  # What 300 intervals of 95 % miss, but for 1 % of chance.
  assert missed.max() <= stats.binom.ppf(0.99, 300, 0.05)


def test_cramers_v_hand_value() -> None:
  # 20 30 / 30 20: every cell expects 25, chi-squared 4 * 25 / 25 = 4.
  view = np.repeat(['AP', 'PA', 'AP', 'PA'], [20, 30, 30, 20])
  label = np.repeat([1, 0], 50)
  got = statistics.cramers_v(view, label)
  assert got.strength == pytest.approx(np.sqrt(4 / 100))
  assert got.p_value == pytest.approx(special.erfc(np.sqrt(4 / 2)))
  assert got.n == 100 and got.measure == "Cramer's V" and got.why == ''


def test_cramers_v_of_more_categories() -> None:
  rng = np.random.default_rng(0)
  a, b = rng.integers(0, 5, 400), rng.integers(0, 3, 400)
  a[b == 2] = 4
  got = statistics.cramers_v(a, b)
  statistic = 0
  for i in range(5):
    for j in range(3):
      expected = np.sum(a == i) * np.sum(b == j) / 400
      statistic += (np.sum((a == i) & (b == j)) - expected) ** 2 / expected
  assert got.strength == pytest.approx(np.sqrt(statistic / (400 * 2)))
  assert got.p_value == pytest.approx(stats.chi2.sf(statistic, 8))
  # Neither names nor the order of rows count, nor which is which.
  order = rng.permutation(400)
  other = statistics.cramers_v(b[order], np.array(list('vwxyz'))[a[order]])
  assert other.strength == pytest.approx(got.strength)
  assert other.p_value == pytest.approx(got.p_value)


def test_sparse_table_has_a_p_value_of_its_own() -> None:
  # Three of three against none of nine: Fisher's exact 1 in C(12, 3) = 220,
  # where chi-squared (12 at one degree of freedom) says 0.0005.
  a = np.repeat(['AP', 'PA'], [3, 9])
  b = np.repeat([1, 0], [3, 9])
  got = statistics.cramers_v(a, b)
  assert got.strength == pytest.approx(1)
  assert got.p_value == pytest.approx(1 / 220, abs=0.003)
  assert stats.chi2.sf(12, 1) < 0.0006 < got.p_value
  assert statistics.cramers_v(a, b) == got  # The same random tables.


@pytest.mark.medium
def test_p_values_of_chance_are_uniform() -> None:
  rng = np.random.default_rng(0)
  v, eta = [], []
  for _ in range(400):
    groups = rng.integers(0, 4, 150)
    v.append(statistics.cramers_v(rng.integers(0, 3, 150), groups).p_value)
    eta.append(statistics.eta_squared(rng.normal(size=150), groups).p_value)
  for p_values in (v, eta):
    assert stats.kstest(p_values, 'uniform').pvalue > 0.01


def test_eta_squared_hand_value() -> None:
  # Means 2 and 5 about 3.5: 6 * 1.5^2 = 13.5 between, 13.5 + 2 + 2 in all.
  values = np.array([1.0, 2, 3, 4, 5, 6])
  groups = np.array(list('aaabbb'))
  got = statistics.eta_squared(values, groups)
  assert got.strength == pytest.approx(13.5 / 17.5)
  # F = 13.5 / (4 / 4), and with two groups F is Student's t squared.
  assert got.p_value == pytest.approx(2 * stats.t.sf(np.sqrt(13.5), 4))
  assert got.n == 6 and got.measure == 'eta squared' and got.why == ''


def test_eta_squared_is_the_r_squared_of_the_groups() -> None:
  rng = np.random.default_rng(0)
  groups = rng.integers(0, 4, 200)
  values = rng.normal(size=200) + 1e6 + 0.3 * groups
  got = statistics.eta_squared(values, groups)
  design = np.eye(4)[groups]
  fitted = design @ np.linalg.lstsq(design, values - 1e6)[0] + 1e6
  r_squared = 1 - np.sum((values - fitted) ** 2) / np.sum(
    (values - values.mean()) ** 2
  )
  assert got.strength == pytest.approx(r_squared)
  f = (r_squared / 3) / ((1 - r_squared) / 196)
  assert got.p_value == pytest.approx(stats.f.sf(f, 3, 196))


def test_eta_squared_leaves_missing_out() -> None:
  values = np.array([1.0, 2, np.nan, 3, 4, np.nan, 5, 6])
  groups = np.array([0, 0, 0, 0, 1, 1, 1, 1])
  known = ~np.isnan(values)
  got = statistics.eta_squared(values, groups)
  assert got == statistics.eta_squared(values[known], groups[known])
  assert got.n == 6


def test_perfect_associations() -> None:
  groups = np.repeat([0, 1, 2], 20)
  got = statistics.cramers_v(groups, groups)
  assert got.strength == pytest.approx(1) and got.p_value < 1e-20
  got = statistics.eta_squared(np.array([1.0, 2, 4])[groups], groups)
  assert got.strength == 1 and got.p_value == 0
  # Here the last bits of the quotients are above 1.
  names = np.repeat([0, 1], [6, 21])
  assert 1 - 1e-12 <= statistics.cramers_v(names, names).strength <= 1
  names = np.array([0, 1, 0, 2, 2, 2, 2, 2])
  for offset in range(60):
    got = statistics.eta_squared(0.1 * names + 7.3 * offset, names)
    assert 1 - 1e-12 <= got.strength <= 1


def test_what_has_no_association() -> None:
  ones, two = np.ones(6), np.array([0, 0, 0, 1, 1, 1])
  nan, infinite = np.full(6, np.nan), np.array([1, 2, 3, 4, 5, np.inf])
  for got, why, n in (
    (statistics.cramers_v(ones, two), 'all 6 values are the same', 6),
    (statistics.cramers_v(two, ones), 'all 6 values are in one group', 6),
    (statistics.cramers_v(two[:0], two[:0]), 'no values', 0),
    (statistics.cramers_v(two[:1], two[:1]), 'one value alone', 1),
    (statistics.eta_squared(ones, two), 'all 6 values are the same', 6),
    (statistics.eta_squared(two, ones), 'all 6 values are in one group', 6),
    (statistics.eta_squared(nan, two), 'no values', 0),
    (statistics.eta_squared(infinite, two), 'a value is infinite', 6),
    (
      statistics.eta_squared(np.arange(6), np.arange(6)),
      'each of the 6 values is a group of its own',
      6,
    ),
  ):
    assert got[:2] == (None, None)
    assert got.why == why and got.n == n


def _points(n: int) -> tuple[np.ndarray, np.ndarray]:
  rng = np.random.default_rng(n)
  x = rng.uniform(0, 0.3, n)
  return x, 0.9 - 0.8 * x + 0.03 * rng.normal(size=n)


@pytest.mark.parametrize('n', [3, 4, 30])
def test_line_and_intervals_are_the_normal_equations(n: int) -> None:
  x, y = _points(n)
  design = np.c_[np.ones(n), x]
  inverse = np.linalg.inv(design.T @ design)
  beta = inverse @ design.T @ y
  variance = np.sum((y - design @ beta) ** 2) / (n - 2)
  line = statistics.fit_line(x, y)
  np.testing.assert_allclose((line.intercept, line.slope), beta)
  assert line.residual_sd == pytest.approx(np.sqrt(variance))
  for at in (0.05, 0.3, 2.0):
    row = np.array([1, at])
    half = stats.t.ppf(0.975, n - 2) * np.sqrt(
      variance * (1 + row @ inverse @ row)
    )
    value, (low, high) = statistics.predict(line, at)
    assert value == pytest.approx(row @ beta)
    assert (low, high) == pytest.approx((value - half, value + half))


@pytest.mark.medium
@pytest.mark.parametrize('n', [3, 4, 10])
def test_prediction_intervals_cover_new_points(n: int) -> None:
  rng = np.random.default_rng(0)
  x = np.linspace(0, 1, n)
  covered = []
  for _ in range(2000):
    line = statistics.fit_line(x, 2 * x + rng.normal(size=n))
    _, (low, high) = statistics.predict(line, 1.5)
    covered.append(low <= 3 + rng.normal() <= high)
  assert 0.935 <= np.mean(covered) <= 0.965


@pytest.mark.parametrize('n', [3, 4, 5, 20])
def test_critical_correlation_is_where_pearsons_p_is_its_level(n: int) -> None:
  r = statistics.critical_correlation(n)
  # Two columns with exactly this correlation.
  a, b = np.linalg.qr(np.c_[np.ones(n), np.eye(n, 2)])[0].T[1:]
  got = stats.pearsonr(a, r * a + np.sqrt(1 - r**2) * b)
  assert got.statistic == pytest.approx(r)
  assert got.pvalue == pytest.approx(0.05, abs=1e-6)


def test_critical_correlations_of_tables() -> None:
  # Printed tables of Pearson's r at 0.05, two-sided.
  got = [round(statistics.critical_correlation(n), 3) for n in (3, 4, 5, 10)]
  assert got == [0.997, 0.950, 0.878, 0.632]
  assert round(statistics.critical_correlation(4, level=0.01), 3) == 0.990


def test_over_units_it_is_students_interval() -> None:
  values = np.random.default_rng(0).normal(size=(2, 30))
  mean, half = statistics.over_units(values, np.arange(30))
  for own, centre, reach in zip(values, mean, half, strict=True):
    ends = stats.t.interval(0.95, 29, own.mean(), stats.sem(own))
    assert (centre - reach, centre + reach) == pytest.approx(ends)
  # Of patients with as many images each it is that of their means.
  _, half = statistics.over_units(values[0], np.arange(30) // 3)
  means = values[0].reshape(10, 3).mean(axis=1)
  reach = stats.t.interval(0.95, 9, 0, stats.sem(means))[1]
  assert float(half) == pytest.approx(reach)


@pytest.mark.parametrize('value', [0.0, 0.1, -1.0])
def test_units_that_are_all_alike_are_not_certain(value) -> None:
  alike = np.full(60, value)
  mean, half = statistics.over_units(alike, np.arange(60) // 3)
  assert (float(mean), float(half)) == pytest.approx((value, 0.137), abs=1e-3)


def test_units_that_are_alike_by_chance_are_covered() -> None:
  random = np.random.default_rng(1)
  covered = 0
  for _ in range(400):
    own = (random.random(40) < 0.03).astype(float)
    mean, half = statistics.over_units(own, np.arange(40))
    covered += abs(mean - 0.03) <= half
  assert covered >= 400 * 0.9


@pytest.mark.parametrize('n', [20, 50, 100, 300, 1000])
def test_few_units_that_differ_to_one_side_are_covered(n: int) -> None:
  """Exactly: how often which number of units differs is binomial."""
  for share in (0.01, 0.02, 0.05, 0.1, 0.2):
    covered = 0.0
    for differ in range(n + 1):
      values = np.arange(n) < differ
      mean, half = statistics.over_units(
        values.astype(float), np.arange(n), two_more=True
      )
      if abs(mean - share) <= half:
        covered += stats.binom.pmf(differ, n, share)
    assert covered > 0.92


def test_one_unit_tells_nothing() -> None:
  _, half = statistics.over_units(np.array([0.0, 1.0]), np.zeros(2))
  assert np.isinf(half)


def test_a_ratio_is_one_that_no_mean_tells_from_it() -> None:
  rng = np.random.default_rng(0)
  units = np.repeat(np.arange(20), rng.integers(1, 6, 20))
  whole = rng.exponential(size=len(units))
  part = 0.4 * whole + rng.normal(0, 0.2, len(units))
  for scale in (1, 1e-9):
    low, high = statistics.ratio(scale * part, scale * whole, units)
    for tried in np.linspace(-1, 2, 301):
      mean, half = statistics.over_units(part - tried * whole, units)
      assert (low <= tried <= high) == (abs(mean) <= half)
  # Two units tell no mean from 0, and one tells nothing.
  for of in (np.arange(4) // 2, np.zeros(4)):
    got = statistics.ratio(np.ones(4), np.array([1.0, 2, 4, 9]), of)
    assert got == (-np.inf, np.inf)


def test_the_mean_of_what_is_known() -> None:
  values = np.array([[1, np.nan, 4], [np.nan] * 3, [2, np.inf, -np.inf]])
  for axis in (None, 0, 1):
    finite = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
      warnings.simplefilter('ignore', RuntimeWarning)  # Of nothing.
      want = np.nanmean(finite, axis)
    with np.errstate(all='raise'):
      got = statistics.nanmean(values, axis)
    np.testing.assert_allclose(got, want)


def test_an_expected_number_of_five_is_enough() -> None:
  """Then the p-value is that of the chi-squared distribution."""
  a, b = (
    np.repeat([0, 0, 1, 1], [7, 3, 3, 7]),
    np.repeat([0, 1, 0, 1], [7, 3, 3, 7]),
  )
  got = statistics.cramers_v(a, b)
  assert got.p_value == pytest.approx(stats.chi2.sf(4 * 4 / 5, 1))


def test_a_value_may_be_the_mean() -> None:
  got = statistics.eta_squared(np.arange(5.0), np.array([0, 0, 1, 1, 1]))
  # Between groups 2 * 1.5 ** 2 + 3 * 1 ** 2 of 10.
  assert got.strength == pytest.approx(0.75)


@pytest.mark.parametrize('number', [2, 3, 20])
def test_units_that_are_alike_get_two_more(number: int) -> None:
  """One above and one below by 1; rounding grows with the images of a unit."""
  units = np.r_[np.zeros(10, int), np.arange(1, number)]
  values = np.full(len(units), 0.3)
  off = 3 * statistics.ROUNDING * len(units) / (number - 1)
  rounding = np.where(np.arange(len(units)) == 3, off, 0)
  more = np.r_[np.zeros(number), 1, -1]
  want = stats.t.ppf(0.975, number + 1) * stats.sem(more)
  for given in (values, values + rounding):
    mean, half = statistics.over_units(given, units)
    assert mean == pytest.approx(0.3) and half == pytest.approx(want)


def test_units_of_which_one_is_the_mean_differ() -> None:
  values = np.array([[0.5, 0.0, 1.0], [0.25, 0.0, 0.5]])
  mean, half = statistics.over_units(values, np.arange(3))
  want = stats.t.ppf(0.975, 2) * stats.sem(values, axis=1)
  np.testing.assert_allclose(mean, values.mean(axis=1))
  np.testing.assert_allclose(half, want)

"""Two classifiers on the same images, by hand and by other formulas."""

import math

import numpy as np
import pytest
from scipy import stats

from heterojax.stats import paired
from heterojax.stats import several

_HUGE = 1e12  # Training images, of which the variance is then that of testing.


def made_up(n: int = 60, seed: int = 0) -> tuple[np.ndarray, ...]:
  rng = np.random.default_rng(seed)
  y = rng.permutation(np.arange(n) % 2)
  a, b = (y + rng.normal(0, 1.2, n).round(1) for _ in range(2))
  return y, a, b


def delong_covariance(y, a, b) -> tuple[float, float, np.ndarray]:
  """Of two AUCs, pair by pair of images (DeLong et al. 1988)."""
  m, n = int(y.sum()), int((1 - y).sum())
  kernel = lambda p, q: 1.0 if p > q else 0.5 if p == q else 0.0
  tables = [
    np.array([[kernel(p, q) for q in v[y == 0]] for p in v[y == 1]])
    for v in (a, b)
  ]
  by_positive = np.cov([t.mean(axis=1) for t in tables])
  by_negative = np.cov([t.mean(axis=0) for t in tables])
  first, second = (float(t.mean()) for t in tables)
  return first, second, by_positive / m + by_negative / n


def test_the_difference_is_delongs() -> None:
  y, a, b = made_up()
  first, second, covariance = delong_covariance(y, a, b)
  found = paired.difference(
    paired.auc(y, a), paired.auc(y, b), y, np.arange(len(y)), _HUGE
  )
  variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
  assert found.value == pytest.approx(first - second)
  freedom = min(y.sum(), (1 - y).sum()) - 1
  half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
  assert found.interval == pytest.approx((
    first - second - half,
    first - second + half,
  ))
  z = abs(first - second) / math.sqrt(variance)
  assert found.p_value == pytest.approx(2 * stats.t.sf(z, freedom))


def test_one_auc_has_delongs_variance() -> None:
  y, a, _ = made_up(80, 3)
  found = paired.auc(y, a)
  value, _, covariance = delong_covariance(y, a, a)
  assert found.value == pytest.approx(value)
  assert np.sum(found.influence**2) == pytest.approx(covariance[0, 0])
  assert np.sum(found.influence) == pytest.approx(0, abs=1e-12)


def test_images_of_one_patient_are_one() -> None:
  y, a, b = made_up()
  twice = lambda v: np.repeat(v, 2)
  units = np.repeat(np.arange(len(y)), 2)
  of = lambda y, u: paired.difference(
    paired.auc(y, a if len(y) == len(a) else twice(a)),
    paired.auc(y, b if len(y) == len(b) else twice(b)),
    y,
    u,
    _HUGE,
  )
  once, both = of(y, np.arange(len(y))), of(twice(y), units)
  naive = of(twice(y), np.arange(2 * len(y)))
  width = lambda d: d.interval[1] - d.interval[0]
  assert both.value == pytest.approx(once.value)
  assert width(both) == pytest.approx(width(once))
  # Taken for independent, they seem to say more than there is.
  assert width(naive) < 0.8 * width(once)


def test_another_training_set_makes_it_wider() -> None:
  y, a, b = made_up()
  of = lambda n: paired.difference(
    paired.auc(y, a), paired.auc(y, b), y, np.arange(len(y)), n
  )
  width = lambda d: d.interval[1] - d.interval[0]
  # As many images to train on as to test: twice the variance.
  assert width(of(60)) == pytest.approx(math.sqrt(2) * width(of(_HUGE)))
  assert of(60).p_value > of(_HUGE).p_value


def test_the_same_ranks_tell_nothing_of_a_difference() -> None:
  """Of other images, or another training set: no interval of 0 to 0."""
  y, a, _ = made_up()
  same = paired.auc(y, a), paired.auc(y, 2 * a)
  assert paired.difference(*same, y, np.arange(60), 60) is None


def test_equal_areas_of_other_ranks_are_no_difference() -> None:
  y = np.tile([0, 1], 4)
  a = paired.auc(y, np.array([0, 5, 9, 6, 2, 7, 3, 8]))
  b = paired.auc(y, np.array([9, 5, 0, 6, 2, 7, 3, 8]))
  found = paired.difference(a, b, y, np.arange(8), 60)
  low, high = found.interval
  assert found.value == 0 and found.p_value == 1 and low == -high < 0


def test_no_error_is_no_certainty() -> None:
  y = np.repeat([0, 1], 2)
  right, alike, wrong = (
    paired.auc(y, np.array(ranks, float))
    for ranks in ([1, 2, 3, 4], [1, 1, 1, 1], [4, 3, 2, 1])
  )
  assert paired.difference(right, alike, y, np.arange(4), _HUGE) is None
  assert paired.difference(wrong, right, y, np.arange(4), _HUGE) is None
  assert paired.difference(right, right, y, np.arange(4), _HUGE) is None
  # Nor where what two images of each patient add up to is the same.
  y, patient = np.tile([0, 1], 4), np.repeat(np.arange(4), 2)
  scores = np.array([0, 0, 1, 1, 2, 2, 3, 3])
  a, b = paired.auc(y, scores), paired.auc(y, 8 * y + scores)
  assert a.value < b.value
  assert paired.difference(a, b, y, patient, _HUGE) is None


def test_several_classes_are_the_mean_over_each() -> None:
  rng = np.random.default_rng(1)
  y = np.arange(90) % 3
  ranks = rng.normal(size=(90, 3)) + 1.5 * np.eye(3)[y]
  found = paired.auc(y, ranks)
  assert found.value == pytest.approx(several.macro_auc(y, ranks).value)
  # Of two classes both are the same question.
  y = np.arange(60) % 2
  column = rng.normal(size=60) + y
  two = paired.auc(y, np.stack([-column, column], axis=1))
  one = paired.auc(y, column)
  assert two.value == pytest.approx(one.value)
  np.testing.assert_allclose(two.influence, one.influence, atol=1e-15)


def test_a_class_of_one_image_or_patient_tells_nothing() -> None:
  y = np.array([1, 0, 0, 0])
  assert paired.auc(y, np.arange(4.0)) is None
  y = np.array([1, 1, 0, 0])
  of = paired.auc(y, np.array([1.0, 3.0, 2.0, 0.0]))
  same = np.array(['p', 'p', 'q', 'r'])
  assert paired.difference(of, of, y, same, 10) is None


def test_two_patients_of_each_class_are_enough() -> None:
  y, x = np.array([1, 1, 0, 0]), np.array([1.0, 3, 2, 0])
  a, b = paired.auc(y, x), paired.auc(y, -x)
  found = paired.difference(a, b, y, np.arange(4), _HUGE)
  # Student's t of one degree of freedom is Cauchy's distribution.
  error = np.sqrt(np.sum((a.influence - b.influence) ** 2))
  want = 1 - 2 / np.pi * np.arctan(abs(a.value - b.value) / error)
  assert found.p_value == pytest.approx(want)
  # Of three classes the one of fewest patients counts.
  y, ranks = np.arange(9) % 3, np.random.default_rng(2).normal(size=(9, 3))
  units = np.where(y == 2, 2, np.arange(9))
  a, b = paired.auc(y, ranks), paired.auc(y, -ranks)
  assert paired.difference(a, b, y, units, _HUGE) is None
  assert paired.difference(a, b, y, np.arange(9), _HUGE) is not None


@pytest.mark.medium
def test_equally_good_scores_are_rarely_told_apart() -> None:
  """Two readings of the same signal, 300 times: p <= .05 in one of 20."""
  rng, claims = np.random.default_rng(0), 0
  y = np.arange(80) % 2
  for _ in range(300):
    a, b = (
      paired.auc(y, y + rng.normal(size=80)),
      paired.auc(y, y + rng.normal(size=80)),
    )
    claims += paired.difference(a, b, y, np.arange(80), _HUGE).p_value <= 0.05
  # 99.9 % of what a test of that level gives.
  assert stats.binom.ppf(0.0005, 300, 0.05) <= claims
  assert claims <= stats.binom.ppf(0.9995, 300, 0.05)


def test_one_patient_with_most_images_makes_no_difference() -> None:
  """Signals of patients, of whom one has 200 of about 360 images."""
  rng, claims = np.random.default_rng(0), 0
  for _ in range(300):
    units = np.repeat(np.arange(40), [200, *rng.integers(1, 8, 39)])
    y = (np.arange(40) % 2)[units]
    a, b = (
      paired.auc(y, rng.normal(size=40)[units] + rng.normal(size=len(y)) / 3)
      for _ in range(2)
    )
    claims += paired.difference(a, b, y, units, _HUGE).p_value <= 0.05
  assert claims <= stats.binom.ppf(0.995, 300, 0.05)

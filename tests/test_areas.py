"""Areas under ROC curves against pairs, a grid, the bootstrap, simulation."""

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import stats

from heterojax.stats import areas

_Z = stats.norm.ppf(0.975)


def _interval(y: np.ndarray, values: np.ndarray) -> tuple[float, float] | None:
  """Of images of different patients."""
  return areas.interval(y, values, np.arange(len(y)))


def _of_pairs(y: np.ndarray, values: np.ndarray) -> tuple[float, float]:
  """AUC and variance of DeLong 1988, pair by pair."""
  x, w = values[y == 1], values[y == 0]
  pairs = np.array([[(a > b) + 0.5 * (a == b) for b in w] for a in x])
  auc = pairs.mean()
  s10 = np.sum((pairs.mean(axis=1) - auc) ** 2) / (len(x) - 1)
  s01 = np.sum((pairs.mean(axis=0) - auc) ** 2) / (len(w) - 1)
  return auc, s10 / len(x) + s01 / len(w)


def _newcombe(
  auc: float, m: int, n: int, variance: float = 0.0
) -> tuple[float, float]:
  """All AUCs of a fine grid that Newcombe's method 5 does not reject."""
  a = np.append(np.linspace(0, 1, 1_000_001), auc)
  # Hanley and McNeil 1982, both classes of the mean size.
  size = (m + n) / 2
  q1, q2 = a / (2 - a), 2 * a**2 / (1 + a)
  model = a * (1 - a) + (size - 1) * (q1 - a**2 + q2 - a**2)
  model /= m * n
  if 0 < auc < 1:
    model *= max(1, variance / model[-1])
  kept = a[(auc - a) ** 2 <= _Z**2 * model + 1e-15]
  return kept.min(), kept.max()


_TWO_CLASSES = st.tuples(
  st.lists(st.integers(-4, 4), min_size=2, max_size=20),
  st.lists(st.integers(-4, 4), min_size=2, max_size=20),
)


@pytest.mark.medium
@hypothesis.given(classes=_TWO_CLASSES)
def test_an_area_is_the_loop_over_pairs(classes: tuple[list, list]) -> None:
  y = np.repeat([1, 0], [len(c) for c in classes])
  values = np.concatenate(classes)
  auc, variance = _of_pairs(y, values)
  found = areas.area(y, values, np.arange(len(y)))
  assert found is not None and found.value == pytest.approx(auc, abs=1e-12)
  assert np.sum(found.influence**2) == pytest.approx(variance, abs=1e-12)
  for side in (y == 1, y == 0):
    assert np.sum(found.influence[side]) == pytest.approx(0, abs=1e-12)
  low, high = _interval(y, values)
  # No sample of this size is certain, not even a perfect or a tied one.
  assert 0 <= low < high <= 1 and high - low > 0.01
  assert low <= auc <= high
  expected = _newcombe(auc, *map(len, classes), variance)
  np.testing.assert_allclose([low, high], expected, atol=2e-6)
  # The other class as the positive one, and the other direction.
  mirrored = _interval(y, -values)
  np.testing.assert_allclose(mirrored, [1 - high, 1 - low], atol=1e-9)
  np.testing.assert_allclose(_interval(1 - y, -values), [low, high], atol=1e-9)
  # Ranks alone count.
  assert _interval(y, np.exp(values)) == (low, high)


def _normal_sample(
  rng: np.random.Generator,
  positives: int,
  negatives: int,
  auc: float,
  spread: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
  """Two normal classes; the deviation is 1 of the negatives."""
  y = np.repeat([1, 0], [positives, negatives])
  shift = np.sqrt(1 + spread**2) * stats.norm.ppf(auc)
  noise = rng.normal(size=len(y))
  return y, np.where(y == 1, spread * noise + shift, noise)


def test_the_variance_is_the_bootstraps() -> None:
  rng = np.random.default_rng(0)
  y, values = _normal_sample(rng, 80, 120, 0.8)
  classes = [values[y == 1], values[y == 0]]
  samples = [rng.choice(c, (4000, len(c))) for c in classes]
  aucs = [np.mean(a[:, np.newaxis] > b) for a, b in zip(*samples)]
  found = areas.area(y, values, np.arange(200))
  deviation = np.sqrt(np.sum(found.influence**2))
  assert deviation == pytest.approx(np.std(aucs), rel=0.05)


@pytest.mark.parametrize(
  'positives, negatives, auc, spread',
  [
    (60, 60, 0.85, 1),
    (20, 20, 0.95, 1),
    # A third and more of the samples are without error.
    (10, 10, 0.98, 1),
    (5, 40, 0.98, 1),
    # DeLong's interval covers 90, 88, 76 and 75 % of these.
    (3, 30, 0.8, 1),
    (10, 190, 0.95, 1),
    (10, 190, 0.95, 3),
    (40, 160, 0.99, 3),
  ],
)
def test_the_interval_covers_the_area(
  positives: int, negatives: int, auc: float, spread: float
) -> None:
  rng = np.random.default_rng(0)
  covered = []
  for _ in range(500):
    sample = _normal_sample(rng, positives, negatives, auc, spread)
    low, high = _interval(*sample)
    covered.append(low <= auc <= high)
  assert np.mean(covered) >= 0.93


@pytest.mark.parametrize('alike', [0.0, 0.3, 0.8])
@pytest.mark.parametrize('auc', [0.6, 0.97])
def test_it_covers_it_where_patients_have_several(
  auc: float, alike: float
) -> None:
  """Ten patients of each class with ten images each."""
  rng = np.random.default_rng(0)
  units = np.repeat(np.arange(20), 10)
  y, shift = units < 10, np.sqrt(2) * stats.norm.ppf(auc)
  covered, naive = [], []
  for _ in range(400):
    own = rng.normal(size=20)[units]
    noise = rng.normal(size=200)
    values = shift * y + np.sqrt(alike) * own + np.sqrt(1 - alike) * noise
    for limits, of in ((covered, units), (naive, np.arange(200))):
      low, high = areas.interval(y, values, of)
      limits.append(low <= auc <= high)
  assert np.mean(covered) > 0.91
  if alike == 0.8:
    assert np.mean(naive) < 0.8


def test_images_that_are_shown_several_times_tell_no_more() -> None:
  y, values = _normal_sample(np.random.default_rng(3), 90, 110, 0.85)
  once, units = _interval(y, values), np.repeat(np.arange(200), 4)
  got = areas.interval(np.repeat(y, 4), np.repeat(values, 4), units)
  np.testing.assert_allclose(got, once, atol=0.005)


@pytest.mark.parametrize('m, n', [(1, 1), (1, 30), (2, 3), (20, 20), (60, 500)])
def test_without_variance_the_interval_is_newcombes(m: int, n: int) -> None:
  y = np.repeat([1, 0], [m, n])
  for values, auc in ((y, 1), (1 - y, 0), (np.zeros(m + n), 0.5)):
    got = _interval(y, values)
    np.testing.assert_allclose(got, _newcombe(auc, m, n), atol=2e-6)
    assert got[0] < got[1]
  low, high = _interval(y, y)
  assert high == 1 and low < 1
  # A sample without error says more the larger it is, but not if the further
  # images are of the same patients.
  twice = np.repeat(y, 2)
  assert _interval(twice, twice)[0] > low
  units = np.repeat(np.arange(m + n), 2)
  same = areas.interval(twice, twice, units)[0]
  assert same == pytest.approx(low, abs=0.05)


def test_one_positive_has_an_interval() -> None:
  # Seven of ten negatives are below the only positive.
  values = np.array([7.5, *range(1, 11)])
  y = np.array([1] + [0] * 10)
  variance = 0.3 * 0.7 / 9  # Of the negatives, with one less below.
  np.testing.assert_allclose(
    _interval(y, values), _newcombe(0.7, 1, 10, variance), atol=2e-6
  )


def test_it_needs_both_classes() -> None:
  assert _interval(np.ones(3, int), np.arange(3.0)) is None
  assert _interval(np.zeros(3, int), np.arange(3.0)) is None
  assert _interval(np.zeros(0, int), np.zeros(0)) is None


def test_how_many_patients_tell() -> None:
  """Of the class, patient 0 is beaten and 1 never; both beat another one."""
  y = np.array([1, 1, 1, 0, 0, 0, 0])
  values = np.array([3, 1.5, 9, 0, 1, 2, 2.5])
  units = np.array([0, 0, 1, 2, 3, 4, 4])
  found = areas.area(y, values, units)
  assert found.told == 1 and found.value == pytest.approx(10 / 12)
  # Each image of its own: those of the class that are beaten, one.
  assert areas.area(y, values, np.arange(7)).told == 1
  assert areas.area(y, -values, units).told == 1


def test_an_area_of_many() -> None:
  rng = np.random.default_rng(0)
  y, values = _normal_sample(rng, 200_000, 200_000, 0.9)
  low, high = _interval(y, values)  # All pairs would need 40 GB.
  assert low < 0.9 < high and high - low < 0.003

"""Tests of the comparison of two data sets, against brute force and SciPy."""

import itertools

import jax
import numpy as np
import pytest
from scipy import stats

from heterojax.verdict import two_samples

_KEY = jax.random.key(0)


def _made(n: int, seed: int, width: int = 2):
  stream = np.random.default_rng(seed)
  z = stream.normal(size=(n, width))
  labels = (z[:, 0] > 0).astype(int) + (z[:, -1] > 0.5)
  return z, labels, stream.integers(0, 2, n), stream.permutation(n) < n // 2


def _chi_square(labels: np.ndarray, y: np.ndarray, second: np.ndarray) -> float:
  """By SciPy, table by table."""
  total = 0.0
  for code in set(y.tolist()):
    own = y == code
    table = [
      [np.sum(own & (labels == c) & (second == s)) for s in (False, True)]
      for c in sorted(set(labels[own].tolist()))
    ]
    if np.all(np.sum(table, axis=0) > 0):
      total += stats.contingency.chi2_contingency(
        np.array(table), correction=False
      )[0]
  return total


def _energy(z: np.ndarray, y: np.ndarray, second: np.ndarray) -> float:
  """By loops over pairs."""
  total = 0.0
  for code in set(y.tolist()):
    rows = z[y == code]
    here = second[y == code]
    d = np.array([[np.linalg.norm(a - b) for b in rows] for a in rows])
    d /= d.mean() or 1
    m, n = int(here.sum()), int((~here).sum())
    if m and n:
      distance = 2 * d[here][:, ~here].mean()
      distance -= d[here][:, here].mean() + d[~here][:, ~here].mean()
      total += m * n / (m + n) * distance
  return total


def _brute(statistic, y, second, groups) -> float:
  """p over all ways to name units of one composition."""
  names = sorted(set(groups.tolist()))
  of = {g: tuple(np.sort(y[groups == g]).tolist()) for g in names}
  own = {g: bool(second[groups == g][0]) for g in names}
  kinds = sorted(set(of.values()))
  each = []
  for kind in kinds:
    units = [g for g in names if of[g] == kind]
    m = sum(own[g] for g in units)
    each.append([set(c) for c in itertools.combinations(units, m)])
  found = []
  for chosen in itertools.product(*each):
    inside = set().union(*chosen)
    found.append(statistic(np.array([g in inside for g in groups.tolist()])))
  return float(np.mean(np.array(found) >= statistic(second) - 1e-9))


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('patients', [False, True])
def test_all_arrangements_of_a_few(seed: int, patients: bool) -> None:
  z, labels, y, second = _made(8, seed)
  groups = np.arange(8)
  if patients:
    groups = np.array([0, 0, 1, 1, 2, 3, 4, 5])
    second = np.array([0, 0, 1, 1, 0, 1, 0, 1], bool)
  found = two_samples.compare(z, labels, y, second, groups, _KEY)
  assert found.unit == ('patient' if patients else 'image')
  np.testing.assert_allclose(
    found.clusters.statistic, _chi_square(labels, y, second), atol=1e-9
  )
  np.testing.assert_allclose(
    found.space.statistic, _energy(z, y, second), atol=1e-9
  )
  if found.clusters.p_value is None:
    assert found.moved == 0 and found.why
    return
  assert found.clusters.enumerated and found.space.enumerated
  p = _brute(lambda s: _chi_square(labels, y, s), y, second, groups)
  q = _brute(lambda s: _energy(z, y, s), y, second, groups)
  assert found.clusters.p_value == pytest.approx(p)
  assert found.space.p_value == pytest.approx(q)
  adjusted = sorted([found.clusters.adjusted, found.space.adjusted])
  assert adjusted[0] == pytest.approx(min(1, 2 * min(p, q)))
  assert found.p_value in (None, adjusted[0])
  assert adjusted[1] == pytest.approx(max(adjusted[0], p, q))


def test_energy_in_one_dimension_and_draws_as_scipy() -> None:
  stream = np.random.default_rng(3)
  a, b = stream.normal(size=40), stream.normal(0.5, 1.3, size=30)
  z = np.concatenate([a, b])
  second = np.arange(70) >= 40

  def statistic(a: np.ndarray, b: np.ndarray) -> float:
    return stats.energy_distance(a, b) ** 2

  found = two_samples.compare(
    z[:, np.newaxis], np.zeros(70, int), np.zeros(70, int), second,
    np.arange(70), _KEY, draws=1999,
  )  # fmt: skip
  scale = np.abs(z[:, None] - z).mean()
  np.testing.assert_allclose(
    found.space.statistic, 40 * 30 / 70 * statistic(a, b) / scale, rtol=1e-9
  )
  known = stats.permutation_test(
    (a, b), statistic, n_resamples=1999, alternative='greater', rng=1
  )
  assert not found.space.enumerated and found.space.draws == 1999
  assert found.space.p_value is not None
  assert abs(found.space.p_value - known.pvalue) < 0.02
  # All are in one cluster: nothing can differ.
  assert found.clusters.p_value == 1


def test_the_order_of_images_does_not_count() -> None:
  z, labels, y, second = _made(60, 5)
  groups = np.arange(60) // 2
  second = second[groups]
  z[7] = z[3]  # Alike, of two patients.
  found = two_samples.compare(z, labels, y, second, groups, _KEY, draws=199)
  for seed in range(3):
    order = np.random.default_rng(seed).permutation(60)
    again = two_samples.compare(
      z[order], labels[order], y[order], second[order],
      (100 - groups)[order], _KEY, draws=199,
    )  # fmt: skip
    assert again == found


def test_another_prevalence_alone_is_no_shift() -> None:
  stream = np.random.default_rng(8)
  y = np.repeat([0, 1, 0, 1], [100, 20, 20, 100])
  second = np.repeat([False, True], 120)
  z = stream.normal(size=(240, 3)) + 4 * y[:, np.newaxis]
  labels = (z[:, 0] > 2).astype(int)
  found = two_samples.compare(
    z, labels, y, second, np.arange(240), _KEY, draws=999
  )
  assert found.p_value is not None and found.p_value > 0.05
  moved = two_samples.compare(
    z + 2.0 * second[:, np.newaxis], labels, y, second, np.arange(240), _KEY,
    draws=999,
  )  # fmt: skip
  assert moved.p_value == pytest.approx(2 / 1000)


def test_many_images_are_compared_in_part(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(two_samples, '_WORK', 40**2 * (99 + 2))
  z, labels, y, _ = _made(200, 2)
  groups, second = np.arange(200) // 2, np.arange(200) >= 20
  found = two_samples.compare(z, labels, y, second, groups, _KEY, draws=99)
  assert (found.clusters.n, found.space.n) == (200, 40)
  z = z * 1e25  # The same at any size.
  large = two_samples.compare(z, labels, y, second, groups, _KEY, draws=99)
  assert large.clusters.statistic == found.clusters.statistic
  assert 0 < large.space.statistic < 1e3


@pytest.mark.parametrize(('n', 'can'), [(5, False), (8, True)])
def test_a_p_value_that_cannot_be_small_is_none(n: int, can: bool) -> None:
  """Of 5 and 2 images there are 21 arrangements, of 8 and 2 there are 45."""
  z = np.r_[np.zeros(n), np.full(2, 9.0)][:, None] + np.arange(n + 2)[:, None]
  second = np.arange(n + 2) >= n
  found = two_samples.compare(
    z, second.astype(int), np.zeros(n + 2, int), second, np.arange(n + 2), _KEY
  )
  least = 2 / found.clusters.draws  # By Holm twice the smallest.
  assert (least <= 0.05) == can
  assert found.p_value == (pytest.approx(least) if can else None)
  assert bool(found.why) != can
  none = two_samples.untested(found, 'a reason')
  assert (none.p_value, none.space.adjusted) == (None, None)
  assert none.why == 'a reason' and none.moved == found.moved


def test_what_cannot_be_compared() -> None:
  z, labels, y, _ = _made(6, 1)
  with pytest.raises(ValueError, match='both data sets'):
    two_samples.compare(z, labels, y, np.zeros(6), np.arange(6), _KEY)
  with pytest.raises(ValueError, match='in both'):
    two_samples.compare(z, labels, y, np.arange(6) > 2, np.zeros(6, int), _KEY)
  y = (np.arange(6) > 2).astype(int)
  found = two_samples.compare(z, labels, y, y == 1, np.arange(6), _KEY)
  assert (found.p_value, found.moved) == (None, 0)
  assert found.why == (
    'no image has one with as many images of each class in the other data set'
  )


@pytest.mark.slow
def test_size_where_nothing_differs() -> None:
  """Patients of up to three alike images, classes of other shares."""
  rejected, sets = 0, 400
  for seed in range(sets):
    stream = np.random.default_rng(1000 + seed)
    patient = np.repeat(np.arange(60), stream.integers(1, 4, 60))
    of_patient = stream.random(60) < np.where(np.arange(60) < 35, 0.3, 0.6)
    y = of_patient.astype(int)[patient]
    z = stream.normal(size=(60, 3))[patient]
    z = z + 0.3 * stream.normal(size=z.shape) + y[:, np.newaxis]
    labels = (z[:, 0] > 0.5).astype(int) + 2 * (z[:, 1] > 0.5)
    found = two_samples.compare(
      z, labels, y, patient >= 35, patient, jax.random.key(seed), draws=199
    )
    assert found.p_value is not None
    rejected += found.p_value <= 0.05
  print('rejected', rejected / sets)
  assert rejected / sets <= 0.065

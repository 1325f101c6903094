"""What would have been found, against loops, scikit-learn and exact laws."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from heterojax.verdict import detectable
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import one_rule
from heterojax.verdict import records
from heterojax.verdict import rule as rules
from heterojax.verdict.folds import Fold

pytestmark = pytest.mark.usefixtures('one_core')


@pytest.mark.parametrize('number', [1, 2, 5])
@pytest.mark.parametrize('level', [0.05, 0.01])
def test_equal_variances_are_a_chi_squared_variable(
  number: int, level: float
) -> None:
  covariance, shift = 2.5 * np.eye(number), np.linspace(1, 3, number)
  critical = detectable._critical(covariance, level)
  assert critical == pytest.approx(2.5 * stats.chi2.isf(level, number))
  expected = stats.ncx2.sf(critical / 2.5, number, shift @ shift / 2.5)
  found = detectable._power(covariance, shift, critical)
  assert found == pytest.approx(expected)


@pytest.mark.parametrize('cluster', [0, 1, 2])
def test_other_sums_of_squares_are_nearly_what_draws_have(cluster: int) -> None:
  """One of three clusters is wrong more often, so that its images vary more."""
  n, rate = np.array([60, 30, 150]), np.full(3, 0.15)
  rate[cluster] = 0.4
  # What clusters have above the share that is theirs of all errors.
  above = (np.eye(3) - n[:, np.newaxis] / n.sum()) / np.sqrt(n)[:, np.newaxis]
  covariance = above @ np.diag(n * rate * (1 - rate)) @ above.T
  shift = above @ (n * rate)
  draws = np.random.default_rng(0).standard_normal((400_000, 3))
  draws = draws @ np.linalg.cholesky(covariance + 1e-12 * np.eye(3)).T
  for level in (0.05, 0.3):
    critical = detectable._critical(covariance, level)
    reached = np.mean(np.sum(draws**2, axis=1) > critical)
    assert reached == pytest.approx(level, abs=0.005)
    for far in (0.3, 0.7, 1.0):
      reached = np.mean(np.sum((draws + far * shift) ** 2, axis=1) > critical)
      found = detectable._power(covariance, far * shift, critical)
      assert found == pytest.approx(reached, abs=0.01)


def test_without_variance_chance_reaches_nothing() -> None:
  assert detectable._critical(np.zeros((2, 2)), 0.05) == 0


def test_a_rule_is_reversed_about_its_mean() -> None:
  odds = np.array([1.0, 4.0, 0.25, 99.0])
  inside = np.array([True, True, True, False])
  # The mean of the logarithms of 1, 4 and 1/4 is 0.
  found = detectable._turned(odds / (1 + odds), inside)
  np.testing.assert_allclose(found / (1 - found), 1 / odds)
  inside[2] = False  # Of 1 and 4 it is that of 2: odds are 4 over them.
  found = detectable._turned(odds / (1 + odds), inside)
  np.testing.assert_allclose(found / (1 - found), 4 / odds)
  several = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
  np.testing.assert_allclose(
    detectable._turned(several, inside)[:, 1], found, rtol=1e-10
  )
  certain = detectable._turned(np.array([0.0, 1.0]), np.array([True, True]))
  np.testing.assert_allclose(certain, [1, 0], atol=1e-11)


class _ByImage(NamedTuple):
  """Sums of clusters above what is expected, image by image.

  Attributes:
    rate: `[N]`, of the image's stratum.
    strata: `[N]`.
    part: `[K, N]`, what an image adds to the cluster's sum above the expected,
      over the root of the cluster's images.
    level: the largest p-value that counts as found.
  """

  rate: np.ndarray
  strata: np.ndarray
  part: np.ndarray
  level: float

  def covariance(self, rate: np.ndarray) -> np.ndarray:
    return self.part @ np.diag(rate * (1 - rate)) @ self.part.T

  def power(self, own: np.ndarray) -> float:
    pooled = [own[self.strata == s].mean() for s in self.strata]
    null, real = map(self.covariance, (np.array(pooled), own))
    shift = self.part @ own
    if len(shift) > 2:
      critical = detectable._critical(null, self.level)
      return detectable._power(real, shift, critical)
    # Of two clusters Q is the square of one normal variable.
    far = np.sqrt(np.trace(null)) * stats.norm.isf(self.level / 2)
    moved = np.linalg.norm(shift)
    ends = [far - moved, far + moved]
    return float(np.sum(stats.norm.sf(ends, scale=np.trace(real) ** 0.5)))


def _points(
  wrong: np.ndarray, strata: np.ndarray, labels: np.ndarray, level: float
) -> list[float]:
  """By halving."""
  of = [strata == s for s in strata]
  rate = np.array([wrong[same].mean() for same in of])
  part = np.array([
    ((labels == c) - np.array([np.mean(labels[same] == c) for same in of]))
    / np.sum(labels == c) ** 0.5
    for c in range(labels.max() + 1)
  ])
  loop, points = _ByImage(rate, strata, part, level), []
  for c in range(labels.max() + 1):
    low, high = 0.0, 1.0
    for _ in range(40):
      middle = (low + high) / 2
      more = (labels == c) * np.minimum(middle, 1 - rate)
      found = loop.power(rate + more) >= 0.8
      low, high = (low, middle) if found else (middle, high)
    more = np.minimum(low, 1 - rate)[labels == c]
    points.append(np.mean(more) if low < 0.999 else np.nan)
  return points


@pytest.mark.parametrize('level', [0.05, 0.05 / 3])
@pytest.mark.parametrize(
  'shares', [(0.5, 0.5), (0.8, 0.2), (0.3, 0.6, 0.1), (0.7, 0.29, 0.01)]
)
def test_the_points_are_those_of_a_loop_over_images(
  level: float, shares: tuple[float, ...]
) -> None:
  stream = np.random.default_rng(1)
  strata = stream.integers(3, size=240)
  labels = np.searchsorted(np.cumsum(shares[:-1]), stream.random(240))
  if len(shares) == 3 and shares[2] < 0.1:  # One image.
    labels[labels == 2] = 0
    labels[7] = 2
  # In the last stratum hardly anything could be wrong more often.
  wrong = stream.random(240) < np.array([0.1, 0.3, 0.9])[strata]
  # One image is alone in its stratum, and could not be wrong more often.
  strata[5], wrong[5] = 3, True
  k = len(shares)
  found = detectable.accuracy_points(
    wrong.astype(int), strata, labels, k, level
  )
  expected = _points(wrong, strata, labels, level)
  np.testing.assert_allclose(found, expected, atol=2e-6)
  np.testing.assert_array_equal(found, np.round(found, 6))
  names = detectable.accuracy_points(
    wrong.astype(int), 3 - strata, k - 1 - labels, k, level
  )
  np.testing.assert_array_equal(names, found[::-1])


def test_images_that_are_wrong_together_are_one() -> None:
  stream = np.random.default_rng(2)
  strata, labels = stream.integers(2, size=300), np.arange(300) % 3
  wrong = (stream.random(300) < 0.2).astype(int)
  alone = detectable.accuracy_points(wrong, strata, labels, 3)
  pairs = [np.repeat(column, 2) for column in (wrong, strata, labels)]
  twice = detectable.accuracy_points(
    *pairs, 3, groups=np.repeat(np.arange(300), 2)
  )
  np.testing.assert_allclose(twice, alone, rtol=0.02)
  unnamed = detectable.accuracy_points(*pairs, 3)
  assert np.all(unnamed < 0.8 * alone)


def test_what_no_errors_can_show() -> None:
  labels, strata = np.arange(40) % 2, np.zeros(40, int)
  for wrong in (np.zeros(40, int), np.ones(40, int)):
    points = detectable.accuracy_points(wrong, strata, labels, 2)
    assert np.isnan(points).all()
  # Of six images not even all errors would be found.
  wrong = np.array([0, 1, 0, 1, 0, 1])
  points = detectable.accuracy_points(wrong, strata[:6], np.arange(6) % 2, 2)
  assert np.isnan(points).all()
  # A third cluster is empty.
  wrong = (np.arange(40) % 5 == 0).astype(int)
  points = detectable.accuracy_points(wrong, strata, labels, 3)
  two = detectable.accuracy_points(wrong, strata, labels, 2)
  np.testing.assert_allclose(points, [*two, np.nan], atol=1e-6)


_N, _WORLDS = 96, 39


def _made(classes: int = 2) -> tuple[list[Fold], np.ndarray]:
  """Two folds and three clusters, and the certain label of each image.

  A sixth of the images are trained on only, and as many are in no fold.
  """
  stream = np.random.default_rng(0)
  x = stream.standard_normal((_N, 2))
  labels = np.repeat([0, 0, 0, 1, 1, 1, 2, 2], _N // 8)
  # As many of a label in each cluster: its mean log odds are 0.
  y = np.arange(_N) % classes
  angle = 2 * np.pi * y / classes
  x += 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
  at = np.arange(_N) // classes % 6
  tested = [np.isin(at, of) for of in ((0, 1), (2, 3))]
  folds = [
    Fold(
      x,
      1.0,
      np.flatnonzero((at < 5) & ~test),
      np.flatnonzero(test),
      labels,
      classes,
    )
    for test in tested
  ]
  y[at == 5] = classes - 1  # Of these no mean may know.
  return folds, y


def test_images_of_a_patient_that_are_as_any_are_many() -> None:
  """What is common to a stratum makes patients of it no more alike."""
  stream = np.random.default_rng(2)
  patient = np.repeat(np.arange(600), 4)
  strata, labels = patient % 4, patient // 4 % 3
  rates = np.array([0.02, 0.1, 0.2, 0.6])
  wrong = (stream.random(len(patient)) < rates[strata]).astype(int)
  named = detectable.accuracy_points(wrong, strata, labels, 3, groups=patient)
  unnamed = detectable.accuracy_points(wrong, strata, labels, 3)
  np.testing.assert_allclose(named, unnamed, rtol=0.05)


def _found(y: np.ndarray, gain: np.ndarray) -> one_rule.OneRule:
  p = np.where(y == 1, 1 - 1e-12, 1e-12)
  if y.max() > 1:  # Reversed, the next label but one is the most probable.
    logs = np.array([0, -13.5, -27])[(np.arange(3) - y[:, np.newaxis]) % 3]
    p = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
  rule = rules.Rule(p, np.arange(len(y)), 1.0, 1.0, 1.0)
  nothing = np.zeros(0)
  test = records.Test(0.0, *[nothing] * 5, 'image', 0)
  worlds = one_rule.Worlds(gain, *[nothing] * 4)
  return one_rule.OneRule(test, gain[0], rule, worlds)


def _reversed(folds: list[Fold], y: np.ndarray, c: int) -> np.ndarray:
  return np.where(folds[0].labels == c, (y - 1) % folds[0].classes, y)


def _gain(folds: list[Fold], y: np.ndarray, c: int) -> float:
  """What a cluster's own head adds, by scikit-learn, each class by itself."""
  gains = []
  codes = range(folds[0].classes) if folds[0].classes > 2 else (1,)
  for code in codes:
    of_class, better, pairs = (y == code).astype(int), 0.0, 0
    for fold in folds:
      own = fold.train[fold.labels[fold.train] == c]
      test = fold.test[fold.labels[fold.test] == c]
      first, second = (
        LogisticRegression(C=fold.c, tol=1e-10)
        .fit(fold.x[rows], of_class[rows])
        .decision_function(fold.x[test])
        for rows in (fold.train, own)
      )
      of = np.sum(of_class[test]) * np.sum(1 - of_class[test])
      both = stats.zscore(first) + stats.zscore(second)
      areas = [roc_auc_score(of_class[test], each) for each in (both, first)]
      better, pairs = better + of * (areas[0] - areas[1]), pairs + of
    gains.append(better / pairs)
  return float(np.mean(gains))


def test_a_reversed_rule_is_compared_with_the_worlds() -> None:
  folds, y = _made()
  tested = np.concatenate([folds[0].labels[fold.test] for fold in folds])
  size = np.bincount(tested) / len(tested)
  stream = np.random.default_rng(3)
  gain = 0.02 * stream.standard_normal((1 + _WORLDS, 3))
  gain[5, 1] = np.nan  # Nothing, in a world that has too few images.
  gain[0] = 9.0  # The data are no world.
  gain[0, 2] = np.nan  # A cluster with too few has no power.
  own = [_gain(folds, _reversed(folds, y, c), c) for c in (0, 1)]
  assert min(own) > 0.1
  gain[8, 2] = 0.3 / size[2]
  null = np.nan_to_num(gain[1:]) * size
  # One world of 39 is far above: 2 of 40 are at most 5 %. The other is moved
  # so that all but one of the worlds reach what chance does.
  number = 5
  totals = null.sum(axis=1)
  at = own[1] * size[1] + null[:number, [0, 2]].sum(axis=1)
  between = np.mean(np.sort(at)[:2])
  gain[1 + 20, 1] += (between - totals[20]) / size[1]
  assert np.sort(np.append(np.delete(totals, 20), between))[-2] == between
  share, power = detectable.reversed_share(
    folds, _found(y, gain), 3, jax.random.key(0), number
  )
  at = own[0] * size[0] + null[:number, 1:].sum(axis=1)
  np.testing.assert_allclose(power, [np.mean(at > between), 0.8, 0])
  # 0.8 is enough.
  assert share[1] <= 1 and np.isnan(share[2])


@pytest.mark.parametrize('classes', [2, 3])
@pytest.mark.parametrize(
  ('factor', 'power'),
  # As much as by chance is not more.
  [(0.99, 1), (1.0, 0), (1.01, 0)],
)
def test_what_the_whole_cluster_gains_is_found_or_not(
  classes: int, factor: float, power: float
) -> None:
  folds, y = _made(classes)
  gain = np.zeros((1 + _WORLDS, 3))
  gain[1:, 1] = factor * _gain(folds, _reversed(folds, y, 1), 1)
  assert gain[1, 1] > 0.05
  found = _found(y, gain)
  shares, powers = detectable.reversed_share(
    folds, found, 3, jax.random.key(0), 6
  )
  assert powers[1] == power
  assert np.isnan(shares[1]) == (not power)


def test_worlds_have_the_gains_of_other_clusters() -> None:
  folds, y = _made()
  two = [f._replace(labels=np.minimum(f.labels, 1)) for f in folds]
  own = _gain(two, _reversed(two, y, 0), 0)
  share = np.mean(np.concatenate([f.labels[f.test] for f in two]) == 0)
  # In a sixth of the worlds the other cluster gains much, else nothing.
  gain = np.zeros((1 + _WORLDS, 2))
  gain[1::6, 1] = 1.0
  assert own * share < 1 - share
  powers = detectable.reversed_share(
    two, _found(y, gain), 2, jax.random.key(0), 6
  )[1]
  assert powers[0] == 1 / 6


def test_who_is_in_no_test_has_labels_by_chance() -> None:
  folds, y = _made()
  rule = _found(y, np.zeros((1, 3))).rule
  assert rule is not None
  p = np.full(_N, np.nan)
  p[folds[0].test] = rule.p[folds[0].test]
  gain = detectable._gains(
    folds[:1], rule._replace(p=p), 1, 1.0, 12, np.random.default_rng(0)
  )
  assert np.std(gain) > 0.01


@pytest.mark.parametrize(('chance', 'power'), [(-0.5, 1), (0.5, 0)])
def test_one_cluster_has_no_others(chance: float, power: float) -> None:
  folds, y = _made()
  whole = [fold._replace(labels=np.zeros(_N, int)) for fold in folds]
  gain = np.full((1 + _WORLDS, 1), chance)
  found = detectable.reversed_share(
    whole, _found(y, gain), 1, jax.random.key(0), 6
  )
  assert found[1] == [power]


def test_the_least_share_is_the_same_by_other_names(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  folds, y = _made()
  gain = np.full((1 + _WORLDS, 3), -9.0)
  fitted, heads = folds_lib.fitted, []

  def counted(fold: Fold, of: np.ndarray, rows: Sequence[Sequence[Any]]) -> Any:
    heads.append(sum(map(len, rows)))
    return fitted(fold, of, rows)

  with monkeypatch.context() as patch:
    patch.setattr(folds_lib, 'fitted', counted)
    shares, powers = detectable.reversed_share(
      folds, _found(y, gain), 3, jax.random.key(0)
    )
  # Whatever a head gains is more than what worlds lose.
  np.testing.assert_array_equal(shares, detectable.SHARES[-1])
  np.testing.assert_array_equal(powers, 1)
  assert sum(heads) == len(folds) * detectable.heads(3)
  named = [fold._replace(labels=2 - fold.labels) for fold in folds]
  gain[1:, 1] = 0.01
  own = detectable.reversed_share(
    folds, _found(y, gain), 3, jax.random.key(0), 6
  )
  again = detectable.reversed_share(
    named, _found(y, gain[:, ::-1]), 3, jax.random.key(0), 6
  )
  np.testing.assert_array_equal(again, np.array(own)[:, ::-1])


def test_too_few_worlds_say_nothing() -> None:
  folds, y = _made()
  found = _found(y, np.zeros((1 + 18, 3)))
  for outcome in detectable.reversed_share(folds, found, 3, jax.random.key(0)):
    assert np.isnan(outcome).all()

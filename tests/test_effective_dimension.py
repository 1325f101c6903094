"""Effective dimensions, against the law of directions and by hand."""

import numpy as np
import pytest
from sklearn import datasets

from heterojax import cluster
from heterojax.datasets import leaks


def _dimension(x: np.ndarray) -> float:
  return cluster.effective_dimension(
    np.asarray(x, np.float32), np.arange(len(x))
  )


@pytest.mark.parametrize(
  'n, d', [(60, 2), (60, 100), *((600, d) for d in (2, 5, 10, 30, 100, 1000))]
)
def test_of_a_round_cloud_it_is_the_dimension(n: int, d: int) -> None:
  """Even where there are fewer rows than dimensions."""
  x = np.random.default_rng(0).normal(3, 1, (n, d))
  assert _dimension(x) == pytest.approx(d, rel=0.1)


def test_it_is_the_mean_squared_cosine_of_all_pairs() -> None:
  x = np.random.default_rng(1).normal(size=(40, 7)) * np.arange(1, 8)
  centred = x - x.mean(axis=0)
  centred /= np.linalg.norm(centred, axis=1, keepdims=True)
  pairs = (centred @ centred.T)[np.triu_indices(40, 1)]
  assert _dimension(x) == pytest.approx(1 / np.mean(pairs**2), rel=1e-4)


def test_of_unequal_variances_it_is_near_the_participation_ratio() -> None:
  """And not below it: directions leave out how long the rows are."""
  spread = 1 / np.sqrt(np.arange(1, 201))
  x = np.random.default_rng(2).normal(size=(2000, 200)) * spread
  ratio = np.sum(spread**2) ** 2 / np.sum(spread**4)
  assert ratio < _dimension(x) < 1.5 * ratio


def test_one_long_row_does_not_make_it_one() -> None:
  x = np.random.default_rng(3).normal(size=(300, 50))
  x[0] *= 100
  values = np.linalg.eigvalsh(np.cov(x.T))
  assert values.sum() ** 2 / np.sum(values**2) < 1.1
  assert _dimension(x) > 25


def test_of_many_rows_some_are_used_and_no_row_counts_twice() -> None:
  x = np.random.default_rng(4).normal(size=(5000, 12)).astype(np.float32)
  every = np.arange(5000)
  got = cluster.effective_dimension(x, every)
  assert got == pytest.approx(12, rel=0.02)
  assert cluster.effective_dimension(x, np.r_[every, every[::-1]]) == got


def test_without_a_difference_it_is_infinite() -> None:
  assert np.isinf(_dimension(np.ones((4, 3))))
  assert np.isinf(_dimension(np.ones((1, 3))))


@pytest.mark.parametrize('d', [2, 4, 7, 10])
def test_chance_is_that_of_directions_drawn_at_random(d: int) -> None:
  rng = np.random.default_rng(d)
  x, y = rng.normal(size=(300, d)), rng.normal(size=(4000, d))
  x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
  seen = np.mean((y @ x.T).max(axis=1) > 0.9)
  expected = leaks.by_chance(d, 300)
  assert abs(seen - expected) < 4 * np.sqrt(expected / 4000) + 1e-9


@pytest.mark.parametrize(
  'dimension, n, told',
  [
    (1, 2, False),
    (10.3, 400, False),
    (15, 400, True),
    (15, 10**6, False),
    (1000, 10**6, True),
    (float('inf'), 5, True),
  ],
)
def test_where_near_duplicates_can_be_told(
  dimension: float, n: int, told: bool
) -> None:
  assert (leaks.why_unseen(dimension, n) == '') == told


def test_in_three_dimensions_chance_is_a_share_of_the_sphere() -> None:
  """A cap of a sphere has the share of its height: 0.1 of 2 radii."""
  for n in 1, 7:
    assert leaks.by_chance(3, n) == pytest.approx(1 - 0.95**n, rel=1e-12)
  assert leaks.by_chance(float('inf'), 10**9) == 0
  said = leaks.why_unseen(3, 1)
  assert 'differ in 3.0 effective' in said and 'makes 5% look' in said


def test_features_of_a_table_are_told_nothing_of() -> None:
  x = datasets.load_breast_cancer().data
  assert _dimension(x) < 1.3
  standardised = (x - x.mean(axis=0)) / x.std(axis=0)
  assert 4 < _dimension(standardised) < 5
  for features in (x, standardised):
    assert leaks.why_unseen(_dimension(features), 455)


def test_of_many_rows_those_at_equal_steps_are_used() -> None:
  """The first and the last among them, which are unlike all others."""
  x = np.random.default_rng(0).standard_normal((4095, 3)).astype(np.float32)
  x[[0, -1]] += 1e5
  want = cluster.effective_dimension(x, np.arange(0, 4095, 2))
  found = cluster.effective_dimension(x, np.arange(4095))
  assert found == pytest.approx(want, rel=1e-9)


def test_the_sum_of_a_feature_may_be_too_large() -> None:
  x = np.random.default_rng(0).uniform(1, 2, (9, 2)).astype(np.float32)
  x[:, 0] *= 1e38
  rows = np.arange(9)
  want = cluster.effective_dimension(x.astype(np.float64), rows)
  assert cluster.effective_dimension(x, rows) == pytest.approx(want, rel=1e-5)

"""Exact p-values of tables of counts, against SciPy and published ones."""

import itertools
import math

import jax
import numpy as np
import pytest
from scipy import stats

from heterojax.verdict import published
from heterojax.verdict import uneven


@pytest.mark.parametrize(
  'sizes, errors',
  [
    *(((9, 5), (1, 3)), ((20, 31), (0, 7)), ((4, 4), (2, 2))),
    ((3000, 3000), (1500, 1400)),
  ],
)
def test_two_clusters_are_fishers_exact_test(sizes, errors) -> None:
  table = [[e, n - e] for n, e in zip(sizes, errors)]
  got = published.exact(sizes, errors)
  assert got.p_value == pytest.approx(stats.fisher_exact(table).pvalue)
  assert got.tables == min(sum(errors), *sizes) + 1


def test_all_tables_are_listed() -> None:
  sizes, errors = (3, 5, 2), (1, 0, 2)
  weights = {
    x: math.prod(map(math.comb, sizes, x))
    for x in itertools.product(*(range(n + 1) for n in sizes))
    if sum(x) == 3
  }
  total, own = sum(weights.values()), weights[errors]
  assert total == math.comb(10, 3)

  def cv(x) -> float:
    right = 1 - np.array(x) / sizes
    return right.std() / right.mean()

  got = published.exact(sizes, errors)
  assert got.tables == len(weights)
  assert got.p_value == pytest.approx(
    sum(w for w in weights.values() if w <= own) / total
  )
  assert got.cv == pytest.approx(cv(errors))
  chi = lambda x: sum(n * (e / n - 0.3) ** 2 for n, e in zip(sizes, x))
  assert got.uneven_p_value == pytest.approx(
    sum(w for x, w in weights.items() if chi(x) >= chi(errors) - 1e-9) / total
  )
  assert got.cv_p_value == pytest.approx(
    sum(w for x, w in weights.items() if cv(x) >= got.cv - 1e-9) / total
  )
  below = sum(w for x, w in weights.items() if cv(x) < got.cv_band[0] - 1e-9)
  above = sum(w for x, w in weights.items() if cv(x) > got.cv_band[1] + 1e-9)
  assert below / total < 0.025 and above / total <= 0.025


def test_three_clusters_are_the_sum_of_what_is_no_more_likely() -> None:
  table = np.array([[3, 7], [1, 11], [6, 2]])
  got = published.exact(table.sum(axis=1), table[:, 0])
  law = stats.multivariate_hypergeom(table.sum(axis=1), table[:, 0].sum())
  tables = [
    x for x in itertools.product(range(11), range(11), range(9)) if sum(x) == 10
  ]
  pmf = law.pmf(np.array(tables))
  own = law.pmf(table[:, 0])
  assert got.p_value == pytest.approx(pmf[pmf <= own * (1 + 1e-7)].sum())


def test_wang_2023_table_2() -> None:
  # Chest: right for 12 of 13, 4 of 4, 14 of 17 and 17 of 23.
  got = published.exact((13, 4, 17, 23), (1, 0, 3, 6))
  assert round(got.p_value, 2) == 0.55
  assert round(got.uneven_p_value, 2) == 0.43
  assert round(got.cv, 3) == 0.113
  assert round(got.cv_p_value, 2) == 0.44
  assert round(got.cv_band[0], 3) == 0.045


@pytest.mark.parametrize('first', range(1, 10))
def test_wang_2023_table_1(first: int) -> None:
  # Fundus: right for 97 of 100, 95 of 98, and all 10 of two clusters.
  got = published.exact((first, 100, 98, 10 - first), (0, 3, 3, 0))
  assert got.p_value == got.uneven_p_value == got.cv_p_value == 1


def test_the_order_of_pearson_is_that_of_uneven() -> None:
  sizes, errors = (13, 4, 17, 23), (1, 0, 3, 6)
  values = np.concatenate([
    np.arange(n) < e for n, e in zip(sizes, errors)
  ]).astype(int)
  labels = np.repeat(np.arange(4), sizes)
  drawn = uneven.test(values, np.zeros(57), labels, 4, key=jax.random.key(0))
  exact = published.exact(sizes, errors).uneven_p_value
  assert abs(drawn.p_value - exact) < 4 * np.sqrt(exact * (1 - exact) / 9999)


def test_nothing_wrong_or_nothing_right() -> None:
  right = published.exact((5, 7), (0, 0))
  assert right.p_value == right.cv_p_value == 1 and right.cv == 0
  wrong = published.exact((5, 7), (5, 7))
  assert wrong.p_value == 1
  assert np.isnan([wrong.cv, wrong.cv_p_value, *wrong.cv_band]).all()


@pytest.mark.parametrize(
  'sizes, errors, why',
  [
    ((5, 7), (6, 0), 'errors of'),
    ((5, 0), (1, 0), 'errors of'),
    ((5, 7), (1,), 'errors of'),
    ((900,) * 6, (300,) * 6, 'more than'),
  ],
)
def test_mistakes_are_told(sizes, errors, why) -> None:
  with pytest.raises(ValueError, match=why):
    published.exact(sizes, errors)


def test_as_many_tables_as_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
  monkeypatch.setattr(published, '_MOST', 8)
  assert published.exact((7, 9), (3, 4)).tables == 8
  monkeypatch.setattr(published, '_MOST', 7)
  with pytest.raises(ValueError, match='more than 7 tables'):
    published.exact((7, 9), (3, 4))


def test_the_band_has_at_least_its_share() -> None:
  """The likeliest of two tables has 39 of 40, which is .975."""
  got = published.exact((1, 39), (0, 1))
  assert got.cv_band == (got.cv, got.cv) and got.cv < 0.1

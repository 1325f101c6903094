"""The logistic heads of a fold against scikit-learn."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from heterojax.heads import optimum
from heterojax.heads import penalty
from heterojax.heads import scaler

_N = 60


def _data(width: int) -> tuple[np.ndarray, np.ndarray]:
  """Features of very different scales, far from zero, and a class."""
  numbers = np.random.default_rng(width)
  x = numbers.normal(size=(_N + 20, width)) * np.logspace(-2, 2, width) + 30
  y = (x[:, width // 2] > 30).astype(int)
  y[::7] = 1 - y[::7]
  return x.astype(np.float32), y


def _fold(y: np.ndarray) -> optimum.Fold:
  """All of 60 rows, with some twice; two subsets; and rows of one class."""
  train = np.r_[np.arange(_N), np.arange(10)]
  units = train // 2
  return optimum.Fold(
    rows=[train, train[:25], train[20:], np.flatnonzero(y[:_N] == 1)[:5]],
    originals=np.arange(_N),
    parts=optimum.parts_of(y[train], units, jax.random.key(0)),
  )


def _expected(
  z: np.ndarray, y: np.ndarray, fold: optimum.Fold, c: float
) -> np.ndarray:
  """Logits of scikit-learn's heads; of one class the log odds of the counts."""
  found = []
  for rows in fold.rows:
    if len(set(y[rows])) == 1:
      found.append(np.full(len(z), np.log((len(rows) + 0.5) / 0.5)))
      continue
    model = LogisticRegression(
      C=c, solver='newton-cholesky', max_iter=1000, tol=1e-10
    )
    found.append(model.fit(z[rows], y[rows]).decision_function(z))
  return np.array(found)


@pytest.mark.parametrize('width', [8, 200])  # Fewer and more than rows.
@pytest.mark.parametrize('c', [pytest.param(0.0, marks=pytest.mark.slow), 0.05])
def test_given_features_are_standardised(width: int, c: float) -> None:
  x, y = _data(width)
  x[:, 0] = 7  # Constant.
  fold = _fold(y)
  found = optimum.fit(x, y, fold, c, standardised=True)
  assert len(set(found.c)) == 1
  if c:
    assert found.c[0] == c
  wide = x.astype(float)
  z = StandardScaler().fit(wide[fold.rows[0]]).transform(wide)
  want = _expected(z, y, fold, float(found.c[0]))
  np.testing.assert_allclose(optimum.outputs(found, x), want, atol=1e-4)
  assert found.converged.all() and (found.kernel[:, 0] == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize('width', [8, 200])
def test_features_of_a_network_are_divided_by_one_number(width: int) -> None:
  x, y = _data(width)
  fold = _fold(y)
  spread = np.sqrt(np.mean(np.var(x[:_N].astype(float), axis=0)))
  found = optimum.fit(x, y, fold, 0.3)
  want = _expected(x / spread, y, fold, 0.3)
  np.testing.assert_allclose(optimum.outputs(found, x), want, atol=1e-4)
  # Another network, whose features are larger: the same heads for the same C.
  larger = optimum.fit(1000 * x, y, fold, 0.3)
  np.testing.assert_allclose(
    optimum.outputs(larger, 1000 * x), optimum.outputs(found, x), atol=1e-4
  )


@pytest.mark.slow
def test_c_is_that_of_the_first_head() -> None:
  """Chosen by hand: the least log-loss of what is held out, by patient."""
  x, y = _data(8)
  fold = _fold(y)
  train = fold.rows[0]
  wide = x[train].astype(float)
  z = StandardScaler().fit_transform(wide)
  losses = []
  for c in penalty.VALUES:
    loss = np.zeros(len(train))
    for part in range(optimum.FOLDS):
      out = fold.parts == part
      model = LogisticRegression(
        C=c, solver='newton-cholesky', max_iter=1000, tol=1e-10
      )
      model.fit(z[~out], y[train][~out])
      sign = np.where(y[train][out] == 1, -1, 1)
      loss[out] = np.logaddexp(0, sign * model.decision_function(z[out]))
    losses.append(np.mean(loss))
  found = optimum.fit(x, y, fold, standardised=True)
  assert found.c[0] == penalty.VALUES[int(np.argmin(losses))]


@pytest.mark.slow
def test_folds_share_inner_products() -> None:
  x, y = _data(200)
  fold = _fold(y)
  # Rows that no head trains on are no part of them.
  shared = optimum.shared(np.concatenate([x, x, x]), [fold])
  assert shared is not None
  np.testing.assert_array_equal(shared.rows, np.arange(_N))
  alone, found = (
    optimum.fit(x, y, fold, 0.3, products=products)
    for products in (None, optimum.shared(x, [fold, fold]))
  )
  np.testing.assert_allclose(found.kernel, alone.kernel, rtol=1e-6, atol=1e-12)
  assert optimum.shared(_data(8)[0], [fold]) is None


def test_parts_are_of_whole_patients() -> None:
  numbers = np.random.default_rng(0)
  units = numbers.integers(0, 40, 200)
  y = (numbers.random(200) < 0.3).astype(int)
  parts = optimum.parts_of(y, units, jax.random.key(1))
  assert set(parts) == set(range(optimum.FOLDS))
  for unit in set(units):
    assert len(set(parts[units == unit])) == 1
  shares = [np.mean(y[parts == part]) for part in range(optimum.FOLDS)]
  assert np.ptp(shares) < 0.1
  again = optimum.parts_of(y, units, jax.random.key(1))
  np.testing.assert_array_equal(again, parts)
  assert (optimum.parts_of(y, units, jax.random.key(2)) != parts).any()


@pytest.mark.parametrize('patients', [1, 2, 3])
def test_few_patients_are_few_parts(patients: int) -> None:
  units = np.arange(12) % patients
  y = np.arange(12) % 2
  parts = optimum.parts_of(y, units, jax.random.key(0))
  assert len(set(parts)) == patients


def test_nobody_can_be_held_out_of_one_patient() -> None:
  x, y = _data(8)
  fold = _fold(y)._replace(parts=np.zeros(70, int))
  assert set(optimum.fit(x, y, fold).c) == {optimum.DEFAULT_C}


def test_classes_of_two_images() -> None:
  """Fewer of every class than parts: patients are drawn at random."""
  parts = optimum.parts_of(
    np.array([0, 0, 1, 1]), np.arange(4), jax.random.key(0)
  )
  assert sorted(parts) == [0, 1, 2, 3]


def test_the_spread_of_equal_rows_is_one() -> None:
  assert scaler.spread(np.ones((3, 2)), np.arange(3)) == 1
  with pytest.raises(ValueError, match='no rows'):
    scaler.spread(np.ones((3, 2)), np.arange(0))

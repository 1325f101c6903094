"""Columns that features hold, or do not."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from heterojax.verdict import readable

pytestmark = pytest.mark.usefixtures('one_core')


def _data(n: int = 120, d: int = 6, seed: int = 0):
  rng = np.random.default_rng(seed)
  y = rng.integers(2, size=n)
  x = rng.standard_normal((n, d))
  x[:, 0] += 2 * y
  return rng, x, y


def _test(x, y, values, units=None, draws=19):
  units = np.arange(len(y)) if units is None else units
  return readable.test(x, y, values, units, 0.1, jax.random.key(0), draws)


def test_a_column_in_the_features_is_read() -> None:
  rng, x, y = _data()
  values = rng.integers(2, size=len(y))
  x[:, 3] += 2 * values
  found = _test(x, y, values)
  assert found.auc > 0.8 and found.p_value == 1 / 20
  assert found.n == len(y)


def test_a_column_that_is_the_class_is_not() -> None:
  """Inside of a class it has one value, or says no more of the features."""
  rng, x, y = _data(seed=1)
  assert _test(x, y, y).p_value is None
  noisy = np.where(rng.random(len(y)) < 0.75, y, 1 - y)
  found = _test(x, y, noisy)
  assert found.p_value and found.p_value > 0.05


def test_the_auc_is_scikit_learns() -> None:
  rng, x, y = _data(60)
  y[:] = 0
  values = (x[:, 1] + rng.standard_normal(60) > 0).astype(int)
  # Of one class; each fold's AUC times its pairs.
  (cell,) = readable._cells(y, values, np.arange(60), jax.random.key(0))
  better = pairs = 0.0
  for i in range(cell.part.max() + 1):
    train, test = cell.part != i, cell.part == i
    head = LogisticRegression(C=0.1, tol=1e-10).fit(
      x[train], values[train] == 0
    )
    own = values[test] == 0
    number = own.sum() * (~own).sum()
    better += number * roc_auc_score(own, head.decision_function(x[test]))
    pairs += number
  found = readable._auc(x, values[None], [cell], 0.1)
  assert found[0] == pytest.approx(better / pairs, abs=1e-12)


def test_patients_keep_their_value() -> None:
  """A column of patients, and features that know patients, and no column."""
  rng = np.random.default_rng(3)
  units = np.repeat(np.arange(40), 3)
  x = rng.standard_normal((40, 5))[units] + 0.1 * rng.standard_normal((120, 5))
  values = rng.integers(2, size=40)[units]
  found = _test(x, np.zeros(120, int), values, units)
  assert found.unit == 'patient'
  assert found.p_value and found.p_value > 0.05
  # Images for themselves would read the patient, and call it the column.
  alone = _test(x, np.zeros(120, int), values)
  assert alone.p_value == 1 / 20


def test_patients_who_are_alike_to_no_other_are_told() -> None:
  units = np.repeat(np.arange(12), np.arange(1, 13))
  _, x, _ = _data(len(units))
  values = np.arange(len(units)) % 2
  found = _test(x, np.zeros(len(units), int), values, units)
  assert found.p_value is None and 'as many images' in found.why


def test_images_without_a_value_do_not_count() -> None:
  rng, x, y = _data()
  values = rng.integers(2, size=len(y))
  x[:, 3] += 2 * values
  values[:20] = -1
  x[:20] = 1e3
  found = _test(x, y, values)
  assert found.n == len(y) - 20
  assert found.auc > 0.8


def test_several_values() -> None:
  rng, x, y = _data(150)
  values = rng.integers(3, size=len(y))
  x[:, 3] += 3 * (values == 2)
  found = _test(x, y, values)
  assert found.p_value == 1 / 20


@pytest.mark.slow
def test_columns_that_mean_nothing_are_read_as_often_as_they_may() -> None:
  _, x, y = _data(80, 4, seed=5)
  rng = np.random.default_rng(6)
  small = 0
  for _ in range(200):
    found = _test(x, y, rng.integers(2, size=len(y)))
    small += found.p_value is not None and found.p_value <= 0.05
  # 5 % are meant to; more than 19 of 200 have a chance of 0.3 %.
  assert small <= 19

"""Heads of redrawn labels against scikit-learn, and against heads alone."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from heterojax.heads import labellings
from heterojax.heads import logistic

pytestmark = pytest.mark.usefixtures('one_core')
_P, _W = 60, 30


def _worlds(width: int, steep: float) -> tuple[np.ndarray, np.ndarray]:
  """Features, far from 0 and one of them constant, and labels of one rule."""
  rng = np.random.default_rng(0)
  x = rng.standard_normal((_P, width)) * np.arange(1, width + 1) ** -0.5 + 3.0
  x[:, 1] = 7.0
  score = steep * (x - x.mean(axis=0)) @ rng.standard_normal(width)
  chance = rng.random((_W, _P))
  return x, (chance < 1 / (1 + np.exp(-score))).astype(int)


# Fewer features than rows; more, whose rows span fewer dimensions; both again
# where classes are separated and the penalty is weak.
@pytest.mark.parametrize(
  ('width', 'steep', 'c'),
  [(5, 1.0, 1.0), (200, 1.0, 0.01), (5, 20.0, 1e3), (90, 5.0, 1e4)],
)
def test_heads_are_those_of_scikit_learn(
  width: int, steep: float, c: float
) -> None:
  x, y = _worlds(width, steep)
  rows = np.flatnonzero(np.arange(_P) % 3)
  found = labellings.fit(x, y, rows, c)
  assert found.converged.all()
  logits = logistic.logits(found, x)
  for labels, own in zip(y[:6], logits, strict=False):
    head = LogisticRegression(C=c, tol=1e-12, solver='newton-cholesky')
    head.fit(x[rows], labels[rows])
    peer = head.decision_function(x)
    np.testing.assert_allclose(own, peer, atol=1e-6 * np.abs(peer).max())


def test_heads_are_those_of_newtons_method() -> None:
  x, y = _worlds(90, 1.0)
  rows = np.arange(_P)
  found = labellings.fit(x, y, rows, 0.1)
  alone = logistic.fit(x, y, [rows] * _W, 0.1)
  np.testing.assert_allclose(found.coef, alone.coef, atol=1e-8)
  np.testing.assert_allclose(found.intercept, alone.intercept, atol=1e-7)


def test_the_gradient_vanishes() -> None:
  x, y = _worlds(5, 1.0)
  rows = np.arange(0, _P, 2)
  found = labellings.fit(x, y, rows, 0.5)
  p = 1 / (1 + np.exp(-logistic.logits(found, x[rows])))
  error = y[:, rows] - p
  assert np.abs(error.sum(axis=1)).max() < 1e-8
  np.testing.assert_allclose(0.5 * error @ x[rows], found.coef, atol=1e-8)


def test_labels_of_one_class_are_answered() -> None:
  x, y = _worlds(5, 1.0)
  y[2] = 1
  rows = np.arange(0, _P, 2)
  found = labellings.fit(x, y, rows, 1.0)
  alone = logistic.fit(x, y, [rows] * _W, 1.0)
  assert not found.coef[2].any()
  np.testing.assert_allclose(found.intercept[2], np.log(30.5 / 0.5))
  np.testing.assert_allclose(found.intercept, alone.intercept, atol=1e-7)


def test_what_does_not_converge_is_left_to_newtons_method(monkeypatch) -> None:
  x, y = _worlds(5, 1.0)
  rows = np.arange(_P)
  # pylint: disable=protected-access
  solved = labellings._solved

  def lost(*args):
    coef, intercept, converged, factors = solved(*args)
    converged[3:7] = False
    coef[3:7] = np.nan
    return coef, intercept, converged, factors

  monkeypatch.setattr(labellings, '_solved', lost)
  found = labellings.fit(x, y, rows, 1.0)
  assert found.converged.all()
  alone = logistic.fit(x, y[3:7], [rows] * 4, 1.0)
  np.testing.assert_array_equal(found.coef[3:7], alone.coef)


@pytest.mark.parametrize('number', [26, 101])
def test_batches_make_no_difference(number: int) -> None:
  """Nor does padding: the last of two batches has one labelling of its own."""
  x, y = _worlds(5, 1.0)
  rows, every = np.arange(_P), np.arange(number) % len(y)
  every[-1] = 25
  whole = labellings.fit(x, y[every], rows, 1.0)
  other = labellings.fit(x, y[25:26].repeat(9, axis=0), rows, 1.0)
  np.testing.assert_allclose(other.coef[3], whole.coef[-1], rtol=1e-8)


def test_programs_are_few() -> None:
  # pylint: disable=protected-access
  lengths = [labellings._length(rows) for rows in range(1, 2049)]
  assert all(a >= rows for rows, a in enumerate(lengths, 1))
  assert len(set(lengths)) < 25
  assert max(a / rows for rows, a in enumerate(lengths, 1) if rows > 256) < 1.25

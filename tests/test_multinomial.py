"""Logistic regressions of several classes beside scikit-learn's."""

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from heterojax.heads import logistic
from heterojax.heads import multinomial
from heterojax.heads import optimum
from heterojax.heads import penalty

_CLASSES = 3
pytestmark = pytest.mark.usefixtures('one_core')


def _data(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
  numbers = np.random.default_rng(seed)
  x = numbers.normal(size=(n, d)) + 5
  logits = (x - 5) @ numbers.normal(size=(d, _CLASSES))
  return x, np.argmax(logits + 2 * numbers.gumbel(size=logits.shape), axis=1)


def _gradient(x, y, rows, coef, intercept, c: float) -> float:
  """Largest derivative of scikit-learn's objective, by every coefficient."""
  p = special.softmax(x[rows] @ coef.T + intercept, axis=1)
  residual = c * (p - np.eye(len(intercept))[y[rows]])
  own = np.abs(residual.T @ x[rows] + coef).max()
  return max(own, np.abs(residual.sum(axis=0)).max())


@pytest.mark.parametrize(
  ('n', 'd'), [(60, 4), pytest.param(40, 120, marks=pytest.mark.slow)]
)
def test_heads_are_at_the_optimum(n: int, d: int) -> None:
  x, y = _data(n, d)
  # As many rows, for which there is one program.
  rows = [np.arange(n), np.r_[np.arange(0, n, 2), np.zeros(n // 2, int)]]
  for c in (0.01, 1.0):
    heads = multinomial.fit(x, y, rows, _CLASSES, c)
    assert heads.converged.all()
    for h, own in enumerate(rows):
      coef, intercept = heads.coef[h], heads.intercept[h]
      assert _gradient(x, y, own, coef, intercept, c) < 1e-9
      np.testing.assert_allclose(intercept.sum(), 0, atol=1e-10)
      np.testing.assert_allclose(coef.sum(axis=0), 0, atol=1e-10)


def test_probabilities_are_those_of_scikit_learn() -> None:
  x, y = _data(60, 4)
  heads = multinomial.fit(x, y, [np.arange(60)], _CLASSES, 0.5)
  theirs = LogisticRegression(C=0.5, tol=1e-12, solver='newton-cg').fit(x, y)
  ours = special.softmax(multinomial.logits(heads, x)[0], axis=1)
  np.testing.assert_allclose(ours, theirs.predict_proba(x), atol=1e-9)
  np.testing.assert_allclose(heads.coef[0], theirs.coef_, atol=1e-8)


@pytest.mark.slow
def test_of_two_classes_it_is_the_binary_head() -> None:
  """With half of C: two classes share what one has in the penalty."""
  x, y = _data(60, 4)
  y = (y > 0).astype(int)
  rows = [np.arange(60), np.arange(30)]
  two = logistic.logits(logistic.fit(x, y, rows, 1.0), x)
  several = multinomial.logits(multinomial.fit(x, y, rows, 2, 0.5), x)
  np.testing.assert_allclose(several[..., 1] - several[..., 0], two, atol=1e-9)


@pytest.mark.slow
def test_a_class_without_rows_has_half_a_row() -> None:
  x, y = _data(60, 4)
  own = np.flatnonzero(y > 0)
  (found,) = multinomial.logits(
    multinomial.fit(x, y, [own], _CLASSES, 0.1), x[own]
  )
  # The others are as if there were no such class.
  (two,) = multinomial.logits(
    multinomial.fit(x[own], y[own] - 1, [np.arange(len(own))], 2, 0.1), x[own]
  )
  np.testing.assert_allclose(found[:, 1:], two, atol=1e-8)
  counts = np.bincount(y[own], minlength=3)[1:]
  expected = np.log(0.5) - np.log(counts + 0.5).mean()
  np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)


@pytest.mark.slow
def test_rows_of_one_class_answer_it_as_of_two_classes() -> None:
  x, y = _data(60, 4)
  own = np.flatnonzero(y == 1)
  (found,) = multinomial.logits(
    multinomial.fit(x, y, [own], _CLASSES, 0.1), x[:2]
  )
  odds = np.log((len(own) + 0.5) / 0.5)
  np.testing.assert_allclose(found, [[-odds, 0, -odds]] * 2, atol=1e-12)


@pytest.mark.slow
def test_other_heads_change_no_bit_of_one() -> None:
  x, y = _data(60, 4)
  rows = [np.arange(60), np.arange(20), np.arange(33)]
  every = multinomial.fit(x, y, rows, _CLASSES)
  for h, own in enumerate(rows):
    (alone,) = multinomial.fit(x, y, [own], _CLASSES).coef
    np.testing.assert_array_equal(alone, every.coef[h])


@pytest.mark.slow
def test_inner_products_give_the_same_heads() -> None:
  x, y = _data(30, 80)
  rows, of = [np.arange(25)], logistic.gram(x)
  own = multinomial.fit(of, y, rows, _CLASSES, 0.2)
  by_features = multinomial.fit(x, y, rows, _CLASSES, 0.2)
  np.testing.assert_allclose(
    multinomial.logits(own, of), multinomial.logits(by_features, x), atol=1e-9
  )
  np.testing.assert_allclose(
    logistic.coefficients(own, of).coef, by_features.coef, atol=1e-9
  )


@pytest.mark.slow
def test_one_large_feature_hides_no_other() -> None:
  x, y = _data(40, 60)
  x[:, 0] *= 1e7
  own = np.arange(40)
  heads = multinomial.fit(x, y, [own], _CLASSES)
  scale = np.abs(x).max(axis=0)
  p = special.softmax(multinomial.logits(heads, x)[0], axis=1)
  residual = p - np.eye(_CLASSES)[y]
  gradient = (residual.T @ x + heads.coef[0]) / scale
  assert np.abs(gradient).max() < 1e-6
  assert np.mean(p.argmax(axis=1) == y) == 1.0


@pytest.mark.slow
def test_a_path_ends_at_each_optimum_and_its_best_is_chosen() -> None:
  x, y = _data(60, 4)
  folds, cs = np.arange(60) % 3, (0.001, 0.1, 10.0)
  rows = [np.flatnonzero(folds != f) for f in range(3)]
  found = multinomial.path(x, y, rows, _CLASSES, np.array(cs))
  losses = []
  for k, c in enumerate(cs):
    alone = multinomial.fit(x, y, rows, _CLASSES, c)
    np.testing.assert_allclose(found.coef[:, k], alone.coef, atol=1e-7)
    each = special.log_softmax(multinomial.logits(alone, x), axis=-1)
    losses.append(-each[folds, np.arange(60), y].mean())
  choice = penalty.choose_c(x, y, folds, cs, classes=_CLASSES)
  np.testing.assert_allclose(choice.losses, losses, atol=1e-8)
  assert choice.c == cs[int(np.argmin(losses))]


@pytest.mark.slow
@pytest.mark.parametrize('d', [4, 80])
@pytest.mark.parametrize('standardised', [False, True])
def test_the_heads_of_a_fold(d: int, standardised: bool) -> None:
  x, y = _data(60, d)
  train = np.arange(48)
  fold = optimum.Fold([train, train[::2]], train, train % 4)
  found = optimum.fit(
    x, y, fold, 0.3, standardised=standardised, classes=_CLASSES
  )
  outputs = optimum.outputs(found, x)
  mean, scale = x[train].mean(axis=0), x[train].std(axis=0)
  if not standardised:
    mean, scale = 0, np.sqrt(np.mean(x[train].var(axis=0)))
  z = (x - mean) / scale
  for h, own in enumerate(fold.rows):
    theirs = LogisticRegression(C=0.3, tol=1e-10, max_iter=10_000)
    theirs.fit(z[own], y[own])
    np.testing.assert_allclose(
      special.softmax(outputs[h], axis=1),
      theirs.predict_proba(z),
      atol=2e-5,  # What scikit-learn's solver leaves.
    )
  chosen = optimum.fit(x, y, fold, standardised=standardised, classes=_CLASSES)
  assert chosen.c[0] in penalty.VALUES and chosen.converged.all()


@pytest.mark.parametrize(
  ('y', 'rows', 'c', 'message'),
  [
    ([0, 1, 3], [[0]], 1.0, '0 to 2'),
    ([0, 1], [[0]], 1.0, r'\[3\]'),
    ([0, 1, 2], [], 1.0, 'every head'),
    ([0, 1, 2], [[]], 1.0, 'every head'),
    ([0, 1, 2], [[0]], 0.0, 'C must'),
  ],
)
def test_what_no_head_can_be_fitted_on(y, rows, c, message) -> None:
  with pytest.raises(ValueError, match=message):
    multinomial.fit(np.eye(3), np.array(y), rows, _CLASSES, c)

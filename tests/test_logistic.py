"""Logistic heads against scikit-learn, their own gradient and each other."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from heterojax.compute import cores
from heterojax.compute import platform
from heterojax.heads import batches
from heterojax.heads import forms
from heterojax.heads import logistic
from heterojax.heads import penalty
from heterojax.heads.scaler import standardise

pytestmark = pytest.mark.usefixtures('one_core')
_P, _D = 60, 5
# Few rows, rows that occur twice, an only positive one, all rows.
_SIZES = (2, 7, 20, 33, 41, 60)
_CS = (1e-4, 1e-2, 1.0, 1e2, 1e4)


def _data(width: int = _D) -> tuple[np.ndarray, np.ndarray]:
  """Features of which one is constant and one far from 0, and noisy labels."""
  rng = np.random.default_rng(0)
  x = rng.standard_normal((_P, width))
  x[:, 1], x[:, 2] = 3.0, 5.0 + x[:, 2]
  y = x @ rng.standard_normal(width) + rng.standard_normal(_P)
  return x, (y > np.median(y)).astype(int)


def _rows(y: np.ndarray) -> list[np.ndarray]:
  """Rows with both classes."""
  rng = np.random.default_rng(1)
  both = np.argmax(y == 0), np.argmax(y == 1)
  return [np.concatenate([both, rng.integers(0, _P, n - 2)]) for n in _SIZES]


def _heads() -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
  """Every list of rows with every C."""
  x, y = _data()
  rows = [own for own in _rows(y) for _ in _CS]
  return x, y, rows, np.tile(_CS, len(_SIZES))


@pytest.fixture(name='primal', scope='module')
def _primal() -> logistic.Heads:
  return logistic.fit(*_heads())


@pytest.fixture(name='dual', scope='module')
def _dual() -> logistic.Heads:
  x, *others = _heads()
  features = logistic.gram(x)
  fitted = logistic.fit(features, *others)
  assert fitted.coef.shape == (len(others[1]), _P)
  return logistic.coefficients(fitted, features)


@pytest.fixture(name='both', params=['primal', 'dual'])
def _both(request: pytest.FixtureRequest) -> logistic.Heads:
  return request.getfixturevalue(request.param)


def _fit(
  x: logistic.Array | logistic.Gram,
  y: np.ndarray,
  rows: Sequence[np.ndarray],
  c: float | np.ndarray = 1.0,
  **others: np.ndarray,
) -> logistic.Heads:
  """As many heads as the fixtures have, so that no program is compiled."""
  repeated = np.arange(len(_SIZES) * len(_CS)) % len(rows)
  assert len(rows) <= len(repeated)
  cs = np.broadcast_to(c, len(rows))[repeated]
  if y.ndim == 2:
    y = y[repeated]
  every = [rows[h] for h in repeated]
  # The longest list decides on the length of all.
  every[-1] = np.arange(_P)
  found = logistic.fit(x, y, every, cs, **others)
  return logistic.Heads(*(leaf[: len(rows)] for leaf in found))


def _near(got: np.ndarray, want: np.ndarray, relative: float) -> None:
  """The largest difference of a head over its largest coefficient."""
  largest = np.max(np.abs(want), axis=-1)
  assert np.all(np.max(np.abs(got - want), axis=-1) <= relative * largest)


def _sklearn(
  x: np.ndarray, y: np.ndarray, c: float, solver: str = 'newton-cholesky'
) -> LogisticRegression:
  return LogisticRegression(C=c, solver=solver, tol=1e-10, max_iter=1000).fit(
    x, y
  )


def test_heads_are_those_of_scikit_learn(both) -> None:
  assert both.converged.all()
  x, y, rows, cs = _heads()
  for h, (own, c) in enumerate(zip(rows, cs)):
    theirs = _sklearn(x[own], y[own], c)
    _near(both.coef[h], theirs.coef_[0], 1e-6)
    assert both.intercept[h] == pytest.approx(theirs.intercept_[0], rel=1e-6)


def test_heads_are_those_of_its_default_solver(primal) -> None:
  """It stops by the objective, which says little of w where C is large."""
  x, y, rows, cs = _heads()
  for h, (own, c) in enumerate(zip(rows, cs)):
    if c == 1:
      theirs = _sklearn(x[own], y[own], c, 'lbfgs')
      _near(primal.coef[h], theirs.coef_[0], 1e-5)


def test_the_gradient_vanishes(both) -> None:
  x, y, rows, cs = _heads()
  for h, (own, c) in enumerate(zip(rows, cs)):
    sign = 2 * y[own] - 1
    outputs = x[own] @ both.coef[h] + both.intercept[h]
    pulls = c * sign / (1 + np.exp(sign * outputs))
    parts = np.abs(x[own].T) @ np.abs(pulls)
    rest = both.coef[h] - x[own].T @ pulls
    assert np.all(np.abs(rest) <= 1e-9 * parts)
    assert abs(np.sum(pulls)) <= 1e-9 * np.sum(np.abs(pulls))


def test_both_forms_are_the_same(primal, dual) -> None:
  _near(dual.coef, primal.coef, 1e-9)
  np.testing.assert_allclose(dual.intercept, primal.intercept, 1e-9)


def test_one_number_by_hand() -> None:
  """Of x = 1 and -1 the slope w solves w (1 + exp(w)) = 2 C."""
  found = logistic.fit(
    np.array([[1.0], [-1.0]]),
    np.array([1, 0]),
    [np.arange(2), np.array([1, 0, 0, 1])],
    np.array([(1 + np.e) / 2, (1 + np.e) / 4]),
  )
  np.testing.assert_allclose(found.coef, 1, 1e-12)
  np.testing.assert_allclose(found.intercept, 0, atol=1e-12)


def test_every_head_has_its_own_labels() -> None:
  x, y = _data()
  flips = np.random.default_rng(2).random((3, _P)) < 0.3
  labels = np.where(flips, 1 - y, y)
  found = _fit(x, labels, [np.arange(_P)] * 3)
  for own, coef in zip(labels, found.coef):
    _near(coef, _sklearn(x, own, 1.0).coef_[0], 1e-6)


@pytest.mark.parametrize('form', [np.asarray, logistic.gram])
def test_weights_count_rows(form: Callable) -> None:
  x, y = _data()
  counts = np.random.default_rng(3).integers(0, 3, (2, _P))
  listed = [np.repeat(np.arange(_P), own)[:_P] for own in counts]
  counts = np.array([np.bincount(own, minlength=_P) for own in listed])
  weights = np.concatenate([counts, np.ones((28, _P))])
  weighted = _fit(form(x), y, [np.arange(_P)] * 30, sample_weight=weights)
  repeated = _fit(form(x), y, listed)
  if form is np.asarray:
    _near(weighted.coef[:2], repeated.coef, 1e-9)
  np.testing.assert_allclose(weighted.intercept[:2], repeated.intercept, 1e-9)


@pytest.mark.parametrize('form', [np.asarray, logistic.gram])
def test_a_head_of_one_class_answers_it(form: Callable) -> None:
  x, y = _data()
  ones, zeros = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
  found = _fit(form(x), y, [ones[:1], ones[:9], zeros[:9]], 100.0)
  assert found.converged.all() and not found.coef.any()
  log_odds = np.log([1.5 / 0.5, 9.5 / 0.5, 0.5 / 9.5])
  np.testing.assert_allclose(found.intercept, log_odds)
  assert not found.n_iter.any()


@pytest.mark.parametrize('form', [np.asarray, logistic.gram])
def test_classes_that_a_plane_separates(form: Callable) -> None:
  x, _ = _data()
  y = (x[:, 0] > 0).astype(int)
  cs = np.array([1.0, 1e4, 1e8])
  found = _fit(form(x), y, [np.arange(_P)] * 3, cs)
  assert found.converged.all() and np.all(found.n_iter < 20)
  outputs = logistic.logits(found, form(x))
  assert np.all((outputs[1:] > 0) == (y == 1))
  losses = np.sum(np.logaddexp(0, -(2 * y - 1) * outputs), axis=1)
  assert np.all(losses < [np.log(2) * _P, 0.1, 1e-4])


def test_features_without_anything_in_them() -> None:
  _, y = _data()
  found = _fit(np.full((_P, _D), 7.0), y, [np.arange(50)], 1e4)
  share = np.mean(y[:50])
  assert found.converged.all() and not found.coef.any()
  assert found.intercept[0] == pytest.approx(np.log(share / (1 - share)))


def test_more_features_than_rows() -> None:
  """Solved by inner products, of single or double precision alike."""
  x = np.random.default_rng(4).standard_normal((_P, 400)).astype(np.float32)
  y = _data()[1]
  rows = _rows(y)[-2:]
  found = _fit(x, y, rows, 0.01)
  assert found.coef.shape == (2, 400)
  for h, own in enumerate(rows):
    theirs = _sklearn(x[own].astype(float), y[own], 0.01, 'newton-cg')
    _near(found.coef[h], theirs.coef_[0], 1e-6)
  same = _fit(jax.numpy.asarray(x), y, rows, 0.01)
  np.testing.assert_array_equal(same.coef, found.coef)


def test_heads_on_a_few_of_all_rows() -> None:
  """Inner products are of those that any head has."""
  x = np.random.default_rng(4).standard_normal((_P, 400))
  y = _data()[1]
  rows = np.arange(40, 60)
  found = logistic.fit(
    x, y, [rows], np.array([0.01])
  )  # `_fit` adds the others.
  theirs = _sklearn(x[rows], y[rows], 0.01, 'newton-cg')
  _near(found.coef[0], theirs.coef_[0], 1e-6)
  assert found.intercept[0] == pytest.approx(theirs.intercept_[0], rel=1e-6)


def test_coefficients_of_a_path_by_columns(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(logistic, '_COLUMNS', 2)
  x, y = _data()
  rows, cs = _rows(y)[2:4], np.array([0.1, 1.0])
  features = logistic.gram(x)
  found = logistic.path(features, y, rows, cs)
  found = logistic.coefficients(found, features)
  want = logistic.path(x, y, rows, cs)
  np.testing.assert_allclose(found.coef, want.coef, 1e-8, atol=1e-12)
  np.testing.assert_allclose(found.intercept, want.intercept, 1e-8)


def test_logits_of_all_rows() -> None:
  x, y = _data()
  rows, features = _rows(y), logistic.gram(x)
  primal, dual = _fit(x, y, rows), _fit(features, y, rows)
  outputs = logistic.logits(primal, x)
  want = x @ primal.coef.T + primal.intercept
  np.testing.assert_allclose(outputs, want.T, 1e-12)
  np.testing.assert_allclose(
    logistic.logits(dual, features), outputs, 1e-9, atol=1e-9
  )
  np.testing.assert_allclose(
    logistic.logits(logistic.coefficients(dual, features), x),
    outputs,
    1e-9,
    atol=1e-9,
  )


@pytest.mark.parametrize('form', ['primal', 'dual'])
def test_the_order_of_heads_makes_no_difference(
  form: str, request: pytest.FixtureRequest
) -> None:
  x, y, rows, cs = _heads()
  order = np.random.default_rng(5).permutation(len(rows))
  features = x if form == 'primal' else logistic.gram(x)
  found = logistic.fit(features, y, [rows[h] for h in order], cs[order])
  if form == 'dual':
    found = logistic.coefficients(found, features)
  want = request.getfixturevalue(form)
  np.testing.assert_array_equal(found.coef, want.coef[order])
  np.testing.assert_array_equal(found.intercept, want.intercept[order])


@pytest.mark.medium
@pytest.mark.parametrize('heads', [30, 1], ids=['batches', 'alone'])
def test_padding_and_batches_make_no_difference(
  dual, heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
  x, y, rows, cs = _heads()
  monkeypatch.setattr(forms, '_ON_CORES', forms._ON_CORES._replace(heads=4))
  features = logistic.gram(x)
  # Alone a head is padded to 24 rows, and not to 64.
  h = 13
  chosen = slice(None) if heads == 30 else slice(h, h + 1)
  found = logistic.fit(features, y, rows[chosen], cs[chosen])
  found = logistic.coefficients(found, features)
  _near(found.coef, dual.coef[chosen], 1e-10)


def test_few_programs_are_compiled() -> None:
  """Heads of 1 to 60 rows are padded to one length, which all calls have."""
  x, y = _data()
  features = logistic.gram(x)
  _fit(features, y, _rows(y))
  before = cores._program.cache_info().misses
  for first in (1, 20, 31):
    rows = [np.arange(size) for size in range(first, first + 29)]
    _fit(features, y, rows)
  assert cores._program.cache_info().misses == before


def test_lengths_are_few_where_heads_are_cheap() -> None:
  sizes = np.array([3, 140, 141, 130, 600, 1400, 1390])
  lengths = batches._lengths(sizes, 1, None)
  assert np.all(lengths >= sizes)
  assert len(np.unique(lengths)) < 4
  np.testing.assert_array_equal(lengths[-2:], 1408)
  # A thousand times as many: to pad them costs more than to compile.
  many = batches._lengths(np.tile(sizes, 1000), 1, None)
  np.testing.assert_array_equal(many[:7], [8, 144, 144, 144, 608, 1408, 1408])


@pytest.mark.medium
def test_cores_give_the_same_bits(dual, use_cores: Callable) -> None:
  x, *others = _heads()
  use_cores(3)
  features = logistic.gram(x)
  found = logistic.fit(features, *others)
  found = logistic.coefficients(found, features)
  np.testing.assert_array_equal(found.coef, dual.coef)


@pytest.mark.medium
def test_an_accelerator_gives_the_same(dual) -> None:
  x, *others = _heads()
  with platform.use('cuda'):
    features = logistic.gram(x)
    found = logistic.fit(features, *others)
  found = logistic.coefficients(found, features)
  _near(found.coef, dual.coef, 1e-9)


@pytest.mark.medium
def test_a_path_ends_where_heads_end(primal) -> None:
  x, y, rows, _ = _heads()
  found = logistic.path(x, y, rows[:: len(_CS)], np.array(_CS))
  _near(found.coef.reshape(-1, _D), primal.coef, 1e-9)
  assert found.n_iter.min() >= 1
  assert found.converged.all()
  outputs = logistic.logits(found, x)
  assert outputs.shape == (len(_SIZES), len(_CS), _P)


def test_where_a_path_goes_on() -> None:
  """What follows from three points of a parabola, two of a line, or one."""
  cs = np.array([1.0, 2.0, 5.0, 9.0, 900.0])
  shares = batches._shares(cs)
  for degree, k in ((0, 1), (1, 2), (2, 3), (0, 4)):
    values = np.log(cs[max(k - 3, 0) : k][::-1]) ** degree
    values = np.pad(values, (0, 3 - len(values)))
    want = np.log(cs[k]) ** degree if degree else 1.0
    assert shares[k] @ values == pytest.approx(want)
  np.testing.assert_array_equal(shares[0], (1, 0, 0))


def _folds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  x, y = _data()
  return x, y, np.arange(_P) // 3 % 4


@pytest.mark.medium
def test_c_is_chosen_as_a_loop_of_scikit_learn_does() -> None:
  x, y, folds = _folds()
  rows, cs = np.arange(50), np.array([1e-3, 0.1, 10.0])
  found = penalty.choose_c(x, y, folds[rows], cs, rows=rows)
  losses = np.zeros((50, 3))
  for k, c in enumerate(cs):
    for fold in range(4):
      held = rows[folds[rows] == fold]
      kept = rows[folds[rows] != fold]
      chances = _sklearn(x[kept], y[kept], c).predict_proba(x[held])
      losses[held, k] = -np.log(chances[np.arange(len(held)), y[held]])
  np.testing.assert_allclose(found.losses, losses.mean(axis=0), 1e-7)
  assert found.c == cs[np.argmin(losses.mean(axis=0))]
  assert found.converged
  # Neither the order of the rows nor what a fold is called makes a difference.
  order = np.random.default_rng(6).permutation(50)
  names = np.array(['d', 'a', 'c', 'b'])[folds[order]]
  same = penalty.choose_c(x, y, names, cs, rows=order)
  np.testing.assert_allclose(same.losses, found.losses, 1e-12)
  assert same.c == found.c


def test_of_values_that_do_alike_the_strongest_penalty_is_chosen() -> None:
  x, _, folds = _folds()
  rows, cs = np.arange(50), np.array([1e-3, 0.1, 10.0])
  y = np.ones(_P, int)
  assert penalty.choose_c(x, y, folds[rows], cs, rows=rows).c == 1e-3


def test_folds_must_fit() -> None:
  x, y, folds = _folds()
  for wrong in (folds[:5], np.zeros(_P)):
    with pytest.raises(ValueError, match='two or more'):
      penalty.choose_c(x, y, wrong)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_features_are_standardised_as_scikit_learn_does(dtype: type) -> None:
  x = _data(9)[0].astype(dtype)
  x[:, 3] *= 1e-9
  x[:, 4] = 1e9 + 1e-6 * x[:, 4]
  x[:, 5] = 0.1
  x[7, 1] = 99.0  # Which no row of ours has.
  rows = np.arange(10, 50)
  found = standardise(x, rows)
  theirs = StandardScaler().fit(x[rows].astype(float))
  np.testing.assert_allclose(found.mean, theirs.mean_, 1e-12)
  np.testing.assert_allclose(found.scale, theirs.scale_, 1e-12)
  assert found.scale[1] == found.scale[5] == 1
  with pytest.raises(ValueError, match='no rows'):
    standardise(x, rows[:0])


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'rows': []}, 'no heads'),
    ({'rows': [np.array([], int)]}, 'head 0 must have rows'),
    ({'rows': [np.arange(2), np.array([3, _P])]}, 'head 1 must .* 0 to 59'),
    ({'rows': [np.array([-1, 3])]}, 'head 0 must have rows'),
    ({'rows': [np.ones(_P, bool)]}, 'head 0 must have rows'),
    ({'y': np.append(np.zeros(_P - 1), 2)}, '0 or 1'),
    ({'y': np.zeros(3)}, r'y must be \[60\] or \[1, 60\]'),
    ({'c': 0.0}, 'positive'),
    ({'c': np.nan}, 'finite'),
    ({'x': np.append(np.ones(2 * _P - 1), np.inf).reshape(_P, 2)}, 'finite'),
    ({'x': np.zeros(_P)}, r'\[P, D\]'),
    ({'sample_weight': np.append(np.ones(_P - 1), -1.0)}, 'negative'),
    ({'sample_weight': np.ones((2, _P))}, 'sample_weight must be'),
  ],
)
def test_what_cannot_be_is_told(change: dict, message: str) -> None:
  x, y = _data()
  call = {'x': x, 'y': y, 'rows': [np.arange(_P)], 'c': 1.0} | change
  with pytest.raises(ValueError, match=message):
    logistic.fit(**call)


def test_values_of_a_path_rise() -> None:
  x, y = _data()
  for wrong in ([], [1.0, 1.0], [2.0, 1.0], [1.0, 3.0, 2.0], [[1.0]]):
    with pytest.raises(ValueError, match='rise'):
      logistic.path(x, y, [np.arange(_P)], np.array(wrong))


def test_a_gram_matrix_must_be_of_numbers() -> None:
  with pytest.raises(ValueError, match='finite'):
    logistic.gram(np.full((3, 2), np.nan))
  with pytest.raises(ValueError, match=r'\[P, D\]'):
    logistic.gram(np.zeros(3))

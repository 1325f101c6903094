"""One rule for all, part by part, beside plain loops over a few images."""

import itertools

import jax
import numpy as np
import pytest

from heterojax import rng
from heterojax.heads import labellings
from heterojax.heads import logistic
from heterojax.heads import multinomial
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import gains
from heterojax.verdict import one_rule
from heterojax.verdict import ranks
from heterojax.verdict import rule as rules
from heterojax.verdict.folds import Fold

pytestmark = pytest.mark.usefixtures('one_core')
_N, _K = 40, 3


def _folds(classes: int = 2) -> list[Fold]:
  """Two, of other lengths. All of cluster 2 is tested in the first."""
  x = np.random.default_rng(0).standard_normal((_N, 3))
  labels = np.arange(_N) % 2
  at = np.where(np.arange(_N) % 5 < 2, 0, 1)
  labels[5:17][at[5:17] == 0] = 2
  at[:2] = -1
  return [
    Fold(
      *(x, 0.5, np.flatnonzero(at != t), np.flatnonzero(at == t)),
      *(labels, classes),
    )
    for t in range(2)
  ]


def _head(fold: Fold, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
  """`[N]`, or `[N, C]`: least squares, which like any head do for a loop."""
  codes = np.arange(fold.classes) if fold.classes > 2 else 1
  design = np.c_[np.ones(_N), fold.x]
  target = 2.0 * (y[:, None] == codes) - 1
  squared = design[rows].T @ design[rows] + np.eye(design.shape[1])
  found = design @ np.linalg.solve(squared, design[rows].T @ target[rows])
  return found if fold.classes > 2 else found[:, 0]


def _fitted(fold: Fold, y: np.ndarray, rows) -> np.ndarray:
  return np.array([
    [_head(fold, of, own) for own in lists] for of, lists in zip(y, rows)
  ])


def _relabelled(fold: Fold, y: np.ndarray, rows) -> np.ndarray:
  return _fitted(fold, y, [rows] * len(y))


def _answers(logits: np.ndarray) -> np.ndarray:
  return logits > 0 if logits.ndim == 1 else logits.argmax(axis=1)


@pytest.mark.parametrize('classes', [2, 3])
def test_what_is_refitted_is_what_a_loop_finds(monkeypatch, classes) -> None:
  monkeypatch.setattr(folds_lib, 'fitted', _fitted)
  monkeypatch.setattr(folds_lib, 'relabelled', _relabelled)
  folds, key = _folds(classes), jax.random.key(0)
  y = np.random.default_rng(1).integers(classes, size=(3, _N))
  found = one_rule._refitted(folds, y, _K, key, 7)
  overall, own, gained = [], [], np.zeros((3, _K, _N))
  right, excess = np.full((3, 2, _K), np.nan), np.zeros((3, _K))
  for (t, fold), (w, of) in itertools.product(enumerate(folds), enumerate(y)):
    every = _head(fold, of, fold.train)
    stream = rng.from_key(key, t, 7 + w)
    sets = one_rule._random(fold, of, _K, stream)
    mine = np.zeros_like(every)
    hits = _answers(every) == of
    for c, rows in enumerate(folds_lib.inside(fold, _K)):
      assert np.bincount(of[rows]).tolist() == np.bincount(of[sets[c]]).tolist()
      head = _head(fold, of, rows)
      mine[fold.labels == c] = head[fold.labels == c]
      other = _answers(_head(fold, of, sets[c])) == of
      gained[w, c, fold.test] = (1 * other - (_answers(head) == of))[fold.test]
      at = [i for i in fold.test if fold.labels[i] == c]
      if at:
        right[w, t, c] = np.mean(hits[at])
      for i in at:
        alike = [j for j in fold.test if of[j] == of[i]]
        excess[w, c] += np.mean(hits[alike]) - hits[i]
    overall.append(every)
    own.append(mine)
  gained[:, 2] = np.nan  # One fold has no image to train its head.
  assert len(folds[0].test) + len(folds[1].test) == _N - 2
  size = [np.sum(folds[0].labels[2:] == c) for c in range(_K)]
  shape = 2, 3, *overall[0].shape
  logits = np.reshape(overall, shape), np.reshape(own, shape)
  np.testing.assert_allclose(
    found.gain, gains.blended(*logits, y, folds, _K), atol=1e-12
  )
  np.testing.assert_allclose(found.right, right, atol=1e-12)
  np.testing.assert_allclose(found.excess, excess / size, atol=1e-12)
  np.testing.assert_allclose(
    found.shortfall, gained.sum(axis=2) / (_N - 2), atol=1e-12
  )
  np.testing.assert_array_equal(found.reach, gained.sum(axis=0))
  alone = one_rule._refitted(folds, y, _K, None, 7)
  assert np.isnan(alone.shortfall).all()
  np.testing.assert_array_equal(alone.gain, found.gain)
  first = one_rule._refitted(folds[:1], y, _K, None, 7)
  np.testing.assert_array_equal(first.right, found.right[:, :1])


def test_wrong_answers_are_expected_by_class() -> None:
  """Two of three are wrong of class 0, and the one of class 1."""
  fold = _folds()[0]._replace(test=np.arange(4), labels=np.array([0, 0, 1, 0]))
  correct = np.array([[[True, False, False, False]]])
  with np.errstate(all='raise'):
    found = one_rule._excess(correct, np.array([[0, 0, 0, 1]]), [fold], 3)
  np.testing.assert_allclose(found, [[-1 / 9, 1 / 3, np.nan]])


def test_random_sets_trade_places_within_a_class() -> None:
  """Images keep a place by chance alone: of each pair every order occurs."""
  fold = _folds()[0]._replace(
    train=np.array([3, 8, 9, 20, 21]), labels=np.arange(_N) % 2
  )
  y = np.zeros(_N, int)
  y[[3, 20]] = 1
  seen = {
    tuple(map(tuple, one_rule._random(fold, y, 2, np.random.default_rng(i))))
    for i in range(60)
  }
  # Of 8, 9 and 21 one is even, of 3 and 20 too.
  want = set()
  for even, of_pair in itertools.product((8, 9, 21), (3, 20)):
    first = tuple(sorted((even, of_pair)))
    want.add((first, tuple(sorted({3, 8, 9, 20, 21} - {*first}))))
  assert seen == want


def _worlds(gain: np.ndarray, start: int = 0) -> one_rule.Worlds:
  w = len(gain)
  number = np.arange(start, start + w)
  return one_rule.Worlds(
    *(gain, gain + 1, np.tile(gain[:, None], (1, 2, 1)), gain - 1),
    reach=np.full((_K, _N), float(number.sum())),
  )


def _rule(expected: float = 0.7) -> rules.Rule:
  p = np.random.default_rng(0).random(_N)
  return rules.Rule(p, np.arange(_N), 1.0, 0.7, expected)


@pytest.mark.parametrize('sets', [True, False])
@pytest.mark.parametrize(
  ('above', 'draws', 'made'),
  # The worlds that are not below the data: of two p is sure to be above 0.05,
  # and of 38 worlds one is enough.
  [
    *(((), 39, 39), ((8,), 39, 39), ((1, 10), 39, 10), ((3, 11), 39, 20)),
    *(((3, 39), 39, 39), ((), 38, 38), ((12,), 38, 20)),
  ],
)
def test_worlds_are_made_until_p_is_clear(
  monkeypatch, sets: bool, above: tuple[int, ...], draws: int, made: int
) -> None:
  folds, key = _folds(), jax.random.key(3)
  y = np.arange(_N) // 2 % 2
  gain = np.random.default_rng(2).uniform(-0.1, 0.1, (40, _K))
  gain[0] = 0.2, 0.3, np.nan
  gain[5, 0] = np.nan
  gain[list(above)] = np.nan_to_num(gain[0]) - 2e-10  # As good as the same.
  starts = []

  def match(*given) -> rules.Rule:
    assert given[-1] == jax.random.fold_in(key, 0)
    return _rule()

  def refitted(_, labels, k, of_sets, start) -> one_rule.Worlds:
    assert k == _K and (of_sets is not None) == sets
    assert not sets or of_sets == jax.random.fold_in(key, 2)
    want = y[None]
    if start:
      of_labels = jax.random.fold_in(key, 1)
      want = rules.draw(_rule(), of_labels, start - 1, len(labels))
    np.testing.assert_array_equal(labels, want)
    starts.append(start)
    return _worlds(gain[start : start + len(labels)], start)

  monkeypatch.setattr(one_rule, '_CHUNK', 10)
  monkeypatch.setattr(rules, 'match', match)
  monkeypatch.setattr(one_rule, '_refitted', refitted)
  found = one_rule.test(folds, y, np.arange(_N), _K, key, draws, sets=sets)
  assert starts == [0, *range(1, made + 1, 10)]
  rows = np.nan_to_num(gain[: made + 1])
  size = np.array([sum(folds[0].labels[2:] == c) for c in range(_K)])
  total = rows @ size / (_N - 2)
  test = found.test
  assert test.statistic == pytest.approx(total[0], abs=1e-12)
  np.testing.assert_allclose(test.null, total[1:], atol=1e-12)
  assert test.p_value == (1 + sum(a <= made for a in above)) / (1 + made)
  z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
  z[:, 2] = np.nan
  np.testing.assert_array_equal(test.adjusted, ranks.step_down(z))
  np.testing.assert_allclose(test.effect, gain[0] - rows[1:].mean(axis=0))
  # As far as other labels, and other images for the heads as they are.
  low, high = np.percentile(rows[1:], [2.5, 97.5], axis=0)
  mean = rows[1:].mean(axis=0)
  images = one_rule._reach(folds, y, _K, np.arange(_N))
  np.testing.assert_allclose(
    test.effect - test.interval[:, 0], np.sqrt(images**2 + (high - mean) ** 2)
  )
  np.testing.assert_allclose(
    test.interval[:, 1] - test.effect, np.sqrt(images**2 + (mean - low) ** 2)
  )
  assert (test.unit, test.stays, test.why) == ('image', 0, '')
  worlds, want = found.worlds, _worlds(gain[: made + 1])
  assert worlds is not None
  for name in ('gain', 'excess', 'right', 'shortfall'):
    np.testing.assert_array_equal(getattr(worlds, name), getattr(want, name))
  np.testing.assert_allclose(worlds.reach, (1 + made) / 2)
  np.testing.assert_array_equal(found.gain, gain[0])


@pytest.mark.parametrize(
  ('classes', 'alone', 'expected', 'why'),
  [
    (2, True, 0.7, 'all images are of one class'),
    (2, False, 0.7, 'no cluster has 3 test images of each class,'),
    (3, False, 0.7, 'has 3 test images of a class and of the others,'),
    (
      2,
      False,
      0.721,
      'right for 70.0% of the images out of fold, and for 72.1%',
    ),
  ],
)
@pytest.mark.parametrize('unit', ['image', 'patient'])
def test_without_worlds_it_says_why(
  monkeypatch, classes, alone, expected, why, unit
) -> None:
  """Images 0 and 1 have another class and one patient, but are not tested."""
  gain = np.full((1, _K), 0.1 if expected > 0.7 else np.nan)
  monkeypatch.setattr(one_rule, '_refitted', lambda *_: _worlds(gain))
  monkeypatch.setattr(rules, 'match', lambda *_: _rule(expected))
  y = np.arange(_N) // 2 % 2 * (not alone)
  y[:2] = 1
  units = np.maximum(np.arange(_N), 1)
  units[36] -= unit == 'patient'
  found = one_rule.test(_folds(classes)[:1], y, units, _K, jax.random.key(0), 9)
  assert why in found.test.why and found.test.unit == unit
  assert found.test.p_value is found.worlds is None
  assert np.isnan(found.test.statistic) and not len(found.test.null)
  assert found.test.interval.shape == (_K, 2) and found.test.stays == 0
  for none in (found.test.adjusted, found.test.effect, found.test.interval):
    assert np.isnan(none).all() and len(none) == _K
  np.testing.assert_array_equal(found.gain, gain[0])
  assert (found.rule is None) == (expected == 0.7)


@pytest.mark.parametrize('classes', [2, 3])
def test_images_that_one_fold_does_not_test_have_no_logits(
  monkeypatch, classes
) -> None:
  (fold,) = _folds(classes)[:1]
  y = np.arange(_N) % classes
  want = np.full(_head(fold, y, fold.train).shape, np.nan)
  want[fold.test] = _head(fold, y, fold.train)[fold.test]
  monkeypatch.setattr(folds_lib, 'relabelled', _relabelled)
  found = folds_lib.out_of_fold([fold], y[None])
  np.testing.assert_array_equal(found, want[None])
  if classes > 2:
    monkeypatch.setattr(multinomial, 'fit', lambda x, y, *_: (x, y))
    monkeypatch.setattr(
      multinomial, 'logits', lambda *_: _head(fold, y, fold.train)[None]
    )
    found = folds_lib.softmax_out_of_fold([fold], y)
    np.testing.assert_array_equal(found, want)


def test_heads_without_an_image_give_nothing(monkeypatch) -> None:
  monkeypatch.setattr(labellings, 'are_many', lambda _: True)
  found = folds_lib.relabelled(_folds()[0], np.ones((2, _N), int), [[]])
  assert found.shape == (2, 1, _N) and not found.any()


def test_heads_are_fitted_labelling_by_labelling(monkeypatch) -> None:
  """Where one fills what may be held at once."""
  made = []

  def fit(x, y, rows, c):
    made.append(len(y))
    return [_head(folds[0], *of) for of in zip(y, rows)]

  folds = _folds()
  monkeypatch.setattr(folds_lib, '_MOST', 2 * _N)
  monkeypatch.setattr(logistic, 'fit', fit)
  monkeypatch.setattr(logistic, 'logits', lambda heads, _: np.array(heads))
  y = np.random.default_rng(0).integers(2, size=(3, _N))
  for width, chunks in ((2, [2, 2, 2]), (3, [3, 3, 3]), (1, [2, 1])):
    rows = [[folds[0].train[w + h :] for h in range(width)] for w in range(3)]
    found = folds_lib.fitted(folds[0], y, rows)
    np.testing.assert_array_equal(found, _fitted(folds[0], y, rows))
    assert made == chunks
    made.clear()


def test_heads_that_are_fitted_are_counted() -> None:
  """Of the data and 9 worlds those of all images, of clusters and of sets."""
  assert one_rule.heads(3, 9) == 10 * (1 + 3 + 3)

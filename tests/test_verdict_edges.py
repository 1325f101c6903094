"""Data that are not as one expects, and what draws must have in common."""

import jax
import numpy as np
import pytest

from heterojax.records.codec import Missing
from heterojax.studies.answer import measure
from heterojax.verdict import detectable
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import one_rule
from heterojax.verdict import rule as rules
from heterojax.verdict import subsets
from heterojax.verdict import teaches_less
from heterojax.verdict import uneven
from heterojax.verdict.folds import Fold

_K = 3
_DRAWS = measure.Draws(worlds=19, partitions=9, exchanges=99)


def _data(n: int = 60, seed: int = 1):
  stream = np.random.default_rng(seed)
  x = stream.standard_normal((n, 4))
  y = (x[:, 0] + 0.5 * stream.standard_normal(n) > 0).astype(int)
  return x, y, stream.integers(_K, size=n)


def _split(n: int, labels: np.ndarray, train, test) -> measure.Split:
  wrong = (np.random.default_rng(0).random(n) < 0.3).astype(float)
  return measure.Split(np.asarray(train), np.asarray(test), labels, wrong)


def _once(n: int, labels: np.ndarray) -> list[measure.Split]:
  return [_split(n, labels, np.arange(n)[: n // 2], np.arange(n)[n // 2 :])]


def _asked(splits, x, y):
  return measure.classification(
    splits,
    [x] * len(splits),
    y,
    np.arange(len(y)),
    _K,
    jax.random.key(0),
    _DRAWS,
    standardised=False,
  ).measured


def _crossed(y, labels, units=None, x=None):
  n = len(y)
  x = np.zeros((n, 1)) if x is None else x
  fold = Fold(x, 0.05, np.arange(n), np.arange(n), labels)
  units = np.arange(n) if units is None else units
  return folds_lib.crossed(fold, y, units, jax.random.key(7))


@pytest.mark.parametrize('units', [None, np.arange(60) // 2])
def test_random_sets_are_the_same_in_all_folds(units):
  _, y, labels = _data()
  folds = _crossed(y, labels, units)
  drawn = subsets.like_clusters(folds, y, jax.random.key(0), 20, units)
  whole = np.full((20, len(y)), -1)
  for fold, sets in zip(folds, drawn, strict=True):
    known = whole[:, fold.train]
    assert np.all((known == -1) | (known == sets))
    whole[:, fold.train] = sets
    for row in sets if units is None else ():
      np.testing.assert_array_equal(
        np.bincount(row * 2 + y[fold.train], minlength=2 * _K),
        np.bincount(labels[fold.train] * 2 + y[fold.train], minlength=2 * _K),
      )
  for row in whole:
    np.testing.assert_array_equal(
      np.bincount(row * 2 + y), np.bincount(labels * 2 + y)
    )
  exchange = subsets.exchange(folds, y, units)
  assert exchange.unit == ('image' if units is None else 'patient')


def _right(x, y, fold, sets):
  """`[B, K]` images that differences of class means are right for."""
  member = np.eye(_K)[sets]
  means = []
  for label in (0, 1):
    own = member * (y[fold.train] == label)[:, np.newaxis]
    number = np.maximum(own.sum(axis=1), 1)[..., np.newaxis]
    means.append(np.einsum('bnk,nd->bkd', own, x[fold.train]) / number)
  w = means[1] - means[0]
  middle = np.sum(w * (means[0] + means[1]), axis=-1)[..., np.newaxis] / 2
  return np.sum((w @ x[fold.test].T > middle) == y[fold.test], axis=-1)


@pytest.mark.slow
def test_clusters_that_mean_nothing_teach_as_much_over_several_folds():
  sets, p = 800, []
  for i in range(sets):
    stream = np.random.default_rng(i)
    x = stream.standard_normal((120, 8))
    y = (stream.random(120) < 1 / (1 + np.exp(-2.5 * x[:, 0]))).astype(int)
    folds = _crossed(y, stream.integers(_K, size=120))
    drawn = subsets.like_clusters(folds, y, jax.random.key(i), 39)
    rows = sum(
      _right(x, y, fold, np.vstack([fold.labels[fold.train], of_fold]))
      for fold, of_fold in zip(folds, drawn, strict=True)
    )
    p.append(teaches_less.test(rows[0] / 120, rows[1:] / 120).p_value)
  assert np.mean(np.array(p) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / sets)


@pytest.mark.slow
def test_a_set_that_is_empty_in_some_draws_answers_one_class():
  x, y, labels = _data()
  folds = _crossed(y, labels, x=x)
  drawn = subsets.like_clusters(folds, y, jax.random.key(0), 3)
  drawn[0][1] = np.where(drawn[0][1] == 2, 1, drawn[0][1])
  found = subsets.right(folds, y, _K, drawn)
  assert not np.isnan(found).any()
  for sets in drawn:
    sets[sets == 2] = 1
  found = subsets.right(folds, y, _K, drawn)
  assert np.isnan(found[:, 2]).all() and not np.isnan(found[:, :2]).any()


def test_features_that_are_all_the_same():
  _, y, labels = _data()
  x = np.ones((60, 4))
  for standardised in (False, True):
    (fold,) = measure._folds(
      _once(60, labels), [x], y, np.arange(60), jax.random.key(0), standardised
    )
    assert np.isfinite(fold.c) and fold.c > 0
  found = _asked(_once(60, labels), x, y)
  assert 'one patient' in found.one_rule.p_value.why


@pytest.mark.slow
def test_a_picture_that_is_there_twice_is_one_unit():
  x, _, labels = _data()
  units = np.arange(60)
  known = np.ones(60, bool)
  np.testing.assert_array_equal(measure._with_copies(units, x, known), units)
  x[3] = x[10]  # Of patients 3 and 5, who are one then.
  units[10] = 5
  found = measure._with_copies(units, x, known)
  assert found[3] == found[10] == found[5]
  assert len(set(found.tolist())) == 58
  known[3] = False
  found = measure._with_copies(units, x, known)
  assert found[3] != found[10] == found[5]
  half, y, labels = _data(30)
  twice = np.repeat(half, 2, axis=0)
  found = _asked(_once(60, np.repeat(labels, 2)), twice, np.repeat(y, 2))
  assert found.one_rule.unit == found.teaches_less.unit == 'patient'


def test_few_patients_have_as_many_worlds_to_match_as_few_images(monkeypatch):
  stream = np.random.default_rng(0)
  units = np.repeat(np.arange(20), 20)
  logits = stream.standard_normal(20)[units]
  number = []

  def out_of_fold(_, y):
    number.append(len(y))
    return np.broadcast_to(logits, y.shape)

  monkeypatch.setattr(folds_lib, 'out_of_fold', out_of_fold)
  monkeypatch.setattr(rules, 'TOLERANCE', 1.0)  # No second try.
  fold = folds_lib.Fold(logits[:, None], 1.0, *[units] * 3)
  for y in ((logits > 0).astype(int), stream.integers(2, size=400)):
    rules.match([fold], y, units, jax.random.key(0))
  # Of 20 patients with one label each, and of 400 images with their own.
  assert number == [1, 10 * 32, 2 * 32, 1, 10 * 8, 2 * 8]


@pytest.mark.slow
def test_images_that_are_tested_nowhere_are_trained_on_nowhere():
  x, y, labels = _data()
  everything = np.arange(60)
  splits = [
    _split(60, labels, everything[everything % 2 != t], part[part >= 20])
    for t in range(2)
    for part in [everything[everything % 2 == t]]
  ]
  folds = measure._folds(
    splits, [x, x], y, everything, jax.random.key(0), False
  )
  assert all(min(fold.train) >= 20 for fold in folds)


@pytest.mark.slow
def test_nothing_is_detectable_with_too_few_worlds():
  x, y, labels = _data(90)
  folds = _crossed(y, labels, x=x)
  found = one_rule.test(folds, y, np.arange(90), _K, jax.random.key(0), 9)
  assert found.test.p_value is not None
  share, power = detectable.reversed_share(
    folds, found, _K, jax.random.key(1), 5
  )
  assert np.isnan(share).all() and np.isnan(power).all()


def test_a_cluster_that_is_alone_in_its_strata_shows_nothing():
  labels = np.repeat([0, 1, 2], 60)
  strata = (labels == 0).astype(int)
  wrong = np.arange(180) % 5 == 0
  points = detectable.accuracy_points(wrong.astype(int), strata, labels, _K)
  assert np.isnan(points[0]) and points[1] == points[2]
  # The others are as two clusters alone.
  two = detectable.accuracy_points(
    wrong[60:].astype(int), strata[60:], labels[60:] - 1, 2
  )
  np.testing.assert_allclose(points[1:], two)


@pytest.mark.slow
def test_the_detectable_accuracy_holds_for_lopsided_clusters():
  stream = np.random.default_rng(0)
  n, sets, found = 400, 300, 0
  labels = np.arange(n) % 4
  y = (stream.random(n) < np.array([0.95, 0.3, 0.1, 0.1])[labels]).astype(int)
  base = np.full(n, 0.2)
  points = detectable.accuracy_points(
    (stream.random(n) < base).astype(int), y, labels, 4
  )[0]
  for i in range(sets):
    wrong = stream.random(n) < base + points * (labels == 0)
    test = uneven.test(
      wrong.astype(int), y, labels, 4, key=jax.random.key(i), draws=199
    )
    found += test.p_value <= 0.05
  assert abs(found / sets - 0.8) < 0.1


@pytest.mark.slow
def test_sites_that_are_folds_by_themselves_show_nothing():
  """None is beside others where it is tested, nor has a head there."""
  x, y, labels = _data()
  everything = np.arange(60)
  splits = [
    _split(60, labels, everything[labels != c], everything[labels == c])
    for c in range(_K)
  ]
  found = _asked(splits, x, y)
  for question in (found.uneven, found.teaches_less, found.one_rule):
    for of in (question, *question.clusters):
      assert isinstance(of.p_value, Missing)
    for of in question.clusters:
      assert isinstance(of.effect, Missing) and isinstance(of.interval, Missing)

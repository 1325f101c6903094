"""The tests of the answer for more than two classes, beside loops by hand."""

import jax
import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from heterojax.verdict import calibration
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import gains
from heterojax.verdict import one_vs_rest
from heterojax.verdict import rule as rules
from heterojax.verdict import worlds
from heterojax.verdict.folds import Fold

pytestmark = pytest.mark.usefixtures('one_core')
_N, _K = 120, 2


def _data() -> tuple[np.ndarray, np.ndarray, list[Fold]]:
  world = worlds.five_classes(worlds.key(0, 'five_classes', 6), _N, 6)
  x, y = np.asarray(world.x, np.float64), world.y % 3
  labels = (x[:, 0] > 0).astype(int)
  at = np.arange(_N) % 2
  folds = [
    Fold(x, 0.3, np.flatnonzero(at != t), np.flatnonzero(at == t), labels, 3)
    for t in range(2)
  ]
  return x, y, folds


@pytest.mark.medium
def test_heads_are_scikit_learns_one_against_the_rest() -> None:
  x, y, (fold, _) = _data()
  other = np.roll(y, 1)
  rows = [fold.train, fold.train[::3]]
  found = folds_lib.fitted(fold, np.stack([y, other]), [rows, rows])
  assert found.shape == (2, 2, _N, 3)
  for w, labels in enumerate((y, other)):
    for h, own in enumerate(rows):
      for c in range(3):
        head = LogisticRegression(C=0.3, tol=1e-10, max_iter=10_000)
        want = head.fit(x[own], labels[own] == c).decision_function(x)
        np.testing.assert_allclose(found[w, h, :, c], want, atol=1e-6)
  same = folds_lib.relabelled(fold, np.stack([y, other]), rows)
  np.testing.assert_allclose(same, found, atol=1e-7)
  answers = one_vs_rest.answers(found, 3)
  np.testing.assert_array_equal(answers, np.argmax(found, axis=-1))


def test_the_gain_is_the_mean_over_classes_that_have_one() -> None:
  _, y, folds = _data()
  stream = np.random.default_rng(0)
  overall, own = stream.normal(size=(2, 2, 1, _N, 3))
  # Cluster 1 has too few images of class 2.
  y = np.where((folds[0].labels == 1) & (y == 2), 0, y)
  found = gains.blended(overall, own, y[None], folds, _K)[0]
  each = np.array([
    gains.blended(
      overall[..., c], own[..., c], (y == c).astype(int)[None], folds, _K
    )[0]
    for c in range(3)
  ])
  assert np.isnan(each[2, 1]) and not np.isnan(each[:, 0]).any()
  np.testing.assert_allclose(found, [each[:, 0].mean(), each[:2, 1].mean()])


@pytest.mark.medium
def test_a_rule_of_several_classes_draws_what_it_says() -> None:
  _, y, folds = _data()
  rule = rules.match(folds, y, np.arange(_N), jax.random.key(1))
  assert rule.p.shape == (_N, 3)
  np.testing.assert_allclose(rule.p.sum(axis=1), 1)
  shares = np.bincount(y) / _N
  np.testing.assert_allclose(rule.p.mean(axis=0), shares, atol=1e-5)
  drawn = rules.draw(rule, jax.random.key(2), 0, 400)
  for c in range(3):
    # Four standard errors of 400 draws.
    off = np.abs(np.mean(drawn == c, axis=0) - rule.p[:, c])
    assert np.mean(off < 4 * np.sqrt(0.25 / 400)) == 1
  answers = one_vs_rest.answers(
    folds_lib.out_of_fold(folds, y[None])[0], folds[0].classes
  )
  assert rule.observed == np.mean(answers == y)


def test_labels_are_the_ends_of_probabilities() -> None:
  p = np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0], [np.nan] * 3])
  chance = np.array([[0.1, 0.3, 0.9], [0.2, 0.0, 0.0], [0.69, 0.5, 0.5]])
  found = rules.labels_of(chance, p, 3)
  np.testing.assert_array_equal(found, [[0, 2, 0], [1, 2, 0], [1, 2, 0]])
  two = rules.labels_of(chance, np.array([0.2, 0.4, np.nan]), 2)
  np.testing.assert_array_equal(two, chance < [0.2, 0.4, 0])


def test_images_of_a_pure_patient_have_one_label() -> None:
  units = np.array([0, 0, 1, 1, 2])
  tied = rules._tied(np.array([2, 2, 0, 1, 1]), units)
  assert tied[0] == tied[1]
  assert len(set(tied.tolist())) == 4


def test_worlds_of_five_classes() -> None:
  key = worlds.key(0, 'five_turned')
  one, turned = (
    worlds.SEVERAL[name](key, 3000, 20)
    for name in ('five_groups', 'five_turned')
  )
  np.testing.assert_array_equal(one.x, turned.x)
  np.testing.assert_array_equal(one.p[one.group > 0], turned.p[one.group > 0])
  assert np.abs(one.p - turned.p)[one.group == 0].mean() > 0.1
  # The rule is as one of a softmax head: log odds are planes.
  design = np.c_[one.x.astype(float), np.eye(3)[one.group]]
  logs = np.log(one.p) - np.log(one.p[:, :1])
  fitted = np.linalg.lstsq(design, logs, rcond=None)[0]
  np.testing.assert_allclose(design @ fitted, logs, atol=1e-3)
  counts = np.bincount(one.y, minlength=5)
  assert np.all(np.abs(counts - one.p.sum(axis=0)) < 4 * np.sqrt(counts))
  np.testing.assert_allclose(
    special.logsumexp(np.log(one.p), axis=1), 0, atol=1e-9
  )


@pytest.mark.slow
def test_another_rule_of_a_group_is_found() -> None:
  """In 3 sets of 3; of the control in at most one (docs have the rates)."""
  found = {}
  for name in ('five_turned', 'five_groups'):
    sets = [calibration.made(name, 5, i, 300, 200, 16, None) for i in range(3)]
    found[name] = [
      calibration.one_rule_p(own, jax.random.key(i), 59).test.p_value
      for i, own in enumerate(sets)
    ]
  assert max(found['five_turned']) <= 0.05
  assert sum(p <= 0.05 for p in found['five_groups']) <= 1

"""The one rule that labels are drawn from, beside plain loops."""

import jax
import numpy as np
import pytest
from scipy import optimize
from scipy import special

from heterojax import rng
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import rule as rules
from heterojax.verdict.folds import Fold

_N = 40


def _probability(base: np.ndarray, slope: float, y: np.ndarray) -> np.ndarray:
  """`[N, C]` with the shares that classes have in `y`, by minimising a loss."""
  share = np.bincount(y, minlength=base.shape[1]) / len(y)
  there = np.flatnonzero(share)

  def loss(a: np.ndarray) -> float:
    sums = special.logsumexp(slope * base[2:, there] + [0, *a], axis=1)
    return np.mean(sums) - a @ share[there[1:]]

  options = {'gtol': 1e-9}
  a = optimize.minimize(loss, np.zeros(len(there) - 1), options=options).x
  p = np.zeros(base.shape)
  p[:, there] = special.softmax(slope * base[:, there] + [0, *a], axis=1)
  return p


@pytest.mark.parametrize('right', [0.8, 0.1])
@pytest.mark.parametrize('classes', [2, 3, 4])
def test_the_rule_is_that_of_a_loop(monkeypatch, classes, right) -> None:
  """Heads that labels do not move; too bad ones have no slope, and two tries.

  Images 0 and 1 have no test, and of the last of 4 classes is no image.
  """
  stream, key = np.random.default_rng(0), jax.random.key(4)
  fold = Fold(*[None] * 5, classes)
  y = np.arange(_N) * 7 % 5 % max(2, classes - 1)
  said = np.where(stream.random(_N) < right, y, (y + 1) % max(2, classes - 1))
  base = stream.standard_normal((_N, classes))
  base[np.arange(_N), said] = base.max(axis=1) + 0.5
  if classes == 2:
    base[:, 0] = 0 * base[:, 0]
    base[:, 1] = np.where(said, 1, -1) * np.abs(base[:, 1])
  soft, base[:2] = base.copy(), np.nan
  soft[:2] = np.nan
  found_of = base[:, 1] if classes == 2 else base
  monkeypatch.setattr(
    folds_lib,
    'out_of_fold',
    lambda _, labels: np.array([found_of] * len(labels)),
  )
  monkeypatch.setattr(folds_lib, 'softmax_out_of_fold', lambda *_: soft / 3)
  slopes = [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8, 11]
  units = np.arange(_N) // 2
  rule = rules.match([fold], y, units, key)
  tied = rules._tied(y, units)
  given = base if classes == 2 else soft / 3

  def accuracies(p: np.ndarray, name: int, number: int) -> float:
    numbers = rng.from_key(key, name).random((number, tied.max() + 1))[:, tied]
    hits = 0
    for row in numbers[:, 2:]:
      for own, number_of, of in zip(p[2:], row, said[2:]):
        if classes == 2:
          hits += (number_of < own[1]) == of
        else:
          hits += np.sum(number_of >= np.cumsum(own)[:-1]) == of
    return hits / numbers[:, 2:].size

  observed = np.mean(said[2:] == y[2:])
  tries = [32] if right > 0.5 else [32, 128]
  for number in tries:
    reached = [
      accuracies(_probability(given, s, y[2:]), 0, number) for s in slopes
    ]
    fine = np.geomspace(0.5, 11, 400)
    curve = np.polyval(np.polyfit(np.log(slopes), reached, 3), np.log(fine))
    slope = fine[np.argmin(np.abs(curve - observed))]
    p = _probability(given, slope, y[2:])
    expected = accuracies(p, 1, 2 * number)
    assert (abs(expected - observed) <= 0.02) == (number == 32 and right > 0.5)
  assert rule.matches == (right > 0.5)
  assert rule.slope == pytest.approx(slope, rel=1e-9)
  assert rule.observed == observed
  assert rule.expected == pytest.approx(expected, abs=1e-12)
  np.testing.assert_array_equal(rule.tied, tied)
  assert np.isnan(rule.p[:2]).all()
  want = p[2:, 1] if classes == 2 else p[2:]
  np.testing.assert_allclose(rule.p[2:], want, atol=1e-5)


def test_probabilities_are_as_prevalent_however_large_logits_are() -> None:
  base = np.repeat([100.0, 1.0], 20)
  p = rules._probability(base, base > 0, 11.0, np.array([0.9, 0.1]))
  np.testing.assert_allclose(p, np.repeat([0.2, 0.0], 20), atol=1e-6)


def test_worlds_have_streams_of_their_own() -> None:
  p = np.random.default_rng(0).random(_N)
  rule = rules.Rule(p, np.arange(_N) // 2, 1.0, 0.7, 0.7)
  key = jax.random.key(5)
  found = rules.draw(rule, key, 3, 4)
  for w, labels in enumerate(found):
    numbers = rng.from_key(key, 2, 3 + w).random(_N // 2)
    np.testing.assert_array_equal(labels, np.repeat(numbers, 2) < rule.p)


def test_the_tied_are_numbered() -> None:
  found = rules._tied(np.array([1, 1, 0, 1, 0]), np.array([5, 5, 2, 2, 9]))
  assert found.tolist() == [1, 1, 5, 6, 2]


@pytest.mark.parametrize(
  ('images', 'again', 'want'),
  # 10 slopes and two tries of the one that is taken, in 3200 labels each.
  [(10, False, 385), (1000, False, 49), (1000, True, 241), (5000, False, 13)],
)
def test_labellings_of_a_match(images: int, again: bool, want: int) -> None:
  assert rules.labellings(images, again=again) == want

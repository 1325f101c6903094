"""The choice of a penalty beside loops, of heads that are made up."""

import types

import numpy as np
import pytest

from heterojax.heads import multinomial
from heterojax.heads import penalty
from heterojax.heads import reads
from heterojax.heads import truncated_newton


def test_the_loss_of_several_classes_is_that_of_a_loop(monkeypatch) -> None:
  stream = np.random.default_rng(0)
  x, y = stream.standard_normal((9, 2)), stream.integers(3, size=9)
  rows, folds = np.array([8, 1, 2, 5, 4, 0]), np.array([7, 9, 7, 9, 9, 7])
  logits = stream.standard_normal((2, 4, 9, 3))
  heads = types.SimpleNamespace(
    converged=np.array([[True, False]] * 2), n_iter=np.arange(8).reshape(2, 4)
  )

  def path(features, labels, lists, classes, cs):
    assert features is x and classes == 3 and len(cs) == 4
    np.testing.assert_array_equal(labels, y)
    assert [own.tolist() for own in lists] == [[1, 5, 4], [8, 2, 0]]
    return heads

  monkeypatch.setattr(multinomial, 'path', path)
  monkeypatch.setattr(multinomial, 'logits', lambda *_: logits)
  cs = np.arange(1.0, 5)
  found = penalty.choose_c(x, y, folds, cs, rows=rows, classes=3)
  want = np.zeros(4)
  for row, fold in zip(rows, folds):
    for i in range(4):
      odds = np.exp(logits[0 if fold == 7 else 1, i, row])
      want[i] -= np.log(odds[y[row]] / odds.sum()) / len(rows)
  np.testing.assert_allclose(found.losses, want)
  assert found.c == 1 + np.argmin(want) and not found.converged
  np.testing.assert_array_equal(found.n_iter, heads.n_iter)


@pytest.mark.parametrize(
  ('losses', 'tried', 'chosen'),
  [
    # A millionth better is better, half of one is not, and two are enough.
    ([1, 0.9, 0.9 * (1 + 5e-7), 0.9 * (1 - 5e-7), 0.1], 4, 3),
    ([1, 1, 0.9, 0.9, 0.9 * (1 - 2e-6), 0.9], 6, 4),
    # What differs by rounding is the same, and the smallest C is taken.
    ([1, 0.5 * (1 + 5e-10), 0.5, 0.5, 0.1], 4, 1),
    ([1, 0, 0, 0], 4, 1),
  ],
)
@pytest.mark.parametrize('converge', [True, False])
def test_values_are_tried_until_they_do_no_better(
  monkeypatch, losses: list[float], tried: int, chosen: int, converge: bool
) -> None:
  y, fold = np.arange(8) % 2, np.array([0, 1, 2, 1, 0])
  rows = np.array([6, 1, 2, 7, 4])
  task = types.SimpleNamespace(weight=np.zeros((8, 3)), target=object())
  given = truncated_newton.Read(
    *(object() for _ in truncated_newton.Read._fields)
  )
  begun = []

  def fit(of, c, w, enough):
    assert of is task and enough == 1e-10
    assert w is (begun[-1] if begun else None)
    begun.append(np.full((3, 2), c))
    converged = np.array([True, converge or c != 2, True])
    return types.SimpleNamespace(
      w=begun[-1], reads=np.arange(3) + int(c), converged=converged
    )

  def left(features, target, held, w):
    assert features is given.features and target is task.target
    want = np.zeros((8, 3), bool)
    for row, own in zip(rows, fold):
      want[row, own] = True
    np.testing.assert_array_equal(held, want)
    return len(rows) * losses[int(w[0, 0]) - 1] * np.array([0.5, 0.25, 0.25])

  monkeypatch.setattr(truncated_newton, 'problem', lambda *_: task)
  monkeypatch.setattr(truncated_newton, 'fit', fit)
  monkeypatch.setattr(reads, 'losses', left)
  cs = 1.0 + np.arange(len(losses))
  found = penalty.choose_c(given, y, fold, cs, rows=rows)
  assert found.c == cs[chosen] and found.converged == converge
  np.testing.assert_allclose(found.losses[:tried], losses[:tried])
  assert np.isinf(found.losses[tried:]).all()
  want = cs * (cs <= tried) + np.arange(3)[:, None] * (cs <= tried)
  np.testing.assert_array_equal(found.n_iter, want)
  assert len(begun) == tried

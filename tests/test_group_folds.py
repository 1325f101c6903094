"""Folds of whole groups are those of scikit-learn, by comparing the two."""

import warnings

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from heterojax.datasets.group_folds import GroupFolds


def _parts(by: type[StratifiedGroupKFold], y, groups, folds, seed):
  splitter = by(folds, shuffle=True, random_state=seed)
  part = np.full(len(y), -1)
  for number, (_, chosen) in enumerate(splitter.split(y, y, groups)):
    part[chosen] = number
  return part


@pytest.mark.medium
@settings(max_examples=40)
@given(
  seed=strategies.integers(0, 2**31 - 1),
  classes=strategies.sampled_from([1, 2, 3, 7, 8]),
  folds=strategies.sampled_from([2, 5, 8, 20]),
)
def test_folds_are_those_of_scikit_learn(
  seed: int, classes: int, folds: int
) -> None:
  numbers = np.random.default_rng(seed)
  groups = numbers.integers(0, 60, size=200)
  y = numbers.integers(0, classes, size=200)
  y[: 2 * folds] = 0  # Enough of one class.
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', UserWarning)
    try:
      expected = _parts(StratifiedGroupKFold, y, groups, folds, seed)
    except ValueError as error:
      with pytest.raises(ValueError, match='.') as found:
        _parts(GroupFolds, y, groups, folds, seed)
      assert str(found.value) == str(error)
      return
    found = _parts(GroupFolds, y, groups, folds, seed)
  assert np.array_equal(found, expected)


def test_scikit_learn_asks_for_a_fold_where_it_is_answered(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """Or the time would be what it was, and nobody would know."""
  monkeypatch.setattr(GroupFolds, '_find_best_fold', lambda *_, **__: 1)
  y = np.arange(20) % 2
  assert (_parts(GroupFolds, y, np.arange(20), 2, 0) == 1).all()

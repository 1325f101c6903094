"""Sentinels among features are named with their row and column."""

import pathlib

import numpy as np
import pytest

from heterojax.datasets import extremes
from heterojax.datasets import ready

_X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
_IDS = [f'i{i}' for i in range(60)]


def test_ordinary_features_are_not_spoken_of() -> None:
  for x in (_X, _X * 1e30, _X * 1e-30, 0 * _X, _X[:0], np.maximum(_X, 0)):
    assert extremes.notes(x, _IDS, ()) == ()
  x = _X * 10.0 ** np.arange(0, 12, 3)  # Columns in units of their own.
  assert extremes.notes(x, _IDS, ()) == ()
  x[3] = np.nan
  x[4] = np.inf  # Both are left out with that reason.
  assert extremes.notes(x, _IDS, ()) == ()


@pytest.mark.parametrize('value', [3e38, -3e38, -1e20])
def test_a_row_is_named(value: float) -> None:
  x = _X.copy()
  x[7] = value
  (note,) = extremes.notes(x, _IDS, ())
  assert note.startswith('1 row has features more than a million times')
  assert f'as i7 ({value:.3g} in feature 1)' in note


def test_a_column_is_named() -> None:
  x = _X.copy()
  x[[11, 12], 2] = -1e20
  (note,) = extremes.notes(x, _IDS, tuple('abcd'))
  assert note.startswith('2 rows have') and 'i11 (-1e+20 in c)' in note


def test_a_file_has_the_note(tmp_path: pathlib.Path) -> None:
  x = _X.copy()
  x[7, 1] = -1e20
  labels = np.repeat(['a', 'b'], 30)
  np.savez(tmp_path / 'x.npz', features=x, labels=labels, ids=_IDS)
  cohort = ready.read(tmp_path / 'x.npz', ('a', 'b'))
  assert any('as i7 (-1e+20 in feature 2)' in note for note in cohort.notes)

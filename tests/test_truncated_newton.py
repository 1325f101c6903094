"""Heads by reads of the features are scikit-learn's and those of Hessians."""

import pathlib
import tracemalloc

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from heterojax.compute import cores
from heterojax.compute import row_blocks
from heterojax.heads import logistic
from heterojax.heads import optimum
from heterojax.heads import penalty
from heterojax.heads import reads

_TRAIN = 300


def _data(classes: int, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
  """Features of other scales and far from 0, and labels with an error."""
  numbers = np.random.default_rng(classes)
  scale = np.geomspace(1e-2, 1e2, width)
  z = numbers.standard_normal((400, width))
  w = numbers.standard_normal((classes, width))
  y = np.argmax(z @ w.T + numbers.gumbel(size=(400, classes)), axis=1)
  return ((z + 5) * scale).astype(np.float32), y


def _fold(y: np.ndarray) -> optimum.Fold:
  train = np.arange(_TRAIN)
  numbers = np.random.default_rng(0)
  rows = [train, numbers.choice(train, 150), train[y[train] != 0]]
  parts = optimum.parts_of(y[train], train, jax.random.key(0))
  return optimum.Fold(rows, train, parts)


@pytest.fixture(name='read')
def _read(monkeypatch: pytest.MonkeyPatch) -> None:
  """All heads are fitted by reads, of blocks of 16 rows."""
  monkeypatch.setattr(optimum, '_MOST_ROWS', 0)
  monkeypatch.setattr(reads, '_NUMBERS', 200)
  monkeypatch.setattr(reads, '_LEAST_ROWS', 1)


@pytest.mark.medium
@pytest.mark.parametrize('classes', [2, 3])
@pytest.mark.parametrize('c', [0.01, 100.0])
def test_heads_are_scikit_learns(read: None, classes: int, c: float) -> None:
  x, y = _data(classes)
  fold = _fold(y)
  found = optimum.fit(x, y, fold, c, standardised=True, classes=classes)
  scaler = StandardScaler().fit(x[:_TRAIN].astype(np.float64))
  z = scaler.transform(x.astype(np.float64))
  for h, rows in enumerate(fold.rows):
    if len(np.unique(y[rows])) < 2:
      assert not found.kernel[h].any()
      continue
    model = LogisticRegression(C=c, tol=1e-10, max_iter=10_000)
    expected = model.fit(z[rows], y[rows]).decision_function(z)
    got = optimum.outputs(found, x)[h]
    if got.ndim > 1 and expected.ndim == 1:  # One of three classes is missing.
      got, expected = got[:, 2] - got[:, 1], None
    if expected is not None:
      np.testing.assert_allclose(got, expected, atol=2e-4, rtol=2e-4)
  assert found.converged.all()


@pytest.mark.slow
@pytest.mark.parametrize('classes', [2, 3])
@pytest.mark.parametrize('standardised', [False, True])
def test_heads_are_those_of_hessians(
  monkeypatch: pytest.MonkeyPatch, classes: int, standardised: bool
) -> None:
  """With the same C; of a head that lacks a class, too."""
  x, y = _data(classes)
  fold = _fold(y)

  def fitted() -> optimum.Fitted:
    return optimum.fit(x, y, fold, standardised=standardised, classes=classes)

  exact = fitted()
  monkeypatch.setattr(optimum, '_MOST_ROWS', 0)
  got = fitted()
  np.testing.assert_array_equal(got.c, exact.c)
  for name in ('kernel', 'bias'):
    want = getattr(exact, name)
    error = np.abs(getattr(got, name) - want).max()
    assert error < 1e-6 * np.abs(want).max()


@pytest.mark.medium
def test_no_bit_hangs_on_the_number_of_cores(
  read: None, monkeypatch: pytest.MonkeyPatch
) -> None:
  x, y = _data(2)
  fold = _fold(y)
  found = []
  for number in (1, 3):
    monkeypatch.setattr(cores, 'number', lambda number=number: number)
    found.append(optimum.fit(x, y, fold, 1.0, standardised=True))
  for one, other in zip(*found, strict=True):
    np.testing.assert_array_equal(one, other)


@pytest.mark.medium
def test_features_are_never_held(
  monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
  """Of 40 MB in a file, a tenth at a time: NumPy counts what it allocates."""
  monkeypatch.setattr(optimum, '_MOST_ROWS', 0)
  monkeypatch.setattr(row_blocks, '_WHOLE', 0)
  monkeypatch.setattr(row_blocks, '_NUMBERS', 2**16)
  monkeypatch.setattr(reads, '_NUMBERS', 2**16)
  monkeypatch.setattr(reads, '_LEAST_ROWS', 1)
  monkeypatch.setattr(reads, '_SAMPLED', 2**16)
  numbers = np.random.default_rng(0)
  file = np.lib.format.open_memmap(
    tmp_path / 'x.npy', 'w+', np.float32, (20_000, 500)
  )
  file[:] = numbers.standard_normal(file.shape, np.float32)
  y = (file[:, 0] > 0).astype(int)
  x = np.load(tmp_path / 'x.npy', mmap_mode='r')
  train = np.arange(16_000)
  fold = optimum.Fold([train] * 2, train, train % 2)
  tracemalloc.start()
  found = optimum.fit(x, y, fold, 1e-3, standardised=True)
  optimum.outputs(found, x)
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert found.converged.all()
  assert peak < x.nbytes / 4


@pytest.mark.medium
def test_larger_values_of_c_are_left_out_once_they_do_no_better(
  read: None,
) -> None:
  """Labels of no rule: the strongest penalty is the best."""
  x, _ = _data(2)
  y = np.random.default_rng(5).integers(2, size=400)
  read_features = optimum.read_of(x, np.arange(_TRAIN), standardised=True)
  found = penalty.choose_c(
    read_features, y, np.arange(_TRAIN) % 2, rows=np.arange(_TRAIN)
  )
  tried = np.isfinite(found.losses)
  best = int(np.argmin(found.losses))
  assert tried.sum() == best + 3 < len(tried)
  assert found.c == found.cs[best]


def test_logits_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
  x, _ = _data(2)
  numbers = np.random.default_rng(0)
  heads = logistic.Heads(
    numbers.standard_normal((3, 12)),
    numbers.standard_normal(3),
    np.zeros(3, int),
    np.ones(3, bool),
  )
  whole = logistic.logits(heads, x)
  monkeypatch.setattr(row_blocks, '_WHOLE', 0)
  monkeypatch.setattr(row_blocks, '_NUMBERS', 12 * 7)
  np.testing.assert_allclose(logistic.logits(heads, x), whole, rtol=1e-12)

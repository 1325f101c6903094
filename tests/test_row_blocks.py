"""Blocks of rows, and what is summed over them, against the whole."""

import hashlib
import importlib
import pathlib

import numpy as np
import pytest
from sklearn.decomposition import PCA

from heterojax import cluster
from heterojax import features
from heterojax.cluster import moments
from heterojax.cluster import range_finder
from heterojax.cluster import scale
from heterojax.compute import row_blocks
from heterojax.datasets import ready
from heterojax.features import given

# The package has a function of this name.
pca_lib = importlib.import_module('heterojax.cluster.pca')


def test_blocks_cover_every_row_once() -> None:
  for n, width in ((0, 5), (1, 2**25), (7, 2**23), (100_000, 1280)):
    rows = [i for block in row_blocks.slices(n, width) for i in range(n)[block]]
    assert rows == list(range(n))
  # At most 64 MB of float32 each, but for a row that has more.
  assert (
    row_blocks.size(1280) * 1280 <= 2**24 < 2 * row_blocks.size(1280) * 1280
  )


@pytest.fixture(name='small')
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
  """Blocks of 40 numbers, and what has more than 100 is large."""
  monkeypatch.setattr(row_blocks, '_NUMBERS', 40)
  monkeypatch.setattr(row_blocks, '_WHOLE', 100)


def _wide_range(n: int, width: int) -> np.ndarray:
  """Numbers whose sum rounds otherwise in every other order."""
  numbers = np.random.default_rng(0)
  values = numbers.normal(size=(n, width)) * 10.0 ** numbers.integers(
    -9, 9, (n, width)
  )
  return values.astype(np.float32)


@pytest.mark.parametrize('width', [2, 3, 8, 50])
@pytest.mark.usefixtures('small')
def test_the_mean_has_the_bits_of_numpys(width: int) -> None:
  x = _wide_range(517, width)
  rows = np.random.default_rng(1).permutation(517)[:300]
  whole = np.mean(x, axis=0, dtype=np.float64)
  assert np.any(whole != np.mean(x[::-1], axis=0, dtype=np.float64))
  np.testing.assert_array_equal(moments.mean(x), whole)
  np.testing.assert_array_equal(
    moments.mean(x, rows), np.mean(x[rows], axis=0, dtype=np.float64)
  )


@pytest.mark.parametrize(('n', 'width'), [(60, 9), (9, 60)])
def test_components_of_some_rows_have_the_bits_of_their_copy(
  n: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
  x = np.random.default_rng(0).normal(size=(2 * n, width)).astype(np.float32)
  rows = np.random.default_rng(1).permutation(2 * n)[:n]
  copied = cluster.pca(x[rows], 4)
  monkeypatch.setattr(row_blocks, '_NUMBERS', 40)
  monkeypatch.setattr(row_blocks, '_WHOLE', 100)
  for own, other in zip(cluster.pca(x, 4, rows), copied, strict=True):
    np.testing.assert_array_equal(own, other)
  for factor in (1e-25, 1e25):
    own = cluster.pca(x * np.float32(factor), 4, rows)
    other = cluster.pca((x * np.float32(factor))[rows], 4)
    np.testing.assert_array_equal(own.components, other.components)


def test_the_exponent_is_that_of_the_rows() -> None:
  x = np.ones((4, 3), np.float32)
  x[1], x[2] = 1e30, -1e30
  assert scale.exponent_of_rows(x, np.array([0, 3])) == 0
  for row in (1, 2):
    assert scale.exponent_of_rows(x, np.array([0, row])) == scale.exponent(
      x[[0, row]]
    )


@pytest.mark.usefixtures('small')
def test_coordinates_by_blocks_are_scikit_learns() -> None:
  x = np.random.default_rng(0).normal(size=(200, 7))
  theirs = PCA(3, svd_solver='full').fit(x)
  ours = np.asarray(cluster.transform(cluster.pca(x, 3), x))
  wanted = theirs.transform(x)
  signs = np.sign(np.sum(ours * wanted, axis=0))
  np.testing.assert_allclose(ours * signs, wanted, atol=1e-10)
  rows = np.random.default_rng(1).permutation(200)[:90]
  some = np.asarray(cluster.transform(cluster.pca(x, 3), x, rows))
  np.testing.assert_allclose(some * signs, wanted[rows], atol=1e-10)


def _decaying(n: int, width: int, rank: int = 40) -> np.ndarray:
  """Singular values that fall by a tenth from one to the next."""
  numbers = np.random.default_rng(0)
  left = np.linalg.qr(numbers.normal(size=(n, rank))).Q
  right = np.linalg.qr(numbers.normal(size=(width, rank))).Q
  return (left * 100 * 0.9 ** np.arange(rank)) @ right.T + 5


@pytest.mark.usefixtures('small')
def test_two_reads_find_the_components_of_an_exact_solver() -> None:
  x = _decaying(150, 130)
  rows = np.random.default_rng(1).permutation(150)[:140]
  exact = PCA(5, svd_solver='full').fit(x[rows])
  found = range_finder.find(x, 5, rows)
  np.testing.assert_allclose(found.mean, exact.mean_, atol=1e-12)
  np.testing.assert_allclose(found.values, exact.singular_values_**2, rtol=1e-4)
  assert np.all(found.values <= exact.singular_values_**2 * (1 + 1e-9))
  cosines = np.abs(np.sum(found.components * exact.components_, axis=1))
  assert np.all(cosines > 0.999)
  total = np.sum((x[rows] - x[rows].mean(axis=0)) ** 2)
  assert found.total == pytest.approx(total, rel=1e-10)
  np.testing.assert_allclose(
    found.components @ found.components.T, np.eye(5), atol=1e-12
  )


def test_pca_takes_two_reads_where_products_would_be_too_many(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  assert cluster.approximate(1428, 62_720) is None
  assert cluster.approximate(1_000_000, 1280) is None
  assert cluster.approximate(20_000, 62_720) == 'randomised'
  x = _decaying(150, 130)
  exact = cluster.pca(x, 5)
  monkeypatch.setattr(pca_lib, '_MOST_EXACT', 100)
  found = cluster.pca(x, 5)
  np.testing.assert_allclose(
    found.explained_variance_ratio, exact.explained_variance_ratio, rtol=1e-4
  )
  # With the signs of the exact ones.
  np.testing.assert_allclose(found.components, exact.components, atol=0.05)
  first = cluster.pca(x, 1).components
  np.testing.assert_allclose(first, exact.components[:1], atol=0.05)
  with pytest.raises(ValueError, match='give their number'):
    cluster.pca(x, 0.9)
  x[3, 4] = np.nan
  with pytest.raises(ValueError, match='not finite'):
    cluster.pca(x, 5)


@pytest.mark.usefixtures('small')
def test_large_given_features_are_mapped_from_the_run_folder(
  tmp_path: pathlib.Path,
) -> None:
  matrix = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
  source = ready.Vectors(pathlib.Path('some.npz'), matrix)

  def gathered(rows: np.ndarray, folder: pathlib.Path) -> features.Features:
    sha256 = [hashlib.sha256(matrix[row].tobytes()).hexdigest() for row in rows]
    return given.gather(source, rows, folder, sha256)

  rows = np.random.default_rng(1).permutation(50)[:30]
  first = gathered(rows, tmp_path)
  assert isinstance(first.x, np.memmap) and not first.x.flags.writeable
  np.testing.assert_array_equal(first.x, matrix[rows])
  again = gathered(rows, tmp_path)
  assert again.digest == first.digest
  np.testing.assert_array_equal(again.x, matrix[rows])
  other = gathered(rows[::-1], tmp_path)
  assert other.digest != first.digest
  np.testing.assert_array_equal(other.x, matrix[rows[::-1]])
  few = gathered(rows[:5], tmp_path / 'few')
  assert not (tmp_path / 'few').exists()
  np.testing.assert_array_equal(few.x, matrix[rows[:5]])

"""Leading eigenpairs against NumPy's of all, and by hand."""

import numpy as np
import pytest

from heterojax.cluster import spectrum


def _matrix(n: int) -> np.ndarray:
  """Symmetric, with the eigenvalues 1 / (1 + i)^2."""
  basis = np.linalg.qr(np.random.default_rng(n).normal(size=(n, n))).Q
  return (basis / (1 + np.arange(n)) ** 2) @ basis.T


@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('n, q', [(1, 1), (2, 1), (3, 3), (150, 40)])
def test_they_are_the_last_of_all_pairs(n: int, q: int, order: str) -> None:
  matrix = _matrix(n)
  upper = np.triu_indices(n, 1)
  given = np.array(matrix, order=order)
  given[upper] = np.nan
  values, vectors = spectrum.leading(given, q)
  want = np.linalg.eigh(matrix)
  np.testing.assert_allclose(values, want[0][::-1][:q], rtol=0, atol=1e-14)
  np.testing.assert_allclose(
    np.abs(np.sum(vectors * want[1][:, ::-1][:, :q], axis=0)), 1, rtol=1e-12
  )
  np.testing.assert_allclose(vectors.T @ vectors, np.eye(q), atol=1e-12)
  # What was given stays as it was.
  np.testing.assert_array_equal(np.tril(given), np.tril(matrix))


@pytest.mark.parametrize('share, want', [(0.5, 1), (0.9, 2), (0.95, 3)])
def test_a_share_takes_the_fewest_that_exceed_it(
  share: float, want: int
) -> None:
  # Of 13.1 in all, 10 are 76 % and 12.4 are 94.7 %.
  values, vectors = spectrum.leading(np.diag([2.4, 0.7, 10.0]), share)
  np.testing.assert_allclose(values, [10, 2.4, 0.7][:want])
  assert np.argmax(np.abs(vectors), axis=0).tolist() == [2, 0, 1][:want]


def test_a_matrix_of_zeros_has_orthonormal_vectors() -> None:
  values, vectors = spectrum.leading(np.zeros((4, 4)), 3)
  np.testing.assert_array_equal(values, 0)
  np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-15)

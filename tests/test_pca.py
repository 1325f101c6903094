"""PCA against scikit-learn's full SVD in float64."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg
from sklearn import decomposition

from heterojax.cluster import PCA
from heterojax.cluster import moments
from heterojax.cluster import pca as heterojax_pca
from heterojax.cluster import transform
from heterojax.cluster.pca import _orthonormal
from heterojax.cluster.pca import coordinates

# (N, D): both solvers; below, at, above and at a multiple of the chunks of 1024
# (moments) and 4096 (projections).
_SHAPES = (
  (50, 12),
  (12, 50),
  (30, 30),
  (1024, 7),
  (9001, 7),
  (7, 8192),
  (7, 9001),
)


@pytest.fixture(name='x64', params=[False, True], ids=['x32', 'x64'])
def _x64(request: pytest.FixtureRequest) -> Iterator[bool]:
  with jax.enable_x64(request.param):
    yield request.param


def _data(n: int, d: int, *, rank: int | None = None) -> np.ndarray:
  """Rows away from the origin; each singular value is 1.25 times the next."""
  rng = np.random.default_rng([n, d])
  rank = min(n - 1, d) if rank is None else rank
  left = rng.normal(size=(n, rank))
  left = np.linalg.qr(left - left.mean(axis=0)).Q
  right = np.linalg.qr(rng.normal(size=(d, rank))).Q
  scale = n**0.5 * 1.25 ** -np.arange(rank)
  return left * scale @ right.T + rng.normal(size=d)


def _oracle(x: np.ndarray, q: int) -> decomposition.PCA:
  solver = decomposition.PCA(q, svd_solver='full')
  return solver.fit(np.asarray(x, np.float64))


def _check(got: PCA, want: decomposition.PCA, q: int, atol: float) -> None:
  """Compares the first Q components; `atol` is relative to the first one."""
  first, variance = want.singular_values_[0], want.explained_variance_[0]
  np.testing.assert_allclose(got.mean, want.mean_, atol=atol)
  np.testing.assert_allclose(
    got.components[:q], want.components_[:q], rtol=0, atol=atol
  )
  np.testing.assert_allclose(
    got.explained_variance,
    want.explained_variance_,
    rtol=0,
    atol=atol * variance,
  )
  np.testing.assert_allclose(
    got.explained_variance_ratio,
    want.explained_variance_ratio_,
    rtol=0,
    atol=atol,
  )
  np.testing.assert_allclose(
    got.singular_values[:q],
    want.singular_values_[:q],
    rtol=0,
    atol=atol * first,
  )


def _check_orthonormal(components: jax.Array, atol: float) -> None:
  rows = np.asarray(components, np.float64)
  np.testing.assert_allclose(
    rows @ rows.T, np.eye(len(rows)), rtol=0, atol=atol
  )


@pytest.mark.slow
@pytest.mark.parametrize('shape', _SHAPES)
def test_is_scikit_learn_in_float64(shape: tuple[int, int]) -> None:
  x = _data(*shape)
  q = min(shape)
  got, want = heterojax_pca(x, q), _oracle(x, q)
  # Centring takes one from the rank of a wide matrix.
  rank = min(q, shape[0] - 1)
  _check(got, want, rank, 1e-8)
  _check_orthonormal(got.components, 1e-10)
  assert got.components.dtype == np.float64
  with jax.enable_x64(True):
    np.testing.assert_allclose(
      transform(got, jnp.asarray(x))[:, :rank],
      want.transform(x)[:, :rank],
      rtol=0,
      atol=1e-8,
    )


@pytest.mark.medium
@pytest.mark.parametrize('shape', [(50, 12), (12, 50)])
def test_fewer_components_are_the_first_ones(shape: tuple[int, int]) -> None:
  x = _data(*shape)
  got = heterojax_pca(x, 3)
  # Shares are of the whole variance, not of that of the three.
  assert np.asarray(got.explained_variance_ratio).sum() < 0.8
  _check(got, _oracle(x, 3), 3, 1e-8)


@pytest.mark.medium
@pytest.mark.parametrize('shape', [(60, 20), (20, 60)])
@pytest.mark.parametrize('offset', [0.0, 1e4])
def test_rank_deficient(shape: tuple[int, int], offset: float) -> None:
  x = _data(*shape, rank=4) + offset
  got, want = heterojax_pca(x, 12), _oracle(x, 12)
  _check(got, want, 4, 1e-8)
  # Directions of no variance are as orthonormal as the others, and nothing of
  # the data lies along them.
  _check_orthonormal(got.components, 1e-10)
  with jax.enable_x64(True):
    coordinates = np.asarray(transform(got, jnp.asarray(x)))
  assert np.abs(coordinates[:, 4:]).max() < 1e-8
  assert np.all(np.asarray(got.explained_variance) >= 0)


def _largest_angle(a: np.ndarray, b: np.ndarray) -> float:
  a, b = (np.asarray(v, np.float64).T for v in (a, b))
  return float(linalg.subspace_angles(a, b).max())


@pytest.mark.medium
@pytest.mark.parametrize('shape', [(500, 120), (120, 500)])
def test_float32_keeps_the_subspace(shape: tuple[int, int]) -> None:
  # Trailing eigenvalues as close together as those of real features.
  rng = np.random.default_rng(7)
  q, rank = 50, 119
  scale = np.arange(1, rank + 1) ** -1.5
  rotation = np.linalg.qr(rng.normal(size=(shape[1], rank))).Q
  x = rng.normal(size=(shape[0], rank)) * scale @ rotation.T + 1.0
  x = x.astype(np.float32)
  got, want = heterojax_pca(x, q), _oracle(x, 100)
  leading = want.components_[:q]
  assert all(leaf.dtype == np.float32 for leaf in got)

  if shape[0] > shape[1]:
    # What float32 alone would do, so that the limit below means something.
    centred = x - x.mean(axis=0)
    naive = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :q].T
    assert _largest_angle(naive, leading) > 1e-3
  assert _largest_angle(got.components, leading) < 1e-5

  values = want.explained_variance_
  gaps = -np.diff(values) / values[:-1]
  alone = np.flatnonzero(
    (gaps[:q] > 1e-3) & np.concatenate([[True], gaps[: q - 1] > 1e-3])
  )
  assert len(alone) > 40
  overlap = np.sum(np.asarray(got.components, np.float64) * leading, axis=1)
  # Positive, so the sign is right as well; 1 - cos(angle) = angle^2 / 2.
  assert np.all(overlap[alone] > 1 - 0.5e-3**2)
  for name in ('explained_variance', 'explained_variance_ratio'):
    np.testing.assert_allclose(
      getattr(got, name), getattr(want, f'{name}_')[:q], rtol=1e-5
    )
  np.testing.assert_allclose(
    got.singular_values, want.singular_values_[:q], rtol=1e-5
  )
  coordinates = np.asarray(transform(got, jnp.asarray(x)), np.float64)
  exact = want.transform(x)[:, :q]
  assert np.abs(coordinates - exact)[:, alone].max() < 1e-5 * abs(exact).max()


@pytest.mark.medium
@pytest.mark.parametrize('offset', [1e4, -3e6])
@pytest.mark.parametrize('shape', [(80, 10), (10, 80)])
def test_large_offset(shape: tuple[int, int], offset: float) -> None:
  x = _data(*shape) + offset
  got, want = heterojax_pca(x, 5), _oracle(x, 5)
  np.testing.assert_allclose(got.mean, want.mean_, rtol=1e-14)
  np.testing.assert_allclose(got.components, want.components_, atol=1e-8)
  np.testing.assert_allclose(
    got.explained_variance, want.explained_variance_, rtol=1e-8
  )


def test_hand_value() -> None:
  x = np.array([[3.0, -4.0], [-3.0, 4.0], [0.0, 0.0]]) + 5
  got = heterojax_pca(x, 2)
  # Along (3, -4), with the entry of largest magnitude made positive.
  np.testing.assert_allclose(
    got.components, [[-0.6, 0.8], [0.8, 0.6]], atol=1e-12
  )
  np.testing.assert_allclose(got.mean, [5, 5])
  np.testing.assert_allclose(got.explained_variance, [25, 0], atol=1e-12)
  np.testing.assert_allclose(got.explained_variance_ratio, [1, 0], atol=1e-12)
  np.testing.assert_allclose(got.singular_values[0], 50**0.5)


def test_two_rows_of_small_numbers() -> None:
  x = np.array([[3.0, -4.0], [-3.0, 4.0]]) / 1000
  got = heterojax_pca(x, 2)
  np.testing.assert_allclose(got.components[0], [-0.6, 0.8], atol=1e-12)
  np.testing.assert_allclose(got.explained_variance, [5e-5, 0], atol=1e-15)
  np.testing.assert_allclose(got.explained_variance_ratio, [1, 0], atol=1e-9)


def test_no_components_explain_more_than_all_of_the_variance() -> None:
  """Seven float32 shares that sum to 1.0000001."""
  shares = np.float32([0.7, 0.1, 0.1, 0.05, 0.03, 0.01, 0.0100001])
  nothing = jnp.zeros(7)
  fitted = PCA(nothing, jnp.eye(7), nothing, jnp.asarray(shares), nothing)
  assert shares.sum(dtype=np.float64) > 1
  assert fitted.explained() == 1
  assert fitted.explained(2) == pytest.approx(0.8, abs=1e-7)


def test_coordinates_beyond_the_rank_are_zero() -> None:
  fitted = PCA(
    mean=jnp.zeros(3),
    components=jnp.eye(3),
    explained_variance=jnp.ones(3),
    explained_variance_ratio=jnp.ones(3),
    singular_values=jnp.asarray([2, 1e-5, 1e-8]),
  )
  x = np.ones((4, 3), np.float32)
  np.testing.assert_array_equal(coordinates(fitted, x), [[1, 1, 0]] * 4)


def test_of_equal_rows_no_direction_is_known() -> None:
  fitted = heterojax_pca(np.full((6, 3), 2.0), 2)
  other = coordinates(fitted, np.arange(12.0).reshape(4, 3))
  np.testing.assert_array_equal(other, np.zeros((4, 2)))


def test_some_rows_are_those_of_all() -> None:
  x, rows = _data(12, 5), np.array([7, 2, 2, 11])
  fitted = heterojax_pca(x, 3)
  found = transform(fitted, x, rows)
  np.testing.assert_array_equal(found, transform(fitted, x)[rows])


def test_rows_become_orthonormal_as_gram_and_schmidt_have_them() -> None:
  rows = 3 * np.eye(3, 6) + np.random.default_rng(0).random((3, 6)) / 5
  with jax.enable_x64(True):
    found, independent = _orthonormal(jnp.asarray(rows))
  expected = np.zeros((3, 6))
  for number, row in enumerate(rows):
    row = row - expected.T @ (expected @ row)
    expected[number] = row / np.linalg.norm(row)
  assert independent
  np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.medium
def test_more_columns_than_are_projected_at_once() -> None:
  x = _data(5, 8200)
  _check(heterojax_pca(x, 3), _oracle(x, 3), 3, 1e-8)


def test_rows_of_full_rank_are_orthogonal_as_they_are(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """Reflections, which take longer, are for what is beyond the rank."""
  x = _data(12, 50)
  monkeypatch.setattr(np.linalg, 'qr', None)
  _check_orthonormal(heterojax_pca(x, 8).components, 1e-10)
  with pytest.raises(TypeError):  # Twelve centred rows have rank 11.
    heterojax_pca(x, 12)


@pytest.mark.medium
def test_constant_features() -> None:
  x = _data(40, 6)
  x[:, [1, 4]] = 7.0
  got = heterojax_pca(x, 6)
  _check(got, _oracle(x, 6), 4, 1e-8)
  assert np.abs(np.asarray(got.components)[:4, [1, 4]]).max() < 1e-12
  _check_orthonormal(got.components, 1e-10)
  for shape in ((6, 3), (3, 6)):
    nothing = heterojax_pca(np.full(shape, 1e3, np.float32), 2)
    np.testing.assert_array_equal(nothing.explained_variance, 0)
    np.testing.assert_array_equal(nothing.explained_variance_ratio, 0)
    _check_orthonormal(nothing.components, 1e-6)


def test_result_does_not_depend_on_the_container(x64: bool) -> None:
  x = _data(40, 6).astype(np.float32)
  want = heterojax_pca(x, 3)
  for same in (jnp.asarray(x), np.asfortranarray(x), np.repeat(x, 2, 0)[::2]):
    got = heterojax_pca(same, 3)
    for a, b in zip(got, want):
      assert a.dtype == np.float32
      np.testing.assert_array_equal(a, b)
  # The setting is the caller's.
  assert jax.config.jax_enable_x64 == x64
  coordinates = transform(want, jnp.asarray(x))
  assert coordinates.dtype == np.float32


@pytest.mark.parametrize(
  'x', [[[0, 1], [2, 5], [4, 3]], np.array([[0, 1], [2, 5], [4, 3]])]
)
def test_other_numbers_become_float64(x: object) -> None:
  got = heterojax_pca(x, 1)
  assert got.components.dtype == np.float64
  _check(got, _oracle(np.asarray(x), 1), 1, 1e-8)


@pytest.mark.medium
@pytest.mark.parametrize('shape', [(60, 12), (12, 60), (30, 30)])
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('share', [1e-6, 0.3, 0.7, 0.95, 0.999, 1 - 1e-9])
def test_a_share_of_the_variance_is_scikit_learns(
  shape: tuple[int, int], dtype: type, share: float
) -> None:
  x = _data(*shape).astype(dtype)
  want = _oracle(x, share)
  q = want.n_components_
  got = heterojax_pca(x, share)
  assert got.components.shape == (q, shape[1])
  # Centring takes one from the rank of a wide matrix.
  _check(got, want, min(q, shape[0] - 1), 1e-5 if dtype == np.float32 else 1e-8)
  explained = np.asarray(got.explained_variance_ratio, np.float64)
  assert explained.sum() >= share - 1e-6 > explained[:-1].sum() - 2e-6
  assert heterojax_pca(x, q).components.shape == got.components.shape


@pytest.mark.medium
def test_the_share_is_exceeded_and_not_met() -> None:
  """Of variances 8, 4, 2, 2 the shares of the first are exactly 1/2, 3/4, 7/8.

  Where rounding leaves the sum, it decides; just beside it, the rule does.
  """
  basis = np.kron(np.array([[1, 1], [1, -1]]), np.array([[1, 1], [1, -1]]))
  # Columns that sum to zero and are orthogonal to one another.
  x = np.concatenate([basis, -basis]) @ np.diag([8, 4, 2, 2]) ** 0.5
  for share, q in (
    (0.499, 1),
    (0.501, 2),
    (0.749, 2),
    (0.751, 3),
    (0.874, 3),
    (0.876, 4),
  ):
    assert _oracle(x, share).n_components_ == q
    assert heterojax_pca(x, share).components.shape == (q, 4)


@pytest.mark.slow
@pytest.mark.parametrize('shape', [(60, 20), (20, 60)])
def test_a_share_of_a_deficient_rank(shape: tuple[int, int]) -> None:
  x = _data(*shape, rank=4)
  assert len(heterojax_pca(x, 1 - 1e-9).components) == 4
  # Nothing varies, and so one component explains all of it.
  assert len(heterojax_pca(np.full(shape, 3.0), 0.7).components) >= 1


@pytest.mark.parametrize('n_components', [-1, 0, 0.0, -0.5, 6, 1.5])
def test_impossible_number_of_components(n_components: float) -> None:
  with pytest.raises(ValueError, match=r'from 1 to min\(N, D\) = 5'):
    heterojax_pca(np.zeros((5, 9)), n_components)


@pytest.mark.parametrize('shape', [(5,), (1, 5), (0, 5), (2, 3, 4)])
def test_not_a_matrix_of_two_rows(shape: tuple[int, ...]) -> None:
  with pytest.raises(ValueError, match='N >= 2'):
    heterojax_pca(np.zeros(shape), 1)


@pytest.mark.parametrize('value', [np.nan, np.inf])
@pytest.mark.parametrize('shape', [(8, 3), (3, 8)])
def test_not_finite(value: float, shape: tuple[int, int]) -> None:
  x = np.random.default_rng(0).normal(size=shape)
  x[1, 2] = value
  with pytest.raises(ValueError, match='not finite'):
    heterojax_pca(x, 2)


@pytest.mark.medium
def test_transform_asks_for_full_precision() -> None:
  # Seen only on accelerators, where float32 products are rounded by default.
  fitted = heterojax_pca(_data(12, 5).astype(np.float32), 2)
  text = str(jax.make_jaxpr(transform)(fitted, jnp.zeros((4, 5))))
  assert 'Precision.HIGHEST' in text


@pytest.mark.slow
@pytest.mark.parametrize('place', [np.asarray, jnp.asarray])
@pytest.mark.parametrize('shape', [(3000, 7), (7, 3000), (5000, 2), (1, 4)])
@pytest.mark.parametrize('wide', [False, True])
def test_moments_are_sums_of_products(
  place: Callable[[np.ndarray], moments.Array],
  shape: tuple[int, int],
  wide: bool,
) -> None:
  # More rows and columns than are centred at once.
  x = np.random.default_rng(0).normal(5, 2, shape).astype(np.float32)
  with jax.enable_x64(True):
    mean = moments.mean(place(x))
    got = moments.second_moments(place(x), mean, wide)
  assert mean.dtype == got.dtype == np.float64
  exact = x.astype(np.float64)
  np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-13)
  centred = exact - exact.mean(axis=0)
  want = centred @ centred.T if wide else centred.T @ centred
  np.testing.assert_allclose(np.triu(got), np.triu(want), atol=1e-9)

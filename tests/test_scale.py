"""Clusters of very large and very small numbers are those of the same shape."""

import jax
import numpy as np
import pytest
from sklearn import cluster as sklearn_cluster
from sklearn.metrics import adjusted_rand_score

from heterojax import cluster
from heterojax.cluster import distances
from heterojax.cluster import fuzzy
from heterojax.cluster import scale
from heterojax.cluster.pca import coordinates
from heterojax.cluster.pca import pca

_RNG = np.random.default_rng(0)
_BLOBS = np.concatenate([
  _RNG.normal(size=(12, 3)) + offset
  for offset in ([0, 0, 9], [9, 0, 0], [0] * 3)
])
# At most 1 in size, as what is scaled becomes: the mixture adds 1e-6 to all
# variances.
_X = np.ldexp(_BLOBS, -4).astype(np.float32)
# By a power of two nothing changes but the exponents.
_POWERS = [83, -83]  # About 1e25 and 1e-25.


@pytest.mark.medium
@pytest.mark.parametrize('method', ['kmeans', 'fuzzy', 'gmm'])
@pytest.mark.parametrize('power', _POWERS)
def test_partitions_of_any_size(method: cluster.Algorithm, power: int) -> None:
  algorithm = cluster.Algorithm(method, k=3, n_init=2)
  keys = jax.random.split(jax.random.key(0), (2, 2))
  weights = np.ones((2, len(_X)))
  weights[:, ::5] = 0
  parts = np.stack([_X, _X])
  want = cluster.partitions(parts, weights, keys, algorithm)
  # Each part has its own size.
  scaled = np.stack([_X, np.ldexp(_X, power)])
  got = cluster.partitions(scaled, weights, keys, algorithm)
  np.testing.assert_array_equal(got.labels, want.labels)
  np.testing.assert_array_equal(got.memberships, want.memberships)
  np.testing.assert_array_equal(got.centers[0], want.centers[0])
  np.testing.assert_array_equal(
    got.centers[1], np.ldexp(want.centers[1], power)
  )
  objective = np.asarray(want.objective[1], np.float64)
  if method == 'gmm':
    objective += 3 * power * np.log(2)
  else:
    objective = np.ldexp(objective, 2 * power)
  np.testing.assert_allclose(got.objective[1], objective, rtol=1e-6)


@pytest.mark.medium
@pytest.mark.parametrize('factor', [1e25, 1e-25])
def test_kmeans_is_scikit_learns(factor: float) -> None:
  x = (_BLOBS * factor).astype(np.float32)
  got = cluster.kmeans(x, 3, key=jax.random.key(0), n_init=3)
  want = sklearn_cluster.KMeans(3, n_init=3, random_state=0).fit(
    x.astype(np.float64)
  )
  assert adjusted_rand_score(got.labels, want.labels_) == 1
  np.testing.assert_allclose(got.inertia, want.inertia_, rtol=1e-5)
  assert got.centers.dtype == np.float32
  np.testing.assert_array_equal(
    cluster.predict(x, got.centers), np.asarray(got.labels)
  )


@pytest.mark.medium
@pytest.mark.parametrize('power', _POWERS)
def test_kmeans_from_given_centers_of_any_size(power: int) -> None:
  want = cluster.kmeans(_X, 3, init=_X[:3])
  got = cluster.kmeans(np.ldexp(_X, power), 3, init=np.ldexp(_X[:3], power))
  np.testing.assert_array_equal(got.labels, want.labels)
  np.testing.assert_array_equal(got.centers, np.ldexp(want.centers, power))


@pytest.mark.medium
def test_fuzzy_clusters_of_any_size() -> None:
  x = np.ldexp(_X, 83)
  got = cluster.fuzzy_kmeans(x, 3, key=jax.random.key(0))
  want = cluster.fuzzy_kmeans(_X, 3, key=jax.random.key(0))
  np.testing.assert_array_equal(got.memberships, want.memberships)
  np.testing.assert_array_equal(got.centers, np.ldexp(want.centers, 83))
  np.testing.assert_allclose(
    got.objective, np.ldexp(float(want.objective), 166)
  )
  np.testing.assert_array_equal(
    fuzzy.memberships(x, got.centers),
    fuzzy.memberships(_X, want.centers),
  )


@pytest.mark.medium
def test_one_huge_feature_decides() -> None:
  x = _X.copy()
  x[:, 0] *= np.float32(1e20)
  got = cluster.kmeans(x, 2, key=jax.random.key(0), n_init=3)
  assert adjusted_rand_score(got.labels, _BLOBS[:, 0] > 4.5) == 1


@pytest.mark.parametrize('power', _POWERS)
def test_directions_of_any_size(power: int) -> None:
  rows, content = np.arange(len(_X)), np.arange(len(_X))
  want = cluster.nearest_by_cosine(_X, rows, rows, content)
  got = cluster.nearest_by_cosine(np.ldexp(_X, power), rows, rows, content)
  for ours, theirs in zip(got, want):
    np.testing.assert_array_equal(ours, theirs)
  dimension = cluster.effective_dimension(np.ldexp(_X, power), rows)
  assert dimension == cluster.effective_dimension(_X, rows)
  flat = np.asarray(distances.cosine_distances(0 * _X, _X, 0 * _X[0]))
  np.testing.assert_array_equal(flat, 1)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_ordinary_numbers_stay_as_they_are(dtype: type) -> None:
  for factor in (1e-6, 1, 1e6):
    assert scale.exponent(np.array([factor, -factor], dtype)) == 0
  assert scale.exponent(np.zeros(3, dtype)) == 0
  assert scale.exponent(np.array([np.nan, 1e30], dtype)) == 0
  assert scale.exponent(np.array([1.0, 2.0**60], dtype), [True, False]) == 0
  wide = np.array([-(2.0**60), 1], dtype)
  assert scale.exponent(wide) == (61 if dtype == np.float32 else 0)
  small = np.array([2.0**-8, 0], dtype)
  assert (scale.exponent(small), scale.exponent(small, least=-6)) == (0, -7)


@pytest.mark.parametrize(
  ('dtype', 'most'), [(np.float32, 32), (np.float64, 256)]
)
def test_a_quarter_of_the_exponents_stays(dtype: type, most: int) -> None:
  """Fourth powers, as of squared distances that are squared, are finite."""
  for e in (most, -most):
    x = np.array([2.0 ** (e - 1), 0], dtype)
    assert scale.exponent(x) == 0
    beyond = e + np.sign(e)
    assert scale.exponent(np.array([2.0 ** (beyond - 1)], dtype)) == beyond


@pytest.mark.parametrize('factor', [1e30, -1e30, 1e-30, -1e-30])
def test_some_rows_have_the_exponent_of_their_copy(factor: float) -> None:
  x = (factor * np.array([[1, 2], [3, 0.5], [900, 4]])).astype(np.float32)
  for rows in (None, np.array([1]), np.array([0, 1])):
    want = scale.exponent(x if rows is None else x[rows])
    assert scale.exponent_of_rows(x, rows) == want != 0
  # What is not known yet stays.
  for known in (scale.exponent, lambda x: scale.exponent_of_rows(x, rows)):
    np.testing.assert_array_equal(
      jax.jit(lambda x, f=known: f(x) + 0 * x)(x), 0 * x
    )


# Four clusters of eight features, and copies of the first five rows.
_TRUTH = np.arange(100) % 4
_POINTS = 6 * _RNG.normal(size=(4, 8))[_TRUTH] + _RNG.normal(size=(100, 8))
_POINTS[80:85] = _POINTS[:5] * (1 + 1e-4)
_FACTORS = [*range(-37, 38, 8), 37]


def _scaled(power: int) -> np.ndarray:
  return (_POINTS * 10.0**power).astype(np.float32)


@pytest.mark.medium
@pytest.mark.parametrize('method', ['kmeans', 'fuzzy', 'gmm'])
def test_clusters_are_found_at_any_factor(method: cluster.Algorithm) -> None:
  algorithm = cluster.Algorithm(method, k=4, n_init=4)
  keys = jax.random.split(jax.random.key(0), (1, 1))
  for power in _FACTORS:
    found = cluster.partitions(
      _scaled(power)[None], np.ones((1, 100)), keys, algorithm
    )
    assert adjusted_rand_score(found.labels[0, 0], _TRUTH) == 1, power


@pytest.mark.medium
def test_copies_are_found_at_any_factor() -> None:
  rows, others, content = np.arange(80, 100), np.arange(80), np.arange(100)
  dimension = cluster.effective_dimension(_POINTS.astype(np.float32), others)
  for power in _FACTORS:
    x = _scaled(power)
    nearest, distance = cluster.nearest_by_cosine(x, rows, others, content)
    np.testing.assert_array_equal(np.flatnonzero(distance < 1e-4), range(5))
    np.testing.assert_array_equal(nearest[:5], range(5))
    got = cluster.effective_dimension(x, others)
    assert got == pytest.approx(dimension, rel=1e-4)


@pytest.mark.medium
@pytest.mark.parametrize('shape', [(100, 8), (8, 100)])
def test_components_at_any_factor(shape: tuple[int, int]) -> None:
  x = _POINTS.reshape(shape)
  want = pca(x, 3)
  expected = np.asarray(coordinates(want, x))
  for power in _FACTORS:
    scaled, factor = (x * 10.0**power).astype(np.float32), 10.0**power
    got = pca(scaled, 3)
    np.testing.assert_allclose(got.components, want.components, atol=1e-5)
    np.testing.assert_allclose(
      np.asarray(got.explained_variance, np.float64) / factor / factor,
      want.explained_variance,
      rtol=1e-5,
    )
    np.testing.assert_allclose(
      np.asarray(got.singular_values, np.float64) / factor,
      want.singular_values,
      rtol=1e-5,
    )
    z = np.asarray(coordinates(got, scaled), np.float64) / factor
    np.testing.assert_allclose(z, expected, atol=1e-4)


def test_a_mean_whose_sum_is_too_large() -> None:
  rows = np.full((40, 2), 3e38, np.float32)
  np.testing.assert_array_equal(distances.mean_of(rows), rows[0])

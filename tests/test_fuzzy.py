"""Fuzzy K-means against a plain loop, and what must hold at its result."""

import jax
import numpy as np
import pytest
from scipy.spatial import distance

from heterojax.cluster import fuzzy
from heterojax.cluster import fuzzy_kmeans
from heterojax.compute import platform


def _data() -> tuple[np.ndarray, np.ndarray]:
  """Rows in three groups, and starting memberships to three clusters."""
  rng = np.random.default_rng(0)
  centers = 2 * rng.normal(size=(3, 4))
  x = centers[rng.integers(3, size=90)] + rng.normal(size=(90, 4)) + 5
  return x, rng.dirichlet(np.ones(3), 90)


def _loop(
  x: np.ndarray, u: np.ndarray, m: float, tol: float, max_iter: int
) -> tuple[np.ndarray, np.ndarray, float, int]:
  """Bezdek's alternation, written out sample by sample."""
  n_iter, moved = 0, np.inf
  while n_iter < max_iter and moved >= tol:
    n_iter, old = n_iter + 1, u
    power = old**m
    centers = (power.T @ x) / power.sum(axis=0)[:, None]
    apart = distance.cdist(x, centers)
    u = np.array([
      [
        1 / sum((row[j] / row[i]) ** (2 / (m - 1)) for i in range(len(row)))
        for j in range(len(row))
      ]
      for row in apart
    ])
    moved = np.linalg.norm(u - old)
  return centers, u, float((power * apart**2).sum()), n_iter


@pytest.mark.slow
@pytest.mark.parametrize('fuzzifier', [1.1, 1.5, 2.0, 2.7])
def test_is_a_plain_loop(fuzzifier: float) -> None:
  x, init = _data()
  centers, u, objective, n_iter = _loop(x, init, fuzzifier, 1e-5, 200)
  got = fuzzy_kmeans(x, 3, fuzzifier=fuzzifier, init=init, tol=1e-5)
  assert 5 < n_iter < 200 and int(got.n_iter) == n_iter
  assert got.centers.dtype == np.float64
  np.testing.assert_allclose(np.asarray(got.centers), centers, rtol=1e-9)
  np.testing.assert_allclose(np.asarray(got.memberships), u, atol=1e-9)
  assert float(got.objective) == pytest.approx(objective, rel=1e-9)
  np.testing.assert_array_equal(got.labels, u.argmax(axis=1))
  close = fuzzy_kmeans(
    x.astype(np.float32), 3, fuzzifier=fuzzifier, init=init, tol=1e-3
  )
  assert close.centers.dtype == np.float32
  np.testing.assert_allclose(np.asarray(close.centers), centers, rtol=1e-3)


@pytest.mark.medium
def test_a_start_is_divided_by_its_sums() -> None:
  """A fuzzifier of no whole exponent, and a sample that starts in two."""
  x, init = _data()
  init[0] = 0, 0.5, 0.5
  want = _loop(x, init, 2.7, 1e-4, 200)
  scaled = init * np.linspace(0.5, 3, len(x))[:, None]
  got = fuzzy_kmeans(x, 3, fuzzifier=2.7, init=scaled, tol=1e-4)
  assert int(got.n_iter) == want[3]
  np.testing.assert_allclose(np.asarray(got.centers), want[0], rtol=1e-9)
  assert float(got.objective) == pytest.approx(want[2], rel=1e-9)
  first = fuzzy_kmeans(x, 3, fuzzifier=2.7, init=scaled, max_iter=1)
  objective = _loop(x, init, 2.7, 0.0, 1)[2]
  assert float(first.objective) == pytest.approx(objective, rel=1e-9)


@pytest.mark.medium
def test_clusters_that_do_not_exist_have_no_share() -> None:
  x, _ = _data()
  key = jax.random.key(3)
  with platform.float64():
    draws = np.asarray(jax.random.uniform(key, (5 * len(x),), np.float64))
    found = jax.jit(fuzzy.fit, static_argnums=(4, 5, 6))(
      jax.numpy.asarray(x), np.ones(len(x)), key[None], 1e-5, 5, 2.0, 200, 3
    )
  init = draws[: 3 * len(x)].reshape(-1, 3)
  centers, u, objective, n_iter = _loop(
    x, init / init.sum(axis=1, keepdims=True), 2.0, 1e-5, 200
  )
  assert int(found.n_iter) == n_iter
  assert not np.any(np.asarray(found.memberships)[:, 3:])
  np.testing.assert_allclose(found.memberships[:, :3], u, atol=1e-9)
  np.testing.assert_allclose(found.centers[:3], centers, rtol=1e-9)
  np.testing.assert_allclose(found.centers[3:], [x.mean(axis=0)] * 2)
  assert float(found.objective) == pytest.approx(objective, rel=1e-9)


def test_without_a_tolerance_it_never_stops_early() -> None:
  """Memberships to one cluster never change."""
  x, _ = _data()
  got = fuzzy_kmeans(x, 1, init=np.ones((len(x), 1)), tol=0.0, max_iter=5)
  assert int(got.n_iter) == 5


@pytest.mark.medium
def test_iterations_run_out() -> None:
  x, init = _data()
  want = _loop(x, init, 2.0, 0.0, 3)
  got = fuzzy_kmeans(x, 3, init=init, tol=0.0, max_iter=3)
  assert int(got.n_iter) == 3
  np.testing.assert_allclose(np.asarray(got.memberships), want[1], atol=1e-10)


def test_memberships_to_fixed_centers() -> None:
  x, init = _data()
  got = fuzzy_kmeans(x, 3, init=init, tol=1e-9)
  again = fuzzy.memberships(x, np.asarray(got.centers))
  np.testing.assert_allclose(
    np.asarray(again), np.asarray(got.memberships), atol=1e-12
  )
  # A hand value: distances 1 and 2, so shares 4/5 and 1/5.
  shares = fuzzy.memberships([[1.0]], [[0.0], [3.0]])
  np.testing.assert_allclose(np.asarray(shares), [[0.8, 0.2]], rtol=1e-12)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('fuzzifier', [1.01, 1.1, 2.0, 9.0])
def test_a_sample_on_a_center(dtype: type, fuzzifier: float) -> None:
  centers = np.array([[0, 0], [4, 4], [4, 4], [1e6, 0]], dtype)
  x = np.array([[0, 0], [4, 4], [1e-15, 0]], dtype)
  got = np.asarray(fuzzy.memberships(x, centers, fuzzifier))
  want = [[1, 0, 0, 0], [0, 0.5, 0.5, 0]]
  np.testing.assert_array_equal(got[:2], want)
  np.testing.assert_allclose(got.sum(axis=1), 1, rtol=1e-6)
  if fuzzifier <= 2:
    np.testing.assert_allclose(got[2], [1, 0, 0, 0], atol=1e-12)


@pytest.mark.medium
def test_weights_are_repetitions_and_zero_leaves_out() -> None:
  x, init = _data()
  weights = np.random.default_rng(1).integers(0, 4, len(x))
  rows = np.repeat(np.arange(len(x)), weights)
  want = fuzzy_kmeans(x[rows], 3, init=init[rows])
  x[weights == 0] += 1000  # Nothing of them may reach the fit.
  got = fuzzy_kmeans(x, 3, init=init, weights=weights)
  assert int(got.n_iter) == int(want.n_iter)
  np.testing.assert_allclose(
    np.asarray(got.centers), np.asarray(want.centers), rtol=1e-10
  )
  assert float(got.objective) == pytest.approx(float(want.objective), rel=1e-10)
  np.testing.assert_allclose(
    np.asarray(got.memberships),
    np.asarray(fuzzy.memberships(x, np.asarray(want.centers))),
    atol=1e-9,
  )


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_degenerate_data(dtype: type) -> None:
  few = np.repeat(np.array([[0, 0, 7], [1, 5, 7]], dtype), 10, axis=0)
  for x in (few, np.full((20, 3), 7, dtype)):
    for m in (1.1, 2.0):
      got = fuzzy_kmeans(x, 4, fuzzifier=m, key=jax.random.key(0), n_init=2)
      assert all(np.isfinite(np.asarray(leaf)).all() for leaf in got)
      u = np.asarray(got.memberships)
      np.testing.assert_allclose(u.sum(axis=1), 1, rtol=1e-5)
      # Equal rows are treated equally.
      np.testing.assert_allclose(u[:10], np.tile(u[:1], (10, 1)), rtol=1e-5)


@pytest.mark.slow
def test_more_restarts_are_never_worse() -> None:
  rng, gains = np.random.default_rng(3), 0
  x = rng.uniform(-9, 9, (8, 2))[rng.integers(8, size=90)]
  x += rng.normal(size=x.shape)
  for seed in range(5):
    key = jax.random.key(seed)
    one, many = (
      float(fuzzy_kmeans(x, 8, fuzzifier=1.1, key=key, n_init=n).objective)
      for n in (1, 6)
    )
    assert many <= one
    gains += many < one * (1 - 1e-6)
  assert gains > 0


def test_mistakes() -> None:
  x, init = _data()
  with pytest.raises(ValueError, match='above 1'):
    fuzzy_kmeans(x, 3, init=init, fuzzifier=1.0)
  with pytest.raises(ValueError, match='either init or key'):
    fuzzy_kmeans(x, 3)
  with pytest.raises(ValueError, match=r'init must be \[90, 3\]'):
    fuzzy_kmeans(x, 3, init=init.T)
  for row in ([0, 0, 0], [-1, 1, 1]):
    wrong = init.copy()
    wrong[5] = row
    with pytest.raises(ValueError, match='row of zeros'):
      fuzzy_kmeans(x, 3, init=wrong)
  with pytest.raises(ValueError, match='not negative'):
    fuzzy_kmeans(x, 3, init=init, weights=-np.ones(90))
  with pytest.raises(ValueError, match='must be positive'):
    fuzzy_kmeans(x, 3, init=init, weights=np.zeros(90))
  with pytest.raises(ValueError, match=r'weights must be \[90\]'):
    fuzzy_kmeans(x, 3, init=init, weights=np.ones(89))

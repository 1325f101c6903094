"""Many clusterings at once against one at a time."""

import importlib
import logging

import jax
import numpy as np
import pytest

from heterojax.cluster import Algorithm
from heterojax.cluster import fuzzy_kmeans
from heterojax.cluster import gaussian_mixture
from heterojax.cluster import kmeans
from heterojax.cluster import partitions
from heterojax.cluster.partitions import METHODS

# Rows, clusters of each part; the second part is shorter.
_ROWS, _OWN_K, _K = (40, 30), (5, 2), 5


def _problem(
  method: str,
) -> tuple[np.ndarray, np.ndarray, jax.Array, Algorithm]:
  rng = np.random.default_rng(0)
  z = rng.normal(size=(2, 40, 3)) + 3 * rng.integers(3, size=(2, 40, 1))
  weights = rng.integers(0, 3, size=(2, 40)).astype(float)
  # What pads a part may be anything.
  z[1, 30:], weights[1, 30:] = 77.0, 0
  keys = jax.random.split(jax.random.key(1), (2, 3))
  algorithm = Algorithm(
    method, _K, n_init=2, fuzzifier=1.5, covariance='diag', max_iter=50
  )
  return z, weights, keys, algorithm


def _alone(x, k, weights, key, algorithm):
  """(centers, memberships, objective, n_iter) of the public functions."""
  common = {
    'key': key,
    'weights': weights,
    'n_init': algorithm.n_init,
    'max_iter': algorithm.max_iter,
    'tol': algorithm.tol,
  }
  if algorithm.method == 'kmeans':
    run = kmeans(x, k, **common)
    hard = np.eye(k)[np.asarray(run.labels)]
    return run.centers, hard, run.inertia, run.n_iter
  if algorithm.method == 'fuzzy':
    run = fuzzy_kmeans(x, k, fuzzifier=1.5, **common)
    return run.centers, run.memberships, run.objective, run.n_iter
  run = gaussian_mixture(x, k, covariance='diag', **common)
  return run.means, run.memberships, -np.asarray(run.lower_bound), run.n_iter


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
def test_each_is_that_of_its_part_alone(method: str) -> None:
  z, weights, keys, algorithm = _problem(method)
  got = partitions(z, weights, keys, algorithm, _OWN_K)
  for p, (n, k) in enumerate(zip(_ROWS, _OWN_K)):
    for r in range(3):
      want = _alone(z[p, :n], k, weights[p, :n], keys[p, r], algorithm)
      assert got.n_iter[p, r] == int(want[3])
      np.testing.assert_allclose(
        got.objective[p, r], np.asarray(want[2]), rtol=1e-9
      )
      # Restarts that end alike are told apart by rounding, which padding
      # changes; they number the clusters in different ways.
      centers, u = got.centers[p, r, :k], got.memberships[p, r]
      places, shares = (np.asarray(v) for v in want[:2])
      own, other = (np.argsort(v[:, 0]) for v in (centers, places))
      np.testing.assert_allclose(centers[own], places[other], rtol=1e-7)
      np.testing.assert_allclose(u[:n, own], shares[:, other], atol=1e-7)
      np.testing.assert_array_equal(got.labels[p, r], u.argmax(axis=1))


@pytest.mark.slow
def test_columns_of_zeros_change_nothing() -> None:
  """They are what fills up parts of fewer columns."""
  z = np.random.default_rng(4).normal(size=(2, 500, 4))
  keys = jax.random.split(jax.random.key(2), (2, 3))
  algorithm = Algorithm('kmeans', 4, tol=1e-4)
  narrow = partitions(z, np.ones((2, 500)), keys, algorithm)
  wide = np.concatenate([z, np.zeros((2, 500, 66))], axis=-1)
  got = partitions(wide, np.ones((2, 500)), keys, algorithm)
  np.testing.assert_array_equal(got.n_iter, narrow.n_iter)
  np.testing.assert_array_equal(got.labels, narrow.labels)


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
def test_others_change_nothing(
  method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
  z, weights, keys, algorithm = _problem(method)
  want = partitions(z, weights, keys, algorithm, _OWN_K)
  some = partitions(z[1:], weights[1:], keys[1:, 1:], algorithm, _OWN_K[1:])
  for a, b in zip(some, want):
    np.testing.assert_array_equal(a, b[1:, 1:])
  # As on an accelerator; six trainings are no multiple of four.
  module = importlib.import_module('heterojax.cluster.partitions')
  monkeypatch.setattr(module, '_lanes', lambda n, q, k: 4)
  got = partitions(z, weights, keys, algorithm, _OWN_K)
  for a, b in zip(got, want):
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_clusters_that_do_not_exist_cost_nothing() -> None:
  # Groups so tight that the floor of the memberships is most of the objective.
  rng = np.random.default_rng(5)
  x = np.repeat([[-1.0, 2.0], [1.0, 0.0]], 10, axis=0)
  x = np.float32(x + 1e-5 * rng.normal(size=(20, 2)))
  keys, weights = jax.random.split(jax.random.key(6), (1, 1)), np.ones((1, 20))
  algorithm = Algorithm('fuzzy', 8, fuzzifier=1.1)
  got = partitions(x[None], weights, keys, algorithm, [2])
  want = fuzzy_kmeans(x, 2, fuzzifier=1.1, key=keys[0, 0])
  assert got.objective.dtype == np.float32
  assert got.objective[0, 0] == pytest.approx(float(want.objective), rel=1e-2)


@pytest.mark.slow
def test_one_program_serves_all_numbers(
  caplog: pytest.LogCaptureFixture,
) -> None:
  algorithm = Algorithm('fuzzy', 3)
  z = np.random.default_rng(4).normal(size=(80, 17, 2))
  for p, r in ((16, 10), (80, 1), (3, 2)):
    keys = jax.random.split(jax.random.key(0), (p, r))
    k = [p % 3 + 1] * p
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
      got = partitions(z[:p], np.ones((p, 17)), keys, algorithm, k)
    assert got.labels.shape == (p, r, 17)
  compiled = [
    record.getMessage()
    for record in caplog.records
    if record.getMessage().startswith('Compiling ')
  ]
  assert len(compiled) == 1


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('method', METHODS)
def test_degenerate_parts(method: str, dtype: type) -> None:
  rng = np.random.default_rng(2)
  z = np.zeros((5, 24, 6))
  z[1] = 7.0  # All rows are equal.
  z[2, 12:] = 1.0  # Two places for three clusters.
  z[3, :, :2] = 30 * rng.normal(size=(24, 2))  # Constant features.
  z[4] = rng.normal(size=(24, 6))
  z[4, 0] = 1000.0  # A cluster of one.
  weights = np.ones((5, 24))
  weights[0, 3:] = 0  # Fewer fitted rows than clusters.
  keys = jax.random.split(jax.random.key(3), (5, 2))
  k = np.array([4, 4, 3, 2, 4])
  got = partitions(z.astype(dtype), weights, keys, Algorithm(method, 5), k)
  for leaf in got:
    assert np.isfinite(leaf).all()
  labels, u = got.labels, got.memberships
  np.testing.assert_allclose(u.sum(axis=-1), 1, rtol=1e-4)
  assert (labels >= 0).all() and (labels < k[:, None, None]).all()
  for part, own in enumerate(k):
    assert (u[part, ..., own:] == 0).all()
    mean = np.average(z[part], axis=0, weights=weights[part])
    outside = got.centers[part, :, own:]
    np.testing.assert_allclose(
      outside, np.broadcast_to(mean, outside.shape), rtol=1e-4, atol=1e-4
    )
  assert len(np.unique(labels[1, 0])) == 1
  if method == 'kmeans':
    assert (got.objective[:3] == 0).all()
    assert len(np.unique(labels[2, 0])) == 2  # A cluster is empty.
  assert (labels[4, 0] == labels[4, 0, 0]).sum() == 1 or method == 'fuzzy'


def test_mistakes() -> None:
  z, weights = np.zeros((2, 9, 3)), np.ones((2, 9))
  keys = jax.random.split(jax.random.key(0), (2, 1))
  algorithm = Algorithm('fuzzy', 4)
  with pytest.raises(ValueError, match=r'z must be \[P, N, Q\]'):
    partitions(z[0], weights, keys, algorithm)
  with pytest.raises(ValueError, match='N >= k'):
    partitions(z[:, :3], weights[:, :3], keys, algorithm)
  with pytest.raises(ValueError, match=r'keys must be \[2, R\]'):
    partitions(z, weights, keys[:1], algorithm)
  for k in ([4], [4, 0], [4, 5], [4.0, 2.5]):
    with pytest.raises(ValueError, match='2 whole numbers from 1 to 4'):
      partitions(z, weights, keys, algorithm, k)
  with pytest.raises(ValueError, match='at least one weight'):
    partitions(z, weights * [[1], [0]], keys, algorithm)
  with pytest.raises(ValueError, match='kmeans, fuzzy, gmm'):
    Algorithm('ward', 4)
  with pytest.raises(ValueError, match='above 1'):
    Algorithm('fuzzy', 4, fuzzifier=1.0)
  with pytest.raises(ValueError, match='1 or more'):
    Algorithm('gmm', 4, n_init=0)

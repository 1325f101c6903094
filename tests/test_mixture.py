"""Gaussian mixture against scikit-learn in float64."""

import warnings

import jax
import numpy as np
import pytest
from sklearn import mixture
from sklearn.datasets import make_spd_matrix

from heterojax.cluster import gaussian_mixture
from heterojax.cluster import mixture as mixture_lib
from heterojax.cluster.mixture import COVARIANCES
from heterojax.cluster.mixture import GaussianMixture
from heterojax.compute import platform

_D, _K = 4, 3


def _data() -> np.ndarray:
  rng = np.random.default_rng(0)
  centers = 2 * rng.normal(size=(_K, _D))
  return centers[rng.integers(_K, size=120)] + rng.normal(size=(120, _D)) + 3


def _init(x: np.ndarray, covariance: str) -> tuple[np.ndarray, ...]:
  full = [make_spd_matrix(_D, random_state=i) for i in range(_K)]
  precisions = {
    'full': np.stack(full),
    'diag': np.random.default_rng(1).uniform(0.3, 2, (_K, _D)),
    'spherical': np.array([0.5, 1.0, 2.0]),
  }
  return np.array([0.2, 0.3, 0.5]), x[:_K].copy(), precisions[covariance]


def _oracle(
  x: np.ndarray, covariance: str, init: tuple[np.ndarray, ...], **kwargs
) -> mixture.GaussianMixture:
  weights, means, precisions = init
  solver = mixture.GaussianMixture(
    len(weights),
    covariance_type=covariance,
    weights_init=weights,
    means_init=means,
    precisions_init=precisions,
    **kwargs,
  )
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # The iterations may run out.
    return solver.fit(x)


def _check(got, want: mixture.GaussianMixture, x: np.ndarray, tol: float):
  assert int(got.n_iter) == want.n_iter_
  assert float(got.lower_bound) == pytest.approx(want.lower_bound_, rel=tol)
  for own, other in (
    (got.weights, want.weights_),
    (got.means, want.means_),
    (got.covariances, want.covariances_),
    (got.memberships, want.predict_proba(x)),
  ):
    np.testing.assert_allclose(np.asarray(own), other, rtol=tol, atol=tol)


@pytest.mark.slow
@pytest.mark.parametrize('covariance', COVARIANCES)
def test_is_scikit_learn_from_the_same_start(covariance: str) -> None:
  x = _data()
  init = _init(x, covariance)
  want = _oracle(x, covariance, init)
  assert want.n_iter_ > 3
  got = gaussian_mixture(x, _K, covariance=covariance, init=init)
  assert got.means.dtype == np.float64
  _check(got, want, x, 1e-8)
  np.testing.assert_array_equal(got.labels, want.predict(x))
  close = gaussian_mixture(
    x.astype(np.float32), _K, covariance=covariance, init=init
  )
  assert close.means.dtype == np.float32
  _check(close, want, x, 2e-3)
  short = gaussian_mixture(
    x, _K, covariance=covariance, init=init, max_iter=2, tol=0.0
  )
  _check(short, _oracle(x, covariance, init, max_iter=2, tol=0.0), x, 1e-8)


@pytest.mark.medium
def test_iterations_run_out() -> None:
  x = _data()
  init = _init(x, 'diag')
  how = {'max_iter': 3, 'tol': 0.0}
  got = gaussian_mixture(x, _K, covariance='diag', init=init, **how)
  _check(got, _oracle(x, 'diag', init, **how), x, 1e-8)


@pytest.mark.medium
def test_components_that_do_not_exist_have_no_weight() -> None:
  """And of several starts the most likely one is taken."""
  rng = np.random.default_rng(3)
  x = rng.uniform(-9, 9, (20, 2))[rng.integers(20, size=90)]
  x += rng.normal(size=x.shape)

  @jax.jit
  def fit(x: jax.Array, key: jax.Array, own_k: int) -> GaussianMixture:
    ones = jax.numpy.ones(len(x), x.dtype)
    return mixture_lib.fit(x, ones, key, 1e-6, 1e-6, 9, 'diag', 40, own_k)

  with platform.float64():
    x = jax.numpy.asarray(x)
    keys = jax.random.split(jax.random.key(0), 6)
    several = fit(x, keys, 7)
    alone = [float(fit(x, keys[i : i + 1], 7).lower_bound) for i in range(6)]
  assert not np.any(np.asarray(several.weights)[7:])
  assert not np.any(np.asarray(several.memberships)[:, 7:])
  assert np.asarray(several.weights).sum() == pytest.approx(1)
  assert min(alone) < max(alone) - 1e-3
  assert float(several.lower_bound) == pytest.approx(max(alone), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize('covariance', COVARIANCES)
def test_starts_from_k_means(covariance: str) -> None:
  # Groups so far apart that every start finds them. One is a single sample and
  # a feature is constant; where they vary by nothing, the regularisation alone
  # is left. They are at 0, as scikit-learn's diagonal variances cancel.
  rng = np.random.default_rng(2)
  x = rng.normal(size=(41, 3)) + np.repeat([-50, 50, 0], [20, 20, 1])[:, None]
  x[:, 1] = 0
  x[-1] = 0
  want = mixture.GaussianMixture(
    3, covariance_type=covariance, n_init=5, random_state=0
  ).fit(x)
  got = gaussian_mixture(
    x, 3, covariance=covariance, key=jax.random.key(0), n_init=5
  )
  assert float(got.lower_bound) == pytest.approx(want.lower_bound_, rel=1e-8)
  order, other = (
    np.argsort(np.asarray(means)[:, 0]) for means in (got.means, want.means_)
  )
  assert int(got.n_iter) == want.n_iter_
  np.testing.assert_allclose(
    np.asarray(got.covariances)[order], want.covariances_[other], atol=1e-8
  )
  np.testing.assert_allclose(
    np.asarray(got.covariances)[order[1]].max(), 1e-6, rtol=1e-6
  )


@pytest.mark.parametrize('covariance', COVARIANCES)
def test_weights_are_repetitions_and_zero_leaves_out(covariance: str) -> None:
  x = _data()
  init = _init(x, covariance)
  weights = np.random.default_rng(3).integers(0, 4, len(x))
  rows = np.repeat(np.arange(len(x)), weights)
  want = _oracle(x[rows], covariance, init)
  x[weights == 0] += 20  # Nothing of them may reach the fit.
  got = gaussian_mixture(
    x, _K, covariance=covariance, init=init, weights=weights
  )
  _check(got, want, x, 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('covariance', COVARIANCES)
def test_degenerate_data(covariance: str, dtype: type) -> None:
  rng = np.random.default_rng(4)
  flat = np.zeros((30, 8))
  flat[:, :2] = 100 * rng.normal(size=(30, 2))
  few = np.repeat(np.eye(8)[:2], 15, axis=0)
  # Less rank than features, fewer places than components, and one place.
  for x in (flat, few, np.full((30, 8), 7.0), 1e5 * rng.normal(size=(30, 8))):
    got = gaussian_mixture(
      x.astype(dtype), 5, covariance=covariance, key=jax.random.key(0)
    )
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in got)
    np.testing.assert_allclose(
      np.asarray(got.memberships).sum(axis=1), 1, rtol=1e-4
    )


def test_no_tolerance_takes_all_iterations() -> None:
  """Though the bound of one component stays after the first."""
  x = _data()
  init = np.ones(1), x[:1], np.ones(1)
  how = {'covariance': 'spherical', 'init': init, 'tol': 0.0, 'max_iter': 7}
  assert int(gaussian_mixture(x, 1, **how).n_iter) == 7


def test_a_component_that_lost_all_samples_has_no_weight() -> None:
  x = _data()
  init = np.array([0.5, 0.5]), np.stack([x[0], x[0] + 1e4]), np.ones(2)
  got = gaussian_mixture(x, 2, covariance='spherical', init=init, max_iter=2)
  weights = np.asarray(got.weights)
  assert 0 < weights[1] < 1e-12 and weights[0] == pytest.approx(1)
  mean = np.repeat(x.mean(axis=0)[None], 2, axis=0)
  np.testing.assert_allclose(got.means, mean, rtol=1e-9)
  assert float(got.covariances[1]) == pytest.approx(1e-6)
  assert not np.any(got.labels)


def test_large_numbers_of_less_rank_than_features_are_fitted() -> None:
  """The rounding of 1e8 in float32 is far above what is added otherwise."""
  x = np.random.default_rng(6).normal(size=(60, 2)).astype(np.float32)
  x = 1e4 * np.concatenate([x, x, x.sum(axis=1, keepdims=True)], axis=1)
  init = np.ones(1), x[:1], np.eye(5)[None]
  got = gaussian_mixture(x, 1, covariance='full', init=init)
  assert got.covariances.dtype == np.float32
  want = np.cov(x.T.astype(np.float64), bias=True)
  np.testing.assert_allclose(got.covariances[0], want, rtol=1e-3, atol=1e4)


def test_mistakes() -> None:
  x = _data()
  with pytest.raises(ValueError, match='full, diag, spherical'):
    gaussian_mixture(x, 3, covariance='tied', key=jax.random.key(0))
  weights, means, precisions = _init(x, 'full')
  with pytest.raises(ValueError, match='init must be weights'):
    gaussian_mixture(x, 3, covariance='diag', init=(weights, means, precisions))
  with pytest.raises(ValueError, match='either init or key'):
    gaussian_mixture(x, 3)

"""Fuzzy K-means against scikit-fuzzy from the same memberships."""

import numpy as np
import pytest

from heterojax.cluster import fuzzy
from heterojax.cluster import fuzzy_kmeans

skfuzzy = pytest.importorskip('skfuzzy')


@pytest.mark.parametrize('fuzzifier', [1.1, 1.5, 2.0, 2.5])
@pytest.mark.parametrize('k', [2, 5])
def test_is_cmeans(fuzzifier: float, k: int) -> None:
  rng = np.random.default_rng(k)
  centers = 2 * rng.normal(size=(k, 6))
  x = centers[rng.integers(k, size=200)] + rng.normal(size=(200, 6)) + 3
  init = rng.dirichlet(np.ones(k), 200)
  places, u, _, _, losses, n_iter, _ = skfuzzy.cmeans(
    x.T, k, fuzzifier, 1e-5, 300, init=init.T
  )
  got = fuzzy_kmeans(x, k, fuzzifier=fuzzifier, init=init, tol=1e-5)
  assert int(got.n_iter) == n_iter
  np.testing.assert_allclose(np.asarray(got.centers), places, rtol=1e-8)
  np.testing.assert_allclose(np.asarray(got.memberships), u.T, atol=1e-8)
  assert float(got.objective) == pytest.approx(losses[-1], rel=1e-10)
  new = rng.normal(size=(30, 6)) + 3
  want = skfuzzy.cmeans_predict(new.T, places, fuzzifier, 1e-5, 300, seed=0)[0]
  np.testing.assert_allclose(
    np.asarray(fuzzy.memberships(new, places, fuzzifier)), want.T, atol=1e-10
  )


def test_a_sample_on_a_center_is_its_limit() -> None:
  centers = np.array([[0.0, 0.0], [4.0, 4.0], [4.0, 4.0]])
  x = np.array([[0.0, 0.0], [4.0, 4.0]])
  want = skfuzzy.cmeans_predict(x.T, centers, 2.0, 1e-5, 300, seed=0)[0]
  np.testing.assert_allclose(
    np.asarray(fuzzy.memberships(x, centers)), want.T, atol=1e-12
  )

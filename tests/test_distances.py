"""Distances between and inside clusters against scipy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import distance
import sklearn

from heterojax.cluster import between_clusters
from heterojax.cluster import intra_cluster


def test_hand_values() -> None:
  centers = np.array([[0, 0], [3, 4], [0, 1]])
  np.testing.assert_allclose(
      between_clusters(centers),
      [[0, 5, 1], [5, 0, 18**0.5], [1, 18**0.5, 0]],
      rtol=1e-15,
  )
  assert intra_cluster(centers) == pytest.approx((5 + 1 + 18**0.5) / 3)
  assert intra_cluster(np.array([[0.0], [2.5]])) == 2.5


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('offset', [0, 1e4])
@pytest.mark.parametrize('scale', [1e-3, 1.0, 1e3])
def test_are_scipys(dtype: type, offset: float, scale: float) -> None:
  rng = np.random.default_rng(0)
  x = (rng.normal(size=(83, 17)) * scale + offset).astype(dtype)
  exact = x.astype(np.float64)
  got = intra_cluster(x)
  assert isinstance(got, float)
  assert got == pytest.approx(distance.pdist(exact).mean(), rel=1e-10)
  assert intra_cluster(jnp.asarray(x, np.float32)) == pytest.approx(
      distance.pdist(x.astype(np.float32).astype(np.float64)).mean(), rel=1e-10
  )
  between = between_clusters(x[:9])
  assert between.dtype == np.float64
  np.testing.assert_allclose(
      between, distance.cdist(exact[:9], exact[:9]), rtol=1e-12
  )


def test_two_tight_groups_far_apart() -> None:
  # The worst case for |a|^2 - 2ab + |b|^2: most of the mean is cancellation.
  rng = np.random.default_rng(0)
  x = np.concatenate([rng.normal(size=(60, 3)), [[1e3, 0, 0]]])
  assert intra_cluster(x) == pytest.approx(
      distance.pdist(x).mean(), rel=1e-9
  )


@pytest.mark.parametrize('n', [0, 1])
def test_no_pair(n: int) -> None:
  assert intra_cluster(np.zeros((n, 4))) is None


def test_one_center() -> None:
  np.testing.assert_array_equal(between_clusters(np.ones((1, 3))), [[0]])


def test_equal_members() -> None:
  assert intra_cluster(np.full((7, 3), 1e4)) == 0


def test_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
  x = np.random.default_rng(0).normal(size=(700, 3))
  whole = intra_cluster(x)
  chunks = []
  original = sklearn.metrics.pairwise.pairwise_distances

  def counted(a: np.ndarray, *args, **kwargs) -> np.ndarray:
    chunks.append(len(a))
    return original(a, *args, **kwargs)

  monkeypatch.setattr(
      sklearn.metrics.pairwise, 'pairwise_distances', counted
  )
  with sklearn.config_context(working_memory=0.5):  # MiB; the whole is 3.7.
    got = intra_cluster(x)
  assert len(chunks) > 5 and sum(chunks) == 700
  assert got == pytest.approx(whole, rel=1e-13)
  assert got == pytest.approx(distance.pdist(x).mean(), rel=1e-12)

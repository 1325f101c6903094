"""Validity indices against scikit-learn's."""

import itertools

import numpy as np
import pytest
from scipy.spatial import distance
from sklearn import cluster as sklearn_cluster
from sklearn import metrics

from heterojax.cluster import validity

_ORACLES = {
  'silhouette': metrics.silhouette_score,
  'calinski_harabasz': metrics.calinski_harabasz_score,
  'davies_bouldin': metrics.davies_bouldin_score,
}


def _inertia(x: np.ndarray, labels: np.ndarray) -> float:
  groups = (x[labels == i] for i in np.unique(labels))
  return sum(np.sum((group - group.mean(axis=0)) ** 2) for group in groups)


def _check(x: np.ndarray, labels: np.ndarray, k: int) -> validity.Indices:
  got = validity.indices(x, labels, k)
  for index in got:
    assert index.dtype == np.float64 and index.shape == (len(labels),)
  np.testing.assert_allclose(
    got.inertia, [_inertia(x, own) for own in labels], rtol=1e-10, atol=1e-24
  )
  for name, oracle in _ORACLES.items():
    np.testing.assert_allclose(
      getattr(got, name),
      [oracle(x, own) for own in labels],
      rtol=1e-10,
      atol=1e-10,
      err_msg=name,
    )
  return got


def _kmeans(x: np.ndarray, k: int, seed: int = 0) -> sklearn_cluster.KMeans:
  return sklearn_cluster.KMeans(k, n_init=1, tol=0, random_state=seed).fit(x)


def _groups(n: int, q: int, seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.normal(size=(n, q)) + 3 * rng.normal(size=(5, q))[np.arange(n) % 5]


@pytest.mark.parametrize('chunk', [1, 1000, 20_000, 2**19])
def test_are_scikit_learns(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
  """Also where the last chunk is short, and for labels of no structure."""
  monkeypatch.setattr(validity, '_CHUNK', chunk)
  x = _groups(203, 6)
  fits = [_kmeans(x, k) for k in range(2, 11)]
  rng = np.random.default_rng(1)
  labels = [fit.labels_ for fit in fits]
  labels += [rng.integers(k, size=203) for k in range(2, 11)]
  got = _check(x, np.array(labels), 10)
  np.testing.assert_allclose(
    got.inertia[:9], [fit.inertia_ for fit in fits], rtol=1e-12
  )
  # Labels without structure are worse by every index.
  assert (got.silhouette[:9] > 0.1).all() and (got.silhouette[9:] < 0).all()


@pytest.mark.parametrize('seed', range(5))
def test_few_samples_and_singletons(seed: int) -> None:
  rng = np.random.default_rng(seed)
  # Whole numbers: scikit-learn expands |a - b|^2, and has 1e-8 between a sample
  # and its equal otherwise.
  x = rng.integers(-99, 99, size=(7, 2)).astype(float)
  labels = [
    own
    for own in rng.integers(6, size=(60, 7))
    if 2 <= len(np.unique(own)) <= 6
  ]
  assert any((np.bincount(own) == 1).any() for own in labels)
  _check(x, np.array(labels), 6)


def test_one_alone_has_no_silhouette() -> None:
  # 0 and 1 have (8.5 - 1) / 8.5 and ((9 + 7) / 2 - 1) / 8, the last has 0.
  x, labels = np.array([[0.0], [1], [9], [8]]), np.array([[0, 0, 2, 1]])
  got = validity.indices(x, labels, 3)
  want = ((8 - 1) / 8 + (7 - 1) / 7 + 0 + 0) / 4
  np.testing.assert_allclose(got.silhouette, [want], rtol=1e-14)
  np.testing.assert_allclose(got.inertia, [0.5], rtol=1e-14)


def test_numbers_of_clusters_and_their_gaps_do_not_matter() -> None:
  x = _groups(60, 3)
  own = _kmeans(x, 4).labels_
  labels = np.array([own, 3 - own, np.array([7, 2, 0, 5])[own]])
  got = _check(x, labels, 9)
  for index in got:
    np.testing.assert_allclose(index, index[0], rtol=1e-12)


def test_undefined_is_not_a_number() -> None:
  """With one cluster or N, where scikit-learn raises."""
  x = _groups(6, 2)
  labels = np.array([[2] * 6, range(6), [0, 0, 0, 1, 1, 1]])
  got = validity.indices(x, labels, 6)
  for name, oracle in _ORACLES.items():
    for own in labels[:2]:
      with pytest.raises(ValueError, match='Number of labels'):
        oracle(x, own)
    index = getattr(got, name)
    assert np.isnan(index[:2]).all(), name
    assert index[2] == pytest.approx(oracle(x, labels[2]), rel=1e-10)
  np.testing.assert_allclose(
    got.inertia, [_inertia(x, own) for own in labels], atol=1e-24
  )
  one = validity.indices(x[:1], np.zeros((1, 1), int), 1)
  assert one.inertia == 0 and np.isnan(one.silhouette).all()


@pytest.mark.slow
def test_equal_samples_and_equal_means() -> None:
  square = np.array([[0, 0], [2, 2], [0, 2], [2, 0]], float)
  _check(square, np.array([[0, 0, 1, 1]]), 2)  # One mean for both clusters.
  several = np.concatenate([square, square + 10])
  _check(several, np.array([[0, 0, 1, 1, 2, 2, 3, 3]]), 4)
  copies = np.repeat(square, 3, axis=0)
  labels = np.array([np.repeat(p, 3) for p in [[0, 1, 2, 3], [0, 0, 1, 2]]])
  got = _check(copies, labels, 4)
  assert got.silhouette[0] == 1 and got.calinski_harabasz[0] == 1
  assert got.davies_bouldin[0] == 0
  same = np.full((6, 2), 3.0)
  got = _check(same, np.array([[0, 0, 1, 1, 2, 2]]), 3)
  assert got.silhouette[0] == 0


def test_next_to_no_distance_is_none() -> None:
  tight = np.array([[0.0], [1e-13], [1], [1]])
  together = np.array([[-1.0], [1], [-1], [1 + 1e-12]])
  labels = np.array([[0, 0, 1, 1]])
  for x in (tight, together):
    assert metrics.davies_bouldin_score(x, labels[0]) == 0
    assert validity.indices(x, labels, 2).davies_bouldin == [0]
    # As where there is a third cluster, of nothing.
    gap = validity.indices(x, 2 * labels, 3)
    assert gap.davies_bouldin == [0]
  same = np.full((4, 1), 3.0)
  assert metrics.silhouette_score(same, labels[0]) == 0
  assert validity.indices(same, labels, 2).silhouette == [0]
  copies = np.array([[0.0], [0], [1], [1]])
  assert metrics.calinski_harabasz_score(copies, labels[0]) == 1
  assert validity.indices(copies, labels, 2).calinski_harabasz == [1]


def test_close_to_exact_where_expansion_cancels() -> None:
  """Two tight pairs far apart: |a|^2 - 2ab + |b|^2 would lose them."""
  x = np.array([[1e6, 0], [1e6 + 1e-6, 0], [1e6, 1], [1e6, 1 + 1e-6]])
  got = validity.indices(x, np.array([[0, 0, 1, 1]]), 2)
  apart = distance.cdist(x, x)  # By differences.
  within = apart[[0, 1, 2, 3], [1, 0, 3, 2]]
  both = apart[:, [2, 3, 0, 1]] + apart[:, [3, 2, 1, 0]]
  between = np.diagonal(both)
  want = np.mean(1 - within / (between / 2))
  assert got.silhouette[0] == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize('dtype', [np.float32, np.int64])
def test_other_types_are_computed_in_float64(dtype: type) -> None:
  x = (10 * _groups(80, 4)).astype(dtype)
  _check(x.astype(np.float64), _kmeans(x, 3).labels_[None], 3)
  for index, same in zip(
    validity.indices(x, _kmeans(x, 3).labels_[None], 3),
    validity.indices(x.astype(np.float64), _kmeans(x, 3).labels_[None], 3),
  ):
    np.testing.assert_array_equal(index, same)


def test_moves_turns_and_scales() -> None:
  x = _groups(90, 3)
  labels = np.array([_kmeans(x, k).labels_ for k in (2, 5)])
  turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
  got = validity.indices(x, labels, 5)
  # scikit-learn has no Davies-Bouldin of numbers as small as 1e-10.
  for factor in (100, 1e-3, 1e-10, 1e-100, 1e130):
    moved = validity.indices(factor * (x @ turn - 7), labels, 5)
    np.testing.assert_allclose(
      moved.inertia, factor**2 * got.inertia, rtol=1e-9
    )
    for a, b in itertools.islice(zip(got, moved), 1, None):
      np.testing.assert_allclose(a, b, rtol=1e-9)


def test_mistakes() -> None:
  x = np.zeros((4, 2))
  for labels in (np.zeros(4, int), np.zeros((1, 3), int)):
    with pytest.raises(ValueError, match=r'labels \[L, N\]'):
      validity.indices(x, labels, 2)
  with pytest.raises(ValueError, match=r'labels \[L, N\]'):
    validity.indices(np.zeros((0, 2)), np.zeros((1, 0), int), 2)
  for wrong, found in ((-1, 'from -1 to 1'), (2, 'from 0 to 2')):
    with pytest.raises(ValueError, match=f'from 0 to 1, not {found}'):
      validity.indices(x, np.array([[0, 1, 0, wrong]]), 2)


@pytest.mark.medium
def test_silhouettes_of_random_samples_are_near_those_of_all(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """From their distances to all, by blocks of 64; the last one is short."""
  x = _groups(1003, 4)
  labels = np.stack([_kmeans(x, k).labels_ for k in (2, 5)])
  of_all = validity.indices(x, labels, 6)
  assert not of_all.silhouette_margin.any()
  monkeypatch.setattr(validity.distances, 'MOST_OF_ALL_PAIRS', 1002)
  monkeypatch.setattr(validity.distances, 'ASKED', 300)
  monkeypatch.setattr(validity, '_BLOCK', 64)
  got = validity.indices(x, labels, 6)
  some = validity.distances.asked(1003)
  assert len(np.unique(some)) == 300
  for own, mean, margin in zip(
    labels, got.silhouette, got.silhouette_margin, strict=True
  ):
    each = metrics.silhouette_samples(x, own)
    np.testing.assert_allclose(mean, each[some].mean(), rtol=1e-10)
    error = each[some].std(ddof=1) / np.sqrt(300) * np.sqrt(1 - 300 / 1003)
    np.testing.assert_allclose(margin, 1.96 * error, rtol=1e-10)
    assert abs(mean - each.mean()) < 2 * margin
  for name in ('inertia', 'calinski_harabasz', 'davies_bouldin'):
    assert np.array_equal(getattr(got, name), getattr(of_all, name))

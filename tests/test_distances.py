"""Distances between and inside clusters against scipy."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import distance
import sklearn

from heterojax import cluster
from heterojax.cluster import between_clusters
from heterojax.cluster import distances
from heterojax.cluster import nearest_by_cosine
from heterojax.compute import row_blocks
from heterojax.run import progress


def intra_cluster(x: np.ndarray) -> float | None:
  """Of all pairs, which leaves no margin."""
  found = cluster.intra_cluster(x)
  if found is None:
    return None
  assert found.margin == 0
  return found.value


def test_of_many_members_random_pairs_are_compared(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """On a line of equal steps the mean distance is (n + 1) / 3."""
  n = 900
  x = np.stack([np.arange(n), np.full(n, 7.0)], axis=1)
  monkeypatch.setattr(distances, 'MOST_OF_ALL_PAIRS', n - 1)
  monkeypatch.setattr(distances, 'PAIRS', 50_000)
  found = cluster.intra_cluster(x)
  assert found is not None
  # Of the distance of two of them the sd is about n / sqrt(18).
  assert found.margin == pytest.approx(
    1.96 * n / 18**0.5 / 50_000**0.5, rel=0.02
  )
  assert abs(found.value - (n + 1) / 3) < 2 * found.margin
  # No point is a pair with itself.
  x = np.arange(2.0)[:, None]
  monkeypatch.setattr(distances, 'MOST_OF_ALL_PAIRS', 1)
  assert cluster.intra_cluster(x) == (1, 0)


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
  assert intra_cluster(x) == pytest.approx(distance.pdist(x).mean(), rel=1e-9)


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

  monkeypatch.setattr(sklearn.metrics.pairwise, 'pairwise_distances', counted)
  with sklearn.config_context(working_memory=0.5):  # MiB; the whole is 3.7.
    got = intra_cluster(x)
  assert len(chunks) > 5 and sum(chunks) == 700
  assert got == pytest.approx(whole, rel=1e-13)
  assert got == pytest.approx(distance.pdist(x).mean(), rel=1e-12)


def _nearest(
  x: np.ndarray, rows: np.ndarray, others: np.ndarray, content: np.ndarray
) -> tuple[list[int], list[float]]:
  """Pair by pair, in float64."""
  x = x.astype(np.float64) - x[others].astype(np.float64).mean(axis=0)
  best, distances_ = [], []
  for i in rows:
    found = [
      np.inf
      if content[i] == content[j]
      else 1 - x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j])
      for j in others
    ]
    best.append(int(np.argmin(found)))
    distances_.append(found[best[-1]])
  return best, distances_


@pytest.mark.medium
@pytest.mark.parametrize('block', [1, 4, 7, 21, 1024])
@pytest.mark.parametrize('offset', [0.0, 30.0])
def test_nearest_is_that_of_all_pairs(
  monkeypatch: pytest.MonkeyPatch, block: int, offset: float
) -> None:
  """Also where the last block is short, or ends with the rows."""
  monkeypatch.setattr(distances, '_BLOCK', block)
  rng = np.random.default_rng(0)
  x = rng.normal(size=(60, 8)).astype(np.float32) + np.float32(offset)
  rows = rng.permutation(60)[:21]
  others = rng.permutation(60)[:28]  # Some are asked about as well.
  assert set(rows) & set(others)
  apart, _ = _nearest(x, rows, others, np.arange(60))
  # Every other row has the content of what would be the nearest to it.
  content = np.arange(60)
  for i, nearest in zip(rows[::2], apart[::2]):
    content[content == content[i]] = content[others[nearest]]
  want, distance = _nearest(x, rows, others, content)
  got, found = nearest_by_cosine(jnp.asarray(x), rows, others, content)
  np.testing.assert_array_equal(got, want)
  np.testing.assert_allclose(found, distance, atol=1e-5)
  assert np.sum(np.not_equal(want, apart)) >= 10


@pytest.mark.medium
def test_the_first_of_equally_near_ones_counts(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(distances, '_BLOCK', 2)
  x = jnp.array([[1.0, 0], [0, 2.0], [3.0, 0], [0, 1.0], [5.0, 0], [-9.0, -3]])
  rows, others = np.array([0]), np.arange(1, 6)
  # Their mean is the origin but for rounding: 2 and 4 point the same way.
  x = x - x[others].mean(axis=0)[None]
  best, distance = nearest_by_cosine(x, rows, others, np.arange(6))
  want, exact = _nearest(np.asarray(x), rows, others, np.arange(6))
  assert best.tolist() == want
  np.testing.assert_allclose(distance, exact, atol=1e-6)


def test_progress_of_near_duplicates_ends_at_all_pairs(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  told = []

  class Told(progress.Progress):
    def __init__(self, what: str, total: int, unit: str):
      told.append(total)
      super().__init__(what, total, unit)

    def update(self, number: int) -> None:
      told.append(number)

  monkeypatch.setattr(distances, 'Progress', Told)
  monkeypatch.setattr(distances, '_BLOCK', 4)
  x = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
  nearest_by_cosine(x, np.arange(6), np.arange(6, 16), np.arange(16))
  assert told[0] == 6 * 10 == sum(told[1:])


def test_nothing_of_other_content_is_infinitely_far() -> None:
  x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)
  content = np.array([7, 7, 7, 7, 1])
  _, distance = nearest_by_cosine(
    x, np.array([0, 4]), np.array([1, 2, 3]), content
  )
  assert distance[0] == np.inf and np.isfinite(distance[1])


def test_copies_are_at_no_distance() -> None:
  x = np.random.default_rng(0).normal(size=(200, 30)).astype(np.float32)
  twice = jnp.asarray(np.concatenate([x, x]))
  best, distance = nearest_by_cosine(
    twice, np.arange(200), np.arange(200, 400), np.arange(400)
  )
  np.testing.assert_array_equal(best, np.arange(200))
  # Not below zero, where rounding would put half of them.
  assert distance.min() >= 0 and distance.max() < 1e-6


def test_a_row_at_the_centre_has_no_direction() -> None:
  x = jnp.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
  _, distance = nearest_by_cosine(
    x, np.array([0]), np.array([1, 2]), np.arange(3)
  )
  assert distance.tolist() == [1.0]


def _closest(x: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
  """Pair by pair."""
  apart = distance.cdist(x, x)
  result = np.full((k, k), np.nan)
  for a in range(k):
    for b in range(k):
      found = apart[np.ix_(labels == a, labels == b)]
      if found.size:
        result[a, b] = found.min()
  return result


@pytest.mark.medium
@pytest.mark.parametrize('chunk', [1, 70, 500, 2**17])
@pytest.mark.parametrize('offset', [0, 1e4])
def test_closest_points_are_those_of_all_pairs(
  monkeypatch: pytest.MonkeyPatch, chunk: int, offset: float
) -> None:
  """Also where a cluster is empty, and with rows in no cluster."""
  monkeypatch.setattr(distances, '_CHUNK', chunk)
  rng = np.random.default_rng(0)
  x = rng.normal(size=(67, 5)) + offset
  labels = rng.integers(-1, 4, size=(3, 67))
  labels[1, labels[1] == 2] = 3
  got = distances.closest_point_distances(x, labels, 4)
  assert got.dtype == np.float64 and got.shape == (3, 4, 4)
  want = np.array([_closest(x, own, 4) for own in labels])
  assert np.isnan(want[1, 2]).all() and not np.isnan(want[[0, 2]]).any()
  np.testing.assert_allclose(got, want, rtol=1e-13)
  np.testing.assert_array_equal(
    distances.closest_point_distances(x, labels[0], 4), got[0]
  )


def test_closest_points_by_hand() -> None:
  x = np.array([[0, 0], [3, 4], [3, 3], [-1, 0]])
  np.testing.assert_allclose(
    distances.closest_point_distances(x, np.array([0, 1, 0, 2]), 3),
    [[0, 1, 1], [1, 0, 32**0.5], [1, 32**0.5, 0]],
  )


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_to_centroid_is_by_cluster(dtype: type) -> None:
  rng = np.random.default_rng(1)
  x = rng.normal(size=(50, 4)).astype(dtype)
  centers = rng.normal(size=(3, 4, 4)).astype(dtype)
  labels = rng.integers(-1, 4, size=(3, 50))
  labels[1, labels[1] == 2] = 3
  labels[2, labels[2] == 0] = 1
  labels[2, 7] = 0  # One member.
  got = distances.to_centroid(x, centers, labels)
  exact = x.astype(np.float64)
  for r in range(3):
    one = distances.to_centroid(x, centers[r], labels[r])
    for i in range(4):
      members = exact[labels[r] == i]
      apart = np.linalg.norm(members - centers[r, i].astype(np.float64), axis=1)
      want = [np.nan] * 4
      if len(apart):
        want = [apart.min(), apart.max(), apart.mean(), np.std(apart)]
      for summary, same, value in zip(got, one, want):
        assert summary.dtype == np.float64
        np.testing.assert_allclose(summary[r, i], value, rtol=1e-12)
        np.testing.assert_array_equal(summary[r, i], same[i])
  assert np.isnan(got.mean[1, 2]) and got.std[2, 0] == 0


def test_to_centroid_by_hand() -> None:
  x = np.array([[3.0, 4], [0, 1], [7, 7]])
  got = distances.to_centroid(x, np.zeros((1, 2)), np.array([0, 0, -1]))
  assert [float(summary[0]) for summary in got] == [1, 5, 3, 2]


def test_what_is_compared_with_nothing_has_a_position_all_the_same() -> None:
  x, rows, content = np.eye(3, dtype=np.float32), np.arange(3), np.zeros(3, int)
  got = distances.nearest_by_cosine(x, rows, rows[:1], content)
  np.testing.assert_array_equal(got, ([0] * 3, [np.inf] * 3))


def test_cosine_distances_are_from_0_to_2() -> None:
  """Where the last bits of the cosines are beyond 1, too."""
  x = np.random.default_rng(0).normal(size=(200, 7)).astype(np.float32)
  near, far = (
    np.asarray(distances.cosine_distances(x, b, np.zeros_like(x[0])))
    for b in (x, -x)
  )
  assert near.min() >= 0 and far.max() <= 2
  np.testing.assert_allclose(np.diag(near), 0, atol=1e-6)
  np.testing.assert_allclose(np.diag(far), 2, atol=1e-6)


def test_the_mean_of_many_others_is_read_in_blocks(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  x = np.random.default_rng(0).normal(3, 1, (40, 5)).astype(np.float32)
  args = x, np.arange(9), np.arange(9, 40), np.arange(40)
  nearest, distance = distances.nearest_by_cosine(*args)
  monkeypatch.setattr(row_blocks, '_WHOLE', 31 * 5 - 1)
  got = distances.nearest_by_cosine(*args)
  np.testing.assert_array_equal(got[0], nearest)
  np.testing.assert_allclose(got[1], distance, atol=1e-6)


def test_random_pairs_are_any_two_members(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(distances, 'MOST_OF_ALL_PAIRS', 1)
  x = np.array([[0, 0], [3, 4], [3, 0]])
  assert distances.intra_cluster(x[:2]) == pytest.approx((5, 0))
  # Up to the number that is allowed, each pair counts once.
  monkeypatch.setattr(distances, 'MOST_OF_ALL_PAIRS', 3)
  assert distances.intra_cluster(x) == pytest.approx((4, 0))
  assert distances.asked(3) is None


def test_a_single_row_may_be_more_than_a_chunk(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(distances, '_CHUNK', 2)
  x, labels = np.array([[0.0], [1], [5], [9]]), np.array([0, 0, 1, 1])
  got = distances.closest_point_distances(x, labels, 2)
  np.testing.assert_array_equal(got, [[0, 4], [4, 0]])


def test_coinciding_centroids() -> None:
  rng = np.random.default_rng(0)
  x = rng.normal(size=(200, 4))
  labels = rng.integers(0, 3, (2, 200))
  # Of a cloud of radius 2, two centroids 0.01 and 0.1 apart.
  centers = np.zeros((2, 4, 4))
  centers[0, 1, 0], centers[1, 1, 0] = 0.01, 0.1
  centers[:, 2, 1], centers[:, 3, 1] = 3, -3
  got = distances.coinciding(x, centers, labels)
  assert got.shape == (2, 4, 4)
  assert np.argwhere(got).tolist() == [[0, 0, 1], [0, 1, 0]]
  np.testing.assert_array_equal(
    distances.coinciding(x, centers[1], labels[1]), got[1]
  )
  # The scale of the data is none of the matter, nor is that there is none.
  np.testing.assert_array_equal(
    distances.coinciding(1e-6 * x, 1e-6 * centers, labels), got
  )
  points = np.eye(4)[[0, 1]]
  got = distances.coinciding(points, np.eye(4)[[0, 1, 1]], np.array([0, 2]))
  assert np.argwhere(got).tolist() == [[1, 2], [2, 1]]


@pytest.mark.parametrize('apart', [1, 0.99])
def test_a_hundredth_of_what_samples_are_off_is_a_gap(apart: float) -> None:
  centers = np.array([[0], [apart]])
  x, labels = centers[[0, 0, 1, 1]] + [[100], [-100]] * 2, np.arange(4) // 2
  got = distances.coinciding(x, centers, labels)
  np.testing.assert_array_equal(got, np.eye(2)[::-1] * (apart < 1))


@pytest.mark.medium
def test_closest_points_of_some_are_upper_limits(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """Of clusters without any of the samples that were drawn, too."""
  numbers = np.random.default_rng(0)
  x = numbers.normal(size=(500, 2))
  labels = np.stack([numbers.integers(3, size=500), np.zeros(500, int)])
  labels[1, :2] = 1, 2
  of_all = distances.closest_point_distances(x, labels, 4)
  monkeypatch.setattr(distances, 'MOST_OF_ALL_PAIRS', 499)
  monkeypatch.setattr(distances, 'ASKED', 60)
  got = distances.closest_point_distances(x, labels, 4)
  # Few members are all asked about.
  np.testing.assert_array_equal(got[1], of_all[1])
  assert np.array_equal(np.isnan(got), np.isnan(of_all))
  known = ~np.isnan(got)
  assert (got[known] >= of_all[known]).all() and (got[0] > of_all[0]).any()
  asked = distances.asked(500)
  few = [np.flatnonzero(labels[0] == c)[:16] for c in range(3)]
  some = np.union1d(asked, np.concatenate([*few, [0, 1], np.arange(2, 18)]))
  own = labels[0]
  for a, b in itertools.permutations(range(3), 2):
    to = distance.cdist(x[own == a], x[own == b])
    both = np.isin(np.flatnonzero(own == a), some)[:, None] | np.isin(
      np.flatnonzero(own == b), some
    )
    np.testing.assert_allclose(got[0, a, b], to[both].min(), rtol=1e-12)


def test_centroids_that_are_one_are_found_block_by_block(monkeypatch) -> None:
  rng = np.random.default_rng(0)
  x = rng.standard_normal((50, 3)).astype(np.float32)
  centers = np.repeat(x[None, :4], 3, axis=0).astype(np.float64)
  centers[1, 2] = centers[1, 0] + 1e-3
  labels = rng.integers(4, size=(3, 50))
  whole = distances.coinciding(x, centers, labels)
  assert np.argwhere(whole).tolist() == [[1, 0, 2], [1, 2, 0]]
  monkeypatch.setattr(row_blocks, '_NUMBERS', 8 * 9 * 7)  # Seven rows.
  np.testing.assert_array_equal(distances.coinciding(x, centers, labels), whole)


def test_one_centroid_is_no_other() -> None:
  x, center = np.eye(3), np.full((1, 3), 1 / 3)
  assert not distances.coinciding(x, center, np.zeros(3, int)).any()


def test_the_sum_of_one_feature_may_be_too_large() -> None:
  rows = np.array([[3e38, 1], [2e38, 3]], np.float32)
  np.testing.assert_allclose(distances.mean_of(rows), [2.5e38, 2], rtol=1e-6)

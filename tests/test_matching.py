"""Matching of clusters, against all permutations and against sets."""

import itertools

import numpy as np
import pytest
from sklearn import metrics

from heterojax.cluster import matching


def _best(reference: np.ndarray, labels: np.ndarray, k: int) -> int:
  """Most samples that can have the same number, by trying all numberings."""
  return max(
    int(np.sum(np.array(new)[labels] == reference))
    for new in itertools.permutations(range(k))
  )


def _noisy(
  rng: np.random.Generator, truth: np.ndarray, k: int, share: float
) -> np.ndarray:
  """Labels that differ in a share of samples, with numbers of their own."""
  wrong = rng.random(len(truth)) < share
  labels = np.where(wrong, rng.integers(k, size=len(truth)), truth)
  return rng.permutation(k)[labels]


@pytest.mark.parametrize('seed', range(20))
def test_match_is_the_best_of_all_numberings(seed: int) -> None:
  rng = np.random.default_rng(seed)
  k, n = int(rng.integers(1, 6)), int(rng.integers(3, 40))
  reference = rng.integers(k, size=n)
  labels = _noisy(rng, reference, k, rng.random())
  new = matching.match(reference, labels, k)
  assert sorted(new) == list(range(k))
  assert np.sum(new[labels] == reference) == _best(reference, labels, k)


def test_match_beats_the_greedy_choice() -> None:
  # 0 shares 5 with 0, the most; but 0 with 1 and 1 with 0 share 4 + 4.
  labels = np.repeat([0, 0, 1], [5, 4, 4])
  reference = np.repeat([0, 1, 0], [5, 4, 4])
  assert matching.match(reference, labels, 2).tolist() == [1, 0]


def test_match_with_a_cluster_that_is_empty() -> None:
  new = matching.match(np.array([2, 2, 0, 0]), np.array([0, 0, 1, 1]), 3)
  assert new.tolist() == [2, 0, 1]


@pytest.mark.parametrize('seed', range(10))
def test_equal_trainings_get_equal_numbers(seed: int) -> None:
  rng = np.random.default_rng(seed)
  truth = rng.integers(4, size=50)
  labels = np.array([_noisy(rng, truth, 4, 0) for _ in range(10)])
  metric = rng.random(4)  # Of the clusters by their common names.
  own = np.empty((10, 4))
  for training, row in zip(labels, own):
    row[training] = metric[truth]
  for given in (None, own):
    new = matching.align_trainings(labels, 4, given)
    aligned = np.take_along_axis(new, labels, axis=1)
    # The first of equals keeps its numbers.
    np.testing.assert_array_equal(aligned, np.tile(labels[0], (10, 1)))


@pytest.mark.parametrize('seed', range(10))
def test_each_training_is_matched_with_the_one_that_agrees_most(
  seed: int,
) -> None:
  rng = np.random.default_rng(seed)
  truth = rng.integers(3, size=30)
  shares = rng.permutation([0.0, 0.3, 0.4, 0.5, 0.9])
  labels = np.array([_noisy(rng, truth, 3, share) for share in shares])
  agreement = [sum(_best(a, b, 3) for b in labels) for a in labels]
  reference = labels[int(np.argmax(agreement))]
  new = matching.align_trainings(labels, 3)
  for own, row in zip(new, labels):
    assert sorted(own) == [0, 1, 2]
    assert np.sum(own[row] == reference) == _best(reference, row, 3)
  # The one that is matched with is not simply the first.
  assert np.argmax(agreement) == np.argmin(shares)


def test_numbers_of_a_training_do_not_matter() -> None:
  rng = np.random.default_rng(5)
  truth = rng.integers(4, size=80)
  labels = np.array([_noisy(rng, truth, 4, 0.2) for _ in range(6)])
  metric = rng.random((6, 4))
  for given in (None, metric):
    before = matching.align_trainings(labels, 4, given)
    aligned = np.take_along_axis(before, labels, axis=1)
    shuffles = np.array([rng.permutation(4) for _ in range(6)])
    again = np.take_along_axis(shuffles, labels, axis=1)
    moved = None
    if given is not None:
      moved = np.empty_like(given)
      np.put_along_axis(moved, shuffles, given, axis=1)
    after = matching.align_trainings(again, 4, moved)
    realigned = np.take_along_axis(after, again, axis=1)
    # But for the names of the reference's own clusters.
    for a, b in itertools.product(range(6), repeat=2):
      np.testing.assert_array_equal(
        aligned[a] == aligned[b], realigned[a] == realigned[b]
      )


def test_the_metric_decides_where_members_do_not() -> None:
  # Each cluster of the second training has half of each of the first.
  labels = np.array([[0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1]])
  accuracy = np.array([[0.9, 0.6], [0.6, 0.9]])
  new = matching.align_trainings(labels, 2, accuracy)
  assert new.tolist() == [[0, 1], [1, 0]]
  assert (
    matching.align_trainings(labels, 2, accuracy[:, :1] + [0, 0]).tolist()
    == matching.align_trainings(labels, 2).tolist()
  )


def test_members_and_metric_count_the_same() -> None:
  # Kept, the members have Jaccard 6/10 and 6/10; swapped 2/14 and 2/14.
  labels = np.array([[0] * 8 + [1] * 8, [0] * 6 + [1] * 2 + [1] * 6 + [0] * 2])

  def new(difference: float) -> list[int]:
    # The largest difference of all, which 1 is, is between two other clusters.
    a = np.array([0, 1, 0.5, 0.5 - difference])
    b = np.array([0, 1, 0.5 - difference, 0.5])
    more = np.concatenate([labels + 2, np.tile([0, 1], (2, 20))], axis=1)
    found = matching.align_trainings(more, 4, np.array([a, b]) / 10)
    assert found[:, :2].tolist() == [[0, 1], [0, 1]]
    return found[1, 2:].tolist()

  gap = 6 / 10 - 2 / 14
  assert new(gap - 0.01) == [2, 3]
  assert new(gap + 0.01) == [3, 2]


def test_clusters_without_a_metric_are_matched_by_members() -> None:
  rng = np.random.default_rng(2)
  truth = rng.integers(3, size=60)
  labels = np.array([_noisy(rng, truth, 3, 0.1) for _ in range(4)])
  nothing = np.full((4, 3), np.nan)
  want = matching.align_trainings(labels, 3)
  np.testing.assert_array_equal(
    matching.align_trainings(labels, 3, nothing), want
  )
  one = nothing.copy()
  one[0] = 0.5, 0.7, 0.6
  np.testing.assert_array_equal(matching.align_trainings(labels, 3, one), want)


def test_a_cluster_without_a_metric_is_half_close_to_all() -> None:
  # Members do not decide: each cluster has half of each of the other training.
  labels = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])

  def new(a: list[float], b: list[float]) -> list[int]:
    return matching.align_trainings(labels, 2, np.array([a, b]))[1].tolist()

  # The two that have one are alike, which counts more than 1/2.
  assert new([np.nan, 0.9], [0.9, np.nan]) == [1, 0]
  # They differ as far as can be, which counts less.
  assert new([np.nan, 0.9], [0.4, np.nan]) == [0, 1]
  assert new([0.9, np.nan], [np.nan, 0.4]) == [0, 1]
  assert new([np.nan, 0.9], [np.nan, 0.4]) == [1, 0]


def test_adjusted_rand_is_scikit_learns() -> None:
  rng = np.random.default_rng(3)
  for n, k in ((1, 1), (2, 2), (5, 3), (40, 4), (300, 7)):
    truth = rng.integers(k, size=n)
    for share in (0, 0.2, 1):
      labels = np.array([_noisy(rng, truth, k, share) for _ in range(5)])
      want = np.mean([
        metrics.adjusted_rand_score(a, b)
        for a, b in itertools.combinations(labels, 2)
      ])
      got = matching.pairwise_adjusted_rand(labels)
      assert got == pytest.approx(want, rel=1e-12, abs=1e-12)
  alone = np.array([[0, 0, 0], [1, 1, 1], [0, 1, 2]])
  assert matching.pairwise_adjusted_rand(alone[:2]) == 1
  assert matching.pairwise_adjusted_rand(alone) == pytest.approx(1 / 3)
  assert matching.pairwise_adjusted_rand(alone[:1]) is None


def _jaccard_by_sets(
  labels: np.ndarray, boot_labels: np.ndarray, weights: np.ndarray, k: int
) -> list[float]:
  result = []
  for i in range(k):
    best = []
    for boot, weight in zip(boot_labels, weights):
      drawn = set(np.flatnonzero(weight > 0))
      own = set(np.flatnonzero(labels == i)) & drawn
      others = [set(np.flatnonzero(boot == j)) & drawn for j in range(k)]
      if own:
        best.append(max(len(own & o) / len(own | o) for o in others))
    result.append(np.mean(best) if best else np.nan)
  return result


@pytest.mark.parametrize('seed', range(10))
def test_bootstrap_jaccard_is_that_of_sets(seed: int) -> None:
  rng = np.random.default_rng(seed)
  n, k = 25, 5
  # Small and missing clusters, which some bootstraps do not draw.
  labels = rng.choice(k, size=n, p=[0.5, 0.3, 0.15, 0.05, 0])
  boot_labels = np.array([_noisy(rng, labels, k, 0.3) for _ in range(12)])
  weights = rng.multinomial(n, np.full(n, 1 / n), size=12)
  got = matching.bootstrap_jaccard(labels, boot_labels, weights, k)
  assert got.dtype == np.float64 and np.isnan(got[4])
  np.testing.assert_allclose(
    got, _jaccard_by_sets(labels, boot_labels, weights, k), rtol=1e-12
  )


def test_bootstrap_jaccard_by_hand() -> None:
  labels = np.array([0, 0, 0, 0, 1, 1])
  boot_labels = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1]])
  weights = np.array([[3, 0, 1, 1, 1, 0], [1, 2, 2, 1, 0, 0]])
  # First: {0, 2, 3} with {0, 2} is 2/3, {4} with {3, 4} is 1/2; the second
  # draws no member of cluster 1.
  np.testing.assert_allclose(
    matching.bootstrap_jaccard(labels, boot_labels, weights, 2),
    [(2 / 3 + 1) / 2, 1 / 2],
  )

"""Whether a cluster teaches less than sets like it: draws and their ranks."""

import collections
import itertools

import jax
import numpy as np
import pytest
from scipy import stats

from heterojax import rng
from heterojax.rng import Purpose
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import teaches_less
from heterojax.verdict import worlds

KEY = jax.random.key(0)


def _clusters(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
  generator = np.random.default_rng(0)
  return generator.integers(3, size=n), generator.integers(2, size=n)


def _composition(labels: np.ndarray, y: np.ndarray) -> list[int]:
  return np.bincount(labels * 2 + y, minlength=6).tolist()


def test_sets_have_the_sizes_and_classes_of_their_clusters() -> None:
  labels, y = _clusters()
  drawn = teaches_less.partitions(labels, y, KEY, 50)
  assert drawn.shape == (50, 60) and drawn.dtype == labels.dtype
  assert all(_composition(d, y) == _composition(labels, y) for d in drawn)
  assert len({tuple(d) for d in drawn.tolist()}) == 50
  # Names, chunks and the number of draws change no set.
  names = np.array([2, 0, 1])
  renamed = teaches_less.partitions(names[labels], y, KEY, 50)
  assert np.array_equal(renamed, names[drawn])
  assert np.array_equal(teaches_less.partitions(labels, y, KEY, 9), drawn[:9])
  other = teaches_less.partitions(labels, y, jax.random.key(1), 50)
  assert not np.array_equal(other, drawn)


def test_all_partitions_are_drawn_alike() -> None:
  labels, y = np.array([0, 0, 1, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1])
  drawn = teaches_less.partitions(labels, y, KEY, 3600)
  every = {
    a + b
    for a in itertools.permutations((0, 0, 1))
    for b in itertools.permutations((0, 1, 2))
  }
  got = collections.Counter(map(tuple, drawn.tolist()))
  assert got.keys() == every and len(every) == 18
  assert stats.chisquare(list(got.values())).pvalue > 0.001


def test_patients_change_clusters_as_a_whole(monkeypatch) -> None:
  labels, y = _clusters()
  groups = np.repeat(np.arange(20), 3)
  drawn = teaches_less.partitions(labels, y, KEY, 40, groups)
  assert all(_composition(d, y) == _composition(labels, y) for d in drawn)

  def patients(d: np.ndarray) -> collections.Counter:
    """What the clusters of each patient's images of each class are."""
    return collections.Counter(
      tuple(tuple(sorted(d[(groups == g) & (y == c)].tolist())) for c in (0, 1))
      for g in range(20)
    )

  assert all(patients(d) == patients(labels) for d in drawn)
  monkeypatch.setattr(exchanges, '_CHUNK', 100)
  again = teaches_less.partitions(labels, y, KEY, 40, groups)
  assert np.array_equal(again, drawn)


def test_a_patient_like_no_other_keeps_its_cluster() -> None:
  labels = np.array([0, 0, 1, 1, 2, 2])
  groups = np.array([0, 0, 0, 1, 2, 3])
  drawn = teaches_less.partitions(labels, np.zeros(6), KEY, 30, groups)
  assert all(sorted(row[:3]) == [0, 0, 1] for row in drawn.tolist())
  assert len({tuple(row) for row in drawn[:, 3:].tolist()}) == 3


def test_statistic_and_p_values_by_hand() -> None:
  observed = np.array([0.5, 0.9])
  null = np.array([[0.7, 0.7], [0.9, 0.5], [0.7, 0.7]])
  # Columns have mean .7 and deviation .2 / sqrt 2: z is sqrt 2 and -sqrt 2.
  got = teaches_less.test(observed, null)
  assert got.statistic == pytest.approx(2)
  assert got.null == pytest.approx([0, 2, 0])
  assert got.p_value == 2 / 4
  # The largest of row 2 is as large; alone the second column is never less.
  assert got.adjusted.tolist() == [2 / 4, 4 / 4]
  assert got.effect == pytest.approx([0.8 - 0.5 - 0.1 / 3, 0.6 - 0.9 + 0.1 / 3])
  assert got.interval[0] == pytest.approx(
    np.percentile(null[:, 0], [2.5, 97.5]) - 0.5
  )
  assert (got.unit, got.stays, got.why) == ('image', 0, '')


def test_each_row_as_the_observed_one_has_each_rank() -> None:
  # What makes the test exact: rows are treated alike, ties included.
  rows = np.round(np.random.default_rng(0).normal(0.7, 0.1, (40, 4)), 1)
  tests = [
    teaches_less.test(rows[i], np.delete(rows, i, axis=0)) for i in range(40)
  ]
  for alpha in np.arange(1, 41) / 40:
    assert sum(t.p_value <= alpha for t in tests) <= 40 * alpha + 1e-9
    least = [t.adjusted.min() for t in tests]
    assert sum(p <= alpha for p in least) <= 40 * alpha + 1e-9


def test_names_of_clusters_change_no_bit() -> None:
  rows = np.random.default_rng(0).normal(0.7, 0.1, (30, 5))
  names = np.array([3, 1, 4, 0, 2])
  one = teaches_less.test(rows[0], rows[1:])
  other = teaches_less.test(rows[0, names], rows[1:, names])
  assert (one.statistic, one.p_value) == (other.statistic, other.p_value)
  assert np.array_equal(one.null, other.null)
  assert np.array_equal(one.adjusted[names], other.adjusted)


def test_a_cluster_without_a_head_is_left_out() -> None:
  rows = np.random.default_rng(0).normal(0.7, 0.1, (30, 3))
  two = teaches_less.test(rows[0, :2], rows[1:, :2])
  rows[:, 2] = np.nan
  three = teaches_less.test(rows[0], rows[1:])
  assert three.p_value == two.p_value
  assert np.isnan(three.adjusted[2]) and np.isnan(three.effect[2])
  assert np.array_equal(three.adjusted[:2], two.adjusted)


@pytest.mark.parametrize(
  'observed, why',
  [
    ([np.nan, np.nan], 'no heads'),
    ([0.5, 0.5], 'no draw differs from its cluster'),
  ],
)
def test_without_a_p_value_there_is_a_reason(observed: list, why: str) -> None:
  got = teaches_less.test(np.array(observed), np.tile(observed, (9, 1)))
  assert got.p_value is None and got.why == why
  assert np.isnan(got.adjusted).all() and not len(got.null)


@pytest.mark.parametrize(
  'observed, null, why',
  [
    ([0.5], [[0.5, 0.5]], 'null is'),
    ([0.5], np.zeros((0, 1)), 'null is'),
    ([0.5], [[np.nan]], 'a draw lacks'),
  ],
)
def test_mistakes_are_told(observed: list, null: list, why: str) -> None:
  with pytest.raises(ValueError, match=why):
    teaches_less.test(np.array(observed), np.array(null))
  with pytest.raises(ValueError, match='rows beside'):
    teaches_less.partitions(np.zeros(3, int), np.zeros(2), KEY)


def _accuracies(
  train: worlds.World, test: worlds.World, sets: np.ndarray, k: int
) -> np.ndarray:
  """`[B, K]` of heads that are differences of class means."""
  member = np.eye(k)[sets]  # [B, N, K]
  means = [
    np.einsum('bnk,nd->bkd', member * (train.y == c)[:, np.newaxis], train.x)
    / np.sum(member * (train.y == c)[:, np.newaxis], axis=1)[..., np.newaxis]
    for c in (0, 1)
  ]
  w = means[1] - means[0]
  middle = np.sum(w * (means[0] + means[1]), axis=-1) / 2
  says = w @ test.x.T > middle[..., np.newaxis]
  return np.mean(says == test.y, axis=-1)


def _p_values(sets: int, spoilt: float) -> np.ndarray:
  """With random cluster ids; a share of the labels of cluster 0 is reversed."""
  found = []
  for i in range(sets):
    world = worlds.one_cloud(worlds.key(0, 'one_cloud', i), 360, 8)
    train = worlds.World(*(part[:160] for part in world))
    test = worlds.World(*(part[160:] for part in world))
    labels = np.random.default_rng(i).integers(4, size=160)
    wrong = (labels == 0) & (np.random.default_rng(i).random(160) < spoilt)
    train = train._replace(y=np.where(wrong, 1 - train.y, train.y))
    key = rng.key(0, Purpose.PERMUTATION, i)
    draws = teaches_less.partitions(labels, train.y, key, 39)
    null = _accuracies(train, test, draws, 4)
    observed = _accuracies(train, test, labels[np.newaxis], 4)[0]
    got = teaches_less.test(observed, null)
    found.append((got.p_value, got.adjusted[0], got.adjusted.min()))
  return np.array(found)


@pytest.mark.medium
def test_size_with_random_clusters() -> None:
  p = _p_values(100, 0.0)
  limit = 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(p))
  assert np.mean(p[:, 0] <= 0.05) < limit
  assert np.mean(p[:, 2] <= 0.05) < limit


@pytest.mark.medium
def test_power_where_a_cluster_is_spoilt() -> None:
  p = _p_values(40, 0.8)
  assert np.mean(p[:, 1] <= 0.05) > 0.9


@pytest.mark.slow
def test_size_with_random_clusters_in_many_sets() -> None:
  p = _p_values(1000, 0.0)
  for level in (0.05, 0.2, 0.5):
    error = np.sqrt(level * (1 - level) / len(p))
    assert abs(np.mean(p[:, 0] <= level) - level) < 3 * error
    # Accuracies are tied, which only makes it less.
    assert np.mean(p[:, 2] <= level) < level + 3 * error

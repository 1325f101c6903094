"""Exchanges of units and the sums that they leave, against every permutation,
the multivariate hypergeometric distribution and shifts by hand.
"""

import collections
from collections.abc import Iterator
import itertools

import jax
import numpy as np
import pytest
from scipy import stats

from heterojax import rng
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import sums


def _key() -> jax.Array:
  return jax.random.key(0)


def allowed(
  strata: np.ndarray, groups: np.ndarray
) -> Iterator[tuple[int, ...]]:
  """All orders that keep strata and move patients as a whole."""
  n = len(strata)
  pairs = list(itertools.combinations(range(n), 2))
  for order in itertools.permutations(range(n)):
    if all(strata[a] == strata[b] for a, b in enumerate(order)) and all(
      (groups[a] == groups[b]) == (groups[order[a]] == groups[order[b]])
      for a, b in pairs
    ):
      yield order


def _sums(
  values: list | np.ndarray,
  labels: list | np.ndarray,
  strata: list | np.ndarray,
  groups: list | np.ndarray | None = None,
  draws: int = 9999,
  key: jax.Array | None = None,
) -> np.ndarray:
  values, strata = np.asarray(values), np.asarray(strata)
  labels = np.atleast_2d(labels)
  images = sums.Images(values, labels, int(labels.max()) + 1)
  exchange = exchanges.exchange(strata, groups)
  key = _key() if key is None else key
  return sums.sums(images, strata, exchange, key, draws)


def _many(rows: np.ndarray) -> collections.Counter:
  return collections.Counter(map(tuple, np.round(rows, 9).tolist()))


def test_equal_rows_are_together_in_their_order() -> None:
  rows = np.array([[1, 0], [0, 1], [1, 0], [0, 2], [0, 1]])
  assert [run.tolist() for run in exchanges.runs(rows)] == [[1, 4], [3], [0, 2]]


def test_patients() -> None:
  found = exchanges.patients(np.array(['b', '', 'a', 'b', '', 'c']))
  assert found is not None and found[0] == found[3]
  # Unknown patients are not one patient.
  assert len(set(found.tolist())) == 5
  for names in (['a', 'b', ''], ['', ''], ['a']):
    assert exchanges.patients(np.array(names)) is None


_SMALL = {
  # Values, clusters, strata, patients; at most 8 images.
  'images': ([0, 1, 1, 0, 0, 1], [0, 0, 1, 1, 2, 2], [0] * 6, range(6)),
  'strata': (
    [0, 1, 1, 0, 0, 1, 1],
    [0, 1, 1, 0, 2, 2, 0],
    [0, 1, 0, 1, 0, 1, 0],
    range(7),
  ),
  'pairs': (
    [0, 1, 1, 1, 0, 0, 1],
    [0, 1, 1, 0, 2, 2, 0],
    [0] * 7,
    [5, 5, 8, 8, 2, 2, 3],
  ),
  'patients of both classes': (
    [0, 1, 1, 0, 0, 0, 1, 1],
    [0, 1, 1, 0, 2, 2, 0, 1],
    [0, 0, 1, 0, 0, 1, 0, 1],
    [0, 0, 0, 1, 1, 1, 2, 2],
  ),
  'three values': (
    [0.5, 0.0, 1.0, 0.0, 1.0, 0.0],
    [0, 0, 1, 1, 2, 2],
    [0] * 6,
    range(6),
  ),
  'real': (
    [0.5, 1.0, 2.0, 0.5, 0.0, 3.0],
    [0, 1, 1, 0, 2, 2],
    [0, 0, 0, 0, 1, 1],
    [0, 0, 1, 1, 2, 3],
  ),
}


def _every(name: str) -> tuple[tuple, collections.Counter]:
  """The data, and how often each vector of sums is in all permutations."""
  values, labels, strata, groups = map(np.asarray, _SMALL[name])
  member = np.eye(labels.max() + 1)[labels]
  rows = np.array([
    values[list(order)] @ member for order in allowed(strata, groups)
  ])
  return (values, labels, strata, groups), _many(rows)


@pytest.mark.parametrize('name', _SMALL)
def test_all_arrangements_are_all_permutations(name: str) -> None:
  data, every = _every(name)
  rows = _sums(*data)
  got = _many(rows)
  assert got.keys() == every.keys()
  # An arrangement is that of equally many permutations.
  assert {every[k] / got[k] for k in got} == {sum(every.values()) / len(rows)}
  values, labels = data[:2]
  np.testing.assert_allclose(rows[0], np.bincount(labels, values), atol=1e-12)


@pytest.mark.parametrize('name', _SMALL)
def test_draws_are_uniform_over_all_permutations(
  name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.setattr(sums, '_LISTED', 1)
  data, every = _every(name)
  draws = 5000
  got = _many(_sums(*data, draws=draws)[1:])
  assert got.keys() <= every.keys()
  share = draws / sum(every.values())
  p_value = stats.chisquare(
    [got[k] for k in every], [every[k] * share for k in every]
  ).pvalue
  assert p_value > 0.001


def test_counts_are_multivariate_hypergeometric() -> None:
  labels = np.repeat([0, 1, 2], [30, 8, 12])
  values = (np.arange(50) % 9 == 0).astype(int)
  rows = _sums(values, labels, np.zeros(50, int), draws=5000)[1:]
  assert len(rows) == 5000
  law = stats.multivariate_hypergeom([30, 8, 12], values.sum())
  tables, seen = np.unique(rows, axis=0, return_counts=True)
  expected = law.pmf(tables) * 5000
  rare = expected < 5
  observed = np.append(seen[~rare], seen[rare].sum())
  expected = np.append(expected[~rare], 5000 - expected[~rare].sum())
  assert stats.chisquare(observed, expected).pvalue > 0.001
  np.testing.assert_allclose(rows.mean(axis=0), law.mean(), atol=0.06)
  np.testing.assert_allclose(np.cov(rows.T), law.cov(), atol=0.08)


def test_counts_are_those_of_moving_images_one_by_one(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  # Two clusterings and three strata: sums of both under the same exchange.
  generator = np.random.default_rng(0)
  n, draws = 120, 3000
  labels = np.stack([
    generator.integers(3, size=n),
    generator.integers(3, 5, n),
  ])
  strata = generator.integers(3, size=n)
  values = (generator.random(n) < 0.2).astype(int)
  # However few images there are for each of the six cells.
  monkeypatch.setattr(sums, '_PER_CELL', 1)
  counted = _sums(values, labels, strata, draws=draws)
  monkeypatch.setattr(sums, '_CELLS', 0)
  shuffled = _sums(values, labels, strata, draws=draws)
  assert np.array_equal(counted[0], shuffled[0])
  one, other = counted[1:], shuffled[1:]
  assert not np.array_equal(one, other)
  error = np.std(one, axis=0) * np.sqrt(2 / draws)
  assert np.all(np.abs(one.mean(axis=0) - other.mean(axis=0)) < 4 * error)
  covariance = np.cov(one.T)
  np.testing.assert_allclose(covariance, np.cov(other.T), atol=0.5)
  for a, b in zip(one.T, other.T):
    assert stats.ks_2samp(a, b).pvalue > 0.001


@pytest.mark.parametrize('whole', [True, False])
@pytest.mark.parametrize('circles', [1, 2])
def test_rotations_are_shifts_of_circles(
  circles: int, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.setattr(sums, '_SHUFFLED', 0)
  monkeypatch.setattr(sums, '_CIRCLE', 10 // circles)
  monkeypatch.setattr(sums, '_CELLS', 0)
  generator = np.random.default_rng(1)
  units, n = 11, 33
  strata = np.tile([0, 1, 1], units)
  groups = np.repeat(np.arange(units), 3)
  labels = generator.integers(3, size=n)
  values = generator.random(n)
  values = (values < 0.4).astype(int) if whole else values
  rows = _sums(values, labels, strata, groups, draws=200)
  order = rng.from_key(_key(), 0, 0)
  placed = np.arange(n).reshape(units, 3)[order.permutation(units)]
  split = [placed] if circles == 1 else [placed[:6], placed[6:]]
  parts = [
    [order.permuted(circle[:, p], axis=1) for p in ([0], [1, 2])]
    for circle in split
  ]
  most = np.concatenate([(len(circle), 1, 2) for circle in split])
  shifts = rng.from_key(_key(), 0, 1).integers(0, most, (200, len(most)))
  for row, shift in zip(rows[1:], shifts.reshape(200, circles, 3)):
    moved = np.empty_like(values)
    for circle, (unit, *inside) in zip(parts, shift):
      for part, turn in zip(circle, inside):
        moved[part] = np.roll(values[part], (unit, turn), axis=(0, 1))
    expected = np.bincount(labels, moved, 3)
    np.testing.assert_allclose(row, expected, atol=0 if whole else 1e-12)


def test_patients_change_places_with_those_of_the_same_composition() -> None:
  strata = np.array([0, 1, 0, 1, 0, 0, 0, 1, 1])
  groups = np.array(['a', 'a', 'b', 'b', 'c', 'c', 'd', 'e', 'f'])
  found = exchanges.exchange(strata, groups)
  assert found.unit == 'patient'
  # The patient of two images of one class, and that of one alone.
  assert found.stays == 2
  assert [b.images.tolist() for b in found.blocks] == [
    [[6]],
    [[7], [8]],
    [[4, 5]],
    [[0, 1], [2, 3]],
  ]
  assert [len(b.parts) for b in found.blocks] == [1, 1, 1, 2]
  alone = exchanges.exchange(strata)
  assert alone.unit == 'image' and alone.stays == 0
  found = exchanges.exchange(np.array([0, 1, 1, 1, 2, 2, 3]))
  assert found.stays == 2 and found.moved == pytest.approx(5 / 7)


@pytest.mark.parametrize('name', ['pairs', 'patients of both classes'])
def test_orbits_are_of_images_that_take_each_others_places(name: str) -> None:
  _, _, strata, groups = map(np.asarray, _SMALL[name])
  orders = np.array(list(allowed(strata, groups)))
  # Image i has place j in some order.
  places = [set(orders[:, i].tolist()) for i in range(len(strata))]
  orbits = exchanges.exchange(strata, groups).orbits
  assert [set(np.flatnonzero(orbits == own)) for own in orbits] == places
  assert set(orbits) == set(range(orbits.max() + 1))


def test_a_patient_whose_parts_are_of_two_folds_keeps_them() -> None:
  found = exchanges.exchange(
    exchanges.strata([0, 0, 0, 0], [1, 2, 1, 2]), np.array([0, 0, 1, 1])
  )
  (block,) = found.blocks
  drawn = np.concatenate(
    list(exchanges.shuffled(block, np.arange(4), _key(), 0, 50))
  )
  assert {tuple(row) for row in drawn.tolist()} == {(0, 1, 2, 3), (2, 3, 0, 1)}


@pytest.mark.parametrize('name', ['pairs', 'patients of both classes', 'real'])
def test_draws_do_not_depend_on_chunks_or_how_many(
  name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.setattr(sums, '_LISTED', 1)
  data = list(map(np.asarray, _SMALL[name]))
  whole = _sums(*data, draws=300)
  for chunk in (1, 40):
    monkeypatch.setattr(exchanges, '_CHUNK', chunk)
    assert np.array_equal(_sums(*data, draws=300), whole)
  assert np.array_equal(_sums(*data, draws=120), whole[:121])
  assert not np.array_equal(
    _sums(*data, draws=300, key=jax.random.key(1)), whole
  )


def test_many_arrangements_are_never_listed() -> None:
  # 2,000 images of which one is wrong: few arrangements, and long ones.
  values = (np.arange(2000) == 7).astype(int)
  rows = _sums(values, np.arange(2000) % 2, np.zeros(2000, int), draws=5000)
  assert len(rows) == 2000
  values = np.random.default_rng(0).random(50)
  rows = _sums(values, np.arange(50) % 2, np.zeros(50, int), draws=20)
  assert len(rows) == 21


@pytest.mark.parametrize(
  ('values', 'whole'),
  [
    *(([0.0, 1.0], True), ([0.0, 0.0], True), ([1.0, 1.0], True)),
    *(([1.0, 2.0], False), ([0.0, 0.5], False), ([-1.0, 0.0], False)),
  ],
)
def test_ones_are_whole_numbers(values: list[float], whole: bool) -> None:
  found = sums.exact(np.array(values))
  assert found.dtype == (np.int64 if whole else np.float64)
  assert found.tolist() == values


def test_arrangements_are_listed_where_they_are_no_more_than_draws() -> None:
  """20, of the first six images; of the others all are the same."""
  data = [0, 1] * 3 + [1, 1], [0, 1, 2, 2, 1, 0, 1, 2], [0] * 6 + [1] * 2
  every = _sums(*data, draws=9999)
  assert len(every) == 20
  np.testing.assert_array_equal(_sums(*data, draws=19), every)
  assert len(_sums(*data, draws=18)) == 19
  assert _many(_sums(*data, draws=18)) != _many(every[:19])


def _some() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """24 images of one, in two strata, and 8 of pairs; none of cluster 2 in 1."""
  labels = np.arange(32) % 3
  strata = np.where((np.arange(32) % 2 == 1) & (labels < 2), 1, 0)
  strata[24:] = 0
  groups = np.r_[:24, np.repeat(np.arange(24, 28), 2)]
  values = (np.arange(32) * 5 % 7 < 3).astype(int)
  return values, labels, strata, groups


def test_other_names_of_the_clusters_are_drawn_alike() -> None:
  values, labels, strata, groups = _some()
  first = _sums(values, labels, strata, groups, 50)
  assert len(first) == 51
  for new in map(np.array, ([2, 0, 1], [1, 0, 2], [0, 2, 1])):
    other = _sums(values, new[labels], strata, groups, 50)
    np.testing.assert_array_equal(other[:, new], first)


def test_as_many_images_as_may_be_are_shuffled(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """Those of pairs, and not those that are counted."""
  called = []

  def rotated(block: exchanges.Block, images: sums.Images, *_) -> np.ndarray:
    called.append(len(block.images))
    return np.zeros((50, images.k), int)

  monkeypatch.setattr(sums, '_rotated', rotated)
  for most, want in ((8, []), (7, [4])):
    monkeypatch.setattr(sums, '_SHUFFLED', most)
    _sums(*_some(), 50)
    assert called == want


@pytest.mark.parametrize(
  ('number', 'clusterings', 'cells', 'want'),
  # Of several clusterings 8 images of a cell are enough.
  [
    *((10, 1, 4, True), (31, 2, 4, False), (32, 2, 4, True)),
    *((10, 3, 4, False), (600, 1, 512, True), (600, 1, 513, False)),
  ],
)
def test_what_is_counted(
  number: int, clusterings: int, cells: int, want: bool
) -> None:
  (block,) = exchanges.exchange(np.zeros(number, int)).blocks
  columns = np.zeros((clusterings, number), int)
  values = np.arange(number) % 2
  for dtype in (int, float):
    images = sums.Images(values.astype(dtype), columns, cells)
    found = sums._is_counted(block, images, np.arange(number) % cells)
    assert found == (want and dtype is int)

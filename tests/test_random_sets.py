"""Random sets against counts by hand."""

from collections import Counter
from typing import NamedTuple

import hypothesis
from hypothesis import strategies as st
import jax
import numpy as np
import pytest

from heterojax.heads import logistic
from heterojax.studies.retraining import random_sets
from heterojax.studies.retraining.random_sets import Pool


class _Case(NamedTuple):
  """Originals of patients, with copies, and the rows of a cluster."""

  pool: Pool
  inside: np.ndarray
  key: jax.Array


@st.composite
def _cases(draw: st.DrawFn) -> _Case:
  numbers = np.random.default_rng(draw(st.integers(0, 10**6)))
  m = draw(st.integers(1, 40))
  patient = numbers.integers(0, draw(st.integers(1, m)), m)
  y = numbers.integers(0, 2, m)
  rows = numbers.permutation(np.repeat(np.arange(m), numbers.integers(1, 5, m)))
  inside = numbers.permutation(len(rows))[: draw(st.integers(1, len(rows)))]
  pool = random_sets.pool(rows, patient[rows], y[rows])
  return _Case(pool, inside, jax.random.key(draw(st.integers(0, 99))))


def _originals(case: _Case, rows: np.ndarray) -> set[int]:
  return set(case.pool.original[rows].tolist())


def _profile(case: _Case, rows: np.ndarray, *, mix: bool = False) -> Counter:
  """How often each profile entry is there."""
  counts: dict[int, list[int]] = {}
  for i in _originals(case, rows):
    entry = counts.setdefault(int(case.pool.patient[i]), [0, 0])
    entry[int(case.pool.y[i]) if mix else 0] += 1
  return Counter(map(tuple, counts.values()))


@hypothesis.given(_cases(), st.booleans())
def test_a_set_is_as_large_as_its_cluster(case: _Case, same_mix: bool) -> None:
  rows = random_sets.draw(*case, same_mix=same_mix)
  assert len(set(rows.tolist())) == len(rows)
  drawn, own = _originals(case, rows), _originals(case, case.inside)
  assert len(drawn) == len(own)
  available = np.isin(case.pool.original, list(drawn)).sum()
  assert len(rows) == min(len(case.inside), available)
  if same_mix:
    mix = [sorted(case.pool.y[list(of)]) for of in (drawn, own)]
    assert mix[0] == mix[1]


@hypothesis.given(_cases(), st.booleans())
def test_the_key_alone_decides(case: _Case, same_mix: bool) -> None:
  first, second = (random_sets.draw(*case, same_mix=same_mix) for _ in range(2))
  np.testing.assert_array_equal(first, second)
  # The order of the rows of a cluster is no part of it.
  turned = case._replace(inside=case.inside[::-1])
  again = random_sets.draw(*turned, same_mix=same_mix)
  np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize('same_mix', [False, True])
def test_patients_contribute_as_those_of_the_cluster(same_mix: bool) -> None:
  """30 patients of 6 images of each class: whoever comes, there are enough."""
  original = np.repeat(np.arange(360), 2)
  patient, y = original // 12, original % 2
  # 5, 3 and 1 images; in copies, some of them alone.
  own = [0, 1, 2, 3, 5, 12, 14, 16, 25]
  inside = np.array([2 * i for i in own] + [2 * i + 1 for i in own[:4]])
  case = _Case(random_sets.pool(original, patient, y), inside, None)
  for seed in range(20):
    case = case._replace(key=jax.random.key(seed))
    rows = random_sets.draw(*case, same_mix=same_mix)
    assert len(rows) == len(inside)
    found = _profile(case, rows, mix=same_mix)
    assert found == _profile(case, inside, mix=same_mix)


def test_what_nobody_has_comes_from_others() -> None:
  """One patient of six images; the cluster is hers, the others have one."""
  patient = np.r_[np.zeros(6, int), np.arange(1, 11)]
  pool = random_sets.pool(np.arange(16), patient, np.arange(16) % 2)
  seen = set()
  # Two of six: she alone has as many, so that a set is hers again.
  for seed in range(20):
    rows = random_sets.draw(
      pool, np.array([0, 1]), jax.random.key(seed), same_mix=False
    )
    assert set(patient[rows]) == {0}
    seen.add(tuple(rows))
  assert len(seen) > 5
  # All six and one of another: the largest entry is served first.
  rows = random_sets.draw(
    pool, np.r_[np.arange(6), 8], jax.random.key(0), same_mix=False
  )
  assert Counter(patient[rows])[0] == 6
  # Two patients of two, where one is left who has as many.
  patient = np.array([0, 0, 1, 1, 2, 3, 4])
  y = np.array([0, 0, 1, 1, 0, 1, 1])
  pool = random_sets.pool(np.arange(7), patient, y)
  for seed in range(20):
    rows = random_sets.draw(
      pool, np.arange(5), jax.random.key(seed), same_mix=True
    )
    assert sorted(y[rows]) == [0, 0, 0, 1, 1]


def test_all_patients_are_drawn_alike() -> None:
  """Without copies or patients: each image as often as any other."""
  pool = random_sets.pool(np.arange(20), np.arange(20), np.arange(20) % 2)
  counts = np.zeros(20)
  for seed in range(400):
    key = jax.random.key(seed)
    counts[random_sets.draw(pool, np.arange(5), key, same_mix=False)] += 1
  # Binomial(400, 1/4): six standard deviations.
  assert np.abs(counts - 100).max() < 6 * np.sqrt(400 * 0.25 * 0.75)


def test_an_empty_cluster_has_no_set() -> None:
  pool = random_sets.pool(np.arange(3), np.arange(3), np.arange(3) % 2)
  with pytest.raises(ValueError, match='no rows'):
    random_sets.draw(pool, np.zeros(0, int), jax.random.key(0), same_mix=False)


def _gaps(seed: int) -> list[float]:
  """How much more random heads get right than the heads of halves of a cloud.

  60 images in 20 dimensions, one of which tells the class and another one the
  clusters, with three noisy copies each.

  Returns:
    Of sets with any class mix, with the same one, and of random rows.
  """
  numbers = np.random.default_rng(seed)
  n, copies, test = 60, 3, 2000
  x = numbers.normal(size=(n + test, 20))
  y = (x[:, 1] + numbers.normal(size=n + test) > 0).astype(int)
  original = np.tile(np.arange(n), 1 + copies)
  noise = 0.3 * numbers.normal(size=(copies * n, 20))
  rows = np.concatenate([x[:n], x[original[n:]] + noise])
  pool = random_sets.pool(original, original, y[original])
  kinds, sets = [], []
  for c in range(2):
    inside = np.flatnonzero((rows[:, 0] > 0) == c)
    distinct = len(np.unique(original[inside]))
    kinds.append('own')
    sets.append(inside)
    for run in range(5):
      key = jax.random.fold_in(jax.random.key(seed), 10 * c + run)
      for kind, same_mix in (('any', False), ('same', True)):
        kinds.append(kind)
        sets.append(random_sets.draw(pool, inside, key, same_mix=same_mix))
        assert len(np.unique(original[sets[-1]])) == distinct
      kinds.append('rows')
      sets.append(numbers.permutation(len(rows))[: len(inside)])
  heads = logistic.fit(rows, y[original], sets)
  right = (logistic.logits(heads, x[n:]) > 0) == y[n:]
  mean = {
    kind: np.mean(right[[k == kind for k in kinds]]) for kind in set(kinds)
  }
  return [mean[kind] - mean['own'] for kind in ('any', 'same', 'rows')]


@pytest.mark.slow
def test_one_cloud_with_noisy_copies_has_hardly_a_gap() -> None:
  any_mix, same_mix, rows = np.mean([_gaps(seed) for seed in range(10)], axis=0)
  # As many rows show 1.6 times as many images, and teach more for that alone.
  assert rows > 0.02
  assert abs(any_mix) < 0.01 and abs(same_mix) < 0.01

"""Strata and how many of each make a sample."""

from collections import Counter
from fractions import Fraction
import itertools
import pathlib

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from heterojax.datasets import sources
from heterojax.datasets import strata
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort


def _cohort(labels: list[str], task: str) -> Cohort:
  names = ('ill', 'well') if task == 'classification' else ()
  candidates = tuple(
    Candidate(str(i), '', label, '') for i, label in enumerate(labels)
  )
  root = sources.Files(pathlib.Path('root'))
  return Cohort('made up', root, names, candidates, task=task)


def _of(labels: list[str], task: str = 'regression') -> list[str]:
  cohort = _cohort(labels, task)
  found = strata.of(cohort, cohort.candidates)
  assert set(found) <= set(strata.names(cohort))
  return found


def test_classes_are_strata() -> None:
  assert _of(['well', 'ill', 'well'], 'classification') == [
    'well',
    'ill',
    'well',
  ]
  assert strata.names(_cohort([], 'classification')) == ('ill', 'well')


def test_quarters_of_numbers() -> None:
  numbers = np.random.default_rng(0).permutation(400)
  found = _of([str(n) for n in numbers])
  # As numbers: as texts, '10' comes before '9'.
  assert found == [str(n // 100) for n in numbers]
  assert Counter(found) == dict.fromkeys('0123', 100)


def test_equal_numbers_are_of_one_stratum() -> None:
  found = _of(['5'] * 30 + ['1', '9'])
  assert len(set(found[:30])) == 1
  assert _of(['7'] * 5) == ['0'] * 5
  assert _of([]) == []


@pytest.mark.parametrize(
  ('sizes', 'total', 'want'),
  [
    ((141, 141), 57, [29, 28]),  # The paper's test set: the tie.
    ((518, 518), 208, [104, 104]),
    ((167, 133), 100, [56, 44]),
    ((1, 1, 1), 2, [1, 1, 0]),
    ((5, 0, 5), 3, [2, 0, 1]),
    ((0, 0), 0, [0, 0]),
  ],
)
def test_shares_by_hand(
  sizes: tuple[int, ...], total: int, want: list[int]
) -> None:
  assert strata.shares(sizes, total) == want


@hypothesis.given(
  st.lists(st.integers(0, 8), min_size=1, max_size=4), st.floats(0, 1)
)
def test_no_other_shares_are_nearer(sizes: list[int], share: float) -> None:
  """Against all samples there are, by the sum of absolute differences."""
  total = int(share * sum(sizes))
  found = strata.shares(sizes, total)
  assert sum(found) == total

  def away(numbers: tuple[int, ...]) -> Fraction:
    return sum(
      abs(m - Fraction(total * size, max(sum(sizes), 1)))
      for m, size in zip(numbers, sizes)
    )

  every = itertools.product(*(range(size + 1) for size in sizes))
  assert all(m <= size for m, size in zip(found, sizes))
  assert away(tuple(found)) == min(away(m) for m in every if sum(m) == total)

"""One numbering over trainings and folds, by hand and by trying everything."""

import itertools

import numpy as np
import pytest

from heterojax.studies import numbering

_IDS = tuple('abcdefgh')


def test_majority() -> None:
  labels = np.array([[0, 1, 2], [0, 2, 2], [1, 1, 0]])
  np.testing.assert_array_equal(numbering.majority(labels, 3), [0, 1, 2])
  # The first of equals.
  np.testing.assert_array_equal(
    numbering.majority(np.array([[2, 0], [1, 2]]), 3), [1, 0]
  )


def test_renumbered() -> None:
  labels = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
  new = np.array([[2, 0, 1], [1, 2, 0]])
  np.testing.assert_array_equal(
    numbering.renumbered(labels, new), [[2, 0, 1, 2], [0, 0, 2, 1]]
  )


def test_numbers_are_those_of_the_reference() -> None:
  """Permuted copies of one clustering, each with a mistake of its own."""
  rng = np.random.default_rng(0)
  truth = np.array([0, 0, 0, 1, 1, 2, 2, 2])
  labels = np.array([rng.permutation(3)[truth] for _ in range(5)])
  labels[2, 0] = labels[2, 4]
  # The reference knows half of the images, and one that is not here.
  reference = {'a': 2, 'd': 0, 'e': 0, 'h': 1, 'z': 1}
  new = numbering.numbers(labels, _IDS, reference, 3)
  want = np.tile(np.array([2, 0, 1])[truth], (5, 1))
  want[2, 0] = 0
  np.testing.assert_array_equal(numbering.renumbered(labels, new), want)


@pytest.mark.parametrize('seed', range(5))
def test_no_other_numbers_agree_better(seed: int) -> None:
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, 3, (1, 8))
  wanted = rng.integers(0, 3, 8)
  reference = dict(zip(_IDS, wanted.tolist()))
  new = numbering.numbers(labels, _IDS, reference, 3)
  agreeing = int(np.sum(numbering.renumbered(labels, new)[0] == wanted))
  most = max(
    int(np.sum(np.array(p)[labels[0]] == wanted))
    for p in itertools.permutations(range(3))
  )
  assert agreeing == most


def test_without_a_reference_trainings_are_alike() -> None:
  labels = np.array([[0, 0, 1, 1, 2, 2, 2, 2], [1, 1, 2, 2, 0, 0, 0, 0]])
  new = numbering.numbers(labels, _IDS, {}, 3)
  first, second = numbering.renumbered(labels, new)
  np.testing.assert_array_equal(first, second)

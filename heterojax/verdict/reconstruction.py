"""Which counts give the accuracies that a table prints.

A table that prints accuracies to four digits and no sizes says more than it
seems: few sizes have such a share of right answers, and fewer sum to the test
set with the errors of all.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

_DIGITS = 4
# To so many digits a misprinted accuracy is taken to be right.
_DIGITS_OF_MISPRINT = 2


class Counts(NamedTuple):
  """Clusters that give the printed accuracies.

  Attributes:
    sizes: K, images of each, at least 1.
    errors: K, how many of them the model is wrong for.
  """

  sizes: tuple[int, ...]
  errors: tuple[int, ...]


class Reconstructed(NamedTuple):
  """All counts that a table can have been made from.

  Attributes:
    counts: in the order of the sizes; none if no counts are consistent.
    misprinted: positions of accuracies that are no share of at most n images.
      Of these only the first two digits are used.
  """

  counts: tuple[Counts, ...]
  misprinted: tuple[int, ...]


def reconstruct(
  accuracies: Sequence[float], overall: float, n: int
) -> Reconstructed:
  """Searches all sizes that sum to n.

  Args:
    accuracies: K, of the clusters, rounded to four digits.
    overall: accuracy of all images, rounded to four digits.
    n: images of all clusters.

  Returns:
    Every consistent reconstruction.
  """
  misprinted, choices = [], []
  for k, accuracy in enumerate(accuracies):
    found = _fractions(accuracy, n, _DIGITS)
    if not found:
      misprinted.append(k)
      found = _fractions(accuracy, n, _DIGITS_OF_MISPRINT)
    choices.append(found)
  counts = [
    Counts(*zip(*chosen, strict=True))
    for errors in range(n + 1)
    if _prints((n - errors) / n, overall, _DIGITS)
    for chosen in _consistent(choices, n, errors)
  ]
  return Reconstructed(tuple(sorted(counts)), tuple(misprinted))


def _prints(share: float, as_: float, digits: int) -> bool:
  """Whether a share is printed so; a tie may be rounded either way."""
  return abs(share - round(as_, digits)) <= 0.5 * 10**-digits + 1e-12


def _fractions(accuracy: float, n: int, digits: int) -> list[tuple[int, int]]:
  """(size, errors) of at most n images that are printed as this accuracy."""
  return [
    (size, errors)
    for size in range(1, n + 1)
    for errors in range(size + 1)
    if _prints((size - errors) / size, accuracy, digits)
  ]


def _consistent(
  choices: Sequence[Sequence[tuple[int, int]]], n: int, errors: int
) -> Iterator[tuple[tuple[int, int], ...]]:
  """One of the choices of each cluster, with these sums."""
  if not choices:
    if n == errors == 0:
      yield ()
    return
  first, *others = choices
  for size, wrong in first:
    # The clusters that come have an image each.
    if size + len(others) <= n and wrong <= errors:
      for chosen in _consistent(others, n - size, errors - wrong):
        yield ((size, wrong), *chosen)

"""Strata: the classes, or quarters of the numbers, that parts have alike."""

from collections.abc import Sequence

import numpy as np

from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort

_QUARTILES = (0.25, 0.5, 0.75)


def of(cohort: Cohort, rows: Sequence[Candidate]) -> list[str]:
  """The stratum of each row.

  Args:
    cohort: of the rows.
    rows: N.

  Returns:
    N names: the classes, or, where labels are numbers, '0' to '3' for the
    quarter of the rows' numbers, which has about as many rows as another.
  """
  if cohort.classes:
    return [c.label for c in rows]
  numbers = np.array([float(c.label) for c in rows])
  if not len(numbers):
    return []
  bounds = np.quantile(numbers, _QUARTILES)
  return [str(i) for i in np.searchsorted(bounds, numbers, side='left')]


def names(cohort: Cohort) -> tuple[str, ...]:
  """All strata there can be, the disease first."""
  return cohort.classes or tuple(map(str, range(len(_QUARTILES) + 1)))


def shares(sizes: Sequence[int], total: int) -> list[int]:
  """How many of each stratum make a sample in proportion.

  By largest remainders (Hamilton's method); a tie goes to the earlier stratum.

  Args:
    sizes: of the strata.
    total: of the sample, 0..sum(sizes).

  Returns:
    One number a stratum, none above its size.
  """
  n = max(sum(sizes), 1)
  numbers = [total * size // n for size in sizes]
  by_remainder = sorted(
    range(len(sizes)), key=lambda i: -(total * sizes[i] % n)
  )
  for i in by_remainder[: total - sum(numbers)]:
    numbers[i] += 1
  return numbers

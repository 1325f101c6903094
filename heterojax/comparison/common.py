"""Images that two runs have in common, by their ids."""

from collections.abc import Hashable, Mapping

import numpy as np

# Agreement of labels beyond chance (Cohen's kappa), where ids mean one image.
_ALIKE = 0.5


def ids(a: Mapping[str, Hashable], b: Mapping[str, Hashable]) -> list[str]:
  """The ids that mean an image of both runs.

  Rows that are numbered have the same ids in any two data sets, and labels that
  agree by chance alone. Where all labels are one nothing tells them apart.

  Args:
    a: labels of the images of a run, by id.
    b: the same of another one.

  Returns:
    The ids of both in the order of the first run; none where labels hardly
    agree more than by chance.
  """
  found = [name for name in a if name in b]
  codes: dict[Hashable, int] = {}
  both = np.array([
    [codes.setdefault(of[name], len(codes)) for of in (a, b)] for name in found
  ])
  if not found:
    return []
  by_chance = np.prod(
    [
      np.bincount(labels, minlength=len(codes)) / len(found)
      for labels in both.T
    ],
    axis=0,
  ).sum()
  agree = np.mean(both[:, 0] == both[:, 1])
  return found if agree - by_chance >= _ALIKE * (1 - by_chance) else []

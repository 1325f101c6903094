"""Which images the clusters of a run hold."""

from collections.abc import Mapping
import pathlib
from typing import NamedTuple

from heterojax import errors
from heterojax.comparison import common
from heterojax.comparison.runs import Group
from heterojax.studies import images

# Of the images of the smaller run, those that both must have.
_SHARED = 0.5


class Member(NamedTuple):
  """An image: its label, and the number of its cluster."""

  label: str
  cluster: int


def of_runs(group: Group) -> list[dict[str, int]] | None:
  """The cluster of each image of each run, by id.

  Args:
    group: of runs of the retraining study.

  Returns:
    None where the paper is beside them, which names no image, and where a run
    has lost its list of images or has hardly any with the first in common.
  """
  folders = [pathlib.Path(run.folder).expanduser() for run in group.runs]
  kept = all((f / name).is_file() for f in folders for name in images.SOURCES)
  if group.published or len(folders) < 2 or not kept:
    return None
  first, *others = each = [_members(folder) for folder in folders]
  if not all(_of_the_same_images(first, other) for other in others):
    return None
  return [{name: of.cluster for name, of in run.items()} for run in each]


def _members(folder: pathlib.Path) -> dict[str, Member]:
  """Each image once: of several folds, where it is tested."""
  found: dict[str, Member] = {}
  for row in images.rows(folder, copies=False):
    if row['id'] not in found or row['split'] == 'test':
      try:
        found[row['id']] = Member(row['label'], int(row['cluster']))
      except ValueError as error:
        raise errors.damaged(folder / images.SOURCES[-1], str(error)) from error
  return found


def _of_the_same_images(
  a: Mapping[str, Member], b: Mapping[str, Member]
) -> bool:
  shared = common.ids(*({k: m.label for k, m in of.items()} for of in (a, b)))
  return len(shared) > _SHARED * min(len(a), len(b))

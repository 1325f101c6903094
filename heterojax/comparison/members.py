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


class Members(NamedTuple):
  """The images of a run, by id.

  Attributes:
    labels: of each.
    clusters: the number of its cluster.
  """

  labels: dict[str, str]
  clusters: dict[str, int]


def of_runs(group: Group) -> list[dict[str, int]] | None:
  """The cluster of each image of each run, by id.

  Args:
    group: of runs of the retraining study.

  Returns:
    None where the paper is beside them, which names no image, and where a run
    has lost its list of images or has hardly any with the first in common.

  Raises:
    UserError: if a list of images is damaged.
  """
  folders = [pathlib.Path(run.folder).expanduser() for run in group.runs]
  kept = all((f / name).is_file() for f in folders for name in images.SOURCES)
  if group.published or len(folders) < 2 or not kept:
    return None
  first, *others = each = [_members(folder) for folder in folders]
  if not all(_of_the_same_images(first.labels, o.labels) for o in others):
    return None
  return [of.clusters for of in each]


def _members(folder: pathlib.Path) -> Members:
  """Each image once: of several folds, where it is tested."""
  found = Members({}, {})
  for row in images.rows(folder, copies=False):
    name = row['id']
    if name not in found.labels or row['split'] == 'test':
      found.labels[name] = row['label']
      try:
        found.clusters[name] = int(row['cluster'])
      except ValueError as error:
        raise errors.damaged(folder / images.SOURCES[-1], str(error)) from error
  return found


def _of_the_same_images(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
  return len(common.ids(a, b)) > _SHARED * min(len(a), len(b))

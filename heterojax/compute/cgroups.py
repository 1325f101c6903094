"""What the control groups of Linux allow this process.

A process is in a group, which is part of others, and the tightest limit of them
counts. Version 2 has one tree for all controllers, version 1 one for each.
"""

from collections.abc import Callable, Iterator
import pathlib
from typing import NamedTuple

ROOT = pathlib.Path('/sys/fs/cgroup')
_MEMBERSHIP = pathlib.Path('/proc/self/cgroup')


class Limit(NamedTuple):
  """What a controller limits.

  Attributes:
    controller: its name, as 'cpu'.
    of_version_1: reads a group's folder; None where it limits nothing.
    of_version_2: likewise.
  """

  controller: str
  of_version_1: Callable[[pathlib.Path], float | None]
  of_version_2: Callable[[pathlib.Path], float | None]


def membership() -> str:
  """The groups of this process; '' where the system has none."""
  try:
    return _MEMBERSHIP.read_text()
  except OSError:
    return ''


def smallest(limit: Limit, root: pathlib.Path, membership: str) -> float | None:
  """The tightest limit of the groups that a process is in.

  Args:
    limit: which.
    root: where the groups are mounted.
    membership: what /proc/self/cgroup says, `number:controllers:path` a line.

  Returns:
    What `limit` reads there; None where no group limits it.
  """
  found = []
  for line in membership.splitlines():
    _, controllers, path = line.split(':', 2)
    if not controllers:
      tops, read = [root, root / 'unified'], limit.of_version_2
    elif limit.controller in controllers.split(','):
      tops, read = (
        [root / controllers, root / limit.controller],
        limit.of_version_1,
      )
    else:
      continue
    found += [read(group) for top in tops for group in _upwards(top, path)]
  return min((value for value in found if value), default=None)


def _upwards(top: pathlib.Path, path: str) -> Iterator[pathlib.Path]:
  """A group and those it is part of; in a container the mount is the group."""
  group = top / path.lstrip('/')
  yield from (f for f in (group, *group.parents) if f.is_relative_to(top))


def numbers(path: pathlib.Path) -> list[int]:
  """Those of a file; none where it is missing or says `max`."""
  try:
    return [int(word) for word in path.read_text().split()]
  except (OSError, ValueError):
    return []

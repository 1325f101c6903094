"""How many CPU cores a container or job gives this process.

A cgroup may limit time instead of naming cores: a Kubernetes limit of two CPUs
on a host of 64 is no affinity. Threads beyond it only wait for each other.
"""

from collections.abc import Iterator
import functools
import math
import os
import pathlib

_ROOT = pathlib.Path('/sys/fs/cgroup')
_MEMBERSHIP = pathlib.Path('/proc/self/cgroup')


def allowed() -> tuple[int, ...]:
  """The operating system's numbers of the cores this process may run on."""
  if hasattr(os, 'sched_getaffinity'):
    return tuple(sorted(os.sched_getaffinity(0)))
  return tuple(range(os.cpu_count() or 1))


def number() -> int:
  """How many cores this process may keep busy."""
  number = len(allowed())
  return min(number, _here() or number)


@functools.cache
def _here() -> int | None:
  try:
    return cores(_ROOT, _MEMBERSHIP.read_text())
  except OSError:  # No Linux.
    return None


def cores(root: pathlib.Path, membership: str) -> int | None:
  """The smallest quota of the groups that a process is in.

  Args:
    root: where the groups are mounted.
    membership: what /proc/self/cgroup says, `number:controllers:path` a line.

  Returns:
    Whole cores, a begun one counted; None without a quota.
  """
  shares = []
  for line in membership.splitlines():
    _, controllers, path = line.split(':', 2)
    if not controllers:
      folders, share = [root, root / 'unified'], _of_version_2
    elif 'cpu' in controllers.split(','):
      folders, share = [root / controllers, root / 'cpu'], _of_version_1
    else:
      continue
    shares += [share(f) for top in folders for f in _upwards(top, path)]
  known = [share for share in shares if share]
  return math.ceil(min(known)) if known else None


def _upwards(top: pathlib.Path, path: str) -> Iterator[pathlib.Path]:
  """A group and those it is part of; in a container the mount is the group."""
  group = top / path.lstrip('/')
  yield from (f for f in (group, *group.parents) if f.is_relative_to(top))


def _of_version_2(folder: pathlib.Path) -> float | None:
  """`cpu.max` is a time and a period, or `max` and a period."""
  match _words(folder / 'cpu.max'):
    case [quota, period] if quota != 'max':
      return int(quota) / int(period)
  return None


def _of_version_1(folder: pathlib.Path) -> float | None:
  """Two files; without a quota it is -1."""
  quota = _words(folder / 'cpu.cfs_quota_us')
  period = _words(folder / 'cpu.cfs_period_us')
  if quota and period and int(quota[0]) > 0:
    return int(quota[0]) / int(period[0])
  return None


def _words(path: pathlib.Path) -> list[str]:
  try:
    return path.read_text().split()
  except OSError:
    return []

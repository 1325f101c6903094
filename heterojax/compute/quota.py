"""How many CPU cores a container or job gives this process.

A control group may limit time instead of naming cores: a Kubernetes limit of
two CPUs on a host of 64 is no affinity. Threads beyond it only wait for each
other.
"""

import functools
import math
import os
import pathlib

from heterojax.compute import cgroups


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
  return cores(cgroups.ROOT, cgroups.membership())


def cores(root: pathlib.Path, membership: str) -> int | None:
  """The smallest quota in whole cores, a begun one counted; None without one.

  Args:
    root: see `cgroups.smallest`.
    membership: likewise.
  """
  share = cgroups.smallest(_SHARE, root, membership)
  return math.ceil(share) if share else None


def _of_version_1(group: pathlib.Path) -> float | None:
  """Two files; without a quota it is -1."""
  return _share(
    cgroups.numbers(group / 'cpu.cfs_quota_us')
    + cgroups.numbers(group / 'cpu.cfs_period_us')
  )


def _of_version_2(group: pathlib.Path) -> float | None:
  """A time and a period, or `max` and a period."""
  return _share(cgroups.numbers(group / 'cpu.max'))


def _share(times: list[int]) -> float | None:
  match times:
    case [quota, period] if quota > 0 and period > 0:
      return quota / period
  return None


_SHARE = cgroups.Limit('cpu', _of_version_1, _of_version_2)

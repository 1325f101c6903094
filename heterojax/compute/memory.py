"""How much memory there is for this process."""

import contextlib
import os
import pathlib

from heterojax.compute import cgroups

# Version 1 has no word for a group without a limit, and a number near 2**63.
_NO_LIMIT = 2**60


def most() -> int | None:
  """Bytes of the machine, or of a container's limit; None where untold."""
  known = [limit(cgroups.ROOT, cgroups.membership())]
  # Windows has no `sysconf`.
  with contextlib.suppress(AttributeError, OSError, ValueError):
    known.append(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'))
  return min((size for size in known if size), default=None)


def limit(root: pathlib.Path, membership: str) -> int | None:
  """Bytes of the smallest limit of the groups of a process; None without one.

  Args:
    root: see `cgroups.smallest`.
    membership: likewise.
  """
  size = cgroups.smallest(_BYTES, root, membership)
  return int(size) if size else None


def _of_version_1(group: pathlib.Path) -> int | None:
  return _bytes(group / 'memory.limit_in_bytes')


def _of_version_2(group: pathlib.Path) -> int | None:
  return _bytes(group / 'memory.max')


def _bytes(path: pathlib.Path) -> int | None:
  match cgroups.numbers(path):
    case [size] if 0 < size < _NO_LIMIT:
      return size
  return None


_BYTES = cgroups.Limit('memory', _of_version_1, _of_version_2)

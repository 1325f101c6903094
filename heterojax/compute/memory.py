"""How much memory there is for this process."""

import contextlib
import os
import pathlib

# Of a container, in which the mount is the process' own group.
_LIMITS = (
  pathlib.Path('/sys/fs/cgroup/memory.max'),
  pathlib.Path('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
)


def most() -> int | None:
  """Bytes of the machine, or of a container's limit; None where untold."""
  known = [limit for limit in map(_limit, _LIMITS) if limit]
  # Windows has no `sysconf`.
  with contextlib.suppress(AttributeError, OSError, ValueError):
    known.append(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'))
  return min(known, default=None)


def _limit(path: pathlib.Path) -> int | None:
  """A limit in a file; None without one, which version 2 calls max."""
  try:
    return int(path.read_text())
  except (OSError, ValueError):
    return None

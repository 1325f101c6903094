"""Reading files that end: no pipe, no device, and none that only seem files.

The files of /proc are regular and say that they have no bytes; some of them
never end, or wait for ever.
"""

import os
import pathlib
import stat


class NotRegularError(OSError):
  """A pipe, a device, a folder or another thing that is no file."""


def size(path: pathlib.Path) -> int:
  """Bytes of a file, or raises OSError."""
  status = os.stat(path)
  if not stat.S_ISREG(status.st_mode):
    raise NotRegularError('not a regular file')
  return status.st_size


def read(path: pathlib.Path, most: int | None = None) -> bytes:
  """The bytes that a file says it has, or the first ones.

  Args:
    path: of the file.
    most: how many at most.

  Raises:
    OSError: if it cannot be read, or is no regular file.
  """
  there = size(path)
  if not there:
    return b''
  with open(path, 'rb') as file:
    return file.read(there if most is None else min(there, most))

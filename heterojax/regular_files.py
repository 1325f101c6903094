"""Reading files that end: no pipe, no device, and none that only seem files.

The files of /proc are regular and say that they have no bytes; some of them
never end, or wait for ever.
"""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import stat

from heterojax.errors import UserError

State = tuple[int, int, int]


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


@contextlib.contextmanager
def unchanged(path: pathlib.Path) -> Iterator[None]:
  """Keeps parts of a file that are read one after the other those of one file.

  Args:
    path: of the file, over which another program may save a new one.

  Yields:
    Nothing.

  Raises:
    OSError: if it is not there.
    UserError: if it was written, or another one put in its place, meanwhile.
  """
  before = state(path)
  yield
  check(path, before)


def state(path: pathlib.Path) -> State:
  """What a file is told by where nothing is read, or raises OSError."""
  status = os.stat(path)
  return status.st_ino, status.st_size, status.st_mtime_ns


def check(path: pathlib.Path, before: State) -> None:
  """Raises a UserError where a file is in another `state` than before."""
  if state(path) != before:
    raise UserError(
      f'{path} changed while it was read: give the same command again once'
      ' nothing writes it, or name a copy.'
    )

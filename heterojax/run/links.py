"""What a run writes is a plain file of its folder, with that name alone.

Through a link, symbolic or hard, it would destroy what is elsewhere; a pipe or
a device would keep it waiting. The folder itself may be a link.
"""

from collections.abc import Iterator
import contextlib
import errno
import os
import pathlib
import stat
from typing import IO, Any

from heterojax.errors import UserError
from heterojax.run import contents

# Of `os.open`, which waits for no pipe; Windows has none, and changes ends of
# lines.
PLAIN = (
  getattr(os, 'O_NOFOLLOW', 0)
  | getattr(os, 'O_NONBLOCK', 0)
  | getattr(os, 'O_BINARY', 0)
)


def refuse(folder: pathlib.Path) -> None:
  """Raises UserError if a run would write to what is no plain file of its own.

  Args:
    folder: of the run.
  """
  waiting = [*contents.WRITTEN]
  while waiting:
    name = waiting.pop()
    try:
      status = os.lstat(folder / name)
      if stat.S_ISDIR(status.st_mode):
        waiting += [f'{name}/{inner}' for inner in os.listdir(folder / name)]
        continue
    except OSError:  # It is not there; or whoever writes there says why not.
      continue
    _check(folder / name, status)


def refuse_at(path: pathlib.Path) -> None:
  """Raises UserError if what a new file would replace is not a file."""
  with contextlib.suppress(OSError):  # See `refuse`.
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
      _check(path, status, names=None)


def refuse_between(folder: pathlib.Path, path: pathlib.Path) -> None:
  """Raises UserError if a link leads from a folder to a path in it."""
  for part in (path, *path.parents):
    if part == folder:
      return
    if part.is_symlink():
      _check(part, os.lstat(part))


@contextlib.contextmanager
def named(path: pathlib.Path) -> Iterator[None]:
  """While it lasts, an error says of which file it is: a full disk does not."""
  try:
    yield
  except OSError as error:
    error.filename = str(path)
    raise


def opened(path: pathlib.Path, mode: str, **options: Any) -> IO[Any]:
  """As `open`, of a plain file that has no other name.

  Raises:
    OSError: as `open`.
    UserError: for a link, a pipe or a device.
  """
  return open(path, mode, opener=_open, **options)


def _open(path: str, flags: int) -> int:
  try:
    # What it is has to be known before it is emptied.
    descriptor = os.open(path, flags & ~os.O_TRUNC | PLAIN, 0o666)
  except OSError as error:
    if error.errno in (errno.ELOOP, errno.ENXIO):
      refuse_at(pathlib.Path(path))
    raise
  try:
    status = os.fstat(descriptor)
    if not stat.S_ISDIR(status.st_mode):
      _check(pathlib.Path(path), status)
    if flags & os.O_TRUNC:
      os.ftruncate(descriptor, 0)
  except BaseException:
    os.close(descriptor)
    raise
  return descriptor


def _check(
  path: pathlib.Path, status: os.stat_result, names: int | None = 1
) -> None:
  """Raises UserError for what is no file, or has more names than so many."""
  if stat.S_ISLNK(status.st_mode):
    what = 'a link, and a run writes nothing through links'
  elif not stat.S_ISREG(status.st_mode):
    what = 'a pipe or a device, and a run writes to files'
  elif names and status.st_nlink > names:
    what = 'a hard link, and a run would change what has the other name, too'
  else:
    return
  raise UserError(f'{path} is {what}: delete it, or choose another folder.')

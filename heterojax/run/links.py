"""No file of a run is written through a link, which would destroy its target.

The folder itself may be one.
"""

import errno
import os
import pathlib
import stat
from typing import IO, Any

from heterojax.errors import UserError
from heterojax.run import contents

# Of `os.open`; Windows has none, and changes ends of lines.
PLAIN = getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_BINARY', 0)


def refuse(folder: pathlib.Path) -> None:
  """Raises UserError if anything that a run writes to in `folder` is a link."""
  waiting = [*contents.FILES, *contents.FOLDERS, *contents.NO_ARTIFACTS]
  while waiting:
    name = waiting.pop()
    try:
      kind = os.lstat(folder / name).st_mode
      if stat.S_ISDIR(kind):
        waiting += [f'{name}/{inner}' for inner in os.listdir(folder / name)]
    except OSError:  # It is not there; or whoever writes there says why not.
      continue
    if stat.S_ISLNK(kind):
      raise _refusal(folder / name)


def opened(path: pathlib.Path, mode: str, **options: Any) -> IO[Any]:
  """As `open`, of a file that is no link.

  Raises:
    OSError: as `open`.
    UserError: for a link.
  """
  return open(path, mode, opener=_open, **options)


def _open(path: str, flags: int) -> int:
  try:
    return os.open(path, flags | PLAIN, 0o666)
  except OSError as error:
    if error.errno == errno.ELOOP:
      raise _refusal(path) from error
    raise


def _refusal(path: str | pathlib.Path) -> UserError:
  return UserError(
    f'{path} is a link, and a run writes nothing through links: delete it, or'
    ' choose another folder.'
  )

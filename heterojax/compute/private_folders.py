"""Folders whose contents nobody else can exchange, as OpenSSH asks of keys."""

import os
import pathlib
import stat

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def make(folder: pathlib.Path) -> pathlib.Path:
  """Makes a folder, and those above it that are missing, for this user alone.

  Args:
    folder: there already or not.

  Returns:
    The same without links, which others could turn elsewhere.

  Raises:
    OSError: if it cannot be made.
  """
  folder = pathlib.Path(os.path.abspath(folder))
  for part in [*reversed(folder.parents), folder]:
    if not part.exists():
      part.mkdir(mode=0o700, exist_ok=True)
  return folder.resolve(strict=True)


def open_to_others(folder: pathlib.Path) -> pathlib.Path | None:
  """Through which folder others can exchange what is in one.

  Args:
    folder: as `make` gives it.

  Returns:
    That or one above it: others can write there, or own it. None if all belong
    to this user or to root and only they write there, or, above it, can take
    away what they put there alone (the sticky bit of /tmp). None on Windows,
    which keeps such rights elsewhere.
  """
  if not hasattr(os, 'getuid'):
    return None
  me = os.getuid()
  status = folder.stat()
  if status.st_uid != me or status.st_mode & _OTHERS:
    return folder
  for above in folder.parents:
    status = above.stat()
    written = status.st_mode & _OTHERS and not status.st_mode & stat.S_ISVTX
    if status.st_uid not in (0, me) or written:
      return above
  return None

"""Locks of a file that go with the process, however it ends.

Windows has no `fcntl`; there filelock locks, for one reader at a time.
"""

import contextlib
import logging
import os
import pathlib
import time

import filelock

from heterojax.errors import UserError
from heterojax.run import interruption
from heterojax.run import links

try:
  import fcntl
except ModuleNotFoundError:
  fcntl = None

_LOG = logging.getLogger(__name__)
READ = os.O_RDONLY | links.PLAIN
_SECONDS = 0.2  # Between two looks at who has it.


def refuse_others(path: pathlib.Path) -> None:
  """Raises a UserError where a lock has content, which no run gives it."""
  # filelock does.
  if fcntl is not None and path.exists() and path.stat().st_size:
    raise UserError(
      f'{path} is not empty, so it is of another program: choose another'
      ' folder.'
    )


def exclusive(path: pathlib.Path) -> contextlib.AbstractContextManager:
  """Locks a file for its only writer; what is given unlocks it at the end.

  Args:
    path: of the file; it and its folder are made where they are missing.

  Raises:
    BlockingIOError: if another process has it.
    OSError: if it cannot be written.
    UserError: if it is no plain file.
  """
  while True:
    path.parent.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
      return _elsewhere(path)
    lock = links.opened(path, 'a')
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      # Whoever had it may have taken the file away meanwhile.
      if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
        return lock
    except FileNotFoundError:
      pass
    except BaseException:
      lock.close()
      raise
    lock.close()


def awaited(path: pathlib.Path, said: str) -> contextlib.AbstractContextManager:
  """`exclusive`, once no other process has it.

  Args:
    path: of the file.
    said: what is logged where one has to wait.

  Raises:
    Interrupted: if a signal asks the run to stop meanwhile.
    OSError: see `exclusive`, as is the next one.
    UserError: if it is no plain file.
  """
  waiting = False
  while True:
    interruption.check()
    with contextlib.suppress(BlockingIOError):
      return exclusive(path)
    if not waiting:
      _LOG.info(said)
    waiting = True
    time.sleep(_SECONDS)


def shared(path: pathlib.Path) -> contextlib.AbstractContextManager:
  """Locks a file for one of several readers; nothing is written.

  Args:
    path: of the file; what does not exist or cannot be read is not locked, nor
      is anything on a disk that has no locks.

  Raises:
    BlockingIOError: if a writer has it.
  """
  try:
    lock = os.open(path, READ)
  except OSError:  # A copy, which no process runs in.
    return contextlib.nullcontext()
  with contextlib.ExitStack() as stack:
    stack.callback(os.close, lock)
    if fcntl is None:
      return _elsewhere(path)
    try:
      fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    # Some network disks say the latter.
    except (BlockingIOError, PermissionError) as error:
      raise BlockingIOError from error
    except OSError:  # As above: no run could begin there.
      return contextlib.nullcontext()
    return stack.pop_all()


def _elsewhere(path: pathlib.Path) -> contextlib.AbstractContextManager:
  lock = filelock.FileLock(path)
  try:
    return lock.acquire(blocking=False)
  except filelock.Timeout as error:
    raise BlockingIOError from error

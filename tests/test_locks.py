"""Locks of a folder, with and without what Windows lacks."""

import errno
import os
import pathlib
import subprocess
import sys

import pytest

from heterojax.run import locks

# `run_folder` is what every command imports.
_WITHOUT = """
import pathlib, sys
sys.modules['fcntl'] = None
from heterojax.errors import RefusedError
from heterojax.run import artifacts, run_folder
folder = pathlib.Path(sys.argv[1])
for _ in range(2):
  with run_folder.locked(folder, 'run folder', 'workdir'):
    for again in (
      run_folder.locked(folder, 'run folder', 'workdir'),
      artifacts.undisturbed(folder),
    ):
      try:
        with again:
          print('both have it')
      except RefusedError as error:
        print(error)
with artifacts.undisturbed(folder):
  print('free')
"""


def test_without_fcntl_as_with_it(tmp_path: pathlib.Path) -> None:
  folder = tmp_path / 'run'
  done = subprocess.run(
    [sys.executable, '-c', _WITHOUT, str(folder)],
    capture_output=True,
    text=True,
    check=True,
  )
  writer = f'{folder} is in use by another run: wait for it, or choose another'
  *lines, last = done.stdout.splitlines()
  assert last == 'free' and len(lines) == 4
  for line in lines[::2]:
    assert line == f'{writer} --workdir.'
  for line in lines[1::2]:
    assert line == f'{folder} is in use by another run: wait for it.'


def test_readers_share_and_writers_do_not(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'folder' / '.lock'
  with locks.shared(path):  # Nothing is there, and nothing is made.
    assert not path.parent.exists()
  with locks.exclusive(path), pytest.raises(BlockingIOError):
    locks.shared(path)
  with locks.shared(path), locks.shared(path):
    with pytest.raises(BlockingIOError):
      locks.exclusive(path)
  with locks.exclusive(path):
    pass


@pytest.mark.parametrize(
  'number, has_it', [(errno.EWOULDBLOCK, True), (errno.ENOTSUP, False)]
)
def test_a_disk_without_locks_has_no_run(
  tmp_path: pathlib.Path, monkeypatch, number: int, has_it: bool
) -> None:
  """A copy there was said to be in use by another run, for ever."""
  path = tmp_path / '.lock'
  path.touch()

  def flock(*_) -> None:
    raise OSError(number, os.strerror(number))

  monkeypatch.setattr(locks.fcntl, 'flock', flock)
  with pytest.raises(BlockingIOError) if has_it else locks.shared(path):
    locks.shared(path)

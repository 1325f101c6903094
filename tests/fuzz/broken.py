"""Readers with a mistake each, which the harness must notice."""

import ctypes
import io
import os
import pathlib
import pickle
import subprocess
import time

import numpy as np

from fuzz.harness import Input
from fuzz.subjects import Subject
from heterojax.errors import UserError

_KEPT = []


def _raises(folder: pathlib.Path) -> None:
  int((folder / 'input').read_bytes())


def _exits(folder: pathlib.Path) -> None:
  raise SystemExit(2)


def _says_nothing(folder: pathlib.Path) -> None:
  raise UserError('')


def _hangs(folder: pathlib.Path) -> None:
  time.sleep(600)


def _allocates(folder: pathlib.Path) -> None:
  try:
    np.empty(1 << 31, np.uint8)  # Untouched, and given back at once.
  except MemoryError as error:
    raise UserError('no memory') from error


def _fills(folder: pathlib.Path) -> None:
  _KEPT.append(bytes(1 << 29))


def _crashes(folder: pathlib.Path) -> None:
  ctypes.string_at(0)


def _allows_pickles(folder: pathlib.Path) -> None:
  np.load(io.BytesIO((folder / 'input').read_bytes()), allow_pickle=True)


def _unpickles(folder: pathlib.Path) -> None:
  try:
    pickle.loads((folder / 'input').read_bytes())
  except BaseException as error:
    raise UserError('damaged') from error


def _starts(folder: pathlib.Path) -> None:
  try:
    subprocess.run(['true'], check=False)
  except BaseException as error:
    raise UserError('damaged') from error


def _writes_above(folder: pathlib.Path) -> None:
  (folder / 'work' / '..' / '..' / 'outside' / 'new').write_bytes(b'')


def _writes_through_a_link(folder: pathlib.Path) -> None:
  os.symlink(folder.parent / 'outside', folder / 'work' / 'link')
  (folder / 'work' / 'link' / 'sentinel').write_bytes(b'')


def _writes_beside_python(folder: pathlib.Path) -> None:
  # As a library in C does, which no audit hook sees.
  libc = ctypes.CDLL(None)
  libc.creat(os.fsencode(folder.parent / 'outside' / 'new'), 0o600)


def _changes_its_input(folder: pathlib.Path) -> None:
  libc = ctypes.CDLL(None)
  libc.truncate(os.fsencode(folder / 'input'), 0)


def _leaves_temporary_files(folder: pathlib.Path) -> None:
  libc = ctypes.CDLL(None)
  libc.mkdir(os.fsencode(folder.parent / 'tmp' / 'left'), 0o700)


READERS = {
  'raised': (_raises, _exits),
  'said badly': (_says_nothing,),
  'hung': (_hangs,),
  'crashed': (_crashes,),
  'took too much memory': (_allocates, _fills),
  'did what is forbidden': (
    _allows_pickles,
    _unpickles,
    _starts,
    _writes_above,
    _writes_through_a_link,
  ),
  'changed files': (
    _writes_beside_python,
    _changes_its_input,
    _leaves_temporary_files,
  ),
}


def _kind(outcome: str, number: int) -> str:
  return f'broken: {outcome} {number}'


SUBJECTS = {
  _kind(outcome, number): Subject(reader, lambda: (), 128 << 20)
  for outcome, readers in READERS.items()
  for number, reader in enumerate(readers)
}


class Command:
  """Pickles as a command that would leave a file."""

  def __reduce__(self):
    return os.system, ('touch marker',)


def command() -> Input:
  return Input(files={'input': pickle.dumps(Command())})

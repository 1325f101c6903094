"""The process in which inputs are tried: python -m fuzz.worker KIND FOLDER."""

import faulthandler
import os
import pathlib
import pickle
import resource
import shutil
import stat
import struct
import sys
import traceback
from typing import Any, BinaryIO

from fuzz import broken
from fuzz import subjects
from fuzz.strategies import PLANTED
from heterojax import cli
from heterojax.backbones.weight_files import keras_h5
from heterojax.datasets import feature_tables
from heterojax.errors import UserError

# Far above all allowances, so that what exceeds one is seen and named.
_MOST_BYTES = 24 << 30
_STARTS = (
  'os.exec',
  'os.fork',
  'os.forkpty',
  'os.posix_spawn',
  'os.spawn',
  'os.system',
  'pickle.find_class',
  'pty.spawn',
  'socket.bind',
  'socket.connect',
  'subprocess.Popen',
  'webbrowser.open',
)
_CHANGES = (
  'os.chmod',
  'os.chown',
  'os.link',
  'os.mkdir',
  'os.remove',
  'os.rename',
  'os.rmdir',
  'os.symlink',
  'os.truncate',
  'os.utime',
  'shutil.rmtree',
)
_AROUND = 'outside', 'home', 'here', 'tmp'
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Forbidden(BaseException):
  """What no input may bring about; no `except Exception` catches it."""


class Guard:
  """Forbids processes, an input's modules, and changes outside a folder."""

  def __init__(self) -> None:
    self.allowed: pathlib.Path | None = None  # None while it is down.
    self.seen: list[str] = []
    sys.addaudithook(self._hook)

  def _hook(self, event: str, args: tuple[Any, ...]) -> None:
    if self.allowed is None:
      return
    if event == 'open':
      path, mode, flags = args
      writes = flags & _WRITES or (mode and set(mode) & set('wax+'))
      if not writes or isinstance(path, int) or self._is_inside(path):
        return
    elif event in _CHANGES:
      if all(
        self._is_inside(path)
        for path in args
        if isinstance(path, (str, bytes, os.PathLike))
      ):
        return
    elif event == 'import':
      if args[0].partition('.')[0] != PLANTED:
        return
    elif event not in _STARTS or self._is_reader(event, args):
      return
    self.seen.append(f'{event}{args!r}'[:300])
    raise Forbidden(self.seen[-1])

  def _is_reader(self, event: str, args: tuple[Any, ...]) -> bool:
    """Whether that is a process of our own for what crashes libraries."""
    scripts = keras_h5.SCRIPT, feature_tables.VALUES
    ours = [[sys.executable, '-P', str(script)] for script in scripts]
    return event == 'subprocess.Popen' and list(args[1])[:3] in ours

  def _is_inside(self, path: Any) -> bool:
    real = pathlib.Path(os.path.realpath(os.fsdecode(path)))
    return real.is_relative_to(self.allowed) or str(real) == os.devnull


def arrange(base: pathlib.Path, given: tuple[Any, ...]) -> pathlib.Path:
  """Lays out an input; returns its folder."""
  files, links, pipes, args = given
  folder = base / 'case'
  shutil.rmtree(folder, ignore_errors=True)
  (folder / 'work').mkdir(parents=True)
  for name, content in files.items():
    path = os.path.join(folder, name)
    if '/' in name:
      os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
      file.write(content)
  for name, target in links.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(target.format(outside=base / 'outside'))
  for name in pipes:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / name)
  return folder


def _snapshot(base: pathlib.Path, folder: pathlib.Path) -> list[tuple]:
  """What lies around an input, and beside its work folder."""
  found = []

  def walk(top: str) -> None:
    for entry in os.scandir(top):
      status = entry.stat(follow_symlinks=False)
      kept = stat.S_IFMT(status.st_mode), status.st_size, status.st_mtime_ns
      if entry.path != work:
        found.append((entry.path, *kept))
        if entry.is_dir(follow_symlinks=False):
          walk(entry.path)

  work = os.path.join(folder, 'work')
  for top in (*(base / name for name in _AROUND), folder):
    walk(os.fspath(top))
  return sorted(found)


def _peak_bytes() -> int:
  """The most address space that this process has had."""
  with open('/proc/self/status', encoding='ascii') as status:
    for line in status:
      if line.startswith('VmPeak'):
        return int(line.split()[1]) << 10
  raise AssertionError


def _try(subject: subjects.Subject, folder: pathlib.Path, args) -> tuple:
  """The outcome, and what is to be said of it."""
  try:
    subject.read(folder, **args)
    return 'accepted', ''
  except UserError as error:
    sentence = cli.sentence(error)
    if not sentence or not sentence.isprintable() or len(sentence) > 3000:
      return 'said badly', repr(sentence)
    return 'refused', sentence
  except BaseException:  # pylint: disable=broad-except
    return 'raised', traceback.format_exc()


def judge(
  subject: subjects.Subject,
  base: pathlib.Path,
  given: tuple[Any, ...],
  guard: Guard,
  ceiling: int,
) -> tuple[str, str]:
  folder = arrange(base, given)
  before = _snapshot(base, folder)
  guard.seen.clear()
  guard.allowed = folder / 'work'
  outcome = _try(subject, folder, given[3])
  guard.allowed = None
  if guard.seen:
    return 'did what is forbidden', f'{guard.seen[0]}\n{outcome[1]}'
  if (after := _snapshot(base, folder)) != before:
    changed = sorted(set(after) ^ set(before))
    return 'changed files', f'{changed[:4]}\n{outcome[1]}'
  if (peak := _peak_bytes()) > ceiling:
    return 'took too much memory', (
      f'{(peak - ceiling) >> 20} MiB beyond what is allowed\n{outcome[1]}'
    )
  return outcome


def _send(pipe: BinaryIO, value: tuple[str, str]) -> None:
  content = pickle.dumps(value)
  pipe.write(struct.pack('<Q', len(content)) + content)
  pipe.flush()


class Unsound(Exception):
  """An input that should be accepted is not."""


def begin(kind: str, base: pathlib.Path) -> tuple[subjects.Subject, Guard, int]:
  """Makes this process one that tries inputs of a kind.

  Args:
    kind: a key of `subjects.SUBJECTS`.
    base: a folder with empty ones: home, here and tmp.

  Returns:
    The subject, its guard, and the address space that it may take.

  Raises:
    Unsound: with what was said.
  """
  (base / 'outside').mkdir()
  (base / 'outside' / 'sentinel').write_bytes(b'as it was')
  subject = (subjects.SUBJECTS | broken.SUBJECTS)[kind]
  for given in subject.sound():
    # Loads what is loaded but once, and threads that stay.
    outcome = _try(subject, arrange(base, tuple(given)), given.args)
    if outcome[0] != 'accepted':
      raise Unsound(outcome[1])
  for name in ('home', 'here', 'tmp'):
    shutil.rmtree(base / name)
    (base / name).mkdir()
  os.chdir(base / 'here')
  ceiling = _peak_bytes() + subject.allowance
  resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  return subject, Guard(), ceiling


def main(kind: str, base: pathlib.Path) -> None:
  faulthandler.enable()
  requests = sys.stdin.buffer
  answers = os.fdopen(os.dup(1), 'wb')
  os.dup2(2, 1)  # What a subject prints is no answer.
  try:
    subject, guard, ceiling = begin(kind, base)
  except Unsound as error:
    _send(answers, ('refused what is sound', str(error)))
    return
  _send(answers, ('ready', ''))
  while head := requests.read(8):
    given = pickle.loads(requests.read(*struct.unpack('<Q', head)))
    _send(answers, judge(subject, base, given, guard, ceiling))


if __name__ == '__main__':
  main(sys.argv[1], pathlib.Path(sys.argv[2]))

"""Every state of the disk that kills of a command can leave, gone on from.

A kill leaves the disk as it is. So a command is not killed at one operation
after the other, but stopped, its folder copied where such a one was not seen
before, and let go on: one run gives the states of all kills. The command is
given again in each of them, and stopped in turn at each of its operations: what
several kills leave, until there is no new state or no time.
"""

import dataclasses
import pathlib
import random
import shutil
import tempfile
import time

from crash import server
from crash import states
from crash import subjects

# Of states that wait together; others are looked at when they come again.
_MOST_BYTES = 2**30


@dataclasses.dataclass
class Tally:
  """What was found.

  Attributes:
    operations: of the undisturbed command that change files.
    kills: moments at which the disk was looked at, also while going on.
    states: different ones of the disk among them.
    resumed: of these, how many the command was given again in.
    losses: what was not as in the undisturbed run.
  """

  operations: int = 0
  kills: int = 0
  states: int = 0
  resumed: int = 0
  losses: list[str] = dataclasses.field(default_factory=list)


def search(
  subject: subjects.Subject, root: pathlib.Path, seconds: float, seed: int
) -> Tally:
  """Kills a command everywhere.

  Args:
    subject: the command.
    root: holds the data, see `subjects.ready`; boxes are made beside them.
    seconds: after the undisturbed runs, after which no new attempt begins.
    seed: of the order in which states are taken, those of one kill first.

  Returns:
    What was found.
  """
  tally = Tally()
  template = pathlib.Path(tempfile.mkdtemp(dir=root, prefix='box_'))
  _require(server.run(subject.first, template))
  whole = _copy(template)
  _require(server.run(subject.command, whole))
  want = subjects.described(whole / subject.result)
  seen: set[str] = set()
  waiting: list[pathlib.Path] = []
  sizes: dict[pathlib.Path, int] = {}  # Of those that were not gone on from.

  def look(folder: pathlib.Path) -> int | None:
    """Runs to the end; leaves new states in `waiting`."""
    for code in server.moments(subject.command, folder):
      if code is not None:
        return code
      tally.kills += 1
      key = states.key(folder)
      if key not in seen and sum(sizes.values()) < _MOST_BYTES:
        seen.add(key)
        waiting.append(_copy(folder))
        sizes[waiting[-1]] = _bytes(waiting[-1])
    return None

  folder = _copy(template)
  fault = _fault(look(folder), folder, subject, want)
  tally.losses += [f'stopped and continued: {fault}'] if fault else []
  tally.operations = tally.kills
  numbers, end = random.Random(seed), time.monotonic() + seconds
  while waiting and time.monotonic() < end:
    # Those of one kill, then those of two, and so on.
    level, waiting[:] = waiting[:], []
    numbers.shuffle(level)
    for folder in level:
      if time.monotonic() < end:
        fault = _fault(look(folder), folder, subject, want)
        tally.losses += [f'{folder.name}: {fault}'] if fault else []
        tally.resumed += 1
      shutil.rmtree(folder)
      del sizes[folder]
  tally.states = len(seen)
  for folder in root.glob('box_*'):
    shutil.rmtree(folder)
  return tally


def _copy(folder: pathlib.Path) -> pathlib.Path:
  """A box with the same in it, beside it."""
  target = tempfile.mkdtemp(dir=folder.parent, prefix='box_')
  shutil.copytree(folder, target, symlinks=True, dirs_exist_ok=True)
  return pathlib.Path(target)


def _bytes(folder: pathlib.Path) -> int:
  return sum(path.stat().st_size for path in folder.rglob('*'))


def _require(ended: tuple[int, str]) -> None:
  code, said = ended
  if code:
    raise RuntimeError(f'exit code {code} without a kill: {said[-2000:]}')


def _fault(
  code: int | None,
  folder: pathlib.Path,
  subject: subjects.Subject,
  want: dict[str, str],
) -> str:
  """What a command that went on did otherwise; empty where nothing."""
  if code:
    return f'exit code {code}'
  got = subjects.described(folder / subject.result)
  if different := sorted(n for n, _ in got.items() ^ want.items()):
    return f'other bits: {different[0]}'
  return ', '.join(subjects.problems(folder / subject.result))

"""What a user waits for, beside the longest that we want it to take.

Every run is a command in a new process, as a user starts it. The peer is a
clock: it waits for a part of the goal, and a ratio above 1 means that ours
needs less than the goal. The demo finds the programs that its first run
compiled.
"""

from collections.abc import Callable
import functools
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks import sides

# Seconds that the clock waits.
_PART = 0.05
_STUDY = ('-m', 'launch.study')
_IMPORT = ('-c', 'import launch.main, launch.study')
_DEMO = (*_STUDY, '--config=configs/demo.py')


def _started(words: tuple[str, ...], folder: str) -> subprocess.Popen[str]:
  """A command whose run folder, if it has one, is in a folder."""
  if '--config=configs/demo.py' in words:
    words = (*words, f'--workdir={folder}/run')
  return subprocess.Popen(
    [sys.executable, *words],
    cwd=sides.ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def _to_its_end(words: tuple[str, ...], code: int, folder: str) -> None:
  command = _started(words, folder)
  said, _ = command.communicate()
  if command.returncode != code:
    raise RuntimeError((said.strip().splitlines() or ['no word'])[-1])


def _to_its_first_line(words: tuple[str, ...], folder: str) -> None:
  command = _started(words, folder)
  assert command.stdout is not None
  line = command.stdout.readline()
  command.kill()
  command.communicate()
  if not line.startswith('Reading'):
    raise RuntimeError(line or 'no word')


def _ours(run: Callable[[str], None]) -> Callable[[sides.Scale], sides.Side]:
  def setup(scale: sides.Scale) -> sides.Side:
    def in_a_folder() -> sides.Result:
      folder = pathlib.Path(tempfile.mkdtemp(dir=scale.folder))
      run(str(folder))
      shutil.rmtree(folder)
      return {'done': np.array(1)}

    return sides.Side(in_a_folder)

  return setup


def _goal(seconds: float) -> Callable[[sides.Scale], sides.Side]:
  def wait() -> sides.Result:
    time.sleep(_PART)
    return {'done': np.array(1)}

  return lambda _: sides.Side(wait, _PART / seconds)


def _case(
  work: str, seconds: float, run: Callable[[str], None], *, long: bool = False
) -> sides.Case:
  """What must take no longer than so many seconds."""
  return sides.Case(
    work,
    {'ours': _ours(run), 'goal': _goal(seconds)},
    lambda ours, _: {'done': float(ours['done'])},
    turns=(1, 3) if long else (3, 7),
    # What takes longer than some seconds is not in the quick suite.
    full_only={'goal'} if long else (),
  )


CASES = {
  'waits/import': _case(
    'the command is imported',
    0.5,
    functools.partial(_to_its_end, _IMPORT, 0),
  ),
  'waits/usage': _case(
    'a mistake in usage is told',
    0.5,
    functools.partial(_to_its_end, (*_STUDY, '--config=nothing'), 2),
  ),
  'waits/first line': _case(
    'the first line of progress',
    2.0,
    functools.partial(_to_its_first_line, _DEMO),
  ),
  'waits/demo': _case(
    'the demo to its report, programs kept',
    45.0,
    functools.partial(_to_its_end, _DEMO, 0),
    long=True,
  ),
}

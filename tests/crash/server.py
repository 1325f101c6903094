"""Runs commands in forks of a process that has imported all they need.

This process never starts JAX' backend, whose threads no fork would have.
"""

from collections.abc import Callable, Iterator
import os
import pathlib
import signal
import tempfile

from crash import operations

Command = Callable[[], int]


def run(
  command: Command, folder: pathlib.Path, kill: int | None = None
) -> tuple[int, str]:
  """Runs a command in a folder.

  Args:
    command: returns an exit code.
    folder: its current and temporary one.
    kill: before which operation it is killed, from 0.

  Returns:
    Exit code, negative of the signal that ended it, and what it printed.
  """
  pid, said = _begin(command, folder, 'kill' if kill is not None else '', kill)
  _, status = os.waitpid(pid, 0)
  return os.waitstatus_to_exitcode(status), said.read_text()


def moments(command: Command, folder: pathlib.Path) -> Iterator[int | None]:
  """Runs a command, and stops it before each operation on files.

  Whoever iterates may look at the folder meanwhile: no thread of the process
  runs, so that it holds what a kill at that moment would leave.

  Args:
    command: returns an exit code.
    folder: its current and temporary one.

  Yields:
    None before each operation, and the exit code at the end.
  """
  pid, _ = _begin(command, folder, 'stop')
  ended = False
  try:
    while True:
      _, status = os.waitpid(pid, os.WUNTRACED)
      if not os.WIFSTOPPED(status):
        ended = True
        yield os.waitstatus_to_exitcode(status)
        return
      yield None
      os.kill(pid, signal.SIGCONT)
  finally:
    if not ended:
      os.kill(pid, signal.SIGKILL)
      os.waitpid(pid, 0)


def _begin(
  command: Command, folder: pathlib.Path, how: str, kill: int | None = None
) -> tuple[int, pathlib.Path]:
  descriptor, said = tempfile.mkstemp(prefix='said_')
  pid = os.fork()
  if pid:
    os.close(descriptor)
    return pid, pathlib.Path(said)
  code = 99
  try:
    for stream in 1, 2:
      os.dup2(descriptor, stream)
    os.chdir(folder)
    (folder / 'tmp').mkdir(exist_ok=True)
    tempfile.tempdir = str(folder / 'tmp')
    if how:
      _watch(str(folder), how, kill)
    code = command()
  finally:
    os._exit(code)


def _watch(folder: str, how: str, kill: int | None) -> None:
  number, me = 0, os.getpid()

  def before(event: str) -> None:
    nonlocal number
    del event
    if os.getpid() != me:  # A process that the command started.
      return
    if how == 'stop':
      os.kill(me, signal.SIGSTOP)
    elif number == kill:
      os.kill(me, signal.SIGKILL)
    number += 1

  operations.watch(folder, before)

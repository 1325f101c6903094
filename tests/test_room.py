"""Too little address space or too few threads end in a sentence."""

import subprocess
import sys
import threading

import pytest

from heterojax.compute import room
from heterojax.errors import UserError

_LIMITED = """
import resource, sys
from heterojax.compute import arithmetic
from heterojax.errors import UserError
limit = int(float(sys.argv[1]) * 2**30)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
  arithmetic.start()
except UserError as error:
  print(error)
"""


@pytest.mark.medium
def test_the_limit_of_this_process_is_told() -> None:
  done = subprocess.run(
    [sys.executable, '-c', _LIMITED, '1.5'],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.startswith(
    'The address space of this process is limited to 1.5 GiB'
  )


@pytest.mark.slow
@pytest.mark.parametrize('limit', ['1', '1.25', '1.75', '2', '2.5', '3', '4'])
def test_no_limit_ends_by_a_signal(limit: str) -> None:
  done = subprocess.run(
    [sys.executable, '-c', _LIMITED, limit],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr


def test_here_is_room() -> None:
  before = threading.active_count()
  room.check()
  assert threading.active_count() == before


def test_threads_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
  start, started = threading.Thread.start, []

  def refuse(thread: threading.Thread) -> None:
    if len(started) == 3:
      raise RuntimeError("can't start new thread")
    started.append(thread)
    start(thread)

  monkeypatch.setattr(threading.Thread, 'start', refuse)
  with pytest.raises(UserError, match='Only 3 more threads can be started'):
    room.check()
  assert not any(thread.is_alive() for thread in started)

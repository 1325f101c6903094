"""Progress: a bar on a terminal after two seconds, log lines elsewhere."""

from collections.abc import Iterator
import contextlib
import fcntl
import logging
import os
import pty
import queue
import struct
import subprocess
import sys
import termios
import threading
import time

import pytest

from heterojax.run import progress
from heterojax.studies import stages

_WORK = """
import time
from heterojax.run.progress import Progress
with Progress('features', 30, 'images', done=5) as work:
  for _ in range(25):
    time.sleep({pause})
    work.update(1)
"""


def _on_a_terminal(code: str) -> str:
  """What a program writes to a terminal of 100 columns."""
  terminal, other_side = pty.openpty()
  size = struct.pack('HHHH', 40, 100, 0, 0)
  fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
  process = subprocess.Popen([sys.executable, '-c', code], stderr=other_side)
  os.close(other_side)
  written = b''
  try:
    while part := os.read(terminal, 4096):
      written += part
  except OSError:  # How Linux says that the other side has closed.
    pass
  os.close(terminal)
  assert process.wait() == 0
  return written.decode(errors='replace')


@pytest.mark.slow
def test_a_bar_on_a_terminal_for_what_takes_long() -> None:
  shown = _on_a_terminal(_WORK.format(pause=0.12))
  assert 'features:' in shown and 'images/s]' in shown and '/30 [' in shown
  assert 'images/s]' not in _on_a_terminal(_WORK.format(pause=0.001))


def test_log_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
  clock = iter(range(0, 1000, 6))  # Seconds: every second update has its line.
  monkeypatch.setattr(progress.time, 'monotonic', lambda: next(clock))
  lines = []
  # The module's own logger, whatever other tests did to those above it.
  logger = logging.getLogger('heterojax.run.progress')
  monkeypatch.setattr(logger, 'info', lambda text, *of: lines.append(text % of))
  with progress.Progress('features', 100, 'images', done=40) as work:
    for _ in range(4):
      work.update(12)
  # 24 images in 12 s, and what an earlier run did is no part of the rate.
  assert lines == [
    'features: 64 of 100 images, 2.0 images/s, 18 s left',
    'features: 88 of 100 images, 2.0 images/s, 6 s left',
  ]


def test_what_says_nothing_itself_is_said_to_go_on(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(progress, '_SECONDS_BETWEEN_LINES', 0.2)
  monkeypatch.setattr(progress, '_last_line', 0.0)
  spoken = threading.Event()
  lines = []

  def info(text: str, *of: object) -> None:
    lines.append(text % of)
    spoken.set()

  monkeypatch.setattr(logging.getLogger('heterojax.run.progress'), 'info', info)
  with progress.heartbeat('clusters'):
    assert spoken.wait(60)
  assert lines[0] == 'clusters: 0 s so far'
  number = len(lines)
  with progress.heartbeat('heads'):
    # What has just spoken is not spoken for.
    progress._last_line = time.monotonic() + 3600
    time.sleep(0.3)
  assert len(lines) == number


def test_work_inside_of_work_is_spoken_of_while_it_lasts(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(progress, '_SECONDS_BETWEEN_LINES', 0.2)
  monkeypatch.setattr(progress, '_last_line', 0.0)
  spoken: queue.Queue[str] = queue.Queue()

  def info(text: str, *of: object) -> None:
    spoken.put(str(of[0]))

  monkeypatch.setattr(logging.getLogger('heterojax.run.progress'), 'info', info)
  with progress.heartbeat('run'):
    with progress.heartbeat('data'):
      while spoken.get(timeout=60) != 'data':
        pass
      assert [spoken.get(timeout=60) for _ in range(3)] == ['data'] * 3
    while spoken.get(timeout=60) != 'run':
      pass


def test_a_stage_says_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
  said = []

  @contextlib.contextmanager
  def heartbeat(what: str) -> Iterator[None]:
    said.append(what)
    yield

  monkeypatch.setattr(stages.progress, 'heartbeat', heartbeat)
  with stages.Timer().stage('clusters'):
    assert said == ['clusters']

"""Stopping between two steps of work, and not in the middle of one.

A signal handler that raises can be swallowed: JAX runs callbacks in which
Python ignores exceptions. So the first SIGINT or SIGTERM only leaves a
note, which `check` reads wherever the work can be left; a second one raises.
"""

from collections.abc import Iterator
import contextlib
import signal
import threading
import types

from heterojax.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_noted: list[int] = []


def asked() -> bool:
  """Whether a signal asked this run to stop."""
  return bool(_noted)


def check() -> None:
  """Raises Interrupted if a signal asked this run to stop."""
  if _noted:
    raise Interrupted(f'Stopped by {signal.Signals(_noted[0]).name}.')


@contextlib.contextmanager
def handled() -> Iterator[None]:
  """Notes signals while inside; in the main thread, where they arrive."""
  if threading.current_thread() is not threading.main_thread():
    yield
    return

  def note(number: int, frame: types.FrameType | None) -> None:
    del frame
    _noted.append(number)
    if len(_noted) > 1:
      check()

  _noted.clear()
  before = [signal.signal(number, note) for number in _SIGNALS]
  try:
    yield
  finally:
    _noted.clear()
    for number, handler in zip(_SIGNALS, before, strict=True):
      signal.signal(number, handler)

"""Stopping between two steps of work, and not in the middle of one.

A signal handler that raises can be swallowed: JAX runs callbacks in which
Python ignores exceptions. So the first SIGINT or SIGTERM only leaves a
note, which `check` reads wherever the work can be left; a second one raises.
"""

from collections.abc import Callable, Iterator
import contextlib
import signal
import threading
import types

from heterojax.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_noted: list[int] = []
_passed_on: list[Callable[[int], None]] = []


def asked() -> bool:
  """Whether a signal asked this run to stop."""
  return bool(_noted)


def check() -> None:
  """Raises Interrupted if a signal asked this run to stop."""
  if _noted:
    raise Interrupted(f'Stopped by {signal.Signals(_noted[0]).name}.')


def note(number: int) -> None:
  """Leaves the note of a signal that another process got."""
  if not _noted:
    _noted.append(number)


def pass_on(tell: Callable[[int], None]) -> None:
  """From now on tells another process of a first signal, and goes on."""
  _passed_on.append(tell)


@contextlib.contextmanager
def handled() -> Iterator[None]:
  """Notes signals while inside; in the main thread, where they arrive."""
  if threading.current_thread() is not threading.main_thread():
    yield
    return

  def arrived(number: int, frame: types.FrameType | None) -> None:
    del frame
    if _passed_on:
      _passed_on.pop()(number)
      return
    _noted.append(number)
    if len(_noted) > 1:
      check()

  _noted.clear()
  _passed_on.clear()
  before = [signal.signal(number, arrived) for number in _SIGNALS]
  try:
    yield
  finally:
    _noted.clear()
    _passed_on.clear()
    for number, handler in zip(_SIGNALS, before, strict=True):
      signal.signal(number, handler)

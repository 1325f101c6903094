"""Progress of what takes long: a bar (terminal, notebook), else log lines."""

from collections.abc import Iterator
import contextlib
import logging
import sys
import threading
import time

from tqdm import auto

from heterojax.run import interruption

_LOG = logging.getLogger(__name__)
# What `auto` chooses there draws its bar by widgets.
_IN_NOTEBOOK = any(c.__module__ == 'tqdm.notebook' for c in auto.tqdm.__mro__)
_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BEFORE_BAR = 2.0


_last_line = 0.0  # When it was logged, by the clock of `time.monotonic`.
_going_on: list[object] = []  # Work inside of work; the innermost is spoken of.


@contextlib.contextmanager
def heartbeat(what: str) -> Iterator[None]:
  """Says every ten seconds that some work goes on, where nothing else does.

  Args:
    what: name of the work; work inside of it is spoken of while it lasts.
  """
  start, done = time.monotonic(), threading.Event()

  def beat() -> None:
    while not done.wait(_SECONDS_BETWEEN_LINES / 4):
      now = time.monotonic()
      # It is not to become older than that before it is asked again.
      is_old = now - max(start, _last_line) > 0.7 * _SECONDS_BETWEEN_LINES
      if is_old and _going_on[-1] is done:
        _say(now, '%s: %.0f s so far', what, now - start)

  thread = threading.Thread(
    target=beat, name=f'heartbeat of {what}', daemon=True
  )
  _going_on.append(done)
  thread.start()
  try:
    yield
  finally:
    done.set()
    thread.join()
    _going_on.remove(done)


def _say(now: float, *of_log: object) -> None:
  global _last_line
  _last_line = now
  _LOG.info(*of_log)


class Progress:
  """Counts work done; a context manager.

  Args:
    what: name of the work, as 'features'.
    total: units in all.
    unit: name of one, as 'images'.
    done: units that an earlier run did.
  """

  def __init__(self, what: str, total: int, unit: str, done: int = 0):
    self._what, self._total, self._unit = what, total, unit
    self._done = self._before = done
    self._start = self._last = time.monotonic()
    self._bar = auto.tqdm(
      desc=what,
      total=total,
      initial=done,
      unit=f' {unit}',
      delay=_SECONDS_BEFORE_BAR,
      disable=not (_IN_NOTEBOOK or sys.stderr.isatty()),
      leave=False,
    )

  def __enter__(self) -> 'Progress':
    return self

  def __exit__(self, *unused) -> None:
    self._bar.close()

  def update(self, count: int) -> None:
    """Reports that `count` more units are done; here a run can be stopped."""
    interruption.check()
    self._done += count
    self._bar.update(count)
    now = time.monotonic()
    if not self._bar.disable or now - self._last < _SECONDS_BETWEEN_LINES:
      return
    self._last = now
    rate = max(self._done - self._before, 1) / (now - self._start)
    _say(
      now,
      '%s: %d of %d %s, %.1f %s/s, %.0f s left',
      self._what,
      self._done,
      self._total,
      self._unit,
      rate,
      self._unit,
      (self._total - self._done) / rate,
    )

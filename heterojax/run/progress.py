"""Progress of what takes long: a bar (terminal, notebook), else log lines."""

import logging
import sys
import time

from tqdm import auto

from heterojax.run import interruption

_LOG = logging.getLogger(__name__)
# What `auto` chooses there draws its bar by widgets.
_IN_NOTEBOOK = any(c.__module__ == 'tqdm.notebook' for c in auto.tqdm.__mro__)
_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BEFORE_BAR = 2.0


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
    _LOG.info(
      '%s: %d of %d %s, %.1f %s/s, %.0f s left',
      self._what,
      self._done,
      self._total,
      self._unit,
      rate,
      self._unit,
      (self._total - self._done) / rate,
    )

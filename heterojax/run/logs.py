"""The package's log lines: in the run folder's log, and on the terminal."""

from collections.abc import Iterator
import contextlib
import logging
import sys
from typing import IO

from heterojax import errors


class Lines(logging.Formatter):
  """A line each, whatever the names in it hold."""

  def format(self, record: logging.LogRecord) -> str:
    return errors.printable(super().format(record))


class _Log(logging.StreamHandler):
  """Loses lines on a full disk; what is lost besides is said where it is."""

  def handleError(self, record: logging.LogRecord) -> None:
    pass


class _Terminal(logging.Handler):
  """Writes to what standard error is now; it may be exchanged meanwhile."""

  def emit(self, record: logging.LogRecord) -> None:
    with contextlib.suppress(OSError):  # Nobody reads it any more.
      print(self.format(record), file=sys.stderr, flush=True)


@contextlib.contextmanager
def kept(file: IO[str]) -> Iterator[None]:
  """While it lasts, lines go to a file as well, which is closed after it."""
  handler = _Log(file)
  handler.setFormatter(Lines('%(asctime)s %(message)s'))
  root = logging.getLogger('heterojax')
  root.addHandler(handler)
  try:
    yield
  finally:
    root.removeHandler(handler)
    with contextlib.suppress(OSError):  # Of a full disk, as above.
      file.close()


def to_stderr(level: int = logging.INFO) -> None:
  """Sends the package's log lines to the terminal, once."""
  root = logging.getLogger('heterojax')
  root.setLevel(level)
  root.propagate = False  # absl and Orbax put other handlers at the root.
  if not root.handlers:
    handler = _Terminal()
    handler.setFormatter(Lines('%(message)s'))
    root.addHandler(handler)

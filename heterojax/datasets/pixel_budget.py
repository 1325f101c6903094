"""How many pixels all threads together may have decoded at any time.

A picture of 16-bit colours takes 22 bytes a pixel while it is decoded, so that
a thread for each of some files of half a megabyte would fill any memory. What a
file says of its size is known before it is decoded.
"""

from collections.abc import Iterator
import contextlib
import threading

from heterojax.datasets.pixels import MAX_PIXELS


class Budget:
  """Pixels that threads share; one picture may always have all that it needs.

  Args:
    most: how many.
  """

  def __init__(self, most: int):
    self._most, self._used = most, 0
    self._changed = threading.Condition()
    self._own = threading.local()

  @contextlib.contextmanager
  def picture(self) -> Iterator[None]:
    """While it lasts the thread has the pixels that it takes inside."""
    self._own.taken = 0
    try:
      yield
    finally:
      with self._changed:
        self._used -= self._own.taken
        self._changed.notify_all()
      del self._own.taken

  def take(self, pixels: int) -> None:
    """Waits until others have left so many; nothing outside of a `picture`."""
    if getattr(self._own, 'taken', None) != 0:
      return
    with self._changed:
      self._changed.wait_for(
        lambda: not self._used or self._used + pixels <= self._most
      )
      self._used += pixels
    self._own.taken = pixels


# Of all threads of this process: as many as the largest picture has.
PIXELS = Budget(MAX_PIXELS)

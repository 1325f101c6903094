"""What decoders of every format share: the limits, and the scale 0..255."""

import numpy as np

MAX_PIXELS = 2**30 // 12  # From here on Pillow itself would warn.
MAX_SIDE = 2**16 - 1  # The largest that a JPEG can have.
TOO_LARGE = 'more pixels than an image may have'


class UnreadableImage(Exception):
  """Why an image cannot be used, in a few words."""


def check_size(height: int, width: int) -> None:
  """Refuses what would take too much memory, before it does.

  Args:
    height: in pixels.
    width: in pixels.

  Raises:
    UnreadableImage: if the image is too large.
  """
  if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
    raise UnreadableImage(TOO_LARGE)


def scaled(values: np.ndarray, bits: int) -> np.ndarray:
  """Takes 0..2**bits - 1 to 0..255 as float32."""
  levels = values.astype(np.float32) / np.float32((2**bits - 1) / 255)
  return np.minimum(levels, 255, out=levels)  # 12 bits round to a bit more.


def as_rgb(gray: np.ndarray) -> np.ndarray:
  """Three equal channels `[H, W, 3]` of `[H, W]`, without copies."""
  return np.broadcast_to(gray[..., None], (*gray.shape, 3))

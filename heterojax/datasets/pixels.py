"""What decoders of every format share: the limits, and the scale 0..255."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Self

import numpy as np

# Which values become 0 and 255: the ends of the window that a DICOM file names,
# or else of what its bits can store; always the latter; or the smallest and the
# largest value of each image.
Range = Literal['window', 'stored', 'image']
RANGES = ('window', 'stored', 'image')
MAX_PIXELS = 2**30 // 12  # From here on Pillow itself would warn.
_ROWS = 64
MAX_SIDE = 2**16 - 1  # The largest that a JPEG can have.
TOO_LARGE = 'more pixels than an image may have'


class UnreadableImage(Exception):
  """Why an image cannot be used, in a few words."""


class Extent(NamedTuple):
  """Where numbers lie."""

  minimum: float
  mean: float
  maximum: float

  @classmethod
  def of(cls, values: np.ndarray) -> Self:
    """That of an array of any shape."""
    mean = float(values.mean(dtype=np.float64))
    return cls(float(values.min()), mean, float(values.max()))


class Decoded(NamedTuple):
  """An image, and what is known of its values.

  Attributes:
    pixels: `[H, W, 3]` of 0..255, uint8, or float32 where the file has more
      than 8 bits or another range than that of the bits was asked for.
    format: of the file, as 'PNG'.
    bits: of one value in the file.
    stored: the file's own values, those of DICOM after rescaling; without what
      only pads the image.
    shown: the same of `pixels`.
    range: what became 0..255, where files of the format differ in that.
    note: what went another way than the file asks, of several images: '{}' is
      for their number.
  """

  pixels: np.ndarray
  format: str
  bits: int
  stored: Extent
  shown: Extent
  range: str = ''
  note: str = ''


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
  levels = values.astype(np.float32)
  levels /= np.float32((2**bits - 1) / 255)
  return np.minimum(levels, 255, out=levels)  # 12 bits round to a bit more.


def stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
  """Takes low..high to 0..255 as float32; what is alike becomes 0."""
  levels = np.empty(values.shape, np.float32)
  factor = 255 / ((high - low) or 1)
  for strip in strips(len(values)):
    exact = (values[strip].astype(np.float64) - low) * factor
    levels[strip] = np.clip(exact, 0, 255, out=exact)
  return levels


def strips(height: int) -> Iterator[slice]:
  """Some rows at a time, as copies of all of them would take much memory."""
  for top in range(0, height, _ROWS):
    yield slice(top, min(top + _ROWS, height))


def as_rgb(gray: np.ndarray) -> np.ndarray:
  """Three equal channels `[H, W, 3]` of `[H, W]`, without copies."""
  return np.broadcast_to(gray[..., None], (*gray.shape, 3))

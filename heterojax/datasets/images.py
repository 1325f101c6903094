"""Decoding and resizing, on the host and in threads (Pillow drops the GIL)."""

import functools
import hashlib
import io
import pathlib
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image
from PIL import ImageOps
from PIL import UnidentifiedImageError

Resize = Literal['keras', 'antialias']
RESIZES = ('keras', 'antialias')


class UnreadableImage(Exception):
  """Why an image cannot be used, in a few words."""


class Inspection(NamedTuple):
  """What looking at one image once tells.

  Attributes:
    problem: why it cannot be used; '' if it can.
    width: in pixels.
    height: in pixels.
    sha256: of the file, as hexadecimal digits.
  """

  problem: str
  width: int = 0
  height: int = 0
  sha256: str = ''


def decode(path: pathlib.Path) -> np.ndarray:
  """Reads one image as RGB.

  Args:
    path: of the file.

  Returns:
    `[H, W, 3]` of 0..255, uint8, or float32 where the file has 16 bits.

  Raises:
    UnreadableImage: with the reason.
  """
  return _decode(_read(path))


def inspect(path: pathlib.Path) -> Inspection:
  """Decodes one image and keeps only what is known of it then."""
  try:
    data = _read(path)
    height, width, _ = _decode(data).shape
  except UnreadableImage as error:
    return Inspection(str(error))
  return Inspection('', width, height, hashlib.sha256(data).hexdigest())


def _read(path: pathlib.Path) -> bytes:
  try:
    # A pipe or a device would never end.
    if not path.is_file():
      raise UnreadableImage(
          'not a regular file' if path.exists() else 'file not found'
      )
    data = path.read_bytes()
  except OSError as error:
    raise UnreadableImage(f'cannot be read: {error.strerror}') from error
  if not data:
    raise UnreadableImage('the file is empty')
  return data


def _decode(data: bytes) -> np.ndarray:
  try:
    with Image.open(io.BytesIO(data)) as image:
      image.load()
      image = ImageOps.exif_transpose(image)
      if image.mode.startswith('I'):
        # Pillow would clip 16 bits at 255 instead of scaling them.
        gray = np.asarray(image)
        if gray.min() < 0 or gray.max() > 65535:
          raise ValueError('pixels outside 0..65535')
        gray = gray.astype(np.float32) / 257.0
        return np.repeat(gray[..., None], 3, axis=-1)
      if image.mode == 'F':
        raise ValueError('floating-point pixels, whose range is unknown')
      return np.asarray(image.convert('RGB'))
  except Image.DecompressionBombError as error:
    raise UnreadableImage('more pixels than an image may have') from error
  except UnidentifiedImageError as error:
    raise UnreadableImage('not an image of a known format') from error
  # Pillow's readers raise almost anything on broken bytes, and one broken
  # image must not end a study.
  except Exception as error:  # pylint: disable=broad-except
    raise UnreadableImage(
        f'cannot be decoded: {type(error).__name__}: {error}'
    ) from error


@functools.lru_cache(maxsize=64)
def _taps(length: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Half-pixel bilinear: lower and upper index and weight of the upper."""
  centre = (np.arange(size) + 0.5) * (length / size) - 0.5
  lower = np.floor(centre)
  weight = (centre - lower).astype(np.float32)
  index = lower.astype(np.int64)
  return (
      np.clip(index, 0, length - 1),
      np.clip(index + 1, 0, length - 1),
      weight,
  )


def resize(image: np.ndarray, size: int, how: Resize = 'keras') -> np.ndarray:
  """Resizes to a square.

  Args:
    image: `[H, W, 3]`.
    size: side in pixels.
    how: 'keras' is `tf.image.resize` (bilinear, half-pixel centres, no
      antialias), what Keras' own loader does; 'antialias' is Pillow's bilinear.

  Returns:
    `[size, size, 3]` float32.
  """
  if how == 'antialias':
    channels = [
        Image.fromarray(channel).resize((size, size), Image.Resampling.BILINEAR)
        for channel in np.moveaxis(image.astype(np.float32), -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
  lower, upper, weight = _taps(image.shape[0], size)
  top, bottom = image[lower].astype(np.float32), image[upper]
  rows = top + (bottom - top) * weight[:, None, None]
  lower, upper, weight = _taps(image.shape[1], size)
  left, right = rows[:, lower], rows[:, upper]
  return left + (right - left) * weight[None, :, None]

"""Decoding and resizing, on the host and in threads (Pillow drops the GIL).

Whatever the file, its full range becomes 0..255 and nothing is clipped, unless
`Range` says otherwise: 16 bits are divided by 257. That also goes for 12 bits
that a file keeps in 16: the sBIT chunk of PNG speaks of samples that are
already scaled to all 16 bits, and the largest value that a TIFF may name is a
statistic of that one image. A data set that is nearly black for that reason is
told by its extent, see `selection`.
"""

import errno
import functools
import hashlib
import io
import os
import pathlib
import sys
from typing import Any, Literal
import warnings

import numpy as np
from PIL import ExifTags
from PIL import Image
from PIL import UnidentifiedImageError

from heterojax import regular_files
from heterojax.datasets import content
from heterojax.datasets import png
from heterojax.datasets.pixel_budget import PIXELS
from heterojax.datasets.pixels import TOO_LARGE
from heterojax.datasets.pixels import Decoded
from heterojax.datasets.pixels import Extent
from heterojax.datasets.pixels import Range
from heterojax.datasets.pixels import UnreadableImage
from heterojax.datasets.pixels import as_rgb
from heterojax.datasets.pixels import check_size
from heterojax.datasets.pixels import scaled
from heterojax.datasets.pixels import stretched
from heterojax.datasets.pixels import strips

Resize = Literal['keras', 'antialias', 'reduced']
RESIZES = ('keras', 'antialias', 'reduced')
MAX_BYTES = 2**30
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# No others: some readers of Pillow start other programs.
_FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')
READABLE = (*_FORMATS, 'DICOM')  # As `content.kind` calls them.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR = 258, 262, 284
_TILE_WIDTH, _TILE_LENGTH = 322, 323
# Which order of bytes puts the low byte where Pillow looks for the high one.
_SWAPPED = {'B': 'L', 'L': 'B', 'N': 'B' if sys.byteorder == 'little' else 'L'}

# What is wrong with an image becomes the reason for which it is left out.
# Filters cannot be set around each image, as threads share them.
warnings.filterwarnings('ignore', module=r'PIL\.')


def exists(path: pathlib.Path) -> bool:
  """Whether there is something at a path, be it readable or not."""
  try:
    os.stat(path)
  except OSError as error:
    return error.errno not in _MISSING
  except ValueError:  # A NUL in the name.
    return False
  return True


def read(path: pathlib.Path) -> bytes:
  """Reads one file.

  Args:
    path: of the file.

  Returns:
    Its bytes.

  Raises:
    UnreadableImage: with the reason.
  """
  try:
    if regular_files.size(path) > MAX_BYTES:
      raise UnreadableImage('the file is larger than 1 GiB')
    data = regular_files.read(path, MAX_BYTES)
  except regular_files.NotRegularError as error:
    raise UnreadableImage('not a regular file') from error
  except OSError as error:
    raise UnreadableImage(why_unread(error)) from error
  except ValueError as error:  # See `exists`.
    raise UnreadableImage('file not found') from error
  if not data:
    raise UnreadableImage('the file is empty')
  return data


def why_unread(error: OSError) -> str:
  """The reason that a file could not be read, in a few words."""
  if error.errno in _MISSING:
    return 'file not found'
  return f'cannot be read: {error.strerror or error}'


def decode(
  data: bytes, levels: Range = 'window', at_least: int = 0
) -> np.ndarray:
  """Decodes one image as RGB.

  A thread does it inside of `pixel_budget.PIXELS.picture`, if there are others.
  Colours are as Keras' loader gives them: transparency is dropped, what it
  hides is shown; colour profiles are not applied. DICOM is told by its content,
  see `dicom.decode`.

  Args:
    data: the encoded image.
    levels: which values become 0 and 255.
    at_least: pixels that each side may not fall below where a JPEG is decoded
      at 1/2, 1/4 or 1/8 of its size, which is faster; 0 keeps all of it.

  Returns:
    `[H, W, 3]` of 0..255, see `Decoded.pixels`.

  Raises:
    UnreadableImage: with the reason.
  """
  return examine(data, levels, at_least).pixels


def examine(
  data: bytes, levels: Range = 'window', at_least: int = 0
) -> Decoded:
  """Decodes one image and tells where its values lie; see `decode`."""
  try:
    if content.is_dicom(data):
      return _decode_dicom(data, levels)
    return _decode_with_pillow(data, levels, at_least)
  except UnreadableImage:
    raise
  except Image.DecompressionBombError as error:
    raise UnreadableImage(TOO_LARGE) from error
  except UnidentifiedImageError as error:
    raise UnreadableImage('not an image of a known format') from error
  # Readers raise almost anything on broken bytes, and one broken image must not
  # end a study.
  except Exception as error:  # pylint: disable=broad-except
    words = ' '.join(f'{type(error).__name__}: {error}'.split())
    raise UnreadableImage(f'cannot be decoded: {words}') from error


def _decode_dicom(data: bytes, levels: Range) -> Decoded:
  try:
    # pylint: disable-next=g-import-not-at-top
    from heterojax.datasets import dicom  # It needs an extra.
  except ModuleNotFoundError as error:
    raise UnreadableImage(
      "reading DICOM needs pydicom: pip install 'heterojax[dicom]'"
    ) from error
  return dicom.decode(data, levels)


def _decode_with_pillow(data: bytes, levels: Range, at_least: int) -> Decoded:
  with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
    check_size(image.height, image.width)
    # A JPEG of a telephone may carry previews and maps beside its picture.
    if getattr(image, 'is_animated', False) and image.format != 'MPO':
      raise UnreadableImage(
        'more than one page or frame: save the one to study as its own file'
      )
    tags = getattr(image, 'tag_v2', {})
    depths = tags.get(_BITS_PER_SAMPLE, (16,))
    # The decoder allocates whole tiles.
    check_size(tags.get(_TILE_LENGTH, 1), tags.get(_TILE_WIDTH, 1))
    part = at_least and image.draft(None, (at_least, at_least))
    PIXELS.take(image.height * image.width)
    if len(depths) > 1 and 16 in depths and tags.get(_PLANAR, 1) != 1:
      raise UnreadableImage(
        '16-bit colours in separate planes, which Pillow misreads: save it'
        ' with interleaved colours'
      )
    # Such as 'RGB;16B', gone once loaded.
    layout = ''
    if image.format in ('PNG', 'TIFF'):
      layout = _layout(image.tile[0].args)
    if image.format == 'PNG' and not png.is_whole(data):
      raise UnreadableImage('damaged: a part is not as its checksum says')
    image.load()
    loaded = _within(image, part[1]) if part else image
    values, bits = _values(data, loaded, layout, depths[0], levels)
    stored = Extent.of(values)
    if levels == 'image':
      pixels = stretched(values, stored.minimum, stored.maximum)
    else:
      pixels = values if bits <= 8 else scaled(values, bits)
    gray = pixels.ndim == 2
    if gray and tags.get(_PHOTOMETRIC) == 0:  # White is 0; Pillow ignores that.
      pixels = 255 - pixels
    shown = stored if pixels is values else Extent.of(pixels)
    pixels = as_rgb(pixels) if gray else pixels
    # A TIFF is upright already.
    turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    kind = image.format or ''
    return Decoded(_upright(pixels, turn), kind, bits, stored, shown)


def _within(
  image: Image.Image, box: tuple[float, float, float, float]
) -> Image.Image:
  """What a fraction of a picture shows; its last pixels reach beyond that."""
  size = int(box[2]), int(box[3])
  if image.size == size:
    return image
  return image.resize(size, Image.Resampling.BILINEAR, box=box)


def _values(
  data: bytes, image: Image.Image, layout: str, depth: int, levels: Range
) -> tuple[np.ndarray, int]:
  """Values of a loaded image as its file has them, and their bits.

  Args:
    data: the encoded image.
    image: the same, loaded.
    layout: what Pillow's decoder was told.
    depth: bits of a TIFF's value.
    levels: see `decode`.

  Returns:
    `[H, W]` of more than 8 bits or `[H, W, 3]`, 0..255 where bits are 8 or
    fewer.
  """
  kind, _, order = layout.partition(';16')
  if image.mode.startswith('I;16'):
    return np.asarray(image), depth
  if order and kind in ('LA', 'RGB', 'RGBA', 'RGBX'):
    return _sixteen_bit_colours(data, image, kind, order), 16
  if image.mode in ('I', 'F'):
    values = np.asarray(image)
    if levels != 'image':
      raise UnreadableImage(
        'pixels of 32 bits or with a sign, whose range is unknown:'
        ' --config.data.range=image takes that of each image'
      )
    if not np.isfinite(values).all():
      raise UnreadableImage('pixels that are not finite')
    return values, depth
  # Converting RGB would copy it.
  shown = image if image.mode == 'RGB' else image.convert('RGB')
  return np.asarray(shown), 1 if image.mode == '1' else 8


def _layout(args: Any) -> str:
  """What a decoder of Pillow is told, or is told first."""
  return args if isinstance(args, str) else args[0]


def _with_layout(args: Any, layout: str) -> Any:
  return layout if isinstance(args, str) else (layout, *args[1:])


def _sixteen_bit_colours(
  data: bytes, image: Image.Image, kind: str, order: str
) -> np.ndarray:
  """All 16 bits of colours, of which Pillow keeps the high bytes only.

  Args:
    data: the encoded image.
    image: the same, loaded.
    kind: Pillow's name of the channels as they are stored.
    order: Pillow's name of their order of bytes.

  Returns:
    `[H, W, 3]` uint16.
  """
  # Grey and alpha fill the four bytes that red, green, blue and alpha do.
  layout = 'RGBA' if kind == 'LA' else f'{kind};16{_SWAPPED[order]}'
  with Image.open(io.BytesIO(data), formats=_FORMATS) as again:
    again.tile = [
      tile._replace(args=_with_layout(tile.args, layout)) for tile in again.tile
    ]
    values = np.empty((image.height, image.width, 3), np.uint16)
    for strip in strips(image.height):
      box = 0, strip.start, image.width, strip.stop
      rows, low = values[strip], np.asarray(again.crop(box))
      rows[:] = np.asarray(image.crop(box))[..., :3]
      rows <<= 8
      rows |= low[..., [1, 1, 1]] if kind == 'LA' else low[..., :3]
  return values


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
  """Turns and mirrors as EXIF says."""
  if orientation in (5, 6, 7, 8):
    pixels = np.swapaxes(pixels, 0, 1)
  if orientation in (2, 3, 6, 7):
    pixels = pixels[:, ::-1]
  if orientation in (3, 4, 7, 8):
    pixels = pixels[::-1]
  return pixels


def digest(data: bytes) -> str:
  """SHA-256 of an encoded image, as hexadecimal digits."""
  return hashlib.sha256(data).hexdigest()


def pixel_digest(pixels: np.ndarray) -> str:
  """SHA-256 of decoded pixels and their shape, as hexadecimal digits."""
  hashed = hashlib.sha256(repr(pixels.shape).encode())
  if pixels.dtype != np.uint8:
    # So that the same levels of 8 and of 16 bits are the same pixels.
    whole = pixels.astype(np.uint8)
    pixels = whole if np.array_equal(whole, pixels) else pixels
  hashed.update(np.ascontiguousarray(pixels).data)
  return hashed.hexdigest()


@functools.lru_cache(maxsize=64)
def _taps(
  length: int, size: int, channels: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Half-pixel bilinear: lower and upper index and weight of the upper.

  Args:
    length: of the axis, in pixels.
    size: of the same afterwards.
    channels: numbers that lie side by side in each pixel.

  Returns:
    Three arrays `[size * channels]`.
  """
  # TensorFlow counts in 32 bits, which moves centres of large images a little.
  half, scale = np.float32(0.5), np.float32(length) / np.float32(size)
  centre = (np.arange(size, dtype=np.float32) + half) * scale - half
  lower = np.floor(centre)
  index = lower.astype(np.int64)
  low, high = (
    np.clip(pixel, 0, length - 1)[:, None] * channels + np.arange(channels)
    for pixel in (index, index + 1)
  )
  return low.ravel(), high.ravel(), np.repeat(centre - lower, channels)


def resize(image: np.ndarray, size: int, how: Resize = 'keras') -> np.ndarray:
  """Resizes to a square.

  Args:
    image: `[H, W, 3]`.
    size: side in pixels.
    how: 'keras' is `tf.image.resize` (bilinear, half-pixel centres, no
      antialias), what Keras' loader does; the others are Pillow's bilinear.

  Returns:
    `[size, size, 3]` float32.
  """
  if how != 'keras':
    channels = [
      Image.fromarray(channel).resize((size, size), Image.Resampling.BILINEAR)
      for channel in np.moveaxis(image.astype(np.float32), -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
  height, width, channels = image.shape
  rows = image.reshape(height, width * channels)
  vertical, horizontal = _taps(height, size), _taps(width, size, channels)
  resized = np.empty((size, size * channels), np.float32)
  # What is large is given back to the system, and each page of it costs again.
  for strip in strips(size):
    mixed = _between(rows, *(tap[strip] for tap in vertical), axis=0)
    resized[strip] = _between(mixed, *horizontal, axis=1)
  return resized.reshape(size, size, channels)


def _between(
  pixels: np.ndarray,
  lower: np.ndarray,
  upper: np.ndarray,
  weight: np.ndarray,
  axis: int,
) -> np.ndarray:
  """float32 mixtures of rows or columns; few copies, for every image pays."""
  # With indices that are known to be inside, clipping is the fastest mode.
  low, mixed = (
    pixels.take(index, axis, mode='clip').astype(np.float32, copy=False)
    for index in (lower, upper)
  )
  mixed -= low
  mixed *= np.expand_dims(weight, 1 - axis)
  mixed += low
  return mixed

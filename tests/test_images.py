"""Decoding and resizing: exact where it can be, a reason where it cannot."""

from collections.abc import Callable
import concurrent.futures
import io
import pathlib
import struct
import subprocess
import sys
import zlib

import hypothesis
from hypothesis import strategies as st
import jax
import numpy as np
from PIL import Image
import pytest

from heterojax.datasets import images

GOLDENS = pathlib.Path(__file__).with_name('goldens')

# What readers warn of becomes a reason; outside of tests it is filtered.
pytestmark = pytest.mark.filterwarnings('ignore:::PIL')


def _random(height: int, width: int, seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _encoded(image: Image.Image | np.ndarray, kind: str, **options) -> bytes:
  if isinstance(image, np.ndarray):
    image = Image.fromarray(image)
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def _bilinear(image: np.ndarray, size: int) -> np.ndarray:
  """Half-pixel bilinear without antialias, one output pixel at a time."""
  height, width, channels = image.shape
  out = np.zeros((size, size, channels))
  for i in range(size):
    y = min(max((i + 0.5) * height / size - 0.5, 0), height - 1)
    y0 = int(y)
    y1 = min(y0 + 1, height - 1)
    for j in range(size):
      x = min(max((j + 0.5) * width / size - 0.5, 0), width - 1)
      x0 = int(x)
      x1 = min(x0 + 1, width - 1)
      for c in range(channels):
        p, q = float(image[y0, x0, c]), float(image[y0, x1, c])
        r, s = float(image[y1, x0, c]), float(image[y1, x1, c])
        top, bottom = p + (q - p) * (x - x0), r + (s - r) * (x - x0)
        out[i, j, c] = top + (bottom - top) * (y - y0)
  return out


_SIZES = [
  (1, 1, 5),
  (1, 7, 3),
  (7, 1, 4),
  (2, 2, 4),
  (5, 3, 8),
  (3, 5, 8),
  (31, 17, 9),
  (17, 31, 33),
  (64, 64, 1),
  (64, 48, 32),
  (33, 33, 33),
]


@pytest.mark.parametrize(('height', 'width', 'size'), _SIZES)
def test_keras_resize_is_half_pixel_bilinear(
  height: int, width: int, size: int
) -> None:
  image = _random(height, width)
  got = images.resize(image, size)
  assert (got.dtype, got.shape) == (np.float32, (size, size, 3))
  # Positions in 32 bits, as TensorFlow's.
  np.testing.assert_allclose(got, _bilinear(image, size), rtol=0, atol=5e-4)


@pytest.mark.parametrize(
  ('how', 'tolerance'), [('keras', 1e-4), ('antialias', 1e-3)]
)
def test_resize_is_tensorflows(how: images.Resize, tolerance: float) -> None:
  golden = np.load(GOLDENS / 'resized.npz')
  cases = [name[: -len('/image')] for name in golden if name.endswith('image')]
  assert len(cases) == 14
  for case in cases:
    want = golden[f'{case}/{how}']
    got = images.resize(golden[f'{case}/image'], len(want), how)
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, err_msg=case)


@pytest.mark.parametrize(('height', 'width', 'size'), _SIZES)
def test_keras_resize_agrees_with_jax_without_antialias(
  height: int, width: int, size: int
) -> None:
  image = _random(height, width)
  want = jax.image.resize(
    image.astype(np.float32), (size, size, 3), 'linear', antialias=False
  )
  np.testing.assert_allclose(images.resize(image, size), want, atol=1e-3)


def test_keras_resize_of_a_hand_example() -> None:
  """What tf.image.resize([[0, 1], [2, 3]], [4, 4]) gives."""
  image = np.repeat(np.array([[0, 1], [2, 3]], np.uint8)[..., None], 3, axis=-1)
  want = [
    [0, 0.25, 0.75, 1],
    [0.5, 0.75, 1.25, 1.5],
    [1.5, 1.75, 2.25, 2.5],
    [2, 2.25, 2.75, 3],
  ]
  got = images.resize(image, 4)
  for channel in range(3):
    np.testing.assert_array_equal(got[..., channel], want)
  # Downscaling by 3 without antialias takes the middle pixel of each three.
  line = np.arange(0, 90, 10, dtype=np.uint8)
  image = np.broadcast_to(line[None, :, None], (9, 9, 3))
  np.testing.assert_array_equal(images.resize(image, 3)[0, :, 0], [10, 40, 70])


def test_resize_keeps_an_image_that_has_the_size() -> None:
  image = _random(24, 24)
  for how in images.RESIZES:
    np.testing.assert_array_equal(images.resize(image, 24, how), image)


@hypothesis.given(
  st.integers(1, 40),
  st.integers(1, 40),
  st.integers(1, 24),
  st.integers(0, 255),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_resize_of_one_colour_is_that_colour(
  height: int, width: int, size: int, level: int
) -> None:
  image = np.full((height, width, 3), level, np.uint8)
  for how in images.RESIZES:
    got = images.resize(image, size, how)
    np.testing.assert_allclose(got, level, rtol=0, atol=1e-4)


@pytest.mark.parametrize(('height', 'width', 'size'), _SIZES)
def test_antialias_is_pillows_bilinear(
  height: int, width: int, size: int
) -> None:
  image = _random(height, width)
  got = images.resize(image, size, 'antialias')
  want = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
  assert (got.dtype, got.shape) == (np.float32, (size, size, 3))
  assert np.max(np.abs(got - np.asarray(want, np.float32))) <= 1


def test_antialias_averages_where_keras_does_not() -> None:
  """A checkerboard of single pixels is grey only with antialias."""
  board = np.indices((63, 63)).sum(0) % 2 * 255
  image = np.repeat(board.astype(np.uint8)[..., None], 3, axis=-1)
  assert np.ptp(images.resize(image, 9, 'antialias')) < 30
  assert np.ptp(images.resize(image, 9, 'keras')) == 255


@pytest.mark.parametrize(
  ('height', 'width', 'at_least', 'factor'),
  [
    (128, 256, 128, 1),
    (128, 256, 65, 1),
    (128, 256, 64, 2),
    (128, 256, 33, 2),
    (128, 256, 16, 8),
    (256, 128, 16, 8),
    (128, 256, 1, 8),
    (120, 248, 15, 8),
    (120, 248, 40, 2),
  ],
)
def test_a_jpeg_is_decoded_at_a_fraction_that_keeps_enough(
  height: int, width: int, at_least: int, factor: int
) -> None:
  """Where each 8 x 8 block has one value, every fraction has these values."""
  values = _random(height // 8, width // 8)[..., :1].repeat(3, -1)
  image = values.repeat(8, axis=0).repeat(8, axis=1)
  data = _encoded(image, 'JPEG', quality=100, subsampling=0)
  got = images.decode(data, at_least=at_least)
  want = values.repeat(8 // factor, axis=0).repeat(8 // factor, axis=1)
  assert got.shape == want.shape
  assert np.max(np.abs(got.astype(int) - want)) <= 2
  whole = _encoded(image, 'PNG')
  np.testing.assert_array_equal(images.decode(whole, at_least=16), image)


_KINDS = ('BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')


@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'TIFF', 'WEBP'])
def test_rgb_is_read_as_it_is(kind: str) -> None:
  image = _random(5, 7)
  options = {'lossless': True} if kind == 'WEBP' else {}
  got = images.decode(_encoded(image, kind, **options))
  assert got.dtype == np.uint8
  np.testing.assert_array_equal(got, image)


@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'TIFF'])
def test_grey_becomes_three_equal_channels(kind: str) -> None:
  gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
  got = images.decode(_encoded(gray, kind))
  np.testing.assert_array_equal(got, np.repeat(gray[..., None], 3, axis=-1))


@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'BMP'])
def test_transparency_is_dropped(kind: str) -> None:
  """Hidden pixels are shown, as `convert('RGB')` of Keras' loader does."""
  rgba = np.concatenate([_random(4, 6), np.zeros((4, 6, 1), np.uint8)], axis=-1)
  got = images.decode(_encoded(rgba, kind))
  np.testing.assert_array_equal(got, rgba[..., :3])


def test_grey_with_transparency() -> None:
  image = np.stack([np.arange(6), np.zeros(6)], axis=-1).astype(np.uint8)[None]
  got = images.decode(_encoded(image, 'PNG'))
  np.testing.assert_array_equal(got[0, :, 2], np.arange(6))


@pytest.mark.parametrize('transparency', [None, b'\0\xff'])
@pytest.mark.parametrize('kind', ['PNG', 'GIF', 'BMP'])
def test_palettes_are_looked_up(kind: str, transparency: bytes | None) -> None:
  colours = np.array([[255, 0, 0], [0, 9, 255]], np.uint8)
  index = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
  image = Image.fromarray(index)
  image.putpalette(colours.tobytes())
  options = {}
  if transparency and kind == 'PNG':
    options = {'transparency': transparency}
  got = images.decode(_encoded(image, kind, **options))
  np.testing.assert_array_equal(got, colours[index])


@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'TIFF'])
def test_black_and_white_is_0_and_255(kind: str) -> None:
  got = images.decode(_encoded(np.array([[True, False]]), kind))
  np.testing.assert_array_equal(got, [[[255] * 3, [0] * 3]])


def _cmyk() -> bytes:
  """A red JPEG of inks, which Pillow writes inverted, as Adobe does."""
  return _encoded(Image.new('CMYK', (8, 8), (0, 255, 255, 0)), 'JPEG')


def test_cmyk_jpeg_of_adobe() -> None:
  got = images.decode(_cmyk()).astype(int)
  assert np.max(np.abs(got - [255, 0, 0])) <= 3


def test_ycck_jpeg() -> None:
  """The last byte of Adobe's mark says that three inks are stored as YCbCr."""
  luma, blue, red, key = 100, 90, 200, 40
  # Pillow stores the complement of what it is given.
  inks = tuple(255 - value for value in (luma, blue, red, key))
  data = bytearray(_encoded(Image.new('CMYK', (8, 8), inks), 'JPEG'))
  transform = data.index(b'Adobe') + 11
  assert data[transform] == 0
  data[transform] = 2
  inks = np.array([
    luma + 1.402 * (red - 128),
    luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
    luma + 1.772 * (blue - 128),
  ])
  got = images.decode(bytes(data))[4, 4]
  np.testing.assert_allclose(got, (255 - inks) * key / 255, atol=2)


# How the stored image must be changed, as EXIF 2.3 defines the eight values.
_ORIENTATIONS = {
  1: lambda x: x,
  2: lambda x: x[:, ::-1],
  3: lambda x: x[::-1, ::-1],
  4: lambda x: x[::-1],
  5: lambda x: np.rot90(x[:, ::-1]),
  6: lambda x: np.rot90(x, -1),
  7: lambda x: np.rot90(x[:, ::-1], -1),
  8: lambda x: np.rot90(x),
}


@pytest.mark.parametrize('orientation', _ORIENTATIONS)
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'TIFF', 'WEBP'])
def test_exif_orientation_turns_the_image(kind: str, orientation: int) -> None:
  corners = np.zeros((2, 3), np.uint8)
  corners[0, 0], corners[0, 2], corners[1, 0] = 250, 150, 80
  stored = np.kron(corners, np.ones((16, 16), np.uint8))
  exif = Image.Exif()
  exif[0x0112] = orientation
  image = Image.fromarray(stored).convert('RGB')
  got = images.decode(_encoded(image, kind, exif=exif))[..., 1]
  np.testing.assert_allclose(got, _ORIENTATIONS[orientation](stored), atol=9)


def test_orientation_of_16_bits() -> None:
  exif = Image.Exif()
  exif[0x0112] = 6
  levels = np.arange(6, dtype=np.uint16).reshape(2, 3) * 257
  for kind in ('PNG', 'TIFF'):
    got = images.decode(_encoded(levels, kind, exif=exif))
    np.testing.assert_array_equal(got[..., 0], [[3, 0], [4, 1], [5, 2]])


@pytest.mark.parametrize('exif', [b'Exif\0\0rubbish', b'Exif\0\0II*\0\xff\xff'])
def test_broken_exif_does_not_matter(exif: bytes) -> None:
  data = _encoded(np.full((8, 8, 3), 77, np.uint8), 'JPEG', exif=exif)
  np.testing.assert_array_equal(images.decode(data), np.full((8, 8, 3), 77))


@pytest.mark.parametrize('kind', ['PNG', 'TIFF'])
def test_16_bits_are_scaled_and_not_clipped(kind: str) -> None:
  levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
  got = images.decode(_encoded(levels * 257, kind))
  assert got.dtype == np.float32
  np.testing.assert_array_equal(got, np.repeat(levels[..., None], 3, axis=-1))
  between = levels[:-1] * 257 + 128
  got = images.decode(_encoded(between, kind))
  np.testing.assert_allclose(
    got[..., 0], levels[:-1] + 128 / 257, rtol=0, atol=2e-5
  )


def test_16_bits_survive_resizing() -> None:
  levels = np.full((9, 9), 100 * 257 + 128, np.uint16)
  image = images.decode(_encoded(levels, 'PNG'))
  for how in images.RESIZES:
    got = images.resize(image, 4, how)
    np.testing.assert_allclose(got, 100 + 128 / 257, atol=1e-4)


def _chunk(kind: bytes, data: bytes) -> bytes:
  check = struct.pack('>I', zlib.crc32(kind + data))
  return struct.pack('>I', len(data)) + kind + data + check


def _png(
  width: int,
  height: int,
  rows: bytes,
  *,
  bits: int = 8,
  colour: int = 2,
  extra: bytes = b'',
) -> bytes:
  header = struct.pack('>IIBBBBB', width, height, bits, colour, 0, 0, 0)
  data = _chunk(b'IHDR', header) + extra + _chunk(b'IDAT', zlib.compress(rows))
  return b'\x89PNG\r\n\x1a\n' + data + _chunk(b'IEND', b'')


def _png16(pixels: np.ndarray, colour: int, extra: bytes = b'') -> bytes:
  """A PNG of 16 bits, of which Pillow writes grey only."""
  height, width = pixels.shape[:2]
  # Each row begins with the number of its filter: 1 stores differences.
  stored = pixels.astype('>u2').reshape(height, width, -1).view(np.uint8)
  before = np.pad(stored, ((0, 0), (1, 0), (0, 0)))[:, :-1]
  rows = (stored - before).reshape(height, -1)
  rows = np.pad(rows, ((0, 0), (1, 0)), constant_values=1).tobytes()
  return _png(width, height, rows, bits=16, colour=colour, extra=extra)


@pytest.mark.parametrize(
  ('colour', 'channels', 'shown'),
  [
    (0, 1, [0, 0, 0]),
    (2, 3, [0, 1, 2]),
    (4, 2, [0, 0, 0]),
    (6, 4, [0, 1, 2]),
  ],
  ids=['grey', 'rgb', 'grey and alpha', 'rgba'],
)
@pytest.mark.parametrize('highest', [65535, 4095])
def test_16_bit_colour_png_keeps_all_bits(
  colour: int, channels: int, shown: list[int], highest: int
) -> None:
  pixels = np.random.default_rng(colour).integers(
    0, highest + 1, (5, 7, channels)
  )
  pixels[0, 0] = highest
  # The chunk tells where samples came from, not how they are stored.
  said = _chunk(b'sBIT', bytes([12] * channels)) if highest == 4095 else b''
  got = images.decode(_png16(pixels, colour, said))
  assert got.dtype == np.float32
  np.testing.assert_allclose(got, pixels[..., shown] / 257, rtol=0, atol=2e-5)


def _tiff(
  pixels: np.ndarray,
  order: str = '<',
  packed: Callable[[bytes], bytes] | None = None,
  **changed: tuple[int, ...],
) -> bytes:
  """A TIFF of one strip, tag by tag (TIFF 6.0)."""
  height, width = pixels.shape[:2]
  samples = pixels.shape[2] if pixels.ndim == 3 else 1
  body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
  body = packed(body) if packed else body
  tags = {
    256: (width,),
    257: (height,),
    258: (8 * pixels.itemsize,) * samples,
    259: (8 if packed is zlib.compress else 1,),
    262: (2 if samples > 2 else 1,),
    273: (8,),
    277: (samples,),
    278: (height,),
    279: (len(body),),
  }
  tags |= {int(tag[1:]): value for tag, value in changed.items()}
  after = 8 + len(body) + len(body) % 2
  far = after + 2 + 12 * len(tags) + 4
  entries, values = b'', b''
  for tag, value in sorted(tags.items()):
    stored = struct.pack(f'{order}{len(value)}I', *value)
    if len(value) > 1:
      values += stored
      stored = struct.pack(f'{order}I', far + len(values) - len(stored))
    entries += struct.pack(f'{order}HHI', tag, 4, len(value)) + stored
  return b''.join([
    b'II*\0' if order == '<' else b'MM\0*',
    struct.pack(f'{order}I', after),
    body.ljust(after - 8, b'\0'),
    struct.pack(f'{order}H', len(tags)) + entries + bytes(4) + values,
  ])


@pytest.mark.parametrize('packed', [None, zlib.compress])
@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('channels', [1, 3, 4])
def test_16_bit_tiff_keeps_all_bits(
  channels: int, order: str, packed: Callable[[bytes], bytes] | None
) -> None:
  pixels = np.random.default_rng(0).integers(0, 2**16, (6, 5, channels))
  pixels = np.squeeze(pixels.astype(np.uint16))
  got = images.decode(_tiff(pixels, order, packed))
  want = pixels[..., :3] if channels > 1 else pixels[..., None]
  np.testing.assert_allclose(
    got, np.broadcast_to(want, (6, 5, 3)) / 257, rtol=0, atol=2e-5
  )


@pytest.mark.parametrize(
  'options',
  [
    {'compression': 'tiff_lzw'},
    {'compression': 'tiff_adobe_deflate'},
    {'compression': 'packbits'},
    {'compression': 'jpeg', 'quality': 100},
    {'tile': (16, 16)},
    {'tile': (16, 16), 'compression': 'tiff_lzw'},
  ],
  ids=str,
)
def test_compressed_and_tiled_tiff(options: dict) -> None:
  image = np.kron(_random(3, 4), np.ones((16, 16, 1), np.uint8))
  tile = options.pop('tile', None)
  if tile:
    info = {322: tile[0], 323: tile[1]}
    options = options | {'tiffinfo': info}
  got = images.decode(_encoded(image, 'TIFF', **options)).astype(int)
  lossy = options.get('compression') == 'jpeg'
  # JPEG stores fewer colours than pixels, seen at the edges.
  differ = np.abs(got - image).max(axis=-1) > (9 if lossy else 0)
  assert differ.mean() <= (0.3 if lossy else 0)


def test_white_is_zero_in_a_16_bit_tiff() -> None:
  levels = np.array([[0, 257, 65535]], np.uint16)
  got = images.decode(_tiff(levels, _262=(0,)))
  np.testing.assert_allclose(got[..., 1], [[255, 254, 0]], atol=2e-5)


def test_12_bits_packed_in_a_tiff() -> None:
  # Two pixels in three bytes.
  packed = np.array([[0x0F, 0xFF, 0x00]], np.uint8)  # 0x0FF, 0xF00
  data = _tiff(packed, _256=(2,), _258=(12,))
  got = images.decode(data)[0, :, 0]
  np.testing.assert_allclose(got, [255 * 0xFF / 4095, 255 * 0xF00 / 4095])
  data = _tiff(np.full((1, 3), 255, np.uint8), _256=(2,), _258=(12,))
  assert images.decode(data).max() == 255


def test_a_statistic_in_a_tiff_is_no_range() -> None:
  data = _tiff(np.array([[0, 4095]], np.uint16), _281=(4095,))
  np.testing.assert_allclose(images.decode(data).max(), 4095 / 257)


def _several(kind: str) -> bytes:
  more = [Image.fromarray(_random(9, 9, 1))]
  return _encoded(_random(9, 9), kind, save_all=True, append_images=more)


def test_a_picture_with_a_preview_is_that_picture() -> None:
  """Telephones append further pictures to a JPEG (MPO)."""
  np.testing.assert_array_equal(
    images.decode(_several('MPO')),
    images.decode(_encoded(_random(9, 9), 'JPEG')),
  )


def _truncated(kind: str) -> bytes:
  data = _encoded(_random(64, 64), kind)
  return data[: len(data) // 2]


def _bomb(kind: bytes) -> bytes:
  """Text or a profile of a PNG that would inflate to a gibibyte."""
  packer = zlib.compressobj()
  start = packer.compress(b'.') + packer.flush(zlib.Z_FULL_FLUSH)
  # After a full flush, a block can be repeated.
  block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
  body = b'name\0\0' + start + 64 * block + packer.flush()
  return _png(1, 1, b'\0\1\2\3', extra=_chunk(kind, body))


def _rows(gray: np.ndarray) -> bytes:
  return _encoded(gray, 'TIFF')


_LARGE = 'more pixels than an image may have'


def _zeroed() -> bytes:
  """A PNG whose end has not arrived yet, though its length has.

  Without its checksum these are other pixels.
  """
  rising = np.add.outer(np.arange(256), np.arange(256)) // 2
  data = _encoded(rising.astype(np.uint8), 'PNG')
  half = len(data) // 2
  return data[:half] + bytes(len(data) - half)


def test_every_changed_bit_of_what_a_png_needs_is_found() -> None:
  image = _random(4, 4)
  extra = _chunk(b'tEXt', b'any words')
  data = _png(
    4, 4, np.insert(image.reshape(4, 12), 0, 0, 1).tobytes(), extra=extra
  )
  np.testing.assert_array_equal(images.decode(data), image)
  # Nobody needs the words; a length that leads beyond the end ends there.
  words = range(data.index(b'tEXt') - 4, data.index(b'IDAT'))
  for bit in range(8 * 16, 8 * (len(data) - 12)):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    try:
      found = images.decode(bytes(changed))
    except images.UnreadableImage:
      continue
    assert bit // 8 in words
    np.testing.assert_array_equal(found, image)


_PAGES = 'more than one page or frame: save the one to study as its own file'
_BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
  'truncated jpeg': (
    lambda: _truncated('JPEG'),
    'cannot be decoded: OSError: image file is truncated',
  ),
  'truncated png': (lambda: _truncated('PNG'), 'cannot be decoded: OSError'),
  'png with zeros': (lambda: _zeroed(), 'damaged: a part is not as its'),
  'nothing': (lambda: b'', 'not an image of a known format'),
  'text': (lambda: b'<html>404</html>', 'not an image of a known format'),
  'zeros': (lambda: bytes(9999), 'not an image of a known format'),
  'signature only': (lambda: b'\xff\xd8\xff', 'not an image of a known'),
  'postscript': (
    lambda: _encoded(_random(9, 9), 'EPS'),
    'not an image of a known format',
  ),
  'other formats': (
    lambda: _encoded(_random(9, 9), 'PCX'),
    'not an image of a known format',
  ),
  'pages': (lambda: _several('TIFF'), _PAGES),
  'film': (lambda: _several('GIF'), _PAGES),
  'moving png': (lambda: _several('PNG'), _PAGES),
  'moving webp': (lambda: _several('WEBP'), _PAGES),
  'huge': (lambda: _png(50_000, 50_000, b'\0'), _LARGE),
  'as large as only warns': (lambda: _png(10_000, 9_000, b'\0'), _LARGE),
  'long': (lambda: _png(65_536, 1, b'\0'), _LARGE),
  'huge tiff': (
    lambda: _tiff(np.zeros((1, 1), np.uint8), _256=(2**31,), _257=(9,)),
    _LARGE,
  ),
  'huge tile': (
    lambda: _tiff(
      np.zeros((1, 1), np.uint8),
      packed=zlib.compress,
      _322=(40_000,),
      _323=(40_000,),
      _324=(8,),
      _325=(9,),
    ),
    _LARGE,
  ),
  'no pixels': (lambda: _png(0, 0, b'\0'), 'not an image of a known'),
  'half a png': (lambda: _png(9, 9, b'\0'), 'cannot be decoded'),
  'text bomb': (lambda: _bomb(b'zTXt'), 'too large'),
  'floats': (
    lambda: _rows(np.full((3, 3), 0.5, np.float32)),
    'range is unknown',
  ),
  '32 bits': (lambda: _rows(np.full((3, 3), 7, np.int32)), 'range is unknown'),
  'signed': (
    lambda: _tiff(np.full((3, 3), -7, np.int16), _339=(2,)),
    'pixels of 32 bits or with a sign, whose range is unknown',
  ),
  'planes': (
    lambda: _tiff(
      np.zeros((4, 3, 3), np.uint16),
      _284=(2,),
      _273=(8, 32, 56),
      _279=(24, 24, 24),
    ),
    '16-bit colours in separate planes',
  ),
}


@pytest.mark.parametrize('kind', _BROKEN)
def test_what_cannot_be_used_says_why(kind: str) -> None:
  make, reason = _BROKEN[kind]
  said = []
  # Twice the same words, so that a manifest is the same on every run.
  for _ in range(2):
    with pytest.raises(images.UnreadableImage) as caught:
      images.decode(make())
    said.append(str(caught.value))
  assert said[0] == said[1] and reason in said[0]


def test_a_profile_bomb_is_not_inflated() -> None:
  """The picture is fine; its profile is of no use and is not read."""
  data = _bomb(b'iCCP')
  assert len(data) < 2**21  # Bytes that hold 2**30.
  try:
    np.testing.assert_array_equal(images.decode(data), [[[1, 2, 3]]])
  except images.UnreadableImage as error:
    assert 'too large' in str(error)


# Memory is limited as it would be on a small machine, and all that any reader
# says on the way would be seen.
_QUIETLY = """
import pathlib, resource, sys
from heterojax.datasets import images
images.decode(pathlib.Path(sys.argv[1], 'fine').read_bytes())
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
limit = used + 400 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
  try:
    images.decode(path.read_bytes())
    print(path.name, 'fine')
  except images.UnreadableImage as error:
    print(path.name, 'Memory' if 'Memory' in str(error) else 'refused')
"""


@pytest.mark.slow
@pytest.mark.skipif(
  sys.platform != 'linux', reason='memory is limited as Linux does it'
)
def test_nothing_is_allocated_or_written_for_what_is_refused(
  tmp_path: pathlib.Path,
) -> None:
  (tmp_path / 'fine').write_bytes(_encoded(_random(9, 9), 'JPEG'))
  kinds = [kind for kind in _BROKEN if not kind.startswith('truncated')]
  for kind in kinds:
    (tmp_path / kind).write_bytes(_BROKEN[kind][0]())
  done = subprocess.run(
    [sys.executable, '-c', _QUIETLY, str(tmp_path)],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.stderr == ''
  want = [f'{kind} refused' for kind in kinds] + ['fine fine']
  assert sorted(done.stdout.splitlines()) == sorted(want)


def test_every_truncation_is_refused_or_read() -> None:
  for kind in _KINDS:
    data = _encoded(_random(12, 9), kind)
    whole = images.decode(data)
    for end in range(len(data)):
      try:
        got = images.decode(data[:end])
      except images.UnreadableImage as error:
        assert str(error)
      else:
        # Only what lies behind the pixels may be missing.
        assert got.shape == whole.shape and end > len(data) // 2
        if kind != 'WEBP':
          np.testing.assert_array_equal(got, whole)


def _sound() -> dict[str, bytes]:
  """One file of each sort that is read by code of its own."""
  image, deep = _random(12, 9), _random(12, 9).astype(np.uint16) * 255
  sound = {kind: _encoded(image, kind) for kind in _KINDS} | {
    f'TIFF {way}': _encoded(image, 'TIFF', compression=way)
    for way in ('tiff_lzw', 'tiff_adobe_deflate', 'packbits')
  }
  return sound | {
    'JPEG of inks': _cmyk(),
    'JPEG in steps': _encoded(image, 'JPEG', progressive=True),
    'WEBP without loss': _encoded(image, 'WEBP', lossless=True),
    'PNG of a palette': _encoded(Image.fromarray(image).quantize(8), 'PNG'),
    'PNG of 16 bits': _png16(deep[..., 0], 0),
    'PNG of 48 bits': _png16(deep, 2),
    'PNG of 32 bits': _png16(deep[..., :2], 4),
    'TIFF of 48 bits': _tiff(deep),
  }


_SOUND = _sound()


def _mended(data: bytes) -> bytes:
  """A PNG whose checksums are right again, so that damage goes deeper."""
  out, at = data[:8], 8
  while at + 12 <= len(data):
    length = int.from_bytes(data[at : at + 4], 'big')
    out += _chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
    at += 12 + length
  return out


@pytest.mark.medium
@hypothesis.given(
  st.sampled_from(sorted(_SOUND)),
  st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
    min_size=1,
    max_size=20,
  ),
  st.floats(0.1, 1),
)
@hypothesis.settings(deadline=None, max_examples=400)
def test_damaged_files_are_read_or_refused(
  kind: str, changes: list[tuple[float, int]], kept: float
) -> None:
  """Whatever bytes change, nothing but UnreadableImage comes out."""
  data = bytearray(_SOUND[kind])
  for position, value in changes:
    data[int(position * len(data))] = value
  data = bytes(data if kept > 0.5 else data[: int(kept * 2 * len(data))])
  _check_read_or_refused(_mended(data) if kind.startswith('PNG') else data)


@hypothesis.given(st.binary(max_size=200), st.sampled_from(sorted(_SOUND)))
@hypothesis.settings(deadline=None, max_examples=200)
def test_random_bytes_are_refused(data: bytes, kind: str) -> None:
  _check_read_or_refused(data)
  _check_read_or_refused(_SOUND[kind][:16] + data)


def _check_read_or_refused(data: bytes) -> None:
  try:
    got = images.decode(data)
  except images.UnreadableImage as error:
    assert str(error) and ' at 0x' not in str(error) and '\n' not in str(error)
  else:
    assert got.ndim == 3 and got.shape[2] == 3
    assert got.dtype in (np.uint8, np.float32)
    assert got.min() >= 0 and got.max() <= 255


def test_threads_decode_the_same() -> None:
  files = list(_SOUND.values()) * 8
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for got, data in zip(pool.map(images.decode, files), files):
      np.testing.assert_array_equal(got, images.decode(data))


def test_the_same_pixels_have_the_same_digest() -> None:
  gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
  files = (
    _encoded(gray, 'PNG'),
    _encoded(np.repeat(gray[..., None], 3, axis=-1), 'BMP'),
    _encoded(gray.astype(np.uint16) * 257, 'TIFF'),
  )
  assert len({images.digest(data) for data in files}) == 3
  assert len({images.pixel_digest(images.decode(data)) for data in files}) == 1
  others = (gray + 1, gray.reshape(4, 3), gray[::-1])
  others = [images.decode(_encoded(other, 'PNG')) for other in others]
  # A part of a level counts.
  deep = gray.astype(np.uint16) * 257
  deep[1, 1] += 1
  others += [images.decode(_encoded(deep, 'PNG')), images.decode(files[0])]
  assert len({images.pixel_digest(other) for other in others}) == 5

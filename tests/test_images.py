"""Decoding and resizing: exact where it can be, a reason where it cannot."""

from collections.abc import Callable
import hashlib
import os
import pathlib
import struct
import subprocess
import sys
import threading
import zlib

import hypothesis
from hypothesis import strategies as st
import jax
import numpy as np
from PIL import Image
import pytest

from heterojax.datasets import images


def _random(height: int, width: int, seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


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
    (1, 1, 5), (1, 7, 3), (7, 1, 4), (2, 2, 4), (5, 3, 8), (3, 5, 8),
    (31, 17, 9), (17, 31, 33), (64, 64, 1), (64, 48, 32), (33, 33, 33),
]  # pyformat: disable


@pytest.mark.parametrize(('height', 'width', 'size'), _SIZES)
def test_keras_resize_is_half_pixel_bilinear(
    height: int, width: int, size: int
) -> None:
  image = _random(height, width)
  got = images.resize(image, size)
  assert (got.dtype, got.shape) == (np.float32, (size, size, 3))
  np.testing.assert_allclose(got, _bilinear(image, size), rtol=0, atol=1e-4)


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
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 24),
    st.integers(0, 255),
)  # pyformat: disable
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


def _save(path: pathlib.Path, image: Image.Image, **options) -> pathlib.Path:
  image.save(path, **options)
  return path


@pytest.mark.parametrize('ending', ['png', 'bmp', 'tif', 'webp'])
def test_rgb_is_read_as_it_is(tmp_path: pathlib.Path, ending: str) -> None:
  image = _random(5, 7)
  options = {'lossless': True} if ending == 'webp' else {}
  path = _save(tmp_path / f'a.{ending}', Image.fromarray(image), **options)
  got = images.decode(path)
  assert got.dtype == np.uint8
  np.testing.assert_array_equal(got, image)


def test_grey_becomes_three_equal_channels(tmp_path: pathlib.Path) -> None:
  gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
  got = images.decode(_save(tmp_path / 'a.png', Image.fromarray(gray)))
  np.testing.assert_array_equal(got, np.repeat(gray[..., None], 3, axis=-1))


def test_transparency_is_dropped(tmp_path: pathlib.Path) -> None:
  rgba = np.concatenate([_random(4, 6), np.zeros((4, 6, 1), np.uint8)], axis=-1)
  got = images.decode(_save(tmp_path / 'a.png', Image.fromarray(rgba)))
  np.testing.assert_array_equal(got, rgba[..., :3])


@pytest.mark.parametrize('ending', ['png', 'gif', 'bmp'])
def test_palettes_are_looked_up(tmp_path: pathlib.Path, ending: str) -> None:
  colours = np.array([[255, 0, 0], [0, 9, 255]], np.uint8)
  index = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
  image = Image.fromarray(index)
  image.putpalette(colours.tobytes())
  got = images.decode(_save(tmp_path / f'a.{ending}', image))
  np.testing.assert_array_equal(got, colours[index])


def test_black_and_white_is_0_and_255(tmp_path: pathlib.Path) -> None:
  image = Image.fromarray(np.array([[True, False]]))
  got = images.decode(_save(tmp_path / 'a.png', image))
  np.testing.assert_array_equal(got, [[[255] * 3, [0] * 3]])


def test_cmyk_jpeg(tmp_path: pathlib.Path) -> None:
  image = Image.new('CMYK', (8, 8), (0, 255, 255, 0))  # No cyan: red.
  got = images.decode(_save(tmp_path / 'a.jpg', image, quality=95)).astype(int)
  assert np.max(np.abs(got - [255, 0, 0])) <= 8


@pytest.mark.parametrize('ending', ['jpg', 'png', 'tif'])
def test_exif_orientation_turns_the_image(
    tmp_path: pathlib.Path, ending: str
) -> None:
  stored = np.zeros((16, 24, 3), np.uint8)
  stored[:, :8] = 255
  exif = Image.Exif()
  exif[0x0112] = 6  # The stored left edge is the top.
  path = _save(tmp_path / f'a.{ending}', Image.fromarray(stored), exif=exif)
  got = images.decode(path)
  assert got.shape == (24, 16, 3)
  assert got[:8].min() > 250 and got[8:].max() < 5
  assert images.inspect(path)[:3] == ('', 16, 24)


@pytest.mark.parametrize('ending', ['png', 'tif'])
def test_16_bits_are_scaled_and_not_clipped(
    tmp_path: pathlib.Path, ending: str
) -> None:
  levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
  path = _save(tmp_path / f'a.{ending}', Image.fromarray(levels * 257))
  got = images.decode(path)
  assert got.dtype == np.float32
  np.testing.assert_array_equal(got, np.repeat(levels[..., None], 3, axis=-1))
  between = levels[:-1] * 257 + 128
  path = _save(tmp_path / f'b.{ending}', Image.fromarray(between))
  np.testing.assert_allclose(
      images.decode(path)[..., 0], levels[:-1] + 128 / 257, atol=1e-4
  )


def test_16_bits_survive_resizing(tmp_path: pathlib.Path) -> None:
  levels = np.full((9, 9), 100 * 257 + 128, np.uint16)
  image = images.decode(_save(tmp_path / 'a.png', Image.fromarray(levels)))
  for how in images.RESIZES:
    got = images.resize(image, 4, how)
    np.testing.assert_allclose(got, 100 + 128 / 257, atol=1e-4)


def _png_header(width: int, height: int) -> bytes:
  """A PNG that promises many pixels and holds none."""
  def chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack('>I', zlib.crc32(kind + data))
    return struct.pack('>I', len(data)) + kind + data + check

  header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
  data = chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'\0'))
  return b'\x89PNG\r\n\x1a\n' + data + chunk(b'IEND', b'')


def _truncated(path: pathlib.Path) -> None:
  Image.fromarray(_random(64, 64)).save(path)
  path.write_bytes(path.read_bytes()[:700])


def _of_numbers(dtype: type, value: float) -> Callable[[pathlib.Path], None]:
  return lambda path: Image.fromarray(np.full((3, 3), value, dtype)).save(
      path, format='TIFF'
  )


_BROKEN: dict[str, tuple[Callable[[pathlib.Path], None], str]] = {
    'truncated': (_truncated, 'cannot be decoded: OSError: image file is tr'),
    'empty': (lambda p: p.write_bytes(b''), 'the file is empty'),
    'text': (
        lambda p: p.write_text('<html>404</html>'),
        'not an image of a known format',
    ),
    'zeros': (
        lambda p: p.write_bytes(bytes(9999)), 'not an image of a known format'
    ),
    'signature only': (
        lambda p: p.write_bytes(b'\xff\xd8\xff'), 'not an image of a known'
    ),
    'folder': (lambda p: p.mkdir(), 'not a regular file'),
    'missing': (lambda p: None, 'file not found'),
    'dead link': (lambda p: p.symlink_to('nowhere'), 'file not found'),
    'loop': (lambda p: p.symlink_to(p.name), 'file not found'),
    'device': (lambda p: p.symlink_to('/dev/zero'), 'not a regular file'),
    'bomb': (
        lambda p: p.write_bytes(_png_header(50_000, 50_000)),
        'more pixels than an image may have',
    ),
    'no pixels': (
        lambda p: p.write_bytes(_png_header(0, 0)), 'not an image of a known'
    ),
    'half a png': (
        lambda p: p.write_bytes(_png_header(9, 9)), 'cannot be decoded'
    ),
    'floats': (_of_numbers(np.float32, 0.5), 'floating-point pixels'),
    'large numbers': (_of_numbers(np.int32, 70_000), 'outside 0..65535'),
    'negative numbers': (_of_numbers(np.int32, -1), 'outside 0..65535'),
}


@pytest.mark.parametrize('kind', _BROKEN)
def test_what_cannot_be_used_says_why(
    tmp_path: pathlib.Path, kind: str
) -> None:
  make, reason = _BROKEN[kind]
  path = tmp_path / 'a.jpg'
  make(path)
  with pytest.raises(images.UnreadableImage) as caught:
    images.decode(path)
  assert str(caught.value).startswith(reason) or reason in str(caught.value)
  # Twice the same words, so that a manifest is the same on every run.
  assert images.inspect(path) == images.Inspection(str(caught.value))


@pytest.mark.parametrize('name', ['a' * 300 + '.png', 'a\0b.png'])
def test_names_that_no_file_can_have(tmp_path: pathlib.Path, name: str) -> None:
  assert images.inspect(tmp_path / name).problem


def test_a_pipe_does_not_hang(tmp_path: pathlib.Path) -> None:
  os.mkfifo(tmp_path / 'a.jpg')
  found = []
  thread = threading.Thread(
      target=lambda: found.append(images.inspect(tmp_path / 'a.jpg')),
      daemon=True,
  )
  thread.start()
  thread.join(10)
  assert found == [images.Inspection('not a regular file')]


# Root may read everything, so the process becomes another user first. Paths
# are relative, because that user may not pass the folders above.
_AS_ANOTHER_USER = """
import os, pathlib, sys
from PIL import Image
from heterojax.datasets import images
Image.init()  # Loads the readers while that is allowed.
os.chdir(sys.argv[1])
if os.geteuid() == 0:
  os.seteuid(65534)
for name in ('secret.png', 'closed/a.png', 'open.png'):
  print(images.inspect(pathlib.Path(name)).problem or 'fine')
"""


def test_files_that_may_not_be_read(tmp_path: pathlib.Path) -> None:
  tmp_path.chmod(0o755)
  (tmp_path / 'closed').mkdir()
  for name in ('secret.png', 'closed/a.png', 'open.png'):
    _save(tmp_path / name, Image.fromarray(_random(2, 2))).chmod(0o644)
  (tmp_path / 'secret.png').chmod(0)
  (tmp_path / 'closed').chmod(0)
  try:
    done = subprocess.run(
        [sys.executable, '-c', _AS_ANOTHER_USER, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
  finally:
    (tmp_path / 'closed').chmod(0o755)
  if 'seteuid' in done.stderr:
    pytest.skip('this process may not become another user')
  *denied, allowed = done.stdout.splitlines()
  assert denied == ['cannot be read: Permission denied'] * 2, done.stderr
  assert allowed == 'fine'


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(1, 40))
@hypothesis.settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@pytest.mark.parametrize('ending', ['jpg', 'png', 'tif', 'gif', 'bmp', 'webp'])
@pytest.mark.filterwarnings('ignore')
def test_damaged_files_are_read_or_refused(
    tmp_path: pathlib.Path, ending: str, seed: int, changes: int
) -> None:
  """Whatever bytes change, nothing but UnreadableImage comes out."""
  path = tmp_path / f'a.{ending}'
  if not path.exists():
    Image.fromarray(_random(12, 9)).save(path)
  data = bytearray(path.read_bytes())
  rng = np.random.default_rng(seed)
  for position in rng.integers(0, len(data), changes):
    data[position] = rng.integers(256)
  damaged = tmp_path / f'b.{ending}'
  damaged.write_bytes(data)
  try:
    got = images.decode(damaged)
  except images.UnreadableImage as error:
    assert str(error) and ' at 0x' not in str(error)
  else:
    assert got.ndim == 3 and got.shape[2] == 3
    assert got.min() >= 0 and got.max() <= 255


def test_inspection_tells_size_and_digest(tmp_path: pathlib.Path) -> None:
  path = _save(tmp_path / 'a.png', Image.fromarray(_random(3, 5)))
  digest = hashlib.sha256(path.read_bytes()).hexdigest()
  assert images.inspect(path) == images.Inspection('', 5, 3, digest)

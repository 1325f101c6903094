"""Threads share a number of pixels, and large pictures wait for each other."""

import concurrent.futures
import io
import pathlib
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib

import numpy as np
from PIL import Image
import pytest

from heterojax import regular_files
from heterojax.datasets import images
from heterojax.datasets import pixel_budget
from heterojax.datasets import sources


def test_no_more_than_there_are() -> None:
  budget, lock = pixel_budget.Budget(10), threading.Lock()
  used, most = 0, 0

  def work(pixels: int) -> int:
    nonlocal used, most
    with budget.picture():
      budget.take(pixels)
      budget.take(100)  # The same picture, looked at again.
      with lock:
        used += pixels
        most = max(most, used)
        assert used <= 10 or used == pixels
      time.sleep(0.001)
      with lock:
        used -= pixels
    return pixels

  sizes = [1, 2, 3, 4, 11, 25, 10] * 10
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    assert list(pool.map(work, sizes, timeout=60)) == sizes
  assert most == 25
  with budget.picture():
    budget.take(10)


def test_what_fails_gives_back() -> None:
  budget = pixel_budget.Budget(10)
  for _ in range(3):
    with pytest.raises(ValueError, match='broken'), budget.picture():
      budget.take(10)
      raise ValueError('broken')


def test_outside_of_a_picture_nobody_waits() -> None:
  budget = pixel_budget.Budget(1)
  budget.take(5)
  budget.take(5)


def _taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
  taken: list[int] = []
  monkeypatch.setattr(pixel_budget.PIXELS, 'take', taken.append)
  return taken


def test_images_take_their_pixels(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  Image.fromarray(np.zeros((7, 5, 3), np.uint8)).save(tmp_path / 'a.png')
  taken = _taken(monkeypatch)
  assert not sources.Files(tmp_path).inspect('a.png').problem
  assert taken == [35]


def _zeros(side: int) -> bytes:
  """A PNG of 16-bit colours, all of them 0."""
  file = io.BytesIO()
  Image.new('RGB', (1, 1)).save(file, 'PNG')

  def chunk(name: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(name + data).to_bytes(4, 'big')
    return len(data).to_bytes(4, 'big') + name + data + crc

  head = side.to_bytes(4, 'big') * 2 + bytes([16, 2, 0, 0, 0])
  rows = zlib.compress(bytes(side * (1 + 6 * side)))
  parts = chunk(b'IHDR', head), chunk(b'IDAT', rows), chunk(b'IEND', b'')
  return file.getvalue()[:8] + b''.join(parts)


@pytest.mark.parametrize('levels', ['window', 'image'])
def test_sixteen_bits_are_decoded_in_strips(levels: images.Range) -> None:
  """NumPy holds the file's values and what is given, and no more of a pixel."""
  data = _zeros(700)
  images.decode(data, levels)  # What is only allocated once.
  tracemalloc.start()
  try:
    pixels = images.decode(data, levels)
    _, most = tracemalloc.get_traced_memory()
  finally:
    tracemalloc.stop()
  assert (pixels.dtype, pixels.shape) == (np.float32, (700, 700, 3))
  # Six bytes of uint16 and twelve of float32; strips are a tenth of the rows.
  assert 18 <= most / 700**2 < 18 + 0.1 * 3 * (8 + 8)


_DECODE_MANY = """
import concurrent.futures, pathlib, re, sys
from heterojax.datasets import sources
source = sources.Files(pathlib.Path(sys.argv[1]))
with concurrent.futures.ThreadPoolExecutor(8) as pool:
  looks = list(pool.map(source.inspect, ['a.png'] * 8))
assert not any(look.problem for look in looks)
# `getrusage` counts what the process was before it was this program.
status = pathlib.Path('/proc/self/status').read_text()
print(int(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1]) >> 10)
"""


@pytest.mark.slow
def test_many_large_pictures_take_the_memory_of_one(
  tmp_path: pathlib.Path,
) -> None:
  (tmp_path / 'a.png').write_bytes(_zeros(5000))
  assert images.decode((tmp_path / 'a.png').read_bytes()).shape[0] == 5000
  done = subprocess.run(
    [sys.executable, '-c', _DECODE_MANY, str(tmp_path)],
    capture_output=True,
    text=True,
    check=True,
  )
  # 3 of 25 million pixels at once, each of 22 bytes; 8 took 6 GB.
  assert int(done.stdout) < 2500


def test_files_that_only_seem_some_are_empty() -> None:
  kmsg = pathlib.Path('/proc/kmsg')
  if not kmsg.exists():
    pytest.skip('this machine has no /proc/kmsg')
  assert regular_files.read(kmsg) == b''


def test_no_more_than_asked_for_is_read(tmp_path: pathlib.Path) -> None:
  (tmp_path / 'a').write_bytes(b'abc')
  assert regular_files.read(tmp_path / 'a') == b'abc'
  assert regular_files.read(tmp_path / 'a', 2) == b'ab'
  assert regular_files.read(tmp_path / 'a', 9) == b'abc'
  with pytest.raises(regular_files.NotRegularError):
    regular_files.read(tmp_path)

"""Image files of a folder: what is there, and a reason where it is unusable."""

from collections.abc import Callable
import hashlib
import os
import pathlib
import subprocess
import sys
import threading

import numpy as np
from PIL import Image
import pytest

from heterojax.datasets import images
from heterojax.datasets import sources


def _save(path: pathlib.Path, shape: tuple[int, ...] = (3, 5, 3)) -> None:
  pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
  Image.fromarray(pixels).save(path)


def _columns(folder: pathlib.Path, name: str) -> dict[str, str]:
  look = sources.Files(folder).inspect(name)
  assert look.problem == ''
  return dict(look.columns)


def test_inspection_tells_size_and_digests(tmp_path: pathlib.Path) -> None:
  _save(tmp_path / 'a.png')
  data = (tmp_path / 'a.png').read_bytes()
  assert sources.Files(tmp_path).read('a.png') == data
  pixels = images.decode(data)
  assert _columns(tmp_path, 'a.png') == {
    'width': '5',
    'height': '3',
    'format': 'PNG',
    'bit_depth': '8',
    'minimum_value': str(pixels.min()),
    'mean_value': f'{pixels.mean():.10g}',
    'maximum_value': str(pixels.max()),
    'sha256': hashlib.sha256(data).hexdigest(),
    'pixels_sha256': images.pixel_digest(pixels),
  }


def test_size_is_that_of_the_upright_image(tmp_path: pathlib.Path) -> None:
  exif = Image.Exif()
  exif[0x0112] = 6
  Image.new('RGB', (24, 16)).save(tmp_path / 'a.jpg', exif=exif)
  found = _columns(tmp_path, 'a.jpg')
  assert (found['width'], found['height']) == ('16', '24')


def test_the_name_does_not_matter(tmp_path: pathlib.Path) -> None:
  _save(tmp_path / 'a.png')
  (tmp_path / 'a.png').rename(tmp_path / 'b.jpg')
  assert _columns(tmp_path, 'b.jpg')['width'] == '5'


def test_files_are_named_by_their_folder(tmp_path: pathlib.Path) -> None:
  assert sources.Files(tmp_path).name == str(tmp_path)


def _sparse(path: pathlib.Path) -> None:
  """A tebibyte that takes no space."""
  with open(path, 'wb') as file:
    file.truncate(2**40)


# What is made at a path, its reason, and whether anything is there at all.
_BROKEN: dict[str, tuple[Callable[[pathlib.Path], object], str, bool]] = {
  'missing': (lambda p: None, 'file not found', False),
  'dead link': (lambda p: p.symlink_to('nowhere'), 'file not found', False),
  'loop': (lambda p: p.symlink_to(p.name), 'file not found', False),
  'empty': (lambda p: p.write_bytes(b''), 'the file is empty', True),
  'folder': (lambda p: p.mkdir(), 'not a regular file', True),
  'device': (lambda p: p.symlink_to('/dev/zero'), 'not a regular file', True),
  'endless': (lambda p: p.symlink_to('/proc/kmsg'), 'the file is empty', True),
  'pipe': (os.mkfifo, 'not a regular file', True),
  'larger than memory': (_sparse, 'the file is larger than 1 GiB', True),
  'text': (
    lambda p: p.write_text('<html>404</html>'),
    'not an image of a known format',
    True,
  ),
}


@pytest.mark.parametrize('kind', _BROKEN)
def test_what_cannot_be_used_says_why(
  tmp_path: pathlib.Path, kind: str
) -> None:
  if kind == 'endless' and not os.path.exists('/proc/kmsg'):
    pytest.skip('this machine has no /proc/kmsg')
  make, reason, there = _BROKEN[kind]
  make(tmp_path / 'a.jpg')
  found = []

  def look() -> None:
    source = sources.Files(tmp_path)
    found.extend([source.exists('a.jpg'), source.inspect('a.jpg')])

  # Reading a pipe would never end.
  thread = threading.Thread(target=look, daemon=True)
  thread.start()
  thread.join(20)
  assert found == [there, sources.Inspection(reason)]


@pytest.mark.parametrize(
  ('name', 'there'),
  [('a' * 300 + '.png', True), ('a\0b.png', False), ('a.png/b.png', False)],
)
def test_names_that_no_file_can_have(
  tmp_path: pathlib.Path, name: str, there: bool
) -> None:
  _save(tmp_path / 'a.png')
  source = sources.Files(tmp_path)
  assert source.exists(name) == there
  assert source.inspect(name).problem


# Root may read everything, so the process becomes another user first. Paths
# are relative, because that user may not pass the folders above.
_AS_ANOTHER_USER = """
import os, pathlib, sys
from PIL import Image
from heterojax.datasets import sources
Image.init()  # Loads the readers while that is allowed.
os.chdir(sys.argv[1])
if os.geteuid() == 0:
  os.seteuid(65534)
files = sources.Files(pathlib.Path('.'))
for name in ('secret.png', 'closed/a.png', 'open.png'):
  print(files.exists(name), files.inspect(name).problem or 'fine')
"""


@pytest.mark.slow
def test_files_that_may_not_be_read(tmp_path: pathlib.Path) -> None:
  tmp_path.chmod(0o755)
  (tmp_path / 'closed').mkdir()
  for name in ('secret.png', 'closed/a.png', 'open.png'):
    _save(tmp_path / name)
    (tmp_path / name).chmod(0o644)
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
  # Something is there, so that it is listed with its true reason.
  want = ['True cannot be read: Permission denied'] * 2
  assert denied == want, done.stderr
  assert allowed == 'True fine'


def test_an_image_that_was_exchanged_is_no_longer_read(
  tmp_path: pathlib.Path,
) -> None:
  _save(tmp_path / 'a.png')
  _save(tmp_path / 'b.png', (4, 4, 3))
  files = sources.Files(tmp_path)
  digests = {
    name: _columns(tmp_path, name)['sha256'] for name in ('a.png', 'b.png')
  }
  checked = sources.Unchanged(files, digests)
  assert checked.read('a.png') == (tmp_path / 'a.png').read_bytes()
  (tmp_path / 'a.png').write_bytes((tmp_path / 'b.png').read_bytes())
  with pytest.raises(images.UnreadableImage, match='has changed'):
    checked.read('a.png')
  (tmp_path / 'b.png').unlink()
  with pytest.raises(images.UnreadableImage, match='not found'):
    checked.read('b.png')

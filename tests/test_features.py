"""Features: the right numbers, written block by block, resumed after anything.

With the real weights of EfficientNet-Lite0 on made-up pictures of 32 or 64
pixels.
"""

from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import hashlib
import json
import logging
import pathlib
import shutil
import subprocess
import sys
import tracemalloc
from typing import Any

import jax
import numpy as np
from PIL import Image
import pytest

from heterojax import backbones
from heterojax import features
from heterojax.compute import cores
from heterojax.compute import forward
from heterojax.compute import platform
from heterojax.datasets import augmentation
from heterojax.datasets import images
from heterojax.datasets import sources
from heterojax.errors import UserError
from heterojax.features import store as store_lib

_HOW = features.Extraction('avg', 32, 'keras', batch_size=4, workers=2)
_FLATTEN = dataclasses.replace(_HOW, feature='flatten', image_size=64)
_FILES = sources.Files(pathlib.Path('/'))  # Pictures name whole paths.


@pytest.fixture(scope='module')
def backbone() -> backbones.Backbone:
  return backbones.load('efficientnet_lite0')


@pytest.fixture(scope='module')
def pictures(
  tmp_path_factory: pytest.TempPathFactory,
) -> tuple[features.Picture, ...]:
  """Ten pictures of six files: two full batches of four and a tail of two."""
  folder = tmp_path_factory.mktemp('images')
  rng = np.random.default_rng(0)
  for i in range(6):
    # Smooth, so that pictures differ in more than noise.
    small = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(small)
    image = image.resize((50, 40 + i), Image.Resampling.BICUBIC)
    image.save(folder / f'{i}.png')
  transforms = [augmentation.IDENTITY] * 6
  transforms += [augmentation.transform_of(0, str(i), 1) for i in range(4)]
  return tuple(
    features.Picture(str(folder / f'{i % 6}.png'), transform)
    for i, transform in enumerate(transforms)
  )


def _extract(
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  folder: pathlib.Path,
  extraction: features.Extraction = _HOW,
  **options: Any,
) -> tuple[np.ndarray, int]:
  options = {'fingerprint': 'f', **options}
  plan = features.Plan(backbone, _FILES, pictures, extraction, **options)
  found = features.extract(plan, folder)
  return found.x, found.computed


def _one_by_one(
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  extraction: features.Extraction,
) -> np.ndarray:
  """Without blocks, threads, padding or a file."""
  output = {'avg': backbone.pooled, 'flatten': backbone.feature_map}
  rows = []
  for picture in pictures:
    image = images.decode(_FILES.read(picture.path))
    image = images.resize(image, extraction.image_size, extraction.resize)
    image = augmentation.apply(image, picture.transform)
    rows.append(np.asarray(output[extraction.feature](image[None])).ravel())
  return np.stack(rows)


def _assert_equal_features(got: np.ndarray, want: np.ndarray) -> None:
  """Within 1e-5 of the largest: another batch adds up in another order."""
  assert np.max(np.abs(got - want)) <= 1e-5 * np.max(np.abs(want))


@pytest.mark.slow
@pytest.mark.parametrize('extraction', [_HOW, _FLATTEN], ids=['avg', 'flatten'])
@pytest.mark.parametrize('count', [1, 4, 7, 10])
def test_rows_are_those_of_the_network_image_by_image(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  extraction: features.Extraction,
  count: int,
) -> None:
  chosen = pictures[:count]
  got, computed = _extract(backbone, chosen, tmp_path, extraction)
  want = _one_by_one(backbone, chosen, extraction)
  assert computed == count
  assert got.dtype == np.float32
  assert got.shape == (count, features.dim(backbone, extraction))
  assert got.shape == (count, 1280 * (4 if extraction is _FLATTEN else 1))
  _assert_equal_features(got, want)
  # Pictures differ by far more than that, so that a swapped row would show.
  apart = np.abs(want[:, None] - want[None]).max(axis=-1)
  assert count == 1 or apart[~np.eye(count, dtype=bool)].min() > 1e-2


@pytest.fixture(scope='module')
def extracted(
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  tmp_path_factory: pytest.TempPathFactory,
) -> tuple[pathlib.Path, np.ndarray]:
  """A folder with all features, and what was computed."""
  folder = tmp_path_factory.mktemp('extracted') / 'deep' / 'features'
  x, computed = _extract(backbone, pictures, folder)
  assert computed == len(pictures)
  return folder, x


def test_the_file_is_a_plain_array(
  extracted: tuple[pathlib.Path, np.ndarray],
) -> None:
  folder, got = extracted
  np.testing.assert_array_equal(np.load(folder / 'features.npy'), got)
  with pytest.raises(ValueError):
    got[0, 0] = 1


@pytest.fixture(scope='module')
def finished(extracted: tuple[pathlib.Path, np.ndarray]) -> pathlib.Path:
  """A folder with all features; tests work on copies."""
  return extracted[0]


@pytest.fixture
def folder(finished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
  return pathlib.Path(shutil.copytree(finished, tmp_path / 'features'))


@pytest.mark.parametrize(
  ('workers', 'resize'), [(1, 'keras'), (8, 'keras'), (2, 'antialias')]
)
def test_workers_change_nothing_and_the_resize_does(
  tmp_path: pathlib.Path,
  finished: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  workers: int,
  resize: images.Resize,
) -> None:
  how = dataclasses.replace(_HOW, workers=workers, resize=resize)
  got, _ = _extract(backbone, pictures, tmp_path, how)
  usual = np.load(finished / 'features.npy')
  assert np.array_equal(got, usual) == (resize == 'keras')


@pytest.mark.parametrize(('side', 'shrinks'), [(60, 0), (130, 1), (530, 2)])
def test_a_reduced_picture_is_nearly_the_antialiased_one(
  tmp_path: pathlib.Path, side: int, shrinks: int
) -> None:
  """The same where a file is no larger than twice what is needed."""
  rng = np.random.default_rng(0)
  rough = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
  image = rough.resize((side, side), Image.Resampling.BICUBIC)
  image.save(tmp_path / 'a.jpg', quality=95)
  antialias, reduced = (
    features.load_picture(
      sources.Files(tmp_path),
      features.Picture('a.jpg', augmentation.IDENTITY),
      dataclasses.replace(_HOW, resize=resize),
    )
    for resize in ('antialias', 'reduced')
  )
  off = np.abs(reduced - antialias).mean()
  assert (off > 0) == bool(shrinks)
  # Levels of 255. It would be 9 if the 67 pixels that hold 530 / 8 were shown.
  assert off <= 2


def _index(folder: pathlib.Path) -> list[dict[str, Any]]:
  lines = (folder / 'blocks.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def _write(folder: pathlib.Path, *lines: dict[str, Any]) -> None:
  text = ''.join(json.dumps(line) + '\n' for line in lines)
  (folder / 'blocks.jsonl').write_text(text)


def _forget(folder: pathlib.Path, *starts: int) -> None:
  """As if the run had been cut off before these blocks."""
  header, *blocks = _index(folder)
  _write(folder, header, *(b for b in blocks if b['start'] not in starts))
  array = np.load(folder / 'features.npy', mmap_mode='r+')
  for start in starts:
    array[start : start + 4] = 0
  array.flush()


def _flip(folder: pathlib.Path, row: int) -> None:
  array = np.load(folder / 'features.npy', mmap_mode='r+')
  array[row].view(np.uint8)[7] ^= 1
  array.flush()


@pytest.mark.parametrize(
  ('missing', 'flipped', 'again'),
  [
    ([], [], 0),
    ([0], [], 4),
    ([8], [], 2),
    ([0, 4, 8], [], 10),
    ([], [5], 4),
    ([4], [0, 9], 10),
  ],
)
def test_resuming_computes_what_is_missing_or_damaged(
  folder: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  missing: list[int],
  flipped: list[int],
  again: int,
) -> None:
  before = np.load(folder / 'features.npy')
  _forget(folder, *missing)
  for row in flipped:
    _flip(folder, row)
  after, computed = _extract(backbone, pictures, folder)
  assert computed == again
  np.testing.assert_array_equal(after, before)
  assert _extract(backbone, pictures, folder)[1] == 0


def test_other_rows_are_not_written_again(
  folder: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
) -> None:
  """Marked rows with a true digest stay: they were read, not computed."""
  marked = np.load(folder / 'features.npy')
  marked[4:8] = 3
  np.save(folder / 'features.npy', marked)
  header, first, second, last = _index(folder)
  digest = hashlib.blake2b(marked[4:8], digest_size=16).hexdigest()
  _write(folder, header, first, second | {'digest': digest}, last)
  _forget(folder, 0)
  after, computed = _extract(backbone, pictures, folder)
  assert computed == 4
  np.testing.assert_array_equal(after, marked)


@pytest.mark.parametrize(
  'damage',
  [
    'no array',
    'no index',
    'short array',
    'empty array',
    'other array',
    'text for array',
    'text for index',
    'half a header',
    'list for index',
    'other type',
    'other order',
  ],
)
def test_a_damaged_store_is_computed_anew(
  folder: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  damage: str,
) -> None:
  array, index = folder / 'features.npy', folder / 'blocks.jsonl'
  before = np.load(array)
  match damage:
    case 'no array':
      array.unlink()
    case 'no index':
      index.unlink()
    case 'short array':
      array.write_bytes(array.read_bytes()[:-5000])
    case 'empty array':
      array.write_bytes(b'')
    case 'other array':
      np.save(array, before[:4])
    case 'other type':
      np.save(array, before.astype(np.float64))
    case 'other order':
      np.save(array, np.asfortranarray(before))
    case 'text for array':
      array.write_text('lost+found')
    case 'text for index':
      index.write_text('lost+found')
    case 'half a header':
      index.write_text(index.read_text()[40:])
    case 'list for index':
      index.write_text('[1, 2]')
  after, computed = _extract(backbone, pictures, folder)
  assert computed == len(pictures)
  np.testing.assert_array_equal(after, before)
  assert after.dtype == np.float32


@pytest.mark.slow
def test_another_fingerprint_or_batch_is_computed_anew(
  folder: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
) -> None:
  other = {'fingerprint': ['g']}
  assert _extract(backbone, pictures, folder)[1] == 0
  assert _extract(backbone, pictures, folder, **other)[1] == len(pictures)
  eight = dataclasses.replace(_HOW, batch_size=8)
  _, computed = _extract(backbone, pictures, folder, eight, **other)
  assert computed == len(pictures)
  got, computed = _extract(backbone, pictures[:7], folder, eight, **other)
  assert computed == len(got) == 7


@pytest.mark.parametrize('cut', [1, 20, 40])
def test_a_line_that_was_not_finished_costs_its_block(
  folder: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  cut: int,
) -> None:
  """A run that is killed leaves the index as the system had it."""
  index = folder / 'blocks.jsonl'
  whole, before = index.read_bytes(), np.load(folder / 'features.npy')
  index.write_bytes(whole[:-cut])
  after, computed = _extract(backbone, pictures, folder)
  assert computed == (0 if cut == 1 else 2)
  np.testing.assert_array_equal(after, before)
  assert index.read_bytes() == whole


def test_the_digest_is_that_of_the_rows(
  folder: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
) -> None:
  def digest(*shown: features.Picture) -> str:
    plan = features.Plan(backbone, _FILES, shown, _HOW, fingerprint=str(shown))
    return features.extract(plan, folder).digest

  assert digest(*pictures) == digest(*pictures) != digest(*pictures[::-1])


def test_a_picture_that_vanished_is_named_and_the_rest_kept(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  extracted: tuple[pathlib.Path, np.ndarray],
) -> None:
  last = tmp_path / 'last.png'
  last.write_bytes(_FILES.read(pictures[0].path))
  # Four blocks: one is lost, and those before it are kept.
  again = features.Picture(str(last), pictures[0].transform)
  shown = (*pictures, *pictures[6:8], again)
  hidden = last.rename(tmp_path / 'hidden.png')
  folder = tmp_path / 'features'
  with pytest.raises(UserError) as caught:
    _extract(backbone, shown, folder)
  text = str(caught.value)
  assert str(last) in text and 'file not found' in text
  assert [block['start'] for block in _index(folder)[1:]] == [0, 4, 8]
  hidden.rename(last)
  got, computed = _extract(backbone, shown, folder)
  assert computed == 1
  _, x = extracted
  _assert_equal_features(got, np.concatenate([x, x[6:8], x[:1]]))


# A limit on the size of files stands for a full disk.
_FULL_DISK = """
import pathlib, resource, sys
import numpy as np
from heterojax import errors
from heterojax.features import store
store = store.Store(
  pathlib.Path(sys.argv[1]), store.header_of((5, 1000), 2, 'f')
)
store.open()
first, second, _ = store.missing()
store.write(first, np.ones((2, 1000), np.float32))
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
try:
  store.write(second, np.full((2, 1000), 2, np.float32))
except errors.UserError as error:
  print(error)
"""


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_keeps_what_is_there(
  tmp_path: pathlib.Path,
) -> None:
  done = subprocess.run(
    [sys.executable, '-c', _FULL_DISK, str(tmp_path)],
    capture_output=True,
    text=True,
    check=True,
  )
  assert 'features.npy cannot be written (File too large)' in done.stdout
  assert [block['start'] for block in _index(tmp_path)[1:]] == [0]
  assert np.all(np.load(tmp_path / 'features.npy')[:2] == 1)


@pytest.mark.medium
def test_the_network_is_compiled_once(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  caplog: pytest.LogCaptureFixture,
) -> None:
  """On each core, for two full batches and a tail, and for other pictures."""
  jax.clear_caches()  # Of earlier tests with the same network.
  cores.forget_programs()
  with caplog.at_level(logging.WARNING, 'jax'), jax.log_compiles():
    every, _ = _extract(backbone, pictures, tmp_path / 'every')
    few, _ = _extract(
      backbone, pictures[:3], tmp_path / 'few', compiled_for=len(pictures)
    )
  np.testing.assert_array_equal(few, every[:3])
  lines = [record.getMessage() for record in caplog.records]
  networks = [
    line
    for line in lines
    if line.startswith('Compiling ') and ',32,32,3]' in line
  ]
  assert len(networks) == len(cores.devices()), lines


def test_each_batch_goes_to_the_device_once(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  put = []
  original = jax.device_put

  def counted(x: Any, *args, **options) -> Any:
    if isinstance(x, np.ndarray):  # The weights are on a device before.
      put.append(x)
    return original(x, *args, **options)

  monkeypatch.setattr(jax, 'device_put', counted)
  # Nothing goes there on the side.
  with jax.transfer_guard_host_to_device('disallow'):
    _extract(backbone, pictures, tmp_path)
  assert [x.shape for x in put] == [(4, 32, 32, 3)] * 3


@pytest.mark.slow
def test_memory_holds_a_few_batches_and_not_all_features(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  how = dataclasses.replace(_FLATTEN, batch_size=16)
  original = forward.batches

  @contextlib.contextmanager
  def compiled(*arguments) -> Iterator[forward.Run]:
    """The measurement begins when the network is ready."""
    with original(*arguments) as run:
      tracemalloc.start()
      yield run

  monkeypatch.setattr(forward, 'batches', compiled)

  many = tuple(
    features.Picture(
      pictures[i % 6].path, augmentation.Transform(degrees=i * 0.01)
    )
    for i in range(512)
  )
  try:
    got, _ = _extract(backbone, many, tmp_path, how)
    peak = tracemalloc.get_traced_memory()[1]
  finally:
    tracemalloc.stop()
  # Three batches ahead, one in use, two on the device, and what decoding needs.
  batches = 10 * 16 * 64 * 64 * 3 * 4
  assert batches < got.nbytes
  assert peak < batches


@pytest.mark.usefixtures('extracted')  # The weights are there before.
def test_the_device_holds_a_few_batches_and_not_all_pictures(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """The same whether three batches or thirty go through the network."""
  write, batches = store_lib.Store.write, forward.batches
  begun, unwritten, held = [], [], []

  @contextlib.contextmanager
  def counted(*arguments: Any) -> Iterator[Callable[..., Any]]:
    with batches(*arguments) as run:

      def begin(*batch: Any) -> Callable[[], np.ndarray]:
        begun.append(batch[0].shape)
        return run(*batch)

      yield begin

  def weighed(*arguments: Any) -> None:
    write(*arguments)
    unwritten.append(len(begun) - len(unwritten))
    held.append(sum(x.nbytes for x in jax.live_arrays()))

  monkeypatch.setattr(forward, 'batches', counted)
  monkeypatch.setattr(store_lib.Store, 'write', weighed)
  most = forward.ahead(4) + 1
  for count in (3, 30):
    many = tuple(
      features.Picture(
        pictures[i % 6].path, augmentation.Transform(degrees=i * 0.01)
      )
      for i in range(4 * count)
    )
    for seen in (begun, unwritten, held):
      seen.clear()
    before = sum(x.nbytes for x in jax.live_arrays())
    _extract(backbone, many, tmp_path / str(count))
    assert len(begun) == len(held) == count
    assert max(unwritten) == min(most, count) < 30
    # Of each batch its images and its features; on CPU what they are made of
    # is the host's.
    batch = 4 * (32 * 32 * 3 * 4 + 1280 * 4)
    assert max(held) - before <= most * batch


@pytest.fixture(name='sized')
def _sized(tmp_path: pathlib.Path) -> list[features.Picture]:
  """Eight pictures of the network's size already, of 8 and one of 16 bits."""
  levels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
  for i, image in enumerate(levels):
    Image.fromarray(image).save(tmp_path / f'{i}.png')
  deep = levels[5, ..., 0].astype(np.uint16) * 257 + 1
  Image.fromarray(deep).save(tmp_path / '5.png')
  mirrored = augmentation.Transform(flip_horizontal=True)
  return [
    features.Picture(str(tmp_path / f'{i}.png'), mirrored if i % 2 else how)
    for i, how in enumerate([augmentation.IDENTITY] * 8)
  ]


def test_bytes_are_bytes_where_nothing_made_numbers_of_them(
  sized: list[features.Picture], pictures: tuple[features.Picture, ...]
) -> None:
  """A resized or turned picture, or a deep one, makes its batch numbers."""
  blocks = [slice(0, 4), slice(4, 8), slice(8, 10), slice(10, 12)]
  turned = sized[0]._replace(transform=augmentation.Transform(degrees=2.0))
  shown = [*sized, sized[0], turned, sized[1], pictures[0]]
  kinds = []
  for as_bytes in (True, False):
    batches = [
      batch
      for _, batch in features.decoded(
        _FILES, shown, blocks, _HOW, as_bytes=as_bytes
      )
    ]
    kinds.append([batch.dtype for batch in batches])
    want = np.zeros((4, 4, 32, 32, 3))
    for i, picture in enumerate(shown):
      image = images.decode(_FILES.read(picture.path))
      image = images.resize(image, 32, 'keras')
      image = augmentation.apply(image, picture.transform)
      row = (i // 4, i % 4) if i < 8 else (2 + (i - 8) // 2, i % 2)
      want[row] = image
    for got, numbers in zip(batches, want, strict=True):
      np.testing.assert_array_equal(got, numbers)
  assert kinds == [['uint8', 'float32', 'float32', 'float32'], ['float32'] * 4]


@pytest.mark.slow
def test_accelerators_get_bytes(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  sized: list[features.Picture],
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  put, original = [], jax.device_put

  def counted(x: Any, *args, **options) -> Any:
    if isinstance(x, np.ndarray) and x.ndim == 4 and len(x) == 4:
      put.append((str(x.dtype), x.nbytes))
    return original(x, *args, **options)

  here, _ = _extract(backbone, tuple(sized), tmp_path / 'cpu')
  monkeypatch.setattr(jax, 'device_put', counted)
  with platform.use('tpu'):
    got, _ = _extract(backbone, tuple(sized), tmp_path / 'tpu')
  assert put == [('uint8', 4 * 32 * 32 * 3), ('float32', 4 * 4 * 32 * 32 * 3)]
  _assert_equal_features(got, here)


def test_a_batch_that_devices_cannot_share(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  pictures: tuple[features.Picture, ...],
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  two = jax.local_devices() * 2
  monkeypatch.setattr(jax, 'local_devices', lambda: two[:2])
  how = dataclasses.replace(_HOW, batch_size=3)
  with pytest.raises(UserError, match='3 images cannot be divided over 2'):
    _extract(backbone, pictures, tmp_path, how)

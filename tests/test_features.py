"""Features: the right numbers, written block by block, resumed after anything.

With the real weights of EfficientNet-Lite0 on made-up pictures of 32 or 64
pixels.
"""

import dataclasses
import json
import logging
import pathlib
import tracemalloc
from typing import Any

import jax
import numpy as np
from PIL import Image
import pytest

from heterojax import backbones
from heterojax import features
from heterojax.datasets import augmentation
from heterojax.datasets import images
from heterojax.errors import RefusedError
from heterojax.errors import UserError

_HOW = features.Extraction('avg', 32, 'keras', batch_size=4, workers=2)
_FLATTEN = dataclasses.replace(_HOW, feature='flatten', image_size=64)
_ENVIRONMENT = {'jax': '1', 'devices': 'one'}
_COMPILED = 'Compiling jit('


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
    image = Image.fromarray(small).resize((50, 40 + i), Image.Resampling.BICUBIC)
    image.save(folder / f'{i}.png')
  transforms = [augmentation.IDENTITY] * 6
  transforms += [augmentation.transform_of(0, str(i), 1) for i in range(4)]
  return tuple(
      features.Picture(folder / f'{i % 6}.png', transform)
      for i, transform in enumerate(transforms)
  )


def _extract(
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
    folder: pathlib.Path,
    extraction: features.Extraction = _HOW,
    **options: Any,
) -> tuple[np.ndarray, int]:
  options = {'fingerprint': 'f', 'environment': _ENVIRONMENT, **options}
  return features.extract(backbone, pictures, folder, extraction, **options)


def _one_by_one(
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
    extraction: features.Extraction,
) -> np.ndarray:
  """Without blocks, threads, padding or a file."""
  output = {'avg': backbone.pooled, 'flatten': backbone.feature_map}
  rows = []
  for picture in pictures:
    image = images.decode(picture.path)
    image = images.resize(image, extraction.image_size, extraction.resize)
    image = augmentation.apply(image, picture.transform)
    rows.append(np.asarray(output[extraction.feature](image[None])).ravel())
  return np.stack(rows)


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
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
  # Pictures differ by far more than that, so that a swapped row would show.
  apart = np.abs(want[:, None] - want[None]).max(axis=-1)
  assert count == 1 or apart[~np.eye(count, dtype=bool)].min() > 1e-2


def test_the_file_is_a_plain_array(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
) -> None:
  got, _ = _extract(backbone, pictures, tmp_path / 'deep' / 'features')
  stored = np.load(tmp_path / 'deep/features/features.npy')
  np.testing.assert_array_equal(stored, got)
  with pytest.raises(ValueError):
    got[0, 0] = 1


@pytest.mark.parametrize('workers', [1, 8])
@pytest.mark.parametrize('resize', images.RESIZES)
def test_workers_change_nothing_and_the_resize_does(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
    workers: int,
    resize: images.Resize,
) -> None:
  how = dataclasses.replace(_HOW, workers=workers, resize=resize)
  got, _ = _extract(backbone, pictures, tmp_path / 'a', how)
  usual, _ = _extract(backbone, pictures, tmp_path / 'b')
  assert np.array_equal(got, usual) == (resize == 'keras')


def _forget(folder: pathlib.Path, *starts: int) -> None:
  """As if the run had been cut off before these blocks."""
  index = json.loads((folder / 'blocks.json').read_text())
  for start in starts:
    del index['digests'][str(start)]
  (folder / 'blocks.json').write_text(json.dumps(index))
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
        ([0, 8], [], 6),
        ([0, 4, 8], [], 10),
        ([], [5], 4),
        ([], [9], 2),
        ([4], [0, 9], 10),
    ],
)
def test_resuming_computes_what_is_missing_or_damaged(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
    missing: list[int],
    flipped: list[int],
    again: int,
) -> None:
  before, _ = _extract(backbone, pictures, tmp_path)
  before = np.array(before)
  _forget(tmp_path, *missing)
  for row in flipped:
    _flip(tmp_path, row)
  after, computed = _extract(backbone, pictures, tmp_path)
  assert computed == again
  np.testing.assert_array_equal(after, before)
  assert _extract(backbone, pictures, tmp_path)[1] == 0


def test_other_rows_are_not_written_again(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
) -> None:
  """Marked rows with a true digest stay: they were read, not computed."""
  got, _ = _extract(backbone, pictures, tmp_path)
  marked = np.array(got)
  marked[4:8] = 3
  np.save(tmp_path / 'features.npy', marked)
  index = json.loads((tmp_path / 'blocks.json').read_text())
  index['digests']['4'] = features._digest(marked[4:8])  # pylint: disable=protected-access
  (tmp_path / 'blocks.json').write_text(json.dumps(index))
  _forget(tmp_path, 0)
  after, computed = _extract(backbone, pictures, tmp_path)
  assert computed == 4
  np.testing.assert_array_equal(after, marked)


@pytest.mark.parametrize(
    'damage',
    [
        'no array', 'no index', 'short array', 'empty array', 'other array',
        'text for array', 'text for index', 'half an index', 'list for index',
        'other type',
    ],
)  # pyformat: disable
def test_a_damaged_store_is_computed_anew(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
    damage: str,
) -> None:
  before, _ = _extract(backbone, pictures, tmp_path)
  before = np.array(before)
  array, index = tmp_path / 'features.npy', tmp_path / 'blocks.json'
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
    case 'text for array':
      array.write_text('lost+found')
    case 'text for index':
      index.write_text('lost+found')
    case 'half an index':
      index.write_text(index.read_text()[:-40])
    case 'list for index':
      index.write_text('[1, 2]')
  after, computed = _extract(backbone, pictures, tmp_path)
  assert computed == len(pictures)
  np.testing.assert_array_equal(after, before)
  assert after.dtype == np.float32


def test_another_fingerprint_or_batch_is_computed_anew(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
) -> None:
  _extract(backbone, pictures, tmp_path)
  computed = _extract(backbone, pictures, tmp_path, fingerprint=['g'])[1]
  assert computed == len(pictures)
  eight = dataclasses.replace(_HOW, batch_size=8)
  for how in (eight, _HOW):
    computed = _extract(backbone, pictures, tmp_path, how, fingerprint=['g'])[1]
    assert computed == len(pictures)
  got, computed = _extract(backbone, pictures[:7], tmp_path, fingerprint=['g'])
  assert computed == len(got) == 7


def test_another_environment_is_refused(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
) -> None:
  before, _ = _extract(backbone, pictures, tmp_path)
  _forget(tmp_path, 4)
  other = _ENVIRONMENT | {'jax': '2'}
  stored = (tmp_path / 'features.npy').read_bytes()
  with pytest.raises(RefusedError) as caught:
    _extract(backbone, pictures, tmp_path, environment=other)
  text = str(caught.value)
  assert "'1'" in text and "'2'" in text and '--allow_mismatch' in text
  assert (tmp_path / 'features.npy').read_bytes() == stored
  _, computed = _extract(
      backbone, pictures, tmp_path, environment=other, allow_mismatch=True
  )
  assert computed == 4
  np.testing.assert_array_equal(np.load(tmp_path / 'features.npy'), before)


def test_a_picture_that_vanished_is_named_and_the_rest_kept(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
) -> None:
  last = tmp_path / 'last.png'
  last.write_bytes(pictures[0].path.read_bytes())
  # Four blocks: one is lost and, of three before it, the one in flight.
  shown = (*pictures, *pictures[6:8], features.Picture(last, pictures[0][1]))
  hidden = last.rename(tmp_path / 'hidden.png')
  folder = tmp_path / 'features'
  with pytest.raises(UserError) as caught:
    _extract(backbone, shown, folder)
  text = str(caught.value)
  assert str(last) in text and 'file not found' in text
  kept = json.loads((folder / 'blocks.json').read_text())['digests']
  assert {'0', '4'} <= set(kept)
  hidden.rename(last)
  got, computed = _extract(backbone, shown, folder)
  assert computed == 13 - 4 * len(kept) < 13
  np.testing.assert_allclose(
      got, _one_by_one(backbone, shown, _HOW), rtol=1e-5, atol=1e-5
  )


def test_the_network_is_compiled_once(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
  how = dataclasses.replace(_HOW, batch_size=2)
  with caplog.at_level(logging.WARNING, 'jax'), jax.log_compiles():
    _extract(backbone, pictures, tmp_path, how)
  compiled = [r.getMessage() for r in caplog.records]
  compiled = [m for m in compiled if m.startswith(_COMPILED)]
  networks = [m for m in compiled if 'float32[2,32,32,3]' in m]
  assert len(networks) == 1, compiled


def test_each_batch_goes_to_the_device_once(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
  put = []
  original = jax.device_put

  def counted(x: Any, *args, **options) -> Any:
    put.append(x)
    return original(x, *args, **options)

  monkeypatch.setattr(jax, 'device_put', counted)
  # Nothing goes there on the side.
  with jax.transfer_guard_host_to_device('disallow'):
    _extract(backbone, pictures, tmp_path)
  batches = [x for x in put if isinstance(x, np.ndarray)]
  assert [x.shape for x in batches] == [(4, 32, 32, 3)] * 3
  assert len(put) == 3 + 1  # And the parameters.


def test_memory_does_not_grow_with_the_number_of_pictures(
    tmp_path: pathlib.Path,
    backbone: backbones.Backbone,
    pictures: tuple[features.Picture, ...],
) -> None:
  how = dataclasses.replace(_FLATTEN, batch_size=16)

  def peak(count: int) -> int:
    many = tuple(
        features.Picture(
            pictures[i % 6].path, augmentation.Transform(degrees=i * 0.01)
        )
        for i in range(count)
    )
    tracemalloc.start()
    try:
      got, _ = _extract(backbone, many, tmp_path / str(count), how)
      assert got.nbytes == count * 20480
      return tracemalloc.get_traced_memory()[1]
    finally:
      tracemalloc.stop()

  peak(16)  # What happens once, such as compiling, is over.
  small, large = peak(96), peak(480)
  # 384 more rows are 7.9 MB more on disk.
  assert large - small < 1.5e6


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


def test_flops_grow_with_the_image(backbone: backbones.Backbone) -> None:
  small = features.flops_per_image(backbone, _HOW)
  large = features.flops_per_image(backbone, _FLATTEN)
  assert 3 < large / small < 5

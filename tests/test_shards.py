"""Shards of features: joined they are the file of one process, or refused."""

from collections.abc import Sequence
import dataclasses
import itertools
import json
import os
import pathlib
import shutil

import numpy as np
from PIL import Image
import pytest

from heterojax import backbones
from heterojax import features
from heterojax.cli import shards as flags
from heterojax.datasets import augmentation
from heterojax.datasets import sources
from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.features import shards
from heterojax.features.shards import Shard

_HERE = {'processor': 'this', 'cores': 2}
_N = 26  # Six blocks of four, and a last one of two.


@pytest.fixture(name='plan', scope='module')
def _plan(tmp_path_factory: pytest.TempPathFactory) -> features.Plan:
  folder = tmp_path_factory.mktemp('images')
  levels = np.random.default_rng(0).integers(0, 256, (6, 9, 9, 3), np.uint8)
  for i, image in enumerate(levels):
    Image.fromarray(image).save(folder / f'{i}.png')
  pictures = tuple(
    features.Picture(f'{i % 6}.png', augmentation.Transform(degrees=i / 10))
    for i in range(_N)
  )
  return features.Plan(
    backbones.load('efficientnet_lite0'),
    sources.Files(folder),
    pictures,
    features.Extraction('avg', 32, 'keras', batch_size=4, workers=2),
    'f',
  )


@pytest.fixture(name='whole', scope='module')
def _whole(
  plan: features.Plan, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, bytes]]:
  """Digest and files of one process."""
  folder = tmp_path_factory.mktemp('whole')
  return features.extract(plan, folder).digest, _files(folder)


def _files(folder: pathlib.Path) -> dict[str, bytes]:
  return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def _compute(
  plan: features.Plan, folder: pathlib.Path, count: int, order: Sequence[int]
) -> list[int]:
  shards.begin(plan, folder, count, _HERE)
  return [
    shards.extract_shard(plan, folder, Shard(i, count), _HERE) for i in order
  ]


@pytest.fixture(name='finished', scope='module')
def _finished(
  plan: features.Plan, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
  """Four shards that nobody has joined."""
  folder = tmp_path_factory.mktemp('four')
  assert _compute(plan, folder, 4, [2, 0, 3, 1]) == [8, 8, 2, 8]
  return folder


@pytest.fixture(name='four')
def _four(finished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
  """A copy that a test may damage."""
  return pathlib.Path(shutil.copytree(finished, tmp_path / 'features'))


def _joined(
  plan: features.Plan, folder: pathlib.Path
) -> tuple[str, dict[str, bytes]]:
  shards.join(plan, folder)
  found = features.extract(plan, folder)
  assert found.computed == 0
  files = _files(folder)
  records = json.loads(files.pop(shards.RECORDS))['shards']
  assert [r['environment'] for r in records] == [_HERE] * len(records)
  assert not (folder / shards.FOLDER).exists()
  return found.digest, files


def test_four_shards_are_the_features_of_one_process(
  plan: features.Plan, four: pathlib.Path, whole: tuple
) -> None:
  assert _joined(plan, four) == whole


@pytest.mark.medium
@pytest.mark.parametrize('count', [1, 3, 7, 9])
def test_any_number_of_shards_does(
  plan: features.Plan, tmp_path: pathlib.Path, whole: tuple, count: int
) -> None:
  """Also more than there are blocks, of which some are empty."""
  images = _compute(plan, tmp_path, count, range(count)[::-1])
  assert sum(images) == _N and (0 in images) == (count > 7)
  assert _joined(plan, tmp_path) == whole


def test_a_shard_again_does_what_is_left(
  plan: features.Plan, four: pathlib.Path, whole: tuple
) -> None:
  """As after a kill at any moment: without its record, with half of a block."""
  own = Shard(1, 4).folder(four)
  others = {i: Shard(i, 4).folder(four) for i in (0, 2, 3)}
  before = {i: _files(folder) for i, folder in others.items()}
  mended = _files(own)
  (own / 'shard.json').unlink()
  index = (own / 'blocks.jsonl').read_bytes()
  (own / 'blocks.jsonl').write_bytes(index[:-9])
  with (own / 'features.npy').open('r+b') as file:
    file.seek(-2000, 2)
    file.write(bytes(2000))
  with pytest.raises(UserError, match='lacks the shards 1/4 of 4'):
    shards.join(plan, four)
  assert shards.extract_shard(plan, four, Shard(1, 4), _HERE) == 8
  assert _files(own) == mended
  assert {i: _files(folder) for i, folder in others.items()} == before
  assert _joined(plan, four) == whole


def test_joining_again_after_it_was_cut_off(
  plan: features.Plan, four: pathlib.Path, whole: tuple
) -> None:
  aside = four.with_name('aside')
  shutil.copytree(four / shards.FOLDER, aside)
  shards.join(plan, four)
  header, first, *_ = (four / 'blocks.jsonl').read_text().splitlines()
  (four / 'blocks.jsonl').write_text(f'{header}\n{first}\n')
  shutil.copytree(aside, four / shards.FOLDER)
  assert _joined(plan, four) == whole
  # Cut off while the shards were taken away.
  shutil.copytree(aside, four / shards.FOLDER)
  (four / shards.FOLDER / 'plan.json').unlink()
  assert _joined(plan, four) == whole


def test_shards_go_once_the_disk_has_what_they_became(
  plan: features.Plan, four: pathlib.Path, monkeypatch
) -> None:
  """A machine may die before the system writes what it was given."""
  flushed, flush, clear = {}, os.fsync, shards.clear

  def note(descriptor: int) -> None:
    flush(descriptor)
    status = os.fstat(descriptor)
    flushed[status.st_ino] = status.st_mtime_ns

  def look(folder: pathlib.Path) -> None:
    for name in ('features.npy', 'blocks.jsonl', shards.RECORDS):
      status = (folder / name).stat()
      assert flushed[status.st_ino] >= status.st_mtime_ns
    clear(folder)

  monkeypatch.setattr(os, 'fsync', note)
  monkeypatch.setattr(shards, 'clear', look)
  shards.join(plan, four)
  assert not (four / shards.FOLDER).exists()


def test_what_is_missing_is_named(
  plan: features.Plan, four: pathlib.Path
) -> None:
  for index in (1, 3):
    shutil.rmtree(Shard(index, 4).folder(four))
  with pytest.raises(UserError, match='lacks the shards 1/4, 3/4 of 4'):
    shards.join(plan, four)
  assert 'features.npy' not in _files(four)


def test_a_shard_of_another_plan_is_named(
  plan: features.Plan, four: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  other = dataclasses.replace(plan, fingerprint='g')
  with pytest.raises(UserError, match='begun with other images, weights'):
    shards.join(other, four)
  _compute(other, tmp_path / 'other', 4, [2])
  own = Shard(2, 4).folder(four)
  shutil.rmtree(own)
  shutil.copytree(Shard(2, 4).folder(tmp_path / 'other'), own)
  with pytest.raises(UserError, match='^Shard 2/4 in .* is of another plan'):
    shards.join(plan, four)
  # Its command makes it one of this plan.
  shards.extract_shard(plan, four, Shard(2, 4), _HERE)
  shards.join(plan, four)


@pytest.mark.parametrize(
  'text',
  [
    '{"shards": 4}',
    '[' * 100_000,
    '{"shards": "4", "plan": ""}',
    '{"plan": "", "shards": 1000000000000, "images": 9, "environment": {}}',
  ],
)
def test_a_damaged_plan_is_named(four: pathlib.Path, text: str) -> None:
  (four / shards.FOLDER / 'plan.json').write_text(text)
  with pytest.raises(UserError, match='plan.json is damaged'):
    shards.check_count(four, 4)


@pytest.mark.parametrize('what', ['row', 'index', 'record', 'plan'])
def test_a_damaged_shard_is_named(
  plan: features.Plan, four: pathlib.Path, whole: tuple, what: str
) -> None:
  own = Shard(0, 4).folder(four)
  if what == 'row':
    with (own / 'features.npy').open('r+b') as file:
      file.seek(-7, 2)
      file.write(b'\x07')
  elif what == 'index':
    (own / 'blocks.jsonl').write_text('{}\n')
  elif what == 'record':
    (own / 'shard.json').write_text('{')
  else:
    (four / shards.FOLDER / 'plan.json').write_text('[1]')
  with pytest.raises(UserError, match='damaged') as caught:
    shards.join(plan, four)
  assert str(four) in str(caught.value)
  if what == 'plan':
    return
  shards.extract_shard(plan, four, Shard(0, 4), _HERE)
  assert _joined(plan, four) == whole


def test_another_number_or_environment_is_refused(four: pathlib.Path) -> None:
  shards.check_count(four, 4)
  with pytest.raises(UserError, match='begun with 4 shards, not 8'):
    shards.check_count(four, 8)
  # Features do not depend on the number of cores.
  shards.check_environment(four, {**_HERE, 'cores': 64})
  with pytest.raises(RefusedError, match="was 'this' and is 'that'"):
    shards.check_environment(four, {**_HERE, 'processor': 'that'})


@pytest.mark.parametrize(
  ('text', 'want'),
  [
    ('0/1', ((0,), 1)),
    ('3/4', ((3,), 4)),
    ('007/10', ((7,), 10)),
    ('all/3', ((0, 1, 2), 3)),
  ],
)
def test_what_a_flag_names(text: str, want: tuple) -> None:
  assert flags.parse(text) == want


@pytest.mark.parametrize(
  'text',
  [
    '4/4',
    'all/1000000',
    '0/' + 5000 * '9',
    '-1/4',
    '1',
    '',
    '/',
    '0/0',
    'all/0',
    '1/2/3',
    '1.0/2',
    ' 1/2',
    '²/4',
  ],
)
def test_what_names_no_shard(text: str) -> None:
  with pytest.raises(UserError, match='names no shard') as caught:
    flags.parse(text)
  assert f'--shard={text}' in str(caught.value)


def test_every_image_is_in_one_shard(plan: features.Plan, tmp_path) -> None:
  store = plan.store(tmp_path)
  for count in range(1, 12):
    blocks = [shards._blocks(store, s) for s in shards.every(count)]
    assert list(itertools.chain.from_iterable(blocks)) == store.blocks
    sizes = [*map(len, blocks)]
    assert max(sizes) - min(sizes) <= 1

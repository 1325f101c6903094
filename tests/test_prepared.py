"""Studies on prepared data are studies on the publisher's files."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import json
import pathlib
import random
import sys
from typing import Any

import numpy as np
from PIL import Image
import pytest

from heterojax import datasets
from heterojax.datasets import builders
from heterojax.datasets import classes as classes_lib
from heterojax.datasets import folder
from heterojax.datasets import images
from heterojax.datasets import odir
from heterojax.datasets import prepared
from heterojax.datasets import selection
from heterojax.datasets import splits
from heterojax.datasets.choices import NO_CHOICES
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import manifest_csv
from heterojax.errors import UserError


@pytest.fixture(scope='module')
def raw(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """A CSV of 60 images of 40 patients with all that can be wrong in it."""
  root = tmp_path_factory.mktemp('raw')
  rng = np.random.default_rng(0)
  lines = ['path,label,group,site']
  for i in range(60):
    name = f'{i:02d}.png'
    pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / name)
    lines.append(f'{name},{("ill", "normal", "normal")[i % 3]},p{i % 40},é{i}')
  (root / '04.png').write_bytes(b'')
  (root / '07.png').write_bytes((root / '10.png').read_bytes())
  (root / '09.png').write_bytes(b'broken')
  lines += ['gone.png,normal,p1,', '13.png,normal,p3,', '13.png,ill,p3,']
  lines += [',ill,,', '20.png,other,p9,']
  (root / 'table.csv').write_text('\n'.join(lines), encoding='utf-8')
  return root / 'table.csv'


@pytest.fixture(scope='module')
def out(
  raw: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
  out = tmp_path_factory.mktemp('prepared')
  builders.prepare('folder', raw, ('ill', 'normal'), out)
  return out


def _bare(cohort: Cohort) -> Cohort:
  return dataclasses.replace(cohort, source=None)


def _manifest(cohort: Cohort, protocol: str, **options) -> str:
  cohort = selection.select(
    cohort,
    seed=3,
    balance=True,
    distinct=protocol == 'clean',
    max_bad_share=0.3,
    workers=2,
  )
  cohorts = splits.assign(
    cohort,
    seed=3,
    protocol=protocol,
    test_share=0.2,
    validation_share=0.2,
    **options,
  )
  return ''.join(manifest_csv(cohorts[0]))


def _fails(path: pathlib.Path, *classes: str) -> str:
  with pytest.raises(UserError) as caught:
    prepared.read(path, (classes or ('', '')))
  text = str(caught.value)
  assert text.endswith('.') and '\n' not in text
  return text


@pytest.fixture
def copy(out: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
  """The data set's own folder, to be damaged; hard links would be shared."""
  (source,) = prepared.find(out)
  target = tmp_path / 'copy'
  target.mkdir()
  for path in source.iterdir():
    (target / path.name).write_bytes(path.read_bytes())
  return target


def test_the_cohort_is_the_same(raw: pathlib.Path, out: pathlib.Path) -> None:
  cohort = prepared.read(out, ('ill', 'normal'))
  assert _bare(cohort) == _bare(folder.read(raw, ('ill', 'normal')))
  assert prepared.same(cohort, folder.read(raw, ('ill', 'normal')))
  assert not prepared.same(cohort, folder.read(raw, ('normal', 'ill')))
  assert len(cohort.candidates) == 65
  # With notes and columns too, whatever fields a cohort has.
  changed = dataclasses.replace(
    cohort, notes=('A note.',), label_columns=('site',), candidates=()
  )
  stored = json.loads(json.dumps(prepared.as_json(changed)))
  assert stored == {
    'name': 'table',
    'classes': ['ill', 'normal'],
    'candidates': [],
    'notes': ['A note.'],
    'label_columns': ['site'],
    'named_splits': False,
    'task': 'classification',
    'masks_are_left_out': False,
  }


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_the_manifest_is_the_same(
  raw: pathlib.Path, out: pathlib.Path, protocol: str
) -> None:
  first = _manifest(folder.read(raw, ('ill', 'normal')), protocol, folds=0)
  second = _manifest(prepared.read(out, ('', '')), protocol, folds=0)
  assert first == second
  for reason in (
    'file not found',
    'no path',
    'is not one of the two classes',
    'not an image of a known format',
  ):
    assert reason in second


def test_looking_at_images_is_the_same(
  raw: pathlib.Path, out: pathlib.Path
) -> None:
  files = folder.read(raw, ('ill', 'normal')).source
  cohort = prepared.read(out, ('', ''))
  seen = set()
  for c in cohort.candidates:
    if c.included:
      look = files.inspect(c.path)
      seen.add(look.problem)
      assert cohort.source.inspect(c.path) == look
      assert cohort.source.exists(c.path) == files.exists(c.path)
      if not look.problem:
        assert cohort.source.read(c.path) == files.read(c.path)
  assert seen == {
    '',
    'the file is empty',
    'file not found',
    'not an image of a known format',
  }
  assert not cohort.source.exists('elsewhere.png')
  assert cohort.source.inspect('elsewhere.png').problem == 'file not found'


@pytest.mark.medium
def test_the_real_odir_is_the_same(
  odir_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  classes = ('cataract', 'cataract，lens dust')
  builders.prepare('odir5k', odir_dir, classes, tmp_path)
  files = odir.read(odir_dir, classes)
  records = prepared.read(tmp_path, ('', ''))
  assert _bare(files) == _bare(records)
  assert files.notes
  paths = {c.path for c in files.candidates}
  exist = {path for path in paths if files.source.exists(path)}
  assert {p for p in paths if records.source.exists(p)} == exist
  # Of the 262 eyes with exactly this keyword.
  cataracts = {c.path for c in files.candidates if c.label == 'cataract'}
  assert len(cataracts & exist) == 255
  for path in random.Random(0).sample(sorted(exist), 20):
    assert records.source.read(path) == files.source.read(path)


def test_threads_share_the_records(
  raw: pathlib.Path, out: pathlib.Path
) -> None:
  files = folder.read(raw, ('ill', 'normal')).source
  names = [f'{i:02d}.png' for i in range(60) if i != 4] * 20
  random.Random(0).shuffle(names)
  source = prepared.read(out, ('', '')).source  # Not opened yet.
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    found = list(pool.map(source.read, names))
  assert found == [files.read(name) for name in names]


def test_where_prepared_data_are_found(
  out: pathlib.Path, raw: pathlib.Path, copy: pathlib.Path
) -> None:
  (own,) = prepared.find(out)
  assert prepared.find(own) == [own]
  assert prepared.find(copy) == [copy]
  assert not prepared.find(raw)
  assert not prepared.find(raw.parent)
  assert not prepared.find(out / 'missing')
  assert prepared.read(own, ('', '')).source.root == own
  assert prepared.read(copy, ('', '')).source.read('00.png')


def test_which_classes_are_there(
  raw: pathlib.Path, out: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  for given in (('', ''), ('ill', ''), ('', 'normal'), ('Ill', 'NORMAL')):
    cohort = prepared.read(out, given)
    assert cohort.classes == ('ill', 'normal')
  text = _fails(out, 'cataract', 'normal')
  assert "'cataract' against 'normal'" in text
  assert "only 'ill' against 'normal'" in text
  assert 'python -m launch.prepare' in text
  for classes in (('ill', 'normal'), ('ill', 'other')):
    builders.prepare('folder', raw, classes, tmp_path)
  assert "'ill' against 'normal' and 'ill' against 'other'" in _fails(
    tmp_path, 'ill', ''
  )
  assert prepared.read(tmp_path, ('ill', 'other')).classes[1] == 'other'
  assert 'none at all' in _fails(tmp_path / 'elsewhere')


def test_a_merged_class_is_found_in_any_order_and_by_a_part(
  tmp_path: pathlib.Path,
) -> None:
  for grade in '0123':
    for i in range(2):
      path = tmp_path / 'raw' / grade / f'{i}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.new('L', (8, 8), 10 * int(grade) + i).save(path)
  out = tmp_path / 'out'
  builders.prepare('folder', tmp_path / 'raw', ('2|3', 'rest'), out)
  assert prepared.read(out, ('2|3', 'rest')).classes == ('2 or 3', 'rest')
  for named, incomplete in (('3|2', False), ('4|3|2', True)):
    cohort = prepared.read(out, (named, 'rest'), incomplete)
    assert cohort.classes == (named.replace('|', ' or '), 'rest')
    assert {
      (c.path[0], c.label, dict(c.columns)[classes_lib.LABEL])
      for c in cohort.included
    } == {
      *((grade, cohort.classes[0], grade) for grade in '23'),
      *((grade, 'rest', grade) for grade in '01'),
    }
    assert cohort.label_columns == (classes_lib.LABEL,)
    assert all(cohort.source.read(c.path) for c in cohort.included)
  assert 'no data prepared for' in _fails(out, '4|3|2', 'rest')


def test_what_an_interrupted_run_left_is_not_read(
  out: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  (own,) = prepared.find(out)
  half = tmp_path / 'folder/ill_vs_normal-1/incomplete.X_1.0.0'
  half.mkdir(parents=True)
  for path in own.iterdir():
    (half / path.name).write_bytes(path.read_bytes())
  assert not prepared.find(tmp_path)
  assert 'interrupted run' in _fails(half)


@pytest.mark.parametrize('text', ['', '{', '[]', '{}', '{"cohort": 1}', 'null'])
def test_a_damaged_manifest_is_a_sentence(
  copy: pathlib.Path, text: str
) -> None:
  (copy / prepared.METADATA).write_text(text)
  assert 'is damaged or was not prepared by this program' in _fails(copy)


def _metadata(path: pathlib.Path) -> dict[str, Any]:
  """As an earlier version wrote them: no digest refuses every change."""
  stored = json.loads(path.read_text())
  del stored['digest']
  return stored


@pytest.mark.parametrize('position', range(0, 1000, 97))
def test_every_bit_of_the_metadata_counts(
  copy: pathlib.Path, position: int
) -> None:
  path = copy / prepared.METADATA
  data = bytearray(path.read_bytes())
  data[position % len(data)] ^= 1
  path.write_bytes(data)
  assert 'is damaged' in _fails(copy)


def test_a_manifest_that_lacks_something(copy: pathlib.Path) -> None:
  path = copy / prepared.METADATA
  stored = _metadata(path)
  broken = [{k: v for k, v in stored.items() if k != name} for name in stored]
  for name in ('classes', 'candidates', 'name'):
    cohort = {k: v for k, v in stored['cohort'].items() if k != name}
    broken.append({**stored, 'cohort': cohort})
  broken.append({**stored, 'records': {'train': ['unknown']}})
  for changed in ({'more': 1}, {'classes': 'ab'}, {'classes': ['a', 1]}):
    broken.append({**stored, 'cohort': {**stored['cohort'], **changed}})
  for value in broken:
    path.write_text(json.dumps(value))
    assert 'is damaged' in _fails(copy)


def test_a_damaged_description_is_a_sentence(copy: pathlib.Path) -> None:
  for text in ('{', '{}', '{"splits": [{"name": "train"}]}', '[' * 100_000):
    (copy / prepared.INFO).write_text(text)
    source = prepared.read(copy, ('', '')).source
    with pytest.raises(UserError, match='is damaged'):
      source.read('00.png')


def _named_anywhere(tree: Any, rng: random.Random) -> Any:
  """JSON in which one value, or one key, names a module."""
  leaf = not isinstance(tree, (dict, list)) or not tree
  if leaf or not rng.randrange(9):
    return rng.choice(['planted.X', 'planted', '../planted.X', ['planted.X']])
  if isinstance(tree, list):
    i = rng.randrange(len(tree))
    return [*tree[:i], _named_anywhere(tree[i], rng), *tree[i + 1 :]]
  key = rng.choice(sorted(tree))
  if not rng.randrange(4):
    return {'planted.X' if k == key else k: v for k, v in tree.items()}
  return {**tree, key: _named_anywhere(tree[key], rng)}


_imported: list[str] | None = None  # While somebody listens.


@functools.cache
def _listen() -> None:
  def hook(event: str, args: tuple) -> None:
    if event == 'import' and _imported is not None:
      _imported.append(args[0])

  sys.addaudithook(hook)


@pytest.mark.medium
@pytest.mark.parametrize(
  'name', [prepared.INFO, prepared.METADATA, 'features.json']
)
def test_nothing_that_a_file_names_is_imported(
  copy: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
  prepared.read(copy, ('', '')).source.read('00.png')  # Imports what it needs.
  _listen()
  imported: list[str] = []
  monkeypatch.setattr(sys.modules[__name__], '_imported', imported)
  stored = json.loads((copy / name).read_text())
  stored.pop('digest', None)
  for seed in range(100):
    changed = _named_anywhere(stored, random.Random(seed))
    (copy / name).write_text(json.dumps(changed))
    with contextlib.suppress(UserError, images.UnreadableImage):
      prepared.read(copy, ('', '')).source.read('00.png')
  assert not [module for module in imported if 'planted' in module]


@pytest.mark.medium
def test_no_damaged_record_passes_for_an_image(
  copy: pathlib.Path, raw: pathlib.Path
) -> None:
  """Each image is right or left out, whatever byte is wrong."""
  (shard,) = copy.glob('*.array_record-*')
  data = shard.read_bytes()
  names = [f'{i:02d}.png' for i in range(60) if i != 4]
  damaged = 0
  used = len(data.rstrip(b'\0'))
  for position in random.Random(1).sample(range(used), 25):
    broken = bytearray(data)
    broken[position] ^= 0x55
    shard.write_bytes(broken)
    source = prepared.read(copy, ('', '')).source
    for name in names:
      try:
        assert source.read(name) == (raw.parent / name).read_bytes()
      except images.UnreadableImage as error:
        assert 'its record is' in str(error)
        damaged += 1
  assert damaged


def test_records_that_are_cut_off_or_gone(copy: pathlib.Path) -> None:
  (shard,) = copy.glob('*.array_record-*')
  data = shard.read_bytes()
  for part in (data[: len(data) // 2], data[:100], b''):
    shard.write_bytes(part)
    source = prepared.read(copy, ('', '')).source
    assert source.inspect('00.png').problem.startswith('its record is ')
  shard.unlink()
  source = prepared.read(copy, ('', '')).source
  assert source.inspect('00.png').problem.startswith('its record is damaged')


def test_records_of_another_order(copy: pathlib.Path) -> None:
  path = copy / prepared.METADATA
  stored = _metadata(path)
  stored['records']['train'][:2] = reversed(stored['records']['train'][:2])
  path.write_text(json.dumps(stored))
  source = prepared.read(copy, ('', '')).source
  for name in ('00.png', '01.png'):
    assert source.inspect(name).problem == 'its record is of another image'
  assert not source.inspect('02.png').problem


@pytest.mark.parametrize(
  'change',
  [
    lambda stored: stored['cohort'].update(negative={}),
    lambda stored: stored['cohort']['candidates'][0].update(label=5),
    lambda stored: stored['cohort']['candidates'][0].update(path='\ud800'),
    lambda stored: stored['cohort']['candidates'].append(
      stored['cohort']['candidates'][0]
    ),
    lambda stored: stored['cohort'].update(task='x'),
    lambda stored: stored['cohort'].update(classes=[]),
  ],
)
def test_metadata_of_other_types(
  out: pathlib.Path, tmp_path: pathlib.Path, change
) -> None:
  (made,) = prepared.find(out)
  stored = _metadata(made / prepared.METADATA)
  change(stored)
  (tmp_path / prepared.INFO).write_text('{}')
  (tmp_path / prepared.METADATA).write_text(json.dumps(stored))
  with pytest.raises(UserError, match='is damaged|no data prepared'):
    prepared.read(tmp_path, ('', ''))


def test_metadata_that_nest(tmp_path: pathlib.Path) -> None:
  (tmp_path / prepared.INFO).write_text('{}')
  (tmp_path / prepared.METADATA).write_text('[' * 100_000)
  with pytest.raises(UserError, match='is damaged'):
    prepared.read(tmp_path, ('', ''))


def test_masks_are_left_out_or_used_as_when_prepared(
  tmp_path: pathlib.Path,
) -> None:
  rng, named = np.random.default_rng(0), ('ill', 'normal')
  for name in ('ill/1.png', 'ill/1_mask.png', 'normal/1.png'):
    path = tmp_path / 'raw' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
  with_masks = Choices(masks=True)
  for out, choices in (('a', NO_CHOICES), ('b', with_masks)):
    builders.prepare('folder', tmp_path / 'raw', named, tmp_path / out, choices)
  read = datasets.read
  assert len(read('folder', tmp_path / 'a', named).included) == 2
  assert (
    len(read('folder', tmp_path / 'b', named, choices=with_masks).included) == 3
  )
  with pytest.raises(UserError, match='prepared without masks'):
    read('folder', tmp_path / 'a', named, choices=with_masks)


def test_several_classes_are_prepared_and_named(tmp_path) -> None:
  for i, label in enumerate('abcabc'):
    (tmp_path / 'raw' / label).mkdir(parents=True, exist_ok=True)
    pixels = np.full((4, 4, 3), 40 * i, np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'raw' / label / f'{i}.png')
  out = tmp_path / 'out'
  builders.prepare('folder', tmp_path / 'raw', ('all',), out)
  raw = folder.read(tmp_path / 'raw', ('all',))
  for named in (('all',), ('a', 'b', 'c')):
    assert prepared.same(prepared.read(out, named), raw)
  for named, said in (
    (('', ''), 'for two classes, only'),
    (('a', 'b'), "for 'a' against 'b', only"),
    (('c', 'b', 'a'), "for 'c' against 'b' against 'a', only"),
  ):
    with pytest.raises(UserError, match=said):
      prepared.read(out, named)

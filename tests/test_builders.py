"""The TFDS builders: what they write, and that it is an ordinary data set."""

from collections.abc import Iterator
import fcntl
import io
import json
import pathlib
import shutil

import numpy as np
from PIL import Image
import pytest
import tensorflow_datasets as tfds

from heterojax import datasets
from heterojax.datasets import builders
from heterojax.datasets import folder
from heterojax.datasets import images
from heterojax.datasets import medmnist
from heterojax.datasets import prepared
from heterojax.datasets import ready
from heterojax.errors import RefusedError
from heterojax.errors import UserError

_RNG = np.random.default_rng(0)


def _encoded(kind: str) -> bytes:
  """One random image in one of the publishers' ways."""
  rgb = _RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
  buffer = io.BytesIO()
  match kind:
    case 'jpg':
      Image.fromarray(rgb).save(buffer, 'JPEG')
    case 'cmyk.jpg':
      Image.fromarray(rgb).convert('CMYK').save(buffer, 'JPEG')
    case 'png':
      Image.fromarray(rgb).save(buffer, 'PNG')
    case 'gray.png':
      Image.fromarray(rgb[..., 0]).save(buffer, 'PNG')
    case 'palette.png':
      Image.fromarray(rgb).quantize(16).save(buffer, 'PNG')
    case '16.png':
      deep = _RNG.integers(0, 65536, (9, 7)).astype(np.uint16)
      Image.fromarray(deep).save(buffer, 'PNG')
  return buffer.getvalue()


_KINDS = ('jpg', 'cmyk.jpg', 'png', 'gray.png', 'palette.png', '16.png')


def _write(root: pathlib.Path, count: int = 6) -> pathlib.Path:
  for label in ('ill', 'normal'):
    (root / label).mkdir(parents=True)
    for i in range(count):
      kind = _KINDS[i % len(_KINDS)]
      (root / label / f'{i:02d}.{kind}').write_bytes(_encoded(kind))
  return root


def _csv(root: pathlib.Path, text: str) -> pathlib.Path:
  (root / 'table.csv').write_text(text, encoding='utf-8')
  return root / 'table.csv'


def _prepare(
  path: pathlib.Path,
  out: pathlib.Path,
  dataset: str = 'folder',
  positive: str = '',
  negative: str = '',
) -> pathlib.Path:
  return builders.prepare(dataset, path, (positive, negative), out)


def _examples(target: pathlib.Path, split: str = 'train') -> list[dict]:
  """Records as any user of TFDS reads them, images not decoded."""
  builder = tfds.builder_from_directory(target)
  skip = {'image': tfds.decode.SkipDecoding()}
  return list(builder.as_data_source(split, decoders=skip))


def _tree(root: pathlib.Path) -> dict[str, tuple[int, int]]:
  return {
    str(p.relative_to(root)): (p.stat().st_ino, p.stat().st_mtime_ns)
    for p in root.rglob('*')
    if p.is_file()
  }


def test_images_are_the_bytes_of_the_files(tmp_path: pathlib.Path) -> None:
  root = _write(tmp_path / 'raw')
  target = _prepare(root, tmp_path / 'out')
  examples = _examples(target)
  assert [e['path'].decode() for e in examples] == [
    c.path for c in folder.read(root, ('', '')).candidates
  ]
  assert len(examples) == 12
  for e in examples:
    assert e['image'] == (root / e['path'].decode()).read_bytes()
    assert e['label'] == int(e['path'].startswith(b'ill/'))


def test_images_are_decoded_as_the_studies_do(tmp_path: pathlib.Path) -> None:
  root = _write(tmp_path / 'raw')
  target = _prepare(root, tmp_path / 'out')
  for e in tfds.builder_from_directory(target).as_data_source('train'):
    pixels = e['image']
    assert pixels.shape == (9, 7, 3) and pixels.dtype == np.uint8
    path = root / e['path'].decode()
    if path.name.endswith('16.png'):
      gray = np.asarray(Image.open(path)).astype(np.float64) / 257
      assert np.abs(pixels - gray[..., None]).max() <= 0.5
      assert pixels.max() > 200  # Neither clipped nor taken modulo 256.
    else:
      expected = np.asarray(Image.open(path).convert('RGB'))
      np.testing.assert_array_equal(pixels, expected)


def test_columns_groups_and_splits_of_a_csv(tmp_path: pathlib.Path) -> None:
  root = _write(tmp_path / 'raw', 2)
  path = _csv(
    root,
    'path,label,group,split,age,眼\n'
    'ill/00.jpg,ill,p1,train,61,左\n'
    'normal/00.jpg,normal,p1,test,62,\n'
    'ill/01.cmyk.jpg,ill,,train,,右\n'
    'ill/00.jpg,ill,p2,validation,64,\n',
  )
  target = _prepare(path, tmp_path / 'out')
  builder = tfds.builder_from_directory(target)
  sizes = {k: info.num_examples for k, info in builder.info.splits.items()}
  assert sizes == {'train': 2, 'test': 1, 'validation': 1}
  assert builder.info.features['label'].names == ['normal', 'ill']
  assert builder.info.supervised_keys == ('image', 'label')
  first, second = _examples(target)
  assert [first[k] for k in ('id', 'group', 'split')] == [b'0', b'p1', b'train']
  assert json.loads(first['columns']) == {'age': '61', '眼': '左'}
  assert (second['id'], second['group']) == (b'2', b'')
  (again,) = _examples(target, 'validation')
  assert (again['id'], again['image']) == (b'3', first['image'])


def test_what_has_no_image_is_in_the_manifest_only(
  tmp_path: pathlib.Path,
) -> None:
  root = _write(tmp_path / 'raw', 2)
  (root / 'ill/empty.png').touch()
  (root / 'ill/folder.png').mkdir()
  (root / 'ill/broken.png').write_bytes(b'no image')
  names = ('00.jpg', 'gone.png', 'empty.png', 'folder.png', 'broken.png', '')
  lines = [f'{n and "ill/"}{n},ill' for n in names]
  lines += ['normal/00.jpg,normal', 'normal/01.cmyk.jpg,other']
  path = _csv(root, '\n'.join(['path,label', *lines]))
  target = _prepare(path, tmp_path / 'out', 'folder', 'ill', 'normal')
  # Whether bytes can be decoded is the reader's to say.
  assert [e['path'] for e in _examples(target)] == [
    b'ill/00.jpg',
    b'ill/broken.png',
    b'normal/00.jpg',
  ]
  stored = prepared.load(target)
  assert [c.id for c in stored.candidates] == [str(i) for i in range(8)]
  raw, source = folder.read(path, ('ill', 'normal')).source, stored.source
  for name, problem in (
    ('ill/gone.png', 'file not found'),
    ('ill/empty.png', 'the file is empty'),
    ('ill/folder.png', 'not a regular file'),
    ('ill/broken.png', 'not an image of a known format'),
  ):
    assert source.exists(name) == raw.exists(name)
    assert source.inspect(name) == raw.inspect(name)
    assert raw.inspect(name)[:2] == (problem, ())


def test_files_without_the_right_to_read_are_noted(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  root = _write(tmp_path / 'raw', 2)
  read = images.read

  def refuse(path: pathlib.Path) -> bytes:
    # The superuser of a container may read everything.
    if path.name == '00.jpg' and path.parent.name == 'ill':
      raise images.UnreadableImage('cannot be read: Permission denied')
    return read(path)

  with monkeypatch.context() as patch:
    patch.setattr(images, 'read', refuse)
    target = _prepare(root, tmp_path / 'out')
  assert len(_examples(target)) == 3
  source = prepared.load(target).source
  assert source.exists('ill/00.jpg')
  assert source.inspect('ill/00.jpg').problem == (
    'cannot be read: Permission denied'
  )


def test_order_is_kept_over_several_shards(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  root = _write(tmp_path / 'raw', 20)
  (root / 'ill/05.16.png').write_bytes(b'')
  monkeypatch.setattr(builders, '_SHARD_BYTES', 2000)
  target = _prepare(root, tmp_path / 'out')
  shards = sorted(target.glob('*.array_record-*'))
  assert len(shards) > 3
  found = [e['path'].decode() for e in _examples(target)]
  names = [
    f'{label}/{p.name}'
    for label in ('ill', 'normal')
    for p in sorted((root / label).iterdir())
  ]
  assert found == [name for name in names if name != 'ill/05.16.png']
  source = prepared.load(target).source
  for name in found:
    assert source.read(name) == (root / name).read_bytes()


def test_a_shard_of_which_nothing_can_be_read(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  root = _write(tmp_path / 'raw', 1)
  table = 'path,label\nill/gone.png,ill\nill/00.jpg,ill\nnormal/00.jpg,normal\n'
  monkeypatch.setattr(
    builders, '_shards', lambda source, candidates: [[c] for c in candidates]
  )
  source = prepared.load(_prepare(_csv(root, table), tmp_path / 'out')).source
  for name in ('ill/00.jpg', 'normal/00.jpg'):
    assert source.read(name) == (root / name).read_bytes()


def test_medmnist_arrays(tmp_path: pathlib.Path) -> None:
  arrays = {}
  for word, n in (('train', 5), ('val', 2), ('test', 3)):
    arrays[f'{word}_images'] = _RNG.integers(0, 256, (n, 8, 8), dtype=np.uint8)
    arrays[f'{word}_labels'] = np.arange(n)[:, None] % 2
  path = tmp_path / 'pneumoniamnist.npz'
  np.savez(path, **arrays)
  target = _prepare(path, tmp_path / 'out', 'medmnist')
  raw = medmnist.read(path, ('', ''))
  for split, word in (('train', 'train'), ('validation', 'val')):
    examples = _examples(target, split)
    assert len(examples) == len(arrays[f'{word}_images'])
    for e, pixels in zip(examples, arrays[f'{word}_images']):
      assert e['image'] == raw.source.read(e['id'].decode())
      np.testing.assert_array_equal(images.decode(e['image'])[..., 1], pixels)


@pytest.mark.medium
def test_the_real_odir(odir_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
  """Another pair of classes than the paper's, to be quick."""
  target = _prepare(
    odir_dir, tmp_path / 'out', 'odir5k', 'cataract', 'cataract，lens dust'
  )
  examples = _examples(target)
  # The subset has a file for 507 of the 518 rows, and for none of the others.
  assert sum(e['label'] == 1 for e in examples) == 507
  e = examples[100]
  assert e['image'] == (odir_dir / e['path'].decode()).read_bytes()


def test_as_a_user_of_tfds(tmp_path: pathlib.Path) -> None:
  _write(tmp_path / 'raw', 3)
  builder = builders.ImageFolder(
    data_dir=tmp_path / 'out', config=builders.Classes('ill', 'normal')
  )
  download = tfds.download.DownloadConfig(manual_dir=tmp_path / 'raw')
  builder.download_and_prepare(download_config=download)
  assert len(builder.as_data_source('train')) == 6
  assert len(builder.as_data_source('train[:50%]')) == 3
  # A study reads it as well.
  cohort = prepared.read(tmp_path / 'out', ('', ''))
  assert cohort.candidates == folder.read(tmp_path / 'raw', ('', '')).candidates
  # And another process, where the download is gone.
  again = builders.ImageFolder(
    data_dir=tmp_path / 'out', config=builders.Classes('ill', 'normal')
  )
  again.download_and_prepare()
  assert again.as_data_source('train')[0]['image'].shape == (9, 7, 3)


@pytest.mark.parametrize(
  'builder_class', [builders.Odir5k, builders.NihCxr, builders.RsnaBoneAge]
)
def test_a_missing_download_is_a_sentence(
  tmp_path: pathlib.Path, builder_class: type[builders.CohortBuilder]
) -> None:
  for name in ('missing', 'empty', 'wrong'):
    manual = tmp_path / name
    if name != 'missing':
      manual.mkdir()
    if name == 'wrong':
      (manual / 'notes.txt').touch()
    builder = builder_class(data_dir=tmp_path / 'out')
    with pytest.raises(UserError) as caught:
      builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=manual)
      )
    text = str(caught.value)
    assert '.csv' in text and text.endswith('.') and '\n' not in text
  assert not prepared.find(tmp_path / 'out')


def test_classes_must_be_named(tmp_path: pathlib.Path) -> None:
  with pytest.raises(UserError, match='medmnist needs its classes'):
    builders.MedMnist(data_dir=tmp_path)
  with pytest.raises(UserError, match="Both classes are 'a'"):
    builders.MedMnist(data_dir=tmp_path, config=builders.Classes('a', 'a'))


def test_features_have_no_images_to_prepare(tmp_path: pathlib.Path) -> None:
  np.savez(tmp_path / 'x.npz', features=np.eye(4), label=list('abab'))
  cohort = ready.read(tmp_path / 'x.npz', ('a', 'b'))
  builder = builders.ImageFolder(
    data_dir=tmp_path, config=builders.Classes('a', 'b'), cohort=cohort
  )
  with pytest.raises(UserError, match='x.npz has no images to prepare'):
    builder.download_and_prepare(download_dir=tmp_path / 'unused')


def test_folders_are_named_after_the_classes() -> None:
  pairs = [
    ('cataract', 'normal fundus'),
    ('normal fundus', 'cataract'),
    ('cataract，lens dust', 'normal fundus'),
    ('cataract, lens dust', 'normal fundus'),
    ('白内障', '正常'),
    ('青光眼', '正常'),
    ('a/../../b', '..'),
    ('x' * 300, 'y'),
  ]
  names = [builders.Classes(*pair).name for pair in pairs]
  assert names[0].startswith('cataract_vs_normal_fundus-')
  assert len(set(names)) == len(pairs)
  assert all('/' not in n and '..' not in n and len(n) < 100 for n in names)


def test_complete_data_are_left_as_they_are(tmp_path: pathlib.Path) -> None:
  root, out = _write(tmp_path / 'raw'), tmp_path / 'out'
  target = _prepare(root, out)
  before = _tree(out)
  assert _prepare(root, out) == target
  assert _tree(out) == before


def test_a_new_folder_among_the_data_may_be_prepared_again(
  tmp_path: pathlib.Path,
) -> None:
  root = _write(tmp_path / 'raw')
  target = _prepare(root, root / 'packed')
  assert _prepare(root, root / 'packed') == target


def test_other_classes_go_to_another_folder(tmp_path: pathlib.Path) -> None:
  root, out = _write(tmp_path / 'raw'), tmp_path / 'out'
  first = _prepare(root, out)
  second = _prepare(root, out, 'folder', 'normal', 'ill')
  assert first != second
  assert sorted(prepared.find(out)) == sorted([first, second])


def test_changed_data_are_not_taken_for_the_same(
  tmp_path: pathlib.Path,
) -> None:
  root, out = _write(tmp_path / 'raw'), tmp_path / 'out'
  _prepare(root, out)
  (root / 'ill/new.png').write_bytes(_encoded('png'))
  with pytest.raises(UserError, match='from other data'):
    _prepare(root, out)
  assert len(_examples(_prepare(root, tmp_path / 'out2'))) == 13


def test_images_that_changed_are_not_taken_for_the_same(
  tmp_path: pathlib.Path,
) -> None:
  root, out = _write(tmp_path / 'raw'), tmp_path / 'out'
  image = root / 'ill/new.png'
  image.touch()  # Which cannot be read.
  target = _prepare(root, out)
  assert _prepare(root, out) == target
  for _ in range(2):  # It is mended, and replaced.
    image.write_bytes(_encoded('png'))
    with pytest.raises(UserError, match='from other data'):
      _prepare(root, out)
    shutil.rmtree(target)
    assert _prepare(root, out) == target


def test_leftovers_are_removed(tmp_path: pathlib.Path) -> None:
  root, out = _write(tmp_path / 'raw'), tmp_path / 'out'
  target = _prepare(root, out)
  leftover = target.parent / 'incomplete.ABC123_1.0.0'
  target.rename(leftover)
  assert not prepared.find(out)
  _prepare(root, out)
  assert not leftover.exists()
  assert prepared.find(out) == [target]
  assert sorted(p.name for p in out.iterdir()) == ['.lock', 'folder']


def test_every_data_set_of_images_has_a_builder() -> None:
  for name, builder_class in builders.BUILDERS.items():
    assert builder_class.READ is datasets.READERS[name]
  others = set(datasets.NAMES) - set(builders.BUILDERS)
  made_up = {
    'demo',
    'demo_control',
    'demo_classes',
    'demo_five',
    'demo_five_control',
    'demo_hands',
  }
  assert others == {'features'} | made_up


def test_one_process_at_a_time(tmp_path: pathlib.Path) -> None:
  root, out = _write(tmp_path / 'raw'), tmp_path / 'out'
  out.mkdir()
  with (out / '.lock').open('a') as lock:
    fcntl.flock(lock, fcntl.LOCK_SH)
    with pytest.raises(RefusedError, match='in use by another run'):
      _prepare(root, out)
  _prepare(root, out)


def test_nothing_to_write(tmp_path: pathlib.Path) -> None:
  path = _csv(tmp_path, 'path,label\na.png,ill\nb.png,normal\n')
  with pytest.raises(UserError, match='None of the 2 images .*file not found'):
    _prepare(path, tmp_path / 'out')
  assert not prepared.find(tmp_path / 'out')
  with pytest.raises(UserError, match="nothing to prepare for 'features'"):
    _prepare(path, tmp_path / 'out', 'features')


def test_where_nothing_can_be_written(tmp_path: pathlib.Path) -> None:
  root = _write(tmp_path / 'raw')
  (tmp_path / 'file').touch()
  with pytest.raises(UserError, match='cannot be the folder of prepared data'):
    _prepare(root, tmp_path / 'file')


def test_a_full_disk_is_a_sentence(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  root, out = _write(tmp_path / 'raw'), tmp_path / 'out'

  def fail(*unused, **options) -> Iterator[None]:
    del unused, options
    # What array_record raises then, as seen with a limit on file sizes.
    raise RuntimeError('write() failed: No space left on device')

  with monkeypatch.context() as patch:
    patch.setattr(tfds.core.ShardBasedBuilder, '_download_and_prepare', fail)
    with pytest.raises(UserError, match='No space left') as caught:
      _prepare(root, out)
  assert str(caught.value).endswith('command.')
  assert not list(out.glob('*/*/*'))
  assert len(_examples(_prepare(root, out))) == 12

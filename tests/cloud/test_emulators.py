"""Emulated stores give what the same files of this machine give."""

import pathlib

import numpy as np
import pytest

from heterojax import stores
from heterojax.datasets import demo
from heterojax.errors import UserError
from heterojax.launch import main as launch

_BUCKET = 'bucket'


@pytest.fixture(autouse=True)
def cache(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path / 'cache'))
  return tmp_path / 'cache'


def _upload(emulated, folder: pathlib.Path, prefix: str) -> None:
  for path in folder.rglob('*'):
    if path.is_file():
      name = f'{prefix}/{path.relative_to(folder).as_posix()}'
      emulated.put(name, path.read_bytes())


def _fetched(emulated, key: str) -> dict[str, bytes]:
  folder = stores.fetch(f'{emulated.scheme}://{_BUCKET}/{key}', '--o')
  return {
    path.relative_to(folder).as_posix(): path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file()
  }


def test_features_have_the_bits_of_the_folder(
  emulated, tmp_path, monkeypatch
) -> None:
  monkeypatch.chdir(tmp_path)
  table = demo.write_cohort(
    tmp_path / 'cohort', num_images=24, seed=0, cohort='planted', image_size=64
  )
  _upload(emulated, table.parent, 'some/cohort')
  emulated.put('some/cohort2/other.png', b'not of this folder')
  found = []
  for place in (
    'cohort',
    f'{emulated.scheme}://{_BUCKET}/some/cohort',
    f'{emulated.scheme}://{_BUCKET}/some/cohort',
  ):
    out = f'{len(found)}.npz'
    words = ['heterojax', 'features', place, f'--out={out}']
    assert launch.main([*words, 'data.image_size=64']) == 0
    with np.load(out) as file:
      found.append(dict(file))
  assert len(found[0]['id']) == 24
  for other in found[1:]:
    assert other.keys() == found[0].keys()
    for name, array in other.items():
      assert array.tobytes() == found[0][name].tobytes(), name
  assert {path.name for path in tmp_path.iterdir()} == {
    *('cache', 'cohort', '0.npz', '1.npz', '2.npz')
  }


def test_more_objects_than_one_answer_lists(emulated) -> None:
  names = {f'{i % 7}/{i}': b'%d' % i for i in range(1003)}
  for name, data in names.items():
    emulated.put(f'many/{name}', data)
  assert _fetched(emulated, 'many') == names


def test_names_stay_what_they_are(emulated) -> None:
  names = ['a b.png', 'ä.png', 'a%20b.png', 'a+b.png', '[1]*.png', "it's", '~']
  for name in names:
    emulated.put(f'odd/{name}', name.encode())
  assert _fetched(emulated, 'odd') == {name: name.encode() for name in names}


def test_a_copy_follows_its_store(emulated, monkeypatch) -> None:
  for name in ('x', 'y', 'z/z'):
    emulated.put(f'set/{name}', name.encode())
  emulated.put('set/empty/', b'')  # As consoles show a folder.
  if emulated.scheme == 's3':  # The other emulator refuses the name.
    emulated.put('set/../up', b'')
  assert _fetched(emulated, 'set') == {'x': b'x', 'y': b'y', 'z/z': b'z/z'}
  emulated.delete('set/z/z')
  emulated.put('set/y', b'longer')
  copied = []
  copy = stores._copy
  monkeypatch.setattr(
    stores, '_copy', lambda *a: copied.extend(a[1]) or copy(*a)
  )
  assert _fetched(emulated, 'set') == {'x': b'x', 'y': b'longer'}
  assert [o.key for o in copied] == [f'{_BUCKET}/set/y']


def test_one_object(emulated) -> None:
  emulated.put('deep/down/f.csv', b'text')
  address = f'{emulated.scheme}://{_BUCKET}/deep/down/f.csv'
  assert stores.fetch(address, '--o').read_bytes() == b'text'


@pytest.mark.parametrize('place', [f'{_BUCKET}/nothing', 'no-bucket/x'])
def test_what_is_not_there(emulated, place) -> None:
  with pytest.raises(UserError, match='there is no such object or folder'):
    stores.fetch(f'{emulated.scheme}://{place}', '--o')

"""Copies of object stores: exactly what a store holds, whatever happened."""

from collections.abc import Iterator
import datetime
import logging
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

from absl import flags
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
import pytest

from heterojax import stores
from heterojax.api import inputs
from heterojax.cli import configurations
from heterojax.cli import words
from heterojax.configs import folder as folder_config
from heterojax.datasets import demo
from heterojax.datasets.inspections import Inspections
from heterojax.errors import Interrupted
from heterojax.errors import UserError
from heterojax.launch import main as launch
from heterojax.run import interruption
from heterojax.run import locks
from heterojax.studies import fetching
from heterojax.studies import stages


class Memory(MemoryFileSystem):
  """A store of its own in memory, which counts what is copied from it."""

  def __init__(self, objects: dict[str, bytes], **options):
    super().__init__(**options)
    self.store, self.pseudo_dirs, self.copied = {}, [''], []
    for key, data in objects.items():
      self.pipe(f'/{key}', data)

  def get_file(self, rpath, lpath, **options) -> None:
    self.copied.append(rpath)
    # The parent's refuses what stores allow: an object called like a folder.
    data = self.store[self._strip_protocol(rpath)].getvalue()
    pathlib.Path(lpath).write_bytes(data)


def _memory(objects: dict[str, bytes]) -> Memory:
  return Memory(objects, skip_instance_cache=True)


def _files(root: pathlib.Path) -> dict[str, bytes]:
  return {
    path.relative_to(root).as_posix(): path.read_bytes()
    for path in root.rglob('*')
    if path.is_file() and '~lock' not in path.name
  }


_OBJECTS = {
  'b/images/ill/1.png': b'one',
  'b/images/well/2.png': b'second',
  'b/images2/3.png': b'of another folder',
}
_OWN = {key: data for key, data in _OBJECTS.items() if '/images/' in key}


@pytest.fixture
def cache(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path / 'cache'))
  return tmp_path / 'cache' / 'objects' / 's3'


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryFileSystem]:
  """The store that s3:// is."""
  monkeypatch.setitem(_registry, 's3', MemoryFileSystem)
  store = MemoryFileSystem()
  yield store
  store.store.clear()
  store.pseudo_dirs[:] = ['']


def test_a_folder_is_copied_once(tmp_path) -> None:
  store = _memory(_OBJECTS)
  assert stores.mirror(store, 'b/images', tmp_path) == tmp_path / 'b/images'
  assert _files(tmp_path) == _OWN
  assert len(store.copied) == 2
  stores.mirror(store, 'b/images', tmp_path)
  assert len(store.copied) == 2


def test_one_object_is_copied_alone(tmp_path) -> None:
  path = stores.mirror(_memory(_OBJECTS), 'b/images/ill/1.png', tmp_path)
  assert path.read_bytes() == b'one'
  assert len(_files(tmp_path)) == 1


@pytest.mark.parametrize('key', ['b', 'b/images'])
def test_what_changes_in_the_store_changes_here(tmp_path, key: str) -> None:
  store = _memory(_OBJECTS)
  stores.mirror(store, key, tmp_path)
  before = dict.fromkeys(store.copied)
  store.rm('/b/images/ill/1.png')
  store.pipe('/b/images/new/4.png', b'new')
  # Of the same size, and a second later.
  changed = store.store['/b/images/well/2.png']
  changed.seek(0)
  changed.write(b'SECOND')
  changed.created += datetime.timedelta(seconds=1)
  stores.mirror(store, key, tmp_path)
  own = _OBJECTS if key == 'b' else _OWN
  assert _files(tmp_path) == {
    **{k: v for k, v in own.items() if 'ill' not in k},
    'b/images/new/4.png': b'new',
    'b/images/well/2.png': b'SECOND',
  }
  assert not (tmp_path / 'b/images/ill').exists()
  assert len(store.copied) == len(before) + 2


@pytest.mark.parametrize('name', ['ETag', 'etag'])
def test_what_changes_within_a_second_changes_here(
  tmp_path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
  """S3 tells when an object changed by seconds, and a tag of its content."""
  store = _memory({'b/d/x': b'first', 'b/d/y': b'other'})
  described = stores._described

  def tagged(key: str, info: dict) -> stores.Object:
    content = store.store[f'/{key}'].getvalue()
    same = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return described(key, info | {'created': same, name: content.decode()})

  monkeypatch.setattr(stores, '_described', tagged)
  for content, copied in (b'first', 2), (b'later', 3), (b'later', 3):
    store.pipe('/b/d/x', content)
    stores.mirror(store, 'b/d', tmp_path)
    assert _files(tmp_path) == {'b/d/x': content, 'b/d/y': b'other'}
    assert len(store.copied) == copied


@pytest.mark.parametrize('key', ['b/d', 'b/d/x'])
def test_an_object_becomes_a_folder_and_a_folder_an_object(
  tmp_path, key: str
) -> None:
  deep, flat = {f'{key}/y/1': b'one', f'{key}/2': b'two'}, {key: b'flat'}
  for objects in (deep, flat) * 2:
    stores.mirror(_memory(objects), key, tmp_path)
    assert _files(tmp_path) == objects
  # Of which one above is named now.
  stores.mirror(_memory({'b/d': b'flat'}), 'b/d', tmp_path)
  stores.mirror(_memory(deep), key, tmp_path)
  assert _files(tmp_path) == deep


@pytest.mark.parametrize('names', ['aA', ('é', 'e\u0301')])
def test_names_that_are_one_to_the_disk_are_told(
  tmp_path, monkeypatch, names
) -> None:
  """Such are those of macOS and Windows; one image would be both."""
  store = _memory({f'b/{name}': name.encode() for name in names})
  assert stores.mirror(store, 'b', tmp_path / 'told apart')
  assert len(_files(tmp_path / 'told apart')) == 2
  replace = os.replace

  def onto_the_same(source, target) -> None:
    replace(source, target)
    other = target.with_name(names[target.name == names[0]])
    other.unlink(missing_ok=True)
    other.hardlink_to(target)

  monkeypatch.setattr(os, 'replace', onto_the_same)
  for _ in range(2):
    with pytest.raises(UserError, match='does not tell their names apart'):
      stores.mirror(store, 'b', tmp_path / 'as one')


def test_what_changes_here_is_copied_again(tmp_path) -> None:
  store = _memory(_OBJECTS)
  stores.mirror(store, 'b/images', tmp_path)
  (tmp_path / 'b/images/ill/1.png').write_bytes(b'ONE')
  (tmp_path / 'b/images/well/2.png').unlink()
  (tmp_path / 'b/images/well/5.png').touch()
  stores.mirror(store, 'b/images', tmp_path)
  assert _files(tmp_path) == _OWN


@pytest.mark.parametrize('at', ['b', 'b/images', 'b/images/ill'])
def test_nothing_is_removed_or_written_behind_a_link(tmp_path, at: str) -> None:
  root, elsewhere = tmp_path / 'root', tmp_path / 'elsewhere'
  for name in ('thesis.tex', 'ill/thesis.tex', 'images/ill/1.png'):
    (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
    (elsewhere / name).write_bytes(b'mine')
  before = _files(elsewhere)
  (root / at).parent.mkdir(parents=True)
  (root / at).symlink_to(elsewhere)
  store = _memory(_OBJECTS)
  if at == 'b/images/ill':  # Inside of what is copied: no more than a file.
    stores.mirror(store, 'b/images', root)
    assert _files(root) == _OWN
  else:
    for key in ('b/images', 'b/images/ill/1.png'):
      with pytest.raises(UserError, match='is a link, and'):
        stores.mirror(store, key, root)
  assert _files(elsewhere) == before


_PARTS = strategies.sampled_from(['a', 'b', 'c.png', '..', '.', '', '\0', 'ä'])
_KEYS = strategies.lists(_PARTS, min_size=1, max_size=4).map('/'.join)


@pytest.mark.medium
@settings(max_examples=12)
@given(
  strategies.lists(
    strategies.dictionaries(_KEYS, strategies.binary(max_size=3)), max_size=3
  )
)
def test_any_history_leaves_what_the_store_holds(states) -> None:
  with tempfile.TemporaryDirectory() as name:
    _check_history(pathlib.Path(name), states)


def _check_history(tmp: pathlib.Path, states) -> None:
  root = tmp / 'root'
  for second, state in enumerate(states):
    store = _memory({'z/0': b'never empty'})
    for key, data in state.items():
      # Not through `pipe`, which would tidy names.
      file = store.store[f'/z/{key}'] = type(store.store['/z/0'])(
        store, f'/z/{key}', data
      )
      file.created = file.created.fromtimestamp(10**9 + second)
    stores.mirror(store, 'z', root)
    named = {
      key
      for key in ('0', *state)
      if not {'', '.', '..', '\0'} & set(key.split('/'))
    }
    sound = {
      key
      for key in named
      if not any(other.startswith(f'{key}/') for other in named)
    }
    state = {'0': b'never empty', **state}
    assert _files(root) == {f'z/{key}': state[key] for key in sound}
    assert [*tmp.iterdir()] == [root]


def test_what_is_left_out_is_named(tmp_path, caplog) -> None:
  store = _memory(_OBJECTS)
  store.store['/b/images/../x'] = store.store['/b/images2/3.png']
  with caplog.at_level(logging.WARNING):
    stores.mirror(store, 'b/images', tmp_path)
  assert (
    '1 objects of b/images are left out, as no file can have their names:'
    " 'b/images/../x'."
  ) in caplog.text
  assert _files(tmp_path) == _OWN


class _Killed(BaseException):
  """As a signal that ends a process."""


def test_a_broken_copy_goes_on(tmp_path, monkeypatch) -> None:
  objects = {f'b/{i}': b'%d' % i for i in range(10)}
  store = _memory(objects)
  monkeypatch.setattr(stores, '_AT_ONCE', 3)
  copy = Memory.get_file

  def broken(self, rpath, lpath, **options):
    if len(self.copied) == 7:
      pathlib.Path(lpath).write_bytes(b'half')
      raise _Killed
    copy(self, rpath, lpath, **options)

  with monkeypatch.context() as patch:
    patch.setattr(Memory, 'get_file', broken)
    with pytest.raises(_Killed):
      stores.mirror(store, 'b', tmp_path)
  assert (
    _files(tmp_path / 'b').items()
    <= {key[2:]: data for key, data in objects.items()}.items()
  )
  assert len(_files(tmp_path / 'b')) == 6
  stores.mirror(store, 'b', tmp_path)
  assert _files(tmp_path) == objects
  assert len(store.copied) == 7 + 4


def test_a_signal_stops_between_two_batches(tmp_path, monkeypatch) -> None:
  store = _memory({f'b/{i}': b'' for i in range(10)})
  monkeypatch.setattr(stores, '_AT_ONCE', 3)
  with interruption.handled():
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted):
      stores.mirror(store, 'b', tmp_path)
  assert len(_files(tmp_path / 'b')) == 3


def test_an_object_that_changes_meanwhile_is_refused(
  tmp_path, monkeypatch
) -> None:
  store = _memory(_OBJECTS)
  monkeypatch.setattr(
    Memory,
    'get_file',
    lambda self, rpath, lpath, **options: pathlib.Path(lpath).write_bytes(b''),
  )
  with pytest.raises(UserError, match='0 bytes and was listed with'):
    stores.mirror(store, 'b/images', tmp_path)
  assert _files(tmp_path / 'b') == {}


def test_a_full_disk_is_told_before_anything_is_copied(
  tmp_path, monkeypatch
) -> None:
  store = _memory(_OBJECTS)
  usage = shutil.disk_usage(tmp_path)._replace(free=8)
  monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage)
  with pytest.raises(UserError, match='HETEROJAX_CACHE'):
    stores.mirror(store, 'b/images', tmp_path)  # Nine bytes.
  assert store.copied == []


def test_two_runs_take_turns(cache, served) -> None:
  served.pipe('/b/x', b'data')
  cache.mkdir(parents=True)
  lock = locks.exclusive(cache / 'b~lock')
  found: list[pathlib.Path] = []
  other = threading.Thread(
    target=lambda: found.append(stores.fetch('s3://b/x', '--o'))
  )
  other.start()
  time.sleep(0.2)
  assert not found and not (cache / 'b').exists()
  with lock:
    pass
  other.join(30)
  assert found == [cache / 'b/x']


@pytest.mark.parametrize(
  ('address', 'said'),
  [
    ('s3://b/nothing', 'there is no such object or folder'),
    ('s3://b/../x', 'names no file'),
    ('https://host/x', 'must be a path of this machine'),
  ],
)
def test_what_cannot_be_copied(cache, served, address, said) -> None:
  served.pipe('/b/x', b'data')
  with pytest.raises(UserError, match=f'^--o is {address}.*{said}'):
    stores.fetch(address, '--o')
  assert not (cache / 'b').exists()


def test_errors_of_a_store_are_a_sentence(cache, served, monkeypatch) -> None:
  def refused(self, path, **options):
    raise PermissionError('Access\nDenied.')

  monkeypatch.setattr(MemoryFileSystem, 'info', refused)
  with pytest.raises(UserError, match=r'\(PermissionError: Access Denied\)'):
    stores.fetch('s3://b/x', '--o')


@pytest.mark.parametrize('scheme', ['s3', 'gs'])
@pytest.mark.parametrize('word', ['', 'data.dir='])
def test_without_the_packages_a_sentence_names_the_extra(
  cache, tmp_path, monkeypatch, capsys, scheme, word
) -> None:
  monkeypatch.setitem(_registry, scheme, None)  # Not imported yet.
  monkeypatch.delitem(_registry, scheme)
  for package in ('s3fs', 'gcsfs'):
    monkeypatch.setitem(sys.modules, package, None)
  monkeypatch.chdir(tmp_path)
  words = ['heterojax', 'features', f'{word}{scheme}://b/x', '--out=f.npz']
  words += ['--config=folder'] if word else []
  assert launch.main(words) == 2
  assert (
    f'--config.data.dir is {scheme}://b/x, and reading {scheme}:// needs'
    " packages that are not installed: pip install 'heterojax[cloud]'."
  ) in capsys.readouterr().err
  assert [path.name for path in tmp_path.iterdir()] == ['cache']


def test_settings_have_paths_and_the_configuration_addresses(
  cache, served
) -> None:
  served.pipe('/b/table.csv', b'')
  served.pipe('/b/images/1.png', b'')
  config = folder_config.get_config()
  config.data.dir = 's3://b/table.csv'
  config.data.images = 'S3://b/images/'
  config.data.external = 'elsewhere'
  data = fetching.settings(config.to_dict()).data
  assert data.dir == str(cache / 'b/table.csv')
  assert data.images == str(cache / 'b/images')
  assert data.external == 'elsewhere'
  assert config.data.dir == 's3://b/table.csv'


@pytest.mark.parametrize(
  ('address', 'name'),
  [
    ('s3://b/images', 'folder'),
    ('gs://b/table.csv', 'folder'),
    ('gs://b/features.npz', 'features'),
    ('s3://b/features.parquet', 'features'),
  ],
)
def test_an_address_is_data_like_a_path(address: str, name: str) -> None:
  given = inputs.of(address)
  assert (given.configuration, given.path) == (name, address)
  none = flags.FlagValues()
  found = words.canonical(['', address], none, config=True, bare='')
  assert found[1:] == [
    f'--config={configurations.file(name)}',
    f'--config.data.dir={address}',
  ]


def test_a_pattern_stays_one(cache, served) -> None:
  for name in ('f_0.npz', 'f_1.npz'):
    served.pipe(f'/b/all/{name}', b'')
  config = folder_config.get_config()
  config.data.files = 's3://b/all/f_*.npz'
  files = fetching.settings(config.to_dict()).data.files
  assert files == str(cache / 'b/all/f_*.npz')
  assert len(_files(cache)) == 2


@pytest.mark.medium
def test_images_are_those_of_the_folder(cache, served, tmp_path) -> None:
  table = demo.write_cohort(
    tmp_path / 'cohort', num_images=20, seed=0, cohort='planted', image_size=32
  )
  served.put(str(table.parent), '/b/cohort', recursive=True)
  cohorts = []
  for place in (str(table.parent), 's3://b/cohort'):
    config = folder_config.get_config('study=retraining')
    config.data.dir = place
    settings = fetching.settings(config.to_dict())
    with Inspections() as earlier:
      cohorts += stages.read(settings, tmp_path, earlier)
  local, copied = cohorts
  assert local.candidates == copied.candidates
  assert len(copied.included) == 20
  assert all(dict(c.columns)['sha256'] for c in copied.included)

"""Tests of checkpoints: every flipped byte is found, and no state is lost."""

import json
import logging
import pathlib
import resource
import shutil
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorstore as ts

from heterojax.errors import Interrupted
from heterojax.run import artifacts
from heterojax.run import checkpoint
from heterojax.run import run_folder


class _State(NamedTuple):
  kernel: jax.Array
  moments: tuple[jax.Array, jax.Array]
  count: jax.Array
  stopped: np.ndarray


def _state(seed: int = 0) -> _State:
  rng = np.random.default_rng(seed)
  return _State(
    jnp.asarray(rng.normal(size=(3, 40)), jnp.float32),
    (jnp.asarray(rng.normal(size=5), jnp.float32), jnp.zeros((2, 2))),
    jnp.asarray(seed, jnp.int32),
    np.array([True, False]),
  )


def _assert_equal(got: _State, want: _State) -> None:
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_array_equal(a, b, strict=True)


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
  return sorted(path for path in folder.rglob('*') if path.is_file())


def _flip(path: pathlib.Path, position: int, bit: int = 0) -> None:
  data = bytearray(path.read_bytes())
  data[position] ^= 1 << bit
  path.write_bytes(data)


@pytest.fixture(name='saved', scope='module')
def _saved(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  path = tmp_path_factory.mktemp('saved') / 'heads'
  checkpoint.save(path, {'state': _state()}, 'these')
  return path


def test_bits_and_types_come_back(saved: pathlib.Path) -> None:
  leaves = checkpoint.load(saved, 'these')
  template = {'state': jax.tree.map(jnp.zeros_like, _state())}
  _assert_equal(checkpoint.restore(template, leaves)['state'], _state())
  values = {'x': np.array([np.nan, -0.0, np.inf]), 'n': np.int64(2**53 + 1)}
  checkpoint.save(saved.parent / 'odd', values, '')
  got = checkpoint.load(saved.parent / 'odd')
  assert got['x'].tobytes() == values['x'].tobytes()
  assert got['n'].tolist() == [2**53 + 1] and got['n'].dtype == np.int64


def test_what_it_is_about_must_be_the_same(saved: pathlib.Path) -> None:
  assert checkpoint.load(saved, 'others') is None
  assert checkpoint.load(saved) is not None
  assert checkpoint.load(saved.parent / 'nothing', 'these') is None


@pytest.mark.parametrize('before', [{}, {'release': '0.1.0'}])
def test_another_release_makes_it_anew(
  saved: pathlib.Path, tmp_path: pathlib.Path, before: dict[str, str]
) -> None:
  """It may keep other leaves, or compute them otherwise."""
  saved = pathlib.Path(shutil.copytree(saved, tmp_path / 'heads'))
  path = saved / 'digests.json'
  index = json.loads(path.read_text())
  del index['release'], index['digest']
  index |= before
  index['digest'] = run_folder.digest(index)
  path.write_text(run_folder.to_json(index))
  assert checkpoint.load(saved, 'these') is None
  assert checkpoint.load(saved) is not None  # As it is compared with others.
  assert saved.exists()


@pytest.mark.medium
def test_no_flipped_bit_gives_other_numbers(
  saved: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  """In every file, at positions all over it: the same arrays, or none."""
  rng = np.random.default_rng(0)
  template = {'state': _state()}
  found = {True: 0, False: 0}
  for number, path in enumerate(_files(saved)):
    size = path.stat().st_size
    for position in rng.choice(size, min(size, 12), replace=False):
      folder = tmp_path / f'{number}_{position}'
      shutil.copytree(saved, folder)
      _flip(folder / path.relative_to(saved), position, rng.integers(8))
      leaves = checkpoint.load(folder, 'these')
      found[leaves is not None] += 1
      if leaves is not None:
        _assert_equal(checkpoint.restore(template, leaves)['state'], _state())
  assert found[False] > 20  # Of the arrays and of the digests.


def test_a_damaged_one_is_set_aside_with_a_sentence(
  saved: pathlib.Path,
  tmp_path: pathlib.Path,
  caplog: pytest.LogCaptureFixture,
) -> None:
  path = pathlib.Path(shutil.copytree(saved, tmp_path / 'heads'))
  index = json.loads((path / 'digests.json').read_text())
  name = next(iter(index['leaves']))
  index['leaves'][name] = '0' * 32
  (path / 'digests.json').write_text(json.dumps(index))
  with caplog.at_level(logging.WARNING, 'heterojax'):
    assert checkpoint.load(path, 'these') is None
  assert f'{path} is damaged (digests.json is not as it was' in caplog.text
  assert [p.name for p in tmp_path.iterdir()] == ['damaged_heads']
  # Another one takes its place.
  checkpoint.save(path, {'state': _state()}, 'these')
  (path / 'digests.json').write_text('{')
  assert checkpoint.load(path, 'these') is None
  assert [p.name for p in tmp_path.iterdir()] == ['damaged_heads']


def test_forged_arrays_that_no_memory_holds_are_not_read(
  saved: pathlib.Path,
  tmp_path: pathlib.Path,
  caplog: pytest.LogCaptureFixture,
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """Reading them would end the process."""
  path = pathlib.Path(shutil.copytree(saved, tmp_path / 'heads'))
  base = f'file://{path / "arrays"}/'
  store = ts.KvStore.open({'driver': 'ocdbt', 'base': base}).result()
  (name,) = (n for n in store.list().result() if n.endswith(b'kernel/.zarray'))
  declared = json.loads(store.read(name).result().value)
  declared['shape'] = [10**12, 40]
  store.write(name, json.dumps(declared).encode()).result()
  files = {
    file.relative_to(path / 'arrays').as_posix(): artifacts.fingerprint(file)
    for file in _files(path / 'arrays')
  }
  (path / 'files.json').write_text(json.dumps(files))
  monkeypatch.delattr(checkpoint.v1, 'load')
  with caplog.at_level(logging.WARNING, 'heterojax'):
    assert checkpoint.load(path, 'these') is None
  assert 'its arrays say to be 160,000 GB' in caplog.text


def test_a_run_that_is_stopped_while_it_reads_blames_no_checkpoint(
  saved: pathlib.Path,
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  path = pathlib.Path(shutil.copytree(saved, tmp_path / 'heads'))

  def stop(*unused) -> None:
    raise Interrupted('Stopped.')

  with monkeypatch.context() as patch:
    patch.setattr(checkpoint.v1, 'load', stop)
    with pytest.raises(Interrupted):
      checkpoint.load(path, 'these')
  assert checkpoint.load(path, 'these') is not None


def test_without_digests_there_is_no_checkpoint(
  saved: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  """As a run that was killed while it saved leaves it."""
  path = pathlib.Path(shutil.copytree(saved, tmp_path / 'heads'))
  (path / 'digests.json').unlink()
  assert checkpoint.load(path, 'these') is None
  assert path.exists()  # It is no damage.


def _steps(folder: pathlib.Path, about: str = 'these') -> checkpoint.Steps:
  return checkpoint.Steps(folder, about)


def _resumed(folder: pathlib.Path) -> tuple[int, int]:
  number, leaves = _steps(folder).latest()
  return number, int(leaves['state.count'][0]) if leaves else 0


def test_the_last_steps_are_kept_and_the_last_is_used(
  tmp_path: pathlib.Path,
) -> None:
  steps = _steps(tmp_path)
  assert steps.latest() == (0, {})
  for number in (1, 2, 9, 10):
    steps.save(number, {'state': _state(number)})
  assert sorted(p.name for p in (tmp_path / 'steps').iterdir()) == [
    '000009',
    '000010',
  ]
  number, leaves = steps.latest()
  assert number == 10
  got = checkpoint.restore({'state': _state()}, leaves)['state']
  _assert_equal(got, _state(10))
  assert _steps(tmp_path, 'others').latest() == (0, {})


def test_steps_go_once_there_is_what_they_lead_to(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  _steps(tmp_path).save(1, {'state': _state(1)})
  with monkeypatch.context() as patch:  # A kill comes before that.
    patch.setattr(shutil, 'rmtree', lambda *args, **options: None)
    checkpoint.save(tmp_path, _state(2), 'these')
  assert _resumed(tmp_path) == (1, 1)
  assert checkpoint.load(tmp_path) is not None  # Reading changes nothing.
  assert _resumed(tmp_path) == (1, 1)
  assert checkpoint.load(tmp_path, 'these') is not None
  assert _resumed(tmp_path) == (0, 0) and not (tmp_path / 'steps').exists()
  _steps(tmp_path).save(3, {'state': _state(3)})
  checkpoint.save(tmp_path, _state(3), 'these')
  assert not (tmp_path / 'steps').exists()


def test_steps_of_another_training_do_not_outlive_its_own(
  tmp_path: pathlib.Path,
) -> None:
  """As those before an image was exchanged, which went further."""
  for number in (8, 9):
    _steps(tmp_path, 'others').save(number, {'state': _state(number)})
  for number in (1, 2):
    _steps(tmp_path).save(number, {'state': _state(number)})
    assert _resumed(tmp_path) == (number, number)
  assert sorted(path.name for path in (tmp_path / 'steps').iterdir()) == [
    '000001',
    '000002',
  ]


def test_a_damaged_step_gives_way_to_the_one_before(
  tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
  steps = _steps(tmp_path)
  for number in (3, 4):
    steps.save(number, {'state': _state(number)})
  arrays = max(
    (tmp_path / 'steps' / '000004' / 'arrays').rglob('d/*'),
    key=lambda path: path.stat().st_size,
  )
  _flip(arrays, arrays.stat().st_size // 2)
  assert _resumed(tmp_path) == (3, 3)
  assert (tmp_path / 'steps' / 'damaged_000004').is_dir()
  assert 'damaged' in caplog.text
  # The step is made again.
  steps.save(4, {'state': _state(4)})
  assert _resumed(tmp_path) == (4, 4)


def test_saving_takes_a_small_share_of_the_time(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """A clock that saving moves by 3 s, and a step by 1 s."""
  clock = [0.0]
  monkeypatch.setattr(checkpoint.time, 'monotonic', lambda: clock[0])

  def save(*unused) -> None:
    clock[0] += 3.0

  monkeypatch.setattr(checkpoint, 'save', save)
  steps, saved = _steps(tmp_path), []
  for number in range(100):
    clock[0] += 1.0
    if steps.due():
      steps.save(number, {})
      saved.append(number)
  assert saved == [0, 30, 60, 90]


_FULL_DISK = """
import pathlib, resource, sys
import numpy as np
from heterojax import errors
from heterojax.run import checkpoint
path = pathlib.Path(sys.argv[1])
checkpoint.save(path / '1', {'x': np.zeros(10)}, 'these')
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
rng = np.random.default_rng(0)
try:
  checkpoint.save(path / '2', {'x': rng.normal(size=9000)}, 'these')
except errors.UserError as error:
  print(error)
assert checkpoint.load(path / '1', 'these') is not None
assert checkpoint.load(path / '2', 'these') is None
"""


@pytest.mark.slow
def test_a_full_disk_is_one_sentence(tmp_path: pathlib.Path) -> None:
  """A limit on the size of files stands for it."""
  assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
  done = subprocess.run(
    [sys.executable, '-c', _FULL_DISK, str(tmp_path)],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr[-2000:]
  assert 'cannot be written' in done.stdout and 'same command' in done.stdout
  assert len(done.stdout.strip().splitlines()) == 1
  assert 'Traceback' not in done.stderr


def test_a_digest_tells_name_type_shape_and_bytes() -> None:
  x = np.arange(6, dtype=np.float32)
  trees = [
    {'a': x},
    {'b': x},
    {'a': x.astype(np.float64)},
    {'a': x.reshape(2, 3)},
    {'a': x + 1},
    {'a': x, 'b': 1},
    {'a': x, 'b': '1'},
    [x],
  ]
  digests = [checkpoint.digest(tree) for tree in trees]
  assert len(set(digests)) == len(trees)
  assert checkpoint.digest({'a': jnp.asarray(x)}) == digests[0]
  wide = np.arange(12, dtype=np.float32).reshape(6, 2)
  assert checkpoint.digest(wide[::2]) == checkpoint.digest(wide[::2].copy())

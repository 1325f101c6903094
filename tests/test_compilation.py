"""Tests of compiled programs that are kept between runs."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from heterojax.backbones import imagenet
from heterojax.compute import cache
from heterojax.compute import private_folders
from heterojax.compute import program_digests
from heterojax.errors import UserError

_RUN = """
import logging
logging.basicConfig(level=logging.INFO)
import heterojax, jax
from heterojax.compute import compilation
compilation._LEAST_SECONDS = 0
hits = []
jax.monitoring.register_event_listener(
    lambda name, **_: hits.append(name.rpartition('/')[2]))
compilation.keep_programs()
print(float(jax.jit(lambda x: x * 3 + 1)(2.0)))
print(hits.count('cache_hits'), hits.count('cache_misses'))
print(jax.config.jax_compilation_cache_dir)
"""


def _run(
  folder: pathlib.Path | str, before: str = '', **variables: str
) -> tuple[list[str], str]:
  done = subprocess.run(
    [sys.executable, '-c', before + _RUN],
    env=os.environ | {'HETEROJAX_CACHE': str(folder)} | variables,
    capture_output=True,
    text=True,
    check=True,
  )
  return done.stdout.splitlines(), done.stderr


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
  monkeypatch.delenv('JAX_COMPILATION_CACHE_DIR', raising=False)


def test_an_empty_variable_names_no_folder(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """It would be the folder where a user stands, with programs of others."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('HETEROJAX_CACHE', '')
  empty = cache.folder()
  monkeypatch.delenv('HETEROJAX_CACHE')
  assert empty == cache.folder() == pathlib.Path.home() / '.cache/heterojax'


def test_a_variable_may_begin_with_the_home(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """A file of variables leaves the ~, and a folder of that name is a trap."""
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.setenv('USERPROFILE', str(tmp_path))
  monkeypatch.setenv('HETEROJAX_CACHE', '~/kept')
  assert cache.folder() == tmp_path / 'kept'


def test_a_user_without_a_home_is_told_what_to_name(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """As a number is in a container; nothing but what is kept needs one."""
  monkeypatch.delenv('HETEROJAX_CACHE', raising=False)
  monkeypatch.delenv('HOME', raising=False)
  monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
  with pytest.raises(UserError, match='variable HETEROJAX_CACHE'):
    cache.folder()
  path, _ = imagenet.locate(
    'x', [imagenet.Packaged('heterojax', 'py.typed', 'x')], download=False
  )
  assert path.exists()


@pytest.mark.slow
def test_the_second_run_compiles_nothing(tmp_path: pathlib.Path) -> None:
  first, _ = _run(tmp_path)
  second, _ = _run(tmp_path)
  assert first[0] == second[0] == '7.0'
  misses = int(first[1].split()[1])
  assert misses > 0
  assert second[1] == f'{misses} 0'
  folder = pathlib.Path(second[2])
  assert folder.parent == tmp_path / 'programs'
  assert folder.stat().st_mode & 0o777 == 0o700
  assert list(folder.glob('*-cache'))


@pytest.mark.medium
def test_what_the_user_set_stays(tmp_path: pathlib.Path) -> None:
  own = str(tmp_path / 'own')
  (_, _, folder), _ = _run(tmp_path / 'ours', JAX_COMPILATION_CACHE_DIR=own)
  assert folder == own
  assert not (tmp_path / 'ours').exists()


@pytest.mark.slow
def test_damaged_programs_are_made_anew_without_a_warning(
  tmp_path: pathlib.Path,
) -> None:
  first, _ = _run(tmp_path)
  folder = pathlib.Path(first[2])
  programs = sorted(folder.glob('*-cache'))
  whole = [path.read_bytes() for path in programs]
  for harm in (
    lambda b: b[: len(b) // 2],
    lambda b: b[:-1] + b'x',
    lambda b: b'',
  ):
    for path in programs:
      path.write_bytes(harm(path.read_bytes()))
    damaged, said = _run(tmp_path)
    assert damaged[0] == first[0] and damaged[1] == first[1]
    assert f'{len(programs)} damaged programs' in said
    assert 'Warning' not in said
    again, _ = _run(tmp_path)
    assert again[1] == f'{len(programs)} 0'
  assert [len(path.read_bytes()) for path in programs] == [*map(len, whole)]


def _digests(folder: pathlib.Path) -> program_digests.Digests:
  digests = program_digests.Digests(folder)
  digests.remove_damaged()
  return digests


def _kept(folder: pathlib.Path) -> list[str]:
  return sorted(path.stem for path in folder.glob('*-cache'))


def test_programs_without_their_digest_go(tmp_path: pathlib.Path) -> None:
  digests = _digests(tmp_path)
  for name in 'abcd':
    (tmp_path / f'{name}-cache').write_bytes(name.encode() * 1000)
    digests.note()
  (tmp_path / 'e-cache').write_bytes(b'killed')
  (tmp_path / 'a-cache').write_bytes(b'a' * 999)
  (tmp_path / 'b-cache').write_bytes(b'b' * 999 + b'a')
  (tmp_path / 'c-cache').unlink()
  (tmp_path / 'other').write_bytes(b'')
  digests = program_digests.Digests(tmp_path)
  assert digests.remove_damaged() == 3
  assert _kept(tmp_path) == ['d-cache'] and (tmp_path / 'other').exists()
  (tmp_path / 'a-cache').write_bytes(b'a' * 1000)
  digests.note()
  assert _digests(tmp_path) and _kept(tmp_path) == ['a-cache', 'd-cache']


def test_digests_are_those_of_b2sum(tmp_path: pathlib.Path) -> None:
  digests = _digests(tmp_path)
  for name in 'ab':
    (tmp_path / f'{name}-cache').write_bytes(name.encode())
  digests.note()
  if not shutil.which('b2sum'):
    pytest.skip('b2sum is not on this machine')
  command = ['b2sum', '-c', '--strict', program_digests.NAME]
  subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_digests_that_are_damaged_lose_programs_alone(
  tmp_path: pathlib.Path,
) -> None:
  (tmp_path / 'a-cache').write_bytes(b'a')
  for content in (b'', b'\xff\n\n  \n', b'0  a-cache\n', b'a' * 300):
    (tmp_path / program_digests.NAME).write_bytes(content)
    assert program_digests.Digests(tmp_path).remove_damaged() == 1
    (tmp_path / 'a-cache').write_bytes(b'a')


def test_looking_at_300_programs_takes_no_time(tmp_path: pathlib.Path) -> None:
  for i in range(300):
    (tmp_path / f'{i}-cache').write_bytes(bytes(50_000))
  program_digests.Digests(tmp_path).note()
  start = time.process_time()
  assert program_digests.Digests(tmp_path).remove_damaged() == 0
  assert time.process_time() - start < 0.5  # 0.02 s on a quiet machine.
  assert len(_kept(tmp_path)) == 300


def test_folders_above_count(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  shared = tmp_path / 'lab'
  folder = private_folders.make(shared / 'cache' / 'programs')
  assert folder.stat().st_mode & 0o777 == 0o700
  assert shared.stat().st_mode & 0o777 == 0o700
  assert private_folders.open_to_others(folder) is None
  for mode in (0o770, 0o707, 0o777):
    shared.chmod(mode)
    assert private_folders.open_to_others(folder) == shared.resolve()
  shared.chmod(0o1777)  # As /tmp is.
  assert private_folders.open_to_others(folder) is None
  folder.chmod(0o1777)
  assert private_folders.open_to_others(folder) == folder
  monkeypatch.delattr(os, 'getuid')  # Windows has none.
  assert private_folders.open_to_others(folder) is None


def test_a_link_leads_where_it_leads(tmp_path: pathlib.Path) -> None:
  (tmp_path / 'theirs').mkdir()
  (tmp_path / 'theirs').chmod(0o777)
  (tmp_path / 'ours').symlink_to('theirs')
  folder = private_folders.make(tmp_path / 'ours' / 'programs')
  exposed = private_folders.open_to_others(folder)
  assert exposed == (tmp_path / 'theirs').resolve()


@pytest.mark.skipif(
  os.getuid() != 0, reason='only root makes folders of others'
)
@pytest.mark.parametrize('name', ['lab', 'lab/programs'])
def test_folders_of_others(tmp_path: pathlib.Path, name: str) -> None:
  folder = private_folders.make(tmp_path / 'lab' / 'programs')
  os.chown(tmp_path / name, 65534, -1)
  exposed = private_folders.open_to_others(folder)
  assert exposed == (tmp_path / name).resolve()


@pytest.mark.slow
def test_a_folder_that_others_can_write_to_is_not_used(
  tmp_path: pathlib.Path,
) -> None:
  (_, _, folder), _ = _run(tmp_path)
  for path in pathlib.Path(folder).iterdir():
    path.unlink()
  pathlib.Path(folder).chmod(0o770)
  (value, counts, used), said = _run(tmp_path)
  assert (value, counts, used) == ('7.0', '0 0', 'None')
  assert f'{folder}, because others can write to {folder}' in said
  assert not list(pathlib.Path(folder).iterdir())


_NO_HOME = 'import os; os.path.expanduser = lambda path: path'


@pytest.mark.medium
@pytest.mark.parametrize(('cache', 'before'), [('file', ''), ('', _NO_HOME)])
def test_no_folder_is_no_mistake(
  tmp_path: pathlib.Path, cache: str, before: str
) -> None:
  (tmp_path / 'file').touch()
  (value, _, used), said = _run(cache and tmp_path / cache, before)
  assert (value, used) == ('7.0', 'None')
  assert 'Compiled programs are not kept' in said

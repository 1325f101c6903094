"""Tests of compiled programs that are kept between runs."""

import os
import pathlib
import subprocess
import sys

import pytest

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


def _run(folder: pathlib.Path, **variables: str) -> tuple[list[str], str]:
  done = subprocess.run(
    [sys.executable, '-c', _RUN],
    env=os.environ | {'HETEROJAX_CACHE': str(folder)} | variables,
    capture_output=True,
    text=True,
    check=True,
  )
  return done.stdout.splitlines(), done.stderr


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
  monkeypatch.delenv('JAX_COMPILATION_CACHE_DIR', raising=False)


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
def test_a_folder_that_others_can_write_to_is_not_used(
  tmp_path: pathlib.Path,
) -> None:
  (_, _, folder), _ = _run(tmp_path)
  for path in pathlib.Path(folder).iterdir():
    path.unlink()
  pathlib.Path(folder).chmod(0o770)
  (value, counts, used), said = _run(tmp_path)
  assert (value, counts, used) == ('7.0', '0 0', 'None')
  assert f'{folder}, because others can write there' in said
  assert not list(pathlib.Path(folder).iterdir())


@pytest.mark.medium
def test_no_folder_is_no_mistake(tmp_path: pathlib.Path) -> None:
  (tmp_path / 'file').touch()
  (value, _, used), said = _run(tmp_path / 'file')
  assert (value, used) == ('7.0', 'None')
  assert 'Compiled programs are not kept' in said

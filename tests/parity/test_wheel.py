"""The wheel in an empty environment, outside the checkout."""

import json
import os
import pathlib
import subprocess
import sys
import venv
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _call(*command: object, cwd: pathlib.Path) -> subprocess.CompletedProcess:
  environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
  return subprocess.run(
    [str(word) for word in command],
    cwd=cwd,
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  folder = tmp_path_factory.mktemp('dist')
  done = _call(
    sys.executable,
    '-m',
    'build',
    '--wheel',
    '--outdir',
    folder,
    ROOT,
    cwd=folder,
  )
  assert done.returncode == 0, done.stderr
  return next(folder.glob('*.whl'))


def test_one_top_level_package(wheel: pathlib.Path) -> None:
  with zipfile.ZipFile(wheel) as archive:
    names = archive.namelist()
  tops = {name.split('/')[0] for name in names}
  assert {t for t in tops if not t.endswith('.dist-info')} == {'heterojax'}
  for name in (
    'heterojax/launch/study.py',
    'heterojax/configs/demo.py',
    'heterojax/records/retraining.schema.json',
    'heterojax/report/script.js',
    'heterojax/report/style.css',
    'heterojax/report/page.html',
  ):
    assert name in names


def test_it_works_in_an_empty_environment(
  wheel: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  venv.create(tmp_path / 'env', with_pip=True)
  bin_dir = tmp_path / 'env' / 'bin'
  done = _call(
    bin_dir / 'pip',
    'install',
    '-q',
    '-c',
    ROOT / 'requirements.lock',
    wheel,
    cwd=tmp_path,
  )
  assert done.returncode == 0, done.stderr
  code = (
    'import sys, heterojax.launch.study\n'
    'print([m for m in ("tensorflow", "torch", "keras") if m in sys.modules])'
  )
  assert _call(bin_dir / 'python', '-c', code, cwd=tmp_path).stdout == '[]\n'
  done = _call(
    bin_dir / 'heterojax', '--config=demo:tiny', '--workdir=run', cwd=tmp_path
  )
  assert done.returncode == 0, done.stderr
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert results['dataset']['name'] == 'demo'
  assert (tmp_path / 'run' / 'report.html').stat().st_size > 10_000
  done = _call(
    bin_dir / 'python',
    '-m',
    'heterojax.launch.compare',
    '--workdirs=run',
    cwd=tmp_path,
  )
  assert done.returncode == 0, done.stderr
  done = _call(
    bin_dir / 'python',
    '-m',
    'heterojax.launch.prepare',
    '--config=folder',
    '--config.data.dir=run/cohort/cohort.csv',
    '--out=prepared',
    cwd=tmp_path,
  )
  assert done.returncode == 0, done.stderr
  done = _call(
    bin_dir / 'heterojax',
    '--config=folder:tiny',
    '--workdir=again',
    '--config.data.dir=prepared',
    cwd=tmp_path,
  )
  assert done.returncode == 0, done.stderr

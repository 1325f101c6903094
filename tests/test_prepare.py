"""The command that prepares data: exit codes, interruptions, no network."""

import configparser
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
from packaging import requirements
from packaging import utils
from PIL import Image
import pytest

from heterojax.datasets import builders
from heterojax.datasets import images
from heterojax.datasets import prepared
from heterojax.launch import prepare
from heterojax.launch import study

_COUNT = 30  # Images of a class.

# Prepares slowly, in many shards, and says which file it reads.
_SLOW = """
import pathlib, sys, time
from heterojax.datasets import builders, images
read = images.read
def slow(path):
  print(path.name, file=sys.stderr, flush=True)
  time.sleep(0.01)
  return read(path)
images.read = slow
builders._SHARD_BYTES = 500
raw, out = map(pathlib.Path, sys.argv[1:])
builders.prepare('folder', raw, ('ill', 'normal'), out)
"""

# Fails at any connection; a package called tensorflow is there, and must not
# be imported.
_ALONE = """
import socket, sys
def refuse(*unused, **options):
  raise AssertionError('a connection was tried')
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
import importlib.util
assert importlib.util.find_spec('tensorflow')
import pathlib
from heterojax import datasets
from heterojax.launch import prepare
from heterojax.launch import study
assert 'tensorflow_datasets' not in sys.modules
assert prepare.main(['prepare.py', *sys.argv[1:]]) == 0
out = pathlib.Path(sys.argv[-1].partition('=')[2])
cohort = datasets.read('folder', out, ('', ''))
assert all(cohort.source.read(c.path) for c in cohort.candidates)
assert 'tensorflow_datasets' in sys.modules
assert 'tensorflow' not in sys.modules
"""


@pytest.fixture
def raw(tmp_path: pathlib.Path) -> pathlib.Path:
  rng = np.random.default_rng(0)
  for label in ('ill', 'normal'):
    (tmp_path / 'raw' / label).mkdir(parents=True)
    for i in range(_COUNT):
      pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
      Image.fromarray(pixels).save(tmp_path / 'raw' / label / f'{i:02d}.png')
  return tmp_path / 'raw'


def _main(raw: pathlib.Path, out: pathlib.Path, *flags: str) -> int:
  return prepare.main([
    'prepare.py',
    '--config=folder',
    f'--config.data.dir={raw}',
    f'--out={out}',
    *flags,
  ])


def _check(raw: pathlib.Path, out: pathlib.Path) -> None:
  """All images are there, as they were, and nothing else is."""
  cohort = prepared.read(out, ('ill', 'normal'))
  assert len(cohort.candidates) == 2 * _COUNT
  for c in cohort.candidates:
    assert cohort.source.read(c.path) == (raw / c.path).read_bytes()
  assert not list(out.rglob(f'{prepared.INCOMPLETE}*'))


def test_it_says_where_the_data_are(
  raw: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
  out = tmp_path / 'out'
  assert _main(raw, out) == 0
  printed = capsys.readouterr()
  (folder,) = prepared.find(out)
  # Nothing of what TFDS itself would say.
  assert printed.out == f'The prepared data are at {folder}\n'
  assert not printed.err
  assert _main(raw, out) == 0
  assert capsys.readouterr().out == printed.out
  _check(raw, out)


@pytest.mark.parametrize(
  ('flags', 'code', 'says'),
  [
    (['--out='], 2, '--out=DIR'),
    (['--config.data.dir='], 2, '--config.data.dir must name'),
    (['--config.data.dir=/missing'], 2, '/missing does not exist'),
    (['--config.data.positive=x'], 2, "no label 'x'"),
    (
      ['--config.data.positive=ill', '--config.data.negative=ill'],
      2,
      "Both classes are 'ill'",
    ),
    (['--config.data.dataset=features'], 2, 'features'),
    (['--config.data.dataset=demo'], 2, "nothing to prepare for 'demo'"),
    (['--out=/proc/x'], 2, 'cannot be the folder of prepared data'),
    (['--typo'], 2, 'typo'),
  ],
)
def test_mistakes_are_one_sentence(
  raw: pathlib.Path,
  tmp_path: pathlib.Path,
  capsys: pytest.CaptureFixture,
  flags: list[str],
  code: int,
  says: str,
) -> None:
  assert _main(raw, tmp_path / 'out', *flags) == code
  error = capsys.readouterr().err
  assert says in error and error.count('\n') == 1
  assert not prepared.find(tmp_path / 'out')


@pytest.mark.parametrize(
  'package', ['tensorflow_datasets', 'array_record.python.array_record_module']
)
def test_a_missing_package_is_one_sentence(
  raw: pathlib.Path,
  tmp_path: pathlib.Path,
  capsys: pytest.CaptureFixture,
  monkeypatch: pytest.MonkeyPatch,
  package: str,
) -> None:
  """As on Windows, for which array-record has no wheel."""
  out = tmp_path / 'out'
  assert _main(raw, out) == 0
  monkeypatch.setitem(sys.modules, package, None)
  capsys.readouterr()
  read = [
    'study.py',
    '--config=folder',
    f'--config.data.dir={out}',
    f'--workdir={tmp_path / "run"}',
  ]
  for command in (
    lambda: _main(raw, tmp_path / 'other'),
    lambda: study.main(read),
  ):
    assert command() == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f'(import of {package} halted' in said
    assert "pip install 'heterojax[prepared]' on Linux or macOS" in said
  assert not (tmp_path / 'other').exists()


def test_packages_without_wheels_are_not_asked_for_on_windows() -> None:
  config = configparser.ConfigParser()
  config.read(pathlib.Path(__file__).parents[1] / 'setup.cfg')
  extras = config['options.extras_require']
  names = {'array-record', 'importlib-resources', 'tensorflow-datasets'}
  windows = {'platform_system': 'Windows', 'sys_platform': 'win32'}
  for lines in (
    config['options']['install_requires'],
    extras['prepared'],
    extras['dev'],
  ):
    asked = {
      utils.canonicalize_name(r.name): r.marker
      for r in map(requirements.Requirement, filter(None, lines.splitlines()))
    }
    assert names <= asked.keys()
    for name, marker in asked.items():
      assert (name in names) == (
        marker is not None and not marker.evaluate(windows)
      )
      assert marker is None or marker.evaluate({'platform_system': 'Linux'})


def test_a_signal_stops_it_and_the_same_command_completes_it(
  raw: pathlib.Path,
  tmp_path: pathlib.Path,
  capsys: pytest.CaptureFixture,
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  out, met, read = tmp_path / 'out', [], images.read

  def interrupted(path: pathlib.Path) -> bytes:
    met.append(path)
    if len(met) == 7:
      os.kill(os.getpid(), signal.SIGTERM)
    return read(path)

  with monkeypatch.context() as patch:
    patch.setattr(images, 'read', interrupted)
    assert _main(raw, out) == 3
  assert 'Resume with' in capsys.readouterr().err
  assert len(met) < 2 * _COUNT
  assert not prepared.find(out)
  assert _main(raw, out) == 0
  _check(raw, out)


@pytest.mark.parametrize('above', [0, 1, 2])
def test_nothing_is_written_or_removed_behind_a_link(
  raw: pathlib.Path,
  tmp_path: pathlib.Path,
  capsys: pytest.CaptureFixture,
  above: int,
) -> None:
  out, elsewhere = tmp_path / 'out', tmp_path / 'elsewhere'
  name = builders.Classes('ill', 'normal').name
  link = [
    out / 'folder',
    out / 'folder' / name,
    out / 'folder' / name / '1.0.0',
  ]
  mine = elsewhere / (name if above == 0 else '') / 'incomplete.work' / 'mine'
  mine.parent.mkdir(parents=True)
  mine.write_text('mine')
  link[above].parent.mkdir(parents=True)
  link[above].symlink_to(elsewhere)
  before = sorted(elsewhere.rglob('*'))
  assert _main(raw, out) == 2
  assert f'{link[above]} is a link, and' in capsys.readouterr().err
  assert sorted(elsewhere.rglob('*')) == before


@pytest.mark.slow
def test_killed_at_any_moment_it_can_be_completed(
  raw: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  out = tmp_path / 'out'
  moment = random.Random()  # Another one in every run.
  for _ in range(2):
    after = moment.randrange(1, 2 * _COUNT + 1)
    process = subprocess.Popen(
      [sys.executable, '-c', _SLOW, str(raw), str(out)],
      stderr=subprocess.PIPE,
      text=True,
    )
    for _ in range(after):
      assert process.stderr.readline()
    time.sleep(moment.uniform(0, 0.02))
    process.kill()
    process.communicate()
    if prepared.find(out):  # It was done just before.
      break
    # What the first kill left is gone, and this is of the last one.
    assert len(list(out.rglob(f'{prepared.INCOMPLETE}*'))) == 1
  builders.prepare('folder', raw, ('ill', 'normal'), out)
  _check(raw, out)


@pytest.mark.slow
def test_neither_tensorflow_nor_the_network_is_needed(
  raw: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  package = tmp_path / 'site' / 'tensorflow'
  package.mkdir(parents=True)
  (package / '__init__.py').write_text('raise AssertionError("imported")')
  done = subprocess.run(
    [
      sys.executable,
      '-c',
      _ALONE,
      '--config=folder',
      f'--config.data.dir={raw}',
      f'--out={tmp_path / "out"}',
    ],
    env={**os.environ, 'PYTHONPATH': str(package.parent)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr[-2000:]
  assert 'WARNING' not in done.stderr
  _check(raw, tmp_path / 'out')

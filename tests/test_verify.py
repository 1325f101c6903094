"""The command that verifies a run: artifacts, reruns, other runs, mistakes."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from heterojax import rerun
from heterojax.launch import study
from heterojax.launch import verify
from heterojax.run import artifacts
from heterojax.run import checkpoint
from heterojax.run import run_folder

RIGHT = 'artifacts are as they were written'
IDENTICAL = 'All that was compared is identical to the bit.'


def launch(*args: str) -> int:
  return verify.main(['verify.py', *args])


def run_of(workdir: pathlib.Path, *args: str) -> pathlib.Path:
  assert study.main(['study.py', *args, f'--workdir={workdir}']) == 0
  return workdir


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """A tiny demo study."""
  workdir = tmp_path_factory.mktemp('runs') / 'demo'
  return run_of(workdir, '--config=demo:tiny')


@pytest.fixture(scope='module')
def given(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """A study of features that a file gives."""
  folder = tmp_path_factory.mktemp('given')
  rng = np.random.default_rng(0)
  y = rng.integers(0, 2, 80)
  x = rng.standard_normal((80, 12)) + 3 * y[:, None]
  np.savez(folder / 'f.npz', features=x.astype(np.float32), label=y)
  return run_of(
    folder / 'run',
    '--config=features:study=sample_size,tiny',
    '--config.sizes=80',
    '--config.heads.epochs=3',
    f'--config.data.dir={folder / "f.npz"}',
    '--config.data.positive=1',
  )


@pytest.fixture
def run(finished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
  """A copy that a test may damage."""
  return shutil.copytree(finished, tmp_path / 'run')


def contents(folder: pathlib.Path) -> dict[str, bytes]:
  paths = [path for path in folder.rglob('*') if path.is_file()]
  return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_finished_run(finished: pathlib.Path, capfd) -> None:
  before = contents(finished)
  assert launch(f'--workdir={finished}') == 0
  out, err = capfd.readouterr()
  number = len(artifacts.read(finished))
  assert out == f'{finished}: {number} {RIGHT}\n' and not err
  assert contents(finished) == before


@pytest.mark.parametrize(
  'name, change, says',
  [
    ('results.json', lambda data: b'[' + data[1:], 'tampered'),
    ('features/features.npy', lambda data: data[:-9], 'truncated'),
    ('checkpoints/heads.json', None, 'missing'),
    ('tables/more.csv', lambda data: b'more', 'foreign'),
  ],
)
def test_each_problem_is_a_line(
  run: pathlib.Path, capfd, name: str, change, says: str
) -> None:
  path = run / name
  if change:
    path.write_bytes(change(path.read_bytes() if path.exists() else b''))
  else:
    path.unlink()
  (run / 'notes\n\x1b[31m.txt').touch()
  for more in ((), ('--rerun=heads',)):
    assert launch(f'--workdir={run}', *more) == 1
    out, err = capfd.readouterr()
    assert set(out.splitlines()) == {
      f'{run}: {says}: {name}',
      f'{run}: foreign: notes \\x1b[31m.txt',
    }
    assert not err


def test_a_run_that_has_not_finished(run: pathlib.Path, capfd) -> None:
  (run / artifacts.SEAL).unlink()
  assert launch(f'--workdir={run}') == 1
  said = 'missing: artifacts.json, so the run has not finished'
  assert capfd.readouterr().out == f'{run}: {said}\n'


_KILLED = """
import os, signal
from heterojax import rerun
with rerun._scratch() as folder:
  (folder / 'run').mkdir()
  print(folder, flush=True)
  os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.medium
def test_what_a_killed_rerun_left_is_removed(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  done = subprocess.run(
    [sys.executable, '-c', _KILLED],
    env=os.environ | {'TMPDIR': str(tmp_path)},
    capture_output=True,
    text=True,
    check=False,
  )
  left = pathlib.Path(done.stdout.strip())
  assert (left / 'run').is_dir() and left.parent == tmp_path
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
  # Of the user: not all that is called so is of a rerun.
  (tmp_path / 'heterojax-rerun-notes').mkdir()
  (tmp_path / 'heterojax-rerun-notes/mine.txt').write_text('mine')
  (tmp_path / 'target').mkdir()
  (tmp_path / 'heterojax-rerun-link').symlink_to('target')
  kept = ['heterojax-rerun-link', 'heterojax-rerun-notes', 'target']
  for name in kept:
    os.utime(tmp_path / name, (0, 0))
  with rerun._scratch() as other, rerun._scratch() as own:
    assert not left.exists() and other.exists() and own.exists()
  assert sorted(os.listdir(tmp_path)) == kept
  assert os.listdir(tmp_path / kept[1]) == ['mine.txt']
  assert not os.listdir(tmp_path / 'target')


@pytest.mark.slow
@pytest.mark.parametrize('stage', rerun.STAGES)
def test_a_rerun_gives_the_same_bits(
  finished: pathlib.Path,
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capfd,
  stage: str,
) -> None:
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
  before = contents(finished)
  assert launch(f'--workdir={finished}', f'--rerun={stage}') == 0
  out, err = capfd.readouterr()
  assert out.splitlines()[-1] == IDENTICAL
  assert 'compared to the bit' in out
  # What was not asked for is taken from the run, and only that.
  done = {
    'heads': 'all 19 heads are trained',
    'cluster': 'the clusters are there',
    'features': '60 of 60 features are there',
  }
  for other, said in done.items():
    assert (said in err) == (stage not in (other, 'all')), other
  assert contents(finished) == before
  assert not list(tmp_path.iterdir())


def forge(run: pathlib.Path, stage: str) -> None:
  """Changes a stage's output so that only computing it again can tell."""
  if stage == 'features':
    path, index = run / 'features/features.npy', run / 'features/blocks.jsonl'
    x = np.load(path)
    x[3, 5] += 1e-3
    np.save(path, x)
    header, *lines = map(json.loads, index.read_text().splitlines())
    size = header['block_size']
    for line in lines:
      rows = x[line['start'] : line['start'] + size]
      line['digest'] = hashlib.blake2b(
        rows.tobytes(), digest_size=16
      ).hexdigest()
    index.write_text(
      ''.join(json.dumps(line) + '\n' for line in (header, *lines))
    )
  else:
    name, leaf = {
      'heads': ('heads', 'params.bias'),
      'cluster': ('clusters', '0.centers'),
    }[stage]
    path = run / 'checkpoints' / name
    about = json.loads((path / 'digests.json').read_text())['about']
    leaves = checkpoint.load(path)
    leaves[leaf] = leaves[leaf].copy()
    leaves[leaf].flat[0] += 1e-3
    checkpoint.save(path, leaves, about)
  artifacts.seal(run)


@pytest.mark.slow
@pytest.mark.parametrize(
  'stage, says',
  [
    ('heads', 'heads: params.bias is different'),
    ('cluster', 'clusters: 0.centers is different'),
    ('features', 'features/features.npy is different (by up to'),
  ],
)
def test_a_rerun_tells_what_digests_cannot(
  run: pathlib.Path, capfd, stage: str, says: str
) -> None:
  forge(run, stage)
  assert launch(f'--workdir={run}') == 0
  capfd.readouterr()
  assert launch(f'--workdir={run}', f'--rerun={stage}') == 1
  out = capfd.readouterr().out
  assert says in out
  assert out.splitlines()[-1].startswith('Settings and environment are the')


def test_a_rerun_of_another_release(run: pathlib.Path, capfd) -> None:
  """Which may have fields that this one does not know."""
  for name, change in (
    ('environment.json', {'heterojax': '9.0.0'}),
    ('config.json', {'novel': 1}),
  ):
    stored = json.loads((run / name).read_text()) | change
    (run / name).write_text(run_folder.to_json(stored))
  artifacts.seal(run)
  assert launch(f'--workdir={run}', '--rerun=heads') == 4
  assert (
    f'{run} is a run of heterojax 9.0.0, and this' in capfd.readouterr().err
  )
  assert launch(f'--workdir={run}', '--rerun=heads', '--allow_mismatch') == 2
  assert "unknown field 'novel'" in capfd.readouterr().err


@pytest.mark.slow
def test_a_rerun_in_another_environment(run: pathlib.Path, capfd) -> None:
  stored = json.loads((run / 'environment.json').read_text())
  stored['packages']['jax'] = '0.0.1'
  (run / 'environment.json').write_text(run_folder.to_json(stored))
  results = json.loads((run / 'results.json').read_text())
  results['environment'] = stored
  (run / 'results.json').write_text(run_folder.to_json(results))
  artifacts.seal(run)
  assert launch(f'--workdir={run}', '--rerun=heads') == 4
  err = capfd.readouterr().err
  assert '0.0.1' in err and '--allow_mismatch' in err
  assert launch(f'--workdir={run}', '--rerun=heads', '--allow_mismatch') == 0
  out = capfd.readouterr().out
  assert '  packages.jax: "0.0.1" here, ' in out
  assert out.splitlines()[-1] == IDENTICAL


@pytest.mark.slow
def test_a_study_of_given_features(given: pathlib.Path, capfd) -> None:
  assert launch(f'--workdir={given}', '--rerun=heads') == 0
  capfd.readouterr()
  assert launch(f'--workdir={given}', '--rerun=features') == 2
  one_sentence(capfd.readouterr().err, 'has no computed features of its own')


@pytest.mark.slow
def test_the_same_run_twice_and_another_seed(
  finished: pathlib.Path, tmp_path: pathlib.Path, capfd
) -> None:
  here = f'--workdir={finished}'
  again = run_of(tmp_path / 'again', '--config=demo:tiny')
  capfd.readouterr()
  for tolerance in ('1e-4', '0'):
    there = (f'--against={again}', f'--tolerance={tolerance}')
    assert launch(here, *there) == 0
    out = capfd.readouterr().out
    assert out.count(RIGHT) == 2 and out.splitlines()[-1] == IDENTICAL
  other = run_of(tmp_path / 'b', '--config=demo:tiny', '--config.seed=1')
  capfd.readouterr()
  assert launch(here, f'--against={other}') == 1
  lines = capfd.readouterr().out.splitlines()
  assert 'tolerance 0.0001' in lines[2]
  assert '  seed is different (0 here, 1 there)' in lines
  assert lines[-1].startswith('The settings are not the same (seed), which')
  assert any(line.startswith('  and ') for line in lines)


def test_close_is_no_difference(
  finished: pathlib.Path, run: pathlib.Path, capfd
) -> None:
  results = json.loads((run / 'results.json').read_text())
  results['overall']['accuracy'] += 1e-6
  results['environment']['processor'] = 'another'
  (run / 'results.json').write_text(run_folder.to_json(results))
  artifacts.seal(run)
  here, there = f'--workdir={finished}', f'--against={run}'
  assert launch(here, there) == 0
  out = capfd.readouterr().out
  assert 'overall.accuracy is within the tolerance' in out
  assert out.splitlines()[-1].endswith(
    'here processor may explain small differences.'
  )
  assert launch(here, there, '--tolerance=1e-8') == 1
  assert launch(here, there, '--tolerance=0') == 1


def test_a_damaged_other_run(
  finished: pathlib.Path, run: pathlib.Path, capfd
) -> None:
  (run / 'clusters.csv').unlink()
  assert launch(f'--workdir={finished}', f'--against={run}') == 1
  lines = capfd.readouterr().out.splitlines()
  assert len(lines) == 2 and RIGHT in lines[0]
  assert lines[1] == f'{run}: missing: clusters.csv'


def test_a_folder_in_use(
  finished: pathlib.Path, run: pathlib.Path, capfd
) -> None:
  with run_folder.locked(run, 'run folder', 'workdir'):
    for args in (
      [f'--workdir={run}'],
      [f'--workdir={finished}', f'--against={run}'],
    ):
      assert launch(*args) == 4
      one_sentence(capfd.readouterr().err, 'is in use by another run')


def one_sentence(error: str, says: str) -> None:
  assert error.startswith('heterojax: ') and error.count('\n') == 1
  assert says in error and error.rstrip().endswith('.')
  assert 'Traceback' not in error


@pytest.mark.parametrize(
  'flags, says',
  [
    ([], 'Say which run it is with --workdir=DIR'),
    (['--workdir='], 'Say which run it is with --workdir=DIR'),
    (['--workdir=missing'], 'missing is no run folder'),
    (['--workdir=empty'], 'empty is no run folder'),
    (['--workdir=run', '--against=empty'], 'empty is no run folder'),
    (['--workdir=run', '--rerun=report'], "--rerun is 'report', but must"),
    (['--workdir=run', '--rerun=all', '--against=run'], 'give one'),
    (['--workdir=run', '--tolerance=-1'], '--tolerance must be'),
    (['--workdir=run', '--tolerance=nan'], '--tolerance must be'),
    (['--workdir=run', '--tolerance=much'], '(see --help)'),
    (['--workdir=run', 'more'], "'more' is not a flag"),
  ],
)
def test_mistakes_in_usage(
  tmp_path: pathlib.Path, monkeypatch, capfd, flags: list[str], says: str
) -> None:
  monkeypatch.chdir(tmp_path)
  pathlib.Path('empty').mkdir()
  pathlib.Path('run').mkdir()
  pathlib.Path('run/config.json').write_text('{}')
  artifacts.seal(pathlib.Path('run'))
  assert launch(*flags) == 2
  one_sentence(capfd.readouterr().err, says)
  assert os.listdir('empty') == []


@pytest.mark.slow
def test_the_command_as_a_user_types_it(finished: pathlib.Path) -> None:
  done = subprocess.run(
    [
      sys.executable,
      '-m',
      'heterojax.launch.verify',
      f'--workdir={finished}',
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert RIGHT in done.stdout

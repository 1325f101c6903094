"""Shards by commands: one after the other, at once, killed, or by Ray."""

from collections.abc import Sequence
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from heterojax.cli import parsing
from heterojax.features import shards
from heterojax.features.shards import Shard
from heterojax.launch import features as launch
from heterojax.launch import study
from heterojax.run import artifacts
from heterojax.run import contents
from heterojax.run import locks
from heterojax.studies import on_ray
from heterojax.studies import sharding

_COUNT = 4


@pytest.fixture(name='config', scope='module', autouse=True)
def _config(toy_config: str) -> str:
  return toy_config


@pytest.fixture(name='finished', scope='module')
def _finished(
  config: str, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
  """A run of one process."""
  folder = tmp_path_factory.mktemp('runs') / 'toy'
  assert _study(config, folder) == 0
  return folder


def _study(config: str, folder: pathlib.Path, *more: str) -> int:
  return study.main(['study.py', config, f'--workdir={folder}', *more])


def _shard(config: str, shard: str, *more: str) -> int:
  return launch.main(['features.py', config, f'--shard={shard}', *more])


def _features(folder: pathlib.Path) -> dict[str, bytes]:
  names = 'features.npy', 'blocks.jsonl'
  return {name: (folder / 'features' / name).read_bytes() for name in names}


def test_a_second_start_decodes_no_image(
  config: str, finished: pathlib.Path, decoded: list[bytes]
) -> None:
  before = (finished / contents.INSPECTED).read_bytes()
  assert before.count(b'\n') == 60
  assert _study(config, finished) == 0
  assert not decoded
  assert (finished / contents.INSPECTED).read_bytes() == before


def test_a_mistake_leaves_no_run(config: str, tmp_path: pathlib.Path) -> None:
  """Only the cohort that is drawn there, and the lock that says whose it is."""
  folder = tmp_path / 'run'
  for _ in range(2):
    assert _study(config, folder, '--config.cluster.k=500') == 2
    names = {path.name for path in folder.iterdir()}
    assert names == {'cohort', contents.LOCK}


def test_a_study_takes_shards(
  config: str,
  finished: pathlib.Path,
  tmp_path: pathlib.Path,
  decoded: list[bytes],
  capsys: pytest.CaptureFixture,
) -> None:
  """In any order, and each decodes only its own images once there is a plan."""
  run, counts = tmp_path / 'run', []
  where = f'--workdir={run}'
  for index in (2, 0, 3):
    decoded.clear()
    assert _shard(config, f'{index}/{_COUNT}', where) == 0
    counts.append(len(decoded))
  assert 'Shard 3/4: the features of' in capsys.readouterr().out
  assert _study(config, run) == 2
  assert 'lacks the shards 1/4 of 4' in capsys.readouterr().err
  assert _shard(config, '1/8', where) == 2
  assert 'begun with 4 shards, not 8' in capsys.readouterr().err
  decoded.clear()
  assert _shard(config, f'1/{_COUNT}', where) == 0
  counts.append(len(decoded))
  # The first one looked at all 60, of which all are used.
  assert sum(counts) == 60 + 60 and counts[0] > 60
  decoded.clear()
  assert _study(config, run) == 0
  assert not decoded
  assert _features(run) == _features(finished)
  results = [
    json.loads((folder / 'results.json').read_text())['halves']
    for folder in (run, finished)
  ]
  assert results[0] == results[1]
  capsys.readouterr()
  # A task that a scheduler starts again finds nothing to do.
  assert _shard(config, f'1/{_COUNT}', where) == 0
  assert 'are in' in capsys.readouterr().err
  assert _features(run) == _features(finished)
  assert not artifacts.problems(run)


def test_a_study_and_its_shards_keep_out_of_each_other(
  config: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
  lock = tmp_path / contents.LOCK
  with locks.exclusive(lock):
    assert _shard(config, '0/4', f'--workdir={tmp_path}') == 4
  with locks.shared(lock):
    assert _study(config, tmp_path) == 4
  assert capsys.readouterr().err.count('is in use by') == 2
  assert [path.name for path in tmp_path.iterdir()] == [contents.LOCK]


def test_a_shard_of_another_configuration_leaves_a_run_as_it_is(
  config: str, finished: pathlib.Path, tmp_path: pathlib.Path, capsys
) -> None:
  """Its images are those of the seed, which would be drawn over the run's."""
  run = tmp_path / 'run'
  shutil.copytree(finished, run)
  assert _shard(config, '0/2', f'--workdir={run}', '--config.seed=1') == 4
  assert 'of another configuration (seed differs)' in capsys.readouterr().err
  assert not artifacts.problems(run)


def test_another_image_after_the_plan(
  config: str, finished: pathlib.Path, tmp_path: pathlib.Path, capsys
) -> None:
  """The worker of its shard names it, and a study all that has changed."""
  data = tmp_path / 'data'
  shutil.copytree(finished / 'cohort', data)
  where = f'--workdir={tmp_path / "run"}'
  of = '--config.data.dataset=folder', f'--config.data.dir={data}/cohort.csv'
  assert _shard(config, '0/2', where, *of) == 0
  for path in (data / 'images').iterdir():
    path.write_bytes(path.read_bytes() + b' ')
  capsys.readouterr()
  assert _shard(config, '1/2', where, *of) == 2
  assert 'it has changed' in capsys.readouterr().err
  assert _study(config, tmp_path / 'run', *of) == 2
  assert 'begun with other images' in capsys.readouterr().err


@pytest.mark.medium
def test_a_file_of_features_takes_shards(
  config: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
  words = ['features.py', config]
  parts, whole = tmp_path / 'parts.npz', tmp_path / 'whole.npz'
  assert launch.main([*words, f'--out={whole}']) == 0
  for shard in ('1/2', '0/2'):
    assert launch.main([*words, f'--out={parts}', f'--shard={shard}']) == 0
  assert not parts.exists()
  assert launch.main([*words, f'--out={parts}']) == 0
  assert parts.read_bytes() == whole.read_bytes()
  assert sorted(tmp_path.iterdir()) == [parts, whole]
  assert 'Joining 2 shards' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('words', 'says'),
  [
    (['--shard=4/4', '--workdir=x'], '--shard=4/4 names no shard'),
    (['--shard=0/4'], '--shard needs one of --workdir=RUN'),
    (['--shard=0/4', '--workdir=x', '--out=x.npz'], '--shard needs one of'),
    (['--workdir=x'], '--workdir goes with --shard=I/N'),
    (['--on=ray', '--out=x.npz'], '--on goes with --shard=I/N'),
    (['--shard=0/4', '--workdir=x', '--on=dask'], '--on=dask is unknown'),
    (['--shard=0/4', '--out=x.csv'], '--out=FILE.npz'),
    (['--shard=0/4', '--workdir=gs://b/x'], '--workdir is gs://b/x'),
  ],
)
def test_what_does_not_go_together(
  config: str, capsys: pytest.CaptureFixture, words: list[str], says: str
) -> None:
  assert launch.main(['features.py', config, *words]) == 2
  error = capsys.readouterr().err
  assert says in error and error.count('\n') == 1


def test_a_study_that_trains_the_network_has_no_features(
  tmp_path: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
  words = ['--config=demo:tiny,feature=avg', f'--workdir={tmp_path}/run']
  words += ['--config.study=sample_size', '--config.backbone.train=full']
  words += ['--shard=0/2']
  assert launch.main(['features.py', *words]) == 2
  assert 'no features to divide' in capsys.readouterr().err


# A study of the registry, which processes of their own find.
_RUN = [
  '--config=demo:tiny',
  '--config.backbone.name=efficientnet_lite0',
  '--config.features.batch_size=4',
]


def _command(folder: pathlib.Path, shard: str, *more: str) -> list[str]:
  words = [*_RUN, f'--workdir={folder}', f'--shard={shard}', *more]
  return [sys.executable, '-m', 'heterojax.launch.features', *words]


def _begin(words: Sequence[str], **options) -> subprocess.Popen:
  return subprocess.Popen(
    words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
  )


def _ends(process: subprocess.Popen) -> str:
  _, error = process.communicate(timeout=300)
  assert process.returncode == 0, error.decode()[-3000:]
  return error.decode()


@pytest.fixture(name='of_one', scope='module')
def _of_one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
  """The features of a run that is stopped after them."""
  folder = tmp_path_factory.mktemp('one')
  _ends(_begin(_command(folder, '0/1')))
  return _join(folder)


def _join(folder: pathlib.Path) -> dict[str, bytes]:
  """What a study makes of the shards in its run folder."""
  config = parsing.parse((), ['', *_RUN], None, True, '').config.to_dict()
  plan = sharding.of_study(config, folder, False, trusted=False)
  shards.join(plan, folder / 'features')
  return _features(folder)


@pytest.mark.slow
def test_processes_that_begin_at_once(
  tmp_path: pathlib.Path, of_one: dict[str, bytes]
) -> None:
  """One of them plans, and the other one waits."""
  first = [_begin(_command(tmp_path, f'{i}/{_COUNT}')) for i in (0, 1)]
  said = [_ends(process) for process in first]
  assert sum('Waiting for the process' in text for text in said) == 1
  both = [_begin(_command(tmp_path, f'{i}/{_COUNT}')) for i in (2, 3)]
  assert 'Waiting' not in ''.join(_ends(process) for process in both)
  assert _join(tmp_path) == of_one


@pytest.mark.slow
def test_ten_kills(tmp_path: pathlib.Path, of_one: dict[str, bytes]) -> None:
  """At random moments, half of them while the shard is computed."""
  rng = np.random.default_rng(int.from_bytes(os.urandom(4), 'little'))
  start, killed = time.monotonic(), []
  _ends(_begin(_command(tmp_path, f'0/{_COUNT}')))
  whole = time.monotonic() - start
  own = {i: Shard(i, _COUNT).folder(tmp_path / 'features') for i in range(4)}
  for number in range(10):
    index = 1 + number % 3
    others = {i: _state(path) for i, path in own.items() if i != index}
    process = _begin(_command(tmp_path, f'{index}/{_COUNT}'))
    if number % 2:
      while process.poll() is None and not (own[index] / '.lock').exists():
        time.sleep(0.01)
      time.sleep(rng.uniform(0, whole / 4))
    else:
      time.sleep(rng.uniform(0, whole))
    process.kill()
    process.communicate()
    killed.append(process.returncode == -signal.SIGKILL)
    assert {i: _state(own[i]) for i in others} == others
  assert any(killed)
  for index in (3, 2, 1):
    _ends(_begin(_command(tmp_path, f'{index}/{_COUNT}')))
  assert _join(tmp_path) == of_one


def _state(folder: pathlib.Path) -> dict[str, int]:
  return {p.name: p.stat().st_mtime_ns for p in folder.glob('*')}


@pytest.mark.parametrize(
  ('nodes', 'count', 'want'),
  [
    # As many actors as shards, each with its part of the cores.
    ({'a': 8}, 2, [('a', 0, 4), ('a', 1, 4)]),
    ({'a': 2}, 9, [('a', 0, 1), ('a', 1, 1)]),
    ({'a': 8}, 3, [('a', 0, 2), ('a', 1, 2), ('a', 2, 2)]),
    # None has more than its machine; one without cores has no actor.
    ({'a': 8, 'b': 4, 'c': 0}, 2, [('a', 0, 4), ('a', 1, 4)]),
    ({'a': 2, 'b': 1}, 3, [('a', 0, 1), ('a', 1, 1), ('b', 0, 1)]),
    ({}, 3, []),
  ],
)
def test_places_of_actors(
  nodes: dict[str, int], count: int, want: list[tuple]
) -> None:
  assert on_ray.places(nodes, count) == want


def test_without_ray_one_sentence_names_it(
  config: str, tmp_path: pathlib.Path, capsys, monkeypatch
) -> None:
  monkeypatch.setitem(sys.modules, 'ray', None)
  where = f'--workdir={tmp_path / "run"}'
  assert _shard(config, 'all/2', where, '--on=ray') == 2
  assert 'install heterojax with the extra ray' in capsys.readouterr().err


_RAY_ENVIRONMENT = {
  # Ray would write a token into the home folder.
  'RAY_AUTH_MODE': 'disabled',
  'RAY_USAGE_STATS_ENABLED': '0',
}


def _actors(folder: pathlib.Path) -> list[int]:
  """Processes that have the lock of a shard, as Linux tells."""
  own = {path.stat().st_ino for path in folder.glob('*-of-*/.lock')}
  lines = pathlib.Path('/proc/locks').read_text().splitlines()
  held = [line.replace('->', '').split() for line in lines]
  return [int(w[4]) for w in held if int(w[5].split(':')[2]) in own]


@pytest.mark.slow
def test_two_actors_of_ray(
  tmp_path: pathlib.Path, of_one: dict[str, bytes]
) -> None:
  """One of which is killed."""
  pytest.importorskip('ray', reason='the extra ray is not installed')
  ray = _begin(
    _command(tmp_path, f'all/{_COUNT}', '--on=ray'),
    env=os.environ | _RAY_ENVIRONMENT,
  )
  folder = tmp_path / 'features' / shards.FOLDER
  while ray.poll() is None and not (actors := _actors(folder)):
    time.sleep(0.01)
  for pid in actors[:1]:
    os.kill(pid, signal.SIGKILL)
  _ends(ray)
  assert actors
  assert _join(tmp_path) == of_one

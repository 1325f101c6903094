"""Several processes run one study: the same bits, and none waits for the lost.

They run on this machine, on CPU, and exchange arrays by gloo.
"""

from collections.abc import Iterator, Sequence
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import pytest

from heterojax.compute import collectives
from heterojax.errors import UserError
from heterojax.run import checkpoint
from heterojax.run import processes

_ROOT = pathlib.Path(__file__).parent.parent
_SECONDS = 900  # Of a whole study, on a busy machine.
_STAGES = 'Data', 'Features', 'Clusters', 'Heads', 'Evaluation', 'Verdict'


class _Run(NamedTuple):
  """Processes of one command, and the files with what each said."""

  processes: list[subprocess.Popen[bytes]]
  said: list[pathlib.Path]

  def wait(self, seconds: float = _SECONDS) -> list[int]:
    end = time.monotonic() + seconds
    return [p.wait(end - time.monotonic()) for p in self.processes]

  def reach(self, stage: str) -> None:
    """Waits until process 0 has begun a stage."""
    end = time.monotonic() + _SECONDS
    while f'{stage} ...' not in self.said[0].read_text():
      assert self.processes[0].poll() is None, self.said[0].read_text()
      assert time.monotonic() < end
      time.sleep(0.02)


@contextlib.contextmanager
def _study(workdir: pathlib.Path, number: int) -> Iterator[_Run]:
  """The demo in a number of processes, of one without flags."""
  command = [sys.executable, '-m', 'launch.study', '--config=demo:tiny']
  command.append(f'--workdir={workdir}')
  port = _free_port()
  run = _Run([], [])
  for index in range(number):
    flags = [
      '--distributed=explicit',
      f'--coordinator=127.0.0.1:{port}',
      f'--processes={number}',
      f'--process={index}',
    ]
    run.said.append(workdir.with_name(f'{workdir.name}.{index}.txt'))
    with open(run.said[-1], 'wb') as said:
      run.processes.append(
        subprocess.Popen(
          command + (flags if number > 1 else []),
          cwd=_ROOT,
          env=os.environ | {'JAX_PLATFORMS': 'cpu'},
          stdout=said,
          stderr=said,
        )
      )
  try:
    yield run
  finally:
    for process in run.processes:
      process.kill()
      process.wait()


def _free_port() -> int:
  with socket.create_server(('127.0.0.1', 0)) as server:
    return server.getsockname()[1]


def _bits(workdir: pathlib.Path) -> dict[str, object]:
  """All that a run found, to the bit."""
  found: dict[str, object] = {}
  x = np.load(workdir / 'features' / 'features.npy')
  found['features'] = checkpoint.digest(x)
  for name in ('clusters', 'heads'):
    found[name] = checkpoint.digest(
      checkpoint.load(workdir / 'checkpoints' / name)
    )
  found['labels'] = (workdir / 'clusters.csv').read_text()
  results = json.loads((workdir / 'results.json').read_text())
  del results['timings'], results['environment']
  return found | {'results': results}


@pytest.fixture(name='alone', scope='module')
def _alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
  """What one process finds."""
  workdir = tmp_path_factory.mktemp('alone') / 'run'
  with _study(workdir, 1) as run:
    assert run.wait() == [0], run.said[0].read_text()
  return _bits(workdir)


@pytest.mark.slow
@pytest.mark.parametrize('number', [2, 4])
def test_several_processes_find_the_bits_of_one(alone, tmp_path, number):
  with _study(tmp_path / 'run', number) as run:
    assert run.wait() == [0] * number, [s.read_text() for s in run.said]
  assert _bits(tmp_path / 'run') == alone
  # One process says what is done, and alone writes.
  assert [*tmp_path.glob('*/results.json')] == [tmp_path / 'run/results.json']
  for said in run.said[1:]:
    assert 'Features' not in said.read_text()


@pytest.mark.slow
def test_a_killed_process_ends_the_run_in_every_stage(alone, tmp_path):
  workdir = tmp_path / 'run'
  for stage in _STAGES:
    with _study(workdir, 2) as run:
      run.reach(stage)
      run.processes[1].kill()
      begun = time.monotonic()
      codes = run.wait(60)
      assert time.monotonic() - begun < 15, stage
      said = run.said[0].read_text()
    assert codes == [75, -signal.SIGKILL], said
    assert said.splitlines()[-1] == (
      'heterojax: Process 1 of 2 is gone: give the same commands again, which'
      ' go on from what is stored.'
    )
    assert 'stack trace' not in said and 'Traceback' not in said
    assert f'{stage}: ' not in said  # It did not come to its end.
  with _study(workdir, 2) as run:
    assert run.wait() == [0, 0], run.said[0].read_text()
    # What the runs before had finished was not done again.
    said = run.said[0].read_text()
    assert re.search(r'all \d+ heads are trained', said), said
  assert _bits(workdir) == alone


@pytest.mark.slow
@pytest.mark.parametrize('asked', [0, 1])
def test_sigterm_keeps_the_state_and_ends_all_with_3(alone, tmp_path, asked):
  workdir = tmp_path / 'run'
  with _study(workdir, 2) as run:
    run.reach('Heads')
    run.processes[asked].send_signal(signal.SIGTERM)
    assert run.wait() == [3, 3], run.said[0].read_text()
    assert 'Stopped by SIGTERM' in run.said[0].read_text()
  # In fewer processes too.
  with _study(workdir, 1) as run:
    assert run.wait() == [0]
    assert 'Resuming' in run.said[0].read_text()
  assert _bits(workdir) == alone


@pytest.mark.slow
def test_a_mistake_ends_all_processes_with_its_code(tmp_path):
  workdir = tmp_path / 'run'
  workdir.mkdir()
  (workdir / 'config.json').write_text('{}')
  with _study(workdir, 2) as run:
    assert run.wait() == [4, 4]
  assert 'holds a run of another configuration' in run.said[0].read_text()


_EXPLICIT = processes.Place('127.0.0.1:1', 2, 0)


@pytest.mark.parametrize(
  ('how', 'place', 'said'),
  [
    ('none', _EXPLICIT, 'belong to --distributed=explicit, and it is none'),
    ('explicit', processes.Place(), 'needs --coordinator and --processes and'),
    ('explicit', _EXPLICIT._replace(coordinator='host'), 'must be HOST:PORT'),
    ('explicit', _EXPLICIT._replace(process=2), 'must be from 0 to --proc'),
    ('auto', processes.Place(), 'JAX_NUM_PROCESSES and JAX_PROCESS_ID'),
    ('slurm', processes.Place(), 'needs SLURM_JOB_ID'),
    ('mpi', processes.Place(), "'mpi' is not one of none, auto, slurm"),
  ],
)
def test_what_is_missing_is_said_before_anything_starts(
  monkeypatch, how, place, said
):
  monkeypatch.setenv('JAX_COORDINATOR_ADDRESS', '127.0.0.1:1')
  for name in ('JAX_NUM_PROCESSES', 'JAX_PROCESS_ID', 'SLURM_JOB_ID'):
    monkeypatch.delenv(name, raising=False)
  with pytest.raises(UserError, match=said), processes.joined(how, place):
    pass


def test_a_process_alone_leads_and_shares_with_nobody():
  with processes.joined('none', processes.Place()) as leads:
    assert leads
  processes.share('heads', {}, [np.zeros(3)])
  assert processes.leave(3) == 3


def _arrays() -> Sequence[np.ndarray]:
  return [
    np.array(True),
    np.arange(7, dtype=np.uint8),
    np.array([[np.nan, -0.0, 5e-324]]),
    np.zeros((0, 3), np.float32),
    np.arange(6, dtype=np.int64).reshape(3, 2) << 40,
  ]


def test_bytes_of_any_arrays_become_words_and_arrays_again():
  words = collectives.words_of(_arrays())
  assert words.dtype == np.uint32
  for want, got in zip(
    _arrays(), collectives.arrays_of(words, _arrays()), strict=True
  ):
    assert (want.dtype, want.shape) == (got.dtype, got.shape)
    assert want.tobytes() == got.tobytes()


def test_of_one_process_everything_is_its_own():
  (row,) = collectives.gather(np.arange(3))
  assert row.tolist() == [0, 1, 2]
  assert collectives.of_leader({'a': np.float64(0.1)}) == {'a': 0.1}

"""What accelerators do, done by CPU devices: the same clusters and answers.

The forms of their programs run, on one device and on eight; what the machines
themselves compute cannot be seen here.
"""

import csv
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

_STUDY = """
import sys
import heterojax
import jax
from heterojax.compute import platform
from heterojax.launch import study

made_for, devices, folder = sys.argv[1:]
jax.config.update('jax_num_cpu_devices', int(devices))
assert len(jax.local_devices()) == int(devices)
with platform.use(made_for):
  sys.exit(study.main([
    'study.py', '--config=configs/demo.py:tiny', f'--workdir={folder}',
    '--config.data.image_size=96', '--config.features.batch_size=32',
    '--config.verdict.worlds=0', '--config.verdict.partitions=9',
  ]))
"""


def _run(folder: pathlib.Path, made_for: str, devices: int) -> pathlib.Path:
  """A small study of the made-up cohort in a process of its own."""
  done = subprocess.run(
    [sys.executable, '-c', _STUDY, made_for, str(devices), str(folder)],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return folder


def _logits(folder: pathlib.Path) -> np.ndarray:
  """`[N]` of all images, from their probabilities."""
  with (folder / 'tables' / 'images.csv').open() as file:
    p = np.array([float(row['probability']) for row in csv.DictReader(file)])
  return np.log(p) - np.log1p(-p)


@pytest.fixture(name='on_cpu', scope='module')
def _on_cpu(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  return _run(tmp_path_factory.mktemp('runs') / 'cpu', 'cpu', 1)


@pytest.mark.slow
@pytest.mark.parametrize(
  'made_for, devices', [('tpu', 1), ('tpu', 8), ('cuda', 8)]
)
def test_it_finds_and_answers_what_cpus_do(
  made_for: str, devices: int, on_cpu: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  other = _run(tmp_path / 'run', made_for, devices)
  ours, theirs = (
    (folder / 'clusters.csv').read_text().splitlines()
    for folder in (on_cpu, other)
  )
  column = ours[0].split(',').index('cluster')
  assert [row.split(',')[column] for row in ours] == [
    row.split(',')[column] for row in theirs
  ]
  np.testing.assert_allclose(_logits(other), _logits(on_cpu), atol=1e-4)
  sizes = [
    [cluster['size'] for cluster in json.loads(text)['clusters']]
    for text in (
      (folder / 'results.json').read_text() for folder in (on_cpu, other)
    )
  ]
  assert sizes[0] == sizes[1]

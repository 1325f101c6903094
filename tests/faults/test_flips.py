"""One flipped byte in each artifact: `verify` names it, a resume mends it."""

import collections
import json
import logging
import pathlib
import re
import shutil

import numpy as np
import pytest

from faults import runs
from heterojax.errors import RefusedError
from heterojax.launch import study
from heterojax.launch import verify
from heterojax.run import artifacts
from heterojax.studies import running

Survived = collections.Counter[tuple[str, str]]

_STUDIES = {
  'retraining': ('--config=demo:tiny',),
  'sample_size': (
    '--config=bone_age:demo,tiny',
    '--config.backbone.train=full',
    '--config.fine_tuning.epochs=2',
  ),
}
# Of files that are alike, so many are enough.
_MOST_OF_A_FOLDER = 6


@pytest.fixture(name='run', scope='module', params=_STUDIES)
def _run(
  request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
  folder = tmp_path_factory.mktemp('run') / request.param
  arguments = _STUDIES[request.param]
  assert study.main(['study', *arguments, f'--workdir={folder}']) == 0
  return folder


def _chosen(folder: pathlib.Path) -> list[str]:
  sealed = json.loads((folder / artifacts.SEAL).read_text())['files']
  alike = collections.defaultdict(list)
  for name in sealed:
    # Its other artifacts are like those of the first study, and take longer.
    if folder.name == 'sample_size' and not name.startswith('checkpoints/'):
      continue
    # Folders of other sizes and folds, or of other leaves, are alike too.
    alike[re.sub(r'\d+', '#', name.rpartition('/')[0])].append(name)
  return [n for names in alike.values() for n in names[:_MOST_OF_A_FOLDER]]


def _flip(path: pathlib.Path, position: int) -> None:
  data = bytearray(path.read_bytes())
  data[position] ^= 1
  path.write_bytes(data)


def test_every_flipped_byte_is_found_and_mended(
  run: pathlib.Path,
  tmp_path: pathlib.Path,
  caplog: pytest.LogCaptureFixture,
  capsys: pytest.CaptureFixture[str],
  survived: Survived,
) -> None:
  config = json.loads((run / 'config.json').read_text())
  want = runs.described(run)
  rng = np.random.default_rng(0)
  names = _chosen(run)
  assert len(names) > 10
  for number, name in enumerate(names):
    folder = tmp_path / str(number)
    shutil.copytree(run, folder)
    size = (folder / name).stat().st_size
    if not size:
      continue
    _flip(folder / name, int(rng.integers(size)))
    capsys.readouterr()
    assert verify.main(['verify', f'--workdir={folder}']) == 1
    assert f'tampered: {name}' in capsys.readouterr().out, name
    caplog.clear()
    kind = name.partition('/')[0]
    with caplog.at_level(logging.WARNING, 'heterojax'):
      try:
        running.run(config, folder)
      except RefusedError:
        # Without them nobody knows which run it was.
        assert name in ('config.json', 'environment.json')
        survived['flips refused in', kind] += 1
        continue
    assert name in caplog.text
    assert runs.described(folder) == want, name
    assert verify.main(['verify', f'--workdir={folder}']) == 0
    survived['flips found and mended in', kind] += 1
    shutil.rmtree(folder)

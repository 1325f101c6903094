"""Images that change or vanish while a study runs; numbers that are none."""

import collections
import json
import pathlib
import shutil

import numpy as np
import pytest

from faults import runs
from heterojax.datasets import sources
from heterojax.launch import study

Survived = collections.Counter[tuple[str, str]]


@pytest.fixture(name='cohort', scope='module')
def _cohort(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """Two folders of made-up images, as of a user."""
  made = tmp_path_factory.mktemp('made') / 'run'
  assert study.main(['study', '--config=demo:tiny', f'--workdir={made}']) == 0
  folder = made.parent / 'images'
  rows = (made / 'cohort' / 'cohort.csv').read_text().splitlines()[1:]
  for row in rows:
    path, label, *_ = row.split(',')
    (folder / label).mkdir(parents=True, exist_ok=True)
    source = made / 'cohort' / path
    shutil.copyfile(source, folder / label / source.name)
  return folder


def _arguments(cohort: pathlib.Path, run: pathlib.Path) -> list[str]:
  return [
    'study',
    '--config=folder:tiny',
    f'--config.data.dir={cohort}',
    '--config.data.positive=disease',
    '--config.data.negative=normal',
    '--config.cluster.k=3',
    f'--workdir={run}',
  ]


@pytest.mark.parametrize('what', ['vanishes', 'changes'])
def test_an_image_that_is_not_what_it_was(
  cohort: pathlib.Path,
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capsys: pytest.CaptureFixture[str],
  survived: Survived,
  what: str,
) -> None:
  """Between reading and extraction: a sentence; put back, the same results."""
  whole = tmp_path / 'whole'
  assert study.main(_arguments(cohort, whole)) == 0
  here = pathlib.Path(shutil.copytree(cohort, tmp_path / 'images'))
  victims = sorted(here.rglob('*.*'))
  victim = victims[len(victims) // 2]
  kept = victim.read_bytes()
  read = sources.Unchanged.read

  def change(self: sources.Unchanged, path: str) -> bytes:
    # The first image of the extraction is read: the data were looked at.
    if victim.exists() and victim.read_bytes() == kept:
      victim.unlink()
      if what == 'changes':
        victim.write_bytes(victims[0].read_bytes())
    return read(self, path)

  run = tmp_path / 'run'
  with monkeypatch.context() as patch:
    patch.setattr(sources.Unchanged, 'read', change)
    assert study.main(_arguments(here, run)) == 2
  said = capsys.readouterr().err.splitlines()[-1]
  assert victim.name in said and 'put it back' in said
  assert not (run / 'results.json').exists()
  victim.write_bytes(kept)
  assert study.main(_arguments(here, run)) == 0
  want, got = runs.described(whole), runs.described(run)
  for name in want:
    # The data set's name and folder are other ones.
    if not name.endswith(('.json', '.jsonl')):
      assert got[name] == want[name], name
  survived['images that', what] += 1


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_features_that_are_no_numbers(
  tmp_path: pathlib.Path,
  capsys: pytest.CaptureFixture[str],
  survived: Survived,
  value: float,
) -> None:
  """One in a file of given features: its row is listed, or the file refused."""
  rng = np.random.default_rng(0)
  x = rng.normal(size=(60, 5))
  x[17, 3] = value
  columns = [str(i) for i in range(5)]
  lines = [','.join(['id', 'label', *columns])]
  for i, row in enumerate(x):
    lines.append(','.join([str(i), str(i % 2), *map(repr, row.tolist())]))
  path = tmp_path / 'features.csv'
  path.write_text('\n'.join(lines) + '\n')
  run = tmp_path / 'run'
  code = study.main([
    'study',
    '--config=features:tiny',
    f'--config.data.dir={path}',
    '--config.data.positive=1',
    '--config.data.negative=0',
    '--config.reduction.n_components=3',
    f'--workdir={run}',
  ])
  if code == 0:
    manifest = (run / 'manifest.csv').read_text()
    (line,) = [row for row in manifest.splitlines() if 'finite' in row]
    assert 'false' in line
    assert 'NaN' not in (run / 'results.json').read_text()
    json.loads((run / 'results.json').read_text())
  else:
    assert code == 2 and 'finite' in capsys.readouterr().err
  survived['features that are', str(value)] += 1

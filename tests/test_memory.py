"""What a study holds in memory, and that too much of it is refused."""

import json
import pathlib

import numpy as np
import pytest

from heterojax.compute import memory as machine
from heterojax.compute import row_blocks
from heterojax.launch import study


def test_the_machine_tells_its_memory() -> None:
  told = pathlib.Path('/proc/meminfo')
  if not told.exists():
    pytest.skip('no Linux')
  total = 1024 * int(told.read_text().split()[1])
  most = machine.most()
  assert most is not None and 2**28 < most <= total


def test_a_limit_of_a_container_counts(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  limit, none = tmp_path / 'memory.max', tmp_path / 'none'
  monkeypatch.setattr(machine, '_LIMITS', (limit, none))
  whole = machine.most()
  limit.write_text('max\n')
  assert machine.most() == whole
  limit.write_text('1000000\n')
  assert machine.most() == 1_000_000


@pytest.fixture(name='features')
def _features(tmp_path: pathlib.Path) -> pathlib.Path:
  numbers = np.random.default_rng(0)
  y = np.arange(60) % 2
  x = numbers.normal(size=(60, 8)) + y[:, None]
  file = tmp_path / 'features.npz'
  np.savez(
    file, features=x.astype(np.float32), label=np.array(['no', 'yes'])[y]
  )
  return file


def _run(file: pathlib.Path, *flags: str) -> int:
  return study.main([
    'study',
    '--config=features:tiny',
    f'--config.data.dir={file}',
    '--config.data.positive=yes',
    '--config.data.negative=no',
    '--config.reduction.n_components=3',
    f'--workdir={file.parent / "run"}',
    *flags,
  ])


@pytest.mark.parametrize(
  ('kind', 'advice'), [('logistic', True), ('keras', False)]
)
def test_what_does_not_fit_is_refused_before_anything_runs(
  features: pathlib.Path,
  kind: str,
  advice: bool,
  monkeypatch: pytest.MonkeyPatch,
  capsys: pytest.CaptureFixture,
) -> None:
  monkeypatch.setattr(machine, 'most', lambda: 600_000_000)
  assert _run(features, f'--config.heads.kind={kind}') == 2
  said = capsys.readouterr().err
  assert '60 images of 8 features need about 1 GB of memory' in said
  assert ('--config.heads.kind=keras' in said) == advice
  assert not (features.parent / 'run' / 'results.json').exists()


def test_the_forecast_says_that_large_features_are_mapped(
  features: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capsys: pytest.CaptureFixture,
) -> None:
  assert _run(features, '--dry_run') == 0
  assert '0.0 MB for the features, up to 3 times' in capsys.readouterr().out
  monkeypatch.setattr(row_blocks, '_WHOLE', 100)
  assert _run(features, '--dry_run') == 0
  said = capsys.readouterr().out
  assert 'for what hangs on the features, which are mapped, while' in said


@pytest.mark.slow
def test_a_study_of_mapped_features_finds_what_one_in_memory_does(
  features: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Blocks of two rows, and everything large; labels and counts are equal."""
  found = []
  for name in 'whole', 'mapped':
    folder = features.parent / name
    folder.mkdir()
    features = features.rename(folder / 'features.npz')
    flags = '--config.heads.kind=keras', '--config.verdict.worlds=0'
    assert _run(features, *flags) == 0
    found.append(json.loads((folder / 'run' / 'results.json').read_text()))
    monkeypatch.setattr(row_blocks, '_NUMBERS', 16)
    monkeypatch.setattr(row_blocks, '_WHOLE', 100)
  assert (folder / 'run' / 'features' / 'features.npy').exists()
  whole, mapped = found
  assert mapped['overall']['tp'] == whole['overall']['tp']
  assert [c['size'] for c in mapped['clusters']] == [
    c['size'] for c in whole['clusters']
  ]

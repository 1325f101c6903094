"""What a study holds in memory, and that too much of it is refused."""

import json
import pathlib
import types

import control_groups
import given_study
import numpy as np
import pytest

from heterojax.compute import cgroups
from heterojax.compute import memory as machine
from heterojax.compute import row_blocks
from heterojax.configs import features as features_config
from heterojax.studies import checks
from heterojax.studies import memory as studies_memory
from heterojax.studies.study import Heads


def test_the_machine_tells_its_memory() -> None:
  told = pathlib.Path('/proc/meminfo')
  if not told.exists():
    pytest.skip('no Linux')
  total = 1024 * int(told.read_text().split()[1])
  most = machine.most()
  assert most is not None and 2**28 < most <= total


_HUGE = '9223372036854771712\n'  # What version 1 says where nothing is limited.


@pytest.mark.parametrize(
  ('files', 'membership', 'want'),
  [
    ({'memory.max': '1000000\n'}, '0::/\n', 1_000_000),
    ({'memory.max': 'max\n'}, '0::/\n', None),
    # A job's group, below one that a user or a scheduler limits.
    (
      {
        'slurm/job/step/memory.max': 'max\n',
        'slurm/job/memory.max': '3000000\n',
        'slurm/memory.max': '8000000\n',
        'other/memory.max': '1\n',
      },
      '0::/slurm/job/step\n',
      3_000_000,
    ),
    # Version 1: the path, or in a container the mount itself.
    (
      {
        'memory/job/memory.limit_in_bytes': '4000000\n',
        'memory/memory.limit_in_bytes': _HUGE,
      },
      '4:memory:/job\n3:cpu,cpuacct:/\n',
      4_000_000,
    ),
    (
      {'memory/memory.limit_in_bytes': '5000000\n'},
      '4:memory:/docker/0a1b\n',
      5_000_000,
    ),
    ({'memory/memory.limit_in_bytes': _HUGE}, '4:memory:/\n', None),
    # Both at once, as systemd mounts them.
    (
      {
        'memory/memory.limit_in_bytes': _HUGE,
        'unified/a/memory.max': '6000000\n',
      },
      '4:memory:/\n0::/a\n',
      6_000_000,
    ),
    ({'memory.max': 'damaged\n'}, '0::/\n', None),
    ({}, '', None),
  ],
)
def test_the_smallest_limit_of_a_container(
  tmp_path: pathlib.Path,
  files: dict[str, str],
  membership: str,
  want: int | None,
) -> None:
  control_groups.write(tmp_path, files)
  assert machine.limit(tmp_path, membership) == want


def test_limits_of_a_container_count(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  whole = machine.most()
  monkeypatch.setattr(cgroups, 'ROOT', tmp_path)
  monkeypatch.setattr(cgroups, 'membership', lambda: '0::/\n')
  machine_alone = machine.most()
  assert whole and machine_alone and whole <= machine_alone
  (tmp_path / 'memory.max').write_text('1000000\n')
  assert machine.most() == 1_000_000


@pytest.fixture(name='features')
def _features(tmp_path: pathlib.Path) -> pathlib.Path:
  numbers = np.random.default_rng(0)
  y = np.arange(60) % 2
  x = numbers.normal(size=(60, 8)) + y[:, None]
  return given_study.write(tmp_path, x, y)


@pytest.mark.parametrize(
  ('pictures', 'copied'), [(3000, True), (2**14, True), (2**14 + 1, False)]
)
def test_copies_of_features_at_an_optimum_count(
  pictures: int, copied: bool
) -> None:
  """Heads that are solved by Hessians have a copy in float64, others none."""
  config = features_config.get_config(None).to_dict()
  config['heads'] |= {'kind': 'logistic'}
  of_fold = types.SimpleNamespace(of=lambda split: range(pictures))
  found = studies_memory.of_analysis(
    checks.from_dict(config), [of_fold], pictures, 62_720, Heads(5, 0)
  )
  assert (found > 8 * pictures * 62_720) == copied


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
  assert given_study.run(features, f'--config.heads.kind={kind}') == 2
  said = capsys.readouterr().err
  assert '60 images of 8 features need about 1 GB of memory' in said
  assert ('--config.heads.kind=keras' in said) == advice
  assert not (features.parent / 'run' / 'results.json').exists()


def test_the_forecast_says_that_large_features_are_mapped(
  features: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capsys: pytest.CaptureFixture,
) -> None:
  assert given_study.run(features, '--dry_run') == 0
  assert '0.0 MB for the features, up to 3 times' in capsys.readouterr().out
  monkeypatch.setattr(row_blocks, '_WHOLE', 100)
  assert given_study.run(features, '--dry_run') == 0
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
    assert given_study.run(features, *flags) == 0
    found.append(json.loads((folder / 'run' / 'results.json').read_text()))
    monkeypatch.setattr(row_blocks, '_NUMBERS', 16)
    monkeypatch.setattr(row_blocks, '_WHOLE', 100)
  assert (folder / 'run' / 'features' / 'features.npy').exists()
  whole, mapped = found
  assert mapped['overall']['tp'] == whole['overall']['tp']
  assert [c['size'] for c in mapped['clusters']] == [
    c['size'] for c in whole['clusters']
  ]

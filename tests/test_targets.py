"""What is said of a device before a study starts there."""

import pathlib
import re

import given_study
import numpy as np
import pytest

from heterojax import errors
from heterojax.compute import targets
from heterojax.heads import memory
from heterojax.heads.epochs import Training
from heterojax.studies import prospects
from heterojax.studies import rates
from heterojax.studies import workload
from heterojax.studies.settings import Settings

_LONG = Training(epochs=10, patience=3, batch_size=8, learning_rate=1e-3)
_RATES = rates.Rates(decode=0.0, network=None, products=1e11, slower=1.0)
_HOST = prospects.host_memory(0.0, 0.0)
_CHIP = targets.TARGETS['v5e-8']._replace(devices=1)


@pytest.fixture(name='features')
def _features(tmp_path: pathlib.Path) -> pathlib.Path:
  numbers = np.random.default_rng(0)
  y = np.arange(60) % 2
  x = numbers.normal(size=(60, 512))
  return given_study.write(tmp_path, x, y)


def _stages(said: str) -> dict[str, list[float]]:
  """Numbers of each line of the table."""
  table = said[said.index('stage ') :]
  return {
    line.split()[0]: [float(n) for n in re.findall(r'[\d.]+', line)]
    for line in table.splitlines()[1:]
    if line.split()[0] in ('start', 'features', 'heads', 'verdict', 'report')
  }


@pytest.mark.parametrize(
  ('flags', 'said'),
  [
    (('--target=v5e',), 'is not one of cpu, h100, v5e-8'),
    (('--target=h100',), 'add --dry_run'),
  ],
)
def test_a_mistake_is_one_sentence(
  features: pathlib.Path,
  flags: tuple[str, ...],
  said: str,
  capsys: pytest.CaptureFixture,
) -> None:
  flags += ('--dry_run',) if 'v5e' in flags[0] else ()
  assert given_study.run(features, *flags) == 2
  assert said in capsys.readouterr().err
  assert not (features.parent / 'run').exists()


@pytest.mark.medium
def test_this_machine_is_measured(
  features: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
  assert given_study.run(features, '--dry_run', '--target=cpu') == 0
  said = capsys.readouterr().out
  stages = _stages(said)
  assert len(stages) == 5 and all(n[-1] > 0 for n in stages.values())
  assert 'of all cores together' in said
  assert not (features.parent / 'run').exists()


@pytest.mark.medium
def test_heads_that_fit_no_device_are_refused_before_anything_runs(
  features: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
  many = '--config.heads.random_runs=20000000', '--config.heads.kind=keras'
  assert given_study.run(features, '--dry_run', '--target=v5e-8', *many) == 2
  said = capsys.readouterr().err
  assert re.search(r'heads need [\d.]+ GB on each of 8 accelerators', said)
  assert not (features.parent / 'run').exists()
  assert (
    given_study.run(features, '--dry_run', '--target=v5e-8', *many[1:]) == 0
  )
  assert 'no run has checked' in capsys.readouterr().out


def _heads(number: int, target: targets.Target) -> prospects.Stage:
  """Of 62,720 features on a target."""
  need = memory.need(_LONG, 1428, 208, 62_720)
  todo = workload.Work(1428, 62_720, 0.0, 1e15, 0.0, 0.0, 1)
  stages = prospects.on_accelerators(
    Settings(), None, target, todo, _RATES, _HOST, need, number
  )
  (found,) = (stage for stage in stages if stage.name == 'heads')
  return found


def test_heads_of_long_features_are_split_until_they_fit() -> None:
  """XLA plans 14.2 GB for a step of 4,000, of which a v5e has 16.9."""
  need = memory.need(_LONG, 1428, 208, 62_720)
  assert need.fixed + 5000 * (need.head + need.step) > _CHIP.memory
  for heads, turns in ((4000, 1), (5000, 2), (8000, 3)):
    assert memory.turns(need, heads, 1, _CHIP.memory) == turns
    assert _heads(heads, _CHIP).device < 0.9 * _CHIP.memory
    shared = _heads(heads, targets.TARGETS['v5e-8'])
    each = need.fixed + heads // 8 * (need.head + need.step)
    assert shared.device == each
  with pytest.raises(errors.UserError, match='20000 heads need'):
    _heads(20_000, _CHIP)


def test_a_roofline_is_the_slower_of_two_and_divided_by_devices() -> None:
  one, eight = _heads(800, _CHIP), _heads(800, targets.TARGETS['v5e-8'])
  # By hand: 1e15 operations on weights of which two are done for 8 bytes.
  moved = 4 * 1e15 / 819e9
  fixed = 4.0
  assert one.seconds == pytest.approx(fixed + moved)
  assert eight.seconds == pytest.approx(fixed + moved / 8)

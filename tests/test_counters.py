"""Tests of a run's counters, by hand arithmetic."""

import itertools
from typing import Any

import pytest

from heterojax import backbones
from heterojax.compute import ceiling
from heterojax.configs import common
from heterojax.finetuning import Work
from heterojax.studies import checks
from heterojax.studies import counters
from heterojax.studies import stages
from heterojax.studies.settings import Settings

_RATES = {'float32': 4e9, 'bfloat16': 8e9}


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
  """Ceilings are made up; which of them were measured."""
  asked: list[str] = []

  def rate(dtype: str) -> float:
    asked.append(dtype)
    return _RATES[dtype]

  monkeypatch.setattr(ceiling, 'flops_per_second', rate)
  return asked


def _settings(study: str = 'retraining', **changes: Any) -> Settings:
  config = common.study(study, 'clean', 'avg')
  config.update_from_flattened_dict({'data.image_size': 64} | changes)
  return checks.from_dict(config.to_dict())


def _timer(stage: str, seconds: float) -> stages.Timer:
  timer = stages.Timer()
  timer.stages[stage] = {'seconds': seconds}
  return timer


def test_a_stage_has_units_and_their_rate(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  timer, clock = stages.Timer(), itertools.count(step=2.0)
  monkeypatch.setattr(stages.time, 'perf_counter', lambda: next(clock))
  with timer.stage('features', 'images') as count:
    count(30)
    count(12)
  with timer.stage('heads', 'heads') as count:
    count(0)
  with timer.stage('evaluation'):
    pass
  assert timer.stages == {
    'features': {'seconds': 2.0, 'images': 42, 'images_per_second': 21.0},
    'heads': {'seconds': 2.0, 'heads': 0},
    'evaluation': {'seconds': 2.0},
  }


@pytest.mark.slow
@pytest.mark.parametrize('dtype', _RATES)
def test_the_share_of_features(dtype: str, measured: list[str]) -> None:
  """ResNet18 at 64 pixels: products of each layer by hand."""
  stem = 7 * 7 * 3 * 64 * 32**2
  first = 4 * 9 * 64 * 64 * 16**2
  others = [
    # Stride and widening, three plain convolutions, the shortcut.
    (9 * n * 2 * n + 3 * 9 * (2 * n) ** 2 + n * 2 * n) * side**2
    for n, side in ((64, 8), (128, 4), (256, 2))
  ]
  products = stem + first + sum(others)
  timer = _timer('features', 2.5)
  counters.of_features(
    _settings(**{'backbone.dtype': dtype}),
    backbones.load('resnet18', None, top=False),
    30,
    timer,
  )
  own = timer.stages['features']
  assert own['flops'] == 30 * 2 * products
  # images per second x operations per image / ceiling
  share = 30 / 2.5 * 2 * products / _RATES[dtype]
  assert own['model_flop_utilisation'] == pytest.approx(share, rel=1e-12)
  # The heads' ceiling is that of float32 whatever the network's.
  assert sorted(measured) == sorted({dtype, 'float32'})
  for name in measured:
    rates = timer.stages['ceiling']
    assert rates[f'{name}_flops_per_second'] == _RATES[name]


@pytest.mark.slow
def test_nothing_is_measured_where_nothing_is_extracted(
  measured: list[str],
) -> None:
  backbone = backbones.load('resnet18', None, top=False)
  for network, computed in ((backbone, 0), (None, 10)):
    timer = _timer('features', 1.0)
    counters.of_features(_settings(), network, computed, timer)
    assert timer.stages == {'features': {'seconds': 1.0}}
  counters.of_training(_settings('sample_size'), backbone, [Work(0, 0)], timer)
  assert measured == []


def test_the_share_of_heads() -> None:
  """A forward pass and the kernel's gradient: 4 D a row; validation: 2 D."""
  timer = _timer('heads', 0.5)
  timer.stages['ceiling'] = {'seconds': 0.1, 'float32_flops_per_second': 4e9}
  rows = [(7, 3), (5, 3)]
  done = counters.flops_of_epochs(
    stages.training(_settings()), 10, rows, [2, 6]
  )
  counters.of_heads(_settings(), done, timer)
  flops = 2 * (7 * 40 + 3 * 20) + 6 * (5 * 40 + 3 * 20)
  assert timer.stages['heads'] == {
    'seconds': 0.5,
    'flops': flops,
    'model_flop_utilisation': pytest.approx(flops / 0.5 / 4e9),
  }
  timer = _timer('heads', 0.5)
  counters.of_heads(_settings(), 240.0, timer)
  assert 'model_flop_utilisation' not in timer.stages['heads']


def test_optima_have_no_ceiling() -> None:
  """They are found in float64; the ceilings are of float32 and bfloat16."""
  timer = _timer('heads', 0.5)
  timer.stages['ceiling'] = {'seconds': 0.1, 'float32_flops_per_second': 4e9}
  settings = _settings(**{'heads.kind': 'logistic'})
  counters.of_heads(settings, 240.0, timer)
  assert timer.stages['heads'] == {'seconds': 0.5, 'flops': 240.0}
  timer = _timer('heads', 0.5)
  counters.of_heads(settings, 0.0, timer)
  assert timer.stages['heads'] == {'seconds': 0.5}


def test_a_regression_has_layers() -> None:
  """10 to 4 to 3 to 1: no gradient goes to the features."""
  settings = _settings(
    'sample_size',
    **{
      'data.task': 'regression',
      'heads.widths': (4, 3),
      'heads.monitor': 'val_loss',
    },
  )
  training = stages.training(settings)
  weights = 10 * 4 + 4 * 3 + 3 * 1
  gradients = weights + 4 * 3 + 3 * 1
  assert counters.flops_per_row(training, 10) == (2 * weights, 2 * gradients)
  timer = _timer('heads', 1.0)
  done = counters.flops_of_epochs(training, 10, [(7, 3)], [2])
  counters.of_heads(settings, done, timer)
  trained, validated = 2 * 7 * (weights + gradients), 2 * 3 * weights
  assert timer.stages['heads']['flops'] == 2 * (trained + validated)


@pytest.mark.slow
def test_the_share_of_fine_tuning() -> None:
  """Of what was done now; a job that was finished before counts nothing."""
  jobs = [Work(3 * 24, 3 * 4 + 38), Work(0, 0), Work(2 * 5, 2 * 4 + 14)]
  timer = _timer('training', 4.0)
  backbone = backbones.load('resnet18', None, top=False)
  settings = _settings('sample_size', **{'backbone.train': 'full'})
  counters.of_training(settings, backbone, jobs, timer)
  own = timer.stages['training']
  assert own['images'] == 3 * 24 + 2 * 5
  assert own['images_per_second'] == own['images'] / 4
  predicted = 3 * 4 + 38 + 2 * 4 + 14
  forward = _timer('features', 1.0)
  counters.of_features(_settings(), backbone, 1, forward)
  each = forward.stages['features']['flops']
  assert own['flops'] == (3 * own['images'] + predicted) * each
  share = own['flops'] / 4 / 4e9
  assert own['model_flop_utilisation'] == pytest.approx(share)

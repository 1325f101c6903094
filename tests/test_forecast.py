"""Tests of what --dry_run says of memory."""

from collections.abc import Callable
import dataclasses

import jax
import pytest

from heterojax import backbones
from heterojax import features
from heterojax.finetuning import steps
from heterojax.studies import forecast

_HOW = features.Extraction('avg', 64, 'keras', batch_size=8, workers=2)
_IMAGE = 64 * 64 * 3 * 4


@pytest.fixture(scope='module')
def backbone() -> backbones.Backbone:
  return backbones.load('efficientnet_lite0', None, top=False)


def _weights(backbone: backbones.Backbone) -> int:
  return sum(leaf.nbytes for leaf in jax.tree.leaves(backbone.params))


@pytest.mark.slow
def test_memory_is_bounded_by_the_batch_and_not_by_the_data(
  backbone: backbones.Backbone,
) -> None:
  few = forecast.memory(backbone, _HOW, 100)
  many = forecast.memory(backbone, _HOW, 100_000)
  assert many.device == few.device and many.images == few.images
  assert few.features == 100 * 1280 * 4 and many.features == 1000 * few.features


@pytest.mark.slow
def test_the_program_holds_few_maps(
  backbone: backbones.Backbone, use_cores: Callable[[int], None]
) -> None:
  """Of Lite0 the largest is the first expansion: 32 x 32 x 96 at 64 pixels.

  It is held with its padding and the map that it is made from, of one image at
  a time; of the others there are small maps only.
  """
  use_cores(1)
  largest = 32 * 32 * 96 * 4
  for batch_size in (1, 8):
    how = dataclasses.replace(_HOW, batch_size=batch_size)
    need = forecast.memory(backbone, how, 100)
    own = need.device - _weights(backbone)
    output = 1280 * 4
    assert own > batch_size * (_IMAGE + output)
    small = _IMAGE + output + largest
    assert own < batch_size * small + 4 * largest
  # Of a larger batch a core takes eight images at a time.
  how = dataclasses.replace(_HOW, batch_size=64)
  assert forecast.memory(backbone, how, 100).device == need.device
  use_cores(2)
  double = forecast.memory(backbone, how, 100)
  assert double.device - need.device == own


@pytest.mark.slow
def test_batches_are_those_that_are_ahead(
  backbone: backbones.Backbone, use_cores: Callable[[int], None]
) -> None:
  """Two cores, batches of 8: 3 begun, 1 in use, 1 assembled and 2 decoded."""
  use_cores(2)
  assert forecast.memory(backbone, _HOW, 100).images == 7 * 8 * _IMAGE
  # Five pictures make one batch of five.
  assert forecast.memory(backbone, _HOW, 5).images % (5 * _IMAGE) == 0


@pytest.mark.slow
def test_a_step_holds_both_models_thrice_and_its_maps() -> None:
  """Weights and Adam's two moments, and activations of every image."""
  backbone = backbones.load('resnet18', None, trainable=True, top=False)
  models = _weights(backbone) + 4 * (512 * 256 + 256 + 256 + 1)
  shape = (8, 32, 32, 3)
  need = steps.step_bytes(backbone, 'regression', 512, (256,), shape)
  # The stem's map alone is 16 x 16 x 64 per image; running statistics, which
  # have no moments, are less than a hundredth.
  assert need > 2.99 * models + 8 * 16 * 16 * 64 * 4
  assert need < 8 * models


def test_sizes_in_words() -> None:
  assert forecast._mb(61_034_496) == '61.0 MB'
  assert forecast._flop(7.69e8) == '0.77 GFLOP'
  assert forecast._flop(1.2345e13) == '12.35 TFLOP'

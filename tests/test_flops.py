"""Tests of the networks' operations: published counts, XLA's own count."""

import functools

import jax
import numpy as np
import pytest

from heterojax import backbones
from heterojax.backbones import flops
from heterojax.compute import platform

# Billions of products at 224 pixels, as torchvision lists them beside its
# weights, and those of the classifier, which features do without.
_PUBLISHED = {
  'efficientnet_b0': (0.386, 1280 * 1000),
  'resnet18': (1.814, 512 * 1000),
  'vgg16': (15.470, 25088 * 4096 + 4096 * 4096 + 4096 * 1000),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', _PUBLISHED)
def test_published_counts(name: str) -> None:
  products, top = _PUBLISHED[name]
  found = flops.per_image(backbones.load(name, None, top=False), 224)
  assert round((found / 2 + top) / 1e9, 3) == products


@pytest.mark.slow
@pytest.mark.parametrize('side', [64, 75])
@pytest.mark.parametrize('name', backbones.NAMES)
def test_xlas_count_of_plain_convolutions(name: str, side: int) -> None:
  """It counts what is no product as well, a few per cent."""
  backbone = backbones.load(name, None, top=False)
  # Forms that only CPUs have are shorter, or loops of which it counts one turn.
  network = functools.partial(backbones.apply, backbone.graphdef, 'feature_map')
  image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
  with platform.use('cuda'):
    lowered = jax.jit(network).lower(backbone.params, image)
  counted = lowered.cost_analysis()['flops']
  found = flops.per_image(backbone, side)
  assert found < counted < 1.06 * found


@pytest.mark.slow
@pytest.mark.parametrize('name', ['efficientnet_lite0', 'resnet18'])
def test_neither_classifier_nor_batch_norm_counts(name: str) -> None:
  plain = flops.per_image(backbones.load(name, None, top=False), 64)
  assert flops.per_image(backbones.load(name, None), 64) == plain
  trained = backbones.load(name, None, trainable=True, top=False)
  assert flops.per_image(trained, 64) == plain

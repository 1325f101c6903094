"""Tests of networks in bfloat16."""

import re

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image
import pytest

from heterojax import backbones
from heterojax import features
from heterojax.backbones import architecture
from heterojax.backbones import half_precision
from heterojax.compute import forward

_SIDE = 64


def _images() -> np.ndarray:
  rng = np.random.default_rng(0)
  size = (_SIDE, _SIDE)
  smooth = [
    Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    for _ in range(4)
  ]
  bicubic = Image.Resampling.BICUBIC
  resized = [np.asarray(i.resize(size, bicubic)) for i in smooth]
  return np.stack(resized).astype(np.float32)


def _how(feature: str, dtype: str) -> features.Extraction:
  return features.Extraction(feature, _SIDE, 'keras', 4, 2, dtype=dtype)


def _features(
  backbone: backbones.Backbone, how: features.Extraction
) -> np.ndarray:
  x = _images()
  network = features.network(backbone, how)
  with forward.batches(*network, x.shape) as run:
    return run(x, len(x))().reshape(len(x), -1)


class _Factor(architecture.Network):
  """Images times one weight."""

  def __init__(self, weight: float):
    self.weight = nnx.Param(jnp.float32(weight))

  def feature_map(self, x: jax.Array) -> jax.Array:
    return x * self.weight[...]


def test_weights_and_maps_are_rounded_and_nothing_else() -> None:
  """By hand: next to 1, numbers of bfloat16 are 2**-7 apart."""
  graphdef, state = nnx.split(_Factor(1 + 2**-9))
  constant = jnp.full((1, 1, 1, 3), 300.5)  # 300 in bfloat16.
  params = {'network': state, 'mean': constant, 'std': constant / constant}
  backbone = backbones.Backbone(
    'factor', 'none', 'none', None, False, params, graphdef
  )
  image = jnp.full((1, 1, 2, 3), 301.5).at[:, :, 1].add(2**-7)
  run, narrow = half_precision.network(backbone, 'pooled')
  pooled = run(narrow, image)
  assert pooled.dtype == jnp.float32
  # The weight is 1, what is between 1 and 1 + 2**-7 a float32 number.
  np.testing.assert_array_equal(pooled, np.full((1, 3), 1 + 2**-8))
  run, narrow = half_precision.network(backbone, 'feature_map')
  np.testing.assert_array_equal(run(narrow, image)[0, 0, :, 0], [1, 1 + 2**-7])
  want = (1 + 2**-8) * (1 + 2**-9)
  np.testing.assert_allclose(backbone.pooled(image), want, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize('name', backbones.NAMES)
def test_features_are_those_of_float32(name: str) -> None:
  backbone = backbones.load(name, None, top=False)
  want = _features(backbone, _how('flatten', 'float32'))
  got = _features(backbone, _how('flatten', 'bfloat16'))
  assert got.dtype == np.float32 and got.shape == want.shape
  norms = np.linalg.norm(got, axis=1) * np.linalg.norm(want, axis=1)
  assert np.min(np.sum(got * want, axis=1) / norms) > 0.99
  # 8 bits of mantissa leave traces, which a float32 network would not have.
  assert np.max(np.abs(got - want)) > 1e-4 * np.max(want)


@pytest.mark.slow
@pytest.mark.parametrize('name', backbones.NAMES)
def test_no_product_is_of_float32(name: str) -> None:
  backbone = backbones.load(name, None, top=False)
  network, params = features.network(backbone, _how('avg', 'bfloat16'))
  leaves = jax.tree.leaves(params['network'])
  assert {leaf.dtype for leaf in leaves} == {jnp.dtype(jnp.bfloat16)}
  text = jax.jit(network).lower(params, _images()).as_text()
  products = re.findall(
    r'stablehlo\.(?:dot_general|convolution).*: \((.*)\) ->', text
  )
  assert products
  for factors in products:
    assert re.findall(r'x([a-z]+\d+)>', factors) == ['bf16', 'bf16']


@pytest.mark.slow
def test_means_over_the_image_are_of_float32() -> None:
  """The mean of a map of 4 numbers has more than 8 bits."""
  backbone = backbones.load('resnet18', None, top=False)
  pooled = _features(backbone, _how('avg', 'bfloat16'))
  maps = _features(backbone, _how('flatten', 'bfloat16'))
  want = maps.reshape(len(pooled), -1, 512).astype(np.float64).mean(axis=1)
  np.testing.assert_allclose(pooled, want, rtol=1e-5)
  assert np.any(pooled != pooled.astype(jnp.bfloat16).astype(np.float32))
  # And the maps themselves have 8.
  np.testing.assert_array_equal(
    maps, maps.astype(jnp.bfloat16).astype(np.float32)
  )


@pytest.mark.medium
def test_the_default_is_the_networks_own_function() -> None:
  """To the bit, in a program that is compiled from the same text."""
  backbone = backbones.load('efficientnet_lite0', None, top=False)
  how = features.Extraction('avg', _SIDE, 'keras', 4, 2)
  network, params = features.network(backbone, how)
  assert params is backbone.params
  image = _images()

  def plain(params, x):
    return backbones.apply(backbone.graphdef, 'pooled', params, x)

  plain.__name__ = network.func.__name__
  texts = [jax.jit(f).lower(params, image).as_text() for f in (network, plain)]
  assert 'bf16' not in texts[0] and texts[0] == texts[1]

"""A small network of another family, as one module: ConvNeXt (Liu et al. 2022).

A stem of patches, blocks of a depthwise 7 x 7 convolution, LayerNorm, two
pointwise layers about a GELU and a layer scale, which is a plain parameter.
"""

from flax import nnx
import jax
import jax.numpy as jnp

from heterojax.backbones import layers
from heterojax.backbones.architecture import IMAGENET
from heterojax.backbones.architecture import Architecture
from heterojax.backbones.architecture import Names
from heterojax.backbones.architecture import Network
from heterojax.backbones.architecture import Source
from heterojax.backbones.batch_norm import Norm

FEATURES = (8, 16)  # Of the two stages, a block each.
NUM_CLASSES = 5


class LayerNorm(nnx.Module):
  """Over the channels of `[..., C]`."""

  def __init__(self, features: int):
    self.scale = nnx.Param(jnp.ones(features))
    self.bias = nnx.Param(jnp.zeros(features))

  def __call__(self, x: jax.Array) -> jax.Array:
    x = jax.nn.standardize(x, axis=-1, epsilon=1e-6)
    wide = (None,) * (x.ndim - 1)
    return x * self.scale[...][wide] + self.bias[...][wide]


class Block(nnx.Module):
  def __init__(self, features: int, padding: layers.Padding):
    self.depthwise = layers.DepthwiseConv(
      features, kernel_size=7, stride=1, padding=padding
    )
    self.norm = LayerNorm(features)
    self.expand = layers.Conv(features, 4 * features)
    self.project = layers.Conv(4 * features, features)
    self.layer_scale = nnx.Param(jnp.ones(features))

  def __call__(self, x: jax.Array) -> jax.Array:
    y = self.norm(self.depthwise(x))
    y = self.project(jax.nn.gelu(self.expand(y), approximate=False))
    return x + y * self.layer_scale[...][None, None, None]


class ConvNeXt(Network):
  def __init__(
    self, *, padding: layers.Padding, norm: Norm | None, with_top: bool
  ):
    del norm  # Of batches; there is none.
    first, last = FEATURES
    self.stem = layers.Conv(3, first, kernel_size=4, stride=4, padding='valid')
    self.stem_norm = LayerNorm(first)
    self.first = Block(first, padding)
    self.between_norm = LayerNorm(first)
    self.between = layers.Conv(
      first, last, kernel_size=2, stride=2, padding='valid'
    )
    self.last = Block(last, padding)
    self.top_norm = LayerNorm(last) if with_top else None
    self.classifier = layers.Dense(last, NUM_CLASSES) if with_top else None

  def feature_map(self, x: jax.Array) -> jax.Array:
    x = self.first(self.stem_norm(self.stem(x)))
    return self.last(self.between(self.between_norm(x)))

  def logits(self, x: jax.Array) -> jax.Array:
    return self.classified(self.top_norm(self.pooled(x)))


def _names() -> Names:
  """Names of torchvision."""
  names = {
    'stem': 'features.0.0',
    'stem_norm': 'features.0.1',
    'between_norm': 'features.2.0',
    'between': 'features.2.1',
    'top_norm': 'classifier.0',
    'classifier': 'classifier.2',
  }
  for layer, theirs in (('first', 'features.1.0'), ('last', 'features.3.0')):
    names |= {
      f'{layer}.depthwise': f'{theirs}.block.0',
      f'{layer}.norm': f'{theirs}.block.2',
      f'{layer}.expand': f'{theirs}.block.3',
      f'{layer}.project': f'{theirs}.block.5',
      f'{layer}.layer_scale': f'{theirs}.layer_scale',
    }
  return names


ARCHITECTURE = Architecture(
  name='convnext',
  title='A small ConvNeXt',
  build=ConvNeXt,
  sources={
    'torchvision': Source('torch', 'symmetric', None, *IMAGENET, _names())
  },
  top=('top_norm', 'classifier'),
)

"""ResNet18 as a Flax NNX module (He et al., CVPR 2016)."""

from collections.abc import Iterator
from typing import NamedTuple

from flax import nnx
import jax

from heterojax.backbones import layers
from heterojax.backbones.batch_norm import Norm

STAGE_FEATURES = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2
NUM_CLASSES = 1000
# Their maps, of 56 and 28 pixels' side at 224, are the large ones.
EARLY_BLOCKS = 4


class BlockSpec(NamedTuple):
  """One residual block and its place in the network."""

  stage: int  # 0..3
  repeat: int  # within the stage
  features_in: int
  features_out: int
  stride: int


def block_specs() -> Iterator[BlockSpec]:
  """The 8 blocks in order; the first of a stage, but for stage 0, strides."""
  features_in = STAGE_FEATURES[0]
  for stage, features in enumerate(STAGE_FEATURES):
    for repeat in range(BLOCKS_PER_STAGE):
      stride = 2 if stage > 0 and repeat == 0 else 1
      yield BlockSpec(stage, repeat, features_in, features, stride)
      features_in = features


class Block(nnx.Module):
  """Two 3 x 3 convolutions beside a shortcut, which strides where they do."""

  def __init__(
    self,
    spec: BlockSpec,
    padding: layers.Padding,
    norm: Norm | None,
  ):
    self.first = layers.Conv(
      spec.features_in,
      spec.features_out,
      kernel_size=3,
      stride=spec.stride,
      padding=padding,
      norm=norm,
    )
    self.second = layers.Conv(
      spec.features_out,
      spec.features_out,
      kernel_size=3,
      padding=padding,
      norm=norm,
    )
    self.shortcut = (
      layers.Conv(
        spec.features_in, spec.features_out, stride=spec.stride, norm=norm
      )
      if spec.stride > 1
      else None
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    y = self.second(jax.nn.relu(self.first(x)))
    return jax.nn.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(nnx.Module):
  """Normalised images `[B, H, W, 3]` to features and logits.

  Args:
    padding: of the convolutions.
    norm: batch norm to keep as layers; None where it is folded.
    with_top: whether there is a classifier.
  """

  def __init__(
    self,
    *,
    padding: layers.Padding,
    norm: Norm | None,
    with_top: bool,
  ):
    self._keeps_norm = norm is not None  # And so needs the whole batch.
    self.stem = layers.Conv(
      3,
      STAGE_FEATURES[0],
      kernel_size=7,
      stride=2,
      padding=padding,
      norm=norm,
    )
    self.blocks = nnx.List([
      Block(spec, padding, norm) for spec in block_specs()
    ])
    self.classifier = (
      layers.Dense(STAGE_FEATURES[-1], NUM_CLASSES) if with_top else None
    )

  def feature_map(self, x: jax.Array) -> jax.Array:
    """`[B, ceil(H / 32), ceil(W / 32), 512]`, after the last activation."""

    def begin(x: jax.Array) -> jax.Array:
      x = layers.max_pool(jax.nn.relu(self.stem(x)), 3, 2, 1)
      return layers.in_turn(self.blocks[:EARLY_BLOCKS], x)

    x = begin(x) if self._keeps_norm else layers.image_by_image(begin, x)
    return layers.in_turn(self.blocks[EARLY_BLOCKS:], x)

  def pooled(self, x: jax.Array) -> jax.Array:
    """`[B, 512]`, the mean of the feature map over the image."""
    return layers.image_mean(self.feature_map(x))[:, 0, 0]

  def logits(self, x: jax.Array) -> jax.Array:
    """`[B, 1000]` ImageNet logits."""
    return self.classifier(self.pooled(x))

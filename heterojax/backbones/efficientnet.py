"""EfficientNet-B0 and -Lite0 as Flax NNX modules (Tan and Le, ICML 2019).

Lite0 is B0 without squeeze-and-excite and with ReLU6 in place of SiLU.
"""

from collections.abc import Iterator
from typing import NamedTuple

from flax import nnx
import jax

from heterojax.backbones import layers
from heterojax.backbones.batch_norm import Norm

STEM_FEATURES = 32
TOP_FEATURES = 1280
NUM_CLASSES = 1000
# Their maps, of 112 to 28 pixels' side at 224, are the large ones.
EARLY_BLOCKS = 6


class Stage(NamedTuple):
  kernel_size: int
  repeats: int
  features_in: int
  features_out: int
  expansion: int
  stride: int


STAGES = (
  Stage(3, 1, 32, 16, 1, 1),
  Stage(3, 2, 16, 24, 6, 2),
  Stage(5, 2, 24, 40, 6, 2),
  Stage(3, 3, 40, 80, 6, 2),
  Stage(5, 3, 80, 112, 6, 1),
  Stage(5, 4, 112, 192, 6, 2),
  Stage(3, 1, 192, 320, 6, 1),
)


class Variant(NamedTuple):
  squeeze_excite: bool
  relu6: bool


VARIANTS = {
  'efficientnet_b0': Variant(squeeze_excite=True, relu6=False),
  'efficientnet_lite0': Variant(squeeze_excite=False, relu6=True),
}


class BlockSpec(NamedTuple):
  """One inverted-residual block and its place in the network."""

  stage: int  # 0..6
  repeat: int  # within the stage
  kernel_size: int
  features_in: int
  features_out: int
  expansion: int
  stride: int


def block_specs() -> Iterator[BlockSpec]:
  """The 16 blocks in order; the first of a stage strides and widens."""
  for index, stage in enumerate(STAGES):
    for repeat in range(stage.repeats):
      yield BlockSpec(
        index,
        repeat,
        stage.kernel_size,
        stage.features_in if repeat == 0 else stage.features_out,
        stage.features_out,
        stage.expansion,
        stage.stride if repeat == 0 else 1,
      )


class Block(nnx.Module):
  """Inverted residual: expand, depthwise, (squeeze-excite), project."""

  def __init__(
    self,
    spec: BlockSpec,
    variant: Variant,
    padding: layers.Padding,
    norm: Norm | None = None,
  ):
    wide = spec.features_in * spec.expansion
    self.activation = layers.relu6 if variant.relu6 else layers.silu
    self.expand = (
      layers.Conv(spec.features_in, wide, norm=norm)
      if spec.expansion > 1
      else None
    )
    self.depthwise = layers.DepthwiseConv(
      wide,
      kernel_size=spec.kernel_size,
      stride=spec.stride,
      padding=padding,
      norm=norm,
    )
    self.squeeze_excite = (
      # A quarter of the block's input, not of its expanded width.
      layers.SqueezeExcite(wide, spec.features_in // 4, self.activation)
      if variant.squeeze_excite
      else None
    )
    self.project = layers.Conv(wide, spec.features_out, norm=norm)
    self.residual = spec.stride == 1 and spec.features_in == spec.features_out

  def __call__(self, x: jax.Array) -> jax.Array:
    y = x if self.expand is None else self.activation(self.expand(x))
    y = self.activation(self.depthwise(y))
    if self.squeeze_excite is not None:
      y = self.squeeze_excite(y)
    y = self.project(y)
    return x + y if self.residual else y


class EfficientNet(nnx.Module):
  """Normalised images `[B, H, W, 3]` to features and logits.

  Args:
    variant: which of the family.
    padding: of the striding and depthwise convolutions.
    norm: batch norm to keep as layers; None where it is folded.
    with_top: whether there is a classifier.
  """

  def __init__(
    self,
    variant: Variant,
    *,
    padding: layers.Padding,
    norm: Norm | None,
    with_top: bool,
  ):
    self._keeps_norm = norm is not None  # And so needs the whole batch.
    self.activation = layers.relu6 if variant.relu6 else layers.silu
    self.stem = layers.Conv(
      3, STEM_FEATURES, kernel_size=3, stride=2, padding=padding, norm=norm
    )
    self.blocks = nnx.List([
      Block(spec, variant, padding, norm) for spec in block_specs()
    ])
    self.top = layers.Conv(STAGES[-1].features_out, TOP_FEATURES, norm=norm)
    self.classifier = (
      layers.Dense(TOP_FEATURES, NUM_CLASSES) if with_top else None
    )

  def feature_map(self, x: jax.Array) -> jax.Array:
    """`[B, ceil(H / 32), ceil(W / 32), 1280]`, after the last activation."""
    early, late = self.blocks[:EARLY_BLOCKS], self.blocks[EARLY_BLOCKS:]

    def begin(x: jax.Array) -> jax.Array:
      return layers.in_turn(early, self.activation(self.stem(x)))

    x = begin(x) if self._keeps_norm else layers.image_by_image(begin, x)
    return self.activation(self.top(layers.in_turn(late, x)))

  def pooled(self, x: jax.Array) -> jax.Array:
    """`[B, 1280]`, the mean of the feature map over the image."""
    return layers.image_mean(self.feature_map(x))[:, 0, 0]

  def logits(self, x: jax.Array) -> jax.Array:
    """`[B, 1000]` ImageNet logits."""
    return self.classifier(self.pooled(x))

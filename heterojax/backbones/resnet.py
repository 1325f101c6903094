"""ResNet18 as a Flax NNX module (He et al., CVPR 2016)."""

from collections.abc import Iterator
import functools
from typing import NamedTuple

from flax import nnx
import jax

from heterojax.backbones import layers
from heterojax.backbones.architecture import IMAGENET
from heterojax.backbones.architecture import Architecture
from heterojax.backbones.architecture import Names
from heterojax.backbones.architecture import Network
from heterojax.backbones.architecture import Source
from heterojax.backbones.batch_norm import PYTORCH
from heterojax.backbones.batch_norm import Norm
from heterojax.backbones.imagenet import Published

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
    self, spec: BlockSpec, padding: layers.Padding, norm: Norm | None
  ):
    _, _, inputs, outputs, stride = spec
    conv = functools.partial(layers.Conv, padding=padding, norm=norm)
    self.first = conv(inputs, outputs, kernel_size=3, stride=stride)
    self.second = conv(outputs, outputs, kernel_size=3)
    self.shortcut = conv(inputs, outputs, stride=stride) if stride > 1 else None

  def __call__(self, x: jax.Array) -> jax.Array:
    y = self.second(jax.nn.relu(self.first(x)))
    return jax.nn.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(Network):
  """Normalised images `[B, H, W, 3]` to features and logits.

  Arguments are those of `Architecture.build`.
  """

  def __init__(
    self, *, padding: layers.Padding, norm: Norm | None, with_top: bool
  ):
    self._keeps_norm = norm is not None  # And so needs the whole batch.
    conv = functools.partial(layers.Conv, padding=padding, norm=norm)
    self.stem = conv(3, STAGE_FEATURES[0], kernel_size=7, stride=2)
    blocks = [Block(spec, padding, norm) for spec in block_specs()]
    self.blocks = nnx.List(blocks)
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


_OF_BLOCK = {
  'first': 'conv1',
  'first.norm': 'bn1',
  'second': 'conv2',
  'second.norm': 'bn2',
  'shortcut': 'downsample.0',
  'shortcut.norm': 'downsample.1',
}


def _names() -> Names:
  """Names of torchvision, which timm took over."""
  names = {'stem': 'conv1', 'stem.norm': 'bn1'}
  for index, spec in enumerate(block_specs()):
    theirs = f'layer{spec.stage + 1}.{spec.repeat}.'
    names |= {f'blocks.{index}.{k}': theirs + v for k, v in _OF_BLOCK.items()}
  return names | {'classifier': 'fc'}


_TORCHVISION = Source('torch', 'symmetric', PYTORCH, *IMAGENET, _names())
ARCHITECTURE = Architecture(
  name='resnet18',
  title='ResNet18',
  build=ResNet18,
  sources={'torchvision': _TORCHVISION, 'timm': _TORCHVISION},
  published=(
    Published(
      'https://download.pytorch.org/models/resnet18-f37072fd.pth',
      'sha256',
      'f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec',
      'torchvision',
    ),
  ),
)

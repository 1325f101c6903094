"""VGG16 as a Flax NNX module (Simonyan and Zisserman, ICLR 2015)."""

from collections.abc import Sequence
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
from heterojax.backbones.batch_norm import Norm
from heterojax.backbones.imagenet import KERAS
from heterojax.backbones.imagenet import Published
from heterojax.errors import UserError


class Stage(NamedTuple):
  convolutions: int
  features: int


STAGES = (
  Stage(2, 64),
  Stage(2, 128),
  Stage(3, 256),
  Stage(3, 512),
  Stage(3, 512),
)
# Their maps, of 224 to 28 pixels' side at 224, are the large ones.
EARLY_STAGES = 4
# The classifier reads a map of this side: that of 224 px.
TOP_SIDE = 7
TOP_FEATURES = 4096
NUM_CLASSES = 1000
TOP = ('fc1', 'fc2', 'classifier')


class VGG16(Network):
  """Normalised images `[B, H, W, 3]` to features and logits.

  Arguments are those of `Architecture.build`; there is no batch norm.
  """

  def __init__(
    self, *, padding: layers.Padding, norm: Norm | None, with_top: bool
  ):
    del norm
    conv = functools.partial(layers.Conv, kernel_size=3, padding=padding)
    features, convs = 3, []
    for stage in STAGES:
      for _ in range(stage.convolutions):
        convs.append(conv(features, stage.features))
        features = stage.features
    self.convs = nnx.List(convs)
    if with_top:
      self.fc1 = layers.MapDense(TOP_SIDE, features, TOP_FEATURES)
      self.fc2 = layers.Dense(TOP_FEATURES, TOP_FEATURES)
    self.classifier = (
      layers.Dense(TOP_FEATURES, NUM_CLASSES) if with_top else None
    )

  def feature_map(self, x: jax.Array) -> jax.Array:
    """`[B, H // 32, W // 32, 512]`, after the last pool (Keras' output)."""
    if min(x.shape[1:3]) < 2 ** len(STAGES):
      raise UserError(
        f'vgg16 halves images five times, so {x.shape[1]} x {x.shape[2]} px'
        ' are too small: give it at least 32 x 32.'
      )
    convs = iter(self.convs)

    def run(stages: Sequence[Stage], x: jax.Array) -> jax.Array:
      for stage in stages:
        for _ in range(stage.convolutions):
          x = jax.nn.relu(next(convs)(x))
        x = layers.max_pool(x, 2, 2)
      return x

    begin = functools.partial(run, STAGES[:EARLY_STAGES])
    frozen = self.convs[-1].points is not None
    x = layers.image_by_image(begin, x) if frozen else begin(x)
    return run(STAGES[EARLY_STAGES:], x)

  def logits(self, x: jax.Array) -> jax.Array:
    """`[B, 1000]` ImageNet logits, of images of 224 to 255 px.

    Raises:
      UserError: for other sizes, which the classifier's first layer cannot
        read.
    """
    if {side // 32 for side in x.shape[1:3]} != {TOP_SIDE}:
      raise UserError(
        f'The classifier of vgg16 reads images of 224 to 255 px, not'
        f' {x.shape[1]} x {x.shape[2]}: resize them, or use the features,'
        ' which come from images of any size.'
      )
    x = jax.nn.relu(self.fc1(self.feature_map(x)))
    return self.classified(jax.nn.relu(self.fc2(x)))


# Block of each convolution, and its place there.
_PLACES = [(s, i) for s, (n, _) in enumerate(STAGES) for i in range(n)]
_KERAS = [f'block{stage + 1}_conv{i + 1}' for stage, i in _PLACES]
# PyTorch counts the activations and pools between the convolutions too.
_TORCH = [f'features.{2 * n + stage}' for n, (stage, _) in enumerate(_PLACES)]


def _names(convolutions: Sequence[str], *top: str) -> Names:
  names = {f'convs.{i}': name for i, name in enumerate(convolutions)}
  return names | dict(zip(TOP, top, strict=True))


# Caffe's networks take 0..255 as it is but for the mean.
_CAFFE = ((123.68, 116.779, 103.939), (1.0,) * 3)
_TORCHVISION = Source(
  'torch',
  'symmetric',
  None,
  *IMAGENET,
  _names(_TORCH, 'classifier.0', 'classifier.3', 'classifier.6'),
)
ARCHITECTURE = Architecture(
  name='vgg16',
  title='VGG16',
  build=VGG16,
  sources={
    'keras': Source(
      'keras',
      'same',
      None,
      *_CAFFE,
      _names(_KERAS, 'fc1', 'fc2', 'predictions'),
      reads_bgr=True,
    ),
    'torchvision': _TORCHVISION,
    'timm': _TORCHVISION._replace(
      names=_names(_TORCH, 'pre_logits.fc1', 'pre_logits.fc2', 'head.fc')
    ),
  },
  published=(
    Published(
      f'{KERAS}/tensorflow/keras-applications/vgg16/'
      'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5',
      'md5',
      '6d6bbae143d832006294945121d1f1fc',
      'keras',
    ),
  ),
  top=TOP,
)

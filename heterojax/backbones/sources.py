"""What each weight source means: preprocessing, padding, epsilon, names.

The same architecture was trained by several projects that differ in all four.
A wrong row of this table gives plausible features that are wrong, so a file
whose source cannot be told is refused rather than guessed.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from heterojax.backbones import names
from heterojax.backbones import vgg
from heterojax.backbones.batch_norm import Norm
from heterojax.backbones.layers import Padding
from heterojax.backbones.weight_files import WeightFile
from heterojax.errors import UserError

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Source(NamedTuple):
  """How one project's networks read images and name weights.

  Attributes:
    layout: 'keras' or 'torch', which fixes suffixes and kernel axes.
    padding: rule of the striding and depthwise convolutions.
    norm: of every batch norm; None for a network without.
    mean: per channel, subtracted from 0..255 RGB.
    std: per channel, divides what is left.
    names: target layer to the (convolution, batch norm or None) names.
    reads_bgr: whether the first kernel takes the channels in Caffe's order.
    rescaled: whether Keras divides by sqrt(std) once more, see `preprocessing`.
  """

  layout: str
  padding: Padding
  norm: Norm | None
  mean: tuple[float, ...]
  std: tuple[float, ...]
  names: Callable[[], names.Names]
  reads_bgr: bool = False
  rescaled: bool = False

  def kernels(self, *layers: str) -> list[str]:
    """Entries that hold the kernels of some of our layers."""
    suffix = '/kernel' if self.layout == 'keras' else '.weight'
    named = self.names()
    return [named[layer][0] + suffix for layer in layers]


def _scaled(values: tuple[float, ...]) -> tuple[float, ...]:
  return tuple(255 * value for value in values)


_IMAGENET = (_scaled(_IMAGENET_MEAN), _scaled(_IMAGENET_STD))
_HALF = ((127.5,) * 3, (127.5,) * 3)
# Keras rescales to 0..1 and then normalises with what the file holds; these are
# the values of a file without a normalization layer's statistics.
_UNIT = ((0.0,) * 3, (255.0,) * 3)

# Caffe's networks take 0..255 as it is but for the mean.
_CAFFE = ((123.68, 116.779, 103.939), (1.0,) * 3)

_KERAS_NORM = Norm(1e-3, 0.99, unbiased=False)
_TORCH_NORM = Norm(1e-5, 0.9, unbiased=True)
# Networks from TensorFlow in PyTorch: timm keeps PyTorch's momentum.
_TIMM_TF_NORM = Norm(1e-3, 0.9, unbiased=True)
_LUKEMELAS_NORM = Norm(1e-3, 0.99, unbiased=True)

_KERAS_B0 = Source(
  'keras', 'same', _KERAS_NORM, *_UNIT, names.efficientnet_keras
)
_TIMM = Source(
  'torch', 'symmetric', _TORCH_NORM, *_IMAGENET, names.efficientnet_timm
)
_TIMM_TF = _TIMM._replace(padding='same', norm=_TIMM_TF_NORM)
_LUKEMELAS = Source(
  'torch', 'same', _LUKEMELAS_NORM, *_IMAGENET, names.efficientnet_lukemelas
)
_RESNET18 = Source(
  'torch', 'symmetric', _TORCH_NORM, *_IMAGENET, names.resnet18
)
_VGG16 = Source('torch', 'symmetric', None, *_IMAGENET, names.vgg16_torchvision)
SOURCES = {
  'efficientnet_b0': {
    'keras': _KERAS_B0,
    'keras_imagenet': _KERAS_B0._replace(rescaled=True),
    'torchvision': _TIMM._replace(names=names.efficientnet_torchvision),
    'timm': _TIMM,
    'timm_tf': _TIMM_TF,
    'lukemelas': _LUKEMELAS,
  },
  'efficientnet_lite0': {
    'timm': _TIMM,
    'timm_tf': _TIMM_TF._replace(mean=_HALF[0], std=_HALF[1]),
    'lukemelas': _LUKEMELAS._replace(mean=(127.0,) * 3, std=(128.0,) * 3),
  },
  'resnet18': {'torchvision': _RESNET18, 'timm': _RESNET18},
  'vgg16': {
    'keras': Source(
      'keras', 'same', None, *_CAFFE, names.vgg16_keras, reads_bgr=True
    ),
    'torchvision': _VGG16,
    'timm': _VGG16._replace(names=names.vgg16_timm),
  },
}

# First eight hexadecimal digits of the sha256 of published files, which their
# authors put into the file names.
_KNOWN_SHA256 = {
  '3dd342df': 'timm',
  '0af12548': 'timm_tf',
  '827b6e33': 'timm_tf',
  'f262efe1': 'timm_tf',
  'c0e6a31c': 'timm_tf',
}
_KNOWN_KERAS_MD5 = (
  '902e53a9f72be733fc0bcb005b3ebbac',  # efficientnetb0.h5
  '50bc09e76180e00e4465e1a485ddc09d',  # efficientnetb0_notop.h5
)


def detect(architecture: str, file: WeightFile, md5: str, where: str) -> str:
  """Tells the source of a weight file by its keys and hash.

  Args:
    architecture: a key of `SOURCES`.
    file: the file's entries.
    md5: of the file.
    where: the file's name, for messages.

  Returns:
    A key of `SOURCES[architecture]`.

  Raises:
    UserError: if no source fits, or more than one does.
  """
  rows = SOURCES[architecture]
  fitting = [
    name
    for name, source in rows.items()
    if source.layout == file.layout
    and source.kernels(next(iter(source.names())))[0] in file.entries
  ]
  if not fitting:
    raise UserError(
      f'{where} does not hold the weights of {architecture} under any known'
      f' naming ({", ".join(rows)}); its first entries are'
      f' {", ".join(list(file.entries)[:3])}.'
    )
  # Names may differ only in the classifier.
  whole = [n for n in fitting if has_top(rows[n], file)]
  fitting = whole or fitting
  if len(fitting) > 1:
    fitting = _by_content(fitting, file, md5)
  if len({rows[name]._replace(names=tuple) for name in fitting}) > 1:
    raise UserError(
      f'{where} may come from {" or ".join(fitting)}, which differ in padding'
      ' or preprocessing though not in names: say which one with'
      f' --config.backbone.source={fitting[0]}.'
    )
  return fitting[0]


def has_top(source: Source, file: WeightFile) -> bool:
  """Whether a file holds a classifier."""
  return source.kernels('classifier')[0] in file.entries


def without_top(source: Source, file: WeightFile) -> WeightFile:
  """The file less the entries of its classifier."""
  separator = '/' if source.layout == 'keras' else '.'
  top = {
    conv + separator
    for layer, (conv, _) in source.names().items()
    if layer in vgg.TOP  # Other networks have only the last of these.
  }
  return file._replace(
    entries={
      name: value
      for name, value in file.entries.items()
      if not name.startswith(tuple(top))
    }
  )


def _by_content(fitting: list[str], file: WeightFile, md5: str) -> list[str]:
  known = _KNOWN_SHA256.get(file.sha256[:8])
  if known in fitting:
    return [known]
  if 'keras_imagenet' not in fitting:
    return fitting
  if md5 in _KNOWN_KERAS_MD5:
    return ['keras_imagenet']
  mean = file.entries.get('normalization/mean')
  # A network built with weights=None or a path never has the extra rescaling,
  # and only such a one keeps the identity normalisation.
  if mean is None or not np.any(mean):
    return ['keras']
  return fitting


def preprocessing(
  source: Source, file: WeightFile | None
) -> tuple[np.ndarray, np.ndarray]:
  """Mean and std of 0..255 RGB, `[3]` float64 each.

  Keras computes (x / 255 - mean) / max(sqrt(variance), 1e-7) with the values of
  its normalization layer and, only where the network was built with
  weights='imagenet', divides by sqrt(std) once more (the published file holds
  the standard deviation where the variance belongs).

  Raises:
    UserError: if the file's normalization is none of three channels.
  """
  mean, std = np.asarray(source.mean), np.asarray(source.std)
  # Caffe's preprocessing is done outside of the network.
  if source.layout != 'keras' or source.reads_bgr or file is None:
    return mean, std
  stored = {
    key: np.ravel(file.entries.get(f'normalization/{key}', default))
    for key, default in (('mean', 0.0), ('variance', 1.0))
  }
  for key, values in stored.items():
    sound = values.size in (1, 3) and np.all(np.isfinite(values))
    if not sound or (key == 'variance' and np.any(values < 0)):
      raise UserError(
        f'The weight file has a normalization/{key} that is none of three'
        ' channels: it is damaged or of another network.'
      )
  mean = np.broadcast_to(255.0 * stored['mean'].astype(np.float64), 3)
  variance = stored['variance'].astype(np.float64)
  std = np.broadcast_to(255.0 * np.maximum(np.sqrt(variance), 1e-7), 3)
  if source.rescaled:
    std = std * np.sqrt(np.asarray(_IMAGENET_STD))
  return mean, std

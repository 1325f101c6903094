"""What each weight source means: preprocessing, padding, epsilon, names.

The same architecture was trained by several projects that differ in all four.
A wrong row of this table gives plausible features that are wrong, so a file
whose source cannot be told is refused rather than guessed.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from heterojax.backbones import efficientnet
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
    epsilon: of every batch norm.
    mean: per channel, subtracted from 0..255 RGB.
    std: per channel, divides what is left.
    names: target layer to the (convolution, batch norm or None) names.
  """

  layout: str
  padding: Padding
  epsilon: float
  mean: tuple[float, ...]
  std: tuple[float, ...]
  names: Callable[[], dict[str, tuple[str, str | None]]]


def _scaled(values: tuple[float, ...]) -> tuple[float, ...]:
  return tuple(255 * value for value in values)


def _blocks() -> Iterator[tuple[int, efficientnet.BlockSpec, str]]:
  for index, spec in enumerate(efficientnet.block_specs()):
    yield index, spec, f'blocks.{index}.'


def _keras_names() -> dict[str, tuple[str, str | None]]:
  names = {'stem': ('stem_conv', 'stem_bn'), 'top': ('top_conv', 'top_bn')}
  for _, spec, block in _blocks():
    prefix = f'block{spec.stage + 1}{"abcdefgh"[spec.repeat]}_'
    names |= {
        f'{block}expand': (f'{prefix}expand_conv', f'{prefix}expand_bn'),
        f'{block}depthwise': (f'{prefix}dwconv', f'{prefix}bn'),
        f'{block}squeeze_excite.reduce': (f'{prefix}se_reduce', None),
        f'{block}squeeze_excite.expand': (f'{prefix}se_expand', None),
        f'{block}project': (f'{prefix}project_conv', f'{prefix}project_bn'),
    }
  return names | {'classifier': ('predictions', None)}


def _torchvision_names() -> dict[str, tuple[str, str | None]]:
  names = {
      'stem': ('features.0.0', 'features.0.1'),
      'top': ('features.8.0', 'features.8.1'),
  }
  for _, spec, block in _blocks():
    prefix = f'features.{spec.stage + 1}.{spec.repeat}.block.'
    # The list of a block has no expansion at its head where the factor is 1.
    first = int(spec.expansion > 1)
    names |= {
        f'{block}expand': (f'{prefix}0.0', f'{prefix}0.1'),
        f'{block}depthwise': (f'{prefix}{first}.0', f'{prefix}{first}.1'),
        f'{block}squeeze_excite.reduce': (f'{prefix}{first + 1}.fc1', None),
        f'{block}squeeze_excite.expand': (f'{prefix}{first + 1}.fc2', None),
        f'{block}project': (f'{prefix}{first + 2}.0', f'{prefix}{first + 2}.1'),
    }
  return names | {'classifier': ('classifier.1', None)}


def _timm_names() -> dict[str, tuple[str, str | None]]:
  names = {'stem': ('conv_stem', 'bn1'), 'top': ('conv_head', 'bn2')}
  for _, spec, block in _blocks():
    prefix = f'blocks.{spec.stage}.{spec.repeat}.'
    if spec.expansion > 1:
      depthwise, project, last = 'bn2', 'conv_pwl', 'bn3'
    else:  # A depthwise-separable block: no expansion, other names.
      depthwise, project, last = 'bn1', 'conv_pw', 'bn2'
    names |= {
        f'{block}expand': (f'{prefix}conv_pw', f'{prefix}bn1'),
        f'{block}depthwise': (f'{prefix}conv_dw', f'{prefix}{depthwise}'),
        f'{block}squeeze_excite.reduce': (f'{prefix}se.conv_reduce', None),
        f'{block}squeeze_excite.expand': (f'{prefix}se.conv_expand', None),
        f'{block}project': (f'{prefix}{project}', f'{prefix}{last}'),
    }
  return names | {'classifier': ('classifier', None)}


def _lukemelas_names() -> dict[str, tuple[str, str | None]]:
  names = {'stem': ('_conv_stem', '_bn0'), 'top': ('_conv_head', '_bn1')}
  for index, _, block in _blocks():
    prefix = f'_blocks.{index}.'
    names |= {
        f'{block}expand': (f'{prefix}_expand_conv', f'{prefix}_bn0'),
        f'{block}depthwise': (f'{prefix}_depthwise_conv', f'{prefix}_bn1'),
        f'{block}squeeze_excite.reduce': (f'{prefix}_se_reduce', None),
        f'{block}squeeze_excite.expand': (f'{prefix}_se_expand', None),
        f'{block}project': (f'{prefix}_project_conv', f'{prefix}_bn2'),
    }
  return names | {'classifier': ('_fc', None)}


_IMAGENET = (_scaled(_IMAGENET_MEAN), _scaled(_IMAGENET_STD))
_HALF = ((127.5,) * 3, (127.5,) * 3)
# Keras rescales to 0..1 and then normalises with what the file holds; these are
# the values of a file without a normalization layer's statistics.
_UNIT = ((0.0,) * 3, (255.0,) * 3)

_B0 = {
    'keras': Source('keras', 'same', 1e-3, *_UNIT, _keras_names),
    'keras_imagenet': Source('keras', 'same', 1e-3, *_UNIT, _keras_names),
    'torchvision': Source(
        'torch', 'symmetric', 1e-5, *_IMAGENET, _torchvision_names
    ),
    'timm': Source('torch', 'symmetric', 1e-5, *_IMAGENET, _timm_names),
    'timm_tf': Source('torch', 'same', 1e-3, *_IMAGENET, _timm_names),
    'lukemelas': Source('torch', 'same', 1e-3, *_IMAGENET, _lukemelas_names),
}
_LITE0 = {
    'timm': Source('torch', 'symmetric', 1e-5, *_IMAGENET, _timm_names),
    'timm_tf': Source('torch', 'same', 1e-3, *_HALF, _timm_names),
    'lukemelas': Source(
        'torch', 'same', 1e-3, (127.0,) * 3, (128.0,) * 3, _lukemelas_names
    ),
}
SOURCES = {'efficientnet_b0': _B0, 'efficientnet_lite0': _LITE0}

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
  first = 'stem_conv/kernel' if file.layout == 'keras' else '{}.weight'
  fitting = [
      name
      for name, source in SOURCES[architecture].items()
      if source.layout == file.layout
      and first.format(source.names()['stem'][0]) in file.entries
  ]
  if not fitting:
    raise UserError(
        f'{where} does not hold the weights of {architecture} under any known'
        f' naming ({", ".join(SOURCES[architecture])}); its first entries are'
        f' {", ".join(list(file.entries)[:3])}.'
    )
  if len(fitting) > 1:
    fitting = _by_content(fitting, file, md5)
  if len(fitting) > 1:
    raise UserError(
        f'{where} may come from {" or ".join(fitting)}, which differ in padding'
        ' or preprocessing though not in names: say which one with'
        f' --config.backbone.source={fitting[0]}.'
    )
  return fitting[0]


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
    source_name: str, source: Source, file: WeightFile | None
) -> tuple[np.ndarray, np.ndarray]:
  """Mean and std of 0..255 RGB, `[3]` float64 each.

  Keras computes (x / 255 - mean) / max(sqrt(variance), 1e-7) with the values of
  its normalization layer and, only where the network was built with
  weights='imagenet', divides by sqrt(std) once more (the published file holds
  the standard deviation where the variance belongs).
  """
  mean, std = np.asarray(source.mean), np.asarray(source.std)
  if source.layout != 'keras' or file is None:
    return mean, std
  stored = {
      key: np.ravel(file.entries.get(f'normalization/{key}', default))
      for key, default in (('mean', 0.0), ('variance', 1.0))
  }
  mean = np.broadcast_to(255.0 * stored['mean'].astype(np.float64), 3)
  variance = stored['variance'].astype(np.float64)
  std = np.broadcast_to(255.0 * np.maximum(np.sqrt(variance), 1e-7), 3)
  if source_name == 'keras_imagenet':
    std = std * np.sqrt(np.asarray(_IMAGENET_STD))
  return mean, std

"""What each project calls the layers of a network.

Every function maps our layers to the (convolution, batch norm or None) names of
one project's files, the first layer of the network first.
"""

from collections.abc import Iterator

from heterojax.backbones import efficientnet
from heterojax.backbones import resnet
from heterojax.backbones import vgg

Names = dict[str, tuple[str, str | None]]


def _blocks() -> Iterator[tuple[int, efficientnet.BlockSpec, str]]:
  for index, spec in enumerate(efficientnet.block_specs()):
    yield index, spec, f'blocks.{index}.'


def efficientnet_keras() -> Names:
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


def efficientnet_torchvision() -> Names:
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


def efficientnet_timm() -> Names:
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


def efficientnet_lukemelas() -> Names:
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


def resnet18() -> Names:
  """Names of torchvision, which timm took over."""
  names = {'stem': ('conv1', 'bn1')}
  for index, spec in enumerate(resnet.block_specs()):
    prefix = f'layer{spec.stage + 1}.{spec.repeat}.'
    names |= {
      f'blocks.{index}.first': (f'{prefix}conv1', f'{prefix}bn1'),
      f'blocks.{index}.second': (f'{prefix}conv2', f'{prefix}bn2'),
      f'blocks.{index}.shortcut': (
        f'{prefix}downsample.0',
        f'{prefix}downsample.1',
      ),
    }
  return names | {'classifier': ('fc', None)}


def _vgg16(convolutions: list[str], top: tuple[str, str, str]) -> Names:
  names = {f'convs.{i}': (name, None) for i, name in enumerate(convolutions)}
  return names | {
    layer: (name, None) for layer, name in zip(vgg.TOP, top, strict=True)
  }


def vgg16_keras() -> Names:
  convolutions = [
    f'block{block}_conv{i + 1}'
    for block, stage in enumerate(vgg.STAGES, 1)
    for i in range(stage.convolutions)
  ]
  return _vgg16(convolutions, ('fc1', 'fc2', 'predictions'))


def _vgg16_features() -> list[str]:
  # PyTorch counts the activations and pools between the convolutions too.
  names, position = [], 0
  for stage in vgg.STAGES:
    for _ in range(stage.convolutions):
      names.append(f'features.{position}')
      position += 2
    position += 1
  return names


def vgg16_torchvision() -> Names:
  top = ('classifier.0', 'classifier.3', 'classifier.6')
  return _vgg16(_vgg16_features(), top)


def vgg16_timm() -> Names:
  top = ('pre_logits.fc1', 'pre_logits.fc2', 'head.fc')
  return _vgg16(_vgg16_features(), top)

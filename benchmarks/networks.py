"""The networks that features are computed with, equal weights on every side.

All but EfficientNet-Lite0 have random weights: time does not depend on them.
"""

import atexit
import contextlib
import functools
import os
import pathlib
from typing import Any

import numpy as np

from benchmarks import sides

B0, LITE0 = 'efficientnet_b0', 'efficientnet_lite0'
# Name to whose weights ours reads.
SOURCES = {
  B0: 'timm',
  LITE0: 'lukemelas',
  'resnet18': 'torchvision',
  'vgg16': 'torchvision',
}
# Images of a run in the quick suite and in the full one, fewer where one costs
# more.
NUMBER = {
  B0: (128, 256),
  LITE0: (128, 256),
  'resnet18': (64, 128),
  'vgg16': (16, 64),
}
WEIGHTS, KERAS_WEIGHTS = 'weights.pth', 'keras.weights.h5'
ONNX = 'network.onnx'
_UNTIL_EXIT = contextlib.ExitStack()
atexit.register(_UNTIL_EXIT.close)
_TOPS = ('avgpool', 'fc', 'classifier')


def images(scale: sides.Scale, name: str) -> np.ndarray:
  """`[N, 224, 224, 3]` float32 of 0..255."""
  number = NUMBER[name][scale.full]
  rng = np.random.default_rng(0)
  x = rng.integers(0, 256, (number, 224, 224, 3))
  return x.astype(np.float32)


def normalised(scale: sides.Scale, name: str) -> np.ndarray:
  """`[N, 3, H, W]`: peers are spared what ours does inside its program."""
  x = images(scale, name)
  if name == LITE0:
    x = (x - 127) / 128
  else:
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = (x / 255 - mean) / std
  return np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32)


def of_ours(
  name: str,
  shape: tuple[int, ...],
  weights: pathlib.Path | None = None,
  source: str = 'auto',
) -> tuple[Any, Any]:
  """The backbone, and what runs a batch of it, compiled for this process.

  Compiled once for all turns, as a study does for all of its images.
  """
  from heterojax import backbones
  from heterojax.compute import forward

  backbone = backbones.load(name, weights, source, top=False)
  apply = functools.partial(backbones.apply, backbone.graphdef, 'pooled')
  batches = forward.batches(apply, backbone.params, shape)
  return backbone, _UNTIL_EXIT.enter_context(batches)


def of_torch(name: str) -> Any:
  """Images `[B, 3, H, W]` to pooled features; `whole` has the weights."""
  import torch

  torch.manual_seed(0)
  if name == B0:
    import timm

    whole = timm.create_model(name)
    features = whole.forward_features
  elif name == LITE0:
    import efficientnet_lite_pytorch

    from heterojax.backbones import efficientnet
    from heterojax.backbones import imagenet

    whole = efficientnet_lite_pytorch.EfficientNet.from_name(
      'efficientnet-lite0'
    )
    lite0 = efficientnet.LITE0
    path, _ = imagenet.locate(lite0.name, lite0.published, download=False)
    whole.load_state_dict(torch.load(path))
    features = whole.extract_features
  else:
    import torchvision

    whole = getattr(torchvision.models, name)()
    parts = [m for n, m in whole.named_children() if n not in _TOPS]
    features = torch.nn.Sequential(*parts)

  class Pooled(torch.nn.Module):
    def __init__(self):
      super().__init__()
      self.whole = whole

    def forward(self, x):
      return features(x).mean((2, 3))

  return Pooled().eval()


def of_keras(pooling: str | None = 'avg') -> Any:
  """EfficientNet-B0 of Keras on TensorFlow."""
  os.environ['KERAS_BACKEND'] = 'tensorflow'
  import keras

  keras.utils.set_random_seed(0)
  return keras.applications.EfficientNetB0(
    include_top=False,
    weights=None,
    pooling=pooling,
    input_shape=(224, 224, 3),
  )


def write(scale: sides.Scale, *, name: str) -> None:
  """The weights and the graph of `of_torch` for all sides."""
  import torch

  network = of_torch(name)
  torch.save(network.whole.state_dict(), scale.folder / WEIGHTS)
  torch.onnx.export(
    network,
    (torch.zeros(2, 3, 224, 224),),
    str(scale.folder / ONNX),
    input_names=['x'],
    output_names=['y'],
    dynamic_axes={'x': {0: 'n'}, 'y': {0: 'n'}},
    dynamo=False,
  )

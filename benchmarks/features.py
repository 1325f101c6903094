"""Pooled features of the backbones, 224 pixels, equal weights on every side.

All but EfficientNet-Lite0 have random weights: time does not depend on them.
"""

from collections.abc import Callable
import contextlib
import functools
import os
from typing import Any

import numpy as np

from benchmarks import sides

_B0, _LITE0 = 'efficientnet_b0', 'efficientnet_lite0'
# Name to whose weights ours reads.
_NETWORKS = {
    _B0: 'timm',
    _LITE0: 'lukemelas',
    'resnet18': 'torchvision',
    'vgg16': 'torchvision',
}
# Images of a run, fewer where one costs more; four times as many in full.
_NUMBER = {_B0: 64, _LITE0: 64, 'resnet18': 32, 'vgg16': 16}
_BATCH = 16
_KERAS_FILE = 'keras.weights.h5'
_UNTIL_EXIT = contextlib.ExitStack()


def _images(scale: sides.Scale, name: str) -> np.ndarray:
  number = _NUMBER[name] * (4 if scale.full else 1)
  rng = np.random.default_rng(0)
  x = rng.integers(0, 256, (number, 224, 224, 3))
  return x.astype(np.float32)


def _torch_network(name: str) -> Any:
  """Images `[B, 3, H, W]` to pooled features, and its whole state."""
  import torch

  torch.manual_seed(0)
  if name == _B0:
    import timm

    whole = timm.create_model(name)
    features = whole.forward_features
  elif name == _LITE0:
    import efficientnet_lite_pytorch
    from heterojax.backbones import imagenet

    whole = efficientnet_lite_pytorch.EfficientNet.from_name(
        'efficientnet-lite0'
    )
    path, _ = imagenet.locate(name, download=False)
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


_TOPS = ('avgpool', 'fc', 'classifier')


def _prepare(scale: sides.Scale, *, name: str) -> None:
  import torch

  network = _torch_network(name)
  torch.save(network.whole.state_dict(), scale.folder / 'weights.pth')
  torch.onnx.export(
      network,
      (torch.zeros(2, 3, 224, 224),),
      str(scale.folder / 'network.onnx'),
      input_names=['x'],
      output_names=['y'],
      dynamic_axes={'x': {0: 'n'}, 'y': {0: 'n'}},
      dynamo=False,
  )
  if name == _B0:
    os.environ['KERAS_BACKEND'] = 'tensorflow'
    try:
      _keras_network().save_weights(scale.folder / _KERAS_FILE)
    except ImportError:
      pass  # Its side says that it is missing.


def _keras_network() -> Any:
  import keras

  keras.utils.set_random_seed(0)
  return keras.applications.EfficientNetB0(
      include_top=False, weights=None, pooling='avg', input_shape=(224, 224, 3)
  )


def _ours(scale: sides.Scale, *, name: str) -> sides.Side:
  sides.start_ours()
  from heterojax import backbones
  from heterojax import forward

  x = _images(scale, name)

  def started(file: str, source: str) -> Callable[[np.ndarray], np.ndarray]:
    """Compiled once for all turns, as a study does for all of its images."""
    backbone = backbones.load(name, scale.folder / file, source, top=False)
    apply = functools.partial(backbones.apply, backbone.graphdef, 'pooled')
    shape = (_BATCH, *x.shape[1:])
    run = _UNTIL_EXIT.enter_context(
        forward.batches(apply, backbone.params, shape)
    )

    def features(x: np.ndarray) -> np.ndarray:
      starts = range(0, len(x), _BATCH)
      waits = [run(x[i : i + _BATCH], _BATCH) for i in starts]
      return np.concatenate([wait() for wait in waits])

    return features

  results = {}
  if (scale.folder / _KERAS_FILE).exists():
    results['keras'] = started(_KERAS_FILE, 'keras')(x[:_BATCH])
  features = started('weights.pth', _NETWORKS[name])
  return sides.Side(lambda: results | {'features': features(x)})


def _flax(scale: sides.Scale, *, name: str) -> sides.Side:
  """The same network with Flax's own depthwise convolution, in one program."""
  sides.start_ours()
  from flax import nnx
  from heterojax import backbones
  from heterojax.backbones import depthwise
  import jax

  def convolve(x, kernel, stride):
    channels = kernel.shape[-1]
    layer = nnx.Conv(
        channels, channels, kernel.shape[:2], strides=stride, padding='VALID',
        feature_group_count=channels, use_bias=False, rngs=nnx.Rngs(0),
    )  # pyformat: disable
    layer.kernel[...] = kernel[:, :, None]
    return layer(x)

  depthwise.convolve = convolve
  backbone = backbones.load(
      name, scale.folder / 'weights.pth', _NETWORKS[name], top=False
  )
  x = _images(scale, name)[:8]
  apply = jax.jit(
      functools.partial(backbones.apply, backbone.graphdef, 'pooled')
  )
  return sides.Side(
      lambda: {'features': np.asarray(apply(backbone.params, x))},
      len(x) / len(_images(scale, name)),
  )


def _normalised(scale: sides.Scale, name: str) -> np.ndarray:
  """`[N, 3, H, W]`: peers are spared what ours does inside its program."""
  x = _images(scale, name)
  if name == _LITE0:
    x = (x - 127) / 128
  else:
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = (x / 255 - mean) / std
  return np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32)


def _best_batch(
    forward: Callable[[np.ndarray], np.ndarray], x: np.ndarray
) -> sides.Side:
  """A run in the batch size, of four, that was fastest at first."""
  import time

  seconds, tried = {}, x[:32]
  for size in (1, 2, 8, len(tried)):
    forward(tried[:size])  # What is done once for a size does not count.
    start = time.perf_counter()
    for i in range(0, len(tried), size):
      forward(tried[i : i + size])
    seconds[size] = time.perf_counter() - start
  size = min(seconds, key=seconds.get)

  def once() -> sides.Result:
    parts = [forward(x[i : i + size]) for i in range(0, len(x), size)]
    return {'features': np.concatenate(parts), 'batch_size': np.array(size)}

  return sides.Side(once)


def _onnxruntime(scale: sides.Scale, *, name: str) -> sides.Side:
  import onnxruntime

  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = sides.threads()
  session = onnxruntime.InferenceSession(
      scale.folder / 'network.onnx', options, providers=['CPUExecutionProvider']
  )
  x = _normalised(scale, name)
  return _best_batch(lambda part: session.run(None, {'x': part})[0], x)


def _openvino(scale: sides.Scale, *, name: str) -> sides.Side:
  import openvino

  # Else it computes in bfloat16 where the processor can.
  network = openvino.Core().compile_model(
      scale.folder / 'network.onnx',
      'CPU',
      {
          'INFERENCE_NUM_THREADS': sides.threads(),
          'INFERENCE_PRECISION_HINT': 'f32',
          'PERFORMANCE_HINT': 'LATENCY',
      },
  )
  x = _normalised(scale, name)
  return _best_batch(lambda part: np.array(network(part)[0]), x)


def _torch(scale: sides.Scale, *, name: str) -> sides.Side:
  import torch

  torch.set_num_threads(sides.threads())
  network = _torch_network(name)
  network.whole.load_state_dict(torch.load(scale.folder / 'weights.pth'))
  network = network.to(memory_format=torch.channels_last)

  def forward(part: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
      images = torch.from_numpy(part)
      return network(images.to(memory_format=torch.channels_last)).numpy()

  return _best_batch(forward, _normalised(scale, name))


def _keras(scale: sides.Scale, *, name: str) -> sides.Side:
  os.environ['KERAS_BACKEND'] = 'tensorflow'
  network = _keras_network()
  network.load_weights(scale.folder / _KERAS_FILE)
  x = _images(scale, name)
  return sides.Side(
      lambda: {'keras': network.predict(x, verbose=0)}
  )


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  key = 'keras' if 'keras' in theirs else 'features'
  number = min(len(ours[key]), len(theirs[key]))
  quality = {
      'relative_error': sides.relative_error(
          ours[key][:number], theirs[key][:number]
      )
  }
  if 'batch_size' in theirs:
    quality['their_batch_size'] = float(theirs['batch_size'])
  return quality


def _case(name: str, peers: dict[str, Callable[..., sides.Side]]) -> sides.Case:
  bound = {
      side: functools.partial(make, name=name)
      for side, make in {'ours': _ours, **peers}.items()
  }
  number = _NUMBER[name]
  return sides.Case(
      f'features of {number} images (full: {4 * number})',
      bound,
      _quality,
      functools.partial(_prepare, name=name),
  )


_PEERS = {'onnxruntime': _onnxruntime, 'openvino': _openvino, 'torch': _torch}
CASES = {
    f'features/{_B0}': _case(
        _B0, {**_PEERS, 'keras': _keras, 'flax': _flax}
    ),
    **{
        f'features/{name}': _case(name, _PEERS)
        for name in _NETWORKS
        if name != _B0
    },
}

"""Pooled features of the backbones, 224 pixels.

Keras writes its weights as it sets up. All sides set up before any runs, so
that ours reads them when its last run is over.
"""

from collections.abc import Callable
import functools
import shutil
import time

import numpy as np

from benchmarks import networks
from benchmarks import sides

_BATCH = 16
_Forward = Callable[[np.ndarray], np.ndarray]


def _ours(scale: sides.Scale, *, name: str) -> sides.Side:
  sides.start_ours()
  x = networks.images(scale, name)

  def started(file: str, source: str) -> _Forward:
    shape = (_BATCH, *x.shape[1:])
    _, run = networks.of_ours(name, shape, scale.folder / file, source)

    def features(x: np.ndarray) -> np.ndarray:
      starts = range(0, len(x), _BATCH)
      waits = [run(x[i : i + _BATCH], _BATCH) for i in starts]
      return np.concatenate([wait() for wait in waits])

    return features

  compiled = []

  def run() -> np.ndarray:
    if not compiled:
      compiled.append(started(networks.WEIGHTS, networks.SOURCES[name]))
    return compiled[0](x)

  def compared(features: np.ndarray) -> sides.Result:
    result = {'features': features}
    if (scale.folder / networks.KERAS_WEIGHTS).exists():
      other = started(networks.KERAS_WEIGHTS, 'keras')
      result['keras'] = other(x[:_BATCH])
    return result

  return sides.Side(run, compared=compared)


def _flax(scale: sides.Scale, *, name: str) -> sides.Side:
  """The same network with Flax's own depthwise convolution, in one program."""
  sides.start_ours()
  from flax import nnx
  import jax

  from heterojax import backbones
  from heterojax.backbones import depthwise

  def convolve(x, kernel, stride):
    channels = kernel.shape[-1]
    layer = nnx.Conv(
      channels,
      channels,
      kernel.shape[:2],
      strides=stride,
      padding='VALID',
      feature_group_count=channels,
      use_bias=False,
      rngs=nnx.Rngs(0),
    )
    layer.kernel[...] = kernel[:, :, None]
    return layer(x)

  depthwise.convolve = convolve
  x = networks.images(scale, name)
  whole, size = len(x), 8 if scale.full else 2
  x = x if scale.full else x[:size]
  compiled = []

  def run() -> sides.Result:
    if not compiled:
      backbone = backbones.load(
        name,
        scale.folder / networks.WEIGHTS,
        networks.SOURCES[name],
        top=False,
      )
      apply = functools.partial(backbones.apply, backbone.graphdef, 'pooled')
      compiled.append(functools.partial(jax.jit(apply), backbone.params))
    starts = range(0, len(x), size)
    parts = [compiled[0](x[i : i + size]) for i in starts]
    return {'features': np.concatenate(parts)}

  return sides.Side(run, len(x) / whole)


def _best_batch(start: Callable[[], _Forward], x: np.ndarray) -> sides.Side:
  """A side whose first run finds which batch size is the fastest of four."""
  chosen: list[tuple[_Forward, int]] = []

  def choose() -> None:
    forward, seconds = start(), {}
    tried = x[: max(4, len(x) // 4)]
    for size in {1, 2, min(8, len(tried)), len(tried)}:
      forward(tried[:size])  # What is done once for a size does not count.
      begin = time.perf_counter()
      for i in range(0, len(tried), size):
        forward(tried[i : i + size])
      seconds[size] = time.perf_counter() - begin
    chosen.append((forward, min(seconds, key=seconds.get)))

  def run() -> sides.Result:
    if not chosen:
      choose()
      return {}
    forward, size = chosen[0]
    parts = [forward(x[i : i + size]) for i in range(0, len(x), size)]
    return {'features': np.concatenate(parts), 'batch_size': np.array(size)}

  return sides.Side(run)


def _onnxruntime(scale: sides.Scale, *, name: str) -> sides.Side:
  import onnxruntime

  def start() -> _Forward:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = sides.threads()
    session = onnxruntime.InferenceSession(
      scale.folder / networks.ONNX,
      options,
      providers=['CPUExecutionProvider'],
    )
    return lambda part: session.run(None, {'x': part})[0]

  return _best_batch(start, networks.normalised(scale, name))


def _openvino(scale: sides.Scale, *, name: str) -> sides.Side:
  import openvino

  # Else it computes in bfloat16 where the processor can.
  options = {
    'INFERENCE_NUM_THREADS': sides.threads(),
    'INFERENCE_PRECISION_HINT': 'f32',
    'PERFORMANCE_HINT': 'LATENCY',
  }

  def start() -> _Forward:
    file = scale.folder / networks.ONNX
    network = openvino.Core().compile_model(file, 'CPU', options)
    return lambda part: np.array(network(part)[0])

  return _best_batch(start, networks.normalised(scale, name))


def _torch(
  scale: sides.Scale, *, name: str, compiled: bool = False
) -> sides.Side:
  import torch

  if compiled and not any(map(shutil.which, ('g++', 'clang++', 'c++'))):
    raise FileNotFoundError('inductor needs a C++ compiler')
  torch.set_num_threads(sides.threads())
  network = networks.of_torch(name)
  weights = torch.load(scale.folder / networks.WEIGHTS)
  network.whole.load_state_dict(weights)
  network = network.to(memory_format=torch.channels_last)
  if compiled:
    network = torch.compile(network, options={'freezing': True})

  def forward(part: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
      images = torch.from_numpy(part)
      return network(images.to(memory_format=torch.channels_last)).numpy()

  return _best_batch(lambda: forward, networks.normalised(scale, name))


def _keras(scale: sides.Scale, *, name: str) -> sides.Side:
  network = networks.of_keras()
  network.save_weights(scale.folder / networks.KERAS_WEIGHTS)
  x = networks.images(scale, name)
  return sides.Side(lambda: {'keras': network.predict(x, verbose=0)})


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
  quick, full = networks.NUMBER[name]
  return sides.Case(
    f'features of {quick} images (full: {full})',
    bound,
    _quality,
    functools.partial(networks.write, name=name),
    # A turn of the largest takes seconds.
    turns=(1, 5) if name == 'vgg16' else (3, 7),
    full_only=[side for side in _FOR_THE_RECORD if side in peers],
  )


_PEERS = {
  'onnxruntime': _onnxruntime,
  'openvino': _openvino,
  'torch': _torch,
  'torch/inductor': functools.partial(_torch, compiled=True),
}
_FOR_THE_RECORD = (*list(_PEERS)[1:], 'keras', 'flax')
CASES = {
  f'features/{networks.B0}': _case(
    networks.B0, {**_PEERS, 'keras': _keras, 'flax': _flax}
  ),
  **{
    f'features/{name}': _case(name, _PEERS)
    for name in networks.SOURCES
    if name != networks.B0
  },
}

"""Writes blocks.npz: single EfficientNet blocks as Keras and torchvision run.

python tests/goldens/generate_blocks.py, with the extra `parity` installed.
Inputs, weights under the names of their files, and outputs are all stored, so
that the golden does not hang on a random generator.
"""

import os
import pathlib

os.environ['KERAS_BACKEND'] = 'jax'

import keras
from keras.src.applications import efficientnet
import numpy as np
import torch
from torchvision.models import efficientnet as torch_efficientnet

# Block of the network, its Keras prefix, and an input size. 2a and 3a stride
# over an even size, which Keras pads asymmetrically; 9 is an odd one.
BLOCKS = (
  (0, 'block1a_', 8),
  (1, 'block2a_', 8),
  (3, 'block3a_', 8),
  (3, 'block3a_', 9),
  (4, 'block3b_', 6),
)
# kernel, stride, in, out, expansion
SPECS = {
  0: (3, 1, 32, 16, 1),
  1: (3, 2, 16, 24, 6),
  3: (5, 2, 24, 40, 6),
  4: (5, 1, 40, 40, 6),
}


def keras_block(rng, index, prefix, size, out, case):
  kernel, stride, width, filters, expansion = SPECS[index]
  inputs = keras.Input((size, size, width))
  outputs = efficientnet.block(
    inputs,
    'swish',
    0.0,
    name=prefix,
    filters_in=width,
    filters_out=filters,
    kernel_size=kernel,
    strides=stride,
    expand_ratio=expansion,
    se_ratio=0.25,
  )
  model = keras.Model(inputs, outputs)
  names = {
    'Conv2D': ('kernel', 'bias'),
    'DepthwiseConv2D': ('depthwise_kernel',),
    'BatchNormalization': ('gamma', 'beta', 'moving_mean', 'moving_variance'),
  }
  for layer in model.layers:
    values = [
      rng.uniform(0.5, 1.5, w.shape)
      if layer.name.endswith('bn')
      else rng.normal(0, 0.3, w.shape)
      for w in layer.get_weights()
    ]
    if not values:
      continue
    layer.set_weights(values)
    for name, value in zip(names[type(layer).__name__], layer.get_weights()):
      out[f'{case}/weights/{layer.name}/{name}'] = value
  x = rng.normal(0, 1, (1, size, size, width)).astype(np.float32)
  out[f'{case}/x'] = x
  out[f'{case}/y'] = np.asarray(model(x, training=False))


def torchvision_block(rng, index, size, out, case):
  kernel, stride, width, filters, expansion = SPECS[index]
  config = torch_efficientnet.MBConvConfig(
    expansion, kernel, stride, width, filters, 1
  )
  norm = torch.nn.BatchNorm2d
  block = torch_efficientnet.MBConv(config, 0.0, norm).eval()
  stage = {1: 'features.2.0', 3: 'features.3.0'}[index]
  state = block.state_dict()
  for name, value in state.items():
    if value.dtype == torch.float32:
      low_high = rng.uniform(0.5, 1.5, value.shape)
      drawn = low_high if value.ndim == 1 else rng.normal(0, 0.3, value.shape)
      state[name] = torch.from_numpy(np.asarray(drawn, np.float32))
      out[f'{case}/weights/{stage}.{name}'] = state[name].numpy()
  block.load_state_dict(state)
  x = rng.normal(0, 1, (1, size, size, width)).astype(np.float32)
  out[f'{case}/x'] = x
  with torch.no_grad():
    y = block(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
  out[f'{case}/y'] = y.transpose(0, 2, 3, 1)


def main():
  rng = np.random.default_rng(0)
  out = {}
  for index, prefix, size in BLOCKS:
    keras_block(rng, index, prefix, size, out, f'keras/{index}/{size}')
  for index in (1, 3):
    torchvision_block(rng, index, 8, out, f'torchvision/{index}/8')
  path = pathlib.Path(__file__).with_name('blocks.npz')
  np.savez_compressed(
    path, **{k: np.asarray(v, np.float32) for k, v in out.items()}
  )


if __name__ == '__main__':
  main()

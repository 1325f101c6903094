"""Layers of the frozen convolutional networks, with batch norm folded in.

Axes: B batch, H height, W width, C channels. Everything is NHWC, and kernels
are stored as Keras stores them (HWIO), depthwise ones as `[H, W, C]`.
"""

from collections.abc import Callable
from typing import Literal

from flax import nnx
import jax
import jax.numpy as jnp

Padding = Literal['same', 'symmetric']


def silu(x: jax.Array) -> jax.Array:
  # x * sigmoid(x); the tanh form is one vectorised call on every backend.
  half = 0.5 * x
  return half + half * jnp.tanh(half)


def sigmoid(x: jax.Array) -> jax.Array:
  return 0.5 + 0.5 * jnp.tanh(0.5 * x)


def relu6(x: jax.Array) -> jax.Array:
  return jnp.clip(x, 0.0, 6.0)


def pad(
    x: jax.Array, kernel_size: int, stride: int, padding: Padding
) -> jax.Array:
  """Zero-pads `[B, H, W, C]` so that a VALID window gives ceil(size / stride).

  Args:
    x: `[B, H, W, C]`.
    kernel_size: side of the square window.
    stride: of the window.
    padding: 'same' is TensorFlow's rule, which puts the odd row or column at
      the bottom and right (Keras' `correct_pad` for EfficientNet is the same);
      'symmetric' is PyTorch's `padding=(kernel_size - 1) // 2`.

  Returns:
    The padded images.
  """

  def amounts(size: int) -> tuple[int, int]:
    if padding == 'symmetric':
      return ((kernel_size - 1) // 2,) * 2
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2

  return jnp.pad(
      x, ((0, 0), amounts(x.shape[1]), amounts(x.shape[2]), (0, 0))
  )


def _depthwise(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  """VALID depthwise convolution of padded `[B, H, W, C]` by `[h, w, C]`."""
  if jax.default_backend() != 'cpu':
    return jax.lax.conv_general_dilated(
        x,
        kernel[:, :, None, :],
        (stride, stride),
        'VALID',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        feature_group_count=x.shape[-1],
    )
  # XLA's grouped convolution on CPU is 45 to 100 times slower than a sum of
  # shifted products, which fuses into one loop over the channels.
  size = kernel.shape[0]
  height, width = ((n - size) // stride + 1 for n in x.shape[1:3])
  total = 0.0
  for i in range(size):
    for j in range(size):
      window = x[
          :,
          i : i + (height - 1) * stride + 1 : stride,
          j : j + (width - 1) * stride + 1 : stride,
      ]
      total += window * kernel[None, None, None, i, j]
  return total


class Conv(nnx.Module):
  """Dense convolution with bias; a 1 x 1 kernel is a matrix product.

  Attributes:
    kernel: `[h, w, C_in, C_out]`.
    bias: `[C_out]`.
  """

  def __init__(
      self,
      features_in: int,
      features_out: int,
      *,
      kernel_size: int = 1,
      stride: int = 1,
      padding: Padding = 'same',
  ):
    self.kernel = nnx.Param(
        jnp.zeros((kernel_size, kernel_size, features_in, features_out))
    )
    self.bias = nnx.Param(jnp.zeros(features_out))
    self.stride, self.padding = stride, padding

  def __call__(self, x: jax.Array) -> jax.Array:
    kernel = self.kernel[...]
    bias = self.bias[...][None, None, None]
    if kernel.shape[:2] == (1, 1):
      return x @ kernel[0, 0] + bias
    x = pad(x, kernel.shape[0], self.stride, self.padding)
    strides = (self.stride, self.stride)
    dimensions = ('NHWC', 'HWIO', 'NHWC')
    return bias + jax.lax.conv_general_dilated(
        x, kernel, strides, 'VALID', dimension_numbers=dimensions
    )


class DepthwiseConv(nnx.Module):
  """One `[h, w]` filter per channel, with bias.

  Attributes:
    kernel: `[h, w, C]`.
    bias: `[C]`.
  """

  def __init__(
      self, features: int, *, kernel_size: int, stride: int, padding: Padding
  ):
    self.kernel = nnx.Param(jnp.zeros((kernel_size, kernel_size, features)))
    self.bias = nnx.Param(jnp.zeros(features))
    self.stride, self.padding = stride, padding

  def __call__(self, x: jax.Array) -> jax.Array:
    kernel = self.kernel[...]
    x = pad(x, kernel.shape[0], self.stride, self.padding)
    return _depthwise(x, kernel, self.stride) + self.bias[...][None, None, None]


class SqueezeExcite(nnx.Module):
  """Rescales channels by a gate computed from their means (Hu et al. 2018)."""

  def __init__(self, features: int, reduced: int, activation: Callable):
    self.reduce = Conv(features, reduced)
    self.expand = Conv(reduced, features)
    self.activation = activation

  def __call__(self, x: jax.Array) -> jax.Array:
    means = jnp.mean(x, axis=(1, 2), keepdims=True)
    return x * sigmoid(self.expand(self.activation(self.reduce(means))))


class Dense(nnx.Module):
  """`[B, C_in]` to `[B, C_out]`."""

  def __init__(self, features_in: int, features_out: int):
    self.kernel = nnx.Param(jnp.zeros((features_in, features_out)))
    self.bias = nnx.Param(jnp.zeros(features_out))

  def __call__(self, x: jax.Array) -> jax.Array:
    return x @ self.kernel[...] + self.bias[...][None]

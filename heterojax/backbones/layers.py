"""Layers of the convolutional networks, batch norm folded in or kept.

Axes: B batch, H height, W width, C channels. Everything is NHWC, and kernels
are stored as Keras stores them (HWIO), depthwise ones as `[H, W, C]`.
"""

from collections.abc import Callable, Sequence
import functools
from typing import Literal

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np

from heterojax.backbones import depthwise
from heterojax.backbones import forms
from heterojax.backbones import strided
from heterojax.backbones import winograd
from heterojax.backbones.batch_norm import BatchNorm
from heterojax.backbones.batch_norm import Norm

Padding = Literal['same', 'symmetric', 'valid']


def silu(x: jax.Array) -> jax.Array:
  # x * sigmoid(x); the tanh form is one vectorised call on every backend.
  half = 0.5 * x
  return half + half * jnp.tanh(half)


def sigmoid(x: jax.Array) -> jax.Array:
  return 0.5 + 0.5 * jnp.tanh(0.5 * x)


@jax.custom_jvp
def relu6(x: jax.Array) -> jax.Array:
  return jnp.clip(x, 0.0, 6.0)


@relu6.defjvp
def _relu6_slope(primals, tangents):
  # 0 at both kinks, as in PyTorch; the halves of jnp.clip take far longer.
  (x,), (slope,) = primals, tangents
  return relu6(x), jnp.where((x > 0) & (x < 6), slope, jnp.zeros_like(slope))


def pad(
  x: jax.Array, kernel_size: int, stride: int, padding: Padding
) -> jax.Array:
  """Zero-pads `[B, H, W, C]` so that a VALID window gives ceil(size / stride).

  But for 'valid', which pads nothing and gives what fits: of patches.

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

  if padding == 'valid':
    return x

  def amounts(size: int) -> tuple[int, int]:
    if padding == 'symmetric':
      return (kernel_size - 1) // 2, (kernel_size - 1) // 2
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2

  return jnp.pad(x, ((0, 0), amounts(x.shape[1]), amounts(x.shape[2]), (0, 0)))


def in_turn(blocks: Sequence[nnx.Module], x: jax.Array) -> jax.Array:
  for block in blocks:
    x = block(x)
  return x


def image_by_image(
  function: Callable[[jax.Array], jax.Array], x: jax.Array
) -> jax.Array:
  """Applies what treats images alone to `[B, H, W, C]`.

  On CPU to one after another, so that large maps of one stay in the cache.
  """
  if forms.are_of_cpu():
    return jax.lax.map(lambda image: function(image[None])[0], x)
  return function(x)


@jax.custom_jvp
def image_mean(x: jax.Array) -> jax.Array:
  """Mean over the image, `[B, H, W, C]` to `[B, 1, 1, C]`.

  On CPU as products with ones, a row at a time so that long sums stay exact:
  XLA fuses what comes before into a sum, and vectorises neither.
  """
  if forms.are_of_cpu() and x.dtype == jnp.float32:
    batch, height, width, channels = x.shape
    rows = jnp.ones((batch * height, 1, width)) @ x.reshape(-1, width, channels)
    total = jnp.ones((batch, 1, height)) @ rows.reshape(-1, height, channels)
    return total[:, :, None] / (height * width)
  return jnp.mean(x, axis=(1, 2), keepdims=True)


@image_mean.defjvp
def _image_mean_slope(primals, tangents):
  # Not through the sum of slices, whose transpose is a sum of padded images.
  (x,), (slope,) = primals, tangents
  return image_mean(x), jnp.mean(slope, axis=(1, 2), keepdims=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def max_pool(
  x: jax.Array, size: int, stride: int, margin: int = 0
) -> jax.Array:
  """Largest of each window of `[B, H, W, C]`; the margin never is.

  On CPU XLA is three times as fast with the maximum of slices, along one axis
  and then the other.
  """
  if not forms.are_of_cpu():
    return _reduced_windows(x, size, stride, margin)
  around = (margin, margin)
  x = jnp.pad(x, ((0, 0), around, around, (0, 0)), constant_values=-jnp.inf)
  for axis in (1, 2):
    stop = (x.shape[axis] - size) // stride * stride + 1
    x = functools.reduce(
      jnp.maximum,
      [jax.lax.slice_in_dim(x, k, k + stop, stride, axis) for k in range(size)],
    )
  return x


@max_pool.defjvp
def _max_pool_slope(size, stride, margin, primals, tangents):
  # To the first of equal numbers; the maximum of slices would divide it.
  return jax.jvp(
    lambda x: _reduced_windows(x, size, stride, margin), primals, tangents
  )


def _reduced_windows(
  x: jax.Array, size: int, stride: int, margin: int
) -> jax.Array:
  around = (margin, margin)
  return jax.lax.reduce_window(
    x,
    -jnp.inf,
    jax.lax.max,
    (1, size, size, 1),
    (1, stride, stride, 1),
    ((0, 0), around, around, (0, 0)),
  )


class _Convolution(nnx.Module):
  """What a kernel gives, with a bias or the batch norm that makes one useless.

  Attributes:
    kernel: see `Conv` and `DepthwiseConv`.
    bias: `[C_out]`, or None with a batch norm.
    norm: batch norm of the output, or None where it is folded or absent.
  """

  def __init__(
    self,
    kernel: tuple[int, ...],
    stride: int,
    padding: Padding,
    norm: Norm | None,
  ):
    features = kernel[-1]
    self.kernel = nnx.Param(jnp.zeros(kernel))
    self.bias = nnx.Param(jnp.zeros(features)) if norm is None else None
    self.norm = None if norm is None else BatchNorm(features, norm)
    self.stride = stride
    self.padding: Padding = padding

  def _padded(self, x: jax.Array) -> jax.Array:
    return pad(x, self.kernel.shape[0], self.stride, self.padding)

  def _finish(self, x: jax.Array) -> jax.Array:
    if self.norm is not None:
      return self.norm(x)
    return x if self.bias is None else x + self.bias[...][None, None, None]


class Conv(_Convolution):
  """Dense convolution; a 1 x 1 kernel is a matrix product, strided on CPU only.

  Attributes:
    kernel: `[h, w, C_in, C_out]`.
    points: `[36, C_in, C_out]`, the kernel as `winograd` reads it, or None.
  """

  def __init__(
    self,
    features_in: int,
    features_out: int,
    *,
    kernel_size: int = 1,
    stride: int = 1,
    padding: Padding = 'same',
    norm: Norm | None = None,
  ):
    shape = (kernel_size, kernel_size, features_in, features_out)
    super().__init__(shape, stride, padding, norm)
    self.points = nnx.data(None)

  def transform(self) -> None:
    """Makes ready for inference on CPU, where the kernel's form allows it."""
    kernel = np.asarray(self.kernel[...])
    if self.stride == 1 and winograd.suits(kernel.shape):
      self.points = nnx.Param(jax.device_put(winograd.transform(kernel)))

  def __call__(self, x: jax.Array) -> jax.Array:
    kernel = self.kernel[...]
    on_cpu = forms.are_of_cpu()
    # It is too inexact for narrower numbers.
    exact = on_cpu and x.dtype == jnp.float32
    if exact and self.points is not None and self.bias is not None:
      return winograd.convolve(x, self.points[...], self.bias[...])
    # With a stride on CPU alone: at the gradient of a product of every other
    # pixel XLA's compiler for NVIDIA GPUs aborts the process.
    if kernel.shape[:2] == (1, 1) and (on_cpu or self.stride == 1):
      x = x[:, :: self.stride, :: self.stride]
      # Two axes, for of four XLA would turn the images round to get the
      # gradient of the kernel.
      flat = x.reshape(-1, x.shape[-1]) @ kernel[0, 0]
      return self._finish(flat.reshape(*x.shape[:-1], -1))
    x = self._padded(x)
    of_images = self.stride == 2 and kernel.shape[2] == 3
    if on_cpu and of_images and self.norm is None:
      return self._finish(strided.convolve(x, kernel))
    strides = (self.stride, self.stride)
    dimensions = ('NHWC', 'HWIO', 'NHWC')
    return self._finish(
      jax.lax.conv_general_dilated(
        x, kernel, strides, 'VALID', dimension_numbers=dimensions
      )
    )


class DepthwiseConv(_Convolution):
  """One `[h, w]` filter per channel.

  Attributes:
    kernel: `[h, w, C]`.
  """

  def __init__(
    self,
    features: int,
    *,
    kernel_size: int,
    stride: int,
    padding: Padding,
    norm: Norm | None = None,
  ):
    shape = (kernel_size, kernel_size, features)
    super().__init__(shape, stride, padding, norm)

  def __call__(self, x: jax.Array) -> jax.Array:
    x = self._padded(x)
    return self._finish(depthwise.convolve(x, self.kernel[...], self.stride))


class SqueezeExcite(nnx.Module):
  """Rescales channels by a gate computed from their means (Hu et al. 2018)."""

  def __init__(self, features: int, reduced: int, activation: Callable):
    self.reduce = Conv(features, reduced)
    self.expand = Conv(reduced, features)
    self.activation = activation

  def __call__(self, x: jax.Array) -> jax.Array:
    gate = self.expand(self.activation(self.reduce(image_mean(x))))
    return x * sigmoid(gate)


class Dense(nnx.Module):
  """`[B, C_in]` to `[B, C_out]`."""

  def __init__(self, features_in: int, features_out: int):
    self.kernel = nnx.Param(jnp.zeros((features_in, features_out)))
    self.bias = nnx.Param(jnp.zeros(features_out))

  def __call__(self, x: jax.Array) -> jax.Array:
    return x @ self.kernel[...] + self.bias[...][None]


class MapDense(nnx.Module):
  """Whole maps `[B, side, side, C_in]` to `[B, C_out]`.

  Attributes:
    kernel: `[side, side, C_in, C_out]`.
    bias: `[C_out]`.
  """

  def __init__(self, side: int, features_in: int, features_out: int):
    self.kernel = nnx.Param(jnp.zeros((side, side, features_in, features_out)))
    self.bias = nnx.Param(jnp.zeros(features_out))

  def __call__(self, x: jax.Array) -> jax.Array:
    kernel = self.kernel[...]
    flat = x.reshape(x.shape[0], -1) @ kernel.reshape(-1, kernel.shape[-1])
    return flat + self.bias[...][None]

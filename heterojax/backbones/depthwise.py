"""Depthwise convolution, with another form on CPU.

XLA's grouped convolution on CPU is 45 to 100 times slower than a sum of shifted
products, which fuses into one loop over the channels. Neighbouring pixels share
most of what they read, so that the loop is over as many channels as the core's
first cache holds. The gradient of that sum needs care too: XLA reduces to the
few numbers of a kernel some ten times slower than it adds rows, so the rows are
added one after another.

Axes: B batch, H height, W width, C channels, h and w of the kernel.
"""

from typing import Any

import jax
import jax.numpy as jnp

from heterojax.backbones import forms

# Of the kernel and of the pixels under it, bytes.
_CACHED = 45 * 1024
_VECTOR = 16  # Channels.


def convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  """VALID depthwise convolution of padded `[B, H, W, C]` by `[h, w, C]`."""
  if forms.are_of_cpu():
    return _shifted(x, kernel, stride)
  return jax.lax.conv_general_dilated(
    x,
    kernel[:, :, None, :],
    (stride, stride),
    'VALID',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=x.shape[-1],
  )


def _shifted_sum(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  # Else the activation before is computed anew for some of the shifts.
  x = jax.lax.optimization_barrier(x)
  channels = x.shape[-1]
  width = _channels_at_once(kernel.shape, x.dtype.itemsize)
  parts = [
    _shifted_part(x[..., c : c + width], kernel[..., c : c + width], stride)
    for c in range(0, channels, width)
  ]
  return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)


def _channels_at_once(kernel: tuple[int, ...], itemsize: int) -> int:
  """Whole vectors of channels, in parts of about the same number."""
  height, width, channels = kernel
  most = _CACHED // (2 * height * width * itemsize) // _VECTOR * _VECTOR
  parts = -(-channels // max(most, _VECTOR))
  return -(-channels // (parts * _VECTOR)) * _VECTOR


def _shifted_part(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  size = kernel.shape[0]
  height, width = ((n - size) // stride + 1 for n in x.shape[1:3])
  total: Any = 0.0
  for i in range(size):
    for j in range(size):
      window = x[
        :,
        i : i + (height - 1) * stride + 1 : stride,
        j : j + (width - 1) * stride + 1 : stride,
      ]
      total += window * kernel[None, None, None, i, j]
  return total


_shifted = jax.custom_vjp(_shifted_sum, nondiff_argnums=(2,))


def _forward(
  x: jax.Array, kernel: jax.Array, stride: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  return _shifted_sum(x, kernel, stride), (x, kernel)


def _backward(
  stride: int, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
  # Else what comes before would be computed anew for each of the shifts.
  x, kernel, g = jax.lax.optimization_barrier((*saved, g))
  # To x: the gradient, spread out by the stride, against the kernel turned
  # round.
  size = kernel.shape[0]
  around = [
    (size - 1, n - (stride * (m - 1) + 1), stride - 1)
    for n, m in zip(x.shape[1:3], g.shape[1:3], strict=True)
  ]
  spread = jax.lax.pad(
    g, jnp.zeros((), g.dtype), [(0, 0, 0), *around, (0, 0, 0)]
  )
  return (
    _shifted_sum(spread, kernel[::-1, ::-1], 1),
    _kernel_gradient(x, g, size, stride),
  )


def _kernel_gradient(
  x: jax.Array, g: jax.Array, size: int, stride: int
) -> jax.Array:
  """`[h, w, C]`: every product of x and g, summed over images and positions."""
  _, height, width, channels = g.shape
  span = (width - 1) * stride + 1

  def add_row(sums, index):
    b, y = index // height, index % height
    g_row = jax.lax.dynamic_slice(g, (b, y, 0, 0), (1, 1, width, channels))[
      0, 0
    ]
    rows = jax.lax.dynamic_slice(
      x, (b, y * stride, 0, 0), (1, size, x.shape[2], channels)
    )[0]
    products = (
      rows[i, j : j + span : stride] * g_row
      for i in range(size)
      for j in range(size)
    )
    return [s + p for s, p in zip(sums, products, strict=True)], None

  zeros = [jnp.zeros((width, channels), g.dtype)] * size**2
  sums, _ = jax.lax.scan(add_row, zeros, jnp.arange(g.shape[0] * height))
  totals = [jnp.sum(s, axis=0) for s in sums]
  return jnp.stack(totals).reshape(size, size, channels)


_shifted.defvjp(_forward, _backward)

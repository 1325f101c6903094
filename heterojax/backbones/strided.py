"""Convolution of images by a stride of two, as one without a stride.

XLA's convolution on CPU is a fifth to a quarter faster where every 2 x 2 pixels
of three colours have become one of twelve (space to depth).

Axes: B batch, H height, W width, C channels, h and w of the kernel.
"""

import jax
import jax.numpy as jnp


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """VALID convolution of padded `[B, H, W, C_in]` by two pixels at a time.

  Args:
    x: `[B, H, W, C_in]`.
    kernel: `[h, w, C_in, C_out]`, h and w odd.

  Returns:
    `[B, (H - h) // 2 + 1, (W - w) // 2 + 1, C_out]`.
  """
  size, _, channels, features = kernel.shape
  # To even sides; what the last row and column meet is zero in the kernel.
  x = jnp.pad(x, ((0, 0), *((0, n % 2) for n in x.shape[1:3]), (0, 0)))
  kernel = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
  batch, height, width, _ = x.shape
  x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
  x = x.swapaxes(2, 3).reshape(batch, height // 2, width // 2, -1)
  half = (size + 1) // 2
  kernel = kernel.reshape(half, 2, half, 2, channels, features)
  kernel = kernel.swapaxes(1, 2).reshape(half, half, -1, features)
  return jax.lax.conv_general_dilated(
    x, kernel, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )

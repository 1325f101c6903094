"""3 x 3 convolution with a quarter of the products, for inference on CPU.

Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin and Gray, CVPR 2016): inputs
and kernel are polynomials, carried to their values at six points per axis,
where convolution is one product; 6 x 6 inputs give 4 x 4 outputs. Over channels
these are 36 matrix products. Of the points tried, the usual 0, 1, -1, 2, -2 and
infinity give twice the rounding errors of those here, which are exact in binary
(Barabasz et al., ACM TOMS 2020, on the choice of points).

Axes: B batch, H height, W width, C channels; rows and columns of tiles.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_OUTPUTS = 4  # Per tile and axis.
_KERNEL = 3
_SIZE = _OUTPUTS + _KERNEL - 1
_POINTS = np.array([0, 0.75, -0.75, 1.5, -1.5])
# So many tiles at a time stay in a core's cache, and fill a matrix product.
_TILES = 112
# With fewer the carrying to and fro costs what the products save.
_FEWEST_CHANNELS = 32


def _powers(count: int) -> np.ndarray:
  """`[6, count]`: powers of the points; of infinity only the highest."""
  highest = np.eye(count)[-1:]
  return np.concatenate([np.vander(_POINTS, count, increasing=True), highest])


def _inputs_to_points() -> np.ndarray:
  """`[6, 6]`: coefficients of the product of (x - q) over the other points."""
  rows = [np.poly(np.delete(_POINTS, i)) for i in range(len(_POINTS))]
  rows = [np.append(row[::-1], 0) for row in rows]
  return np.stack([*rows, np.poly(_POINTS)[::-1]])


_TO_POINTS = _inputs_to_points()
_TO_OUTPUTS = _powers(_OUTPUTS).T


def suits(shape: tuple[int, ...]) -> bool:
  """Whether it is faster for a kernel `[h, w, C_in, C_out]`."""
  return shape[:2] == (_KERNEL, _KERNEL) and shape[2] >= _FEWEST_CHANNELS


def transform(kernel: np.ndarray) -> np.ndarray:
  """`[3, 3, C_in, C_out]` to what `convolve` takes, `[36, C_in, C_out]`."""
  differences = _POINTS[:, None] - _POINTS + np.eye(len(_POINTS))
  scale = np.append(np.prod(differences, axis=1), 1)
  to_points = _powers(_KERNEL) / scale[:, None]
  points = np.einsum(
    'yh,xw,hwio->xyio', to_points, to_points, kernel, optimize=True
  )
  return points.reshape(_SIZE**2, *kernel.shape[2:]).astype(np.float32)


def convolve(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
  """Convolution by 3 x 3 with a margin of one, and the bias.

  Args:
    x: `[B, H, W, C_in]`.
    kernel: `[36, C_in, C_out]`, see `transform`.
    bias: `[C_out]`.

  Returns:
    `[B, H, W, C_out]`.
  """
  batch, height, width, _ = x.shape
  rows, columns = -(-height // _OUTPUTS), -(-width // _OUTPUTS)
  strips = min(rows, max(1, round(batch * rows * columns / _TILES)))
  all_rows, rows = rows, -(-rows // strips)  # Of all strips, of one.
  strips = -(-all_rows // rows)
  margins = (
    (1, strips * rows * _OUTPUTS + 1 - height),
    (1, columns * _OUTPUTS + 1 - width),
  )
  x = jnp.pad(x, ((0, 0), *margins, (0, 0)))

  def strip(index: jax.Array) -> jax.Array:
    part = jax.lax.dynamic_slice_in_dim(
      x, index * rows * _OUTPUTS, rows * _OUTPUTS + 2, axis=1
    )
    return _tiles(part, kernel, bias, rows, columns)

  if strips == 1:
    y = _tiles(x, kernel, bias, rows, columns)
  else:
    y = jax.lax.map(strip, jnp.arange(strips)).swapaxes(0, 1)
  y = y.reshape(batch, strips * rows * _OUTPUTS, columns * _OUTPUTS, -1)
  return y[:, :height, :width]


def _tiles(
  x: jax.Array, kernel: jax.Array, bias: jax.Array, rows: int, columns: int
) -> jax.Array:
  """`[B, 4 rows + 2, 4 columns + 2, C_in]` to `[B, 4 rows, 4 columns, C_out]`.

  One axis after the other; the point, along which arrays are put together,
  stays far from the channels, which are the inner loop.
  """
  batch = x.shape[0]
  x = jnp.stack(_combine(_TO_POINTS, _every_fourth(x, 1, rows)))
  x = jnp.stack(_combine(_TO_POINTS, _every_fourth(x, 3, columns)))
  y = x.reshape(_SIZE**2, -1, x.shape[-1]) @ kernel
  # Points of columns and of rows, then images, rows and columns of tiles.
  y = y.reshape(_SIZE, _SIZE, batch, rows, columns, -1)
  y = jnp.stack(_combine(_TO_OUTPUTS, [y[:, k] for k in range(_SIZE)]), 3)
  y = jnp.stack(_combine(_TO_OUTPUTS, list(y)), 4)
  y = y.reshape(batch, rows * _OUTPUTS, columns * _OUTPUTS, -1)
  return y + bias[None, None, None]


def _every_fourth(x: jax.Array, axis: int, count: int) -> list[jax.Array]:
  """What stands at each of the six places of `count` tiles along an axis."""
  stop = (count - 1) * _OUTPUTS + 1
  return [
    jax.lax.slice_in_dim(x, k, k + stop, _OUTPUTS, axis) for k in range(_SIZE)
  ]


def _combine(matrix: np.ndarray, parts: Sequence[jax.Array]) -> list[Any]:
  """The matrix times the parts; its zeros cost nothing."""
  return [
    sum(float(c) * part for c, part in zip(row, parts, strict=True) if c)
    for row in matrix
  ]

"""Numbers so large or small that their squares are not, divided by 2^e.

A power of two changes no digit, so that clusters are those of numbers of any
size; what has one is multiplied again.
"""

import jax
from jax import core
import numpy as np

from heterojax.compute import row_blocks


def exponent(
  x: jax.typing.ArrayLike,
  where: np.ndarray | bool = True,
  least: int | None = None,
) -> int:
  """The e by which `x / 2^e` is at most 1 in size, or 0.

  Args:
    x: of any shape; all but float32 counts as float64.
    where: what of it counts, of a shape that broadcasts to that of `x`.
    least: an exponent below which it is not 0 either.

  Returns:
    0 where sums of squares and of products of small differences neither
    overflow nor vanish, so that nothing of `x` need change, and where `x` is
    not finite or not known yet, as while a program is traced.
  """
  if isinstance(x, core.Tracer):
    return 0
  x = np.asarray(x)
  options = {'where': where, 'initial': 0.0}
  largest = max(np.max(x, **options), -np.min(x, **options))
  if not np.isfinite(largest):
    return 0
  e = int(np.frexp(largest)[1])
  dtype = np.float32 if x.dtype == np.float32 else np.float64
  most = np.finfo(dtype).maxexp // 4
  return e if e > most or e < (-most if least is None else least) else 0


def exponent_of_rows(x: jax.typing.ArrayLike, rows: np.ndarray | None) -> int:
  """`exponent` of `[N, D]` or some rows of it, of which no copy is made."""
  if isinstance(x, core.Tracer):
    return exponent(x)
  x = np.asarray(x)
  ends = [(block.max(), block.min()) for block in row_blocks.of(x, rows)]
  return exponent(np.array(ends, x.dtype))


def times(x: jax.typing.ArrayLike, e: int) -> np.ndarray:
  """`x * 2^e`, in the type of `x`."""
  return np.ldexp(np.asarray(x), e)


def times_square(x: jax.typing.ArrayLike, e: int) -> np.ndarray:
  """`x * 2^(2 e)` in float64, which holds the square of a float32."""
  return np.ldexp(np.asarray(x, np.float64), 2 * e)

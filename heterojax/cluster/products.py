"""Inner products of centred data, chunk by chunk.

Axes: N samples, D features.
"""

from collections.abc import Callable, Sequence
import itertools
from typing import Any

import jax
import jax.numpy as jnp

from heterojax.compute import sharded_rows

# Rows or columns that are centred at once, instead of a copy of all.
_CHUNK = 4096
_BLOCKS = 4

# Of the first row or column, and how many.
Part = Callable[[jax.typing.ArrayLike, int], jax.Array]


def of_rows(parts: Sequence[jax.Array], mean: jax.Array) -> jax.Array:
  """`X X'` of the centred rows `[N, D]` of all parts, in the mean's type."""

  def product(start: jax.typing.ArrayLike, size: int) -> jax.Array:
    chunks = [centred(x, mean, start, size, 1) for x in parts]
    return _upper_product(jnp.concatenate(chunks))

  upper = jnp.triu(sum_of_chunks(product, len(mean)))
  return upper + jnp.triu(upper, 1).T


def of_columns(x: jax.Array, mean: jax.Array) -> jax.Array:
  """`X' X` `[D, D]` of the centred rows `[N, D]`, in the mean's type."""

  def own(mean: jax.Array, x: jax.Array) -> jax.Array:
    def product(start: jax.typing.ArrayLike, size: int) -> jax.Array:
      chunk = centred(x, mean, start, size, 0)
      return jnp.matmul(chunk.T, chunk, precision='highest')

    return sum_of_chunks(product, len(x))

  return sharded_rows.total(own, mean, x)


def chunks(length: int) -> tuple[int, int, int]:
  """Size of the chunks, how many there are, and what is left over."""
  chunk = min(_CHUNK, length)
  return chunk, *divmod(length, chunk)


def sum_of_chunks(part: Part, length: int) -> jax.Array:
  """Sum of (start, size) to an array, over all chunks."""
  chunk, whole, rest = chunks(length)
  return jax.lax.fori_loop(
    0,
    whole,
    lambda i, total: total + part(i * chunk, chunk),
    part(whole * chunk, rest),
  )


def of_chunks(part: Part, length: int) -> jax.Array:
  """`[N, ...]` of (start, size) to `[size, ...]`, of all chunks."""
  chunk = min(_CHUNK, length)

  def add(i: jax.Array, found: jax.Array) -> jax.Array:
    # The last chunk has rows of the one before it as well.
    start = jnp.minimum(i * chunk, length - chunk)
    own = part(start, chunk)
    return jax.lax.dynamic_update_slice_in_dim(found, own, start, 0)

  own = jax.eval_shape(lambda: part(0, chunk))
  found = jnp.zeros((length, *own.shape[1:]), own.dtype)
  return jax.lax.fori_loop(0, -(-length // chunk), add, found)


def part_of(tree: Any, start: jax.typing.ArrayLike, size: int) -> Any:
  """So many rows of every array."""
  return jax.tree.map(
    lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), tree
  )


def centred(
  x: jax.Array,
  mean: jax.Array,
  start: jax.typing.ArrayLike,
  size: int,
  axis: int,
) -> jax.Array:
  """So many rows or columns of the centred data, in the mean's type."""
  if axis == 1:
    mean_part = jax.lax.dynamic_slice_in_dim(mean, start, size)
  else:
    mean_part = mean
  part = jax.lax.dynamic_slice_in_dim(x, start, size, axis)
  return part.astype(mean.dtype) - mean_part[None]


def _upper_product(a: jax.Array) -> jax.Array:
  """`A A'` by blocks, without those below the diagonal, which stay zero."""
  size = len(a)
  cuts = [size * i // _BLOCKS for i in range(_BLOCKS + 1)]
  return jnp.concatenate([
    jnp.pad(
      jnp.matmul(a[start:stop], a[start:].T, precision='highest'),
      ((0, 0), (start, 0)),
    )
    for start, stop in itertools.pairwise(cuts)
  ])

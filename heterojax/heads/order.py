"""In which order a head sees its rows."""

import jax
import jax.numpy as jnp

# Above as many rows half of a draw's bits would be left to chance.
_MOST_AT_ONCE = 2**16


def batch_order(
  key: jax.Array, epoch: int | jax.Array, size: int | jax.Array, length: int
) -> jax.Array:
  """Positions of one head's rows in the order of one epoch.

  Each position draws a number, so the order depends on the key, the epoch
  and the size, and not on how far the list is padded.

  Args:
    key: the head's order key.
    epoch: its number, from 0.
    size: number of rows, n.
    length: of the padded list.

  Returns:
    `[length]` int32: a permutation of 0..n-1, and then the padding.
  """
  epoch_key = jax.random.fold_in(key, epoch)
  order = _shuffled(jax.random.fold_in(epoch_key, 0), size, length)
  if length > _MOST_AT_ONCE:
    again = _shuffled(jax.random.fold_in(epoch_key, 1), size, length)
    order = jnp.where(size > _MOST_AT_ONCE, order[again], order)
  return order


def _shuffled(key: jax.Array, size: int | jax.Array, length: int) -> jax.Array:
  """Shuffles by one sort of numbers whose last bits are the position.

  Sorting single numbers is four times as fast as sorting pairs. Positions that
  draw the same first bits keep their order.
  """
  positions = jnp.arange(length, dtype=jnp.uint32)
  # Of a definite type, or x64 would draw other numbers.
  draws = jax.vmap(
    lambda i: jax.random.bits(jax.random.fold_in(key, i), dtype=jnp.uint32)
  )(positions)
  size = jnp.asarray(size, jnp.uint32)
  last = jnp.uint32(0xFFFFFFFF)
  # As many ones as the largest position has digits; a shift by 32 is undefined.
  digits = jnp.where(size > 1, last >> jax.lax.clz(jnp.maximum(size, 2) - 1), 0)
  listed = positions < size
  drawn = jnp.where(listed, (draws & ~digits) | positions, last)
  order = jnp.sort(drawn) & digits
  return jnp.where(listed, order, positions).astype(jnp.int32)

"""Where along a step a logistic objective is the least.

Everything here is for one head, and m is the number of its rows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# As flat as this share of the slope at 0 is flat enough.
_FLAT = 0.1
_MOST_LOOKS = 30


class _Search(NamedTuple):
  """Lengths of the step, and a slope; all `[]`."""

  following: jax.Array  # To be looked at next.
  length: jax.Array  # The one that was looked at last.
  slope: jax.Array  # There.
  low: jax.Array  # The longest after which the objective still falls.
  high: jax.Array  # The shortest after which it rises, or the longest allowed.
  looks: jax.Array  # How many there were.


def least(
  logits: jax.Array,
  delta: jax.Array,
  sign: jax.Array,
  weight: jax.Array,
  slopes: tuple[jax.Array, jax.Array, jax.Array],
  longest: jax.Array,
) -> jax.Array:
  """Length of the step after which the objective is about the least.

  It is convex, so that its slope along the step is monotone: Newton's method
  for where that is 0, kept between two lengths on either side of it.

  Args:
    logits: `[m]`.
    delta: `[m]` what the step adds to them.
    sign: `[m]`, 1 for class 1 and -1 for class 0.
    weight: `[m]` of the rows in the loss.
    slopes: at length 0 the slope of the objective and of its penalty, and the
      second derivative of the penalty.
    longest: `[]` the longest that it may be, at least 1.

  Returns:
    `[]`, 1 if that is flat enough; after it the objective is not above what it
    was, but for rounding.
  """
  begin, first, second = slopes

  def steep(search: _Search) -> jax.Array:
    return jnp.abs(search.slope) > _FLAT * jnp.abs(begin)

  def searching(packed: jax.Array) -> jax.Array:
    search = _Search(*packed)
    between = (search.low < search.high) & (search.looks < _MOST_LOOKS)
    return steep(search) & between

  def look(packed: jax.Array) -> jax.Array:
    search = _Search(*packed)
    length = search.following
    wrong = jax.nn.sigmoid(-sign * (logits + length * delta))
    sums = (
      jnp.stack([sign, (1 - wrong) * delta]) * (weight * wrong * delta)[None]
    )
    falls, bends = jnp.sum(sums, axis=1)
    slope = first + length * second - falls
    low = jnp.where(slope < 0, length, search.low)
    high = jnp.where(slope < 0, search.high, length)
    newton = length - slope / (bends + second)
    inside = (newton > low) & (newton < high)
    following = jnp.where(inside, newton, (low + high) / 2)
    return jnp.stack(
      _Search(following, length, slope, low, high, search.looks + 1)
    )

  # As one array it is a single operation to XLA, which compiles each for long.
  zero = jnp.zeros((), logits.dtype)
  packed = jnp.stack(
    _Search(zero + 1, zero, zero - jnp.inf, zero, longest, zero)
  )
  found = _Search(*jax.lax.while_loop(searching, look, packed))
  return jnp.where(steep(found), found.low, found.length)

"""A share of the samples, in blocks that stay in a core's cache.

Axes: N samples, S of a share, D features, K clusters, B rows of a block, P
parts of a share.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from heterojax.cluster import lloyd
from heterojax.cluster.points import Rows

Totals = Any
# Of the samples of a block, the first one's row, which of them `[B]` no other
# block has, the labels and the totals, to new ones of both.
Block = Callable[
  [Rows, jax.Array, jax.Array, jax.Array, Totals], tuple[jax.Array, Totals]
]


class Sizes(NamedTuple):
  """Rows of a block, blocks of a part, parts of a share."""

  rows: int
  blocks: int
  parts: int


def nearest(
  x: jax.Array,
  mean: jax.Array,
  first: jax.Array,
  centers: jax.Array,
  before: jax.Array,
  *,
  sizes: Sizes,
) -> tuple[jax.Array, ...]:
  """Nearest centers, and what new centers follow from.

  Args:
    x: `[N, D]`.
    mean: `[D]`.
    first: `[]` int32, row that the share begins with.
    centers: `[K, D]` of the centred samples.
    before: `[S]` labels of the last iteration. They are of S rows from the
      first one on, or of the last S where fewer are left.
    sizes: of blocks and parts.

  Returns:
    Labels `[S]`, whether any is another one, sums `[P, K, D]` and counts
    `[P, K]` of the clusters in each part.
  """
  k = len(centers)
  offset = jnp.minimum(first, len(x) - len(before))

  def block(points, start, is_new, labels, totals):
    sums, counts = totals
    assigned = _nearest(points, centers)
    labels = jax.lax.dynamic_update_slice_in_dim(
      labels, assigned, start - offset, 0
    )
    assigned = _apart(jnp.where(is_new, assigned, k))
    counts = counts.at[assigned].add(1, mode='drop')
    return labels, (points.added(sums, assigned), counts)

  labels = jnp.full_like(before, -1)
  zeros = jnp.zeros_like(centers), jnp.zeros(k, jnp.int32)
  labels, totals = _by_parts(block, x, mean, first, labels, zeros, sizes)
  return labels, jnp.any(labels != before), *totals


def inertia(
  x: jax.Array,
  mean: jax.Array,
  first: jax.Array,
  centers: jax.Array,
  labels: jax.Array,
  *,
  known: bool,
  sizes: Sizes,
) -> tuple[jax.Array, jax.Array]:
  """Labels and the inertia of each part.

  Args:
    x: as for `nearest`, as all else.
    mean: the same.
    first: the same.
    centers: the same.
    labels: `[S]`.
    known: whether labels are kept; else they are of the nearest centers.
    sizes: the same.

  Returns:
    Labels `[S]` and `[P]`.
  """
  offset = jnp.minimum(first, len(x) - len(labels))

  def block(points, start, is_new, labels, total):
    at = start - offset
    if known:
      assigned = jax.lax.dynamic_slice_in_dim(labels, at, sizes.rows)
    else:
      assigned = _nearest(points, centers)
      labels = jax.lax.dynamic_update_slice_in_dim(labels, assigned, at, 0)
    distance = points.distance(centers, assigned)
    return labels, total + jnp.sum(jnp.where(is_new, distance, 0))

  zero = jnp.zeros((), x.dtype)
  return _by_parts(block, x, mean, first, labels, zero, sizes)


def _nearest(points: Rows, centers: jax.Array) -> jax.Array:
  # Fused with what follows, the comparison takes longer.
  return _apart(lloyd.argmin(points.scores(centers)))


def _by_parts(
  block: Block,
  x: jax.Array,
  mean: jax.Array,
  first: jax.Array,
  labels: jax.Array,
  zeros: Totals,
  sizes: Sizes,
) -> tuple[jax.Array, Totals]:
  """Takes the labels through all blocks, and each part's totals from zero."""
  rows = sizes.rows

  def part(labels: jax.Array, row: jax.Array) -> tuple[jax.Array, Totals]:

    def step(i: jax.Array, state: tuple[jax.Array, Totals]):
      begin = row + i * rows
      # The last block has rows of the one before it as well.
      start = jnp.minimum(begin, len(x) - rows)
      samples = jax.lax.dynamic_slice_in_dim(x, start, rows) - mean[None]
      is_new = start + jnp.arange(rows) >= begin
      return block(Rows(_apart(samples)), start, is_new, *state)

    number = jnp.clip(-((row - len(x)) // rows), 0, sizes.blocks)
    return jax.lax.fori_loop(0, number, step, (labels, zeros))

  parts = jnp.arange(sizes.parts, dtype=jnp.int32)
  return jax.lax.scan(part, labels, first + parts * (sizes.blocks * rows))


_apart = jax.lax.optimization_barrier

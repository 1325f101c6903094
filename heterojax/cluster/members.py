"""Sums over the members of clusters.

CPU cores add samples to their clusters one after another. Accelerators, which
would add them in no order and so with other last bits each time, multiply by
who is a member instead.

Axes: N samples, D features, K clusters.
"""

import jax
import jax.numpy as jnp

from heterojax.cluster import forms


def count(labels: jax.Array, k: int) -> jax.Array:
  """Members of each cluster, `[K]` int32 of `[N]` labels from 0 to K - 1."""
  if forms.are_of_cpu():
    return jnp.bincount(labels, length=k)
  are = labels[None] == jnp.arange(k)[:, None]
  return jnp.sum(are, axis=1, dtype=jnp.int32)


def add(values: jax.Array, labels: jax.Array, k: int) -> jax.Array:
  """Sums over the members of each cluster.

  Args:
    values: `[N]` or `[N, D]`, finite.
    labels: `[N]` int; what is not from 0 to K - 1 is in no cluster.
    k: K.

  Returns:
    `[K]` or `[K, D]`.
  """
  if forms.are_of_cpu():
    return jax.ops.segment_sum(values, labels, num_segments=k)
  are = jax.nn.one_hot(labels, k, dtype=values.dtype, axis=0)
  return jnp.matmul(are, values, precision='highest')

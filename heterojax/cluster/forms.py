"""What clustering computes otherwise on CPU cores than on accelerators.

Cores have caches, and add samples to their clusters one after another.
Accelerators multiply by membership instead: adding in no order, as theirs do,
gives other last bits each time.

Axes: N samples, D features, K clusters.
"""

import jax
import jax.numpy as jnp

from heterojax.compute import platform


def are_of_cpu() -> bool:
  """Whether clustering takes the forms that are faster on CPU."""
  return platform.of_programs() == 'cpu'


def counts(labels: jax.Array, k: int) -> jax.Array:
  """Members of each cluster, `[K]` int32 of `[N]` labels."""
  if are_of_cpu():
    return jnp.bincount(labels, length=k)
  members = labels[None] == jnp.arange(k)[:, None]
  return jnp.sum(members, axis=1, dtype=jnp.int32)


def sums(values: jax.Array, labels: jax.Array, k: int) -> jax.Array:
  """Sums over the members of each cluster.

  Args:
    values: `[N]` or `[N, D]`, finite.
    labels: `[N]` int; what is not from 0 to K - 1 is in no cluster.
    k: K.

  Returns:
    `[K]` or `[K, D]`.
  """
  if are_of_cpu():
    return jax.ops.segment_sum(values, labels, num_segments=k)
  members = jax.nn.one_hot(labels, k, dtype=values.dtype, axis=0)
  return jnp.matmul(members, values, precision='highest')

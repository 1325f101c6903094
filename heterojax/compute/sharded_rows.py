"""Sums over rows that several devices divide, without moving a row.

A loop over chunks of such a matrix would have every device hold all of it: a
chunk lies on one of them. So each device goes through its own rows, and what
they give is added.
"""

from collections.abc import Callable, Iterator
import contextlib
from typing import Any

import jax
import jax.numpy as jnp

# JAX keeps it with what it traces, as `platform` says.
_DEVICES = jax.make_user_context(1)


def devices_of(x: Any) -> int:
  """How many devices divide the rows of a matrix; 1 of an array of NumPy."""
  if not isinstance(x, jax.Array) or not x.size:
    return 1
  return len(x) // x.sharding.shard_shape(x.shape)[0]


@contextlib.contextmanager
def of(x: Any) -> Iterator[None]:
  """What is traced inside is for rows that are divided as those of `x` are."""
  with _DEVICES(devices_of(x)):
    yield


def total(function: Callable[..., jax.Array], *trees: Any) -> jax.Array:
  """Sum of what a function gives for the rows of each device.

  Args:
    function: of such trees; it adds something up over their rows.
    *trees: of arrays, all with N rows.
  """
  devices = _DEVICES.value
  if devices == 1:
    return function(*trees)
  own = jax.tree.map(
    lambda leaf: leaf.reshape(devices, -1, *leaf.shape[1:]), trees
  )
  return jnp.sum(jax.vmap(function)(*own), axis=0)

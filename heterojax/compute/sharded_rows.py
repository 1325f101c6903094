"""Sums over rows that several devices divide, without moving a row.

A loop over chunks of such a matrix would have every device hold all of it: a
chunk lies on one of them. So each device goes through its own rows, and what
they give is added.
"""

from collections.abc import Callable, Iterator
import contextlib
from typing import Any

import jax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec

# JAX keeps it with what it traces, as `platform` says.
_OF_ROWS = jax.make_user_context()


def devices_of(x: Any) -> int:
  """How many devices divide the rows of a matrix; 1 of an array of NumPy."""
  sharding = _sharding(x)
  return len(x) // sharding.shard_shape(x.shape)[0] if sharding else 1


@contextlib.contextmanager
def of(x: Any) -> Iterator[None]:
  """What is traced inside is for rows that are divided as those of `x` are."""
  with _OF_ROWS(_sharding(x)):
    yield


def are_divided() -> bool:
  """Whether what is traced now is for rows that several devices divide."""
  return _OF_ROWS.value is not None


def total(
  function: Callable[..., jax.Array], read: Any, *trees: Any
) -> jax.Array:
  """Sum of what a function gives for the rows of each device.

  Args:
    function: of `read` and such trees; it adds something up over their rows.
    read: a tree of arrays that every device reads whole.
    *trees: of arrays, all with N rows.
  """
  sharding = _OF_ROWS.value
  if sharding is None:
    return function(read, *trees)
  axis = sharding.spec[0]

  def own(read: Any, *trees: Any) -> jax.Array:
    return jax.lax.psum(function(read, *trees), axis)

  rows, every = PartitionSpec(axis), PartitionSpec()
  return jax.shard_map(
    own,
    mesh=sharding.mesh,
    in_specs=(every, *(rows for _ in trees)),
    out_specs=every,
    check_vma=False,
  )(read, *trees)


def _sharding(x: Any) -> NamedSharding | None:
  """That of rows which several devices divide."""
  sharding = getattr(x, 'sharding', None)
  if not isinstance(sharding, NamedSharding) or not sharding.spec:
    return None
  return sharding if sharding.spec[0] is not None else None

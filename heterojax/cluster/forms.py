"""What clustering computes otherwise on CPU cores than on accelerators."""

import jax

from heterojax.compute import platform
from heterojax.compute import sharded_rows

# Numbers of samples above which nothing has a centred copy of them.
_MOST = 2**25


def are_of_cpu() -> bool:
  """Whether clustering takes the forms that are faster on CPU."""
  return platform.of_programs() == 'cpu'


def are_by_blocks(x: jax.Array) -> bool:
  """Whether `[N, D]` on the host is read block by block, and never copied."""
  return x.size > _MOST and are_of_cpu() and not sharded_rows.are_divided()

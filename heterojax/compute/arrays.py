"""Arrays of NumPy and of JAX, whichever holds them."""

from typing import Any

import jax
import numpy as np

# Of the host or of a device: what runs outside of a program and inside of one.
Array = np.ndarray | jax.Array
# `jax.Device` and `jax.tree_util.PyTreeDef`, which have no stubs.
Device = Any
TreeDef = Any


def bytes_of(x: np.ndarray) -> memoryview:
  """The bytes of an array of any type and shape, by rows, as uint8."""
  return np.ascontiguousarray(x).view(np.uint8).data

"""Arrays of several processes, exchanged by JAX's own runtime.

Whatever the type, bytes travel, so that all processes have the same bits. Of
one process everything here is the identity.

Axes: P processes.
"""

from collections.abc import Sequence
from typing import Any

import jax
from jax.experimental import multihost_utils
import numpy as np

# Numbers of 4 bytes that are sent at once: an array need not fit twice.
_CHUNK = 2**24
_WORD = np.dtype(np.uint32)


def number() -> int:
  """How many processes there are."""
  return jax.process_count()


def index() -> int:
  """Which of them this is; 0 leads."""
  return jax.process_index()


def gather(tree: Any) -> Any:
  """What every process has.

  Args:
    tree: of arrays, of the same shapes and types in all processes.

  Returns:
    The same tree with an axis of P before the others.
  """
  if number() == 1:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], tree)
  leaves, structure = jax.tree.flatten(tree)
  leaves = [np.asarray(leaf) for leaf in leaves]
  words = multihost_utils.process_allgather(words_of(leaves))
  each = [arrays_of(row, leaves) for row in words]
  return structure.unflatten([np.stack(x) for x in zip(*each, strict=True)])


def of_leader(tree: Any) -> Any:
  """What process 0 has.

  Args:
    tree: of arrays; of the others only shapes and types count.

  Returns:
    The same tree of NumPy arrays in all processes.
  """
  leaves, structure = jax.tree.flatten(tree)
  leaves = [np.asarray(leaf) for leaf in leaves]
  if number() == 1:
    return structure.unflatten(leaves)
  return structure.unflatten([_sent(leaf) for leaf in leaves])


def _sent(leaf: np.ndarray) -> np.ndarray:
  """One array of process 0, a chunk at a time."""
  rows = leaf.reshape(len(leaf) if leaf.ndim else 1, -1)
  width = max(rows.shape[1] * rows.itemsize // _WORD.itemsize, 1)
  step = max(_CHUNK // width, 1)
  received = np.empty_like(rows)
  for start in range(0, len(rows), step):
    part = np.ascontiguousarray(rows[start : start + step])
    words = multihost_utils.broadcast_one_to_all(words_of([part]))
    (received[start : start + step],) = arrays_of(np.asarray(words), [part])
  return received.reshape(leaf.shape)


def words_of(leaves: Sequence[np.ndarray]) -> np.ndarray:
  """The bytes of arrays, one after the other, as `[n]` uint32."""
  parts = [np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in leaves]
  every = np.concatenate([np.zeros(0, np.uint8), *parts])
  return np.pad(every, (0, -len(every) % _WORD.itemsize)).view(_WORD)


def arrays_of(
  words: np.ndarray, like: Sequence[np.ndarray]
) -> list[np.ndarray]:
  """Arrays of these shapes and types from what `words_of` gave."""
  every, start, found = words.view(np.uint8), 0, []
  for leaf in like:
    part = every[start : start + leaf.nbytes]
    found.append(part.copy().view(leaf.dtype).reshape(leaf.shape))
    start += leaf.nbytes
  return found

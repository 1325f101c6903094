"""Random streams, each a function of (seed, purpose, members) and no more.

A stream depends on nothing that was drawn before it, so adding a head, a
restart or an image changes no other one's numbers.
"""

import enum
import hashlib

import jax
import numpy as np


class Purpose(enum.IntEnum):
  """What a stream is for; values are part of what a seed means."""

  DRAW = 0
  SPLIT = 1
  AUGMENTATION = 2
  CLUSTERING = 3
  INITIALISATION = 4
  ORDER = 5
  SUBSET = 6
  SIZE = 7
  BOOTSTRAP = 8
  PERMUTATION = 9
  CHOICE = 10
  PENALTY = 11
  RANDOM_SET = 12
  SAME_MIX = 13
  VERDICT = 14
  EXTERNAL = 15
  COMPONENTS = 16
  AUDIT = 17
  PAIRS = 18


def key(seed: int, purpose: Purpose, *members: int) -> jax.Array:
  """JAX key of one stream, by folding in the purpose and each member."""
  stream = jax.random.fold_in(jax.random.key(seed), int(purpose))
  for member in members:
    stream = jax.random.fold_in(stream, member)
  return stream


def generator(
  seed: int, purpose: Purpose, *members: str | int
) -> np.random.Generator:
  """NumPy generator of one stream, for choices made on the host.

  Args:
    seed: of the study.
    purpose: of the stream.
    *members: for instance an image's id and the number of its copy.

  Returns:
    A Philox generator, whose numbers do not change with NumPy's releases.
  """
  return _philox(str(seed), str(int(purpose)), *map(str, members))


def from_key(stream: jax.Array, *members: int) -> np.random.Generator:
  """NumPy generator of a JAX key, for draws that JAX does not have.

  Args:
    stream: of `key`, or any other JAX key.
    *members: for instance the number of a stratum; each has its own numbers.

  Returns:
    A Philox generator, as of `generator`.
  """
  words = np.asarray(jax.random.key_data(stream)).tolist()
  return _philox('.'.join(map(str, words)), *map(str, members))


def _philox(*names: str) -> np.random.Generator:
  digest = hashlib.blake2b('\x1f'.join(names).encode(), digest_size=16).digest()
  return np.random.Generator(
    np.random.Philox(key=int.from_bytes(digest, 'little'))
  )

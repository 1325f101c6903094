"""Which units may take each other's places, and draws of such exchanges.

A unit is an image, or a patient with all of its images. Two units may be
exchanged where they have equally many images of each stratum (class and fold):
then every stratum keeps its images. Images of one unit and one stratum may be
exchanged too. These exchanges are a group of permutations, so that a test that
compares what was observed with them is exact for any correlation inside of
units, if units are exchangeable and so are the images of a unit (multi-level
block permutation: Winkler et al. 2015; exactness of random draws from a group:
Hemerik and Goeman 2018).
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from heterojax import rng

# Numbers in memory at once, in one chunk of draws: what caches hold.
_CHUNK = 1 << 16


class Block(NamedTuple):
  """Units of the same composition: any may take the place of any other.

  Attributes:
    images: `[U, S]` int, the images of each unit, ordered by stratum.
    parts: columns of `images` that are of one stratum, in order.
  """

  images: np.ndarray
  parts: tuple[slice, ...]

  @property
  def single(self) -> bool:
    """Whether units are single images."""
    return self.images.shape[1] == 1


class Exchange(NamedTuple):
  """All blocks of a set of images.

  Attributes:
    blocks: each image is in one of them.
    unit: 'image' or 'patient'.
    stays: units that no other one is like, which keep their places; the images
      of such a patient are still exchanged among themselves.
  """

  blocks: tuple[Block, ...]
  unit: str
  stays: int

  @property
  def moved(self) -> float:
    """Share of the images that are of a unit that another one is like."""
    sizes = [block.images.size for block in self.blocks]
    alike = [len(block.images) > 1 for block in self.blocks]
    return float(np.average(alike, weights=sizes))

  @property
  def orbits(self) -> np.ndarray:
    """`[N]` int from 0, equal for images that may take each other's places."""
    orbits = [
      block.images[:, part].ravel()
      for block in self.blocks
      for part in block.parts
    ]
    sizes = [len(orbit) for orbit in orbits]
    number = np.zeros(sum(sizes), np.int64)
    number[np.concatenate(orbits)] = np.repeat(np.arange(len(sizes)), sizes)
    return number


def patients(groups: np.ndarray) -> np.ndarray | None:
  """Numbers the patients of images.

  Args:
    groups: `[N]` of str, '' where the patient is not known.

  Returns:
    `[N]` int, equal for images of one patient; an image whose patient is not
    known has a number of its own. None where no patient has several images.
  """
  _, number = np.unique(groups, return_inverse=True)
  own = np.flatnonzero(groups == '')
  number[own] = len(groups) + own
  return number if len(np.unique(number)) < len(number) else None


def strata(*columns: np.ndarray | None) -> np.ndarray:
  """Number `[N]` int of the combination of columns `[N]`; None is left out."""
  known = [np.asarray(c) for c in columns if c is not None]
  number = np.zeros(len(known[0]), np.int64)
  for column in known:
    names, code = np.unique(column, return_inverse=True)
    number = np.unique(number * len(names) + code, return_inverse=True)[1]
  return number


def runs(rows: np.ndarray) -> list[np.ndarray]:
  """Groups of equal rows.

  Args:
    rows: `[R, C]` of numbers.

  Returns:
    Their indices, each group ascending; groups are ordered by their rows.
  """
  order = np.lexsort(rows.T[::-1])
  rows = rows[order]
  starts = 1 + np.flatnonzero(np.any(rows[1:] != rows[:-1], axis=1))
  return np.split(order, starts)


def exchange(strata: np.ndarray, groups: np.ndarray | None = None) -> Exchange:
  """Finds who may take whose place.

  Args:
    strata: `[N]` int, N at least 1.
    groups: `[N]` of anything that NumPy can sort, equal for images of one
      patient; None: each image is a unit by itself.

  Returns:
    The blocks, by the size of their units, then by their composition.
  """
  n = len(strata)
  unit = 'image' if groups is None else 'patient'
  groups = np.arange(n) if groups is None else groups
  _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
  # A group's images stand together, ordered by stratum.
  images = np.lexsort((strata, group))
  first = np.cumsum(sizes) - sizes
  blocks = []
  for size in np.unique(sizes):
    units = images[first[sizes == size][:, np.newaxis] + np.arange(size)]
    for alike in runs(strata[units]):
      blocks.append(Block(units[alike], _parts(strata[units[alike[0]]])))
  stays = sum(len(block.images) == 1 for block in blocks)
  return Exchange(tuple(blocks), unit, stays)


def _parts(strata: np.ndarray) -> tuple[slice, ...]:
  """Where sorted numbers are equal."""
  _, first, sizes = np.unique(strata, return_index=True, return_counts=True)
  return tuple(slice(f, f + s) for f, s in zip(first, sizes, strict=True))


def shuffled(
  block: Block, x: np.ndarray, key: jax.Array, number: int, draws: int
) -> Iterator[np.ndarray]:
  """Draws what the images of a block have after a random exchange.

  Units change places, then the images of each unit and stratum. A draw depends
  on the key, the number and its own position: not on how many there are, nor
  on how many are made at once. It does depend on the order of the images.

  Args:
    block: of U units of S images.
    x: `[N]` of all images.
    key: of the test.
    number: of the block.
    draws: how many.

  Yields:
    `[chunk, U S]` in the order of `block.images`, as many as the draws in all.
  """
  at = x[block.images]
  # One stream for each step, because a chunk takes all its draws of one step
  # before it takes those of the next.
  streams = [
    rng.from_key(key, number, step) for step in range(1 + len(block.parts))
  ]
  chunk = max(1, _CHUNK // at.size)
  for start in range(0, draws, chunk):
    rows = min(chunk, draws - start)
    if block.single:
      yield streams[0].permuted(np.tile(at[:, 0], (rows, 1)), axis=1)
      continue
    places = np.tile(np.arange(len(at)), (rows, 1))
    moved = at[streams[0].permuted(places, axis=1)]
    for part, stream in zip(block.parts, streams[1:], strict=True):
      if part.stop - part.start > 1:
        moved[..., part] = stream.permuted(moved[..., part], axis=2)
    yield moved.reshape(rows, -1)

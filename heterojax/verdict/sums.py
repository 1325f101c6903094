"""Sums of the values in each cluster, as observed and after exchanges.

A statistic over clusters needs these sums alone, and they can be drawn without
moving images one by one. Of each block of units, by what its units are:

  counted    values of 0 and 1, units of one image: how many ones each cluster
             has is multivariate hypergeometric given the margins, whatever
             the number of images
  shuffled   any other values and units: image by image
  rotated    the same where that would take too long (`_SHUFFLED`): units stand
             in a few circles in random order, and a draw is a random shift of
             each, and of the images inside of all of its units. The shifts are
             a group too, a smaller one, so that the test stays exact; the sums
             for all of them are a Fourier transform. What one order adds to
             the error of the p-value is about that of 9,999 draws, and less
             with more images

Where all arrangements are no more than the draws, they take their place.
"""

from collections.abc import Sequence
import itertools
import math
from typing import NamedTuple

import jax
import numpy as np

from heterojax import rng
from heterojax.verdict import exchange as exchanges

# Images that are shuffled one by one, at most; 9,999 draws take half a second
# then, and the deviation of so many shifts is off by 1 % (1 / sqrt(2 n)).
_SHUFFLED = 1 << 12
# Circles of a block, and how many units each has at least: with some circles
# there are many more shifts than draws.
_CIRCLES, _CIRCLE = 4, 1 << 10
# Combinations of clusters, one of each clustering, among which ones are counted
# out, and how many images there are for each on average: with more combinations
# or fewer images it is faster to shuffle.
_CELLS, _PER_CELL = 512, 8
# Numbers in memory at once where all arrangements are listed.
_LISTED = 1 << 23


class Images(NamedTuple):
  """What each image has, and which sums it counts for.

  Attributes:
    values: `[N]`, int64 of 0 and 1, or float64.
    columns: `[M, N]` int, the cluster of each image in each of M clusterings;
      clusterings have no number in common.
    k: clusters of all clusterings.
  """

  values: np.ndarray
  columns: np.ndarray
  k: int


def exact(values: np.ndarray) -> np.ndarray:
  """Values as int64 where they are 0 and 1, else as float64."""
  whole = np.all((values == 0) | (values == 1))
  return values.astype(np.int64 if whole else np.float64)


def sums(
  images: Images,
  strata: np.ndarray,
  exchange: exchanges.Exchange,
  key: jax.Array,
  draws: int,
) -> np.ndarray:
  """Sums of each cluster: as observed, then of each draw.

  The same key gives the same draws for other names of the clusters, another
  chunk, and as the beginning of more draws. Another order of the images gives
  the same where all blocks are counted and there is one clustering.

  Args:
    images: N of them.
    strata: `[N]` int, which the exchange keeps.
    exchange: of the images.
    key: of the draws.
    draws: how many.

  Returns:
    `[1 + B, K]` of the dtype of the values; B is the number of draws, or of the
    arrangements other than the observed one where these are no more.
  """
  values, blocks = images.values, exchange.blocks
  observed = [
    _totals(values[block.images].reshape(1, -1), block, images)
    for block in blocks
  ]
  logs = [_log_arrangements(block, values) for block in blocks]
  most = min(math.log(draws + 1) + 1e-9, math.log(_LISTED / len(values)))
  if sum(logs) <= most:
    return _listed(images, blocks, np.sum(observed, axis=0))
  cells = exchanges.strata(*images.columns)
  counted = [_is_counted(block, images, cells) for block in blocks]
  if any(counted):
    cells = _ranks(cells, strata, values)[cells]
  moved = sum(
    block.images.size
    for block, log, counts in zip(blocks, logs, counted, strict=True)
    if log and not counts
  )
  slow = _rotated if moved > _SHUFFLED else _shuffled
  rows = np.zeros((1 + draws, images.k), values.dtype)
  for i, block in enumerate(blocks):
    rows[0] += observed[i][0]
    if not logs[i]:
      rows[1:] += observed[i]
    elif counted[i]:
      rows[1:] += _counted(block, images, cells, rng.from_key(key, i), draws)
    else:
      rows[1:] += slow(block, images, key, i, draws)
  return rows


def _is_counted(
  block: exchanges.Block, images: Images, cells: np.ndarray
) -> bool:
  """Whether the ones of a block are counted out over its cells."""
  if not block.single or images.values.dtype.kind != 'i':
    return False
  number, most = len(np.unique(cells[block.images])), _CELLS
  # Of one clustering the order of the images then makes no difference.
  if len(images.columns) > 1:
    most = min(most, len(block.images) // _PER_CELL)
  return number <= most


def _totals(
  rows: np.ndarray, block: exchanges.Block, images: Images
) -> np.ndarray:
  """Sums `[R, K]` of values `[R, U S]` that stand at the images of a block."""
  totals = np.zeros((len(rows), images.k), rows.dtype)
  for column in images.columns:
    at = column[block.images.ravel()]
    order = np.argsort(at, kind='stable')
    present, first = np.unique(at[order], return_index=True)
    # Stretch by stretch: products of matrices add in an order that depends on
    # their shape.
    totals[:, present] = np.add.reduceat(
      np.take(rows, order, axis=1), first, axis=1
    )
  return totals


def _ranks(
  cells: np.ndarray, strata: np.ndarray, values: np.ndarray
) -> np.ndarray:
  """An order `[C]` of cells that does not depend on their numbers.

  By the numbers of images of each stratum, the sums of their values, and where
  these are all the same by the first image.
  """
  _, first = np.unique(cells, return_index=True)
  shape = len(first), int(strata.max()) + 1
  pairs = cells * shape[1] + strata
  size = shape[0] * shape[1]
  counts = np.bincount(pairs, minlength=size).reshape(shape)
  totals = np.bincount(pairs, values, size).reshape(shape)
  order = np.lexsort((first, *totals.T, *counts.T))
  ranks = np.empty(len(order), np.int64)
  ranks[order] = np.arange(len(order))
  return ranks


def _counted(
  block: exchanges.Block,
  images: Images,
  cells: np.ndarray,
  generator: np.random.Generator,
  draws: int,
) -> np.ndarray:
  """Sums `[draws, K]` of a block of single images with values of 0 and 1."""
  there = block.images[:, 0]
  _, first, sizes = np.unique(
    cells[there], return_index=True, return_counts=True
  )
  ones = generator.multivariate_hypergeometric(
    sizes, int(images.values[there].sum()), size=draws, method='marginals'
  )
  member = np.zeros((len(first), images.k))
  member[np.arange(len(first)), images.columns[:, there[first]]] = 1
  # Whole numbers of this size are exact as floats, whose products are fast.
  return (ones.astype(np.float64) @ member).astype(np.int64)


def _shuffled(
  block: exchanges.Block,
  images: Images,
  key: jax.Array,
  number: int,
  draws: int,
) -> np.ndarray:
  """Sums `[draws, K]` of any block, image by image."""
  drawn = exchanges.shuffled(block, images.values, key, number, draws)
  return np.concatenate([_totals(rows, block, images) for rows in drawn])


def _rotated(
  block: exchanges.Block,
  images: Images,
  key: jax.Array,
  number: int,
  draws: int,
) -> np.ndarray:
  """Sums `[draws, K]` of any block: units in circles, turned at random.

  For units u and images t of one part of a circle, shifts i and j, the sum of a
  cluster is that of `values[u, t] member[u + i, t + j]`, a correlation.
  """
  n = len(block.images)
  order, turns = (rng.from_key(key, number, step) for step in range(2))
  circles = np.array_split(
    block.images[order.permutation(n)], max(1, min(_CIRCLES, n // _CIRCLE))
  )
  lengths = [
    [len(units), *(part.stop - part.start for part in block.parts)]
    for units in circles
  ]
  shifts = turns.integers(0, np.concatenate(lengths), (draws, np.size(lengths)))
  shifts = shifts.reshape(draws, len(circles), -1)
  whole = images.values.dtype.kind == 'i'
  totals = np.zeros((draws, images.k), images.values.dtype)
  for c, units in enumerate(circles):
    for p, part in enumerate(block.parts):
      there = order.permuted(units[:, part], axis=1)
      spectrum = np.conj(np.fft.rfft2(images.values[there]))
      for column in images.columns:
        at = column[there]
        for cluster in np.unique(at):
          # One by one: transforms of several at once may round otherwise.
          member = np.fft.rfft2((at == cluster).astype(np.float64))
          turned = np.fft.irfft2(spectrum * member, at.shape)
          turned = np.rint(turned) if whole else turned
          drawn = turned[shifts[:, c, 0], shifts[:, c, 1 + p]]
          totals[:, cluster] += drawn.astype(totals.dtype)
  return totals


def _kinds(
  at: np.ndarray, parts: tuple[slice, ...]
) -> tuple[np.ndarray, list[int]]:
  """Values `[T, S]` of units that differ, and how many have them, most first.

  The order of images inside of a unit and stratum makes no difference.
  """
  at = at.copy()
  for part in parts:
    at[:, part].sort(axis=1)
  found = sorted(exchanges.runs(at), key=len, reverse=True)
  return at[[same[0] for same in found]], [len(same) for same in found]


def _log_orders(counts: list[int]) -> float:
  """Log of the number of orders of things of which some are alike."""
  if len(counts) < 2:
    return 0.0
  return math.lgamma(sum(counts) + 1) - sum(
    math.lgamma(count + 1) for count in counts
  )


def _log_arrangements(block: exchanges.Block, values: np.ndarray) -> float:
  """Log of the number of arrangements of the values of a block; 0: it stays.

  A lower bound where there are very many.
  """
  at = values[block.images]
  if block.single:
    counts = np.unique(at, return_counts=True)[1]
    return _log_orders(counts.tolist())
  kinds, counts = _kinds(at, block.parts)
  log = _log_orders(counts)
  if log < math.log(_LISTED):
    for kind, count in zip(kinds, counts, strict=True):
      for part in block.parts:
        alike = np.unique(kind[part], return_counts=True)[1]
        log += count * _log_orders(alike.tolist())
  return log


def _orders(counts: list[int]) -> np.ndarray:
  """All orders `[A, n]` of things of which some are alike, by their numbers."""
  n, others = sum(counts), sum(counts[1:])
  if not others:
    return np.zeros((1, n), np.int64)
  rest = _orders(counts[1:]) + 1
  places = np.array(list(itertools.combinations(range(n), others)))
  orders = np.zeros((len(places), len(rest), n), np.int64)
  np.put_along_axis(orders, places[:, np.newaxis], rest[np.newaxis], axis=2)
  return orders.reshape(-1, n)


def _inside(kind: np.ndarray, parts: tuple[slice, ...]) -> np.ndarray:
  """All orders `[A, S]` of the values of one unit, stratum by stratum."""
  ways = []
  for part in parts:
    values, counts = np.unique(kind[part], return_counts=True)
    most = np.argsort(-counts)
    ways.append(values[most][_orders(counts[most].tolist())])
  return np.array([np.concatenate(way) for way in itertools.product(*ways)])


def _arrangements(block: exchanges.Block, values: np.ndarray) -> np.ndarray:
  """All arrangements `[A, U S]` of the values of a block, each once."""
  kinds, counts = _kinds(values[block.images], block.parts)
  orders = _orders(counts)
  if block.single:
    return kinds[orders, 0]
  inside = [_inside(kind, block.parts) for kind in kinds]
  return np.array([
    np.concatenate(units)
    for order in orders
    for units in itertools.product(*(inside[kind] for kind in order))
  ])


def _listed(
  images: Images,
  blocks: Sequence[exchanges.Block],
  observed: np.ndarray,
) -> np.ndarray:
  """Sums `[A, K]` of all arrangements, the observed one first."""
  rows = np.zeros((1, images.k), images.values.dtype)
  for block in blocks:
    every = _arrangements(block, images.values)
    added = _totals(every, block, images)
    rows = (rows[:, np.newaxis] + added).reshape(-1, images.k)
  first = np.argmin(np.sum(np.abs(rows - observed), axis=1))
  return np.concatenate([rows[[first]], np.delete(rows, first, axis=0)])

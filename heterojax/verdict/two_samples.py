"""Do the images of a second data set lie as those of the first do?

Two statistics, each summed over the classes, so that another prevalence alone
is no difference: chi-square of how many images of each data set are in each
cluster, and the energy distance of the two in the clustering space (Szekely and
Rizzo 2013). Which data set a unit is of, an image or a patient with all of its
images, is exchanged among units with equally many images of each class
(`exchange`): exact if images of one class are drawn alike in both.

Axes: N images of both data sets, S classes, K clusters, R arrangements.
"""

from collections.abc import Callable, Iterator
import hashlib
import itertools
import math
from typing import NamedTuple

import jax
import numpy as np

from heterojax import rng
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import ranks
from heterojax.verdict.exchange import Exchange

DRAWS = 9999
# Numbers in memory at once, in one chunk of arrangements.
_CHUNK = 1 << 22
# Multiplications for the energy distances, a few seconds of two cores; of more
# images a random part is compared.
_WORK = 7.5e10
# Images whose distances are held at once, half a gigabyte.
_MOST = 8000
_ALPHA = 0.05
_CLUSTERS, _SPACE, _PART = range(3)

# Arrangements `[R, N]` of bool to their statistics `[R]`.
Statistic = Callable[[np.ndarray], np.ndarray]


class Difference(NamedTuple):
  """One statistic.

  Attributes:
    statistic: observed.
    p_value: None where no unit can change its place.
    adjusted: by Holm, for the two statistics; None likewise.
    draws: random arrangements, or all that there are if `enumerated`.
    enumerated: whether p is the share of all arrangements.
    n: images that were compared.
  """

  statistic: float
  p_value: float | None
  adjusted: float | None
  draws: int
  enumerated: bool
  n: int


class TwoSamples(NamedTuple):
  """The outcome.

  Attributes:
    clusters: how the images fall into the clusters.
    space: how they lie in the clustering space.
    p_value: the smaller of the adjusted ones; None where there is none, or none
      could be .05 or less.
    unit: what is exchanged: 'image' or 'patient'.
    moved: share of the images whose unit has one like it in the other data set.
    why: why there is no p-value; '' where there is one.
  """

  clusters: Difference
  space: Difference
  p_value: float | None
  unit: str
  moved: float
  why: str = ''


class _Images(NamedTuple):
  """Images in an order that hangs on their content alone; `unit` is rising."""

  z: np.ndarray
  labels: np.ndarray
  y: np.ndarray
  second: np.ndarray
  unit: np.ndarray

  def take(self, rows: np.ndarray) -> '_Images':
    return _Images(*(column[rows] for column in self))


def compare(
  z: np.ndarray,
  labels: np.ndarray,
  y: np.ndarray,
  second: np.ndarray,
  groups: np.ndarray,
  key: jax.Array,
  draws: int = DRAWS,
) -> TwoSamples:
  """Compares the images of two data sets.

  Args:
    z: `[N, Q]` floats, in the clustering space.
    labels: `[N]` int from 0, the cluster of each.
    y: `[N]` int, its class.
    second: `[N]` bool, whether it is of the second data set.
    groups: `[N]` of anything that NumPy can sort, equal for images of one
      patient, none of whom is in both data sets.
    key: of the draws.
    draws: of each statistic at most; where there are no more arrangements, all
      of them are compared.

  Returns:
    The outcome, whatever the order of the images.

  Raises:
    ValueError: if a patient is in both data sets, or one has no images.
  """
  second = np.asarray(second, bool)
  if not 0 < np.sum(second) < len(second):
    raise ValueError('both data sets need images')
  images = _in_order(z, np.asarray(labels), np.asarray(y), second, groups)
  exchange = _exchange(images)
  clusters = _difference(
    _chi_square(images.labels, images.y, images.second),
    images,
    exchange,
    jax.random.fold_in(key, _CLUSTERS),
    draws,
  )
  most = min(_MOST, int(math.sqrt(_WORK / (draws + images.z.shape[1]))))
  part = _part(images, most, jax.random.fold_in(key, _PART))
  space = _difference(
    _energy(part.z, part.y, part.second),
    part,
    _exchange(part),
    jax.random.fold_in(key, _SPACE),
    draws,
  )
  clusters, space = _holm(clusters, space)
  known = [d.adjusted for d in (clusters, space) if d.adjusted is not None]
  why = ''
  if not known:
    why = (
      f'no {exchange.unit} has one with as many images of each class in the'
      ' other data set'
    )
  elif len(known) * min(map(_least, (clusters, space))) > _ALPHA:
    why = (
      'so few arrangements are possible that no p-value could be .05 or less'
    )
  return TwoSamples(
    clusters,
    space,
    None if why else min(known),
    exchange.unit,
    _moved(exchange, images.second),
    why,
  )


def untested(found: TwoSamples, why: str) -> TwoSamples:
  """The outcome without p-values, where they would not be exact."""

  def without(difference: Difference) -> Difference:
    return difference._replace(p_value=None, adjusted=None)

  return found._replace(
    clusters=without(found.clusters),
    space=without(found.space),
    p_value=None,
    why=why,
  )


def _least(found: Difference) -> float:
  """The smallest p-value that could have been found; 1 without any."""
  if found.p_value is None:
    return 1.0
  return 1 / (found.draws + (not found.enumerated))


def _in_order(
  z: np.ndarray,
  labels: np.ndarray,
  y: np.ndarray,
  second: np.ndarray,
  groups: np.ndarray,
) -> _Images:
  """The images, patient by patient, ordered by digests of what they are."""
  z = np.ascontiguousarray(z)
  facts = np.stack([labels, y], axis=1).astype(np.int64)
  digests = [
    hashlib.blake2b(row.tobytes() + of.tobytes(), digest_size=16).digest()
    for row, of in zip(z, facts, strict=True)
  ]
  _, unit = np.unique(groups, return_inverse=True)
  members: list[list[int]] = [[] for _ in range(int(unit.max()) + 1)]
  for i in sorted(range(len(z)), key=digests.__getitem__):
    members[unit[i]].append(i)
  for rows in members:
    if len(set(second[rows].tolist())) > 1:
      raise ValueError('a patient is in both data sets')
  members.sort(key=lambda rows: [digests[i] for i in rows])
  order = np.concatenate(members)
  sizes = [len(rows) for rows in members]
  return _Images(
    z[order],
    labels[order],
    y[order],
    second[order],
    np.repeat(np.arange(len(members)), sizes),
  )


def _exchange(images: _Images) -> Exchange:
  several = len(np.unique(images.unit)) < len(images.unit)
  return exchanges.exchange(images.y, images.unit if several else None)


def _part(images: _Images, most: int, key: jax.Array) -> _Images:
  """At most so many images, whole patients drawn from each data set."""
  sizes = [int(np.sum(~images.second)), int(np.sum(images.second))]
  if sum(sizes) <= most:
    return images
  kept = []
  for which, size in enumerate(sizes):
    room = min(size, max(most // 2, most - sizes[1 - which]))
    units, counts = np.unique(
      images.unit[images.second == bool(which)], return_counts=True
    )
    drawn = rng.from_key(key, which).permutation(len(units))
    # One at least, whatever its size.
    number = max(1, int(np.sum(np.cumsum(counts[drawn]) <= room)))
    kept.append(units[drawn[:number]])
  return images.take(np.flatnonzero(np.isin(images.unit, np.concatenate(kept))))


def _moved(exchange: Exchange, second: np.ndarray) -> float:
  """Share of the images in blocks of units of both data sets."""
  moved = sum(
    block.images.size
    for block in exchange.blocks
    if 0 < np.sum(second[block.images[:, 0]]) < len(block.images)
  )
  return moved / len(second)


def _difference(
  statistic: Statistic,
  images: _Images,
  exchange: Exchange,
  key: jax.Array,
  draws: int,
) -> Difference:
  """p-value of the arrangement that was observed."""
  second, n = images.second, len(images.second)
  blocks = [block.images for block in exchange.blocks]
  members = [int(np.sum(second[images[:, 0]])) for images in blocks]
  all_of_them = math.prod(
    math.comb(len(images), m) for images, m in zip(blocks, members, strict=True)
  )
  observed = statistic(second[np.newaxis])
  if all_of_them == 1:
    return Difference(float(observed[0]), None, None, 0, False, n)
  enumerated = all_of_them <= draws
  rows = max(1, _CHUNK // n)
  chunks = (
    _enumerated(blocks, members, n, rows)
    if enumerated
    else _drawn(blocks, members, n, rows, draws, key)
  )
  found = np.concatenate([statistic(chunk) for chunk in chunks])
  above = found >= observed[0] - ranks.TIE * max(1.0, abs(float(observed[0])))
  # All of them hold the observed one; draws may not.
  p = np.mean(above) if enumerated else (1 + np.sum(above)) / (1 + draws)
  return Difference(
    float(observed[0]), float(p), None, len(found), enumerated, n
  )


def _enumerated(
  blocks: list[np.ndarray], members: list[int], n: int, rows: int
) -> Iterator[np.ndarray]:
  """All arrangements, `[rows, n]` at a time."""
  every = itertools.product(
    *(
      itertools.combinations(range(len(images)), m)
      for images, m in zip(blocks, members, strict=True)
    )
  )
  while several := list(itertools.islice(every, rows)):
    chunk = np.zeros((len(several), n), bool)
    for row, chosen in zip(chunk, several, strict=True):
      for images, units in zip(blocks, chosen, strict=True):
        row[images[list(units)]] = True
    yield chunk


def _drawn(
  blocks: list[np.ndarray],
  members: list[int],
  n: int,
  rows: int,
  draws: int,
  key: jax.Array,
) -> Iterator[np.ndarray]:
  """Random arrangements, which do not hang on the observed one."""
  streams = [rng.from_key(key, number) for number in range(len(blocks))]
  for start in range(0, draws, rows):
    chunk = np.zeros((min(rows, draws - start), n), bool)
    for images, m, stream in zip(blocks, members, streams, strict=True):
      first = np.tile(np.arange(len(images)) < m, (len(chunk), 1))
      chunk[:, images] = stream.permuted(first, axis=1)[..., np.newaxis]
    yield chunk


def _chi_square(
  labels: np.ndarray, y: np.ndarray, second: np.ndarray
) -> Statistic:
  """Pearson's, of the table data set by cluster of each class, summed."""
  clusters, column = np.unique(labels, return_inverse=True)
  classes, row = np.unique(y, return_inverse=True)
  k = len(clusters)
  cell = np.eye(len(classes) * k)[row * k + column]
  total = cell.sum(axis=0)
  share = np.array([np.mean(second[row == s]) for s in range(len(classes))])
  expected = total * np.repeat(share, k)
  # Both data sets are as far off: 1/E + 1/(T - E).
  inside = (expected > 0) & (expected < total)
  weight = np.zeros(len(total))
  weight[inside] = total[inside] / (expected * (total - expected))[inside]

  def statistic(arrangements: np.ndarray) -> np.ndarray:
    counts = arrangements.astype(np.float64) @ cell
    return np.asarray((counts - expected) ** 2 @ weight)

  return statistic


def _energy(z: np.ndarray, y: np.ndarray, second: np.ndarray) -> Statistic:
  """Energy distance of each class, in units of its mean distance, summed.

  With n and m images of the two data sets it counts n m / (n + m) times.
  """
  of_class = []
  for code in np.unique(y):
    rows = np.flatnonzero(y == code)
    m = int(np.sum(second[rows]))
    if 0 < m < len(rows):
      of_class.append((rows, m, _distances(z[rows])))

  def statistic(arrangements: np.ndarray) -> np.ndarray:
    sums = np.zeros(len(arrangements))
    for rows, m, d in of_class:
      n = len(rows) - m
      inside = arrangements[:, rows].astype(np.float64)
      to_all = inside @ d.sum(axis=1)
      within = np.einsum('rn,rn->r', inside @ d, inside)
      between, others = to_all - within, d.sum() - 2 * to_all + within
      distance = 2 * between / (m * n) - within / m**2 - others / n**2
      sums += n * m / (n + m) * distance
    return sums

  return statistic


def _distances(z: np.ndarray) -> np.ndarray:
  """`[n, n]`, over their mean."""
  z = np.asarray(z, np.float64)
  z = z - z.mean(axis=0)
  z = z / (np.abs(z).max() or 1.0)  # Squares of large numbers overflow.
  squares = np.sum(z**2, axis=1)
  squared = squares[:, np.newaxis] + squares - 2 * z @ z.T
  np.fill_diagonal(squared, 0)
  distances = np.sqrt(np.maximum(squared, 0))
  return distances / (distances.mean() or 1.0)


def _holm(a: Difference, b: Difference) -> tuple[Difference, Difference]:
  """Both with p-values adjusted for two."""
  if a.p_value is None or b.p_value is None:
    return a._replace(adjusted=a.p_value), b._replace(adjusted=b.p_value)
  smaller = min(1.0, 2 * min(a.p_value, b.p_value))
  adjusted = [
    smaller if p == min(a.p_value, b.p_value) else max(smaller, p)
    for p in (a.p_value, b.p_value)
  ]
  return a._replace(adjusted=adjusted[0]), b._replace(adjusted=adjusted[1])

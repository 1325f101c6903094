"""What logistic heads need of features that are read and never held.

A read takes all rows block by block, less their mean and over their scale, and
serves all heads at once. Each core has a block; their sums are added in the
order of the rows, so that no bit hangs on the number of cores.

Axes: P rows, D features, b rows of a block, H heads, J outputs of a head, which
is 1 where there are two classes and else the number of classes.
"""

from collections.abc import Callable, Iterator, Sequence
import concurrent.futures
import itertools
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy import special

from heterojax.cluster import moments
from heterojax.compute import cores
from heterojax.heads import batches
from heterojax.run import interruption

# Numbers of a block, which stays in a core's cache; but of long features so
# many rows that the heads' coefficients are not what is mostly read.
_NUMBERS, _LEAST_ROWS = 2**19, 256
# Numbers of the rows that directions are taken from.
_SAMPLED = 2**25
_MOST_DIRECTIONS = 2048

T = TypeVar('T')


class Features(NamedTuple):
  """A matrix of which `(x - mean) / scale` is read.

  Attributes:
    x: `[P, D]` float32 or float64, which may be a mapped file.
    mean: `[D]` float64.
    scale: `[D]` float64.
  """

  x: np.ndarray
  mean: np.ndarray
  scale: np.ndarray

  def taken(self, rows: slice | np.ndarray, dtype: Any) -> np.ndarray:
    """`[b, D]`, some rows less the mean."""
    return np.subtract(self.x[rows], self.mean.astype(dtype), dtype=dtype)

  def scaled(self, w: np.ndarray) -> np.ndarray:
    """Coefficients `[..., D + 1]` over the scale, but for intercepts."""
    return np.concatenate([w[..., :-1] / self.scale, w[..., -1:]], axis=-1)

  def each(
    self, function: Callable[[slice, Any], T], dtype: Any
  ) -> Iterator[T]:
    """What a function gives of every block, in order.

    Args:
      function: of the rows, as a slice, and `[b, D]`, these less the mean.
      dtype: of the block.

    Yields:
      It.

    Raises:
      Interrupted: between two blocks, if a signal asked the run to stop.
    """
    n, width = self.x.shape
    step = rows_of_block(width)
    starts = iter(range(0, n, step))

    def of(start: int) -> T:
      rows = slice(start, min(start + step, n))
      return function(rows, self.taken(rows, dtype))

    number = cores.number()
    # A core has a block, and the threads of BLAS would wait for each other.
    with (
      batches.one_thread(),
      concurrent.futures.ThreadPoolExecutor(number) as pool,
    ):
      while some := list(itertools.islice(starts, number)):
        interruption.check()
        yield from pool.map(of, some)


def rows_of_block(width: int) -> int:
  """How many rows of D features a core has at once."""
  return max(_LEAST_ROWS, _NUMBERS // width)


class Directions(NamedTuple):
  """In which directions the features vary, as a sample of the rows has it.

  Attributes:
    basis: `[R, D]` float64, orthonormal.
    variance: `[R]` along them.
    rest: along each of the other D - R, on average.
  """

  basis: np.ndarray
  variance: np.ndarray
  rest: float


def directions(features: Features, rows: np.ndarray) -> Directions:
  """Those of the features in some rows, of which evenly spaced ones count."""
  width = features.x.shape[1]
  most = min(len(rows), max(2, _SAMPLED // width))
  chosen = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
  z = features.taken(chosen, np.float64) / features.scale
  wide = len(z) < width
  upper = moments.second_moments(z, np.zeros(width), wide=wide) / len(z)
  values, vectors = np.linalg.eigh(upper, UPLO='U')
  kept = min(_MOST_DIRECTIONS, int(np.sum(values > 1e-9 * values[-1])))
  values, vectors = values[-kept:], vectors[:, -kept:]
  if wide:
    vectors = z.T @ (vectors / np.sqrt(len(z) * values))
  left = np.sum(np.square(z)) / len(z) - np.sum(values)
  return Directions(
    vectors.T, values, max(float(left), 0.0) / max(width - kept, 1)
  )


def probabilities(
  logits: np.ndarray, there: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Probabilities of the classes, and the log of what normalises them.

  Args:
    logits: `[b, H, J]`.
    there: `[H, J]` bool, of which classes a head has a row.

  Returns:
    `[b, H, J]` and `[b, H]`.
  """
  if logits.shape[2] == 1:
    return special.expit(logits), np.logaddexp(0, logits[..., 0])
  logits = np.where(there, logits, -np.inf)
  norm = np.asarray(special.logsumexp(logits, axis=2))
  return np.exp(logits - norm[..., None]), norm


def logits_of(z: np.ndarray, w: np.ndarray) -> np.ndarray:
  """`[b, H, J]` of a block and `[H, J, D + 1]`, the intercepts last."""
  flat = w.reshape(-1, w.shape[-1]).astype(z.dtype, copy=False)
  return (z @ flat[:, :-1].T + flat[:, -1]).reshape(len(z), *w.shape[:2])


def back(z: np.ndarray, of_rows: np.ndarray) -> np.ndarray:
  """`[H, J, D + 1]`: sums of a block's rows by weights `[b, H, J]`."""
  flat = of_rows.reshape(len(z), -1)
  sums = np.c_[flat.T @ z, flat.sum(axis=0)]
  return sums.reshape(*of_rows.shape[1:], -1)


def gradient(
  features: Features,
  target: np.ndarray,
  weight: np.ndarray,
  there: np.ndarray,
  w: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """The loss at some coefficients.

  Args:
    features: P rows.
    target: `[P]` int codes of the classes.
    weight: `[P, H]` of the rows.
    there: see `probabilities`.
    w: `[H, J, D + 1]`.

  Returns:
    `[H]` sums of the losses, their gradients `[H, J, D + 1]`, and `[P, H, J]`
    float32 probabilities.
  """
  p = np.empty((len(target), *w.shape[:2]), np.float32)
  w = features.scaled(w)

  def of(rows: slice, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    logits = logits_of(z, w)
    own, norm = probabilities(logits, there)
    p[rows] = own
    wanted = _targets(target[rows], w.shape[1])[:, None]
    by = weight[rows].astype(np.float64)
    loss = norm - np.sum(np.where(wanted > 0, logits, 0), axis=2)
    # Of a class that a head has no row of.
    loss = np.where(by > 0, loss, 0)
    return (
      np.einsum('bh,bh->h', by, loss),
      back(z, (own - wanted) * by[..., None]),
    )

  loss, slope = _sum(features.each(of, np.float64))
  return loss, features.scaled(slope), p


def curved(
  features: Features, weight: np.ndarray, p: np.ndarray, w: np.ndarray
) -> np.ndarray:
  """The Hessian of the losses times `[H, J, D + 1]`.

  In float32: a step along which the loss falls is all that is sought.

  Args:
    features: P rows.
    weight: `[P, H]` of the rows.
    p: `[P, H, J]` probabilities.
    w: what is multiplied.
  """
  w = features.scaled(w)

  def of(rows: slice, z: np.ndarray) -> tuple[np.ndarray]:
    own = p[rows]
    along = own * logits_of(z, w)
    along -= own * np.sum(along, axis=2, keepdims=True)
    return (back(z, along * weight[rows][..., None]).astype(np.float64),)

  return features.scaled(_sum(features.each(of, np.float32))[0])


def losses(
  features: Features,
  target: np.ndarray,
  held: np.ndarray,
  w: np.ndarray,
) -> np.ndarray:
  """`[H]` sums of the losses of the rows `[P, H]` bool that heads held out."""
  there, w = np.ones(w.shape[:2], bool), features.scaled(w)

  def of(rows: slice, z: np.ndarray) -> tuple[np.ndarray]:
    logits = logits_of(z, w)
    _, norm = probabilities(logits, there)
    wanted = _targets(target[rows], w.shape[1])[:, None]
    own = norm - np.sum(wanted * logits, axis=2)
    return (np.sum(own * held[rows], axis=0),)

  return _sum(features.each(of, np.float64))[0]


def _targets(codes: np.ndarray, outputs: int) -> np.ndarray:
  """`[b, J]` float64, 1 for the class of each row."""
  if outputs == 1:
    return codes[:, None].astype(np.float64)
  return (codes[:, None] == np.arange(outputs)).astype(np.float64)


def _sum(parts: Iterator[Sequence[np.ndarray]]) -> list[np.ndarray]:
  total = list(next(parts))
  for part in parts:
    for of, own in zip(total, part, strict=True):
      of += own
  return total

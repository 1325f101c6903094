"""K-means of much data, divided over the CPU cores.

Every core takes its share of the rows through an iteration block by block,
where one program for all reads all rows for each operation. Sums are of parts
that do not depend on the number of cores, and neither does the result.

Axes: N samples, D features, K clusters.
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import blocks
from heterojax.cluster import forms
from heterojax.cluster import lloyd
from heterojax.cluster.lloyd import KMeans
from heterojax.cluster.points import points_of
from heterojax.compute import cores

# Where this is faster than one program: numbers in the data, and features.
_LEAST = 2**24
_MOST_FEATURES = 200
# Of all samples; cores beyond so many stay idle.
_PARTS = 64
# Of a block.
_ROWS = 512


def suits(x: jax.Array, weights: jax.Array | None) -> bool:
  """Whether `[N, D]` is divided: many rows without weights, on CPU."""
  many = x.size >= _LEAST and x.shape[1] <= _MOST_FEATURES
  return many and weights is None and forms.are_of_cpu()


def best(
  x: jax.Array, starts: Iterable[jax.Array], tol: float, max_iter: int
) -> KMeans:
  """The run of the lowest inertia; the first of equals.

  Args:
    x: `[N, D]`.
    starts: starting centers `[K, D]` of each run.
    tol: as in `kmeans`.
    max_iter: as in `kmeans`.

  Returns:
    The clustering.
  """
  mean = _mean(x)
  threshold = float(_threshold(x, mean, tol)) if tol > 0 else 0.0
  runs = (_run(x, mean, start, threshold, max_iter) for start in starts)
  return min(runs, key=lambda run: float(run.inertia))


def _run(
  x: jax.Array,
  mean: jax.Array,
  init: jax.Array,
  threshold: float,
  max_iter: int,
) -> KMeans:
  """From given centers, as `lloyd.lloyd` does it."""
  n = len(x)
  sizes = _sizes(n)
  share = min(n, sizes.rows * sizes.blocks * sizes.parts)
  firsts = np.arange(0, n, share, dtype=np.int32)
  # Each device has all rows, in the same memory. Few rows leave devices over.
  used = cores.devices()[: len(firsts)]
  placed = [
    (device, jax.device_put((x, mean, first), device))
    for device, first in zip(used, firsts, strict=True)
  ]
  centers = init - mean[None]
  none = np.full(share, -1, np.int32)
  labels = [jax.device_put(none, device) for device in used]

  def by_shares(
    function: Callable[..., tuple[jax.Array, ...]], **static: Any
  ) -> list[tuple]:
    """Outputs of all shares, which are begun before one is waited for."""
    args = [
      (*inputs, jax.device_put(centers, device), before)
      for (device, inputs), before in zip(placed, labels, strict=True)
    ]
    programs = cores.program(
      function, *args[0], library=True, sizes=sizes, **static
    )
    begun = [
      run(*inputs)
      for run, inputs in zip(programs[: len(args)], args, strict=True)
    ]
    return list(zip(*begun, strict=True))

  n_iter, shift, repeated = 0, np.inf, False
  while n_iter == 0 or n_iter < max_iter and shift > threshold and not repeated:
    labels, changed, sums, counts = by_shares(blocks.nearest)
    sums, counts = _total(sums), _total(counts)
    if not counts.all():
      every = _joined(labels, firsts, n)
      sums, counts = _relocated(x, mean, every, centers, sums, counts)
    centers, shift = _moved(sums, counts, centers)
    n_iter, repeated = n_iter + 1, not any(changed)
  # Labels must be those of the centers that are returned; they are already
  # where they repeated.
  labels, inertia = by_shares(blocks.inertia, known=repeated)
  return KMeans(
    centers + mean[None],
    jnp.asarray(_joined(labels, firsts, n)),
    jnp.asarray(_total(inertia)),
    jnp.asarray(n_iter, jnp.int32),
  )


def _sizes(n: int) -> blocks.Sizes:
  """Only the parts of a share depend on the number of cores."""
  rows = min(n, _ROWS)
  of_part = -(-n // (rows * _PARTS))
  parts = -(-n // (rows * of_part))
  return blocks.Sizes(rows, of_part, -(-parts // len(cores.devices())))


def _total(shares: Iterable[jax.Array]) -> np.ndarray:
  """Sum of all parts, in their order."""
  return np.concatenate([*map(np.asarray, shares)]).sum(axis=0)


def _joined(
  labels: Iterable[jax.Array], firsts: np.ndarray, n: int
) -> np.ndarray:
  """Labels `[N]` from those of the shares."""
  shares = zip(labels, np.diff(firsts, append=n), strict=True)
  return np.concatenate([np.asarray(share)[-size:] for share, size in shares])


@jax.jit
def _mean(x: jax.Array) -> jax.Array:
  return jnp.mean(x, axis=0)


@jax.jit
def _threshold(x: jax.Array, mean: jax.Array, tol: float) -> jax.Array:
  """`tol` times the mean variance of the features."""
  return tol * points_of(x, mean)[0].total(None) / x.shape[1]


@jax.jit
def _relocated(
  x: jax.Array,
  mean: jax.Array,
  labels: jax.Array,
  centers: jax.Array,
  sums: jax.Array,
  counts: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  points, exists = points_of(x, mean)[0], jnp.full(len(centers), True)
  return lloyd.relocated(points, None, labels, centers, exists, sums, counts)


@jax.jit
def _moved(
  sums: jax.Array, counts: jax.Array, centers: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """New centers, and the sum of their squared movements."""
  new = lloyd.means(sums, counts, centers, jnp.full(len(centers), True))
  return new, jnp.sum((new - centers) ** 2)

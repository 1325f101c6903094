"""Lloyd's iterations, in one program.

Axes: N samples, D features, K clusters.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from heterojax.cluster import forms
from heterojax.cluster.points import Points

# Numbers of columns that are compared one by one, for each is compiled.
_COMPARED = range(17, 65)


class KMeans(NamedTuple):
  """A fitted clustering.

  Attributes:
    centers: `[K, D]`.
    labels: `[N]` int32, the nearest center of each sample.
    inertia: `[]`, weighted sum of squared distances to it.
    n_iter: `[]` int32, Lloyd iterations of the best restart.
  """

  centers: jax.Array
  labels: jax.Array
  inertia: jax.Array
  n_iter: jax.Array


class _State(NamedTuple):
  centers: jax.Array
  labels: jax.Array
  shift: jax.Array  # Sum of squared movements of the centers.
  strict: jax.Array  # Whether the labels repeated.
  n_iter: jax.Array


def _nearest(
  points: Points, centers: jax.Array, exists: jax.Array
) -> jax.Array:
  """Number of the nearest center that exists, `[N]` int32."""
  scores = points.scores(centers)
  return argmin(jnp.where(exists[None], scores, jnp.inf))


def argmin(rows: jax.Array) -> jax.Array:
  """First smallest of each row of `[N, K]`, `[N]` int32."""
  k = rows.shape[1]
  if not forms.are_of_cpu() or k not in _COMPARED:
    return jnp.argmin(rows, axis=1).astype(jnp.int32)
  # Column against column is one loop for XLA; its reduction of pairs takes
  # twice as long for 64 of them, and is faster for 16.
  least, index = rows[:, 0], jnp.zeros(len(rows), jnp.int32)
  for j in range(1, k):
    less = rows[:, j] < least
    least = jnp.where(less, rows[:, j], least)
    index = jnp.where(less, j, index)
  return index


def lloyd(
  points: Points,
  weights: jax.Array | None,
  init: jax.Array,
  threshold: jax.Array,
  max_iter: int,
  exists: jax.Array,
) -> KMeans:
  """One run from given centers, in the terms of the samples."""
  fitted = True if weights is None else weights > 0

  def going(state: _State) -> jax.Array:
    moving = ~state.strict & (state.shift > threshold)
    return (state.n_iter < max_iter) & ((state.n_iter == 0) | moving)

  def iterate(state: _State) -> _State:
    labels = _nearest(points, state.centers, exists)
    centers = _means(points, weights, labels, state.centers, exists)
    return _State(
      centers=centers,
      labels=labels,
      shift=points.moved(centers - state.centers),
      strict=jnp.all((labels == state.labels) | ~jnp.asarray(fitted)),
      n_iter=state.n_iter + 1,
    )

  start = _State(
    centers=init,
    labels=jnp.full(len(points.norms()), -1, jnp.int32),
    shift=jnp.asarray(jnp.inf, init.dtype),
    strict=jnp.asarray(False),
    n_iter=jnp.asarray(0, jnp.int32),
  )
  end = jax.lax.while_loop(going, iterate, start)
  # Labels must be those of the centers that are returned; they are already
  # where they repeated.
  labels = jnp.where(
    end.strict & fitted, end.labels, _nearest(points, end.centers, exists)
  )
  inertia = points.inertia(end.centers, labels, weights)
  return KMeans(end.centers, labels, inertia, end.n_iter)


def _means(
  points: Points,
  weights: jax.Array | None,
  labels: jax.Array,
  centers: jax.Array,
  exists: jax.Array,
) -> jax.Array:
  """New centers; an empty cluster takes the sample farthest off."""
  k = len(centers)
  sums = points.sums(labels, weights, k)
  if weights is None:
    counts = forms.counts(labels, k)
  else:
    counts = forms.sums(weights, labels, k)
  sums, counts = jax.lax.cond(
    jnp.any(exists & (counts == 0)),
    lambda *totals: relocated(
      points, weights, labels, centers, exists, *totals
    ),
    lambda *totals: totals,
    sums,
    counts,
  )
  return means(sums, counts, centers, exists)


def relocated(
  points: Points,
  weights: jax.Array | None,
  labels: jax.Array,
  centers: jax.Array,
  exists: jax.Array,
  sums: jax.Array,
  counts: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Sums and counts once every cluster has a sample.

  As scikit-learn's `_relocate_empty_clusters_dense`: the j-th empty cluster
  gets the sample with the j-th largest distance to its center, which its old
  cluster loses.

  Args:
    points: the samples.
    weights: `[N]`, if they have some.
    labels: `[N]` of the nearest centers.
    centers: `[K, D]`.
    exists: `[K]` bool.
    sums: `[K, D]` of the samples of each cluster.
    counts: `[K]`, their number or weight.

  Returns:
    The sums and the counts.
  """
  k = len(centers)
  distance = points.distance(centers, labels)
  if weights is not None:
    distance = jnp.where(weights > 0, distance, -1)
  farthest = jax.lax.top_k(distance, k)[1]
  empty = exists & (counts == 0)
  # Rank of each empty cluster among the empty ones, in order of index.
  chosen = farthest[jnp.clip(jnp.cumsum(empty) - 1, 0, k - 1)]
  moves = empty & (jnp.max(distance) > 0)
  mass = moves.astype(counts.dtype)
  if weights is not None:
    mass *= weights[chosen]
  gain = jnp.where(
    moves[:, None], mass[:, None].astype(sums.dtype) * points.at(chosen), 0
  )
  # Samples that left are taken off their old clusters, all at once.
  loss = forms.sums(gain, labels[chosen], k)
  less = forms.sums(mass, labels[chosen], k)
  sums = jnp.where(moves[:, None], gain, sums)
  return sums - loss, jnp.where(moves, mass, counts) - less


def means(
  sums: jax.Array, counts: jax.Array, centers: jax.Array, exists: jax.Array
) -> jax.Array:
  """New centers `[K, D]`; arguments as before."""
  filled = counts > 0
  mean = sums / jnp.where(filled, counts, 1)[:, None].astype(sums.dtype)
  # A cluster that is still empty takes the place of the heaviest one: of its
  # sum, if it comes before it, as scikit-learn divides in order of index. One
  # that does not exist stays.
  heaviest = jnp.argmax(counts)
  before = (jnp.arange(len(centers)) < heaviest)[:, None]
  place = jnp.where(before, sums[heaviest][None], mean[heaviest][None])
  place = jnp.where(exists[:, None], place, centers)
  return jnp.where(filled[:, None], mean, place)

"""Samples as K-means sees them: as rows, or by their inner products.

Where there are far more features than samples, the products of samples with
each other are the smaller matrix, and every distance to a center follows from
them, because a center is a sum of samples: with X the centred samples and A
the coefficients of the centers, centers are A X, and X (A X)' is (X X') A'. A
Lloyd iteration then costs N^2 K instead of N D K ("kernel K-means" with the
linear kernel).

Axes: N samples, D features, K clusters, M >= N rows that centers are sums of.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, overload

import jax
import jax.numpy as jnp

from heterojax.cluster import forms
from heterojax.cluster import members
from heterojax.cluster import products
from heterojax.cluster.weights import weighted_mean
from heterojax.compute import sharded_rows

# Clusters whose sums are a matrix product: it takes both factors in parallel,
# where XLA adds samples one after another.
_FEW = 8
# Features per sample from which products are the smaller work.
_WIDE = 4


class Rows(NamedTuple):
  """Samples as they are; a center is `[D]`."""

  x: jax.Array  # [N, D], centred.

  def norms(self) -> jax.Array:
    """`[N]` squared."""
    return jnp.sum(self.x**2, axis=1)

  def total(self, weights: jax.Array | None) -> jax.Array:
    """Weighted mean of the squared norms."""
    return jnp.sum(weighted_mean(self.x**2, weights))

  def at(self, rows: jax.Array) -> jax.Array:
    """Centers where samples are."""
    return self.x[rows]

  def dots(self, rows: jax.Array) -> jax.Array:
    """`[L, N]` of L samples with all."""
    return _dot(self.x[rows], self.x)

  def scores(self, centers: jax.Array) -> jax.Array:
    """`[N, K]` of half |c_j|^2 - x.c_j: smallest for the nearest center."""
    half = 0.5 * jnp.sum(centers**2, axis=1)
    return half[None] - _dot(self.x, centers)

  def moved(self, change: jax.Array) -> jax.Array:
    """Sum of the squared changes of centers."""
    return jnp.sum(change**2)

  def distance(self, centers: jax.Array, labels: jax.Array) -> jax.Array:
    """`[N]` squared, of each sample to its center, by differences."""
    return jnp.sum((self.x - centers[labels]) ** 2, axis=1)

  def inertia(
    self, centers: jax.Array, labels: jax.Array, weights: jax.Array | None
  ) -> jax.Array:
    """Weighted sum of `distance`, in chunks that stay in the cache."""

    def own(centers: jax.Array, *every: Any) -> jax.Array:
      def part(start: jax.typing.ArrayLike, size: int) -> jax.Array:
        rows, *others = products.part_of(every, start, size)
        return _weighted_sum(rows.distance(centers, others[0]), others[1])

      return products.sum_of_chunks(part, len(every[1]))

    return sharded_rows.total(own, centers, self, labels, weights)

  def sums(
    self, labels: jax.Array, weights: jax.Array | None, k: int
  ) -> jax.Array:
    """`[K, D]` of the samples of each cluster."""
    if weights is None and k > _FEW:
      return members.add(self.x, labels, k)
    shares = jax.nn.one_hot(labels, k, dtype=self.x.dtype)
    if weights is not None:
      shares *= weights[:, None]
    return jnp.matmul(shares.T, self.x, precision='highest')

  def added(self, sums: jax.Array, labels: jax.Array) -> jax.Array:
    """Adds the samples to `[K, D]`, but not those whose label is K."""
    if len(sums) > _FEW:
      return sums.at[labels].add(self.x, mode='drop')
    return sums + self.sums(labels, None, len(sums))


class Blocks(NamedTuple):
  """`Rows` of which a centred copy would be large: each block is, when read."""

  x: jax.Array  # [N, D]
  mean: jax.Array  # [D]

  def norms(self) -> jax.Array:
    return self._each(lambda rows: rows.norms())

  def total(self, weights: jax.Array | None) -> jax.Array:
    weight = len(self.x) if weights is None else jnp.sum(weights)
    return self._sum(_of_norms, weights) / weight

  def at(self, rows: jax.Array) -> jax.Array:
    return self.x[rows] - self.mean[None]

  def dots(self, rows: jax.Array) -> jax.Array:
    chosen = self.at(rows)
    return self._each(lambda rows: _dot(rows.x, chosen)).T

  def scores(self, centers: jax.Array) -> jax.Array:
    return self._each(lambda rows: rows.scores(centers))

  def moved(self, change: jax.Array) -> jax.Array:
    return jnp.sum(change**2)

  def distance(self, centers: jax.Array, labels: jax.Array) -> jax.Array:
    return self._each(lambda rows, own: rows.distance(centers, own), labels)

  def inertia(
    self, centers: jax.Array, labels: jax.Array, weights: jax.Array | None
  ) -> jax.Array:
    return self._sum(
      lambda rows, own, weights: _weighted_sum(
        rows.distance(centers, own), weights
      ),
      labels,
      weights,
    )

  def sums(
    self, labels: jax.Array, weights: jax.Array | None, k: int
  ) -> jax.Array:
    return self._sum(
      lambda rows, own, weights: rows.sums(own, weights, k), labels, weights
    )

  def _each(self, function: Callable[..., jax.Array], *every: Any) -> jax.Array:
    """What a function gives for the samples of each block, `[N, ...]`."""
    return products.of_chunks(self._part(function, every), len(self.x))

  def _sum(self, function: Callable[..., jax.Array], *every: Any) -> jax.Array:
    return products.sum_of_chunks(self._part(function, every), len(self.x))

  def _part(
    self, function: Callable[..., jax.Array], every: tuple[Any, ...]
  ) -> products.Part:
    """A function of `Rows`, and of so much of `[N]` arrays (or None)."""

    def part(start: jax.typing.ArrayLike, size: int) -> jax.Array:
      rows = Rows(products.centred(self.x, self.mean, start, size, 0))
      return function(rows, *products.part_of(every, start, size))

    return part


class Products(NamedTuple):
  """Inner products; a center is its coefficients `[M]`."""

  samples: jax.Array  # [N, M]; they are the first N of M.
  all: jax.Array  # [M, M]

  def norms(self) -> jax.Array:
    return jnp.diagonal(self.samples)

  def total(self, weights: jax.Array | None) -> jax.Array:
    return weighted_mean(self.norms()[:, None], weights)[0]

  def at(self, rows: jax.Array) -> jax.Array:
    return jax.nn.one_hot(rows, len(self.all), dtype=self.samples.dtype)

  def dots(self, rows: jax.Array) -> jax.Array:
    return self.samples[rows, : len(self.samples)]

  def scores(self, centers: jax.Array) -> jax.Array:
    dots = _dot(self.all, centers)
    half = 0.5 * jnp.sum(centers.T * dots, axis=0)
    return half[None] - dots[: len(self.samples)]

  def moved(self, change: jax.Array) -> jax.Array:
    return jnp.sum(change.T * _dot(self.all, change))

  def distance(self, centers: jax.Array, labels: jax.Array) -> jax.Array:
    scores = jnp.take_along_axis(self.scores(centers), labels[:, None], axis=1)
    norms = self.norms()
    distance = norms + 2 * scores[:, 0]
    # What rounding leaves of a sample that is a center itself.
    least = 8 * jnp.finfo(norms.dtype).eps * norms
    return jnp.where(distance > least, distance, 0)

  def inertia(
    self, centers: jax.Array, labels: jax.Array, weights: jax.Array | None
  ) -> jax.Array:
    return _weighted_sum(self.distance(centers, labels), weights)

  def sums(
    self, labels: jax.Array, weights: jax.Array | None, k: int
  ) -> jax.Array:
    shares = jax.nn.one_hot(labels, k, dtype=self.samples.dtype, axis=0)
    if weights is not None:
      shares *= weights[None]
    return jnp.pad(shares, ((0, 0), (0, len(self.all) - len(labels))))


Points = Rows | Blocks | Products


@overload
def points_of(
  x: jax.Array, mean: jax.Array, init: None = None
) -> tuple[Points, None]: ...


@overload
def points_of(
  x: jax.Array, mean: jax.Array, init: jax.Array
) -> tuple[Points, jax.Array]: ...


def points_of(
  x: jax.Array, mean: jax.Array, init: jax.Array | None = None
) -> tuple[Points, jax.Array | None]:
  """The samples, and the starting centers in their terms.

  Distances do not change with the origin; their rounding errors do.

  Args:
    x: `[N, D]`.
    mean: `[D]` of the samples.
    init: `[K, D]` starting centers, if given.

  Returns:
    The samples and `[K, D]` or `[K, M]`.
  """
  if x.shape[1] < _WIDE * x.shape[0]:
    points = Blocks(x, mean) if forms.are_by_blocks(x) else Rows(x - mean[None])
    return points, None if init is None else init - mean[None]
  parts = [x] if init is None else [x, init]
  every = products.of_rows(parts, mean)
  points = Products(every[: len(x)], every)
  if init is None:
    return points, None
  return points, points.at(len(x) + jnp.arange(len(init)))


def centers_of(
  points: Points,
  centers: jax.Array,
  x: jax.Array,
  mean: jax.Array,
  init: jax.Array | None = None,
) -> jax.Array:
  """`[K, D]` of centers in the terms of the samples; arguments as before."""
  if not isinstance(points, Products):
    return centers + mean[None]
  combined = jnp.matmul(centers[:, : len(x)], x, precision='highest')
  if init is not None:
    combined += jnp.matmul(centers[:, len(x) :], init, precision='highest')
  # Coefficients of a mean sum to 1; those of no center to 0.
  return combined + (1 - jnp.sum(centers, axis=1))[:, None] * mean[None]


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
  """`a @ b.T` in full precision, which accelerators round by default."""
  return jnp.matmul(a, b.T, precision='highest')


def _of_norms(rows: Rows, weights: jax.Array | None) -> jax.Array:
  return _weighted_sum(rows.norms(), weights)


def _weighted_sum(values: jax.Array, weights: jax.Array | None) -> jax.Array:
  return jnp.sum(values if weights is None else weights * values)

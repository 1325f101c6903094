"""Weights of samples: multiplicities, of which a 0 leaves a sample out."""

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import forms
from heterojax.cluster import products


def check(weights: jax.typing.ArrayLike, shape: tuple[int, ...]) -> None:
  """Raises ValueError unless `[..., N]` weights leave something to fit."""
  weights = np.asarray(weights)
  if weights.shape != shape:
    raise ValueError(
      f'weights must be {list(shape)}, not {list(weights.shape)}'
    )
  if not (np.isfinite(weights) & (weights >= 0)).all():
    raise ValueError('weights must be finite and not negative')
  if not (weights > 0).any(axis=-1).all():
    raise ValueError('at least one weight must be positive')


def weights_of(x: jax.Array, weights: jax.typing.ArrayLike | None) -> jax.Array:
  """`[N]` of the type of `[N, D]`; all are 1 where none are given."""
  if weights is None:
    return jnp.ones(len(x), x.dtype)
  return jnp.asarray(weights, x.dtype)


def weighted_mean(x: jax.Array, weights: jax.Array | None) -> jax.Array:
  """`[D]` of `[N, D]`."""
  if weights is None:
    return jnp.mean(x, axis=0)
  if forms.are_by_blocks(x):
    return _weighted_sum(x, weights) / jnp.sum(weights)
  return jnp.sum(weights[:, None] * x, axis=0) / jnp.sum(weights)


def _weighted_sum(x: jax.Array, weights: jax.Array) -> jax.Array:

  def part(start: jax.typing.ArrayLike, size: int) -> jax.Array:
    own, rows = products.part_of((weights, x), start, size)
    return jnp.matmul(own, rows, precision='highest')

  return products.sum_of_chunks(part, len(x))

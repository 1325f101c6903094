"""One regression head: fully connected layers on frozen features.

"A 4-layers fully connected model as top model" (Mendez 2019, section 2.2):
three hidden layers and a linear output. The paper names neither widths nor
training;
ReLU, the mean squared error of the standardised target, Adam and early stopping
are [our choice], initial weights are Keras' default. Features are standardised
as well [our choice]: pooled ReLU features differ by orders of magnitude, and
small ones next to their mean would hardly be learned from. Those that hardly
vary among the training images are not blown up.

Everything here is for one head; `ensemble` vmaps it. Axes: B batch, D features.
"""

from collections.abc import Sequence
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp

# Of the root mean variance of the features; from 0.1 to 1 did alike, without
# heads for 60 images did worse than the mean of their targets.
_LEAST_SPREAD = 0.3


class Layer(NamedTuple):
  """Weights of one fully connected layer.

  Attributes:
    kernel: `[inputs, outputs]`.
    bias: `[outputs]`.
  """

  kernel: jax.Array
  bias: jax.Array


class Params(NamedTuple):
  """Weights of one head, and the scales that it was trained on.

  The scales are constants: no gradient reaches them.

  Attributes:
    layers: from the features to the standardised target.
    feature_mean: `[D]`.
    feature_std: `[D]`.
    mean: `[]` of the target.
    std: `[]` of the target.
  """

  layers: tuple[Layer, ...]
  feature_mean: jax.Array
  feature_std: jax.Array
  mean: jax.Array
  std: jax.Array


def init(key: jax.Array, dim: int, widths: Sequence[int]) -> Params:
  """Glorot-uniform kernels, zero biases and scales that change nothing.

  Args:
    key: PRNG key, consumed.
    dim: number of features.
    widths: of the hidden layers; without any, the head is a linear model.

  Returns:
    The head.
  """
  sizes = (dim, *widths, 1)
  keys = jax.random.split(key, len(sizes) - 1)
  layers = []
  for layer_key, (inputs, outs) in zip(
    keys, itertools.pairwise(sizes), strict=True
  ):
    limit = jnp.sqrt(6.0 / (inputs + outs))
    kernel = jax.random.uniform(
      layer_key, (inputs, outs), minval=-limit, maxval=limit
    )
    layers.append(Layer(kernel, jnp.zeros(outs)))
  return Params(
    tuple(layers), jnp.zeros(dim), jnp.ones(dim), jnp.zeros(()), jnp.ones(())
  )


def scales(values: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Mean and population sd of the rows that count; 0 where they are constant.

  Args:
    values: `[B, ...]`; padding must be finite.
    mask: `[B]`, 1 for rows that count and 0 for padding.

  Returns:
    Two arrays of the shape of a row.
  """
  counts = mask.reshape(-1, *(1,) * (values.ndim - 1))
  total = jnp.sum(mask)
  mean = jnp.sum(values * counts, axis=0) / total
  variance = jnp.sum(counts * (values - mean[None]) ** 2, axis=0) / total
  # The mean of equal values may be rounded, so that their sd is not quite zero.
  low = jnp.min(jnp.where(counts > 0, values, jnp.inf), axis=0)
  high = jnp.max(jnp.where(counts > 0, values, -jnp.inf), axis=0)
  constant = (low == high) | (variance == 0)
  return mean, jnp.where(constant, 0.0, jnp.sqrt(variance))


def standardise(
  params: Params, x: jax.Array, y: jax.Array, mask: jax.Array
) -> Params:
  """The head with the scales of its training rows.

  Args:
    params: of the head.
    x: `[B, D]` all of its training rows.
    y: `[B]` their targets.
    mask: `[B]`, 1 for rows that count and 0 for padding.

  Returns:
    The head with the same layers.
  """
  feature_mean, spread = scales(x, mask)
  # An image in which such a feature varies would drown all others.
  least = _LEAST_SPREAD * jnp.sqrt(jnp.mean(spread**2))
  feature_std = jnp.maximum(spread, jnp.where(least > 0, least, 1.0))
  mean, std = scales(y, mask)
  std = jnp.where(std > 0, std, 1.0)
  return Params(params.layers, feature_mean, feature_std, mean, std)


def _standardised(params: Params, x: jax.Array) -> jax.Array:
  """The standardised target as the layers see it, `[B]`."""
  center, spread = jax.lax.stop_gradient((
    params.feature_mean,
    params.feature_std,
  ))
  x = (x - center[None]) / spread[None]
  *hidden, last = params.layers
  for layer in hidden:
    x = jax.nn.relu(x @ layer.kernel + layer.bias[None])
  return (x @ last.kernel + last.bias[None])[:, 0]


def outputs(params: Params, x: jax.Array) -> jax.Array:
  """`[B]` in the target's units from `[B, D]`."""
  mean, std = jax.lax.stop_gradient((params.mean, params.std))
  return _standardised(params, x) * std + mean


def losses(params: Params, outputs: jax.Array, y: jax.Array) -> jax.Array:
  """`[B]` squared errors of the standardised target."""
  return ((outputs - y) / jax.lax.stop_gradient(params.std)) ** 2


def loss(
  params: Params, x: jax.Array, y: jax.Array, weights: jax.Array
) -> jax.Array:
  """Mean squared error of the standardised target.

  Args:
    params: of the head.
    x: `[B, D]`; padding must be finite.
    y: `[B]` in the target's units.
    weights: `[B]` of the rows, with sum 1; 0 for padding.

  Returns:
    A scalar.
  """
  return jnp.sum(losses(params, outputs(params, x), y) * weights)


def penalty(params: Params) -> jax.Array:
  """Sum of the squared kernels; biases are free."""
  return jnp.asarray(sum(jnp.sum(layer.kernel**2) for layer in params.layers))


def gradients(
  params: Params,
  x: jax.Array,
  batch: jax.Array,
  y: jax.Array,
  weights: jax.Array,
  l2: float = 0.0,
) -> Params:
  """Gradients of `loss` plus l2 times `penalty`, for some rows of a matrix.

  Args:
    params: of the head.
    x: `[N, D]`.
    batch: `[B]` int, rows of `x`.
    y: `[B]` in the target's units, theirs.
    weights: `[B]` of the rows, with sum 1; 0 for padding.
    l2: factor of the squared kernels; biases are free.

  Returns:
    Derivatives by the weights.
  """
  x = x[batch]

  def total(params):
    value = loss(params, x, y, weights)
    return value + l2 * penalty(params) if l2 else value

  return jax.grad(total)(params)

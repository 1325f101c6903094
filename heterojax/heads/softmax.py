"""One head of several classes: softmax neurons, as Keras trains them.

`Dense(C, activation='softmax')` and sparse categorical cross-entropy; the rest
is as in `head`. Everything here is for one head; `ensemble` vmaps it.

Axes: B batch, D features, C classes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class Params(NamedTuple):
  """Weights of one head.

  Attributes:
    kernel: `[C, D]`.
    bias: `[C]`.
  """

  kernel: jax.Array
  bias: jax.Array


def init(key: jax.Array, dim: int, widths: tuple[int, ...]) -> Params:
  """Glorot-uniform kernel and zero biases; the key is consumed.

  Args:
    key: of the head.
    dim: D.
    widths: (C,).
  """
  (classes,) = widths
  limit = jnp.sqrt(6.0 / (dim + classes))
  kernel = jax.random.uniform(key, (classes, dim), minval=-limit, maxval=limit)
  return Params(kernel, jnp.zeros(classes))


def logits(params: Params, x: jax.Array) -> jax.Array:
  """`[B, C]` from `[B, D]`; the probabilities are their softmax."""
  return x @ params.kernel.T + params.bias[None]


def losses(params: Params, outputs: jax.Array, y: jax.Array) -> jax.Array:
  """`[B]` cross-entropies, from the logits and the codes of the classes."""
  del params
  labels = y.astype(jnp.int32)
  return optax.softmax_cross_entropy_with_integer_labels(outputs, labels)


def right(outputs: jax.Array, y: jax.Array) -> jax.Array:
  """`[B]` whether the likeliest class, of equally likely the first, is y."""
  return jnp.argmax(outputs, axis=-1) == y.astype(jnp.int32)


def gradients(
  params: Params,
  x: jax.Array,
  batch: jax.Array,
  y: jax.Array,
  weights: jax.Array,
  l2: float = 0.0,
) -> Params:
  """Gradients of the weighted losses plus l2 times `head.penalty`.

  Args:
    params: of the head.
    x: `[N, D]`.
    batch: `[B]` int, rows of `x`.
    y: `[B]` codes of the classes, theirs.
    weights: `[B]` of the rows, with sum 1; 0 for padding.
    l2: factor of the squared kernel; the biases are free.

  Returns:
    Derivatives by kernel and biases.
  """
  rows = x[batch]
  outputs = logits(params, rows)
  truth = jax.nn.one_hot(y.astype(jnp.int32), outputs.shape[1], dtype=x.dtype)
  residual = (jax.nn.softmax(outputs) - truth) * weights[:, None]
  kernel = residual.T @ rows
  if l2:
    kernel += 2 * l2 * params.kernel
  return Params(kernel, jnp.sum(residual, axis=0))

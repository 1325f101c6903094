"""One head: a sigmoid neuron on frozen features, as Keras trains it.

`Dense(1, activation='sigmoid')`, binary cross-entropy, Adam, EarlyStopping and
the best checkpoint (Wang 2023, Binary Classification CNN Model; the rest is
Keras' default). Everything here is for one head; `ensemble` vmaps it.

Axes: B batch, D features.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from heterojax.heads import forms

# Of 8 rows 40 KiB, which fit into a core's first cache.
_COLUMNS = 1280
# Of a longer row, read side by side: a core then waits less for its memory.
_STRANDS = 16


class Params(NamedTuple):
  """Weights of one head.

  Attributes:
    kernel: `[D]`.
    bias: `[]`.
  """

  kernel: jax.Array
  bias: jax.Array


def init(key: jax.Array, dim: int) -> Params:
  """Glorot-uniform kernel and zero bias; the key is consumed."""
  limit = jnp.sqrt(6.0 / (dim + 1))
  kernel = jax.random.uniform(key, (dim,), minval=-limit, maxval=limit)
  return Params(kernel, jnp.zeros(()))


def logits(params: Params, x: jax.Array) -> jax.Array:
  """`[B]` from `[B, D]`; the probability is their sigmoid."""
  # Behind a barrier, or XLA would turn the vmapped product round, which takes
  # a CPU three to eight times as long.
  return jax.lax.optimization_barrier(x @ params.kernel) + params.bias


def losses(params: Params, outputs: jax.Array, y: jax.Array) -> jax.Array:
  """`[B]` binary cross-entropies, from the logits."""
  del params
  return optax.sigmoid_binary_cross_entropy(outputs, y)


def right(outputs: jax.Array, y: jax.Array) -> jax.Array:
  """`[B]` whether the answer at the threshold 0.5 is y."""
  return (outputs > 0) == (y > 0.5)


def penalty(params: Params) -> jax.Array:
  """Sum of the squared kernel; the bias is free."""
  return jnp.sum(params.kernel**2)


def gradients(
  params: Params,
  x: jax.Array,
  batch: jax.Array,
  y: jax.Array,
  weights: jax.Array,
  l2: float = 0.0,
) -> Params:
  """Gradients of weighted losses plus l2 times `penalty`, for rows of a matrix.

  With p = sigmoid(x w + b) the derivative by a row's logit is p - y, so the
  closed form saves keeping anything for a backward pass. It is taken from the
  logits, as Keras on TensorFlow does; clipping p would stop the gradient of a
  confidently wrong row.

  Args:
    params: of the head.
    x: `[N, D]`, which is not copied.
    batch: `[B]` int, rows of `x`.
    y: `[B]` of 0 and 1, theirs.
    weights: `[B]` of the rows, with sum 1; 0 for padding.
    l2: factor of the squared kernel; the bias is free, as in Keras and in
      scikit-learn, whose C is 1 / (2 l2 n).

  Returns:
    Derivatives by kernel and bias.
  """
  outputs = _products(params.kernel, x, batch) + params.bias
  residual = (jax.nn.sigmoid(outputs) - y) * weights
  if _is_long(x):
    # Else XLA would copy the rows, to have them here again.
    residual, batch = jax.lax.optimization_barrier((residual, batch))
  # Not a matrix product, for which the rows would be copied.
  kernel = jnp.sum(residual[:, None] * x[batch], axis=0)
  if l2:
    kernel += 2 * l2 * params.kernel
  return Params(kernel, jnp.sum(residual))


def _is_long(x: jax.Array) -> bool:
  """Whether a core has no room for some rows close by."""
  return forms.of_programs().in_turn and x.shape[1] > _COLUMNS


def _products(kernel: jax.Array, x: jax.Array, batch: jax.Array) -> jax.Array:
  """`x[batch] @ kernel`, of long rows on CPU from the memory as they are."""
  if not _is_long(x):
    return x[batch] @ kernel
  # A matrix product would copy the rows, and read one after the other.
  length = x.shape[1] // _STRANDS
  end = _STRANDS * length
  strands = x[batch, :end] * kernel[None, :end]
  sums = jnp.sum(strands.reshape(len(batch), _STRANDS, length), axis=1)
  return sums @ jnp.ones(length, x.dtype) + x[batch, end:] @ kernel[end:]


class KerasAdamState(NamedTuple):
  count: jax.Array  # [] int32
  mu: optax.Updates
  nu: optax.Updates


def keras_adam(
  learning_rate: float | jax.Array,
  b1: float = 0.9,
  b2: float = 0.999,
  epsilon: float = 1e-7,
) -> optax.GradientTransformation:
  """Adam with epsilon where Keras has it.

  Keras divides by sqrt(v) + epsilon and corrects the bias in the step size;
  `optax.adam` adds epsilon to the corrected sqrt(v), which is another step as
  long as the correction is far from one.

  Args:
    learning_rate: step size.
    b1: decay of the mean gradient.
    b2: decay of the mean squared gradient.
    epsilon: see above.

  Returns:
    The transformation.
  """

  def init_fn(params: optax.Params) -> KerasAdamState:
    zeros = jax.tree.map(jnp.zeros_like, params)
    return KerasAdamState(jnp.zeros((), jnp.int32), zeros, zeros)

  def update_fn(updates, state, params=None):
    del params
    count = state.count + 1
    mu = optax.tree.update_moment(updates, state.mu, b1, 1)
    nu = optax.tree.update_moment(updates, state.nu, b2, 2)
    step = learning_rate * jnp.sqrt(1 - b2**count) / (1 - b1**count)
    updates = jax.tree.map(
      lambda m, v: -step * m / (jnp.sqrt(v) + epsilon), mu, nu
    )
    return updates, KerasAdamState(count, mu, nu)

  return optax.GradientTransformation(init_fn, update_fn)


class EarlyStopping(NamedTuple):
  """Where one head stands between epochs.

  Attributes:
    best: `[]` best monitored value, larger is better.
    best_epoch: `[]` int32, the first epoch that reached it, from 0.
    best_params: the weights of that epoch.
    wait: `[]` int32, epochs without a strict improvement.
    stopped: `[]` bool.
  """

  best: jax.Array
  best_epoch: jax.Array
  best_params: Any
  wait: jax.Array
  stopped: jax.Array


def start_early_stopping(params: Any) -> EarlyStopping:
  """Before the first epoch; params are the weights of a head of any kind."""
  dtype = jax.tree.leaves(params)[0].dtype
  return EarlyStopping(
    # Of a definite type, or the first update would change it and recompile.
    best=jnp.full((), -jnp.inf, dtype),
    best_epoch=jnp.asarray(0, jnp.int32),
    best_params=params,
    wait=jnp.asarray(0, jnp.int32),
    stopped=jnp.asarray(False),
  )


def update_early_stopping(
  state: EarlyStopping,
  value: jax.Array,
  params: Any,
  epoch: jax.Array,
  patience: int,
) -> EarlyStopping:
  """Keras' `EarlyStopping(restore_best_weights)` and `ModelCheckpoint`.

  A value counts only if it is strictly better than all before; training stops
  when `wait >= patience`, but never after the first epoch.

  Args:
    state: before this epoch.
    value: monitored value of this epoch, larger is better.
    params: weights after this epoch.
    epoch: its number, from 0.
    patience: epochs to wait.

  Returns:
    The state after it; a stopped head's does not change.
  """
  active = ~state.stopped
  improved = active & (value > state.best)
  failed = active & ~improved
  wait = jnp.where(improved, 0, state.wait + failed)
  return EarlyStopping(
    best=jnp.where(improved, value, state.best),
    best_epoch=jnp.where(improved, epoch, state.best_epoch),
    best_params=jax.tree.map(
      lambda new, old: jnp.where(improved, new, old),
      params,
      state.best_params,
    ),
    wait=wait,
    stopped=state.stopped | (failed & (wait >= patience) & (epoch > 0)),
  )

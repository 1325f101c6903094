"""One epoch of many heads: all batches of each, then its validation.

Written for one head, and carried over to many in two ways. Accelerators step
all heads together. A CPU core takes one head after another: the weights of one
stay in its cache, and no head steps longer than its list.

Axes: H heads, N rows, D features, B batch, S batches of the longest list, V
rows that any head validates on.
"""

from collections.abc import Sequence
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from heterojax.compute.arrays import Array
from heterojax.heads import forms
from heterojax.heads import head
from heterojax.heads.kinds import KINDS
from heterojax.heads.kinds import WIDTHS
from heterojax.heads.kinds import Params
from heterojax.heads.order import batch_order

# More segments save padding and cost compile time.
_MAX_SEGMENTS = 8


@dataclasses.dataclass(frozen=True)
class Training:
  """How a head is trained; hashable, so that it can be compiled in.

  Attributes:
    epochs: at most.
    patience: epochs without a better monitored value.
    batch_size: rows per step; the last batch of an epoch may be smaller.
    learning_rate: of Adam.
    monitor: one of `MONITORS`; a regression has no accuracy.
    l2: factor of the squared kernels that is added to the loss, as in Keras'
      `regularizers.L2`.
    task: 'classification' (of two classes), 'multiclass' or 'regression'.
    widths: of the hidden layers of a regression; without any it is linear. Of
      several classes their number, (C,).
  """

  epochs: int
  patience: int
  batch_size: int
  learning_rate: float
  monitor: str = 'val_accuracy'
  l2: float = 0.0
  task: str = 'classification'
  widths: tuple[int, ...] = WIDTHS


class Data(NamedTuple):
  """What all heads see."""

  x: jax.Array  # [N, D]
  y: jax.Array  # [N]
  x_validation: jax.Array  # [V, D]
  y_validation: jax.Array  # [V]


class Heads(NamedTuple):
  """Constants of the program, with a leading H axis."""

  rows: Array  # [H, S * B] int32, padded with one of the head's rows.
  sizes: Array  # [H] int32
  order_keys: Array  # [H, 2] uint32, their data.
  counts: Array  # [H, V] float32, how often it looks at a validation row.


class State(NamedTuple):
  """Heads between two epochs, with a leading H axis."""

  params: Params
  opt_state: optax.OptState
  stopping: head.EarlyStopping


class _Batches(NamedTuple):
  """Batches of one head in one epoch."""

  rows: jax.Array  # [S, B] int32
  y: jax.Array  # [S, B]
  weights: jax.Array  # [S, B], which sum to 1 in a batch; 0 for padding.


_Carry = tuple[Params, optax.OptState]


def start(
  params: Params, data: Data, heads: Heads, training: Training
) -> State:
  """All heads before the first epoch."""
  kind = KINDS[training.task]

  def prepared(one):
    params, rows, size = one
    mask = (jnp.arange(len(rows)) < size).astype(data.x.dtype)
    return kind.prepare(params, data.x[rows], data.y[rows], mask)

  # One after another: each takes a copy of its rows.
  params = jax.lax.map(prepared, (params, heads.rows, heads.sizes))
  return State(
    params=params,
    opt_state=jax.vmap(head.keras_adam(training.learning_rate).init)(params),
    stopping=jax.vmap(head.start_early_stopping)(params),
  )


def one_by_one(
  state: State,
  data: Data,
  heads: Heads,
  epoch: jax.Array,
  *,
  training: Training,
) -> tuple[State, jax.Array]:
  """An epoch on one core.

  Args:
    state: of H heads.
    data: see there.
    heads: see there.
    epoch: its number, from 0.
    training: how.

  Returns:
    The state after it and the monitored values `[H]`. What a head gives does
    not depend on the others.
  """

  def train(one):
    carry, constants, stopped = one
    batches = _shuffled(constants, epoch, data, training)
    return jax.lax.fori_loop(
      0,
      jnp.where(stopped, 0, -(-constants.sizes // training.batch_size)),
      lambda i, carry: _step(carry, batches, i, data, training),
      carry,
    )

  carry = (state.params, state.opt_state)
  carry = jax.lax.map(train, (carry, heads, state.stopping.stopped))
  return _validated(state, carry, data, heads, epoch, training)


def together(
  state: State,
  data: Data,
  heads: Heads,
  epoch: jax.Array,
  *,
  training: Training,
  segments: Sequence[tuple[int, int, int]],
) -> tuple[State, jax.Array]:
  """An epoch on an accelerator, all heads at once.

  Args:
    state: of H heads, by descending number of batches.
    data: see there.
    heads: see there.
    epoch: its number, from 0.
    training: how.
    segments: see `segments_of`.

  Returns:
    The state after it and the monitored values `[H]`.
  """
  batches = jax.vmap(_shuffled, in_axes=(0, None, None, None))(
    heads, epoch, data, training
  )

  def step(number, carry, batches, size, stopped):
    """Beyond its last batch a head stands still."""
    moves = (number * training.batch_size < size) & ~stopped
    stepped = _step(carry, batches, number, data, training)
    return jax.tree.map(
      lambda new, old: jnp.where(moves, new, old), stepped, carry
    )

  steps = jax.vmap(step, in_axes=(None, 0, 0, 0, 0))
  carry = (state.params, state.opt_state)
  for first, end, count in segments:
    running, *inputs = jax.tree.map(
      lambda leaf, count=count: leaf[:count],
      (carry, batches, heads.sizes, state.stopping.stopped),
    )
    running = jax.lax.fori_loop(
      first,
      end,
      lambda i, running, inputs=inputs: steps(i, running, *inputs),
      running,
    )
    carry = jax.tree.map(
      lambda whole, part: jnp.concatenate([part, whole[len(part) :]]),
      carry,
      running,
    )
  return _validated(state, carry, data, heads, epoch, training)


def segments_of(batches: np.ndarray) -> tuple[tuple[int, int, int], ...]:
  """(first step, end, number of heads) for descending numbers of batches.

  A segment ends where heads run out of batches. Where that happens more often
  than `_MAX_SEGMENTS` times, ends are spread evenly over the heads and a head
  steps on, without effect, to the end of its segment.
  """
  ends = np.unique(batches)
  if len(ends) > _MAX_SEGMENTS:
    ranks = np.linspace(0, len(batches) - 1, _MAX_SEGMENTS).round().astype(int)
    ends = np.unique(batches[ranks])
  starts = np.concatenate([[0], ends[:-1]])
  return tuple(
    (int(first), int(end), int(np.sum(batches > first)))
    for first, end in zip(starts, ends, strict=True)
  )


def _shuffled(
  constants: Heads, epoch: jax.Array, data: Data, training: Training
) -> _Batches:
  """One head's batches of an epoch."""
  length, size = len(constants.rows), jnp.asarray(constants.sizes)
  key = jax.random.wrap_key_data(jnp.asarray(constants.order_keys))
  rows = constants.rows[batch_order(key, epoch, size, length)]
  counts = (jnp.arange(length) < size).reshape(-1, training.batch_size)
  number = jnp.maximum(jnp.sum(counts, axis=1, keepdims=True), 1)
  return _Batches(
    rows.reshape(counts.shape),
    data.y[rows].reshape(counts.shape),
    counts.astype(data.y.dtype) / number,
  )


def _step(
  carry: _Carry,
  batches: _Batches,
  number: jax.Array,
  data: Data,
  training: Training,
) -> _Carry:
  """One step of one head, on one of its batches."""
  params, opt_state = carry
  batch = jax.tree.map(lambda leaf: leaf[number], batches)
  grads = KINDS[training.task].gradients(params, data.x, *batch, training.l2)
  optimizer = head.keras_adam(training.learning_rate)
  updates, opt_state = optimizer.update(grads, opt_state)
  return optax.apply_updates(params, updates), opt_state


def _validated(
  state: State,
  carry: _Carry,
  data: Data,
  heads: Heads,
  epoch: jax.Array,
  training: Training,
) -> tuple[State, jax.Array]:
  """The state with the weights after an epoch, and the monitored values."""
  kind = KINDS[training.task]

  def monitored(params, out, counts):
    if training.monitor == 'val_loss':
      losses = kind.losses(params, out, data.y_validation)
      losses = jnp.where(counts > 0, losses, 0.0)
      penalty = training.l2 * kind.penalty(params)
      value = -jnp.average(losses, weights=counts) - penalty
    else:
      assert kind.right is not None
      right = kind.right(out, data.y_validation)
      value = jnp.average(right.astype(jnp.float32), weights=counts)
    # A head that diverged is worse than any; its accuracy would not tell.
    each = jnp.isfinite(out) if out.ndim == 1 else jnp.isfinite(out).all(-1)
    finite = jnp.all(each | (counts == 0))
    return jnp.where(finite, value, -jnp.inf)

  params, opt_state = carry
  out = outputs(params, data.x_validation, task=training.task)
  values = jax.vmap(monitored)(params, out, heads.counts)
  stopping = jax.vmap(
    head.update_early_stopping, in_axes=(0, 0, 0, None, None)
  )(state.stopping, values, params, epoch, training.patience)
  return State(params, opt_state, stopping), values


def outputs(params: Params, x: jax.Array, *, task: str) -> jax.Array:
  """`[H, M]` of H heads on `[M, D]`; of several classes `[H, M, C]`."""
  kind = KINDS[task]
  if not forms.of_programs().in_turn:
    return jax.vmap(kind.outputs, in_axes=(0, None))(params, x)
  # In groups of one size, or sums could depend on the number of heads.
  count = len(jax.tree.leaves(params)[0])
  padded = -(-count // kind.group) * kind.group
  number = np.minimum(np.arange(padded), count - 1)
  params = jax.tree.map(lambda leaf: leaf[number], params)
  every = jax.lax.map(
    lambda one: kind.outputs(one, x), params, batch_size=kind.group
  )
  return every[:count]


def outputs_of_rows(params: Params, x: jax.Array, *, task: str) -> jax.Array:
  """`outputs` with rows before heads, as `[M, H]`."""
  return jnp.moveaxis(outputs(params, x, task=task), 1, 0)

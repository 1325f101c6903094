"""Many heads at once: one vmapped, jitted program over one feature matrix.

They are of one kind: a sigmoid neuron (`head`) or fully connected layers that
predict a number (`regressor`).

Every head owns a list of rows of the same matrix. Lists differ in length, so
heads are sorted by their number of batches and an epoch runs in segments: in
each, all heads that still have batches step together, and none that has
finished its list does any work.

Axes: H heads, N rows, D features, B batch, S batches of the longest list.
"""

from collections.abc import Sequence
import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from heterojax.heads import head
from heterojax.heads.kinds import KINDS
from heterojax.heads.kinds import Params
from heterojax.heads.kinds import WIDTHS
from heterojax.progress import Progress

MONITORS = ('val_accuracy', 'val_loss')
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
    task: 'classification' or 'regression'.
    widths: of the hidden layers of a regression; without any it is linear.
  """

  epochs: int
  patience: int
  batch_size: int
  learning_rate: float
  monitor: str = 'val_accuracy'
  l2: float = 0.0
  task: str = 'classification'
  widths: tuple[int, ...] = WIDTHS


class Member(NamedTuple):
  """One head's data and randomness.

  Attributes:
    rows: `[n]` int, its training rows in the feature matrix.
    validation: `[v]` int, the rows that its early stopping looks at.
    init_key: PRNG key of its initial weights.
    order_key: PRNG key of its shuffles.
  """

  rows: np.ndarray
  validation: np.ndarray
  init_key: jax.Array
  order_key: jax.Array


class Ensemble(NamedTuple):
  """Trained heads, in the order they were given.

  Attributes:
    params: best weights, with a leading H axis.
    best: `[H]` best monitored value (the negative of a loss; that of a
      regression is of the standardised target).
    best_epoch: `[H]` int, from 0.
    epochs: `[H]` int, how many each one trained.
    history: `[epochs, H]` monitored values; NaN once a head had stopped.
  """

  params: Params
  best: np.ndarray
  best_epoch: np.ndarray
  epochs: np.ndarray
  history: np.ndarray


class _Heads(NamedTuple):
  """Constants of the program, with a leading H axis."""

  rows: jax.Array  # [H, S * B] int32, padded with a row of the head's own.
  sizes: jax.Array  # [H] int32
  order_keys: jax.Array  # [H]
  counts: jax.Array  # [H, V] float32, how often it looks at a validation row.


class _State(NamedTuple):
  params: Params
  opt_state: optax.OptState
  stopping: head.EarlyStopping


def batch_order(key: jax.Array, epoch: jax.Array, size: int, length: int):
  """Positions of one head's rows in the order of one epoch.

  Each position draws its own number, so the order depends on the key, the epoch
  and the size, and not on how far the list is padded.

  Args:
    key: the head's order key.
    epoch: its number, from 0.
    size: number of rows, n.
    length: of the padded list.

  Returns:
    `[length]` int32: a permutation of 0..n-1, and then the padding.
  """
  epoch_key = jax.random.fold_in(key, epoch)
  positions = jnp.arange(length)
  # Of a definite type, or x64 would draw numbers above the padding's.
  draws = jax.vmap(
      lambda i: jax.random.bits(
          jax.random.fold_in(epoch_key, i), dtype=jnp.uint32
      )
  )(positions)
  last = jnp.uint32(0xFFFFFFFF)
  # Stable sorting keeps padding behind a row that drew the largest number.
  order = jnp.argsort(jnp.where(positions < size, draws, last), stable=True)
  return order.astype(jnp.int32)


def initial_params(
    members: Sequence[Member],
    dim: int,
    task: str = 'classification',
    widths: tuple[int, ...] = WIDTHS,
) -> Params:
  """Initial weights with a leading H axis."""
  keys = jnp.stack([m.init_key for m in members])
  return jax.vmap(lambda key: KINDS[task].init(key, dim, widths))(keys)


def train(
    x: jax.Array,
    y: jax.Array,
    members: Sequence[Member],
    training: Training,
    *,
    params: Params | None = None,
) -> Ensemble:
  """Trains all heads.

  Args:
    x: `[N, D]` features that all heads draw rows from.
    y: `[N]` of 0 and 1, or the numbers that a regression predicts.
    members: H heads with at least one row of each kind.
    training: how.
    params: initial weights with a leading H axis, if not from the keys; the
      scales of a regression are always those of its training rows.

  Returns:
    The trained heads.

  Raises:
    ValueError: if a head has no rows, or the task or its monitor is unknown.
  """
  if training.task not in KINDS:
    raise ValueError(f'task {training.task!r} is not one of {tuple(KINDS)}')
  monitors = KINDS[training.task].monitors
  if training.monitor not in monitors:
    raise ValueError(
        f'monitor {training.monitor!r} is not one of {monitors}, those of a'
        f' {training.task}'
    )
  sizes = np.array([len(m.rows) for m in members])
  for kind, numbers in (
      ('rows', sizes), ('validation rows', [len(m.validation) for m in members])
  ):
    if not np.all(numbers):
      raise ValueError(f'head {int(np.argmin(numbers))} has no {kind}')
  validation, counts = _validation(members)
  batches = -(-sizes // training.batch_size)
  order = np.argsort(-batches, kind='stable')
  inverse = np.argsort(order)
  length = batches.max() * training.batch_size
  rows = np.zeros((len(members), length), np.int32)
  for h, i in enumerate(order):
    rows[h, : sizes[i]] = members[i].rows
    # Zero times an infinite feature is no zero: a mask alone would let a row
    # of one head reach another one.
    rows[h, sizes[i] :] = members[i].rows[0]
  if params is None:
    params = initial_params(
        members, x.shape[1], training.task, training.widths
    )
  params = jax.tree.map(lambda leaf: jnp.asarray(leaf)[order], params)
  heads = _Heads(
      rows=jnp.asarray(rows),
      sizes=jnp.asarray(sizes[order], jnp.int32),
      order_keys=jnp.stack([members[i].order_key for i in order]),
      counts=jnp.asarray(counts[order]),
  )
  # A number may need all digits that the features have.
  y = jnp.asarray(y, jnp.result_type(x, jnp.float32))
  state = _start(params, jnp.asarray(x), y, heads, training)
  segments = _segments(batches[order])
  x_validation, y_validation = x[validation], y[validation]
  history = []
  with Progress('heads', training.epochs, 'epochs') as progress:
    for epoch in range(training.epochs):
      active = ~state.stopping.stopped
      state, values = _epoch(
          state, x, y, x_validation, y_validation, heads,
          jnp.asarray(epoch, jnp.int32), segments, training,
      )  # pyformat: disable
      history.append(np.where(active, values, np.nan))
      progress.update(1)
      if state.stopping.stopped.all():
        break
  history = np.stack(history)[:, inverse]
  stopping = jax.tree.map(lambda leaf: leaf[inverse], state.stopping)
  return Ensemble(
      params=stopping.best_params,
      best=np.asarray(stopping.best),
      best_epoch=np.asarray(stopping.best_epoch),
      epochs=np.sum(~np.isnan(history), axis=0),
      history=history,
  )


def _validation(members: Sequence[Member]) -> tuple[np.ndarray, np.ndarray]:
  """The rows that any head validates on, `[V]`, and each one's counts."""
  rows = np.unique(np.concatenate([m.validation for m in members]))
  counts = np.zeros((len(members), len(rows)), np.float32)
  for h, member in enumerate(members):
    np.add.at(counts[h], np.searchsorted(rows, member.validation), 1)
  return rows, counts


@jax.jit
def predict(params: Params, x: jax.Array) -> jax.Array:
  """Of all heads on `[M, D]`.

  Args:
    params: of an `Ensemble`, with a leading H axis.
    x: `[M, D]`.

  Returns:
    `[H, M]` logits of a classification, or numbers in the target's units.
  """
  (kind,) = (k for k in KINDS.values() if isinstance(params, k.params))
  return jax.vmap(kind.outputs, in_axes=(0, None))(params, x)


def _segments(batches: np.ndarray) -> tuple[tuple[int, int, int], ...]:
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
      (int(start), int(end), int(np.sum(batches > start)))
      for start, end in zip(starts, ends)
  )


@functools.partial(jax.jit, static_argnums=4)
def _start(
    params: Params,
    x: jax.Array,
    y: jax.Array,
    heads: _Heads,
    training: Training,
) -> _State:
  """All heads before the first epoch."""
  kind = KINDS[training.task]
  optimizer = head.keras_adam(training.learning_rate)

  def prepared(one):
    params, rows, size = one
    mask = (jnp.arange(len(rows)) < size).astype(x.dtype)
    return kind.prepare(params, x[rows], y[rows], mask)

  # One after another: each takes a copy of its rows.
  params = jax.lax.map(prepared, (params, heads.rows, heads.sizes))
  return _State(
      params=params,
      opt_state=jax.vmap(optimizer.init)(params),
      stopping=jax.vmap(head.start_early_stopping)(params),
  )


@functools.partial(jax.jit, static_argnums=(7, 8), donate_argnums=0)
def _epoch(
    state: _State,
    x: jax.Array,
    y: jax.Array,
    x_validation: jax.Array,
    y_validation: jax.Array,
    heads: _Heads,
    epoch: jax.Array,
    segments: tuple[tuple[int, int, int], ...],
    training: Training,
) -> tuple[_State, jax.Array]:
  """One epoch of every head: all its batches, then its validation."""
  kind = KINDS[training.task]
  optimizer = head.keras_adam(training.learning_rate)
  batch_size, length = training.batch_size, heads.rows.shape[1]

  def shuffled(key, size, rows):
    return rows[batch_order(key, epoch, size, length)]

  rows = jax.vmap(shuffled)(heads.order_keys, heads.sizes, heads.rows)
  rows = rows.reshape(len(rows), -1, batch_size)

  def step(params, opt_state, batch, number, size, stopped):
    """One step of one head; beyond its last batch it stands still."""
    first = number * batch_size
    mask = (first + jnp.arange(batch_size) < size).astype(x.dtype)
    grads = kind.gradients(params, x[batch], y[batch], mask, training.l2)
    updates, new_state = optimizer.update(grads, opt_state)
    new_params = optax.apply_updates(params, updates)
    moves = (first < size) & ~stopped
    return jax.tree.map(
        lambda new, old: jnp.where(moves, new, old),
        (new_params, new_state),
        (params, opt_state),
    )

  steps = jax.vmap(step, in_axes=(0, 0, 0, None, 0, 0))
  carry = (state.params, state.opt_state)
  for start, end, count in segments:
    running = jax.tree.map(lambda leaf: leaf[:count], carry)  # pylint: disable=cell-var-from-loop
    sizes, stopped = heads.sizes[:count], state.stopping.stopped[:count]

    def body(running, batch, sizes=sizes, stopped=stopped):
      number, batch_rows = batch
      return steps(*running, batch_rows, number, sizes, stopped), None

    numbers = jnp.arange(start, end)
    batches = jnp.swapaxes(rows[:count, start:end], 0, 1)
    running, _ = jax.lax.scan(body, running, (numbers, batches))
    carry = jax.tree.map(
        lambda whole, part: jnp.concatenate([part, whole[len(part) :]]),
        carry,
        running,
    )
  params, opt_state = carry

  def validate(params, counts):
    out = kind.outputs(params, x_validation)
    if training.monitor == 'val_loss':
      losses = kind.losses(params, x_validation, y_validation)
      losses = jnp.where(counts > 0, losses, 0.0)
      penalty = training.l2 * kind.penalty(params)
      value = -jnp.average(losses, weights=counts) - penalty
    else:
      right = (out > 0) == (y_validation > 0.5)
      value = jnp.average(right.astype(jnp.float32), weights=counts)
    # A head that diverged is worse than any; its accuracy would not tell.
    finite = jnp.all(jnp.isfinite(out) | (counts == 0))
    return jnp.where(finite, value, -jnp.inf)

  values = jax.vmap(validate)(params, heads.counts)
  stopping = jax.vmap(
      head.update_early_stopping, in_axes=(0, 0, 0, None, None)
  )(state.stopping, values, params, epoch, training.patience)
  return _State(params, opt_state, stopping), values

"""Many heads at once, on one feature matrix.

They are of one kind: a sigmoid neuron (`head`), softmax neurons of several
classes (`softmax`) or fully connected layers that predict a number
(`regressor`). Every head owns a list of rows of the same
matrix. An accelerator trains all of them in one vmapped program; CPU cores
divide them.

Axes: H heads, N rows, D features.
"""

from collections.abc import Sequence
import concurrent.futures
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.compute import cores
from heterojax.compute.arrays import Array
from heterojax.heads import epochs
from heterojax.heads import forms
from heterojax.heads.epochs import Training
from heterojax.heads.kinds import KINDS
from heterojax.heads.kinds import WIDTHS
from heterojax.heads.kinds import Params
from heterojax.run import checkpoint
from heterojax.run.progress import Progress

MONITORS = ('val_accuracy', 'val_loss')


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


def initial_params(
  members: Sequence[Member],
  dim: int,
  task: str = 'classification',
  widths: tuple[int, ...] = WIDTHS,
) -> Params:
  """Initial weights with a leading H axis."""
  return _initial(_key_data([m.init_key for m in members]), dim, task, widths)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _initial(
  key_data: jax.Array, dim: int, task: str, widths: tuple[int, ...]
) -> Params:
  keys = jax.random.wrap_key_data(key_data)
  return jax.vmap(lambda key: KINDS[task].init(key, dim, widths))(keys)


def _key_data(keys: Sequence[jax.Array]) -> np.ndarray:
  """`[H, 2]` uint32: NumPy knows no keys, and JAX takes them one by one."""
  return np.stack([np.asarray(jax.random.key_data(key)) for key in keys])


def train(
  x: Array,
  y: Array,
  members: Sequence[Member],
  training: Training,
  *,
  params: Params | None = None,
  steps: checkpoint.Steps | None = None,
) -> Ensemble:
  """Trains all heads.

  Args:
    x: `[N, D]` features that all heads draw rows from.
    y: `[N]` of 0 and 1, codes of several classes, or the numbers that a
      regression predicts.
    members: H heads with at least one row of each kind.
    training: how.
    params: initial weights with a leading H axis, if not from the keys; the
      scales of a regression are always those of its training rows.
    steps: where the state between two epochs is kept, and an earlier one read.

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
    ('rows', sizes),
    ('validation rows', [len(m.validation) for m in members]),
  ):
    if not np.all(numbers):
      raise ValueError(f'head {int(np.argmin(numbers))} has no {kind}')
  validation, counts = _validation(members)
  x = jnp.asarray(x)
  # A number may need all digits that the features have.
  y = jnp.asarray(y, jnp.result_type(x, jnp.float32))
  data = epochs.Data(x, y, x[validation], y[validation])
  every = epochs.Heads(
    rows=_padded([m.rows for m in members], training.batch_size),
    sizes=sizes.astype(np.int32),
    order_keys=_key_data([m.order_key for m in members]),
    counts=counts,
  )
  if params is None:
    params = initial_params(members, x.shape[1], training.task, training.widths)
  shares = _shares(-(-sizes // training.batch_size))
  state, history = _run(
    _start(params, data, every, training),
    data,
    every,
    shares,
    training,
    steps,
  )
  stopping = state.stopping
  return Ensemble(
    params=jax.device_put(stopping.best_params),
    best=np.asarray(stopping.best),
    best_epoch=np.asarray(stopping.best_epoch),
    epochs=np.sum(~np.isnan(history), axis=0),
    history=history,
  )


def _run(
  state: epochs.State,
  data: epochs.Data,
  every: epochs.Heads,
  shares: Sequence[np.ndarray],
  training: Training,
  steps: checkpoint.Steps | None,
) -> tuple[epochs.State, np.ndarray]:
  """All epochs of all shares; the last state, and the history."""
  history = np.full((training.epochs, len(every.sizes)), np.nan)
  done, leaves = steps.latest() if steps else (0, {})
  if done:
    history[:done] = leaves.pop('history')
    state = checkpoint.restore({'heads': state}, leaves)['heads']
  state, every = jax.tree.map(np.asarray, (state, every))
  # A copy of the state, which is overwritten; what is only read is shared.
  places = cores.devices()[: len(shares)]
  states = [
    jax.device_put(_rows(state, share), place, may_alias=False)
    for share, place in zip(shares, places, strict=True)
  ]
  fixed = [
    jax.device_put((data, _rows(every, share)), place)
    for share, place in zip(shares, places, strict=True)
  ]
  programs = _programs(states[0], *fixed[0], training=training)
  # A head that two programs train is the same in both.
  first = np.unique(np.concatenate(shares), return_index=True)[1]

  def gathered() -> epochs.State:
    return jax.tree.map(lambda *parts: np.concatenate(parts)[first], *states)

  stopped = np.array(state.stopping.stopped)
  with (
    concurrent.futures.ThreadPoolExecutor(len(shares)) as pool,
    Progress('heads', training.epochs, 'epochs', done) as progress,
  ):
    while done < training.epochs and not stopped.all():
      begun = {
        s: pool.submit(programs[s], states[s], *fixed[s], np.int32(done))
        for s, share in enumerate(shares)
        if not stopped[share].all()
      }
      for s, future in begun.items():
        states[s], values = future.result()
        share = shares[s]
        history[done, share] = np.where(stopped[share], np.nan, values)
        stopped[share] = states[s].stopping.stopped
      done += 1
      if steps and steps.due():
        steps.save(done, {'heads': gathered(), 'history': history[:done]})
      progress.update(1)
  return gathered(), history[:done]


def _rows(tree: Any, numbers: np.ndarray) -> Any:
  return jax.tree.map(lambda leaf: leaf[numbers], tree)


def predict(params: Params, x: Array) -> jax.Array:
  """What all heads give for `[M, D]`.

  Args:
    params: of an `Ensemble`, with a leading H axis.
    x: `[M, D]`.

  Returns:
    `[H, M]` logits of two classes, or numbers in the target's units; of
    several classes `[H, M, C]` logits.
  """
  (task,) = (t for t, k in KINDS.items() if isinstance(params, k.params))
  first, *_ = cores.program(epochs.outputs, params, x, task=task)
  params, x = jax.device_put((params, x), cores.devices()[0])
  return jax.device_put(first(params, x), jax.local_devices()[0])


def _padded(rows: Sequence[np.ndarray], batch_size: int) -> np.ndarray:
  """Lists of rows as `[H, S * B]`."""
  longest = max(map(len, rows))
  length = -(-longest // batch_size) * batch_size
  padded = np.zeros((len(rows), length), np.int32)
  for h, listed in enumerate(rows):
    padded[h, : len(listed)] = listed
    # Zero times an infinite feature is no zero: a mask alone would let a row
    # of one head reach another one.
    padded[h, len(listed) :] = listed[0]
  return padded


def _validation(members: Sequence[Member]) -> tuple[np.ndarray, np.ndarray]:
  """The rows that any head validates on, `[V]`, and each one's counts."""
  rows = np.unique(np.concatenate([m.validation for m in members]))
  counts = np.zeros((len(members), len(rows)), np.float32)
  for h, member in enumerate(members):
    np.add.at(counts[h], np.searchsorted(rows, member.validation), 1)
  return rows, counts


def _shares(batches: np.ndarray) -> list[np.ndarray]:
  """Numbers of the heads that each program trains, longest lists first.

  On CPU every core has as many, and about the same number of batches; shares
  that would have one head less repeat their last one.
  """
  number = min(len(cores.devices()), len(batches))
  shares = [[] for _ in range(number)]
  loads = np.zeros(len(shares), int)
  most = -(-len(batches) // len(shares))
  for h in np.argsort(-batches, kind='stable'):
    free = [s for s, share in enumerate(shares) if len(share) < most]
    least = min(free, key=loads.__getitem__)
    shares[least].append(h)
    loads[least] += batches[h]
  return [
    np.array(share + share[-1:] * (most - len(share))) for share in shares
  ]


@functools.partial(jax.jit, static_argnums=3)
def _start(
  params: Params, data: epochs.Data, heads: epochs.Heads, training: Training
) -> epochs.State:
  return epochs.start(params, data, heads, training)


def _programs(
  state: epochs.State,
  data: epochs.Data,
  heads: epochs.Heads,
  training: Training,
) -> cores.Programs:
  """What takes the share of each device through an epoch."""
  args = (state, data, heads, jax.ShapeDtypeStruct((), jnp.int32))
  if forms.of_programs().in_turn:
    return cores.program(
      epochs.one_by_one, *args, donate=(0,), training=training
    )
  batches = -(-np.asarray(heads.sizes) // training.batch_size)
  segments = epochs.segments_of(batches)
  return cores.program(
    epochs.together, *args, donate=(0,), training=training, segments=segments
  )

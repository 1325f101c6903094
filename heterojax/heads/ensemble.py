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

from heterojax.compute import collectives
from heterojax.compute import cores
from heterojax.compute import division
from heterojax.compute import row_blocks
from heterojax.compute import unofficial
from heterojax.compute.arrays import Array
from heterojax.heads import epochs
from heterojax.heads import forms
from heterojax.heads import memory
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
  words = [unofficial.words_of(key) for key in keys]
  if any(own is None for own in words):
    words = [jax.random.key_data(key) for key in keys]
  return np.stack([np.asarray(own) for own in words])


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
  # No copy: on CPU the cores read the features where they are.
  here: Any = jax.device_put(x)
  # A number may need all digits that the features have.
  y = jnp.asarray(y, jnp.result_type(here, jnp.float32))
  # Already compiled, which indexing by brackets is not.
  data = epochs.Data(
    here, y, *(jnp.take(own, validation, axis=0) for own in (here, y))
  )
  every = epochs.Heads(
    rows=_padded([m.rows for m in members], training.batch_size),
    sizes=sizes.astype(np.int32),
    order_keys=_key_data([m.order_key for m in members]),
    counts=counts,
  )
  if params is None:
    params = initial_params(members, x.shape[1], training.task, training.widths)
  need = memory.need(training, len(x), len(validation), x.shape[1])
  number = _number_of_shares(need, len(members))
  shares = _shares(-(-sizes // training.batch_size), number)
  state = jax.tree.map(np.asarray, _start(params, data, every, training))
  del params  # A device has no room for what it does not use.
  state, history = _run(state, data, every, shares, training, steps)
  stopping = state.stopping
  return Ensemble(
    params=jax.device_put(stopping.best_params),
    best=np.asarray(stopping.best),
    best_epoch=np.asarray(stopping.best_epoch),
    epochs=np.sum(~np.isnan(history), axis=0),
    history=history,
  )


def check_memory(
  training: Training, heads: int, rows: int, validation: int, dim: int
) -> None:
  """Raises a UserError where accelerators have too little memory.

  Args:
    training: of the heads.
    heads: H.
    rows: N.
    validation: of these, that heads validate on.
    dim: D.
  """
  if (limit := cores.memory()) is not None:
    devices = collectives.number() * len(jax.local_devices())
    need = memory.need(training, rows, validation, dim)
    memory.turns(need, heads, devices, limit)


def _run(
  state: epochs.State,
  data: epochs.Data,
  every: epochs.Heads,
  shares: Sequence[np.ndarray],
  training: Training,
  steps: checkpoint.Steps | None,
) -> tuple[epochs.State, np.ndarray]:
  """All epochs of all shares; the last state, and the history.

  Process 0 of several has the steps. All train as many shares.
  """
  history = np.full((training.epochs, len(every.sizes)), np.nan)
  done, leaves = steps.latest() if steps else (0, {})
  if done:
    history[:done] = leaves.pop('history')
    state = checkpoint.restore({'heads': state}, leaves)['heads']
  if done := int(collectives.of_leader(np.int32(done))):
    state = collectives.of_leader(state)
  # A head that two programs train is the same in both.
  first = np.unique(np.concatenate(shares), return_index=True)[1]
  count, lanes = len(shares) // collectives.number(), _lanes()
  own = shares[collectives.index() * count :][:count]
  width = lanes[0].devices
  groups = [
    np.concatenate(own[start : start + width])
    for start in range(0, count, width)
  ]
  lanes = lanes[: len(groups)]
  # What is only read lies on a device once; the state is overwritten.
  shared = [jax.device_put(data, lane.everywhere) for lane in lanes]
  states, heads = [], []
  for g, group in enumerate(groups):
    place = lanes[g % len(lanes)].split
    states.append(jax.device_put(_rows(state, group), place, may_alias=False))
    heads.append(jax.device_put(_rows(every, group), place))
  batches = _batches(shares, every, training)
  programs = _programs(states[0], data, heads[0], batches, training)

  def gathered() -> epochs.State:
    joined = jax.tree.map(lambda *parts: np.concatenate(parts), *states)
    return jax.tree.map(
      lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[first],
      collectives.gather(joined),
    )

  stopped = np.array(state.stopping.stopped)
  values = np.full((len(groups), len(groups[0])), np.nan)

  def work(lane: int) -> None:
    """An epoch of the groups of a lane, one after the other."""
    for g in range(lane, len(groups), len(lanes)):
      if not stopped[groups[g]].all():
        states[g], values[g] = programs[lane](
          states[g], shared[lane], heads[g], np.int32(done)
        )

  with (
    concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool,
    Progress('heads', training.epochs, 'epochs', done) as progress,
  ):
    while done < training.epochs and not stopped.all():
      list(pool.map(work, range(len(lanes))))
      due = np.array(steps is not None and steps.due())
      stops = np.stack([state.stopping.stopped for state in states])
      due, found, stops = collectives.gather((due, values, stops))
      history[done] = np.where(stopped, np.nan, found.reshape(-1)[first])
      stopped = stops.reshape(-1)[first]
      done += 1
      if due[0]:
        now = gathered()
        if steps:
          steps.save(done, {'heads': now, 'history': history[:done]})
      progress.update(1)
  return gathered(), history[:done]


def _rows(tree: Any, numbers: np.ndarray) -> Any:
  return jax.tree.map(lambda leaf: leaf[numbers], tree)


def predict(params: Params, x: Array) -> jax.Array:
  """What all heads give for `[M, D]`; accelerators divide heads, or rows.

  Args:
    params: of an `Ensemble`, with a leading H axis.
    x: `[M, D]`.

  Returns:
    `[H, M]` logits of two classes, or numbers in the target's units; of
    several classes `[H, M, C]` logits.
  """
  (task,) = (t for t, k in KINDS.items() if isinstance(params, k.params))
  if forms.of_programs().in_turn:
    first, *_ = cores.program(epochs.outputs, params, x, task=task)
    params, x = jax.device_put((params, x), cores.devices()[0])
    return jax.device_put(first(params, x), jax.local_devices()[0])
  heads, rows = len(jax.tree.leaves(params)[0]), len(x)
  by_rows = heads < len(jax.local_devices())  # Else some had none.
  if by_rows:
    x, params = _divided(x, rows), jax.device_put(params, division.everywhere())
  else:
    params = _divided(params, heads)
    x = jax.device_put(x, division.everywhere())
  program = division.program(
    epochs.outputs_of_rows if by_rows else epochs.outputs,
    params,
    x,
    divided=(not by_rows, by_rows),
    task=task,
  )
  found = jax.device_put(program(params, x), jax.local_devices()[0])
  return jnp.moveaxis(found, 0, 1)[:, :rows] if by_rows else found[:heads]


def _divided(tree: Any, number: int) -> Any:
  """Its first axis over the devices, filled up with the last of them."""
  devices = len(jax.local_devices())
  size = -(-number // devices) * devices
  rows = _rows(tree, np.minimum(np.arange(size), number - 1))
  return jax.device_put(rows, division.split())


def predict_all(params: Params, x: Array) -> np.ndarray:
  """`predict` of any number of rows, as float64 on the host."""
  if not row_blocks.is_large(*x.shape):
    return np.asarray(predict(params, x), np.float64)
  parts = [predict(params, block) for block in row_blocks.of(x)]
  return np.concatenate([np.asarray(p, np.float64) for p in parts], axis=1)


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


class _Lane(NamedTuple):
  """Devices that work together: all accelerators, or a core for itself.

  Attributes:
    split: where what each head has goes; the devices divide the heads.
    everywhere: where what all heads read goes.
    devices: how many there are.
  """

  split: Any
  everywhere: Any
  devices: int


def _lanes() -> list[_Lane]:
  if forms.of_programs().in_turn:
    return [_Lane(core, core, 1) for core in cores.devices()]
  devices = len(jax.local_devices())
  return [_Lane(division.split(), division.everywhere(), devices)]


def _number_of_shares(need: memory.Need, heads: int) -> int:
  """Into how many shares the heads are divided, as many in each process."""
  lanes, processes = _lanes(), collectives.number()
  devices = sum(lane.devices for lane in lanes)
  if processes > 1:
    devices = processes * int(collectives.gather(np.array(devices)).min())
  elif forms.of_programs().in_turn:
    devices = min(devices, heads)
  return devices * memory.turns(need, heads, devices, cores.memory())


def _shares(batches: np.ndarray, number: int) -> list[np.ndarray]:
  """Numbers of the heads that each program trains, longest lists first.

  Every one has as many, and about the same number of batches; shares that would
  have fewer repeat their last one, and without any the first head of all.
  """
  shares = [[] for _ in range(number)]
  loads = np.zeros(len(shares), int)
  most = -(-len(batches) // len(shares))
  for h in np.argsort(-batches, kind='stable'):
    free = [s for s, share in enumerate(shares) if len(share) < most]
    least = min(free, key=loads.__getitem__)
    shares[least].append(h)
    loads[least] += batches[h]
  shares = [share or [0] for share in shares]
  return [
    np.array(share + share[-1:] * (most - len(share))) for share in shares
  ]


@functools.partial(jax.jit, static_argnums=3)
def _start(
  params: Params, data: epochs.Data, heads: epochs.Heads, training: Training
) -> epochs.State:
  return epochs.start(params, data, heads, training)


def _batches(
  shares: Sequence[np.ndarray], every: epochs.Heads, training: Training
) -> np.ndarray:
  """Most batches of the longest head of all shares, of the second one, ..."""
  batches = -(-np.asarray(every.sizes) // training.batch_size)
  return np.max([batches[share] for share in shares], axis=0)


def _programs(
  state: epochs.State,
  data: epochs.Data,
  heads: epochs.Heads,
  batches: np.ndarray,
  training: Training,
) -> cores.Programs:
  """What takes a group of heads through an epoch, for each lane."""
  args = (state, data, heads, jax.ShapeDtypeStruct((), jnp.int32))
  if forms.of_programs().in_turn:
    return cores.program(
      epochs.one_by_one, *args, donate=(0,), training=training
    )
  program = division.program(
    epochs.together,
    *args,
    divided=(True, False, True, False),
    donate=(0,),
    training=training,
    segments=epochs.segments_of(batches),
  )
  return (program,)

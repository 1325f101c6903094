"""Logistic heads in batches of one length, divided over the cores.

Heads own different numbers of rows. They are padded to few lengths, of which
each is one program; a batch is so small that it stays in a core's cache.

Axes: B heads of a batch, P rows, D features, m rows of a head, K values of C.
"""

from collections.abc import Callable, Sequence
import concurrent.futures
import contextlib
import functools
import itertools
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import threadpoolctl

from heterojax.compute import cores
from heterojax.heads import forms
from heterojax.heads import newton
from heterojax.heads.newton import Optima
from heterojax.run import interruption

# Products of numbers that take as long as compiling one more program.
_PROGRAM = 2e9
# How often the Hessian is factored for a value of C.
_FACTORS = 4
# Of log C: what is further apart is no line to go on along. Powers of ten are.
_NEAR = 2.5


# Of whatever kind the batches of a call are.
T = TypeVar('T')
# A program of each core, and what it takes beside what all of them do.
Work = tuple[cores.Programs, tuple[np.ndarray, ...]]


class Member(NamedTuple):
  """What one head is fitted on.

  Attributes:
    rows: `[m]` int.
    sign: `[m]`, 1 for class 1 and -1 for class 0.
    weight: `[m]`.
    cs: `[K]` values of C, rising.
  """

  rows: np.ndarray
  sign: np.ndarray
  weight: np.ndarray
  cs: np.ndarray


def solve(
  members: Sequence[Member], shared: np.ndarray, mean: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """The optima of all heads.

  Args:
    members: the heads, all with as many values of C.
    shared: `[P, P]` float64 inner products of the rows; or, with `mean`, the
      features `[P, D]`.
    mean: `[D]` float64, which the features are taken less of.

  Returns:
    The fields of `Optima`, with an axis H before the others: coefficients
    `[H, K, P]`, or with `mean` `[H, K, D]`.

  Raises:
    Interrupted: between two batches, if a signal asked the run to stop.
  """
  width, shape = shared.shape[1], (len(members), len(members[0].cs))
  function, fixed = (_dual, (shared,))
  if mean is not None:
    function, fixed = (_primal, (shared, mean))
  batches = _batches(members, None if mean is None else width)
  found = (
    np.zeros((*shape, width)),
    np.zeros(shape),
    np.zeros(shape, int),
    np.zeros(shape, bool),
  )
  with jax.enable_x64(True):
    programs = {
      batch.length: cores.program(function, *fixed, *_stacked(members, batch))
      for batch in batches
    }

  def run(batch: _Batch) -> Work:
    return programs[batch.length], _stacked(members, batch)

  def keep(batch: _Batch, parts: Sequence[jax.Array]) -> None:
    for leaf, part in zip(found, parts, strict=True):
      leaf[batch.heads] = np.asarray(part)[: len(batch.heads)]

  over_cores(batches, fixed, run, keep)
  return found


def over_cores(
  batches: Sequence[T],
  fixed: tuple[np.ndarray, ...],
  run: Callable[[T], Work],
  keep: Callable[[T, Sequence[jax.Array]], None],
) -> None:
  """Runs a program for each batch, on whichever core is free.

  What a batch gives does not depend on which that is.

  Args:
    batches: at least one.
    fixed: the first arguments of all programs, which each core is sent once.
    run: of a batch, its program of each core and its other arguments.
    keep: is called with a batch and what its program gives.

  Raises:
    Interrupted: between two batches, if a signal asked the run to stop.
  """
  waiting = iter(batches)
  # The platform is a thread's own, and so is the float64 mode.
  devices = cores.devices()

  def work(core: int) -> None:
    device = devices[core]
    with jax.enable_x64(True):
      placed = jax.device_put(fixed, device)
      for batch in waiting:
        interruption.check()
        programs, own = run(batch)
        keep(batch, programs[core](*placed, *jax.device_put(own, device)))

  number = min(len(devices), len(batches))
  # A core has one program, and LAPACK's threads would only wait for each other.
  with (
    one_thread(),
    concurrent.futures.ThreadPoolExecutor(number) as pool,
  ):
    list(pool.map(work, range(number)))


def one_thread() -> contextlib.AbstractContextManager[object]:
  """While it lasts, a call of LAPACK stays on its own core."""
  return _pools().limit(limits=1, user_api='blas')


@functools.cache
def _pools() -> threadpoolctl.ThreadpoolController:
  """The libraries that are loaded, which takes milliseconds to find out."""
  return threadpoolctl.ThreadpoolController()


def _dual(
  products: jax.Array,
  rows: jax.Array,
  sign: jax.Array,
  weight: jax.Array,
  cs: jax.Array,
  shares: jax.Array,
) -> Optima:
  """`newton.path` of B heads; a row that occurs twice has one coefficient."""

  def of_head(
    rows: jax.Array, sign: jax.Array, weight: jax.Array, cs: jax.Array
  ) -> Optima:
    own = products[rows][:, rows]
    form = functools.partial(newton.dual, own)
    found = newton.path(form, len(rows), sign, weight, cs, shares)
    every = jnp.zeros((len(cs), len(products))).at[:, rows].add(found.coef)
    return found._replace(coef=every)

  return jax.vmap(of_head)(rows, sign, weight, cs)


def _primal(
  x: jax.Array,
  mean: jax.Array,
  rows: jax.Array,
  sign: jax.Array,
  weight: jax.Array,
  cs: jax.Array,
  shares: jax.Array,
) -> Optima:
  """`newton.path` of B heads."""

  def of_head(
    rows: jax.Array, sign: jax.Array, weight: jax.Array, cs: jax.Array
  ) -> Optima:
    own = x[rows].astype(mean.dtype) - mean[None]
    form = functools.partial(newton.primal, own)
    return newton.path(form, len(mean), sign, weight, cs, shares)

  return jax.vmap(of_head)(rows, sign, weight, cs)


class _Batch(NamedTuple):
  """Heads that run together.

  Attributes:
    length: number of rows that each is padded to.
    size: number of heads that its program takes.
    heads: their numbers, of which the last is repeated up to that.
  """

  length: int
  size: int
  heads: list[int]


def _batches(members: Sequence[Member], width: int | None) -> list[_Batch]:
  """All heads, the longest first: at the end all cores have something to do."""
  sizes = np.array([len(member.rows) for member in members])
  lengths = _lengths(sizes, len(members[0].cs), width)
  form = forms.of_programs()
  # The heads of a batch wait for each other, so alike ones are together.
  order = np.lexsort(([member.cs[0] for member in members], -lengths))
  batches = []
  for length, group in itertools.groupby(order.tolist(), lengths.__getitem__):
    length = int(length)
    heads = list(group)
    size = form.numbers // (length * (width or length))
    size = max(min(size, form.heads, len(heads)), 1)
    size = 2 ** (size.bit_length() - 1)
    batches += [
      _Batch(length, size, heads[start : start + size])
      for start in range(0, len(heads), size)
    ]
  return batches


def _lengths(sizes: np.ndarray, number: int, width: int | None) -> np.ndarray:
  """How many rows each head is padded to, `[H]`.

  Few lengths are few programs, and many lengths little padding; the dynamic
  program finds what takes least time. They are round numbers, so that the next
  heads, which are a little longer, have the same programs.

  Args:
    sizes: `[H]` int, rows of each head.
    number: K.
    width: D of primal heads, None of dual ones.
  """
  step = 2 ** np.maximum(np.ceil(np.log2(sizes)).astype(int) - 5, 3)
  every, counts = np.unique(-(-sizes // step) * step, return_counts=True)
  below = np.concatenate([[0], np.cumsum(counts)])
  least, first = np.zeros(len(every) + 1), np.zeros(len(every) + 1, int)
  for end, length in enumerate(every.astype(float), 1):
    each = _FACTORS * number * work(length, width)
    costs = least[:end] + (below[end] - below[:end]) * each + _PROGRAM
    first[end] = np.argmin(costs)
    least[end] = costs[first[end]]
  ends = [len(every)]
  while first[ends[-1]]:
    ends.append(first[ends[-1]])
  chosen = every[np.array(ends[::-1]) - 1]
  return chosen[np.searchsorted(chosen, sizes)]


def work(length: float, width: int | None) -> float:
  """Products of numbers that a factor of the Hessian takes.

  Args:
    length: rows of the head.
    width: D of a primal head, None of a dual one.
  """
  if width is None:
    return length**3 / 3
  return length * width**2 + width**3 / 3


def _stacked(
  members: Sequence[Member], batch: _Batch
) -> tuple[np.ndarray, ...]:
  """Rows, signs and weights `[B, m]`, C `[B, K]`, and `_shares`."""
  shape = batch.size, batch.length
  rows, sign, weight = (
    np.zeros(shape, np.int32),
    np.ones(shape),
    np.zeros(shape),
  )
  # To repeat a head is cheaper than to ask about heads without rows.
  repeated = batch.heads + batch.heads[-1:] * (batch.size - len(batch.heads))
  own = [members[h] for h in repeated]
  for b, member in enumerate(own):
    size = len(member.rows)
    rows[b, :size], sign[b, :size] = member.rows, member.sign
    weight[b, :size] = member.weight
  cs = np.stack([member.cs for member in own])
  return rows, sign, weight, cs, _shares(cs[0])


def _shares(cs: np.ndarray) -> np.ndarray:
  """`[K, 3]` shares of the three optima before in what to start from.

  Those of the parabola in log C through them; or of the line, or the last one
  alone, where there are fewer or they are far apart.
  """
  logs, shares = np.log(cs), np.zeros((len(cs), 3))
  for k, now in enumerate(logs):
    known = logs[max(k - 3, 0) : k][::-1]
    steps = np.abs(np.diff([now, *known]))
    known = known[: max(int(np.sum(np.cumprod(steps < _NEAR))), 1)]
    for i, one in enumerate(known):
      others = np.delete(known, i)
      shares[k, i] = np.prod((now - others) / (one - others))
  shares[0] = (1, 0, 0)
  return shares

"""What heads need of an accelerator's memory, and in how many turns they fit.

A step of all heads gathers a batch of rows for each: with long features that is
more than the heads themselves, and so a device may train its heads in turns.
"""

import functools
import math
from typing import NamedTuple

import jax

from heterojax.errors import UserError
from heterojax.heads.epochs import Training
from heterojax.heads.kinds import KINDS

_FLOAT = 4  # Bytes.
# Weights of a head: now, at its best epoch, and Adam's two means.
_COPIES = 4
# In a step: its gradients, and new weights before the old ones are free.
_IN_STEP = 2
# Of a device's memory, the rest is for programs and what lies in between.
_USABLE = 0.9


class Need(NamedTuple):
  """Bytes.

  Attributes:
    fixed: on each device, features and the rows that heads validate on.
    head: of each head, between two steps.
    step: of each head, more in a step.
  """

  fixed: int
  head: int
  step: int


@functools.cache
def need(training: Training, rows: int, validation: int, dim: int) -> Need:
  """What heads need on accelerators.

  Args:
    training: of them.
    rows: N of the feature matrix.
    validation: V of them are validated on.
    dim: D.
  """
  init = KINDS[training.task].init
  params = jax.eval_shape(
    lambda key: init(key, dim, training.widths), jax.random.key(0)
  )
  weights = _FLOAT * sum(leaf.size for leaf in jax.tree.leaves(params))
  return Need(
    fixed=_FLOAT * (rows + validation) * dim,
    head=_COPIES * weights,
    step=_FLOAT * training.batch_size * dim + _IN_STEP * weights,
  )


def turns(need: Need, heads: int, devices: int, limit: int | None) -> int:
  """In how many turns each device trains its heads.

  Args:
    need: of them.
    heads: H.
    devices: that share them.
    limit: bytes of each; None where memory is the host's.

  Returns:
    1 where all fit at once, at most H / devices.

  Raises:
    UserError: if they do not fit.
  """
  if limit is None:
    return 1
  own = -(-heads // devices)
  left = _USABLE * limit - need.fixed - own * need.head
  at_once = math.floor(left / need.step)
  if at_once < 1:
    least = (need.fixed + own * need.head + need.step) / _USABLE
    raise UserError(
      f'{heads} heads need {least / 1e9:.1f} GB on each of {devices}'
      f' accelerators, which have {limit / 1e9:.1f} GB: use more of them,'
      ' fewer heads, or the argument feature=avg.'
    )
  return -(-own // at_once)

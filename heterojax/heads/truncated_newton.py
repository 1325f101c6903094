"""Logistic heads at their optimum by reads of the features (`reads`).

Their objectives are those of `logistic` and `multinomial`, and so are heads
that lack a class. Newton's step is solved for by conjugate gradients, each of
which reads the features once for all heads (truncated Newton: Nocedal and
Wright 2006, algorithm 7.1), so that neither a Hessian nor a copy of the
features is made. They are preconditioned by the Hessian that a head would have
if its rows were a sample of all and had the same curvature.

Axes: P rows, D features, H heads, J outputs (`reads`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heterojax.heads import reads
from heterojax.run import progress

_MOST_STEPS, _MOST_CONJUGATE, _MOST_HALVINGS = 60, 60, 30
# Of the objective, what a step promises where it is the last, and where a head
# passes for converged.
_TIGHT, _LOOSE = 1e-13, 1e-9
# Of the residual, to which a step is solved for.
_SOLVED = 0.1
_LEAST_DESCENT = 1e-4


class Heads(NamedTuple):
  """Fitted heads.

  Attributes:
    w: `[H, J, D + 1]` coefficients of `(x - mean) / scale`, intercepts last.
    steps: `[H]` int, of Newton's method.
    converged: `[H]` bool.
    reads: `[H]` int, how many reads of the features took part in it.
  """

  w: np.ndarray
  steps: np.ndarray
  converged: np.ndarray
  reads: np.ndarray


class Read(NamedTuple):
  """Features that are read, and the directions that they vary in."""

  features: reads.Features
  directions: reads.Directions


class Problem(NamedTuple):
  """Heads that are to be fitted.

  Attributes:
    features: P rows.
    directions: that they vary in.
    target: `[P]` int codes of the classes.
    weight: `[P, H]` float32, how often a row is of a head.
    counts: `[H, C]` rows of each class.
  """

  features: reads.Features
  directions: reads.Directions
  target: np.ndarray
  weight: np.ndarray
  counts: np.ndarray


def problem(
  features: reads.Features,
  directions: reads.Directions,
  target: np.ndarray,
  rows: Sequence[np.ndarray],
  classes: int,
) -> Problem:
  """Heads of H lists of rows; a row may occur twice."""
  weight = np.zeros((len(target), len(rows)), np.float32)
  counts = np.zeros((len(rows), classes))
  for h, own in enumerate(rows):
    weight[:, h] = np.bincount(own, minlength=len(target))
    counts[h] = np.bincount(target[own], minlength=classes)
  return Problem(features, directions, target, weight, counts)


def fit(
  task: Problem,
  c: float,
  start: np.ndarray | None = None,
  enough: float = _TIGHT,
) -> Heads:
  """The optima of all heads.

  Args:
    task: the heads.
    c: the inverse of the penalty.
    start: `[H, J, D + 1]` to begin from; without it, as without coefficients.
    enough: a step that promises a smaller share of the objective is the last.

  Returns:
    The heads.
  """
  first, there, empty = _starts(task.counts)
  h, outputs = first.shape
  w = np.zeros((h, outputs, task.features.x.shape[1] + 1))
  w[..., -1] = first
  if start is not None:
    w[...] = start
  # Where there is one class no coefficient is better than 0.
  open_ = np.sum(task.counts > 0, axis=1) > 1
  w[~open_, :, :-1], w[~open_, :, -1] = 0, first[~open_]
  steps, read = np.zeros(h, int), np.zeros(h, int)
  promise = np.where(open_, np.inf, 0.0)
  with progress.Progress('logistic heads', h, 'heads') as shown:
    shown.update(int(np.sum(~open_)))
    active = np.flatnonzero(open_)
    state = _State.at(task, active, c, w[active], there)
    read[active] += 1
    while len(active):
      step, number = _step(task, active, c, state)
      read[active] += number
      promised = -np.sum(step * state.gradient, axis=(1, 2))
      promise[active] = promised / (state.value + 1e-300)
      trial, tried = _shorter(task, active, c, state, step, promised, there)
      read[active] += tried
      steps[active] += 1
      w[active], state = trial.w, trial
      going = (promise[active] > enough) & (steps[active] < _MOST_STEPS)
      if not going.all():
        shown.update(int(np.sum(~going)))
      active, state = active[going], state.of(going)
  if outputs > 1:
    # What all classes have alike is without effect.
    w -= np.sum(w, axis=1, keepdims=True, where=there[..., None]) / np.sum(
      there, axis=1
    ).reshape(-1, 1, 1)
    w = np.where(there[..., None], w, 0)
    w[..., -1] = np.where(there, w[..., -1], empty[:, None])
  return Heads(w, steps, promise <= _LOOSE, read)


class _State(NamedTuple):
  """Where heads stand."""

  w: np.ndarray  # [H, J, D + 1]
  value: np.ndarray  # [H], the objective.
  gradient: np.ndarray  # [H, J, D + 1]
  p: np.ndarray  # [P, H, J]

  @classmethod
  def at(
    cls,
    task: Problem,
    active: np.ndarray,
    c: float,
    w: np.ndarray,
    there: np.ndarray,
  ) -> '_State':
    if not len(active):
      return cls(w, np.zeros(0), w, np.zeros((len(task.target), *w.shape[:2])))
    loss, gradient, p = reads.gradient(
      task.features, task.target, task.weight[:, active], there[active], w
    )
    own = _penalised(w)
    return cls(w, c * loss + np.sum(own * w, (1, 2)) / 2, c * gradient + own, p)

  def of(self, chosen: np.ndarray) -> '_State':
    if chosen.all():
      return self
    return _State(
      self.w[chosen],
      self.value[chosen],
      self.gradient[chosen],
      self.p[:, chosen],
    )


def _starts(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """What heads of `[H, C]` rows of each class begin with.

  Args:
    counts: `[H, C]`.

  Returns:
    `[H, J]` intercepts without coefficients; `[H, J]` bool, which outputs have
    a row; and `[H]` the intercept of one that has none.
  """
  if counts.shape[1] == 2:
    single = np.any(counts == 0, axis=1, keepdims=True)
    odds = counts + np.where(single, 0.5, 0.0)
    there = np.ones((len(counts), 1), bool)
    return np.log(odds[:, 1:] / odds[:, :1]), there, np.zeros(len(counts))
  there = counts > 0
  log = np.log(counts + 0.5)
  mean = np.sum(np.where(there, log, 0), axis=1) / np.sum(there, axis=1)
  return np.where(there, log - mean[:, None], 0), there, np.log(0.5) - mean


def _penalised(w: np.ndarray) -> np.ndarray:
  """`w` without its intercepts, which are free."""
  own = w.copy()
  own[..., -1] = 0
  return own


def _step(
  task: Problem, active: np.ndarray, c: float, state: _State
) -> tuple[np.ndarray, int]:
  """Newton's step of each head, nearly; and the reads that it took."""
  weight, residual = task.weight[:, active], -state.gradient
  precondition = _preconditioner(task, active, c, state.p)
  step, z = np.zeros_like(residual), precondition(residual, slice(None))
  direction = z
  size = np.sum(residual * z, axis=(1, 2))
  enough = _SOLVED**2 * size
  live, number = np.flatnonzero(size > 0), 0
  while len(live) and number < _MOST_CONJUGATE:
    along = direction[live]
    bent = c * reads.curved(
      task.features, weight[:, live], state.p[:, live], along
    ) + _penalised(along)
    length = size[live] / np.sum(along * bent, axis=(1, 2))
    step[live] += length[:, None, None] * along
    residual[live] -= length[:, None, None] * bent
    z = precondition(residual[live], live)
    following = np.sum(residual[live] * z, axis=(1, 2))
    direction[live] = z + (following / size[live])[:, None, None] * along
    size[live] = following
    live = live[following > enough[live]]
    number += 1
  return step, number


def _preconditioner(task: Problem, active: np.ndarray, c: float, p: np.ndarray):
  """About the inverse of the Hessian of some heads, as a function."""
  basis, variance, rest = task.directions
  weight = task.weight[:, active]
  # Its curvature, summed over the rows of a head. [H, J]
  bends = c * np.einsum('ph,phj->hj', weight, p * (1 - p), dtype=np.float64)
  bends = np.maximum(bends, 1e-10)[..., None]
  outside = 1 / (1 + bends * rest)
  inside = 1 / (1 + bends * variance) - outside

  def precondition(r: np.ndarray, which: np.ndarray | slice) -> np.ndarray:
    along = r[..., :-1] @ basis.T
    own = (inside[which] * along) @ basis + outside[which] * r[..., :-1]
    return np.concatenate([own, r[..., -1:] / bends[which]], axis=2)

  return precondition


def _shorter(
  task: Problem,
  active: np.ndarray,
  c: float,
  state: _State,
  step: np.ndarray,
  promised: np.ndarray,
  there: np.ndarray,
) -> tuple[_State, np.ndarray]:
  """Where the objective falls along a step, halved until it does."""
  length, tried = np.ones(len(active)), np.ones(len(active), int)
  # What rounding adds is no rise.
  slack = 1e-14 * np.abs(state.value)
  found = _State.at(task, active, c, state.w + step, there)
  for _ in range(_MOST_HALVINGS):
    least = state.value - _LEAST_DESCENT * length * promised + slack
    long = np.flatnonzero(~(found.value <= least))
    if not len(long):
      break
    length[long] /= 2
    tried[long] += 1
    at = state.w[long] + length[long, None, None] * step[long]
    again = _State.at(task, active[long], c, at, there)
    for of, by in zip(found[:3], again[:3], strict=True):
      of[long] = by
    found.p[:, long] = again.p
  return found, tried

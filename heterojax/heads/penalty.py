"""The penalty of logistic heads, chosen by cross-validation.

Axes: P rows of the matrix, n training rows, K values of C, F folds.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from heterojax.compute.arrays import Array
from heterojax.heads import logistic
from heterojax.heads import multinomial
from heterojax.heads import reads
from heterojax.heads import truncated_newton
from heterojax.heads.logistic import Gram
from heterojax.heads.truncated_newton import Read
from heterojax.run import progress

# Two for each power of ten.
VALUES = tuple(np.logspace(-4, 4, 17).tolist())
# Losses that differ by less are the same, but for rounding.
_SAME = 1e-9
# Where each takes reads of all features: by what share a value must do better
# than all before, and after how many that do not no larger one is tried.
_BETTER, _PATIENCE = 1e-6, 2
# What a step promises of the objective where losses do not change any more.
_ENOUGH = 1e-10


class Choice(NamedTuple):
  """A value of C, and what it was chosen by.

  Attributes:
    c: the value.
    cs: `[K]` all values.
    losses: `[K]` their mean log-losses of rows that were held out.
    converged: whether all heads did.
    n_iter: `[F, K]` int, how often the Hessian of each head was factored.
  """

  c: float
  cs: np.ndarray
  losses: np.ndarray
  converged: bool
  n_iter: np.ndarray


def choose_c(
  x: Array | Gram | Read,
  y: np.ndarray,
  folds: np.ndarray,
  cs: np.ndarray | tuple[float, ...] = VALUES,
  *,
  rows: np.ndarray | None = None,
  sample_weight: np.ndarray | None = None,
  classes: int = 2,
) -> Choice:
  """The C whose heads give held-out rows the least log-loss.

  Of values that do alike the smallest, whose penalty is the strongest. All
  folds are one batch of heads. A fold without which one class is left has a
  head that answers it (`logistic`).

  Args:
    x: `[P, D]`, its `gram`, or how it is read; then no weights are taken, and
      values of C are left out where those below have ceased to do better.
    y: `[P]` of 0 and 1, or of 0 to `classes` - 1.
    folds: `[n]` the fold of each training row. Rows that belong together, as
      those of a patient do, are in the same one.
    cs: `[K]` values of C, rising.
    rows: `[n]` the training rows; all, if none are given.
    sample_weight: `[P]` of the rows in the loss, both to train and held out;
      of two classes alone.
    classes: how many there are; more than two have `multinomial` heads.

  Returns:
    The choice; the order of the rows makes no difference.

  Raises:
    ValueError: as `logistic.path`; or if there are not two folds, or they do
      not fit the rows.
  """
  y, folds, cs = np.asarray(y), np.asarray(folds), np.asarray(cs, np.float64)
  rows = np.arange(len(y)) if rows is None else np.asarray(rows)
  names, fold = np.unique(folds, return_inverse=True)
  if folds.shape != rows.shape or len(names) < 2:
    raise ValueError(
      f'there must be a fold for each of {len(rows)} rows, and two or more'
    )
  lists = [rows[fold != f] for f in range(len(names))]
  if isinstance(x, Read):
    return _by_reads(x, y, fold, rows, lists, cs, classes)
  if classes > 2:
    heads = multinomial.path(x, y, lists, classes, cs)
    held_out = multinomial.logits(heads, x)[fold, :, rows]
    own = np.take_along_axis(held_out, y[rows][:, None, None], -1)[..., 0]
    each = special.logsumexp(held_out, axis=-1) - own
  else:
    heads = logistic.path(x, y, lists, cs, sample_weight=sample_weight)
    held_out = logistic.logits(heads, x)[fold, :, rows]
    sign = np.where(y[rows] == 1, 1.0, -1.0)
    each = np.logaddexp(0, -sign[:, None] * held_out)
  losses = np.average(
    each,
    axis=0,
    weights=None if sample_weight is None else sample_weight[rows],
  )
  return _least(cs, losses, bool(np.all(heads.converged)), heads.n_iter)


def _by_reads(
  x: Read,
  y: np.ndarray,
  fold: np.ndarray,
  rows: np.ndarray,
  lists: list[np.ndarray],
  cs: np.ndarray,
  classes: int,
) -> Choice:
  """`choose_c`, value after value of C, until larger ones do no better."""
  task = truncated_newton.problem(*x, y, lists, classes)
  held = np.zeros(task.weight.shape, bool)
  held[rows, fold] = True
  losses, n_iter = np.full(len(cs), np.inf), np.zeros((len(lists), len(cs)))
  converged, w, vain = True, None, 0
  with progress.Progress('penalty', len(cs), 'values of C') as shown:
    for i, c in enumerate(cs):
      found = truncated_newton.fit(task, float(c), w, _ENOUGH)
      w, n_iter[:, i] = found.w, found.reads
      converged &= bool(found.converged.all())
      own = reads.losses(x.features, task.target, held, w)
      loss = np.sum(own) / len(rows)
      vain = 0 if loss < np.min(losses) * (1 - _BETTER) else vain + 1
      losses[i] = loss
      shown.update(1)
      if vain == _PATIENCE:
        break
  return _least(cs, losses, converged, n_iter.astype(int))


def _least(
  cs: np.ndarray, losses: np.ndarray, converged: bool, n_iter: np.ndarray
) -> Choice:
  chosen = np.argmax(losses <= np.min(losses) * (1 + _SAME))
  return Choice(float(cs[chosen]), cs, losses, converged, n_iter)

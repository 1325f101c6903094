"""Logistic heads of the same rows and many labels: those of redrawn worlds.

They are the heads of `logistic.fit`. Because they share their rows, they share
factors of a Hessian (`conjugate`), which makes many of them several times
cheaper than as many that do not.

Axes: W labellings, P rows of the matrix, m rows of the heads, D features.
"""

from collections.abc import Sequence

import jax
import numpy as np

from heterojax.compute import cores
from heterojax.compute import platform
from heterojax.compute.arrays import Array
from heterojax.heads import batches
from heterojax.heads import conjugate
from heterojax.heads import forms
from heterojax.heads import logistic
from heterojax.heads import newton

# With fewer labellings there is little to share.
_FEW = 8
# How many times fewer labellings the smaller program of a core has.
_SMALLER = 4
# Rows that a program has at least, and up to which it matters little.
_LEAST, _SMALL = 64, 256


def are_many(number: int) -> bool:
  """Whether so many labellings are faster than as many heads of `logistic`."""
  return number >= _FEW


def fit(x: Array, y: np.ndarray, rows: np.ndarray, c: float) -> logistic.Heads:
  """Fits a head for each labelling.

  Args:
    x: `[P, D]`.
    y: `[W, P]` of 0 and 1.
    rows: `[m]` int, at least one.
    c: C of all heads, the inverse of their penalty.

  Returns:
    W heads, with the coefficients `[W, D]`.

  Raises:
    ValueError: as `logistic.fit`.
  """
  if not are_many(len(y)):
    return logistic.fit(x, y, [rows] * len(y), c)
  own = np.asarray(x[rows], np.float64)
  mean = own.mean(axis=0)
  own -= mean
  basis = None
  if 2 * len(rows) <= own.shape[1]:
    # In the span of the rows, whose coordinates are fewer.
    with batches.one_thread():
      basis, upper = np.linalg.qr(own.T)
    own = np.ascontiguousarray(upper.T)
  sign = np.where(y[:, rows] == 1, 1.0, -1.0)
  coef, intercept, converged, factors = _solved(own, sign, c)
  if basis is not None:
    coef = coef @ basis.T
  heads = logistic.Heads(coef, intercept - coef @ mean, factors, converged)
  left = np.flatnonzero(~converged)
  if len(left):
    others = logistic.fit(x, y[left], [rows] * len(left), c)
    for leaf, other in zip(heads, others, strict=True):
      leaf[left] = other
  return heads


@platform.float64()
def _solved(
  x: np.ndarray, sign: np.ndarray, c: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """`conjugate.optima` of the rows `[m, D]` and signs `[W, m]`."""
  number, (m, width) = len(sign), x.shape
  length = _length(m)
  features = np.zeros((length, length if m == width else width))
  weight = np.zeros(length)
  features[:m, :width], weight[:m] = x, 1
  most, in_turn = forms.of_programs().labellings, forms.of_programs().in_turn
  size = -(-number // -(-number // most))
  if in_turn:
    # Two programs for all numbers. The more labellings share a factor, the
    # less is to be done; but few are divided, so that no core is without.
    size = most if number > most else most // _SMALLER
  signs = np.ones((-(-number // size) * size, length))
  signs[:number, :m] = sign
  signs[number:] = signs[number - 1]
  fixed = features, weight, np.asarray(c, np.float64)
  programs = cores.program(_optima, *fixed, signs[:size])
  found = (
    np.zeros((len(signs), features.shape[1])),
    np.zeros(len(signs)),
    np.zeros(len(signs), bool),
    np.zeros(len(signs), int),
  )

  def keep(own: slice, parts: Sequence[jax.Array]) -> None:
    for leaf, part in zip(found, parts, strict=True):
      leaf[own] = np.asarray(part)

  every = [slice(i, i + size) for i in range(0, len(signs), size)]
  batches.over_cores(every, fixed, lambda own: (programs, (signs[own],)), keep)
  coef, intercept, converged, factors = (leaf[:number] for leaf in found)
  return coef[:, :width], intercept, converged, factors


def _length(rows: int) -> int:
  """Rows with padding, to one of few numbers, so that programs are few."""
  whole = 1 << max(rows - 1, _LEAST - 1).bit_length()
  # A product of many heads costs little where rows are few.
  step = whole // 4 if whole <= _SMALL else whole // 8
  return -(-rows // step) * step if 2 * rows > whole else whole // 2


def _optima(
  x: jax.Array, weight: jax.Array, c: jax.Array, sign: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  form = newton.primal(x, c)
  return conjugate.optima(form, x.shape[1], sign, weight, c)

"""Logistic regressions of several classes at their optimum, many at once.

Each head minimises scikit-learn's `LogisticRegression(C=C)` of three classes or
more: `C sum_i loss_i + |W|^2 / 2` with softmax probabilities and free
intercepts, which are shifted to the sum 0. Of two classes it is that of
`logistic` with the double C.

A class that a head has no row of has no coefficients there, and the intercept
of half a row: its log odds against the mean class are those of the counts, one
half added to each, as in `logistic`.

Axes: H heads, P rows, m rows of a head, D features, C classes, K values of C.
"""

from collections.abc import Sequence

import jax
import numpy as np

from heterojax.compute import cores
from heterojax.compute.arrays import Array
from heterojax.heads import batches
from heterojax.heads import forms
from heterojax.heads import logistic
from heterojax.heads import softmax_newton
from heterojax.heads.logistic import Gram
from heterojax.heads.logistic import Heads


def fit(
  x: Array | Gram,
  y: np.ndarray,
  rows: Sequence[np.ndarray],
  classes: int,
  c: float = 1.0,
) -> Heads:
  """Fits all heads.

  Args:
    x: `[P, D]`, or its `logistic.gram`.
    y: `[P]` int below `classes`.
    rows: H lists of rows, none of them empty; a row may occur twice.
    classes: C, two or more.
    c: the inverse of the penalty.

  Returns:
    The heads: coef `[H, C, D]` (of a `Gram` `[H, C, P]`, see
    `logistic.coefficients`), intercept `[H, C]`, n_iter and converged `[H]`.

  Raises:
    ValueError: if a list is empty, or an argument is not as it must be.
  """
  found = path(x, y, rows, classes, np.array([c]))
  return Heads(*(leaf[:, 0] for leaf in found))


def path(
  x: Array | Gram,
  y: np.ndarray,
  rows: Sequence[np.ndarray],
  classes: int,
  cs: np.ndarray,
) -> Heads:
  """Fits all heads for several C, each of which begins where the last ended.

  Args:
    x: as in `fit`, and so are all others.
    y: see there.
    rows: see there.
    classes: see there.
    cs: `[K]` values of C, rising.

  Returns:
    The heads, with axes `[H, K, ...]`.

  Raises:
    ValueError: as `fit`.
  """
  y, cs = np.asarray(y), np.asarray(cs, np.float64)
  lists = [np.asarray(own) for own in rows]
  number = len(x.products) if isinstance(x, Gram) else len(x)
  if y.shape != (number,) or not ((y >= 0) & (y < classes)).all():
    raise ValueError(f'y must be [{number}] of 0 to {classes - 1}')
  if not (np.isfinite(cs) & (cs > 0)).all():
    raise ValueError('C must be finite and positive')
  if not lists or not all(map(len, lists)):
    raise ValueError('every head needs a row')
  if isinstance(x, Gram):
    z, back = _coordinates(x)
    found = _solved(z, y, lists, classes, cs)
    return found._replace(coef=found.coef @ back)
  x = np.asarray(x)
  used = np.unique(np.concatenate(lists))
  if len(used) < x.shape[1]:
    # Rows span no more directions than there are of them; inner products would
    # lose those that are a millionth of the largest.
    mean = np.mean(x[used], axis=0, dtype=np.float64)
    basis, z = np.linalg.qr((x[used] - mean).T)
    lists = [np.searchsorted(used, own) for own in lists]
    found = _solved(z.T, y[used], lists, classes, cs)
    found = found._replace(coef=found.coef @ basis.T)
  else:
    mean = np.mean(x, axis=0, dtype=np.float64)
    found = _solved(x - mean, y, lists, classes, cs)
  return found._replace(intercept=found.intercept - found.coef @ mean)


def logits(heads: Heads, x: Array | Gram) -> np.ndarray:
  """What all heads give.

  Args:
    heads: of `fit` or of `path`.
    x: `[N, D]`; the `Gram` that they were fitted on, if they were on one.

  Returns:
    `[H, N, C]` float64 (`[H, K, N, C]` of a path).
  """
  return np.moveaxis(logistic.logits(heads, x), -1, -2)


def _coordinates(x: Gram) -> tuple[np.ndarray, np.ndarray]:
  """Rows `[P, R]` of the same inner products, and `[R, P]` back to shares."""
  values, vectors = np.linalg.eigh(x.products)
  # Less is rounding.
  kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
  root = np.sqrt(values[kept])
  return vectors[:, kept] * root, (vectors[:, kept] / root).T


def _solved(
  x: np.ndarray,
  y: np.ndarray,
  lists: Sequence[np.ndarray],
  classes: int,
  cs: np.ndarray,
) -> Heads:
  """All heads in the features `[P, D]`, which have the mean 0 or nearly."""
  h, k, (_, width) = len(lists), len(cs), x.shape
  found = (
    np.zeros((h, k, classes, width + 1)),
    np.zeros((h, k), int),
    np.zeros((h, k), bool),
  )
  # The padding of each is part of it alone: other heads change no bit.
  lengths = np.array([_length(len(own)) for own in lists])
  most = forms.of_programs().several_classes
  every = [
    group[i : i + most]
    for length in np.unique(lengths)[::-1]
    for group in (np.flatnonzero(lengths == length),)
    for i in range(0, len(group), most)
  ]
  fixed = np.c_[x, np.ones(len(x))], y.astype(np.int32), cs

  def listed(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.zeros((most, lengths[group[0]]), np.int32)
    weight = np.zeros(rows.shape)
    for b, head in enumerate(np.resize(group, most)):
      own = lists[head]
      rows[b], weight[b, : len(own)] = own[0], 1
      rows[b, : len(own)] = own
    return rows, weight

  with jax.enable_x64(True):
    programs = {
      length: cores.program(_heads, *fixed, *listed(group), classes=classes)
      for length, group in {lengths[own[0]]: own for own in every}.items()
    }

  def run(group: np.ndarray) -> batches.Work:
    return programs[lengths[group[0]]], listed(group)

  def keep(group: np.ndarray, parts: Sequence[jax.Array]) -> None:
    for leaf, part in zip(found, parts, strict=True):
      leaf[group] = np.asarray(part)[: len(group)]

  batches.over_cores(every, fixed, run, keep)
  w, steps, converged = found
  return Heads(w[..., :-1], w[..., -1], steps, converged)


def _length(rows: int) -> int:
  """Rows with padding: one of eight numbers up to each power of two."""
  step = max(2 ** (max(rows - 1, 1).bit_length() - 3), 8)
  return -(-rows // step) * step


def _heads(
  z: jax.Array,
  y: jax.Array,
  cs: jax.Array,
  rows: jax.Array,
  weight: jax.Array,
  *,
  classes: int,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  def head(own: tuple[jax.Array, jax.Array]):
    rows, weight = own
    return softmax_newton.path(
      softmax_newton.Rows(z[rows], y[rows], weight), cs, classes
    )

  if forms.of_programs().in_turn:
    return jax.lax.map(head, (rows, weight))
  return jax.vmap(head)((rows, weight))

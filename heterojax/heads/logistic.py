"""Logistic regressions at their optimum, many at once, on one feature matrix.

Each head minimises scikit-learn's `LogisticRegression(C=C)`:
`C sum_i loss_i + |w|^2 / 2` with the intercept free. The optimum is unique, and
nothing is random. Where a head has fewer rows than features it is solved in the
inner products of its rows, of which one matrix serves all heads.

A head whose rows are of one class, which scikit-learn refuses, answers that
class: its coefficients are 0 and its intercept is the log odds of the counts,
one half added to each (1.1 for one row, 5.6 for 140).

Axes: H heads, P rows, D features, K values of C.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from heterojax.cluster import moments
from heterojax.compute import cores
from heterojax.compute import platform
from heterojax.compute import row_blocks
from heterojax.compute.arrays import Array
from heterojax.heads import batches
from heterojax.heads.batches import Member

# Columns that are computed with at once, instead of a copy of all.
_COLUMNS = 4096
# How often an average head's Hessian is factored.
_FACTORS = 4


class Gram(NamedTuple):
  """What heads need of features that outnumber rows.

  Attributes:
    x: `[P, D]` the features, not copied.
    mean: `[D]` float64, theirs.
    products: `[P, P]` float64 inner products of the rows less the mean.
  """

  x: Array
  mean: np.ndarray
  products: np.ndarray


class Heads(NamedTuple):
  """Fitted heads, in the order they were given; `path` adds an axis K after H.

  Those of several classes (`multinomial`) have an axis C after these.

  Attributes:
    coef: `[H, D]` float64; of heads that were fitted on a `Gram`, `[H, P]`: the
      share of every row (less the mean) in their coefficients.
    intercept: `[H]` float64; of heads that were fitted on a `Gram`, that of
      features less their mean.
    n_iter: `[H]` int, how often the Hessian was factored.
    converged: `[H]` bool, whether the coefficients stopped changing.
  """

  coef: np.ndarray
  intercept: np.ndarray
  n_iter: np.ndarray
  converged: np.ndarray


def gram(x: Array) -> Gram:
  """Inner products of the rows `[P, D]`, in float64: 8 P^2 bytes.

  Raises:
    ValueError: if `x` is not a matrix, or not finite.
  """
  if np.ndim(x) != 2 or not np.size(x):
    raise ValueError(f'x must be [P, D], not {list(np.shape(x))}')
  with platform.float64():
    x = cores.placed(x)
    mean = moments.mean(x)
    upper = np.triu(moments.second_moments(x, mean, wide=True))
  if not np.isfinite(upper).all():
    raise ValueError('x holds values that are not finite')
  return Gram(x, np.asarray(mean), upper + np.triu(upper, 1).T)


def fit(
  x: Array | Gram,
  y: np.ndarray,
  rows: Sequence[np.ndarray],
  c: float | np.ndarray = 1.0,
  *,
  sample_weight: np.ndarray | None = None,
) -> Heads:
  """Fits all heads.

  Args:
    x: `[P, D]`, or its `gram`, which several calls can share and for which no
      coefficients are formed.
    y: `[P]` of 0 and 1, or `[H, P]`, of each head its own.
    rows: H lists of rows, none of them empty; a row may occur twice.
    c: C, one for all or `[H]`: the inverse of the penalty.
    sample_weight: `[P]`, or `[H, P]`, of the rows in the loss.

  Returns:
    The heads.

  Raises:
    ValueError: if a shape does not fit, a list is empty, or `x`, `y`, C or a
      weight has a value that it cannot have.
  """
  cs = np.broadcast_to(np.asarray(c, np.float64), len(rows))[:, None]
  found = _fitted(x, y, rows, cs, sample_weight)
  return Heads(*(leaf[:, 0] for leaf in found))


def path(
  x: Array | Gram,
  y: np.ndarray,
  rows: Sequence[np.ndarray],
  cs: np.ndarray,
  *,
  sample_weight: np.ndarray | None = None,
) -> Heads:
  """Fits all heads for several C, each of which begins where others ended.

  Args:
    x: as in `fit`, and so are all others.
    y: see there.
    rows: see there.
    cs: `[K]` values of C, rising.
    sample_weight: see there.

  Returns:
    The heads, with axes `[H, K, ...]`.

  Raises:
    ValueError: as `fit`, or if the values of C do not rise.
  """
  cs = np.asarray(cs, np.float64)
  if cs.ndim != 1 or not cs.size or not np.all(np.diff(cs) > 0):
    raise ValueError(f'cs must be [K] and rise, not {cs.tolist()}')
  every = np.broadcast_to(cs, (len(rows), len(cs)))
  return _fitted(x, y, rows, every, sample_weight)


def logits(heads: Heads, x: Array | Gram) -> np.ndarray:
  """What all heads give.

  Args:
    heads: of `fit` or of `path`.
    x: `[N, D]`; the `Gram` that they were fitted on, if they were on one.

  Returns:
    `[H, N]` float64 (`[H, K, N]` of a path): the logits of class 1.
  """
  features = x.products if isinstance(x, Gram) else x
  total = np.broadcast_to(
    heads.intercept[..., None], (*heads.intercept.shape, len(features))
  ).copy()
  large = not isinstance(x, Gram) and row_blocks.is_large(*features.shape)
  for rows in row_blocks.slices(*features.shape) if large else [slice(None)]:
    for columns in _columns(features.shape[1]):
      part = np.asarray(features[rows, columns], np.float64)
      total[..., rows] += np.tensordot(heads.coef[..., columns], part, (-1, 1))
  return total


def coefficients(heads: Heads, features: Gram) -> Heads:
  """Heads that were fitted on a `Gram`, with their coefficients `[H, D]`."""
  coef = np.empty((*heads.coef.shape[:-1], features.x.shape[1]))
  for columns in _columns(coef.shape[-1]):
    part = np.array(features.x[:, columns], np.float64)
    part -= features.mean[columns]
    coef[..., columns] = np.tensordot(heads.coef, part, 1)
  return heads._replace(
    coef=coef, intercept=heads.intercept - coef @ features.mean
  )


def in_features(rows: Sequence[np.ndarray], width: int) -> bool:
  """Whether less is to be computed in D features than in products of rows.

  Args:
    rows: H lists of rows, as of `fit`.
    width: D.

  Returns:
    How `fit` solves such heads, unless it is given a `Gram`.
  """
  by_rows, by_features = (
    _FACTORS * sum(batches.work(len(own), of) for own in rows)
    for of in (None, width)
  )
  used = len(np.unique(np.concatenate(list(rows))))
  return by_features <= by_rows + used**2 * width


def _fitted(
  x: Array | Gram,
  y: np.ndarray,
  rows: Sequence[np.ndarray],
  cs: np.ndarray,
  weight: np.ndarray | None,
) -> Heads:
  """`fit` and `path`, for C `[H, K]`."""
  if isinstance(x, Gram):
    members = _members(len(x.products), y, rows, cs, weight)
    return Heads(*batches.solve(members, x.products))
  if np.ndim(x) != 2 or not np.isfinite(x).all():
    raise ValueError('x must be [P, D] and finite')
  members = _members(len(x), y, rows, cs, weight)
  if not in_features([member.rows for member in members], x.shape[1]):
    used = np.unique(np.concatenate([member.rows for member in members]))
    if 2 * len(used) > len(x):  # Other heads have the same program then.
      used = np.arange(len(x))
    features = gram(x if len(used) == len(x) else x[used])
    members = [
      member._replace(rows=np.searchsorted(used, member.rows))
      for member in members
    ]
    found = Heads(*batches.solve(members, features.products))
    return coefficients(found, features)
  x = np.asarray(x)
  mean = np.asarray(np.mean(x, axis=0, dtype=np.float64))
  found = Heads(*batches.solve(members, x, mean))
  return found._replace(intercept=found.intercept - found.coef @ mean)


def _members(
  number: int,
  y: np.ndarray,
  rows: Sequence[np.ndarray],
  cs: np.ndarray,
  weight: np.ndarray | None,
) -> list[Member]:
  """The heads, whose arguments are as they must be."""
  y = np.asarray(y)
  weight = np.ones(number) if weight is None else np.asarray(weight, float)
  for name, own in (('y', y), ('sample_weight', weight)):
    if own.shape not in ((number,), (len(rows), number)):
      raise ValueError(
        f'{name} must be [{number}] or [{len(rows)}, {number}], not'
        f' {list(own.shape)}'
      )
  if not ((y == 0) | (y == 1)).all():
    raise ValueError('y must be 0 or 1')
  if not (np.isfinite(weight) & (weight >= 0)).all():
    raise ValueError('weights must be finite and not negative')
  if not (np.isfinite(cs) & (cs > 0)).all():
    raise ValueError('C must be finite and positive')
  if not len(rows):
    raise ValueError('there are no heads')
  members = []
  for h, own in enumerate(map(np.asarray, rows)):
    if (
      own.ndim != 1
      or own.dtype.kind not in 'iu'
      or not own.size
      or own.min() < 0
      or own.max() >= number
    ):
      raise ValueError(f'head {h} must have rows from 0 to {number - 1}')
    labels, weights = (
      of[own] if of.ndim == 1 else of[h, own] for of in (y, weight)
    )
    members.append(
      Member(own, np.where(labels == 1, 1.0, -1.0), weights, cs[h])
    )
  return members


def _columns(length: int) -> Iterator[slice]:
  for start in range(0, length, _COLUMNS):
    yield slice(start, start + _COLUMNS)

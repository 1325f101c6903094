"""The logistic heads of a fold: one scale, one C, all fitted at once.

C is a penalty per unit of the features, so that these are brought to one scale
first. Features that were given are standardised, as before scikit-learn's
`LogisticRegression`; features of a network are divided by one number, the root
of their mean variance, so that C means the same for any network [our choice].
What is returned takes the features as they are. Many rows are read, and never
copied (`truncated_newton`).

Axes: H heads, P rows, D features, n training rows.
"""

from collections.abc import Sequence
from typing import NamedTuple
import warnings

import jax
import numpy as np
from sklearn.model_selection import StratifiedKFold

from heterojax import rng
from heterojax.compute.arrays import Array
from heterojax.datasets.group_folds import GroupFolds
from heterojax.heads import batches
from heterojax.heads import logistic
from heterojax.heads import multinomial
from heterojax.heads import penalty
from heterojax.heads import reads
from heterojax.heads import scaler
from heterojax.heads import truncated_newton
from heterojax.heads.logistic import Gram

FOLDS = 5
# Where there are not two patients to hold out in turn.
DEFAULT_C = 1.0
# Of more rows the factors of heads' Hessians take longer than reads of all
# features, and copies of these more memory than there may be.
_MOST_ROWS = 2**14


class Fold(NamedTuple):
  """What the heads of one fold are fitted on.

  Attributes:
    rows: H lists of rows; the first is all training rows, in which others lie.
    originals: `[m]` int, those rows of the first that are no copies.
    parts: `[n]` int, the part of each row of the first in the cross-validation
      that chooses C, see `parts_of`.
  """

  rows: Sequence[np.ndarray]
  originals: np.ndarray
  parts: np.ndarray


class Fitted(NamedTuple):
  """Heads on features as they are, in the order they were given.

  Attributes:
    kernel: `[H, D]` float64; of more than two classes `[H, C, D]`.
    bias: `[H]` float64; of more than two classes `[H, C]`.
    c: `[H]` float64, the inverse of the penalty.
    n_iter: `[H]` int, how often the Hessian was factored.
    converged: `[H]` bool.
    flops: `[H]` float64, operations that took; those of the choice of C are
      the first head's.
  """

  kernel: np.ndarray
  bias: np.ndarray
  c: np.ndarray
  n_iter: np.ndarray
  converged: np.ndarray
  flops: np.ndarray


class Shared(NamedTuple):
  """Inner products that the heads of several folds share.

  Attributes:
    gram: of the rows that any of them is fitted on.
    rows: `[U]` int, these rows, rising.
  """

  gram: Gram
  rows: np.ndarray


def is_read(rows: int) -> bool:
  """Whether heads on so many pictures form no Hessian, and copy no features."""
  return rows > _MOST_ROWS


def parts_of(y: np.ndarray, units: np.ndarray, stream: jax.Array) -> np.ndarray:
  """Parts of whole patients, with the classes in proportion where it goes.

  Args:
    y: `[n]` of 0 and 1.
    units: `[n]` int, equal for rows of one patient, or of one image.
    stream: key of the draw.

  Returns:
    `[n]` int, up to `FOLDS` parts: as many as there are patients.
  """
  _, unit = np.unique(units, return_inverse=True)
  number = min(FOLDS, int(unit.max()) + 1)
  numbers = rng.from_key(stream)
  if 1 < number <= np.bincount(y.astype(int), minlength=2).max():
    state = int(numbers.integers(2**31))
    several = int(unit.max()) + 1 < len(unit)
    # Without patients of several rows the other one takes far less time.
    by = GroupFolds if several else StratifiedKFold
    splitter = by(number, shuffle=True, random_state=state)
    groups = unit if several else None
    parts = np.zeros(len(y), int)
    with warnings.catch_warnings():
      # A class of fewer rows than parts is missing in some, which is allowed.
      warnings.simplefilter('ignore', UserWarning)
      for part, (_, held_out) in enumerate(splitter.split(y, y, groups)):
        parts[held_out] = part
    return parts
  return (numbers.permutation(int(unit.max()) + 1) % number)[unit]


def shared(x: Array, folds: Sequence[Fold]) -> Shared | None:
  """The inner products for all heads that are solved in them, if any is."""
  if is_read(len(x)):
    return None
  dual = [f for f in folds if not logistic.in_features(f.rows, x.shape[1])]
  if not dual:
    return None
  used = np.unique(np.concatenate([fold.rows[0] for fold in dual]))
  if 2 * len(used) > len(x):  # Less than to copy their features.
    return Shared(logistic.gram(x), np.arange(len(x)))
  return Shared(logistic.gram(x[used]), used)


def fit(
  x: Array,
  y: np.ndarray,
  fold: Fold,
  c: float = 0.0,
  *,
  standardised: bool = False,
  products: Shared | None = None,
  classes: int = 2,
) -> Fitted:
  """All heads of a fold, with one C for all of them.

  Args:
    x: `[P, D]` features of all folds.
    y: `[P]` of 0 and 1, or of 0 to `classes` - 1.
    fold: of the heads.
    c: scikit-learn's C; 0 for the one that suits the first head in
      cross-validation (`penalty.choose_c`).
    standardised: whether each feature is standardised by the training rows of
      the fold; else all are divided by one number.
    products: those of `shared` for this fold and others; made here if none
      are given. Standardised features differ by fold and share none.
    classes: how many there are; more than two have `multinomial` heads.

  Returns:
    The heads.

  Raises:
    ValueError: as `logistic.fit`.
  """
  width, train = x.shape[1], fold.rows[0]
  if is_read(len(x)):
    return _by_reads(np.asarray(x), y, fold, c, standardised, classes)
  in_features = logistic.in_features(fold.rows, width)
  if standardised:
    by = scaler.standardise(x, train)
    z = (np.asarray(x, np.float64) - by.mean) / by.scale
    own = _solve(z, y, fold, c, 1.0, in_features, None, classes)
    kernel = own.kernel / by.scale
    return own._replace(kernel=kernel, bias=own.bias - kernel @ by.mean)
  # To divide by s is to have C / s^2, and needs no copy of the features.
  spread = scaler.spread(x, fold.originals)
  return _solve(x, y, fold, c, spread**2, in_features, products, classes)


def outputs(fitted: Fitted, x: Array) -> np.ndarray:
  """`[H, P]` float64 logits of the features `[P, D]`; `[H, P, C]` of C > 2."""
  heads = logistic.Heads(
    fitted.kernel, fitted.bias, fitted.n_iter, fitted.converged
  )
  kind = logistic if fitted.bias.ndim == 1 else multinomial
  return kind.logits(heads, x)


def _solve(
  x: Array,
  y: np.ndarray,
  fold: Fold,
  c: float,
  squared: float,
  in_features: bool,
  products: Shared | None,
  classes: int,
) -> Fitted:
  """Heads on features of which each C is over a squared length."""
  space, targets, lists = x, y, list(fold.rows)
  if not in_features:
    if products is None:
      products = Shared(logistic.gram(x), np.arange(len(x)))
    space, targets = products.gram, y[products.rows]
    lists = [np.searchsorted(products.rows, rows) for rows in lists]
  width = x.shape[1] if in_features else None
  chosen, flops = c, 0.0
  if not c:
    chosen, flops = _chosen(
      space, targets, lists[0], fold, squared, width, classes
    )
  if classes > 2:
    heads = multinomial.fit(space, targets, lists, classes, chosen / squared)
  else:
    heads = logistic.fit(space, targets, lists, chosen / squared)
  each = heads.n_iter * np.array([
    _work(len(rows), width, classes) for rows in lists
  ])
  each[0] += flops
  if isinstance(space, Gram):
    heads = logistic.coefficients(heads, space)
  return Fitted(
    kernel=heads.coef,
    bias=heads.intercept,
    c=np.full(len(lists), chosen),
    n_iter=heads.n_iter,
    converged=heads.converged,
    flops=each,
  )


def read_of(
  x: np.ndarray, train: np.ndarray, standardised: bool
) -> truncated_newton.Read:
  """How features are read that some rows standardise, or only centre."""
  by = scaler.standardise(x, train, by_blocks=True)
  scale = by.scale if standardised else np.ones(x.shape[1])
  features = reads.Features(x, by.mean, scale)
  return truncated_newton.Read(features, reads.directions(features, train))


def _by_reads(
  x: np.ndarray,
  y: np.ndarray,
  fold: Fold,
  c: float,
  standardised: bool,
  classes: int,
) -> Fitted:
  """`fit` of features of which nothing is copied."""
  train, (n, width) = fold.rows[0], x.shape
  read = read_of(x, train, standardised)
  mean, scale = read.features.mean, read.features.scale
  squared = (
    1.0
    if standardised
    else scaler.spread(x, fold.originals, by_blocks=True) ** 2
  )
  chosen, number = c, 0
  if not c:
    chosen = DEFAULT_C
    if len(np.unique(fold.parts)) > 1:
      values = np.array(penalty.VALUES)
      found = penalty.choose_c(
        read, y, fold.parts, values / squared, rows=train, classes=classes
      )
      chosen = float(values[np.searchsorted(found.cs, found.c)])
      number = int(np.sum(found.n_iter))
  task = truncated_newton.problem(*read, y, fold.rows, classes)
  heads = truncated_newton.fit(task, chosen / squared)
  outputs = heads.w.shape[1]
  w = heads.w if outputs > 1 else heads.w[:, 0]
  kernel = w[..., :-1] / scale
  taken = heads.reads.astype(float)
  taken[0] += number
  return Fitted(
    kernel=kernel,
    bias=w[..., -1] - kernel @ mean,
    c=np.full(len(fold.rows), chosen),
    n_iter=heads.steps,
    converged=heads.converged,
    # Each reads all rows, there and back.
    flops=4.0 * n * width * outputs * taken,
  )


def _chosen(
  space: Array | Gram,
  y: np.ndarray,
  rows: np.ndarray,
  fold: Fold,
  squared: float,
  width: int | None,
  classes: int,
) -> tuple[float, float]:
  """C for the first head, and the operations that its choice took."""
  names, sizes = np.unique(fold.parts, return_counts=True)
  if len(names) < 2:
    return DEFAULT_C, 0.0
  values = np.array(penalty.VALUES)
  found = penalty.choose_c(
    space, y, fold.parts, values / squared, rows=rows, classes=classes
  )
  flops = sum(
    _work(len(rows) - size, width, classes) * int(np.sum(own))
    for size, own in zip(sizes.tolist(), found.n_iter, strict=True)
  )
  return float(values[np.searchsorted(found.cs, found.c)]), flops


def _work(rows: int, width: int | None, classes: int) -> float:
  """Operations of one step of a head, which factors a Hessian for each class.

  Of two classes one is enough.
  """
  return 2 * batches.work(rows, width) * (classes if classes > 2 else 1)

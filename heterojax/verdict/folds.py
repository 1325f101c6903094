"""What the tests that refit heads need of a split of the images.

Axes: N images (originals: copies follow theirs and are no images here), D
features, T folds, W worlds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from heterojax.compute.arrays import Array
from heterojax.heads import batches
from heterojax.heads import labellings
from heterojax.heads import logistic
from heterojax.heads import multinomial
from heterojax.heads import optimum
from heterojax.heads import penalty
from heterojax.heads.logistic import Gram
from heterojax.verdict import one_vs_rest

# Numbers that heads and what they give hold at once.
_MOST = 1 << 25
# Of the largest squared length along an axis, below which there is rounding.
_NOTHING = 1e-13
# C, times the mean squared length of an image less the mean of all.
_PENALTIES = np.geomspace(1e-2, 1e5, 15)


class Fold(NamedTuple):
  """One split of the images, and the clusters that were found in it.

  Attributes:
    x: `[N, D]` features of all images as this fold has them, or their `Gram`.
    c: C of all heads of the fold, the inverse of their penalty.
    train: `[n]` int, the images that heads are trained on.
    test: `[m]` int, those that they are tested on, in no other fold's test.
    labels: `[N]` int, the cluster of each image; -1 without one.
    classes: how many there are; heads of more than two see `one_vs_rest`.
  """

  x: Array | Gram
  c: float
  train: np.ndarray
  test: np.ndarray
  labels: np.ndarray
  classes: int = 2


def prepared(x: Array, train: int) -> Array | Gram:
  """Features, or their inner products where these are less work.

  Args:
    x: `[N, D]`.
    train: images that the largest head is trained on.

  Returns:
    `x` itself, or its `Gram`. Where D is above N the features of that are the
    images' coordinates in their span, which are N at most.
  """
  if 2 * x.shape[1] <= train:
    return x
  found = logistic.gram(x)
  if x.shape[1] <= len(x):
    return found
  with batches.one_thread():
    squared, basis = np.linalg.eigh(found.products)
  spans = squared > _NOTHING * squared[-1]
  coordinates = basis[:, spans] * np.sqrt(squared[spans])
  return Gram(coordinates, np.zeros(coordinates.shape[1]), found.products)


def features(x: Array | Gram) -> Array:
  """`[N, D]` of what `prepared` gives."""
  return x.x if isinstance(x, Gram) else x


def penalty_of(
  x: Array | Gram,
  y: np.ndarray,
  units: np.ndarray,
  train: np.ndarray,
  key: jax.Array,
  classes: int = 2,
) -> float:
  """C of all heads of a fold, by cross-validation of the head of all images.

  Args:
    x: `[N, D]`, or its `Gram`.
    y: `[N]` int codes of the classes.
    units: `[N]` int, equal for images of one patient.
    train: `[n]` int, the training images.
    key: of the division.
    classes: how many there are; of more than two the losses of each against the
      rest count alike.

  Returns:
    C; that of one over the mean squared length of an image where there is
    nothing to choose by.
  """
  inside = optimum.parts_of(y[train], units[train], key)
  # Where all images are the same no penalty makes a difference.
  c = 1 / (_squared_length(x, train) or 1.0)
  if not inside.any() or len(np.unique(y[train])) < 2:
    return c
  values = _PENALTIES * c
  if classes == 2:
    return penalty.choose_c(x, y, inside, values, rows=train).c
  losses = [
    penalty.choose_c(x, own, inside, values, rows=train).losses
    for own in one_vs_rest.against_rest(y, classes)
    if len(np.unique(own[train])) == 2
  ]
  return float(values[np.argmin(np.sum(losses, axis=0))])


def _squared_length(x: Array | Gram, train: np.ndarray) -> float:
  """Mean over the training images, of each less the mean of all."""
  if isinstance(x, Gram):
    own = x.products[np.ix_(train, train)]
    return float(np.trace(own) / len(own) - np.mean(own))
  return float(np.sum(np.var(np.asarray(x[train], np.float64), axis=0)))


def fitted(
  fold: Fold, y: np.ndarray, rows: Sequence[Sequence[np.ndarray]]
) -> np.ndarray:
  """What heads of several labellings give for all images.

  Args:
    fold: whose features and C they have.
    y: `[W, N]` labels.
    rows: W times H lists of rows, which may be empty: such a head gives 0.

  Returns:
    `[W, H, N]` float64 logits; of more than two classes `[W, H, N, C]`.
  """
  every = list(rows) * one_vs_rest.heads(fold.classes)
  return one_vs_rest.logits(
    lambda labels: _fitted(fold, labels, every), y, fold.classes
  )


def _fitted(
  fold: Fold, y: np.ndarray, rows: Sequence[Sequence[np.ndarray]]
) -> np.ndarray:
  """`fitted`, of labels of 0 and 1."""
  width = len(rows[0])
  n = y.shape[1]
  found = np.zeros((len(y), width, n))
  chunk = max(1, _MOST // (width * n))
  for start in range(0, len(y), chunk):
    which = [
      (w, h)
      for w in range(start, min(start + chunk, len(y)))
      for h in range(width)
      if len(rows[w][h])
    ]
    if not which:
      continue
    heads = logistic.fit(
      fold.x,
      y[[w for w, _ in which]],
      [rows[w][h] for w, h in which],
      fold.c,
    )
    found[tuple(np.transpose(which))] = logistic.logits(heads, fold.x)
  return found


def relabelled(
  fold: Fold, y: np.ndarray, rows: Sequence[np.ndarray]
) -> np.ndarray:
  """`fitted`, of lists of rows that are the same for all labellings.

  Args:
    fold: whose features and C they have.
    y: `[W, N]` labels.
    rows: H lists of rows, which may be empty.

  Returns:
    `[W, H, N]` float64 logits; of more than two classes `[W, H, N, C]`.
  """
  return one_vs_rest.logits(
    lambda labels: _relabelled(fold, labels, rows), y, fold.classes
  )


def _relabelled(
  fold: Fold, y: np.ndarray, rows: Sequence[np.ndarray]
) -> np.ndarray:
  """`relabelled`, of labels of 0 and 1."""
  if not labellings.are_many(len(y)):
    return _fitted(fold, y, [rows] * len(y))
  x = features(fold.x)
  found = np.zeros((len(y), len(rows), y.shape[1]))
  for h, own in enumerate(rows):
    if len(own):
      found[:, h] = logistic.logits(labellings.fit(x, y, own, fold.c), x)
  return found


def out_of_fold(folds: Sequence[Fold], y: np.ndarray) -> np.ndarray:
  """What the heads of all training images give for images they have not seen.

  Args:
    folds: T, with disjoint test parts.
    y: `[W, N]` labels.

  Returns:
    `[W, N]` logits, or `[W, N, C]`; NaN for images that are not tested.
  """
  every = [relabelled(fold, y, [fold.train])[:, 0] for fold in folds]
  found = np.full_like(every[0], np.nan)
  for fold, own in zip(folds, every, strict=True):
    found[:, fold.test] = own[:, fold.test]
  return found


def softmax_out_of_fold(folds: Sequence[Fold], y: np.ndarray) -> np.ndarray:
  """`out_of_fold` of one labelling `[N]`, by softmax heads: `[N, C]` logits."""
  found = np.full((len(y), folds[0].classes), np.nan)
  for fold in folds:
    heads = multinomial.fit(fold.x, y, [fold.train], fold.classes, fold.c)
    found[fold.test] = multinomial.logits(heads, fold.x)[0, fold.test]
  return found


def crossed(
  fold: Fold, y: np.ndarray, units: np.ndarray, key: jax.Array
) -> list[Fold]:
  """Folds of all images that have a cluster, where the data are split once.

  Clusters know nothing of labels, so that images that they were found on can be
  tested as well as others, by heads that have not seen their patients.

  Args:
    fold: of the one split; its parts do not matter.
    y: `[N]` int.
    units: `[N]` int.
    key: of the division.

  Returns:
    5, or fewer of few patients; none of one.
  """
  known = np.flatnonzero(fold.labels >= 0)
  part = optimum.parts_of(y[known], units[known], key)
  return [
    fold._replace(train=known[part != i], test=known[part == i])
    for i in range(part.max() + 1 if part.any() else 0)
  ]


def inside(fold: Fold, k: int) -> list[np.ndarray]:
  """The training images of each cluster, k lists."""
  of_train = fold.labels[fold.train]
  return [fold.train[of_train == c] for c in range(k)]

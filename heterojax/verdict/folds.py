"""What the tests that refit heads need of a split of the images.

Axes: N images (originals: copies follow theirs and are no images here), D
features, T folds, W worlds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from sklearn import model_selection

from heterojax import rng
from heterojax.compute.arrays import Array
from heterojax.heads import logistic
from heterojax.heads.logistic import Gram

# Folds inside of the training images, where the data are split once.
CROSS = 5
# Numbers that heads and what they give hold at once.
_MOST = 1 << 25


class Fold(NamedTuple):
  """One split of the images, and the clusters that were found in it.

  Attributes:
    x: `[N, D]` features of all images as this fold has them, or their `Gram`.
    c: C of all heads of the fold, the inverse of their penalty.
    train: `[n]` int, the images that heads are trained on.
    test: `[m]` int, those that they are tested on, in no other fold's test.
    labels: `[N]` int, the cluster of each image, of those in neither part too.
  """

  x: Array | Gram
  c: float
  train: np.ndarray
  test: np.ndarray
  labels: np.ndarray


def prepared(x: Array, train: int) -> Array | Gram:
  """Features, or their inner products where these are less work.

  Args:
    x: `[N, D]`.
    train: images that the largest head is trained on.

  Returns:
    `x` itself, or its `Gram`.
  """
  return logistic.gram(x) if 2 * x.shape[1] > train else x


def cross_folds(
  y: np.ndarray, units: np.ndarray, key: jax.Array, number: int = CROSS
) -> np.ndarray:
  """Folds `[n]` int of images, a unit's in one, each with its share of classes.

  Args:
    y: `[n]` int.
    units: `[n]` int, equal for images of one patient.
    key: of the shuffle.
    number: of folds; fewer where there are fewer units.

  Returns:
    They, as scikit-learn's `StratifiedGroupKFold`, or as `StratifiedKFold`,
    which takes less time, where no unit has two images. One fold where there is
    one unit.
  """
  number = min(number, len(np.unique(units)))
  fold = np.zeros(len(y), int)
  if number < 2:
    return fold
  state = int(rng.from_key(key).integers(2**31))
  several = len(np.unique(units)) < len(units)
  by = model_selection.StratifiedKFold
  if several:
    by = model_selection.StratifiedGroupKFold
  splitter = by(number, shuffle=True, random_state=state)
  # It refuses classes with fewer images than folds, which is no reason here.
  counts = np.unique(y, return_counts=True)[1]
  strata = y if counts.min() >= number else np.zeros(len(y), int)
  for i, (_, held_out) in enumerate(
    splitter.split(y, strata, units if several else None)
  ):
    fold[held_out] = i
  return fold


def fitted(
  fold: Fold, y: np.ndarray, rows: Sequence[Sequence[np.ndarray]]
) -> np.ndarray:
  """What heads of several labellings give for all images.

  Args:
    fold: whose features and C they have.
    y: `[W, N]` labels.
    rows: W times H lists of rows, which may be empty: such a head gives 0.

  Returns:
    `[W, H, N]` float64 logits.
  """
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


class CrossFit(NamedTuple):
  """Who is predicted by which head of all training images.

  Attributes:
    folds: T of the study, or those inside of its one training part.
    out_of: `[N]` int, the fold whose head has not seen the image; -1 where all
      of them have not, and their mean counts.
    used: `[N]` bool, images that are trained on or tested.
  """

  folds: tuple[Fold, ...]
  out_of: np.ndarray
  used: np.ndarray

  def logits(self, y: np.ndarray) -> np.ndarray:
    """`[W, N]` of labels `[W, N]`, by heads that have not seen the image."""
    every = [fitted(f, y, [[f.train]] * len(y))[:, 0] for f in self.folds]
    found = np.mean(every, axis=0)
    for i, own in enumerate(every):
      found[:, self.out_of == i] = own[:, self.out_of == i]
    return found


def cross_fit(
  folds: Sequence[Fold], y: np.ndarray, units: np.ndarray, key: jax.Array
) -> CrossFit:
  """Heads of all training images, each image apart from those of its head.

  Args:
    folds: T; of several the test parts are disjoint, and all images that are
      tested count. Of one the training images are divided by unit, and the test
      images have the mean of these heads.
    y: `[N]` int.
    units: `[N]` int.
    key: of the division.

  Returns:
    How.
  """
  n = len(y)
  out_of = np.full(n, -1)
  used = np.zeros(n, bool)
  if len(folds) > 1:
    for i, fold in enumerate(folds):
      out_of[fold.test] = i
      used[fold.test] = True
    return CrossFit(tuple(folds), out_of, used)
  (only,) = folds
  train = only.train
  inside = cross_folds(y[train], units[train], key)
  out_of[train] = inside
  used[train], used[only.test] = True, True
  several = (
    only._replace(train=train[inside != i], test=train[inside == i])
    for i in range(inside.max() + 1)
  )
  return CrossFit(tuple(several), out_of, used)


def inside(fold: Fold, k: int) -> list[np.ndarray]:
  """The training images of each cluster, k lists."""
  of_train = fold.labels[fold.train]
  return [fold.train[of_train == c] for c in range(k)]

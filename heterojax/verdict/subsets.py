"""Heads of sets of the training images, and where they are right.

Axes: N images, T folds, K clusters, R draws.
"""

from collections.abc import Sequence

import jax
import numpy as np

from heterojax import rng
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import teaches_less
from heterojax.verdict.folds import Fold

# Draws whose heads are computed at once.
_CHUNK = 50


def right(
  folds: Sequence[Fold],
  y: np.ndarray,
  k: int,
  drawn: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
  """Where the heads of each set are right.

  Args:
    folds: T.
    y: `[N]` of 0 and 1.
    k: K sets in each draw.
    drawn: T arrays `[R, n]` int, the set of each training image in each draw;
      the clusters themselves, if none are given.

  Returns:
    `[R, K, N]` float32, 1 where the head is right; NaN for images that are not
    tested, and for all images of a set that is empty in some fold.
  """
  if drawn is None:
    drawn = [fold.labels[fold.train][np.newaxis] for fold in folds]
  number = len(drawn[0])
  found = np.full((number, k, len(y)), np.nan, np.float32)
  none = np.zeros((number, k), bool)
  for fold, sets in zip(folds, drawn, strict=True):
    for start in range(0, number, _CHUNK):
      part = slice(start, min(start + _CHUNK, number))
      rows = [[fold.train[one == c] for c in range(k)] for one in sets[part]]
      none[part] |= [[not len(own) for own in every] for every in rows]
      labels = np.broadcast_to(y, (len(rows), len(y)))
      logits = folds_lib.fitted(fold, labels, rows)
      same = (logits > 0) == (y == 1)
      found[part, :, fold.test] = same[..., fold.test]
  found[none] = np.nan
  return found


def like_clusters(
  folds: Sequence[Fold],
  y: np.ndarray,
  key: jax.Array,
  draws: int,
  units: np.ndarray | None = None,
) -> list[np.ndarray]:
  """Random partitions of each fold's training images, as `right` takes them.

  Args:
    folds: T.
    y: `[N]` of 0 and 1: sets have the class counts of the clusters.
    key: of the draws.
    draws: R.
    units: `[N]` patients, whose images stay together as in the clusters; None:
      each image is on its own.

  Returns:
    T arrays `[R, n]`, see `teaches_less.partitions`.
  """
  return [
    teaches_less.partitions(
      fold.labels[fold.train],
      y[fold.train],
      jax.random.fold_in(key, number),
      draws,
      None if units is None else units[fold.train],
    )
    for number, fold in enumerate(folds)
  ]


def of_any_class(
  folds: Sequence[Fold], key: jax.Array, draws: int
) -> list[np.ndarray]:
  """Partitions into sets of the clusters' sizes, whatever the classes."""
  found = []
  for number, fold in enumerate(folds):
    labels = fold.labels[fold.train]
    stream = rng.from_key(key, number)
    found.append(stream.permuted(np.tile(labels, (draws, 1)), axis=1))
  return found

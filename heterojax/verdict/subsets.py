"""Heads of sets of the training images, and where they are right.

Axes: N images, T folds, K clusters, R draws.
"""

from collections.abc import Sequence

import jax
import numpy as np

from heterojax import rng
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import one_vs_rest
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
    y: `[N]` int codes of the classes.
    k: K sets in each draw.
    drawn: T arrays `[R, n]` int, the set of each training image in each draw;
      the clusters themselves, if none are given.

  Returns:
    `[R, K, N]` float32, 1 where the head is right; NaN for images that are not
    tested, and for all images of a set that is empty in some fold in all
    draws. A set that only some draws leave empty answers class 0 in these.
  """
  if drawn is None:
    drawn = [fold.labels[fold.train][np.newaxis] for fold in folds]
  number = len(drawn[0])
  found = np.full((number, k, len(y)), np.nan, np.float32)
  none = np.zeros(k, bool)
  for fold, sets in zip(folds, drawn, strict=True):
    none |= ~np.isin(np.arange(k), sets)
    for start in range(0, number, _CHUNK):
      part = slice(start, min(start + _CHUNK, number))
      rows = [[fold.train[one == c] for c in range(k)] for one in sets[part]]
      labels = np.broadcast_to(y, (len(rows), len(y)))
      logits = folds_lib.fitted(fold, labels, rows)
      same = one_vs_rest.answers(logits, fold.classes) == y
      found[part, :, fold.test] = same[..., fold.test]
  found[:, none] = np.nan
  return found


def like_clusters(
  folds: Sequence[Fold],
  y: np.ndarray,
  key: jax.Array,
  draws: int,
  units: np.ndarray | None = None,
) -> list[np.ndarray]:
  """Random partitions of each fold's training images, as `right` takes them.

  In a draw images change places once for all folds. A cluster is much the same
  in all of them: sets that each fold drew anew would differ less, as a mean
  over folds, than clusters that mean nothing.

  Args:
    folds: T.
    y: `[N]` int codes of the classes, of which sets have the counts of the
      clusters.
    key: of the draws.
    draws: R.
    units: `[N]` patients, whose images stay together as in the clusters, and
      whose sets have the counts of a cluster in all folds together and only
      nearly in each; None: each image is on its own.

  Returns:
    T arrays `[R, n]`, see `teaches_less.partitions`.
  """
  strata = _strata(folds, y, units)
  places = teaches_less.partitions(np.arange(len(y)), strata, key, draws, units)
  return [fold.labels[places[:, fold.train]] for fold in folds]


def exchange(
  folds: Sequence[Fold], y: np.ndarray, units: np.ndarray | None = None
) -> exchanges.Exchange:
  """Which images change places in `like_clusters`, of which see the arguments.

  Images that are in no fold are not counted.
  """
  used = np.any([fold.labels >= 0 for fold in folds], axis=0)
  strata = _strata(folds, y, units)[used]
  return exchanges.exchange(strata, None if units is None else units[used])


def _strata(
  folds: Sequence[Fold], y: np.ndarray, units: np.ndarray | None
) -> np.ndarray:
  """`[N]` int, equal for images that may change places."""
  # An image has a cluster in the same folds as those that it changes with.
  columns = [y, *(fold.labels >= 0 for fold in folds)]
  if units is None:
    columns += [np.isin(np.arange(len(y)), fold.test) for fold in folds]
  return exchanges.strata(*columns)


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

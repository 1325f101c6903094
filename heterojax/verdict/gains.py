"""How much a cluster's own head improves the ranking of its own test images.

The blended gain of a cluster is the AUC of the sum of both heads' logits, each
less its mean over its deviation, minus the AUC of the head of all images. Only
images that were tested in the same fold are compared with each other. It does
not see how certain a head is, which is where statistics of the log-loss go
wrong in many dimensions.

Axes: W worlds, N images, T folds, K clusters.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from heterojax.stats import inference
from heterojax.verdict import one_vs_rest
from heterojax.verdict.folds import Fold

# Images of each class without which a cluster's ranking is not estimable.
LEAST = 3


def blended(
  overall: np.ndarray,
  own: np.ndarray,
  y: np.ndarray,
  folds: Sequence[Fold],
  k: int,
) -> np.ndarray:
  """The gain of each cluster.

  Args:
    overall: `[T, W, N]` logits of each fold's head of all images; of more than
      two classes `[T, W, N, C]`.
    own: those of the head of the cluster that the image is in.
    y: `[W, N]` int codes of the classes.
    folds: T.
    k: K.

  Returns:
    `[W, K]`; NaN where a cluster has less than 3 images of a class in cells
    (tested in one fold, in which others are trained on) that have both. Of more
    than two classes the mean over those that have one, each against the rest.
  """
  if overall.ndim == 3:
    return _of_one(overall, own, y, folds, k)
  labels = one_vs_rest.against_rest(y, overall.shape[-1])
  each = np.stack([
    _of_one(overall[..., c], own[..., c], of_class, folds, k)
    for c, of_class in enumerate(labels)
  ])
  return inference.nanmean(each, 0)


def _of_one(
  overall: np.ndarray,
  own: np.ndarray,
  y: np.ndarray,
  folds: Sequence[Fold],
  k: int,
) -> np.ndarray:
  """`blended`, of labels of 0 and 1."""
  worlds = len(y)
  better = np.zeros((worlds, k))
  pairs = np.zeros((worlds, k))
  fewest = np.zeros((2, worlds, k))
  for t, c, test in _cells(folds, k):
    if len(test) < 2:
      continue
    labels = y[:, test]
    ones = labels.sum(axis=1)
    each = ones * (len(test) - ones)
    first = overall[t][:, test]
    both = _standardised(first) + _standardised(own[t][:, test])
    better[:, c] += wins(both, labels) - wins(first, labels)
    pairs[:, c] += each
    fewest[:, :, c] += np.where(each > 0, [ones, len(test) - ones], 0)
  known = np.all(fewest >= LEAST, axis=0)
  return np.where(known, better / np.where(known, pairs, 1), np.nan)


def _cells(
  folds: Sequence[Fold], k: int
) -> Iterator[tuple[int, int, np.ndarray]]:
  """Each fold, cluster with a head in it, and the images tested in both."""
  for t, fold in enumerate(folds):
    at = fold.labels[fold.test]
    for c in np.intersect1d(range(k), fold.labels[fold.train]).tolist():
      yield t, c, fold.test[at == c]


def _standardised(logits: np.ndarray) -> np.ndarray:
  """Less their mean, over their deviation; 0 where all are the same."""
  centred = logits - logits.mean(axis=1, keepdims=True)
  sd = np.sqrt(np.mean(centred**2, axis=1, keepdims=True))
  varies = sd > 1e-9 * np.max(np.abs(logits), axis=1, keepdims=True)
  return np.where(varies, centred / np.where(varies, sd, 1), 0)


def reach(
  overall: np.ndarray,
  own: np.ndarray,
  y: np.ndarray,
  folds: Sequence[Fold],
  k: int,
  units: np.ndarray,
) -> np.ndarray:
  """How far the 95 % intervals of the gains reach, over units.

  Of new images like these, for the heads as they are. How often an image is
  ordered rightly beside those of the other class, by both heads less by that of
  all, is its part of the gain: the components of DeLong, DeLong and
  Clarke-Pearson (1988), summed within units (Obuchowski 1997).

  Args:
    overall: `[T, N]` logits as of `blended`, of one labelling; or `[T, N, C]`.
    own: likewise.
    y: `[N]` int codes of the classes.
    folds: T.
    k: K.
    units: `[N]` of anything that NumPy can sort, equal for images of one
      patient.

  Returns:
    `[K]`; NaN where `blended` is.
  """
  labels = y[np.newaxis]
  if overall.ndim == 3:
    labels = one_vs_rest.against_rest(y, overall.shape[-1])
  else:
    overall, own = overall[..., np.newaxis], own[..., np.newaxis]
  parts = inference.nanmean(
    np.stack([
      _parts(overall[..., c], own[..., c], of_class, folds, k)
      for c, of_class in enumerate(labels)
    ]),
    0,
  )
  half = np.full(k, np.nan)
  for c, of_images in enumerate(parts):
    known = ~np.isnan(of_images)
    if known.any():
      half[c] = inference.over_units(of_images[known], units[known])[1]
  return half


def _parts(
  overall: np.ndarray,
  own: np.ndarray,
  y: np.ndarray,
  folds: Sequence[Fold],
  k: int,
) -> np.ndarray:
  """`[K, N]`, by how much images move the gain of their cluster.

  Their mean is 0. NaN for images that are not tested in it, and for a cluster
  of which the gain is not estimable.
  """
  better, others = np.zeros((2, k, len(y)))
  tested = np.zeros((k, len(y)), bool)
  fewest = np.zeros((2, k))
  for t, c, test in _cells(folds, k):
    tested[c, test] = True
    ones = int(y[test].sum())
    if not 0 < ones < len(test):
      continue
    first = overall[t][np.newaxis, test]
    both = _standardised(first) + _standardised(own[t][np.newaxis, test])
    better[c, test] = _beaten(both[0], y[test]) - _beaten(first[0], y[test])
    others[c, test] = np.where(y[test], len(test) - ones, ones)
    fewest[:, c] += ones, len(test) - ones
  # Each pair is counted from both of its sides.
  pairs = others.sum(axis=1, keepdims=True) / 2
  n = tested.sum(axis=1, keepdims=True)
  known = np.all(fewest >= LEAST, axis=0)[:, np.newaxis]
  pairs = np.where(known, pairs, 1)
  gain = better.sum(axis=1, keepdims=True) / (2 * pairs)
  return np.where(tested & known, n * (better - others * gain) / pairs, np.nan)


def _beaten(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
  """`[n]` images of the other class that each is on the right side of."""
  logits = np.round(logits, 12)
  below = stats.rankdata(logits)
  for own in (y == 0, y == 1):
    below[own] -= stats.rankdata(logits[own])
  return np.where(y == 1, below, np.sum(y) - below)


def wins(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
  """`[W]` pairs whose image of class 1 has the larger logit; ties are half."""
  ones = y.sum(axis=1)
  # A last bit makes no order.
  ranks = stats.rankdata(np.round(logits, 12), axis=1)
  return np.sum(ranks * y, axis=1) - ones * (ones + 1) / 2

"""How much a cluster's own head improves the ranking of its own test images.

The blended gain of a cluster is the AUC of the sum of both heads' logits, each
less its mean over its deviation, minus the AUC of the head of all images. Only
images that were tested in the same fold are compared with each other. It does
not see how certain a head is, which is where statistics of the log-loss go
wrong in many dimensions.

Axes: W worlds, N images, T folds, K clusters.
"""

from collections.abc import Sequence

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
    (tested in one fold) that have both. Of more than two classes the mean over
    those that have one, each against the rest.
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
  for fold, of_all, of_own in zip(folds, overall, own, strict=True):
    at = fold.labels[fold.test]
    for c in range(k):
      test = fold.test[at == c]
      if len(test) < 2:
        continue
      labels = y[:, test]
      ones = labels.sum(axis=1)
      each = ones * (len(test) - ones)
      first = of_all[:, test]
      both = _standardised(first) + _standardised(of_own[:, test])
      better[:, c] += wins(both, labels) - wins(first, labels)
      pairs[:, c] += each
      fewest[:, :, c] += np.where(each > 0, [ones, len(test) - ones], 0)
  known = np.all(fewest >= LEAST, axis=0)
  return np.where(known, better / np.where(known, pairs, 1), np.nan)


def _standardised(logits: np.ndarray) -> np.ndarray:
  """Less their mean, over their deviation; 0 where all are the same."""
  centred = logits - logits.mean(axis=1, keepdims=True)
  sd = np.sqrt(np.mean(centred**2, axis=1, keepdims=True))
  varies = sd > 1e-9 * np.max(np.abs(logits), axis=1, keepdims=True)
  return np.where(varies, centred / np.where(varies, sd, 1), 0)


def wins(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
  """`[W]` pairs whose image of class 1 has the larger logit; ties are half."""
  ones = y.sum(axis=1)
  # A last bit makes no order.
  ranks = stats.rankdata(np.round(logits, 12), axis=1)
  return np.sum(ranks * y, axis=1) - ones * (ones + 1) / 2

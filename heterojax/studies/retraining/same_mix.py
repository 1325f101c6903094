"""How well heads do that see random images of a published class mix.

Where a cluster is mostly of one class its head may fail for that alone. The
paper's random heads have the mix of all images; those here have the cluster's.
"""

from collections.abc import Sequence
import dataclasses
import math

import jax
import numpy as np

from heterojax import rng
from heterojax.compute.arrays import Array
from heterojax.heads import logistic
from heterojax.heads import penalty
from heterojax.records.codec import Missing
from heterojax.studies.retraining import wang2023
from heterojax.studies.retraining.paper_counts import SameMix
from heterojax.studies.retraining.records import PublishedCluster
from heterojax.studies.retraining.records import Results
from heterojax.studies.samples import Samples

# As many as make the middle 95 % from 3rd to 97th.
_HEADS = 99
_FOLDS = 5
_BAND = (0.025, 0.975)


def of_paper(
  seed: int, folds: Sequence[Samples], x: Array, names: tuple[str, ...]
) -> tuple[SameMix, ...] | Missing | None:
  """`same_mix` of the clusters that the paper reports of a pair of classes.

  Args:
    seed: of the study.
    folds: T.
    x: `[P, D]` features of all pictures.
    names: of the classes.

  Returns:
    What `same_mix` does; None where the paper reports no such classes.
  """
  paper = wang2023.published(*names)
  if paper is None or isinstance(paper.counts, Missing):
    return None
  return same_mix(seed, folds, x, paper.clusters, names)


def with_same_mix(
  results: Results, heads: tuple[SameMix, ...] | Missing | None
) -> Results:
  """The results, and in them what `of_paper` gave."""
  paper = results.paper
  if heads is None or paper is None or isinstance(paper.counts, Missing):
    return results
  counts = dataclasses.replace(paper.counts, same_mix=heads)
  paper = dataclasses.replace(paper, counts=counts)
  return dataclasses.replace(results, published=paper)


def same_mix(
  seed: int,
  folds: Sequence[Samples],
  x: Array,
  clusters: Sequence[PublishedCluster],
  names: tuple[str, ...],
) -> tuple[SameMix, ...] | Missing:
  """Trains the heads of every published cluster and scores them.

  Args:
    seed: of the study.
    folds: T; every one tests other images.
    x: `[P, D]` features of all pictures.
    clusters: K, of the paper.
    names: of the (positive, negative) class.

  Returns:
    For each cluster what its heads do. Heads are logistic regressions on
    training images without copies, of which a cluster's mix is drawn without
    replacement: scaled to their number, and no more of a class than there are.
  """
  right, drawn, n_test = 0, [], 0
  for number, samples in enumerate(folds):
    train, test = _originals(samples), samples.of('test')
    if len(np.unique(samples.y[train])) < 2:
      return Missing('training has one class')
    mixes = [
      _scaled(c, names, samples.y[train], sum(c.size for c in clusters))
      for c in clusters
    ]
    chosen = [
      train[positions]
      for c, mix in enumerate(mixes)
      for positions in _draws(seed, number, c, samples.y[train], mix)
    ]
    answers = _answers(seed, number, samples, x, train, test, chosen)
    if answers is None:
      return Missing('the penalty needs training images of two patients')
    right = right + np.sum(answers == (samples.y[test] == 1), axis=1)
    n_test += len(test)
    drawn.append(mixes)
  accuracy = np.reshape(right / n_test, (len(clusters), _HEADS))
  return tuple(
    SameMix(
      id=c.id,
      class_counts={
        name: _mean([mixes[k][i] for mixes in drawn])
        for i, name in enumerate(names)
      },
      heads=_HEADS,
      # Of equal values it is that value.
      accuracy=math.fsum(accuracy[k]) / _HEADS,
      interval=_middle(accuracy[k]),
    )
    for k, c in enumerate(clusters)
  )


def _middle(values: np.ndarray) -> tuple[float, float]:
  low, high = np.quantile(values, _BAND)
  return float(low), float(high)


def _mean(values: Sequence[int]) -> float | int:
  mean = float(np.mean(values))
  return int(mean) if mean.is_integer() else mean


def _originals(samples: Samples) -> np.ndarray:
  train = samples.of('train')
  return train[samples.is_original[train]]


def _scaled(
  cluster: PublishedCluster, names: tuple[str, ...], y: np.ndarray, total: int
) -> tuple[int, int]:
  """Images of each class: one at least where the paper has one."""

  def number(name: str, of: int) -> int:
    wanted = cluster.class_counts[name]
    scaled = round(wanted * len(y) / total)
    return min(max(scaled, int(wanted > 0)), int(np.sum(y == of)))

  positive, negative = names
  return number(positive, 1), number(negative, 0)


def _draws(
  seed: int, fold: int, cluster: int, y: np.ndarray, mix: tuple[int, int]
) -> list[np.ndarray]:
  """Positions in `y` `[n]` of the images of each head."""
  parts = []
  for of, size in zip((1, 0), mix, strict=True):
    members = np.flatnonzero(y == of)
    key = rng.key(seed, rng.Purpose.SAME_MIX, fold, 1, cluster, of)
    ranks = np.asarray(jax.random.uniform(key, (_HEADS, len(members))))
    parts.append(members[np.argsort(ranks, axis=1)[:, :size]])
  return list(np.concatenate(parts, axis=1))


def _answers(
  seed: int,
  fold: int,
  samples: Samples,
  x: Array,
  train: np.ndarray,
  test: np.ndarray,
  chosen: Sequence[np.ndarray],
) -> np.ndarray | None:
  """`[H, test]` bool, which are called positive; None if C cannot be chosen."""
  # Test images are in the matrix, so that no coefficients are formed.
  pictures, at = np.unique(
    samples.row[np.concatenate([train, test])], return_inverse=True
  )
  row = np.zeros(len(samples.row), int)
  row[np.concatenate([train, test])] = at
  y = samples.y_of_pictures[pictures]
  features = logistic.gram(x[pictures])
  units = samples.units(train)
  most = units.max() + 1
  if most < 2:
    return None
  key = rng.key(seed, rng.Purpose.SAME_MIX, fold, 0)
  held_out = np.asarray(jax.random.permutation(key, most)) % _FOLDS
  c = penalty.choose_c(features, y, held_out[units], rows=row[train]).c
  heads = logistic.fit(features, y, [row[rows] for rows in chosen], c)
  return logistic.logits(heads, features)[:, row[test]] > 0

"""How often each test speaks, where nothing is to be found and where it is.

A data set of a world (`worlds`) is clustered by K-means on its training images,
and asked as a study asks. Sizes are shares of sets with p <= .05: of *one rule*
in worlds of one rule, of *teaches less* with random cluster ids, of *uneven*
with errors that know only their class.
"""

from typing import NamedTuple

import jax
import numpy as np

from heterojax import rng
from heterojax.cluster.partitions import Algorithm
from heterojax.cluster.partitions import partitions
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import one_rule
from heterojax.verdict import subsets
from heterojax.verdict import teaches_less
from heterojax.verdict import uneven
from heterojax.verdict import worlds as worlds_lib
from heterojax.verdict.folds import Fold

K = 4
LEVEL = 0.05
_WORLD, _CLUSTERS, _FOLDS, _TEST, _IDS = range(5)


class Set(NamedTuple):
  """A data set of a world, clustered and with its penalty.

  Attributes:
    folds: of all images, see `folds.crossed`.
    y: `[N]` of 0 and 1.
  """

  folds: list[Fold]
  y: np.ndarray


def made(
  name: str,
  seed: int,
  number: int,
  train: int,
  test: int,
  d: int,
  df: float | None,
) -> Set:
  """Makes a data set.

  Args:
    name: of `worlds.WORLDS`.
    seed: of the calibration.
    number: of the set.
    train: training images.
    test: test images.
    d: features.
    df: of t-distributed features; None: normal.

  Returns:
    The set.
  """
  key = worlds_lib.key(seed, name, d, train, number)
  n = train + test
  world = worlds_lib.WORLDS[name](jax.random.fold_in(key, _WORLD), n, d, df=df)
  x = np.asarray(world.x, np.float64)
  fitted = partitions(
    x[np.newaxis],
    (np.arange(n) < train)[np.newaxis].astype(float),
    jax.random.fold_in(key, _CLUSTERS)[None, None],
    Algorithm('kmeans', K, n_init=3),
  )
  return clustered(x, world.y, np.array(fitted.labels[0, 0]), train, key)


def clustered(
  x: np.ndarray, y: np.ndarray, labels: np.ndarray, train: int, key: jax.Array
) -> Set:
  """A data set with its penalty, chosen by cross-validation.

  Args:
    x: `[N, D]`, of which the first are trained on.
    y: `[N]` of 0 and 1.
    labels: `[N]` clusters.
    train: how many.
    key: of the folds.

  Returns:
    The set.
  """
  first = np.arange(train)
  prepared = folds_lib.prepared(x, train)
  units = np.arange(len(y))
  c = folds_lib.penalty_of(
    prepared, y, units, first, jax.random.fold_in(key, _FOLDS)
  )
  rest = np.arange(train, len(x))
  folds = folds_lib.crossed(
    Fold(prepared, c, first, rest, labels),
    y,
    units,
    jax.random.fold_in(key, _TEST),
  )
  return Set(folds, y)


def one_rule_p(made_set: Set, key: jax.Array, draws: int) -> one_rule.OneRule:
  """The verdict's test of a set.

  Args:
    made_set: of a world.
    key: of the draws.
    draws: worlds at most.

  Returns:
    The outcome.
  """
  folds, y = made_set
  return one_rule.test(
    folds, y, np.arange(len(y)), K, jax.random.fold_in(key, _TEST), draws
  )


def teaches_less_p(made_set: Set, key: jax.Array, draws: int) -> float | None:
  """p of *teaches less*, for ids of clusters that mean nothing.

  Args:
    made_set: of a world; its own clusters are not used but for their sizes.
    key: of the ids and draws.
    draws: partitions.

  Returns:
    It, or None where there is none.
  """
  folds, y = made_set
  stream = rng.from_key(jax.random.fold_in(key, _IDS))
  labels = stream.permutation(folds[0].labels)
  folds = [fold._replace(labels=labels) for fold in folds]
  drawn = subsets.like_clusters(folds, y, key, draws)
  own = subsets.right(folds, y, K)[0].mean(axis=1)
  null = subsets.right(folds, y, K, drawn).mean(axis=2)
  return teaches_less.test(own, null).p_value


def uneven_p(n: int, seed: int, number: int, draws: int) -> float | None:
  """p of *uneven* where errors know their class, and clusters are of classes.

  Args:
    n: images; classes are right with .95 and .80, and from 2 to 98 % of a
      cluster are of class 1.
    seed: of the calibration.
    number: of the set.
    draws: exchanges.

  Returns:
    It, or None where there is none.
  """
  key = worlds_lib.key(seed, 'uneven', n, number)
  stream = rng.from_key(key)
  labels = stream.integers(K, size=n)
  y = (stream.random(n) < np.linspace(0.02, 0.98, K)[labels]).astype(int)
  wrong = stream.random(n) < np.where(y == 1, 0.05, 0.20)
  test = uneven.test(wrong.astype(int), y, labels, K, key=key, draws=draws)
  return test.p_value

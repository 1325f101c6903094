"""How often each test speaks, where nothing is to be found and where it is.

A data set of a world (`worlds`) is clustered by K-means on its training images,
and asked as a study asks. Sizes are shares of sets with p <= .05: of *one rule*
in worlds of one rule, of *teaches less* with random cluster ids, of *uneven*
with errors that know only their class. The images of a study can take the
place of a world's, with labels that a known rule draws (`redrawn`).
"""

from typing import NamedTuple, cast

import jax
import numpy as np
from scipy import optimize
from scipy import special

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
# Of the labels that a known rule draws on features of real images.
_CERTAINTY = 0.9
_WORLD, _CLUSTERS, _FOLDS, _TEST, _IDS = range(5)


class Set(NamedTuple):
  """A data set of a world, clustered and with its penalty.

  Attributes:
    folds: of all images, see `folds.crossed`.
    y: `[N]` int labels.
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
    name: of `worlds.WORLDS` or `worlds.SEVERAL`.
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
  make = (worlds_lib.WORLDS | worlds_lib.SEVERAL)[name]
  world = make(jax.random.fold_in(key, _WORLD), n, d, df=df)
  classes = world.p.shape[1] if world.p.ndim == 2 else 2
  x = np.asarray(world.x, np.float64)
  return _clustered(x, world.y, train, key, classes)


def known_rule(x: np.ndarray, y: np.ndarray, key: jax.Array) -> np.ndarray:
  """One rule of real features, whose labels are those of the data or near them.

  It is that of a head of all images, with a slope that makes 90 % of what it
  draws the likelier label.

  Args:
    x: `[N, D]` features.
    y: `[N]` of 0 and 1, the labels of the data.
    key: of the cross-validation of its penalty.

  Returns:
    `[N]` probabilities of label 1.
  """
  every = np.arange(len(x))
  prepared = folds_lib.prepared(x, len(x))
  c = folds_lib.penalty_of(prepared, y, every, every, key)
  fold = Fold(prepared, c, every, every, every)
  logits = folds_lib.fitted(fold, y[np.newaxis], [[every]])[0, 0]

  def certainty(log_slope: float) -> float:
    return float(np.mean(special.expit(np.abs(np.exp(log_slope) * logits))))

  slope = cast(
    float, optimize.brentq(lambda s: certainty(s) - _CERTAINTY, -20.0, 20.0)
  )
  return special.expit(np.exp(slope) * logits)


def redrawn(x: np.ndarray, p: np.ndarray, key: jax.Array) -> Set:
  """Real features, of which three in five are clustered, with drawn labels.

  Args:
    x: `[N, D]` features.
    p: `[N]` probabilities of label 1, see `known_rule`.
    key: of the set.

  Returns:
    The set.
  """
  stream = rng.from_key(jax.random.fold_in(key, _WORLD))
  order = stream.permutation(len(x))
  y = (stream.random(len(x)) < p).astype(int)
  return _clustered(x[order], y[order], 3 * len(x) // 5, key)


def _clustered(
  x: np.ndarray, y: np.ndarray, train: int, key: jax.Array, classes: int = 2
) -> Set:
  """A set whose first images are clustered and choose the penalty."""
  fitted = partitions(
    x[np.newaxis],
    (np.arange(len(x)) < train)[np.newaxis].astype(float),
    jax.random.fold_in(key, _CLUSTERS)[None, None],
    Algorithm('kmeans', K, n_init=3),
  )
  labels = np.array(fitted.labels[0, 0])
  first = np.arange(train)
  prepared = folds_lib.prepared(x, train)
  units = np.arange(len(y))
  c = folds_lib.penalty_of(
    prepared, y, units, first, jax.random.fold_in(key, _FOLDS), classes
  )
  rest = np.arange(train, len(x))
  folds = folds_lib.crossed(
    Fold(prepared, c, first, rest, labels, classes),
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
  key = jax.random.fold_in(key, _TEST)
  units = np.arange(len(y))
  return one_rule.test(folds, y, units, K, key, draws, sets=False)


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

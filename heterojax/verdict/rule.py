"""One rule for all images, as certain as the data are, to draw labels from.

Out-of-fold logits of the head of all images are too flat and too noisy to be
probabilities: a world whose labels are drawn from them is harder than the data.
They are multiplied by a slope. Of all slopes the one is taken with which heads
that are refitted in the worlds are right as often as they are in the data.

Axes: N images, W worlds, S slopes.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import jax
import numpy as np
from scipy import optimize
from scipy import special

from heterojax import rng
from heterojax.verdict import folds as folds_lib
from heterojax.verdict.folds import Fold

# Slopes that are tried; the accuracy between them is a cubic in their log.
_SLOPES = np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0])
_FINE = np.geomspace(_SLOPES[0], _SLOPES[-1], 400)
# Labels that are drawn for one slope, of which images that are tied have one
# together: as many worlds as that takes.
_LABELS, _MOST_WORLDS = 3200, 32
# As many times more, where the worlds miss the accuracy: few worlds of few
# patients may do so by chance.
_AGAIN = 4
# Of the worlds from the observed accuracy, at most.
TOLERANCE = 0.02
_STEEPEST = 30.0
# What is drawn, each from its own stream.
_MATCHING, _CHECKING, _WORLDS = range(3)


class Rule(NamedTuple):
  """One rule for all images.

  Attributes:
    p: `[N]` float64, probability of class 1; NaN for images without a test.
    tied: `[N]` int, equal for images whose labels one number draws: those of a
      patient all of whose images have the same label in the data.
    slope: of the out-of-fold logits.
    observed: accuracy out of fold, in the data.
    expected: the same in worlds of this rule.
  """

  p: np.ndarray
  tied: np.ndarray
  slope: float
  observed: float
  expected: float

  @property
  def matches(self) -> bool:
    """Whether the worlds are as hard as the data."""
    return abs(self.expected - self.observed) <= TOLERANCE


def match(
  folds: Sequence[Fold], y: np.ndarray, units: np.ndarray, key: jax.Array
) -> Rule:
  """Finds the rule.

  Args:
    folds: T, with disjoint test parts.
    y: `[N]` of 0 and 1.
    units: `[N]` int, equal for images of one patient.
    key: of the labels that are drawn on the way.

  Returns:
    The rule.
  """
  base = folds_lib.out_of_fold(folds, y[np.newaxis])[0]
  used = ~np.isnan(base)
  prevalence = float(np.mean(y[used]))

  def accuracy(labels: np.ndarray) -> np.ndarray:
    right = (folds_lib.out_of_fold(folds, labels) > 0) == (labels == 1)
    return np.mean(right[:, used], axis=1)

  observed = float(np.mean((base[used] > 0) == (y[used] == 1)))
  tied = _tied(y, units)
  apart = len(np.unique(tied[used]))
  number = _number(apart)
  every = np.stack([_probability(base, used, s, prevalence) for s in _SLOPES])

  def found(number: int) -> Rule:
    # The same numbers for each slope: what differs between slopes is no chance.
    chance = _chance(tied, rng.from_key(key, _MATCHING), number)
    labels = (chance < every[:, np.newaxis]).astype(np.int64)
    reached = accuracy(labels.reshape(-1, len(y))).reshape(len(_SLOPES), number)
    curve = np.polyfit(np.log(_SLOPES), reached.mean(axis=1), 3)
    distance = np.abs(np.polyval(curve, np.log(_FINE)) - observed)
    slope = float(_FINE[np.argmin(distance)])
    p = _probability(base, used, slope, prevalence)
    chance = _chance(tied, rng.from_key(key, _CHECKING), 2 * number)
    expected = float(np.mean(accuracy((chance < p).astype(np.int64))))
    return Rule(np.where(used, p, np.nan), tied, slope, observed, expected)

  rule = found(number)
  return rule if rule.matches else found(_AGAIN * number)


def labellings(images: int, *, again: bool = False) -> int:
  """How often the heads of a cross-fit are refitted to match a rule.

  Args:
    images: that are apart, see `Rule`.
    again: whether a second try is counted.
  """
  tries = 1 + _AGAIN if again else 1
  return 1 + (len(_SLOPES) + 2) * tries * _number(images)


def _number(apart: int) -> int:
  """Worlds that are drawn for one slope."""
  return int(np.clip(-(-_LABELS // apart), 1, _MOST_WORLDS))


def draw(rule: Rule, key: jax.Array, start: int, number: int) -> np.ndarray:
  """Labels `[number, N]` int of worlds; each has its own stream of the key.

  Args:
    rule: whose probabilities they have; images that are not tested get 0.
    key: of the worlds.
    start: number of the first.
    number: how many.
  """
  chance = np.concatenate([
    _chance(rule.tied, rng.from_key(key, _WORLDS, start + w), 1)
    for w in range(number)
  ])
  return (chance < np.nan_to_num(rule.p)).astype(np.int64)


def _tied(y: np.ndarray, units: np.ndarray) -> np.ndarray:
  """Number of the label that an image shares with others, see `Rule`."""
  _, unit = np.unique(units, return_inverse=True)
  ones = np.bincount(unit, y)
  pure = (ones == 0) | (ones == np.bincount(unit))
  return np.where(pure[unit], unit, len(ones) + np.arange(len(y)))


def _chance(
  tied: np.ndarray, generator: np.random.Generator, worlds: int
) -> np.ndarray:
  """`[worlds, N]` from 0 to 1, the same for images that are tied."""
  return generator.random((worlds, int(tied.max()) + 1))[:, tied]


def _probability(
  base: np.ndarray, used: np.ndarray, slope: float, prevalence: float
) -> np.ndarray:
  """`[N]`, whose mean over the images that are used is the prevalence."""

  def excess(intercept: float) -> float:
    own = special.expit(slope * base[used] + intercept)
    return float(np.mean(own)) - prevalence

  reach = slope * float(np.max(np.abs(base[used]))) + _STEEPEST
  intercept = cast(float, optimize.brentq(excess, -reach, reach))
  return special.expit(slope * base + intercept)

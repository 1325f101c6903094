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
from heterojax.verdict import one_vs_rest
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
# Of the intercepts of several classes, and how near means are then.
_STEPS, _CLOSE = 1000, 1e-6
# What is drawn, each from its own stream.
_MATCHING, _CHECKING, _WORLDS = range(3)


class Rule(NamedTuple):
  """One rule for all images.

  Attributes:
    p: `[N]` float64, probability of class 1, or `[N, C]` of each of more than
      two; NaN for images without a test.
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
    y: `[N]` int codes of the classes.
    units: `[N]` int, equal for images of one patient.
    key: of the labels that are drawn on the way.

  Returns:
    The rule.
  """
  classes = folds[0].classes
  own = base = folds_lib.out_of_fold(folds, y[np.newaxis])[0]
  if classes > 2:
    # Heads of each class against the rest are no rule of all classes.
    base = folds_lib.softmax_out_of_fold(folds, y)
  used = ~np.isnan(base if classes == 2 else base[:, 0])
  prevalence = np.bincount(y[used], minlength=classes) / np.sum(used)

  def accuracy(labels: np.ndarray) -> np.ndarray:
    found = folds_lib.out_of_fold(folds, labels)[:, used]
    right = one_vs_rest.answers(found, classes) == labels[:, used]
    return np.mean(right, axis=1)

  answers = one_vs_rest.answers(own[used], classes)
  observed = float(np.mean(answers == y[used]))
  tied = _tied(y, units)
  apart = len(np.unique(tied[used]))
  number = _number(apart)
  every = np.stack([_probability(base, used, s, prevalence) for s in _SLOPES])

  def found(number: int) -> Rule:
    # The same numbers for each slope: what differs between slopes is no chance.
    chance = _chance(tied, rng.from_key(key, _MATCHING), number)
    labels = labels_of(chance, every[:, np.newaxis], classes)
    reached = accuracy(labels.reshape(-1, len(y))).reshape(len(_SLOPES), number)
    curve = np.polyfit(np.log(_SLOPES), reached.mean(axis=1), 3)
    distance = np.abs(np.polyval(curve, np.log(_FINE)) - observed)
    slope = float(_FINE[np.argmin(distance)])
    p = _probability(base, used, slope, prevalence)
    chance = _chance(tied, rng.from_key(key, _CHECKING), 2 * number)
    expected = float(np.mean(accuracy(labels_of(chance, p, classes))))
    p[~used] = np.nan
    return Rule(p, tied, slope, observed, expected)

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
  classes = 2 if rule.p.ndim == 1 else rule.p.shape[1]
  return labels_of(chance, rule.p, classes)


def labels_of(chance: np.ndarray, p: np.ndarray, classes: int) -> np.ndarray:
  """Labels of a rule.

  Args:
    chance: `[..., N]` from 0 to 1.
    p: `[..., N]`, or `[..., N, C]`, see `Rule`; NaN gives label 0.
    classes: C.

  Returns:
    `[..., N]` int64.
  """
  p = np.nan_to_num(p)
  if classes == 2:
    return (chance < p).astype(np.int64)
  # Rounding must not add a class.
  ends = np.cumsum(p[..., :-1], axis=-1)
  above = np.sum(chance[..., np.newaxis] >= ends, axis=-1)
  return np.where(p.any(axis=-1), above, 0).astype(np.int64)


def _tied(y: np.ndarray, units: np.ndarray) -> np.ndarray:
  """Number of the label that an image shares with others, see `Rule`."""
  _, unit = np.unique(units, return_inverse=True)
  different = np.unique(np.stack([unit, y]), axis=1)[0]
  pure = np.bincount(different) == 1
  return np.where(pure[unit], unit, len(pure) + np.arange(len(y)))


def _chance(
  tied: np.ndarray, generator: np.random.Generator, worlds: int
) -> np.ndarray:
  """`[worlds, N]` from 0 to 1, the same for images that are tied."""
  return generator.random((worlds, int(tied.max()) + 1))[:, tied]


def _probability(
  base: np.ndarray, used: np.ndarray, slope: float, prevalence: np.ndarray
) -> np.ndarray:
  """`[N]`, or `[N, C]`: means over the images that are used as prevalent."""
  if base.ndim == 2:
    return _probabilities(slope * base, used, prevalence)

  def excess(intercept: float) -> float:
    own = special.expit(slope * base[used] + intercept)
    return float(np.mean(own)) - float(prevalence[1])

  reach = slope * float(np.max(np.abs(base[used]))) + _STEEPEST
  intercept = cast(float, optimize.brentq(excess, -reach, reach))
  return special.expit(slope * base + intercept)


def _probabilities(
  logits: np.ndarray, used: np.ndarray, prevalence: np.ndarray
) -> np.ndarray:
  """`[N, C]`; a class that does not occur has none."""
  there = prevalence > 0
  intercept = np.where(there, 0.0, -np.inf)
  for _ in range(_STEPS):
    mean = special.softmax(logits[used] + intercept, axis=1).mean(axis=0)
    if np.max(np.abs(mean - prevalence)) < _CLOSE:
      break
    intercept[there] += np.log(prevalence[there] / mean[there])
  return special.softmax(logits + intercept, axis=1)

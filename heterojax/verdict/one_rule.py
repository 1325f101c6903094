"""Does another rule hold in some cluster, or is one rule for all enough?

The null is one rule: the same images, clusters and splits, with labels drawn
from one rule for all (`rule`), and every head refitted. How far clusters are
from the boundary, how little of the data they cover and their class mix are in
every such world what they are in the data. What is compared is by how much a
cluster's own head improves the ranking of its new images (`gains`).

It is a parametric bootstrap, and so approximate; `benchmarks.calibration`
measures its size. Its parents are residual prediction tests (Shah and Buehlmann
2018; Jankova et al. 2020), whose predictor here is the cluster's head. A curved
rule in one cloud is not one rule of a head, and is found like groups with rules
of their own.

Axes: N images, T folds, K clusters, W worlds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from heterojax import rng
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import gains
from heterojax.verdict import one_vs_rest
from heterojax.verdict import ranks
from heterojax.verdict import records
from heterojax.verdict import rule as rules
from heterojax.verdict.folds import Fold

WORLDS = 199
# Worlds that are made at once: of the first ones the largest gain is what p has
# to pass where it is adjusted for three questions (`detectable`).
_CHUNK = 59
# No stopping can change whether p is at most this.
_CLEAR = 0.05
_PERCENTILES = (2.5, 97.5)
_RULE, _LABELS, _RANDOM = range(3)


class OneRule(NamedTuple):
  """The outcome.

  Attributes:
    test: its effect is the gain in AUC of a cluster's test images, less the
      mean of the worlds' gains. Its interval reaches as far as other images for
      the heads as they are (`gains.reach`), and other labels for heads that are
      refitted (the worlds), together. P-values are of the worlds alone, so that
      it may hold 0 where they are small.
    gain: `[K]` as observed; NaN where it is not estimable.
    rule: the one rule; None where none could be made.
    worlds: what was refitted in the data, first, and in the worlds; None where
      there are none.
  """

  test: records.Test
  gain: np.ndarray
  rule: rules.Rule | None
  worlds: 'Worlds | None'


class Worlds(NamedTuple):
  """Heads of the data and of worlds, scored on the images that are tested.

  Attributes:
    gain: `[1 + W, K]`, see `gains.blended`.
    excess: `[1 + W, K]`, share of wrong answers of the head of all images in a
      cluster, less what its classes and folds let expect.
    right: `[1 + W, T, K]`, share of right answers of that head among the test
      images of a fold and cluster; NaN where there are none.
    shortfall: `[1 + W, K]`, accuracy on all test images of heads of random sets
      of the cluster's size and class counts, less that of its own head; NaN
      where it has no head.
    reach: `[K, N]` the same for each image, as a mean over the worlds.
  """

  gain: np.ndarray
  excess: np.ndarray
  right: np.ndarray
  shortfall: np.ndarray
  reach: np.ndarray


def test(
  folds: Sequence[Fold],
  y: np.ndarray,
  units: np.ndarray,
  k: int,
  key: jax.Array,
  draws: int = WORLDS,
  *,
  sets: bool = True,
) -> OneRule:
  """Compares the gains with those of worlds in which one rule holds.

  The statistic is the sum of the clusters' gains, each times its number of test
  images; adjusted p-values are of the gains, by step-down maxT. Worlds are made
  until p is sure to be above 0.05.

  Args:
    folds: T; of several the test parts are disjoint.
    y: `[N]` int codes of the classes.
    units: `[N]` int, equal for images of one patient.
    k: K.
    key: of the draws. Other names of the clusters give the same bits.
    draws: W at most.
    sets: whether heads of random sets are fitted too, which this test does not
      ask for: without them `Worlds.shortfall` and `reach` are NaN.

  Returns:
    The outcome.
  """
  y = np.asarray(y)
  tested = np.concatenate([fold.test for fold in folds])
  at = np.concatenate([fold.labels[fold.test] for fold in folds])
  size = np.bincount(at, minlength=k).astype(float)
  unit = 'image' if len(np.unique(units[tested])) == len(tested) else 'patient'
  if len(np.unique(y[tested])) < 2:
    return _none('all images are of one class', k, unit)
  random = _key(key, _RANDOM) if sets else None
  first = _refitted(folds, y[np.newaxis], k, random, 0)
  gain = first.gain[0]
  known = ~np.isnan(gain)
  if not known.any():
    of = 'each class' if folds[0].classes == 2 else 'a class and of the others'
    why = (
      f'no cluster has {gains.LEAST} test images of {of}, with a head to test'
      ' on them: no ranking of its images can be compared'
    )
    return _none(why, k, unit)._replace(gain=gain)
  rule = rules.match(folds, y, units, _key(key, _RULE))
  if not rule.matches:
    why = (
      f'heads are right for {rule.observed:.1%} of the images out of fold, and'
      f' for {rule.expected:.1%} where labels are drawn from one rule: such'
      ' worlds are no measure of these data'
    )
    return _none(why, k, unit)._replace(gain=gain, rule=rule)
  parts, made = [first], 0
  # b of p = (1 + b) / (1 + B) from which on p is above that.
  enough = int(_CLEAR * (1 + draws) + ranks.TIE)
  while made < draws:
    labels = rules.draw(
      rule, _key(key, _LABELS), made, min(_CHUNK, draws - made)
    )
    parts.append(_refitted(folds, labels, k, random, 1 + made))
    made += len(labels)
    total = _total([part.gain for part in parts], size)
    if np.sum(total[1:] >= total[0] - ranks.TIE) >= enough:
      break
  every = Worlds(
    *(
      np.concatenate([part[i] for part in parts])
      for i in range(len(Worlds._fields) - 1)
    ),
    reach=sum(
      (part.reach for part in parts[1:]), start=np.zeros_like(first.reach)
    )
    / made,
  )
  total = _total([every.gain], size)
  rows = np.nan_to_num(every.gain)
  z = ranks.standardised(rows)
  z[:, ~known] = np.nan
  null = rows[1:]
  effect = np.where(known, gain - null.mean(axis=0), np.nan)
  ends = np.percentile(null, _PERCENTILES, axis=0) - null.mean(axis=0)
  half = np.hypot(_reach(folds, y, k, units), ends[::-1]).T
  return OneRule(
    test=records.Test(
      statistic=float(total[0]),
      null=total[1:],
      p_value=ranks.p_value(total, ranks.TIE),
      adjusted=ranks.step_down(z),
      effect=effect,
      interval=effect[:, np.newaxis] + half * [-1, 1],
      unit=unit,
      stays=0,
    ),
    gain=gain,
    rule=rule,
    worlds=every,
  )


# Its name begins with `test`, but it is no case.
test.__test__ = False


def heads(k: int, draws: int) -> int:
  """How many heads of a fold are fitted at most, without those of the rule."""
  return (1 + draws) * (1 + 2 * k)


def _key(key: jax.Array, purpose: int) -> jax.Array:
  return jax.random.fold_in(key, purpose)


def _total(parts: Sequence[np.ndarray], size: np.ndarray) -> np.ndarray:
  """`[1 + W]`; a gain that is not estimable is none."""
  gain = np.concatenate(parts)
  return ranks.total(np.nan_to_num(gain) * size) / size.sum()


def _none(why: str, k: int, unit: str) -> OneRule:
  nothing = np.full(k, np.nan)
  test_of = records.Test(
    statistic=np.nan,
    null=np.zeros(0),
    p_value=None,
    adjusted=nothing,
    effect=nothing,
    interval=np.full((k, 2), np.nan),
    unit=unit,
    stays=0,
    why=why,
  )
  return OneRule(test_of, nothing, None, None)


def _refitted(
  folds: Sequence[Fold],
  y: np.ndarray,
  k: int,
  key: jax.Array | None,
  start: int,
) -> Worlds:
  """All heads of labels `[W, N]`, the first of which has the number `start`.

  Without a key there are none of random sets.
  """
  w, n = y.shape
  classes = folds[0].classes
  shape = (len(folds), w, n) if classes == 2 else (len(folds), w, n, classes)
  overall, mine = np.zeros(shape), np.zeros(shape)
  correct = np.zeros((len(folds), w, n), bool)
  better = np.zeros((w, k, n))
  for number, fold in enumerate(folds):
    logits, mine[number] = _heads(fold, y, k)
    overall[number] = logits[:, 0]
    same = y[:, np.newaxis, fold.test]
    right = one_vs_rest.answers(logits[:, :, fold.test], classes) == same
    correct[number][:, fold.test] = right[:, 0]
    if key is None:
      better[..., fold.test] = np.nan
      continue
    drawn = []
    for i, labels in enumerate(y):
      stream = rng.from_key(key, number, start + i)
      drawn.append(_random(fold, labels, k, stream))
    random = folds_lib.fitted(fold, y, drawn)[:, :, fold.test]
    as_good = one_vs_rest.answers(random, classes) == same
    better[..., fold.test] = as_good.astype(float) - right[:, 1:]
  none = np.any([_empty(fold, k) for fold in folds], axis=0)
  better[:, none] = np.nan
  tested = sum(len(fold.test) for fold in folds)
  shortfall = better.sum(axis=2) / tested
  return Worlds(
    gain=gains.blended(overall, mine, y, folds, k),
    excess=_excess(correct, y, folds, k),
    right=_right(correct, folds, k),
    shortfall=shortfall,
    reach=better.sum(axis=0),
  )


def _heads(fold: Fold, y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
  """Logits `[W, 1 + K, N]` of all images' and clusters' heads; of own ones."""
  rows = [fold.train, *folds_lib.inside(fold, k)]
  logits = folds_lib.relabelled(fold, y, rows)
  return logits, logits[:, 1:][:, fold.labels, np.arange(y.shape[1])]


def _reach(
  folds: Sequence[Fold], y: np.ndarray, k: int, units: np.ndarray
) -> np.ndarray:
  """`[K]` of `gains.reach`, of the data."""
  overall, own = [], []
  for fold in folds:
    logits, mine = _heads(fold, y[np.newaxis], k)
    overall.append(logits[0, 0])
    own.append(mine[0])
  return gains.reach(np.stack(overall), np.stack(own), y, folds, k, units)


def _right(correct: np.ndarray, folds: Sequence[Fold], k: int) -> np.ndarray:
  """`[W, T, K]` of `[T, W, N]`, see `Worlds`."""
  shares = np.full((correct.shape[1], len(folds), k), np.nan)
  for number, fold in enumerate(folds):
    for c in range(k):
      test = fold.test[fold.labels[fold.test] == c]
      if len(test):
        shares[:, number, c] = correct[number][:, test].mean(axis=1)
  return shares


def _excess(
  correct: np.ndarray, y: np.ndarray, folds: Sequence[Fold], k: int
) -> np.ndarray:
  """`[W, K]` of `[T, W, N]` and labels `[W, N]`, see `Worlds`."""
  more = np.zeros((len(y), k))
  tested = np.zeros(k)
  for number, fold in enumerate(folds):
    at = fold.labels[fold.test]
    wrong = ~correct[number][:, fold.test]
    expected = np.zeros(wrong.shape)
    for label in range(fold.classes):
      of_class = y[:, fold.test] == label
      number_of = np.maximum(of_class.sum(axis=1), 1)
      rate = np.sum(wrong & of_class, axis=1) / number_of
      expected += of_class * rate[:, np.newaxis]
    for c in range(k):
      more[:, c] += np.sum((wrong - expected)[:, at == c], axis=1)
    tested += np.bincount(at, minlength=k)
  return more / np.where(tested > 0, tested, np.nan)


def _empty(fold: Fold, k: int) -> np.ndarray:
  """`[K]` bool, clusters without a training image."""
  return np.bincount(fold.labels[fold.train], minlength=k) == 0


def _random(
  fold: Fold, y: np.ndarray, k: int, stream: np.random.Generator
) -> list[np.ndarray]:
  """K sets like the clusters in size and class counts.

  The clusters' numbers change places among images of a class, so that other
  names of the clusters give the same sets.
  """
  of_train = fold.labels[fold.train]
  drawn = of_train.copy()
  for label in range(fold.classes):
    own = np.flatnonzero(y[fold.train] == label)
    drawn[own] = of_train[stream.permutation(own)]
  return [fold.train[drawn == c] for c in range(k)]

"""Made-up data whose truth is known: one rule for all, or another in a group.

A world is features, then labels that are drawn from a known probability of the
features (and the group). Features of n images and d columns have a falling
spectrum, as those of networks do; w is a direction whose score has deviation 1
in one cloud. One rule holds in

  one_cloud, largest_axis, class_clouds, three_groups

and not in the others: `turned_45`, `turned_60`, `turned_90` and `reversed`,
whose first group of three has another direction; `noisier`, whose first group
has the same direction and less certain labels; and `curved`, one cloud whose
rule is no plane. Whoever finds a group's own rule in the first four is wrong.

Worlds of five classes have a direction for each, and the softmax of their
scores: one rule holds in `five_classes` (one cloud) and `five_groups` (three),
and the first group of `five_turned` has five other directions.
"""

from collections.abc import Callable
import functools
from typing import NamedTuple
import zlib

import jax
import numpy as np
from scipy import special

from heterojax import rng
from heterojax.rng import Purpose
from heterojax.verdict import rule as rules

# Log odds per deviation of the score.
_SLOPE = 2.5
# Of the slope, in the group whose labels are less certain.
_NOISIER = 0.2
# Log odds per squared deviation of another score, in the curved rule.
_CURVE = 1.5
# Half the distance of two classes in deviations of the largest axis.
_CLASSES = 1.5
# Distance of a group from the mean, in deviations of a mean axis.
_GROUPS = 6.0
_N_GROUPS = 3
FIVE = 5  # Classes.
# What is drawn, each from its own stream of the world's key.
_RULE, _FEATURES, _GROUP, _LABELS = range(4)


class World(NamedTuple):
  """Images of a world.

  Attributes:
    x: `[N, D]` float32, features.
    y: `[N]` int, labels, drawn from `p`.
    group: `[N]` int, 0 in one cloud. Where two rules hold that of group 0 is
      the other one.
    p: `[N]` float64, the true probability of label 1; or `[N, 5]` of each.
  """

  x: np.ndarray
  y: np.ndarray
  group: np.ndarray
  p: np.ndarray


def key(seed: int, name: str, *members: int) -> jax.Array:
  """The key of a data set of a world, apart from those of all others.

  Args:
    seed: of the calibration.
    name: of `WORLDS`.
    *members: for instance its number, and the number of images.

  Returns:
    The key.
  """
  # The name itself, so that another world changes none of these.
  return rng.key(seed, Purpose.DRAW, zlib.crc32(name.encode()), *members)


def redrawn(world: World, key: jax.Array) -> World:
  """Draws the labels of a world anew, from its own probabilities."""
  return world._replace(y=_labels(key, world.p))


def _labels(key: jax.Array, p: np.ndarray) -> np.ndarray:
  chance = rng.from_key(key, _LABELS).random(len(p))
  return rules.labels_of(chance, p, FIVE if p.ndim == 2 else 2)


def _directions(
  key: jax.Array, d: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Deviations `[D]` of the axes, and two directions `[D]`.

  In one cloud their scores have deviation 1 and are not correlated.
  """
  axes = np.arange(1.0, d + 1) ** -0.5
  axes /= np.sqrt(np.mean(axes**2))
  # In coordinates of deviation 1, where large axes count for more.
  first, second = axes * rng.from_key(key, _RULE).standard_normal((2, d))
  first /= np.linalg.norm(first)
  second -= np.sum(second * first) * first
  second /= np.linalg.norm(second)
  return axes, first / axes, second / axes


def _cloud(key: jax.Array, n: int, d: int, df: float | None) -> np.ndarray:
  """`[N, D]` of deviation 1: normal, or Student's t of more than 2 freedoms."""
  generator = rng.from_key(key, _FEATURES)
  if df is None:
    return generator.standard_normal((n, d))
  return generator.standard_t(df, (n, d)) / np.sqrt(df / (df - 2))


def _score(x: np.ndarray, direction: np.ndarray) -> np.ndarray:
  """`[N]`; sums, not products of matrices, which round by their shape."""
  return np.sum(x * direction, axis=1)


def _world(
  key: jax.Array, x: np.ndarray, group: np.ndarray, log_odds: np.ndarray
) -> World:
  p = special.expit(log_odds)
  return World(x.astype(np.float32), _labels(key, p), group, p)


def one_cloud(
  key: jax.Array, n: int, d: int, *, df: float | None = None
) -> World:
  """One cloud, and one rule of a random direction.

  Args:
    key: of the world.
    n: images.
    d: features, at least 2.
    df: degrees of freedom of t-distributed features, above 2; None: normal.

  Returns:
    The world.
  """
  axes, w, _ = _directions(key, d)
  x = _cloud(key, n, d, df) * axes
  return _world(key, x, np.zeros(n, np.int64), _SLOPE * _score(x, w))


def largest_axis(
  key: jax.Array, n: int, d: int, *, df: float | None = None
) -> World:
  """One cloud, and one rule along its largest axis: clusters differ in class.

  Args:
    key: of the world.
    n: images.
    d: features, at least 2.
    df: as of `one_cloud`.

  Returns:
    The world.
  """
  axes, _, _ = _directions(key, d)
  x = _cloud(key, n, d, df) * axes
  log_odds = _SLOPE * x[:, 0] / axes[0]
  return _world(key, x, np.zeros(n, np.int64), log_odds)


def class_clouds(
  key: jax.Array, n: int, d: int, *, df: float | None = None
) -> World:
  """Two clouds along the largest axis that are nearly the classes; one rule.

  With normal features the rule is that of two normal classes of one covariance
  (linear discriminant analysis), so that clouds and labels are as if the label
  had been drawn first; the group is the cloud.

  Args:
    key: of the world.
    n: images.
    d: features, at least 2.
    df: as of `one_cloud`; the rule stays the plane of normal features.

  Returns:
    The world.
  """
  axes, _, _ = _directions(key, d)
  group = rng.from_key(key, _GROUP).integers(2, size=n)
  x = _cloud(key, n, d, df) * axes
  x[:, 0] += (2 * group - 1) * _CLASSES * axes[0]
  return _world(key, x, group, 2 * _CLASSES * x[:, 0] / axes[0])


def three_groups(
  key: jax.Array,
  n: int,
  d: int,
  *,
  df: float | None = None,
  degrees: float = 0,
  certainty: float = 1,
) -> World:
  """Three clouds apart from each other across the rule.

  Args:
    key: of the world.
    n: images.
    d: features, at least 3.
    df: as of `one_cloud`.
    degrees: by how much the rule of group 0 is turned about the middle of the
      group; 180 is reversed.
    certainty: of the labels of group 0, as a factor of the log odds.

  Returns:
    The world.
  """
  axes, w, v = _directions(key, d)
  means, group = _groups(key, n, d, w[np.newaxis])
  x = _cloud(key, n, d, df) * axes
  angle = np.deg2rad(degrees)
  own = np.cos(angle) * w + np.sin(angle) * v
  log_odds = _SLOPE * np.where(
    group == 0, certainty * _score(x, own), _score(x, w)
  )
  return _world(key, x + means[group], group, log_odds)


def _groups(
  key: jax.Array, n: int, d: int, rule: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Means `[G, D]` of groups across the directions of a rule, and `[N]` int."""
  generator = rng.from_key(key, _GROUP)
  means = generator.standard_normal((_N_GROUPS, d))
  means -= means.mean(axis=0)
  # The common rule is as balanced in one group as in another.
  if len(rule) == 1:
    (w,) = rule
    means -= np.outer(_score(means, w) / np.sum(w**2), w)
  else:
    basis, _ = np.linalg.qr(rule.T)
    means -= means @ basis @ basis.T
  means *= _GROUPS / np.linalg.norm(means, axis=1, keepdims=True)
  return means, generator.integers(_N_GROUPS, size=n)


def five_classes(
  key: jax.Array,
  n: int,
  d: int,
  *,
  df: float | None = None,
  groups: bool = False,
  turned: bool = False,
) -> World:
  """Five classes, of which each has a direction.

  Args:
    key: of the world.
    n: images.
    d: features, at least 6 with groups.
    df: as of `one_cloud`.
    groups: whether there are three clouds, across the rule, or one.
    turned: whether group 0 has directions of its own.

  Returns:
    The world.
  """
  axes, _, _ = _directions(key, d)
  # In coordinates of deviation 1, where large axes count for more.
  drawn = axes * rng.from_key(key, _RULE, FIVE).standard_normal((2, FIVE, d))
  drawn /= np.linalg.norm(drawn, axis=2, keepdims=True)
  rule, other = drawn / axes
  x = _cloud(key, n, d, df) * axes
  means, group = np.zeros((_N_GROUPS, d)), np.zeros(n, np.int64)
  if groups:
    means, group = _groups(key, n, d, rule)
  scores = np.stack([_score(x, w) for w in rule], axis=1)
  if turned:
    others = np.stack([_score(x, w) for w in other], axis=1)
    scores = np.where(group[:, np.newaxis] == 0, others, scores)
  p = special.softmax(_SLOPE * scores, axis=1)
  x = (x + means[group]).astype(np.float32)
  return World(x, _labels(key, p), group, p)


def curved(key: jax.Array, n: int, d: int, *, df: float | None = None) -> World:
  """One cloud, and one rule that is curved along a second direction.

  Args:
    key: of the world.
    n: images.
    d: features, at least 2.
    df: as of `one_cloud`.

  Returns:
    The world.
  """
  axes, w, v = _directions(key, d)
  x = _cloud(key, n, d, df) * axes
  log_odds = _SLOPE * _score(x, w) + _CURVE * (_score(x, v) ** 2 - 1)
  return _world(key, x, np.zeros(n, np.int64), log_odds)


# Worlds in which one rule of a plane holds for all images come first.
ONE_RULE: dict[str, Callable[..., World]] = {
  'one_cloud': one_cloud,
  'largest_axis': largest_axis,
  'class_clouds': class_clouds,
  'three_groups': three_groups,
}
SEVERAL: dict[str, Callable[..., World]] = {
  'five_classes': five_classes,
  'five_groups': functools.partial(five_classes, groups=True),
  'five_turned': functools.partial(five_classes, groups=True, turned=True),
}
WORLDS: dict[str, Callable[..., World]] = ONE_RULE | {
  'turned_45': functools.partial(three_groups, degrees=45),
  'turned_60': functools.partial(three_groups, degrees=60),
  'turned_90': functools.partial(three_groups, degrees=90),
  'reversed': functools.partial(three_groups, degrees=180),
  'noisier': functools.partial(three_groups, certainty=_NOISIER),
  'curved': curved,
}

"""How often a CV lies above its band where only chance and classes differ.

python -m benchmarks.band --sets=300

Four equally large clusters hold different shares of the harder class, whose
images are classified rightly for 80 %, those of the other class for 95 %; in
no cluster is a class harder than in another. Rates are given with exchanges of
images of all classes, and inside of classes as the sample-size study has them.
"""

from collections.abc import Sequence
import sys
from typing import NamedTuple

from absl import app
from absl import flags
import jax
import numpy as np

from heterojax.stats import metrics
from heterojax.verdict import chance

_SETS = flags.DEFINE_integer('sets', 300, 'Made-up data sets for each row.')

K = 4
ACCURACY = (0.95, 0.80)
# The share of the harder class goes evenly from one to the other.
SHARES = ((0.1, 0.7), (0.02, 0.98))
SIZES = (200, 400, 1000)
# Deviation of the logit of patients, who have 1 to 4 images each.
_EFFECT = 1.5
# Share of the images that a training, or a patient's image, has elsewhere.
_ELSEWHERE = 0.1


class World(NamedTuple):
  """A kind of data set.

  Attributes:
    n: test images of all folds.
    folds: T.
    shares: of the harder class in the first and in the last cluster.
    patients: whether several images are of a patient, with an effect.
    trainings: of the clustering.
  """

  n: int
  folds: int = 1
  shares: tuple[float, float] = SHARES[0]
  patients: bool = False
  trainings: int = 1


class Rates(NamedTuple):
  """Shares of the data sets: CV above its band; p at most 0.05."""

  above: float
  small: float


def folds(world: World, seed: int) -> list[chance.Fold]:
  """The folds of a data set without heterogeneity; patients are in one each."""
  rng = np.random.default_rng((seed, *world[:2], int(100 * world.shares[1])))
  n, shape = world.n, (world.trainings, world.n)
  patient = np.arange(n)
  if world.patients:
    patient = np.repeat(np.arange(n), rng.integers(1, 5, n))[:n]
  home = rng.permutation(n)[patient] % K
  moved = rng.random(n) < _ELSEWHERE * world.patients
  home = np.where(moved, rng.integers(K, size=n), home)
  y = (rng.random(n) < np.linspace(*world.shares, K)[home]).astype(int)
  accuracy = np.array(ACCURACY)[y]
  if world.patients:
    logit = np.log(accuracy / (1 - accuracy))
    logit += _EFFECT * rng.standard_normal(n)[patient]
    accuracy = 1 / (1 + np.exp(-logit))
  right = rng.random(n) < accuracy
  # One training has the clusters as they are, several differ.
  other = rng.random(shape) < _ELSEWHERE * (world.trainings > 1)
  labels = np.where(other, rng.integers(K, size=shape), home)
  groups = patient.astype(str) if world.patients else np.full(n, '')
  fold = rng.permutation(n)[patient] % world.folds
  return [
    chance.Fold(
      metrics.terms('accuracy', np.ones(len(own)), right[own]),
      y[own],
      groups[own],
      labels[:, own],
    )
    for own in (np.flatnonzero(fold == t) for t in range(world.folds))
  ]


def rates(world: World, sets: int, within: bool) -> Rates:
  """Rates over data sets with the seeds from 0 on.

  Args:
    world: of the data sets.
    sets: how many.
    within: whether images of one class are exchanged, or of any.
  """
  above = small = 0
  for seed in range(sets):
    parts = folds(world, seed)
    if not within:
      parts = [p._replace(classes=np.zeros_like(p.classes)) for p in parts]
    null = chance.null(parts, K, jax.random.key(seed))
    got = chance.estimate(null.cvs)
    above += got.cv > got.band[1]
    small += got.p_value <= 0.05
  return Rates(above / sets, small / sets)


def worlds() -> list[World]:
  """What is measured."""
  plain = [
    World(n, t, shares) for shares in SHARES for t in (1, 4) for n in SIZES
  ]
  patients = [World(n, t, SHARES[1], True) for t in (1, 4) for n in SIZES]
  return [*plain, *patients, World(1000, 4, SHARES[1], True, 10)]


def main(argv: Sequence[str]) -> None:
  """Prints a row for each world."""
  del argv
  print(
    'shares, folds, patients, trainings, n: above, p <= .05; within classes'
  )
  for world in worlds():
    told = [rates(world, _SETS.value, within) for within in (False, True)]
    numbers = '; '.join(f'{r.above:.3f}, {r.small:.3f}' for r in told)
    low, high = world.shares
    kind = 'patients' if world.patients else 'images'
    print(
      f'{low:.0%}-{high:.0%}, {world.folds}, {kind}, {world.trainings},'
      f' {world.n}: {numbers}'
    )
    sys.stdout.flush()


if __name__ == '__main__':
  app.run(main)

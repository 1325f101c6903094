"""How much a study does, as far as its plan tells."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heterojax import backbones
from heterojax.backbones import flops
from heterojax.heads import optimum
from heterojax.heads import penalty
from heterojax.studies import counters
from heterojax.studies import stages
from heterojax.studies.answer import budget
from heterojax.studies.answer import stage
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings
from heterojax.studies.study import Heads

# Steps of Newton's method for a head at its optimum, as draws are planned.
_STEPS = 2


class Work(NamedTuple):
  """What a study does, as far as its plan tells.

  Attributes:
    pictures: that the network sees.
    width: D.
    network: operations of an image; 0 where features are given.
    heads: operations of all heads that are trained in epochs, at most.
    optima: operations of heads at their optimum.
    draws: operations that the draws of the answer are planned by.
    sizes: how many sizes the samples have.
  """

  pictures: int
  width: int
  network: float
  heads: float
  optima: float
  draws: float
  sizes: int


def work(
  settings: Settings,
  backbone: backbones.Backbone | None,
  samples: Sequence[Samples],
  pictures: int,
  width: int,
  heads: Heads | None,
) -> Work:
  """Counts what a study does."""
  each = 0.0
  if backbone is not None:
    counted = flops.per_image(backbone, settings.data.image_size)
    each = counted if isinstance(counted, float) else 0.0
  trained, optima = 0.0, 0.0
  rows = [len(fold.of('train')) for fold in samples]
  if heads and settings.at_optimum:
    fits = 1 + len(penalty.VALUES) * optimum.FOLDS
    optima = _STEPS * fits * sum(float(m) * min(m, width) ** 2 for m in rows)
  if heads and not settings.at_optimum:
    training = stages.training(settings, samples[0].classes)
    of_row = sum(counters.flops_per_row(training, width))
    trained = heads.passes * settings.heads.epochs * of_row
  draws = 0.0
  if not stage.why_not(settings):
    n = max(int(np.sum(fold.is_original)) for fold in samples)
    classes = len(samples[0].classes)
    number, _ = stage.draws(settings, n, width, classes)
    draws = budget.operations(
      number, n, width, settings.split.folds, settings.cluster.k, classes
    )
  sizes = len({
    m + len(s.of('test')) for m, s in zip(rows, samples, strict=True)
  })
  return Work(pictures, width, each, trained, optima, draws, sizes)

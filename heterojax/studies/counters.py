"""Work of a run for `timings`, and its share of what the machine can do.

The share is model FLOP utilisation (Chowdhery et al. 2022, appendix B): the
operations that a model is defined by over those that the ceiling allows in the
same time. The ceiling is that of matrix products, measured in the run itself;
the time is all of the stage's, with reading, compiling and waiting.
"""

from collections.abc import Iterable, Sequence
import itertools

import numpy as np

from heterojax import finetuning
from heterojax.backbones import Backbone
from heterojax.backbones import flops
from heterojax.compute import ceiling
from heterojax.heads.ensemble import Training
from heterojax.records.codec import Missing
from heterojax.studies import stages
from heterojax.studies.settings import Settings

_CEILING = 'ceiling'
_TRAINED = 'float32'  # Heads, and networks that are.


def of_features(
  settings: Settings,
  backbone: Backbone | None,
  computed: int,
  timer: stages.Timer,
) -> None:
  """Adds the work of the stage 'features', and measures the ceiling.

  Args:
    settings: of the study.
    backbone: see `stages.load_backbone`.
    computed: images that went through the network now; without any, nothing is
      measured.
    timer: of the study.
  """
  if backbone is None or not computed:
    return
  dtype = settings.backbone.dtype
  _measure(dict.fromkeys((dtype, _TRAINED)), timer)
  each = flops.per_image(backbone, settings.data.image_size)
  _add(timer, 'features', computed, each, dtype)


def of_heads(settings: Settings, flops: float, timer: stages.Timer) -> None:
  """Adds the work of the stage 'heads'.

  Args:
    settings: of the study.
    flops: operations that were done now; without any, nothing is added.
    timer: of the study.
  """
  if not flops:
    return
  # Optima are found in float64, of whose products no ceiling is measured.
  dtype = None if settings.at_optimum else _TRAINED
  _add(timer, 'heads', 1, float(flops), dtype)


def flops_of_epochs(
  training: Training,
  dim: int,
  rows: Sequence[tuple[int, int]],
  epochs: Sequence[int],
) -> float:
  """Operations of heads that stop early.

  Args:
    training: of all heads.
    dim: number of features, D.
    rows: of each head, training and validation rows of an epoch.
    epochs: that each head trained.

  Returns:
    Those of all heads.
  """
  forward, backward = flops_per_row(training, dim)
  total = sum(
    done * (train * (forward + backward) + validation * forward)
    for done, (train, validation) in zip(epochs, rows, strict=True)
  )
  return float(total)


def of_training(
  settings: Settings,
  backbone: Backbone,
  jobs: Sequence[finetuning.Work],
  timer: stages.Timer,
) -> None:
  """Adds the work of the stage 'training', and measures the ceiling.

  Args:
    settings: of the study.
    backbone: see `stages.load_backbone`.
    jobs: what was done now for each; where nothing was, nothing is measured.
    timer: of the study.
  """
  trained, predicted = np.sum(jobs, axis=0).tolist()
  if not trained:
    return
  _measure((_TRAINED,), timer)
  counts = timer.stages['training']
  counts['images'] = trained
  counts['images_per_second'] = trained / counts['seconds']
  each = flops.per_image(backbone, settings.data.image_size)
  # A gradient takes about twice what its function takes.
  _add(timer, 'training', 3 * trained + predicted, each, _TRAINED)


def flops_per_row(training: Training, dim: int) -> tuple[int, int]:
  """Operations of a head on one image, forward and backward.

  Every weight has a product forward, one for its own gradient and, but in the
  first layer, one for that of its input.
  """
  widths = {
    'classification': (1,),
    'multiclass': training.widths,
    'regression': (*training.widths, 1),
  }[training.task]
  weights = [a * b for a, b in itertools.pairwise((dim, *widths))]
  return 2 * sum(weights), 2 * (2 * sum(weights) - weights[0])


def _measure(dtypes: Iterable[str], timer: stages.Timer) -> None:
  with timer.stage(_CEILING):
    rates = {
      f'{dtype}_flops_per_second': ceiling.flops_per_second(dtype)
      for dtype in dtypes
    }
  timer.stages[_CEILING] |= rates


def _add(
  timer: stages.Timer,
  stage: str,
  times: int,
  each: float | Missing,
  dtype: str | None,
) -> None:
  counts = timer.stages[stage]
  counts['flops'] = each if isinstance(each, Missing) else times * each
  rates = timer.stages.get(_CEILING)
  if rates and dtype:
    counts['model_flop_utilisation'] = each
    if not isinstance(each, Missing):
      most = rates[f'{dtype}_flops_per_second'] * counts['seconds']
      counts['model_flop_utilisation'] = counts['flops'] / most

"""What --dry_run says: numbers, sizes and arithmetic, before any is done."""

from collections.abc import Sequence

from heterojax import backbones
from heterojax import features
from heterojax.datasets import sources
from heterojax.studies import samples as samples_lib
from heterojax.studies import stages
from heterojax.studies.settings import Settings


def forecast(
    settings: Settings,
    backbone: backbones.Backbone | None,
    source: sources.Source,
    samples: Sequence[samples_lib.Samples],
) -> str:
  """The forecast of a study.

  Args:
    settings: of the study.
    backbone: see `stages.load_backbone`.
    source: of the images.
    samples: of every fold (of every size), see `stages.collect`.

  Returns:
    Three sentences, a line each.
  """
  how = stages.extraction(settings)
  pictures = len(samples[0].pictures)
  if backbone is None:
    d, flops = source.matrix.shape[1], 0.0
  else:
    d = features.dim(backbone, how)
    flops = features.flops_per_image(backbone, how)
  n, validation, test = (
      sum(len(own.of(split)) for own in samples)
      for split in samples_lib.SPLITS
  )
  folds = f' (over {len(samples)} folds)' if len(samples) > 1 else ''
  used = (
      f'{n} training, {validation} validation and {test} test images{folds}'
      f' show {pictures} pictures.'
  )
  if settings.backbone.train == 'full':
    # Every network has features of its own.
    pictures = n + validation + test
  stored = (
      f'Features: {d} numbers each, {pictures * d * 4 / 1e6:.1f} MB on disk,'
      f' {flops * pictures / 1e12:.2f} TFLOP.'
  )
  trained = _training(settings, source, len(samples), n, d, flops)
  return '\n'.join([used, stored, trained])


def _training(
    settings: Settings,
    source: sources.Source,
    parts: int,
    n: int,
    d: int,
    flops: float,
) -> str:
  """What is trained.

  Args:
    settings: of the study.
    source: of the images.
    parts: folds of all sizes.
    n: training images of all of them.
    d: length of a feature vector.
    flops: of the network, per image.
  """
  if not stages.trains_heads(settings, source):
    return 'Predictions are given: no heads are trained.'
  if settings.backbone.train == 'full':
    passes = n * settings.fine_tuning.epochs
    # A gradient takes about twice what its function takes.
    return (
        f'{parts} networks: at most {passes} image passes,'
        f' {3 * passes * flops / 1e12:.2f} TFLOP.'
    )
  heads, passes = parts, n * settings.heads.epochs
  if settings.study == 'retraining':
    # Each random head sees as many images as its cluster's.
    runs = settings.heads.random_runs
    heads *= 1 + settings.cluster.k * (1 + runs)
    passes *= 2 + runs
  return (
      f'{heads} heads: at most {passes} image passes,'
      f' {passes * d * 4 / 1e12:.2f} TFLOP.'
  )

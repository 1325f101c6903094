"""The stages that both studies share: from the data set to its features."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import logging
import pathlib
import time
from typing import Any

import numpy as np

from heterojax import backbones
from heterojax import datasets
from heterojax import features
from heterojax import interruption
from heterojax.datasets import demo
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.studies import samples as samples_lib
from heterojax.studies.settings import Settings

_LOG = logging.getLogger(__name__)


class Timer:
  """Seconds and rates per stage."""

  def __init__(self):
    self.stages: dict[str, dict[str, float]] = {}

  @contextlib.contextmanager
  def stage(self, name: str, unit: str = '') -> Iterator[Callable[[int], None]]:
    """Times a stage; the yielded function takes how many units it did."""
    interruption.check()
    _LOG.info('%s ...', name.capitalize())
    counts: list[int] = []
    start = time.perf_counter()
    yield counts.append
    seconds = time.perf_counter() - start
    self.stages[name] = {'seconds': seconds}
    if counts and sum(counts):
      self.stages[name][f'{unit}_per_second'] = sum(counts) / seconds
    _LOG.info('%s: %.1f s', name.capitalize(), seconds)


def data(settings: Settings, run: pathlib.Path) -> tuple[Cohort, ...]:
  """Candidates of two classes, selected, balanced and split: one per fold."""
  d, split = settings.data, settings.split
  path = pathlib.Path(d.dir).expanduser()
  if d.dataset.startswith('demo'):
    path = demo.write_cohort(
        run / 'cohort',
        num_images=d.num_images,
        seed=settings.seed,
        control=d.dataset == 'demo_control',
        image_size=d.image_size,
    )
  elif not d.dir:
    raise UserError('--config.data.dir must name where the images are.')
  cohort = datasets.read(d.dataset, path, d.positive, d.negative)
  cohort = selection.select(
      cohort,
      seed=settings.seed,
      balance=d.balance,
      distinct=split.protocol == 'clean',
      max_bad_share=d.max_bad_share,
      workers=settings.features.workers,
  )
  return splits.assign(
      cohort,
      seed=settings.seed,
      protocol=split.protocol,
      test_share=split.test_share,
      validation_share=split.validation_share,
      folds=split.folds,
  )


def collect(
    settings: Settings, cohorts: Sequence[Cohort]
) -> tuple[samples_lib.Samples, ...]:
  """For each fold the training images with their copies, and the rest.

  Raises:
    UserError: if there are too few images for the settings.
  """
  column = settings.data.subpopulation
  own = {name: None for c in cohorts[0].included for name, _ in c.columns}
  if column and column not in own:
    raise UserError(
        f'There is no column {column!r} (--config.data.subpopulation): the data'
        f' set has {", ".join(own)}.'
    )
  factors = (settings.augmentation.positive, settings.augmentation.negative)
  samples = samples_lib.collect(cohorts, seed=settings.seed, factors=factors)
  n, k = min(len(own.of('train')) for own in samples), settings.cluster.k
  if k > n:
    raise UserError(
        f'There are {n} training images for {k} clusters: choose a smaller'
        ' --config.cluster.k.'
    )
  reduction = settings.reduction
  wanted = {'rejected': reduction.rejected}
  if (reduction.method, reduction.rule) == ('pca', 'fixed'):
    wanted['n_components'] = reduction.n_components
  for name, q in wanted.items():
    if q > n:
      raise UserError(
          f'There are {n} training images for {q} principal components: choose'
          f' a smaller --config.reduction.{name}.'
      )
  return samples


def extraction(settings: Settings) -> features.Extraction:
  return features.Extraction(
      feature=settings.backbone.feature,
      image_size=settings.data.image_size,
      resize=settings.data.resize,
      batch_size=settings.features.batch_size,
      workers=settings.features.workers,
  )


def load_backbone(
    settings: Settings, *, download: bool
) -> backbones.Backbone | None:
  """The network; None where the features are given."""
  b = settings.backbone
  if settings.data.dataset == 'features':
    return None
  return backbones.load(b.name, b.weights, b.source, download=download)


def extract(
    settings: Settings,
    backbone: backbones.Backbone | None,
    pictures: Sequence[features.Picture],
    cohorts: Sequence[Cohort],
    run: pathlib.Path,
    environment: dict[str, Any],
    allow_mismatch: bool,
) -> tuple[np.ndarray, int]:
  """Features `[P, D]`, and how many were computed now."""
  source = cohorts[0].source
  if backbone is None:
    return source.matrix[[int(p.path) for p in pictures]], 0
  content = {c.path: dict(c.columns)['sha256'] for c in cohorts[0].included}
  how = extraction(settings)
  x, computed = features.extract(
      backbone,
      source,
      pictures,
      run / 'features',
      how,
      fingerprint=[
          [how.feature, how.image_size, how.resize],
          [backbone.name, backbone.source, backbone.weights_sha256],
          [[content[p.path], str(p.transform)] for p in pictures],
      ],
      environment=environment,
      allow_mismatch=allow_mismatch,
  )
  return x, computed


def forecast(
    settings: Settings,
    backbone: backbones.Backbone | None,
    source: sources.Source,
    samples: Sequence[samples_lib.Samples],
) -> str:
  """What --dry_run says: numbers, sizes and arithmetic, before any is done."""
  how = extraction(settings)
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
  heads = 1 + settings.cluster.k * (1 + settings.heads.random_runs)
  heads *= len(samples)
  # Each random head sees as many images as its cluster's.
  passes = n * (2 + settings.heads.random_runs) * settings.heads.epochs
  folds = f' (over {len(samples)} folds)' if len(samples) > 1 else ''
  return '\n'.join([
      f'{n} training, {validation} validation and {test} test images{folds}'
      f' show {pictures} pictures.',
      f'Features: {d} numbers each, {pictures * d * 4 / 1e6:.1f} MB on disk,'
      f' {flops * pictures / 1e12:.2f} TFLOP.',
      f'{heads} heads: at most {passes} image passes,'
      f' {passes * d * 4 / 1e12:.2f} TFLOP.',
  ])

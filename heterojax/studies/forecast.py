"""What --dry_run says: numbers, sizes and arithmetic, before any is done."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from heterojax import backbones
from heterojax import features
from heterojax.backbones import flops as flops_lib
from heterojax.compute import cores
from heterojax.compute import forward
from heterojax.compute import row_blocks
from heterojax.datasets import sources
from heterojax.finetuning import steps
from heterojax.heads import optimum
from heterojax.heads import penalty
from heterojax.heads.ensemble import Training
from heterojax.records.codec import Missing
from heterojax.studies import counters
from heterojax.studies import memory as memory_lib
from heterojax.studies import prospects
from heterojax.studies import samples as samples_lib
from heterojax.studies import stages
from heterojax.studies.answer import measure
from heterojax.studies.answer import stage
from heterojax.studies.settings import Settings
from heterojax.studies.study import Study


def forecast(
  study: Study,
  settings: Settings,
  backbone: backbones.Backbone | None,
  source: sources.Source,
  samples: Sequence[samples_lib.Samples],
  external: int = 0,
  target: str = '',
) -> str:
  """The forecast of a study.

  Args:
    study: which one.
    settings: of the study.
    backbone: see `stages.load_backbone`.
    source: of the images.
    samples: of every fold (of every size), see `stages.collect`.
    external: images of a second data set.
    target: one of `targets.NAMES`, whose stages are forecast too; '' for none.

  Returns:
    Five sentences, a line each; with a target also a table of its stages.

  Raises:
    UserError: if the heads do not fit into the target.
  """
  how = stages.extraction(settings)
  pictures = len(samples[0].pictures)
  if backbone is None:
    assert isinstance(source, sources.GivenFeatures)
    d, flops = source.matrix.shape[1], 0.0
  else:
    d = features.dim(backbone, how)
    flops = flops_lib.per_image(backbone, how.image_size)
  n, validation, test = (
    sum(len(fold.of(split)) for fold in samples) for split in samples_lib.SPLITS
  )
  folds = f' (over {len(samples)} folds)' if len(samples) > 1 else ''
  used = (
    f'{n} training, {validation} validation and {test} test images{folds}'
    f' show {pictures} pictures.'
  )
  if external:
    used += f' A second data set adds {external}.'
    pictures += external
  if settings.backbone.train == 'full':
    # Every network has features of its own.
    pictures = n + validation + test
  stored = (
    f'Features: {d} numbers each, {_mb(pictures * d * 4)} on disk,'
    f' {_work(pictures, flops)}.'
  )
  training = stages.training(settings, samples[0].classes)
  trained = _training(
    study, settings, training, source, len(samples), n, d, flops
  )
  heads = study.heads(settings, source, len(samples), n)
  analysed = memory_lib.of_analysis(settings, samples, pictures, d, heads)
  needed = _memory(settings, training, backbone, pictures, d, analysed)
  asked = _asked(settings, samples, d)
  lines = [used, stored, trained, asked, needed]
  if target:
    of_features = 4.0 * pictures * d
    if backbone is not None:
      of_features = float(sum(memory(backbone, how, pictures)))
    host = prospects.host_memory(of_features, analysed)
    lines.append(
      prospects.on_target(
        target, settings, backbone, source, samples, pictures, d, heads, host
      )
    )
  return '\n'.join(lines)


def _asked(
  settings: Settings, samples: Sequence[samples_lib.Samples], width: int
) -> str:
  """What the answer takes."""
  if why := stage.why_not(settings):
    return f'No question of the answer has a p-value: {why}.'
  folds, k = settings.split.folds, settings.cluster.k
  n = max(int(np.sum(fold.is_original)) for fold in samples)
  classes = len(samples[0].classes)
  draws, why = stage.draws(settings, n, width, classes)
  if why:
    return (
      f'The answer: {settings.verdict.exchanges} exchanges of test images; the'
      f' other questions have no p-value, because {why}.'
    )
  heads = measure.heads(draws, n, k, folds, classes)
  fewer = ''
  if draws.worlds < settings.verdict.worlds:
    fewer = (
      f' ({draws.worlds} worlds, which is what'
      f' --config.verdict.seconds={settings.verdict.seconds} allows)'
    )
  return (
    f'The answer: at most {heads} logistic heads at their optimum{fewer}, and'
    f' {settings.verdict.exchanges} exchanges of test images.'
  )


class Memory(NamedTuple):
  """Bytes that a part of a study holds at the same time.

  Attributes:
    device: weights, maps and what else the network's program needs, of all
      cores that run it, or on each of several devices.
    images: batches that are decoded, or wait for the network.
    features: of all pictures.
  """

  device: int
  images: int
  features: int


def memory(
  backbone: backbones.Backbone, extraction: features.Extraction, pictures: int
) -> Memory:
  """What the extraction of features takes, compiled and not run."""
  shape = features.batch_shape(extraction, pictures)
  network, params = features.network(backbone, extraction)
  planned = forward.programs(network, params, shape)[0].memory_analysis()
  assert planned is not None  # See `steps.step_bytes`.
  weights = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
  at_once = 1 if forward.by_devices() else cores.number()
  program = (
    planned.argument_size_in_bytes
    - weights
    + planned.output_size_in_bytes
    + planned.temp_size_in_bytes
  )
  # See `features.decoded` and `features.extract`.
  batches = features.DECODED_AHEAD + 2 + forward.ahead(shape[0])
  d = features.dim(backbone, extraction)
  return Memory(
    device=weights + at_once * program,
    images=4 * batches * int(np.prod(shape)),
    features=4 * pictures * d,
  )


def _memory(
  settings: Settings,
  training: Training,
  backbone: backbones.Backbone | None,
  pictures: int,
  d: int,
  analysed: float,
) -> str:
  """What a study needs, at its largest stage."""
  need = Memory(0, 0, 4 * pictures * d)
  where = ''
  if backbone is not None:
    how = stages.extraction(settings)
    if settings.backbone.train == 'full':
      size = settings.fine_tuning.batch_size
      shape = (size, how.image_size, how.image_size, 3)
      need = need._replace(
        device=steps.step_bytes(
          backbone, training.task, d, training.widths, shape
        ),
        images=4 * (features.DECODED_AHEAD + 2) * int(np.prod(shape)),
      )
    else:
      need = memory(backbone, how, pictures)
    if forward.by_devices():
      where = f' on each of {len(jax.local_devices())} devices'
  programs, copies = memory_lib.PROGRAMS, memory_lib.COPIES
  held = f'{_mb(need.features)} for the features, up to {copies} times'
  if row_blocks.is_large(pictures, d):
    need = need._replace(features=0)
    held = f'{_mb(analysed)} for what hangs on the features, which are mapped,'
  most = programs + max(sum(need), analysed)
  return (
    f'Memory: about {_mb(most)} at the most, of which {_mb(programs)} for'
    ' Python, JAX and compiled programs;'
    f' {_mb(need.device)} for the network{where}, {_mb(need.images)} for'
    f' batches of images and {held} while they are analysed.'
  )


def _mb(size: float) -> str:
  return f'{size / 1e6:.1f} MB'


def _work(times: int, each: float | Missing) -> str:
  if isinstance(each, Missing):
    return f'FLOP not counted ({each.why})'
  return _flop(times * each)


def _flop(work: float) -> str:
  if work < 1e12:
    return f'{work / 1e9:.2f} GFLOP'
  return f'{work / 1e12:.2f} TFLOP'


def _training(
  study: Study,
  settings: Settings,
  training: Training,
  source: sources.Source,
  parts: int,
  n: int,
  d: int,
  flops: float | Missing,
) -> str:
  """What is trained.

  Args:
    study: which one.
    settings: of the study.
    training: of each head.
    source: of the images.
    parts: folds of all sizes.
    n: training images of all of them.
    d: length of a feature vector.
    flops: of the network, per image.
  """
  heads = study.heads(settings, source, parts, n)
  if heads is None:
    return 'Predictions are given: no heads are trained.'
  if settings.backbone.train == 'full':
    passes = n * settings.fine_tuning.epochs
    # A gradient takes about twice what its function takes.
    return (
      f'{parts} networks: at most {passes} image passes,'
      f' {_work(3 * passes, flops)}.'
    )
  if settings.at_optimum:
    chosen, values = '.', len(penalty.VALUES)
    if not settings.heads.c:
      chosen = (
        f'; and {values * optimum.FOLDS * parts} fits that choose C'
        f' ({values} values, {optimum.FOLDS} parts of the training images).'
      )
    return (
      f'{heads.number} heads at their optimum, without epochs, on'
      f' {heads.passes} training images together{chosen}'
    )
  passes = heads.passes * settings.heads.epochs
  work = passes * sum(counters.flops_per_row(training, d))
  return f'{heads.number} heads: at most {passes} image passes, {_flop(work)}.'

"""The stages that both studies share: from the data set to its features."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import functools
import logging
import pathlib
import time
from typing import Any

import jax
import numpy as np

from heterojax import backbones
from heterojax import cluster
from heterojax import datasets
from heterojax import features
from heterojax.backbones import exported
from heterojax.cluster.partitions import Algorithm
from heterojax.compute import collectives
from heterojax.compute import cores
from heterojax.compute import forward
from heterojax.compute import row_blocks
from heterojax.datasets import demo
from heterojax.datasets import hands
from heterojax.datasets import ready
from heterojax.datasets import restriction
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.features import given
from heterojax.features import shards
from heterojax.heads import ensemble
from heterojax.run import interruption
from heterojax.run import progress
from heterojax.studies import checks
from heterojax.studies import partition
from heterojax.studies import samples as samples_lib
from heterojax.studies.settings import Reduction
from heterojax.studies.settings import Settings

_LOG = logging.getLogger(__name__)
_IGNORED = (
  'The file says what a model predicted. The retraining study trains heads of'
  ' its own and does not use it; the sample-size study scores it.'
)
_MADE_UP = {
  'demo': functools.partial(demo.write_cohort, cohort='planted'),
  'demo_hands': hands.write_cohort,
} | {
  f'demo_{name}': functools.partial(demo.write_cohort, cohort=name)
  for name in demo.COHORTS[1:]
}


class Timer:
  """Seconds, units of work and rates per stage."""

  def __init__(self):
    # Numbers, or `codec.Missing` for what cannot be counted.
    self.stages: dict[str, dict[str, Any]] = {}

  @contextlib.contextmanager
  def stage(self, name: str, unit: str = '') -> Iterator[Callable[[int], None]]:
    """Times a stage; the yielded function takes how many units it did."""
    interruption.check()
    _LOG.info('%s ...', name.capitalize())
    counts: list[int] = []
    start = time.perf_counter()
    trace = jax.profiler.TraceAnnotation(name)  # For --profile.
    with trace, progress.heartbeat(name):
      yield counts.append
    seconds = time.perf_counter() - start
    self.stages[name] = {'seconds': seconds}
    if counts:
      self.stages[name][unit] = sum(counts)
    if sum(counts):
      self.stages[name][f'{unit}_per_second'] = sum(counts) / seconds
    _LOG.info('%s: %.1f s', name.capitalize(), seconds)


def read(
  settings: Settings, run: pathlib.Path, earlier: Inspections
) -> tuple[Cohort, ...]:
  """The selected candidates: one cohort, or one per file of features."""
  d = settings.data
  if d.files:
    if d.dataset != 'features':
      raise UserError(
        '--config.data.files names files of features: use'
        ' --config=configs/features.py, or --config.data.dir.'
      )
    found = ready.read_files(d.files, d.named, d.task, d.choices)
    cohorts = [restriction.restrict(cohort, d.where) for cohort in found]
  else:
    cohorts = (read_one(settings, run),)
  if not settings.split.named:
    cohorts = tuple(map(splits.unnamed, cohorts))
  distinct = settings.split.protocol == 'clean' and not d.files
  chosen = (selected(settings, cohort, distinct, earlier) for cohort in cohorts)
  return tuple(partition.restrict(settings.cluster, own) for own in chosen)


def selected(
  settings: Settings, cohort: Cohort, distinct: bool, earlier: Inspections
) -> Cohort:
  """The cohort with its images selected, see `selection.select`."""
  return selection.select(
    cohort,
    seed=settings.seed,
    balance=settings.data.balance,
    distinct=distinct,
    max_bad_share=settings.data.max_bad_share,
    workers=_workers(settings),
    levels=settings.data.range,
    earlier=earlier,
  )


def _workers(settings: Settings) -> int:
  """Threads that decode."""
  return settings.features.workers or cores.number()


def read_one(settings: Settings, run: pathlib.Path) -> Cohort:
  """All candidates of the data set; images that are made up go to `run`."""
  d = settings.data
  path = pathlib.Path(d.dir).expanduser()
  if d.dataset in _MADE_UP:
    path = _MADE_UP[d.dataset](
      run / 'cohort',
      num_images=d.num_images,
      seed=settings.seed,
      image_size=d.image_size,
    )
  checks.require_data(d)
  return read_path(settings, path, d.named)


def read_path(
  settings: Settings,
  path: pathlib.Path,
  named: tuple[str, ...],
  incomplete: bool = False,
) -> Cohort:
  """All candidates of a folder or file, see `datasets.read` and `Choices`."""
  d = settings.data
  return datasets.read(
    d.dataset,
    path,
    named,
    task=d.task,
    where=d.where,
    group=d.group,
    choices=d.choices._replace(incomplete=incomplete),
  )


def split(
  settings: Settings, cohort: Cohort, *, predictions: bool = False
) -> tuple[Cohort, ...]:
  """One cohort per fold.

  Args:
    settings: of the study.
    cohort: with its candidates selected.
    predictions: whether those that the source gives are scored, so that no head
      is trained and none needs a validation part; nor do heads at their
      optimum.

  Returns:
    The folds, or the one split.

  Raises:
    UserError: if the split is impossible, or the predictions cannot be scored.
  """
  how, validation_share = settings.split, settings.split.validation_share
  if predictions:
    _check_predictions(cohort)
  elif predicted(cohort.source) is not None:
    cohort = dataclasses.replace(cohort, notes=(*cohort.notes, _IGNORED))
  if predictions or settings.at_optimum:
    validation_share = 0.0
  return splits.assign(
    cohort,
    seed=settings.seed,
    protocol=how.protocol,
    test_share=how.test_share,
    validation_share=validation_share,
    # A file of features is one fold.
    folds=0 if settings.data.files else how.folds,
  )


def collect(
  settings: Settings, cohorts: Sequence[Cohort]
) -> tuple[samples_lib.Samples, ...]:
  """For each fold the training images with their copies, and the rest.

  Raises:
    UserError: if there are too few images for the settings.
  """
  column = settings.data.subpopulation
  columns = {name: None for c in cohorts[0].included for name, _ in c.columns}
  if column and column not in columns:
    raise UserError(
      f'There is no column {column!r} (--config.data.subpopulation): the data'
      f' set has {", ".join(columns)}.'
    )
  samples = samples_lib.collect(
    cohorts, seed=settings.seed, factors=settings.augmentation.factors
  )
  _check_differ(cohorts[0].source, samples)
  n, k = min(len(fold.of('train')) for fold in samples), settings.cluster.k
  if k > n:
    raise UserError(
      f'There are {n} training images for {k} clusters: choose a smaller'
      ' --config.cluster.k.'
    )
  _check_components(settings, n, 'training images')
  return samples


def check_dim(
  settings: Settings,
  source: sources.Source,
  backbone: backbones.Backbone | None,
) -> None:
  """Raises a UserError where there are fewer features than components."""
  _check_components(settings, dim(settings, source, backbone), 'features')


def dim(
  settings: Settings,
  source: sources.Source,
  backbone: backbones.Backbone | None,
) -> int:
  """Length of a feature vector, D."""
  if backbone is None:
    assert isinstance(source, sources.GivenFeatures)
    return source.matrix.shape[1]
  return features.dim(backbone, extraction(settings))


def _check_components(settings: Settings, most: int, of: str) -> None:
  """Raises a UserError where fewer components can be had than are rejected."""
  if (q := settings.reduction.rejected) > most:
    raise UserError(
      f'There are {most} {of} for {q} principal components: choose a smaller'
      ' --config.reduction.rejected.'
    )


def components(
  reduction: Reduction, n: int, width: int, wanted: int
) -> int | float:
  """How many components there are to be of `[n, width]`, or their share.

  Raises:
    UserError: if a share of the variance needs more of them than are found.
  """
  if reduction.rule != 'variance':
    return min(wanted, n, width)
  if cluster.approximate(n, width):
    raise UserError(
      f'All principal components of {n:,} images and {width:,} features are too'
      ' many to tell how many explain a share of the variance: leave'
      ' --config.reduction.rule=fixed.'
    )
  return reduction.variance


def _check_differ(
  source: sources.Source, samples: Sequence[samples_lib.Samples]
) -> None:
  """Raises a UserError where given features are the same for all images."""
  if not isinstance(source, sources.GivenFeatures):
    return
  for fold in samples:
    x = source.matrix
    rows = np.array([int(fold.pictures[row].path) for row in fold.row])
    if all(np.all(part == x[rows[0]]) for part in row_blocks.of(x, rows)):
      raise UserError(
        f'All {len(rows)} images of {source.name} have the same features, so'
        ' there is nothing to cluster: look at what made them.'
      )


def extraction(settings: Settings) -> features.Extraction:
  return features.Extraction(
    feature=settings.backbone.feature,
    image_size=settings.data.image_size,
    resize=settings.data.resize,
    batch_size=forward.batch_size(settings.features.batch_size),
    workers=_workers(settings),
    dtype=settings.backbone.dtype,
    precision=settings.backbone.precision,
    levels=settings.data.range,
  )


def load_backbone(
  settings: Settings, *, download: bool
) -> backbones.Backbone | None:
  """The network; None where the features are given."""
  b = settings.backbone
  if settings.data.dataset == 'features':
    return None
  if b.name.startswith(exported.PREFIX):
    return exported.load(b.name, b.normalisation, settings.data.image_size)
  return backbones.load(
    b.name,
    b.weights,
    b.source,
    download=download,
    trainable=b.train == 'full',
    folded=settings.fine_tuning.batch_norm == 'folded',
    top=False,
  )


def require_weights(settings: Settings, *, download: bool) -> None:
  """Raises a UserError where the network's published weights are not here."""
  b = settings.backbone
  if settings.data.dataset != 'features' and b.name in backbones.ARCHITECTURES:
    backbones.locate(b.name, b.weights, b.source, download=download)


def contents(cohorts: Sequence[Cohort]) -> dict[str, str]:
  """Path of every image that is used to the digest of its file."""
  return {
    c.path: dict(c.columns)['sha256']
    for cohort in cohorts
    for c in cohort.included
  }


def unchanged(cohorts: Sequence[Cohort]) -> sources.Source:
  """Their source, which gives no image but those that were inspected."""
  source = cohorts[0].source
  if isinstance(source, sources.ImageSource):
    return sources.Unchanged(source, contents(cohorts))
  return source


def plan(
  settings: Settings,
  backbone: backbones.Backbone,
  pictures: Sequence[features.Picture],
  cohorts: Sequence[Cohort],
  compiled_for: int = 0,
) -> features.Plan:
  """What features are computed of.

  Args:
    settings: of the study.
    backbone: see `load_backbone`.
    pictures: of the cohorts.
    cohorts: of all folds.
    compiled_for: see `features.Plan`.

  Returns:
    The plan; it reads no image that is not the one that was inspected.
  """
  source = unchanged(cohorts)
  assert isinstance(source, sources.Unchanged)
  how = extraction(settings)
  return features.Plan(
    backbone,
    source,
    tuple(pictures),
    how,
    fingerprint=[
      [
        *(how.feature, how.image_size, how.resize, how.dtype, how.levels),
        # Features that were computed before there was a choice stay valid.
        *([] if how.precision == 'highest' else [how.precision]),
      ],
      backbone.identity,
      [[source.sha256[p.path], str(p.transform)] for p in pictures],
    ],
    compiled_for=compiled_for,
  )


def extract(
  settings: Settings,
  backbone: backbones.Backbone | None,
  pictures: Sequence[features.Picture],
  cohorts: Sequence[Cohort],
  run: pathlib.Path,
  name: str = 'features',
  compiled_for: int = 0,
) -> features.Features:
  """Features of all pictures, computed or given.

  Args:
    settings: of the study.
    backbone: see `load_backbone`.
    pictures: of the cohorts.
    cohorts: of all folds.
    run: the run folder.
    name: where they are kept in it.
    compiled_for: see `features.Plan`.

  Returns:
    The features.

  Raises:
    UserError: if there are shards of them and they cannot be joined, or a file
      has changed since it was inspected.
  """
  if backbone is None:
    source = cohorts[0].source
    assert isinstance(source, sources.GivenFeatures)
    rows = np.array([int(p.path) for p in pictures])
    content = contents(cohorts)
    sha256 = [content[p.path] for p in pictures]
    return given.gather(source, rows, run / name, sha256)
  chosen = plan(settings, backbone, pictures, cohorts, compiled_for)
  shards.join(chosen, run / name)
  # Only the data set itself do the other processes know.
  together = name == 'features' and collectives.number() > 1
  return features.extract(chosen, run / name, together=together)


def predicted(source: sources.Source) -> np.ndarray | None:
  """`[rows]` what the source says was predicted, if it says anything."""
  if not isinstance(source, sources.GivenFeatures):
    return None
  return source.predictions


def predictions(
  cohorts: Sequence[Cohort], samples: samples_lib.Samples
) -> np.ndarray | None:
  """`[P]` what a file of features says was predicted; None without that."""
  known = predicted(cohorts[0].source)
  if known is None:
    return None
  return known[[int(p.path) for p in samples.pictures]]


def _check_predictions(cohort: Cohort) -> None:
  """Raises a UserError where given predictions cannot be scored."""
  known, name = predicted(cohort.source), cohort.source.name
  assert known is not None
  used = known[[int(c.path) for c in cohort.included]]
  if missing := int(np.sum(np.isnan(used))):
    odd = ready.NO_PREDICTION if cohort.classes else 'no number'
    raise UserError(
      f'{missing} of {len(used)} images of {name} have no prediction, or'
      f' one that is {odd}: mend the column, or take it out, and heads are'
      ' trained.'
    )
  if not any(c.split for c in cohort.included):
    raise UserError(
      f'{name} holds predictions and does not say which rows their network'
      ' was trained on: add a column split, phase or fold, or take the'
      ' predictions out, and heads are trained.'
    )


def validation(samples: samples_lib.Samples) -> np.ndarray:
  """Positions that early stopping looks at.

  Where the protocol has no validation part they are the test set: Wang 2023
  monitors "the validation set" and names no third part [inferred].
  """
  kept = samples.of('validation')
  return kept if len(kept) else samples.of('test')


def training(
  settings: Settings, classes: Sequence[str] = ()
) -> ensemble.Training:
  """How every head is trained.

  Args:
    settings: of the study.
    classes: of more than two, each has an output.
  """
  h = settings.heads
  several = len(classes) > 2
  return ensemble.Training(
    epochs=h.epochs,
    patience=h.patience,
    batch_size=h.batch_size,
    learning_rate=h.learning_rate,
    monitor=h.monitor,
    l2=h.l2,
    task='multiclass' if several else settings.data.task,
    widths=(len(classes),) if several else h.widths,
  )


def algorithm(settings: Settings, **changed: Any) -> Algorithm:
  """The clustering of the study."""
  c = settings.cluster
  fields = {
    'method': c.method,
    'k': c.k,
    'n_init': c.n_init,
    'max_iter': c.max_iter,
    'tol': c.tol,
    'fuzzifier': c.fuzzifier,
    'covariance': c.covariance,
  }
  return Algorithm(**fields | changed)


def check_finite(x: np.ndarray, pictures: Sequence[features.Picture]) -> None:
  """Raises a UserError where a network gave what is no number."""
  finite = np.concatenate([
    np.isfinite(block).all(axis=1) for block in row_blocks.of(x)
  ])
  if not finite.all():
    first = pictures[int(np.argmin(finite))]
    raise UserError(
      f'{int(np.sum(~finite))} images have features that are not finite, the'
      f' first is {first.path}: the weights do not fit this network.'
    )

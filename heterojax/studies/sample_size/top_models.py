"""Features and predictions of every part of a sample-size study.

"For every fold the image-based features (back model outputs) were extracted as
well as the model prediction (top model outputs)" (Mendez 2019, section 3). They
come from one frozen network and a head per part, from a network that was
trained for each part, or from files. A part is one fold of one sample size.
"""

from collections.abc import Sequence
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from heterojax import finetuning
from heterojax import rng
from heterojax.backbones import Backbone
from heterojax.datasets import sources
from heterojax.datasets.manifest import Cohort
from heterojax.features import Features
from heterojax.heads import ensemble
from heterojax.stats import metrics
from heterojax.studies import heads_stage
from heterojax.studies import stages
from heterojax.studies.samples import SPLITS
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings


class Learned(NamedTuple):
  """What the back and the top model of one part say of its samples.

  Attributes:
    x: `[P, D]` float32 features, those of other parts included.
    row: `[N]` int, the features of each sample.
    predicted: `[N]` float64, probabilities of the positive class or values of
      the target; of more than two classes their probabilities `[N, C]`.
    ranks: `[N]`, or `[N, C]`, logits where there are any, else logarithms of
      the probabilities of several classes, or what is predicted.
  """

  x: np.ndarray
  row: np.ndarray
  predicted: np.ndarray
  ranks: np.ndarray


class Part(NamedTuple):
  """One fold of one sample size.

  Attributes:
    n: the sample size.
    fold: its number.
    samples: of the part, split.
  """

  n: int
  fold: int
  samples: Samples


def given(
  x: np.ndarray, predictions: np.ndarray, parts: Sequence[Part]
) -> list[Learned]:
  """Features and predictions of a file, `[P, D]` and `[P]`, as they are.

  Those of more than two classes are codes, of which nothing else is likely.
  """
  rows, classes = [p.samples.row for p in parts], len(parts[0].samples.classes)
  if classes > 2:
    known = np.nan_to_num(predictions).astype(int)
    missing = np.isnan(predictions)[:, np.newaxis]
    predictions = np.where(missing, np.nan, np.eye(classes)[known])
  return [Learned(x, row, predictions[row], predictions[row]) for row in rows]


def frozen(
  settings: Settings,
  features: Features,
  parts: Sequence[Part],
  folder: pathlib.Path,
) -> tuple[list[Learned], heads_stage.Trained]:
  """One head per part; what they say, and how they were trained."""
  x = features.x
  trained = heads_stage.train(
    settings,
    folder,
    features,
    [
      heads_stage.Part(
        samples,
        [
          ensemble.Member(
            rows=samples.row[samples.of('train')],
            validation=samples.row[stages.validation(samples)],
            init_key=_key(settings, rng.Purpose.INITIALISATION, n, fold),
            order_key=_key(settings, rng.Purpose.ORDER, n, fold),
          )
        ],
        _key(settings, rng.Purpose.PENALTY, n, fold),
      )
      for n, fold, samples in parts
    ],
    [{'n': part.n, 'fold': part.fold} for part in parts],
  )
  learned = [
    _learned(
      part.samples,
      x,
      part.samples.row,
      said[part.samples.row],
    )
    for part, said in zip(parts, trained.outputs, strict=True)
  ]
  return learned, trained


def fine_tuned(
  settings: Settings,
  backbone: Backbone,
  cohorts: Sequence[Cohort],
  parts: Sequence[Part],
  folder: pathlib.Path,
) -> tuple[list[Learned], list[finetuning.Work]]:
  """Back and top model trained together for each part, one after another.

  Returns:
    What they say, and what was done for each now.
  """
  f = settings.fine_tuning
  first = parts[0].samples
  how = stages.training(settings, first.classes)
  tuning = finetuning.Tuning(
    task=how.task,
    widths=how.widths,
    epochs=f.epochs,
    patience=f.patience,
    batch_size=f.batch_size,
    learning_rate=f.learning_rate,
    weight_decay=f.weight_decay,
    monitor=settings.heads.monitor,
    batch_norm=f.batch_norm,
  )
  source = stages.unchanged(cohorts)
  assert isinstance(source, sources.Unchanged)
  learned, done = [], []
  for n, fold, samples in parts:
    row = {split: samples.row[samples.of(split)] for split in SPLITS}
    tuned, work = finetuning.fine_tune(
      backbone,
      source,
      first.pictures,
      first.y_of_pictures,
      finetuning.Job(
        train=row['train'],
        validation=samples.row[stages.validation(samples)],
        test=row['test'],
        init_key=_key(settings, rng.Purpose.INITIALISATION, n, fold),
        order_key=_key(settings, rng.Purpose.ORDER, n, fold),
      ),
      tuning,
      stages.extraction(settings),
      folder / 'checkpoints' / f'n{n}_fold{fold}',
      contents=[source.sha256[p.path] for p in first.pictures],
    )
    done.append(work)
    at = np.searchsorted(tuned.rows, samples.row)
    learned.append(_learned(samples, tuned.features, at, tuned.outputs[at]))
  return learned, done


def _key(
  settings: Settings, purpose: rng.Purpose, n: int, fold: int
) -> jax.Array:
  return rng.key(settings.seed, purpose, n, fold)


def _learned(
  samples: Samples, x: np.ndarray, row: np.ndarray, outputs: np.ndarray
) -> Learned:
  """What was learned, from outputs that are logits or values of a target."""
  outputs, classes = np.asarray(outputs, np.float64), len(samples.classes)
  if not classes:
    return Learned(x, row, outputs, outputs)
  return Learned(x, row, metrics.probabilities(outputs, classes), outputs)

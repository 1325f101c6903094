"""The stage that asks the three questions, or finds them asked.

Axes: N originals of all folds, T folds, K clusters, D features.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import json
import logging
import pathlib
from typing import NamedTuple

import numpy as np

from heterojax import rng
from heterojax.compute.arrays import Array
from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.run import checkpoint
from heterojax.studies.answer import budget
from heterojax.studies.answer import measure
from heterojax.studies.answer.measure import Found
from heterojax.studies.answer.records import Measured
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

_LOG = logging.getLogger(__name__)
PUBLISHED = (
  'with protocol=published training may hold copies of what tests, and early'
  ' stopping may look at it'
)


def why_not(settings: Settings) -> str:
  """Why no question can be asked, whatever the data; '' where they can."""
  if settings.split.protocol == 'published':
    return PUBLISHED
  if not settings.verdict.worlds:
    return 'it was not asked (--config.verdict.worlds=0)'
  return ''


def why_uneven_alone(settings: Settings) -> str:
  """Why only one question has a p-value; '' where all have."""
  if settings.data.task == 'regression':
    return 'labels are numbers, and this question is asked of classes only'
  if settings.backbone.train == 'full':
    return (
      'the network learned from these labels, and would have to be trained anew'
      ' in every draw'
    )
  return ''


def draws(
  settings: Settings, n: int, width: int, classes: int
) -> tuple[measure.Draws, str]:
  """How many draws the tests make, and why heads are not refitted; '' if so.

  Args:
    settings: of the study.
    n: original images.
    width: features.
    classes: how many there are.
  """
  found = budget.within(
    settings.verdict,
    n,
    width,
    settings.split.folds,
    settings.cluster.k,
    classes,
  )
  why = why_uneven_alone(settings)
  if isinstance(found, str):
    return budget.exchanges_alone(settings.verdict), why or found
  return found, why


class Asked(NamedTuple):
  """The three questions of a study.

  Attributes:
    measured: what was found, or why they were not asked.
    cvs: see `measure.Found`.
    now: how many were asked in this run.
  """

  measured: Measured | Missing
  cvs: np.ndarray | None
  now: int


class Originals:
  """The original images of all folds, each once.

  Attributes:
    ids: N.
    y: `[N]`, as `Samples.y`.
    units: `[N]` int, equal for images of one patient.
    rows: `[N]` int, their pictures in the first fold that has them.
    positions: T times `[N]` int, where a fold's samples have the image; -1 for
      one that the fold lacks.
  """

  def __init__(self, samples: Sequence[Samples]):
    where: dict[str, tuple[int, int]] = {}
    known = []
    for number, fold in enumerate(samples):
      own = {fold.ids[i]: int(i) for i in np.flatnonzero(fold.is_original)}
      known.append(own)
      for name, position in own.items():
        where.setdefault(name, (number, position))
    self.ids = tuple(where)
    self.y = np.array([samples[t].y[i] for t, i in where.values()])
    self.rows = np.array([samples[t].row[i] for t, i in where.values()])
    # A patient has one name in all folds.
    names = [
      (samples[t].groups[i] if samples[t].groups else '') or f'\0{name}'
      for name, (t, i) in where.items()
    ]
    self.units = np.unique(names, return_inverse=True)[1]
    self.positions = [
      np.array([own.get(name, -1) for name in self.ids]) for own in known
    ]

  def part(self, samples: Samples, fold: int, split: str) -> np.ndarray:
    """`[n]` int, which of them are in a part of a fold."""
    at = self.positions[fold]
    return np.flatnonzero((at >= 0) & (samples.split[at] == split))

  def rows_of(self, fold: int, samples: Samples) -> np.ndarray:
    """`[N]` int, their pictures in a fold, or else in one that has them."""
    at = self.positions[fold]
    return np.where(at >= 0, samples.row[at], self.rows)

  def of_fold(
    self, fold: int, values: np.ndarray, missing: float
  ) -> np.ndarray:
    """`[N]` of `[samples]` of a fold; `missing` where the fold lacks one."""
    at = self.positions[fold]
    return np.where(at >= 0, np.asarray(values)[at], missing)


def find_or_ask(
  settings: Settings,
  folder: pathlib.Path,
  samples: Sequence[Samples],
  labels: Sequence[np.ndarray],
  wrong: Sequence[np.ndarray],
  width: int,
  features: Callable[[Originals], Sequence[Array]],
  columns: Mapping[str, Mapping[str, str]],
  *,
  given: bool,
) -> Asked:
  """Asks the three questions of a study, or finds what an earlier run found.

  Args:
    settings: of the study.
    folder: the run folder; what was found is kept in `checkpoints/verdict`.
    samples: T folds.
    labels: T times `[samples]`, their clusters.
    wrong: T times `[samples]`, see `measure.Split`.
    width: D.
    features: of the originals, where heads are refitted, T times `[N, D]`; T
      times the same array where all folds have the same features.
    columns: of the data, see `audits.columns`.
    given: whether features are columns of a file.

  Returns:
    What was found.
  """
  k, task = settings.cluster.k, settings.data.task
  if why := why_not(settings):
    return Asked(Missing(why), None, 0)
  originals = Originals(samples)
  number, why = draws(
    settings, len(originals.y), width, len(samples[0].classes)
  )
  x = [] if why else features(originals)
  splits = [
    measure.Split(
      originals.part(fold, t, 'train'),
      originals.part(fold, t, 'test'),
      originals.of_fold(t, labels[t], -1).astype(int),
      originals.of_fold(t, wrong[t], 0.0).astype(float),
    )
    for t, fold in enumerate(samples)
  ]
  texts = {
    name: [cells.get(i, '') for i in originals.ids]
    for name, cells in columns.items()
  }
  path = folder / 'checkpoints' / 'verdict'
  distinct = list({id(array): array for array in x}.values())
  about = checkpoint.digest([
    settings.seed,
    dataclasses.asdict(settings.verdict),
    [k, task, given],
    [split._asdict() for split in splits],
    [originals.y, originals.units],
    {name: checkpoint.of_texts(cells) for name, cells in texts.items()},
    distinct,
  ])
  leaves = checkpoint.load(path, about)
  if leaves is not None:
    _LOG.info('Resuming: the questions of the answer are asked.')
    text = leaves['measured'].tobytes().decode()
    cvs = leaves.get('cvs')
    return Asked(codec.decode(Measured, json.loads(text)), cvs, 0)
  key = rng.key(settings.seed, rng.Purpose.VERDICT)
  if why:
    found = measure.uneven_alone(
      splits,
      None if task == 'regression' else originals.y,
      originals.units,
      k,
      key,
      number,
      why,
    )
  else:
    found = measure.classification(
      splits,
      x,
      originals.y,
      originals.units,
      k,
      key,
      number,
      standardised=given,
      classes=len(samples[0].classes),
      columns=texts,
    )
  _save(path, found, about)
  return Asked(found.measured, found.cvs, 1 if why else 3)


def _save(path: pathlib.Path, found: Found, about: str) -> None:
  text = json.dumps(codec.encode(found.measured)).encode()
  tree = {'measured': np.frombuffer(text, np.uint8)}
  if found.cvs is not None:
    tree['cvs'] = found.cvs
  checkpoint.save(path, tree, about)

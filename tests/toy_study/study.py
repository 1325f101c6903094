"""The toy study, from its plan to its page."""

from collections.abc import Sequence
import pathlib
from typing import NamedTuple

import numpy as np

from heterojax.backbones import Backbone
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Source
from heterojax.records import codec
from heterojax.records.foretell import Known
from heterojax.report import blocks
from heterojax.run import atomic
from heterojax.run import checkpoint
from heterojax.studies import records
from heterojax.studies import stages
from heterojax.studies.pages import common
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings
from heterojax.studies.study import Heads
from heterojax.studies.study import Rules
from heterojax.studies.study import Study
from toy_study.records import Half
from toy_study.records import Results

_HALVES = 2


class View(NamedTuple):
  """Lengths of the training images' features, `[N]` float64."""

  norm: np.ndarray


def rules(settings: Settings) -> Rules:
  """What must hold of the settings."""
  task = settings.data.task
  yield task == 'classification', f'The toy study has no task {task}.'


def plan(
  settings: Settings, folder: pathlib.Path, earlier: Inspections
) -> tuple[Cohort, ...]:
  """One split."""
  (cohort,) = stages.read(settings, folder, earlier)
  return stages.split(settings, cohort)


def known(settings: Settings, cohorts: Sequence[Cohort] | None) -> Known:
  """The number of halves."""
  del settings, cohorts
  return Known({'K': _HALVES})


def heads(settings: Settings, source: Source, parts: int, n: int) -> Heads:
  """It trains none."""
  del settings, source, parts, n
  return Heads(0, 0)


def run(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  backbone: Backbone | None,
  timer: stages.Timer,
) -> tuple[Results, View]:
  """See `study.Run`."""
  (own,) = samples
  with timer.stage('features', 'images') as count:
    features = stages.extract(settings, backbone, own.pictures, cohorts, folder)
    count(features.computed)
  with timer.stage('clusters'):
    norm, half = _halves(folder, features.x[own.row[own.of('train')]])
  y = own.y[own.of('train')]
  results = Results(
    records.VERSION,
    settings.study,
    settings.seed,
    records.network(settings, backbone, features.x.shape[1]),
    tuple(_half(y[half == i]) for i in range(_HALVES)),
    timings={},
    environment={},
  )
  return results, View(norm)


def _halves(
  folder: pathlib.Path, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Lengths of features, and whether each is above the median."""
  path, about = folder / 'checkpoints' / 'clusters', checkpoint.digest(x)
  leaves = checkpoint.load(path, about)
  if leaves is None:
    norm = np.linalg.norm(np.asarray(x, np.float64), axis=1)
    leaves = {'norm': norm, 'half': (norm > np.median(norm)).astype(np.int32)}
    checkpoint.save(path, leaves, about)
  return leaves['norm'], leaves['half']


def _half(y: np.ndarray) -> Half:
  share = float(np.mean(y)) if len(y) else None
  return Half(len(y), codec.estimate(share, 'the half is empty'))


def report(folder: pathlib.Path, results: Results, view: View) -> None:
  """A table, and a page with it."""
  table = blocks.Table(
    'halves',
    [
      blocks.Column('size', lambda half: half.size, 'Images'),
      blocks.Column(
        'positive_share', lambda half: codec.known(half.positive_share), 'Share'
      ),
    ],
    results.halves,
    f'The longest features have length {view.norm.max():.3f}.',
  )
  path = folder / 'tables' / 'halves.csv'
  atomic.write(path, table.csv())
  page = blocks.Page(
    'Halves',
    'Are images with large features of one class?',
    [],
    [
      blocks.Section('Halves', [table]),
      common.environment(results.environment, results.timings),
    ],
  )
  atomic.write(folder / 'report.html', blocks.html(page, {}))


TOY = Study(
  name='toy',
  defaults={'cluster.k': _HALVES, 'data.positive': 'disease'},
  rules=rules,
  plan=plan,
  manifest=lambda settings, cohorts, samples: cohorts[0],
  check=stages.check_dim,
  run=run,
  results=Results,
  view=View,
  known=known,
  heads=heads,
  outputs={
    'cluster': ('checkpoints/clusters*',),
    'features': ('features/*', 'checkpoints/n*_fold*'),
  },
  report=report,
)

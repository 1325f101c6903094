"""The sample-size study (Mendez 2019): does a CNN learn all clusters alike?

The functions follow the paper's section 3: sample sizes and 4-fold validation
(`plan`), features and predictions of every fold (`top_models`), principal
components (`components`), ten trainings of the clustering (`trainings`), the
coefficient of variation of the metric over the clusters (`cluster_cv`), and its
average over folds (`summary`).
"""

from collections import Counter
from collections.abc import Sequence
import itertools
import pathlib

import numpy as np

from heterojax.backbones import Backbone
from heterojax.datasets import leaks
from heterojax.datasets import sizes
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Source
from heterojax.errors import UserError
from heterojax.records.foretell import Known
from heterojax.run import atomic
from heterojax.studies import audits as audits_lib
from heterojax.studies import counters
from heterojax.studies import records
from heterojax.studies import stages
from heterojax.studies.answer import stage
from heterojax.studies.answer import unmeasured
from heterojax.studies.sample_size import audits
from heterojax.studies.sample_size import cluster_cv
from heterojax.studies.sample_size import cluster_tables
from heterojax.studies.sample_size import components
from heterojax.studies.sample_size import pages
from heterojax.studies.sample_size import rules
from heterojax.studies.sample_size import scoring
from heterojax.studies.sample_size import summary
from heterojax.studies.sample_size import top_models
from heterojax.studies.sample_size import trainings
from heterojax.studies.sample_size import view
from heterojax.studies.sample_size.defaults import DEFAULTS
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.top_models import Part
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings
from heterojax.studies.study import Heads
from heterojax.studies.study import Study


def plan(
  settings: Settings, folder: pathlib.Path, earlier: Inspections
) -> tuple[Cohort, ...]:
  """The folds of every sample size, smallest first.

  n images are drawn first and then split into folds, so that with 100 images
  and 4 folds 75 train: "the models were trained using 4-fold validation for
  every sample size". Files of ready features are a fold each, and their number
  of rows is the sample size.
  """
  read = stages.read(settings, folder, earlier)
  if settings.data.files:
    drawn = sorted(read, key=lambda cohort: len(cohort.candidates))
    sizes.check_files(settings.sizes, [len(c.candidates) for c in drawn])
  else:
    (cohort,) = read
    wanted = sizes.parse(settings.sizes or sizes.DEFAULT)
    drawn = sizes.draw(cohort, wanted, settings.seed, settings.nested)
  folds = [_split(settings, cohort) for cohort in drawn]
  return tuple(itertools.chain.from_iterable(folds))


def _split(settings: Settings, cohort: Cohort) -> tuple[Cohort, ...]:
  """The folds of one size; a mistake says which size it is."""
  given = stages.predicted(cohort.source) is not None
  try:
    return stages.split(settings, cohort, predictions=given)
  except UserError as error:
    which = f'A sample of {len(cohort.included)} images (--config.sizes)'
    if settings.data.files:
      n = len(cohort.candidates)
      which = f'A file of {n} rows (--config.data.files)'
    raise UserError(f'{which}: {error}') from error


def _n(settings: Settings, cohort: Cohort) -> int:
  """The sample size of a fold; a file's rows are its size, used or not."""
  return len(cohort.candidates if settings.data.files else cohort.included)


def _parts(
  settings: Settings, cohorts: Sequence[Cohort], samples: Sequence[Samples]
) -> list[Part]:
  """Numbers the folds of each size."""
  parts: list[Part] = []
  for cohort, fold in zip(cohorts, samples, strict=True):
    n = _n(settings, cohort)
    parts.append(Part(n, sum(part.n == n for part in parts), fold))
  return parts


def manifest(
  settings: Settings, cohorts: Sequence[Cohort], samples: Sequence[Samples]
) -> Cohort:
  """One cohort for the manifest, see `studies.study.Study`."""
  parts = _parts(settings, cohorts, samples)
  return sizes.of_all_parts(cohorts, [(part.n, part.fold) for part in parts])


def run(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  backbone: Backbone | None,
  timer: stages.Timer,
) -> tuple[Results, view.View]:
  """The whole study, see `studies.study.Run`."""
  parts = _parts(settings, cohorts, samples)
  predictions, fits, flops = None, None, 0.0
  if settings.backbone.train == 'full' and backbone is not None:
    with timer.stage('training', 'networks') as count:
      learned, done = top_models.fine_tuned(
        settings, backbone, cohorts, parts, folder
      )
      count(sum(work.trained > 0 for work in done))
    counters.of_training(settings, backbone, done, timer)
  else:
    with timer.stage('features', 'images') as count:
      features = stages.extract(
        settings, backbone, samples[0].pictures, cohorts, folder
      )
      count(features.computed)
    stages.check_finite(features.x, samples[0].pictures)
    counters.of_features(settings, backbone, features.computed, timer)
    predictions = stages.predictions(cohorts, samples[0])
    with timer.stage('heads', 'heads') as count:
      if predictions is not None:
        learned = top_models.given(features.x, predictions, parts)
        count(0)
      else:
        learned, trained_now = top_models.frozen(
          settings, features, parts, folder
        )
        fits, flops = trained_now.fits, trained_now.flops
        count(trained_now.now)
    counters.of_heads(settings, flops, timer)
  with timer.stage('clusters', 'clusterings') as count:
    reduced = [
      components.reduce(settings, part, said)
      for part, said in zip(parts, learned, strict=True)
    ]
    trained, now = trainings.find_or_train(settings, folder, parts, reduced)
    count(now)
  with timer.stage('evaluation'):
    scored = [
      scoring.score(settings, part.samples, said)
      for part, said in zip(parts, learned, strict=True)
    ]
    clustered = cluster_cv.analyse(settings, parts, reduced, scored, trained)
    folds = clustered[-1].folds
    largest = slice(-len(folds), None)
    audited = audits.audit(cohorts[largest], learned[largest], folds)
  with timer.stage('verdict', 'questions') as count:
    asked = ask(
      settings,
      folder,
      cohorts[largest],
      parts[largest],
      learned[largest],
      folds,
    )
    count(asked.now)
  with timer.stage('results'):
    results = summary.summarise(
      settings,
      cohorts,
      backbone,
      learned,
      clustered,
      audited,
      predictions_given=predictions is not None,
      fits=fits,
      asked=asked,
    )
  atomic.write(
    folder / 'clusters.csv',
    cluster_tables.clusters_csv(settings, clustered, learned),
  )
  atomic.write(
    folder / 'tables' / 'leaks.csv', leaks.leaks_csv(audited.all_leaks)
  )
  return results, view.view(folds[0])


def ask(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  parts: Sequence[Part],
  learned: Sequence[top_models.Learned],
  folds: Sequence[cluster_cv.FoldClusters],
) -> stage.Asked:
  """The three questions of the answer, on the folds of the largest size."""

  def wrong(part: Part, said: top_models.Learned) -> np.ndarray:
    answered = scoring.answers(said.predicted, part.samples.classes)
    if not part.samples.classes:
      return (answered - part.samples.y) ** 2
    return answered != part.samples.y

  def features(originals: stage.Originals) -> list[np.ndarray]:
    at = originals.positions
    return [said.x[said.row[i]] for said, i in zip(learned, at, strict=True)]

  return stage.find_or_ask(
    settings,
    folder,
    [part.samples for part in parts],
    [fold.clusters for fold in folds],
    [wrong(*of_part) for of_part in zip(parts, learned, strict=True)],
    learned[0].x.shape[1],
    features,
    audits_lib.columns(cohorts),
    given=settings.data.dataset == 'features',
  )


def known(settings: Settings, cohorts: Sequence[Cohort] | None) -> Known:
  """What the settings and the cohorts tell of the results to come."""
  lengths: dict[str, int | tuple[int, ...]] = {'K': settings.cluster.k}
  names, given = records.names_of_classes(settings, cohorts), False
  if cohorts is not None:
    folds = Counter(_n(settings, cohort) for cohort in cohorts)
    lengths |= {'S': len(folds), 'T': tuple(folds.values())}
    given = stages.predicted(cohorts[0].source) is not None
  regression = settings.data.task == 'regression'
  absent = {'dataset.target'}
  if given or not settings.at_optimum:
    absent.add('heads')
  if regression:
    absent = {'heads', 'dataset.class_counts', 'sizes.folds.scores.tp'}
  null = {
    'sizes.folds.cv_by_components': settings.reduction.rule
    != 'minimum_mode_cv',
    'sizes.fuzzifiers': settings.cluster.method != 'fuzzy',
    'published': not settings.published,
    'one_rule_band': bool(
      stage.why_not(settings) or stage.why_uneven_alone(settings)
    ),
  }
  return Known(
    lengths,
    names,
    records.nowhere(settings),
    unmeasured.ABSENT | absent,
    unmeasured.null(settings)
    | {path for path, is_null in null.items() if is_null},
  )


def heads(
  settings: Settings, source: Source, parts: int, training: int
) -> Heads | None:
  """One head for each fold of each size."""
  del settings
  if stages.predicted(source) is not None:
    return None
  return Heads(parts, training)


def check(
  settings: Settings, source: Source, backbone: Backbone | None
) -> None:
  """Nothing: of too few features all components are taken."""
  del settings, source, backbone


SAMPLE_SIZE = Study(
  name='sample_size',
  defaults=DEFAULTS,
  rules=rules.rules,
  plan=plan,
  manifest=manifest,
  check=check,
  run=run,
  results=Results,
  view=view.View,
  known=known,
  heads=heads,
  outputs={
    'heads': ('checkpoints/heads*',),
    'verdict': ('checkpoints/verdict*',),
    'cluster': ('checkpoints/clusters*',),
    'features': ('features/*', 'checkpoints/n*_fold*'),
  },
  report=pages.write,
)

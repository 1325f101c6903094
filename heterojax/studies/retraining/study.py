"""The retraining study (Wang 2023): does each cluster teach the same thing?

The functions follow the paper's methods section, in its order: Extract image
features, Cluster analysis (`clustering`), Retrain on each of the clusters,
Train on random images of the same size, Statistics (`results`). Where the data
are split into folds, all of this is done in each. Axes: see `outcome`.
"""

from collections.abc import Sequence
import itertools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax import rng
from heterojax.backbones import Backbone
from heterojax.datasets import leaks
from heterojax.datasets import splits
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import manifest_csv
from heterojax.datasets.sources import Source
from heterojax.heads import ensemble
from heterojax.records.codec import Missing
from heterojax.records.foretell import Known
from heterojax.run import run_folder
from heterojax.studies import audits
from heterojax.studies import counters
from heterojax.studies import heads_stage
from heterojax.studies import samples as samples_lib
from heterojax.studies import stages
from heterojax.studies.answer import unmeasured
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining import facts
from heterojax.studies.retraining import pages
from heterojax.studies.retraining import results as results_lib
from heterojax.studies.retraining import same_mix
from heterojax.studies.retraining import view as view_lib
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import View
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings
from heterojax.studies.study import Heads
from heterojax.studies.study import Rules
from heterojax.studies.study import Study


def rules(settings: Settings) -> Rules:
  """What must hold of the settings."""
  s = settings
  yield (
    s.data.task == 'classification',
    'The retraining study needs two classes: use'
    ' --config.data.task=classification, or the sample-size study.',
  )
  yield (
    s.backbone.train == 'frozen',
    'The retraining study trains heads on one frozen network: leave'
    ' --config.backbone.train=frozen.',
  )
  yield (
    s.reduction.rule != 'minimum_mode_cv',
    '--config.reduction.rule=minimum_mode_cv belongs to the sample-size study:'
    ' use fixed or variance.',
  )


def known(settings: Settings, cohorts: Sequence[Cohort] | None) -> Known:
  """What the results will have, see `study.Study`."""
  k = settings.cluster.k
  lengths = {'K': k, 'R': settings.heads.random_runs, 'S': k * (k - 1) // 2}
  # Means over random heads have no intervals.
  names, absent = {}, {'clusters.random.intervals'}
  if cohorts is not None:
    names['classes'] = cohorts[0].classes
    lengths['T'] = len(cohorts)
    if len(cohorts) == 1:
      absent.add('folds')
  if not settings.reduction.rejected:
    absent.add('reduction.rejected')
  if not settings.data.subpopulation:
    absent.add('known_subpopulations')
  null = unmeasured.null(settings)
  return Known(lengths, names, unmeasured.ABSENT | absent, null)


def heads(settings: Settings, source: Source, parts: int, n: int) -> Heads:
  """What is trained, see `study.Study`."""
  del source
  k, runs = settings.cluster.k, settings.heads.random_runs
  # Each random head sees as many images as its cluster's.
  return Heads(parts * (1 + k * (1 + runs)), n * (2 + runs))


def plan(settings: Settings, folder: pathlib.Path) -> tuple[Cohort, ...]:
  """The split data: one cohort per fold."""
  read = stages.read(settings, folder)
  return tuple(
    itertools.chain.from_iterable(stages.split(settings, c) for c in read)
  )


def members(
  settings: Settings, samples: Samples, clusters: Clusters, fold: int
) -> dict[HeadName, ensemble.Member]:
  """Retrain and Random: the training images of every head of one fold.

  Random images are drawn from the training images without replacement and
  without regard to class. Each head's randomness depends on its name alone. An
  empty cluster has no head, and no random heads of its size.
  """
  seed, purpose = settings.seed, rng.Purpose
  train = samples.of('train')
  in_cluster = clusters.labels[train]
  held_out = samples.row[stages.validation(samples)]

  def member(positions: np.ndarray, *name: int) -> ensemble.Member:
    return ensemble.Member(
      rows=samples.row[positions],
      validation=held_out,
      init_key=rng.key(seed, purpose.INITIALISATION, fold, *name),
      order_key=rng.key(seed, purpose.ORDER, fold, *name),
    )

  heads = {HeadName('overall'): member(train, 0)}
  for c in range(settings.cluster.k):
    inside = train[in_cluster == c]
    if not len(inside):
      continue
    heads[HeadName('cluster', c)] = member(inside, 1, c)
    for r in range(settings.heads.random_runs):
      subset = r if settings.heads.random_vary == 'both' else 0
      key = rng.key(seed, purpose.SUBSET, fold, c, subset)
      drawn = jax.random.permutation(key, len(train))[: len(inside)]
      heads[HeadName('random', c, r)] = member(train[drawn], 2, c, r)
  return heads


class Trained(NamedTuple):
  """A study before anything is scored.

  Attributes:
    x: `[P, D]` features of all pictures.
    clusters: T, with the numbers of the first fold's.
    agreement: T, of each fold's clusters with the first's.
    heads: T, the heads of each fold by name.
    params: of all heads, one fold after the other.
  """

  x: jax.Array
  clusters: list[Clusters]
  agreement: list[float]
  heads: list[dict[HeadName, ensemble.Member]]
  params: Any


def train(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  backbone: Backbone | None,
  timer: stages.Timer,
) -> Trained:
  """Features, clusters and heads, computed or resumed; see `study.Run`."""
  with timer.stage('features', 'images') as count:
    features = stages.extract(
      settings, backbone, samples[0].pictures, cohorts, folder
    )
    count(features.computed)
    stages.check_finite(features.x, samples[0])
    features = features._replace(x=jnp.asarray(features.x))
  counters.of_features(settings, backbone, features.computed, timer)
  with timer.stage('clusters'):
    clusters, agreement = clustering.clusters_of_folds(
      settings, folder, features, samples
    )
  with timer.stage('heads', 'heads') as count:
    heads = [
      members(settings, fold, clusters_of, number)
      for number, (fold, clusters_of) in enumerate(
        zip(samples, clusters, strict=True)
      )
    ]
    every = [member for fold in heads for member in fold.values()]
    names = [
      {'fold': number, 'name': str(name), 'rows': member.rows.tolist()}
      for number, fold in enumerate(heads)
      for name, member in fold.items()
    ]
    trained = heads_stage.train(
      settings, folder, features, samples[0].y_of_pictures, every, names
    )
    count(int(np.sum(trained.epochs_now > 0)))
  counters.of_heads(
    settings,
    features.x.shape[1],
    [(len(member.rows), len(member.validation)) for member in every],
    trained.epochs_now.tolist(),
    timer,
  )
  x = jnp.asarray(features.x)
  return Trained(x, clusters, agreement, heads, trained.heads.params)


def evaluate(
  source: Source, samples: Sequence[Samples], trained: Trained
) -> Outcome:
  """What every head says of every sample of its fold."""
  logits = np.asarray(ensemble.predict(trained.params, trained.x), np.float64)
  # Folds differ in how many clusters have a head.
  ends = np.cumsum([len(fold) for fold in trained.heads])[:-1]
  folds = zip(
    samples,
    trained.clusters,
    trained.heads,
    np.split(logits, ends),
    strict=True,
  )
  return Outcome(
    source,
    trained.x,
    tuple(
      Fold(fold, clusters, heads, of_heads[:, fold.row])
      for fold, clusters, heads, of_heads in folds
    ),
  )


def run(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  backbone: Backbone | None,
  timer: stages.Timer,
) -> tuple[Results, View]:
  """The whole study on a split cohort, see `study.Run`."""
  run_folder.write_atomically(
    folder / 'manifest.csv', manifest_csv(splits.by_fold(cohorts))
  )
  run_folder.write_atomically(
    folder / 'augmented.csv', samples_lib.augmented_csv(samples)
  )
  trained = train(settings, folder, cohorts, samples, backbone, timer)
  with timer.stage('evaluation'):
    outcome = evaluate(cohorts[0].source, samples, trained)
    shared = audits.find_leaks_of_folds(
      audits.FoldFeatures(cohort, fold, outcome.x, fold.row)
      for cohort, fold in zip(cohorts, samples, strict=True)
    )
    results = results_lib.summarise(
      settings,
      cohorts,
      backbone,
      outcome,
      trained.agreement,
      shared,
      Missing(unmeasured.NOT_YET),
      facts.jaccard(settings, outcome.folds),
    )
    results = same_mix.with_same_mix(results, settings.seed, outcome)
  run_folder.write_atomically(
    folder / 'clusters.csv', results_lib.clusters_csv(outcome.folds)
  )
  run_folder.write_atomically(
    folder / 'tables' / 'leaks.csv', leaks.leaks_csv(shared.leaks)
  )
  return results, view_lib.view(settings, outcome)


RETRAINING = Study(
  name='retraining',
  defaults={},
  rules=rules,
  plan=plan,
  check=stages.check_dim,
  run=run,
  results=Results,
  view=View,
  known=known,
  heads=heads,
  outputs={
    'heads': ('checkpoints/heads*',),
    'cluster': ('checkpoints/clusters*',),
    'features': ('features/*',),
  },
  report=pages.write,
)

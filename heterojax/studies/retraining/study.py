"""The retraining study (Wang 2023): does each cluster teach the same thing?

The functions follow the paper's methods section, in its order: Extract image
features, Cluster analysis (`clustering`), Retrain on each of the clusters,
Train on random images of the same size, Statistics (`results`). Where the data
are split into folds, all of this is done in each. Axes: see `outcome`.
"""

from collections.abc import Sequence
import dataclasses
import itertools
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from heterojax import rng
from heterojax.backbones import Backbone
from heterojax.compute import cores
from heterojax.datasets import leaks
from heterojax.datasets import splits
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import GivenFeatures
from heterojax.datasets.sources import Source
from heterojax.features import Features
from heterojax.heads import ensemble
from heterojax.records.foretell import Known
from heterojax.run import atomic
from heterojax.studies import audits
from heterojax.studies import counters
from heterojax.studies import heads_stage
from heterojax.studies import partition
from heterojax.studies import records
from heterojax.studies import samples as samples_lib
from heterojax.studies import stages
from heterojax.studies.answer import stage
from heterojax.studies.answer import unmeasured
from heterojax.studies.retraining import beside
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining import external
from heterojax.studies.retraining import external_data
from heterojax.studies.retraining import pages
from heterojax.studies.retraining import random_sets
from heterojax.studies.retraining import results as results_lib
from heterojax.studies.retraining import same_mix
from heterojax.studies.retraining import view as view_lib
from heterojax.studies.retraining.defaults import DEFAULTS
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


def published(settings: Settings) -> bool:
  """Whether random images are drawn as the paper does, beside our own way."""
  return settings.split.protocol == 'published'


def rules(settings: Settings) -> Rules:
  """What must hold of the settings."""
  s = settings
  yield (
    s.data.task == 'classification',
    'The retraining study needs classes: use'
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
  groups = partition.column(s.cluster)
  yield (
    not groups or not s.data.files,
    'Known groups are those of one table: use --config.data.dir, or'
    ' --config.cluster.method=kmeans.',
  )
  yield (
    not groups or not s.reduction.rejected,
    'Known groups hang on no components: leave --config.reduction.rejected=0.',
  )
  yield (
    not s.data.external or not s.data.files,
    'Files of features are of one network each, and those of a second data set'
    ' (--config.data.external) would be of another: use --config.data.dir.',
  )
  yield (
    not s.data.external or s.cluster.method != 'gmm',
    'Images of a second data set (--config.data.external) are of the cluster'
    ' with the nearest centroid, and a Gaussian mixture has none: use'
    ' --config.cluster.method=kmeans or fuzzy.',
  )
  yield (
    not s.data.external or not s.cluster.method.startswith('ids:'),
    'A file of groups names the images of one data set: with'
    ' --config.data.external use --config.cluster.method=kmeans, or a column'
    ' that both data sets have.',
  )
  yield (
    not s.data.external or s.reduction.fit == 'train',
    'A second data set (--config.data.external) is compared in the components'
    ' of the training images: leave --config.reduction.fit=train.',
  )
  yield (
    not s.at_optimum or s.heads.random_vary == 'both',
    'Logistic heads have no initialisation that could vary: leave'
    ' --config.heads.random_vary=both, or choose --config.heads.kind=keras.',
  )


def known(settings: Settings, cohorts: Sequence[Cohort] | None) -> Known:
  """What the results will have, see `study.Study`."""
  k = settings.cluster.k
  lengths = {
    'K': k,
    'O': settings.own_seeds,
    'R': settings.heads.random_runs,
    'S': k * (k - 1) // 2,
  }
  families = 'random', 'random_same_mix', 'random_originals'
  # Means over heads have no intervals.
  absent = {f'clusters.{of}.intervals' for of in ('retrained_runs', *families)}
  if not published(settings):
    absent.add('clusters.random_originals')
  if not settings.at_optimum:
    absent.add('heads')
  names = records.names_of_classes(settings, cohorts)
  if cohorts is not None:
    lengths['T'] = len(cohorts)
    if len(cohorts) == 1:
      absent.add('folds')
  if not settings.reduction.rejected:
    absent.add('reduction.rejected')
  if not settings.data.subpopulation:
    absent.add('known_subpopulations')
  null = unmeasured.null(settings)
  if not settings.data.external:
    null |= {'external'}
  return Known(
    lengths,
    names,
    records.nowhere(settings),
    unmeasured.ABSENT | absent,
    null,
  )


def heads(settings: Settings, source: Source, parts: int, n: int) -> Heads:
  """What is trained, see `study.Study`."""
  del source
  random = (2 + published(settings)) * settings.heads.random_runs
  own = settings.own_seeds
  # Each random head sees as many images as its cluster's, or fewer.
  return Heads(
    parts * (1 + settings.cluster.k * (own + random)), n * (1 + own + random)
  )


def plan(
  settings: Settings, folder: pathlib.Path, earlier: Inspections
) -> tuple[Cohort, ...]:
  """The split data: one cohort per fold, all with the second data set."""
  read = stages.read(settings, folder, earlier)
  second = external_data.read(settings, read, earlier)
  return tuple(
    dataclasses.replace(cohort, external=second)
    for cohort in itertools.chain.from_iterable(
      stages.split(settings, c) for c in read
    )
  )


def members(
  settings: Settings, samples: Samples, clusters: Clusters, fold: int
) -> dict[HeadName, ensemble.Member]:
  """Retrain and Random: the training images of every head of one fold.

  Random images are drawn as `random_sets` does, in two families; under the
  published protocol also as the paper does, from the training rows without
  replacement and without regard to class. Each head's randomness depends on its
  name alone. An empty cluster has no head, and no random heads of its size.
  """
  seed, purpose, how = settings.seed, rng.Purpose, settings.heads
  train = samples.of('train')
  in_cluster = clusters.labels[train]
  held_out = samples.row[stages.validation(samples)]
  pool = random_sets.pool(
    samples.original[train], samples.units(train), samples.y[train]
  )

  def member(positions: np.ndarray, *name: int) -> ensemble.Member:
    return ensemble.Member(
      rows=samples.row[positions],
      validation=held_out,
      init_key=rng.key(seed, purpose.INITIALISATION, fold, *name),
      order_key=rng.key(seed, purpose.ORDER, fold, *name),
    )

  heads = {HeadName('overall'): member(train, 0)}
  for c in range(settings.cluster.k):
    inside = np.flatnonzero(in_cluster == c)
    if not len(inside):
      continue
    heads[HeadName('cluster', c)] = member(train[inside], 1, c)
    for s in range(1, settings.own_seeds):
      heads[HeadName('cluster', c, s)] = member(train[inside], 1, c, s)
    for r in range(how.random_runs):
      subset = r if how.random_vary == 'both' else 0
      if published(settings):
        key = rng.key(seed, purpose.SUBSET, fold, c, subset)
        drawn = jax.random.permutation(key, len(train))[: len(inside)]
        heads[HeadName('random', c, r)] = member(train[drawn], 2, c, r)
      for family, (kind, of_classes) in enumerate(_families(settings)):
        key = rng.key(seed, purpose.RANDOM_SET, fold, c, family, subset)
        drawn = random_sets.draw(pool, inside, key, same_mix=of_classes)
        name = HeadName(kind, c, r)
        heads[name] = member(train[drawn], 3, c, family, r)
  return heads


def _families(settings: Settings) -> tuple[tuple[str, bool], ...]:
  """Kind of the heads of each family of random sets, and of its class mix."""
  any_mix = 'random_originals' if published(settings) else 'random'
  return (any_mix, False), ('random_same_mix', True)


class Clustered(NamedTuple):
  """A study before it has heads.

  Attributes:
    features: of all P pictures.
    clusters: T, with the numbers of the first fold's.
    agreement: T, of each fold's clusters with the first's.
    others: features of the images of the second data set; None without one.
  """

  features: Features
  clusters: list[Clusters]
  agreement: list[float]
  others: Features | None


class Trained(NamedTuple):
  """Heads before anything is scored.

  Attributes:
    heads: T, the heads of each fold by name.
    outputs: `[H, P]` float64 logits, or `[H, P, C]`, of one fold's heads after
      the other's.
    fits: how logistic heads were fitted; None for others.
    others: `[H, E]` logits, or `[H, E, C]`, of the images of the second data
      set, and `[E, D]` their features; None without one.
  """

  heads: list[dict[HeadName, ensemble.Member]]
  outputs: np.ndarray
  fits: records.Heads | None
  others: external.Answered | None


def cluster_images(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  backbone: Backbone | None,
  timer: stages.Timer,
) -> Clustered:
  """Features and clusters, computed or resumed; see `study.Run`."""
  with timer.stage('features', 'images') as count:
    features = stages.extract(
      settings, backbone, samples[0].pictures, cohorts, folder
    )
    stages.check_finite(features.x, samples[0].pictures)
    second = cohorts[0].external
    others = second and external.extract(
      settings, folder, second, backbone, len(samples[0].pictures)
    )
    computed = features.computed + (others.computed if others else 0)
    count(computed)
    features = features._replace(x=cores.placed(features.x))
  counters.of_features(settings, backbone, computed, timer)
  with timer.stage('clusters'):
    found = clustering.clusters_of_folds(
      settings,
      folder,
      features,
      samples,
      partition.groups(settings.cluster, cohorts),
    )
  return Clustered(features, *found, others)


def train(
  settings: Settings,
  folder: pathlib.Path,
  samples: Sequence[Samples],
  clustered: Clustered,
  timer: stages.Timer,
) -> Trained:
  """Heads, computed or resumed; see `study.Run`."""
  with timer.stage('heads', 'heads') as count:
    heads = [
      members(settings, fold, clusters_of, number)
      for number, (fold, clusters_of) in enumerate(
        zip(samples, clustered.clusters, strict=True)
      )
    ]
    parts = [
      heads_stage.Part(
        fold,
        list(of_fold.values()),
        rng.key(settings.seed, rng.Purpose.PENALTY, number),
      )
      for number, (fold, of_fold) in enumerate(zip(samples, heads, strict=True))
    ]
    names = [
      {'fold': number, 'name': str(name)}
      for number, fold in enumerate(heads)
      for name in fold
    ]
    trained = heads_stage.train(
      settings, folder, clustered.features, parts, names
    )
    count(trained.now)
  counters.of_heads(settings, trained.flops, timer)
  others = clustered.others
  return Trained(
    heads,
    trained.outputs,
    trained.fits,
    others and external.Answered(others.x, trained.predict(others.x)),
  )


def evaluate(
  source: Source,
  samples: Sequence[Samples],
  clustered: Clustered,
  trained: Trained,
) -> Outcome:
  """What every head says of every sample of its fold."""
  # Folds differ in how many clusters have a head.
  ends = np.cumsum([len(fold) for fold in trained.heads])[:-1]
  folds = zip(
    samples,
    clustered.clusters,
    trained.heads,
    np.split(trained.outputs, ends),
    strict=True,
  )
  return Outcome(
    source,
    clustered.features.x,
    tuple(
      Fold(fold, clusters, heads, of_heads[:, fold.row])
      for fold, clusters, heads, of_heads in folds
    ),
    trained.fits,
  )


def ask(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  outcome: Outcome,
) -> stage.Asked:
  """The three questions of the answer, see `answer.stage`."""
  folds = outcome.folds

  def features(originals: stage.Originals) -> list[np.ndarray]:
    rows = [originals.rows_of(t, fold) for t, fold in enumerate(samples)]
    if all(np.array_equal(rows[0], own) for own in rows):
      return [np.asarray(outcome.x[rows[0]])] * len(rows)
    # A file of features for each fold.
    return [np.asarray(outcome.x[own]) for own in rows]

  return stage.find_or_ask(
    settings,
    folder,
    samples,
    [fold.clusters.labels for fold in folds],
    [fold.wrong for fold in folds],
    outcome.x.shape[1],
    features,
    audits.columns(cohorts),
    given=isinstance(outcome.source, GivenFeatures),
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
  atomic.write(folder / 'augmented.csv', samples_lib.augmented_csv(samples))
  clustered = cluster_images(
    settings, folder, cohorts, samples, backbone, timer
  )
  x, clusters = clustered.features.x, clustered.clusters
  with beside.begun(settings, cohorts, samples, x, clusters) as wait:
    trained = train(settings, folder, samples, clustered, timer)
    with timer.stage('evaluation'):
      outcome = evaluate(stages.unchanged(cohorts), samples, clustered, trained)
      audited = wait()
  with timer.stage('verdict', 'questions') as count:
    asked = ask(settings, folder, cohorts, samples, outcome)
    count(asked.now)
  with timer.stage('results'):
    results = results_lib.summarise(
      settings,
      cohorts,
      backbone,
      outcome,
      clustered.agreement,
      audited.leaks,
      asked.measured,
      audited.jaccard,
    )
    results = same_mix.with_same_mix(results, audited.same_mix)
  if trained.others is not None:
    with timer.stage('second data set'):
      found = external.find(settings, cohorts, outcome, trained.others)
      results = dataclasses.replace(
        results, external=external.describe(settings, cohorts, outcome, found)
      )
    atomic.write(
      folder / 'external.csv', external.external_csv(cohorts[0], found)
    )
  atomic.write(folder / 'clusters.csv', results_lib.clusters_csv(outcome.folds))
  atomic.write(
    folder / 'tables' / 'leaks.csv', leaks.leaks_csv(audited.leaks.leaks)
  )
  return results, view_lib.view(settings, outcome)


RETRAINING = Study(
  name='retraining',
  defaults=DEFAULTS,
  rules=rules,
  plan=plan,
  manifest=lambda settings, cohorts, samples: splits.by_fold(cohorts),
  check=stages.check_dim,
  run=run,
  results=Results,
  view=View,
  known=known,
  heads=heads,
  outputs={
    'heads': ('checkpoints/heads*',),
    'verdict': ('checkpoints/verdict*',),
    'cluster': ('checkpoints/clusters*',),
    'features': ('features/*',),
  },
  report=pages.write,
)

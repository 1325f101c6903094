"""The retraining study (Wang 2023): does each cluster teach the same thing?

The functions follow the paper's methods section, in its order: Extract image
features, Cluster analysis (`clustering`), Retrain on each of the clusters,
Train on random images of the same size, Statistics (`summary`). Where the data
are split into folds, all of this is done in each. Axes: see `outcome`.
"""

from collections.abc import Sequence
import itertools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from heterojax import rng
from heterojax.backbones import Backbone
from heterojax.datasets import leaks
from heterojax.datasets import splits
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import manifest_csv
from heterojax.heads import ensemble
from heterojax.run import run_folder
from heterojax.studies import audits
from heterojax.studies import counters
from heterojax.studies import heads_stage
from heterojax.studies import samples as samples_lib
from heterojax.studies import stages
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining import summary
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings


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
    own = train[in_cluster == c]
    if not len(own):
      continue
    heads[HeadName('cluster', c)] = member(own, 1, c)
    for r in range(settings.heads.random_runs):
      subset = r if settings.heads.random_vary == 'both' else 0
      key = rng.key(seed, purpose.SUBSET, fold, c, subset)
      drawn = jax.random.permutation(key, len(train))[: len(own)]
      heads[HeadName('random', c, r)] = member(train[drawn], 2, c, r)
  return heads


def run(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  backbone: Backbone | None,
  timer: stages.Timer,
) -> tuple[dict[str, Any], Outcome]:
  """The whole study on a split cohort; artifacts go into the run folder.

  Args:
    settings: of the study.
    folder: the run folder, owned.
    cohorts: one per fold, see `plan`.
    samples: one per fold, see `stages.collect`.
    backbone: see `stages.load_backbone`.
    timer: keeps the seconds of each stage.

  Returns:
    What `results.json` holds but for timings and environment, and what it was
    made from.
  """
  run_folder.write_atomically(
    folder / 'manifest.csv', manifest_csv(splits.by_fold(cohorts))
  )
  run_folder.write_atomically(
    folder / 'augmented.csv', samples_lib.augmented_csv(samples)
  )
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
      members(settings, own, found, fold)
      for fold, (own, found) in enumerate(zip(samples, clusters, strict=True))
    ]
    every = [member for own in heads for member in own.values()]
    names = [
      {'fold': fold, 'name': str(name), 'rows': member.rows.tolist()}
      for fold, own in enumerate(heads)
      for name, member in own.items()
    ]
    trained = heads_stage.train(
      settings, folder, features, samples[0].y_of_pictures, every, names
    )
    count(int(np.sum(trained.epochs_now > 0)))
  counters.of_heads(
    settings,
    features.x.shape[1],
    [(len(own.rows), len(own.validation)) for own in every],
    trained.epochs_now.tolist(),
    timer,
  )
  with timer.stage('evaluation'):
    x = features.x
    logits = ensemble.predict(trained.heads.params, x)
    # Folds differ in how many clusters have a head.
    ends = np.cumsum([len(own) for own in heads])[:-1]
    per_fold = np.split(np.asarray(logits, np.float64), ends)
    outcome = Outcome(
      cohorts[0].source,
      x,
      tuple(
        Fold(own, found, names, of_heads[:, own.row])
        for own, found, names, of_heads in zip(
          samples, clusters, heads, per_fold, strict=True
        )
      ),
    )
    found = audits.find_leaks(cohorts, outcome)
    results = summary.summarise(
      settings, cohorts, backbone, outcome, agreement, found
    )
  run_folder.write_atomically(
    folder / 'clusters.csv', summary.clusters_csv(outcome.folds)
  )
  run_folder.write_atomically(
    folder / 'tables' / 'leaks.csv', leaks.leaks_csv(found)
  )
  return results, outcome

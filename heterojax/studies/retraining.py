"""The retraining study (Wang 2023): does each cluster teach the same thing?

The functions follow the paper's methods section, in its order: Extract image
features, Cluster analysis, Retrain on each of the clusters, Train on random
images of the same size, Statistics. Axes: see `outcome`.
"""

import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from heterojax import checkpoint
from heterojax import cluster
from heterojax import metrics
from heterojax import rng
from heterojax import run_folder
from heterojax.backbones import Backbone
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import manifest_csv
from heterojax.errors import UserError
from heterojax.heads import ensemble
from heterojax.studies import samples as samples_lib
from heterojax.studies import stages
from heterojax.studies import summary
from heterojax.studies.outcome import Clusters
from heterojax.studies.outcome import HeadName
from heterojax.studies.outcome import Outcome
from heterojax.studies.settings import Settings


def cluster_analysis(
    settings: Settings, x: jax.Array, samples: samples_lib.Samples
) -> Clusters:
  """Cluster analysis: reduce, cluster training images, assign the others."""
  reduction, c = settings.reduction, settings.cluster
  train, test = samples.of('train'), samples.of('test')
  explained = None
  z = x
  if reduction.method == 'pca':
    fitted = cluster.pca(x[samples.row[train]], reduction.n_components)
    explained = float(jnp.sum(fitted.explained_variance_ratio))
    z = cluster.transform(fitted, x)
  z = z[samples.row]
  if reduction.method == 'pca' and reduction.fit == 'separate':
    apart = _reduce_apart(reduction.n_components, x[samples.row[test]])
    z = z.at[test].set(apart)
  result = cluster.kmeans(
      z[train],
      c.k,
      key=rng.key(settings.seed, rng.Purpose.CLUSTERING),
      n_init=c.n_init,
      max_iter=c.max_iter,
      tol=c.tol,
  )
  labels = np.array(cluster.predict(z, result.centers))
  labels[train] = result.labels
  if len(np.unique(result.labels)) < c.k:
    raise UserError(
        f'Only {len(np.unique(result.labels))} of {c.k} clusters have images,'
        ' because too few training images differ: choose a smaller'
        ' --config.cluster.k.'
    )
  z, centers = np.asarray(z), np.asarray(result.centers)
  distance = np.linalg.norm(z.astype(np.float64) - centers[labels], axis=1)
  return Clusters(z, centers, labels, distance, explained)


def _reduce_apart(n_components: int, x_test: jax.Array) -> jax.Array:
  """The mistake to show: test images in components of their own."""
  if n_components > len(x_test):
    raise UserError(
        f'--config.reduction.fit=separate needs {n_components} test images and'
        f' there are {len(x_test)}: choose a smaller'
        ' --config.reduction.n_components.'
    )
  return cluster.transform(cluster.pca(x_test, n_components), x_test)


def members(
    settings: Settings, samples: samples_lib.Samples, clusters: Clusters
) -> dict[HeadName, ensemble.Member]:
  """Retrain and Random: the training images of every head.

  Random images are drawn from the training images without replacement and
  without regard to class. Each head's randomness depends on its name alone.
  """
  seed, purpose = settings.seed, rng.Purpose
  train = samples.of('train')
  in_cluster = clusters.labels[train]

  def member(positions: np.ndarray, *name: int) -> ensemble.Member:
    return ensemble.Member(
        rows=samples.row[positions],
        init_key=rng.key(seed, purpose.INITIALISATION, *name),
        order_key=rng.key(seed, purpose.ORDER, *name),
    )

  heads = {HeadName('overall'): member(train, 0)}
  for c in range(settings.cluster.k):
    own = train[in_cluster == c]
    heads[HeadName('cluster', c)] = member(own, 1, c)
    for r in range(settings.heads.random_runs):
      subset = r if settings.heads.random_vary == 'both' else 0
      key = rng.key(seed, purpose.SUBSET, c, subset)
      drawn = jax.random.permutation(key, len(train))[: len(own)]
      heads[HeadName('random', c, r)] = member(train[drawn], 2, c, r)
  return heads


def validation(samples: samples_lib.Samples) -> np.ndarray:
  """Positions that early stopping looks at.

  Where the protocol has no validation part they are the test set: Wang 2023
  monitors "the validation set" and names no third part [inferred].
  """
  own = samples.of('validation')
  return own if len(own) else samples.of('test')


def train_heads(
    settings: Settings,
    x: jax.Array,
    samples: samples_lib.Samples,
    heads: dict[HeadName, ensemble.Member],
) -> ensemble.Ensemble:
  """All heads at once, on rows of the one feature matrix."""
  h = settings.heads
  held_out = validation(samples)
  return ensemble.train(
      x,
      samples.y_of_pictures,
      x[samples.row[held_out]],
      samples.y[held_out],
      list(heads.values()),
      ensemble.Training(
          epochs=h.epochs,
          patience=h.patience,
          batch_size=h.batch_size,
          learning_rate=h.learning_rate,
          monitor=h.monitor,
      ),
  )


def predict(
    x: jax.Array, samples: samples_lib.Samples, trained: ensemble.Ensemble
) -> np.ndarray:
  """Probabilities `[H, N]` float64 of every head for every sample."""
  logits = np.asarray(ensemble.predict(trained.params, x))
  return metrics.probability(logits)[:, samples.row]


def run(
    settings: Settings,
    folder: pathlib.Path,
    cohort: Cohort,
    samples: samples_lib.Samples,
    backbone: Backbone,
    environment: dict[str, Any],
    *,
    allow_mismatch: bool,
    timer: stages.Timer,
) -> tuple[dict[str, Any], Outcome]:
  """The whole study on a split cohort; artifacts go into the run folder.

  Args:
    settings: of the study.
    folder: the run folder, owned.
    cohort: see `stages.data`.
    samples: see `stages.collect`.
    backbone: see `stages.load_backbone`.
    environment: see `heterojax.environment`.
    allow_mismatch: go on with features of another environment.
    timer: keeps the seconds of each stage.

  Returns:
    What `results.json` holds, and what it was made from.
  """
  run_folder.write_atomically(folder / 'manifest.csv', manifest_csv(cohort))
  run_folder.write_atomically(
      folder / 'augmented.csv', samples_lib.augmented_csv(samples)
  )
  with timer.stage('features', 'images') as count:
    stored, computed = stages.extract(
        settings, backbone, samples, cohort, folder, environment, allow_mismatch
    )
    count(computed)
    x = jnp.asarray(stored)
  _check_finite(x, samples)
  with timer.stage('clusters'):
    clusters = cluster_analysis(settings, x, samples)
  with timer.stage('heads', 'heads') as count:
    heads = members(settings, samples, clusters)
    trained = train_heads(settings, x, samples, heads)
    count(len(heads))
  _save_heads(folder, heads, trained)
  with timer.stage('evaluation'):
    outcome = Outcome(samples, clusters, heads, predict(x, samples, trained))
    results = summary.summarise(settings, cohort, backbone, outcome)
    results['backbone']['dim'] = x.shape[1]
  run_folder.write_atomically(
      folder / 'clusters.csv', summary.clusters_csv(outcome)
  )
  results |= {'timings': timer.stages, 'environment': environment}
  run_folder.write_atomically(
      folder / 'results.json', run_folder.to_json(results)
  )
  return results, outcome


def _check_finite(x: jax.Array, samples: samples_lib.Samples) -> None:
  finite = np.asarray(jnp.all(jnp.isfinite(x), axis=1))
  if not finite.all():
    first = samples.pictures[int(np.argmin(finite))]
    raise UserError(
        f'{int(np.sum(~finite))} images have features that are not finite, the'
        f' first is {first.path}: the weights do not fit this network.'
    )


def _save_heads(
    folder: pathlib.Path,
    heads: dict[HeadName, ensemble.Member],
    trained: ensemble.Ensemble,
) -> None:
  """`checkpoints/heads` (Orbax) and the names of its leading axis."""
  path = folder / 'checkpoints' / 'heads'
  checkpoint.save(path, {'params': trained.params._asdict()})
  described = [
      {
          'name': str(name),
          'rows': member.rows.tolist(),
          'epochs': int(trained.epochs[h]),
          'best_epoch': int(trained.best_epoch[h]),
          'best': float(trained.best[h]),
      }
      for h, (name, member) in enumerate(heads.items())
  ]
  run_folder.write_atomically(
      path.with_suffix('.json'), json.dumps(described) + '\n'
  )

"""What the answer needs to know of a retraining study."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from heterojax import rng
from heterojax.studies import choosing
from heterojax.studies import stability
from heterojax.studies.answer import conditions
from heterojax.studies.answer import facts as facts_lib
from heterojax.studies.answer.facts import Facts
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.records import Results
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

Jaccard = tuple[float | None, ...]


def facts(results: Results, folds: Sequence[Fold], jaccard: Jaccard) -> Facts:
  """The facts.

  Args:
    results: of the study, whatever their verdict is.
    folds: T.
    jaccard: K, see `jaccard`.

  Returns:
    The facts.
  """
  one = results.backbone.unit
  tested = f'The head of all {one}s, in each test cluster'
  clusters = 'The clusters and how far apart they are'
  shared = 'What test and training share'
  return Facts(
    score=results.overall,
    baseline=None,
    classes=results.classes.names,
    test_counts=tuple(c.test.class_sizes for c in results.clusters),
    train_counts=tuple(
      tuple(c.class_counts[name] for name in results.classes.names)
      for c in results.clusters
    ),
    own=tuple(c.retrained_in_test_clusters[c.id] for c in results.clusters),
    protocol=results.protocol,
    folds=results.split.folds,
    leaks=results.leaks,
    jaccard=jaccard,
    groups=choosing.groups(results.cluster.method, results.cluster.names),
    shortcuts=results.shortcuts,
    unit=one,
    headings={
      conditions.SKILL: tested,
      conditions.NUMBERS: tested,
      conditions.CLASSES: clusters,
      conditions.STABILITY: clusters,
      conditions.PATIENTS: shared,
      conditions.COPIES: shared,
      conditions.COLUMNS: 'Shortcuts',
    },
    further=facts_lib.further(
      results.backbone, optimum=results.heads is not None, numbers=False
    ),
  )


def jaccard(
  settings: Settings, folds: Sequence[tuple[Samples, Clusters]]
) -> Jaccard:
  """How well bootstraps of the training images find each cluster again.

  Originals are drawn, and their copies with them: rows that are drawn apart
  would find the copies' clusters again for their likeness alone.

  Args:
    settings: of the study.
    folds: T.

  Returns:
    K means over the folds; None for a cluster that is empty in all of them, and
    for groups that are known.
  """
  if not choosing.clusters(settings.cluster.method):
    return (None,) * settings.cluster.k
  return facts_lib.mean_jaccard([
    _jaccard(settings, number, *fold) for number, fold in enumerate(folds)
  ])


def _jaccard(
  settings: Settings, number: int, samples: Samples, clusters: Clusters
) -> np.ndarray:
  members = rng.Purpose.BOOTSTRAP, number
  train = samples.of('train')
  units = np.full(len(samples.ids), -1)
  names = [samples.parents[i] for i in train]
  units[train] = np.unique(names, return_inverse=True)[1]
  drawn = stability.draws(
    units,
    int(units.max()) + 1,
    rng.generator(settings.seed, *members),
  )
  keys = [rng.key(settings.seed, *members, b) for b in range(len(drawn))]
  return stability.jaccard(
    settings, clusters.z, clusters.labels, drawn, jnp.stack(keys)
  )

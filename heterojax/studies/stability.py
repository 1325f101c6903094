"""Whether clusters are found again in bootstraps of the training samples.

Axes: B bootstraps, N samples, Q components, K clusters.
"""

import jax
import numpy as np

from heterojax import cluster
from heterojax.cluster import matching
from heterojax.cluster.partitions import partitions
from heterojax.studies import stages
from heterojax.studies.settings import Settings

BOOTSTRAPS = 20


def draws(units: np.ndarray, n: int, stream: np.random.Generator) -> np.ndarray:
  """`[B, N]`, how often each of the training samples is drawn.

  Args:
    units: `[N]` int, equal for samples that are drawn together, as an image and
      its copies; -1 for those that are not trained on.
    n: how many units there are.
    stream: of the draws.
  """
  drawn = np.zeros((BOOTSTRAPS, len(units)))
  for times in drawn:
    often = np.bincount(stream.choice(n, n), minlength=n)
    times[units >= 0] = often[units[units >= 0]]
  return drawn


def jaccard(
  settings: Settings,
  z: np.ndarray,
  labels: np.ndarray,
  drawn: np.ndarray,
  keys: jax.Array,
) -> np.ndarray:
  """How well each cluster is found again, see `matching.bootstrap_jaccard`.

  Args:
    settings: of the clustering.
    z: `[N, Q]` samples.
    labels: of the samples, without any padding that `z` may have.
    drawn: see `draws`.
    keys: `[B]` of the clusterings.

  Returns:
    `[K]`, NaN where no bootstrap drew a member.
  """
  if z.shape[1] > len(z) and settings.cluster.method != 'gmm':
    # Turned into as many axes as there are samples, all distances stay; whole
    # feature maps would be held once for each bootstrap.
    z = np.asarray(cluster.coordinates(cluster.pca(z, len(z)), z))
  again = partitions(
    np.broadcast_to(z, (len(drawn), *z.shape)),
    drawn,
    keys.reshape(-1, 1),
    stages.algorithm(settings),
  )
  n = len(labels)
  return matching.bootstrap_jaccard(
    labels,
    np.asarray(again.labels)[:, 0, :n],
    drawn[:, :n],
    settings.cluster.k,
  )

"""Whether clusters are found again in bootstraps of the training samples.

Axes: B bootstraps, N samples, Q components, K clusters.
"""

import jax
import numpy as np

from heterojax import cluster
from heterojax.cluster import matching
from heterojax.cluster.partitions import partitions
from heterojax.run.progress import Progress
from heterojax.studies import stages
from heterojax.studies.settings import Settings

# Numbers of all bootstraps that are clustered together.
_AT_ONCE = 2**26
BOOTSTRAPS = 20


def draws(units: np.ndarray, n: int, stream: np.random.Generator) -> np.ndarray:
  """`[B, N]`, how often each of the training samples is drawn.

  Args:
    units: `[N]` int, equal for samples that are drawn together, as an image and
      its copies; -1 for those that are not trained on.
    n: how many units there are.
    stream: of the draws.
  """
  drawn = np.zeros((BOOTSTRAPS, len(units)), np.uint16)
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
    labels: `[N]`.
    drawn: see `draws`.
    keys: `[B]` of the clusterings.

  Returns:
    `[K]`, NaN where no bootstrap drew a member.
  """
  again = clustered(settings, z, drawn, keys)
  return matching.bootstrap_jaccard(labels, again, drawn, settings.cluster.k)


def clustered(
  settings: Settings, z: np.ndarray, drawn: np.ndarray, keys: jax.Array
) -> np.ndarray:
  """`[B, N]`, the clusters of each bootstrap; arguments as of `jaccard`."""
  if z.shape[1] > len(z) and settings.cluster.method != 'gmm':
    # Turned into as many axes as there are samples, all distances stay; whole
    # feature maps would be held once for each bootstrap.
    z = np.asarray(cluster.coordinates(cluster.pca(z, len(z)), z))
  # Many samples are held for one bootstrap after the other.
  step = len(drawn) if len(drawn) * z.size <= _AT_ONCE else 1
  found = np.zeros(drawn.shape, np.min_scalar_type(settings.cluster.k))
  with Progress('stability', len(drawn), 'bootstraps') as progress:
    for start in range(0, len(drawn), step):
      part = drawn[start : start + step].astype(np.float32)
      again = partitions(
        np.broadcast_to(z, (len(part), *z.shape)),
        part,
        keys.reshape(-1, 1)[start : start + step],
        stages.algorithm(settings),
      )
      found[start : start + step] = np.asarray(again.labels)[:, 0]
      progress.update(len(part))
  return found

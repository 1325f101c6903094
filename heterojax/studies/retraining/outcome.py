"""What a retraining study computes, before it is written down.

Axes: N samples, P pictures, Q components, K clusters, H heads, T folds.
"""

from typing import NamedTuple

import numpy as np

from heterojax.compute.arrays import Array
from heterojax.datasets.sources import Source
from heterojax.heads import ensemble
from heterojax.stats import metrics
from heterojax.studies import records
from heterojax.studies.samples import Samples


class Clusters(NamedTuple):
  """The cluster analysis.

  Attributes:
    z: `[N, Q]`, samples in the space that is clustered.
    centers: `[K, Q]`.
    labels: `[N]`, the cluster of every sample.
    distance: `[N]`, to its centroid.
    explained_variance: of the training images by the reduction; None without.
  """

  z: np.ndarray
  centers: np.ndarray
  labels: np.ndarray
  distance: np.ndarray
  explained_variance: float | None

  def renumbered(self, new: np.ndarray) -> 'Clusters':
    """These clusters with number c called `new[c]`."""
    return self._replace(
      centers=self.centers[np.argsort(new)], labels=new[self.labels]
    )


class HeadName(NamedTuple):
  """Which head of a fold.

  Attributes:
    kind: 'overall', 'cluster' (of one), or a family of random ones: see
      `records.Cluster`.
    cluster: its number.
    run: of random heads; of a cluster's own, its seed but for the first one.
  """

  kind: str
  cluster: int = -1
  run: int = -1

  def __str__(self) -> str:
    numbers = [str(n) for n in (self.cluster, self.run) if n >= 0]
    return '_'.join([self.kind, *numbers])


class Fold(NamedTuple):
  """One split of the data and what came of it.

  Attributes:
    samples: of the study, split.
    clusters: of its samples.
    heads: name to training images, in the order of the ensemble.
    logits: `[H, N]` float64 of the positive class; of more than two classes
      `[H, N, C]`.
  """

  samples: Samples
  clusters: Clusters
  heads: dict[HeadName, ensemble.Member]
  logits: np.ndarray

  def of_head(self, kind: str, cluster: int = -1, run: int = -1) -> np.ndarray:
    """`[N]` logits of one head, or `[N, C]`; see `HeadName`."""
    return self.logits[list(self.heads).index(HeadName(kind, cluster, run))]

  def overall(self) -> np.ndarray:
    """`[N]` probabilities of the head of all images, or `[N, C]`."""
    classes = len(self.samples.classes)
    return metrics.probabilities(self.of_head('overall'), classes)

  def answers(self) -> np.ndarray:
    """`[N]` int, codes of the classes that the head of all images answers."""
    classes = len(self.samples.classes)
    return metrics.answered(self.of_head('overall'), classes)

  @property
  def wrong(self) -> np.ndarray:
    """`[N]` bool, about which images the head of all images is wrong."""
    return self.answers() != self.samples.y


class Outcome(NamedTuple):
  """Everything the results are made from.

  Attributes:
    source: of the images.
    x: `[P, D]` features of all pictures.
    folds: T; one where the data are split once.
    fits: how logistic heads were fitted; None for others.
  """

  source: Source
  x: Array
  folds: tuple[Fold, ...]
  fits: records.Heads | None = None

"""The metric over the clusters of one sample size (Mendez 2019, section 3).

"The metrics were calculated using the model prediction and were performed
separately for every cluster": over its test images, which are assigned to the
clusters of the training images. CV is "a quantitative normalized measure that
takes into account the accuracy for each cluster" (section 2).

Axes: T folds, R trainings, N samples, M test images, K clusters.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heterojax import heterogeneity
from heterojax import rng
from heterojax.cluster import matching
from heterojax.studies import components
from heterojax.studies import numbering
from heterojax.studies.components import Reduced
from heterojax.studies.scoring import Scored
from heterojax.studies.settings import Settings
from heterojax.studies.top_models import Part
from heterojax.studies.trainings import Trained

# Of the root mean square distance to the centroids.
_COINCIDE = 0.01


class Trainings(NamedTuple):
  """What the trainings of one clustering say of the metric.

  Attributes:
    labels: `[R, N]`, numbered alike over trainings, folds and sizes.
    metric: `[R, K]` over the test images of each cluster; NaN without any.
    counts: `[R, K]` test images.
    cv: `[R]`, NaN where it cannot be estimated.
    sizes: `[K]` shares of all images, means over trainings.
  """

  labels: np.ndarray
  metric: np.ndarray
  counts: np.ndarray
  cv: np.ndarray
  sizes: np.ndarray


class FoldClusters(NamedTuple):
  """The clusterings of one fold.

  Attributes:
    part: the samples.
    reduced: in the space that was clustered.
    scored: its test images.
    centers: `[R, K, Q]`.
    own: of the study's clustering.
    fuzzified: of the same with other fuzzifiers.
    null: `[draws]` CVs, averaged over trainings, of images that were shuffled
      over the clusters.
    adjusted_rand: mean over pairs of trainings; None with one.
    jaccard: `[K]` stability under the bootstrap.
    membership: `[N]` of each sample in its own cluster, mean over trainings.
    converged: `[R]` bool.
    coinciding: `[K, K]`, in how many trainings two centroids are one.
  """

  part: Part
  reduced: Reduced
  scored: Scored
  centers: np.ndarray
  own: Trainings
  fuzzified: dict[float, Trainings]
  null: np.ndarray
  adjusted_rand: float | None
  jaccard: np.ndarray
  membership: np.ndarray
  converged: np.ndarray
  coinciding: np.ndarray

  @property
  def clusters(self) -> np.ndarray:
    """`[N]`, the cluster that most trainings give a sample."""
    return numbering.majority(self.own.labels, self.centers.shape[1])

  @property
  def of_images(self) -> dict[str, int]:
    """Id of each image to its cluster."""
    return dict(zip(self.part.samples.ids, self.clusters.tolist()))


class SizeClusters(NamedTuple):
  """All T folds of one sample size."""

  n: int
  folds: tuple[FoldClusters, ...]


def analyse(
    settings: Settings,
    parts: Sequence[Part],
    reduced: Sequence[Reduced],
    scored: Sequence[Scored],
    trained: Sequence[Trained],
) -> list[SizeClusters]:
  """The clusterings of all parts, size by size.

  Clusters have the numbers of the first fold of the size before (of the same
  size, for the first one) that most of the shared images have.
  """
  sizes: dict[int, list[FoldClusters]] = {}
  reference: dict[str, int] = {}
  for own in zip(parts, reduced, scored, trained, strict=True):
    fold = _fold(settings, *own, reference)
    folds = sizes.setdefault(fold.part.n, [])
    folds.append(fold)
    reference = folds[0].of_images
  return [SizeClusters(n, tuple(folds)) for n, folds in sizes.items()]


def _fold(
    settings: Settings,
    part: Part,
    reduced: Reduced,
    scored: Scored,
    trained: Trained,
    reference: dict[str, int],
) -> FoldClusters:
  k, ids = settings.cluster.k, part.samples.ids
  metric = None
  if settings.cluster.matching == 'members_and_metric':
    metric = _trainings(part, scored, trained.labels, k).metric
  new = numbering.numbers(trained.labels, ids, reference, k, metric)
  order = np.argsort(new, axis=1)
  own = _trainings(part, scored, numbering.renumbered(trained.labels, new), k)
  same = dict(zip(ids, numbering.majority(own.labels, k).tolist()))
  fuzzified = {
      m: _trainings(
          part,
          scored,
          numbering.renumbered(l, numbering.numbers(l, ids, same, k)),
          k,
      )
      for m, l in trained.fuzzified.items()
  }
  null = heterogeneity.null_cvs(
      scored.terms.values,
      own.labels[:, part.samples.of('test')],
      k,
      scored.terms.transform,
      components.key(settings, rng.Purpose.PERMUTATION, part),
  )
  centers = np.take_along_axis(trained.centers, order[..., None], axis=1)
  train = part.samples.of('train')
  return FoldClusters(
      part=part,
      reduced=reduced,
      scored=scored,
      centers=centers,
      own=own,
      fuzzified=fuzzified,
      null=null,
      adjusted_rand=matching.pairwise_adjusted_rand(own.labels),
      # The first training is the one whose clusters were sought again.
      jaccard=trained.jaccard[order[0]],
      membership=trained.membership.mean(axis=0),
      converged=trained.converged,
      coinciding=_coinciding(reduced.z[train], centers, own.labels[:, train]),
  )


def _trainings(
    part: Part, scored: Scored, labels: np.ndarray, k: int
) -> Trainings:
  """The metric of every cluster of every training."""
  means, counts = heterogeneity.cluster_means(
      scored.terms.values, labels[:, part.samples.of('test')], k
  )
  metric = scored.terms.transform(means)
  return Trainings(
      labels=labels,
      metric=metric,
      counts=counts,
      cv=heterogeneity.coefficient_of_variation(metric),
      sizes=(labels[..., None] == np.arange(k)).mean(axis=(0, 1)),
  )


def _coinciding(
    z: np.ndarray, centers: np.ndarray, labels: np.ndarray
) -> np.ndarray:
  """`[K, K]`, in how many trainings two centroids are one.

  That is where they are closer than a hundredth of what training images are off
  theirs (root mean square): there is no gap where such clusters part. Fuzzy
  K-means with a large fuzzifier has such optima.

  Args:
    z: `[N, Q]` training samples.
    centers: `[R, K, Q]`.
    labels: `[R, N]`.
  """
  k = centers.shape[1]
  found = np.zeros((k, k), int)
  for own, clusters in zip(centers, labels):
    off = np.sqrt(np.mean(np.sum((z - own[clusters]) ** 2, axis=1)))
    apart = np.linalg.norm(own[:, None] - own[None], axis=-1)
    found += apart < _COINCIDE * off
  return found * (1 - np.eye(k, dtype=int))

"""The metric over the clusters of one sample size (Mendez 2019, section 3).

"The metrics were calculated using the model prediction and were performed
separately for every cluster": over its test images, which are assigned to the
clusters of the training images. CV is "a quantitative normalized measure that
takes into account the accuracy for each cluster" (section 2).

Each training of the clustering has its own CV, over the clusters that have test
images in that training, each with the same weight. How few they may be is in
the band of chance, which keeps every training's clusters and their classes: one
of few images is as noisy there. The other design, weights by numbers of images,
would leave out what the paper asks, whether rare kinds of images are harder,
and would not be its CV. The metric of a cluster is its mean over the trainings
in which it has test images, and so is its part in the CV of these means,
however few they are: that CV has no band, and `cluster_n_test` says where it
rests on little.

Axes: T folds, R trainings, N samples, M test images, K clusters.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heterojax import rng
from heterojax.cluster import distances
from heterojax.cluster import matching
from heterojax.stats import heterogeneity
from heterojax.studies import numbering
from heterojax.studies.sample_size.components import Reduced
from heterojax.studies.sample_size.scoring import Scored
from heterojax.studies.sample_size.top_models import Part
from heterojax.studies.sample_size.trainings import Trained
from heterojax.studies.settings import Settings
from heterojax.verdict import chance


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
    trainings: the study's clustering.
    fuzzified: the same clustering with other fuzzifiers.
    adjusted_rand: mean over pairs of trainings; None with one.
    jaccard: `[K]`, how well bootstraps find each of `clusters` again.
    membership: `[N]` of each sample in its own cluster, mean over trainings.
    converged: `[R]` bool.
    coinciding: `[K, K]`, in how many trainings two centroids are one.
  """

  part: Part
  reduced: Reduced
  scored: Scored
  centers: np.ndarray
  trainings: Trainings
  fuzzified: dict[float, Trainings]
  adjusted_rand: float | None
  jaccard: np.ndarray
  membership: np.ndarray
  converged: np.ndarray
  coinciding: np.ndarray

  @property
  def clusters(self) -> np.ndarray:
    """`[N]`, the cluster that most trainings give a sample."""
    return numbering.majority(self.trainings.labels, self.centers.shape[1])

  @property
  def of_images(self) -> dict[str, int]:
    """Id of each image to its cluster."""
    return dict(zip(self.part.samples.ids, self.clusters.tolist(), strict=True))


class SizeClusters(NamedTuple):
  """One sample size.

  Attributes:
    n: how many samples were drawn.
    folds: T.
    null: their CVs, and those of images that were exchanged over the clusters.
  """

  n: int
  folds: tuple[FoldClusters, ...]
  null: chance.Null


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
  for of_part in zip(parts, reduced, scored, trained, strict=True):
    fold = _fold(settings, *of_part, reference)
    folds = sizes.setdefault(fold.part.n, [])
    folds.append(fold)
    reference = folds[0].of_images
  return [
    SizeClusters(n, tuple(folds), null(settings, folds))
    for n, folds in sizes.items()
  ]


def null(settings: Settings, folds: Sequence[FoldClusters]) -> chance.Null:
  """The CVs of the folds of one size, and those that chance alone gives."""
  return chance.null(
    [_tested(settings, fold) for fold in folds],
    settings.cluster.k,
    rng.key(settings.seed, rng.Purpose.PERMUTATION, folds[0].part.n),
  )


def _tested(settings: Settings, fold: FoldClusters) -> chance.Fold:
  samples = fold.part.samples
  test = samples.of('test')
  # Errors of a regression are exchanged whatever the target.
  classes = np.zeros(len(test), int)
  if settings.data.task == 'classification':
    classes = samples.y[test]
  return chance.Fold(
    terms=fold.scored.terms,
    classes=classes,
    groups=np.array(samples.groups or ('',) * len(samples.ids))[test],
    labels=fold.trainings.labels[:, test],
  )


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
  labels = numbering.renumbered(trained.labels, new)
  majority = numbering.majority(labels, k)
  same = dict(zip(ids, majority.tolist(), strict=True))
  fuzzified = {
    m: _trainings(
      part,
      scored,
      numbering.renumbered(other, numbering.numbers(other, ids, same, k)),
      k,
    )
    for m, other in trained.fuzzified.items()
  }
  train = part.samples.of('train')
  centers = np.take_along_axis(trained.centers, order[..., None], axis=1)
  coinciding = distances.coinciding(reduced.z[train], centers, labels[:, train])
  return FoldClusters(
    part=part,
    reduced=reduced,
    scored=scored,
    centers=centers,
    trainings=_trainings(part, scored, labels, k),
    fuzzified=fuzzified,
    adjusted_rand=matching.pairwise_adjusted_rand(labels),
    jaccard=matching.bootstrap_jaccard(
      majority, trained.again, trained.again >= 0, k
    ),
    membership=trained.membership.mean(axis=0),
    converged=trained.converged,
    coinciding=coinciding.sum(axis=0),
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

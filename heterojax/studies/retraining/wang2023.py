"""The numbers of Wang 2023, under the paths of `results.json`.

Percentages are turned into fractions; nothing else is changed. Tables 1 and 2
number the clusters 1-4 and Tables 3 and 4 number them 0-3, and the paper gives
no mapping between them, so the accuracies in test clusters stand in a list of
their own.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from heterojax.stats.scores import PublishedScore
from heterojax.studies.retraining.paper_counts import paper_counts
from heterojax.studies.retraining.records import Published
from heterojax.studies.retraining.records import PublishedCluster
from heterojax.studies.retraining.records import PublishedDataset
from heterojax.studies.retraining.records import PublishedReduction
from heterojax.studies.retraining.records import PublishedSpace
from heterojax.studies.retraining.records import PublishedTestCluster

# The metrics of a head, in the paper's order.
_PRINTED = ('accuracy', 'auc', 'sensitivity', 'specificity')
# Random heads of every cluster.
_RANDOM_RUNS = 5


class _Study(NamedTuple):
  """What the paper prints about one of its two data sets.

  Attributes:
    images: its name in the headings of the tables.
    printed_in: which table or figure holds what.
    train, augmented, test: images of the positive and of the negative class.
    reduction: of the features, before clustering.
    overall: accuracy on the whole test set.
    test_clusters: accuracies of the same head in the test clusters.
    clusters: size, intra-cluster distance, positive, negative; then (retrained,
      random) pairs of accuracy, AUC, sensitivity and specificity in percent.
    figure: its sentences about distances between clusters, word for word.
    notes: what a reader of these numbers must know.
  """

  images: str
  printed_in: dict[str, str]
  train: tuple[int, int]
  augmented: tuple[int, int]
  test: tuple[int, int]
  reduction: PublishedReduction
  overall: float
  test_clusters: tuple[float, ...]
  clusters: tuple[tuple[Any, ...], ...]
  figure: tuple[str, ...]
  notes: tuple[str, ...]


_FUNDUS = _Study(
  images='fundus images',
  printed_in={
    'overall': 'Table 1',
    'clusters': 'Table 3',
    'between_cluster_distances': 'Figure 1',
  },
  train=(414, 414),
  augmented=(828, 600),
  test=(104, 104),
  reduction=PublishedReduction('pca', 200),
  overall=0.9712,
  test_clusters=(1.0, 0.97, 0.9694, 1.0),
  clusters=(
    (42, 335, 42, 0, (50.00, 93.4), (50, 97), (100.00, 92.11), (0, 94.62)),
    (
      441,
      195,
      20,
      421,
      (81.73, 94.23),
      (96, 98),
      (67.31, 92.11),
      (96.15, 96.35),
    ),
    (
      274,
      428,
      144,
      130,
      (93.75, 94.13),
      (97, 98),
      (92.31, 91.15),
      (95.19, 97.12),
    ),
    (
      671,
      201,
      622,
      49,
      (95.67, 95.48),
      (97, 98),
      (94.23, 93.65),
      (97.12, 97.31),
    ),
  ),
  figure=(
    'Figure 1 shows that Clusters 1, 2, and 3 are close to each other, with'
    ' Clusters 2 and 3 being the closest, while Cluster 0 is distant from'
    ' the other three clusters.',
  ),
  notes=(),
)
_CHEST = _Study(
  images='chest X-ray',
  printed_in={
    'overall': 'Table 2',
    'clusters': 'Table 4',
    'between_cluster_distances': 'Figure 2',
  },
  train=(112, 113),
  augmented=(224, 226),
  test=(29, 28),
  reduction=PublishedReduction('none', rejected=PublishedSpace('pca', 57, 0.4)),
  overall=0.8246,
  test_clusters=(0.9231, 1.0, 0.8235, 0.7351),
  clusters=(
    (96, 239, 42, 54, (73.68, 70.87), (75, 77), (51.72, 67.59), (96.43, 74.28)),
    (
      108,
      212,
      42,
      66,
      (80.70, 75.08),
      (80, 80),
      (89.66, 78.62),
      (71.43, 71.43),
    ),
    (
      113,
      224,
      53,
      60,
      (77.19, 74.03),
      (79, 78),
      (89.66, 78.62),
      (64.29, 69.29),
    ),
    (133, 238, 87, 46, (56.14, 73.3), (67, 79), (96.55, 73.1), (14.29, 73.57)),
  ),
  figure=(
    'Figure 2 shows the distances between the clusters in the Chest X-Ray'
    ' dataset, revealing that Clusters 2 and 3 are distant from one'
    ' another, and the retrained models from these two clusters exhibit'
    ' markedly different performances.',
    'We observed that the three clusters with similar retrained model'
    ' performances are spatially close to each other, while the cluster'
    ' with the lowest performance is further away from one of the three'
    ' clusters but closer to the other two.',
  ),
  notes=(
    'Table 2 prints 0.7351 for its cluster 4, which is no fraction of at'
    ' most 57 images. 17/23 = 0.7391 would be, and with 12/13, 4/4 and'
    ' 14/17 it gives the 47 of 57 of the whole test set [inferred].',
    'The paper clustered the features as they are; 57 principal components'
    ' (40% of the variance) gave it no meaningful clusters.',
    'The paper read images of 1024 x 1024 pixels; smaller ones show less.',
  ),
)
_STUDIES = {
  ('cataract', 'normal fundus'): _FUNDUS,
  ('Cardiomegaly', 'No Finding'): _CHEST,
}


def published(*classes: str) -> Published | None:
  """What the paper reports for a pair of classes.

  Args:
    *classes: labels of the disease and the other class, as in the data set.

  Returns:
    The numbers; None for a pair that is not in the paper.
  """
  study = next((s for pair, s in _STUDIES.items() if pair == classes), None)
  if study is None:
    return None

  def of_classes(counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(classes, counts, strict=True))

  table_overall, table_clusters, figure = study.printed_in.values()
  return Published(
    source=f'Wang 2023, {table_overall} and {table_clusters} [{study.images}]',
    printed_in=study.printed_in,
    dataset=PublishedDataset(
      n_train=sum(study.train),
      n_train_augmented=sum(study.augmented),
      n_test=sum(study.test),
      class_counts_train=of_classes(study.train),
      class_counts_train_augmented=of_classes(study.augmented),
      class_counts_test=of_classes(study.test),
    ),
    reduction=study.reduction,
    overall=PublishedScore({'accuracy': study.overall}),
    clusters=tuple(
      PublishedCluster(
        id=number,
        size=size,
        class_counts=of_classes(counts),
        intra_cluster_distance=distance,
        retrained=_score(pairs, 0),
        random=_score(pairs, 1),
      )
      for number, ((size, distance, *counts), pairs) in enumerate(
        (row[:4], row[4:]) for row in study.clusters
      )
    ),
    test_clusters=tuple(
      PublishedTestCluster(1 + number, PublishedScore({'accuracy': accuracy}))
      for number, accuracy in enumerate(study.test_clusters)
    ),
    figure=study.figure,
    notes=(
      f'{table_overall} numbers the test clusters 1 to 4 and'
      f' {table_clusters} the training clusters 0 to 3; the paper does not'
      ' say which is which.',
      'Cluster numbers mean nothing across runs: our cluster 0 is not the'
      " paper's cluster 0.",
      f'{figure} prints no distances in the text, so there is nothing to'
      ' compare them with.',
      *study.notes,
    ),
    counts=paper_counts(
      study.test_clusters, study.overall, sum(study.test), _RANDOM_RUNS
    ),
  )


def _score(pairs: Sequence[tuple[float, float]], which: int) -> PublishedScore:
  return PublishedScore({
    name: round(pair[which] / 100, 6)
    for name, pair in zip(_PRINTED, pairs, strict=True)
  })

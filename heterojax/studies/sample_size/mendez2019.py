"""The numbers of Mendez 2019, under the paths of `results.json`.

Its Tables 1 and 2 hold distances between and within clusters; the metrics, the
sizes of clusters and the coefficients of variation are in figures alone, of
which the text repeats the two correlations.
"""

from typing import NamedTuple

import numpy as np

from heterojax.records.codec import Partly
from heterojax.studies.sample_size import records

# Columns of Table 1.
_PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


class _Model(NamedTuple):
  """What the paper prints about one of its two models.

  Attributes:
    images: data set and network, as in the headings of the tables.
    backbone: its name here.
    metric: of the model, by its name here.
    centroids: Table 1 above: size, then the distance of each pair of clusters.
    closest_points: Table 1 below, likewise.
    to_centroid: Table 2: per cluster and size min, max, mean and standard
      deviation.
    pearson: between coefficient of variation and metric, section 3.
    notes: what a reader of these numbers must know.
  """

  images: str
  backbone: str
  metric: str
  centroids: dict[int, tuple[float, ...]]
  closest_points: dict[int, tuple[float, ...]]
  to_centroid: tuple[dict[int, tuple[float, ...]], ...]
  pearson: float
  notes: tuple[str, ...]


_PSP = _Model(
  images='PSP plates with Resnet18',
  backbone='resnet18',
  metric='accuracy',
  centroids={
    100: (10.88, 10.53, 11.06, 10.83, 10.13, 10.05),
    300: (10.91, 10.30, 10.16, 10.57, 10.79, 10.74),
    1464: (11.26, 10.29, 9.82, 10.59, 10.98, 10.21),
    2928: (11.48, 11.34, 10.83, 11.75, 11.06, 12.38),
  },
  closest_points={
    100: (6.63, 6.74, 6.7, 6.79, 6.18, 6.98),
    300: (4.89, 4.69, 4.92, 4.28, 4.41, 4.55),
    1464: (2.64, 2.61, 2.62, 2.67, 2.82, 2.58),
    2928: (2.01, 1.96, 2.02, 1.91, 2.14, 2.14),
  },
  to_centroid=(
    {
      100: (5.65, 18.38, 11.52, 3.02),
      300: (5.73, 21.52, 11.97, 3.37),
      1464: (4.70, 26.51, 12.22, 3.68),
      2928: (4.42, 29.84, 11.67, 3.48),
    },
    {
      100: (6.55, 18.85, 11.92, 3.3),
      300: (5.72, 21.81, 11.77, 3.24),
      1464: (4.83, 26.24, 11.88, 3.61),
      2928: (4.41, 31.11, 12.11, 4.03),
    },
    {
      100: (6.68, 21.95, 13.38, 3.65),
      300: (5.51, 21.03, 11.91, 3.23),
      1464: (4.84, 25.85, 12.04, 3.59),
      2928: (4.14, 30.49, 11.49, 3.94),
    },
    {
      100: (7.55, 22.75, 13.82, 3.58),
      300: (5.93, 21.06, 11.93, 3.33),
      1464: (4.70, 24.91, 11.75, 3.48),
      2928: (4.40, 27.94, 11.60, 3.78),
    },
  ),
  pearson=-0.9871,
  notes=(),
)
_BONE_AGE = _Model(
  images='Bone Age with VGG16',
  backbone='vgg16',
  metric='one_minus_nrmse',
  centroids={
    300: (5.12, 5.07, 6.2, 5.22, 5.94, 5.96),
    700: (13.06, 11.92, 9.27, 9.42, 11.26, 9.76),
    2837: (9.53, 10.49, 10.79, 10.25, 9.42, 10.16),
    5674: (11.5, 10.72, 10.52, 11.21, 11.67, 11.65),
  },
  closest_points={
    300: (1.44, 1.48, 1.49, 1.13, 1.26, 1.29),
    700: (1.62, 1.26, 1.24, 1.6, 1.63, 1.36),
    2837: (1.47, 1.22, 1.79, 1.20, 1.31, 1.57),
    5674: (1.04, 1.19, 1.52, 1.02, 1.48, 2.34),
  },
  to_centroid=(
    {
      300: (2.49, 21.40, 6.10, 3.80),
      700: (2.62, 43.66, 8.11, 5.61),
      2837: (4.10, 56.36, 11.36, 6.45),
      5674: (3.91, 76.97, 12.73, 7.39),
    },
    {
      300: (2.44, 27.51, 6.81, 4.35),
      700: (1.89, 45.92, 7.95, 6.27),
      2837: (3.01, 78.48, 9.69, 6.08),
      5674: (3.26, 90.62, 11.69, 7.61),
    },
    {
      300: (2.38, 27.46, 7.08, 4.38),
      700: (1.37, 42.81, 5.08, 4.17),
      2837: (3.72, 80.60, 12.83, 7.30),
      5674: (3.06, 70.42, 9.74, 5.47),
    },
    {
      300: (2.44, 23.73, 6.57, 3.93),
      700: (2.45, 48.78, 7.85, 7.47),
      2837: (3.70, 53.70, 11.47, 6.19),
      5674: (3.66, 63.21, 10.15, 6.23),
    },
  ),
  pearson=-0.9832,
  notes=(
    'The paper does not say what the root mean squared error is divided by.',
  ),
)
_MODELS = {'psp': _PSP, 'bone_age': _BONE_AGE}


def mendez2019(model: str) -> records.Published:
  """What the paper reports for one of its models.

  Args:
    model: 'psp' or 'bone_age'.

  Returns:
    Its numbers. Matrices are symmetric; the distance of a cluster to itself,
    which is not in the tables, is 0.
  """
  study = _MODELS[model]
  return records.Published(
    source=f'Mendez 2019, Table 1 and Table 2 [{study.images}]',
    printed_in={
      'centroid_distances': 'Table 1',
      'closest_point_distances': 'Table 1',
      'to_centroid': 'Table 2',
      'cv_vs_metric': 'section 3, about Figure 5',
    },
    backbone=records.PublishedNetwork(study.backbone, dim=512),
    metric=study.metric,
    split=records.PublishedSplit(folds=4),
    reduction=records.PublishedReduction('pca', n_components=10),
    cluster=records.PublishedClustering('fuzzy', k=4, trainings=10),
    sizes=tuple(
      records.PublishedSize(
        n,
        _matrix(distances),
        _matrix(study.closest_points[n]),
        tuple(
          records.ToCentroid(c, *of_sizes[n])
          for c, of_sizes in enumerate(study.to_centroid)
        ),
      )
      for n, distances in study.centroids.items()
    ),
    cv_vs_metric=records.PublishedRelation(study.pearson),
    notes=(
      'The distances are of the space that was clustered: another scale of'
      ' the features, backbone or fuzzifier gives another unit, so compare'
      ' how they change with the size.',
      'Cluster numbers mean nothing across runs: our cluster 0 is not the'
      " paper's cluster 0.",
      'Figures 2 to 5 print no numbers in the text: the metric and the size'
      ' of each cluster and the coefficients of variation cannot be'
      ' compared.',
      'Fuzzifier, order of averaging and whether the smaller samples lie in'
      ' the larger ones are not in the paper.',
      *study.notes,
    ),
  )


def _matrix(distances: tuple[float, ...]) -> records.Matrix:
  matrix = np.zeros((4, 4))
  for (a, b), distance in zip(_PAIRS, distances, strict=True):
    matrix[a, b] = matrix[b, a] = distance
  return Partly(tuple(map(tuple, matrix.tolist())))

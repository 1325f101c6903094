"""What a retraining study says of a second data set, as records.

Where the data are split into folds, clusters and distances are those of the
first fold, and a head is the mean of the logits that its heads of all folds
give. Lengths: K clusters.
"""

import dataclasses
from typing import Annotated

from heterojax.records.codec import Estimate
from heterojax.stats.scores import Score
from heterojax.studies.records import Counts


@dataclasses.dataclass(frozen=True)
class Difference:
  """One statistic of the comparison with the test images of the first."""

  n: int  # Images of both that were compared.
  statistic: float
  p_value: Estimate
  adjusted: Estimate  # By Holm, for the two statistics.
  draws: int
  enumerated: bool  # Whether the draws are all arrangements that there are.


@dataclasses.dataclass(frozen=True)
class Shift:
  """Whether the images lie as the test images of the first data set do.

  Images of one class are compared, so that another prevalence is no difference.
  """

  n_test: int
  unit: str  # image or patient, what is exchanged.
  moved: float  # Share of the images that one of the other can stand for.
  p_value: Estimate  # The smaller of the adjusted ones.
  clusters: Difference  # Chi-square of how many images are in each cluster.
  space: Difference  # Energy distance in the clustering space.


@dataclasses.dataclass(frozen=True)
class ExternalCluster:
  """The images of the second data set in one cluster, and two heads on them.

  Distances are the mean ones to its centroid.
  """

  id: int
  n: int
  n_test: int  # Test images of the first data set that are compared.
  class_counts: Counts
  distance: Estimate
  distance_train: Estimate
  distance_test: Estimate
  overall: Score
  retrained: Score


@dataclasses.dataclass(frozen=True)
class External:
  """The second data set; `retrained` has each cluster's head on all of it.

  The sentence says whether its images lie as those of the first do.
  """

  name: str
  sentence: str
  n_candidates: int
  n: int
  class_counts: Counts
  notes: tuple[str, ...]
  overall: Score
  retrained: Annotated[tuple[Score, ...], 'K']
  clusters: Annotated[tuple[ExternalCluster, ...], 'K']
  shift: Shift

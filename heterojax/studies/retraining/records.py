"""`results.json` of a retraining study, as records (see `records.codec`).

Lengths: K clusters, R random runs per cluster, T folds, S pairs of clusters.
"""

from collections.abc import Mapping
import dataclasses
from typing import Annotated, NamedTuple

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.stats.scores import ByMetric
from heterojax.stats.scores import PublishedScore
from heterojax.stats.scores import Score
from heterojax.studies import records
from heterojax.studies.answer.records import Verdict
from heterojax.studies.records import Counts
from heterojax.studies.retraining.paper_counts import PaperCounts


class Part(NamedTuple):
  """The images of a part, and how many of each class they are."""

  n: Number
  class_counts: Counts


@dataclasses.dataclass(frozen=True)
class Dataset:
  """The images of each part; means over the folds but for the test set."""

  name: str
  positive: str
  negative: str
  n_train: Number
  n_train_augmented: Number
  n_validation: Number
  n_test: int
  class_counts_train: Counts
  class_counts_validation: Counts
  class_counts_train_augmented: Counts
  class_counts_test: Counts
  n_candidates: int
  notes: tuple[str, ...]

  @property
  def classes(self) -> tuple[str, str]:
    return self.positive, self.negative

  @property
  def parts(self) -> dict[str, Part]:
    """Part to its images."""
    return {
      'train': Part(self.n_train, self.class_counts_train),
      'train_augmented': Part(
        self.n_train_augmented, self.class_counts_train_augmented
      ),
      'test': Part(self.n_test, self.class_counts_test),
      'validation': Part(self.n_validation, self.class_counts_validation),
    }


@dataclasses.dataclass(frozen=True)
class RejectedCluster:
  """A cluster of the second clustering."""

  id: int
  size: Number
  class_counts: Counts


@dataclasses.dataclass(frozen=True)
class Rejected:
  """A second clustering, in fewer components, beside that of the study."""

  n_components: int
  explained_variance: float
  adjusted_rand: float
  clusters: Annotated[tuple[RejectedCluster, ...], 'K']


@dataclasses.dataclass(frozen=True)
class Reduction:
  """The space that was clustered."""

  method: str
  fit: str
  n_components: Estimate
  explained_variance: Estimate
  rejected: Rejected | None


@dataclasses.dataclass(frozen=True)
class RandomRun(Score):
  """One head of random images, and how many of each class they were."""

  class_counts: Counts


@dataclasses.dataclass(frozen=True)
class Random(Score):
  """Means over the random heads of a cluster, and each of them."""

  runs: Annotated[tuple[RandomRun, ...], 'R']

  def known(self, name: str) -> list[Number]:
    """A metric of every run that has one."""
    values = [run.value(name) for run in self.runs]
    return [value for value in values if value is not None]

  def extremes(self, name: str) -> tuple[Number, Number] | None:
    """Smallest and largest value of a metric; None unless all runs have one."""
    known = self.known(name)
    if not known or len(known) < len(self.runs):
      return None
    return min(known), max(known)


@dataclasses.dataclass(frozen=True)
class Cluster:
  """A cluster: its training images, and its heads on the whole test set."""

  id: int
  size: Number
  originals: Number
  class_counts: Counts
  intra_cluster_distance: Estimate
  test: Score
  retrained: Score
  retrained_in_test_clusters: Annotated[tuple[Score, ...], 'K']
  random: Random

  @property
  def majority(self) -> tuple[str, float]:
    """The larger class of its training images, and its share."""
    name = max(self.class_counts, key=lambda name: self.class_counts[name])
    return name, self.class_counts[name] / self.size


@dataclasses.dataclass(frozen=True)
class Pair:
  """Two clusters: how far apart, and how differently their heads perform."""

  a: int
  b: int
  centroid_distance: float
  difference: ByMetric

  def of(self, metric: str) -> Number | None:
    """How much the two heads differ in a metric; None where it is unknown."""
    return codec.known(self.difference.get(metric))


@dataclasses.dataclass(frozen=True)
class DistanceVsPerformance:
  """Wang 2023's second finding, over all pairs of clusters."""

  pairs: Annotated[tuple[Pair, ...], 'S']
  spearman: ByMetric
  why: str


@dataclasses.dataclass(frozen=True)
class Fold:
  """One of several folds."""

  n_train: Number
  n_train_augmented: Number
  n_validation: Number
  n_test: int
  class_counts_train: Counts
  class_counts_validation: Counts
  class_counts_train_augmented: Counts
  class_counts_test: Counts
  overall: Score
  cluster_sizes: Annotated[tuple[int, ...], 'K']
  adjusted_rand_with_first: float


@dataclasses.dataclass(frozen=True)
class Subpopulations:
  """Agreement of the clusters with a column that names subpopulations."""

  column: str
  adjusted_rand_train: float
  adjusted_rand_test: float


@dataclasses.dataclass(frozen=True)
class PublishedDataset:
  """The images of the paper."""

  n_train: int
  n_train_augmented: int
  n_test: int
  class_counts_train: Counts
  class_counts_train_augmented: Counts
  class_counts_test: Counts

  @property
  def parts(self) -> dict[str, Part]:
    """Part to its images."""
    return {
      'train': Part(self.n_train, self.class_counts_train),
      'train_augmented': Part(
        self.n_train_augmented, self.class_counts_train_augmented
      ),
      'test': Part(self.n_test, self.class_counts_test),
    }


@dataclasses.dataclass(frozen=True)
class PublishedSpace:
  """A space in which the paper clustered."""

  method: str
  n_components: int | None = None
  explained_variance: float | None = None


@dataclasses.dataclass(frozen=True)
class PublishedReduction(PublishedSpace):
  """The space that the paper kept, and the one that it rejected."""

  rejected: PublishedSpace | None = None


@dataclasses.dataclass(frozen=True)
class PublishedCluster:
  """A row of the paper's Table 3 or 4."""

  id: int
  size: int
  class_counts: Counts
  intra_cluster_distance: float
  retrained: PublishedScore
  random: PublishedScore


@dataclasses.dataclass(frozen=True)
class PublishedTestCluster:
  """A row of the paper's Table 1 or 2, whose numbers are no ids."""

  number: int
  test: PublishedScore


@dataclasses.dataclass(frozen=True)
class Published:
  """What the paper reports for a pair of classes, under the paths of ours."""

  source: str
  printed_in: Mapping[str, str]
  dataset: PublishedDataset
  reduction: PublishedReduction
  overall: PublishedScore
  clusters: tuple[PublishedCluster, ...]
  test_clusters: tuple[PublishedTestCluster, ...]
  figure: tuple[str, ...]
  notes: tuple[str, ...]
  counts: PaperCounts | Missing = Missing('this run did not compute it')


@dataclasses.dataclass(frozen=True)
class Results:
  """`results.json` of a retraining study."""

  schema_version: int
  study: str
  protocol: str
  seed: int
  split: records.Split
  dataset: Dataset
  backbone: records.Network
  reduction: Reduction
  cluster: records.Clustering
  overall: Score
  clusters: Annotated[tuple[Cluster, ...], 'K']
  between_cluster_distances: Annotated[
    tuple[Annotated[tuple[float, ...], 'K'], ...], 'K'
  ]
  distance_vs_performance: DistanceVsPerformance
  findings: tuple[str, ...]
  leaks: records.Leaks
  shortcuts: tuple[records.Shortcut, ...]
  published: Published | Missing
  folds: Annotated[tuple[Fold, ...], 'T'] | None
  known_subpopulations: Subpopulations | None
  timings: records.Timings
  environment: records.Environment
  verdict: Verdict | None = None

  @property
  def random_runs(self) -> int:
    """How many random heads a cluster has; an empty cluster has none."""
    return max(len(c.random.runs) for c in self.clusters)

  @property
  def copies(self) -> bool:
    """Whether training has augmented copies."""
    return self.dataset.n_train_augmented > self.dataset.n_train

  @property
  def paper(self) -> Published | None:
    """What the paper reports for these classes, if it has them."""
    return codec.known(self.published)

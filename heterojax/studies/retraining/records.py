"""`results.json` of a retraining study, as records (see `records.codec`).

Lengths: K clusters, O trainings of each own head, R random runs per cluster and
family, T folds, S pairs of clusters.
"""

from collections.abc import Iterator, Mapping
import dataclasses
import statistics
from typing import Annotated, NamedTuple

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.stats.metrics import Classes
from heterojax.stats.scores import ByMetric
from heterojax.stats.scores import PublishedScore
from heterojax.stats.scores import Score
from heterojax.studies import records
from heterojax.studies.answer.records import Verdict
from heterojax.studies.records import Counts
from heterojax.studies.retraining.external_records import External
from heterojax.studies.retraining.paper_counts import PaperCounts


class Part(NamedTuple):
  """The images of a part, and how many of each class they are."""

  n: Number
  class_counts: Counts


@dataclasses.dataclass(frozen=True)
class Dataset(records.Classified):
  """The images of each part; means over the folds but for the test set."""

  name: str
  positive: str | None
  negative: str | None
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
  classes: tuple[str, ...] | None = None
  ordered: bool | None = None

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
  # Where components are an approximation, see `cluster.pca`.
  solver: str | None = None


class _Runs:
  """How several heads that differ by chance alone are read."""

  runs: tuple[Score, ...]

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

  def deviation(self, name: str) -> float | None:
    """Standard deviation (n - 1) of a metric; None unless two have one."""
    known = self.known(name)
    if len(known) < 2 or len(known) < len(self.runs):
      return None
    return statistics.stdev(known)


@dataclasses.dataclass(frozen=True)
class Own(_Runs, Score):
  """Means over the trainings of a cluster's own head, and each of them."""

  runs: Annotated[tuple[Score, ...], 'O']


@dataclasses.dataclass(frozen=True)
class RandomRun(Score):
  """One head of random images, and which they were."""

  class_counts: Counts
  distinct_originals: Number | None = None


@dataclasses.dataclass(frozen=True)
class Random(_Runs, Score):
  """Means over the random heads of a cluster, and each of them."""

  runs: Annotated[tuple[RandomRun, ...], 'R']


@dataclasses.dataclass(frozen=True)
class Cluster:
  """A cluster: its training images, and its heads on the whole test set.

  Rows of training are originals and copies; `distinct_originals` are the images
  that they show. The first training of its head is `retrained`, and all are in
  `retrained_runs`. Random heads saw as many distinct originals of as many
  patients: with any class mix those of `random`, with the cluster's those of
  `random_same_mix`. Under the published protocol `random` has the paper's
  training rows, and `random_originals` is what `random` is otherwise.
  """

  id: int
  size: Number
  originals: Number
  class_counts: Counts
  intra_cluster_distance: Estimate
  test: Score
  retrained: Score
  retrained_in_test_clusters: Annotated[tuple[Score, ...], 'K']
  random: Random
  distinct_originals: Number | None = None
  retrained_runs: Own | None = None
  random_originals: Random | None = None
  random_same_mix: Random | None = None
  # So far the distance may be off (95%), where it is of random pairs.
  intra_cluster_margin: float | None = None

  @property
  def fair(self) -> Random:
    """Random heads that saw as many distinct originals, of any class mix."""
    return self.random_originals or self.random

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


@dataclasses.dataclass(frozen=True, kw_only=True)
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
  heads: records.Heads | None = None  # Of logistic ones.
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
  external: External | Missing = Missing('this run did not look for one')

  def __post_init__(self) -> None:
    for holds, why in self._conditions():
      if not holds:
        raise ValueError(f'is not consistent: {why}')

  def _conditions(self) -> Iterator[tuple[bool, str]]:
    """What must hold between fields, and what is wrong where it does not."""
    d, clusters = self.dataset, self.clusters
    yield bool(clusters), 'there are no clusters'
    distances = self.between_cluster_distances
    square = all(len(row) == len(clusters) for row in (distances, *distances))
    yield square, 'between_cluster_distances has another size'
    yield all(c.size >= 0 for c in clusters), 'a cluster has a negative size'
    counts = {
      'train': d.class_counts_train,
      'train_augmented': d.class_counts_train_augmented,
      'test': d.class_counts_test,
    } | {f'cluster {c.id}': c.class_counts for c in clusters}
    for part, by_class in counts.items():
      for name in d.named.names:
        yield name in by_class, f'the counts of {part} have no {name!r}'

  @property
  def classes(self) -> Classes:
    """The classes that heads tell apart."""
    return self.dataset.named

  @property
  def random_runs(self) -> int:
    """How many random heads a cluster has; an empty cluster has none."""
    return max(len(c.random.runs) for c in self.clusters)

  @property
  def own_runs(self) -> int:
    """How often a cluster's own head was trained; 0 where that is not known."""
    own = (c.retrained_runs for c in self.clusters)
    return max((len(runs.runs) for runs in own if runs), default=0)

  @property
  def fair_sets(self) -> bool:
    """Whether random sets have as many distinct originals as their cluster."""
    return all(c.random_same_mix for c in self.clusters)

  @property
  def copies(self) -> bool:
    """Whether training has augmented copies."""
    return self.dataset.n_train_augmented > self.dataset.n_train

  @property
  def paper(self) -> Published | None:
    """What the paper reports for these classes, if it has them."""
    return codec.known(self.published)

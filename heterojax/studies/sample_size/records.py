"""`results.json` of a sample-size study, as records (see `records.codec`).

Lengths: S sizes, T folds, K clusters.
"""

from collections.abc import Mapping
import dataclasses
from typing import Annotated

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.records.codec import Partly
from heterojax.stats.heterogeneity import CvVsMetric
from heterojax.stats.metrics import Classes
from heterojax.stats.scores import RegressionScore
from heterojax.stats.scores import Score
from heterojax.studies import records
from heterojax.studies.answer.records import Verdict
from heterojax.studies.choosing import Choice

PerCluster = Annotated[tuple[float, ...], 'K']
# Some clusters may lack a value, all of them for one reason.
PartlyPerCluster = Partly[Annotated[tuple[float | None, ...], 'K']]
# Distances of every cluster to every cluster.
Matrix = Partly[
  Annotated[tuple[Annotated[tuple[float | None, ...], 'K'], ...], 'K']
]


@dataclasses.dataclass(frozen=True)
class Target:
  """The numbers that a regression predicts, over all images."""

  min: float
  max: float
  mean: float
  std: float


@dataclasses.dataclass(frozen=True)
class Dataset(records.Classified):
  """The images of the largest size: their classes, or their target."""

  name: str
  positive: str | None
  negative: str | None
  n_candidates: int
  n: int
  notes: tuple[str, ...]
  target: Target | None
  class_counts: records.Counts | None
  classes: tuple[str, ...] | None = None
  ordered: bool | None = None


@dataclasses.dataclass(frozen=True)
class Reduction:
  """The space that was clustered; means over the folds of the largest size."""

  method: str
  rule: str
  n_components: Estimate
  explained_variance: Estimate
  # Where components are an approximation, see `cluster.pca`.
  solver: str | None = None


@dataclasses.dataclass(frozen=True)
class Clustering(records.Clustering):
  """The algorithm, how often it was trained, and how clusters were matched."""

  trainings: int
  matching: str


class Judged:
  """A CV that stands beside what chance alone gives."""

  cv_band: Interval | Missing

  @property
  def judged(self) -> Estimate:
    """The CV that the band is for."""
    raise NotImplementedError

  @property
  def position(self) -> str:
    """Where the CV lies: above, inside or below its band; '' if unknown."""
    cv, band = codec.known(self.judged), codec.known(self.cv_band)
    if cv is None or band is None:
      return ''
    if cv > band[1]:
      return 'above'
    return 'below' if cv < band[0] else 'inside'


@dataclasses.dataclass(frozen=True)
class FoldSpread:
  """How the trainings of the clustering differ in a fold."""

  cv_std: Estimate
  cv_min: Estimate
  cv_max: Estimate
  cluster_metric_std: PartlyPerCluster


@dataclasses.dataclass(frozen=True)
class SizeSpread:
  """How the trainings of the clustering differ, mean over the folds."""

  cv_std: Estimate


@dataclasses.dataclass(frozen=True)
class Empty:
  """A cluster without test images, and in how many trainings it had none."""

  cluster: int
  trainings: int


@dataclasses.dataclass(frozen=True)
class Coinciding:
  """Two clusters, and in how many trainings their centroids are one."""

  clusters: tuple[int, int]
  trainings: int


@dataclasses.dataclass(frozen=True)
class ByComponents:
  """The CV in 1, 2, ... components, and the choice among them."""

  n_components: tuple[int, ...]
  metric: str
  cv: Partly[tuple[float | None, ...]]
  cv_minus_one: Partly[tuple[float | None, ...]]
  mode: Estimate
  frequency: int
  chosen: int | Missing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fold(Judged):
  """One fold of one size; its clusters have means over the trainings."""

  n_train: int
  n_test: int
  metric: Estimate
  baseline: Estimate
  scores: Score | RegressionScore
  cluster_metric: PartlyPerCluster
  cluster_size: PerCluster
  cluster_n_test: PerCluster
  n_clusters_with_test: Number
  cv: Estimate
  cv_of_means: Estimate
  cv_expected: Estimate
  cv_band: Interval | Missing
  cv_corrected: Estimate
  cv_p_value: Estimate
  training_spread: FoldSpread
  adjusted_rand: Estimate
  jaccard: PartlyPerCluster
  n_components: int
  explained_variance: Estimate
  empty: tuple[Empty, ...]
  coinciding: tuple[Coinciding, ...] = ()
  unconverged: int
  cv_by_components: ByComponents | Missing

  @property
  def judged(self) -> Estimate:
    return self.cv

  @property
  def clusters_with_test(self) -> int:
    """How many clusters have test images in any training."""
    return sum(n > 0 for n in self.cluster_n_test)


@dataclasses.dataclass(frozen=True)
class ToCentroid:
  """A row of Table 2: from the centroid of a cluster to its training images."""

  cluster: int
  min: Estimate
  max: Estimate
  mean: Estimate
  std: Estimate


@dataclasses.dataclass(frozen=True)
class Fuzzifier:
  """The CV with another fuzzifier."""

  fuzzifier: float
  mean_of_cvs: Estimate
  cv_of_means: Estimate
  cluster_size_mean: PerCluster


class Distances:
  """Tables 1 and 2 of one size, here or in the paper."""

  n: int
  centroid_distances: Matrix
  closest_point_distances: Matrix
  to_centroid: tuple[ToCentroid, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size(Judged, Distances):
  """One sample size, over its folds."""

  n: int
  n_train: Number
  n_test: Number
  baseline: Estimate
  folds: Annotated[tuple[Fold, ...], 'T']
  metric_mean: Estimate
  cluster_metric_mean: PartlyPerCluster
  cluster_size_mean: PerCluster
  n_clusters_with_test: Number
  mean_of_cvs: Estimate
  cv_of_means: Estimate
  cv_expected: Estimate
  cv_band: Interval | Missing
  cv_corrected: Estimate
  cv_p_value: Estimate
  # None in earlier releases, whose band exchanged images of all classes.
  band_draws: int | None = None
  band_unit: str = 'image'  # What was exchanged: image or patient.
  band_stays: int | None = None  # Units that no other one is like.
  band_exchanged: float  # Share of the test images that are of the others.
  band: str | Missing  # The paper's name for the CV.
  training_spread: SizeSpread
  adjusted_rand: Estimate
  centroid_distances: Matrix
  closest_point_distances: Matrix
  to_centroid: Annotated[tuple[ToCentroid, ...], 'K']
  fuzzifiers: tuple[Fuzzifier, ...] | Missing
  # Training images whose closest others were looked for, where that was not
  # done for all: closest-point distances are upper limits then.
  closest_points_asked: int | None = None

  @property
  def judged(self) -> Estimate:
    return self.mean_of_cvs

  @property
  def validation(self) -> tuple[int, ...]:
    """`[T]`, images kept for early stopping: in no other part."""
    return tuple(self.n - fold.n_train - fold.n_test for fold in self.folds)


@dataclasses.dataclass(frozen=True)
class Validity:
  """Algorithms and numbers of clusters on one fold of the largest size."""

  n: int
  rows: tuple[Choice, ...]
  reading: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class PublishedNetwork:
  """The network of the paper."""

  name: str
  dim: int


@dataclasses.dataclass(frozen=True)
class PublishedSplit:
  """The folds of the paper."""

  folds: int


@dataclasses.dataclass(frozen=True)
class PublishedReduction:
  """The space that the paper clustered."""

  method: str
  n_components: int


@dataclasses.dataclass(frozen=True)
class PublishedClustering:
  """The algorithm of the paper."""

  method: str
  k: int
  trainings: int


@dataclasses.dataclass(frozen=True)
class PublishedSize(Distances):
  """What the paper prints for one of its sizes."""

  n: int
  centroid_distances: Matrix
  closest_point_distances: Matrix
  to_centroid: tuple[ToCentroid, ...]


@dataclasses.dataclass(frozen=True)
class PublishedRelation:
  """The paper's correlation of CV and metric over its sizes."""

  pearson: float


@dataclasses.dataclass(frozen=True)
class Published:
  """What the paper reports for one of its models, under the paths of ours."""

  source: str
  printed_in: Mapping[str, str]
  backbone: PublishedNetwork
  metric: str
  split: PublishedSplit
  reduction: PublishedReduction
  cluster: PublishedClustering
  sizes: tuple[PublishedSize, ...]
  cv_vs_metric: PublishedRelation
  notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class OneRuleBand:
  """The CV at the largest size beside worlds with one rule for all clusters.

  Attributes:
    cv: of logistic heads at their optimum, which are refitted in the worlds.
    band: the middle 95 % of the worlds' CVs.
    p_value: of the CV being as large where one rule holds.
    worlds: how many.
  """

  cv: float
  band: Interval
  p_value: float
  worlds: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
  """`results.json` of a sample-size study."""

  schema_version: int
  study: str
  task: str
  protocol: str
  seed: int
  metric: str
  predictions: str | None = None  # given or trained.
  split: records.Split
  dataset: Dataset
  backbone: records.Network
  reduction: Reduction
  cluster: Clustering
  heads: records.Heads | None = None  # Of logistic ones.
  sizes: Annotated[tuple[Size, ...], 'S']
  cv_vs_metric: CvVsMetric
  validity: Validity
  findings: tuple[str, ...]
  leaks: records.Leaks | None = None
  shortcuts: tuple[records.Shortcut, ...] | None = None
  published: Published | Missing
  timings: records.Timings
  environment: records.Environment
  verdict: Verdict | None = None
  one_rule_band: OneRuleBand | Missing | None = None

  @property
  def by_size(self) -> tuple[Size, ...]:
    """The sizes, the smallest first."""
    return tuple(sorted(self.sizes, key=lambda size: size.n))

  @property
  def largest(self) -> Size:
    return self.by_size[-1]

  @property
  def classes(self) -> Classes:
    """The classes that heads tell apart; none for a regression."""
    return self.dataset.named

  @property
  def within_classes(self) -> bool:
    """Whether the band keeps the classes of every cluster."""
    return bool(self.classes.names) and self.largest.band_draws is not None

  @property
  def unit(self) -> str:
    """What is clustered: images, or samples where features were given."""
    return self.backbone.unit

  @property
  def predictions_given(self) -> bool:
    """Whether files said what was predicted, and no top model was trained."""
    return self.predictions == 'given'

  @property
  def validated(self) -> bool:
    """Whether there is a validation part."""
    return any(any(size.validation) for size in self.sizes)

  @property
  def peeks(self) -> bool:
    """Whether early stopping looked at what is tested."""
    return not (self.validated or self.predictions_given or self.heads)

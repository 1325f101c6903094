"""What the results of every study hold, as records (see `records.codec`)."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Annotated, Any

from heterojax.backbones import Backbone
from heterojax.datasets.manifest import Cohort
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.records.codec import Partly
from heterojax.stats import metrics
from heterojax.studies import choosing
from heterojax.studies import partition
from heterojax.studies import settings as settings_lib

# Version of the schema of `results.json`.
VERSION = 1
# Images by the name of their class.
Counts = Annotated[Mapping[str, Number], 'classes']
# Kind of leak (of the validation part: `validation_<kind>`) to the images that
# it concerns by class, or of `all` where labels are numbers; a lower bound
# where a reason stands beside it.
Leaks = Mapping[str, Partly[Mapping[str, int]] | Missing]


@dataclasses.dataclass(frozen=True)
class Split:
  """How often the data were split, and whether they name their parts."""

  folds: int  # 0 where they were split once.
  named: bool


@dataclasses.dataclass(frozen=True)
class Network:
  """The network whose features were used, or what is known of given ones."""

  name: str
  source: str | Missing
  weights: str | Missing
  weights_sha256: str | Missing
  feature: str  # flatten, avg or given.
  dim: int
  train: str  # frozen or full.
  dtype: str | Missing

  @property
  def given(self) -> bool:
    """Whether the features were given, and no network was run."""
    return self.feature == 'given'

  @property
  def unit(self) -> str:
    """What is clustered: images, or samples where features were given."""
    return 'sample' if self.given else 'image'


@dataclasses.dataclass(frozen=True)
class Clustering:
  """The algorithm of the clusters, or the groups that are known instead."""

  method: str
  names: tuple[str, ...] | Missing  # Of known groups, [K].
  k: int
  n_init: int
  fuzzifier: Estimate
  covariance: str | Missing

  def __post_init__(self) -> None:
    if not choosing.is_known(self.method):
      raise ValueError(f'has the unknown method {self.method!r}')


@dataclasses.dataclass(frozen=True)
class Heads:
  """How logistic heads were fitted; heads that stop early have no such record.

  C of each fold (of each size) in order, and whether cross-validation chose it.
  """

  kind: str  # logistic.
  c: tuple[float, ...]
  c_chosen: bool
  standardised: bool  # Else all features were divided by one number.
  not_converged: int


@dataclasses.dataclass(frozen=True)
class Shortcut:
  """What a column of the manifest says of the class and of the clusters."""

  column: str
  kind: str | Missing
  measure: str | Missing
  n: int | Missing
  with_class: Estimate
  with_cluster: Estimate
  p_value: Estimate
  p_value_with_cluster: Estimate
  auc_alone: Estimate


# Seconds, units of work and rates of each stage.
Timings = Mapping[str, Mapping[str, Estimate]]
Environment = Mapping[str, Any]


class Classified:
  """How the classes of a data set are read.

  Of two classes the disease is `positive`; of more `classes` are their names.
  """

  positive: str | None
  negative: str | None
  classes: tuple[str, ...] | None
  ordered: bool | None

  @property
  def named(self) -> metrics.Classes:
    """The classes; none where labels are numbers."""
    if self.classes:
      return metrics.Classes(self.classes, bool(self.ordered))
    pair = self.positive or '', self.negative or ''
    return metrics.Classes(pair if any(pair) else ())


def of_classes(classes: metrics.Classes) -> dict[str, Any]:
  """The fields that `Classified` reads."""
  if len(classes.names) > 2:
    none = {'positive': None, 'negative': None}
    return none | {'classes': classes.names, 'ordered': classes.ordered}
  pair = classes.names or ('', '')
  return dict(zip(('positive', 'negative'), pair, strict=True))


# Fields of the results of two classes, and of those of more.
_OF_TWO = frozenset({'tp', 'fp', 'tn', 'fn', 'positive', 'negative'})
_OF_MORE = frozenset({
  'answers',
  'sensitivities',
  'sensitivity_intervals',
  'classes',
  'ordered',
})


# Of data too large for an exact answer, which is found when they are read.
_OF_LARGE = frozenset({
  'solver',
  'intra_cluster_margin',
  'silhouette_margin',
  'closest_points_asked',
})


def nowhere(settings: settings_lib.Settings) -> frozenset[str]:
  """Fields of other numbers of classes or rows, see `foretell.Known`."""
  others = _OF_TWO if len(settings.data.named) != 2 else _OF_MORE
  return others | _OF_LARGE


def names_of_classes(
  settings: settings_lib.Settings, cohorts: Sequence[Cohort] | None
) -> dict[str, Sequence[str]]:
  """What is known of the classes and their metrics, see `foretell.Known`."""
  names: dict[str, Sequence[str]] = {}
  if settings.data.task == 'classification':
    names['metrics'] = metrics.names(settings.task)
  if cohorts is not None:
    names['classes'] = cohorts[0].classes
  return names


def network(
  settings: settings_lib.Settings, backbone: Backbone | None, dim: int
) -> Network:
  """The network; where the features are given, why nothing is known of it."""
  b = settings.backbone
  if backbone is None:
    unknown = Missing('the features are given')
    return Network(
      name=b.name,
      source=unknown,
      weights=unknown,
      weights_sha256=unknown,
      feature='given',
      dim=dim,
      train=b.train,
      dtype=unknown,
    )
  return Network(
    name=backbone.name,
    source=backbone.source,
    weights=backbone.weights,
    weights_sha256=backbone.weights_sha256 or Missing('the weights are random'),
    feature=b.feature,
    dim=dim,
    train=b.train,
    dtype=b.dtype,
  )


def clustering(
  chosen: settings_lib.Cluster, groups: partition.Groups | None = None
) -> dict[str, Any]:
  """The fields of `Clustering`, with why a setting is of another algorithm.

  Args:
    chosen: the settings.
    groups: that are known; None where samples are clustered.

  Returns:
    Name to value.
  """
  none = Missing(f'{choosing.named(chosen.method)} has none')
  return {
    'method': chosen.method,
    'names': groups.names if groups else none,
    'k': chosen.k,
    'n_init': chosen.n_init,
    'fuzzifier': chosen.fuzzifier if chosen.method == 'fuzzy' else none,
    'covariance': chosen.covariance if chosen.method == 'gmm' else none,
  }

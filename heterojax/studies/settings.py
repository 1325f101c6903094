"""The settings of a study: frozen, checked once, free of the launch layer."""

from collections.abc import Iterable, Iterator
import csv
import dataclasses
import re
from typing import Any

from heterojax import addresses
from heterojax import datasets
from heterojax import features
from heterojax.datasets import pixels
from heterojax.datasets import splits
from heterojax.datasets.choices import Choices
from heterojax.datasets.classes import ALL
from heterojax.datasets.classes import Classes
from heterojax.datasets.images import RESIZES
from heterojax.datasets.images import Resize
from heterojax.errors import UserError
from heterojax.heads import ensemble


@dataclasses.dataclass(frozen=True)
class Data:
  dataset: str
  dir: str
  files: str
  external: str
  images: str
  masks: bool
  group: str
  task: str
  columns: str
  features: str
  where: str
  positive: str
  negative: str
  classes: str
  ordered: bool
  balance: bool
  subpopulation: str
  num_images: int
  range: pixels.Range
  resize: Resize
  image_size: int
  max_bad_share: float

  @property
  def choices(self) -> Choices:
    """What the readers of users' own data are told."""
    return Choices(self.columns, self.features, self.images, self.masks)

  @property
  def named(self) -> Classes:
    """Labels that were named, of two that of the disease first."""
    if not self.classes:
      return self.positive, self.negative
    (names,) = csv.reader([self.classes], skipinitialspace=True)
    return tuple(name.strip() for name in names)


@dataclasses.dataclass(frozen=True)
class Split:
  protocol: str
  named: bool
  test_share: float
  validation_share: float
  folds: int


@dataclasses.dataclass(frozen=True)
class Augmentation:
  positive: float
  negative: float

  @property
  def factors(self) -> tuple[float, ...]:
    """Factor of each class, in their order."""
    return self.positive, self.negative


@dataclasses.dataclass(frozen=True)
class Backbone:
  name: str
  source: str
  weights: str
  feature: str
  train: str
  dtype: str


@dataclasses.dataclass(frozen=True)
class Features:
  batch_size: int
  workers: int


@dataclasses.dataclass(frozen=True)
class Reduction:
  method: str
  n_components: int
  rule: str
  variance: float
  most_components: int
  fit: str
  rejected: int


@dataclasses.dataclass(frozen=True)
class Cluster:
  method: str
  min_size: int
  k: int
  n_init: int
  max_iter: int
  tol: float
  fuzzifier: float
  covariance: str
  trainings: int
  matching: str


@dataclasses.dataclass(frozen=True)
class Heads:
  kind: str
  c: float
  epochs: int
  patience: int
  batch_size: int
  learning_rate: float
  l2: float
  monitor: str
  widths: tuple[int, ...]
  random_runs: int
  random_vary: str
  own_seeds: int


@dataclasses.dataclass(frozen=True)
class Verdict:
  worlds: int
  partitions: int
  exchanges: int
  seconds: int


@dataclasses.dataclass(frozen=True)
class FineTuning:
  epochs: int
  patience: int
  batch_size: int
  learning_rate: float
  weight_decay: float
  batch_norm: str


@dataclasses.dataclass(frozen=True)
class Settings:
  """All of a study; see `configs/common.py` for each field."""

  seed: int
  study: str
  sizes: str
  nested: bool
  published: str
  data: Data
  split: Split
  augmentation: Augmentation
  backbone: Backbone
  features: Features
  reduction: Reduction
  cluster: Cluster
  heads: Heads
  verdict: Verdict
  fine_tuning: FineTuning

  @property
  def at_optimum(self) -> bool:
    """Whether heads are logistic regressions: of classes alone."""
    frozen = self.backbone.train == 'frozen'
    classes = self.data.task == 'classification'
    return self.heads.kind == 'logistic' and classes and frozen

  @property
  def task(self) -> str:
    """What heads learn, see `Metric.tasks`."""
    if self.data.task == 'regression' or len(self.data.named) == 2:
      return self.data.task
    return 'grading' if self.data.ordered else 'multiclass'

  @property
  def own_seeds(self) -> int:
    """How often a cluster's own head is trained: an optimum has no seed."""
    return 1 if self.at_optimum else self.heads.own_seeds


# What a field of a type may be, and how to say that.
_KINDS = {
  bool: (bool, 'True or False'),
  float: ((int, float), 'a number'),
  int: (int, 'a whole number'),
  str: (str, 'text'),
  pixels.Range: (str, 'text'),
  Resize: (str, 'text'),
  tuple[int, ...]: ((list, tuple), 'whole numbers, as in (256, 128, 64)'),
}
_CHOICES = {
  'published': ('', 'psp', 'bone_age'),
  'data.task': ('classification', 'regression'),
  'data.dataset': datasets.NAMES,
  'data.range': pixels.RANGES,
  'data.resize': RESIZES,
  'split.protocol': splits.PROTOCOLS,
  'backbone.feature': features.FEATURES,
  'backbone.train': ('frozen', 'full'),
  'backbone.dtype': features.DTYPES,
  'reduction.method': ('pca', 'none'),
  'reduction.rule': ('fixed', 'variance', 'minimum_mode_cv'),
  'reduction.fit': ('train', 'separate'),
  'cluster.method': ('kmeans', 'fuzzy', 'gmm'),
  'cluster.covariance': ('full', 'diag', 'spherical'),
  'cluster.matching': ('members', 'members_and_metric'),
  'heads.kind': ('keras', 'logistic'),
  'heads.monitor': ensemble.MONITORS,
  'heads.random_vary': ('both', 'initialisation'),
  'fine_tuning.batch_norm': ('trained', 'folded'),
}
# What else they may be, and how to say that.
_PATTERNS = {
  'cluster.method': (r'(column|ids):.*\S.*', '; or column:NAME, or ids:FILE')
}
_AT_LEAST = {
  'seed': 0,
  'data.num_images': 12,
  'data.image_size': 32,
  'features.batch_size': 1,
  'features.workers': 1,
  'augmentation.positive': 1,
  'augmentation.negative': 1,
  'reduction.n_components': 1,
  'reduction.most_components': 1,
  'reduction.rejected': 0,
  'split.folds': 0,
  'cluster.min_size': 1,
  'cluster.k': 2,
  'cluster.n_init': 1,
  'cluster.max_iter': 1,
  'cluster.tol': 0,
  'cluster.trainings': 1,
  'heads.epochs': 1,
  'heads.patience': 0,
  'heads.batch_size': 1,
  'heads.l2': 0,
  'heads.c': 0,
  'heads.random_runs': 1,
  'heads.own_seeds': 1,
  'verdict.worlds': 0,
  'verdict.partitions': 1,
  'verdict.exchanges': 1,
  'verdict.seconds': 0,
  'fine_tuning.epochs': 1,
  'fine_tuning.patience': 0,
  'fine_tuning.batch_size': 2,
  'fine_tuning.weight_decay': 0,
}
# Fields that name files, which are of this machine.
_PATHS = (
  'data.dir',
  'data.files',
  'data.external',
  'data.images',
  'backbone.weights',
)
_SHARES = ('split.test_share', 'split.validation_share')
# Shares that may be 0 as well, see `_rules`.
_OR_NONE = ('split.validation_share',)
_ABOVE_ZERO = ('heads.learning_rate', 'fine_tuning.learning_rate')


def from_dict(config: dict[str, Any]) -> Settings:
  """Builds the settings of a resolved configuration.

  Args:
    config: nested, with exactly the fields of `Settings`.

  Returns:
    The settings.

  Raises:
    UserError: for a value that cannot be, or a field too many or too few.
  """
  _check_types(Settings, config)
  sections = {
    name: config[name] if kind in _KINDS else kind(**config[name])
    for name, kind in _types(Settings).items()
  }
  settings = Settings(**sections)
  heads = dataclasses.replace(
    settings.heads, widths=tuple(settings.heads.widths)
  )
  settings = dataclasses.replace(settings, heads=heads)
  _check_values(settings, config)
  require(_rules(settings))
  return settings


def require(rules: Iterable[tuple[bool, str]]) -> None:
  """Raises a UserError with the sentence of the first rule that is broken."""
  for holds, sentence in rules:
    if not holds:
      raise UserError(sentence)


def _types(section: type) -> dict[str, Any]:
  """Name to type of every field: one of `_KINDS`, or a section."""
  return {field.name: field.type for field in dataclasses.fields(section)}


def _check_types(section: type, config: Any, prefix: str = '') -> None:
  """Raises a UserError unless a section has its fields, of their types.

  Configuration files are Python and can set anything.
  """
  where = f'--config.{prefix}'.rstrip('.')
  if not isinstance(config, dict):
    raise UserError(f'{where} is {config!r}, but must be a section of fields.')
  types = _types(section)
  if odd := [*types.keys() ^ config.keys()]:
    name = min(odd, key=str)
    has = 'lacks the' if name in types else 'has an unknown'
    raise UserError(
      f'The configuration {has} field {f"{prefix}{name}"!r}: see'
      ' configs/common.py.'
    )
  for name, kind in types.items():
    value, path = config[name], f'{prefix}{name}'
    if kind not in _KINDS:
      _check_types(kind, value, f'{path}.')
      continue
    kinds, words = _KINDS[kind]
    is_flag = isinstance(value, bool) and kind is not bool
    if not isinstance(value, kinds) or is_flag:
      raise UserError(f'--config.{path} is {value!r}, but must be {words}.')
    if isinstance(value, str) and '\0' in value:
      raise UserError(
        f'--config.{path} is {value!r}, but no text has a NUL character.'
      )


def _check_values(settings: Settings, config: dict[str, Any]) -> None:
  """Raises a UserError for a field that no study can have."""
  for path, value in _numbers(config):
    if not -(2**63) <= value < 2**63:  # Neither infinite nor NaN.
      raise UserError(f'--config.{path} is {value}, which is out of range.')
  for path in _PATHS:
    if addresses.is_address(value := _get(settings, path)):
      raise UserError(addresses.refusal(f'--config.{path}', value))
  for path, choices in _CHOICES.items():
    value = _get(settings, path)
    pattern, words = _PATTERNS.get(path, ('', ''))
    also = pattern and re.fullmatch(pattern, value)
    if value not in choices and not also:
      raise UserError(
        f'--config.{path} is {value!r}, but must be one of'
        f' {", ".join(choices)}{words}.'
      )
  for path, least in _AT_LEAST.items():
    if not (value := _get(settings, path)) >= least:
      raise UserError(
        f'--config.{path} is {value}, but must be {least} or more.'
      )
  for path in _SHARES:
    value = _get(settings, path)
    if not (0 < value <= 0.5 or value == 0 and path in _OR_NONE):
      raise UserError(
        f'--config.{path} is {value}, but must be a share above 0 and up to'
        ' 0.5.'
      )
  for path in _ABOVE_ZERO:
    if not (value := _get(settings, path)) > 0:
      raise UserError(f'--config.{path} is {value}, but must be above 0.')


def _rules(settings: Settings) -> Iterator[tuple[bool, str]]:
  """What must hold in every study, and what to say where it does not."""
  s = settings
  yield (
    0 <= s.data.max_bad_share <= 1,
    (
      f'--config.data.max_bad_share is {s.data.max_bad_share}, but must be from'
      ' 0 to 1.'
    ),
  )
  yield (
    not (s.data.files and s.data.dir),
    (
      f'--config.data.files ({s.data.files}) and --config.data.dir'
      f' ({s.data.dir}) both say where the data are: give one of them.'
    ),
  )
  of_images = 'folders and tables of images (--config=folder)'
  of_features = 'files of features (--config=features)'
  for name, value, what, known in (
    ('images', s.data.images, of_images, ('folder',)),
    ('masks', s.data.masks, of_images, ('folder',)),
    ('features', s.data.features, of_features, ('features',)),
    (
      'columns',
      s.data.columns,
      f'{of_images} and {of_features}',
      ('folder', 'features'),
    ),
  ):
    yield (
      not value or s.data.dataset in known,
      f'--config.data.{name} is for {what}, not for {s.data.dataset}.',
    )
  yield (
    not s.data.group or s.data.dataset != 'features',
    (
      '--config.data.group reads patients from names of images: files of'
      ' features name them in a column, group.'
    ),
  )
  yield from _rules_of_classes(s.data)
  yield s.seed < 2**32, f'--config.seed is {s.seed}, but must be below 2^32.'
  yield (
    s.split.folds != 1,
    ('--config.split.folds is 1, but must be 0 (one split) or 2 or more.'),
  )
  yield (
    bool(s.split.validation_share)
    or s.at_optimum
    or s.split.protocol == 'published',
    (
      '--config.split.validation_share is 0, but these heads stop early by a'
      ' validation part: give it a share up to 0.5, or choose'
      ' --config.heads.kind=logistic.'
    ),
  )
  yield (
    0 < s.reduction.variance < 1,
    (
      f'--config.reduction.variance is {s.reduction.variance}, but must be a'
      ' share between 0 and 1.'
    ),
  )
  yield (
    s.cluster.fuzzifier > 1,
    (
      f'--config.cluster.fuzzifier is {s.cluster.fuzzifier}, but must be above'
      ' 1.'
    ),
  )
  widths = s.heads.widths
  yield (
    all(isinstance(w, int) and w > 0 for w in widths),
    (
      f'--config.heads.widths is {widths}, but must be whole numbers above 0,'
      ' as in (256, 128, 64).'
    ),
  )


def _rules_of_classes(d: Data) -> Iterator[tuple[bool, str]]:
  """What must hold of the names of more than two classes."""
  field = f'--config.data.classes is {d.classes!r}'
  yield (
    not (d.classes and d.task == 'regression'),
    f'{field}, but a regression has no classes.',
  )
  yield (
    not (d.classes and (d.positive or d.negative)),
    f'{field}, and --config.data.positive or negative names a class, too: give'
    ' three or more classes in the one, or two in the others.',
  )
  yield (
    not d.classes or d.named == ALL or len(d.named) > 1 and all(d.named),
    f'{field}, but must be all, or labels with commas between them, as a,b,c.',
  )
  yield (
    not d.ordered or len(d.named) > 2 or d.named == ALL,
    '--config.data.ordered is for the grades that --config.data.classes names.',
  )


def _numbers(
  config: dict[str, Any], prefix: str = ''
) -> Iterator[tuple[str, float]]:
  """(path, value) of every number."""
  for name, value in config.items():
    if isinstance(value, dict):
      yield from _numbers(value, f'{prefix}{name}.')
    elif isinstance(value, (int, float)):
      yield f'{prefix}{name}', value


def _get(settings: Settings, path: str) -> Any:
  value: Any = settings
  for name in path.split('.'):
    value = getattr(value, name)
  return value

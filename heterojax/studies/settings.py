"""The settings of a study: frozen, checked once, free of the launch layer."""

from collections.abc import Iterator
import dataclasses
from typing import Any

from heterojax import datasets
from heterojax import features
from heterojax.datasets import images
from heterojax.datasets import splits
from heterojax.errors import UserError
from heterojax.heads import ensemble


@dataclasses.dataclass(frozen=True)
class Data:
  dataset: str
  dir: str
  positive: str
  negative: str
  balance: bool
  subpopulation: str
  num_images: int
  resize: str
  image_size: int
  max_bad_share: float


@dataclasses.dataclass(frozen=True)
class Split:
  protocol: str
  test_share: float
  validation_share: float
  folds: int


@dataclasses.dataclass(frozen=True)
class Augmentation:
  positive: float
  negative: float


@dataclasses.dataclass(frozen=True)
class Backbone:
  name: str
  source: str
  weights: str
  feature: str
  train: str


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
  fit: str
  rejected: int


@dataclasses.dataclass(frozen=True)
class Cluster:
  method: str
  k: int
  n_init: int
  max_iter: int
  tol: float


@dataclasses.dataclass(frozen=True)
class Heads:
  epochs: int
  patience: int
  batch_size: int
  learning_rate: float
  l2: float
  monitor: str
  random_runs: int
  random_vary: str


@dataclasses.dataclass(frozen=True)
class Settings:
  """All of a retraining study; see `configs/common.py` for each field."""

  seed: int
  study: str
  data: Data
  split: Split
  augmentation: Augmentation
  backbone: Backbone
  features: Features
  reduction: Reduction
  cluster: Cluster
  heads: Heads


_CHOICES = {
    'study': ('retraining',),
    'data.dataset': datasets.NAMES,
    'data.resize': images.RESIZES,
    'split.protocol': splits.PROTOCOLS,
    'backbone.feature': features.FEATURES,
    'backbone.train': ('frozen',),
    'reduction.method': ('pca', 'none'),
    'reduction.rule': ('fixed', 'variance'),
    'reduction.fit': ('train', 'separate'),
    'cluster.method': ('kmeans',),
    'heads.monitor': ensemble.MONITORS,
    'heads.random_vary': ('both', 'initialisation'),
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
    'reduction.rejected': 0,
    'split.folds': 0,
    'cluster.k': 2,
    'cluster.n_init': 1,
    'cluster.max_iter': 1,
    'cluster.tol': 0,
    'heads.epochs': 1,
    'heads.patience': 0,
    'heads.batch_size': 1,
    'heads.l2': 0,
    'heads.random_runs': 1,
}
_SHARES = ('split.test_share', 'split.validation_share')


def from_dict(config: dict[str, Any]) -> Settings:
  """Builds the settings of a resolved configuration.

  Args:
    config: nested, with exactly the fields of `Settings`.

  Returns:
    The settings.

  Raises:
    UserError: for a value that cannot be.
  """
  sections = {
      field.name: field.type(**config[field.name])
      if dataclasses.is_dataclass(field.type)
      else config[field.name]
      for field in dataclasses.fields(Settings)
  }
  settings = Settings(**sections)
  for path, value in _numbers(config):
    if not -(2**63) <= value < 2**63:  # Neither infinite nor NaN.
      raise UserError(f'--config.{path} is {value}, which is out of range.')
  for path, choices in _CHOICES.items():
    if (value := _get(settings, path)) not in choices:
      raise UserError(
          f'--config.{path} is {value!r}, but must be one of'
          f' {", ".join(choices)}.'
      )
  for path, least in _AT_LEAST.items():
    if not (value := _get(settings, path)) >= least:
      raise UserError(
          f'--config.{path} is {value}, but must be {least} or more.'
      )
  for path in _SHARES:
    if not 0 < (value := _get(settings, path)) <= 0.5:
      raise UserError(
          f'--config.{path} is {value}, but must be a share above 0 and up to'
          ' 0.5.'
      )
  if not 0 <= settings.data.max_bad_share <= 1:
    raise UserError(
        f'--config.data.max_bad_share is {settings.data.max_bad_share}, but'
        ' must be from 0 to 1.'
    )
  if settings.seed >= 2**32:
    raise UserError(f'--config.seed is {settings.seed}, but must be below 2^32.')
  if settings.split.folds == 1:
    raise UserError(
        '--config.split.folds is 1, but must be 0 (one split) or 2 or more.'
    )
  if not 0 < settings.reduction.variance < 1:
    raise UserError(
        f'--config.reduction.variance is {settings.reduction.variance}, but'
        ' must be a share between 0 and 1.'
    )
  if not settings.heads.learning_rate > 0:
    raise UserError(
        f'--config.heads.learning_rate is {settings.heads.learning_rate}, but'
        ' must be above 0.'
    )
  return settings


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

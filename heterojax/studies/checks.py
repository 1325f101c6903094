"""Settings from a configuration: each field checked, and what goes together."""

from collections.abc import Iterable, Iterator
import dataclasses
import glob
import os
import pathlib
import re
from typing import Any

from heterojax import addresses
from heterojax.errors import UserError
from heterojax.studies import fields
from heterojax.studies.settings import Data
from heterojax.studies.settings import Settings

FIELDS = {field.name: field for field in fields.every(Settings)}
# What a field of a type may be, and how to say that.
_KINDS = {
  bool: (bool, 'True or False'),
  float: ((int, float), 'a number'),
  int: (int, 'a whole number'),
  str: (str, 'text'),
  tuple: ((list, tuple), 'whole numbers, as in (256, 128, 64)'),
}
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
  inside = fields.sections(Settings)
  settings = Settings(**{
    name: inside[name](**value) if name in inside else value
    for name, value in config.items()
  })
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


def require_data(data: Data) -> None:
  """Raises a UserError where there are no data to read, or two."""
  if data.dataset.startswith('demo'):
    require([
      (
        not data.dir,
        f'{data.dataset} is made up, and --config.data.dir ({data.dir}) is of'
        ' other data: give one of them.',
      )
    ])
    return
  if not data.dir and not data.files:
    what = 'images are'
    if data.dataset == 'features':
      what = 'features are, or --config.data.files'
    raise UserError(f'--config.data.dir must name where the {what}.')
  for name, value in (('dir', data.dir), ('external', data.external)):
    if addresses.stored(value):  # Looked up when it is copied.
      continue
    if value and not pathlib.Path(value).expanduser().exists():
      raise UserError(
        f'{value} does not exist: --config.data.{name} must be a folder or file'
        ' of this machine.'
      )


def files_read(settings: Settings) -> list[str]:
  """Paths of this machine that a study reads, where they are named."""
  d = settings.data
  named = d.dir, d.external, d.images, settings.backbone.weights
  return [*filter(None, named), *glob.glob(os.path.expanduser(d.files))]


def _check_types(section: type, config: Any, prefix: str = '') -> None:
  """Raises a UserError unless a section has its fields, of their types.

  Configuration files are Python and can set anything.
  """
  where = f'--config.{prefix}'.rstrip('.')
  if not isinstance(config, dict):
    raise UserError(f'{where} is {config!r}, but must be a section of fields.')
  names = [field.name for field in dataclasses.fields(section)]
  if odd := [*set(names) ^ config.keys()]:
    name = min(odd, key=str)
    has = 'lacks the' if name in names else 'has an unknown'
    raise UserError(
      f'The configuration {has} field {f"{prefix}{name}"!r}: see'
      ' heterojax --helpfull.'
    )
  inside = fields.sections(section)
  for name in names:
    if name in inside:
      _check_types(inside[name], config[name], f'{prefix}{name}.')
    else:
      _check_type(FIELDS[f'{prefix}{name}'], config[name])


def _check_type(field: fields.Field, value: Any) -> None:
  kinds, words = _KINDS[field.kind]
  is_flag = isinstance(value, bool) and field.kind is not bool
  if not isinstance(value, kinds) or is_flag:
    raise UserError(f'--config.{field.name} is {value!r}, but must be {words}.')
  if isinstance(value, str) and '\0' in value:
    raise UserError(
      f'--config.{field.name} is {value!r}, but no text has a NUL character.'
    )


def _check_values(settings: Settings, config: dict[str, Any]) -> None:
  """Raises a UserError for a field that no study can have."""
  for path, value in _numbers(config):
    if not -(2**63) <= value < 2**63:  # Neither infinite nor NaN.
      raise UserError(f'--config.{path} is {value}, which is out of range.')
  for field in FIELDS.values():
    _check_value(field, _get(settings, field.name))
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


def _check_value(field: fields.Field, value: Any) -> None:
  odd = field.path and addresses.is_address(value)
  if odd and not addresses.stored(value):
    raise UserError(addresses.refusal(f'--config.{field.name}', value))
  pattern, words = field.also or ('', '')
  also = pattern and re.fullmatch(pattern, value)
  if field.choices and value not in field.choices and not also:
    raise UserError(
      f'--config.{field.name} is {value!r}, but must be one of'
      f' {", ".join(field.choices)}{words}.'
    )
  if field.least is not None and not value >= field.least:
    raise UserError(
      f'--config.{field.name} is {value}, but must be {field.least} or more.'
    )


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
  yield from _rules_of_exported(s)
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


def _rules_of_classes(d: Data) -> Iterator[tuple[bool, str]]:
  """What must hold of the names of more than two classes."""
  field = f'--config.data.classes is {d.classes!r}'
  every = d.named == ('all',)
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
    not d.classes or every or len(d.named) > 1 and all(d.named),
    f'{field}, but must be all, or labels with commas between them, as a,b,c.',
  )
  yield (
    not d.ordered or len(d.named) > 2,
    '--config.data.ordered is for the grades that --config.data.classes names'
    ' in their order, as 0,1,2: all names no order.',
  )


def _rules_of_exported(s: Settings) -> Iterator[tuple[bool, str]]:
  """What must hold of a network in an ONNX file."""
  b = s.backbone
  file = b.name.removeprefix('onnx:')
  if file == b.name:
    yield (
      not b.normalisation,
      f'--config.backbone.normalisation is {b.normalisation}, but is for'
      f' networks in ONNX files, not for {b.name}: leave it out.',
    )
    return
  yield (
    not addresses.is_address(file),
    addresses.refusal('--config.backbone.name', file),
  )
  yield (
    bool(b.normalisation),
    f'{file} does not say how its pixels are normalised: say so with'
    ' --config.backbone.normalisation, as imagenet, unit (0 to 1), symmetric'
    ' (-1 to 1) or raw (0 to 255).',
  )
  yield (
    (b.train, b.dtype) == ('frozen', 'float32'),
    f'{file} runs as it was exported: leave --config.backbone.train=frozen and'
    ' --config.backbone.dtype=float32.',
  )

"""Parameters of an estimator: the fields of a configuration by other names.

`cluster.tol` is `cluster__tol`, as scikit-learn writes nested parameters; a few
have short names, and those of the data follow from X.
"""

import csv
import difflib
import importlib
import io
import os
from typing import Any

import numpy as np

from heterojax.errors import nearest_field
from heterojax.studies.checks import FIELDS
from heterojax.studies.fields import Field

SHORT = {
  'k': 'cluster.k',
  'backbone': 'backbone.name',
  'seed': 'seed',
  'protocol': 'split.protocol',
  'folds': 'split.folds',
  'positive': 'data.positive',
  'negative': 'data.negative',
  'classes': 'data.classes',
}
# What the class of the estimator and X say.
OF_DATA = ('study', 'data.dataset', 'data.dir', 'data.files')
_NAMES = {path: name for name, path in SHORT.items()}


def name(path: str) -> str:
  """The parameter of a field, as `cluster__tol` of cluster.tol."""
  return _NAMES.get(path) or path.replace('.', '__')


FIELD_OF = {name(path): path for path in FIELDS if path not in OF_DATA}
LONG = tuple(name for name in FIELD_OF if name not in SHORT)


def unknown(parameter: str, own: tuple[str, ...]) -> str:
  """What to say of a parameter that there is not.

  Args:
    parameter: as it was written.
    own: parameters that are no fields, as workdir.
  """
  path = parameter.replace('__', '.')
  if path in OF_DATA:
    return f'{parameter!r} is no parameter: the data are given to fit.'
  fields = [field for field in FIELDS if field not in OF_DATA]
  near = difflib.get_close_matches(parameter, [*SHORT, *own], 1)
  near += [name(nearest_field(path, fields))]
  hint = f'did you mean {near[0]}? ' if near[0] else ''
  return (
    f'There is no parameter {parameter!r}: {hint}there are'
    f' {", ".join((*SHORT, *own))}, and those of docs/fields.md.'
  )


def configuration(
  study: str, kind: str, given: dict[str, Any]
) -> dict[str, Any]:
  """The configuration of a study, as the command line resolves it.

  Args:
    study: its name.
    kind: 'folder' or 'features'.
    given: parameters; None stands for the value of the configuration.
  """
  module = importlib.import_module(f'heterojax.configs.{kind}')
  config: dict[str, Any] = module.get_config(f'study={study}').to_dict()
  for parameter, value in given.items():
    if value is not None:
      field = FIELDS[FIELD_OF[parameter]]
      put(config, field.name, _plain(field, value))
  return config


def put(config: dict[str, Any], path: str, value: Any) -> None:
  section, _, field = path.rpartition('.')
  (config[section] if section else config)[field] = value


def differing(config: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
  """Parameters by which one configuration differs from another."""
  found = {}
  for parameter, path in FIELD_OF.items():
    section, _, field = path.rpartition('.')
    value, usual = [
      (c[section] if section else c)[field] for c in (config, base)
    ]
    if isinstance(value, list):  # As JSON has what is a tuple.
      value = tuple(value)
    if value != usual:
      found[parameter] = value
  return found


def _plain(field: Field, value: Any) -> Any:
  """The value of a field, from what Python users give."""
  if isinstance(value, (np.generic, np.ndarray)):
    value = value.tolist()
  if isinstance(value, os.PathLike):
    return os.fspath(value)
  if field.kind is float and type(value) is int:
    return float(value)
  if field.kind is tuple and isinstance(value, list):
    return tuple(value)
  if field.kind is not str or isinstance(value, (str, dict)):
    return value
  if isinstance(value, (list, tuple)):
    words = [str(word) for word in value]
    # Several labels make one class; what else are several has commas.
    is_class = field.name in ('data.positive', 'data.negative')
    return '|'.join(words) if is_class else _with_commas(words)
  # A label may be a truth or a number.
  return str(value) if isinstance(value, (bool, int, float)) else value


def _with_commas(words: list[str]) -> str:
  line = io.StringIO()
  csv.writer(line, lineterminator='').writerow(words)
  return line.getvalue()

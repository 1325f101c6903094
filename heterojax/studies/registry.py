"""The studies: a line each, imported where one is asked for."""

import collections
from collections.abc import Mapping
import importlib
from typing import TYPE_CHECKING, Any

from heterojax.errors import UserError
from heterojax.studies import checks
from heterojax.studies.settings import Settings

if TYPE_CHECKING:
  from heterojax.studies.study import Study


class _Studies(collections.UserDict):
  """Name to `Study`, or to where it is, as package.study:NAME."""

  def __getitem__(self, name: str) -> 'Study':
    found = self.data[name]
    if isinstance(found, str):
      module, _, constant = found.partition(':')
      found = getattr(importlib.import_module(module), constant)
      self.data[name] = found
    return found


STUDIES = _Studies({
  'retraining': 'heterojax.studies.retraining.study:RETRAINING',
  'sample_size': 'heterojax.studies.sample_size.study:SAMPLE_SIZE',
})


def defaults(name: str) -> Mapping[str, Any]:
  """Dotted field to its value, where a study's is not that of `settings`."""
  known = STUDIES.data[name]
  if isinstance(known, str):
    package = known.partition(':')[0].rpartition('.')[0]
    return importlib.import_module(f'{package}.defaults').DEFAULTS
  return known.defaults


def find(name: object) -> 'Study | None':
  """The study that a file names, if there is one."""
  return STUDIES.get(name) if isinstance(name, str) else None


def get(name: object) -> 'Study':
  """The study that a configuration names.

  Raises:
    UserError: if there is none.
  """
  if (study := find(name)) is None:
    raise UserError(
      f'--config.study is {name!r}, but must be one of {", ".join(STUDIES)}.'
    )
  return study


def settings(config: dict[str, Any]) -> Settings:
  """The settings of a resolved configuration, checked by its study too.

  Raises:
    UserError: see `checks.from_dict`; or where a rule of the study does not
      hold.
  """
  checked = checks.from_dict(config)
  checks.require(get(checked.study).rules(checked))
  return checked

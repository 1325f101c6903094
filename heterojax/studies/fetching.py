"""Settings whose data lie in object stores, with what was copied from there."""

import dataclasses
import glob
import itertools
from typing import Any

from heterojax import addresses
from heterojax import stores
from heterojax.studies import checks
from heterojax.studies import registry
from heterojax.studies.settings import Settings


def settings(config: dict[str, Any]) -> Settings:
  """The settings of a configuration, as a study on this machine needs them.

  The configuration of a run keeps the addresses: it is the same one wherever
  the copies lie.

  Args:
    config: the resolved configuration.

  Returns:
    They, see `registry.settings`, with the path of a copy in place of each
    address.

  Raises:
    UserError: see `registry.settings`, and `stores.fetch`.
  """
  found = registry.settings(config)
  for field in checks.FIELDS.values():
    section, _, name = field.name.rpartition('.')
    if not field.path or not section:
      continue
    own = getattr(found, section)
    value = getattr(own, name)
    if addresses.stored(value):
      own = dataclasses.replace(own, **{name: _path(value, field.name)})
      found = dataclasses.replace(found, **{section: own})
  return found


def _path(address: str, field: str) -> str:
  """The copy of what an address names, or a pattern of files in the copy."""
  option = f'--config.{field}'
  if field != 'data.files':
    return str(stores.fetch(address, option))
  parts = address.split('/')
  folder = [*itertools.takewhile(lambda part: not glob.has_magic(part), parts)]
  pattern = parts[len(folder) :]
  copy = stores.fetch('/'.join(folder), option)
  return '/'.join([glob.escape(str(copy)), *pattern])

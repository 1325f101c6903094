"""A configuration file to start from, with every field and its meaning."""

from collections.abc import Iterator
import pathlib
import shlex
import textwrap

from heterojax import errors
from heterojax.cli import texts
from heterojax.studies import fields
from heterojax.studies.checks import FIELDS

_FILE = '''\
"""What is studied here, of which images, and why.

heterojax run {path}
"""

from ml_collections import config_dict

from heterojax.configs import folder


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: those of the configuration that it starts from."""
  config = folder.get_config(arg)  # Of features: heterojax.configs.features.
  config.data.dir = ''
  config.data.positive = ''
  config.data.negative = ''

  # All other fields, as they would be by themselves in `configs/common.py`;
  # what is not said here is as in the configuration above.
{fields}
  return config
'''
_SAID = ('data.dir', 'data.positive', 'data.negative')


def configuration(path: pathlib.Path) -> str:
  """The text of a configuration that will lie at a path."""
  inside = [
    line
    for field in FIELDS.values()
    if field.name not in _SAID
    for line in _lines(field)
  ]
  # It stands between quotation marks, which a name must not end.
  said = shlex.quote(str(path)).replace('\\', r'\\').replace('"', r'\"')
  return _FILE.format(path=errors.printable(said), fields='\n'.join(inside))


def _lines(field: fields.Field) -> Iterator[str]:
  yield from textwrap.wrap(
    texts.sentence(field), 80, initial_indent='  # ', subsequent_indent='  # '
  )
  yield f'  # config.{field.name} = {field.default!r}'

"""Writes a configuration to start from: heterojax init NAME.

NAME.py holds every field that may be set, with its meaning; run it with
heterojax run NAME.py. Exit codes: 0 done, 2 a mistake in usage.
"""

import sys

from absl import flags

from heterojax import cli
from heterojax.cli import templates
from heterojax.errors import UserError
from heterojax.run import atomic
from heterojax.run import outputs

_FLAGS = (
  (flags.DEFINE_string, 'name', None, 'Of the file, with or without .py.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _init(values: flags.FlagValues) -> int:
  if not values.name:
    raise UserError('Say how the configuration is called: heterojax init NAME.')
  path = outputs.local(values.name, 'name')
  if path.suffix != '.py':
    path = path.with_name(f'{path.name}.py')
  if path.exists():
    raise UserError(f'{path} exists already: choose another name.')
  atomic.write(path, templates.configuration(path))
  print(cli.sentence(f'Edit {path}, then: heterojax run {path}'))
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(_FLAGS, _init, argv, about=__doc__, config=False, bare='name')


if __name__ == '__main__':
  sys.exit(main())

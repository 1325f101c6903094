"""The console command `heterojax`: one command for all of `launch`.

heterojax COMMAND ... is python -m launch.MODULE ...; without a command it is
`run`. See `heterojax --help`.
"""

import importlib
import sys

from heterojax import cli
from heterojax.cli import commands
from heterojax.cli import texts
from heterojax.version import __version__

_RUN = 'run'


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  program, *words = sys.argv if argv is None else argv
  name = words[0] if words else '--help'
  if name in ('--help', '-h', '-help', 'help'):
    print(texts.screen(), end='')
    return 0
  if name in ('--helpfull', '-helpfull'):
    print(texts.screen(), texts.fields_text(), sep='\n')
    return 0
  if name == '--version':
    print(f'heterojax {__version__}')
    return 0
  if name in commands.COMMANDS:
    words = words[1:]
  else:
    name = _RUN
  command = commands.COMMANDS[name]
  module = importlib.import_module(f'{__package__}.{command.module}')
  # With the first words of another command it is that one.
  started = f'{cli.program(program)} {_RUN if command.first else name}'
  return module.main([started, *command.first, *words])


if __name__ == '__main__':
  sys.exit(main())

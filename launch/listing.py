"""Lists what there is to choose from, or the runs in a folder.

heterojax list [FOLDER]. Exit codes: 0 done, 2 a mistake in usage.
"""

import pathlib
import sys

from absl import flags

from heterojax import cli
from heterojax.cli import configurations
from heterojax.cli import runs
from heterojax.compute import variables
from heterojax.errors import UserError
from heterojax.studies.checks import FIELDS

_FLAGS = (
  (flags.DEFINE_string, 'folder', None, 'Folder whose runs are listed.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _list(values: flags.FlagValues) -> int:
  if values.folder is None:
    _list_choices()
    return 0
  folder = pathlib.Path(values.folder).expanduser()
  if not folder.is_dir():
    raise UserError(f'There is no folder {folder}: give one that holds runs.')
  found = [*runs.lines(folder)] or [f'There are no runs in {folder}.']
  print(*map(cli.sentence, found), sep='\n')
  return 0


def _list_choices() -> None:
  print('Configurations (--config=NAME):')
  for name in configurations.names():
    print(f'  {name:12}{configurations.about(name)}')
  print('Readers (data.dataset=NAME):')
  print('  ' + ', '.join(FIELDS['data.dataset'].choices))
  variables.import_jax()
  # pylint: disable-next=import-outside-toplevel
  from heterojax import backbones

  print('Networks (backbone.name=NAME):')
  for name in backbones.NAMES:
    print(f'  {name:20}{backbones.title(name)}')


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(
    _FLAGS, _list, argv, about=__doc__, config=False, bare='folder'
  )


if __name__ == '__main__':
  sys.exit(main())

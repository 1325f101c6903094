"""Draws a report again: python -m launch.report --workdir=DIR.

Reads what the folder of a finished run holds and nothing else, and writes its
tables, figures and report.html.

Exit codes: 0 done, 2 a mistake in usage or a damaged run, 4 the folder is in
use.
"""

import sys

from absl import flags

from heterojax import cli
from heterojax.compute import variables
from heterojax.run import artifacts
from heterojax.run import run_folder

_FLAGS = (
  (flags.DEFINE_string, 'workdir', None, 'Folder of a finished run.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _report(values: flags.FlagValues) -> int:
  folder = artifacts.folder_of(values.workdir, 'workdir')
  variables.import_jax()  # Once nothing is mistyped.
  # pylint: disable-next=import-outside-toplevel
  from heterojax.studies import running

  with run_folder.locked(folder, 'run folder', 'workdir'):
    running.draw_again(folder)
  path = (folder / 'report.html').absolute()
  print(cli.sentence(f'The report is at {path}'))
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(
    _FLAGS, _report, argv, about=__doc__, config=False, bare='workdir'
  )


if __name__ == '__main__':
  sys.exit(main())

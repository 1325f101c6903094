"""Shows the report of a run in the browser: heterojax open RUN.

Exit codes: 0 done, 2 a mistake in usage, or there is no report.
"""

import sys
import webbrowser

from absl import flags

from heterojax import cli
from heterojax.errors import UserError
from heterojax.run import artifacts

_FLAGS = (
  (flags.DEFINE_string, 'workdir', None, 'Folder of a finished run.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _open(values: flags.FlagValues) -> int:
  folder = artifacts.folder_of(values.workdir, 'workdir')
  path = (folder / 'report.html').absolute()
  if not path.is_file():
    raise UserError(
      f'There is no report in {folder}: finish its run, or draw it with'
      f' heterojax report {folder}.'
    )
  webbrowser.open(path.as_uri())
  print(cli.sentence(f'The report is at {path}'))
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(
    _FLAGS, _open, argv, about=__doc__, config=False, bare='workdir'
  )


if __name__ == '__main__':
  sys.exit(main())

"""Verifies a run: python -m launch.verify --workdir=DIR.

Compares every artifact with its digest; --rerun computes a stage once more and
compares to the bit; --against compares two runs field by field.

Exit codes: 0 all as it should be, 1 a difference, 2 a mistake in usage, 3
interrupted, 4 the folder is in use, or the environment another one.
"""

import contextlib
import sys

from absl import flags

from heterojax import cli
from heterojax.cli import junit
from heterojax.compute import variables
from heterojax.errors import UserError
from heterojax.run import artifacts

_FLAGS = (
  (flags.DEFINE_string, 'workdir', None, 'Folder of a finished run.'),
  (
    flags.DEFINE_string,
    'rerun',
    None,
    'verdict, heads, cluster, features or all.',
  ),
  (flags.DEFINE_string, 'against', None, 'Folder of another finished run.'),
  (
    flags.DEFINE_float,
    'tolerance',
    None,
    'Of numbers, with --against; 1e-4 by itself.',
  ),
  (flags.DEFINE_string, 'junit', None, 'XML file of what is verified.'),
  (flags.DEFINE_bool, 'allow_mismatch', False, 'Rerun on another machine.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _verify(values: flags.FlagValues) -> int:
  folders = [artifacts.folder_of(values.workdir, 'workdir')]
  if values.against:
    folders.append(artifacts.folder_of(values.against, 'against'))
  if values.rerun and values.against:
    raise UserError('--rerun and --against ask for two things: give one.')
  if not 0 <= (values.tolerance or 0) < 1:
    raise UserError('--tolerance must be a share from 0 to below 1.')
  with contextlib.ExitStack() as stack:
    stack.enter_context(artifacts.undisturbed(*folders))
    # Every folder is checked, also after one that is not as written.
    cases = []
    for folder in folders:
      own = junit.of_artifacts(folder)
      for case in own:
        print(cli.sentence(f'{folder}: {case.failure or case.said}'))
      cases += own
    junit.write(values.junit, 'verify', cases)
    if any(case.failure for case in cases):
      return 1
    if values.rerun:
      variables.import_jax()  # Once nothing is mistyped.
      # pylint: disable-next=import-outside-toplevel
      from heterojax import rerun

      again = rerun.of(folders[0], values.rerun, values.allow_mismatch)
      folders.append(stack.enter_context(again))
    if len(folders) == 1:
      return 0
    # pylint: disable=import-outside-toplevel
    from heterojax import differences
    from heterojax.differences import text

    here, there = folders
    tolerance = 0.0 if values.rerun else values.tolerance
    compared = differences.compare(here, there, tolerance)
  print(*map(cli.sentence, text.lines(compared)), sep='\n')
  cases += junit.of_items(compared.items, differences.DIFFERENT)
  junit.write(values.junit, 'verify', cases)
  return int(not compared.agree)


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(
    _FLAGS, _verify, argv, about=__doc__, config=False, bare='workdir'
  )


if __name__ == '__main__':
  sys.exit(main())

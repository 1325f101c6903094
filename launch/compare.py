"""Compares runs: heterojax compare RUN RUN ... [--out=DIR].

Puts finished runs of any seeds, networks, settings and studies beside each
other, and beside Wang 2023 where it has the classes. Writes comparison.csv,
.json and .html. Exit codes: 0 done, 2 a mistake in usage or data.
"""

import sys

from absl import flags

from heterojax import cli
from heterojax.compute import variables

_FLAGS = (
  (flags.DEFINE_list, 'workdirs', None, 'Run folders of finished studies.'),
  (
    flags.DEFINE_string,
    'out',
    None,
    'Folder for the files; by default `comparison` in the first run folder.',
  ),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _compare(values: flags.FlagValues) -> int:
  variables.import_jax()  # Once nothing is mistyped.
  # pylint: disable-next=import-outside-toplevel
  from heterojax import comparison

  written = comparison.write(values.workdirs or (), values.out)
  print(*map(cli.sentence, written.lines()), sep='\n')
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(
    _FLAGS, _compare, argv, about=__doc__, config=False, bare='workdirs'
  )


if __name__ == '__main__':
  sys.exit(main())

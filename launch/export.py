"""Writes the images of a run: heterojax export RUN --to=csv|parquet|fiftyone.

Each image has its path, label, group, split, cluster and probability, and
whether the answer was right. Exit codes: 0 done, 2 a mistake in usage or data.
"""

import pathlib
import sys

from absl import flags

from heterojax import cli
from heterojax.compute import variables
from heterojax.run import artifacts
from heterojax.run import outputs

_FLAGS = (
  (flags.DEFINE_string, 'workdir', None, 'Folder of a finished run.'),
  (flags.DEFINE_string, 'to', 'csv', 'csv, parquet or fiftyone.'),
  (flags.DEFINE_string, 'out', None, 'File, or folder of FiftyOne, to write.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _export(values: flags.FlagValues) -> int:
  folder = artifacts.folder_of(values.workdir, 'workdir')
  named = outputs.local if values.to == 'fiftyone' else outputs.file
  out = named(values.out, 'out') if values.out else None
  variables.import_jax()  # Once nothing is mistyped.
  # pylint: disable-next=import-outside-toplevel
  from heterojax import exports

  path: pathlib.Path = exports.write(folder, values.to, out)
  print(cli.sentence(f'The images are at {path.absolute()}'))
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(
    _FLAGS, _export, argv, about=__doc__, config=False, bare='workdir'
  )


if __name__ == '__main__':
  sys.exit(main())

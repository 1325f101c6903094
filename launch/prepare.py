"""Prepares images: python -m launch.prepare --config=configs/NAME.py --out=DIR.

Writes all images of --config.data.dir with the classes into few large files, a
TensorFlow Datasets data set that TensorFlow is not needed for. A study
reads them with --config.data.dir=DIR and gives the same results. The same
command again does what is missing, and nothing if all is there.

Exit codes: 0 done, 2 a mistake in usage or data, 3 interrupted, 4 refused.
"""

import pathlib
import sys

from absl import flags

from heterojax import cli
from heterojax.compute import variables
from heterojax.errors import UserError
from heterojax.run import outputs
from heterojax.studies import checks

_FLAGS = (
  (flags.DEFINE_string, 'out', None, 'Folder for the prepared data.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _prepare(values: flags.FlagValues) -> int:
  config = values.config.to_dict()
  data = checks.from_dict(config).data
  if not values.out:
    raise UserError('Say where the prepared data go with --out=DIR.')
  if not data.dir:
    raise UserError('--config.data.dir must name where the images are.')
  variables.import_jax()  # Once nothing is mistyped.
  # pylint: disable=import-outside-toplevel
  from heterojax.datasets import prepared

  prepared.require()
  from heterojax.datasets import builders
  from heterojax.studies import fetching

  data = fetching.settings(config).data
  target = builders.prepare(
    data.dataset,
    pathlib.Path(data.dir).expanduser(),
    data.named,
    outputs.folder(values.out, 'out'),
    data.choices,
  )
  print(cli.sentence(f'The prepared data are at {target.absolute()}'))
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(_FLAGS, _prepare, argv, about=__doc__)


if __name__ == '__main__':
  sys.exit(main())

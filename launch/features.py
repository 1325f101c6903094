"""Computes features alone: heterojax features DATA --out=FILE.npz.

The file has the features, id, label and group of every image that a study would
use; heterojax run FILE.npz runs one on it. The same command goes on after an
interruption.

With --shard=I/N it computes one of N shards, any of them at any time and on any
machine that shares the folder: of this file, which the command without --shard
then writes; or with --workdir=RUN, of the study that is run there afterwards.

Exit codes: 0 done, 2 a mistake in usage, data or weights, 3 interrupted, 4
refused.
"""

import sys

from absl import flags

from heterojax import cli
from heterojax.cli import shards
from heterojax.compute import variables
from heterojax.errors import UserError
from heterojax.studies import checks

_FLAGS = (
  (flags.DEFINE_string, 'out', None, 'The .npz file to write.'),
  *shards.FLAGS,
  (flags.DEFINE_bool, 'download', False, 'Fetch weights that are missing.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _extract(values: flags.FlagValues) -> int:
  config = values.config.to_dict()
  settings = checks.from_dict(config)
  data, read = settings.data, checks.files_read(settings)
  checks.require_data(data)
  if data.dataset == 'features':
    raise UserError(f'{data.source} has features already: give images.')
  if asked := shards.chosen(values, read):
    images = shards.extract(
      config,
      asked,
      download=values.download,
      allow_mismatch=values.allow_mismatch,
    )
    print(f'Shard {values.shard}: the features of {images} images are there.')
    return 0
  out = shards.named(values.out, read)
  cli.say(f'Reading {data.source}; features go to {out} ...')
  variables.import_jax()  # Once nothing is mistyped.
  # pylint: disable-next=import-outside-toplevel
  from heterojax.studies import extraction

  number = extraction.extract(
    config,
    out,
    download=values.download,
    allow_mismatch=values.allow_mismatch,
  )
  said = f'The features of {number} images are at {out.absolute()}'
  print(cli.sentence(said))
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(_FLAGS, _extract, argv, about=__doc__)


if __name__ == '__main__':
  sys.exit(main())

"""Where ImageNet weights are: heterojax weights [NETWORK ...] [--download].

Nothing is fetched without --download. Exit codes: 0 all that were asked for are
here, 2 one is not, or a mistake in usage.
"""

import sys

from absl import flags

from heterojax import cli
from heterojax.compute import variables
from heterojax.errors import UserError

_FLAGS = (
  (flags.DEFINE_list, 'networks', [], 'Which ones; all by default.'),
  (flags.DEFINE_bool, 'download', False, 'Fetch those that are not here.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _weights(values: flags.FlagValues) -> int:
  variables.import_jax()
  # pylint: disable=import-outside-toplevel
  from heterojax import backbones
  from heterojax.backbones import imagenet

  missing = 0
  for name in values.networks or backbones.NAMES:
    if name not in backbones.ARCHITECTURES:
      raise UserError(
        f'There is no network {name!r}: it is one of'
        f' {", ".join(backbones.NAMES)}.'
      )
    published = backbones.ARCHITECTURES[name].published
    try:
      path, source = imagenet.locate(name, published, download=values.download)
    except UserError as error:
      missing += name in values.networks or values.download
      print(cli.sentence(f'{name}: {error}'))
    else:
      print(cli.sentence(f'{name}: {path} ({source})'))
  return UserError.exit_code if missing else 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(
    _FLAGS, _weights, argv, about=__doc__, config=False, bare='networks'
  )


if __name__ == '__main__':
  sys.exit(main())

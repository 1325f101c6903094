"""Ranks encoders: heterojax bakeoff DATA --networks=A,B --features=C.npz,D.csv.

The same study runs once for each network, which sees the images of DATA, and
for each file of features of the same images, of which DATA may be one. The
comparison then says of each what the answer is, how accurate it is in each
cluster, and whether one ranks new images better than another. The same command
goes on after an interruption.

Exit codes: 0 done, 2 a mistake in usage, data or weights, 3 interrupted, 4
refused.
"""

import sys

from absl import flags
from ml_collections import config_flags

from heterojax import cli
from heterojax.cli import runs
from heterojax.compute import variables
from heterojax.run import outputs
from heterojax.studies import checks
from heterojax.studies import encoders

_FLAGS = (
  (flags.DEFINE_list, 'networks', None, 'Networks; else that of the fields.'),
  (flags.DEFINE_list, 'features', None, 'Files of features of the images.'),
  (flags.DEFINE_string, 'workdir', None, 'Folder of a run for each encoder.'),
  (flags.DEFINE_bool, 'download', False, 'Fetch weights that are missing.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _bakeoff(values: flags.FlagValues) -> int:
  config = values.config.to_dict()
  checks.require_data(checks.from_dict(config).data)
  networks, features = values.networks or (), values.features or ()
  each = encoders.configurations(config, networks, features)
  named = config_flags.get_config_filename(values['config'])
  usual = runs.default({**config, 'encoders': [*each]}, named)
  folder = outputs.local(values.workdir or usual, 'workdir')
  variables.import_jax()  # Once nothing is mistyped.
  # pylint: disable=import-outside-toplevel
  from heterojax import comparison
  from heterojax.studies import running
  from heterojax.studies import stages

  for own in each.values():  # Before the first one runs for nothing.
    stages.require_weights(checks.from_dict(own), download=values.download)
  for number, (name, own) in enumerate(each.items(), 1):
    cli.say(f'{name}, encoder {number} of {len(each)}; results go to {folder}')
    running.run(own, folder / name, download=values.download)
  written = comparison.write(
    [str(folder / name) for name in each], str(folder / 'comparison')
  )
  print(*map(cli.sentence, written.lines()), sep='\n')
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(_FLAGS, _bakeoff, argv, about=__doc__)


if __name__ == '__main__':
  sys.exit(main())

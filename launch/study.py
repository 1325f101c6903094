"""Runs a study: heterojax run DATA, or --config=NAME --workdir=DIR.

Exit codes: 0 done, 1 a condition of --fail_if holds, 2 a mistake in usage, data
or weights, 3 interrupted (the same command resumes), 4 refused, 70 a mistake of
this program, 75 another process of the run is gone (the same commands resume).
"""

import functools
import sys

from absl import flags
from ml_collections import config_flags

from heterojax import cli
from heterojax.cli import distributed
from heterojax.cli import junit
from heterojax.cli import runs
from heterojax.compute import targets
from heterojax.compute import variables
from heterojax.records import conditions
from heterojax.run import outputs
from heterojax.studies import checks

_FLAGS = (
  (flags.DEFINE_string, 'workdir', None, 'Run folder, else runs/NAME-DIGEST.'),
  (flags.DEFINE_string, 'fail_if', None, 'Exit 1 if this holds of results.'),
  (flags.DEFINE_string, 'junit', None, 'XML file of conditions, as tests.'),
  (flags.DEFINE_bool, 'download', False, 'Fetch weights that are missing.'),
  (flags.DEFINE_bool, 'dry_run', False, 'Say what would be done, and stop.'),
  (flags.DEFINE_string, 'target', '', 'With dry_run: cpu|h100|v5e-8.'),
  (flags.DEFINE_bool, 'profile', False, 'Write a JAX trace to the folder.'),
  (flags.DEFINE_bool, 'allow_mismatch', False, 'Resume on another machine.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
  *distributed.FLAGS,
)


def _study(values: flags.FlagValues, command: str) -> int:
  config = values.config.to_dict()
  settings = checks.from_dict(config)
  checks.require_data(settings.data)
  fails = conditions.of(values.fail_if)
  targets.check(values.target, values.dry_run)
  if values.junit:  # Before all else is done.
    outputs.file(values.junit, 'junit', checks.files_read(settings))
  named = config_flags.get_config_filename(values['config'])
  workdir = outputs.local(
    values.workdir or runs.default(config, named), 'workdir'
  )
  where = '' if values.dry_run else f'; results go to {workdir}'
  cli.say(f'Reading {settings.data.source} ({runs.called(named)}){where} ...')
  variables.import_jax()  # Once nothing is mistyped.
  # pylint: disable=import-outside-toplevel
  from heterojax.studies import assisting
  from heterojax.studies import running
  from heterojax.studies.answer import terminal

  common = {'fail_if': values.fail_if, 'download': values.download}
  with distributed.joined(values) as leads:
    if not leads:
      return assisting.assist(config, download=values.download)
    if values.dry_run:
      said = running.forecast(config, target=values.target, **common)
      print(*map(cli.sentence, said.splitlines()), sep='\n')
      return 0
    results = running.run(
      config,
      workdir,
      allow_mismatch=values.allow_mismatch,
      profile=values.profile,
      command=command,
      **common,
    )
    path = (workdir / 'report.html').absolute()
    said = [*terminal.lines(results), f'The report is at {path}']
    print(*map(cli.sentence, said), sep='\n')
    failed = fails(results)
    cases = junit.of_results(results, values.fail_if, failed)
    junit.write(values.junit, str(workdir), [*cases])
    return int(failed)


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  body = functools.partial(_study, command=cli.told(argv))
  return distributed.leave(cli.run(_FLAGS, body, argv, about=__doc__))


if __name__ == '__main__':
  sys.exit(main())

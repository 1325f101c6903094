"""Runs a study: python -m launch.study --config=configs/NAME.py --workdir=DIR.

Exit codes: 0 done, 1 a condition of --fail_if holds, 2 a mistake in usage, data
or weights, 3 interrupted (the same command resumes), 4 refused.
"""

import contextlib
import pathlib
import sys

from absl import flags
import jax

from heterojax import arithmetic
from heterojax import cli
from heterojax import conditions
from heterojax import environment
from heterojax import run_folder
from heterojax.errors import UserError
from heterojax.studies import retraining
from heterojax.studies import settings as settings_lib
from heterojax.studies import stages

_VALUES = flags.FlagValues()
cli.config_flag(_VALUES)
for _define, _name, _default, _help in (
    (flags.DEFINE_string, 'workdir', None, 'Run folder; the same one resumes.'),
    (flags.DEFINE_string, 'fail_if', None, 'Exit 1 if this holds of results.'),
    (flags.DEFINE_bool, 'download', False, 'Fetch published weights if missing.'),
    (flags.DEFINE_bool, 'dry_run', False, 'Say what would be done, and stop.'),
    (flags.DEFINE_bool, 'profile', False, 'Write a JAX trace to the run folder.'),
    (flags.DEFINE_bool, 'allow_mismatch', False, 'Resume on another machine.'),
    (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
):
  _define(_name, _default, _help, flag_values=_VALUES)


def _study() -> int:
  config = _VALUES.config.to_dict()
  settings = settings_lib.from_dict(config)
  if not _VALUES.workdir:
    raise UserError('Say where the results go with --workdir=DIR.')
  condition = conditions.parse(_VALUES.fail_if) if _VALUES.fail_if else None
  arithmetic.check()
  timer = stages.Timer()
  workdir = pathlib.Path(_VALUES.workdir).expanduser()
  with contextlib.ExitStack() as stack:
    backbone = stages.load_backbone(settings, download=_VALUES.download)
    folder = stack.enter_context(run_folder.opened(workdir, config))
    with timer.stage('data'):
      cohort = stages.data(settings, folder)
      samples = stages.collect(settings, cohort)
    if _VALUES.dry_run:
      print(stages.forecast(settings, backbone, samples))
      return 0
    run_folder.begin(folder, config)
    if _VALUES.profile:
      stack.enter_context(jax.profiler.trace(str(folder / 'profile')))
    results = retraining.run(
        settings, folder, cohort, samples, backbone, environment.describe(),
        allow_mismatch=_VALUES.allow_mismatch, timer=timer,
    )  # pyformat: disable
  print(f'The report is at {(workdir / "report.html").absolute()}')
  return int(
      condition is not None
      and conditions.holds(condition, results, _VALUES.fail_if)
  )


def main(argv: list[str] | None = None) -> int:
  """Console command `heterojax`; returns the exit code."""
  argv = sys.argv if argv is None else argv

  def body() -> int:
    cli.parse(_VALUES, argv, __doc__)
    return _study()

  return cli.run(body, argv, debug='--debug' in argv)


if __name__ == '__main__':
  sys.exit(main())

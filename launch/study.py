"""Runs a study: python -m launch.study --config=configs/NAME.py --workdir=DIR.

Exit codes: 0 done, 1 a condition of --fail_if holds, 2 a mistake in usage, data
or weights, 3 interrupted (the same command resumes), 4 refused.
"""

import contextlib
import pathlib
import sys
import tempfile

from absl import flags
import jax

from heterojax import arithmetic
from heterojax import cli
from heterojax import compilation
from heterojax import conditions
from heterojax import environment
from heterojax import report
from heterojax import run_folder
from heterojax.errors import UserError
from heterojax.studies import fields
from heterojax.studies import forecast
from heterojax.studies import retraining
from heterojax.studies import sample_size
from heterojax.studies import settings as settings_lib
from heterojax.studies import stages

_STUDIES = {'retraining': retraining, 'sample_size': sample_size}
_FLAGS = (
    (flags.DEFINE_string, 'workdir', None, 'Run folder; the same one resumes.'),
    (flags.DEFINE_string, 'fail_if', None, 'Exit 1 if this holds of results.'),
    (flags.DEFINE_bool, 'download', False, 'Fetch weights that are missing.'),
    (flags.DEFINE_bool, 'dry_run', False, 'Say what would be done, and stop.'),
    (flags.DEFINE_bool, 'profile', False, 'Write a JAX trace to the folder.'),
    (flags.DEFINE_bool, 'allow_mismatch', False, 'Resume on another machine.'),
    (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _study(values: flags.FlagValues) -> int:
  config = values.config.to_dict()
  settings = settings_lib.from_dict(config)
  if not values.workdir:
    raise UserError('Say where the results go with --workdir=DIR.')
  study = _STUDIES[settings.study]
  fails = conditions.of(values.fail_if)
  conditions.check(values.fail_if, fields.of(settings))
  arithmetic.start()
  compilation.keep_programs()
  timer = stages.Timer()
  workdir = pathlib.Path(values.workdir).expanduser()
  with contextlib.ExitStack() as stack:
    if values.dry_run:
      workdir = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    backbone = stages.load_backbone(settings, download=values.download)
    folder = stack.enter_context(run_folder.opened(workdir, config))
    with timer.stage('data'):
      cohorts = study.plan(settings, folder)
      samples = stages.collect(settings, cohorts)
    conditions.check(values.fail_if, fields.of(settings, cohorts))
    if values.dry_run:
      source = cohorts[0].source
      print(forecast.forecast(settings, backbone, source, samples))
      return 0
    run_folder.begin(folder, config)
    if values.profile:
      stack.enter_context(_traced(folder / 'profile'))
    results, outcome = study.run(
        settings, folder, cohorts, samples, backbone, environment.describe(),
        allow_mismatch=values.allow_mismatch, timer=timer,
    )  # pyformat: disable
    report.write(folder, results, outcome)
  print(f'The report is at {(workdir / "report.html").absolute()}')
  return int(fails(results))


def _traced(folder: pathlib.Path) -> contextlib.AbstractContextManager:
  """Stages and compiled programs, for TensorBoard, XProf or Perfetto."""
  options = jax.profiler.ProfileOptions()
  # Every Python call of tracing would leave no room for them.
  options.python_tracer_level = 0
  return jax.profiler.trace(folder, profiler_options=options)


def main(argv: list[str] | None = None) -> int:
  """Console command `heterojax`; returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(_FLAGS, _study, argv, about=__doc__)


if __name__ == '__main__':
  sys.exit(main())

"""A study from its configuration to its report, in a run folder."""

from collections.abc import Iterator
import contextlib
import logging
import pathlib
import tempfile
from typing import Any
from typing import NamedTuple

import jax

from heterojax.backbones import Backbone
from heterojax.compute import arithmetic
from heterojax.compute import compilation
from heterojax.datasets.manifest import Cohort
from heterojax.records import conditions
from heterojax.run import artifacts
from heterojax.run import environment
from heterojax.run import run_folder
from heterojax.studies import fields
from heterojax.studies import forecast as forecast_lib
from heterojax.studies import settings as settings_lib
from heterojax.studies import stages
from heterojax.studies.retraining import pages as report
from heterojax.studies.retraining import study as retraining
from heterojax.studies.sample_size import study as sample_size
from heterojax.studies.samples import Samples

_LOG = logging.getLogger(__name__)
_STUDIES = {'retraining': retraining, 'sample_size': sample_size}


class _Planned(NamedTuple):
  """A study before its first stage that takes long."""

  settings: settings_lib.Settings
  folder: pathlib.Path
  cohorts: tuple[Cohort, ...]
  samples: tuple[Samples, ...]
  backbone: Backbone | None
  environment: dict[str, Any]
  timer: stages.Timer


@contextlib.contextmanager
def _planned(
  config: dict[str, Any],
  workdir: pathlib.Path,
  fail_if: str | None,
  download: bool,
  allow_mismatch: bool,
) -> Iterator[_Planned]:
  settings = settings_lib.from_dict(config)
  conditions.check(fail_if, fields.of(settings))
  arithmetic.start()
  compilation.keep_programs()
  timer, here = stages.Timer(), environment.describe()
  backbone = stages.load_backbone(settings, download=download)
  with run_folder.opened(
    workdir, config, here, allow_mismatch=allow_mismatch
  ) as folder:
    _say_what_changed(folder)
    with timer.stage('data'):
      cohorts = _STUDIES[settings.study].plan(settings, folder)
      samples = stages.collect(settings, cohorts)
    stages.check_dim(settings, cohorts[0].source, backbone)
    conditions.check(fail_if, fields.of(settings, cohorts))
    yield _Planned(settings, folder, cohorts, samples, backbone, here, timer)


def run(
  config: dict[str, Any],
  workdir: pathlib.Path,
  *,
  fail_if: str | None = None,
  download: bool = False,
  allow_mismatch: bool = False,
  profile: bool = False,
) -> dict[str, Any]:
  """Runs a study, or what an earlier run of it left to do.

  Args:
    config: the resolved configuration.
    workdir: the run folder.
    fail_if: see `conditions`; checked before anything takes long.
    download: fetch weights that are missing.
    allow_mismatch: go on with a run of another environment.
    profile: write a JAX trace to the folder.

  Returns:
    What `results.json` holds.

  Raises:
    HeterojaxError: whatever ends a run with a sentence.
  """
  with contextlib.ExitStack() as stack:
    planned = stack.enter_context(
      _planned(config, workdir, fail_if, download, allow_mismatch)
    )
    settings, folder, cohorts, samples, backbone, here, timer = planned
    # From here on it is not finished.
    (folder / artifacts.SEAL).unlink(missing_ok=True)
    run_folder.begin(folder, config, here)
    if profile:
      stack.enter_context(_traced(folder / 'profile'))
    results, outcome = _STUDIES[settings.study].run(
      settings, folder, cohorts, samples, backbone, timer
    )
    results |= {'timings': timer.stages, 'environment': here}
    run_folder.write_atomically(
      folder / 'results.json', run_folder.to_json(results)
    )
    report.write(folder, results, outcome)
    artifacts.seal(folder)
  return results


def forecast(
  config: dict[str, Any],
  *,
  fail_if: str | None = None,
  download: bool = False,
) -> str:
  """What a study would do; see `run`."""
  with (
    tempfile.TemporaryDirectory() as folder,
    _planned(config, pathlib.Path(folder), fail_if, download, False) as planned,
  ):
    source = planned.cohorts[0].source
    return forecast_lib.forecast(
      planned.settings, planned.backbone, source, planned.samples
    )


def _say_what_changed(folder: pathlib.Path) -> None:
  """Of a finished run, since it was finished."""
  if not (folder / artifacts.SEAL).exists():
    return
  for problem in artifacts.problems(folder):
    _LOG.warning(
      '%s is %s: it is made anew where it is of this run.',
      folder / problem.path,
      problem.what,
    )


def _traced(folder: pathlib.Path) -> contextlib.AbstractContextManager:
  """Stages and compiled programs, for TensorBoard, XProf or Perfetto."""
  options = jax.profiler.ProfileOptions()
  # Every Python call of tracing would leave no room for them.
  options.python_tracer_level = 0
  return jax.profiler.trace(folder, profiler_options=options)

"""A study from its configuration to its report, in a run folder."""

from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
import functools
import hashlib
import logging
import pathlib
import tempfile
from typing import Any, NamedTuple

import jax

from heterojax.backbones import Backbone
from heterojax.compute import arithmetic
from heterojax.compute import compilation
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import manifest_csv
from heterojax.datasets.sources import GivenFeatures
from heterojax.errors import UserError
from heterojax.features import shards
from heterojax.records import codec
from heterojax.records import conditions
from heterojax.records import foretell
from heterojax.report import views
from heterojax.run import apart
from heterojax.run import artifacts
from heterojax.run import atomic
from heterojax.run import environment
from heterojax.run import links
from heterojax.run import progress
from heterojax.run import run_folder
from heterojax.studies import fetching
from heterojax.studies import forecast as forecast_lib
from heterojax.studies import heads_stage
from heterojax.studies import images
from heterojax.studies import memory
from heterojax.studies import partition
from heterojax.studies import reading
from heterojax.studies import registry
from heterojax.studies import stages
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings
from heterojax.studies.study import Study

_LOG = logging.getLogger(__name__)
_RESULTS = 'results.json'
# What a report may be drawn without.
_DRAWN = ('report.html', 'figures/')


class _Planned(NamedTuple):
  """A study before its first stage that takes long."""

  study: Study
  settings: Settings
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
  settings = fetching.settings(config)
  data = settings.data
  apart.check(workdir, 'workdir', (data.dir, data.external), data.files)
  study = registry.get(settings.study)
  _check_condition(fail_if, study, settings, None)
  arithmetic.start()
  compilation.keep_programs()
  timer, here = stages.Timer(), environment.describe()
  backbone = stages.load_backbone(settings, download=download)
  with (
    run_folder.opened(
      workdir, config, here, allow_mismatch=allow_mismatch
    ) as folder,
    progress.heartbeat('run'),  # What is not part of a stage takes time, too.
  ):
    _say_what_changed(folder)
    if not allow_mismatch:
      shards.check_environment(folder / 'features', here)
    with timer.stage('data'):
      with Inspections(folder) as earlier:
        cohorts = study.plan(settings, folder, earlier)
      for note in dict.fromkeys(n for c in cohorts for n in c.notes):
        _LOG.info('%s', note)
      settings = partition.resolved(settings, cohorts)
      samples = stages.collect(settings, cohorts)
    source = cohorts[0].source
    study.check(settings, source, backbone)
    if heads := study.heads(settings, source, len(samples), 0):
      heads_stage.check_memory(
        settings,
        heads.number,
        samples[0],
        functools.partial(stages.dim, settings, source, backbone),
      )
    _check_condition(fail_if, study, settings, cohorts)
    yield _Planned(
      study, settings, folder, cohorts, samples, backbone, here, timer
    )


def _check_condition(
  fail_if: str | None,
  study: Study,
  settings: Settings,
  cohorts: Sequence[Cohort] | None,
) -> None:
  known = study.known(settings, cohorts)
  conditions.check(fail_if, foretell.foretell(study.results, known))


def run(
  config: dict[str, Any],
  workdir: pathlib.Path,
  *,
  fail_if: str | None = None,
  download: bool = False,
  allow_mismatch: bool = False,
  profile: bool = False,
  command: str = '',
) -> dict[str, Any]:
  """Runs a study, or what an earlier run of it left to do.

  Args:
    config: the resolved configuration.
    workdir: the run folder.
    fail_if: see `conditions`; checked before anything takes long.
    download: fetch weights that are missing.
    allow_mismatch: go on with a run of another environment.
    profile: write a JAX trace to the folder.
    command: that the report names.

  Returns:
    What `results.json` holds.

  Raises:
    HeterojaxError: whatever ends a run with a sentence.
  """
  with contextlib.ExitStack() as stack:
    planned = stack.enter_context(
      _planned(config, workdir, fail_if, download, allow_mismatch)
    )
    study, settings, folder, cohorts, samples, backbone, here, timer = planned
    _check_memory(planned)
    manifest = study.manifest(settings, cohorts, samples)
    data = _fingerprint(manifest, cohorts, backbone)
    run_folder.check_data(folder, data)
    # From here on it is not finished.
    (folder / artifacts.SEAL).unlink(missing_ok=True)
    run_folder.begin(folder, config, here, command, data)
    atomic.write(folder / 'manifest.csv', manifest_csv(manifest))
    if profile:
      stack.enter_context(_traced(folder / 'profile'))
    results, view = study.run(
      settings, folder, cohorts, samples, backbone, timer
    )
    results = dataclasses.replace(
      results, timings=timer.stages, environment=here
    )
    tree = codec.encode(results)
    atomic.write(folder / _RESULTS, run_folder.to_json(tree))
    _LOG.info('Report ...')
    with progress.heartbeat('report'):
      views.save(folder, view)
      _draw(study, folder, results, view)
  return tree


def _fingerprint(
  manifest: Cohort, cohorts: Sequence[Cohort], backbone: Backbone | None
) -> str:
  """Digest of all that is studied; the manifest has one of every image."""
  first = cohorts[0]
  # Files of features, one for each fold, which the manifest puts together.
  several = [c for c in cohorts if c.source != first.source]
  external = [] if first.external is None else [first.external]
  found = hashlib.blake2b(digest_size=16)
  for cohort in (manifest, *several, *external):
    for text in manifest_csv(cohort):
      found.update(text.encode())
  if backbone is not None:  # Its file may be another of the same name.
    found.update(run_folder.digest(backbone.identity).encode())
  return found.hexdigest()


def _check_memory(planned: _Planned) -> None:
  """Raises a UserError where given features are more than can be analysed."""
  source, samples = planned.cohorts[0].source, planned.samples
  if not isinstance(source, GivenFeatures):
    return
  n = sum(len(fold.of('train')) for fold in samples)
  memory.check(
    planned.settings,
    samples,
    len(samples[0].pictures),
    source.matrix.shape[1],
    planned.study.heads(planned.settings, source, len(samples), n),
  )


def draw_again(folder: pathlib.Path) -> None:
  """Writes the tables, figures and report of a finished run once more.

  Args:
    folder: of the run; nothing but what it holds is read.

  Raises:
    UserError: if it is no folder of a finished run, or what the report is drawn
      from is not as the run left it, or it holds a link where a run writes.
  """
  links.refuse(folder)
  for problem in artifacts.problems(folder):
    if not problem.path.startswith(_DRAWN):
      raise UserError(
        f'The report in {folder} cannot be drawn again ({problem}): run the'
        ' study again.'
      )
  results = reading.read(folder / _RESULTS)
  study = registry.get(results.study)
  _draw(study, folder, results, views.load(folder, study.view))


def _draw(study: Study, folder: pathlib.Path, results: Any, view: Any) -> None:
  """Writes what is drawn from results, and the seal."""
  images.write(folder)
  study.report(folder, results, view)
  artifacts.seal(folder)


def forecast(
  config: dict[str, Any],
  *,
  fail_if: str | None = None,
  download: bool = False,
  target: str = '',
) -> str:
  """What a study would do, see `run`; on a target, see `forecast_lib`."""
  with (
    tempfile.TemporaryDirectory() as folder,
    _planned(config, pathlib.Path(folder), fail_if, download, False) as planned,
  ):
    first = planned.cohorts[0]
    return forecast_lib.forecast(
      planned.study,
      planned.settings,
      planned.backbone,
      first.source,
      planned.samples,
      len(first.external.included) if first.external else 0,
      target,
    )


def _say_what_changed(folder: pathlib.Path) -> None:
  """Warns of what changed in a finished run since it was finished."""
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

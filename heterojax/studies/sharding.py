"""Features of a study, or alone, in shards: what each of many processes does.

The first one reads all images and writes the plan; those that come meanwhile
wait, and those that come later take what it found. `stages.extract` joins them.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import functools
import logging
import pathlib
from typing import Any

from heterojax import features
from heterojax.compute import arithmetic
from heterojax.compute import compilation
from heterojax.datasets.inspections import Inspections
from heterojax.errors import UserError
from heterojax.features import shards
from heterojax.features.shards import Shard
from heterojax.run import apart
from heterojax.run import environment
from heterojax.run import locks
from heterojax.run import run_folder
from heterojax.studies import checks
from heterojax.studies import extraction
from heterojax.studies import fetching
from heterojax.studies import partition
from heterojax.studies import registry
from heterojax.studies import stages

_LOG = logging.getLogger(__name__)
_LOCK = '.lock'

# Computes a shard, and gives the number of its images.
Extract = Callable[[Shard], int]


def of_study(
  config: dict[str, Any], folder: pathlib.Path, download: bool, *, trusted: bool
) -> features.Plan:
  """The features that a study computes first.

  Args:
    config: the resolved configuration.
    folder: the run folder.
    download: fetch weights that are missing.
    trusted: see `Inspections`.

  Returns:
    Their plan, that of `stages.extract`.

  Raises:
    UserError: if the study has none, or cannot be.
  """
  settings = fetching.settings(config)
  if settings.backbone.train == 'full':
    raise UserError(
      'With --config.backbone.train=full the network itself is trained, so that'
      ' there are no features to divide into shards.'
    )
  study = registry.get(settings.study)
  backbone = stages.load_backbone(settings, download=download)
  assert backbone is not None  # Its features are not given.
  with Inspections(folder, trusted) as earlier:
    cohorts = study.plan(settings, folder, earlier)
  settings = partition.resolved(settings, cohorts)
  samples = stages.collect(settings, cohorts)
  study.check(settings, cohorts[0].source, backbone)
  return stages.plan(settings, backbone, samples[0].pictures, cohorts)


@contextlib.contextmanager
def opened(
  config: dict[str, Any],
  folder: pathlib.Path,
  count: int,
  *,
  alone: bool = False,
  download: bool = False,
  allow_mismatch: bool = False,
) -> Iterator[Extract]:
  """What computes shards, any number of them and in any order.

  Args:
    config: the resolved configuration.
    folder: the run folder; or that of unfinished features.
    count: N, of all shards.
    alone: whether they are features without a study, see `extraction`.
    download: fetch weights that are missing.
    allow_mismatch: go on with shards of another environment.

  Yields:
    The function for one of them; it does what is left to do.

  Raises:
    UserError: if the data cannot be read, or the shards there are of another
      plan or number.
    RefusedError: if a run uses the folder, or it is of another configuration or
      environment.
  """
  arithmetic.start()
  compilation.keep_programs()
  of_all, here = folder / 'features', environment.describe()
  flag, data = 'out' if alone else 'workdir', checks.from_dict(config).data
  apart.check(folder, flag, (data.dir, data.external))
  make = functools.partial(
    extraction.plan if alone else of_study, config, folder, download
  )
  with run_folder.shared(folder, config, flag):
    if not allow_mismatch:
      shards.check_environment(of_all, here)
    plan = _first_plan(make, of_all, count, here)
    if plan and shards.are_joined(plan, of_all):
      _LOG.info('All features are in %s already.', of_all)
      yield lambda shard: 0
      return
    shards.check_count(of_all, count)
    plan = plan or make(trusted=True)
    shards.check(plan, of_all)
    yield lambda shard: shards.extract_shard(plan, of_all, shard, here)


def extract(
  numbers: Sequence[int],
  config: dict[str, Any],
  folder: pathlib.Path,
  count: int,
  **options: Any,
) -> int:
  """Computes shards, one after the other.

  Args:
    numbers: of the shards.
    config: see `opened`, as are all others.
    folder: of them.
    count: N, of all shards.
    **options: of `opened`.

  Returns:
    The number of their images.

  Raises:
    HeterojaxError: see `opened`.
  """
  with opened(config, folder, count, **options) as shard:
    return sum(shard(Shard(index, count)) for index in numbers)


def _first_plan(
  make: Callable[..., features.Plan],
  of_all: pathlib.Path,
  count: int,
  here: dict[str, Any],
) -> features.Plan | None:
  """The plan, if no process had begun it; all others wait meanwhile."""
  if shards.begun(of_all):
    return None
  lock = of_all / shards.FOLDER / _LOCK
  with locks.awaited(lock, 'Waiting for the process that reads the images ...'):
    if shards.begun(of_all):
      return None
    plan = make(trusted=False)
    if shards.are_joined(plan, of_all):
      shards.clear(of_all)  # The lock, which is no artifact.
    else:
      shards.begin(plan, of_all, count, here)
    return plan

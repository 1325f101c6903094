"""Features alone, without a study: a file that `configs/features.py` reads."""

import io
import pathlib
import shutil
from typing import Any

import numpy as np

from heterojax import features
from heterojax.compute import arithmetic
from heterojax.compute import compilation
from heterojax.datasets.augmentation import IDENTITY
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Cohort
from heterojax.features import shards
from heterojax.run import atomic
from heterojax.run import environment
from heterojax.run import outputs
from heterojax.run import run_folder
from heterojax.studies import fetching
from heterojax.studies import stages
from heterojax.studies.settings import Settings


def extract(
  config: dict[str, Any],
  out: pathlib.Path,
  *,
  download: bool,
  allow_mismatch: bool = False,
) -> int:
  """Writes the features of all images that a study would use.

  What is done is kept beside the file until it is written, so that the same
  call goes on after an interruption.

  Args:
    config: the resolved configuration.
    out: the .npz file; it has `features`, `[N, D]` float32, and `[N]` texts
      `id`, `label`, `group` and, where the data name them, `split`.
    download: fetch weights that are missing.
    allow_mismatch: go on with features, or shards, of another environment.

  Returns:
    The number of images.

  Raises:
    UserError: if the data cannot be read.
    RefusedError: if some were computed in another environment.
  """
  settings = fetching.settings(config)
  arithmetic.start()
  compilation.keep_programs()
  parts = outputs.unfinished(out)
  with run_folder.locked(parts, 'folder of unfinished features', 'out'):
    if not allow_mismatch:
      shards.check_environment(parts / 'features', environment.describe())
    cohort = _read(settings, parts, trusted=False)
    x = _features(settings, cohort, parts, download, allow_mismatch)
    columns = {
      name: np.array([getattr(c, name) for c in cohort.included])
      for name in ('id', 'label', 'group', 'split')
    }
    if not any(columns['split']):
      del columns['split']
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, features=x, **columns)
    atomic.write(out, file.getvalue())
    # Owned: whoever comes next begins anew.
    shutil.rmtree(parts, ignore_errors=True)
  return len(x)


def plan(
  config: dict[str, Any], parts: pathlib.Path, download: bool, *, trusted: bool
) -> features.Plan:
  """What `extract` computes.

  Args:
    config: the resolved configuration.
    parts: see `outputs.unfinished`.
    download: fetch weights that are missing.
    trusted: see `Inspections`.

  Returns:
    The plan, that of `stages.extract`.

  Raises:
    UserError: if the data cannot be read.
  """
  settings = fetching.settings(config)
  backbone = stages.load_backbone(settings, download=download)
  assert backbone is not None  # Its features are not given.
  cohort = _read(settings, parts, trusted)
  return stages.plan(settings, backbone, _pictures(cohort), (cohort,))


def _read(settings: Settings, parts: pathlib.Path, trusted: bool) -> Cohort:
  with Inspections(parts, trusted) as earlier:
    (cohort,) = stages.read(settings, parts, earlier)
  return cohort


def _pictures(cohort: Cohort) -> list[features.Picture]:
  """Those of the images that are used; several may be of one file."""
  paths = dict.fromkeys(c.path for c in cohort.included)
  return [features.Picture(path, IDENTITY) for path in paths]


def _features(
  settings: Settings,
  cohort: Cohort,
  folder: pathlib.Path,
  download: bool,
  allow_mismatch: bool,
) -> np.ndarray:
  """`[N, D]` of the images that are used."""
  backbone = stages.load_backbone(settings, download=download)
  if backbone is not None and not allow_mismatch:
    here = environment.describe()
    del here['cores']  # Features do not depend on them.
    run_folder.keep_environment(folder / 'features', here, 'out')
  pictures = _pictures(cohort)
  found = stages.extract(settings, backbone, pictures, (cohort,), folder)
  stages.check_finite(found.x, pictures)
  row = {picture.path: i for i, picture in enumerate(pictures)}
  return found.x[[row[c.path] for c in cohort.included]]

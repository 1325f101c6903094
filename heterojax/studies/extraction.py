"""Features alone, without a study: a file that `configs/features.py` reads."""

import io
import pathlib
import shutil
from typing import Any

import numpy as np

from heterojax.compute import arithmetic
from heterojax.compute import compilation
from heterojax.datasets.augmentation import IDENTITY
from heterojax.datasets.manifest import Cohort
from heterojax.features import Picture
from heterojax.run import run_folder
from heterojax.studies import fetching
from heterojax.studies import registry
from heterojax.studies import stages
from heterojax.studies.settings import Settings


def extract(
  config: dict[str, Any], out: pathlib.Path, *, download: bool
) -> int:
  """Writes the features of all images that a study would use.

  What is done is kept beside the file until it is written, so that the same
  call goes on after an interruption.

  Args:
    config: the resolved configuration.
    out: the .npz file; it has `features`, `[N, D]` float32, and `[N]` texts
      `id`, `label`, `group` and, where the data name them, `split`.
    download: fetch weights that are missing.

  Returns:
    The number of images.

  Raises:
    UserError: if the data cannot be read.
  """
  settings = fetching.here(registry.settings(config))
  arithmetic.start()
  compilation.keep_programs()
  parts = out.with_name(f'.{out.name}.parts')
  with run_folder.locked(parts, 'folder of unfinished features', 'out'):
    (cohort,) = stages.read(settings, parts)
    x = _features(settings, cohort, parts, download)
    columns = {
      name: np.array([getattr(c, name) for c in cohort.included])
      for name in ('id', 'label', 'group', 'split')
    }
    if not any(columns['split']):
      del columns['split']
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, features=x, **columns)
    run_folder.write_atomically(out, file.getvalue())
  shutil.rmtree(parts, ignore_errors=True)
  return len(x)


def _features(
  settings: Settings, cohort: Cohort, folder: pathlib.Path, download: bool
) -> np.ndarray:
  """`[N, D]` of the images that are used; several may be of one file."""
  backbone = stages.load_backbone(settings, download=download)
  paths = list(dict.fromkeys(c.path for c in cohort.included))
  pictures = [Picture(path, IDENTITY) for path in paths]
  found = stages.extract(settings, backbone, pictures, (cohort,), folder)
  stages.check_finite(found.x, pictures)
  row = {path: i for i, path in enumerate(paths)}
  return found.x[[row[c.path] for c in cohort.included]]

"""Finished runs, opened again and put beside each other."""

# pyright: strict

from collections.abc import Sequence
import os
import pathlib
from typing import Any

from heterojax.api import inputs
from heterojax.api import messages
from heterojax.api import parameters
from heterojax.api import results
from heterojax.api import studies
from heterojax.api.studies import RetrainingStudy
from heterojax.api.studies import SampleSizeStudy
from heterojax.api.table import Table
from heterojax.errors import UserError
from heterojax.run import artifacts
from heterojax.run import run_folder
from heterojax.studies import reading

_STUDIES = {'retraining': RetrainingStudy, 'sample_size': SampleSizeStudy}
_Run = str | os.PathLike[str] | RetrainingStudy | SampleSizeStudy


def load(workdir: str | os.PathLike[str]) -> RetrainingStudy | SampleSizeStudy:
  """Opens a finished run, whoever ran it.

  Args:
    workdir: its folder.

  Returns:
    The fitted study, with the parameters of the run.

  Raises:
    UserError: if it is no folder of a finished run, or what is read of it is
      not as the run left it.
  """
  with messages.of_arguments():
    folder = artifacts.folder_of(os.fspath(workdir), 'workdir')
    with reading.unchanged(folder):
      name, own = _configuration(folder)
      study = _STUDIES[name](workdir=workdir, **own)
      studies.read(study, folder)
  return study


def compare(
  runs: Sequence[_Run], out: str | os.PathLike[str] | None = None
) -> Table:
  """Puts finished runs beside each other, and the paper where it has them.

  Args:
    runs: fitted studies, or folders.
    out: folder of comparison.html, .csv and .json; by default `comparison` in
      the first run's.

  Returns:
    The rows of comparison.csv.

  Raises:
    UserError: if one of them is no finished study.
  """
  # pylint: disable-next=import-outside-toplevel
  from heterojax import comparison

  with messages.of_arguments():
    folders = [
      os.fspath(
        run if isinstance(run, (str, os.PathLike)) else studies.finished(run)
      )
      for run in runs
    ]
    written = comparison.write(folders, None if out is None else os.fspath(out))
    return results.csv(written.path.with_suffix('.csv'))


def _configuration(folder: pathlib.Path) -> tuple[str, dict[str, Any]]:
  """The study of a run, and the parameters that it was given."""
  path = folder / 'config.json'
  try:
    config = run_folder.read_json(path)
    name, data = config['study'], config['data']
    if name in _STUDIES and data['dataset']:
      of = 'features' if data['dataset'] == 'features' else 'folder'
      base = parameters.configuration(name, of, {})
      if inputs.were_in_memory(data['dir']):
        base['data']['columns'] = data['columns']
      return name, parameters.differing(config, base)
  except (OSError, ValueError, LookupError, TypeError) as error:
    raise UserError(
      f'{path} cannot be read as the configuration of a run.'
    ) from error
  raise UserError(f'{path} is of the study {config["study"]!r}, not of these.')

"""The studies: a line each."""

from typing import Any

from heterojax.errors import UserError
from heterojax.studies import settings as settings_lib
from heterojax.studies.retraining.study import RETRAINING
from heterojax.studies.sample_size.study import SAMPLE_SIZE
from heterojax.studies.settings import Settings
from heterojax.studies.study import Study

STUDIES = {study.name: study for study in (RETRAINING, SAMPLE_SIZE)}


def find(name: object) -> Study | None:
  """The study that a file names, if there is one."""
  return STUDIES.get(name) if isinstance(name, str) else None


def get(name: object) -> Study:
  """The study that a configuration names.

  Raises:
    UserError: if there is none.
  """
  if (study := find(name)) is None:
    raise UserError(
      f'--config.study is {name!r}, but must be one of {", ".join(STUDIES)}.'
    )
  return study


def settings(config: dict[str, Any]) -> Settings:
  """The settings of a resolved configuration, checked by its study too.

  Raises:
    UserError: see `settings.from_dict`; or where a rule of the study does not
      hold.
  """
  checked = settings_lib.from_dict(config)
  settings_lib.require(get(checked.study).rules(checked))
  return checked

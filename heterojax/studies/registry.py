"""The studies: a line each."""

from typing import Any

from heterojax.errors import UserError
from heterojax.studies import settings as settings_lib
from heterojax.studies.retraining.study import RETRAINING
from heterojax.studies.sample_size.study import SAMPLE_SIZE
from heterojax.studies.settings import Settings
from heterojax.studies.study import Study

STUDIES = {
  study.name: study
  for study in (
    RETRAINING,
    SAMPLE_SIZE,
  )
}


def get(name: str) -> Study:
  """A study by its name.

  Raises:
    UserError: if there is none.
  """
  if name not in STUDIES:
    raise UserError(
      f'--config.study is {name!r}, but must be one of {", ".join(STUDIES)}.'
    )
  return STUDIES[name]


def settings(config: dict[str, Any]) -> Settings:
  """The settings of a resolved configuration, checked by its study too.

  Raises:
    UserError: see `settings.from_dict`; or where a rule of the study does not
      hold.
  """
  checked = settings_lib.from_dict(config)
  settings_lib.require(get(checked.study).rules(checked))
  return checked

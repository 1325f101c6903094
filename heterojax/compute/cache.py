"""Where files are kept that any run can use again: weights and programs."""

import os
import pathlib

from heterojax.errors import UserError


def folder() -> pathlib.Path:
  """`$HETEROJAX_CACHE`, or a folder in the user's cache.

  Raises:
    UserError: if it is neither named nor has the user a home.
  """
  # An empty variable is none: it would be where a user stands.
  if named := os.environ.get('HETEROJAX_CACHE'):
    return pathlib.Path(named).expanduser()
  try:
    return pathlib.Path.home() / '.cache' / 'heterojax'
  except RuntimeError as error:  # As in a container, with a number as user.
    raise UserError(
      'This user has no home folder to keep weights and programs in: name a'
      ' folder with the environment variable HETEROJAX_CACHE.'
    ) from error

"""Where files are kept that any run can use again: weights and programs."""

import os
import pathlib


def folder() -> pathlib.Path:
  """`$HETEROJAX_CACHE`, or a folder in the user's cache."""
  default = pathlib.Path.home() / '.cache' / 'heterojax'
  # An empty variable is none: it would be where a user stands.
  return pathlib.Path(os.environ.get('HETEROJAX_CACHE') or default)

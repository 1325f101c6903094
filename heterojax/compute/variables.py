"""Variables of the environment that would stop an import."""

import os
import sys


def drop_unusable_backend() -> None:
  """Takes MPLBACKEND away where it names what is not installed here.

  A notebook sets it for every process that it starts. Figures are drawn without
  any backend, but importing Matplotlib would end with an error.
  """
  backend = os.environ.get('MPLBACKEND')
  if not backend or 'matplotlib' in sys.modules:
    return
  del os.environ['MPLBACKEND']
  import matplotlib  # pylint: disable=import-outside-toplevel

  try:
    matplotlib.rcParams['backend'] = backend  # As Matplotlib itself does.
  except ValueError:
    return
  os.environ['MPLBACKEND'] = backend

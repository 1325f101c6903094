"""Is a medical image data set heterogeneous in a way a CNN learns from?

Importing heterojax touches no device, file or flag of the command line, and
imports nothing that takes long; it only appends to XLA_FLAGS while no JAX
backend exists (see `heterojax.compute.arithmetic`), and takes away an
MPLBACKEND that cannot be imported. The studies (`heterojax.api`) are imported
where one is asked for.
"""

# pyright: strict

import importlib
from typing import TYPE_CHECKING

from heterojax.compute import variables
from heterojax.version import __version__

if TYPE_CHECKING:
  from heterojax.api import RetrainingStudy
  from heterojax.api import SampleSizeStudy
  from heterojax.api import compare
  from heterojax.api import load

variables.drop_unusable_backend()
variables.append_xla_flags()

__all__ = (
  'RetrainingStudy',
  'SampleSizeStudy',
  '__version__',
  'compare',
  'load',
)


def __getattr__(name: str) -> object:
  """What is public, imported where it is asked for (PEP 562)."""
  if name not in __all__:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return getattr(importlib.import_module('heterojax.api'), name)


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})

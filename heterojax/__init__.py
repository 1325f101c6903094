"""Is a medical image data set heterogeneous in a way a CNN learns from?

Importing heterojax touches no device, file or flag of the command line; it only
appends to XLA_FLAGS while no JAX backend exists (see
`heterojax.compute.arithmetic`), and takes away an MPLBACKEND that cannot be
imported.
"""

import sys

from heterojax.compute import variables
from heterojax.version import __version__

variables.drop_unusable_backend()
try:
  # It imports JAX, which reads its variables then.
  from heterojax.compute import arithmetic
except ValueError as error:
  print(
    f'heterojax: JAX cannot be imported ({error}): correct or unset that'
    ' variable.',
    file=sys.stderr,
  )
  raise SystemExit(2) from error

arithmetic.append_xla_flags()

__all__ = ('__version__', 'arithmetic')

"""Is a medical image data set heterogeneous in a way a CNN learns from?

Importing heterojax touches no device, file or flag of the command line, and
imports nothing that takes long; it only appends to XLA_FLAGS while no JAX
backend exists (see `heterojax.compute.arithmetic`), and takes away an
MPLBACKEND that cannot be imported.
"""

from heterojax.compute import variables
from heterojax.version import __version__

variables.drop_unusable_backend()
variables.append_xla_flags()

__all__ = ('__version__',)

"""Is a medical image data set heterogeneous in a way a CNN learns from?

Importing heterojax touches no device, file or flag of the command line; it only
appends to XLA_FLAGS while no JAX backend exists (see
`heterojax.compute.arithmetic`).
"""

from heterojax.compute import arithmetic
from heterojax.version import __version__

arithmetic.append_xla_flags()

__all__ = ('__version__', 'arithmetic')

"""Variables of the environment, which JAX and Matplotlib read once.

Nothing here imports either, unless a variable has to be tried.
"""

import importlib.metadata
import importlib.util
import os
import sys
import warnings

from heterojax.compute import unofficial
from heterojax.errors import UserError

FUSION_FLAG = '--xla_cpu_experimental_ynn_fusion_type'
# '-reduce' is the fix. Convolutions that stand alone are also faster outside
# the library (see BUILD.md), with the same result.
FUSION_VALUE = '-reduce,-individual_convolution'
# On GPUs XLA leaves out what gives other last bits each time.
_SAME_BITS_FLAG = '--xla_gpu_exclude_nondeterministic_ops'
_GPU_PLUGINS = ('jax_cuda12_plugin', 'jax_cuda13_plugin')
# An unknown XLA flag aborts the process, and older releases do not know it.
_FIRST_VERSION_WITH_FLAG = (0, 10, 1)


def append_xla_flags() -> None:
  """Appends our flags to XLA_FLAGS; a value that the user set stays.

  See `heterojax.compute.arithmetic`.
  """
  release = importlib.metadata.version('jaxlib').split('.')[:3]
  version = tuple(int(''.join(filter(str.isdigit, part))) for part in release)
  flags = os.environ.get('XLA_FLAGS', '')
  if version < _FIRST_VERSION_WITH_FLAG or FUSION_FLAG in flags:
    return
  if unofficial.jax_has_started():
    warnings.warn(
      'heterojax was imported after JAX had started: import it first, in a'
      f' restarted kernel, or set XLA_FLAGS={FUSION_FLAG}={FUSION_VALUE}, so'
      ' that sums are right.',
      stacklevel=3,
    )
    return
  flags += f' {FUSION_FLAG}={FUSION_VALUE}'
  if _gpu_is_possible() and _SAME_BITS_FLAG not in flags:
    flags += f' {_SAME_BITS_FLAG}=true'
  os.environ['XLA_FLAGS'] = flags.strip()


def _gpu_is_possible() -> bool:
  """Whether JAX can compute on an NVIDIA GPU, as far as one can say by now."""
  asked = os.environ.get('JAX_PLATFORMS', '')
  return any(map(importlib.util.find_spec, _GPU_PLUGINS)) and (
    not asked or 'cuda' in asked or 'gpu' in asked
  )


def import_jax() -> None:
  """Imports JAX, which reads its variables then.

  Raises:
    UserError: for a value that it cannot read.
  """
  try:
    import jax  # pylint: disable=import-outside-toplevel
  except ValueError as error:
    raise UserError(
      f'JAX cannot be imported ({error}): correct or unset that variable.'
    ) from error
  del jax


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

"""Correct arithmetic first: the XLA flag and the canary that checks it.

jaxlib 0.10.1 to 0.11.2 fuse some reductions on CPU into library calls that give
wrong sums without a word. `append_xla_flags` switches those fusions off before
any backend exists; `start` runs one such reduction against NumPy, because a
flag can be missing, overridden or renamed by a later release.
"""

import importlib.metadata
import os
import warnings

import jax
from jax._src import xla_bridge
import jax.numpy as jnp
import numpy as np

from heterojax.errors import RefusedError

_FUSION_FLAG = '--xla_cpu_experimental_ynn_fusion_type'
# '-reduce' is the fix. Convolutions that stand alone are also faster outside
# the library (see BUILD.md), with the same result.
_FUSION_VALUE = '-reduce,-individual_convolution'
# An unknown XLA flag aborts the process, and older releases do not know it.
_FIRST_VERSION_WITH_FLAG = (0, 10, 1)
_TOLERANCE = 1e-3


def append_xla_flags() -> None:
  """Appends the fusion flag to XLA_FLAGS; a value the user set stays."""
  release = importlib.metadata.version('jaxlib').split('.')[:3]
  version = tuple(int(''.join(filter(str.isdigit, part))) for part in release)
  flags = os.environ.get('XLA_FLAGS', '')
  if version < _FIRST_VERSION_WITH_FLAG or _FUSION_FLAG in flags:
    return
  # No public name tells whether a backend exists without creating one.
  if xla_bridge.backends_are_initialized():
    warnings.warn(
      'heterojax was imported after JAX had started: import it first, or set'
      f' XLA_FLAGS={_FUSION_FLAG}={_FUSION_VALUE}, so that sums are right.',
      stacklevel=3,
    )
    return
  os.environ['XLA_FLAGS'] = f'{flags} {_FUSION_FLAG}={_FUSION_VALUE}'.strip()


def canary_error() -> float:
  """Relative error of one fused reduction on the default device.

  Returns:
    Largest absolute difference from float64 NumPy over the largest value. It is
    about 1e-6 where arithmetic is right; where it was not, it differed from run
    to run, from 0.95 to 1e27 and NaN.
  """
  x = np.random.default_rng(0).standard_normal((8, 32, 32)).astype(np.float32)

  @jax.jit
  def fused(x, c):
    return jnp.sum((x @ jnp.full_like(x, c)) * x, axis=(1, 2))

  with jax.default_matmul_precision('highest'):
    got = np.asarray(fused(x, 0.5), np.float64)
  x = x.astype(np.float64)
  want = np.sum((x @ np.full_like(x, 0.5)) * x, axis=(1, 2))
  return float(np.max(np.abs(got - want)) / np.max(np.abs(want)))


def start() -> None:
  """What every command does first: full precision, and the canary.

  Accelerators round the factors of float32 products unless told otherwise.

  Raises:
    RefusedError: if this installation computes wrong sums.
  """
  jax.config.update('jax_default_matmul_precision', 'highest')
  error = canary_error()
  if not error <= _TOLERANCE:  # A NaN must not pass.
    raise RefusedError(
      f'This installation of jaxlib {importlib.metadata.version("jaxlib")}'
      f' computes wrong sums on {jax.default_backend()} (relative error'
      f' {error:.1e}), so nothing was run: unset XLA_FLAGS so that heterojax'
      f' can add {_FUSION_FLAG}={_FUSION_VALUE}, or install the versions of'
      ' requirements.lock.'
    )

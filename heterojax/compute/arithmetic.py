"""Correct arithmetic first: the XLA flag and the canary that checks it.

jaxlib 0.10.1 to 0.11.2 fuse some reductions on CPU into library calls that give
wrong sums without a word. `variables.append_xla_flags` switches those fusions
off before any backend exists; `start` runs one such reduction against NumPy,
because a flag can be missing, overridden or renamed by a later release.
"""

import importlib.metadata
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.compute import platform
from heterojax.compute import room
from heterojax.compute import unofficial
from heterojax.compute import variables
from heterojax.errors import RefusedError

_TOLERANCE = 1e-3
# By which a user asks for a device.
_ASKING = ('JAX_PLATFORMS', 'JAX_PLATFORM_NAME')
# What reads XLA_FLAGS, with no device.
_READ_FLAGS = 'from jaxlib import xla_client; xla_client.make_cpu_client()'


@jax.jit
def fused(x: jax.Array, c: float) -> jax.Array:
  """A reduction of the kind that came out wrong."""
  return jnp.sum((x @ jnp.full_like(x, c)) * x, axis=(1, 2))


def canary_error() -> float:
  """Relative error of one fused reduction on the default device.

  Returns:
    Largest absolute difference from float64 NumPy over the largest value. It is
    about 1e-6 where arithmetic is right; where it was not, it differed from run
    to run, from 0.95 to 1e27 and NaN.
  """
  x = np.random.default_rng(0).standard_normal((8, 32, 32)).astype(np.float32)
  with jax.default_matmul_precision('highest'):
    got = np.asarray(fused(x, 0.5), np.float64)
  x = x.astype(np.float64)
  want = np.sum((x @ np.full_like(x, 0.5)) * x, axis=(1, 2))
  return float(np.max(np.abs(got - want)) / np.max(np.abs(want)))


def start() -> None:
  """What every command does first: full precision, and the canary.

  Accelerators round the factors of float32 products unless told otherwise.

  Raises:
    UserError: if it has too little address space or too few threads.
    RefusedError: if JAX cannot start as the environment asks, or computes wrong
      sums.
  """
  if not unofficial.jax_has_started():
    room.check()
    _check_flags()
  try:
    jax.devices()
  # It raises what its plug-ins do, and AssertionError without one.
  except Exception as error:  # pylint: disable=broad-except
    raise RefusedError(_about_devices(error)) from error
  if missing := platform.missing_host():
    raise RefusedError(
      'A TPU has no float64, which the cores of its host compute instead, but'
      f' JAX leaves them out ({missing}): set JAX_PLATFORMS=tpu,cpu.'
    )
  jax.config.update('jax_default_matmul_precision', 'highest')
  error = canary_error()
  late = variables.FUSION_FLAG not in os.environ.get('XLA_FLAGS', '')
  if late and not error <= _TOLERANCE:  # A NaN must not pass.
    raise RefusedError(
      'JAX had started before heterojax was imported, and computes wrong sums'
      f' (relative error {error:.1e}), so nothing was run: restart the kernel,'
      ' or the program, and import heterojax first.'
    )
  if not error <= _TOLERANCE:
    raise RefusedError(
      f'This installation of jaxlib {importlib.metadata.version("jaxlib")}'
      f' computes wrong sums on {jax.default_backend()} (relative error'
      f' {error:.1e}), so nothing was run: unset XLA_FLAGS so that heterojax'
      f' can add {variables.FUSION_FLAG}={variables.FUSION_VALUE}, or'
      ' install the versions of requirements.lock.'
    )


def _check_flags() -> None:
  """Raises RefusedError where XLA would end the process for a flag of a user.

  It does so for flags and values that it does not know, without an exception.
  """
  flags = os.environ.get('XLA_FLAGS', '')
  given = [f for f in flags.split() if not f.startswith(variables.FUSION_FLAG)]
  if not given:
    return
  done = subprocess.run(
    # The folder that a user stands in is no place to import from.
    [sys.executable, '-P', '-c', _READ_FLAGS],
    capture_output=True,
    text=True,
    errors='replace',
    check=False,
  )
  if done.returncode:
    # The first line names it; what follows are all flags that there are.
    first = (done.stderr.strip().splitlines() or [''])[0]
    said = first.rpartition('] ')[2][:200].rstrip('.')
    raise RefusedError(
      f'XLA does not take XLA_FLAGS={" ".join(given)} ({said}): correct or'
      ' unset that variable.'
    )


def _about_devices(error: Exception) -> str:
  """What to say where JAX has no device."""
  said = ' '.join(str(error).split()).rstrip('.') or 'it is not installed'
  asked = [name for name in _ASKING if os.environ.get(name)]
  if not asked:
    return f'JAX cannot start on this machine: {said}.'
  values = ' and '.join(f'{name}={os.environ[name]}' for name in asked)
  return (
    f'JAX cannot start on the device that {values} asks for ({said}): unset'
    f' {" and ".join(asked)}, or install JAX for that device, as'
    ' heterojax[cuda13] does.'
  )

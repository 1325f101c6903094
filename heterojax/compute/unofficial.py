"""What JAX has no public name for, and can do without.

A later release may drop or rename each of them. Importing them nowhere else
keeps that from breaking more than what is said here.
"""

from collections.abc import Callable
import sys
from typing import Any


def jax_has_started() -> bool:
  """Whether a backend exists, for which flags come too late.

  Where JAX does not tell: no; the canary finds sums that are wrong.
  """
  return bool(_of('jax._src.xla_bridge', 'backends_are_initialized', bool)())


def cpu_client() -> Callable[[], Any] | None:
  """What makes CPU devices whose threads are their own, if there is such."""
  return _of('jaxlib.xla_client', 'make_cpu_client', None)


def words_of(key: Any) -> Any:
  """The array that a key of `jax.random` is made of, if it has such.

  `jax.random.key_data` gives the same, and takes twenty times as long.
  """
  return getattr(key, '_base_array', None)


def _of(module: str, name: str, default: Any) -> Any:
  """A name of a module, if that has been imported: nothing is started."""
  return getattr(sys.modules.get(module), name, default)

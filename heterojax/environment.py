"""What a run was computed with."""

from collections.abc import Iterable
import importlib.metadata
import os
import platform
from typing import Any

import jax

from heterojax.version import __version__

_PACKAGES = (
    'jax', 'jaxlib', 'flax', 'optax', 'numpy', 'scikit-learn', 'pillow'
)  # pyformat: disable


def describe() -> dict[str, Any]:
  """Versions, devices and flags; starts the JAX backend."""
  devices = jax.local_devices()
  return {
      'heterojax': __version__,
      'python': platform.python_version(),
      'machine': platform.machine(),
      'platform': devices[0].platform,
      'device': devices[0].device_kind,
      'num_devices': len(devices),
      'cpus': os.cpu_count(),
      'xla_flags': os.environ.get('XLA_FLAGS', ''),
      'packages': versions(_PACKAGES),
  }


def versions(packages: Iterable[str]) -> dict[str, str]:
  """Of those that are installed."""
  found = {}
  for package in packages:
    try:
      found[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      continue
  return found

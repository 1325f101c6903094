"""What a run was computed with."""

from collections.abc import Iterable
import importlib.metadata
import os
import pathlib
import platform
import re
from typing import Any

import jax

from heterojax.compute import cores
from heterojax.version import __version__

# What computes numbers, or reads those of images; some are extras.
_PACKAGES = (
  'jax',
  'jaxlib',
  'flax',
  'optax',
  'numpy',
  'scipy',
  'scikit-learn',
  'pillow',
  'pydicom',
  'onnxruntime',
)
# Of Linux; of CUDA 13 and 12.
_DRIVER = pathlib.Path('/proc/driver/nvidia/version')
_CUDNN = ('nvidia-cudnn-cu13', 'nvidia-cudnn-cu12')


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
    **_of_gpu(devices[0].platform),
    'processor': processor(),
    'cores': cores.number(),
    'xla_flags': os.environ.get('XLA_FLAGS', ''),
    'packages': versions(_PACKAGES),
  }


def _of_gpu(of: str) -> dict[str, str]:
  """Versions of NVIDIA's driver and of cuDNN, where a GPU computes.

  '' is what Linux or the packages do not tell.
  """
  if of != 'gpu':
    return {}
  said = _DRIVER.read_text() if _DRIVER.exists() else ''
  driver = re.search(r'Kernel Module .*?\s(\d[\d.]+)\s', said)
  cudnn = next(iter(versions(_CUDNN).values()), '')
  return {'driver': driver[1] if driver else '', 'cudnn': cudnn}


def processor() -> str:
  """The first processor's name, where the system tells it."""
  info = pathlib.Path('/proc/cpuinfo')
  if info.exists():
    for line in info.read_text().splitlines():
      key, _, value = line.partition(':')
      if key.strip() == 'model name':
        return value.strip()
  return platform.processor()


def versions(packages: Iterable[str]) -> dict[str, str]:
  """Versions of those that are installed."""
  installed = {}
  for package in packages:
    try:
      installed[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      continue
  return installed

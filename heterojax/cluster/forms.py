"""What clustering computes otherwise on CPU cores than on accelerators."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.compute import platform
from heterojax.compute.arrays import Array


def are_of_cpu() -> bool:
  """Whether clustering takes the forms that are faster on CPU."""
  return platform.of_programs() == 'cpu'


def placed(x: jax.typing.ArrayLike, dtype: Any = None) -> Array:
  """An array where BLAS or XLA computes with it: on the host, or a device."""
  return np.asarray(x, dtype) if are_of_cpu() else jnp.asarray(x, dtype)

"""The number type of the data decides, as it does in scikit-learn."""

import contextlib

import jax
import numpy as np

from heterojax.compute import platform


def dtype_of(x: jax.typing.ArrayLike) -> np.dtype:
  """float32 for float32 data, float64 for all other numbers."""
  dtype = np.dtype(getattr(x, 'dtype', np.float64))
  return dtype if dtype == np.float32 else np.dtype(np.float64)


def of(x: jax.typing.ArrayLike) -> contextlib.AbstractContextManager:
  """JAX's float64 mode where the data need it, whatever the setting."""
  wide = dtype_of(x) == np.float64
  return platform.float64() if wide else contextlib.nullcontext()

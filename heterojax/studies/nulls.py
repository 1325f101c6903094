"""Fields of `results.json`: null and the reason where none can be estimated."""

from typing import Any

import numpy as np


def number(name: str, value: float | None, why: str) -> dict[str, Any]:
  """A number; or null, and the reason as `<name>_why`."""
  if value is not None and np.isfinite(value):
    return {name: float(value)}
  return {name: None, f'{name}_why': why}


def numbers(name: str, values: np.ndarray, why: str) -> dict[str, Any]:
  """`[...]` numbers as lists; one reason for all in them that are null."""
  values = np.asarray(values, np.float64)
  known = np.isfinite(values)
  field = {name: np.where(known, values, None).tolist()}
  return field if known.all() else field | {f'{name}_why': why}

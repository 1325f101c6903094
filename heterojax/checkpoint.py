"""All that touches Orbax: trees of arrays to a folder and back."""

import pathlib
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp


def save(path: pathlib.Path, tree: Any) -> None:
  """Writes a tree of arrays; what was there before is replaced at the end."""
  # Nested dictionaries restore without the classes that wrote them.
  path.parent.mkdir(parents=True, exist_ok=True)
  ocp.save(path.absolute(), jax.tree.map(np.asarray, tree), overwrite=True)


def load(path: pathlib.Path) -> Any:
  """Reads a tree of NumPy arrays."""
  return jax.tree.map(np.asarray, ocp.load(path.absolute()))

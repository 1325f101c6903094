"""What figures need besides the results, kept in the run folder.

A view is a NamedTuple of NumPy arrays without objects in them; it has the same
bytes for the same arrays.
"""

import io
import os
import pathlib
from typing import Any, TypeVar

import numpy as np

from heterojax import errors
from heterojax.datasets import npz
from heterojax.errors import UserError
from heterojax.run import atomic

NAME = 'view.npz'
T = TypeVar('T')


def save(folder: pathlib.Path, view: Any) -> None:
  """Writes a view to a run folder."""
  buffer = io.BytesIO()
  np.savez(buffer, allow_pickle=False, **view._asdict())
  atomic.write(folder / NAME, buffer.getvalue())


def load(folder: pathlib.Path, kind: type[T]) -> T:
  """Reads the view of a run folder.

  Args:
    folder: of a finished run.
    kind: the NamedTuple that was saved.

  Returns:
    The view.

  Raises:
    UserError: if there is none that can be read, or it has other arrays.
  """
  path = folder / NAME
  if not os.path.lexists(path):
    raise UserError(
      f'There is no {path}: its run was made by an earlier release, or has not'
      ' finished; run the study again.'
    )
  try:
    found = {name: npz.load(path, name) for name in npz.headers(path)}
  except UserError as error:
    raise errors.damaged(path, str(error).rstrip('.')) from error
  if other := found.keys() ^ {*kind.__annotations__}:
    raise UserError(
      f'{path} was written by another release of heterojax ({min(other)}'
      f' {"is new" if min(other) in found else "is missing"}): use that one, or'
      ' run the study again.'
    )
  return kind(**found)

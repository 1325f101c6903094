"""Two runs field by field: what is identical, what is close, what is not."""

import pathlib
from typing import Any, NamedTuple

from heterojax.differences import files
from heterojax.differences import values
from heterojax.differences.values import DIFFERENT
from heterojax.differences.values import IDENTICAL
from heterojax.differences.values import Change
from heterojax.differences.values import Item
from heterojax.errors import UserError

TOLERANCE = 1e-4
FIELDS = 'fields of results.json'
KINDS = (FIELDS, files.TABLES, files.ARRAYS, files.CHECKPOINTS)


class Comparison(NamedTuple):
  """Two runs.

  Attributes:
    tolerance: largest difference of two numbers, relative to the larger one or
      to 1 if both are smaller.
    items: everything that was compared.
    settings: that differ.
    environment: what of it differs.
  """

  tolerance: float
  items: tuple[Item, ...]
  settings: tuple[Change, ...] = ()
  environment: tuple[Change, ...] = ()

  @property
  def identical(self) -> bool:
    """Whether all is the same to the bit."""
    return all(item.verdict == IDENTICAL for item in self.items)

  @property
  def agree(self) -> bool:
    """Whether no two numbers are further apart than the tolerance."""
    return all(item.verdict != DIFFERENT for item in self.items)


def compare(
  here: pathlib.Path, there: pathlib.Path, tolerance: float | None = None
) -> Comparison:
  """Compares two finished runs.

  Timings are not compared, nor the report and its figures, which show the
  numbers that are.

  Args:
    here: a run folder.
    there: another one.
    tolerance: see `Comparison`; 0 asks for the same bits, None for `TOLERANCE`.

  Returns:
    All that was compared.

  Raises:
    UserError: if one of them has no results that can be read.
  """
  tolerance = TOLERANCE if tolerance is None else tolerance
  ours, theirs = (_object(folder / 'results.json') for folder in (here, there))
  configs = [_object(folder / 'config.json') for folder in (here, there)]
  return Comparison(
    tolerance,
    (
      *values.items(FIELDS, ours, theirs, tolerance),
      *files.items(here, there, tolerance),
    ),
    tuple(values.changes(*configs)),
    tuple(values.changes(*(run.get('environment') for run in (ours, theirs)))),
  )


def _object(path: pathlib.Path) -> dict[str, Any]:
  stored = files.read_json(path)
  if not isinstance(stored, dict):
    raise UserError(f'{path} is damaged: run the study again.')
  return stored

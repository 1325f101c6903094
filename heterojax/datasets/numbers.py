"""Labels that are numbers, for regression."""

from collections.abc import Iterable
import dataclasses
import math

from heterojax.datasets import classes
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError

# Squared errors of larger numbers leave the range of float32.
_LARGEST = 1e15


def labelled(candidate: Candidate, cell: str) -> Candidate:
  """Makes a number the label of a candidate.

  Args:
    candidate: of any label.
    cell: the number, as a table has it.

  Returns:
    The candidate with the number as its label, written in one way ('69.0' and
    '69' are '69'); left out where the cell is no finite number or a huge one,
    unless that has been for another reason.
  """
  number = parse(cell)
  if math.isnan(number):
    candidate = dataclasses.replace(candidate, label=cell)
    if not candidate.included:
      return candidate
    return candidate.left_out(
      f'label {cell!r} is no number' if cell else 'no label'
    )
  if abs(number) > _LARGEST and candidate.included:
    candidate = candidate.left_out(f'label {cell!r} is beyond {_LARGEST:g}')
  text = str(int(number)) if number.is_integer() else repr(number)
  return dataclasses.replace(candidate, label=text)


def parse(cell: str) -> float:
  """The number that a cell is, or NaN where it is no finite one."""
  # Python takes 1_0 and Arabic digits for numbers; tables do not mean them.
  if not cell.isascii() or '_' in cell:
    return math.nan
  try:
    number = float(cell)
  except ValueError:
    return math.nan
  return number if math.isfinite(number) else math.nan


def require_some(name: str, candidates: Iterable[Candidate]) -> None:
  """Raises a UserError where no candidate is left with a number."""
  candidates = list(candidates)
  if not any(c.included for c in candidates):
    labels = [c.label for c in candidates if c.label]
    example = f', as {labels[0]!r}' if labels else ''
    raise UserError(
      f'{name} has no label that is a number{example}, but'
      ' --config.data.task=regression estimates numbers.'
    )


def require_no_classes(named: classes.Classes) -> None:
  """Raises a UserError where classes are named although labels are numbers."""
  for option, name in classes.options(named):
    if name:
      raise UserError(
        f'A regression has no classes: leave out --config.data.{option}'
        f' (it is {name!r}), or --config.data.task=regression.'
      )

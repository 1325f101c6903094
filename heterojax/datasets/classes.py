"""The two classes of a study among the labels of a data set."""

from collections.abc import Iterable
import pathlib

from heterojax.errors import UserError


def choose(
  path: pathlib.Path, labels: Iterable[str], positive: str, negative: str
) -> tuple[str, str]:
  """Completes the class names that the user gave.

  Nothing is guessed from a label itself: in a 0/1 column either number may be
  the disease.

  Args:
    path: what messages call the data set.
    labels: those that occur; '' does not count.
    positive: label of the disease, or ''.
    negative: label of the other class, or ''; one is enough of two labels.

  Returns:
    (positive, negative).

  Raises:
    UserError: if that leaves a doubt, or there are no two classes.
  """
  found = sorted(set(labels) - {''}, key=lambda label: (len(label), label))
  shown = ', '.join(found[:10]) + (', ...' if len(found) > 10 else '')
  if not found:
    raise UserError(f'{path} has no labels.')
  for option, name in (('positive', positive), ('negative', negative)):
    if name and name not in found:
      raise UserError(
        f'{path} has no label {name!r} (--config.data.{option}): its labels'
        f' are {shown}.'
      )
  if positive and negative:
    return positive, negative
  if len(found) < 2:
    raise UserError(
      f'All of {path} is of the class {found[0]!r}: a study needs two classes.'
    )
  if len(found) == 2 and (positive or negative):
    other = found[1 - found.index(positive or negative)]
    return positive or other, negative or other
  raise UserError(
    f'{path} has the labels {shown}: say which is the disease and which is'
    ' not with --config.data.positive=NAME and --config.data.negative=NAME.'
  )


def require_two(positive: str, negative: str) -> None:
  """Raises a UserError where both classes are one."""
  if positive == negative:
    raise UserError(
      f'Both classes are {positive!r}: --config.data.positive and'
      ' --config.data.negative must differ.'
    )


def key(label: str) -> str:
  """A label as labels are compared: some files spell No_Finding."""
  return label.replace('_', ' ').casefold()


def reason(label: str) -> str:
  """Why a candidate of another label is left out."""
  return f'label {label!r} is not one of the two classes'

"""The classes of a study among the labels of a data set."""

from collections.abc import Iterable, Iterator, Sequence
import pathlib
import unicodedata

from heterojax.errors import UserError

# Labels that the user named, that of the disease first; '' where none was.
Classes = tuple[str, ...]
# The fields of the configuration that name them.
OPTIONS = ('positive', 'negative')


def options(named: Sequence[str]) -> Iterator[tuple[str, str]]:
  """Field of the configuration and label of each class."""
  return zip(OPTIONS, named, strict=True)


def choose(
  path: pathlib.Path, labels: Iterable[str], named: Classes
) -> Classes:
  """Completes the class names that the user gave.

  Nothing is guessed from a label itself: in a 0/1 column either number may be
  the disease.

  Args:
    path: what messages call the data set.
    labels: those that occur; '' does not count.
    named: by the user; one is enough of two labels.

  Returns:
    The label of the disease and that of the other class.

  Raises:
    UserError: if that leaves a doubt, or there are no two classes.
  """
  labels = sorted(set(labels) - {''}, key=lambda label: (len(label), label))
  as_is = {composed(label): label for label in labels}
  named = tuple(as_is.get(composed(name), name) for name in named)
  shown = ', '.join(labels[:10]) + (', ...' if len(labels) > 10 else '')
  if not labels:
    raise UserError(f'{path} has no labels.')
  for option, name in options(named):
    if name and name not in labels:
      raise UserError(
        f'{path} has no label {name!r} (--config.data.{option}): its labels'
        f' are {shown}.'
      )
  if all(named):
    return named
  if len(labels) < 2:
    raise UserError(
      f'All of {path} is of the class {labels[0]!r}: a study needs two classes.'
    )
  if len(labels) == 2 and any(named):
    (one,) = filter(None, named)
    other = labels[1 - labels.index(one)]
    return tuple(name or other for name in named)
  raise UserError(
    f'{path} has the labels {shown}: say which is the disease and which is'
    ' not with --config.data.positive=NAME and --config.data.negative=NAME.'
  )


def require_different(named: Classes) -> None:
  """Raises a UserError where both classes are one."""
  if len(set(named)) < len(named):
    raise UserError(
      f'Both classes are {named[0]!r}: --config.data.positive and'
      ' --config.data.negative must differ.'
    )


def composed(text: str) -> str:
  """Text in the composed form of Unicode; macOS decomposes names of files."""
  return unicodedata.normalize('NFC', text)


def key(label: str) -> str:
  """A label as labels are compared: some files spell No_Finding."""
  return composed(label).replace('_', ' ').casefold()


def reason(label: str) -> str:
  """Why a candidate of another label is left out."""
  return f'label {label!r} is not one of the two classes'

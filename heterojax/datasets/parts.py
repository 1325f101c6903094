"""The parts that tables name: words of splits, and columns such as is_valid."""

from collections.abc import Callable, Iterable, Sequence
import pathlib
import re

from heterojax.datasets import meanings
from heterojax.datasets import splits
from heterojax.errors import UserError

FILE = '<files>'  # In a note: the name of the file that it is said of.
_TRUE = ('true', '1', 'yes', 't')
_FALSE = ('false', '0', 'no', 'f')
# As in 'train set' or 'testdata'.
_WITH_NOUN = re.compile(r'(.+?)(sets?|data|dataset|splits?|subset|part)')


def word(cell: str) -> str | None:
  """The split that a cell names, '' where it is missing, else None."""
  name = meanings.key(meanings.known(cell))
  if name not in splits.WORDS and (noun := _WITH_NOUN.fullmatch(name)):
    name = noun[1]
  return splits.WORDS.get(name)


def without_phases(
  chosen: meanings.Columns,
  asked: meanings.Columns,
  cells: Callable[[str], Iterable[str]],
) -> dict[str, tuple[str, ...]]:
  """The columns of meanings, but no split that is another phase.

  Args:
    chosen: see `meanings.choose`.
    asked: likewise.
    cells: of a column.
  """
  left = dict(chosen)
  column = left.get('split', ('split',))[0]
  is_guessed = column != 'split' and 'split' not in asked
  if is_guessed and not any(map(word, cells(column))):
    del left['split']
  return left


def tells_one(name: str) -> str:
  """The split that a column such as `is_valid` tells from the others, or ''."""
  name = meanings.key(name)
  return splits.WORDS.get(name[2:], '') if name.startswith('is') else ''


def named(
  path: pathlib.Path, column: str, cells: Sequence[str]
) -> tuple[list[str], tuple[str, ...]]:
  """The splits of a column.

  Args:
    path: of the table.
    column: its name; one such as `is_valid` may hold true and false.
    cells: of its rows.

  Returns:
    'train', 'validation', 'test' or '' a row, and what must be said of them.
    Where there is a validation part and no test part, that is the test part.

  Raises:
    UserError: if a cell names no part.
  """
  found = []
  for row, cell in enumerate(cells, 1):
    part = word(cell)
    if one := tells_one(column):
      value = meanings.known(cell).casefold()
      if value in _TRUE:
        part = one
      elif value in _FALSE:
        part = 'test' if one == 'train' else 'train'
    if part is None:
      raise UserError(
        f'{path}, row {row}: split is {cell!r}, but must be one of'
        f' {", ".join(filter(None, splits.WORDS))} or empty.'
      )
    found.append(part)
  if 'validation' in found and 'test' not in found:
    found = ['test' if part == 'validation' else part for part in found]
    return found, (
      f'There is a validation part and no test part in {FILE}: the validation'
      ' part is the test set.',
    )
  return found, ()


def are_words(cells: Iterable[str]) -> bool:
  """Whether cells are words of splits, of two of them or more."""
  found = {word(cell) for cell in cells} - {''}
  return None not in found and len(found) > 1

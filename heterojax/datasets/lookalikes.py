"""Columns that look like patients or folds and are not used: named in notes."""

from collections import Counter
from collections.abc import Mapping, Sequence
import pathlib
import re
from typing import NamedTuple

from heterojax.datasets import meanings
from heterojax.datasets import parts

# Names of columns of which one value may be several images of one person.
_PATIENT = re.compile(
  r'.*uid|(lesion|case|study|exam|examination|series|visit|encounter|session'
  r'|accession|eye|slide|specimen|biopsy|tumou?r|nodule|animal|mouse|family'
  r'|individual|volunteer|client|record|scan|volume|stack)'
  r'(id|ids|no|num|number|name|key|code)|accession|idlesion|idcase|case|cases'
  r'|lesion|nodule|slide|individual|family|user(id|name)|fall(id|nr|nummer)'
  # And all others that speak of a person and of how he is told.
  r'|(?>.*(patient|subject|participant|proband|person))[a-z]*(id|ids|no|nr'
  r'|number|nummer|name|key|code|uuid|guid|hash|identifier)'
  r'|.*(patient|subject|participant|proband|person)'
)
_FOLD = re.compile(
  r'k?folds?\d*|.*kfold.*|cv|cvfolds?|cvsplit|.*fold|fold.*|is(train|training'
  r'|val|valid|validate|validation|test|testing|holdout|dev|eval)'
  r'|(data|dataset|official|original|image|cv)?(split|subset|partition)'
  r'(name|id|no|set|type)?\d*'
)
_MOST_ROWS = 20  # Of one patient.
# Values that repeat at random would mix the classes 1 - 1/2^10 of the time.
_FEWEST_REPEATS = 10
_FEWEST_VALUES = 5
_FRACTION = re.compile(r'[+-]?\d*[.,]0*[1-9]\d*([eE][+-]?\d+)?')


class Looks(NamedTuple):
  """What unused columns look like."""

  patients: tuple[str, ...]
  folds: tuple[str, ...]


def find(
  columns: Mapping[str, Sequence[str]],
  labels: Sequence[str],
  groups: Sequence[str],
) -> Looks:
  """Finds columns that could be the group, the split or the fold.

  Args:
    columns: cells by the name of columns that are not used.
    labels: of the rows; classes, or '' for all rows.
    groups: of the rows, '' where none is named.

  Returns:
    Their names; not those of columns that keep each patient together anyway.
  """
  patients, folds = [], []
  for name, cells in columns.items():
    if _is_fold(name, cells):
      folds.append(name)
    elif _is_patient(name, cells, labels) and _splits_off(cells, groups):
      patients.append(name)
  return Looks(tuple(patients), tuple(folds))


def notes(path: pathlib.Path, looks: Looks) -> tuple[str, ...]:
  """A sentence for each such column."""
  said = [
    f'The column {name} of {path.name} looks like a patient or another group'
    f" of images and is not used: {meanings.OPTION}='group:{name}' keeps each"
    ' in one part.'
    for name in looks.patients
  ]
  for name in looks.folds:
    meaning = 'fold'
    if parts.tells_one(name) or 'fold' not in meanings.key(name):
      meaning = 'split'
    said.append(
      f'The column {name} of {path.name} looks like a {meaning} and is not'
      f" used: {meanings.OPTION}='{meaning}:{name}' uses it."
    )
  return tuple(said)


def by_name(name: str) -> bool:
  """Whether a column is called like a patient or a fold, whatever it holds."""
  name = meanings.key(name)
  return bool(_PATIENT.fullmatch(name) or _FOLD.fullmatch(name))


def _is_fold(name: str, cells: Sequence[str]) -> bool:
  there = {cell for cell in cells if not meanings.is_missing(cell)}
  is_named = _FOLD.fullmatch(meanings.key(name)) or meanings.of(name) in (
    'fold',
    'split',
  )
  few = 1 < len(there) <= max(2, len(cells) // 2)
  return bool(is_named and few) or parts.are_words(cells)


def _is_patient(name: str, cells: Sequence[str], labels: Sequence[str]) -> bool:
  there = {cell for cell in cells if not meanings.is_missing(cell)}
  rows = sum(cell in there for cell in cells)
  is_named = _PATIENT.fullmatch(meanings.key(name)) or meanings.of(name) == (
    'group'
  )
  if is_named:
    return 1 < len(there) < rows
  return repeats_within_classes(cells, labels)


def repeats_within_classes(cells: Sequence[str], labels: Sequence[str]) -> bool:
  """Whether values repeat as patients do, and never mix the classes."""
  classes: dict[str, set[str]] = {}
  known = [
    (cell, label)
    for cell, label in zip(cells, labels, strict=True)
    if not meanings.is_missing(cell)
  ]
  times = Counter(cell for cell, _ in known)
  for cell, label in known:
    classes.setdefault(cell, set()).add(label)
  return (
    len(set(labels)) > 1
    and len(times) >= _FEWEST_VALUES
    and len(known) - len(times) >= _FEWEST_REPEATS
    and max(times.values()) <= _MOST_ROWS
    and 2 * sum(n for n in times.values() if n > 1) >= len(known)
    and all(len(of_one) == 1 for of_one in classes.values())
    and not any(map(_FRACTION.fullmatch, times))
  )


def tells_classes(cells: Sequence[str], labels: Sequence[str]) -> bool:
  """Whether a column is the label once more, under other names."""
  pairs = set(zip(cells, labels, strict=True))
  several = {label for _, label in pairs}
  return len(labels) >= 2 * _FEWEST_REPEATS and 1 < len(several) == len(
    pairs
  ) == len({cell for cell, _ in pairs})


def _splits_off(cells: Sequence[str], groups: Sequence[str]) -> bool:
  """Whether rows of one value are of several groups."""
  of_value: dict[str, str] = {}
  for row, (cell, group) in enumerate(zip(cells, groups, strict=True)):
    if not meanings.is_missing(cell):
      group = group or f'\0{row}'
      if of_value.setdefault(cell, group) != group:
        return True
  return False

"""Labels that are none: missing words, marks such as -999, one-hot columns."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
import math
import pathlib
import re

from heterojax.datasets import classes
from heterojax.datasets import meanings
from heterojax.datasets import numbers
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError

# By which tables of numbers mark what is not known.
_MARK = re.compile(r'-1|-9+|99+')
_YES = ('1', '1.0', 'true', 'yes')
_NO = ('0', '0.0', 'false', 'no')


def absent(
  labels: Iterable[str], named: classes.Classes, task: str
) -> dict[str, str]:
  """Which labels say that there is none.

  Args:
    labels: of all rows; whole numbers without a fraction.
    named: by the user, who may call a class as he likes.
    task: one of `manifest.TASKS`.

  Returns:
    The reason to leave a row out by its label, for such labels alone.
  """
  labels = set(labels)
  asked = classes.asked_for(named, labels)
  classes_ = {*asked, *map(meanings.whole, asked)}
  there = {label for label in labels if not meanings.is_missing(label)}
  words = labels - there - classes_
  if '+' in labels:
    words.discard('-')
  reasons = {word: f'label {word!r} stands for none' for word in words}
  if '' in reasons:
    reasons[''] = 'no label'
  marks = _of_classes if task == 'classification' else _of_numbers
  return reasons | {
    mark: f'label {mark!r} is a mark for none'
    for mark in marks(there, classes_)
  }


def _of_classes(labels: set[str], named: set[str]) -> set[str]:
  """Marks beside two or more classes: words, or numbers that are smaller."""
  marks = {m for m in labels - named if _MARK.fullmatch(m)}
  others = [numbers.parse(label) for label in labels - marks]
  if len(others) < 2:  # -1 and 1 are two classes.
    return set()
  if all(map(math.isnan, others)):
    return marks
  if not all(value.is_integer() for value in others):
    return set()
  # 0, 1, ..., 98, 99 are classes all.
  low, high = min(others), 2 * max(others) + 9
  return {m for m in marks if not low <= float(m) <= high}


def _of_numbers(labels: set[str], named: set[str]) -> set[str]:
  """Marks that lie farther from all numbers than these from one another."""
  values = {label: numbers.parse(label) for label in labels - named}
  values = {k: v for k, v in values.items() if not math.isnan(v)}
  marks = {m for m in values if _MARK.fullmatch(meanings.whole(m))}
  others = [v for label, v in values.items() if label not in marks]
  if len(others) < 2:
    return set()
  low, high = min(others), max(others)
  return {
    m
    for m in marks
    if max(low - values[m], values[m] - high) > high - low
    # Ages and lengths are never negative.
    or values[m] < 0 <= low
  }


def notes(
  path: pathlib.Path,
  labels: Sequence[str],
  reasons: Mapping[str, str],
  named: classes.Classes,
  task: str,
) -> tuple[str, ...]:
  """What must be said of the labels.

  Args:
    path: of the data set.
    labels: of all rows.
    reasons: see `absent`.
    named: by the user.
    task: likewise.
  """
  said = []
  counts = Counter(label for label in labels if label in reasons and label)
  if counts:
    words = ', '.join(f'{n:,} {label!r}' for label, n in counts.most_common(9))
    remedy = ''
    if task == 'classification':
      remedy = (
        f'; --config.data.negative={next(iter(counts))} would make it a class'
      )
    said.append(
      f'Labels of {path.name} that say that there is none are left out:'
      f' {words}{remedy}.'
    )
  spellings: dict[str, set[str]] = {}
  for label in set(labels) - reasons.keys():
    spellings.setdefault(classes.key(label), set()).add(label)
  alike = [sorted(several) for several in spellings.values() if several]
  shown = '; '.join(', '.join(names) for names in alike if len(names) > 1)
  if shown and task == 'classification':
    said.append(
      f'Labels of {path.name} that differ in capitals or blanks alone are not'
      f' taken for one: {shown}.'
    )
  return tuple(said)


def left_out(candidate: Candidate, reasons: Mapping[str, str]) -> Candidate:
  """The candidate, left out where its label says that there is none."""
  if candidate.included and candidate.label in reasons:
    return candidate.left_out(reasons[candidate.label])
  return candidate


def one_hot(
  path: pathlib.Path, columns: Mapping[str, Sequence[str]]
) -> list[str]:
  """Labels of columns of 0 and 1.

  Args:
    path: of the table, for messages.
    columns: cells by the label that they are of.

  Returns:
    The label of every row; '' where no column has a 1, and all names where
    several have one, as 'A and B'.

  Raises:
    UserError: if a cell is neither 0 nor 1.
  """
  found = []
  for number, row in enumerate(zip(*columns.values(), strict=True), 1):
    ones = []
    for name, cell in zip(columns, row, strict=True):
      if cell.casefold() in _YES:
        ones.append(name)
      elif cell.casefold() not in _NO and not meanings.is_missing(cell):
        raise UserError(
          f'{path}, row {number}: {name} is {cell!r}, but a column of one label'
          f' of several ({meanings.OPTION}) must be 0 or 1.'
        )
    found.append(' and '.join(ones))
  return found


def one_hot_columns(columns: Mapping[str, Sequence[str]]) -> list[str]:
  """Columns of a table of which each row has one 1, to be suggested."""
  zeros_and_ones = [
    name
    for name, cells in columns.items()
    if {cell.casefold() for cell in cells} <= {*_YES[:3], *_NO[:3]}
  ]
  rows = zip(*(columns[name] for name in zeros_and_ones), strict=True)
  of_row = [sum(cell.casefold() in _YES for cell in row) for row in rows]
  enough = len(zeros_and_ones) > 1 and of_row
  return zeros_and_ones if enough and set(of_row) == {1} else []

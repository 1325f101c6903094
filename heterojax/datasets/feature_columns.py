"""Which columns of a table are features: never guessed in silence."""

from collections.abc import Mapping, Sequence
import fnmatch
import pathlib
import re
from typing import NamedTuple

from heterojax.datasets import lookalikes
from heterojax.datasets import meanings
from heterojax.errors import UserError

OPTION = '--config.data.features'
# Python refuses to read numbers of thousands of digits.
_NUMBERED = re.compile(r'(.*?)(\d{1,18})')
# What numbered features are called; others are so where they are many.
_PREFIXES = frozenset((
  *('', 'f', 'feat', 'feats', 'feature', 'features', 'x', 'v', 'z', 'h', 'c'),
  *('e', 'd', 'emb', 'embed', 'embedding', 'embeddings', 'dim', 'col'),
  *('column', 'pc', 'pca', 'component', 'latent', 'var', 'n', 'deep'),
))
_FEWEST_NUMBERED = 8
# Exported indices of rows.
_INDEX = re.compile(
  r'unnamed:?\d*|index|indexlevel\d*|level\d+|row|rowid|rownumber'
)


class Kinds(NamedTuple):
  """Columns of a table by what they hold, in its order.

  Attributes:
    numbers: one number a row.
    lists: several numbers a row.
    others: an example that is no number, and its row (0 where not known), of
      each other column; ('', 0) where it is empty.
    nearly: those of the others that are numbers but for a few rows.
  """

  numbers: tuple[str, ...]
  lists: tuple[str, ...]
  others: Mapping[str, tuple[str, int]]
  nearly: tuple[str, ...] = ()


class Chosen(NamedTuple):
  """The feature columns.

  Attributes:
    columns: in their order: of their numbers, where they are numbered.
    notes: how they were chosen, where that is not evident.
  """

  columns: tuple[str, ...]
  notes: tuple[str, ...] = ()


def choose(
  path: pathlib.Path,
  kinds: Kinds,
  asked: str,
  taken: Sequence[str],
  doubtful: Sequence[str] = (),
) -> Chosen:
  """Chooses the feature columns.

  Args:
    path: of the table.
    kinds: all its columns.
    asked: `data.features`: `all`, or beginnings of names or patterns with * and
      ?, joined by commas; '' where the user says nothing.
    taken: columns that are something else, as the label.
    doubtful: columns of numbers that look like something else, and are features
      only where they are numbered or the user says so.

  Returns:
    What is asked for. Else columns named by numbers, where these are all or
    most numbers of the table; the one column of lists; or all columns of
    numbers that mean nothing else.

  Raises:
    UserError: if there are none, or one that is asked for cannot be a feature.
  """
  free = [name for name in kinds.numbers if not _means_something(name, taken)]
  lists = [name for name in kinds.lists if name not in taken]
  if asked and asked != 'all':
    return Chosen(_asked(path, kinds, asked, taken))
  if asked == 'all':
    return Chosen(_some(path, (*free, *lists), kinds))
  numbered = _numbered(path, free, kinds, taken)
  if numbered and (not lists or len(numbered) >= _FEWEST_NUMBERED):
    chosen, notes = numbered, ()
  elif len(lists) == 1:
    chosen = tuple(lists)
    notes = (f'The features of {path.name} are the lists of {lists[0]}.',)
  elif lists:
    raise UserError(
      f'{path} has several columns of lists, {", ".join(lists)}: name that of'
      f' the features with {OPTION}={lists[0]}.'
    )
  else:
    free = [name for name in free if name not in doubtful]
    chosen = _some(path, free, kinds)
    notes = (
      f'The features of {path.name} are its {len(chosen)} columns of numbers'
      f' that mean nothing else: {meanings.shown(chosen, 5)} ({OPTION} says'
      ' which are).',
    )
  used = {*chosen, *taken}
  left = [
    name
    for name in kinds.numbers
    if name not in used and not _INDEX.fullmatch(meanings.key(name))
  ]
  if left:
    notes += (
      f'Columns of numbers of {path.name} that are no features:'
      f' {meanings.shown(left)} ({OPTION} says which are).',
    )
  empty = [name for name, (cell, _) in kinds.others.items() if not cell]
  for name in (*kinds.nearly, *empty):
    if name not in used:
      said = _holds(name, *kinds.others[name])
      notes += (f'{path.name}: {said}, so that it is no feature.',)
  return Chosen(chosen, notes)


def _means_something(name: str, taken: Sequence[str]) -> bool:
  return bool(
    name in taken
    or meanings.of(name)
    or lookalikes.by_name(name)
    or _INDEX.fullmatch(meanings.key(name))
  )


def _some(
  path: pathlib.Path, chosen: Sequence[str], kinds: Kinds
) -> tuple[str, ...]:
  """The columns, of which there must be any."""
  if not chosen:
    example = ''
    for name, (cell, row) in kinds.others.items():
      if cell and not meanings.of(name):
        example = f'; {_holds(name, cell, row)}'
    raise UserError(
      f'{path} has no feature columns: they are columns of numbers that mean'
      f' nothing else{example}.'
    )
  return tuple(chosen)


def _asked(
  path: pathlib.Path, kinds: Kinds, asked: str, taken: Sequence[str]
) -> tuple[str, ...]:
  names = [*kinds.numbers, *kinds.lists, *kinds.others]
  chosen: dict[str, None] = {}
  for part in filter(None, (part.strip() for part in asked.split(','))):
    if part in names:
      found = [part]
    elif set(part) & {*'*?'}:
      found = fnmatch.filter(names, part.replace('[', '[[]'))
    else:
      found = [name for name in names if name.startswith(part)]
    if found != [part]:
      found = [name for name in found if not _means_something(name, taken)]
      # Text beside numbers is no feature; numbers but for a few rows might be.
      texts = kinds.others.keys() - {*kinds.nearly}
      found = [name for name in found if name not in texts] or found
    if not found:
      raise UserError(
        f'{path} has no column {part!r} ({OPTION}): its columns of numbers are'
        f' {meanings.shown([*kinds.numbers, *kinds.lists]) or "none"}.'
      )
    chosen |= dict.fromkeys(found)
  for name in chosen:
    if name in taken:
      raise UserError(
        f'{OPTION} names the column {name!r} of {path}, which is something'
        ' else: its label, group, split, fold, id or prediction.'
      )
    if name in kinds.others:
      said = _holds(name, *kinds.others[name])
      raise UserError(f'{path}: {said} ({OPTION}).')
  numbered = _order(list(chosen))
  place = {name: i for i, name in enumerate(names)}
  return tuple(numbered or sorted(chosen, key=place.__getitem__))


def _order(names: Sequence[str]) -> list[str]:
  """Names in the order of their numbers; none where they are not numbered."""
  matches = [_NUMBERED.fullmatch(name) for name in names]
  found = {int(m[2]): m for m in matches if m}
  if len(found) < len(names) or len({m[1] for m in found.values()}) > 1:
    return []
  return [found[number][0] for number in sorted(found)]


def _numbered(
  path: pathlib.Path,
  free: Sequence[str],
  kinds: Kinds,
  taken: Sequence[str],
) -> tuple[str, ...]:
  """The columns that are numbered, where those are the features."""
  sets: dict[str, list[str]] = {}
  for name in [*free, *kinds.others]:
    match = _NUMBERED.fullmatch(name)
    if match and name not in taken and not meanings.of(name):
      sets.setdefault(match[1], []).append(name)
  numbers = {*free}
  found = {p: numbers & {*names} for p, names in sets.items()}
  others = sum(len(names) > 1 for names in found.values()) - 1
  for prefix, names in found.items():
    is_all = len(names) == len(free) > 0
    is_usual = meanings.key(prefix) in _PREFIXES and not (prefix and others)
    is_most = len(names) > max(1, len(free) / 2)
    if not is_all and not (
      is_most and (is_usual or len(names) >= _FEWEST_NUMBERED)
    ):
      continue
    for name in sets[prefix]:
      cell, row = kinds.others.get(name, ('', 0))
      if cell:
        raise UserError(
          f'{path}: the feature column {_holds(name, cell, row)}.'
        )
    return tuple(_order(sets[prefix]))
  return ()


def _holds(name: str, cell: str, row: int) -> str:
  if not cell:
    return f'{name!r} holds nothing'
  where = f' (row {row})' if row else ''
  return f'{name!r} holds {cell[:40]}{where}, which is no number'

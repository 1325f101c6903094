"""Data sets of Hugging Face, told by what they can do: nothing is imported.

https://huggingface.co/docs/datasets/access. Pictures are taken as they are
kept, as bytes of files or as paths, and a few at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any, NamedTuple
import warnings

import numpy as np

from heterojax import errors
from heterojax.api import files
from heterojax.api import table
from heterojax.errors import UserError

_ROWS = 64  # Whose pictures are in memory at once.
# Beginnings of what Arrow calls its types.
_NUMBERS = ('int', 'uint', 'float', 'double', 'halffloat', 'bool', 'decimal')
_LISTS = ('list', 'large_list', 'fixed_size_list')
_CELLS = (*_NUMBERS, 'class', 'string', 'large_string', 'date', 'time')


class Parts(NamedTuple):
  """What a study is fitted to.

  Attributes:
    data: `[N, D]` features, or N pictures.
    y: `[N]` labels.
    groups: `[N]` patients, or None.
    metadata: the other columns.
  """

  data: 'np.ndarray | Pictures'
  y: Any
  groups: Any
  metadata: dict[str, Any]


class Pictures:
  """Pictures in turn: the path of the file, and its bytes or a path of it."""

  def __init__(self, splits: Sequence[Any], column: str) -> None:
    self._splits = splits
    self._column = column

  def __len__(self) -> int:
    return sum(split.num_rows for split in self._splits)

  def __iter__(self) -> Iterator[tuple[str, bytes | str]]:
    row = 0
    for split in self._splits:
      rows = split.select_columns([self._column]).with_format('arrow')
      for start in range(0, split.num_rows, _ROWS):
        for cell in rows[start : start + _ROWS][self._column].to_pylist():
          if not cell or (cell['bytes'], cell['path']) == (None, None):
            raise UserError(
              f'Row {row} of X has no picture in the column {self._column!r}:'
              ' leave such rows out, as by X.filter.'
            )
          row += 1
          path, content = cell['path'], cell['bytes']
          yield path or '', path if content is None else content


@dataclasses.dataclass(frozen=True)
class _Columns:
  """Columns of all splits, one below the other.

  Attributes:
    kinds: of each column: 'image', 'class', or what Arrow calls its type.
    classes: names of those of a column.
    cells: what is no picture, as a table of Arrow.
  """

  kinds: dict[str, str]
  classes: dict[str, list[str]]
  cells: Any

  def of(self, argument: str, name: str) -> np.ndarray:
    """`[N]` numbers or text, the names of classes too.

    Raises:
      UserError: if there is no such column.
    """
    if name not in self.kinds or self.kinds[name] == 'image':
      raise UserError(
        f'{argument} is {name!r}, but X has no such column: it has'
        f' {", ".join(self.kinds)}.'
      )
    values = self.cells[name].to_pylist()
    if name in self.classes:
      names = dict(enumerate(self.classes[name]))  # -1 is a missing label.
      values = [names.get(value, '') for value in values]
    return table.cells(argument, values)

  def matrix(self, name: str) -> np.ndarray:
    """`[N, D]` of a column of lists."""
    rows = self.cells[name].to_pylist()
    for i, row in enumerate(rows):
      if len(row or ()) != len(rows[0] or ()):
        raise UserError(
          f'Row {i} of the column {name!r} of X has {len(row or ())} numbers,'
          f' but row 0 has {len(rows[0] or ())}: all must have as many.'
        )
    return np.array(rows, float)


def is_dataset(data: Any) -> bool:
  """Whether it is a `Dataset`, or a dictionary of them by their splits."""
  if isinstance(data, Mapping):
    return bool(data) and all(map(is_dataset, data.values()))
  needed = ('column_names', 'features', 'with_format')
  return all(hasattr(data, name) for name in needed)


def parts(data: Any, y: Any = None, groups: Any = None) -> Parts:
  """The columns of a data set, by what they mean.

  Args:
    data: a `Dataset`, or a `DatasetDict`, whose names become the splits.
    y: `[N]` labels or the name of their column; None for the only one that has
      classes (`ClassLabel`).
    groups: `[N]` patients or the name of their column.

  Raises:
    UserError: if it is a stream, its splits differ in columns, or what is to
      be read cannot be told.
  """
  splits = dict(data) if isinstance(data, Mapping) else {'': data}
  columns = _columns(splits)
  y = _labels(columns) if y is None else y
  named = {name for name in (y, groups) if isinstance(name, str)}
  y = columns.of('y', y) if isinstance(y, str) else y
  if isinstance(groups, str):
    groups = columns.of('groups', groups)
  rest = [name for name in columns.kinds if name not in named]
  used, found = _data(tuple(splits.values()), columns, rest)
  more: dict[str, Any] = {}
  without = []
  for name in rest:
    if name in used:
      continue
    if not columns.kinds[name].startswith(_CELLS):
      without.append(name)
      continue
    # A second column of labels, say, is one more that is audited.
    taken = name in (*files.RESERVED, 'label', 'group')
    more[f'{name} of X' if taken else name] = columns.of('metadata', name)
  if without:
    warnings.warn(
      f'The columns {errors.printable(", ".join(without))} of X hold neither'
      ' numbers nor text: they are left out.',
      stacklevel=2,
    )
  if isinstance(data, Mapping):
    more['split'] = [n for n, s in splits.items() for _ in range(s.num_rows)]
  return Parts(found, y, groups, more)


def _columns(splits: Mapping[str, Any]) -> _Columns:
  import pyarrow  # pylint: disable=import-outside-toplevel; slow.

  kinds: dict[str, str] | None = None
  classes: dict[str, list[str]] = {}
  tables = []
  for split in splits.values():
    if not hasattr(split, 'num_rows'):
      raise UserError('X is a stream: load it without streaming=True.')
    own = {
      name: {'Image': 'image', 'ClassLabel': 'class'}.get(
        type(feature).__name__
      )
      for name, feature in split.features.items()
    }
    cells = [name for name in split.column_names if own[name] != 'image']
    tables.append(split.select_columns(cells).with_format('arrow')[:])
    found = {
      name: own[name] or str(tables[-1].schema.field(name).type)
      for name in split.column_names
    }
    named = {n: split.features[n].names for n in own if own[n] == 'class'}
    if kinds is not None and (found, named) != (kinds, classes):
      raise UserError(
        f'The splits {", ".join(splits)} of X differ in their columns or'
        ' classes: give one of them.'
      )
    kinds, classes = found, named
  return _Columns(kinds or {}, classes, pyarrow.concat_tables(tables))


def _labels(columns: _Columns) -> str:
  found = list(columns.classes) or [n for n in columns.kinds if n == 'label']
  if len(found) == 1:
    return found[0]
  raise UserError(
    'y is missing: name the column of X that has the labels, of'
    f' {", ".join(columns.kinds)}.'
  )


def _data(
  splits: Sequence[Any], columns: _Columns, rest: Sequence[str]
) -> tuple[list[str], np.ndarray | Pictures]:
  """Names of the columns that are clustered, and what is in them."""
  pictures = [name for name in rest if columns.kinds[name] == 'image']
  lists = [name for name in rest if columns.kinds[name].startswith(_LISTS)]
  several = pictures or lists
  if len(several) > 1:
    raise UserError(
      f'X has {"pictures" if pictures else "features"} in the columns'
      f' {", ".join(several)}: keep one, as by X.remove_columns'
      f'({several[1:]}).'
    )
  if pictures:
    return pictures, Pictures(splits, pictures[0])
  if lists:
    return lists, columns.matrix(lists[0])
  numbers = [n for n in rest if columns.kinds[n].startswith(_NUMBERS)]
  if not numbers:
    raise UserError(
      f'X has neither pictures nor numbers, but {", ".join(rest) or "nothing"}:'
      ' cast the column of pictures to datasets.Image().'
    )
  return numbers, table.matrix({n: columns.of('X', n) for n in numbers})

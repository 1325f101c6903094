"""Files of two runs: tables by cell, arrays by row, checkpoints by digest."""

from collections.abc import Callable, Iterator
import csv
import itertools
import json
import math
import pathlib
from typing import Any, TextIO

import numpy as np

from heterojax.differences import values
from heterojax.differences.values import DIFFERENT
from heterojax.differences.values import IDENTICAL
from heterojax.differences.values import OTHER_BITS
from heterojax.differences.values import Item
from heterojax.differences.values import close
from heterojax.errors import UserError
from heterojax.run import artifacts

TABLES, ARRAYS = 'tables', 'arrays'
CHECKPOINTS = 'arrays in checkpoints'
_DIGESTS = 'digests.json'
_FILES = 'files.json'  # Orbax names them at random.
_DAMAGED = 'damaged_'  # Begins the names of checkpoints that were set aside.
_BLOCK = 2**24  # Bytes of an array that are compared at once.
_COLUMNS = 5  # That are named.
_Verdict = tuple[str, str]  # And the detail.


def read_json(path: pathlib.Path) -> Any:
  """What a file of a run holds.

  Args:
    path: of the file.

  Returns:
    What JSON gives.

  Raises:
    UserError: if it is not there, or cannot be read.
  """
  try:
    return json.loads(path.read_bytes())
  except FileNotFoundError as error:
    raise UserError(
      f'There is no {path}: give the folder of a run that has finished.'
    ) from error
  except (OSError, RecursionError, ValueError) as error:
    raise UserError(
      f'{path} cannot be read ({error}): run the study again.'
    ) from error


def items(
  here: pathlib.Path, there: pathlib.Path, tolerance: float
) -> Iterator[Item]:
  """Compares all tables and arrays of two run folders.

  Args:
    here: a run folder.
    there: another one.
    tolerance: see `values.relative` for cells, and `row_difference`.

  Yields:
    An item per file or, in checkpoints, per array of its latest step.
  """
  for kind, patterns, judged in (
    (TABLES, ('*.csv', 'tables/*.csv'), _tables),
    (TABLES, ('checkpoints/**/*.json',), _trees),
    (ARRAYS, ('features/*.npy', 'checkpoints/**/*.npy'), _arrays),
  ):
    names = {
      path.relative_to(folder)
      for folder in (here, there)
      for pattern in patterns
      for path in folder.glob(pattern)
    }
    for name in sorted(names):
      if name.name not in (_DIGESTS, _FILES) and not _set_aside(name):
        verdict = _files(here / name, there / name, judged, tolerance)
        yield Item(kind, name.as_posix(), *verdict)
  yield from _checkpoints(_latest(here), _latest(there), tolerance)


def _set_aside(name: pathlib.Path) -> bool:
  return any(part.startswith(_DAMAGED) for part in name.parts)


def _files(
  here: pathlib.Path,
  there: pathlib.Path,
  judged: Callable[[pathlib.Path, pathlib.Path, float], _Verdict],
  tolerance: float,
) -> _Verdict:
  known = here.is_file(), there.is_file()
  if known != (True, True):
    return DIFFERENT, _only(*known)
  if artifacts.fingerprint(here) == artifacts.fingerprint(there):
    return IDENTICAL, ''
  return judged(here, there, tolerance)


def _only(here: bool, there: bool) -> str:
  if here or there:
    return f'only {"here" if here else "there"}'
  return 'no file'


def _tables(
  here: pathlib.Path, there: pathlib.Path, tolerance: float
) -> _Verdict:
  """Verdict on two CSV files of other bytes; what differs stands by column."""
  columns: dict[int, _Column] = {}
  try:
    with _text(here) as a, _text(there) as b:
      rows = itertools.zip_longest(csv.reader(a), csv.reader(b))
      header, other = next(rows)
      if header != other:
        return DIFFERENT, 'other columns'
      for number, (x, y) in enumerate(rows, 1):
        if not (x is not None and y is not None and len(x) == len(y)):
          return DIFFERENT, f'other rows from row {number} on'
        for i, (p, q) in enumerate(zip(x, y, strict=True)):
          if p != q:
            name = header[i] if i < len(header) else f'column {i + 1}'
            columns.setdefault(i, _Column(name, number)).add(p, q)
  except csv.Error as error:
    return DIFFERENT, f'no table ({error})'
  if not columns:
    return close(0.0, tolerance), 'the same cells, written otherwise'
  named = [str(column) for column in columns.values()]
  if len(named) > _COLUMNS:
    named[_COLUMNS:] = [f'and {len(named) - _COLUMNS} more columns']
  worst = max(column.largest for column in columns.values())
  return close(worst, tolerance), '; '.join(named)


def _text(path: pathlib.Path) -> TextIO:
  # A label may be no text.
  return path.open(encoding='utf-8', errors='surrogateescape', newline='')


class _Column:
  """Cells of a column that differ."""

  def __init__(self, name: str, row: int):
    self._name, self._row = name, row
    self._cells, self.largest = 0, 0.0

  def add(self, a: str, b: str) -> None:
    self._cells += 1
    self.largest = max(self.largest, values.relative(_cell(a), _cell(b)))

  def __str__(self) -> str:
    cells = 'cell' if self._cells == 1 else 'cells'
    by = f'by up to {self.largest:.2g}'
    if math.isinf(self.largest):
      by = 'not all of them fractions'
    return f'{self._name}: {self._cells} {cells} from row {self._row} on, {by}'


def _cell(text: str) -> int | float | str:
  for kind in (int, float):
    try:
      return kind(text)
    except ValueError:
      continue
  return text


def _trees(
  here: pathlib.Path, there: pathlib.Path, tolerance: float
) -> _Verdict:
  """Verdict on two JSON files of other bytes."""
  fields = values.items(TABLES, read_json(here), read_json(there), tolerance)
  other = [item for item in fields if item.verdict != IDENTICAL]
  if not other:  # Only what is not compared.
    return IDENTICAL, ''
  worst = max((item.verdict for item in other), key=values.VERDICTS.index)
  return worst, f'{len(other)} fields, the first is {other[0].name}'


def _arrays(
  here: pathlib.Path, there: pathlib.Path, tolerance: float
) -> _Verdict:
  """Verdict on two NumPy files of other bytes."""
  try:
    a, b = (np.lib.format.open_memmap(path, 'r') for path in (here, there))
  except (OSError, OverflowError, TypeError, ValueError) as error:
    return DIFFERENT, f'no array ({error})'
  if (a.shape, a.dtype) != (b.shape, b.dtype) or a.dtype.kind != 'f':
    kinds = [f'{x.dtype} {list(x.shape)}' for x in (a, b)]
    return DIFFERENT, f'{kinds[0]} here, {kinds[1]} there'
  worst = row_difference(a, b)
  return close(worst, tolerance), (
    f'by up to {worst:.2g} of the largest value of a row'
  )


def row_difference(a: np.ndarray, b: np.ndarray) -> float:
  """Largest difference of two arrays, by the largest |value| of its row.

  Args:
    a: `[P, D]` or `[D]` floats, which may be mapped from a file.
    b: of the same shape.

  Returns:
    The maximum over rows; infinite where what differs is not finite.
  """
  a, b = (x if x.ndim > 1 else x.reshape(1, -1) for x in (a, b))
  step = max(1, _BLOCK // max(1, a[:1].nbytes))
  worst = 0.0
  for start in range(0, len(a), step):
    x, y = (z[start : start + step].reshape(-1, a[0].size) for z in (a, b))
    other = (x != y).any(axis=1)
    x, y = (z[other].astype(np.float64) for z in (x, y))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
      return math.inf
    if len(x):
      scale = np.maximum(abs(x), abs(y)).max(axis=1)
      worst = max(worst, (abs(x - y).max(axis=1) / scale).max().item())
  return worst


def _checkpoints(
  here: dict[str, Any], there: dict[str, Any], tolerance: float
) -> Iterator[Item]:
  for name in here | there:
    verdict, detail = IDENTICAL, ''
    if name not in here or name not in there:
      verdict, detail = DIFFERENT, _only(name in here, name in there)
    elif here[name] != there[name]:
      verdict = OTHER_BITS if tolerance else DIFFERENT
      detail = f'{here[name]} here, {there[name]} there'
    yield Item(CHECKPOINTS, name, verdict, detail)


def _latest(folder: pathlib.Path) -> dict[str, Any]:
  """Leaves of checkpoints, as `heads: params.kernel`, to their digests."""
  steps: dict[str, tuple[int, pathlib.Path]] = {}
  for path in folder.glob(f'checkpoints/**/{_DIGESTS}'):
    name, number = path.parent.relative_to(folder / 'checkpoints'), 0
    if _set_aside(name):
      continue
    if name.name.isdecimal():
      name, number = name.parent, int(name.name)
    step = number, path
    steps[name.as_posix()] = max(step, steps.get(name.as_posix(), step))
  leaves = {}
  for name, (_, path) in sorted(steps.items()):
    stored = read_json(path)
    digests = stored.get('leaves') if isinstance(stored, dict) else None
    if not isinstance(digests, dict):
      raise UserError(f'{path} is damaged: run the study again.')
    leaves |= {f'{name}: {leaf}': value for leaf, value in digests.items()}
  return leaves

"""Columns of text as numbers, in Arrow: a large table has millions of cells."""

import importlib
import pathlib
from typing import Any

import numpy as np

from heterojax.datasets import meanings
from heterojax.datasets import numbers
from heterojax.datasets import tables
from heterojax.errors import UserError

_NEARLY = 0.5  # Of the cells, beyond which a column is meant to be numbers.


def _compute(module: str = 'pyarrow.compute') -> Any:
  """Arrow, which is slow to import; its functions are made at that time."""
  return importlib.import_module(module)


def known(column: Any) -> Any:
  """Cells of text without blanks around them, null where missing."""
  pc = _compute()
  column = pc.utf8_trim_whitespace(column)
  words = pc.SetLookupOptions(_compute('pyarrow').array([*meanings.MISSING]))
  missing = pc.is_in(pc.utf8_lower(column), options=words)
  return pc.if_else(missing, None, column)


def as_numbers(column: Any) -> np.ndarray | None:
  """Cells as float32, NaN where missing; None where one is no number."""
  pc = _compute()
  for plus in (False, True):
    try:
      if plus:
        column = pc.replace_substring_regex(column, r'^\+([^+-])', r'\1')
      return float32(pc.cast(column, 'float32').to_numpy())
    except ValueError:
      continue
  return None


def with_commas(column: Any, separator: str) -> np.ndarray | None:
  """Cells as numbers with decimal commas, see `tables.has_decimal_commas`."""
  pc = _compute()
  if pc.any(pc.match_substring(column, '.')).as_py():
    return None  # Points or commas may be those of thousands.
  commas = pc.match_substring(column, ',')
  thousands = pc.match_substring_regex(column, tables.THOUSANDS)
  if separator == ',' and pc.all(pc.equal(commas, thousands)).as_py():
    return None
  return as_numbers(pc.replace_substring(column, ',', '.'))


def as_lists(path: pathlib.Path, name: str, column: Any) -> np.ndarray | None:
  """Cells such as '[0.5, 1]' as `[N, D]` float32; None for others.

  Raises:
    UserError: if they were shortened, or differ in length.
  """
  cells = column.to_pylist()
  first = next(filter(None, cells), '')
  if not (first.startswith('[') and first.endswith(']')):
    return None
  rows = []
  for row, cell in enumerate(cells, 1):
    words = (cell or '').removeprefix('[').removesuffix(']').replace(',', ' ')
    if '...' in words:
      raise UserError(
        f'{path}, row {row}: {name} was shortened when it was written (it'
        ' holds ...): write the lists in full, or as Parquet.'
      )
    missing = [meanings.is_missing(word) for word in words.split()]
    values = [numbers.parse(word) for word in words.split()]
    if (np.isnan(values) > missing).any():
      return None
    rows.append(None if cell is None else values)
  return of_lists(path, name, _compute('pyarrow').chunked_array([rows]))


def of_lists(path: pathlib.Path, name: str, column: Any) -> np.ndarray | None:
  """Lists of numbers as `[N, D]` float32, NaN in rows without a list.

  Args:
    path: of the table.
    name: of the column.
    column: of lists.

  Returns:
    The numbers; None where there are none.

  Raises:
    UserError: if lists differ in length.
  """
  pc = _compute()
  lengths = np.asarray(pc.list_value_length(column).to_numpy(), np.float64)
  there = ~np.isnan(lengths)
  width = int(lengths[there][0]) if there.any() else 0
  if odd := np.flatnonzero(there & (lengths != width)).tolist():
    raise UserError(
      f'{path}, row {odd[0] + 1}: {name} holds {int(lengths[odd[0]])} numbers,'
      f' and {width} before: lists of features must be equally long.'
    )
  if not width:
    return None
  matrix = np.full((len(lengths), width), np.nan, np.float32)
  flat = float32(pc.list_flatten(column).to_numpy())
  matrix[there] = flat.reshape(-1, width)
  return matrix


def example(column: Any) -> tuple[tuple[str, int], bool]:
  """A cell that is no number and its row, and whether most are numbers."""
  cells = column.to_pylist()
  there = [(cell, row) for row, cell in enumerate(cells, 1) if cell]
  odd = [(cell, row) for cell, row in there if np.isnan(numbers.parse(cell))]
  if not there:
    return ('', 0), False
  return (odd or there)[0], len(odd) < (1 - _NEARLY) * len(there)


def float32(values: Any) -> np.ndarray:
  with np.errstate(over='ignore'):  # Infinite then, and left out later.
    return np.ascontiguousarray(np.asarray(values, np.float64), np.float32)

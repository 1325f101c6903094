"""Tables of any library in, and plain columns out.

Columns out are a dictionary of NumPy arrays, which `pandas.DataFrame` and
`polars.DataFrame` take as they are: its type does not depend on what is
installed.
"""

# pyright: strict

from collections.abc import Mapping
import html
from typing import Any

import numpy as np

from heterojax.datasets import feature_tables
from heterojax.errors import UserError
from heterojax.report import formatting

_SHOWN = 10  # Rows in a notebook.
_INEXACT = 2**53  # From here on, float64 does not have all whole numbers.


class Table(dict[str, np.ndarray]):
  """Columns by their names; `pandas.DataFrame(table)` takes it."""

  def _repr_html_(self) -> str:
    head = ''.join(f'<th>{html.escape(name)}</th>' for name in self)
    rows = zip(*(column[:_SHOWN] for column in self.values()), strict=True)
    body = ''.join(
      f'<tr>{"".join(f"<td>{html.escape(str(cell))}</td>" for cell in row)}'
      '</tr>'
      for row in rows
    )
    n = max(map(len, self.values()), default=0)
    table = f'<table><tr>{head}</tr>{body}</table>'
    return formatting.seen(f'{table}{n} rows × {len(self)} columns')


def is_table(data: object) -> bool:
  """Whether it has columns that are looked up by name."""
  return isinstance(data, Mapping) or hasattr(data, '__dataframe__')


def columns(table: Any) -> dict[str, Any]:
  """Columns of a dictionary or of a DataFrame of any library."""
  names: Any = getattr(table, 'column_names', None)  # As Arrow calls them.
  if names is None:
    names = getattr(table, 'columns', table)  # A dictionary has none.
  return {str(name): table[name] for name in names}


def cells(argument: str, values: Any) -> np.ndarray:
  """`[N]` numbers, or text where they are none; '' for what is missing.

  Args:
    argument: that holds them, for messages.
    values: a list, an array or a column of any library.

  Raises:
    UserError: if it is not one value a row.
  """
  array = np.asarray(values)
  if array.dtype.kind == 'f' and (np.abs(array) >= _INEXACT).any():
    given = np.asarray(_as_given(values), object)
    # Beside what is missing they became fractions; two may be one by that.
    if any(isinstance(value, int) for value in given.flat):
      array = given
  if array.ndim == 2 and array.shape[1] == 1:
    array = array[:, 0]
  if array.ndim != 1:
    raise UserError(
      f'{argument} is {list(array.shape)}, but must be one value for each row.'
    )
  if array.dtype.kind in 'fiub':
    return array
  if array.dtype.kind in 'mM':
    array = array.astype(str)
  return np.array([text(value) for value in array.tolist()], str)


def _as_given(values: Any) -> Any:
  """The values as Python has them: only so whole numbers keep all digits."""
  for name in ('to_pylist', 'tolist', 'to_list'):  # Arrow's, pandas', polars'.
    if hasattr(values, name):
      return getattr(values, name)()
  return values


def text(value: Any) -> str:
  """A cell as a table of text has it."""
  if isinstance(value, bytes):
    return value.decode('utf-8', 'backslashreplace')
  try:
    return feature_tables.text(value)
  except TypeError:  # pandas.NA is neither true nor false.
    return ''


def matrix(table: Any) -> np.ndarray:
  """`[N, D]` the columns of a table of features; NaN for what is missing.

  Raises:
    UserError: for a column that holds no numbers, which is named.
  """
  found = columns(table)
  if not found:
    raise UserError('X has no columns: give a column for each feature.')
  return np.stack([_numbers(name, found[name]) for name in found], axis=1)


def _numbers(name: str, values: Any) -> np.ndarray:
  column = cells(f'The column {name!r} of X', values)
  if column.dtype.kind != 'U':
    return column.astype(float)
  for cell in column:
    try:
      float(cell or 'nan')
    except ValueError as error:
      raise UserError(
        f'The column {name!r} of X holds {str(cell)[:40]!r}, which is no'
        ' number: encode it, or give it as metadata.'
      ) from error
  return np.array([float(cell or 'nan') for cell in column])

"""Images as a table: CSV, or Parquet with types."""

from collections.abc import Sequence
import contextlib
import pathlib

import pyarrow
from pyarrow import parquet

from heterojax.run import run_folder
from heterojax.studies import images

Rows = Sequence[dict[str, str]]
# Text, whatever it looks like.
_TEXT = ('id', 'path', 'label', 'group', 'split', 'answer')


def write_csv(rows: Rows, path: pathlib.Path) -> None:
  """As `tables/images.csv` of the run."""
  run_folder.write_atomically(path, images.text(rows))


def write_parquet(rows: Rows, path: pathlib.Path) -> None:
  """Numbers as numbers, `correct` as truths, and '' as null."""
  names = list(rows[0]) if rows else []
  table = pyarrow.table({
    name: column(name, [row[name] for row in rows]) for name in names
  })
  buffer = pyarrow.BufferOutputStream()
  parquet.write_table(table, buffer)
  run_folder.write_atomically(path, buffer.getvalue().to_pybytes())


def column(name: str, cells: Sequence[str]) -> list[object]:
  """The cells as truths or numbers, or as text where they are neither."""
  if name not in _TEXT:
    if {*cells} <= {'true', 'false'}:
      return [cell == 'true' for cell in cells]
    for kind in (int, float):
      with contextlib.suppress(ValueError):
        return [kind(cell) if cell else None for cell in cells]
  return [cell or None for cell in cells]

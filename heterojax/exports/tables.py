"""Images as a table: CSV, or Parquet with types."""

from collections.abc import Sequence
import pathlib

import pyarrow
from pyarrow import parquet

from heterojax.run import atomic
from heterojax.studies import images

Rows = Sequence[dict[str, str]]


def write_csv(rows: Rows, path: pathlib.Path) -> None:
  """As `tables/images.csv` of the run."""
  atomic.write(path, images.text(rows))


def write_parquet(rows: Rows, path: pathlib.Path) -> None:
  """Numbers as numbers, `correct` as truths, and '' as null."""
  names = list(rows[0]) if rows else []
  table = pyarrow.table({
    name: images.typed(name, [row[name] for row in rows]) for name in names
  })
  buffer = pyarrow.BufferOutputStream()
  parquet.write_table(table, buffer)
  atomic.write(path, buffer.getvalue().to_pybytes())

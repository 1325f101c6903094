"""The tables and figures of a run, as files of its folder."""

from collections.abc import Iterable, Mapping
import pathlib

from heterojax.report.blocks import Table
from heterojax.run import atomic


def write(
  folder: pathlib.Path, tables: Iterable[Table], figures: Mapping[str, bytes]
) -> None:
  """Writes `tables/` and `figures/`.

  Args:
    folder: the run folder.
    tables: each is a CSV file of its name.
    figures: name of a file to its content.
  """
  found = {f'tables/{table.name}.csv': table.csv() for table in tables}
  found |= {f'figures/{name}': content for name, content in figures.items()}
  for name, content in found.items():
    atomic.write(folder / name, content)

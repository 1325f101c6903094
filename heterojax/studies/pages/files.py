"""The tables and figures of a run, as files of its folder."""

from collections.abc import Iterable, Mapping
import pathlib

from heterojax.report.blocks import Table
from heterojax.run import run_folder

# What not every run of one configuration has: other data have other classes,
# folds and columns, or no answer.
_OF_SOME = (
  'tables/classes.csv',
  'tables/columns.csv',
  'tables/components.csv',
  'tables/folds.csv',
  'tables/verdict_clusters.csv',
  'figures/cv_by_components.png',
  'figures/cv_by_components.svg',
  'figures/montage.png',
  'figures/waterfall.png',
  'figures/waterfall.svg',
)


def write(
  folder: pathlib.Path, tables: Iterable[Table], figures: Mapping[str, bytes]
) -> None:
  """Writes `tables/` and `figures/`; takes away what earlier data had there.

  Args:
    folder: the run folder.
    tables: each is a CSV file of its name.
    figures: name of a file to its content.
  """
  found = {f'tables/{table.name}.csv': table.csv() for table in tables}
  found |= {f'figures/{name}': content for name, content in figures.items()}
  for name in _OF_SOME:
    if name not in found:
      (folder / name).unlink(missing_ok=True)
  for name, content in found.items():
    run_folder.write_atomically(folder / name, content)

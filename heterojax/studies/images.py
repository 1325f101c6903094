"""`tables/images.csv`: each image, and what the head of all images said of it.

It puts `manifest.csv` and `clusters.csv` together, so that a row says by itself
where the image is and what became of it.
"""

from collections.abc import Sequence
import contextlib
import pathlib

from heterojax.datasets.manifest import csv_text
from heterojax.datasets.manifest import parse_csv
from heterojax.run import run_folder

NAME = 'tables/images.csv'
_MANIFEST, _CLUSTERS = SOURCES = 'manifest.csv', 'clusters.csv'
_NAMED = ('path', 'label', 'group')
# Columns of text, whatever it looks like.
TEXT = ('id', *_NAMED, 'split', 'answer')


def rows(folder: pathlib.Path) -> list[dict[str, str]]:
  """A row for each image of each fold and size; copies are rows, too.

  Args:
    folder: of a finished run.

  Returns:
    id, path, label, group, and the columns of `clusters.csv`: split, cluster,
    probability of the positive or of each class, correct, and others.
  """
  listed = {row['id']: row for row in _read(folder / _MANIFEST)}
  found = []
  for row in _read(folder / _CLUSTERS):
    # A copy is called after its image.
    name = row['id'] if row['id'] in listed else row['id'].rpartition('+')[0]
    of = {key: listed[name][key] for key in _NAMED}
    found.append({'id': row['id'], **of, **row})
  return found


def tested(folder: pathlib.Path) -> list[dict[str, str]]:
  """The rows of all test images, each once: those of the largest size."""
  found = [row for row in rows(folder) if row['split'] == 'test']
  largest = max((int(row.get('n', 0)) for row in found), default=0)
  return [row for row in found if int(row.get('n', 0)) == largest]


def write(folder: pathlib.Path) -> None:
  """Writes `NAME`, where the study says to which cluster images belong."""
  if (folder / _CLUSTERS).is_file():
    run_folder.write_atomically(folder / NAME, text(rows(folder)))


def text(found: Sequence[dict[str, str]]) -> str:
  """Rows as a CSV file."""
  header = list(found[0]) if found else ['id', *_NAMED]
  return csv_text(header, [list(row.values()) for row in found])


def typed(name: str, cells: Sequence[str]) -> list[object]:
  """The cells of a column as truths or numbers, or as text where they are none.

  Args:
    name: of the column.
    cells: as a CSV file has them.

  Returns:
    The values; None for an empty cell.
  """
  if name not in TEXT:
    if {*cells} <= {'true', 'false'}:
      return [cell == 'true' for cell in cells]
    for kind in (int, float):
      with contextlib.suppress(ValueError):
        return [kind(cell) if cell else None for cell in cells]
  return [cell or None for cell in cells]


def _read(path: pathlib.Path) -> list[dict[str, str]]:
  # A label may hold a line end.
  with path.open(encoding='utf-8', newline='') as file:
    return parse_csv(file.read())

"""`tables/images.csv`: each image, and what the head of all images said of it.

It puts `manifest.csv` and `clusters.csv` together, so that a row says by itself
where the image is and what became of it.
"""

from collections.abc import Iterable, Iterator, Sequence
import contextlib
import itertools
import pathlib

from heterojax import errors
from heterojax.datasets.manifest import Rows
from heterojax.datasets.manifest import csv_chunks
from heterojax.run import atomic

NAME = 'tables/images.csv'
_MANIFEST, _CLUSTERS = SOURCES = 'manifest.csv', 'clusters.csv'
_NAMED = ('path', 'label', 'group')
# Columns of text, whatever it looks like.
TEXT = ('id', *_NAMED, 'split', 'answer', 'other')


def rows(
  folder: pathlib.Path, *, copies: bool = True
) -> Iterator[dict[str, str]]:
  """A row for each image of each fold and size.

  Args:
    folder: of a finished run.
    copies: whether those by augmentation, whose path is that of their image,
      are rows, too.

  Yields:
    id, path, label, group, and the columns of `clusters.csv`: split, cluster,
    probability of the positive or of each class, correct, and others.

  Raises:
    UserError: if one of the two tables is damaged.
  """
  # Strings of their own would take half of the memory.
  same: dict[str, str] = {}
  listed = {
    row['id']: tuple(same.setdefault(row[key], row[key]) for key in _NAMED)
    for row in Rows(folder / _MANIFEST, 'id', *_NAMED)
  }
  same.clear()
  clusters = Rows(folder / _CLUSTERS, 'id', 'split', 'cluster')
  for row in clusters:
    # A copy is called after its image.
    copy = row['id'] not in listed
    name = row['id'].rpartition('+')[0] if copy else row['id']
    if name not in listed:
      raise errors.damaged(
        folder / _CLUSTERS, f'{row["id"]!r} is not in {_MANIFEST}'
      )
    if copy and not copies:
      continue
    of = dict(zip(_NAMED, listed[name], strict=True))
    yield {'id': row['id'], **of, **row}


def tested(folder: pathlib.Path) -> list[dict[str, str]]:
  """The rows of all test images, each once: those of the largest size."""
  found = [row for row in rows(folder) if row['split'] == 'test']
  largest = max((int(row.get('n', 0)) for row in found), default=0)
  return [row for row in found if int(row.get('n', 0)) == largest]


def write(folder: pathlib.Path) -> None:
  """Writes `NAME`, where the study says to which cluster images belong."""
  if (folder / _CLUSTERS).is_file():
    atomic.write(folder / NAME, text(rows(folder)))


def text(found: Iterable[dict[str, str]]) -> Iterator[str]:
  """Rows as a CSV file, some thousand at a time."""
  found = iter(found)
  first = next(found, None)
  if first is None:
    return csv_chunks(['id', *_NAMED], [])
  every = itertools.chain([first], found)
  return csv_chunks(list(first), (list(row.values()) for row in every))


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
        return [_number(kind, cell) if cell else None for cell in cells]
  return [cell or None for cell in cells]


def _number(kind: type[int] | type[float], cell: str) -> float:
  """A cell as a number, if a number is written so.

  Raises:
    ValueError: for others, and for names that Python reads as numbers, as 007
      and 00001340_000.
  """
  value = kind(cell)
  if cell not in (str(value), str(value).removesuffix('.0')):
    raise ValueError(f'{cell!r} is not written as {value!r}')
  return value

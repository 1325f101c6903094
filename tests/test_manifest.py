"""Writing tables so that no spreadsheet runs them, and reading them again."""

import pathlib
import tracemalloc

import pytest

from heterojax.datasets import tables
from heterojax.datasets.manifest import Rows
from heterojax.datasets.manifest import csv_chunks
from heterojax.datasets.manifest import csv_text
from heterojax.datasets.manifest import parse_csv
from heterojax.run import atomic
from heterojax.studies import images


@pytest.mark.parametrize(
  ('cell', 'written'),
  [
    ('=1+1', "'=1+1"),
    ('+cmd', "'+cmd"),
    ('-x', "'-x"),
    ('@SUM(1)', "'@SUM(1)"),
    ('\tx', "'\tx"),
    ('＝1', "'＝1"),
    ("'=x", "''=x"),
    ('-1.5', '-1.5'),
    ('+2e-5', '+2e-5'),
    (-1.5, '-1.5'),
    ("'x", "'x"),
    ('a=b', 'a=b'),
  ],
)
def test_formulas_are_written_as_text(cell: str | float, written: str) -> None:
  text = csv_text(['=a'], [[cell]])
  assert text == f"'=a\n{written}\n"
  assert parse_csv(text) == [{'=a': str(cell)}]


def test_a_manifest_is_read_as_it_was(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 't.csv'
  path.write_text(csv_text(['path', '-k'], [['-x.png', "'@y"]]))
  assert tables.read(path).rows == [{'path': '-x.png', '-k': "'@y"}]


def test_rows_are_those_of_the_text_however_often_they_are_gone_over(
  tmp_path: pathlib.Path,
) -> None:
  """More than are in memory at a time, with cells that hold a line end."""
  cells = [[f'{i}\n,"', '=1'] for i in range(10_000)]
  text = csv_text(['a', 'b'], iter(cells))
  parts = list(csv_chunks(['a', 'b'], cells))
  assert len(parts) == 3 and ''.join(parts) == text
  path = tmp_path / 'table.csv'
  atomic.write(path, iter(parts))
  assert path.read_bytes() == text.encode()
  rows = Rows(path)
  for _ in range(2):
    assert list(rows) == parse_csv(text)
  assert next(iter(rows)) == {'a': '0\n,"', 'b': '=1'}


def test_a_table_of_images_is_written_row_by_row(
  tmp_path: pathlib.Path,
) -> None:
  """4 MB of rows; what is kept of an image is less than its line."""
  listed = ([f'i{n}', f'p{n}', 'ill', '', 'x' * 200] for n in range(10_000))
  said = ([f'i{n}', 'test', 0, 0.5, 'y' * 200] for n in range(10_000))
  header = ['id', 'path', 'label', 'group', 'more']
  atomic.write(tmp_path / 'manifest.csv', csv_chunks(header, listed))
  header = ['id', 'split', 'cluster', 'probability', 'note']
  atomic.write(tmp_path / 'clusters.csv', csv_chunks(header, said))
  tracemalloc.start()
  images.write(tmp_path)
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  # Strings of 50 bytes and more, a tuple and a place in a dictionary.
  assert peak < 10_000 * 600 + 4 * 2**20
  found = parse_csv((tmp_path / images.NAME).read_text())
  assert found[-1] == {
    'id': 'i9999',
    'path': 'p9999',
    'label': 'ill',
    'group': '',
    'split': 'test',
    'cluster': '0',
    'probability': '0.5',
    'note': 'y' * 200,
  }

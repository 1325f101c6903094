"""Writing tables so that no spreadsheet runs them, and reading them again."""

import pathlib

import pytest

from heterojax.datasets import tables
from heterojax.datasets.manifest import csv_text
from heterojax.datasets.manifest import parse_csv


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

"""Reading tables, and the sentences about those that cannot be read."""

import os
import pathlib

import pytest

from heterojax.datasets.manifest import csv_text
from heterojax.datasets.manifest import parse_csv
from heterojax.datasets.manifest import read_table
from heterojax.datasets.manifest import require_columns
from heterojax.errors import UserError


def _table(folder: pathlib.Path, data: str | bytes) -> pathlib.Path:
  path = folder / 't.csv'
  path.write_bytes(data if isinstance(data, bytes) else data.encode())
  return path


def _fails(path: pathlib.Path) -> str:
  with pytest.raises(UserError) as caught:
    read_table(path)
  text = str(caught.value)
  assert text.startswith(f'{path}') and text.endswith('.')
  assert '\n' not in text
  return text


@pytest.mark.parametrize(
  ('text', 'rows'),
  [
    ('a,b\n1,2\n', [{'a': '1', 'b': '2'}]),
    ('a,b\n1\n', [{'a': '1', 'b': ''}]),
    ('a,b,\n1,2,\n3,4\n', [{'a': '1', 'b': '2'}, {'a': '3', 'b': '4'}]),
    (',a,,b\n0,1,x,2\n', [{'a': '1', 'b': '2'}]),
    ('a,b\n1,2,,\n', [{'a': '1', 'b': '2'}]),
    ('a\n1;2\n', [{'a': '1;2'}]),
    ('a;b,c\n1,2\n', [{'a;b': '1', 'c': '2'}]),
    ('a\n"x,\ny"\n', [{'a': 'x,\ny'}]),
    ('a\n', []),
    ('', []),
  ],
)
def test_rows(
  tmp_path: pathlib.Path, text: str, rows: list[dict[str, str]]
) -> None:
  assert read_table(_table(tmp_path, text)) == rows


def test_a_byte_order_mark_is_no_part_of_the_first_name(
  tmp_path: pathlib.Path,
) -> None:
  path = _table(tmp_path, 'id,x\n1,2\n'.encode('utf-8-sig'))
  assert read_table(path) == [{'id': '1', 'x': '2'}]


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-16-be'])
def test_utf16_is_named(tmp_path: pathlib.Path, encoding: str) -> None:
  text = _fails(_table(tmp_path, 'id,x\n1,2\n'.encode(encoding)))
  assert 'is in UTF-16: save it as "CSV UTF-8"' in text


def test_latin1_is_named_with_its_line(tmp_path: pathlib.Path) -> None:
  text = _fails(_table(tmp_path, 'id,x\n1,2\n3,é\n'.encode('latin-1')))
  assert 'line 3 has the byte 0xe9, perhaps of Latin-1' in text


def test_a_workbook_is_named(tmp_path: pathlib.Path) -> None:
  assert 'is a workbook or an archive' in _fails(
    _table(tmp_path, b'PK\x03\x04\x14\x00')
  )


@pytest.mark.parametrize(
  ('text', 'name'),
  [
    ('id;x\n1;2\n', 'semicolons'),
    ('id;x\n1;2,5\n', 'semicolons'),
    ('"id";"x"\n"1";"2"\n', 'semicolons'),
    ('\n id\tx\n1\t2\n', 'tabs'),
    ('id|x\n1|2\n', 'bars'),
  ],
)
def test_other_separators_are_named(
  tmp_path: pathlib.Path, text: str, name: str
) -> None:
  assert f'is separated by {name}' in _fails(_table(tmp_path, text))


def test_a_file_that_cannot_be_opened(tmp_path: pathlib.Path) -> None:
  assert 'cannot be read as a CSV file' in _fails(tmp_path)
  assert 'cannot be read as a CSV file' in _fails(tmp_path / 'none.csv')


def test_cells_too_many_are_named_by_row(tmp_path: pathlib.Path) -> None:
  text = _fails(_table(tmp_path, 'a,b\n1,2\n1,2,3\n'))
  assert 'row 2: 3 cells for 2 columns' in text


def _requires(path: pathlib.Path, rows: list[dict[str, str]]) -> str:
  with pytest.raises(UserError) as caught:
    require_columns(path, rows, ('path', 'label'))
  return str(caught.value)


def test_missing_columns_are_named_beside_those_there() -> None:
  path = pathlib.Path('t.csv')
  require_columns(path, [{'label': '', 'path': '', 'x': ''}], ('path', 'label'))
  assert _requires(path, []) == 't.csv holds no rows.'
  assert _requires(path, [{'path': '', 'Diagnosis': ''}]) == (
    "t.csv has no column 'label': it needs path, label and has path, Diagnosis."
  )
  assert _requires(path, [{}]).endswith('and has no names of columns.')
  wide = _requires(path, [{f'c{i}': '' for i in range(500)}])
  assert wide.endswith('c10, c11 and 488 more.')


def test_a_pipe_is_no_table(tmp_path: pathlib.Path) -> None:
  os.mkfifo(tmp_path / 't.csv')  # Reading it would wait for ever.
  assert 'not a regular file' in _fails(tmp_path / 't.csv')


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
  path = _table(tmp_path, csv_text(['path', '-k'], [['-x.png', "'@y"]]))
  assert read_table(path) == [{'path': '-x.png', '-k': "'@y"}]

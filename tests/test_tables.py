"""Reading text tables, and the sentences about those that cannot be read."""

import os
import pathlib

import pytest

from heterojax.datasets import tables
from heterojax.datasets.tables import require_columns
from heterojax.errors import UserError


def _table(folder: pathlib.Path, data: str | bytes) -> pathlib.Path:
  path = folder / 't.csv'
  path.write_bytes(data if isinstance(data, bytes) else data.encode())
  return path


def _fails(path: pathlib.Path) -> str:
  with pytest.raises(UserError) as caught:
    tables.read(path)
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
  assert tables.read(_table(tmp_path, text)).rows == rows


def test_a_byte_order_mark_is_no_part_of_the_first_name(
  tmp_path: pathlib.Path,
) -> None:
  path = _table(tmp_path, 'id,x\n1,2\n'.encode('utf-8-sig'))
  assert tables.read(path).rows == [{'id': '1', 'x': '2'}]


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-16-be'])
def test_utf16_is_read(tmp_path: pathlib.Path, encoding: str) -> None:
  table = tables.read(_table(tmp_path, 'id,x\n1,é\n'.encode(encoding)))
  assert table.rows == [{'id': '1', 'x': 'é'}] and not table.notes


def test_latin1_is_read_and_said_with_its_line(tmp_path: pathlib.Path) -> None:
  table = tables.read(_table(tmp_path, 'id,x\n1,2\n3,é\n'.encode('latin-1')))
  assert table.rows[1] == {'id': '3', 'x': 'é'}
  (note,) = table.notes
  assert 'line 3 has the byte 0xe9' in note and 'Windows-1252' in note


@pytest.mark.parametrize(
  'data', [b'\x89PNG\r\n\x1a\n\0\0', b'id,x\n\x81\x8d,\xff\n']
)
def test_what_is_no_text_is_refused(
  tmp_path: pathlib.Path, data: bytes
) -> None:
  assert 'is no text' in _fails(_table(tmp_path, data))


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16', 'cp1252'])
@pytest.mark.parametrize('hole', [slice(120, 180), slice(120, 360)])
def test_a_table_that_has_not_arrived_whole_is_refused(
  tmp_path: pathlib.Path, encoding: str, hole: slice
) -> None:
  """Rows were fewer, and nothing said so."""
  rows = ['path,label', *(f'é{i}.png,a' for i in range(40))]
  data = bytearray('\n'.join(rows).encode(encoding))
  data[hole] = bytes(len(data[hole]))
  said = _fails(_table(tmp_path, bytes(data)))
  assert 'is no text (line ' in said and 'has a zero byte' in said


def test_what_is_packed_is_named(tmp_path: pathlib.Path) -> None:
  assert 'is compressed: unpack it' in _fails(
    _table(tmp_path, b'\x1f\x8b\x08\0')
  )


def test_a_workbook_is_named(tmp_path: pathlib.Path) -> None:
  assert 'is a workbook or an archive' in _fails(
    _table(tmp_path, b'PK\x03\x04\x14\x00')
  )


@pytest.mark.parametrize(
  ('text', 'name', 'rows'),
  [
    ('id;x\n1;2\n', 'semicolons', [{'id': '1', 'x': '2'}]),
    ('id;x\n1;a,b\n', 'semicolons', [{'id': '1', 'x': 'a,b'}]),
    ('"id";"x"\n"1";"2"\n', 'semicolons', [{'id': '1', 'x': '2'}]),
    ('sep=;\nid;x\n1;2\n', 'semicolons', [{'id': '1', 'x': '2'}]),
    ('\n id\tx\n1\t2\n', 'tabs', [{'id': '1', 'x': '2'}]),
    ('id|x\n1|2\n', 'bars', [{'id': '1', 'x': '2'}]),
    ('a, b;id;x\n1;2;3\n', 'semicolons', [{'a, b': '1', 'id': '2', 'x': '3'}]),
  ],
)
def test_other_separators_are_read_and_said(
  tmp_path: pathlib.Path, text: str, name: str, rows: list[dict[str, str]]
) -> None:
  table = tables.read(_table(tmp_path, text))
  assert table.rows == rows
  assert table.notes[0] == f't.csv is separated by {name}.'


@pytest.mark.parametrize(
  ('cells', 'want'),
  [
    (('1,5', '-2', ''), ('1.5', '-2', '')),
    (('1,5', 'NA', ',25'), ('1.5', 'NA', '.25')),
    (('1,5', 'x'), ('1,5', 'x')),  # It is text.
    (('1,5', '2.5'), ('1,5', '2.5')),  # Either may be of thousands.
    (('1', '2'), ('1', '2')),
  ],
)
def test_decimal_commas(
  tmp_path: pathlib.Path, cells: tuple[str, ...], want: tuple[str, ...]
) -> None:
  text = '\n'.join(['id;x', *(f'7;{cell}' for cell in cells)])
  table = tables.read(_table(tmp_path, text))
  assert tuple(row['x'] for row in table.rows) == want
  assert any('decimal' in note for note in table.notes) == (cells != want)


@pytest.mark.parametrize(
  ('cells', 'want'),
  [
    (('1,234', '15'), ('1,234', '15')),  # They may be thousands.
    (('1,234', '1,5'), ('1.234', '1.5')),
    (('0,234', ''), ('0.234', '')),
  ],
)
def test_decimal_commas_between_commas(
  tmp_path: pathlib.Path, cells: tuple[str, str], want: tuple[str, str]
) -> None:
  text = '\n'.join(['id,x', *(f'7,"{cell}"' for cell in cells)])
  table = tables.read(_table(tmp_path, text))
  assert tuple(row['x'] for row in table.rows) == want
  assert bool(table.notes) == (cells != want)


@pytest.mark.parametrize(
  ('text', 'has_names'),
  [
    ('a.png,ill\nb.png,well\n', False),
    ('0.25,ill\n1,well\n', False),
    ('0,25;ill\n1;well\n', False),
    ('label,0.25\nill,1\n', True),
    ('0,1,2\n0.5,1.5,2.5\n', True),
    ('0.0,1.0\n0.5,1.5\n', True),
    ('file,what\na.png,ill\n', True),
  ],
)
def test_whether_there_are_names(
  tmp_path: pathlib.Path, text: str, has_names: bool
) -> None:
  table = tables.read(_table(tmp_path, text))
  assert table.has_names == has_names
  assert len(table.rows) == (1 if has_names else 2)
  if not has_names:
    assert table.names == ('column_1', 'column_2')
    assert any('has no row of names' in note for note in table.notes)


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

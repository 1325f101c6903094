"""Seeds of tables: columns of every meaning, and where none is clear."""

from collections.abc import Iterator
import decimal
import io

import numpy as np
import pyarrow
import pyarrow.parquet

from fuzz import sound
from fuzz.harness import Input

_N = 24
_ILL = ('ill', 'healthy')
_MANY = tuple(f'f{i}' for i in range(9))


def _csv(columns: dict[str, object], separator: str = ',') -> bytes:
  """A column is a list, or a function of the row."""
  rows = [
    [c(i) if callable(c) else c[i] for c in columns.values()] for i in range(_N)
  ]
  lines = [columns, *rows]
  return ''.join(
    separator.join(map(str, line)) + '\n' for line in lines
  ).encode()


def _label(i: int) -> str:
  return _ILL[i % 2]


def features() -> Iterator[Input]:
  args = {'pattern': 'a.*', 'positive': 'ill'}
  numbers = {name: (lambda i, j=j: i * j + 0.5) for j, name in enumerate('ab')}
  plain = {'label': _label, **numbers}
  many = {'label': _label} | {
    name: (lambda i, j=j: (i * 7 + j) % 5 / 2) for j, name in enumerate(_MANY)
  }
  lists = {'label': _label, 'v': lambda i: f'"[{i}, 1.5]"'}
  for columns, more in (
    (plain, {}),
    (plain, {'features': 'all'}),
    (plain, {'features': 'a'}),
    (plain, {'features': 'a*,b'}),
    (plain, {'features': 'x'}),
    (plain, {'features': 'label'}),
    (plain | {'t': lambda i: 'text'}, {'features': 't'}),
    (plain | {'text': lambda i: 'x' if i else ''}, {'features': 't'}),
    (plain, {'columns': 'label:label,group:a'}),
    (plain, {'columns': 'label:none'}),
    (many, {}),
    (many, {'features': 'f'}),
    (many | {'f9': lambda i: 'x' if i == 3 else i}, {}),
    (many | {'g1': lambda i: i / 2, 'g2': lambda i: i / 4}, {}),
    (many | {'age': lambda i: i + 0.5, 'index': lambda i: i}, {}),
    (many | {'f10': lambda i: ''}, {}),
    (plain | {'c': lambda i: '?' if i == 1 else i + 0.5}, {}),
    (plain | {'c': lambda i: 'x' if i == 1 else i + 0.5}, {}),
    (plain | {'c': lambda i: ''}, {}),
    (plain | {'c': lambda i: i % 3, 'd': lambda i: i % 2}, {}),
    (lists, {}),
    (lists | {'w': lists['v']}, {}),
    (lists | {'v': lambda i: f'"[{i}, x]"'}, {}),
    (lists | many, {}),
    ({'label': _label}, {}),
    ({'label': _label, 't': lambda i: f'word {i}'}, {}),
    ({'label': _label, 'x': lambda i: 1e39}, {}),
    (numbers, {}),
    (numbers | {'group': lambda i: i // 2}, {}),
    (plain | {'group': lambda i: 'pP'[i % 2]}, {}),
    (plain | {'group': lambda i: ''}, {}),
    (plain | {'patient': lambda i: i, 'mrn': lambda i: i}, {}),
    (plain | {'split': lambda i: ('train', 'test')[i % 2]}, {}),
    (plain | {'split': lambda i: 'odd'}, {}),
    (plain | {'fold': lambda i: i % 3}, {}),
    (plain | {'id': lambda i: i, 'sha256': lambda i: 'nan'}, {}),
    (plain | {'prediction': lambda i: 0.5}, {}),
    (plain | {'': lambda i: i}, {}),
    (plain | {'': lambda i: '', 'a': lambda i: i}, {}),
    (plain | {'x': lambda i: f'"{i},5"'}, {}),
    (plain | {'x': lambda i: f'"{i + 1},500"'}, {}),
    (
      {'A': lambda i: i % 2, 'B': lambda i: 1 - i % 2, **numbers},
      {'columns': 'label:A|B', 'positive': 'A'},
    ),
    ({'A': lambda i: 1, 'B': lambda i: 1, **numbers}, {'columns': 'label:A|B'}),
  ):
    yield Input(files={'a.csv': _csv(columns)}, args=args | more)
  for separator in ';\t|':
    commas = dict.fromkeys(('x', 'group'), lambda i: f'{i},5')
    text = _csv(plain | commas, separator)
    yield Input(files={'a.tsv': text}, args=args)
  text = _csv(plain)
  body = text.split(b'\n', 1)[1]
  for content in (*_written(text), body, body + b'1,2\n', b'label\n', b',,\n'):
    yield Input(files={'a.csv': content}, args=args)
  files = {
    'a.csv': b'a,b,label\n1,2,ill\n2,5,well\n',
    'b.csv': b'b,a,label\n1,2,ill\n2,5,well\n',
  }
  yield Input(files=files, args=args | {'pattern': '*.csv'})
  yield from _parquet(args)


def _written(text: bytes) -> Iterator[bytes]:
  """The same table as programs write it, and what is no table."""
  words = text.decode()
  yield from (words.encode(e) for e in ('utf-16', 'utf-16-le', 'utf-16-be'))
  yield from (b'\xef\xbb\xbf' + text, b'sep=,\n' + text, b'sep=;\n' + text)
  yield words.replace('ill', 'kränk').encode('cp1252')
  yield from (b'PK\x03\x04' + text, b'\x1f\x8b', b'\xd0\xcf\x11\xe0', b'')
  yield from (text + b'\0', text + b'\xe4\x81', text + b'\0\xe4')
  yield from (b'\xff\xfe\0', b'\n\n' + text)
  yield from (text.splitlines()[0] + b'\n', text + b'"open', b'a"b,"c"d\n')
  yield from (text.replace(b'\n', b',x\n'), text.replace(b'label', b'a', 1))
  yield from (
    text + b'1\n',
    b'a,a\n1,2\n',
    b'"a\n',
    text + b'1,2,3,4,5,6,7,8\n',
  )


def _parquet(args: dict[str, object]) -> Iterator[Input]:
  plain = {
    'label': [_label(i) for i in range(_N)],
    'x': np.arange(_N) / 2,
    'y': np.arange(_N) % 7 / 2,
  }
  numbers = np.arange(2.0 * _N)
  tables = [
    plain,
    {'label': plain['label']},
    plain | {'flag': [True] * _N, 'none': [None] * _N},
    plain | {'v': [[1.0, 2.0]] * _N},
    plain | {'v': [[1.0]] + [[1.0, 2.0]] * (_N - 1)},
    plain | {'v': [None] + [[1.0, 2.0]] * (_N - 1)},
    plain | {'v': [[None, 2.0]] * _N},
    plain | {'v': [['a']] * _N, 's': [{'a': 1}] * _N},
    plain | {'v': pyarrow.FixedSizeListArray.from_arrays(numbers, 2)},
    plain | {'': np.arange(_N), 'date': np.arange(_N).astype('M8[D]')},
    plain | {'x': [decimal.Decimal(i) for i in range(_N)]},
    plain | {'x': [str(i) for i in range(_N)], 'b': [b'\xff'] * _N},
    plain | {'x': [None, *range(1, _N)], 'big': [2**60] * _N},
    {name: column[:0] for name, column in plain.items()},
    plain | {'d': pyarrow.array(plain['label']).dictionary_encode()},
    # Times that Python's cannot be.
    plain | {'t': pyarrow.array([2**60] * _N, pyarrow.timestamp('ms'))},
  ]
  for table in tables:
    for more in ({}, {'features': 'v'}, {'features': 'all'}):
      content = _packed(pyarrow.table(table))
      yield Input(files={'a.parquet': content}, args=args | more)
  twice = pyarrow.table([plain['x'], plain['x']], names=['x', 'x'])
  equal = pyarrow.table({'x': np.zeros(5_000_000)})
  for content in (*map(_packed, (twice, equal)), b'PAR1', b''):
    yield Input(files={'a.pq': content}, args=args)


def _packed(table: pyarrow.Table) -> bytes:
  out = io.BytesIO()
  pyarrow.parquet.write_table(table, out, compression='zstd')
  return out.getvalue()


def folder() -> Iterator[Input]:
  (given, numbers) = sound.table()
  images = {k: c for k, c in given.files.items() if k != 'table.csv'}

  def with_table(table, files=images, **args) -> Input:
    content = table if isinstance(table, bytes) else _csv(table)
    return given._replace(
      files=files | {'table.csv': content}, args=given.args | args
    )

  path = lambda i: f'{i}.png'
  plain = {'path': path, 'label': _label}
  hot = {'path': path, 'A': lambda i: i % 2, 'B': lambda i: 1 - i % 2}
  for columns, args in (
    (plain, {}),
    (plain, {'columns': 'path:path,label:label,group:,split:'}),
    *((plain, {'columns': c}) for c in ('x', 'x:y', 'path:a|b', 'id:path')),
    (plain, {'columns': 'label:a,label:b'}),
    (plain | {'id': path, 'width': path, 'age': lambda i: i}, {}),
    (plain | {'fold': lambda i: i % 3}, {}),
    (plain | {'fold': lambda i: f'fold {i % 3}'}, {}),
    (plain | {'fold': lambda i: 'x'}, {}),
    (plain | {'fold': lambda i: 1, 'split': lambda i: 'train'}, {}),
    (plain | {'path': lambda i: '' if i == 3 else path(i)}, {}),
    (plain | {'path': lambda i: f'file:///{i}.png'}, {}),
    (plain | {'path': lambda i: f'https://x/{i}.png'}, {}),
    (plain | {'label': lambda i: f'{i % 2},5'}, {}),
    (plain | {'label': lambda i: 'abc'[i % 3]}, {'named': ('all',)}),
    (plain | {'label': lambda i: 'abc'[i % 3]}, {'named': ('a', 'b|c')}),
    (plain | {'label': lambda i: 'a'}, {}),
    (plain | {'x': lambda i: f'"{i},5"'}, {}),
    (plain | {'x': lambda i: f'"{i + 1},500"'}, {}),
    (plain | {'x': lambda i: f"'=1+{i}"}, {}),
    (plain | {'': lambda i: i}, {}),
    (hot, {}),
    (hot, {'columns': 'label:A|B', 'positive': 'A'}),
    ({'path': path}, {}),
    ({'label': _label}, {}),
    (plain, {'images': 'none'}),
    (plain, {'images': '.'}),
    (plain, {'where': 'label=ill'}),
    (plain, {'path': 'none.csv'}),
    (plain, {'path': 'none/none.csv'}),
    (plain, {'path': 'tablé.csv'}),
  ):
    yield with_table(columns, **args)
  text = _csv(plain)
  body = text.split(b'\n', 1)[1]
  more = body.replace(b'\n', b',1.5\n')
  for content in (*_written(text), body, more, b'path,label\n'):
    yield with_table(content)
  for separator in ';\t|':
    columns = plain | {'x': lambda i: f'{i},5', 'y': lambda i: 2}
    yield with_table(_csv(columns, separator))
    columns = plain | {'x,y': lambda i: f'{i},5'}
    yield with_table(_csv(columns, separator))
  yield Input(
    files=images | {'tabl\u00e9.csv': text},
    args=given.args | {'path': 'table\u0301.csv'},
  )
  yield Input(
    files={'d/x.txt': b''},
    links={'d/t.csv': 'none'},
    args=given.args | {'path': 'd'},
  )
  yield numbers._replace(args=numbers.args | {'positive': 'a'})
  yield numbers._replace(files=given.files)
  yield from _folders(images, text)
  yield from _of_dicom(with_table)


def _folders(images: dict[str, bytes], text: bytes) -> Iterator[Input]:
  """A folder instead of a table, with one or two in it."""
  tree = {f'd/{_label(i)}/{i}.png': images[f'{i}.png'] for i in range(_N)}
  flat = {f'd/{name}': content for name, content in images.items()}
  args = {'dataset': 'folder', 'path': 'd'}
  for files in (
    *(tree, flat, flat | {'d/t.csv': text}, tree | {'d/t.csv': text}),
    *(tree | {'d/ill/t.csv': text}, {'d/x.txt': b''}, {'d/a/t.csv': text}),
    *(flat | {'d/t.csv': text, 'd/u.csv': text}, tree | {'d/t.csv': b'\n'}),
    tree | {'d/t.csv': b'path,label\n1.png,a\n'},
    {f'd/{_label(i)}́/{i}.png': images['0.png'] for i in range(4)},
  ):
    for more in (
      *({}, {'images': 'd'}, {'columns': 'label:label'}),
      *({'task': 'regression'}, {'positive': 'x'}, {'masks': True}),
    ):
      yield Input(files=files, args=args | more)


def _of_dicom(with_table) -> Iterator[Input]:
  """Files whose headers tell of patients, and some that tell nothing."""
  # pylint: disable=protected-access,import-outside-toplevel
  import test_dicom

  made, path = test_dicom._made, lambda i: f'{i}.dcm'
  columns = {'path': path, 'label': _label}
  several = lambda i: f'p{i // 2}'
  for patient in (several, lambda i: 'p', lambda i: several(i) * (i > 2)):
    for odd in ({}, {'Modality': 'SEG'}, {'KVP': '1'}):
      tags = {'PixelSpacing': [1, 1], 'Manufacturer': 'x'}
      files = {
        path(i): made(PatientID=patient(i), **tags, **(odd if i == 2 else {}))
        for i in range(_N)
      }
      yield with_table(columns, files)
      yield with_table(columns | {'Manufacturer': path, 'group': path}, files)
  files[path(1)] = test_dicom._real('test-SR')
  files[path(3)] = files[path(3)][:300]
  files[path(5)] = b'no image'
  yield with_table(columns, files)

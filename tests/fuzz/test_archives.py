"""Archives, prepared data and folders: damaged, bombs, links that lead away."""

import io
import json
import os
import pickle
import struct
import zipfile

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from fuzz import harness
from fuzz import sound
from fuzz import strategies
from fuzz import subjects

_FILES = {
  'features npz': 'features.npz',
  'features parquet': 'features.parquet',
  'medmnist npz': 'breastmnist.npz',
}


def _with(kind: str, content: bytes) -> harness.Input:
  (given, *_) = subjects.SUBJECTS[kind].sound()
  return given._replace(files={_FILES[kind]: content})


@pytest.mark.parametrize('kind', _FILES)
@harness.fuzz(2)
@hypothesis.given(data=st.data())
def test_damaged(kind: str, data: st.DataObject) -> None:
  own = [g.files[_FILES[kind]] for g in subjects.SUBJECTS[kind].sound()]
  content = data.draw(strategies.one_of_damaged(own))
  harness.check(kind, _with(kind, content))


def _npy(
  header: str, body: bytes = b'', version: int = 1, length: int | None = None
) -> bytes:
  text = header.encode()
  length = len(text) if length is None else length
  size = struct.pack('<H' if version == 1 else '<I', length)
  return b'\x93NUMPY' + bytes([version, 0]) + size + text + body


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w', method) as archive:
    for name, content in members.items():
      archive.writestr(name, content)
  return file.getvalue()


_sides = st.sampled_from([0, 1, 2, 24, 10**9, 2**31, 2**62, 2**64, 10**30, -1])
_types = st.sampled_from([
  '<f4',
  '|u1',
  '>i8',
  '<U0',
  '|V0',
  '|S0',
  '<U3',
  '|S3',
  '|O',
  '|b1',
  '<c16',
  '<M8[s]',
  'x',
  '',
  [('a', '<f4')],
  [('a', '|O')],
  '<f2',
  '<i4',
  '|V9',
])
_headers = st.one_of(
  st.builds(
    "{{'descr': {!r}, 'fortran_order': {}, 'shape': {!r}, }}\n".format,
    _types,
    st.sampled_from(['False', 'True', '1', 'None']),
    st.lists(_sides, max_size=3).map(tuple),
  ),
  strategies.text,
  st.sampled_from([
    '{' * 99,
    '-' * 9000 + '1',
    '(' * 9000,
    "{'descr': ",
    '\n',
    "'''",
    '{}',
    "{'descr': '<f4', 'fortran_order': False, 'shape': (10L,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': '24'}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2.0,)}",
    "__import__('os').system('touch marker')",
  ]),
)
_members = st.dictionaries(
  st.sampled_from([
    'features.npy',
    'labels.npy',
    'features',
    'label.npy',
    'x.npy',
    '.npy',
    'train_images.npy',
    'train_labels.npy',
    '../x.npy',
    '/x.npy',
    'a\\x.npy',
  ]),
  st.builds(
    _npy,
    _headers,
    st.one_of(st.binary(max_size=8), st.sampled_from([24, 72, 96]).map(bytes)),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([None, None, None, 0, 9, 65535]),
  ),
  min_size=1,
  max_size=4,
)


@pytest.mark.parametrize('kind', ['features npz', 'medmnist npz'])
@harness.fuzz(2)
@hypothesis.given(members=_members, replaced=st.booleans())
def test_headers_that_lie(
  kind: str, members: dict[str, bytes], replaced: bool
) -> None:
  if replaced:  # One array of a sound archive.
    (given, *_) = subjects.SUBJECTS[kind].sound()
    with zipfile.ZipFile(io.BytesIO(given.files[_FILES[kind]])) as archive:
      own = {name: archive.read(name) for name in archive.namelist()}
    members = own | members
  harness.check(kind, _with(kind, _zip(members)))


class _Runs:
  def __reduce__(self):
    return os.system, ('touch marker ../marker "$HOME/marker"',)


@pytest.mark.parametrize('kind', ['features npz', 'medmnist npz'])
@pytest.mark.parametrize('how', ['objects', 'pickle', 'other name'])
@pytest.mark.parametrize(
  'name', ['features', 'labels', 'train_images', 'train_labels', 'x']
)
def test_pickled_arrays_run_nothing(kind: str, how: str, name: str) -> None:
  buffer = io.BytesIO()
  if how == 'pickle':
    buffer.write(pickle.dumps(_Runs()))
  else:
    np.save(buffer, np.array([_Runs()], object), allow_pickle=True)
  (given, *_) = subjects.SUBJECTS[kind].sound()
  with zipfile.ZipFile(io.BytesIO(given.files[_FILES[kind]])) as archive:
    members = {own: archive.read(own) for own in archive.namelist()}
  members[name if how == 'other name' else f'{name}.npy'] = buffer.getvalue()
  harness.check(kind, _with(kind, _zip(members)))


def _zeros(shape: tuple[int, ...], dtype: str) -> bytes:
  head = {'descr': dtype, 'fortran_order': False, 'shape': shape}
  return _npy(f'{head}\n', bytes(np.zeros(shape, dtype).nbytes))


def _head_alone(shape: tuple[int, ...], dtype: str) -> bytes:
  head = {'descr': dtype, 'fortran_order': False, 'shape': shape}
  return _npy(f'{head}\n')


def _shared_members() -> bytes:
  """Many members that are stored as one."""
  column = _zeros((2_000_000, 1), '<f8')
  content = _zip({'features.npy': column}, zipfile.ZIP_DEFLATED)
  with zipfile.ZipFile(io.BytesIO(content)) as archive:
    (info,) = archive.infolist()
  file = io.BytesIO(content)
  with zipfile.ZipFile(file, 'a') as archive:
    for i in range(300):
      other = zipfile.ZipInfo(f'c{i}.npy')
      for slot in (
        'header_offset',
        'file_size',
        'compress_size',
        'CRC',
        'compress_type',
      ):
        setattr(other, slot, getattr(info, slot))
      archive.filelist.append(other)
      archive.NameToInfo[other.filename] = other
    archive._didModify = True  # pylint: disable=protected-access
  return file.getvalue()


_BOMBS = {
  'zeros': lambda: _zip(
    {
      'features.npy': _zeros((1 << 26, 16), '|u1'),
      'train_images.npy': _zeros((1 << 20, 32, 32), '|u1'),
      'train_labels.npy': _zeros((1 << 20, 1), '|u1'),
    },
    zipfile.ZIP_DEFLATED,
  ),
  'a header of zeros': lambda: _zip(
    {'features.npy': _npy('', bytes(1 << 29), 2, 2**32 - 1)},
    zipfile.ZIP_DEFLATED,
  ),
  'members that are one': _shared_members,
  'another compression': lambda: _zip(
    {'features.npy': _zeros((24, 3), '<f4')}, zipfile.ZIP_LZMA
  ),
  'rows of no bytes': lambda: _zip({
    'features.npy': _head_alone((10**18, 0), '<f4'),
    'label.npy': _head_alone((10**18,), '<U0'),
  }),
  'nothing': lambda: b'',
  'an empty archive': lambda: _zip({}),
}


@pytest.mark.parametrize('kind', ['features npz', 'medmnist npz'])
@pytest.mark.parametrize('name', _BOMBS)
def test_bombs(kind: str, name: str) -> None:
  verdict = harness.check(kind, _with(kind, _BOMBS[name]()))
  assert verdict.outcome == 'refused'


def test_text_that_is_none() -> None:
  """Characters that there are not, and halves of some."""
  for code in (0x110000, 0xFFFFFFFF, 0xD800):
    labels = np.array([code, 65] * 12, '<u4').view('<U1')
    arrays = {'features': np.ones((24, 3)), 'labels': labels}
    kind = 'features npz'
    harness.check(kind, _with(kind, sound.npz(arrays)))


@harness.fuzz(2)
@hypothesis.given(data=st.data())
def test_prepared_data(data: st.DataObject) -> None:
  (given,) = subjects.SUBJECTS['prepared data'].sound()
  name = data.draw(st.sampled_from(sorted(given.files)))
  content = data.draw(strategies.damaged(given.files[name]))
  harness.check(
    'prepared data', given._replace(files=given.files | {name: content})
  )


_values = st.recursive(
  st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2**70),
    st.floats(),
    strategies.text,
    st.just('\ud800'),
    st.just(f'{strategies.PLANTED}.X'),
  ),
  lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.dictionaries(st.text(max_size=3), inner, max_size=3),
  ),
  max_leaves=5,
)


def changed_json(draw: st.DrawFn, content: bytes) -> bytes:
  """JSON of which a few values are others, or are gone."""
  tree = json.loads(content)
  for _ in range(draw(st.integers(1, 3))):
    at = tree
    while True:
      keys = list(at) if isinstance(at, dict) else list(range(len(at)))
      if not keys:
        break
      key = draw(st.sampled_from(keys))
      inner = at[key]
      if isinstance(inner, (dict, list)) and draw(st.integers(0, 5)):
        at = inner
        continue
      if draw(st.integers(0, 4)):
        at[key] = draw(_values)
      else:
        del at[key]
      break
  return json.dumps(tree).encode()


@harness.fuzz(2)
@hypothesis.given(data=st.data())
def test_json_of_prepared_data(data: st.DataObject) -> None:
  (given,) = subjects.SUBJECTS['prepared data'].sound()
  names = [name for name in given.files if name.endswith('.json')]
  name = data.draw(st.sampled_from(sorted(names)))
  content = changed_json(data.draw, given.files[name])
  harness.check(
    'prepared data', given._replace(files=given.files | {name: content})
  )


@pytest.mark.parametrize(
  'content', [b'[' * 100_000, b'{"cohort":' * 9000, b'9' * 9000, b'null', b'']
)
def test_metadata_that_nest(content: bytes) -> None:
  (given,) = subjects.SUBJECTS['prepared data'].sound()
  files = given.files | {'data/metadata.json': content}
  verdict = harness.check('prepared data', given._replace(files=files))
  assert verdict.outcome == 'refused'


_names = st.one_of(
  st.sampled_from([
    'ill/a.png',
    'healthy/b.png',
    'ill/deep/c.PNG',
    '.hidden/d.png',
    'ill/é.png',
    'ill/=1+1.png',
    'ill/<b>.png',
    '-x/e.png',
    'ill/a b.dcm',
    '__MACOSX/f.png',
    'g.png',
    'ill/h',
    'ill/i.png/j.png',
    'other/k.gif',
  ]),
  st.text(
    st.characters(exclude_categories=('Cs',), exclude_characters='\0'),
    min_size=1,
    max_size=9,
  ).map('ill/{}.png'.format),
)
_targets = st.sampled_from([
  '..',
  '.',
  '/',
  '/dev/zero',
  '/dev/stdin',
  '/dev/full',
  '/proc/self/mem',
  '{outside}',
  '{outside}/sentinel',
  '{outside}/new.png',
  'ill',
  '../ill',
  'loop',
  '/proc/self/fd',
  '/etc/passwd',
  'a' * 200,
])


@harness.fuzz(2)
@hypothesis.given(
  st.dictionaries(_names, st.sampled_from([0, 1, 2]), max_size=3),
  st.dictionaries(
    st.sampled_from(['x.png', 'ill/y.png', 'ill/z', 'loop', 'healthy/v.png']),
    _targets.filter(lambda target: target not in ('/', '..')),
    max_size=3,
  ),
  st.booleans(),
)
def test_folders(
  names: dict[str, int], links: dict[str, str], pipe: bool
) -> None:
  kind = 'folder tree'
  (given,) = subjects.SUBJECTS[kind].sound()
  images = list(given.files.values())
  contents = [images[0], b'', b'broken']
  added = {f'data/{name}': contents[i] for name, i in names.items()}
  # A file cannot be where a folder is.
  added = {
    name: content
    for name, content in added.items()
    if not any(other.startswith(f'{name}/') for other in added)
    and not set(map(str, _parents(name))) & set(added)
    and '/../' not in name
    and len(name.encode()) < 200
    and '/' not in name.removeprefix('data/ill/').removesuffix('.png')[-9:]
  }
  harness.check(
    kind,
    given._replace(
      files=given.files | added,
      links={
        f'data/{name}': target
        for name, target in links.items()
        if f'data/{name}' not in added
      },
      pipes=('data/ill/pipe.png',) if pipe else (),
    ),
  )


def _parents(name: str) -> list[str]:
  parts = name.split('/')
  return ['/'.join(parts[:i]) for i in range(1, len(parts))]


_PIPES = {
  'features npz': 'features.npz',
  'features parquet': 'features.parquet',
  'medmnist npz': 'breastmnist.npz',
  'prepared data': 'data/metadata.json',
}


@pytest.mark.parametrize('kind', _PIPES)
@pytest.mark.parametrize('target', ['pipe', '/dev/zero', '{outside}', 'loop'])
def test_files_that_are_none(kind: str, target: str) -> None:
  (given, *_) = subjects.SUBJECTS[kind].sound()
  name = _PIPES[kind]
  files = {own: data for own, data in given.files.items() if own != name}
  if target == 'pipe':
    given = given._replace(files=files, pipes=(name,))
  else:
    target = os.path.basename(name) if target == 'loop' else target
    given = given._replace(files=files, links={name: target})
  assert harness.check(kind, given).outcome == 'refused'


def test_metadata_of_parquet_runs_nothing() -> None:
  """Extension types of old were pickles."""
  import pyarrow  # pylint: disable=import-outside-toplevel
  import pyarrow.parquet  # pylint: disable=import-outside-toplevel

  field = pyarrow.field(
    'label',
    pyarrow.string(),
    metadata={
      b'ARROW:extension:name': b'arrow.py_extension_type',
      b'ARROW:extension:metadata': pickle.dumps(_Runs()),
    },
  )
  schema = pyarrow.schema([field, ('0', pyarrow.float32())])
  columns = [pyarrow.array(['a', 'b'] * 12), pyarrow.array([1.0] * 24, 'float')]
  buffer = io.BytesIO()
  table = pyarrow.table(columns, schema=schema)
  pyarrow.parquet.write_table(table, buffer)
  kind = 'features parquet'
  harness.check(kind, _with(kind, buffer.getvalue()))


def test_parquet_of_few_bytes_a_row() -> None:
  """A thousand million equal values fit into a few bytes."""
  import pyarrow  # pylint: disable=import-outside-toplevel
  import pyarrow.parquet  # pylint: disable=import-outside-toplevel

  n = 20_000_000
  label = pyarrow.DictionaryArray.from_arrays(
    pyarrow.array(np.zeros(n, np.int32)), pyarrow.array(['a'])
  )
  table = pyarrow.table({'label': label, '0': np.zeros(n, np.float32)})
  buffer = io.BytesIO()
  pyarrow.parquet.write_table(table, buffer, compression='zstd')
  kind = 'features parquet'
  verdict = harness.check(kind, _with(kind, buffer.getvalue()))
  assert verdict.outcome == 'refused'

"""Inputs to begin with, beside the sound ones: each takes a way of its own.

They are accepted or refused; a reader has a line for each. Changes of sound
inputs seldom find these lines, as of a name that only few files have.
"""

from collections.abc import Callable, Iterable, Iterator
import io
import json
import zipfile

import numpy as np

from fuzz import seeds_images
from fuzz import seeds_tables
from fuzz import seeds_weights
from fuzz import sound
from fuzz.harness import Input


def of(kind: str) -> Iterable[Input]:
  """The seeds of a kind."""
  return _KINDS[kind]()


def _features_npz() -> Iterator[Input]:
  args = {'pattern': '*.npz', 'positive': 'ill'}
  columns = sound.columns()
  n = len(columns['labels'])
  objects = np.array([None] * n)
  for more in (
    {'features': columns['features'] * np.nan},
    {'features': columns['features'].astype('c8')},
    {'features': objects},
    {'features': columns['features'][:0]},
    {'features': columns['features'][:, :0]},
    {'label': objects},
    {'site': objects},
    {'fold': np.arange(n) % 3},
    {'fold': np.array(['a', 'b'] * (n // 2))},
    {'fold': np.zeros(n)},
    {'split': np.array(['train', 'test'] * (n // 2))},
    {'id': np.arange(n) // 2},
    {'id': np.arange(n)},
    {'id': np.arange(3)},
    {'matrix': columns['features']},
    {'prediction': columns['labels']},
    {'prediction': np.linspace(-1, 2, n)},
    {'prediction': np.array(['other'] * n)},
    {'prediction': np.full(n, np.nan)},
  ):
    yield Input(files={'a.npz': sound.npz(columns | more)}, args=args)
  binary = columns | {
    'labels': np.arange(n) % 2,
    'prediction': np.arange(n) % 2,
  }
  files = {'a.npz': sound.npz(binary)}
  for named in (('0', '1'), ('1', '0')):
    yield Input(files=files, args={'pattern': '*.npz', 'named': named})
  merged = binary | {'labels': np.arange(n) % 3}
  files = {'a.npz': sound.npz(merged)}
  yield Input(files=files, args={'pattern': '*.npz', 'named': ('0|2', '1')})
  half = {'prediction': np.full(n, 0.5)}
  files = {'a.npz': sound.npz(binary | half)}
  for named in (('0', '1'), ('1', '0')):
    yield Input(files=files, args={'pattern': '*.npz', 'named': named})
  three = columns | {'labels': np.array(['a', 'b', 'c'] * (n // 3))}
  for prediction in (['a', 'c', 'b'], [1, 2, 3]):
    more = {'prediction': np.array(prediction * (n // 3))}
    files = {'a.npz': sound.npz(three | more)}
    for named in (('all',), ('a', 'b', 'c')):
      yield Input(files=files, args={'pattern': '*.npz', 'named': named})
  numbers = columns | {'labels': np.arange(n), 'prediction': np.arange(n) / 2}
  numbers['prediction'][0] = np.nan
  for y in (numbers, columns):
    given = {'pattern': '*.npz', 'task': 'regression'}
    yield Input(files={'a.npz': sound.npz(y)}, args=given)
  files = {'a.npz': sound.npz(columns)}
  for more in ({'pattern': 'a.npz'}, {'features': 'none'}):
    yield Input(files=files, args=args | more)
  odd = binary | {'fold': np.zeros(n)}
  for names in (
    *(('fold_1.npz', 'fold_10.npz'), ('a_1.npz', 'b_2.npz')),
    ('size_20_fold_1.npz', 'size_20_fold_2.npz', 'size_20_fold_3.npz'),
  ):
    files = {name: sound.npz(odd) for name in names}
    yield Input(files=files, args={'pattern': '*.npz', 'positive': '1'})
  wide = columns | {'features': np.ones((n, 4), np.float32)}
  files = {'1.npz': sound.npz(columns), '2.npz': sound.npz(wide)}
  yield Input(files=files, args=args)
  for pattern in ('*.none', '*', 'a.txt', 'none', 'fold_*.csv/a'):
    yield Input(files={'a.txt': b''}, args=args | {'pattern': pattern})
  yield from (Input(files={'a.npz': c}, args=args) for c in _archives(columns))
  long = {name: np.repeat(array, 9, axis=0) for name, array in columns.items()}
  by_columns = {'features': np.asfortranarray(long['features'])}
  for more in ({}, by_columns):
    files = {'a.npz': sound.npz(long | more, compress=False)}
    yield Input(files=files, args=args)


def _archives(columns: dict[str, np.ndarray]) -> Iterator[bytes]:
  """Archives that NumPy does not write."""
  yield b'no archive'
  head = np.lib.format
  for version in ((1, 0), (2, 0), (3, 0), (9, 9)):
    member = io.BytesIO()
    head.write_array(member, columns['features'], min(version, (3, 0)))
    data = bytearray(member.getvalue())
    data[6:8] = version
    yield _archive({'features.npy': bytes(data), 'note.txt': b''})
  long = b'\x93NUMPY\2\0' + (20_000).to_bytes(4, 'little') + b' ' * 20_000
  yield _archive({'features.npy': long})
  for shape in ((-1, -3), (0, 1 << 60), (5, 5)):
    member = io.BytesIO()
    described = {'descr': '<f4', 'fortran_order': False, 'shape': shape}
    head.write_array_header_1_0(member, described)
    size = 12 if shape == (-1, -3) else 0
    yield _archive({'features.npy': member.getvalue() + bytes(size)})
  yield _archive({'features.npy': b''}, zipfile.ZIP_BZIP2)
  yield _archive({'features.npy': bytes(65 << 20)}, zipfile.ZIP_DEFLATED)


def _archive(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w', how) as archive:
    for name, content in members.items():
      archive.writestr(zipfile.ZipInfo(name), content, how)
  return out.getvalue()


def _medmnist() -> Iterator[Input]:
  args = {'dataset': 'medmnist', 'path': 'breastmnist.npz'}
  (given, *_) = sound.medmnist()
  with np.load(io.BytesIO(given.files['breastmnist.npz'])) as archive:
    arrays = {**archive}
  images, labels = arrays['train_images'], arrays['train_labels']
  for changes in (
    {},
    {'train_images': np.stack([images] * 3, axis=-1)},
    {'train_images': images[..., None, None]},
    {'train_images': images.astype(np.float32)},
    {'train_labels': labels[:, 0]},
    {'train_labels': labels[:3]},
    {'train_labels': np.stack([labels] * 3, axis=1)},
    {'train_labels': np.hstack([labels, labels])},
    {'train_labels': labels / 2},
    {'train_labels': labels + 4},
  ):
    for name in ('breastmnist.npz', 'other.npz'):
      yield Input(
        files={name: sound.npz(arrays | changes)}, args=args | {'path': name}
      )
  few = {k: v for k, v in arrays.items() if k.startswith('train')}
  for there in (few, {'train_images': images}, {'other': images}):
    yield Input(files={'breastmnist.npz': sound.npz(there)}, args=args)
  files = {'a/x.npz': sound.npz(arrays), 'b/n': b''}
  for path in ('a', 'b', 'none'):
    yield Input(files=files, args=args | {'path': path})
  three = arrays | {'train_labels': labels * np.arange(len(labels))[:, None]}
  for named in (('all',), ('0', '1|2|3'), ('0', 'rest'), ('1', '5')):
    given = args | {'path': 'x.npz', 'named': named}
    yield Input(files={'x.npz': sound.npz(three)}, args=given)


def _prepared() -> Iterator[Input]:
  (given,) = sound.prepared()
  made = json.loads(given.files['data/metadata.json'])

  def changed(change: Callable[[dict], object], **args) -> Input:
    stored = json.loads(json.dumps(made))
    change(stored)
    files = given.files | {'data/metadata.json': json.dumps(stored).encode()}
    return given._replace(files=files, args=given.args | args)

  def cohort(**fields):
    return lambda stored: stored['cohort'].update(fields)

  def first(**fields):
    return lambda stored: stored['cohort']['candidates'][0].update(fields)

  path = made['cohort']['candidates'][0]['path']
  yield from (
    changed(cohort(**fields))
    for fields in (
      *({'name': 3}, {'classes': 'ab'}, {'classes': ['a', 'b', 'c']}),
      *({'task': 'none'}, {'named_splits': 1}, {'notes': ['\ud800']}),
      {'masks_are_left_out': True},
    )
  )
  yield from (
    changed(first(**fields))
    for fields in (
      *(
        {'id': made['cohort']['candidates'][1]['id']},
        {'included': False},
        {'path': 3},
        {'columns': [[1, 2]]},
      ),
      {'path': 'other.png'},
    )
  )
  candidates = made['cohort']['candidates']
  yield changed(cohort(candidates=candidates + candidates[:1]))
  gone = {path: [True, 'broken']}
  yield changed(lambda stored: stored.update(unreadable=gone))

  def without_records(stored):
    stored['records'] = dict.fromkeys(stored['records'], ())
    stored['unreadable'] = gone

  yield changed(without_records)

  def turned(stored):
    for ids in stored['records'].values():
      ids.reverse()

  yield changed(turned)
  yield changed(lambda stored: stored.update(records={'none': ['0']}))
  yield changed(cohort(classes=['a', 'b', 'c']), named=('all',))
  for named in (
    *(('all',), ('ill', 'healthy'), ('healthy', 'ill'), ('x', 'y'), ('', '')),
    ('ill', 'rest'),
  ):
    yield changed(lambda stored: None, named=named)
    yield changed(cohort(classes=['ill', 'healthy | x']), named=named)
    yield changed(cohort(classes=['ill | x', 'healthy']), named=named)
  for args in (
    *({'columns': 'label:x'}, {'masks': True}, {'task': 'regression'}),
    {'named': ('ill|x', 'healthy'), 'incomplete': True},
  ):
    yield changed(lambda stored: None, **args)
    yield changed(cohort(masks_are_left_out=True), **args)
  whole = {name.removeprefix('data/'): c for name, c in given.files.items()}
  for folders in (
    *(['a/b/1'], ['a/b/1', 'a/c/1'], ['a/b/incomplete.1']),
    ['incomplete.x'],
  ):
    files = {f'data/{f}/{k}': c for f in folders for k, c in whole.items()}
    path = 'data/incomplete.x' if folders == ['incomplete.x'] else 'data'
    yield given._replace(files=files, args=given.args | {'path': path})
  records = [name for name in given.files if 'array_record' in name]
  for name in records:
    damaged = given.files[name][:200] + bytes(200) + given.files[name][400:]
    for content in (damaged, b''):
      yield given._replace(files=given.files | {name: content})


def _conditions() -> Iterator[Input]:
  for text in (
    *(f'overall.accuracy {op} 0.5' for op in ('<', '<=', '>', '==', '!=')),
    *('0 < overall.accuracy < 1', 'not overall.n', '-overall.n < 1'),
    *('overall.n == 1 and zero == 0', 'overall.n == 1 or zero == 0'),
    *(f'overall.accuracy {op} 1 > 0' for op in '+-*/'),
    *('clusters[0].size > 1', 'clusters[99].size > 1', 'clusters.size > 1'),
    *('clusters["a"].size > 1', 'none > 1', 'overall.none > 1', '1 / 0 > 1'),
    *('overall["accuracy"] > 0', 'overall[0] > 1', 'study.x > 1'),
    *('x' * 10_001, "study == 'retraining'", "'a' * 3 == 1"),
    'clusters + clusters == 1',
    *('overall < 5', 'overall.auc < 0.5', '(', '[1]', '-' * 300 + '1'),
    *('+'.join('1' * 520) + ' > 0', 'x' + '.x' * 300, '1 if 2 else 3'),
    *('verdict.answer == "yes"', 'verdict.p < 0.05', 'seconds.total > 1'),
    *('external.overall.accuracy < 1', 'verdict.answer_why == ""'),
    *('clusters[0].test_mix["a"] > 1', 'versions.jax == "1"', 'overall.n / 0'),
    *('clusters[0:1] == 1', 'clusters[-1].size > 1', 'cv > 0.05'),
    *('environment.x.y > 1', 'timings["a_why"] == ""'),
    *('folds[9].n > 1', 'folds["a"].n > 1', 'folds[0:1] == 1'),
    *('sizes[0].folds[0].n > 1', 'sizes[0].folds[9].clusters[0].size > 1'),
    *('sizes[9].n > 1', 'sizes[0].n > 1', 'sizes[0:1] == 1', 'sizes["a"] > 1'),
  ):
    for study in ('retraining', 'sample_size'):
      yield Input(args={'text': text, 'study': study})
  yield Input(args={'text': None})


_KINDS: dict[str, Callable[[], Iterable[Input]]] = {
  'weights': seeds_weights.weights,
  'weights hdf5': seeds_weights.hdf5,
  'features npz': _features_npz,
  'features table': lambda: (*seeds_tables.features(), *_features_npz()),
  'folder table': seeds_tables.folder,
  'medmnist npz': _medmnist,
  'dicom': seeds_images.dicom,
  'image': seeds_images.images,
  'prepared data': _prepared,
  'fail_if': _conditions,
}

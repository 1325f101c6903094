"""Sound inputs of every kind, from which the others are made."""

from collections.abc import Sequence
import functools
import io
import json
import pathlib
import tempfile

import numpy as np
from PIL import Image
import pyarrow
import pyarrow.parquet

from fuzz.harness import Input

# Of a table; fewer cannot be split into parts.
_ROWS = 24
# pylint: disable=protected-access,import-outside-toplevel


def _encoded(seed: int, kind: str = 'PNG') -> bytes:
  pixels = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
  buffer = io.BytesIO()
  Image.fromarray(pixels).save(buffer, kind)
  return buffer.getvalue()


def _lines(header: str, rows: Sequence[str]) -> bytes:
  return '\n'.join([header, *rows, '']).encode()


@functools.cache
def odir() -> tuple[Input, ...]:
  header = (
    'ID,Patient Age,Patient Sex,Left-Fundus,Right-Fundus,Left-Diagnostic'
    ' Keywords,Right-Diagnostic Keywords,N,filename'
  )
  rows = [
    f'{i},{50 + i},Male,{i}_left.jpg,{i}_right.jpg,'
    f'{("cataract", "normal fundus")[i % 2]},glaucoma,0,{i}_left.jpg'
    for i in range(_ROWS)
  ]
  files = {f'data/images/{i}_left.jpg': _encoded(i) for i in range(_ROWS)}
  files['data/full_df.csv'] = _lines(header, rows)
  args = {
    'dataset': 'odir5k',
    'positive': 'cataract',
    'negative': 'normal fundus',
  }
  return (Input(files=files, args=args),)


@functools.cache
def nih() -> tuple[Input, ...]:
  header = (
    'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient'
    ' Gender,View Position,OriginalImage[Width,Height],'
    'OriginalImagePixelSpacing[x,y],'
  )
  rows = [
    f'{i}.png,{("Cardiomegaly|Edema", "No Finding")[i % 2]},0,{i},058Y,M,PA,'
    '2682,2749,0.143,0.143,'
    for i in range(_ROWS)
  ]
  names = '\n'.join(f'{i}.png' for i in range(_ROWS)).encode()
  files = {f'data/images/{i}.png': _encoded(i) for i in range(_ROWS)}
  files |= {
    'data/Data_Entry_2017.csv': _lines(header, rows),
    'data/train_val_list.txt': names,
    'data/test_list.txt': b'',
  }
  args = {
    'dataset': 'nih_cxr',
    'positive': 'Cardiomegaly',
    'negative': 'No Finding',
  }
  return (Input(files=files, args=args),)


@functools.cache
def bone_age() -> tuple[Input, ...]:
  rows = [f'{i},{100 + i},{bool(i % 2)}' for i in range(_ROWS)]
  files = {f'data/images/{i}.png': _encoded(i) for i in range(_ROWS)}
  files['data/boneage-training-dataset.csv'] = _lines('id,boneage,male', rows)
  return tuple(
    Input(files=files, args={'dataset': 'bone_age', 'task': task})
    for task in ('classification', 'regression')
  )


@functools.cache
def table() -> tuple[Input, ...]:
  header = 'path,label,Patient ID,split,site,fold'
  inputs = []
  for task, labels in (
    ('classification', ('ill', 'healthy')),
    ('regression', ('1', '2.5')),
  ):
    rows = [f'{i}.png,{labels[i % 2]},p{i},,s{i % 2},' for i in range(_ROWS)]
    files = {f'{i}.png': _encoded(i) for i in range(_ROWS)}
    files['table.csv'] = _lines(header, rows)
    args = {'dataset': 'folder', 'path': 'table.csv', 'task': task}
    inputs.append(Input(files=files, args=args))
  return tuple(inputs)


@functools.cache
def dicom_table() -> Input:
  """So that what reads DICOM is there before memory is measured."""
  import test_dicom

  labels = 'ill', 'healthy'
  rows = [f'{i}.dcm,{labels[i % 2]}' for i in range(_ROWS)]
  files = {f'{i}.dcm': test_dicom._made(i, 2 * i + 1) for i in range(_ROWS)}
  files['table.csv'] = _lines('path,label', rows)
  return Input(files=files, args={'dataset': 'folder', 'path': 'table.csv'})


@functools.cache
def tree() -> tuple[Input, ...]:
  files = {
    f'data/{("ill", "healthy")[i % 2]}/{i}.png': _encoded(i)
    for i in range(_ROWS)
  }
  return (Input(files=files, args={'dataset': 'folder'}),)


def features_csv() -> tuple[Input, ...]:
  header = 'img_ids,label,patient,split,fold,prediction,0,1,2'
  rows = [
    f'{i},{i % 2},p{i},,,{(i + 1) % 2},{i}.5,{1 / (i + 1)},{-i}'
    for i in range(_ROWS)
  ]
  args = {'pattern': 'fold_*.csv', 'positive': '1'}
  content = _lines(header, rows)
  return (Input(files={'fold_0.csv': content}, args=args),)


def columns() -> dict[str, np.ndarray]:
  stream = np.random.default_rng(0)
  return {
    'features': stream.normal(size=(_ROWS, 3)).astype(np.float32),
    'labels': np.array(['ill', 'healthy'] * (_ROWS // 2)),
    'patient_id': np.arange(_ROWS),
    'site': np.array([b'here'] * _ROWS),
  }


def npz(arrays: dict[str, np.ndarray], compress: bool = True) -> bytes:
  buffer = io.BytesIO()
  (np.savez_compressed if compress else np.savez)(buffer, **arrays)
  return buffer.getvalue()


def features_npz() -> tuple[Input, ...]:
  args = {'pattern': '*.npz', 'positive': 'ill'}
  return tuple(
    Input(files={'features.npz': npz(columns(), compress)}, args=args)
    for compress in (True, False)
  )


def parquet() -> tuple[Input, ...]:
  cells = columns()
  features = cells.pop('features')
  cells |= {f'f{i}': features[:, i] for i in range(3)}
  args = {'pattern': '*.parquet', 'positive': 'ill'}
  inputs = []
  for options in ({}, {'compression': 'zstd', 'use_dictionary': False}):
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(cells), buffer, **options)
    files = {'features.parquet': buffer.getvalue()}
    inputs.append(Input(files=files, args=args))
  return tuple(inputs)


def medmnist() -> tuple[Input, ...]:
  stream = np.random.default_rng(0)
  arrays = {}
  for word, n in (('train', _ROWS), ('val', 4), ('test', 4)):
    arrays[f'{word}_images'] = stream.integers(0, 256, (n, 5, 5), np.uint8)
    arrays[f'{word}_labels'] = (np.arange(n) % 2)[:, None].astype(np.uint8)
  args = {'dataset': 'medmnist', 'path': 'breastmnist.npz'}
  return tuple(
    Input(files={'breastmnist.npz': npz(arrays, compress)}, args=args)
    for compress in (True, False)
  )


@functools.cache
def prepared() -> tuple[Input, ...]:
  """What `launch.prepare` made of a table."""

  from heterojax.datasets import builders

  (given, _) = table()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for path, content in given.files.items():
      (folder / path).write_bytes(content)
    made = builders.prepare(
      'folder', folder / 'table.csv', ('', ''), folder / 'out'
    )
    files = {
      f'data/{path.name}': path.read_bytes() for path in sorted(made.iterdir())
    }
    # So that the metadata do not name where they were made.
    files = {
      path: content.replace(name.encode(), b'/made/elsewhere')
      if path.endswith('.json')
      else content
      for path, content in files.items()
    }
  # As an earlier version wrote it: without a digest, which would refuse all
  # changes before anything else is read.
  tree = json.loads(files['data/metadata.json'])
  del tree['digest']
  files['data/metadata.json'] = json.dumps(tree).encode()
  return (Input(files=files, args={'dataset': 'folder'}),)


def images() -> tuple[Input, ...]:
  import test_images

  sound = test_images._SOUND
  return tuple(Input(files={'image': sound[kind]}) for kind in sorted(sound))


def dicom() -> tuple[Input, ...]:
  import test_dicom

  sound = test_dicom._SOUND
  return tuple(Input(files={'image': sound[kind]}) for kind in sorted(sound))


def weights() -> tuple[Input, ...]:
  return _weights('zip', 'legacy', 'safetensors')


def hdf5() -> tuple[Input, ...]:
  return _weights('keras2', 'keras3')


def _weights(*kinds: str) -> tuple[Input, ...]:
  import test_weight_files

  sound = test_weight_files._CONTENTS
  return tuple(Input(files={'weights': sound[kind]}) for kind in kinds)


def runs() -> tuple[Input, ...]:
  example = pathlib.Path(__file__).parents[2] / 'docs/results_retraining.json'
  files = {'run/results.json': example.read_bytes()}
  return (Input(files=files, args={'names': ['run']}),)

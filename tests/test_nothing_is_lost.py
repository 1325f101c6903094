"""Any data: each file, row and column is in the manifest or in a note.

What hypothesis makes up may be refused in a sentence; what is read must be
accounted for.
"""

import io
import json
import pathlib
import re
import tempfile
from typing import Any

import hypothesis
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pyarrow
import pyarrow.parquet
import pytest

from heterojax.datasets import builders
from heterojax.datasets import feature_files
from heterojax.datasets import folder
from heterojax.datasets import meanings
from heterojax.datasets import prepared
from heterojax.datasets import ready
from heterojax.datasets import splits
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_text
from heterojax.errors import UserError

_BRIEF = hypothesis.settings(deadline=None, max_examples=30)


def _image() -> bytes:
  file = io.BytesIO()
  pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
  Image.fromarray(pixels).save(file, 'PNG')
  return file.getvalue()


_FOLDERS = st.sampled_from((
  *('ill', 'normal', 'train', 'Test', 'validation', 'hold-out', 'images'),
  *('masks', 'Ground Truth', '.git', '__MACOSX', 'p1', 'data', 'Re\u0301tine'),
))
_FILES = st.sampled_from((
  *('a.png', 'b.PNG', 'c', 'd.dcm', 'e.txt', 'f.csv', '.g.png', 'a_mask.png'),
  *('h.nii.gz', 'i.zip', 'j.jfif', 'Thumbs.db', '1.2.840', 'k.jp2'),
))
_CONTENTS = st.sampled_from((
  _image(),
  b'',
  b'text',
  b'PK\3\4',
  b'\xff\xd8\xff',
))
_TREES = st.dictionaries(
  st.tuples(st.lists(_FOLDERS, max_size=4), _FILES).map(
    lambda parts: '/'.join((*parts[0], parts[1]))
  ),
  _CONTENTS,
  min_size=2,
  max_size=16,
)


def _write(root: pathlib.Path, files: dict[str, bytes]) -> None:
  for name, data in files.items():
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)


def _counted(cohort: Cohort, pattern: str) -> int:
  """The number that a note says; 0 without that note."""
  found = [m for note in cohort.notes if (m := re.search(pattern, note))]
  return int(found[0][1]) if found else 0


def _is_hidden(name: str) -> bool:
  return any(p.startswith('.') or p == '__MACOSX' for p in name.split('/'))


@_BRIEF
@hypothesis.given(
  # Classes are there, so that most trees are read.
  _TREES.map(lambda t: {'ill/z.png': _image(), 'normal/z.png': _image()} | t)
)
def test_every_file_of_a_folder(files: dict[str, bytes]) -> None:
  with tempfile.TemporaryDirectory() as name:
    root = pathlib.Path(name)
    _write(root, files)
    try:
      cohort = folder.read(root, ('ill', 'normal'))
    except UserError:
      return
  hidden = {file for file in files if _is_hidden(file)}
  said = {c.path for c in cohort.candidates}
  assert said <= files.keys() - hidden
  assert len(files) - len(hidden) - len(said) == _counted(
    cohort, r'that are no images are not used: (\d+), as'
  )
  assert bool(hidden) == bool(_counted(cohort, r'not looked at: (\d+), as'))
  _check_reasons(cohort)


def _check_reasons(cohort: Cohort) -> None:
  for c in cohort.candidates:
    assert c.included is not bool(c.reason)


# One of each meaning at most: of several a reader asks which is meant.
_COLUMNS = {
  'group': ('PatientID', 'subject-id', 'Group'),
  'split': ('Split', 'dataset_split', 'phase'),
  'fold': ('fold', 'Folds'),
  'prediction': ('prediction', 'y_prob'),
  'id': ('id', 'IDs'),
}
_OTHERS = (
  '',
  'age',
  'Unnamed: 0',
  'kfold',
  'is_valid',
  'width',
  'reason',
  'Ä b',
)
_CELLS = {
  'group': st.sampled_from([
    'p1',
    'P1',
    '7.0',
    '7',
    'unknown',
    '',
    '-1',
    'N/A',
  ]),
  'split': st.sampled_from(['train', 'Test set', 'VALID', '', 'nan']),
  'fold': st.sampled_from(['0', '1.0', '2', '']),
}
_TEXT = st.sampled_from([
  '',
  'a;b',
  '1,5',
  'x\ny',
  '"q"',
  '2.50',
  'nan',
  'True',
])
_LABELS = ('ill', 'normal')


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, list[str]]:
  """Cells by the name of the column, with labels of both classes."""
  n = draw(st.integers(2, 6))
  columns = {'label': [_LABELS[i % 2] for i in range(n)]}
  for meaning, names in _COLUMNS.items():
    if draw(st.booleans()):
      cells = _CELLS.get(meaning, _TEXT)
      name = draw(st.sampled_from(names))
      columns[name] = draw(st.lists(cells, min_size=n, max_size=n))
  for name in draw(st.lists(st.sampled_from(_OTHERS), unique=True)):
    columns[name] = draw(st.lists(_TEXT, min_size=n, max_size=n))
  return columns


def _csv(root: str, columns: dict[str, list[str]]) -> pathlib.Path:
  path = pathlib.Path(root) / 'table.csv'
  rows = [list(row) for row in zip(*columns.values(), strict=True)]
  path.write_text(csv_text(list(columns), rows), encoding='utf-8')
  return path


def _check_columns(
  cohort: Cohort, columns: dict[str, Any], wanted: tuple[str, ...]
) -> None:
  """That each column is in the manifest, plays its part or is in a note."""
  kept = {name for c in cohort.candidates for name, _ in c.columns}
  for place, name in enumerate(columns, 1):
    if not name:
      used = any(cell.strip() for cell in columns[''])
      said = any(n.startswith(f'Column {place} has no') for n in cohort.notes)
      assert said == used
    elif {name, f'source_{name}'} & kept:
      continue
    elif meanings.of(name) in wanted:
      _check_part(cohort, meanings.of(name), columns[name])
    else:
      assert any(name in note for note in cohort.notes), name


def _check_part(cohort: Cohort, meaning: str, cells: list[str]) -> None:
  there = [not meanings.is_missing(cell) for cell in cells]
  if meaning == 'group':
    marks = [cell == '-1' for cell in cells]
    found = [bool(c.group) for c in cohort.candidates]
    assert found == [a and not b for a, b in zip(there, marks, strict=True)]
    # Those of which nothing is known are said.
    assert all(found) or any('name no patient' in n for n in cohort.notes)
  if meaning == 'split':
    rows = zip(cohort.candidates, there, strict=True)
    assert all(c.split for c, known in rows if known)


@_BRIEF
@hypothesis.given(_tables())
def test_every_row_and_column_of_a_list_of_images(
  columns: dict[str, list[str]],
) -> None:
  n = len(columns['label'])
  columns = columns | {'path': [f'{i}.png' for i in range(n)]}
  with tempfile.TemporaryDirectory() as root:
    try:
      cohort = folder.read(_csv(root, columns), _LABELS)
    except UserError:
      return
  assert [c.path for c in cohort.candidates] == columns['path']
  _check_columns(cohort, columns, ('path', 'label', 'group', 'split', 'fold'))
  _check_reasons(cohort)


@_BRIEF
@hypothesis.given(_tables(), st.sampled_from(['f', 'feature_', 'area_of_']))
def test_every_row_and_column_of_features_as_text(
  columns: dict[str, list[str]], prefix: str
) -> None:
  n = len(columns['label'])
  numbers = {f'{prefix}{d}': [f'{i}.5' for i in range(n)] for d in range(3)}
  with tempfile.TemporaryDirectory() as root:
    path = _csv(root, columns | numbers)
    try:
      cohort = ready.read(path, _LABELS)
      features = feature_files.read(path, {}, '').features
    except UserError:
      return
  _check_features(cohort, columns | numbers, features)


def _check_features(
  cohort: Cohort, columns: dict[str, Any], features: tuple[str, ...]
) -> None:
  assert len(cohort.candidates) == len(columns['label'])
  # Places count, as columns without a name are told by them.
  others = {k: v for k, v in columns.items() if k not in features}
  assert len(cohort.source.matrix) == len(columns['label'])
  assert not {*features} - columns.keys()
  if '' in others:
    place = [*columns].index('') + 1
    said = any(n.startswith(f'Column {place} has no') for n in cohort.notes)
    assert said == any(cell.strip() for cell in others.pop(''))
  _check_columns(cohort, others, feature_files._MEANINGS)
  _check_reasons(cohort)


# Columns and arrays of other types than text, of four rows.
_VALUES = {
  'whole': np.arange(4),
  'shares': np.array([0.5, np.nan, 1, 2]),
  'truth': np.array([True, False] * 2),
  'days': np.array(['2020-01-01'] * 4, 'M8[D]'),
  'bytes': np.array([b'a', b'b'] * 2),
  'nothing': np.full(4, np.nan),
  'PatientID': np.array([7.0, np.nan, 8, 8]),
  '__index_level_0__': np.array(['p', 'p', 'q', 'r']),
}
_OF_PARQUET = _VALUES | {
  'box': [[1, 2, 3]] * 4,
  'words': [['a'], ['b']] * 2,
  'pairs': [{'a': 1}] * 4,
}
_OF_NPZ = _VALUES | {
  'square': np.ones((4, 2)),
  'names': np.array(['a', 'b']),
  'one': np.array(3),
  'objects': np.array([None, 'a', 1, 2.5], object),
}


@pytest.mark.slow  # Every file is looked at by a process of its own.
@_BRIEF
@hypothesis.given(st.sets(st.sampled_from([*_OF_PARQUET])), st.booleans())
def test_every_column_of_a_parquet_file(names: set[str], few: bool) -> None:
  columns = {name: _OF_PARQUET[name] for name in sorted(names)}
  columns |= {f'f{d}': np.arange(4.0) + d for d in range(1 if few else 9)}
  columns['label'] = ['ill', 'normal'] * 2
  with tempfile.TemporaryDirectory() as root:
    path = pathlib.Path(root) / 'x.parquet'
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    try:
      cohort = ready.read(path, _LABELS)
      features = feature_files.read(path, {}, '').features
    except UserError:
      return
  _check_features(cohort, _as_text(columns), features)


@_BRIEF
@hypothesis.given(st.sets(st.sampled_from([*_OF_NPZ])))
def test_every_array_of_an_archive(names: set[str]) -> None:
  columns = {name: _OF_NPZ[name] for name in sorted(names)}
  columns['label'] = np.array(['ill', 'normal'] * 2)
  with tempfile.TemporaryDirectory() as root:
    path = pathlib.Path(root) / 'x.npz'
    np.savez(path, features=np.ones((4, 2)), **columns)
    cohort = ready.read(path, _LABELS)
  _check_features(cohort, _as_text(columns), ())


def _as_text(columns: dict[str, Any]) -> dict[str, list[str]]:
  return {
    name: [str(value) for value in np.ravel(np.array(values, object))]
    for name, values in columns.items()
  }


@_BRIEF
@hypothesis.given(_tables())
def test_all_of_a_cohort_is_prepared(columns: dict[str, list[str]]) -> None:
  """What is written beside the records is the manifest, and is read again."""
  n = len(columns['label'])
  columns = columns | {'path': [f'{i}.png' for i in range(n)]}
  with tempfile.TemporaryDirectory() as root:
    try:
      cohort = folder.read(_csv(root, columns), _LABELS)
    except UserError:
      return
    ids = [c.id for c in cohort.included]
    stored = prepared.written(cohort, {'train': ids}, {})
    (pathlib.Path(root) / prepared.METADATA).write_text(json.dumps(stored))
    (pathlib.Path(root) / prepared.INFO).touch()
    again = prepared.read(pathlib.Path(root), _LABELS)
  assert prepared.same(again, cohort)
  assert all(again.source.exists(c.path) for c in cohort.included)


def test_every_file_of_a_folder_is_prepared(tmp_path: pathlib.Path) -> None:
  _write(
    tmp_path / 'raw',
    {
      **{f'train/{label}/{i}.png': _image() for label in _LABELS for i in 'ab'},
      **{f'test/{label}/c': _image() for label in _LABELS},
      'train/ill/a_mask.png': _image(),
      'train/ill/notes.txt': b'text',
      'train/ill/empty.png': b'',
      'train/.d.png': _image(),
      'readme.txt': b'text',
    },
  )
  out = builders.prepare('folder', tmp_path / 'raw', _LABELS, tmp_path / 'out')
  raw = folder.read(tmp_path / 'raw', _LABELS)
  again = prepared.read(out, _LABELS)
  assert prepared.same(again, raw)
  assert len(again.candidates) == 9
  problems = {
    c.path: again.source.inspect(c.path).problem for c in again.included
  }
  assert {path: why for path, why in problems.items() if why} == {
    'train/ill/empty.png': 'the file is empty'
  }


@pytest.mark.parametrize(
  'name', ['PatientID', 'Subject ID', 'patient', 'group']
)
def test_labels_drawn_by_patient_cannot_be_learned(
  tmp_path: pathlib.Path, name: str
) -> None:
  """Whatever the column is called, a patient is on one side."""
  assert _nearest(tmp_path, name) == _nearest(tmp_path, 'patient_id')
  assert 0.35 < _nearest(tmp_path, name) < 0.65
  # And what it would be else.
  assert _nearest(tmp_path, 'remark') > 0.95


def _nearest(folder_: pathlib.Path, name: str) -> float:
  """Share of test rows whose nearest row of training has their label."""
  rng = np.random.default_rng(0)
  labels = rng.permutation([0, 1] * 60)
  centres = rng.normal(size=(120, 6))
  lines = [f'label,{name},' + ','.join(f'f{d}' for d in range(6))]
  for patient in range(120):
    for _ in range(4):
      row = centres[patient] + 0.05 * rng.normal(size=6)
      numbers = ','.join(f'{x:.4f}' for x in row)
      lines.append(f'{_LABELS[labels[patient]]},P{patient},{numbers}')
  path = folder_ / f'{name}.csv'
  path.write_text('\n'.join(lines))
  (cohort,) = splits.assign(
    ready.read(path, _LABELS),
    seed=0,
    protocol='clean',
    test_share=0.2,
    validation_share=0.0,
    folds=0,
  )
  rows = {
    side: [c for c in cohort.included if c.split == side]
    for side in ('train', 'test')
  }
  train, test = (
    cohort.source.matrix[[int(c.path) for c in rows[side]]]
    for side in ('train', 'test')
  )
  distances = ((test[:, None] - train) ** 2).sum(-1)
  found = [rows['train'][i].label for i in distances.argmin(1)]
  return float(np.mean([a == c.label for a, c in zip(found, rows['test'])]))

"""Reading ready features: .npz, CSV and Parquet, and what is refused."""

from collections import Counter
from collections.abc import Callable, Sequence
import csv
import hashlib
import pathlib
import zipfile

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from heterojax.datasets import feature_tables
from heterojax.datasets import manifest
from heterojax.datasets import npz
from heterojax.datasets import parquet_values
from heterojax.datasets import ready
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.studies import audits
from heterojax.studies import samples as samples_lib

_MENDEZ = (
  pathlib
  .Path(__file__)
  .resolve()
  .parents[2]
  .joinpath('shared', 'data', 'mendez_features')
)
_LABELS_ONLY = 'The predictions are labels and not probabilities'
_NAMES = ('id', 'label', 'group', 'split', 'fold', 'prediction', 'age')
_ROWS = (
  ('a', 'ill', 'p1', 'train', '0', 'ill', '61'),
  ('b', 'well', 'p1', 'train', '1', 'ill', '62'),
  ('c', 'ill', '', 'test', '0', 'well', ''),
)
_X = np.array([[0.5, -1.0], [2.25, 3.0], [1e-3, 0.0]], np.float32)


def _csv(path: pathlib.Path, text: str | bytes) -> pathlib.Path:
  path = path / 'x.csv'
  path.write_bytes(text if isinstance(text, bytes) else text.encode())
  return path


def _as_csv(folder: pathlib.Path) -> pathlib.Path:
  path = folder / 'x.csv'
  with path.open('w', encoding='utf-8', newline='') as file:
    writer = csv.writer(file)
    writer.writerow([*_NAMES[:3], '0', '1', *_NAMES[3:]])
    for cells, x in zip(_ROWS, _X):
      writer.writerow([*cells[:3], *map(repr, x.tolist()), *cells[3:]])
  return path


def _as_parquet(folder: pathlib.Path) -> pathlib.Path:
  columns = {name: list(cells) for name, cells in zip(_NAMES, zip(*_ROWS))}
  columns |= {str(d): _X[:, d] for d in range(2)}
  pyarrow.parquet.write_table(pyarrow.table(columns), folder / 'x.parquet')
  return folder / 'x.parquet'


def _as_npz(folder: pathlib.Path) -> pathlib.Path:
  columns = {name: np.array(cells) for name, cells in zip(_NAMES, zip(*_ROWS))}
  np.savez(folder / 'x.npz', features=_X, **columns)
  return folder / 'x.npz'


_WRITERS = (_as_csv, _as_parquet, _as_npz)


def _read(
  path: pathlib.Path, positive: str = 'ill', negative: str = 'well'
) -> Cohort:
  return ready.read(path, (positive, negative))


def _fails(path: pathlib.Path, *classes: str) -> str:
  with pytest.raises(UserError) as caught:
    _read(path, *classes)
  text = str(caught.value)
  assert text.endswith('.') and '\n' not in text
  return text


@pytest.mark.parametrize('write', _WRITERS)
def test_a_row_is_a_candidate(
  tmp_path: pathlib.Path, write: Callable[[pathlib.Path], pathlib.Path]
) -> None:
  path = write(tmp_path)
  cohort = _read(path)
  assert (cohort.name, cohort.source.name) == ('x', str(path))
  assert cohort.classes == ('ill', 'well')
  assert [
    (c.id, c.path, c.label, c.group, c.split, dict(c.columns))
    for c in cohort.candidates
  ] == [
    (cells[0], str(row), *cells[1:4], dict(zip(_NAMES[4:], cells[4:])))
    for row, cells in enumerate(_ROWS)
  ]
  assert cohort.label_columns == ('prediction',)
  # The age is text in the other files.
  numbers = [n for n in cohort.notes if 'numbers of x.csv that are no' in n]
  assert len(numbers) == (write is _as_csv)
  (labels,) = [n for n in cohort.notes if n.startswith(_LABELS_ONLY)]
  (others,) = [n for n in cohort.notes if n not in [*numbers, labels]]
  assert others.startswith(f'1 of 3 rows of {path.name} name no patient')
  matrix = cohort.source.matrix
  assert matrix.dtype == np.float32 and matrix.flags.c_contiguous
  np.testing.assert_array_equal(matrix, _X)


def test_rows_are_given_features_and_no_images(tmp_path: pathlib.Path) -> None:
  np.savez(tmp_path / 'x.npz', features=np.eye(4), label=list('abab'))
  source = _read(tmp_path / 'x.npz', 'a', 'b').source
  assert isinstance(source, sources.GivenFeatures)
  assert not isinstance(source, sources.ImageSource)
  files = sources.Files(tmp_path)
  assert isinstance(files, sources.ImageSource)
  assert not isinstance(files, sources.GivenFeatures)


def test_labels_and_features_are_of_one_file(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Another program may save the file anew while its arrays are read."""
  path, new = tmp_path / 'a.npz', tmp_path / 'new.npz'
  x = np.arange(12.0).reshape(4, 3)
  np.savez(path, features=x, label=['ill', 'well'] * 2)
  np.savez(new, features=x[::-1], label=['well', 'ill'] * 2)
  load = npz.load

  def saved_before(file: pathlib.Path, name: str) -> np.ndarray:
    if name == 'features':
      new.replace(path)
    return load(file, name)

  monkeypatch.setattr(npz, 'load', saved_before)
  with pytest.raises(UserError, match='a.npz changed while it was read'):
    _read(path)


def test_inspection_is_the_rows_digest(tmp_path: pathlib.Path) -> None:
  source = _read(_as_npz(tmp_path)).source
  assert source.inspect('1')[:2] == (
    '',
    (('sha256', hashlib.sha256(_X[1].tobytes()).hexdigest()),),
  )
  assert source.exists('2')
  for path in ('3', '-1', '', 'a', '1.0'):
    assert not source.exists(path)
    assert source.inspect(path).problem == 'not in the file'


@hypothesis.given(
  st.lists(
    st.lists(st.floats(width=32), min_size=3, max_size=3),
    min_size=2,
    max_size=6,
  )
)
@hypothesis.settings(
  deadline=None,
  max_examples=60,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_any_number_survives_in_a_csv(
  tmp_path: pathlib.Path, rows: list[list[float]]
) -> None:
  lines = ['label,x0,x1,x2']
  lines += [f'{i % 2},' + ','.join(map(repr, r)) for i, r in enumerate(rows)]
  source = _read(_csv(tmp_path, '\n'.join(lines)), '1', '0').source
  expected = np.array(rows, np.float32)
  np.testing.assert_array_equal(source.matrix, expected)
  for i, row in enumerate(expected):
    problem = '' if np.isfinite(row).all() else 'features are not finite'
    assert source.inspect(str(i)).problem == problem


def test_numbers_that_are_missing_or_too_large(tmp_path: pathlib.Path) -> None:
  text = 'label,0,1\nill,,1\nwell,1e39,1\nill,NaN,1\nwell,-inf,1\nill,2,1\n'
  source = _read(_csv(tmp_path, text)).source
  problems = [source.inspect(str(row)).problem for row in range(5)]
  assert problems == ['features are not finite'] * 4 + ['']
  np.savez(
    tmp_path / 'x.npz',
    features=np.array([[1e39, 1], [1, 1]]),
    label=['ill', 'well'],
  )
  source = _read(tmp_path / 'x.npz').source
  assert source.inspect('0').problem and not source.inspect('1').problem


@pytest.mark.parametrize(
  ('names', 'order'),
  [
    (['0', '1', '2'], [0, 1, 2]),
    (['f0', 'f1', 'f2'], [0, 1, 2]),
    (['feature_1', 'feature_2', 'feature_3'], [0, 1, 2]),
    (['10', '9', '100'], [1, 0, 2]),  # By number, not as words.
    (['x2', 'x10', 'x1'], [2, 0, 1]),
    (['0', '1', 'age1'], [0, 1]),  # Numbers alone come first.
    (['f0', 'f1', 'age1'], [0, 1]),  # One numbered column is no set.
    (['f0', 'age', 'sex'], [0, 1, 2]),
    (['a', 'b1', 'b2'], [0, 1, 2]),  # Named features that end in numbers.
    (['mean radius', 'glcm_Imc1', 'index'], [0, 1]),
  ],
)
def test_which_columns_are_features(
  tmp_path: pathlib.Path, names: list[str], order: list[int]
) -> None:
  text = f'{",".join(names)},label\n1,2,3,ill\n4,5,6,well\n'
  cohort = _read(_csv(tmp_path, text))
  expected = np.array([[1, 2, 3], [4, 5, 6]], np.float32)[:, order]
  np.testing.assert_array_equal(cohort.source.matrix, expected)
  own = [name for name, _ in cohort.candidates[0].columns]
  assert own == [n for i, n in enumerate(names) if i not in order]


@pytest.mark.parametrize('dtype', [np.float16, np.float64, np.int64, np.uint8])
def test_other_types_of_number(tmp_path: pathlib.Path, dtype: type) -> None:
  x = np.array([[1, 2], [3, 200]], dtype)
  np.savez(tmp_path / 'x.npz', features=x, label=['ill', 'well'])
  table = {'0': x[:, 0], '1': x[:, 1], 'label': ['ill', 'well']}
  pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / 'x.parquet')
  for name in ('x.npz', 'x.parquet'):
    matrix = _read(tmp_path / name).source.matrix
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, x.astype(np.float32))


@pytest.mark.parametrize(
  ('alias', 'meaning'),
  [
    ('labels', 'label'),
    ('predictions', 'prediction'),
    ('patient', 'group'),
    ('patient_id', 'group'),
    ('phase', 'split'),
    ('img_ids', 'id'),
    ('image_id', 'id'),
  ],
)
def test_other_names_of_columns(
  tmp_path: pathlib.Path, alias: str, meaning: str
) -> None:
  plain = _read(_as_csv(tmp_path))
  path = tmp_path / 'x.csv'
  text = path.read_text()
  other = text.replace(meaning, alias, 1)
  assert other != text
  path.write_text(other)
  assert _read(path).candidates == plain.candidates


def test_whole_numbers_have_no_fraction(tmp_path: pathlib.Path) -> None:
  text = (
    'id,label,0,prediction,patient,fold\n'
    '1.0,1.0,5,0.0,13.0,2.0\n'
    '2.0,0.0,6,0.25,v1.0,0\n'
  )
  cohort = _read(_csv(tmp_path, text), '1', '0')
  assert [
    (c.id, c.label, c.group, *(v for _, v in c.columns))
    for c in cohort.candidates
  ] == [('1.0', '1', '13', '0', '2'), ('2.0', '0', 'v1.0', '0.25', '0')]
  np.savez(
    tmp_path / 'x.npz',
    features=_X,
    labels=np.array([1.0, 0.0, 1.0]),
    predictions=np.array([0.1, 1.0, 0.0], np.float32),
  )
  found = _read(tmp_path / 'x.npz', '1', '0').candidates
  assert [c.label for c in found] == ['1', '0', '1']
  assert [dict(c.columns)['prediction'] for c in found] == ['0.1', '1', '0']


def test_what_divides_or_answers_is_no_column_to_audit(tmp_path) -> None:
  text = 'id,label,0,prediction,fold,site\na,ill,5,0.5,0,S\nb,well,6,0.2,1,T\n'
  cohort = _read(_csv(tmp_path, text))
  told = dict(cohort.candidates[0].columns)
  assert told == {'prediction': '0.5', 'fold': '0', 'site': 'S'}
  assert audits.columns([cohort]) == {'site': {'a': 'S', 'b': 'T'}}


def test_classes_must_be_named(tmp_path: pathlib.Path) -> None:
  path = _csv(tmp_path, 'label,0\n1,5\n0,6\n')
  text = _fails(path, '', '')
  assert '0, 1' in text and '--config.data.positive=NAME' in text
  for given in (('0', ''), ('', '1')):
    cohort = _read(path, *given)
    assert cohort.classes == ('0', '1')
  assert "no label '2' (--config.data.negative)" in _fails(path, '1', '2')


def test_rows_of_other_labels_or_of_none(tmp_path: pathlib.Path) -> None:
  text = 'label,0\nill,1\n,2\nwell,3\nother,4\nnan,5\n'
  cohort = _read(_csv(tmp_path, text))
  assert [c.reason for c in cohort.candidates] == [
    '',
    'no label',
    '',
    "label 'other' is not one of the two classes",
    "label 'nan' stands for none",
  ]
  assert 'one of the labels' not in _fails(_csv(tmp_path, 'label,0\n,1\n'))
  assert 'has no labels' in _fails(_csv(tmp_path, 'label,0\n,1\n'))
  one = _csv(tmp_path, 'label,0\nill,1\nill,2\n')
  assert "of the class 'ill'" in _fails(one, '', '')


@pytest.mark.parametrize(
  ('words', 'splits', 'notes'),
  [
    ('train val test', 'train validation test', 0),
    ('Training valid TEST', 'train validation test', 0),
    ('train dev testing', 'train validation test', 0),
    ('train test test', 'train test test', 0),
    ('train val train', 'train test train', 1),
    ('train train train', 'train train train', 0),
  ],
)
def test_words_for_the_splits(
  tmp_path: pathlib.Path, words: str, splits: str, notes: int
) -> None:
  rows = zip(('ill', 'well', 'ill'), words.split())
  lines = [f'{label},{word},1' for label, word in rows]
  cohort = _read(_csv(tmp_path, '\n'.join(['label,phase,0', *lines])))
  assert [c.split for c in cohort.candidates] == splits.split()
  assert len(cohort.notes) == notes
  if notes:
    assert 'the validation part is the test set.' in cohort.notes[0]


@pytest.mark.parametrize(
  ('columns', 'rows', 'splits'),
  [
    ('fold', '0 1 0', 'fold_0 fold_1 fold_0'),
    ('fold', '3.0 10.0 3.0', 'fold_3 fold_10 fold_3'),
    ('fold', 'b a b', 'fold_1 fold_0 fold_1'),
    ('fold', '0 1 -', 'fold_0 fold_1 -'),
    ('fold', '2 2 2', '- - -'),  # One fold of several files.
    ('fold,split', '0,train 1,test 0,train', 'train test train'),
    ('fold,split', '0, 1, 0,', 'fold_0 fold_1 fold_0'),
  ],
)
def test_folds_are_splits_where_there_are_no_others(
  tmp_path: pathlib.Path, columns: str, rows: str, splits: str
) -> None:
  lines = [
    f'{label},1,{row.replace("-", "")}'
    for label, row in zip(('ill', 'well', 'ill'), rows.split())
  ]
  text = '\n'.join([f'label,0,{columns}', *lines])
  found = _read(_csv(tmp_path, text)).candidates
  assert [c.split or '-' for c in found] == splits.split()
  assert all('fold' in dict(c.columns) for c in found)


def test_ids_that_repeat_are_kept_beside(tmp_path: pathlib.Path) -> None:
  text = 'id,label,0\na,ill,1\na,well,2\nb,ill,3\n'
  cohort = _read(_csv(tmp_path, text))
  assert [c.id for c in cohort.candidates] == ['0', '1', '2']
  own = [dict(c.columns)['source_id'] for c in cohort.candidates]
  assert own == ['a', 'a', 'b']
  assert 'ids are not different' in cohort.notes[0]


def test_the_manifests_own_columns_are_kept_apart(
  tmp_path: pathlib.Path,
) -> None:
  text = 'path,sha256,included,label,0\na.png,beef,yes,ill,1\nb,cafe,,well,2\n'
  found = _read(_csv(tmp_path, text)).candidates
  assert (found[0].path, found[1].path) == ('0', '1')
  assert dict(found[0].columns) == {
    'source_path': 'a.png',
    'source_sha256': 'beef',
    'source_included': 'yes',
  }


@pytest.mark.parametrize(
  'text',
  [
    'label,0,1\r\nill,1,2\r\nwell,3,4\r\n',
    '\ufefflabel,0,1\nill,1,2\nwell,3,4',
    '\n\nlabel,0,1\n\nill,1,2\nwell,3,4\n\n',
    ' label , 0 , 1 \n ill , 1 , 2 \n well , 3 , 4 \n',
    ',label,0,1\n0,ill,1,2\n1,well,3,4\n',
    '"label","0","1"\n"ill",1,2\n"well",3,4\n',
    '0,1,label\n1,2,ill\n3,4,well\n',
    'label,0,1\nill,1e0,2.0\nwell,+3,4.\n',
  ],
)
def test_usual_variants_of_csv(tmp_path: pathlib.Path, text: str) -> None:
  cohort = _read(_csv(tmp_path, text))
  assert [(c.label, c.columns) for c in cohort.candidates] == [
    ('ill', ()),
    ('well', ()),
  ]
  np.testing.assert_array_equal(cohort.source.matrix, [[1, 2], [3, 4]])


@pytest.mark.parametrize('block_bytes', [64, 2**20])
def test_cells_with_commas_and_line_ends(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
  monkeypatch.setattr(feature_tables, '_BLOCK_BYTES', block_bytes)
  row = 'ill,1,"a, b\n\n,,c ""d"""\nwell,2,é眼\n'
  text = 'label,0,note\n' + 20 * row
  found = _read(_csv(tmp_path, text)).candidates
  notes = [dict(c.columns)['note'] for c in found]
  assert notes == ['a, b\n\n,,c "d"', 'é眼'] * 20


@pytest.mark.slow
def test_a_row_longer_than_a_megabyte(tmp_path: pathlib.Path) -> None:
  """A flattened feature map, as 62,720 numbers of 17 digits."""
  d = 62_720
  labels = ('ill', 'well') * 3
  x = np.random.default_rng(0).random((len(labels), d))
  lines = [','.join(['label', *map(str, range(d))])]
  lines += [
    ','.join([label, *map(repr, row.tolist())]) for label, row in zip(labels, x)
  ]
  assert len(lines[1]) > 2**20
  matrix = _read(_csv(tmp_path, '\n'.join(lines))).source.matrix
  np.testing.assert_array_equal(matrix, x.astype(np.float32))


@pytest.mark.parametrize(
  ('text', 'says'),
  [
    ('', 'has no feature columns'),
    ('label,sex\nill,m\n', 'has no feature columns'),
    ('label,PatientID\nill,1\n', 'has no feature columns'),
    ('label,0,0\nill,1,2\n', "column '0' more than once"),
    ('label,label,0\nill,ill,2\n', "column 'label' more than once"),
    ('Label,LABEL,0\nill,ill,2\n', 'has the columns Label and LABEL'),
    ('name,0\nill,1\n', "has no column 'label'"),
    ('label,0\n', 'holds no features'),
    ('label,0\nill,1\nwell,x\n', "'0' holds x (row 2), which is no number"),
    ('label,0\nill,1\nwell,+-5\n', "'0' holds +-5 (row 2), which is no number"),
    ('label,0\nill,1\nwell\n', 'Expected 2 columns, got 1'),
    ('label,0\nill,1\nwell,2,3\n', 'Expected 2 columns, got 3'),
    ('label,0,1\nill,1,1\nwell,2,x\n', "feature column '1' holds x (row 2)"),
    ('label,phase,0\nill,all,1\nwell,train,2\n', 'row 1: split is'),
    (b'PK\x03\x04\x00\x00\xff', 'is a workbook or an archive'),
  ],
)
def test_broken_tables_are_one_sentence(
  tmp_path: pathlib.Path, text: str | bytes, says: str
) -> None:
  assert says in _fails(_csv(tmp_path, text))


@pytest.mark.parametrize(
  ('arrays', 'says'),
  [
    ({'label': ['a', 'b', 'c']}, 'has no array features'),
    ({'features': np.ones(3), 'label': [1, 0, 1]}, 'numbers [N, D]'),
    ({'features': np.ones((3, 2, 2))}, 'must be numbers [N, D]'),
    ({'features': np.full((3, 2), 'x')}, 'must be numbers [N, D]'),
    ({'features': np.ones((3, 2), complex)}, 'must be numbers [N, D]'),
    ({'features': np.ones((3, 2), object)}, 'the array features holds'),
    ({'features': np.ones((3, 0)), 'label': [1, 0, 1]}, 'no features'),
    ({'features': np.ones((0, 3)), 'label': []}, 'no features'),
    ({'features': _X, 'label': [1, 0]}, 'each of the 3 rows'),
    ({'features': _X, 'label': np.ones((3, 14))}, 'each of the 3 rows'),
    (
      {'features': _X, 'label': np.array([1, None, 0], object)},
      'label=np.asarray(label, str)',
    ),
    (
      {
        'features': _X,
        'label': [1, 0, 1],
        'PatientID': np.array([1, 2, '3'], object),
      },
      'the array PatientID holds Python objects',
    ),
    ({'features': _X, 'z': [1, 0, 1]}, "has no column 'label'"),
  ],
)
def test_broken_archives_are_one_sentence(
  tmp_path: pathlib.Path, arrays: dict[str, object], says: str
) -> None:
  np.savez(tmp_path / 'x.npz', **arrays)
  assert says in _fails(tmp_path / 'x.npz', '1', '0')


def test_other_arrays_of_an_archive_are_named(tmp_path: pathlib.Path) -> None:
  np.savez(
    tmp_path / 'x.npz',
    features=_X,
    label=np.array([['ill'], ['well'], ['ill']]),
    names=np.array(['f', 'g']),
    site=np.array([b'a', b'b', b'\xff']),
  )
  cohort = _read(tmp_path / 'x.npz')
  (note,) = cohort.notes
  assert "'names'" in note and note.endswith('not used.')
  assert [dict(c.columns)['site'] for c in cohort.candidates] == [
    'a',
    'b',
    '\\xff',
  ]


def test_broken_parquet_files(tmp_path: pathlib.Path) -> None:
  path = _as_parquet(tmp_path)
  data = path.read_bytes()
  for broken in (b'', b'PAR1', data[: len(data) // 2], data[:-9] + bytes(9)):
    path.write_bytes(broken)
    assert 'cannot be read as a Parquet file' in _fails(path)
  table = {'0': ['1', '2'], 'label': ['ill', 'well']}
  pyarrow.parquet.write_table(pyarrow.table(table), path)
  assert "'0' holds string, which is no number" in _fails(path)


def test_no_bit_of_what_parquet_says_of_itself_crashes(
  tmp_path: pathlib.Path,
) -> None:
  """pyarrow ends its process where sizes of a column contradict its type."""
  path = _as_parquet(tmp_path)
  data = path.read_bytes()
  start = len(data) - 8 - int.from_bytes(data[-8:-4], 'little')
  refused = 0
  for place in range(start, len(data) - 8):
    damaged = bytearray(data)
    damaged[place] ^= 1 << place % 8
    path.write_bytes(damaged)
    try:
      feature_tables.from_parquet(path)
    except UserError:
      refused += 1
  assert refused > 0


def test_values_of_lists_are_counted(tmp_path: pathlib.Path, capsys) -> None:
  table = pyarrow.table({'label': ['ill', 'well'], 'x': [[1.0, 2.0], [3.0]]})
  path = tmp_path / 'x.parquet'
  pyarrow.parquet.write_table(table, path, row_group_size=1)
  parquet_values.main(str(path))
  assert capsys.readouterr().out == '5\n'


def test_a_crash_of_pyarrow_is_a_sentence(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  crash = tmp_path / 'crash.py'
  crash.write_text('import os; os.abort()')
  monkeypatch.setattr(feature_tables, 'VALUES', crash)
  table = pyarrow.table({'label': ['ill', 'well'], 'x': [[1.0], [2.0]]})
  pyarrow.parquet.write_table(table, tmp_path / 'x.parquet')
  assert 'columns contradict themselves' in _fails(tmp_path / 'x.parquet')


def test_parquet_with_times_that_python_has_none_for(
  tmp_path: pathlib.Path,
) -> None:
  path = _as_parquet(tmp_path)
  late = pyarrow.array([2**60, 0], pyarrow.timestamp('ms'))
  table = {'0': [1.0, 2.0], 'label': ['ill', 'well'], 'taken': late}
  pyarrow.parquet.write_table(pyarrow.table(table), path)
  assert 'cannot be read as a Parquet file' in _fails(path)


def test_parquet_with_missing_values(tmp_path: pathlib.Path) -> None:
  table = {
    '0': pyarrow.array([1, None, 3], pyarrow.int64()),
    '1': pyarrow.array([1.5, 2.5, None], pyarrow.float32()),
    'label': pyarrow.array([1, 0, None], pyarrow.int8()),
    'male': pyarrow.array([True, None, False]),
  }
  pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / 'x.pq')
  cohort = _read(tmp_path / 'x.pq', '1', '0')
  np.testing.assert_array_equal(
    cohort.source.matrix, [[1, 1.5], [np.nan, 2.5], [3, np.nan]]
  )
  assert [c.label for c in cohort.candidates] == ['1', '0', '']
  male = [dict(c.columns)['male'] for c in cohort.candidates]
  assert male == ['True', '', 'False']


def test_files_of_another_kind(tmp_path: pathlib.Path) -> None:
  for name in ('x.npy', 'x.h5', 'x'):
    (tmp_path / name).touch()
    assert 'is no file of features' in _fails(tmp_path / name)
  assert 'There is no file' in _fails(tmp_path / 'missing.csv')
  assert 'is no file of features' in _fails(tmp_path)


@pytest.fixture
def mendez() -> pathlib.Path:
  if not _MENDEZ.is_dir():
    pytest.skip('the shared features are not beside this checkout')
  return _MENDEZ


def test_the_real_features_of_bone_ages(mendez: pathlib.Path) -> None:
  path = mendez / 'boneage_features_red_whole_300_fold_2.csv'
  cohort = _read(path, '120', '50')
  assert Counter(c.split for c in cohort.candidates) == {
    'train': 225,
    'test': 75,
  }
  assert cohort.source.matrix.shape == (300, 512)
  # Columns: index, img_ids, 512 features, predictions, labels, phase.
  numbers = np.genfromtxt(path, delimiter=',', skip_header=1)
  x = numbers[:, 2:514].astype(np.float32)
  np.testing.assert_array_equal(cohort.source.matrix, x)
  months = numbers[:, 515]
  assert [float(c.label) for c in cohort.candidates] == months.tolist()
  assert len(cohort.included) == np.isin(months, (120, 50)).sum()
  assert '...' in _fails(path, '', '')


def test_a_published_cv_from_the_real_features(mendez: pathlib.Path) -> None:
  """The authors' own number for n = 100, fold 0: CV 0.1246."""
  cohort = _read(mendez / 'teeth_features_100_red_whole_fold_0.csv', '1', '0')
  is_train = np.array([c.split == 'train' for c in cohort.candidates])
  correct = np.array([
    dict(c.columns)['prediction'] == c.label for c in cohort.candidates
  ])
  x = cohort.source.matrix.astype(np.float64)
  pca = PCA(5, random_state=0).fit(x[is_train])
  kmeans = KMeans(4, n_init=10, random_state=0).fit(pca.transform(x[is_train]))
  cluster = kmeans.predict(pca.transform(x[~is_train]))
  accuracy = [correct[~is_train][cluster == k].mean() for k in range(4)]
  cv = np.std(accuracy) / np.mean(accuracy)
  assert cv == pytest.approx(0.1245918549653963, abs=1e-12)


def _write_table(path: pathlib.Path, text: str) -> pathlib.Path:
  path.write_text(text)
  return path


@pytest.mark.parametrize(
  ('labels', 'predictions', 'names', 'want'),
  [
    # Labels stand for themselves, whatever numbers they are.
    ('ill well ill', 'ill ill well', ('ill', 'well'), [1, 1, 0]),
    ('0.0 1.0 0.0', '0.0 1.0 1.0', ('1', '0'), [0, 1, 1]),
    ('0 1 0', '0 1 1', ('0', '1'), [1, 0, 0]),
    # Probabilities are of label 1, or of the disease.
    ('0 1 0', '0.25 1 0', ('1', '0'), [0.25, 1, 0]),
    ('0 1 0', '0.25 1 0', ('0', '1'), [0.75, 0, 1]),
    ('ill well ill', '0.25 1 0', ('ill', 'well'), [0.25, 1, 0]),
    ('ill well ill', '0.25 - 0', ('ill', 'well'), [0.25, None, 0]),
    # A class that was named may be a word that stands for none elsewhere.
    ('none ill none', 'none none ill', ('ill', 'none'), [0, 0, 1]),
    ('none ill none', 'none nan -', ('ill', 'none'), [0, None, None]),
    # What is of neither class, no probability or no number.
    ('a b c', 'a c b', ('a', 'b'), [1, None, 0]),
    ('0 1 0', '0.25 1.5 x', ('1', '0'), [0.25, None, None]),
    # A row that is left out does not make probabilities of labels.
    ('1 5 7', '1 1 x', ('5', '1'), [0, 0, None]),
  ],
)
def test_predictions_of_classes(
  tmp_path: pathlib.Path,
  labels: str,
  predictions: str,
  names: tuple[str, str],
  want: list[float | None],
) -> None:
  cells = zip(labels.split(), predictions.replace('-', '').split(' '))
  rows = [f'{label},{p},{i}' for i, (label, p) in enumerate(cells)]
  path = _csv(tmp_path, '\n'.join(['label,prediction,0', *rows]))
  cohort = _read(path, *names)
  expected = np.array(want, np.float64)
  np.testing.assert_array_equal(cohort.source.predictions, expected)
  used = [int(c.path) for c in cohort.included]
  unknown = int(np.isnan(expected[used]).sum())
  # What lies outside 0 to 1 is there, and of no other class.
  note = (
    f'{unknown} of {len(used)} images have no prediction, or one that is'
    ' neither one of the classes nor between 0 and 1.'
  )
  notes = [n for n in cohort.notes if not n.startswith(_LABELS_ONLY)]
  assert notes == ([note] if unknown else [])
  assert (len(notes) < len(cohort.notes)) == ('0.25' not in predictions)


def test_no_predictions(tmp_path: pathlib.Path) -> None:
  without = _csv(tmp_path, 'label,0\nill,1\nwell,2\n')
  assert _read(without).source.predictions is None
  empty = _csv(tmp_path, 'label,prediction,0\nill,,1\nwell,,2\n')
  assert _read(empty).source.predictions is None


def test_a_regression_of_a_file(tmp_path: pathlib.Path) -> None:
  text = 'label,prediction,0\n69.0,70.5,1\n12.25,x,2\nold,3,3\n,1,4\n'
  cohort = ready.read(_csv(tmp_path, text), ('', ''), 'regression')
  assert (cohort.task, cohort.classes) == ('regression', ())
  assert [(c.label, c.reason) for c in cohort.candidates] == [
    ('69', ''),
    ('12.25', ''),
    ('old', "label 'old' is no number"),
    ('', 'no label'),
  ]
  np.testing.assert_array_equal(cohort.source.predictions, [70.5, np.nan, 3, 1])
  assert cohort.notes == (
    '1 of 2 images have no prediction, or one that is no number.',
  )
  with pytest.raises(UserError, match='no label that is a number'):
    ready.read(_csv(tmp_path, 'label,0\nill,1\n'), ('', ''), 'regression')


def test_several_files_are_on_one_source(tmp_path: pathlib.Path) -> None:
  """In the order of their numbers, of any kind, each with its own split."""
  _write_table(
    tmp_path / 'fold_10.csv',
    'id,f0,f1,label,phase,prediction\na,5,6,ill,val,well\nb,7,8,well,train,\n',
  )
  np.savez(
    tmp_path / 'fold_2.npz',
    features=[[3.0, 4.0]],
    label=['well'],
    id=['a'],
    split=['test'],
  )
  pyarrow.parquet.write_table(
    pyarrow.table({
      'id': ['a', 'b'],
      'label': ['ill', 'other'],
      'x0': [1.0, 1.5],
      'x1': [2.0, 2.5],
      'prediction': ['ill', 'ill'],
    }),
    tmp_path / 'fold_1.parquet',
  )
  first, second, third = ready.read_files(f'{tmp_path}/fold_*', ('ill', 'well'))
  assert first.source is second.source is third.source
  # Nothing but the number of the fold: the folder has the name.
  assert {c.name for c in (first, second, third)} == {tmp_path.name}
  np.testing.assert_array_equal(
    first.source.matrix, [[1, 2], [1.5, 2.5], [3, 4], [5, 6], [7, 8]]
  )
  np.testing.assert_array_equal(
    first.source.predictions, [1, 1, np.nan, 0, np.nan]
  )
  every = first.candidates + second.candidates + third.candidates
  assert [(c.id, c.path, c.label, c.split) for c in every] == [
    ('a', '0', 'ill', ''),
    ('b', '1', 'other', ''),
    ('a', '2', 'well', 'test'),
    ('a', '3', 'ill', 'test'),
    ('b', '4', 'well', 'train'),
  ]
  assert [c.included for c in every] == [True, False, True, True, True]
  # Each holds what is said of any file.
  assert first.notes == second.notes == third.notes and len(first.notes) == 3
  (note,) = [n for n in first.notes if 'validation' in n]
  assert 'no test part in fold_10.csv: the validation part is the' in note
  # A row is looked up where it is in all files.
  digest = hashlib.sha256(np.array([7, 8], np.float32).tobytes()).hexdigest()
  assert first.source.inspect('4').columns == (('sha256', digest),)


@pytest.mark.parametrize(
  ('names', 'want'),
  [
    ('teeth_100_fold_0 teeth_100_fold_1', 'teeth_100'),
    ('teeth_100_0 teeth_300_0', 'teeth'),
    ('knee-fold1 knee-fold10', 'knee'),
    ('manifold1 manifold2', 'manifold'),
    ('apple apricot', 'folder'),
    ('1_knee 2_knee', 'folder'),
    ('fold_1 fold_11', 'folder'),
    ('knee_fold_3', 'knee_fold_3'),
    ('a/knee_1 b/knee_2', 'knee'),
    ('a/1 b/2', 'folder'),
    ('a/1 a/2', 'a'),
  ],
)
def test_several_files_have_the_name_that_they_share(
  tmp_path: pathlib.Path, names: str, want: str
) -> None:
  for name in names.split():
    path = tmp_path / 'folder' / f'{name}.csv'
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_table(path, 'label,0\nill,1\nwell,2\n')
  found = ready.read_files(f'{tmp_path}/folder/**/*.csv', ('ill', 'well'))
  assert [c.name for c in found] == [want] * len(names.split())


def test_what_several_files_have_is_said_once(tmp_path: pathlib.Path) -> None:
  for name, phase in (('1', 'val'), ('2', 'val'), ('3', 'test'), ('4', 'val')):
    _write_table(
      tmp_path / f'{name}.csv', f'label,0,phase\nill,1,train\nwell,2,{phase}\n'
    )
  found = ready.read_files(f'{tmp_path}/*.csv', ('ill', 'well'))
  for cohort in found:
    assert cohort.notes == (
      'There is a validation part and no test part in 1.csv and 2 other'
      ' files: the validation part is the test set.',
    )


@pytest.mark.parametrize(
  ('columns', 'rows', 'is_said'),
  [
    ('fold', ('2', '2'), True),
    ('fold', ('', ''), False),
    ('fold', ('1', '2'), False),
    ('fold,split', ('2,train', '2,test'), False),
    ('fold,split', ('2,', '2,'), True),
  ],
)
def test_one_fold_alone_is_said_to_split_nothing(
  tmp_path: pathlib.Path, columns: str, rows: tuple[str, str], is_said: bool
) -> None:
  text = f'label,0,{columns}\nill,1,{rows[0]}\nwell,2,{rows[1]}\n'
  notes = _read(_csv(tmp_path, text)).notes
  said = [n for n in notes if 'all of one fold, which splits nothing' in n]
  assert bool(said) == is_said
  assert all('.csv' in n for n in said)


def test_one_fold_for_some_rows_only_is_no_split_for_all(
  tmp_path: pathlib.Path,
) -> None:
  text = 'label,0,fold\nill,1,2\nwell,2,\nill,3,2\nwell,4,2\n'
  cohort = _read(_csv(tmp_path, text))
  with pytest.raises(UserError, match='Only 3 of 4 images'):
    splits.assign(
      cohort,
      seed=0,
      protocol='clean',
      test_share=0.2,
      validation_share=0.2,
      folds=0,
    )


def test_rows_without_ids_are_counted_over_all_files(
  tmp_path: pathlib.Path,
) -> None:
  """Else the first rows of two files would be one image."""
  for name in ('a.csv', 'b.csv'):
    _write_table(tmp_path / name, 'label,0\nill,1\nwell,2\n')
  found = ready.read_files(f'{tmp_path}/?.csv', ('ill', ''))
  assert [[c.id for c in own.candidates] for own in found] == [
    ['0', '1'],
    ['2', '3'],
  ]


def test_one_file_is_read_alike_by_both(tmp_path: pathlib.Path) -> None:
  path = _as_csv(tmp_path)
  (found,) = ready.read_files(str(path), ('ill', 'well'))
  assert found == _read(path)
  np.testing.assert_array_equal(
    found.source.predictions, _read(path).source.predictions
  )


def test_classes_are_those_of_all_files(tmp_path: pathlib.Path) -> None:
  _write_table(tmp_path / '1.csv', 'label,0\n1,1\n')
  _write_table(tmp_path / '2.csv', 'label,0\n0,2\n')
  found = ready.read_files(f'{tmp_path}/*.csv', ('1', ''))
  assert {own.classes for own in found} == {('1', '0')}
  # Nothing is guessed from 0 and 1.
  with pytest.raises(UserError, match='--config.data.positive=NAME'):
    ready.read_files(f'{tmp_path}/*.csv', ('', ''))


def test_files_that_do_not_go_together(tmp_path: pathlib.Path) -> None:
  with pytest.raises(UserError, match='There is no file .*config.data.files'):
    ready.read_files(f'{tmp_path}/*.csv', ('ill', 'well'))
  _write_table(tmp_path / '1.csv', 'label,0\nill,1\n')
  _write_table(tmp_path / '2.csv', 'label,0,1\nwell,1,2\n')
  with pytest.raises(UserError, match='1.csv has 1 features and .*2.csv has 2'):
    ready.read_files(f'{tmp_path}/*.csv', ('ill', 'well'))
  (tmp_path / '3.txt').touch()
  with pytest.raises(UserError, match='3.txt is no file of features'):
    ready.read_files(f'{tmp_path}/*', ('ill', 'well'))


def _by_part(cohorts: Sequence[Cohort]) -> list[samples_lib.Samples]:
  """Both studies' way: selected, split by the files, and collected."""
  parts = []
  for cohort in cohorts:
    cohort = selection.select(
      cohort,
      seed=0,
      balance=False,
      distinct=False,
      max_bad_share=0,
      workers=1,
    )
    parts += splits.assign(
      cohort,
      seed=0,
      protocol='published',
      test_share=0.2,
      validation_share=0.2,
      folds=0,
    )
  manifest = splits.by_fold(parts)
  tested = Counter(c.split for c in manifest.candidates)
  n = len(cohorts[0].candidates)
  assert tested == {f'fold_{fold}': n // 4 for fold in range(4)}
  return list(samples_lib.collect(parts, seed=0, factors=(1, 1)))


@pytest.mark.parametrize(
  ('n', 'accuracies'),
  [(100, (18, 13, 16, 15)), (300, (64, 64, 63, 63))],
)
def test_the_laboratorys_folds_of_plates(
  mendez: pathlib.Path, n: int, accuracies: tuple[int, ...]
) -> None:
  """Right predictions of 25 and 75, counted with awk in the files."""
  found = ready.read_files(f'{mendez}/teeth_features_{n}_*.csv', ('1', ''))
  folds = _by_part(found)
  predictions = found[0].source.predictions
  for samples, right in zip(folds, accuracies, strict=True):
    test = samples.of('test')
    assert len(test) == n // 4
    rows = [int(samples.pictures[row].path) for row in samples.row[test]]
    assert np.sum(predictions[rows] == samples.y[test]) == right


@pytest.mark.medium
def test_the_laboratorys_folds_of_bone_ages(mendez: pathlib.Path) -> None:
  found = ready.read_files(f'{mendez}/boneage*_fold_*', ('', ''), 'regression')
  folds = _by_part(found)
  for fold, samples in enumerate(folds):
    path = mendez / f'boneage_features_red_whole_300_fold_{fold}.csv'
    rows = list(csv.DictReader(path.open()))
    tested = [row for row in rows if row['phase'] == 'val']
    test = samples.of('test')
    assert samples.y[test].tolist() == [float(r['labels']) for r in tested]
    assert [samples.ids[i] for i in test] == [r['img_ids'] for r in tested]
    own = [int(samples.pictures[row].path) for row in samples.row[test]]
    np.testing.assert_array_equal(
      found[0].source.predictions[own],
      [float(r['predictions']) for r in tested],
    )
    np.testing.assert_array_equal(
      found[0].source.matrix[own],
      np.array([[r[str(d)] for d in range(512)] for r in tested], np.float32),
    )


def _npy(shape: tuple[int, ...], dtype: str, body: bytes = b'') -> bytes:
  head = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}\n"
  length = len(head).to_bytes(2, 'little')
  return b'\x93NUMPY\1\0' + length + head.encode() + body


_BOMBS = {
  'zeros': ({'features.npy': _npy((1 << 26, 2), '|u1', bytes(1 << 27))}, 8),
  'no bytes a row': (
    {
      'features.npy': _npy((10**18, 0), '<f4'),
      'label.npy': _npy((10**18,), '<U0'),
    },
    0,
  ),
  'a long header': (
    {'features.npy': b'\x93NUMPY\2\0' + b'\xff' * 4 + bytes(1 << 20)},
    8,
  ),
  'two of a name': (
    {'features': b'x', 'features.npy': _npy((2, 2), '|u1', bytes(4))},
    0,
  ),
  'another compression': (
    {'features.npy': _npy((2, 2), '|u1', bytes(4))},
    zipfile.ZIP_LZMA,
  ),
  'a header that is none': ({'features.npy': _npy((), "'" + '(' * 90)}, 0),
}


@pytest.mark.medium
@pytest.mark.parametrize('name', _BOMBS)
def test_archives_made_to_harm(tmp_path: pathlib.Path, name: str) -> None:
  members, method = _BOMBS[name]
  with zipfile.ZipFile(tmp_path / 'x.npz', 'w', method) as archive:
    for member, content in members.items():
      archive.writestr(member, content)
  with pytest.raises(UserError):
    ready.read(tmp_path / 'x.npz', ('', ''))


def test_a_cell_is_no_longer_than_a_table_can_hold(
  tmp_path: pathlib.Path,
) -> None:
  """What is accepted is read again from the tables of the run."""
  path = tmp_path / 'x.npz'
  labels, x = np.array(['ill', 'well']), np.ones((2, 2), np.float32)
  for excess in (0, 1):
    cell = '=' * (manifest.LONGEST_CELL + excess)
    np.savez(path, features=x, label=labels, note=np.array(['', cell]))
    if excess:
      with pytest.raises(
        UserError, match=r"'note' has \d+ characters in row 1"
      ):
        ready.read(path, ('ill', 'well'))
    else:
      cohort = ready.read(path, ('ill', 'well'))
      text = ''.join(manifest.manifest_csv(cohort))
      assert manifest.parse_csv(text)[1]['note'] == cell


@pytest.mark.parametrize('code', [0x110000, 0xFFFFFFFF, 0xD800])
@pytest.mark.parametrize('kind', ['<U1', '<U2', '>U2'])
def test_characters_that_do_not_exist(
  tmp_path: pathlib.Path, code: int, kind: str
) -> None:
  """Python lets a cell of several pass until it is folded."""
  numbers = np.dtype('u4').newbyteorder(kind[0])
  characters = np.full((2, int(kind[2])), 65, numbers)
  characters[0, 0] = code
  labels = characters.view(kind)[:, 0]
  np.savez(tmp_path / 'x.npz', features=np.ones((2, 2)), labels=labels)
  with pytest.raises(UserError, match='characters that do not exist'):
    ready.read(tmp_path / 'x.npz', ('', ''))


def test_a_parquet_file_of_equal_values(tmp_path: pathlib.Path) -> None:
  n = 5_000_000
  path = tmp_path / 'x.parquet'
  table = pyarrow.table({'label': np.zeros(n, np.int8), '0': np.zeros(n)})
  pyarrow.parquet.write_table(table, path)
  with pytest.raises(UserError, match='5,000,000 rows of 2 columns'):
    ready.read(path, ('', ''))


@pytest.mark.parametrize('schema', [True, False])
@pytest.mark.parametrize('kind', [pyarrow.string(), pyarrow.binary()])
def test_a_parquet_file_of_equal_texts(
  kind: pyarrow.DataType, schema: bool, tmp_path: pathlib.Path
) -> None:
  """A long text of all rows is in the file once, and in a compressed page."""
  rows, path = 400, tmp_path / 'f.parquet'
  same = pyarrow.DictionaryArray.from_arrays(
    pyarrow.array(np.zeros(rows, np.int32)), pyarrow.array(['a' * 10**6], kind)
  )
  table = pyarrow.table({
    'label': ['ill', 'well'] * (rows // 2),
    'f': np.arange(rows) / 7,
    'note': same,
  })
  pyarrow.parquet.write_table(
    table, path, compression='zstd', store_schema=schema
  )
  assert path.stat().st_size < 10**5
  assert 'holds 0.4 GB of text' in _fails(path)


def test_numbers_of_thousands_of_digits(tmp_path: pathlib.Path) -> None:
  """They are names like others; Python itself refuses to read them."""
  long = '9' * 5000
  path = tmp_path / 'x.csv'
  path.write_text(f'label,fold,0,1\nill,{long},1,2\nwell,1,3,4\n')
  assert [c.split for c in ready.read(path, ('ill', '')).candidates] == [
    'fold_1',
    'fold_0',
  ]
  path.write_text(f'label,f0,f{long}\nill,1,2\nwell,3,4\n')
  assert ready.read(path, ('ill', '')).source.matrix.shape == (2, 2)


@pytest.mark.parametrize(
  'text',
  [
    'label;f0;f1\nill;0,5;-1\nwell;2,25;3\n',
    'sep=;\nlabel;f0;f1\nill;0,5;-1\nwell;2,25;3\n',
    'label\tf0\tf1\nill\t0.5\t-1\nwell\t2.25\t3\n',
    'label|f0|f1\nill|0.5|-1\nwell|2.25|3\n',
    '\ufefflabel;f0;f1\nill;0,5;-1\nwell;2,25;3\n',
    '\ufeffill;0,5;-1\nwell;2,25;3\n',
    'ill,0.5,-1\nwell,2.25,3\n',
    'label,f0,f1\nill,"0,5",-1\nwell,"2,25",3\n',
    '0.5,-1,ill\n2.25,3,well\n',
  ],
)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
def test_how_tables_are_written(
  tmp_path: pathlib.Path, text: str, encoding: str
) -> None:
  if encoding == 'utf-16':
    text = text.removeprefix('\ufeff')  # That of the encoding.
  cohort = _read(_csv(tmp_path, text.encode(encoding)))
  assert [(c.label, c.columns) for c in cohort.candidates] == [
    ('ill', ()),
    ('well', ()),
  ]
  np.testing.assert_array_equal(
    cohort.source.matrix, np.array([[0.5, -1], [2.25, 3]], np.float32)
  )
  assert cohort.notes


def test_a_tsv_is_a_table(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'x.tsv'
  path.write_text('label\tf0\nill\t1\nwell\t2\n')
  assert _read(path).source.matrix.tolist() == [[1], [2]]


def test_a_table_without_names_needs_its_label(tmp_path: pathlib.Path) -> None:
  path = _csv(tmp_path, '1,0.5,0.25\n0,1.5,3\n')
  text = _fails(path, '1', '0')
  assert "--config.data.columns='label:COLUMN'" in text and 'column_1' in text
  cohort = ready.read(
    path, ('1', '0'), choices=Choices(columns='label:column_1')
  )
  assert cohort.source.matrix.tolist() == [[0.5, 0.25], [1.5, 3]]


_NAMED = (
  'id,label,radius,texture,glcm_Imc1,glcm_Imc2,target,note,rate\n'
  '1,ill,1,2,3,4,1,a,7\n2,well,5,6,7,8,0,b,<1\n3,ill,9,1,2,3,1,a,2\n'
)


@pytest.mark.parametrize(
  ('features', 'want'),
  [
    ('', ['radius', 'texture', 'glcm_Imc1', 'glcm_Imc2']),
    ('all', ['radius', 'texture', 'glcm_Imc1', 'glcm_Imc2']),
    ('glcm', ['glcm_Imc1', 'glcm_Imc2']),
    ('glcm_Imc?,radius', ['radius', 'glcm_Imc1', 'glcm_Imc2']),
    ('*x*', ['texture']),
    ('texture', ['texture']),
    ('t', ['texture']),
    ('target', ['target']),  # By its full name, as the user says.
  ],
)
def test_named_features(
  tmp_path: pathlib.Path, features: str, want: list[str]
) -> None:
  path = _csv(tmp_path, _NAMED)
  cohort = ready.read(path, ('ill', ''), choices=Choices(features=features))
  rows = list(csv.DictReader(path.open()))
  np.testing.assert_array_equal(
    cohort.source.matrix, [[float(row[n]) for n in want] for row in rows]
  )
  own = [name for name, _ in cohort.candidates[0].columns]
  every = ['radius', 'texture', 'glcm_Imc1', 'glcm_Imc2', 'target', 'note']
  assert own == [n for n in [*every, 'rate'] if n not in want]
  if not features:
    chosen, left, odd = cohort.notes
    assert 'its 4 columns of numbers' in chosen and 'glcm_Imc2' in chosen
    assert left.startswith('Columns of numbers of x.csv that are no features')
    assert 'target' in left
    assert "'rate' holds <1 (row 2), which is no number" in odd


@pytest.mark.parametrize(
  ('features', 'says'),
  [
    ('shape', "no column 'shape' (--config.data.features)"),
    ('note', "'note' holds a (row 1), which is no number"),
    ('r*', "'rate' holds <1 (row 2), which is no number"),
    ('label', "names the column 'label'"),
    ('radius,id', "names the column 'id'"),
    ('lab*', "no column 'lab*'"),
  ],
)
def test_features_that_cannot_be(
  tmp_path: pathlib.Path, features: str, says: str
) -> None:
  with pytest.raises(UserError) as caught:
    ready.read(
      _csv(tmp_path, _NAMED), ('ill', ''), choices=Choices(features=features)
    )
  assert says in str(caught.value) and str(caught.value).endswith('.')


def test_numbered_features_beside_other_numbers(tmp_path: pathlib.Path) -> None:
  names = [f'emb_{i}' for i in range(10)]
  text = f'label,age,{",".join(names)},sex\n'
  for row, label in enumerate(('ill', 'well')):
    text += f'{label},{60 + row},{",".join(map(str, range(10)))},1\n'
  path = _csv(tmp_path, text)
  cohort = _read(path)
  assert cohort.source.matrix.shape == (2, 10)
  (note,) = cohort.notes
  assert 'no features: age, sex' in note
  assert ready.read(
    path, ('ill', ''), choices=Choices(features='all')
  ).source.matrix.shape == ((
    2,
    12,
  ))


def test_lists_of_features(tmp_path: pathlib.Path) -> None:
  """A row is a list: of Parquet, or as pandas and NumPy write one in a CSV."""
  for kind in (
    pyarrow.list_(pyarrow.float32()),
    pyarrow.large_list(pyarrow.float64()),
    pyarrow.list_(pyarrow.float32(), 2),
  ):
    table = pyarrow.table({
      'label': ['ill', 'well', 'ill'],
      'embedding': pyarrow.array([[0.5, 1], [2, 3], None], kind),
      'age': [60, 61, 62],
      'image': [{'bytes': b''}] * 3,
    })
    pyarrow.parquet.write_table(table, tmp_path / 'x.parquet')
    cohort = _read(tmp_path / 'x.parquet')
    np.testing.assert_array_equal(
      cohort.source.matrix, [[0.5, 1], [2, 3], [np.nan, np.nan]]
    )
    assert [k for k, _ in cohort.candidates[0].columns] == ['age']
    assert any('lists of embedding' in note for note in cohort.notes)
    assert any("'image' of struct" in note for note in cohort.notes)
  for first, second in (('[0.5, 1.0]', '[2, 3]'), ('[0.5 1.  ]', '[2. 3.]')):
    text = f'label;e\nill;{first}\nwell;{second}\n'
    np.testing.assert_array_equal(
      _read(_csv(tmp_path, text)).source.matrix, [[0.5, 1], [2, 3]]
    )
  text = 'label,e\nill,[1 ... 2]\nwell,[3 ... 4]\n'
  assert 'was shortened' in _fails(_csv(tmp_path, text))
  text = 'label,e\nill,[1 2]\nwell,[3]\n'
  assert 'row 2: e holds 1 numbers' in _fails(_csv(tmp_path, text))
  text = 'label,e,d\nill,[1 2],[1]\nwell,[3 1],[1]\n'
  assert '--config.data.features=e' in _fails(_csv(tmp_path, text))


def test_lists_that_fill_the_memory(tmp_path: pathlib.Path) -> None:
  values = pyarrow.array(np.zeros(1 << 23, np.int8))
  offsets = pyarrow.array([0, 1 << 22, 1 << 23], pyarrow.int32())
  lists = pyarrow.ListArray.from_arrays(offsets, values)
  path = tmp_path / 'x.parquet'
  pyarrow.parquet.write_table(
    pyarrow.table({'label': ['ill', 'well'], 'e': lists}), path
  )
  assert 'more than a file of its size holds' in _fails(path)


def test_objects_without_a_meaning_are_left_out(tmp_path: pathlib.Path) -> None:
  np.savez(
    tmp_path / 'x.npz',
    features=_X,
    label=['ill', 'well', 'ill'],
    remarks=np.array(['a', None, 'b'], object),
  )
  (note,) = _read(tmp_path / 'x.npz').notes
  assert "'remarks', which holds Python objects and is not used" in note


def test_files_with_their_columns_in_another_order(
  tmp_path: pathlib.Path,
) -> None:
  _write_table(tmp_path / '1.csv', 'label,radius,texture\nill,1,2\nwell,1,2\n')
  _write_table(tmp_path / '2.csv', 'label,texture,radius\nill,2,1\nwell,1,2\n')
  with pytest.raises(UserError, match='in another order'):
    ready.read_files(f'{tmp_path}/*.csv', ('ill', 'well'))


def test_thousands_are_no_decimals(tmp_path: pathlib.Path) -> None:
  text = 'label,f0,f1\nill,"1,234",1\nwell,"2,345",2\n'
  assert "'f0' holds 1,234 (row 1)" in _fails(_csv(tmp_path, text))


def _repeated(value: Callable[[int], object]) -> str:
  """Forty rows of two features, and one more column of numbers."""
  lines = ['label,radius,texture,more']
  for i in range(40):
    label = ('ill', 'well')[i // 2 % 2]
    lines.append(f'{label},{i * 7 % 13}.5,{i * 5 % 11}.25,{value(i)}')
  return '\n'.join(lines)


@pytest.mark.parametrize(
  ('value', 'is_feature'),
  [
    (lambda i: i, True),
    (lambda i: i % 5, True),
    (lambda i: i / 8, True),
    (lambda i: 100 + i // 2, False),  # Patients.
    (lambda i: 1 - i // 2 % 2, False),  # The label once more.
  ],
)
def test_numbers_that_look_like_something_else(
  tmp_path: pathlib.Path, value: Callable[[int], object], is_feature: bool
) -> None:
  path = _csv(tmp_path, _repeated(value))
  cohort = _read(path)
  assert cohort.source.matrix.shape == (40, 3 if is_feature else 2)
  said = [n for n in cohort.notes if 'that are no features: more' in n]
  assert bool(said) != is_feature
  # The user may know better.
  own = ready.read(path, ('ill', ''), choices=Choices(features='all'))
  assert own.source.matrix.shape == (40, 3)


def test_ids_that_look_like_patients(tmp_path: pathlib.Path) -> None:
  text = _repeated(lambda i: i // 2).replace('more', 'id', 1)
  notes = _read(_csv(tmp_path, text)).notes
  assert any('The column id of x.csv looks like a patient' in n for n in notes)


def test_categories_of_parquet(tmp_path: pathlib.Path) -> None:
  table = pyarrow.table({
    'label': pyarrow.array(['ill', 'well']).dictionary_encode(),
    'PatientID': pyarrow.array([7.0, None]),
    'radius': pyarrow.array([1, 2]).dictionary_encode(),
  })
  pyarrow.parquet.write_table(table, tmp_path / 'x.parquet')
  cohort = _read(tmp_path / 'x.parquet')
  assert [(c.label, c.group) for c in cohort.candidates] == [
    ('ill', '7'),
    ('well', ''),
  ]
  assert cohort.source.matrix.tolist() == [[1], [2]]


def test_empty_columns_are_no_features(tmp_path: pathlib.Path) -> None:
  path = _csv(tmp_path, 'label,radius,area,gap\nill,1,2,\nwell,3,4,NA\n')
  table = pyarrow.table({
    'label': ['ill', 'well'],
    'radius': [1, 3],
    'area': [2, 4],
    'gap': pyarrow.array([None, None]),
  })
  pyarrow.parquet.write_table(table, tmp_path / 'x.parquet')
  for cohort in (_read(path), _read(tmp_path / 'x.parquet')):
    assert cohort.source.matrix.tolist() == [[1, 2], [3, 4]]
    assert "'gap' holds nothing, so that it is no feature." in cohort.notes[-1]


def test_the_index_of_a_parquet_file_is_kept(tmp_path: pathlib.Path) -> None:
  """pandas writes it as a column; it may name patients."""
  index = '__index_level_0__'
  columns = {f'f{d}': np.arange(24.0) + d for d in range(2)}
  columns |= {'label': ['ill', 'well'] * 12}
  columns |= {index: [f'P{i // 3}' for i in range(24)]}
  path = tmp_path / 'x.parquet'
  pyarrow.parquet.write_table(pyarrow.table(columns), path)
  cohort = _read(path)
  assert cohort.source.matrix.shape == (24, 2)
  assert [dict(c.columns)[index] for c in cohort.candidates] == columns[index]


@pytest.mark.parametrize('features', ['', 'f'])
def test_lists_that_are_no_features_are_said(
  tmp_path: pathlib.Path, features: str
) -> None:
  columns = {f'f{d}': np.arange(4.0) + d for d in range(8)}
  columns |= {'label': ['ill', 'well'] * 2, 'box': [[1.0, 2.0, 3.0]] * 4}
  path = tmp_path / 'x.parquet'
  pyarrow.parquet.write_table(pyarrow.table(columns), path)
  cohort = ready.read(path, ('ill', 'well'), choices=Choices(features=features))
  assert cohort.source.matrix.shape == (4, 8)
  assert "x.parquet holds lists in 'box', which are not used." in cohort.notes


def test_predictions_of_several_classes_are_labels(tmp_path) -> None:
  path = tmp_path / 'x.csv'
  rows = [f'{label},{said},{i},1' for i, (label, said) in enumerate(_SAID)]
  path.write_text('\n'.join(['label,prediction,0,1', *rows]))
  source = ready.read(path, ('all',)).source
  # Codes are counted from the last class.
  np.testing.assert_array_equal(source.predictions, [2, 0, 1, np.nan, 1, 2])
  path.write_text(path.read_text().replace('b,b', 'b,0.7'))
  with pytest.raises(UserError, match="'0.7', but those of 3 classes"):
    ready.read(path, ('all',))


_SAID = [*zip('abcabc', ['a', 'c', 'b', '', 'b', 'a'], strict=True)]

"""Studies in Python: parameters, data in memory, bits of the command line."""

import contextlib
import dataclasses
import html
import json
import logging
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from sklearn import base
from sklearn.datasets import load_breast_cancer
from sklearn.utils import estimator_checks

import heterojax
from heterojax import datasets
from heterojax.api import files
from heterojax.api import inputs
from heterojax.api import messages
from heterojax.api import page
from heterojax.api import parameters
from heterojax.api import results as results_lib
from heterojax.api import studies
from heterojax.api import table
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import parse_csv
from heterojax.errors import UserError
from heterojax.records import codec
from heterojax.run import run_folder
from heterojax.studies import checks
from heterojax.studies import registry
from heterojax.studies import running
from launch import study as command

_STUDIES = (heterojax.RetrainingStudy, heterojax.SampleSizeStudy)
_ROOT = pathlib.Path(__file__).resolve().parent.parent
# Enough for every page to have something in it.
_FAST = {
  'heads__random_runs': 2,
  'verdict__worlds': 9,
  'verdict__partitions': 9,
  'verdict__exchanges': 99,
}


# Parameters.


@pytest.mark.parametrize('kind', _STUDIES)
@pytest.mark.parametrize(
  'check',
  [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
  ],
)
def test_the_checks_of_scikit_learn_for_parameters_pass(kind, check) -> None:
  check(kind.__name__, kind())


def test_a_clone_has_the_parameters_and_shares_none() -> None:
  study = heterojax.RetrainingStudy(k=3, cluster__tol=0.1)
  study.set_params(backbone='resnet18', heads__c=2.0)
  same = base.clone(study)
  assert same.get_params() == study.get_params()
  assert study.get_params()['cluster__tol'] == 0.1
  same.set_params(cluster__tol=0.2, k=5)
  assert (study.k, study.get_params()['cluster__tol']) == (3, 0.1)
  assert repr(study) == (
    "RetrainingStudy(backbone='resnet18', cluster__tol=0.1, heads__c=2.0, k=3)"
  )


def test_every_field_is_a_parameter_but_where_the_data_are() -> None:
  short = {*parameters.SHORT.values()}
  for path in checks.FIELDS:
    name = path.replace('.', '__')
    expected = path not in parameters.OF_DATA and (
      path == 'seed' or path not in short
    )
    assert (name in parameters.FIELD_OF) == expected, path
  init = heterojax.RetrainingStudy().get_params()
  assert {*parameters.FIELD_OF} <= init.keys()
  for name, path in parameters.SHORT.items():
    assert init[name] in (None, checks.FIELDS[path].default)


@pytest.mark.parametrize(
  'name, says',
  [
    ('cluster__tool', 'did you mean cluster__tol?'),
    ('cluster__k', 'did you mean k?'),
    ('backbon', 'did you mean backbone?'),
    ('zzz', "'zzz': there are k, backbone"),
    ('data__dir', 'the data are given to fit'),
  ],
)
def test_a_parameter_that_there_is_not_is_told_at_once(name, says) -> None:
  with pytest.raises(TypeError, match=re.escape(says)):
    heterojax.RetrainingStudy(**{name: 1})
  with pytest.raises(ValueError, match=re.escape(says)):
    heterojax.RetrainingStudy().set_params(**{name: 1})


def test_values_are_those_that_a_command_would_have() -> None:
  config = parameters.configuration(
    'sample_size',
    'folder',
    {
      'positive': [2, 3],
      'negative': np.int64(0),
      'classes': None,
      'sizes': (60, 'all'),
      'heads__c': 1,
      'heads__widths': [8, 4],
      'backbone__weights': pathlib.Path('w.h5'),
    },
  )
  assert config['data']['positive'] == '2|3'
  assert config['data']['negative'] == '0'
  assert config['sizes'] == '60,all'
  assert repr(config['heads']['c']) == '1.0'
  assert config['heads']['widths'] == (8, 4)
  assert config['backbone']['weights'] == 'w.h5'
  assert config['split']['folds'] == 4
  checks.from_dict(config)
  classes = {'classes': ['a', 'b', 'c,d']}
  config = parameters.configuration('retraining', 'folder', classes)
  assert checks.from_dict(config).data.named == ('a', 'b', 'c,d')


@pytest.mark.parametrize(
  'label, text',
  [(True, 'True'), (np.False_, 'False'), ([True], 'True'), (1.0, '1.0')],
)
def test_a_class_may_be_named_by_what_y_has(label, text) -> None:
  config = parameters.configuration('retraining', 'folder', {'positive': label})
  assert config['data']['positive'] == text


# Data in memory: the readers read what was given.

_MATRIX = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
_LABELS = ['ill', 'well'] * 3


def _cohort(folder: pathlib.Path, *data, **more) -> Cohort:
  given = inputs.of(*data, **more)
  assert given.written is not None
  path = pathlib.Path(given.within(folder))
  with inputs.kept(given, folder):
    assert path.exists()
  return datasets.read(
    given.configuration,
    path,
    ('ill', 'well'),
    choices=Choices(given.columns),
  )


class _Frame:
  """A DataFrame of no library, in which columns are looked up by name."""

  def __init__(self, **columns):
    self.columns, self._columns = list(columns), columns

  def __dataframe__(self) -> None:
    raise AssertionError('Columns say enough.')

  def __getitem__(self, name):
    return self._columns[name]


def _as(kind: str) -> object:
  columns = {f'of {i}': _MATRIX[:, i] for i in range(3)}
  if kind in ('pandas', 'polars'):
    return pytest.importorskip(kind).DataFrame(columns)
  if kind == 'pyarrow':
    return pytest.importorskip(kind).table(columns)
  return {
    'array': _MATRIX,
    'lists': _MATRIX.tolist(),
    'columns': columns,
    'frame': _Frame(**columns),
  }[kind]


@pytest.mark.parametrize(
  'kind', ['array', 'lists', 'columns', 'frame', 'pandas', 'polars', 'pyarrow']
)
def test_features_of_any_library_are_the_same_features(kind, tmp_path) -> None:
  metadata = {'scanner': ['A', None, 'B', 'B', 'A', 'A'], 'file': range(6)}
  groups = np.array([7, 7, 8, 8, 9, 9])
  cohort = _cohort(
    tmp_path, _as(kind), _LABELS, groups=groups, metadata=metadata
  )
  np.testing.assert_array_equal(cohort.source.matrix, _MATRIX)
  assert [c.label for c in cohort.candidates] == _LABELS
  assert [c.group for c in cohort.candidates] == ['7', '7', '8', '8', '9', '9']
  assert [dict(c.columns)['scanner'] for c in cohort.candidates] == [
    *('A', '', 'B', 'B', 'A', 'A'),
  ]
  assert dict(cohort.candidates[4].columns)['file'] == '4'


def test_labels_and_groups_may_be_columns_of_the_table(tmp_path) -> None:
  frame = _Frame(a=_MATRIX[:, 0], dx=_LABELS, pid=[1, 1, 2, 2, 3, 3])
  cohort = _cohort(tmp_path, frame, 'dx', groups='pid')
  np.testing.assert_array_equal(cohort.source.matrix, _MATRIX[:, :1])
  assert [c.label for c in cohort.candidates] == _LABELS
  assert cohort.candidates[5].group == '3'


def test_labels_that_are_whole_numbers_are_written_as_such() -> None:
  assert [table.text(value) for value in (1.0, 1, True, b'x', None)] == [
    *('1', '1', 'True', 'x', ''),
  ]
  pandas = pytest.importorskip('pandas')
  assert table.text(pandas.NA) == table.text(pandas.NaT) == ''


@pytest.mark.parametrize('kind', ['list', 'column', 'arrow', 'pandas'])
def test_patients_beyond_float64_stay_apart_where_one_is_missing(kind) -> None:
  values = [2**53, 2**53 + 1, None]
  if kind == 'list':
    given = [*values[:2], math.nan]
  elif kind == 'column':
    given = [[2.0**60], [2**60 + 1], [math.nan]]
    values = [2**60, 2**60 + 1, None]
  elif kind == 'arrow':
    given = pytest.importorskip('pyarrow').chunked_array([values])
  else:
    given = pytest.importorskip('pandas').Series(values, dtype='Int64')
  expected = ['' if value is None else str(value) for value in values]
  assert table.cells('groups', given).tolist() == expected


def test_large_fractions_stay_numbers() -> None:
  given = [1e300, 0.1, math.nan, -math.inf]
  found = table.cells('y', given)
  assert found.dtype == np.float64
  np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize('shape', [(6, 9, 8), (6, 9, 8, 1), (6, 9, 8, 3)])
@pytest.mark.parametrize('kind', ['array', 'arrays', 'pictures'])
def test_images_lose_nothing(shape, kind, tmp_path) -> None:
  images = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
  plain = images[..., 0] if shape[-1] == 1 else images
  data = {
    'array': images,
    'arrays': list(images),
    'pictures': [PIL.Image.fromarray(image) for image in plain],
  }[kind]
  cohort = _cohort(tmp_path, data, _LABELS, groups=list('aabbcc'))
  assert [c.label for c in cohort.candidates] == _LABELS
  for candidate, image in zip(cohort.candidates, plain, strict=True):
    path = cohort.source.root / candidate.path
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(path)), image)


@pytest.mark.parametrize('kept', ['pixels', 'files'])
def test_images_are_on_the_disk_before_their_table(
  kept, tmp_path, monkeypatch
) -> None:
  """Which tells a later start, after a power cut too, that they are there."""
  images = np.random.default_rng(1).integers(0, 256, (6, 9, 8), np.uint8)
  how = files.images(images, {'label': np.array(_LABELS)})
  if kept == 'files':
    content = [(f'{i}.png', bytes([i])) for i in range(6)]
    how = files.encoded(content, {'label': np.array(_LABELS)})
  flushed, flush = [], os.fsync

  def note(descriptor: int) -> None:
    flush(descriptor)
    flushed.append(os.fstat(descriptor).st_ino)

  monkeypatch.setattr(os, 'fsync', note)
  how.write(tmp_path / 'images.csv')
  *pictures, table = [path.stat().st_ino for path in sorted(tmp_path.iterdir())]
  assert {*pictures} == {*flushed[:-1]} and flushed[-1] == table


def test_paths_of_images_are_read_where_they_are(tmp_path, monkeypatch) -> None:
  monkeypatch.chdir(tmp_path)
  paths = [pathlib.Path(f'{i}.png') for i in range(6)]
  for path in paths:
    PIL.Image.new('L', (9, 9)).save(path)
  cohort = _cohort(tmp_path / 'run', paths, _LABELS)
  assert all(c.included for c in cohort.candidates)
  found = [cohort.source.root / c.path for c in cohort.candidates]
  assert found == [path.absolute() for path in paths]


def test_the_same_data_are_written_under_the_same_name(tmp_path) -> None:
  names = {
    inputs.of(x, y).within(tmp_path)
    for x, y in (
      (_MATRIX, _LABELS),
      (_MATRIX.copy(), np.array(_LABELS)),
      (_MATRIX + 1, _LABELS),
      (_MATRIX, _LABELS[::-1]),
    )
  }
  assert len(names) == 3


# Mistakes, in the words of arguments.


@pytest.mark.parametrize(
  'data, more, says',
  [
    ((_MATRIX,), {}, 'y is missing'),
    ((_MATRIX, _LABELS[:5]), {}, 'y has 5 values, but X has 6 rows'),
    ((_MATRIX, _LABELS), {'groups': [1]}, 'groups has 1 values, but X has 6'),
    ((_MATRIX, _LABELS), {'metadata': {'label': _LABELS}}, "column 'label'"),
    ((_MATRIX, _LABELS), {'metadata': [1] * 6}, 'metadata must be a table'),
    ((_MATRIX, np.zeros((6, 2))), {}, 'y is [6, 2], but must be one value'),
    (({'sex': list('FFMMFM')}, _LABELS), {}, "column 'sex' of X holds 'F'"),
    (({'a': [1] * 6}, 'dx'), {}, "y is 'dx', but X has no such column"),
    ((np.zeros((6, 4, 4)), _LABELS), {}, 'row 0 of X is float64 [4, 4]'),
    ((np.zeros(6), _LABELS), {}, 'X is float64 [6], but must be features'),
    (('nowhere',), {}, 'nowhere does not exist: X must be'),
    (('.', _LABELS), {}, 'leave y, groups and metadata out'),
  ],
)
def test_data_that_do_not_fit_are_told(data, more, says) -> None:
  with pytest.raises(UserError, match=re.escape(says)):
    inputs.of(*data, **more)


@pytest.mark.parametrize('read_elsewhere', [True, False])
def test_a_start_takes_no_data_from_another(
  tmp_path: pathlib.Path, read_elsewhere: bool
) -> None:
  """Both wrote the same data, and the other one reads them now."""
  given, folder = inputs.of(_MATRIX, _LABELS), tmp_path / 'run'
  with contextlib.ExitStack() as other:
    with pytest.raises(UserError, match='mistaken'):
      with inputs.kept(given, folder):
        if read_elsewhere:
          other.enter_context(
            run_folder.locked(folder, 'run folder', 'workdir')
          )
        raise UserError('mistaken')
    assert pathlib.Path(given.within(folder)).exists() == read_elsewhere
    assert folder.exists() == read_elsewhere


@pytest.mark.parametrize(
  'x, name',
  [
    (_MATRIX, 'features.npz'),
    (['a.png', 'b.png'] * 3, 'images.csv'),
    ([np.full((2, 3), i, np.uint8) for i in range(6)], 'images.csv'),
    ([np.full((2, 3), i, np.uint8) for i in range(6)], '5.png'),
    ([np.full((2, 3, 3), i, np.uint8) for i in range(6)], '5.png'),
  ],
)
@pytest.mark.parametrize('how', ['flipped', 'shorter', 'missing'])
def test_damaged_data_are_written_anew(
  tmp_path: pathlib.Path, caplog, x, name: str, how: str
) -> None:
  """A label was another one, and nobody knew."""
  given, run = inputs.of(x, [0, 1] * 3), tmp_path / 'run'
  with inputs.kept(given, run):
    pass
  folder = pathlib.Path(given.within(run)).parent
  before = {file.name: file.read_bytes() for file in folder.iterdir()}
  content = bytearray(before[name])
  if how == 'missing':
    (folder / name).unlink()
  elif how == 'shorter':
    (folder / name).write_bytes(content[: len(content) // 2])
  else:
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
  with inputs.kept(given, run):
    after = {file.name: file.read_bytes() for file in folder.iterdir()}
  assert after == before
  is_table = how == 'missing' and name != '5.png'  # Of a start that was killed.
  assert ('are written anew' in caplog.text) != is_table
  caplog.clear()
  with inputs.kept(given, run):
    assert not caplog.text


@pytest.mark.parametrize('kind', ['paths', 'data set'])
def test_above_a_link_is_where_it_leads(
  kind: str, tmp_path: pathlib.Path, monkeypatch
) -> None:
  """As on the command line: images of the same names lie here, too."""
  for folder, value in (('far', 200), ('here', 10)):
    (tmp_path / folder / 'img').mkdir(parents=True)
    for i in range(6):
      image = PIL.Image.new('L', (9, 9), value + i)
      image.save(tmp_path / folder / 'img' / f'{i}.png')
  (tmp_path / 'far' / 'below').mkdir()
  (tmp_path / 'here' / 'link').symlink_to(tmp_path / 'far' / 'below')
  monkeypatch.chdir(tmp_path / 'here')
  paths = [f'link/../img/{i}.png' for i in range(6)]
  how = inputs.of(paths, _LABELS).written
  if kind == 'data set':
    more = {'label': np.array(_LABELS)}
    how = files.encoded([(path, path) for path in paths], more)
  assert how is not None
  how.write(tmp_path / 'images.csv')
  rows = parse_csv((tmp_path / 'images.csv').read_text())
  found = [PIL.Image.open(row['path']).getpixel((0, 0)) for row in rows]
  assert found == [200, 201, 202, 203, 204, 205]


def test_exchanged_pictures_are_written_anew(tmp_path: pathlib.Path) -> None:
  pictures = [np.full((2, 3), i, np.uint8) for i in range(6)]
  given, run = inputs.of(pictures, [0, 1] * 3), tmp_path / 'run'
  with inputs.kept(given, run):
    pass
  folder = pathlib.Path(given.within(run)).parent
  (folder / '5.png').rename(tmp_path / 'other.png')
  (folder / '4.png').rename(folder / '5.png')
  (tmp_path / 'other.png').rename(folder / '4.png')
  with inputs.kept(given, run):
    for i, picture in enumerate(pictures):
      with PIL.Image.open(folder / f'{i}.png') as image:
        np.testing.assert_array_equal(np.asarray(image), picture)


def test_a_start_goes_on_from_what_one_left(tmp_path: pathlib.Path) -> None:
  """The lock says that it is a run's: without it the folder is refused."""
  given, folder = inputs.of(_MATRIX, _LABELS), tmp_path / 'run'
  for _ in range(2):
    with pytest.raises(UserError, match='mistaken'):
      with inputs.kept(given, folder), run_folder.opened(folder, {}, {}):
        (folder / 'cohort').mkdir(exist_ok=True)
        raise UserError('mistaken')
    assert {p.name for p in folder.iterdir()} == {'.lock', 'cohort'}


@pytest.mark.parametrize(
  'said, expected',
  [
    (
      'choose a smaller --config.cluster.k.',
      'choose a smaller k.',
    ),
    (
      'or choose --config.heads.kind=logistic.',
      "or choose heads__kind='logistic'.",
    ),
    ('give --config.data.masks=True.', 'give data__masks=True.'),
    (
      "name it with --config.data.columns='label:dx'.",
      "name it with data__columns='label:dx'.",
    ),
    ('There is no file x (--config.data.dir or .files).', None),
    ('--config.data.dir (or .files) must name', 'X must name'),
    ('choose another --workdir, or allow it with --allow_mismatch.', None),
    ('folders of images (--config=folder), not', 'folders of images, not'),
    ('set backbone.train=full (see --help).', None),
    (
      'features.npz and data.dir.txt stay',
      'features.npz and data.dir.txt stay',
    ),
  ],
)
def test_flags_become_arguments(said, expected) -> None:
  found = messages.translated(said)
  assert '--' not in found
  assert expected in (None, found)


def test_no_sentence_of_the_library_keeps_a_flag() -> None:
  said = {
    flag
    for path in (_ROOT / 'heterojax').rglob('*.py')
    for flag in re.findall(r'--config\.[\w.]*\w', path.read_text())
  }
  assert len(said) > 50
  for flag in said:
    name = messages.translated(f'Mend {flag}.')
    path = flag.removeprefix('--config.')
    assert name in ('Mend X.', f'Mend {parameters.name(path)}.')


@pytest.mark.parametrize(
  'params, says',
  [
    ({'k': 1}, 'k is 1, but must be 2 or more'),
    ({'cluster__method': 'x'}, "cluster__method is 'x', but must be one of"),
    ({'folds': 1}, 'folds is 1, but must be 0'),
    ({'classes': 'all', 'positive': 'ill'}, 'and positive or negative names'),
    ({'backbone': 'resnet18'}, 'but X holds features already'),
    ({'data__columns': 'label:dx'}, 'y, groups and metadata say'),
    ({'workdir': 'gs://bucket'}, 'workdir is gs://bucket, but must be'),
  ],
)
def test_mistakes_speak_of_arguments_and_leave_nothing(
  params, says, tmp_path, monkeypatch
) -> None:
  monkeypatch.setattr(running, 'run', None)
  study = heterojax.RetrainingStudy(**{'workdir': tmp_path / 'run', **params})
  with pytest.raises(UserError, match=re.escape(says)):
    study.fit(_MATRIX, _LABELS)
  assert not any(tmp_path.iterdir())
  assert not hasattr(study, 'verdict_')


@pytest.mark.medium
def test_a_mistake_in_the_data_leaves_nothing_behind(tmp_path) -> None:
  study = heterojax.RetrainingStudy(workdir=tmp_path / 'a' / 'run')
  with pytest.raises(UserError, match='(?s)positive'):
    study.fit(_MATRIX, [0, 1, 2] * 2)
  assert not any(tmp_path.iterdir())


def test_a_study_that_has_not_run_says_so(tmp_path) -> None:
  with pytest.raises(UserError, match='call fit'):
    heterojax.SampleSizeStudy().report(tmp_path / 'x.html')
  with pytest.raises(UserError, match='workdir of a study'):
    heterojax.load(tmp_path)


@pytest.mark.medium
def test_importing_heterojax_imports_nothing_that_takes_long() -> None:
  code = (
    'import sys\nbefore = len(sys.modules)\nimport heterojax\n'
    "heavy = {'jax', 'numpy', 'sklearn', 'scipy'} & {*sys.modules}\n"
    'print(len(sys.modules) - before, *heavy, *dir(heterojax))'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True
  )
  number, *words = done.stdout.split()
  assert int(number) < 150
  assert not {'jax', 'numpy', 'sklearn', 'scipy'} & {*words}
  assert {*heterojax.__all__} <= {*words}


# Whole studies.


@pytest.fixture(scope='module')
def fitted(tmp_path_factory):
  """Scikit-learn's breast-cancer set, in the fewest lines."""
  data = load_breast_cancer()
  study = heterojax.RetrainingStudy(
    positive='malignant',
    workdir=tmp_path_factory.mktemp('runs') / 'api',
    **_FAST,
  )
  return study.fit(data.data, data.target_names[data.target])


@pytest.mark.slow
@pytest.mark.trains
def test_a_study_says_its_answer(fitted, tmp_path) -> None:
  assert fitted.verdict_.answer in (
    *('yes', 'no sign', 'too little data', 'cannot be answered'),
  )
  assert fitted.verdict_.sentence == fitted.results_.verdict.sentence
  assert 0 < fitted.verdict_.p_value <= 1
  page = fitted._repr_mimebundle_()['text/html']
  assert fitted.verdict_.answer.capitalize() in page
  assert 'data:image/png;base64,' in page
  path = fitted.report(tmp_path / 'report.html')
  assert path.read_bytes() == (fitted.workdir_ / 'report.html').read_bytes()


@pytest.mark.slow
@pytest.mark.trains
def test_rows_of_images_and_clusters_agree_with_the_files(fitted) -> None:
  rows = parse_csv((fitted.workdir_ / 'clusters.csv').read_text())
  images, clusters = fitted.images_, fitted.clusters_
  data = load_breast_cancer()
  assert len(rows) == len(images['id']) == 569
  for i, row in enumerate(rows):
    assert images['id'][i] == row['id']
    assert images['cluster'][i] == int(row['cluster'])
    assert images['probability'][i] == float(row['probability'])
    assert images['correct'][i] == (row['correct'] == 'true')
    number = int(images['path'][i])
    assert images['label'][i] == data.target_names[data.target[number]]
  sizes = [c.size for c in fitted.results_.clusters]
  assert list(clusters['n_train']) == sizes
  assert sum(clusters['n_test']) == fitted.results_.dataset.n_test
  of_labels = clusters['n_train_benign'] + clusters['n_train_malignant']
  assert list(of_labels) == sizes


@pytest.mark.slow
@pytest.mark.trains
def test_a_run_is_opened_again(fitted, tmp_path) -> None:
  same = heterojax.load(fitted.workdir_)
  assert type(same) is heterojax.RetrainingStudy
  assert same.verdict_ == fitted.verdict_
  assert same.results_ == fitted.results_
  assert same.get_params() == fitted.get_params()
  for name, column in fitted.images_.items():
    np.testing.assert_array_equal(same.images_[name], column)
  other = shutil.copytree(fitted.workdir_, tmp_path / 'other')
  beside = heterojax.compare([fitted, other], out=tmp_path / 'both')
  assert (tmp_path / 'both' / 'comparison.html').is_file()
  assert len({*beside['source']}) > 1
  with pytest.raises(UserError, match='^runs names one folder twice'):
    heterojax.compare([fitted, same])


def _bits(folder: pathlib.Path) -> dict[str, object]:
  """Everything that a run computes, but for seconds and the machine."""
  tree = json.loads((folder / 'results.json').read_text())
  del tree['timings'], tree['environment']
  tables = sorted((folder / 'tables').iterdir())
  files = [folder / 'clusters.csv', folder / 'manifest.csv', *tables]
  return {'results': tree, **{f.name: f.read_bytes() for f in files}}


@pytest.mark.slow
@pytest.mark.trains
def test_the_command_line_gives_the_same_bits(fitted, tmp_path) -> None:
  data = load_breast_cancer()
  path = tmp_path / 'features.npz'
  labels = data.target_names[data.target]
  np.savez(path, features=data.data, label=labels)
  flags = [
    f'--config.{parameters.FIELD_OF[name]}={value}'
    for name, value in _FAST.items()
  ]
  words = ('study.py', '--config=features', f'--config.data.dir={path}')
  run = tmp_path / 'run'
  named = ('--config.data.positive=malignant', f'--workdir={run}')
  assert command.main([*words, *named, *flags]) == 0
  assert _bits(run) == _bits(fitted.workdir_)


@pytest.mark.slow
@pytest.mark.trains
def test_a_folder_is_read_as_the_command_line_reads_it(tmp_path) -> None:
  rng = np.random.default_rng(0)
  paths, labels = [], []
  for label, shade in (('glaucoma', 60), ('normal', 180)):
    (tmp_path / 'photos' / label).mkdir(parents=True)
    for i in range(20):
      path = tmp_path / 'photos' / label / f'{i}.png'
      pixels = rng.normal(shade, 40, (32, 32, 3)).clip(0, 255)
      PIL.Image.fromarray(pixels.astype(np.uint8)).save(path)
      paths.append(path)
      labels.append(label)
  study = heterojax.RetrainingStudy(
    k=2, data__image_size=32, **{**_FAST, 'verdict__worlds': 0}
  )
  of_folder = base.clone(study).fit(tmp_path / 'photos')
  of_paths = base.clone(study).fit(paths, labels)
  of_arrays = base.clone(study).fit([PIL.Image.open(p) for p in paths], labels)
  for fitted in (of_folder, of_paths, of_arrays):
    assert fitted.workdir_.name.startswith('heterojax-')
    assert len(fitted.images_['id']) == 40
    found = dict(zip(fitted.images_['path'], fitted.images_['label']))
    assert sorted(found.values()) == sorted(labels)
  # In another order rows are drawn into other parts.
  np.testing.assert_array_equal(
    of_paths.images_['probability'], of_arrays.images_['probability']
  )


@pytest.mark.slow
@pytest.mark.trains
def test_ten_lines_of_python(tmp_path, monkeypatch) -> None:
  """The lines of the README, with fewer draws, in a notebook's order."""
  pytest.importorskip('pandas')
  monkeypatch.chdir(tmp_path)
  text = (_ROOT / 'README.md').read_text()
  code = re.search(r'```python\n(.*?)```', text, re.DOTALL)[1]
  assert len(code.splitlines()) <= 12
  more = ', '.join(f'{name}={value}' for name, value in _FAST.items())
  said: dict[str, object] = {}
  exec(code.replace('Study(', f'Study({more}, '), said)
  assert said['study'].verdict_.p_value


@pytest.mark.parametrize(
  'cells, values',
  [
    (['1', '', '3'], [1.0, np.nan, 3.0]),
    (['1', '0.5', '1e-30'], [1.0, 0.5, 1e-30]),
    (['nan', '-inf', '2.0'], [np.nan, -np.inf, 2.0]),
    (['00001340_000', '00001340_001'], ['00001340_000', '00001340_001']),
    (['007', '8'], ['007', '8']),
    (['1_0', '2.5'], ['1_0', '2.5']),
  ],
)
def test_names_that_look_like_numbers_stay_names(
  tmp_path, cells, values
) -> None:
  file = tmp_path / 'leaks.csv'
  file.write_text('id,value\n' + ''.join(f'7,{cell}\n' for cell in cells))
  found = results_lib.csv(file)
  np.testing.assert_array_equal(found['value'], values)
  assert set(found['id']) == {'7'}
  # The image that another one is like has an id, too.
  file.write_text('id,other\n7,8\n')
  assert results_lib.csv(file)['other'].tolist() == ['8']


def test_what_a_run_says_by_hand(tmp_path: pathlib.Path) -> None:
  """Rows and sums of a folder of four images, and the example's answer."""
  (tmp_path / 'manifest.csv').write_text(
    'id,path,label,group,split\n'
    '0,0.png,ill,p0,\n1,1.png,well,p1,\n2,2.png,ill,p2,\n3,3.png,well,p3,\n'
  )
  (tmp_path / 'clusters.csv').write_text(
    'id,split,cluster,centroid_distance,probability,correct\n'
    '0,train,0,1.5,0.9,true\n0+1,train,1,1.5,0.9,true\n'
    '1,train,1,0.5,0.2,true\n2,test,0,0.5,0.4,false\n3,test,0,0.5,0.4,true\n'
  )
  rows = results_lib.images(tmp_path)
  assert rows['id'].tolist() == ['0', '0+1', '1', '2', '3']
  assert rows['path'][1] == '0.png' and rows['group'][4] == 'p3'
  assert rows['correct'].tolist() == [True, True, True, False, True]
  docs = pathlib.Path(__file__).parent.parent / 'docs'
  tree = json.loads((docs / 'results_retraining.json').read_text())
  record = codec.decode(registry.get('retraining').results, tree)
  found = results_lib.clusters(record, rows)
  assert found['cluster'].tolist() == [0, 1]
  assert found['n_train'].tolist() == [1, 2]
  assert found['n_train_well'].tolist() == [0, 1]
  assert found['n_test'].tolist() == [2, 0]
  assert found['accuracy'][0] == 0.5 and np.isnan(found['accuracy'][1])
  own = results_lib.verdict(record)
  text = page.render('retraining', own, tmp_path)
  assert (
    html.escape(own.sentence) in re.sub('</?b>', '', text)
    and '<img' not in text
  )
  (tmp_path / 'figures').mkdir()
  (tmp_path / 'figures' / 'table3_retrained_vs_random.png').write_bytes(b'PNG')
  assert 'base64,UE5H"' in page.render('retraining', own, tmp_path)
  # A class may be called so, and would turn the numbers after it around.
  turned = dataclasses.replace(own, sentence='In \u202e 12')
  assert 'In \ufffd 12' in page.render('retraining', turned, tmp_path)
  cells = table.Table({'\u202e': np.array(['\u2067'])})
  assert '\ufffd</th></tr><tr><td>\ufffd' in cells._repr_html_()


def test_names_of_data_steer_no_terminal(tmp_path, capfd) -> None:
  """Notes and errors say names of columns and files as they are."""
  more = {'pa\x1b]0;x\x07tient': list('aabbcc'), 'label': _LABELS}
  study = heterojax.RetrainingStudy(workdir=tmp_path / 'a', verbose=True)
  with pytest.raises(UserError) as caught:
    study.fit(_MATRIX, _LABELS, metadata=more)
  with pytest.raises(UserError) as also:
    study.fit(tmp_path / 'no\x1b[2Jfile')
  (tmp_path / 'b\x1b[2J').mkdir()
  with studies._told(verbose=True):
    logging.getLogger('heterojax').warning('%s', tmp_path / 'b\x1b[2J')
  said = f'{caught.value}{also.value}{capfd.readouterr().err}'
  assert '\\x1b[2J' in str(also.value) and '\\x1b[2J' in said
  assert '\x1b' not in said


def test_a_link_in_a_run_of_others_leads_no_file_into_a_page(tmp_path) -> None:
  """A picture or report that is shared would hold it."""
  secret = tmp_path / 'secret'
  secret.write_text('secret')
  run = tmp_path / 'run'
  (run / 'figures').mkdir(parents=True)
  name = 'table3_retrained_vs_random.png'
  (run / 'figures' / name).symlink_to(secret)
  (run / 'report.html').symlink_to(secret)
  assert '<img' not in page.render('retraining', None, run)
  study = heterojax.RetrainingStudy()
  study.workdir_ = run
  with pytest.raises(UserError, match='report.html is a link'):
    study.report(tmp_path / 'copy.html')
  (run / 'figures' / name).unlink()
  (run / 'figures' / name).write_bytes(b'png')
  assert '<img' in page.render('retraining', None, run)

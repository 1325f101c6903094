"""Labels that are one class."""

import pathlib

import numpy as np
from PIL import Image
import pytest

from heterojax import datasets
from heterojax.datasets import classes
from heterojax.datasets.choices import NO_CHOICES
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError

_PATH = pathlib.Path('DATA')


def _merged(labels: str, positive: str, negative: str):
  labels = [label.strip() for label in labels.split(',')]
  found = classes.merge(_PATH, labels, (positive, negative))
  return found.named, [*map(found.name, labels)], found.notes


def test_grades_are_merged() -> None:
  named, labels, notes = _merged('0,1,2,3,4,2', '2|3|4', '0|1')
  assert named == ('2 or 3 or 4', '0 or 1')
  assert labels == [named[i] for i in (1, 1, 0, 0, 0, 0)]
  assert notes == (
    "The class '2 or 3 or 4' is made of the labels 2 (2), 3 (1), 4 (1).",
    "The class '0 or 1' is made of the labels 0 (1), 1 (1).",
  )


def test_what_a_label_was_is_kept() -> None:
  found = classes.merge(_PATH, '012', ('1|2', '0'))
  c = found.labelled(Candidate('0', '0.png', '2', '', columns=(('a', 'b'),)))
  assert c.label == '1 or 2'
  assert c.columns == (('a', 'b'), (classes.LABEL, '2'))
  assert found.label_columns == (classes.LABEL,)


def test_the_rest() -> None:
  named, labels, notes = _merged('mel,nv,bcc,', 'mel', 'rest')
  assert named == ('mel', 'rest')
  # What has no label is of no class.
  assert labels == ['mel', 'rest', 'rest', '']
  assert notes == ("The class 'rest' is made of the labels nv (1), bcc (1).",)


def test_a_label_that_is_written_so_is_meant_first() -> None:
  named, labels, notes = _merged('a|b,a,b,rest', 'a|b', 'rest')
  assert named == ('a|b', 'rest') and labels == ['a|b', 'a', 'b', 'rest']
  (note,) = notes
  assert 'positive=a|b is the label of DATA' in note and 'a, b are' in note


def test_labels_of_both_classes_are_of_neither() -> None:
  labels = 'mel,nv,mel and nv,nv and bcc,bcc|mel'
  named, found, notes = _merged(labels, 'mel', 'rest')
  assert named == ('mel', 'rest')
  assert found == ['mel', 'rest', 'mel and nv', 'rest', 'bcc|mel']
  assert notes[-1] == (
    "Labels of both classes are left out: 'bcc|mel' (1), 'mel and nv' (1)."
  )


def test_a_merged_class_takes_no_name_of_a_label() -> None:
  with pytest.raises(UserError, match="has a label '2 or 3'.*rename it"):
    _merged('2,3,2 or 3,0', '2|3', '0')
  # Unless that is in it.
  named, _, notes = _merged('2,3,2 or 3,0', '2|2 or 3', '0')
  assert named[0] == '2 or 2 or 3' and notes


def test_without_merging_nothing_changes() -> None:
  found = classes.merge(_PATH, '012', ('1', ''))
  c = Candidate('0', '0.png', '2', '')
  assert found.labelled(c) is c and found.named == ('1', '')
  assert not found.label_columns and not found.notes


def test_the_other_class_may_be_left_to_the_labels() -> None:
  named, labels, _ = _merged('0,1,2', '1|2', '')
  assert classes.choose(_PATH, labels, named) == ('1 or 2', '0')


@pytest.mark.parametrize(
  ('positive', 'negative', 'message'),
  [
    ('2|5', '0', "no label '5'.*positive=2|5.*0, 1, 2"),
    ('1|2', '0|1', "'1' is named twice in .* give it once"),
    ('1|1', '0', "'1' is named twice"),
    ('rest', 'rest', 'can be rest'),
    ('0|1|2', 'rest', 'leave labels'),
    ('rest', '', 'can be rest'),
    ('|', '0', 'names no label'),
  ],
)
def test_mistakes_are_told(positive: str, negative: str, message: str) -> None:
  with pytest.raises(UserError, match=message):
    _merged('0,1,2', positive, negative)


def test_a_class_may_lack_some_of_its_labels_where_that_is_allowed() -> None:
  found = classes.merge(_PATH, '0022', ('2|3|4', '0'), incomplete=True)
  assert found.named == ('2 or 3 or 4', '0')
  assert found.of == {'2': '2 or 3 or 4', '0': '0'}
  assert found.notes == (
    "The class '2 or 3 or 4' is made of the labels 2 (2).",
  )
  with pytest.raises(UserError, match="no label '3'"):
    classes.merge(_PATH, '0', ('3|4', '0'), incomplete=True)
  with pytest.raises(UserError, match="no label '5'"):
    classes.merge(_PATH, '0022', ('2|5', '0'))


@pytest.mark.parametrize('positive', ['2|', ' 2 ', '2.0', '|2|'])
def test_one_label_may_be_written_as_several(positive: str) -> None:
  assert classes.merge(_PATH, '012', (positive, '0')).named == ('2', '0')


def test_numbers_are_merged_however_they_are_written() -> None:
  assert _merged('0,2,3', '2.0|3', '0')[0] == ('2 or 3', '0')
  # Folders may be called so.
  assert _merged('0,2.0,3', '2.0|3', '0')[0] == ('2.0 or 3', '0')


_WORDS = ('unknown', 'NA', '-9', 'mel', 'nv', 'none')


def _with_words(root: pathlib.Path, kind: str) -> tuple[str, pathlib.Path]:
  """Labels of which three are words for none, six images of each."""
  if kind == 'folders':
    for label in _WORDS:
      for i in range(6):
        (root / label).mkdir(exist_ok=True)
        (root / label / f'{i}.png').touch()
    return 'folder', root
  path = root / 'labels.csv'
  columns = {'table': 'path,label', 'features': 'label,f0,f1'}[kind]
  rows = [
    f'{label}_{i}.png,{label}' if kind == 'table' else f'{label},{i}.5,2.{i}'
    for label in _WORDS
    for i in range(6)
  ]
  path.write_text('\n'.join([columns, *rows]))
  return ('features' if kind == 'features' else 'folder'), path


@pytest.mark.parametrize('kind', ['folders', 'table', 'features'])
def test_words_for_none_are_labels_where_a_merged_class_names_them(
  tmp_path: pathlib.Path, kind: str
) -> None:
  dataset, path = _with_words(tmp_path, kind)
  cohort = datasets.read(dataset, path, ('unknown|NA|-9', 'mel|nv'))
  used = {(dict(c.columns)[classes.LABEL], c.label) for c in cohort.included}
  none, other = 'unknown or NA or -9', 'mel or nv'
  assert used == {
    *(('unknown', none), ('NA', none), ('-9', none)),
    *(('mel', other), ('nv', other)),
  }
  (left_out,) = {c.reason for c in cohort.candidates if not c.included}
  assert left_out == "label 'none' stands for none"
  # Words that nobody names are in no rest.
  cohort = datasets.read(dataset, path, ('unknown|mel', 'rest'))
  assert {dict(c.columns)[classes.LABEL] for c in cohort.included} == {
    *('unknown', 'mel', 'nv'),
  }
  with pytest.raises(UserError, match=r"no label 'lost' \(.*positive=NA.lost"):
    datasets.read(dataset, path, ('NA|lost', 'mel'))


def _graded(
  tmp_path: pathlib.Path,
  kind: str,
  named: classes.Classes = ('2|3|4', 'rest'),
  choices: Choices = NO_CHOICES,
) -> datasets.Cohort:
  """Five grades of ten images, as a reader of users' own data reads them."""
  if kind == 'table':
    path = tmp_path / 'grades.csv'
    rows = [f'{i}.png,{i % 5}' for i in range(10)]
    path.write_text('\n'.join(['id_code,diagnosis', *rows]))
    return datasets.read('folder', path, named, choices=choices)
  if kind == 'folders':
    for i in range(10):
      file = tmp_path / 'grades' / str(i % 5) / f'{i}.png'
      file.parent.mkdir(parents=True, exist_ok=True)
      Image.new('L', (8, 8), 10 * i).save(file)
    return datasets.read('folder', tmp_path / 'grades', named, choices=choices)
  path = tmp_path / f'{kind}.npz'
  grades = np.arange(10) % 5
  if kind == 'features':
    x = np.random.default_rng(0).normal(size=(10, 3))
    np.savez(path, features=x, label=grades, prediction=grades)
    return datasets.read('features', path, named, choices=choices)
  images = np.zeros((10, 28, 28), np.uint8)
  np.savez(path, train_images=images, train_labels=grades[:, None])
  return datasets.read('folder', path, named, choices=choices)


@pytest.mark.parametrize(
  'kind', ['table', 'folders', 'features', 'retinamnist']
)
def test_each_reader_knows_a_class_that_lacks_a_label(
  tmp_path: pathlib.Path, kind: str
) -> None:
  named = ('3|4|5', '0')
  with pytest.raises(UserError, match="no label '5'.*positive=3|4|5"):
    _graded(tmp_path, kind, named)
  cohort = _graded(tmp_path, kind, named, Choices(incomplete=True))
  assert cohort.classes == ('3 or 4 or 5', '0')
  assert len(cohort.included) == 6
  with pytest.raises(UserError, match="no label '5'"):
    _graded(tmp_path, kind, ('5|6', '0'), Choices(incomplete=True))


@pytest.mark.parametrize(
  'kind', ['table', 'folders', 'features', 'retinamnist']
)
def test_each_reader_merges_grades(tmp_path: pathlib.Path, kind: str) -> None:
  cohort = _graded(tmp_path, kind)
  assert cohort.classes == ('2 or 3 or 4', 'rest')
  was = {(dict(c.columns)[classes.LABEL], c.label) for c in cohort.candidates}
  high, low = cohort.classes
  assert was == {(g, high) for g in '234'} | {('0', low), ('1', low)}
  assert all(c.included for c in cohort.candidates)
  # It tells the class, and is no shortcut.
  assert classes.LABEL in cohort.label_columns
  assert any(
    'made of the labels 2 (2), 3 (2), 4 (2)' in n for n in cohort.notes
  )
  if kind == 'features':  # Predicted grades are of the merged classes, too.
    predicted = cohort.source.predictions
    assert predicted.tolist() == [float(i % 5 > 1) for i in range(10)]


def test_a_merged_class_has_one_name_in_prepared_data_as_well() -> None:
  assert classes.merged_name('2||3|') == _merged('0,2,3', '2||3|', '0')[0][0]
  assert classes.is_merged('2 or 3', '3|2')
  assert not classes.is_merged('2 or 3', '2|3|4')
  assert classes.is_merged('2 or 3', '2|3|4', incomplete=True)
  assert not classes.is_merged('2 or 5', '2|3|4', incomplete=True)
  assert not classes.is_merged('2', '2')


def test_folders_are_the_classes_whatever_table_lies_beside_them(
  tmp_path: pathlib.Path,
) -> None:
  for i in range(12):
    file = tmp_path / str(i % 3) / f'{i}.png'
    file.parent.mkdir(exist_ok=True)
    Image.new('L', (8, 8), 10 * i).save(file)
  rows = [f'{i % 3}/{i}.png,{(i + 1) % 3}' for i in range(12)]
  (tmp_path / 'more.csv').write_text('\n'.join(['path,label', *rows]))
  for positive in ('1', '1|2'):
    cohort = datasets.read('folder', tmp_path, (positive, 'rest'))
    for c in cohort.included:
      assert (c.label == 'rest') == (c.path[0] not in positive)


def test_predictions_that_may_be_labels_or_classes(
  tmp_path: pathlib.Path,
) -> None:
  x = np.random.default_rng(0).normal(size=(10, 3))
  grades = np.arange(10) % 5
  path = tmp_path / 'x.npz'
  np.savez(path, features=x, label=grades, prediction=(grades > 1).astype(int))
  with pytest.raises(UserError, match='write them as 2 or 3 or 4 and rest'):
    datasets.read('features', path, ('2|3|4', 'rest'))
  names = np.where(grades > 1, '2 or 3 or 4', 'rest')
  np.savez(path, features=x, label=grades, prediction=names)
  cohort = datasets.read('features', path, ('2|3|4', 'rest'))
  assert cohort.source.predictions.tolist() == (grades > 1).tolist()


def test_every_label_is_a_class() -> None:
  labels = ['10', '2', 'nv', 'bcc', '2', '']
  assert classes.merge(_PATH, labels, classes.ALL) == classes.Merged(
    classes.ALL
  )
  chosen = classes.choose(_PATH, labels, classes.ALL)
  assert chosen == ('2', '10', 'nv', 'bcc')
  # Which of two is the disease nobody can know.
  with pytest.raises(UserError, match='leave it out, and say which of 0 and 1'):
    classes.choose(_PATH, ['0', '1'], classes.ALL)
  with pytest.raises(UserError, match='named twice in --config.data.classes'):
    classes.merge(_PATH, '0123', ('0|1', '1|2', '3'))
  with pytest.raises(UserError, match="Two classes of .* are 'a'"):
    classes.require_different(('a', 'b', 'a'))


def test_several_classes_are_merged_too() -> None:
  named, found = ('0', '1|2', 'rest'), None
  found = classes.merge(_PATH, '01234', named)
  assert found.named == ('0', '1 or 2', 'rest')
  assert [found.name(label) for label in '01234'] == [
    '0',
    '1 or 2',
    '1 or 2',
    'rest',
    'rest',
  ]


@pytest.mark.parametrize('kind', ['folder', 'features', 'medmnist'])
def test_each_reader_knows_several_classes(tmp_path, kind: str) -> None:
  names = [str(i % 4) for i in range(12)]
  if kind == 'folder':
    for i, name in enumerate(names):
      (tmp_path / name).mkdir(exist_ok=True)
      pixels = np.full((4, 4, 3), 20 * i, np.uint8)
      Image.fromarray(pixels).save(tmp_path / name / f'{i}.png')
    path = tmp_path
  elif kind == 'features':
    path = tmp_path / 'x.npz'
    np.savez(path, features=np.eye(12, 5), label=names)
  else:
    path, images = tmp_path / 'x.npz', np.zeros((12, 8, 8), np.uint8)
    np.savez(path, train_images=images, train_labels=np.array(names, int))
  every = datasets.read(kind, path, classes.ALL)
  assert every.classes == ('0', '1', '2', '3')
  assert every.codes == {'3': 0, '2': 1, '1': 2, '0': 3}
  assert len(every.included) == 12
  some = datasets.read(kind, path, ('3', '0', '1'))
  assert some.classes == ('3', '0', '1') and len(some.included) == 9
  reasons = {c.reason for c in some.candidates if not c.included}
  assert reasons == {"label '2' is not one of the classes"}

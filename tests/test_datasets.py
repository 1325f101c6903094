"""Reading a data set by its name, for either task."""

import pathlib

import numpy as np
import pytest

from heterojax import datasets
from heterojax.datasets import builders
from heterojax.datasets import hands
from heterojax.errors import UserError

_CSV = 'path,label,sex\n1.png,12.0,f\n2.png,30.5,m\n3.png,,f\n4.png,120,f\n'


def _table(folder: pathlib.Path) -> pathlib.Path:
  (folder / 'x.csv').write_text(_CSV)
  return folder / 'x.csv'


def test_numbers_of_a_folders_table(tmp_path: pathlib.Path) -> None:
  cohort = datasets.read(
    'folder', _table(tmp_path), ('', ''), task='regression', where='sex=f'
  )
  assert [(c.label, c.reason) for c in cohort.candidates] == [
    ('12', ''),
    ('30.5', "sex is not 'f'"),
    ('', 'no label'),
    ('120', ''),
  ]
  assert (cohort.task, cohort.classes) == ('regression', ())


def test_where_restricts_classes_too(tmp_path: pathlib.Path) -> None:
  cohort = datasets.read(
    'folder', _table(tmp_path), ('12.0', '120'), where='sex=f'
  )
  assert cohort.classes == ('12', '120')  # 12.0 is 12.
  assert [c.reason for c in cohort.candidates] == [
    '',
    "label '30.5' is not one of the two classes",
    'no label',
    '',
  ]


@pytest.mark.parametrize('name', ['odir5k', 'nih_cxr', 'medmnist', 'demo'])
def test_data_sets_of_classes_alone(tmp_path: pathlib.Path, name: str) -> None:
  with pytest.raises(UserError, match=f'^{name} has classes, no numbers'):
    datasets.read(name, tmp_path, ('', ''), task='regression')


def test_a_folder_that_is_an_npz_file_has_classes(
  tmp_path: pathlib.Path,
) -> None:
  np.savez(tmp_path / 'x.npz', train_labels=[[0]])
  with pytest.raises(UserError, match='medmnist has classes'):
    datasets.read('folder', tmp_path / 'x.npz', ('', ''), task='regression')


@pytest.mark.parametrize(
  ('names', 'says'),
  [
    (('ill', ''), 'config.data.positive'),
    (('', '1'), 'config.data.negative'),
  ],
)
def test_classes_of_a_regression(
  tmp_path: pathlib.Path, names: tuple[str, str], says: str
) -> None:
  with pytest.raises(UserError, match=says):
    datasets.read('folder', _table(tmp_path), names, task='regression')


def test_folders_and_words_are_no_numbers(tmp_path: pathlib.Path) -> None:
  (tmp_path / 'ill').mkdir()
  (tmp_path / 'ill' / '1.png').touch()
  with pytest.raises(UserError, match='must be a CSV file'):
    datasets.read('folder', tmp_path, ('', ''), task='regression')
  (tmp_path / 'x.csv').write_text('path,label\n1.png,ill\n')
  with pytest.raises(UserError, match="no label that is a number, as 'ill'"):
    datasets.read('folder', tmp_path / 'x.csv', ('', ''), task='regression')


def test_made_up_hands(tmp_path: pathlib.Path) -> None:
  table = hands.write_cohort(tmp_path, num_images=6, seed=0, image_size=32)
  cohort = datasets.read('demo_hands', table, ('', ''), task='regression')
  assert (cohort.name, len(cohort.included)) == ('demo_hands', 6)
  assert [int(c.label) for c in cohort.candidates] == [
    image.age for image in hands.plan(6, 0)
  ]
  with pytest.raises(UserError, match='--config.data.task=regression'):
    datasets.read('demo_hands', table, ('', ''))


@pytest.fixture(scope='module')
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """Prepared data: bone ages, and a table of two classes."""
  root = tmp_path_factory.mktemp('raw')
  table = hands.write_cohort(root, num_images=4, seed=0, image_size=32)
  rows = ['id,boneage,male', *(f'{i},{10 * i + 1},{i < 3}' for i in range(4))]
  (root / 'boneage-training-dataset.csv').write_text('\n'.join(rows))
  for i in range(4):
    (root / 'images' / f'000{i}.png').rename(root / 'images' / f'{i}.png')
  out = tmp_path_factory.mktemp('prepared')
  builders.prepare('bone_age', root, ('', ''), out / 'bones')
  labels = [f'{root}/images/{i}.png,{i % 2}' for i in range(4)]
  table.write_text('\n'.join(['path,label', *labels]))
  builders.prepare('folder', table, ('1', '0'), out / 'folder')
  return out


def test_prepared_bone_ages_serve_both_tasks(prepared: pathlib.Path) -> None:
  sexes = datasets.read('bone_age', prepared / 'bones', ('', ''))
  assert [c.label for c in sexes.candidates] == ['male'] * 3 + ['female']
  ages = datasets.read(
    'bone_age',
    prepared / 'bones',
    ('', ''),
    task='regression',
    where='sex=male',
  )
  assert [c.label for c in ages.candidates] == ['1', '11', '21', '31']
  assert [c.included for c in ages.candidates] == [True] * 3 + [False]
  assert not ages.source.inspect(ages.candidates[0].path).problem


def test_other_prepared_data_have_classes(prepared: pathlib.Path) -> None:
  with pytest.raises(UserError, match='was prepared for classes'):
    datasets.read('folder', prepared / 'folder', ('', ''), task='regression')


def test_notes_name_no_folder_above_the_data(tmp_path: pathlib.Path) -> None:
  images = tmp_path / 'images'
  images.mkdir()
  (images / 'labels.csv').write_text('path,label\n1.png,ill\n2.png,normal\n')
  for name in '1.png', '2.png':
    (images / name).touch()
  notes = datasets.read('folder', images, ('', '')).notes
  assert notes[0] == 'The table labels.csv of images names the images.'

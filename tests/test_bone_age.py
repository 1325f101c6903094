"""Reading the RSNA bone ages."""

from collections import Counter
from collections.abc import Sequence
import pathlib

import pytest

from heterojax import datasets
from heterojax.datasets import bone_age
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError

_CSV = 'boneage-training-dataset.csv'
_IMAGES = 'boneage-training-dataset/boneage-training-dataset'
_HEADER = 'id,boneage,male'
_ROWS = ('1377,180,False', '1378,12,False', '1379,94,True')


def _write(
  folder: pathlib.Path,
  rows: Sequence[str] = _ROWS,
  *,
  header: str = _HEADER,
  csv: str = _CSV,
  images: str = _IMAGES,
) -> pathlib.Path:
  (folder / images).mkdir(parents=True, exist_ok=True)
  (folder / csv).parent.mkdir(exist_ok=True)
  (folder / csv).write_text('\n'.join([header, *rows]) + '\n')
  for row in rows:
    (folder / images / f'{row.split(",")[0]}.png').touch()
  return folder


def _candidate(id_: str, months: str, male: str) -> Candidate:
  return Candidate(
    id=id_,
    path=f'{_IMAGES}/{id_}.png',
    label={'True': 'male', 'False': 'female'}[male],
    group=id_,
    columns=(('boneage', months), ('male', male)),
  )


def test_one_candidate_a_row(tmp_path: pathlib.Path) -> None:
  cohort = bone_age.read(_write(tmp_path), ('', ''))
  assert cohort.candidates == (
    _candidate('1377', '180', 'False'),
    _candidate('1378', '12', 'False'),
    _candidate('1379', '94', 'True'),
  )
  assert cohort.label_columns == ('male',)
  assert cohort.source.root == tmp_path


@pytest.mark.parametrize(
  ('given', 'classes'),
  [
    (('', ''), ('male', 'female')),
    (('male', 'female'), ('male', 'female')),
    (('female', ''), ('female', 'male')),
    (('', 'male'), ('female', 'male')),
    (('male', ''), ('male', 'female')),
    (('', 'female'), ('male', 'female')),
  ],
)
def test_classes(
  tmp_path: pathlib.Path, given: tuple[str, str], classes: tuple[str, str]
) -> None:
  cohort = bone_age.read(_write(tmp_path), given)
  assert cohort.classes == classes


@pytest.mark.parametrize(
  ('csv', 'images'),
  [
    (_CSV, _IMAGES),
    (_CSV, 'boneage-training-dataset'),
    (f'rsna/{_CSV}', 'rsna/boneage-training-dataset'),
    (_CSV, ''),
  ],
)
def test_nesting_depths(tmp_path: pathlib.Path, csv: str, images: str) -> None:
  cohort = bone_age.read(_write(tmp_path, csv=csv, images=images), ('', ''))
  assert [c.path for c in cohort.candidates] == [
    f'{images}/{i}.png'.lstrip('/') for i in (1377, 1378, 1379)
  ]


def test_images_of_the_test_set_are_not_taken(tmp_path: pathlib.Path) -> None:
  folder = _write(tmp_path)
  other = folder / 'boneage-a-test-dataset/boneage-test-dataset'
  other.mkdir(parents=True)
  (other / '1377.png').touch()
  (other / '4360.png').touch()
  paths = [c.path for c in bone_age.read(folder, ('', '')).candidates]
  assert paths[0] == f'{_IMAGES}/1377.png'


def test_more_columns_any_order_and_case(tmp_path: pathlib.Path) -> None:
  """One copy has three columns more; spreadsheets write TRUE."""
  rows = ['1379,x,94,TRUE', '1378,y,12,false']
  folder = _write(tmp_path, rows, header='id,z,boneage,male')
  cohort = bone_age.read(folder, ('', ''))
  assert [(c.label, c.columns) for c in cohort.candidates] == [
    ('male', (('boneage', '94'), ('male', 'TRUE'))),
    ('female', (('boneage', '12'), ('male', 'false'))),
  ]


def test_rows_that_cannot_be_used_stay_with_their_reason(
  tmp_path: pathlib.Path,
) -> None:
  rows = [*_ROWS, '1380,50,', '1381,50,yes', ',50,True', '1379,94,True']
  folder = _write(tmp_path, rows)
  (folder / _IMAGES / '1378.png').unlink()
  cohort = bone_age.read(folder, ('', ''))
  assert [(c.id, c.label, c.reason) for c in cohort.candidates] == [
    ('1377', 'female', ''),
    ('1378', 'female', ''),
    ('1379', 'male', ''),
    ('1380', '', 'the sex is not known'),
    ('1381', '', 'the sex is not known'),
    ('', 'male', 'no image is named'),
    ('1379#2', 'male', ''),
  ]
  # The same child's image twice is one group.
  assert cohort.candidates[-1].group == cohort.candidates[2].group
  assert not cohort.source.exists(cohort.candidates[1].path)


def test_the_published_counts(tmp_path: pathlib.Path) -> None:
  rows = [f'{1377 + i},{i % 228 + 1},{i < 6833}' for i in range(12_611)]
  folder = _write(tmp_path, rows[:1])
  (folder / _CSV).write_text('\n'.join([_HEADER, *rows]))
  cohort = bone_age.read(folder, ('', ''))
  assert cohort.notes == (
    f'{_CSV} has the published 12,611 rows and counts.',
    f'1 of the 12,611 images that {_CSV} names are here.',
  )
  labels = [c.label for c in cohort.candidates]
  assert (labels.count('male'), labels.count('female')) == (6833, 5778)
  (folder / _CSV).write_text('\n'.join([_HEADER, *rows[:7000]]))
  assert bone_age.read(folder, ('', '')).notes[:2] == (
    f'{_CSV} has 7,000 rows; the published file has 12,611: this is a part of'
    ' it.',
    f'Other counts of {_CSV} (published ones): female 167 (5,778).',
  )


@pytest.mark.parametrize(
  ('broken', 'says'),
  [
    ('no folder', 'does not exist'),
    ('no csv', f'holds no {_CSV}: --config.data.dir must be the folder'),
    ('no images', 'holds none of the 3 images'),
    ('no rows', 'holds no rows'),
    ('no sex', "has no column 'male': it needs id, boneage, male and has"),
  ],
)
def test_mistakes_are_one_sentence(
  tmp_path: pathlib.Path, broken: str, says: str
) -> None:
  folder = _write(tmp_path / 'bones')
  csv = folder / _CSV
  match broken:
    case 'no folder':
      folder = tmp_path / 'elsewhere'
    case 'no csv':
      csv.unlink()
    case 'no images':
      (folder / _IMAGES).rename(tmp_path / 'elsewhere')
    case 'no rows':
      csv.write_text(_HEADER)
    case 'no sex':
      csv.write_text(csv.read_text().replace('male', 'sex'))
  with pytest.raises(UserError) as caught:
    bone_age.read(folder, ('', ''))
  text = str(caught.value)
  assert says in text
  assert text.endswith('.') and '\n' not in text


@pytest.mark.parametrize('given', [('boy', ''), ('male', 'Female')])
def test_unknown_classes(
  tmp_path: pathlib.Path, given: tuple[str, str]
) -> None:
  with pytest.raises(UserError, match='classes are male and female'):
    bone_age.read(_write(tmp_path), given)


def test_regression_estimates_the_months(tmp_path: pathlib.Path) -> None:
  rows = [*_ROWS, '1380,50.5,', '1381,,True', '1382,old,True', ',50,True']
  folder = _write(tmp_path, rows)
  cohort = bone_age.read(folder, ('', ''), 'regression')
  assert (cohort.task, cohort.classes) == ('regression', ())
  assert cohort.classes == ()
  assert cohort.label_columns == ('boneage',)
  assert [(c.id, c.label, c.reason) for c in cohort.candidates] == [
    ('1377', '180', ''),
    ('1378', '12', ''),
    ('1379', '94', ''),
    ('1380', '50.5', ''),  # Of unknown sex, which is no matter here.
    ('1381', '', 'no label'),
    ('1382', 'old', "label 'old' is no number"),
    ('', '50', 'no image is named'),
  ]
  sexes = [dict(c.columns)['sex'] for c in cohort.candidates]
  assert sexes == ['female', 'female', 'male', '', 'male', 'male', 'male']
  with pytest.raises(UserError, match='no label that is a number'):
    bone_age.read(
      _write(tmp_path / 'b', ['1,old,True']), ('', ''), 'regression'
    )


def test_the_papers_girls(tmp_path: pathlib.Path) -> None:
  """5,778 of 12,611; the sex is not told by the months."""
  rows = [f'{1377 + i},{i % 228 + 1},{i < 6833}' for i in range(12_611)]
  folder = _write(tmp_path, rows[:1])
  (folder / _CSV).write_text('\n'.join([_HEADER, *rows]))
  cohort = datasets.read(
    'bone_age', folder, ('', ''), task='regression', where='sex=female'
  )
  assert len(cohort.candidates) == 12_611
  assert len(cohort.included) == 5778
  assert {dict(c.columns)['male'] for c in cohort.included} == {'False'}
  assert Counter(c.reason for c in cohort.candidates) == {
    '': 5778,
    "sex is not 'female'": 6833,
  }
  numbers = [float(c.label) for c in cohort.included]
  assert (min(numbers), max(numbers)) == (1, 228)

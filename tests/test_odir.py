"""Reading ODIR-5K: which CSV rows and eyes are candidates."""

import collections
from collections.abc import Sequence
import dataclasses
import pathlib

import pytest

from heterojax.datasets import images
from heterojax.datasets import odir
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError

_HEADER = (
  'ID,Patient Age,Patient Sex,Left-Fundus,Right-Fundus,'
  'Left-Diagnostic Keywords,Right-Diagnostic Keywords,N,filename'
)
# One row per eye, both eyes' keywords on each.
_ROWS = (
  '0,69,Female,0_left.jpg,0_right.jpg,cataract,normal fundus,0,0_right.jpg',
  '0,69,Female,0_left.jpg,0_right.jpg,cataract,normal fundus,0,0_left.jpg',
  '1,57,Male,1_left.jpg,1_right.jpg,cataract，lens dust,Cataract,1,1_left.jpg',
  '2,42,Male,2_left.jpg,2_right.jpg, cataract ,"cataract, drusen",0,2.jpg',
  '7,50,Male,7_left.jpg,7_right.jpg,normal fundus，lens dust,normal,1,7.jpg',
)


def _write(
  folder: pathlib.Path,
  rows: Sequence[str] = _ROWS,
  header: str = _HEADER,
  images: str = 'preprocessed_images',
  encoding: str = 'utf-8',
  csv: str = 'full_df.csv',
) -> pathlib.Path:
  (folder / images).mkdir(parents=True)
  for eye in ('0_left', '0_right', '2_left', 'a'):
    (folder / images / f'{eye}.jpg').touch()
  text = '\n'.join([header, *rows]) + '\n'
  (folder / csv).parent.mkdir(exist_ok=True)
  (folder / csv).write_bytes(text.encode(encoding))
  return folder


def _read(folder: pathlib.Path) -> tuple[Candidate, ...]:
  return odir.read(folder, ('cataract', 'normal fundus')).candidates


def test_candidates_are_rows_and_eyes_with_exactly_the_keyword(
  tmp_path: pathlib.Path,
) -> None:
  found = _read(_write(tmp_path))
  assert [(c.id, c.label, c.group, c.path) for c in found] == [
    ('0_left', 'cataract', '0', 'preprocessed_images/0_left.jpg'),
    ('0_right', 'normal fundus', '0', 'preprocessed_images/0_right.jpg'),
    ('1_left', 'cataract', '0', 'preprocessed_images/0_left.jpg'),
    ('1_right', 'normal fundus', '0', 'preprocessed_images/0_right.jpg'),
    ('3_left', 'cataract', '2', 'preprocessed_images/2_left.jpg'),
  ]
  assert all(c.included and not c.reason and not c.split for c in found)


def test_own_columns_name_the_eye_and_the_patient(
  tmp_path: pathlib.Path,
) -> None:
  first = _read(_write(tmp_path))[0]
  assert first.columns == (
    ('eye', 'left'),
    ('Patient Age', '69'),
    ('Patient Sex', 'Female'),
    ('background', 'black'),
  )


def test_age_and_sex_may_be_missing(tmp_path: pathlib.Path) -> None:
  header = (
    'ID,Left-Fundus,Right-Fundus,Left-Diagnostic Keywords,'
    'Right-Diagnostic Keywords'
  )
  rows = ['0,a.jpg,b.jpg,cataract,normal fundus']
  found = _read(_write(tmp_path, rows, header))
  assert found[0].columns == (('eye', 'left'), ('background', 'black'))


def test_a_keyword_with_the_full_width_comma_can_be_asked_for(
  tmp_path: pathlib.Path,
) -> None:
  cohort = odir.read(
    _write(tmp_path), ('cataract，lens dust', 'normal fundus，lens dust')
  )
  assert [(c.id, c.label) for c in cohort.candidates] == [
    ('2_left', 'cataract，lens dust'),
    ('4_left', 'normal fundus，lens dust'),
  ]


def test_byte_order_mark_and_windows_line_ends(tmp_path: pathlib.Path) -> None:
  plain = _read(_write(tmp_path / 'plain'))
  folder = _write(
    tmp_path / 'bom', [row + '\r' for row in _ROWS], encoding='utf-8-sig'
  )
  assert (folder / 'full_df.csv').read_bytes().startswith(b'\xef\xbb\xbfID')
  assert _read(folder) == plain


@pytest.mark.parametrize(
  'images',
  [
    'preprocessed_images',
    'a/b/preprocessed_images',
    'ODIR-5K/ODIR-5K/Training Images',
    'ODIR-5K/Training Images',
    'Training Images/Training Images',
    'Training Images',
    'ODIR-5K_Training_Images/ODIR-5K_Training_Dataset',
  ],
)
@pytest.mark.parametrize('csv', ['full_df.csv', 'ODIR-5K/full_df.csv'])
def test_nesting_depths_of_the_images(
  tmp_path: pathlib.Path, images: str, csv: str
) -> None:
  found = _read(_write(tmp_path, images=images, csv=csv))
  assert found[0].path == f'{images}/0_left.jpg'


def test_the_csv_can_be_named_itself(tmp_path: pathlib.Path) -> None:
  folder = _write(tmp_path)
  assert _read(folder / 'full_df.csv') == _read(folder)


def test_preprocessed_images_come_first_and_are_not_mixed(
  tmp_path: pathlib.Path,
) -> None:
  """The other folder has more of the images, but in other sizes."""
  folder = _write(tmp_path)
  other = folder / 'ODIR-5K/ODIR-5K/Training Images'
  other.mkdir(parents=True)
  for name in ('0_left', '0_right', '1_left', '1_right', '2_left', '7_left'):
    (other / f'{name}.jpg').touch()
  assert {pathlib.Path(c.path).parent.name for c in _read(folder)} == {
    'preprocessed_images'
  }
  # Where it holds none of them, it is not what is looked for.
  for path in (folder / 'preprocessed_images').iterdir():
    path.unlink()
  assert _read(folder)[0].path == ('ODIR-5K/ODIR-5K/Training Images/0_left.jpg')


def test_testing_images_are_of_other_patients(tmp_path: pathlib.Path) -> None:
  folder = _write(tmp_path, images='ODIR-5K/Training Images')
  other = folder / 'ODIR-5K/Testing Images/Testing Images'
  other.mkdir(parents=True)
  for number in range(900, 920):
    (other / f'{number}_left.jpg').touch()
  assert _read(folder)[0].path == 'ODIR-5K/Training Images/0_left.jpg'


def test_any_pair_of_keywords(tmp_path: pathlib.Path) -> None:
  rows = [
    '0,69,Female,0_left.jpg,0_right.jpg,glaucoma,normal fundus,0,0_right.jpg',
    '2,42,Male,2_left.jpg,2_right.jpg,suspected glaucoma,glaucoma，drusen,0,x',
  ]
  cohort = odir.read(_write(tmp_path, rows), ('glaucoma', 'normal fundus'))
  assert [(c.id, c.label) for c in cohort.candidates] == [
    ('0_left', 'glaucoma'),
    ('0_right', 'normal fundus'),
  ]


@pytest.mark.parametrize(
  'name', ['Glaucoma', 'lens dust', '', 'cataract,lens dust', 'catarac']
)
@pytest.mark.parametrize('option', ['positive', 'negative'])
def test_a_class_without_a_row_names_the_frequent_keywords(
  tmp_path: pathlib.Path, name: str, option: str
) -> None:
  """An ASCII comma is not the full-width one: the match is exact."""
  classes = {'positive': 'cataract', 'negative': 'normal fundus', option: name}
  with pytest.raises(UserError) as caught:
    odir.read(_write(tmp_path), tuple(classes.values()))
  text = str(caught.value)
  assert f'exactly the keywords {name!r} (--config.data.{option})' in text
  assert 'the most frequent ones are cataract (3), normal fundus (2), ' in text
  assert _is_one_sentence(caught.value)


def test_white_backgrounds_are_a_column(tmp_path: pathlib.Path) -> None:
  rows = [
    '2176,50,Male,2176_left.jpg,2176_right.jpg,cataract,normal fundus,1,x',
    '0,50,Male,0_left.jpg,0_right.jpg,cataract,normal fundus,1,x',
  ]
  cohort = odir.read(_write(tmp_path, rows), ('cataract', 'normal fundus'))
  assert [dict(c.columns)['background'] for c in cohort.candidates] == [
    'white',
    'black',
    'black',
    'black',
  ]
  assert any('white background: 1 (1 cataract)' in n for n in cohort.notes)


def test_a_row_without_a_file_name_is_left_out(tmp_path: pathlib.Path) -> None:
  rows = [*_ROWS, '8,50,Male,,8_right.jpg,cataract,,1,x']
  last = _read(_write(tmp_path, rows))[-1]
  assert (last.id, last.reason) == ('5_left', 'no image is named')


def test_counting_needs_no_images(tmp_path: pathlib.Path) -> None:
  table = _write(tmp_path) / 'full_df.csv'
  rows = odir.read_rows(table)
  found = odir.candidates(table, rows, ('cataract', 'normal fundus'), 'x')
  assert [c.path for c in found] == [
    c.path.replace('preprocessed_images', 'x') for c in _read(tmp_path)
  ]


def test_notes_on_another_file(tmp_path: pathlib.Path) -> None:
  notes = odir.read(_write(tmp_path), ('cataract', 'normal fundus')).notes
  assert notes[0].startswith('full_df.csv is not byte for byte the published')
  assert notes[0].endswith('published 3bb34a50).')
  assert notes[1:] == (
    'full_df.csv has 5 rows; the published file has 6,392: this is a part of'
    ' it.',
    'Other counts of full_df.csv (published ones): patients 4 (3,358).',
    'full_df.csv lacks the columns labels, target, so that it is a file'
    ' derived from the published one.',
    'cataract: 3 rows show 2 eyes of 2 patients, 1 of them more than once.',
    'normal fundus: 2 rows show 1 eyes of 1 patients, 1 of them more than'
    ' once.',
    '3 of these 3 eyes have a file in preprocessed_images.',
  )


def test_question_marks_of_a_wrong_encoding_are_noted(
  tmp_path: pathlib.Path,
) -> None:
  rows = [row.replace('，', '?') for row in _ROWS]
  cohort = odir.read(_write(tmp_path, rows), ('cataract', 'normal fundus'))
  assert [n for n in cohort.notes if n.startswith('2 keyword lists')]
  assert len(cohort.candidates) == 5


def test_augmented_copies_are_refused(tmp_path: pathlib.Path) -> None:
  """One copy has 5,806 rows of made images, each a patient of its own."""
  rows = [*_ROWS, _ROWS[0].replace('0,', 'aug_970_5805,', 1)]
  with pytest.raises(UserError, match='1 rows whose ID is no number, as .aug'):
    _read(_write(tmp_path, rows))


def _is_one_sentence(error: UserError) -> bool:
  text = str(error)
  return text.endswith('.') and '\n' not in text and 'Traceback' not in text


@pytest.mark.parametrize(
  ('broken', 'says'),
  [
    ('no folder', 'does not exist'),
    ('no csv', 'holds no full_df.csv'),
    ('csv is a folder', 'holds no full_df.csv'),
    ('no images', 'holds none of the 8 images that full_df.csv names'),
    ('images are a file', 'holds none of the 8 images'),
    ('no rows', 'holds no rows'),
    ('empty', 'holds no rows'),
    ('no ID', "has no column 'ID'"),
    ('no keywords', "'Left-Diagnostic Keywords'"),
    ('extra cell', 'row 2: 10 cells for 9 columns'),
  ],
)
def test_mistakes_are_one_sentence(
  tmp_path: pathlib.Path, broken: str, says: str
) -> None:
  folder = _write(tmp_path / 'odir')
  csv = folder / 'full_df.csv'
  match broken:
    case 'no folder':
      folder = tmp_path / 'elsewhere'
    case 'no csv':
      csv.unlink()
    case 'csv is a folder':
      csv.unlink()
      csv.mkdir()
    case 'no images':
      (folder / 'preprocessed_images').rename(tmp_path / 'elsewhere')
    case 'images are a file':
      (folder / 'preprocessed_images').rename(tmp_path / 'elsewhere')
      (folder / 'preprocessed_images').touch()
    case 'no rows':
      csv.write_text(_HEADER + '\n')
    case 'empty':
      csv.write_text('')
    case 'no ID':
      csv.write_text(csv.read_text().replace('ID,', 'Patient,', 1))
    case 'no keywords':
      csv.write_text(csv.read_text().replace('Diagnostic Keywords', 'words'))
    case 'extra cell':
      csv.write_text('\n'.join([_HEADER, _ROWS[0], _ROWS[1] + ',more']))
  with pytest.raises(UserError) as caught:
    _read(folder)
  assert says in str(caught.value)
  assert _is_one_sentence(caught.value)


def test_a_table_in_another_encoding(tmp_path: pathlib.Path) -> None:
  folder = _write(tmp_path / 'odir')
  csv = folder / 'full_df.csv'
  plain = _read(folder)
  csv.write_bytes(csv.read_text().encode('utf-16'))
  assert _read(folder) == plain


def test_the_real_csv_gives_the_numbers_of_the_paper(
  odir_dir: pathlib.Path,
) -> None:
  found = _read(odir_dir)
  paths = {
    label: [c.path for c in found if c.label == label]
    for label in ('cataract', 'normal fundus')
  }
  cataract, normal = paths['cataract'], paths['normal fundus']
  assert len(cataract) == 518
  assert len(set(cataract)) == 262
  assert sum((odir_dir / path).is_file() for path in cataract) == 507
  assert len(normal) == 5501
  assert len(set(normal)) == 2816
  assert len({c.id for c in found}) == 518 + 5501
  patients = {c.group for c in found if c.label == 'cataract'}
  assert len(patients) == 183


def test_notes_on_the_real_csv(odir_dir: pathlib.Path) -> None:
  cohort = odir.read(odir_dir, ('cataract', 'normal fundus'))
  assert cohort.notes == (
    'full_df.csv is the published file of 6,392 rows.',
    'cataract: 518 rows show 262 eyes of 183 patients, 256 of them more than'
    ' once.',
    'normal fundus: 5,501 rows show 2,816 eyes of 1,815 patients, 2,685 of'
    ' them more than once.',
    'Eyes with a white background: 15 (13 cataract, 2 normal fundus), a cue'
    ' that is none of the eye; they stay, as in the paper, and the column'
    ' background tells them.',
    '3,033 of these 3,078 eyes have a file in preprocessed_images.',
  )


@pytest.mark.medium
def test_the_real_csv_alone_gives_the_same_candidates(
  odir_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  table = odir_dir / 'full_df.csv'
  rows = odir.read_rows(table)
  classes = ('cataract', 'normal fundus')
  found = odir.candidates(table, rows, classes, 'preprocessed_images')
  assert found == odir.read(odir_dir, classes).candidates
  times = collections.Counter(c.path for c in found if c.label == 'cataract')
  assert collections.Counter(times.values()) == {2: 256, 1: 6}
  # A damaged copy of the same rows keeps the paper's classes.
  damaged = tmp_path / 'full_df.csv'
  damaged.write_text(table.read_text('utf-8').replace('，', '?'), 'utf-8')
  rows = odir.read_rows(damaged)
  assert odir.candidates(damaged, rows, classes, '') == tuple(
    dataclasses.replace(c, path=c.path.split('/')[1]) for c in found
  )


@pytest.mark.medium
def test_the_white_backgrounds_are_white(odir_dir: pathlib.Path) -> None:
  cohort = odir.read(odir_dir, ('cataract', 'normal fundus'))
  white, black = {}, {}
  for c in cohort.included:
    one = dict(c.columns)['background'] == 'white'
    if (odir_dir / c.path).is_file():
      (white if one else black)[c.path] = c

  def has_white_corner(path: str) -> bool:
    pixels = images.decode((odir_dir / path).read_bytes()).astype(float)
    corners = pixels[[4, 4, -5, -5], [4, -5, 4, -5]]
    return corners.mean(axis=1).max() > 200

  # One of them, 2179_left, is white at its rim only.
  assert sum(map(has_white_corner, white)) == len(white) - 1 == 13
  assert not any(map(has_white_corner, sorted(black)[::40]))

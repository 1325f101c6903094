"""Reading ODIR-5K: which CSV rows and eyes are candidates."""

from collections.abc import Sequence
import pathlib

import pytest

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
) -> pathlib.Path:
  (folder / images).mkdir(parents=True)
  text = '\n'.join([header, *rows]) + '\n'
  (folder / 'full_df.csv').write_bytes(text.encode(encoding))
  return folder


def _read(folder: pathlib.Path) -> tuple[Candidate, ...]:
  return odir.read(folder, 'cataract', 'normal fundus').candidates


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
      ('eye', 'left'), ('Patient Age', '69'), ('Patient Sex', 'Female')
  )


def test_age_and_sex_may_be_missing(tmp_path: pathlib.Path) -> None:
  header = (
      'ID,Left-Fundus,Right-Fundus,Left-Diagnostic Keywords,'
      'Right-Diagnostic Keywords'
  )
  found = _read(_write(tmp_path, ['0,a.jpg,b.jpg,cataract,drusen'], header))
  assert [c.columns for c in found] == [(('eye', 'left'),)]


def test_a_keyword_with_the_full_width_comma_can_be_asked_for(
    tmp_path: pathlib.Path,
) -> None:
  cohort = odir.read(
      _write(tmp_path), 'cataract，lens dust', 'normal fundus，lens dust'
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
        'ODIR-5K/ODIR-5K/Training Images',
        'ODIR-5K/Training Images',
        'Training Images',
    ],
)
def test_nesting_depths_of_the_image_folder(
    tmp_path: pathlib.Path, images: str
) -> None:
  found = _read(_write(tmp_path, images=images))
  assert found[0].path == f'{images}/0_left.jpg'


def test_preprocessed_images_come_first(tmp_path: pathlib.Path) -> None:
  folder = _write(tmp_path)
  (folder / 'ODIR-5K/Training Images').mkdir(parents=True)
  assert _read(folder)[0].path == 'preprocessed_images/0_left.jpg'


def _is_one_sentence(error: UserError) -> bool:
  text = str(error)
  return text.endswith('.') and '\n' not in text and 'Traceback' not in text


@pytest.mark.parametrize(
    ('broken', 'says'),
    [
        ('no folder', 'holds no full_df.csv'),
        ('no csv', 'holds no full_df.csv'),
        ('csv is a folder', 'holds no full_df.csv'),
        ('no images', 'holds none of the image folders preprocessed_images'),
        ('images are a file', 'holds none of the image folders'),
        ('no rows', 'holds no rows'),
        ('empty', 'holds no rows'),
        ('no ID', "has no column 'ID'"),
        ('no keywords', "'Left-Diagnostic Keywords'"),
        ('latin-1', 'cannot be read as a CSV file in UTF-8'),
        ('utf-16', 'cannot be read as a CSV file in UTF-8'),
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
      (folder / 'preprocessed_images').rmdir()
    case 'images are a file':
      (folder / 'preprocessed_images').rmdir()
      (folder / 'preprocessed_images').touch()
    case 'no rows':
      csv.write_text(_HEADER + '\n')
    case 'empty':
      csv.write_text('')
    case 'no ID':
      csv.write_text(csv.read_text().replace('ID,', 'Patient,', 1))
    case 'no keywords':
      csv.write_text(csv.read_text().replace('Diagnostic Keywords', 'words'))
    case 'latin-1':
      csv.write_bytes(f'{_HEADER}\n{_ROWS[0]}é\n'.encode('latin-1'))
    case 'utf-16':
      csv.write_bytes(f'{_HEADER}\n{_ROWS[0]}\n'.encode('utf-16'))
    case 'extra cell':
      csv.write_text('\n'.join([_HEADER, _ROWS[0], _ROWS[1] + ',more']))
  with pytest.raises(UserError) as caught:
    _read(folder)
  assert says in str(caught.value)
  assert _is_one_sentence(caught.value)


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

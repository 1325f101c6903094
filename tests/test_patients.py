"""Patients out of names of files, of columns and of DICOM headers."""

from collections.abc import Sequence
import dataclasses
import io
import pathlib

import numpy as np
import pydicom
from pydicom import uid
import pytest

from heterojax import datasets
from heterojax.datasets import folder
from heterojax.datasets import headers
from heterojax.datasets import patients
from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Files
from heterojax.errors import UserError

pytestmark = pytest.mark.filterwarnings('ignore:::pydicom')


def _cohort(names: Sequence[str], labels: Sequence[str] = ()) -> Cohort:
  """Every fifth of the names is tested."""
  candidates = tuple(
    Candidate(
      id=name,
      path=name,
      label=labels[i] if labels else ('ill', 'normal')[i % 2],
      group='',
      split='train' if i % 5 else 'test',
    )
    for i, name in enumerate(names)
  )
  source = Files(pathlib.Path('data'))
  return Cohort('data', source, ('ill', 'normal'), candidates)


def _groups(cohort: Cohort, group: str) -> list[str]:
  return [c.group for c in patients.grouped(cohort, group).candidates]


@pytest.mark.parametrize(
  ('pattern', 'name', 'patient'),
  [
    (r'(\d+)_', '123_left.png', '123'),
    (r'(\d+)_', 'ill/00123_left.png', '00123'),
    (r'(\d+)', 'ill/p7/b.png', '7'),
    (r'patient(\d+)', 'train/patient31/study1/view2.jpg', '31'),
    (r'(\w+)-(\d+)', 'site-12-a.png', 'site_12'),
    (r'p\d', 'ill/p3.png', 'p3'),
    (r'^(?:(\d+)|([a-z]+))_', 'ab_1.png', 'ab'),
    (r'(\d)', 'ill/none.png', ''),
  ],
)
def test_a_pattern_finds_the_patient(
  pattern: str, name: str, patient: str
) -> None:
  found = _groups(_cohort([name, 'ill/p3_9_view1-2_patient2.png']), pattern)
  assert found[0] == patient


def test_the_folder_of_the_class_names_no_patient() -> None:
  cohort = _cohort(['1_ill/a.png', '1_ill/5_a.png'], ['1_ill'] * 2)
  assert _groups(cohort, r'(\d)_') == ['', '5']


def test_how_many_name_none_is_said() -> None:
  cohort = patients.grouped(_cohort(['1_a.png', '1_b.png', 'c.png']), r'(\d)_')
  assert cohort.notes == (
    r'What (\d)_ finds in names is the patient: 1 of them. 1 of 3 images name'
    ' none.',
  )


def test_a_column_may_be_the_patient() -> None:
  cohort = _cohort(['a.png', 'b.png'])
  candidates = tuple(
    dataclasses.replace(c, columns=(('lesion_id', f'HAM_{i}'),))
    for i, c in enumerate(cohort.candidates)
  )
  cohort = dataclasses.replace(cohort, candidates=candidates)
  assert _groups(cohort, 'lesion_id') == ['HAM_0', 'HAM_1']


@pytest.mark.parametrize(
  ('pattern', 'says'),
  [
    ('(', 'neither a column nor a regular expression'),
    (r'(\d+)_', 'finds no patient in 2 names of data, such as a.png'),
  ],
)
def test_a_pattern_that_cannot_serve(pattern: str, says: str) -> None:
  with pytest.raises(UserError) as caught:
    patients.grouped(_cohort(['a.png', 'b.png']), pattern)
  assert says in str(caught.value)
  assert '--config.data.group' in str(caught.value)


def test_nothing_is_grouped_unasked() -> None:
  cohort = _cohort(['1_a.png', '1_b.png'])
  assert patients.grouped(cohort, '') is cohort


def test_a_pattern_keeps_patients_apart(tmp_path: pathlib.Path) -> None:
  for i in range(20):
    for side in ('left', 'right'):
      label = 'ill' if i % 2 else 'normal'
      path = tmp_path / label / f'{i}_{side}.png'
      path.parent.mkdir(exist_ok=True)
      path.touch()
  cohort = datasets.read('folder', tmp_path, ('', ''), group=r'(\d+)_')
  (cohort,) = splits.assign(
    cohort,
    seed=0,
    protocol='clean',
    test_share=0.2,
    validation_share=0.2,
    folds=0,
  )
  of: dict[str, set[str]] = {}
  for c in cohort.included:
    of.setdefault(c.group, set()).add(c.split)
  assert len(of) == 20 and all(len(parts) == 1 for parts in of.values())
  assert patients.suspected([cohort]) == ''


_PAIRS = [
  ('{i}_left.png', '{i}_right.png'),
  ('{i}L.png', '{i}R.png'),
  ('{i:04}-OD.jpg', '{i:04}-OS.jpg'),
  ('person{i}_virus_1.jpeg', 'person{i}_virus_2.jpeg'),
  ('IMG_2018_{i}_a.png', 'IMG_2018_{i}_b.png'),
  ('ill/patient{i}/study1/view1.jpg', 'ill/patient{i}/study1/view2.jpg'),
  ('ill/{i}/a.png', 'ill/{i}/b.png'),
  ('x {i} (1).png', 'x {i} (2).png'),
]


@pytest.mark.parametrize('pair', _PAIRS)
def test_names_that_repeat_a_number_are_suspected(
  pair: tuple[str, str],
) -> None:
  names = [form.format(i=i) for i in range(10) for form in pair]
  # Both of a pair are of one class.
  cohort = _cohort(names, [('ill', 'normal')[i // 2 % 2] for i in range(20)])
  said = patients.suspected([cohort])
  assert 'No patient is named, but most names share a number' in said
  assert names[0] in said and names[1] in said
  # Names 0, 5, 10, 15 are tested, of pairs whose other is in training.
  assert '4 of 4 test images' in said
  pattern = said.split("--config.data.group='")[1].removesuffix("'.")
  groups = _groups(cohort, pattern)
  assert groups[0::2] == groups[1::2] and len(set(groups)) == 10


@pytest.mark.parametrize(
  'names',
  [
    [f'{i}.png' for i in range(20)],
    [f'ISIC_{i:07}.jpg' for i in range(20)],
    # Each class is counted from 1 on.
    [f'{label}_{i}.png' for i in range(10) for label in ('ill', 'normal')],
    [f'{i}_{label}.png' for i in range(10) for label in ('ill', 'normal')],
    [f'{label}/{i}.png' for i in range(10) for label in ('ill', 'normal')],
    # Sites or days.
    [f'site{i % 3}_{i}.png' for i in range(20)],
    [f'2021_{i}.png' for i in range(20)],
    # Names by chance.
    [f'{i * 7919 % 4096:03x}c-{i * 104729 % 65536:04x}.png' for i in range(20)],
    # A few pairs.
    [f'{i}_a.png' for i in range(20)] + [f'{i}_b.png' for i in range(4)],
    ['a.png'],
  ],
)
def test_numbers_that_are_no_patients(names: list[str]) -> None:
  assert patients.suspected([_cohort(names)]) == ''


def test_of_folds_every_tested_image_counts() -> None:
  names = [f'{i}_{side}.png' for i in range(10) for side in 'ab']
  cohort = _cohort(names, ['ill'] * 20)
  folds = [
    dataclasses.replace(
      cohort,
      candidates=tuple(
        dataclasses.replace(c, split='test' if i % 2 == fold else 'train')
        for i, c in enumerate(cohort.candidates)
      ),
    )
    for fold in range(2)
  ]
  assert '20 of 20 test images' in patients.suspected(folds)


def _dicom(path: pathlib.Path, seed: int, **tags) -> None:
  dataset = pydicom.Dataset()
  dataset.file_meta = pydicom.dataset.FileMetaDataset()
  dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
  dataset.SOPClassUID = uid.SecondaryCaptureImageStorage
  dataset.SOPInstanceUID = f'1.2.{seed}'
  dataset.Rows = dataset.Columns = 4
  dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, 'MONOCHROME2'
  dataset.BitsAllocated = dataset.BitsStored = 8
  dataset.HighBit, dataset.PixelRepresentation = 7, 0
  pixels = np.random.default_rng(seed).integers(0, 256, 16, np.uint8)
  dataset.PixelData = pixels.tobytes()
  dataset['PixelData'].VR = 'OB'
  for name, value in tags.items():
    setattr(dataset, name, value)
  file = io.BytesIO()
  dataset.save_as(file, enforce_file_format=True)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(file.getvalue())


def test_headers_name_the_patient_and_the_scanner(
  tmp_path: pathlib.Path,
) -> None:
  for i in range(6):
    _dicom(
      tmp_path / ('ill', 'normal')[i % 2] / f'1.2.3.{i}',
      i,
      PatientID=f'MRN-{i // 2}' if i < 5 else '',
      PatientName='Secret^Name',
      Manufacturer='Acme',
      ManufacturerModelName='X-1',
      ViewPosition=('PA', 'AP')[i // 3],
      Modality='DX',
      KVP='120',
      PixelSpacing=[0.143, 0.143] if i else [0.1, 0.2],
    )
  (tmp_path / 'ill' / 'photo.png').write_bytes(b'')
  cohort = folder.read(tmp_path, ('', ''))
  by_name = {c.path.split('/')[1]: c for c in cohort.candidates}
  groups = [by_name[f'1.2.3.{i}'].group for i in range(6)]
  assert groups[0] == groups[1] != groups[2] == groups[3]
  assert len(set(groups[:5])) == 3 and groups[5] == ''
  assert all(len(g) == 16 and 'MRN' not in g for g in groups[:5])
  assert dict(by_name['1.2.3.0'].columns) == {
    'Manufacturer': 'Acme',
    'ManufacturerModelName': 'X-1',
    'ViewPosition': 'PA',
    'Modality': 'DX',
    'KVP': '120',
    'PixelSpacing': '0.1\\0.2',
  }
  assert dict(by_name['1.2.3.4'].columns)['PixelSpacing'] == '0.143'
  assert dict(by_name['photo.png'].columns) == dict.fromkeys(
    headers.COLUMNS, ''
  )
  assert cohort.notes == (
    'The PatientID of 6 DICOM files is the patient, as a digest: 3 of them; 1'
    ' files name none.',
  )
  assert 'Secret' not in str(cohort) and 'MRN' not in str(cohort)
  (only,) = datasets.read(
    'folder', tmp_path, ('', ''), where='ViewPosition=AP & PixelSpacing=0.143'
  ).included[:1]
  assert dict(only.columns)['ViewPosition'] == 'AP'


def test_one_patient_for_all_tells_none_apart(tmp_path: pathlib.Path) -> None:
  for i in range(4):
    _dicom(
      tmp_path / ('ill', 'normal')[i % 2] / f'{i}.dcm', i, PatientID='ANON'
    )
  cohort = folder.read(tmp_path, ('', ''))
  assert {c.group for c in cohort.candidates} == {''}
  assert 'name the same PatientID' in cohort.notes[0]


def test_what_a_table_says_comes_first(tmp_path: pathlib.Path) -> None:
  for i in range(4):
    _dicom(tmp_path / f'{i}.dcm', i, PatientID=f'{i}', Modality='CR', KVP='90')
  rows = [f'{i}.dcm,{("ill", "normal")[i % 2]},p{i},DX' for i in range(3)]
  table = tmp_path / 't.csv'
  text = ['path,label,patient,Modality', *rows, '3.dcm,normal,,DX']
  table.write_text('\n'.join(text))
  found = folder.read(table, ('', '')).candidates
  assert [c.group for c in found[:3]] == ['p0', 'p1', 'p2']
  assert len(found[3].group) == 16
  assert found[0].columns == (('Modality', 'DX'), ('KVP', '90'))


def test_dicom_without_an_image_is_left_out(tmp_path: pathlib.Path) -> None:
  _dicom(tmp_path / 'normal' / '1', 0)
  _dicom(tmp_path / 'ill' / '2', 1)
  _dicom(tmp_path / 'ill' / '3.dcm', 2, Modality='SEG')
  _dicom(tmp_path / 'ill' / '4.dcm', 3, Modality='SR')
  report = pydicom.dcmread(tmp_path / 'ill' / '4.dcm')
  del report.PixelData, report.Rows
  report.save_as(tmp_path / 'ill' / '4.dcm')
  del report.SOPClassUID
  report.save_as(tmp_path / 'ill' / 'DICOMDIR')
  cohort = folder.read(tmp_path, ('', ''))
  assert {c.path: c.reason for c in cohort.candidates if c.reason} == {
    'ill/3.dcm': 'a mask, segmentation or annotation by its name',
    'ill/4.dcm': 'DICOM without an image',
    'ill/DICOMDIR': 'DICOM without an image',
  }
  assert '3 DICOM files hold no image to study' in cohort.notes[0]


def test_broken_headers_are_left_to_the_inspection(
  tmp_path: pathlib.Path,
) -> None:
  _dicom(tmp_path / 'normal' / 'a.dcm', 0, PatientID='1')
  (tmp_path / 'ill').mkdir()
  (tmp_path / 'ill' / 'b.dcm').write_bytes(bytes(128) + b'DICM' + b'\xff' * 90)
  cohort = folder.read(tmp_path, ('', ''))
  assert len(cohort.included) == 2
  assert cohort.source.inspect('ill/b.dcm').problem


@pytest.mark.parametrize('name', ['Case ID', 'case_id'])
def test_cells_of_a_named_column(tmp_path: pathlib.Path, name: str) -> None:
  """They are read as those of a column that is known by its name."""
  table = tmp_path / 'table.csv'
  cells = ['7', '7.0', 'unknown', 'nan', 'N/A', '']
  lines = ['path,label,Case ID']
  lines += [f'{i},{("ill", "well")[i % 2]},{c}' for i, c in enumerate(cells)]
  table.write_text('\n'.join(lines))
  cohort = datasets.read('folder', table, ('ill', 'well'), group=name)
  assert [c.group for c in cohort.candidates] == ['7', '7', '', '', '', '']
  assert any(n.startswith('The column Case ID is the') for n in cohort.notes)
  assert any('4 of 6 rows of table.csv name no' in n for n in cohort.notes)


def test_a_column_that_is_the_group_may_be_named(
  tmp_path: pathlib.Path,
) -> None:
  table = tmp_path / 'table.csv'
  table.write_text('path,label,PatientID\n1,ill,a\n2,well,b\n3,ill,a\n')
  for name in ('PatientID', 'patient_id', 'group'):
    cohort = datasets.read('folder', table, ('ill', 'well'), group=name)
    assert [c.group for c in cohort.candidates] == ['a', 'b', 'a']

"""Reading the NIH chest X-rays, in each layout that was published."""

from collections.abc import Sequence
import pathlib

import pytest

from heterojax.datasets import nih
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_SAMPLE_HEADER = (
  'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,'
  'Patient Gender,View Position,OriginalImageWidth,OriginalImageHeight,'
  'OriginalImagePixelSpacing_x,OriginalImagePixelSpacing_y'
)
_FULL_HEADER = (
  'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,'
  'Patient Gender,View Position,OriginalImage[Width,Height],'
  'OriginalImagePixelSpacing[x,y]'
)
# The zero-padded family of bytes, with CRLF.
_PADDED = (
  '00000013_005.png,Emphysema|Infiltration,005,00000013,060Y,M,AP,3056,2544,'
  '0.139,0.139',
  '00000013_026.png,Cardiomegaly|Emphysema,026,00000013,057Y,M,AP,2500,2048,'
  '0.168,0.168',
  '00000017_001.png,No Finding,001,00000017,077Y,F,PA,2500,2048,0.168,0.168',
)
_UNPADDED = (
  '00000013_005.png,Emphysema|Infiltration,5,13,060Y,M,AP,3056,2544,0.139,'
  '0.139',
  '00000013_026.png,Cardiomegaly|Emphysema,26,13,057Y,M,AP,2500,2048,0.168,'
  '0.168',
  '00000017_001.png,No Finding,1,17,077Y,F,PA,2500,2048,0.168,0.168',
)
_FULL = (
  '00000013_005.png,Emphysema|Infiltration,5,13,60,M,AP,3056,2544,0.139,0.139',
  '00000013_026.png,Cardiomegaly|Emphysema,26,13,57,M,AP,2500,2048,0.168,0.168',
  '00000017_001.png,No Finding,1,17,77,F,PA,2500,2048,0.168,0.168',
)


def _write(
  folder: pathlib.Path,
  rows: Sequence[str] = _PADDED,
  header: str = _SAMPLE_HEADER,
  *,
  csv: str = 'sample_labels.csv',
  images: Sequence[str] = ('sample/images',),
  end: str = '\r\n',
) -> pathlib.Path:
  """A download whose images are shared out among folders, in turn."""
  table = folder / csv
  table.parent.mkdir(parents=True, exist_ok=True)
  table.write_bytes(''.join(f'{row}{end}' for row in [header, *rows]).encode())
  for i, row in enumerate(rows):
    path = folder / images[i % len(images)] / row.split(',')[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
  return folder


def _read(
  folder: pathlib.Path,
  positive: str = 'Cardiomegaly',
  negative: str = 'No Finding',
) -> Cohort:
  return nih.read(folder, (positive, negative))


def _one(
  findings: str,
  age: str = '060Y',
  name: str = '00000013_000.png',
  patient: int = 13,
) -> str:
  return f'{name},{findings},000,{patient:08d},{age},M,AP,3056,2544,0.139,0.139'


_CANDIDATES = (
  Candidate(
    '00000013_026.png',
    'sample/images/00000013_026.png',
    'Cardiomegaly',
    '13',
    columns=(
      ('Finding Labels', 'Cardiomegaly|Emphysema'),
      ('Follow-up #', '26'),
      ('Patient Age', '57'),
      ('Patient Gender', 'M'),
      ('View Position', 'AP'),
      ('OriginalImageWidth', '2500'),
      ('OriginalImageHeight', '2048'),
      ('OriginalImagePixelSpacing_x', '0.168'),
      ('OriginalImagePixelSpacing_y', '0.168'),
    ),
  ),
  Candidate(
    '00000017_001.png',
    'sample/images/00000017_001.png',
    'No Finding',
    '17',
    columns=(
      ('Finding Labels', 'No Finding'),
      ('Follow-up #', '1'),
      ('Patient Age', '77'),
      ('Patient Gender', 'F'),
      ('View Position', 'PA'),
      ('OriginalImageWidth', '2500'),
      ('OriginalImageHeight', '2048'),
      ('OriginalImagePixelSpacing_x', '0.168'),
      ('OriginalImagePixelSpacing_y', '0.168'),
    ),
  ),
)


@pytest.mark.parametrize('rows', [_PADDED, _UNPADDED])
@pytest.mark.parametrize('end', ['\r\n', '\n'])
def test_both_families_of_the_sample(
  tmp_path: pathlib.Path, rows: tuple[str, ...], end: str
) -> None:
  cohort = _read(_write(tmp_path, rows, end=end))
  assert cohort.candidates == _CANDIDATES
  assert cohort.name == 'nih_sample'
  assert cohort.source.root == tmp_path
  assert cohort.label_columns == ('Finding Labels',)


@pytest.mark.parametrize(
  ('csv', 'images'),
  [
    ('sample_labels.csv', 'sample/images'),
    ('sample_labels.csv', 'sample/sample/images'),
    ('sample_labels.csv', 'images'),
    ('sample/sample_labels.csv', 'sample/sample/sample/images'),
    ('sample_labels.csv', ''),
  ],
)
def test_nesting_depths_of_the_sample(
  tmp_path: pathlib.Path, csv: str, images: str
) -> None:
  found = _read(_write(tmp_path, csv=csv, images=(images,))).candidates
  assert [c.path for c in found] == [
    f'{images}/{c.id}'.lstrip('/') for c in _CANDIDATES
  ]


def test_the_csv_that_kaggle_mounts_twice(tmp_path: pathlib.Path) -> None:
  _write(tmp_path, csv='sample/sample_labels.csv')
  assert _read(_write(tmp_path)).candidates == _CANDIDATES


@pytest.mark.parametrize(
  ('csv', 'header', 'tail'),
  [
    # The header ends in a comma, and so do the rows or not.
    ('Data_Entry_2017.csv', _FULL_HEADER + ',', ','),
    ('Data_Entry_2017.csv', _FULL_HEADER + ',', ''),
    ('Data_Entry_2017_v2020.csv', _FULL_HEADER, ''),
    (
      'Data_Entry_2017_v2020.csv',
      _FULL_HEADER.replace('Gender', 'Sex'),
      '',
    ),
  ],
)
def test_the_full_set(
  tmp_path: pathlib.Path, csv: str, header: str, tail: str
) -> None:
  folders = ('images_001/images', 'images_002/images', 'images_012/images')
  rows = [row + tail for row in _FULL]
  cohort = _read(_write(tmp_path, rows, header, csv=csv, images=folders))
  assert cohort.name == 'chest_xray14'
  assert [(c.id, c.columns) for c in cohort.candidates] == [
    (c.id, c.columns) for c in _CANDIDATES
  ]
  assert [c.path for c in cohort.candidates] == [
    'images_002/images/00000013_026.png',
    'images_012/images/00000017_001.png',
  ]


def test_padded_ages_of_the_full_set(tmp_path: pathlib.Path) -> None:
  rows = [row.replace(',60,', ',060Y,') for row in _FULL]
  folder = _write(tmp_path, rows, _FULL_HEADER, csv='Data_Entry_2017.csv')
  cohort = nih.read(folder, ('Emphysema', 'No Finding'))
  assert dict(cohort.candidates[0].columns)['Patient Age'] == '60'


def test_underscores_in_no_finding(tmp_path: pathlib.Path) -> None:
  rows = [row.replace('No Finding', 'No_Finding') for row in _PADDED]
  found = _read(_write(tmp_path, rows)).candidates
  assert [(c.id, c.label) for c in found] == [
    ('00000013_026.png', 'Cardiomegaly'),
    ('00000017_001.png', 'No Finding'),
  ]
  # The column stays what the file says.
  assert dict(found[1].columns)['Finding Labels'] == 'No_Finding'


@pytest.mark.parametrize(
  ('positive', 'negative'),
  [('cardiomegaly', 'no finding'), ('CARDIOMEGALY', 'No_Finding')],
)
def test_classes_in_any_case(
  tmp_path: pathlib.Path, positive: str, negative: str
) -> None:
  cohort = _read(_write(tmp_path), positive, negative)
  assert cohort.classes == ('Cardiomegaly', 'No Finding')
  assert cohort.candidates == _CANDIDATES


def test_any_pair_of_findings(tmp_path: pathlib.Path) -> None:
  rows = [
    _one(findings, name=f'00000013_{i:03d}.png')
    for i, findings in enumerate([
      'Effusion',
      'Mass|Pleural_Thickening',
      'Effusion|Edema|Pleural_Thickening',
      'Edema',
      'Pleural_Thickening|Effusion',
      'effusion | ',
    ])
  ]
  cohort = _read(_write(tmp_path, rows), 'Effusion', 'pleural thickening')
  assert cohort.classes[1] == 'Pleural_Thickening'
  assert [(c.id[-7:-4], c.label, c.reason) for c in cohort.candidates] == [
    ('000', 'Effusion', ''),
    ('001', 'Pleural_Thickening', ''),
    ('002', 'Effusion', 'has both labels'),
    ('004', 'Effusion', 'has both labels'),
    ('005', 'Effusion', ''),
  ]


def test_a_finding_is_a_whole_word(tmp_path: pathlib.Path) -> None:
  """Mass is no part of another finding's name, as with a substring match."""
  rows = [
    _one('Massive'),
    _one('No Finding', name='b.png'),
    _one('Mass', name='c.png'),
  ]
  found = _read(_write(tmp_path, rows), 'Mass').candidates
  assert [c.id for c in found] == ['b.png', 'c.png']


@pytest.mark.parametrize('name', ['Cataract', '', 'Cardio'])
@pytest.mark.parametrize('option', ['positive', 'negative'])
def test_an_unknown_class_names_the_known_ones(
  tmp_path: pathlib.Path, name: str, option: str
) -> None:
  classes = {'positive': 'Emphysema', 'negative': 'No Finding', option: name}
  with pytest.raises(UserError) as caught:
    nih.read(_write(tmp_path), tuple(classes.values()))
  text = str(caught.value)
  assert f'no finding {name!r} (--config.data.{option})' in text
  assert text.endswith('Emphysema, Infiltration, Cardiomegaly, No Finding.')


@pytest.mark.parametrize(
  ('age', 'years'),
  [
    ('060Y', '60'),
    ('000Y', '0'),
    ('013M', '1.08'),
    ('001D', '0.00274'),
    ('026W', '0.498'),
    ('58', '58'),
    ('58.0', '58'),
    ('058y', '58'),
    ('120Y', '120'),
    ('', ''),
  ],
)
def test_ages_are_plain_numbers(
  tmp_path: pathlib.Path, age: str, years: str
) -> None:
  rows = [_one('Cardiomegaly', age), _one('No Finding', name='b.png')]
  cohort = _read(_write(tmp_path, rows))
  assert dict(cohort.candidates[0].columns)['Patient Age'] == years
  assert 'Ages ' not in ' '.join(cohort.notes)


@pytest.mark.parametrize('age', ['411Y', '121', 'old', '-3', '9' * 400, 'nan'])
def test_ages_of_no_person_are_empty_and_noted(
  tmp_path: pathlib.Path, age: str
) -> None:
  rows = [_one('Cardiomegaly', age), _one('No Finding', name='b.png')]
  cohort = _read(_write(tmp_path, rows))
  assert dict(cohort.candidates[0].columns)['Patient Age'] == ''
  assert (
    f'Ages in sample_labels.csv that no person has: 1, as {age}; they count'
    ' as not known.'
  ) in cohort.notes


def test_images_named_twice_keep_ids_apart(tmp_path: pathlib.Path) -> None:
  healthy = _PADDED[1].replace('Cardiomegaly', 'No Finding')
  cohort = _read(_write(tmp_path, [*_PADDED, _PADDED[1], healthy]))
  assert [(c.id, c.path[-16:], c.label) for c in cohort.candidates] == [
    ('00000013_026.png', '00000013_026.png', 'Cardiomegaly'),
    ('00000017_001.png', '00000017_001.png', 'No Finding'),
    ('00000013_026.png#2', '00000013_026.png', 'Cardiomegaly'),
    ('00000013_026.png#3', '00000013_026.png', 'No Finding'),
  ]
  assert 'Rows of sample_labels.csv that repeat an image: 2.' in cohort.notes


def test_a_row_without_an_image_stays(tmp_path: pathlib.Path) -> None:
  """What has no file is found out when it is looked at."""
  folder = _write(tmp_path)
  (folder / 'sample/images/00000017_001.png').unlink()
  cohort = _read(folder)
  assert cohort.candidates == _CANDIDATES
  assert [cohort.source.exists(c.path) for c in cohort.candidates] == [
    True,
    False,
  ]
  assert cohort.notes[-1] == (
    '2 of the 3 images that sample_labels.csv names are here.'
  )


def test_a_row_that_names_no_image(tmp_path: pathlib.Path) -> None:
  folder = _write(tmp_path)
  with (folder / 'sample_labels.csv').open('a') as file:
    file.write(',No Finding,1,,,,,,,,\n')
  last = _read(folder).candidates[-1]
  assert (last.included, last.reason) == (False, 'no image is named')
  assert dict(last.columns)['Patient Age'] == ''


def test_the_official_split_is_a_column(tmp_path: pathlib.Path) -> None:
  folder = _write(tmp_path)
  (folder / 'test_list.txt').write_text('00000017_001.png\n')
  assert _read(folder).candidates == _CANDIDATES  # One list says nothing.
  (folder / 'lists').mkdir()
  (folder / 'lists/train_val_list.txt').write_text('00000013_005.png\r\n')
  found = _read(folder).candidates
  assert [c.columns[-1] for c in found] == [
    ('official_split', ''),
    ('official_split', 'test'),
  ]
  assert [c.split for c in found] == ['', '']


def test_which_of_two_sets_is_asked_for(tmp_path: pathlib.Path) -> None:
  _write(tmp_path)
  _write(tmp_path, _FULL, _FULL_HEADER, csv='Data_Entry_2017.csv')
  with pytest.raises(UserError, match='name the one to use'):
    _read(tmp_path)
  assert _read(tmp_path / 'Data_Entry_2017.csv').name == 'chest_xray14'
  assert _read(tmp_path / 'sample_labels.csv').name == 'nih_sample'


@pytest.mark.parametrize(
  ('broken', 'says'),
  [
    ('no folder', 'does not exist'),
    ('no csv', 'holds no sample_labels.csv or Data_Entry_2017.csv'),
    ('no images', 'holds none of the 3 images'),
    ('no rows', 'holds no rows'),
    ('no patients', "has no column 'Patient ID'"),
    ('no findings', "has no column 'Finding Labels'"),
    ('bad list', 'test_list.txt cannot be read as UTF-8'),
  ],
)
def test_mistakes_are_one_sentence(
  tmp_path: pathlib.Path, broken: str, says: str
) -> None:
  folder = _write(tmp_path / 'nih')
  csv = folder / 'sample_labels.csv'
  match broken:
    case 'no folder':
      folder = tmp_path / 'elsewhere'
    case 'no csv':
      csv.unlink()
    case 'no images':
      (folder / 'sample').rename(tmp_path / 'sample')
    case 'no rows':
      csv.write_text(_SAMPLE_HEADER)
    case 'no patients':
      csv.write_text(csv.read_text().replace('Patient ID', 'who'))
    case 'no findings':
      csv.write_text(csv.read_text().replace('Finding Labels', 'what'))
    case 'bad list':
      (folder / 'train_val_list.txt').write_text('')
      (folder / 'test_list.txt').write_bytes(b'\xff')
  with pytest.raises(UserError) as caught:
    _read(folder)
  text = str(caught.value)
  assert says in text
  assert text.endswith('.') and '\n' not in text


def test_the_published_counts_of_the_sample(tmp_path: pathlib.Path) -> None:
  """A label file with exactly the counts of the sample."""
  single = {
    'No Finding': 3044,
    'Infiltration': 967,
    'Effusion': 644,
    'Mass': 284,
    'Nodule': 313,
    'Pneumothorax': 271,
    'Cardiomegaly': 83,
  }
  # On images of several findings, so that rows and labels both come out.
  shared = {
    'Atelectasis': 508,
    'Consolidation': 226,
    'Pleural_Thickening': 176,
    'Emphysema': 127,
    'Edema': 118,
    'Fibrosis': 84,
    'Pneumonia': 62,
    'Hernia': 13,
    'Cardiomegaly': 58,
  }
  findings = [[name] for name, n in single.items() for _ in range(n)]
  assert len(findings) == 5606
  cells = [name for name, n in shared.items() for _ in range(n)]
  for found, name in zip(findings[3044:], cells):
    found.append(name)
  rows = [
    _one('|'.join(found), name=f'{i}.png', patient=i % 4230)
    for i, found in enumerate(findings)
  ]
  folder = _write(tmp_path, rows[:1])
  csv = folder / 'sample_labels.csv'
  csv.write_text('\n'.join([_SAMPLE_HEADER, *rows]))
  cohort = _read(folder)
  assert cohort.notes == (
    'sample_labels.csv has the published 5,606 rows and counts.',
    '1 of the 5,606 images that sample_labels.csv names are here.',
  )
  labels = [c.label for c in cohort.candidates]
  assert labels.count('Cardiomegaly') == 141
  assert labels.count('No Finding') == 3044
  csv.write_text('\n'.join([_SAMPLE_HEADER, *rows[:800]]))
  note = nih.read(folder, ('No Finding', 'No Finding')).notes[0]
  assert note.endswith('the published file has 5,606: this is a part of it.')


@pytest.fixture(scope='module')
def nih_dir() -> pathlib.Path:
  root = pathlib.Path(__file__).resolve().parents[2]
  folder = root / 'shared' / 'data' / 'nih_cxr'
  if not folder.is_dir():
    pytest.skip('the shared chest X-rays are not beside this checkout')
  return folder


def test_the_real_subset(nih_dir: pathlib.Path) -> None:
  cohort = _read(nih_dir)
  found = {
    label: [c for c in cohort.candidates if c.label == label]
    for label in ('Cardiomegaly', 'No Finding')
  }
  ill, well = found.values()
  assert (len(ill), len({c.group for c in ill})) == (200, 117)
  assert (len(well), len({c.group for c in well})) == (600, 600)
  views = [dict(c.columns)['View Position'] for c in ill]
  assert (views.count('PA'), views.count('AP')) == (122, 78)
  assert all(c.included and cohort.source.exists(c.path) for c in ill + well)
  # Patient and image name agree.
  assert all(int(c.id.split('_')[0]) == int(c.group) for c in ill + well)
  ages = [float(dict(c.columns)['Patient Age']) for c in ill + well]
  assert 0 <= min(ages) < max(ages) <= 95
  assert (
    'sample_labels.csv has 800 rows; the published file has 5,606: this is'
    ' another file.'
  ) in cohort.notes


def test_the_real_subset_for_other_findings(nih_dir: pathlib.Path) -> None:
  cohort = _read(nih_dir, 'Effusion', 'No Finding')
  text = (nih_dir / 'sample_labels.csv').read_text()
  lines = [line for line in text.splitlines() if 'Effusion' in line]
  assert len(lines) == sum(c.label == 'Effusion' for c in cohort.candidates) > 0


def test_a_table_with_semicolons(tmp_path: pathlib.Path) -> None:
  folder = _write(tmp_path / 'nih')
  csv = folder / 'sample_labels.csv'
  plain = _read(folder)
  csv.write_text(csv.read_text().replace(',', ';'))
  cohort = _read(folder)
  assert cohort.candidates == plain.candidates
  assert f'{csv.name} is separated by semicolons.' in cohort.notes

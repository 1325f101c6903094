"""Reading any data set: a folder per class, or a CSV."""

import pathlib

import hypothesis
from hypothesis import strategies as st
from PIL import Image
import pytest

from heterojax.datasets import folder
from heterojax.datasets import tables
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_text
from heterojax.datasets.manifest import manifest_csv
from heterojax.datasets.sources import Files
from heterojax.errors import UserError


def _touch(root: pathlib.Path, *names: str) -> pathlib.Path:
  for name in names:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'')
  return root


def _csv(root: pathlib.Path, text: str | bytes) -> pathlib.Path:
  path = root / 'table.csv'
  path.write_bytes(text if isinstance(text, bytes) else text.encode())
  return path


def _read(path: pathlib.Path, positive: str = '', negative: str = '') -> Cohort:
  return folder.read(path, (positive, negative))


def _fails(path: pathlib.Path, *classes: str) -> str:
  with pytest.raises(UserError) as caught:
    _read(path, *classes)
  text = str(caught.value)
  assert text.endswith('.') and '\n' not in text
  return text


def test_folder_per_class(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'normal/b.jpg', 'normal/a.png', 'pneumonia/deep/er/c.JPEG')
  cohort = _read(tmp_path)
  assert cohort.classes == ('pneumonia', 'normal')
  assert cohort.source.root == tmp_path
  assert [(c.id, c.path, c.label, c.group) for c in cohort.candidates] == [
    (name, name, name.split('/')[0], '')
    for name in ('normal/a.png', 'normal/b.jpg', 'pneumonia/deep/er/c.JPEG')
  ]


def test_other_files_do_not_count(tmp_path: pathlib.Path) -> None:
  _touch(
    tmp_path,
    'normal/a.png',
    'ill/a.TIFF',
    'ill/a.webp',
    'top.md',
    '.cache/x.png',
    'ill/._a.png',
    'ill/.ipynb_checkpoints/a-checkpoint.png',
    '__MACOSX/._x.png',
  )
  found = [c.path for c in _read(tmp_path).candidates]
  assert found == ['ill/a.TIFF', 'ill/a.webp', 'normal/a.png']


def test_a_folder_named_like_an_image_is_a_candidate(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'normal/a.png', 'ill/a.png')
  (tmp_path / 'ill/b.jpg').mkdir()
  assert 'ill/b.jpg' in [c.path for c in _read(tmp_path).candidates]


def test_links_do_not_make_loops(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'normal/a.png', 'ill/a.png')
  (tmp_path / 'ill/again').symlink_to(tmp_path)
  (tmp_path / 'ill/self.png').symlink_to('self.png')
  found = [c.path for c in _read(tmp_path).candidates]
  assert found == ['ill/a.png', 'ill/self.png', 'normal/a.png']


def test_names_of_any_script(tmp_path: pathlib.Path) -> None:
  names = ['normal/眼 底,"1".png', 'катаракта/\u202eñ\n😀.jpg']
  _touch(tmp_path, *names)
  cohort = _read(tmp_path)
  assert {c.path for c in cohort.candidates} == set(names)
  assert cohort.classes[0] == 'катаракта'


def test_a_name_that_is_not_utf8_is_left_out(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'normal/a.png', 'ill/a.png')
  (tmp_path / 'ill' / b'\xe9.png'.decode(errors='surrogateescape')).touch()
  cohort = _read(tmp_path)
  assert [(c.path, c.reason) for c in cohort.candidates if c.reason] == [
    ('ill/\\xe9.png', 'the file name is not UTF-8')
  ]
  ''.join(
    manifest_csv(cohort)
  ).encode()  # Raises where a name cannot be written.


def test_images_outside_the_class_folders_are_noted(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'normal/a.png', 'ill/a.png')
  assert _read(tmp_path).notes == ()
  _touch(tmp_path, 'b.png', 'c.JPG', 'd.txt')
  assert _read(tmp_path).notes == (
    f'2 images of {tmp_path} lie in no class folder.',
    f'Files of {tmp_path} in no class folder that are no images are not used:'
    ' 1, as d.txt.',
  )


def test_class_folders_may_be_links(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path / 'elsewhere', 'deep/a.png')
  _touch(tmp_path / 'root', 'normal/b.png')
  (tmp_path / 'root/ill').symlink_to(tmp_path / 'elsewhere')
  found = [c.path for c in _read(tmp_path / 'root').candidates]
  assert found == ['ill/deep/a.png', 'normal/b.png']


def test_nothing_to_read(tmp_path: pathlib.Path) -> None:
  assert 'does not exist' in _fails(tmp_path / 'elsewhere')
  assert 'does not exist' in _fails(tmp_path / ('x' * 5000))
  assert 'holds no images' in _fails(tmp_path)
  _touch(tmp_path, 'normal/notes.txt')
  assert 'holds no images' in _fails(tmp_path)
  _touch(tmp_path, 'a.png')
  assert 'must be the folder above' in _fails(tmp_path)


def test_folds_of_a_csv(tmp_path: pathlib.Path) -> None:
  table = 'path,label,fold\na.png,ill,1\nb.png,normal,2\n'
  found = _read(_csv(tmp_path, table)).candidates
  assert [c.split for c in found] == ['fold_1', 'fold_2']
  assert all(not c.columns for c in found)
  for row in ('a.png,ill,one,', 'a.png,ill,1,train'):
    text = f'path,label,fold,split\n{row}\nb.png,normal,,train\n'
    assert 'row 1: fold is' in _fails(_csv(tmp_path, text))


@pytest.mark.parametrize(
  ('healthy', 'ill'),
  [
    ('normal', 'a'),
    ('normal', 'z'),
    ('NORMAL', 'Pneumonia'),
    ('No Finding', 'Cardiomegaly'),
    ('normal fundus', 'cataract'),
    ('healthy', 'benign'),
    ('control', 'case'),
    ('negative', 'positive'),
    ('no', 'yes'),
    ('normal', '0'),
  ],
)
def test_the_healthy_class_is_recognised(
  tmp_path: pathlib.Path, healthy: str, ill: str
) -> None:
  cohort = _read(_csv(tmp_path, f'path,label\na,{ill}\nb,{healthy}\n'))
  assert cohort.classes == (ill, healthy)


@pytest.mark.parametrize(
  'labels',
  [('benign', 'malignant'), ('normal', 'healthy'), ('0', '1'), ('1', '2')],
)
def test_unclear_classes_are_asked_for(
  tmp_path: pathlib.Path, labels: tuple[str, str]
) -> None:
  path = _csv(tmp_path, 'path,label\na,{}\nb,{}\n'.format(*labels))
  text = _fails(path)
  assert all(label in text for label in labels)
  assert '--config.data.positive=NAME' in text
  # One name is enough, whichever it is.
  for given in ((labels[0], ''), ('', labels[1])):
    cohort = _read(path, *given)
    assert cohort.classes == labels


def test_three_labels_need_both_names(tmp_path: pathlib.Path) -> None:
  path = _csv(tmp_path, 'path,label\na,normal\nb,drusen\nc,cataract\n')
  for given in (('', ''), ('cataract', ''), ('', 'normal')):
    assert 'drusen, normal, cataract' in _fails(path, *given)
  cohort = _read(path, 'cataract', 'normal')
  assert [(c.label, c.included, c.reason) for c in cohort.candidates] == [
    ('normal', True, ''),
    ('drusen', False, "label 'drusen' is not one of the two classes"),
    ('cataract', True, ''),
  ]


def test_an_unknown_class_names_the_known_ones(tmp_path: pathlib.Path) -> None:
  path = _csv(tmp_path, 'path,label\na,normal\nb,ill\n')
  text = _fails(path, 'Ill', 'normal')
  assert "no label 'Ill' (--config.data.positive)" in text
  assert 'ill, normal' in text
  assert '--config.data.negative' in _fails(path, 'ill', 'x')


def test_a_class_may_be_typed_in_either_form_of_unicode(
  tmp_path: pathlib.Path,
) -> None:
  composed, decomposed = 'R\u00e9tine', 'Re\u0301tine'
  for there, typed in ((composed, decomposed), (decomposed, composed)):
    path = _csv(tmp_path, f'path,label\na,{there}\nb,normal\n')
    assert _read(path, typed).classes == (composed, 'normal')


@pytest.mark.parametrize('classes', [('', ''), ('ill', ''), ('', 'ill')])
def test_one_class_only(
  tmp_path: pathlib.Path, classes: tuple[str, str]
) -> None:
  text = _fails(_csv(tmp_path, 'path,label\na,ill\nb,ill\n'), *classes)
  assert text.startswith('All of ')
  assert "of the class 'ill'" in text


def test_csv_with_all_columns(tmp_path: pathlib.Path) -> None:
  cohort = _read(
    _csv(
      tmp_path,
      'age,path,label,group,split\n'
      '61,a.png,ill,p1,train\n'
      '62, b/c.png ,normal,p2,test\n'
      ',d.png,normal,,validation\n',
    )
  )
  assert cohort.source.root == tmp_path
  assert [
    (c.id, c.path, c.label, c.group, c.split, c.columns)
    for c in cohort.candidates
  ] == [
    ('0', 'a.png', 'ill', 'p1', 'train', (('age', '61'),)),
    ('1', 'b/c.png', 'normal', 'p2', 'test', (('age', '62'),)),
    ('2', 'd.png', 'normal', '', 'validation', (('age', ''),)),
  ]


def test_csv_without_group_and_split(tmp_path: pathlib.Path) -> None:
  cohort = _read(_csv(tmp_path, 'path,label\na.png,ill\nb.png,normal\n'))
  assert [(c.group, c.split) for c in cohort.candidates] == [('', ''), ('', '')]


@pytest.mark.parametrize(
  'header',
  [
    'Path,Label,Group,Split',
    'PATH,LABEL,GROUP,SPLIT',
    'path,Label,group,Split',
  ],
)
def test_capitals_in_the_names_of_columns(
  tmp_path: pathlib.Path, header: str
) -> None:
  text = f'{header},Age\na,ill,p,train,7\nb,normal,q,test,8\n'
  cohort = _read(_csv(tmp_path, text))
  assert [
    (c.path, c.label, c.group, c.split, c.columns) for c in cohort.candidates
  ] == [
    ('a', 'ill', 'p', 'train', (('Age', '7'),)),
    ('b', 'normal', 'q', 'test', (('Age', '8'),)),
  ]


@pytest.mark.parametrize(
  'name',
  [
    'patient',
    'patient_id',
    'Patient ID',
    'PatientID',
    'subject',
    'subject-id',
  ],
)
def test_other_names_of_the_group(tmp_path: pathlib.Path, name: str) -> None:
  text = f'path,label,{name}\na,ill,p\nb,normal,q\n'
  cohort = _read(_csv(tmp_path, text))
  assert [(c.group, c.columns) for c in cohort.candidates] == [
    ('p', ()),
    ('q', ()),
  ]
  assert cohort.notes == (f'The column {name} of table.csv is the group.',)


def test_the_plain_name_of_the_group_comes_first(
  tmp_path: pathlib.Path,
) -> None:
  text = 'path,label,patient,group\na,ill,p,1\nb,normal,q,2\n'
  cohort = _read(_csv(tmp_path, text))
  assert [(c.group, c.columns) for c in cohort.candidates] == [
    ('1', (('patient', 'p'),)),
    ('2', (('patient', 'q'),)),
  ]
  assert cohort.notes == ()


def test_two_columns_that_could_be_the_group(tmp_path: pathlib.Path) -> None:
  text = 'path,label,patient,subject\na,ill,p,1\nb,normal,q,2\n'
  assert "columns patient and subject: call the one that is meant 'group'" in (
    _fails(_csv(tmp_path, text))
  )


@pytest.mark.parametrize(
  ('written', 'split'),
  [
    ('train', 'train'),
    ('Training', 'train'),
    ('TRAIN', 'train'),
    ('val', 'validation'),
    ('valid', 'validation'),
    ('Dev', 'validation'),
    ('Validation', 'validation'),
    ('test', 'test'),
    ('TESTING', 'test'),
    ('', ''),
  ],
)
def test_usual_names_of_splits(
  tmp_path: pathlib.Path, written: str, split: str
) -> None:
  text = f'path,label,split\na,ill,{written}\nb,normal,test\n'
  assert _read(_csv(tmp_path, text)).candidates[0].split == split


def test_messages_about_a_csv_name_it(tmp_path: pathlib.Path) -> None:
  path = _csv(tmp_path, 'path,label\na,ill\nb,normal\n')
  assert _read(path).source.name == str(path)
  _touch(tmp_path, 'normal/a.png', 'ill/a.png')
  assert _read(tmp_path).source.name == str(tmp_path)


def test_a_group_named_like_a_row_number_is_a_patients(
  tmp_path: pathlib.Path,
) -> None:
  """A row without a group is its own, whatever other rows are called."""
  text = 'path,label,group\na.png,ill,\nb.png,normal,0\nc.png,ill,0\n'
  groups = [c.group for c in _read(_csv(tmp_path, text)).candidates]
  assert groups[1] == groups[2] == '0'
  assert groups[0] != '0'


def test_the_manifests_own_column_names_are_kept_apart(
  tmp_path: pathlib.Path,
) -> None:
  text = 'id,path,label,sha256,width\nx9,a.png,ill,beef,70\n,b.png,normal,,\n'
  cohort = _read(_csv(tmp_path, text))
  table = tmp_path / 'manifest.csv'
  table.write_text(''.join(manifest_csv(cohort)))
  first = tables.read(table).rows[0]
  assert (first['id'], first['source_id']) == ('0', 'x9')
  assert (first['source_sha256'], first['source_width']) == ('beef', '70')


def test_what_inspecting_adds_is_kept_apart(tmp_path: pathlib.Path) -> None:
  Image.new('RGB', (3, 2)).save(tmp_path / 'a.png')
  added = dict(Files(tmp_path).inspect('a.png').columns)
  assert {'width', 'sha256'} <= added.keys()
  text = f'path,label,{",".join(added)}\na.png,ill\nb.png,normal\n'
  names = [k for k, _ in _read(_csv(tmp_path, text)).candidates[0].columns]
  assert names == [f'source_{k}' for k in added]


def test_spellings_of_one_path_are_one(tmp_path: pathlib.Path) -> None:
  text = 'path,label\n./a.png,ill\nx//b.png,normal\nx/./b.png,normal\n'
  paths = [c.path for c in _read(_csv(tmp_path, text)).candidates]
  assert paths == ['a.png', 'x/b.png', 'x/b.png']


def test_paths_outside_the_csvs_folder(tmp_path: pathlib.Path) -> None:
  """As in pandas and Keras: the list says what is read, wherever it lies."""
  _touch(tmp_path, 'images/a.png', 'lists/x')
  absolute = tmp_path / 'images/a.png'
  text = f'path,label\n../images/a.png,ill\n{absolute},normal\n'
  cohort = _read(_csv(tmp_path / 'lists', text))
  relative, full = cohort.candidates
  assert (relative.path, full.path) == ('../images/a.png', str(absolute))
  root = cohort.source.root
  assert (root / relative.path).samefile(root / full.path)


def test_rows_that_name_no_path_or_label(tmp_path: pathlib.Path) -> None:
  text = 'path,label\na.png,ill\n,ill\nb.png,normal\nc.png\n,\n\n'
  assert [
    (c.id, c.included, c.reason) for c in _read(_csv(tmp_path, text)).candidates
  ] == [
    ('0', True, ''),
    ('1', False, 'no path'),
    ('2', True, ''),
    ('3', False, 'no label'),
    ('4', False, 'no path'),
  ]


def test_no_label_at_all(tmp_path: pathlib.Path) -> None:
  assert 'has no labels' in _fails(_csv(tmp_path, 'path,label\na.png,\n'))


def test_duplicate_rows_are_two_candidates(tmp_path: pathlib.Path) -> None:
  text = 'path,label\na.png,ill\na.png,ill\nb.png,normal\n'
  found = _read(_csv(tmp_path, text)).candidates
  assert [(c.id, c.path) for c in found] == [
    ('0', 'a.png'),
    ('1', 'a.png'),
    ('2', 'b.png'),
  ]


@pytest.mark.parametrize(
  ('text', 'says'),
  [
    ('', 'holds no rows'),
    ('path,label\n', 'holds no rows'),
    ('path,name\na,b\n', "has no column 'label'"),
    ('where,label\na,b\n', "has no column 'path'"),
    ('where,what\na,b\n', 'needs path, label and has where, what'),
    ('path,label,split\na,b,hold\n', "row 1: split is 'hold'"),
    ('path,label,split\na,b,train\na,b,all\n', "row 2: split is 'all'"),
    ('Path,PATH,label\na,b,c\n', 'has the columns Path and PATH'),
    ('path,label\na,b\nc,1.jpg,ill\n', 'row 2: 3 cells for 2 columns'),
    ('path,label,label\na,b,c\n', "the column 'label' more than once"),
    ('path,label, path\na,b,c\n', "the column 'path' more than once"),
    ('path,label\n"a"b,c\n', 'cannot be read'),
    ('path,label\n"a,c\n', 'cannot be read'),
    ('path,label\n' + 'a' * 200_000 + ',c\n', 'field larger than'),
    (b'\x89PNG\r\n\x1a\n\x00\x00', 'is no text'),
  ],
)
def test_broken_tables_are_one_sentence(
  tmp_path: pathlib.Path, text: str | bytes, says: str
) -> None:
  assert says in _fails(_csv(tmp_path, text))


@pytest.mark.parametrize(
  'text',
  [
    'path,label\r\na,ill\r\nb,normal\r\n',
    'path,label\ra,ill\rb,normal\r',
    '\ufeffpath,label\na,ill\nb,normal',
    ' path , label \n a , ill \n b , normal \n',
    '\n\npath,label\n\na,ill\nb,normal\n\n',
    ',path,label\n0,a,ill\n1,b,normal\n',
    'path,label,,\na,ill,,\nb,normal,,\n',
    'path,label\na,ill,,\nb,normal\n',
  ],
)
def test_usual_variants_of_csv(tmp_path: pathlib.Path, text: str) -> None:
  found = _read(_csv(tmp_path, text)).candidates
  assert [(c.path, c.label, c.columns) for c in found] == [
    ('a', 'ill', ()),
    ('b', 'normal', ()),
  ]


def test_a_wide_table(tmp_path: pathlib.Path) -> None:
  names = ','.join(f'c{i}' for i in range(3000))
  cells = ','.join('x' * 3000)
  found = _read(
    _csv(
      tmp_path,
      f'path,label,{names}\na,ill,{cells}\nb,normal,{cells}\n',
    )
  ).candidates
  assert len(found[0].columns) == 3000


# Characters of interest come often: separators, quotes, ends of lines, NUL.
_CHARACTERS = 'ab ,"\'\n\r\0\ufeff，é😀\u2028\\;\t'
_TEXT = st.text(st.sampled_from(_CHARACTERS), max_size=9)
_CELL = st.text(st.sampled_from(_CHARACTERS.replace('\0', '')), max_size=9)


@hypothesis.given(st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=5))
@hypothesis.settings(
  deadline=None,
  max_examples=150,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_any_cells_survive_the_way_through_a_csv(
  tmp_path: pathlib.Path, rows: list[tuple[str, str]]
) -> None:
  path = _csv(tmp_path, csv_text(['k', 'l'], [list(row) for row in rows]))
  assert tables.read(path).rows == [
    {'k': first.strip(), 'l': second.strip()} for first, second in rows
  ]


@hypothesis.given(
  st.one_of(
    st.binary(max_size=60),
    st.lists(_TEXT, max_size=12).map(','.join).map(str.encode),
    st.lists(_TEXT, max_size=12).map(
      lambda cells: b'path,label,split\n' + ','.join(cells).encode()
    ),
  )
)
@hypothesis.settings(
  deadline=None,
  max_examples=200,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_any_bytes_are_read_or_refused_in_a_sentence(
  tmp_path: pathlib.Path, data: bytes
) -> None:
  try:
    cohort = _read(_csv(tmp_path, data))
  except UserError:
    return
  assert set(cohort.classes) <= {c.label for c in cohort.candidates}

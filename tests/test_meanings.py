"""What columns are called, by the table or by the user, for every reader."""

import pathlib

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from heterojax import datasets
from heterojax.datasets import lookalikes
from heterojax.datasets import meanings
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_PATH = pathlib.Path('t.csv')
_ALL = meanings.MEANINGS


def _fails(*args: object, **kwargs: object) -> str:
  with pytest.raises(UserError) as caught:
    datasets.read(*args, **kwargs)
  text = str(caught.value)
  assert text.endswith('.') and '\n' not in text
  return text


@pytest.mark.parametrize(
  ('meaning', 'names'),
  [
    (
      'group',
      'group Group GROUP patient Patient_ID PatientID patientId patient-id'
      ' Patient.Id subject Subject_ID SUBJECT-ID participant_id pid MRN',
    ),
    ('label', 'label Labels CLASS target Diagnosis dx y'),
    ('path', 'path Image_Path FileName image image_id id_code'),
    ('split', 'split SPLIT phase'),
    ('fold', 'fold Fold FOLD_ID'),
    ('prediction', 'prediction Predictions y_pred'),
    ('id', 'id ID img_ids ImageID'),
  ],
)
def test_names_of_columns(meaning: str, names: str) -> None:
  for name in [*names.split(), f' {meaning.upper()} ']:
    chosen, _ = meanings.choose(_PATH, ['x', name], {}, [meaning])
    assert chosen == {meaning: (name,)}


@pytest.mark.parametrize(
  'name', ['age', 'site', 'grouping', 'patient_age', 'lesion_id', 'labeller']
)
def test_other_names_mean_nothing(name: str) -> None:
  assert meanings.choose(_PATH, [name], {}, _ALL) == ({}, ())


def test_a_coordinate_is_no_label() -> None:
  names = ['patientId', 'x', 'y', 'Target']
  chosen, notes = meanings.choose(_PATH, names, {}, _ALL)
  assert chosen == {'label': ('Target',), 'group': ('patientId',)}
  assert notes == (
    'The column Target of t.csv is the label.',
    'The column patientId of t.csv is the group.',
  )


def test_columns_that_the_user_names() -> None:
  asked = meanings.parse('path:image_id, label:dx ,patient:lesion_id,split:')
  assert asked == {
    'path': ('image_id',),
    'label': ('dx',),
    'group': ('lesion_id',),
    'split': (),
  }
  names = ['Image ID', 'dx', 'lesion_id', 'split', 'group']
  chosen, notes = meanings.choose(_PATH, names, asked, _ALL)
  assert chosen == {
    'path': ('Image ID',),
    'label': ('dx',),
    'group': ('lesion_id',),
    'id': ('Image ID',),
  }
  assert not notes


@pytest.mark.parametrize(
  ('text', 'says'),
  [
    ('image', 'must be MEANING:COLUMN'),
    ('path=image', 'must be MEANING:COLUMN'),
    (':image', 'must be MEANING:COLUMN'),
    ('colour:image', "names the meaning 'colour'"),
    ('path:a,file:b', 'names the path twice'),
    ('group:a|b', 'names 2 columns for the group'),
  ],
)
def test_what_users_cannot_say(text: str, says: str) -> None:
  with pytest.raises(UserError) as caught:
    meanings.parse(text)
  assert says in str(caught.value) and str(caught.value).endswith('.')
  assert '--config.data.columns' in str(caught.value)


def test_columns_that_are_not_there(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 't.csv'
  path.write_text('path,label\na.png,ill\nb.png,normal\n')
  text = _fails('folder', path, ('', ''), choices=Choices(columns='group:who'))
  assert "no column 'who' (--config.data.columns): it has path, label" in text
  text = _fails(
    'folder', path, ('', ''), choices=Choices(columns='prediction:label')
  )
  assert 'names the prediction' in text
  assert 'which odir5k is not' in _fails(
    'odir5k', tmp_path, ('', ''), choices=Choices(columns='path:a')
  )
  # The one table of a folder is meant.
  text = _fails('folder', tmp_path, ('', ''), choices=Choices(columns='path:a'))
  assert "no column 'a'" in text
  path.rename(tmp_path / 't.txt')
  text = _fails('folder', tmp_path, ('', ''), choices=Choices(columns='path:a'))
  assert 'is a folder' in text


@pytest.mark.parametrize(
  'word',
  ['', 'nan', 'NaN', 'NA', 'N/A', 'None', 'null', 'NULL', 'Unknown', '?'],
)
def test_patients_who_are_missing(tmp_path: pathlib.Path, word: str) -> None:
  """Each is one of its own, whoever reads the table."""
  rows = [
    ('ill', '7'),
    ('ill', word),
    ('normal', '7.0'),
    ('normal', word),
    ('ill', 'v1.0'),
  ]
  for name, columns, cells in (
    ('folder', 'path', '{}.png'),
    ('features', '0', '{}'),
  ):
    path = tmp_path / f'{name}.csv'
    lines = [f'{columns},label,PatientID']
    lines += [f'{cells.format(i)},{y},{who}' for i, (y, who) in enumerate(rows)]
    path.write_text('\n'.join(lines))
    cohort = datasets.read(name, path, ('ill', 'normal'))
    assert [c.group for c in cohort.candidates] == ['7', '', '7', '', 'v1.0']
    assert len({c.unit for c in cohort.candidates}) == 4
    said = [n for n in cohort.notes if 'name no patient' in n]
    assert len(said) == 1
    assert said[0].startswith(f'2 of 5 rows of {name}.csv')
    assert f'({repr(word) if word else "empty"})' in said[0]


def _by_patient(folder: pathlib.Path, name: str) -> pathlib.Path:
  """Three rows a patient, whose label is the patient's."""
  path = folder / 'x.csv'
  lines = [f'f0,f1,label,{name}']
  for patient in range(8):
    label = ('ill', 'well')[patient % 2]
    lines += [f'{patient}.5,{i},{label},{patient}' for i in range(3)]
  path.write_text('\n'.join(lines))
  return path


@pytest.mark.parametrize(
  'name', ['patient_id', 'PatientID', 'Patient ID', 'subject-id', 'GROUP']
)
def test_patients_of_features(tmp_path: pathlib.Path, name: str) -> None:
  cohort = datasets.read('features', _by_patient(tmp_path, name), ('ill', ''))
  assert len({c.unit for c in cohort.candidates}) == 8
  assert cohort.source.matrix.shape == (24, 2)


@pytest.mark.parametrize('name', ['lesion_id', 'StudyInstanceUID', 'whose'])
def test_columns_that_look_like_patients(
  tmp_path: pathlib.Path, name: str
) -> None:
  """They are named, and are no features."""
  path = _by_patient(tmp_path, name)
  cohort = datasets.read('features', path, ('ill', ''))
  assert len({c.unit for c in cohort.candidates}) == 24
  (note,) = [n for n in cohort.notes if 'looks like a patient' in n]
  assert name in note and f"'group:{name}'" in note
  assert cohort.source.matrix.shape == (24, 2)
  asked = datasets.read(
    'features', path, ('ill', ''), choices=Choices(columns=f'group:{name}')
  )
  assert len({c.unit for c in asked.candidates}) == 8
  assert not asked.notes


def test_patients_of_images_are_not_all_found_by_name(
  tmp_path: pathlib.Path,
) -> None:
  path = tmp_path / 'x.csv'
  lines = ['path,label,whose,age,eye_id,site']
  for i in range(40):
    label = ('ill', 'normal')[i // 2 % 2]
    lines.append(f'{i}.png,{label},{i // 2},{40 + i % 9},{i},{i % 2}')
  path.write_text('\n'.join(lines))
  (note,) = datasets.read('folder', path, ('', '')).notes
  assert note.startswith('The column whose of x.csv looks like a patient')


@pytest.mark.parametrize(
  ('cells', 'labels', 'groups', 'is_named'),
  [
    ('aabbcc', 'xyxyxy', '------', True),
    ('aabbcc', 'xyxyxy', 'aabbcc', False),  # Kept together by the group.
    ('aabbcc', 'xyxyxy', 'pppppp', False),
    ('aabbcc', 'xyxyxy', 'abcdef', True),
    ('abcdef', 'xyxyxy', '------', False),  # No value repeats.
    ('aaaaaa', 'xyxyxy', '------', False),
  ],
)
def test_unused_patients(
  cells: str, labels: str, groups: str, is_named: bool
) -> None:
  groups = groups.replace('-', '')
  found = lookalikes.find(
    {'case_id': list(cells)}, list(labels), list(groups) or [''] * len(cells)
  )
  assert found.patients == (('case_id',) if is_named else ())


@pytest.mark.parametrize(
  ('name', 'cells', 'meaning', 'splits'),
  [
    ('kfold', '0 1 0 1', 'fold', 'fold_0 fold_1 fold_0 fold_1'),
    ('fold_no', '0.0 1.0 0.0 1.0', 'fold', 'fold_0 fold_1 fold_0 fold_1'),
    ('is_valid', 'True False False False', 'split', 'test train train train'),
    ('is_test', '1 0 0 0', 'split', 'test train train train'),
    ('is_train', '0 1 1 1', 'split', 'test train train train'),
    (
      'usage',
      'Training holdout eval train',
      'split',
      'train test validation train',
    ),
  ],
)
def test_columns_that_look_like_folds(
  tmp_path: pathlib.Path, name: str, cells: str, meaning: str, splits: str
) -> None:
  path = tmp_path / 'x.csv'
  lines = [f'path,label,{name}']
  lines += [
    f'{i}.png,{("ill", "normal")[i % 2]},{cell}'
    for i, cell in enumerate(cells.split())
  ]
  path.write_text('\n'.join(lines))
  (note,) = datasets.read('folder', path, ('', '')).notes
  option = f'{meaning}:{name}'
  assert name in note and f"--config.data.columns='{option}'" in note
  cohort = datasets.read(
    'folder', path, ('', ''), choices=Choices(columns=option)
  )
  assert [c.split for c in cohort.candidates] == splits.split()


@pytest.mark.parametrize(
  ('word', 'split'),
  [
    ('validate', 'validation'),
    ('Eval', 'validation'),
    ('evaluation', 'validation'),
    ('holdout', 'test'),
    ('hold-out', 'test'),
    ('Hold Out', 'test'),
    ('NA', ''),
  ],
)
def test_words_of_splits_are_those_of_both_readers(
  tmp_path: pathlib.Path, word: str, split: str
) -> None:
  for name, column in (('folder', 'path'), ('features', '0')):
    path = tmp_path / f'{name}.csv'
    path.write_text(
      f'{column},label,split\n1,ill,{word}\n2,normal,test\n3,ill,train\n'
    )
    cohort = datasets.read(name, path, ('ill', 'normal'))
    assert cohort.candidates[0].split == split


def test_a_validation_part_alone_is_the_test_part(
  tmp_path: pathlib.Path,
) -> None:
  path = tmp_path / 'x.csv'
  path.write_text('path,label,split\na,ill,train\nb,normal,validate\n')
  cohort = datasets.read('folder', path, ('', ''))
  assert [c.split for c in cohort.candidates] == ['train', 'test']
  assert cohort.notes == (
    'There is a validation part and no test part in x.csv: the validation part'
    ' is the test set.',
  )


def test_whole_numbers_are_one_however_written(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'x.csv'
  path.write_text(
    'path,label,fold,patient\na,1.0,0.0,7.0\nb,0,1,8\nc,1,0,7\nd,0.0,1.0,8.0\n'
  )
  for named in (('1', '0'), ('1.0', '0.0')):
    cohort = datasets.read('folder', path, named)
    assert cohort.classes == ('1', '0')
    assert [(c.label, c.split, c.group) for c in cohort.candidates] == [
      ('1', 'fold_0', '7'),
      ('0', 'fold_1', '8'),
    ] * 2


def _one_hot(folder: pathlib.Path) -> pathlib.Path:
  path = folder / 'x.csv'
  path.write_text(
    'image,MEL,NV,BCC\na,1.0,0.0,0.0\nb,0,1,0\nc,0,0,0\nd,1,1,0\ne,,,1\n'
  )
  return path


def test_columns_of_zeros_and_ones(tmp_path: pathlib.Path) -> None:
  path = _one_hot(tmp_path)
  cohort = datasets.read(
    'folder', path, ('MEL', 'NV'), choices=Choices(columns='label:MEL|NV|BCC')
  )
  assert [(c.path, c.label, c.reason) for c in cohort.candidates] == [
    ('a', 'MEL', ''),
    ('b', 'NV', ''),
    ('c', '', 'no label'),
    (
      'd',
      'MEL and NV',
      "label 'MEL and NV' is not one of the two classes",
    ),
    ('e', 'BCC', "label 'BCC' is not one of the two classes"),
  ]
  assert all(not c.columns for c in cohort.candidates)
  path.write_text('image,MEL,NV\na,1,0\nb,2,0\n')
  text = _fails(
    'folder', path, ('MEL', 'NV'), choices=Choices(columns='label:MEL|NV')
  )
  assert "row 2: MEL is '2'" in text and 'must be 0 or 1' in text
  # They are suggested where each row has one 1.
  path.write_text('image,MEL,NV,age\na,1,0,50\nb,0,1,51\n')
  assert "'label:MEL|NV'" in _fails('folder', path, ('', ''))


def test_columns_of_zeros_and_ones_of_features(tmp_path: pathlib.Path) -> None:
  table = {'A': [1, 0], 'B': [0, 1], 'f0': [0.5, 1.5], 'f1': [2.0, 3.0]}
  pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / 'x.parquet')
  cohort = datasets.read(
    'features',
    tmp_path / 'x.parquet',
    ('A', 'B'),
    choices=Choices(columns='label:A|B'),
  )
  assert [c.label for c in cohort.candidates] == ['A', 'B']
  np.testing.assert_array_equal(cohort.source.matrix, [[0.5, 2], [1.5, 3]])


def test_arrays_that_the_user_names(tmp_path: pathlib.Path) -> None:
  np.savez(
    tmp_path / 'x.npz',
    X=np.eye(3),
    site=['u', 'v', 'w'],
    outcome=[1, 0, 1],
    who=['p', 'q', 'p'],
  )
  text = _fails('features', tmp_path / 'x.npz', ('1', '0'))
  assert 'no array features' in text and '--config.data.features=X' in text
  cohort = datasets.read(
    'features',
    tmp_path / 'x.npz',
    ('1', '0'),
    choices=Choices(columns='label:outcome,group:who', features='X'),
  )
  assert [(c.label, c.group) for c in cohort.candidates] == [
    ('1', 'p'),
    ('0', 'q'),
    ('1', 'p'),
  ]


def _labelled(
  folder: pathlib.Path, cells: str, task: str = 'classification', *named: str
) -> Cohort:
  path = folder / 'x.csv'
  lines = [f'{i}.png,{cell}' for i, cell in enumerate(cells.split(','))]
  path.write_text('\n'.join(['path,label', *lines]))
  return datasets.read('folder', path, named or ('', ''), task=task)


@pytest.mark.parametrize(
  ('cells', 'named', 'left_out'),
  [
    ('1,0,-999,1', ('1', ''), ['-999']),
    ('1,0,-1,9999', ('1', '0'), ['-1', '9999']),
    ('1.0,0.0,-1.0', ('1', '0'), ['-1']),
    ('0,1,2,3,99', ('3', '0'), ['99']),
    ('ill,normal,unknown,N/A', ('', ''), ['unknown', 'N/A']),
    ('ill,normal,-999', ('', ''), ['-999']),
    ('1,-1', ('1', ''), []),  # Two classes.
    ('1,-1,-999', ('1', '-1'), ['-999']),
    ('ill,none', ('ill', 'none'), []),  # As the user says.
    ('+,-', ('+', ''), []),
    ('97,98,99', ('97', '98'), []),
  ],
)
def test_labels_that_say_that_there_is_none(
  tmp_path: pathlib.Path, cells: str, named: tuple[str, str], left_out: list
) -> None:
  cohort = _labelled(tmp_path, cells, 'classification', *named)
  reasons = {c.label: c.reason for c in cohort.candidates}
  absent = [label for label in reasons if 'for none' in reasons[label]]
  assert sorted(absent) == sorted(left_out)
  assert len(cohort.notes) == bool(left_out)
  for label in left_out:
    assert repr(label) in cohort.notes[0]


def test_a_class_that_may_be_a_missing_word_is_told(
  tmp_path: pathlib.Path,
) -> None:
  with pytest.raises(UserError) as caught:
    _labelled(tmp_path, 'tumour,none,none', 'classification', 'tumour', '')
  assert "2 'none'; --config.data.negative=none" in str(caught.value)


@pytest.mark.parametrize(
  ('cells', 'left_out'),
  [
    ('69,70.5,-999,12', ['-999']),
    ('69,70,-1,12', ['-1']),
    ('-5.25,-1,2,3.5', []),
    ('0,40,99', ['99']),
    ('12,90,95,99', []),
    ('1,2,3,NA', ['NA']),
  ],
)
def test_numbers_that_say_that_there_is_none(
  tmp_path: pathlib.Path, cells: str, left_out: list[str]
) -> None:
  cohort = _labelled(tmp_path, cells, 'regression')
  found = [c.label for c in cohort.candidates if not c.included]
  assert found == left_out
  assert len(cohort.notes) == len(left_out)


def test_labels_that_differ_in_capitals_are_said(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _labelled(
    tmp_path, 'ill,Ill,normal', 'classification', 'ill', 'normal'
  )
  assert cohort.notes == (
    'Labels of x.csv that differ in capitals or blanks alone are not taken for'
    ' one: Ill, ill.',
  )


def test_marks_among_labels_of_features(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'x.csv'
  path.write_text('0,label\n1,1\n2,0\n3,-999\n4,nan\n')
  cohort = datasets.read('features', path, ('1', ''))
  assert [c.reason for c in cohort.candidates] == [
    '',
    '',
    "label '-999' is a mark for none",
    "label 'nan' stands for none",
  ]
  (note,) = cohort.notes
  assert "1 '-999', 1 'nan'" in note


@pytest.mark.parametrize('first', ['a.png,ill', 'ill,a.png'])
def test_a_list_of_images_without_names_of_columns(
  tmp_path: pathlib.Path, first: str
) -> None:
  path = tmp_path / 'x.csv'
  path.write_text(
    f'{first}\n{first.replace("a.", "b.").replace("ill", "no")}\n'
  )
  cohort = datasets.read('folder', path, ('', ''))
  assert [(c.path, c.label) for c in cohort.candidates] == [
    ('a.png', 'ill'),
    ('b.png', 'no'),
  ]
  assert len(cohort.notes) == 3
  path.write_text('a.png,ill,p\nb.png,no,q\n')
  assert 'label:COLUMN' in _fails('folder', path, ('', ''))
  asked = 'path:column_1,label:column_2,group:column_3'
  cohort = datasets.read(
    'folder', path, ('', ''), choices=Choices(columns=asked)
  )
  assert [c.group for c in cohort.candidates] == ['p', 'q']


@pytest.mark.parametrize('cells', ['arterial venous arterial', '1 2 1'])
def test_another_phase_is_no_split(tmp_path: pathlib.Path, cells: str) -> None:
  for name, column in (('folder', 'path'), ('features', '0')):
    path = tmp_path / f'{name}.csv'
    lines = [
      f'{i},{y},{c}'
      for i, y, c in zip((1, 2, 3), 'aba', cells.split(), strict=True)
    ]
    path.write_text('\n'.join([f'{column},label,Phase', *lines]))
    cohort = datasets.read(name, path, ('a', 'b'))
    assert [c.split for c in cohort.candidates] == ['', '', '']
    assert [dict(c.columns)['Phase'] for c in cohort.candidates] == (
      cells.split()
    )


@pytest.mark.parametrize('name', ['folder', 'features'])
def test_one_name_in_two_forms_of_unicode(
  tmp_path: pathlib.Path, name: str
) -> None:
  """Text of macOS is decomposed: that makes no other patient or class."""
  composed, decomposed = 'Jos\u00e9', 'Jose\u0301'
  path = tmp_path / 'table.csv'
  path.write_text(
    f'{"0" if name == "features" else "path"},label,patient\n'
    f'1,{composed},{composed}\n2,{decomposed},{decomposed}\n3,normal,Bo\n',
    encoding='utf-8',
  )
  cohort = datasets.read(name, path, (decomposed, 'normal'))
  assert cohort.classes == (composed, 'normal')
  assert [c.label for c in cohort.included] == [composed, composed, 'normal']
  assert [c.group for c in cohort.included] == [composed, composed, 'Bo']


def test_patients_that_differ_in_capitals_are_said(
  tmp_path: pathlib.Path,
) -> None:
  path = tmp_path / 'table.csv'
  path.write_text('path,label,group\n1,ill,P1\n2,normal,p1\n3,normal,P2\n')
  cohort = datasets.read('folder', path, ('ill', ''))
  assert [c.group for c in cohort.candidates] == ['P1', 'p1', 'P2']
  assert cohort.notes == (
    'Patients or groups of table.csv that differ in capitals alone are not'
    ' taken for one: P1 and p1.',
  )


@pytest.mark.parametrize(
  ('column', 'meaning'),
  [
    ('dicom_patient_id', 'group'),
    ('Study Patient Code', 'group'),
    ('PatientID_hash', 'group'),
    ('src_subject', 'group'),
    ('Proband', 'group'),
    ('User ID', 'group'),
    ('official_split', 'split'),
    ('data_partition', 'split'),
    ('Subset', 'split'),
  ],
)
@pytest.mark.parametrize('name', ['folder', 'features'])
def test_other_columns_that_look_like_something(
  tmp_path: pathlib.Path, name: str, column: str, meaning: str
) -> None:
  """Also where their values mix the classes, or are no words of splits."""
  path = tmp_path / 'table.csv'
  lines = [f'{"f0" if name == "features" else "path"},label,{column}']
  lines += [f'{i},{("ill", "normal")[i % 2]},{i // 4}' for i in range(24)]
  path.write_text('\n'.join(lines))
  cohort = datasets.read(name, path, ('ill', 'normal'))
  said = [n for n in cohort.notes if f"'{meaning}:{column}'" in n]
  assert len(said) == 1 and 'is not used' in said[0]
  assert all(column in dict(c.columns) for c in cohort.candidates)


def test_split_words_with_a_noun(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'table.csv'
  path.write_text(
    'path,label,Dataset_Split\n1,ill,Train set\n2,normal,TRAINING_DATA\n'
    '3,ill,Test Split\n4,normal,hold-out\n'
  )
  cohort = datasets.read('folder', path, ('ill', 'normal'))
  assert [c.split for c in cohort.candidates] == [*['train'] * 2, *['test'] * 2]


@pytest.mark.parametrize('name', ['folder', 'features'])
def test_columns_without_a_name_are_said(
  tmp_path: pathlib.Path, name: str
) -> None:
  path = tmp_path / 'table.csv'
  first = 'f0' if name == 'features' else 'path'
  path.write_text(f',{first},label,\n,1,ill,\n7,2,normal,\n')
  cohort = datasets.read(name, path, ('ill', 'normal'))
  assert len(cohort.candidates) == 2
  said = [n for n in cohort.notes if 'no name' in n]
  assert said == ['Column 1 has no name in table.csv and is not used.']

"""Paths of tables that name files in the way of another machine."""

from collections.abc import Callable
import pathlib
import unicodedata

import pytest

from heterojax.datasets import folder
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError


def _touch(root: pathlib.Path, *names: str) -> None:
  for name in names:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).touch()


def _table(root: pathlib.Path, paths: list[str]) -> pathlib.Path:
  rows = [
    f'"{name}",{("ill", "normal")[i % 2]}' for i, name in enumerate(paths)
  ]
  root.mkdir(exist_ok=True)
  (root / 't.csv').write_text('\n'.join(['path,label', *rows]))
  return root / 't.csv'


def _read(path: pathlib.Path, images: str = '') -> Cohort:
  return folder.read(path, ('ill', 'normal'), choices=Choices(images=images))


def _paths(cohort: Cohort) -> list[str]:
  return [c.path for c in cohort.candidates]


def _nfd(name: str) -> str:
  return unicodedata.normalize('NFD', name)


_FILES = ['imgs/été_1.png', 'imgs/b/2.JPG']


@pytest.mark.parametrize(
  ('change', 'how'),
  [
    (lambda name: name.replace('/', '\\'), 'slashes'),
    (lambda name: name.rsplit('.', 1)[0], 'endings'),
    (lambda name: name.rsplit('.', 1)[0] + '.tiff', 'endings'),
    (lambda name: name.upper(), 'capitals'),
    (_nfd, 'forms of Unicode'),
    (lambda name: f'/kaggle/input/x/{name}', 'folders'),
    (lambda name: f'file/{name}', 'folders'),
    (lambda name: f'C:\\Users\\me\\{name}'.replace('/', '\\'), 'folders'),
    (lambda name: f'D:/{name.upper()}', 'folders'),
    (lambda name: name.rsplit('/', 1)[1], 'folders'),
    (lambda name: _nfd(f'Data\\{name.upper()}').rsplit('.', 1)[0], 'endings'),
  ],
)
def test_what_explains_every_path_is_used_and_noted(
  tmp_path: pathlib.Path, change: Callable[[str], str], how: str
) -> None:
  _touch(tmp_path, *_FILES)
  cohort = _read(_table(tmp_path, [change(name) for name in _FILES]))
  assert _paths(cohort) == _FILES
  (note,) = cohort.notes
  assert ' of the 2 paths of t.csv name no file as they stand; for ' in note
  assert how in note and note.endswith('it is used.')
  assert all(cohort.source.exists(c.path) for c in cohort.candidates)


def test_paths_with_files_are_left_alone(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'a/1.png', 'b/1.png')
  cohort = _read(_table(tmp_path, ['a/1.png', f'{tmp_path}/b/1.png']))
  assert _paths(cohort) == ['a/1.png', f'{tmp_path}/b/1.png']
  assert cohort.notes == ()


def test_the_longest_common_tail_is_meant(tmp_path: pathlib.Path) -> None:
  files = [f'train/p{i}/study1/view1.jpg' for i in range(3)]
  _touch(tmp_path, *files)
  cohort = _read(_table(tmp_path, [f'CheXpert-v1.0/{name}' for name in files]))
  assert _paths(cohort) == files


def test_images_of_a_table_may_lie_in_several_folders(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'part_1/ISIC_1.jpg', 'part_2/ISIC_2.jpg')
  _touch(tmp_path, 'masks/ISIC_1.png', 'part_2/ISIC_2_mask.png')
  cohort = _read(_table(tmp_path, ['ISIC_1', 'ISIC_2']))
  assert _paths(cohort) == ['part_1/ISIC_1.jpg', 'part_2/ISIC_2.jpg']


def test_what_is_explained_in_part_is_said_and_not_used(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'a/1.png', 'a/2.png', 'b/3.png')
  names = ['a/1.png', 'a/2.png', '/c/3.png', '/c/4.png']
  cohort = _read(_table(tmp_path, names))
  assert _paths(cohort) == names
  assert cohort.notes == (
    '2 of the 4 paths of t.csv name no file as they stand; for 1 there is a'
    ' file of the same name (other folders), as b/3.png for /c/3.png: it is not'
    ' used.',
  )


def test_a_few_missing_files_do_not_keep_the_others_from_being_found(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'part/1.png', 'part/2.png')
  cohort = _read(_table(tmp_path, ['1', '2', '3']))
  assert _paths(cohort) == ['part/1.png', 'part/2.png', '3']


@pytest.mark.parametrize(
  ('files', 'names'),
  [
    # Several files could be meant.
    (['a/1.png', 'b/1.png'], ['1.png', '1.png']),
    # One file would be two images.
    (['1.png'], ['a/1.png', 'b/1.png']),
    # It is another row's.
    (['a/1.png'], ['a/1.png', 'c/1.png']),
  ],
)
def test_what_is_not_clear_is_not_used(
  tmp_path: pathlib.Path, files: list[str], names: list[str]
) -> None:
  _touch(tmp_path, *files)
  cohort = _read(_table(tmp_path, names))
  assert _paths(cohort) == names
  assert (
    'several files could be meant, one file several times' in (cohort.notes[0])
  )


def test_a_file_of_another_folder_is_another_file(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'a/1.png', 'a/2.png', 'b/3.png')
  names = ['a/1.png', 'a/3.png']
  cohort = _read(_table(tmp_path, names))
  assert (_paths(cohort), cohort.notes) == (names, ())


@pytest.mark.parametrize('root', ['', '/mnt/x/', 'D:\\x\\'])
@pytest.mark.parametrize('inner', ['', 'images/'])
def test_a_folder_that_has_not_arrived_has_no_files(
  tmp_path: pathlib.Path, root: str, inner: str
) -> None:
  """Those of the same names are of the folder that has."""
  _touch(tmp_path, *(f'train/{inner}{i}.png' for i in range(4)))
  ours = [f'{root}train/{inner}{i}.png' for i in range(2)]
  others = [f'{root}test/{inner}{i}.png' for i in range(2, 4)]
  cohort = _read(_table(tmp_path, ours + others))
  there = [cohort.source.exists(c.path) for c in cohort.candidates]
  assert there == [True] * 2 + [False] * 2
  assert 'or one of another folder: none is used.' in cohort.notes[-1]


def test_a_file_of_a_folder_is_none_of_those_beside_it(tmp_path) -> None:
  """Half of what lies beside a table has arrived, and all heat maps."""
  names = [f'{i}.png' for i in range(4)]
  _touch(tmp_path, *names[:2], *(f'heat/{name}' for name in names))
  cohort = _read(_table(tmp_path, names))
  assert _paths(cohort) == names and not cohort.notes
  # Another ending is another name of the same one.
  _touch(tmp_path, '2.jpg', '3.jpg')
  cohort = _read(_table(tmp_path, names))
  assert _paths(cohort) == [*names[:2], '2.jpg', '3.jpg']


def test_images_in_a_folder_that_is_named(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  _touch(tmp_path, 'elsewhere/x/1.png', 'elsewhere/2.png')
  table = _table(tmp_path / 'tables', ['1', 'y/2.jpeg'])
  cohort = _read(table, str(tmp_path / 'elsewhere'))
  assert _paths(cohort) == ['x/1.png', '2.png']
  assert cohort.source.root == tmp_path / 'elsewhere'
  assert cohort.source.name == str(table)
  monkeypatch.chdir(tmp_path)
  assert _paths(_read(table, 'elsewhere')) == ['x/1.png', '2.png']
  _touch(tmp_path, 'tables/pictures/1.png', 'tables/pictures/2.png')
  assert _paths(_read(table, 'pictures')) == ['1.png', '2.png']
  with pytest.raises(UserError, match='there is no such folder'):
    _read(table, 'nowhere')
  with pytest.raises(UserError, match='is no table that names images'):
    _read(tmp_path / 'elsewhere', str(tmp_path))


@pytest.mark.parametrize(
  'address',
  [
    'https://example.org/data/a%20b.png?size=1',
    's3://bucket/data/a b.png',
    'gs://bucket/a b.png',
  ],
)
def test_addresses_are_no_files(tmp_path: pathlib.Path, address: str) -> None:
  _touch(tmp_path, 'images/a b.png', '2.png')
  table = _table(tmp_path, ['2.png', address])
  with pytest.raises(UserError) as caught:
    _read(table)
  assert f'row 2: the path is an address ({address})' in str(caught.value)
  assert '--config.data.images=FOLDER' in str(caught.value)
  # What was downloaded is found by its name.
  assert _paths(_read(table, str(tmp_path)))[1] == 'images/a b.png'


def test_addresses_of_this_machine_are_paths(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'images/a b.png', '2.png')
  address = (tmp_path / 'images' / 'a b.png').as_uri()
  cohort = _read(_table(tmp_path, ['2.png', address]))
  assert _paths(cohort)[1] == str(tmp_path / 'images' / 'a b.png')
  assert all(cohort.source.exists(path) for path in _paths(cohort))

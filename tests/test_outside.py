"""What lies outside of the folder of the data is read, and said."""

import os
import pathlib

import pytest

from heterojax import datasets


def _read(root: pathlib.Path, *paths: str) -> tuple[str, ...]:
  rows = [f'{path},{("a", "b")[i % 2]}' for i, path in enumerate(paths)]
  (root / 't.csv').write_text('\n'.join(['path,label', *rows, '']))
  cohort = datasets.read('folder', root / 't.csv', ('a', 'b'))
  assert len(cohort.included) == len(paths)
  return tuple(note for note in cohort.notes if 'outside' in note)


@pytest.fixture(name='data')
def _data(tmp_path: pathlib.Path) -> pathlib.Path:
  """The folder `data` with images in it, and others beside it."""
  for name in 'data/in/1', 'data/in/2', 'database/3', 'archive/4', 'archive/5':
    path = tmp_path / f'{name}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
  return tmp_path / 'data'


def test_nothing_is_said_of_what_is_inside(data: pathlib.Path) -> None:
  link = data.with_name('link')
  link.symlink_to(data)
  (data / 'in' / 'copy.png').symlink_to('1.png')
  for root in data, link:
    whole = str(data / 'in' / '2.png')
    assert not _read(root, 'in/1.png', whole, 'in/copy.png')
    assert not _read(root, f'{link}/in/2.png', '../data/in/1.png')


def test_paths_and_links_that_lead_out(data: pathlib.Path, caplog) -> None:
  archive = data.with_name('archive')
  (data / 'linked.png').symlink_to(archive / '5.png')
  (data / 'folder').symlink_to(archive)
  caplog.set_level('INFO', 'heterojax')
  assert _read(
    data,
    *('in/1.png', '../database/3.png', f'{archive}/4.png'),
    *('linked.png', 'folder/5.png', '../absent.png', 'in/2.png'),
  ) == ('4 of 7 images lie outside of the folder data: in archive, database.',)
  assert f'in {archive}, {data.with_name("database")}.' in caplog.text


def test_more_folders_than_are_named(data: pathlib.Path) -> None:
  paths = []
  for name in 'vwxyz':
    path = data.parent / name / 'i.png'
    path.parent.mkdir()
    path.touch()
    paths.append(os.path.relpath(path, data))
  (note,) = _read(data, *paths)
  said = '5 of 5 images lie outside of the folder data: in v, w, x and 2 more.'
  assert note == said


def test_links_of_class_folders(data: pathlib.Path) -> None:
  for label, name in ('a', 'archive'), ('b', 'database'):
    (data / label).symlink_to(data.with_name(name))
  cohort = datasets.read('folder', data, ('a', 'b'))
  said = '3 of 3 images lie outside of the folder data: in archive, database.'
  assert said in cohort.notes

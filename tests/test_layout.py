"""Files at any depth, and counts against published ones."""

from collections.abc import Sequence
import os
import pathlib

import hypothesis
from hypothesis import strategies as st
import pytest

from heterojax.datasets import layout
from heterojax.errors import UserError


def _touch(root: pathlib.Path, *names: str, text: str = '') -> pathlib.Path:
  for name in names:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  return root


def test_walk_lists_every_file_shallowest_folders_first(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'z.csv', 'a/b/2.png', 'a/1.png', 'b/3.png')
  tree = layout.walk(tmp_path)
  assert list(tree.folders.items()) == [
    ('', ('z.csv',)),
    ('a', ('1.png',)),
    ('b', ('3.png',)),
    ('a/b', ('2.png',)),
  ]
  assert tree.notes == ()


def test_walk_agrees_with_the_standard_library(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, *(f'{i % 3}/{i % 5}/{i}.png' for i in range(40)))
  tree = layout.walk(tmp_path)
  found = {
    str(pathlib.Path(folder) / name)
    for folder, names in tree.folders.items()
    for name in names
  }
  assert found == {
    os.path.relpath(os.path.join(folder, name), tmp_path)
    for folder, _, names in os.walk(tmp_path)
    for name in names
  }


def test_what_systems_leave_behind_does_not_count(
  tmp_path: pathlib.Path,
) -> None:
  _touch(
    tmp_path,
    'a.png',
    '._a.png',
    '.DS_Store',
    '__MACOSX/x.png',
    '.ipynb_checkpoints/y.png',
    'b/._full_df.csv',
  )
  assert layout.walk(tmp_path).folders == {'': ('a.png',), 'b': ()}


@pytest.mark.parametrize(
  'begun', [('config.json', 'environment.json'), ('.lock',)]
)
def test_what_a_run_wrote_is_no_data(
  tmp_path: pathlib.Path, begun: tuple[str, ...]
) -> None:
  """As where somebody stands in the data: runs are in the folder runs."""
  for folder in ('ill', 'figures', 'runs/a/figures', 'runs/b/ill'):
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / '1.png').touch()
  assert 'runs/a/figures' in layout.walk(tmp_path).folders
  for name in begun:
    (tmp_path / 'runs/a' / name).touch()
  tree = layout.walk(tmp_path)
  assert sorted(tree.folders) == [
    '',
    'figures',
    'ill',
    'runs',
    'runs/b',
    'runs/b/ill',
  ]
  assert tree.notes == ('The folder runs/a is of a run, and not looked at.',)
  for name in ('config.json', 'environment.json', 'results.json', 'table.csv'):
    (tmp_path / name).touch()  # The folder of the data is that of a run, too.
  tree = layout.walk(tmp_path)
  assert sorted(tree.folders) == ['', 'ill', 'runs', 'runs/b', 'runs/b/ill']
  assert tree.folders[''] == ('table.csv',)


def test_a_lock_among_images_is_of_somebody_else(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'ill/.lock', 'ill/1.png', 'well/2.png')
  tree = layout.walk(tmp_path)
  assert tree.folders == {'': (), 'ill': ('1.png',), 'well': ('2.png',)}
  assert not tree.notes


def test_a_lock_with_content_is_of_somebody_else(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'ill/a/1.png')
  (tmp_path / 'ill/.lock').write_text('12')
  tree = layout.walk(tmp_path)
  assert tree.folders == {'': (), 'ill': (), 'ill/a': ('1.png',)}
  assert not tree.notes


def test_links_are_followed_and_never_loop(tmp_path: pathlib.Path) -> None:
  elsewhere = _touch(tmp_path / 'elsewhere', '1.png')
  root = _touch(tmp_path / 'root', 'a/2.png')
  (root / 'images').symlink_to(elsewhere)
  (root / 'a/again').symlink_to(root)
  (root / 'a/self').symlink_to('self')
  (root / 'gone').symlink_to('nowhere')
  assert layout.walk(root).folders == {
    '': ('gone',),
    'a': ('2.png', 'self'),
    'images': ('1.png',),
  }


def test_a_folder_that_cannot_be_listed_is_noted(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """The system's refusal is played, as root may list everything."""
  _touch(tmp_path, 'a/1.png', 'locked/2.png')
  scandir = os.scandir

  def refuse(path: pathlib.Path) -> object:
    if path.name == 'locked':
      raise PermissionError(13, 'Permission denied')
    return scandir(path)

  monkeypatch.setattr(os, 'scandir', refuse)
  tree = layout.walk(tmp_path)
  assert list(tree.folders) == ['', 'a']
  assert tree.notes == (
    'The folder locked could not be searched (Permission denied).',
  )
  with pytest.raises(UserError, match=r'locked cannot be searched \(Perm'):
    layout.walk(tmp_path / 'locked')


def _fails(path: pathlib.Path, names: Sequence[str] = ('t.csv',)) -> str:
  with pytest.raises(UserError) as caught:
    layout.find_table(path, names, 'the download')
  text = str(caught.value)
  assert text.endswith('.') and '\n' not in text
  return text


@pytest.mark.parametrize('place', ['', 'a', 'a/b/c/d'])
def test_a_table_is_found_at_any_depth(
  tmp_path: pathlib.Path, place: str
) -> None:
  _touch(tmp_path, f'{place}/t.csv'.lstrip('/'), 'x/other.csv')
  tree, table = layout.find_table(tmp_path, ('s.csv', 't.csv'), 'the download')
  assert tree.root == tmp_path
  assert table == tmp_path / place / 't.csv'


def test_the_shallowest_table_is_taken(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'z/t.csv')
  _touch(tmp_path, 'a/b/t.csv', text='other')
  assert layout.find_table(tmp_path, ('t.csv',), '')[1] == tmp_path / 'z/t.csv'


def test_a_table_can_be_named_itself(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'in/any name.csv', 'in/deep/1.png', 'out.png')
  table = tmp_path / 'in/any name.csv'
  tree, found = layout.find_table(table, ('t.csv',), '')
  assert (tree.root, found) == (tmp_path / 'in', table)
  assert tree.folders == {'': ('any name.csv',), 'deep': ('1.png',)}


def test_two_tables_must_be_the_same(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'a/t.csv', 'b/t.csv')
  assert layout.find_table(tmp_path, ('t.csv',), '')[1] == tmp_path / 'a/t.csv'
  _touch(tmp_path, 'b/t.csv', text='other')
  assert 'holds a/t.csv and b/t.csv: name the one to use' in _fails(tmp_path)


def test_a_missing_table_is_one_sentence(tmp_path: pathlib.Path) -> None:
  text = _fails(tmp_path / 'nowhere')
  assert 'nowhere does not exist' in text and 'the download' in text
  assert 'does not exist' in _fails(tmp_path / ('x' * 5000))
  _touch(tmp_path, 'a/b/1.png')
  (tmp_path / 'a/t.csv').mkdir()
  assert 'holds no t.csv or s.csv: --config.data.dir must be' in _fails(
    tmp_path, ('t.csv', 's.csv')
  )


def test_a_table_above_is_pointed_at(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 't.csv', 'a/b/1.png')
  assert f'{tmp_path} does, so give that' in _fails(tmp_path / 'a/b')


def _locate(
  root: pathlib.Path, *names: str
) -> tuple[dict[str, str], tuple[str, ...]]:
  return layout.locate(layout.walk(root), root / 't.csv', names)


def test_files_are_found_in_several_folders(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'i_1/images/1.png', 'i_2/images/2.png', 'i_2/images/3.png')
  paths, notes = _locate(tmp_path, '1.png', '2.png', '3.png', '4.png')
  assert paths == {
    '1.png': 'i_1/images/1.png',
    '2.png': 'i_2/images/2.png',
    '3.png': 'i_2/images/3.png',
    '4.png': '4.png',
  }
  assert notes == ('3 of the 4 images that t.csv names are here.',)


def test_a_missing_file_is_expected_beside_the_others(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'deep/er/1.png')
  assert _locate(tmp_path, '1.png', '2.png')[0]['2.png'] == 'deep/er/2.png'


def test_of_copies_the_fullest_folder_is_taken(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'a/1.png', 'b/1.png', 'b/2.png', 'c/d/1.png', '1.png')
  paths, notes = _locate(tmp_path, '1.png', '2.png')
  assert paths == {'1.png': 'b/1.png', '2.png': 'b/2.png'}
  assert notes[1:] == (
    '3 images lie in more than one folder: that in b is used.',
  )


def test_no_file_at_all_is_one_sentence(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, '9.png')
  (tmp_path / '1.png').mkdir()
  with pytest.raises(UserError) as caught:
    _locate(tmp_path, '', '1.png', '2.png')
  assert 'holds none of the 3 images that t.csv names, as 1.png' in str(
    caught.value
  )


def test_a_folder_whose_name_is_not_utf8_is_passed_over(
  tmp_path: pathlib.Path,
) -> None:
  bad = tmp_path / b'\xe9'.decode(errors='surrogateescape')
  _touch(bad, '1.png', '2.png')
  _touch(tmp_path, 'good/1.png')
  paths, _ = _locate(tmp_path, '1.png', '2.png')
  assert paths == {'1.png': 'good/1.png', '2.png': 'good/2.png'}


def test_unique_names() -> None:
  assert layout.unique(['a', 'b', 'a', 'a']) == ['a', 'b', 'a#2', 'a#3']
  assert layout.unique(['a', 'a', 'a#2', 'a']) == ['a', 'a#3', 'a#2', 'a#4']


@hypothesis.given(st.lists(st.sampled_from(['a', 'a#2', 'a#3', 'a#2#2', 'b'])))
def test_names_become_unique_and_the_first_stays(names: list[str]) -> None:
  found = layout.unique(names)
  assert len(set(found)) == len(found) == len(names)
  for i, (name, given) in enumerate(zip(found, names)):
    assert (name == given) == (given not in names[:i])
    assert name.startswith(given)


def test_equal_counts_are_one_sentence() -> None:
  counts = {'rows': 5606, 'Mass': 284}
  assert layout.compare('t.csv', dict(counts), counts) == (
    't.csv has the published 5,606 rows and counts.',
  )


def test_counts_of_a_part() -> None:
  found = {'rows': 800, 'Hernia': 0, 'Mass': 284}
  assert layout.compare('t.csv', found, {'rows': 5606, 'Mass': 284}) == (
    't.csv has 800 rows; the published file has 5,606: this is a part of it.',
  )
  assert layout.compare('t.csv', found, {'rows': 5606, 'Mass': 300})[1:] == (
    'Other counts of t.csv (published ones): Mass 284 (300).',
  )


@pytest.mark.parametrize(
  'found',
  [{'rows': 8, 'Mass': 3}, {'rows': 8, 'Mass': 2, 'odd': 1}, {'rows': 11}],
)
def test_what_has_more_of_anything_is_no_part(found: dict[str, int]) -> None:
  published = {'rows': 10, 'Mass': 2}
  first, *_ = layout.compare('t.csv', found, published)
  assert first.endswith('the published file has 10: this is another file.')


def test_other_counts_of_as_many_rows() -> None:
  found = layout.compare('t', {'rows': 9, 'odd': 1}, {'rows': 9, 'Mass': 2})
  assert found == (
    't has 9 rows, as published.',
    'Other counts of t (published ones): Mass 0 (2), odd 1 (0).',
  )

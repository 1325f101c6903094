"""Folders called as folds are: never classes, a column, and the split."""

import dataclasses
import pathlib

import pytest

from heterojax import datasets
from heterojax.datasets import folder
from heterojax.datasets import folder_parts
from heterojax.datasets import restriction
from heterojax.datasets import splits
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_CLASSES = ('benign', 'malignant')


def _touch(root: pathlib.Path, *names: str) -> pathlib.Path:
  for name in names:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
  return root


def _folds(cohort: Cohort) -> dict[str, tuple[str, str, str]]:
  """Label, split and fold by path."""
  return {
    c.path: (c.label, c.split, dict(c.columns).get('fold', ''))
    for c in cohort.included
  }


def _assigned(cohort: Cohort) -> tuple[Cohort, ...]:
  return splits.assign(
    cohort,
    seed=0,
    protocol='clean',
    test_share=0.5,
    validation_share=0,
    folds=0,
  )


@pytest.mark.parametrize(
  ('name', 'number'),
  [
    *(('fold_0', '0'), ('fold1', '1'), ('Fold 2', '2'), ('FOLD-03', '3')),
    *(('k0', '0'), ('K_1', '1'), ('cv_2', '2'), ('cv-fold-3', '3')),
    *(('kfold_4', '4'), ('k-fold 5', '5'), ('5fold_1', '1')),
    *(('Fold 1 of 5', '1'), ('split_2', '2'), ('folds7', '7')),
    *(('images_fold_1', '1'), ('train_fold_0', '0'), ('fold_0_test', '0')),
    *(('0_fold', '0'), ('1st fold', '1'), ('fold_b', '1'), ('folds', '')),
    *(('fold', ''), ('manifold_1', ''), ('skin_fold_1', ''), ('fold_z', '')),
    *(('split_1_train', '1'), ('k0_images', '0'), ('test-cv-2', '2')),
    *(('k0_late', ''), ('k0a', ''), ('fold_0b', ''), ('network_1', '')),
    *(('grade_1', ''), ('part_1', ''), ('split', '')),
  ],
)
def test_names_of_folds(name: str, number: str) -> None:
  assert folder_parts.fold(name) == number


@pytest.mark.parametrize(
  'word', ['fold_{}', 'fold{}', 'k{}', 'cv_{}', 'Fold-{}']
)
@pytest.mark.parametrize(
  'place',
  [
    '{fold}/{label}',
    '{label}/{fold}',
    'images/{fold}/{label}',
    '{fold}/images/{label}',
    '{label}/{fold}/images',
    'BreaKHis/5_folds/{fold}/{label}',
    '5-fold/{fold}/{label}',
  ],
)
def test_folders_of_folds_are_a_column_and_the_split(
  tmp_path: pathlib.Path, word: str, place: str
) -> None:
  want = {
    f'{place.format(fold=word.format(k), label=label)}/{i}.png': (
      label,
      f'fold_{k}',
      str(k),
    )
    for k in range(3)
    for label in _CLASSES
    for i in range(2)
  }
  cohort = folder.read(_touch(tmp_path, *want), _CLASSES)
  assert _folds(cohort) == want
  assert cohort.notes[-1] == (
    'The folders name the fold of each image (fold_0, fold_1, fold_2), which is'
    ' the column fold: each fold is tested once, unless'
    ' --config.split.named=False.'
  )
  assigned = _assigned(cohort)
  for k, of_fold in enumerate(assigned):
    assert {c.path for c in of_fold.included if c.split == 'test'} == {
      path for path, (_, split, _) in want.items() if split == f'fold_{k}'
    }
  assert len(assigned) == 3


def test_folds_in_splits_are_a_column_alone(tmp_path: pathlib.Path) -> None:
  for label in _CLASSES:
    _touch(tmp_path, *(f'train/fold_{k}/{label}/a.png' for k in range(2)))
    _touch(tmp_path, f'test/{label}/b.png')
  cohort = folder.read(tmp_path, _CLASSES)
  assert {(c.split, *dict(c.columns).values()) for c in cohort.included} == {
    ('train', '0'),
    ('train', '1'),
    ('test', ''),
  }
  assert 'are the column fold and split nothing' in cohort.notes[-1]


@pytest.mark.parametrize('test', ['test', 'test_fold', 'hold-out'])
def test_folds_beside_a_part_for_testing_are_trained_on(
  tmp_path: pathlib.Path, test: str
) -> None:
  for label in _CLASSES:
    _touch(tmp_path, *(f'fold_{k}/{label}/a.png' for k in range(2)))
    _touch(tmp_path, f'{test}/{label}/b.png')
  cohort = folder.read(tmp_path, _CLASSES)
  assert {(c.split, *dict(c.columns).values()) for c in cohort.included} == {
    ('train', '0'),
    ('train', '1'),
    ('test', ''),
  }
  assert cohort.notes[0] == (
    'Folders of folds beside one for testing are what is trained on.'
  )


@pytest.mark.parametrize('beside', ['', 'readme/more/a.txt'])
@pytest.mark.parametrize('of', ['folds', '3-fold', 'KFold', 'cross_validation'])
def test_a_folder_of_folds_is_no_class(
  tmp_path: pathlib.Path, of: str, beside: str
) -> None:
  for k in range(3):
    _touch(tmp_path, *(f'{of}/{k}/{c}/{i}.png' for c in _CLASSES for i in '01'))
  if beside:
    _touch(tmp_path, beside)
  cohort = folder.read(tmp_path, _CLASSES)
  assert {(c.label, c.split) for c in cohort.included} == {
    (label, f'fold_{k}') for k in range(3) for label in _CLASSES
  }
  # Numbers in a class are patients.
  root = tmp_path / 'classes'
  _touch(root, 'folds/0/a.png', 'folds/1/b.png', 'normal/0/c.png')
  cohort = folder.read(root, ('', ''))
  assert {c.label for c in cohort.included} == {'folds', 'normal'}
  assert not any(c.split for c in cohort.candidates)


def test_names_of_parts_that_are_not_used_are_said(
  tmp_path: pathlib.Path,
) -> None:
  for label in _CLASSES:
    _touch(tmp_path, *(f'{label}/SOB/fold_{k}/a.png' for k in range(2)))
    _touch(tmp_path, f'{label}/SOB/test/a.png', f'{label}/SOB/a.png')
  cohort = folder.read(tmp_path, _CLASSES)
  assert cohort.notes == (
    '6 images lie in folders called as splits or folds within folders that are'
    ' no classes, as benign/SOB/fold_0/a.png: these names are not used.',
  )


@pytest.mark.parametrize(
  'place',
  [
    'fold{k}/{split}/{label}',
    '{split}_fold_{k}/{label}',
    'split_{k}_{split}/{label}',
  ],
)
def test_folds_with_splits_of_their_own(
  tmp_path: pathlib.Path, place: str
) -> None:
  """As BreaKHis has them: the images of each fold are all images."""
  for k in (1, 2):
    for split, n in (('train', 3), ('test', 2)):
      for label in _CLASSES:
        at = place.format(k=k, split=split, label=label)
        _touch(tmp_path, *(f'{at}/{i}.png' for i in range(n)))
  cohort = folder.read(tmp_path, _CLASSES)
  assert cohort.notes[-1].startswith('Each of the folds fold_1, fold_2 has')
  with pytest.raises(UserError, match='one with --config.data.where=fold=1,'):
    _assigned(cohort)
  assert _assigned(splits.unnamed(cohort))
  (one,) = _assigned(restriction.restrict(cohort, 'fold=2'))
  assert {
    c.split: sum(o.split == c.split for o in one.included) for c in one.included
  } == {'train': 6, 'test': 4}
  assert all(dict(c.columns)['fold'] == '2' for c in one.included)


def test_a_fold_without_a_test_part_is_tested_by_its_validation(
  tmp_path: pathlib.Path,
) -> None:
  for label in _CLASSES:
    for k in range(2):
      _touch(
        tmp_path, *(f'fold_{k}/{s}/{label}/a.png' for s in ('train', 'val'))
      )
    _touch(tmp_path, f'test/{label}/a.png')
  cohort = folder.read(tmp_path, _CLASSES)
  own = 'splits of their own, as fold_0: study one with .*where=fold=0,'
  with pytest.raises(UserError, match=own):
    _assigned(cohort)
  (one,) = _assigned(restriction.restrict(cohort, 'fold=1'))
  assert {c.path.split('/')[1]: c.split for c in one.included} == {
    'train': 'train',
    'val': 'test',
  }


def test_one_fold_splits_nothing(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, *(f'fold_3/{c}/{i}.png' for c in _CLASSES for i in range(2)))
  cohort = folder.read(tmp_path, _CLASSES)
  assert {split for _, split, _ in _folds(cohort).values()} == {''}
  assert cohort.notes[-1] == (
    'The folders name one fold alone (fold_3), which splits nothing: images are'
    ' split at random.'
  )


def test_folds_of_some_images_are_refused(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, *(f'benign/fold_{k}/a.png' for k in range(2)))
  _touch(tmp_path, 'malignant/b.png', 'malignant/c.png')
  with pytest.raises(UserError, match='Only 2 of 4 images of .* have a split'):
    _assigned(folder.read(tmp_path, _CLASSES))


def test_folds_are_classes_only_where_they_are_named(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path / 'k', *(f'k{k}/{i}.png' for k in range(3) for i in range(2)))
  with pytest.raises(UserError, match=r'Folders called k0, k1, k2 are folds'):
    folder.read(tmp_path / 'k', ('', ''))
  _touch(tmp_path / 'beside', 'cv_1/a.png', 'control/b.png')
  with pytest.raises(
    UserError, match=r'All of .* Folders called cv_1 are folds'
  ):
    folder.read(tmp_path / 'beside', ('', 'control'))
  assert folder.read(tmp_path / 'beside', ('cv_1', '')).classes[0] == 'cv_1'
  for named in (('k0', 'k1'), ('k2', 'rest'), ('k0|k1', 'k2')):
    cohort = folder.read(tmp_path / 'k', named)
    assert {c.label for c in cohort.included} == {*cohort.classes}
    assert not any(c.split for c in cohort.candidates)


def test_two_folds_are_said(tmp_path: pathlib.Path) -> None:
  for k in range(2):
    for label in _CLASSES:
      _touch(tmp_path, f'fold_{k}/{label}/fold_{1 - k}/a.png')
  cohort = folder.read(tmp_path, _CLASSES)
  assert {c.path[5]: c.split for c in cohort.included} == {
    '0': 'fold_0',
    '1': 'fold_1',
  }
  assert any('lie in folders of two folds' in note for note in cohort.notes)


def test_a_table_beside_folders_of_folds_is_read(
  tmp_path: pathlib.Path,
) -> None:
  """As UrbanSound has them: its folders say the fold, its table the class."""
  rows = [
    (f'fold{k}/{i}.png', 'ab'[i % 2], k) for k in (1, 2) for i in range(4)
  ]
  _touch(tmp_path, *(path for path, _, _ in rows))
  lines = [f'{path},{label},{k}' for path, label, k in rows]
  (tmp_path / 'meta.csv').write_text('\n'.join(['path,label,fold', *lines]))
  cohort = datasets.read('folder', tmp_path, ('a', 'b'))
  assert {c.path: c.split for c in cohort.included} == {
    path: f'fold_{k}' for path, _, k in rows
  }


def test_a_table_in_a_folder_is_named(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'audio/fold1/a.png', 'audio/fold2/b.png', 'meta/x.csv')
  with pytest.raises(UserError) as caught:
    folder.read(tmp_path, _CLASSES)
  assert f'give --config.data.dir={tmp_path}/meta/x.csv.' in str(caught.value)


@pytest.mark.parametrize('word', ['fold_{}', 'Fold {}', 'k{}', '{}', '{}.0'])
def test_folds_of_a_table_may_be_words(
  tmp_path: pathlib.Path, word: str
) -> None:
  rows = [f'{i}.png,{"ab"[i % 2]},{word.format(i // 2)}' for i in range(4)]
  path = tmp_path / 'a.csv'
  path.write_text('\n'.join(['path,label,fold', *rows]))
  cohort = folder.read(path, ('a', 'b'))
  assert [c.split for c in cohort.candidates] == [
    *('fold_0', 'fold_0', 'fold_1', 'fold_1'),
  ]


def test_candidates_of_plain_folders_have_no_such_column(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'benign/a.png', 'malignant/b.png')
  cohort = folder.read(tmp_path, _CLASSES)
  assert cohort == dataclasses.replace(cohort, notes=())
  assert not any(c.columns for c in cohort.candidates)

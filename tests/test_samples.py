"""Samples: augmented copies, who shares a picture, and their order."""

from collections.abc import Sequence
import csv
import dataclasses
import io
import pathlib

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from heterojax.datasets import augmentation
from heterojax.datasets import sources
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.studies import samples as samples_lib

# Id, path, label, split.
_ROWS = (
  ('0_left', 'x.png', 'ill', 'test'),
  ('1_left', 'a.png', 'ill', 'train'),
  ('2_left', 'a.png', 'ill', 'train'),  # The same file, another row.
  ('3_left', 'b.png', 'ill', 'train'),
  ('4_left', 'c.png', 'well', 'train'),
  ('5_left', 'd.png', 'well', 'train'),
  ('6_left', 'e.png', 'well', 'validation'),
  ('7_left', 'a.png', 'ill', 'test'),  # A leak.
  ('8_left', 'c.png', 'ill', 'test'),  # The same file, another label.
  ('9_left', 'f.png', 'well', ''),  # Not drawn.
)
_SOURCE = sources.Files(pathlib.Path('root'))


def _cohort() -> Cohort:
  candidates = [
    Candidate(i, path, label, i, split) for i, path, label, split in _ROWS
  ]
  candidates[-1] = candidates[-1].left_out('not drawn')
  return Cohort('made up', _SOURCE, ('ill', 'well'), tuple(candidates))


def _collect(
  factors: tuple[float, float] = (2, 1.5), seed: int = 0
) -> samples_lib.Samples:
  (found,) = samples_lib.collect([_cohort()], seed=seed, factors=factors)
  return found


def test_without_augmentation() -> None:
  samples = _collect((1, 1))
  assert (
    samples.ids
    == samples.parents
    == (
      '1_left',
      '2_left',
      '3_left',
      '4_left',
      '5_left',
      '6_left',
      '0_left',
      '7_left',
      '8_left',
    )
  )
  assert samples.split.tolist() == (
    ['train'] * 5 + ['validation'] + ['test'] * 3
  )
  assert samples.y.tolist() == [1, 1, 1, 0, 0, 0, 1, 1, 1]
  assert samples.is_original.all()


def test_samples_of_one_file_share_a_picture() -> None:
  samples = _collect((1, 1))
  row = dict(zip(samples.ids, samples.row.tolist()))
  assert row['1_left'] == row['2_left'] == row['7_left']
  # A row of features has one label.
  assert row['4_left'] != row['8_left']
  assert len(samples.pictures) == len(set(row.values())) == 7
  for i, path, _, split in _ROWS:
    if split:
      picture = samples.pictures[row[i]]
      assert picture.path == path
      assert picture.transform == augmentation.IDENTITY


def test_units_are_patients() -> None:
  cohort = _cohort()
  groups = {
    '1_left': 'p',
    '3_left': 'p',
    '7_left': '',
    '8_left': '',
    '0_left': 'q',
  }
  changed = {
    c.id: dataclasses.replace(c, group=groups.get(c.id, c.group))
    for c in cohort.candidates
  }
  (samples,) = samples_lib.collect(
    [cohort.replaced(changed)], seed=0, factors=(2, 1)
  )
  of = dict(zip(samples.ids, samples.groups, strict=True))
  assert of['1_left'] == of['3_left'] == of['3_left+1'] == 'p'
  train, test = samples.of('train'), samples.of('test')
  unit = dict(zip([samples.ids[i] for i in train], samples.units(train)))
  assert unit['1_left'] == unit['3_left'] == unit['1_left+1']
  assert len(set(unit.values())) == 4
  # Unknown patients are not one patient, nor is one of an image's own name.
  assert len(set(samples.units(test))) == len(test) == 3
  nobody = dataclasses.replace(samples, groups=())
  # A copy shows the image that it was made from.
  images = {nobody.parents[i] for i in train}
  assert len(set(nobody.units(train))) == len(images) < len(train)
  named = dataclasses.replace(
    samples, groups=('',) * (len(samples.ids) - 1) + (samples.ids[0],)
  )
  every = named.units(np.arange(len(samples.ids)))
  assert len(set(every)) == len({*samples.parents})


def test_copies_follow_the_training_originals() -> None:
  samples = _collect()
  train = samples.of('train')
  assert train.tolist() == list(range(9))  # 5 originals, 3 + 1 copies.
  assert samples.is_original.tolist() == [True] * 5 + [False] * 4 + [True] * 4
  copies = list(zip(samples.ids, samples.parents))[5:9]
  assert {parent for _, parent in copies[:3]} == {'1_left', '2_left', '3_left'}
  assert copies[3][1] in ('4_left', '5_left')
  assert all(i == f'{parent}+1' for i, parent in copies)
  assert len(set(samples.ids)) == len(samples.ids)
  assert samples.of('validation').tolist() == [9]
  assert samples.of('test').tolist() == [10, 11, 12]


@pytest.mark.parametrize('used', [True, False])
def test_no_image_is_called_as_a_copy_is(used: bool) -> None:
  """In tables it would be taken for that image, also where it is left out."""
  cohort = _cohort()
  first = next(c for c in cohort.included if c.split == 'train')
  alike = dataclasses.replace(first, id=f'{first.id}+1', split='test')
  alike = alike if used else alike.left_out('unreadable')
  cohort = dataclasses.replace(cohort, candidates=(*cohort.candidates, alike))
  samples_lib.collect([cohort], seed=0, factors=(1, 1))
  with pytest.raises(UserError, match=rf'{first.id}\+1 is called as a copy'):
    samples_lib.collect([cohort], seed=0, factors=(2, 2))


def test_copies_have_transforms_of_their_own_pictures() -> None:
  samples = _collect((3, 3), seed=5)
  label = dict(zip(samples.ids, samples.y.tolist()))
  for i, parent, transform, row, y in zip(
    samples.ids, samples.parents, samples.transforms, samples.row, samples.y
  ):
    assert samples.pictures[row].transform == transform
    assert y == label[parent]
    if i == parent:
      assert transform == augmentation.IDENTITY
    else:
      copy = int(i.removeprefix(f'{parent}+'))
      assert transform == augmentation.transform_of(5, parent, copy)
      path = next(p for known, p, *_ in _ROWS if known == parent)
      assert samples.pictures[row].path == path


def test_validation_and_test_images_have_no_copies() -> None:
  samples = _collect((4, 4))
  copied = {samples.parents[j] for j in np.flatnonzero(~samples.is_original)}
  assert copied == {f'{i}_left' for i in (1, 2, 3, 4, 5)}


@pytest.mark.parametrize('factors', [(1, 1), (2, 1.5), (3, 2)])
def test_labels_of_pictures(factors: tuple[float, float]) -> None:
  samples = _collect(factors)
  assert samples.y_of_pictures.shape == (len(samples.pictures),)
  np.testing.assert_array_equal(samples.y_of_pictures[samples.row], samples.y)
  assert set(samples.row.tolist()) == set(range(len(samples.pictures)))


def test_class_counts() -> None:
  samples = _collect()
  names = ('ill', 'well')
  assert samples.class_counts(samples.of('train'), names) == {
    'ill': 6,
    'well': 3,
  }
  assert samples.class_counts(samples.of('test'), names) == {
    'ill': 3,
    'well': 0,
  }
  assert samples.class_counts([], names) == {'ill': 0, 'well': 0}


def test_copies_per_class_follow_the_factors() -> None:
  samples = _collect((1, 2))
  assert samples.class_counts(samples.of('train'), ('ill', 'well')) == {
    'ill': 3,
    'well': 4,
  }


def test_the_seed_changes_copies_and_nothing_else() -> None:
  first, again, other = (_collect(seed=s) for s in (0, 0, 1))
  assert (first.ids, first.pictures) == (again.ids, again.pictures)
  assert first.pictures != other.pictures
  originals = [
    [i for i, p in zip(s.ids, s.parents) if i == p] for s in (first, other)
  ]
  assert originals[0] == originals[1]


def test_augmented_csv_lists_every_copy() -> None:
  samples = _collect()
  rows = list(csv.DictReader(io.StringIO(samples_lib.augmented_csv([samples]))))
  assert [(r['id'], r['parent_id'], r['transform']) for r in rows] == [
    (i, parent, str(transform))
    for i, parent, transform in zip(
      samples.ids, samples.parents, samples.transforms
    )
    if '+' in i
  ]
  assert len(rows) == 4


def _rotated(cohort: Cohort, number: int) -> list[Cohort]:
  """Folds: every n-th image is tested, the rest trains."""
  used = cohort.included
  return [
    cohort.replaced({
      c.id: dataclasses.replace(
        c, split='test' if i % number == fold else 'train'
      )
      for i, c in enumerate(used)
    })
    for fold in range(number)
  ]


def test_folds_share_one_list_of_pictures() -> None:
  cohorts = _rotated(_cohort(), 3)
  folds = samples_lib.collect(cohorts, seed=3, factors=(2, 2))
  apart = [samples_lib.collect([c], seed=3, factors=(2, 2))[0] for c in cohorts]
  shown = set()
  for fold, alone in zip(folds, apart, strict=True):
    assert fold.pictures is folds[0].pictures
    np.testing.assert_array_equal(fold.y_of_pictures, folds[0].y_of_pictures)
    # Each fold is what it would be without the others, but for where its
    # pictures stand.
    assert (fold.ids, fold.parents) == (alone.ids, alone.parents)
    assert fold.transforms == alone.transforms
    np.testing.assert_array_equal(fold.split, alone.split)
    np.testing.assert_array_equal(fold.y, alone.y)
    np.testing.assert_array_equal(fold.y, fold.y_of_pictures[fold.row])
    assert [fold.pictures[r] for r in fold.row] == [
      alone.pictures[r] for r in alone.row
    ]
    shown |= set(fold.row.tolist())
  pictures = folds[0].pictures
  assert shown == set(range(len(pictures)))
  # The file of two labels is two pictures.
  assert len(set(pictures)) == len(pictures) - 1


def test_augmented_csv_of_folds_names_a_copy_once() -> None:
  folds = samples_lib.collect(_rotated(_cohort(), 3), seed=3, factors=(2, 2))
  rows = list(csv.DictReader(io.StringIO(samples_lib.augmented_csv(folds))))
  copies = {i for fold in folds for i in fold.ids if '+' in i}
  assert len(rows) == len(copies)
  assert {r['id'] for r in rows} == copies
  assert len(rows) < sum('+' in i for fold in folds for i in fold.ids)


_IMAGES = st.lists(
  st.tuples(
    st.sampled_from(['ill', 'well']),
    st.sampled_from(['train', 'train', 'train', 'validation', 'test']),
  ),
  min_size=4,
  max_size=30,
)


def _made(images: Sequence[tuple[str, str]], kept: Sequence[bool]) -> Cohort:
  candidates = tuple(
    Candidate(f'{i}', f'{i}.png', label, '', split)
    for i, ((label, split), keep) in enumerate(zip(images, kept))
    if keep
  )
  return Cohort('made up', _SOURCE, ('ill', 'well'), candidates)


def _copies(folds: Sequence[samples_lib.Samples]) -> dict[str, str]:
  found: dict[str, str] = {}
  for fold in folds:
    for i, transform in zip(fold.ids, fold.transforms):
      assert found.setdefault(i, str(transform)) == str(transform)
  return found


@pytest.mark.medium
@hypothesis.given(
  _IMAGES,
  st.lists(st.booleans(), min_size=30, max_size=30),
  st.tuples(st.floats(1, 4), st.floats(1, 4)),
  st.integers(1, 3),
  st.integers(0, 2**31),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_augmentation_depends_on_seed_and_image_alone(
  images: list[tuple[str, str]],
  kept: list[bool],
  factors: tuple[float, float],
  number: int,
  seed: int,
) -> None:
  """Neither other images, folds nor factors change an image's n-th copy."""
  hypothesis.assume(sum(kept[: len(images)]) > 0)
  whole = _made(images, [True] * len(images))
  (alone,) = samples_lib.collect([whole], seed=seed, factors=(4, 4))
  some = (
    _rotated(_made(images, kept), number)
    if number > 1
    else [_made(images, kept)]
  )
  reference = _copies([alone])
  for i, transform in _copies(
    samples_lib.collect(some, seed=seed, factors=factors)
  ).items():
    parent, _, copy = i.partition('+')
    want = augmentation.IDENTITY
    if copy:
      want = augmentation.transform_of(seed, parent, int(copy))
    assert transform == str(want)
    assert reference.get(i, transform) == transform


@hypothesis.given(_IMAGES, st.integers(0, 2**31), st.floats(1, 4))
@hypothesis.settings(deadline=None, max_examples=60)
def test_every_original_once_before_any_second_copy(
  images: list[tuple[str, str]], seed: int, factor: float
) -> None:
  cohort = _made(images, [True] * len(images))
  (samples,) = samples_lib.collect([cohort], seed=seed, factors=(factor, 1))
  train = samples.of('train')
  parents = [samples.parents[i] for i in train if samples.y[i]]
  times = [parents.count(i) for i in set(parents)]
  wanted = sum(image == ('ill', 'train') for image in images) * factor
  assert abs(sum(times) - wanted) <= 0.5
  assert not times or max(times) - min(times) <= 1


def _numbers() -> Cohort:
  labels = {'ill': '12.5', 'well': '200'}
  cohort = _cohort()
  candidates = tuple(
    dataclasses.replace(c, label=labels[c.label]) for c in cohort.candidates
  )
  return dataclasses.replace(
    cohort, classes=(), candidates=candidates, task='regression'
  )


def test_targets_of_a_regression_are_the_numbers() -> None:
  (samples,) = samples_lib.collect([_numbers()], seed=0, factors=(1, 1))
  classes = _collect((1, 1))
  assert samples.y.dtype == samples.y_of_pictures.dtype == np.float64
  assert classes.y.dtype.kind == 'i'
  np.testing.assert_array_equal(
    samples.y, np.where(classes.y == 1, 12.5, 200.0)
  )
  np.testing.assert_array_equal(samples.y_of_pictures[samples.row], samples.y)
  assert (samples.ids, samples.pictures) == (classes.ids, classes.pictures)


def test_copies_of_a_regression_are_of_all_training_images() -> None:
  (samples,) = samples_lib.collect([_numbers()], seed=0, factors=(2, 2))
  assert sorted(p for i, p in zip(samples.ids, samples.parents) if i != p) == [
    f'{i}_left' for i in (1, 2, 3, 4, 5)
  ]
  (samples,) = samples_lib.collect([_numbers()], seed=0, factors=(1.4, 1.4))
  assert len(samples.of('train')) == 7
  with pytest.raises(UserError, match='must be equal'):
    samples_lib.collect([_numbers()], seed=0, factors=(2, 1))

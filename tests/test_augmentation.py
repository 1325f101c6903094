"""Augmented copies: how many, of which images, and what they look like."""

from collections import Counter
import random

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import ndimage

from heterojax.datasets import augmentation
from heterojax.datasets.augmentation import IDENTITY
from heterojax.datasets.augmentation import Transform


def _random(size: int) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.uniform(0, 255, (size, size, 3)).astype(np.float32)


@pytest.mark.parametrize(
  ('images', 'factor', 'after'),
  [
    (414, 2, 828),  # Fundus, cataract.
    (414, 600 / 414, 600),  # Fundus, normal.
    (112, 2, 224),  # Chest, cardiomegaly.
    (113, 2, 226),  # Chest, no finding.
    (414, 1, 414),
    (1, 1.5, 2),
    (0, 2, 0),
  ],
)
def test_numbers_of_the_paper(images: int, factor: float, after: int) -> None:
  assert images + augmentation.num_copies(images, factor) == after
  ids = [f'{i}_left' for i in range(images)]
  assert images + len(augmentation.copies(0, ids, factor)) == after


def test_a_factor_below_one_takes_nothing_away() -> None:
  assert augmentation.num_copies(10, 0.5) == 0


def test_second_copies_come_after_all_first_ones() -> None:
  found = augmentation.copies(0, ['a', 'b', 'c'], 10 / 3)
  assert [number for _, number in found] == [1, 1, 1, 2, 2, 2, 3]
  order = [name for name, _ in found]
  assert {*order[:3]} == {*'abc'}
  assert order[3:6] == order[:3] and order[6] == order[0]


_IDS = st.lists(st.text(max_size=5), min_size=1, max_size=30, unique=True)


@pytest.mark.slow
@hypothesis.given(_IDS, st.floats(1, 4), st.integers(0, 2**31))
@hypothesis.settings(deadline=None, max_examples=60)
def test_every_image_once_before_any_twice(
  ids: list[str], factor: float, seed: int
) -> None:
  chosen = augmentation.copies(seed, ids, factor)
  assert len(chosen) == augmentation.num_copies(len(ids), factor)
  assert len(set(chosen)) == len(chosen)
  numbers = [copy for _, copy in chosen]
  assert numbers == sorted(numbers)
  assert set(numbers) == set(range(1, max(numbers, default=0) + 1))
  per_image = Counter(image for image, _ in chosen)
  counts = [per_image[i] for i in ids]
  assert max(counts) - min(counts) <= 1
  assert sum(counts) == len(chosen)


@hypothesis.given(_IDS, st.floats(1, 3), st.randoms())
@hypothesis.settings(deadline=None, max_examples=40)
def test_selection_does_not_depend_on_the_order_of_images(
  ids: list[str], factor: float, stream: random.Random
) -> None:
  shuffled = stream.sample(ids, len(ids))
  assert augmentation.copies(3, ids, factor) == augmentation.copies(
    3, shuffled, factor
  )


def test_selection_depends_on_the_seed() -> None:
  ids = [str(i) for i in range(100)]
  first, again, other = (augmentation.copies(s, ids, 1.5) for s in (0, 0, 1))
  assert first == again
  assert set(first) != set(other)


@hypothesis.given(
  st.lists(
    st.tuples(st.integers(0, 5), st.text(max_size=4), st.integers(1, 3)),
    min_size=2,
    max_size=8,
    unique=True,
  ),
  st.randoms(),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_a_transform_depends_on_seed_image_and_copy_alone(
  asked: list[tuple[int, str, int]], stream: random.Random
) -> None:
  forwards = {of: augmentation.transform_of(*of) for of in asked}
  shuffled = stream.sample(asked, len(asked))
  assert {of: augmentation.transform_of(*of) for of in shuffled} == forwards


def test_transforms_differ_by_each_of_the_three() -> None:
  transforms = {
    augmentation.transform_of(seed, image, copy)
    for seed in (0, 1)
    for image in ('0_left', '0_right')
    for copy in (1, 2)
  }
  assert len(transforms) == 8


def test_what_a_seed_means_does_not_change() -> None:
  assert augmentation.transform_of(0, '0_left', 1) == Transform(True, 3.5974)
  assert augmentation.copies(0, list('abcde'), 1.6) == [
    ('e', 1),
    ('a', 1),
    ('d', 1),
  ]


def test_transforms_are_small_rotations_and_flips() -> None:
  transforms = [augmentation.transform_of(0, str(i), 1) for i in range(2000)]
  degrees = np.array([t.degrees for t in transforms])
  assert np.all(np.abs(degrees) <= 5)
  # Uniform on -5..5: the mean has a standard error of 0.065.
  assert abs(degrees.mean()) < 0.26
  assert degrees.min() < -4.9 < 4.9 < degrees.max()
  flips = np.array([t.flip_horizontal for t in transforms])
  assert 0.45 < flips.mean() < 0.55  # Standard error 0.011.
  # Flip and rotation are independent: the standard error is 0.022.
  assert abs(np.corrcoef(flips, degrees)[0, 1]) < 0.1


def test_a_flip_is_left_to_right() -> None:
  image = _random(5)
  flip = Transform(True)
  once = augmentation.apply(image, flip)
  np.testing.assert_array_equal(once, image[:, ::-1])
  np.testing.assert_array_equal(augmentation.apply(once, flip), image)


def test_nothing_is_nothing() -> None:
  image = _random(6)
  np.testing.assert_array_equal(augmentation.apply(image, IDENTITY), image)


def _spot(size: int, row: int, column: int) -> np.ndarray:
  image = np.zeros((size, size, 3), np.float32)
  image[row, column] = 255
  return image


def _centre(image: np.ndarray) -> tuple[float, float]:
  """Centre of mass, (row, column)."""
  weight = image.sum(axis=-1)
  rows, columns = np.indices(weight.shape)
  total = weight.sum()
  return (rows * weight).sum() / total, (columns * weight).sum() / total


@pytest.mark.parametrize(
  ('degrees', 'row', 'column'),
  [(90, 0, 2), (180, 2, 0), (-90, 4, 2), (270, 4, 2), (360, 2, 4)],
)
def test_rotation_is_counter_clockwise(
  degrees: float, row: int, column: int
) -> None:
  """A spot at the right edge goes to the top first."""
  got = augmentation.apply(_spot(5, 2, 4), Transform(degrees=degrees))
  np.testing.assert_allclose(got, _spot(5, row, column), atol=1e-3)


@pytest.mark.parametrize('degrees', [-15, -3.7, 0.5, 8, 15])
def test_a_small_rotation_moves_a_spot_by_its_angle(degrees: float) -> None:
  size, radius = 101, 40
  middle = (size - 1) / 2
  image = _spot(size, 50, 50 + radius)
  row, column = _centre(augmentation.apply(image, Transform(degrees=degrees)))
  angle = np.deg2rad(degrees)
  assert row == pytest.approx(middle - radius * np.sin(angle), abs=0.3)
  assert column == pytest.approx(middle + radius * np.cos(angle), abs=0.3)


def test_a_flip_comes_before_the_rotation() -> None:
  image = _random(21)
  flipped = augmentation.apply(image, Transform(True))
  np.testing.assert_array_equal(
    augmentation.apply(image, Transform(True, 10.0)),
    augmentation.apply(flipped, Transform(degrees=10.0)),
  )


@pytest.mark.parametrize('size', [40, 41])
@pytest.mark.parametrize('degrees', [-15, -4.2, 11, 30, 45, 100])
def test_what_a_rotation_uncovers_is_mirrored(
  size: int, degrees: float
) -> None:
  flat = np.full((size, size, 3), 200, np.float32)
  np.testing.assert_allclose(
    augmentation.apply(flat, Transform(degrees=degrees)), 200, rtol=1e-6
  )
  image = _random(size)
  want = np.stack(
    [
      ndimage.affine_transform(
        channel,
        *_about_the_centre(degrees, size),
        order=1,
        mode='reflect',
      )
      for channel in np.moveaxis(image, -1, 0)
    ],
    axis=-1,
  )
  got = augmentation.apply(image, Transform(degrees=degrees))
  np.testing.assert_allclose(got, want, atol=0.5)


def _about_the_centre(
  degrees: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
  """Matrix and offset from output to input pixels, (row, column)."""
  cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
  matrix = np.array([[cos, sin], [-sin, cos]])
  middle = np.full(2, (size - 1) / 2)
  return matrix, middle - matrix @ middle


@hypothesis.given(st.booleans(), st.floats(-15, 15))
@hypothesis.settings(deadline=None, max_examples=60)
def test_type_range_and_input_stay(horizontal: bool, degrees: float) -> None:
  image = _random(9)
  before = image.copy()
  image.flags.writeable = False
  got = augmentation.apply(image, Transform(horizontal, degrees))
  assert (got.dtype, got.shape) == (np.float32, image.shape)
  assert got.flags.c_contiguous
  assert got.min() >= 0 and got.max() <= image.max() + 1e-3
  np.testing.assert_array_equal(image, before)


def test_names_of_transforms() -> None:
  assert str(IDENTITY) == 'rotate(0.0000)'
  assert str(Transform(True, -3.25)) == 'flip_horizontal+rotate(-3.2500)'
  transforms = {augmentation.transform_of(0, str(i), 1) for i in range(500)}
  assert len({str(t) for t in transforms}) == len(transforms)

"""Random streams: apart from each other, and the same in every release."""

import itertools

import jax
import numpy as np

from heterojax import rng
from heterojax.rng import Purpose


def test_numpy_streams_are_pinned() -> None:
  # A change here changes what every seed of every finished study means.
  first = rng.generator(0, Purpose.DRAW)
  assert first.integers(2**63, size=3).tolist() == [
    7336306018994403237,
    6843513285465096419,
    8234127842651387446,
  ]
  second = rng.generator(42, Purpose.AUGMENTATION, '12_left', 3)
  assert second.integers(2**63, size=3).tolist() == [
    5898758062313303825,
    2843456249560069074,
    2801548792031474792,
  ]
  assert rng.generator(1, Purpose.SPLIT, 2).random(2).tolist() == [
    0.08200276673875806,
    0.4466475051842759,
  ]
  order = rng.generator(7, Purpose.SUBSET).permutation(8)
  assert order.tolist() == [7, 3, 4, 0, 2, 5, 1, 6]


def test_numpy_streams_of_keys_are_pinned() -> None:
  first = rng.from_key(jax.random.key(0))
  assert first.integers(2**63, size=3).tolist() == [
    2978113547588947449,
    8164767558853785439,
    1659563903092468715,
  ]
  second = rng.from_key(rng.key(42, Purpose.PERMUTATION, 3), 1, 2)
  assert second.integers(2**63, size=3).tolist() == [
    7249578775710902357,
    4412140211799051419,
    9064073959503816686,
  ]


def test_jax_streams_are_pinned() -> None:
  first = jax.random.key_data(rng.key(0, Purpose.DRAW))
  assert first.tolist() == [1797259609, 2579123966]
  second = jax.random.key_data(rng.key(42, Purpose.INITIALISATION, 3, 1))
  assert second.tolist() == [1703896977, 3254103597]
  assert rng.key(42, Purpose.ORDER, 0).shape == ()


def test_purposes_are_pinned() -> None:
  assert {p.name: p.value for p in Purpose} == {
    'DRAW': 0,
    'SPLIT': 1,
    'AUGMENTATION': 2,
    'CLUSTERING': 3,
    'INITIALISATION': 4,
    'ORDER': 5,
    'SUBSET': 6,
    'SIZE': 7,
    'BOOTSTRAP': 8,
    'PERMUTATION': 9,
    'CHOICE': 10,
    'PENALTY': 11,
    'RANDOM_SET': 12,
    'SAME_MIX': 13,
    'VERDICT': 14,
    'EXTERNAL': 15,
    'COMPONENTS': 16,
    'AUDIT': 17,
    'PAIRS': 18,
  }


def test_same_arguments_same_stream() -> None:
  for members in ((), (3,), ('a', 3)):
    one = rng.generator(5, Purpose.SUBSET, *members)
    one.random(100)  # What one has drawn is nothing to another.
    streams = [rng.generator(5, Purpose.SUBSET, *members) for _ in range(2)]
    assert streams[0].random() == streams[1].random()
  keys = [rng.key(5, Purpose.ORDER, 3, 4) for _ in range(2)]
  assert keys[0] == keys[1]


_MEMBERS = ((), (0,), (1,), (0, 0), (0, 1), (1, 0), (2**32 - 1,))


def test_numpy_streams_differ() -> None:
  members = _MEMBERS + (('ab', 'c'), ('a', 'bc'), ('abc',), ('',), (12,))
  values = [
    rng.generator(seed, purpose, *m).integers(2**63)
    for seed, purpose, m in itertools.product(
      (0, 1, 12, 2**40), Purpose, members
    )
  ]
  assert len(set(values)) == len(values)
  # The parts are kept apart: 1 and purpose 2 are not 12.
  assert (
    rng.generator(1, Purpose.AUGMENTATION, 3).random()
    != rng.generator(12, Purpose.CLUSTERING).random()
  )


def test_jax_streams_differ() -> None:
  values = [
    tuple(jax.random.key_data(rng.key(seed, purpose, *m)).tolist())
    for seed, purpose, m in itertools.product((0, 1, 12), Purpose, _MEMBERS)
  ]
  assert len(set(values)) == len(values)


def test_generator_is_philox() -> None:
  # NumPy keeps the numbers of its bit generators, not those of its default.
  stream = rng.generator(0, Purpose.DRAW)
  assert isinstance(stream.bit_generator, np.random.Philox)

"""Augmented copies of training images: flips and small rotations [our choice].

Wang 2023 names the numbers only: each class gets round(n x factor) images. A
copy depends on the seed, the image's id and the copy's number alone.

Copies that an image of the data set would never look like make separate
clusters. On chest X-rays those that were upside down, that were rotated by
more than 5 degrees or that had black corners did; left-right flips and smaller
rotations spread over the clusters as the originals do.
"""

from collections.abc import Sequence
import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from heterojax import rng

MAX_DEGREES = 5.0


class Transform(NamedTuple):
  """Applied in this order.

  Attributes:
    flip_horizontal: left becomes right.
    degrees: counter-clockwise rotation about the centre.
  """

  flip_horizontal: bool = False
  degrees: float = 0.0

  def __str__(self) -> str:
    parts = ['flip_horizontal'] if self.flip_horizontal else []
    return '+'.join([*parts, f'rotate({self.degrees:.4f})'])


IDENTITY = Transform()


def transform_of(seed: int, image_id: str, copy: int) -> Transform:
  """The transform of one copy (1, 2, ...) of one image."""
  stream = rng.generator(seed, rng.Purpose.AUGMENTATION, image_id, copy)
  horizontal = stream.random() < 0.5
  degrees = round(float(stream.uniform(-MAX_DEGREES, MAX_DEGREES)), 4)
  return Transform(horizontal, degrees)


def num_copies(num_images: int, factor: float) -> int:
  """How many copies bring a class to round(num_images x factor) images."""
  return max(math.floor(num_images * factor + 0.5) - num_images, 0)


def copies(
  seed: int, image_ids: Sequence[str], factor: float
) -> list[tuple[str, int]]:
  """Which images get a copy, as (id, number of the copy).

  Every image gets its first copy before any gets its second. Who comes first
  where not all do is decided by a number drawn for each id.

  Args:
    seed: of the study.
    image_ids: of the training images of one class.
    factor: images of the class after augmentation, per image before.

  Returns:
    The copies, ordered by their number and then as drawn.
  """
  if not image_ids:
    return []

  def drawn(image_id: str) -> tuple[float, str]:
    stream = rng.generator(seed, rng.Purpose.AUGMENTATION, image_id)
    return stream.random(), image_id

  ranked = sorted(image_ids, key=drawn)
  return [
    (ranked[j % len(ranked)], 1 + j // len(ranked))
    for j in range(num_copies(len(ranked), factor))
  ]


def apply(image: np.ndarray, transform: Transform) -> np.ndarray:
  """Transforms a resized image.

  Args:
    image: `[S, S, 3]` float32.
    transform: what to do.

  Returns:
    `[S, S, 3]` float32; what a rotation uncovers is mirrored at the edge, the
    default of Keras' `RandomRotation` (`fill_mode='reflect'`).
  """
  if transform.flip_horizontal:
    image = image[:, ::-1]
  if transform.degrees:
    size = len(image)
    # As far as a corner reaches into the mirror image, and bilinear's tap.
    angle = math.radians(transform.degrees)
    reach = abs(math.cos(angle)) + abs(math.sin(angle))
    margin = math.ceil(size / 2 * (reach - 1)) + 1
    inside = slice(margin, margin + size)
    channels = [
      Image.fromarray(np.pad(channel, margin, 'symmetric')).rotate(
        transform.degrees, Image.Resampling.BILINEAR
      )
      for channel in np.moveaxis(image, -1, 0)
    ]
    image = np.stack(
      [np.asarray(channel)[inside, inside] for channel in channels], axis=-1
    )
  return np.ascontiguousarray(image)

"""From the split cohort to a study's samples and the pictures they show."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from heterojax.datasets import augmentation
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_text
from heterojax.features import Picture

SPLITS = ('train', 'validation', 'test')


@dataclasses.dataclass(frozen=True)
class Samples:
  """All samples, augmented copies included, as parallel lists.

  Axes: N samples, P pictures (samples that show the same picture share it).

  Attributes:
    ids: N; a copy's is `{parent}+{number}`.
    parents: N; the id itself for an original.
    transforms: N.
    split: `[N]`, of `SPLITS`.
    y: `[N]` int, 1 for the disease.
    row: `[N]` int, the picture of each sample.
    pictures: P.
  """

  ids: tuple[str, ...]
  parents: tuple[str, ...]
  transforms: tuple[augmentation.Transform, ...]
  split: np.ndarray
  y: np.ndarray
  row: np.ndarray
  pictures: tuple[Picture, ...]

  def of(self, split: str) -> np.ndarray:
    """Positions of one split's samples."""
    return np.flatnonzero(self.split == split)

  @property
  def is_original(self) -> np.ndarray:
    return np.array([i == p for i, p in zip(self.ids, self.parents)])

  @property
  def y_of_pictures(self) -> np.ndarray:
    """`[P]` int."""
    y = np.zeros(len(self.pictures), self.y.dtype)
    y[self.row] = self.y
    return y

  def class_counts(
      self, positions: Sequence[int] | np.ndarray, names: tuple[str, str]
  ) -> dict[str, int]:
    """Samples per class; `names` are (positive, negative)."""
    positives = int(np.sum(self.y[positions]))
    return {names[0]: positives, names[1]: len(positions) - positives}


def collect(
    cohort: Cohort, *, seed: int, factors: tuple[float, float]
) -> Samples:
  """Adds the augmented copies and finds the distinct pictures.

  Args:
    cohort: with splits.
    seed: of the study.
    factors: training images of the (positive, negative) class after
      augmentation, per image before.

  Returns:
    Training originals, their copies, then validation and test images.
  """
  chosen = []
  for split in SPLITS:
    originals = [c for c in cohort.included if c.split == split]
    chosen += [(c, 0, augmentation.IDENTITY) for c in originals]
    if split != 'train':
      continue
    for label, factor in zip((cohort.positive, cohort.negative), factors):
      by_id = {c.id: c for c in originals if c.label == label}
      chosen += [
          (by_id[i], copy, augmentation.transform_of(seed, i, copy))
          for i, copy in augmentation.copies(seed, list(by_id), factor)
      ]
  # A path under two labels is two pictures: a row of features has one label.
  keys = [(c.path, transform, c.label) for c, _, transform in chosen]
  distinct = {key: row for row, key in enumerate(dict.fromkeys(keys))}
  return Samples(
      ids=tuple(f'{c.id}+{copy}' if copy else c.id for c, copy, _ in chosen),
      parents=tuple(c.id for c, _, _ in chosen),
      transforms=tuple(transform for _, _, transform in chosen),
      split=np.array([c.split for c, _, _ in chosen]),
      y=np.array([int(c.label == cohort.positive) for c, _, _ in chosen]),
      row=np.array([distinct[key] for key in keys]),
      pictures=tuple(
          Picture(cohort.root / path, transform)
          for path, transform, _ in distinct
      ),
  )


def augmented_csv(samples: Samples) -> str:
  """`augmented.csv`: one row per copy."""
  rows = [
      [i, parent, str(transform)]
      for i, parent, transform in zip(
          samples.ids, samples.parents, samples.transforms
      )
      if i != parent
  ]
  return csv_text(['id', 'parent_id', 'transform'], rows)

"""From the split cohort to a study's samples and the pictures they show."""

from collections.abc import Hashable, Sequence
import dataclasses
import functools
import itertools

import numpy as np

from heterojax.datasets import augmentation
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_text
from heterojax.errors import UserError
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
    y: `[N]` int codes of the classes, of two 1 for the disease; float64 where
      labels are numbers.
    row: `[N]` int, the picture of each sample.
    pictures: P, those of the other folds included.
    y_of_pictures: `[P]`, as `y`.
    groups: N, patient of each, '' where unknown; () where none is known.
    classes: as `Cohort.classes`.
  """

  ids: tuple[str, ...]
  parents: tuple[str, ...]
  transforms: tuple[augmentation.Transform, ...]
  split: np.ndarray
  y: np.ndarray
  row: np.ndarray
  pictures: tuple[Picture, ...]
  y_of_pictures: np.ndarray
  groups: tuple[str, ...] = ()
  classes: tuple[str, ...] = ()

  def of(self, split: str) -> np.ndarray:
    """Positions of one split's samples."""
    return np.flatnonzero(self.split == split)

  @functools.cached_property
  def is_original(self) -> np.ndarray:
    """`[N]` bool."""
    return np.array([
      i == p for i, p in zip(self.ids, self.parents, strict=True)
    ])

  @functools.cached_property
  def original(self) -> np.ndarray:
    """`[N]` int, the picture that a sample shows before it was changed.

    Copies share it, and so do rows of a table that show one image.
    """
    where = {i: position for position, i in enumerate(self.ids)}
    return self.row[[where[parent] for parent in self.parents]]

  def units(self, positions: np.ndarray) -> np.ndarray:
    """`[M]` int, equal for samples of one patient.

    An image whose patient is not known is, with its copies, a unit of its own.
    """
    return numbered(self.unit_names(positions))

  def unit_names(self, positions: np.ndarray) -> list[tuple[bool, str]]:
    """M names, equal for samples of one patient, of any fold; see `units`."""
    groups = self.groups or ('',) * len(self.ids)
    return [(bool(groups[i]), groups[i] or self.parents[i]) for i in positions]

  def class_counts(
    self, positions: Sequence[int] | np.ndarray, classes: Sequence[str]
  ) -> dict[str, int]:
    """Samples of each class, in the order of `Cohort.classes`."""
    return counts_of_classes(self.y[positions], classes)


def numbered(names: Sequence[Hashable]) -> np.ndarray:
  """`[M]` int from 0, equal for equal names, in the order of the first ones."""
  numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
  return np.array([numbers[name] for name in names], int)


def counts_of_classes(y: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
  """How many samples each class has.

  Args:
    y: `[N]` int, see `Cohort.codes`.
    classes: C, see `Cohort.classes`.

  Returns:
    Class to number, in the order of the classes.
  """
  counts = np.bincount(y, minlength=len(classes))
  return dict(zip(classes, counts[::-1].tolist(), strict=True))


def collect(
  cohorts: Sequence[Cohort], *, seed: int, factors: Sequence[float]
) -> tuple[Samples, ...]:
  """Adds the augmented copies and finds the distinct pictures of all folds.

  Args:
    cohorts: T, with splits, on one source.
    seed: of the study.
    factors: training images of each of two classes after augmentation, per
      image before; equal where there are more, or labels are numbers.

  Returns:
    For each fold its training originals, their copies, then validation and test
    images. All folds share one list of pictures.

  Raises:
    UserError: if the factors differ although there are not two classes, or an
      image is called as the copy of another one is.
  """
  chosen = [_with_copies(cohort, seed, factors) for cohort in cohorts]
  _check_names(cohorts, chosen)
  # A path under two labels is two pictures: a row of features has one label.
  keys = [[(c.path, how, c.label) for c, _, how in fold] for fold in chosen]
  every = dict.fromkeys(itertools.chain.from_iterable(keys))
  distinct = {key: row for row, key in enumerate(every)}
  pictures = tuple(Picture(path, how) for path, how, _ in distinct)
  y_of_pictures = _targets(cohorts[0], [label for *_, label in distinct])
  folds = []
  for fold, keys_of_fold in zip(chosen, keys, strict=True):
    row = np.array([distinct[key] for key in keys_of_fold])
    folds.append(
      Samples(
        ids=tuple(_called(c, n) for c, n, _ in fold),
        parents=tuple(c.id for c, _, _ in fold),
        transforms=tuple(how for _, _, how in fold),
        split=np.array([c.split for c, _, _ in fold]),
        y=y_of_pictures[row],
        row=row,
        pictures=pictures,
        y_of_pictures=y_of_pictures,
        groups=tuple(c.group for c, _, _ in fold),
        classes=cohorts[0].classes,
      )
    )
  return tuple(folds)


def _with_copies(
  cohort: Cohort, seed: int, factors: Sequence[float]
) -> list[tuple[Candidate, int, augmentation.Transform]]:
  """(candidate, number of the copy, transform) of one fold's samples."""
  chosen = []
  for split in SPLITS:
    originals = [c for c in cohort.included if c.split == split]
    chosen += [(c, 0, augmentation.IDENTITY) for c in originals]
    if split != 'train':
      continue
    for label, factor in _factors(cohort, factors):
      by_id = {c.id: c for c in originals if label in (None, c.label)}
      chosen += [
        (by_id[i], copy, augmentation.transform_of(seed, i, copy))
        for i, copy in augmentation.copies(seed, list(by_id), factor)
      ]
  return chosen


def _called(candidate: Candidate, copy: int) -> str:
  return f'{candidate.id}+{copy}' if copy else candidate.id


def _check_names(
  cohorts: Sequence[Cohort],
  chosen: Sequence[Sequence[tuple[Candidate, int, augmentation.Transform]]],
) -> None:
  """Raises a UserError where a table could not tell a copy from an image."""
  copies = {_called(c, n) for fold in chosen for c, n, _ in fold if n}
  if copies:
    images = {c.id for cohort in cohorts for c in cohort.candidates}
    if both := copies & images:
      raise UserError(
        f'The image {min(both)} is called as a copy by augmentation is: rename'
        ' it, or leave --config.augmentation.positive and negative at 1.'
      )


def _targets(cohort: Cohort, labels: Sequence[str]) -> np.ndarray:
  """What heads learn: codes of the classes, or the numbers."""
  if cohort.classes:
    return np.array([cohort.codes[label] for label in labels])
  return np.array([float(label) for label in labels])


def _factors(
  cohort: Cohort, factors: Sequence[float]
) -> list[tuple[str | None, float]]:
  """(class, factor); but of two classes one for all, of label None."""
  if len(cohort.classes) == len(factors):
    return list(zip(cohort.classes, factors, strict=True))
  if len(set(factors)) > 1:
    none = 'A regression has no classes'
    if cohort.classes:
      none = f'{len(cohort.classes)} classes have one factor'
    raise UserError(
      f'{none}: --config.augmentation.positive and'
      ' --config.augmentation.negative must be equal.'
    )
  return [(None, factors[0])]


def augmented_csv(folds: Sequence[Samples]) -> str:
  """`augmented.csv`: one row per copy, whichever folds train on it."""
  rows = dict.fromkeys(
    (i, parent, str(transform))
    for samples in folds
    for i, parent, transform in zip(
      samples.ids, samples.parents, samples.transforms, strict=True
    )
    if i != parent
  )
  return csv_text(['id', 'parent_id', 'transform'], list(map(list, rows)))

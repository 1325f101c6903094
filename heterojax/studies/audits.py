"""What else may explain a result: leaks between the parts, and shortcuts."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from heterojax import cluster
from heterojax import rng
from heterojax.compute.arrays import Array
from heterojax.datasets import leaks
from heterojax.datasets import sources
from heterojax.datasets.manifest import Cohort
from heterojax.studies import shortcuts
from heterojax.studies.records import Shortcut
from heterojax.studies.samples import Samples
from heterojax.studies.samples import numbered

# Of images that are compared with each other, one by one.
_MOST_PAIRS = 2**30
# Each image has its own.
_DIGESTS = ('sha256', 'pixels_sha256')
_NOT_AUDITED = {
  'prediction': 'it is an answer to the same question',
  'fold': 'it is how the images are divided',
}


class FoldFeatures(NamedTuple):
  """What is compared in one fold.

  Attributes:
    cohort: of the fold.
    samples: of the fold; N.
    x: `[P, D]` features.
    row: `[N]` int, the features of each sample.
  """

  cohort: Cohort
  samples: Samples
  x: Array
  row: np.ndarray

  @property
  def row_of(self) -> dict[str, int]:
    """Id of a sample to its row of features."""
    return dict(zip(self.samples.ids, self.row, strict=True))


def find_leaks_of_folds(folds: Iterable[FoldFeatures]) -> leaks.Found:
  """What the held-out parts of all folds share with training.

  Near duplicates are looked for where the features of every fold tell them from
  images that are alike by chance, see `leaks.why_unseen`.
  """
  folds = list(folds)
  unseen = max(map(_why_unseen, folds), key=bool)
  found = [
    leak
    for fold in folds
    for leak in (leaks.find(fold.cohort, {}) if unseen else find_leaks(*fold))
  ]
  if unseen:
    return leaks.Found(found, unseen)
  return leaks.Found(found, compared=_compared(folds, found))


def _compared(
  folds: Sequence[FoldFeatures], found: Sequence[leaks.Leak]
) -> leaks.Compared | None:
  """What of the test images of all folds was compared; None where each was."""
  sides = [next(leaks.sides(fold.cohort)) for fold in folds]
  of = sum(len(test) for _, test, _ in sides)
  number = sum(
    len(drawn_rows(len(test), len(training))) for _, test, training in sides
  )
  near = sum(leak.kind == leaks.NEAR and leak.split == 'test' for leak in found)
  return leaks.Compared(number, of, near) if number < of else None


def drawn_rows(n: int, others: int) -> np.ndarray:
  """`[m]` int, which of n images are compared with so many others."""
  most = max(1, _MOST_PAIRS // max(others, 1))
  if n <= most:
    return np.arange(n)
  chosen = rng.generator(0, rng.Purpose.AUDIT).permutation(n)[:most]
  return np.sort(chosen)


def _why_unseen(fold: FoldFeatures) -> str:
  row_of = fold.row_of
  _, _, training = next(leaks.sides(fold.cohort))
  rows = np.array([row_of[c.id] for c in training], int)
  return leaks.why_unseen(cluster.effective_dimension(fold.x, rows), len(rows))


def find_leaks(
  cohort: Cohort, samples: Samples, x: Array, row: np.ndarray
) -> list[leaks.Leak]:
  """What the held-out parts of one fold share with its training part.

  Args:
    cohort: see `FoldFeatures`.
    samples: see there.
    x: see there.
    row: see there.

  Returns:
    See `leaks.find`; near duplicates are looked for in any features, and where
    there are more than 2^30 pairs of images, among some that are drawn.
  """
  row_of = FoldFeatures(cohort, samples, x, row).row_of
  digest = {c.id: sources.content(dict(c.columns)) for c in cohort.included}
  content = np.full(len(x), -1)
  content[[row_of[i] for i in digest]] = numbered(list(digest.values()))
  nearest = {}
  for split, held_out, training in leaks.sides(cohort):
    drawn = drawn_rows(len(held_out), len(training))
    ids, others = [held_out[i].id for i in drawn], [c.id for c in training]
    of, distance = cluster.nearest_by_cosine(
      x,
      np.array([row_of[i] for i in ids]),
      np.array([row_of[i] for i in others]),
      content,
    )
    nearest[split] = leaks.Nearest(
      {i: others[n] for i, n in zip(ids, of, strict=True)},
      {i: float(d) for i, d in zip(ids, distance, strict=True)},
    )
  return leaks.find(cohort, nearest)


def columns(cohorts: Sequence[Cohort]) -> dict[str, dict[str, str]]:
  """The columns that may be what a head reads in the place of the class.

  Args:
    cohorts: of all folds.

  Returns:
    Name to the value of each image by its id; without the class itself, what
    names the image, predictions and folds.
  """
  excluded = {*_DIGESTS, *_NOT_AUDITED, *cohorts[0].label_columns}
  found: dict[str, dict[str, str]] = {}
  for cohort in cohorts:
    for c in cohort.included:
      for name, cell in c.columns:
        if name not in excluded:
          found.setdefault(name, {})[c.id] = cell
  return found


def find_shortcuts(
  cohort: Cohort, samples: Samples, clusters: np.ndarray, groups: str = ''
) -> tuple[Shortcut, ...]:
  """Which columns of the manifest go with a class or a cluster.

  Args:
    cohort: of one fold.
    samples: of the fold; N.
    clusters: `[N]` int, of the samples.
    groups: name of the column that the clusters are, if they are one.

  Returns:
    See `shortcuts.audit`; over the distinct images of training, and all test
    images, as the scores of the heads are.
  """
  names = [
    name
    for name in dict.fromkeys(n for c in cohort.included for n, _ in c.columns)
    if name not in _DIGESTS
  ]
  train, test = samples.of('train'), samples.of('test')
  train = train[samples.is_original[train]]
  _, first = np.unique(samples.row[train], return_index=True)
  chosen = [*train[np.sort(first)], *test]
  excluded = dict.fromkeys(cohort.label_columns, 'it tells the class itself')
  excluded |= {groups: 'it is the clusters'} if groups else {}
  # Of many images that have no further column nothing is held.
  columns = {c.id: dict(c.columns) for c in cohort.included} if names else {}
  return shortcuts.audit(
    {
      name: [columns[samples.ids[i]].get(name, '') for i in chosen]
      for name in names
    },
    samples.y[chosen],
    clusters[chosen],
    samples.split[chosen] == 'train',
    excluded=_NOT_AUDITED | excluded,
    units=samples.units(np.array(chosen, int)),
  )

"""Random sets of images that are like a cluster in all but what it is.

"Train on random images of the same size" (Wang 2023) is a fair comparison only
where a random set holds as many different images. Copies of an image (flipped,
rotated) and images of one patient are alike, and they come together in a
cluster; drawn one by one they do not, so that as many rows show more images and
more patients. Here the unit is the original with its copies, and whole patients
are drawn where they are known: how many originals each patient contributes to
the cluster is its profile, and a random set has the same one.

Two families: with any class mix, and with as many originals of each class as
the cluster.

Axes: n training rows, M originals, m those of a set.
"""

from typing import NamedTuple

import jax
import numpy as np

from heterojax import rng


class Pool(NamedTuple):
  """What sets are drawn from.

  Attributes:
    original: `[n]` int below M, the original that each training row shows.
    patient: `[M]` int, equal for originals of one patient.
    y: `[M]` int, the class of each original.
  """

  original: np.ndarray
  patient: np.ndarray
  y: np.ndarray


def pool(row_original: np.ndarray, units: np.ndarray, y: np.ndarray) -> Pool:
  """The pool of training rows.

  Args:
    row_original: `[n]` of anything that NumPy can sort, equal for rows that
      show the same original.
    units: `[n]` int, equal for rows of one patient.
    y: `[n]` int, the class of each row.

  Returns:
    The pool. Of rows that show one original the first tells its patient.
  """
  _, first, original = np.unique(
    row_original, return_index=True, return_inverse=True
  )
  return Pool(original, units[first], y[first].astype(int))


def draw(
  of: Pool, inside: np.ndarray, stream: jax.Array, *, same_mix: bool
) -> np.ndarray:
  """One random set of a cluster.

  Args:
    of: the pool.
    inside: `[s]` int, the training rows of the cluster.
    stream: key of the set; nothing else tells what is drawn.
    same_mix: whether it has as many originals of each class as the cluster.

  Returns:
    `[s]` int, training rows, rising: of as many different originals as the
    cluster has, each at least once; fewer rows where these have no more.

  Raises:
    ValueError: if the cluster has no rows.
  """
  if not len(inside):
    raise ValueError('the cluster has no rows')
  numbers = rng.from_key(stream)
  chosen = originals(of, inside, numbers, same_mix=same_mix)
  rows = numbers.permutation(np.flatnonzero(np.isin(of.original, chosen)))
  # One row of each original, and then whichever come first.
  _, first = np.unique(of.original[rows], return_index=True)
  rest = np.delete(rows, first)
  return np.sort(np.r_[rows[first], rest[: len(inside) - len(first)]])


def originals(
  of: Pool, inside: np.ndarray, numbers: np.random.Generator, *, same_mix: bool
) -> np.ndarray:
  """The originals of one random set, `[m]` int; see `draw`.

  Each patient of the cluster, those with most originals first, is replaced by a
  random one of all who has as many and was not taken yet. Where there is none,
  other patients who were not taken make up for it, and at last further
  originals of those who were.
  """
  # Without regard to class all are of one.
  y = of.y if same_mix else np.zeros_like(of.y)
  _, patient = np.unique(of.patient, return_inverse=True)
  shape = int(patient.max()) + 1, int(y.max()) + 1
  held, wanted = np.zeros(shape, int), np.zeros(shape, int)
  np.add.at(held, (patient, y), 1)
  own = np.unique(of.original[inside])
  np.add.at(wanted, (patient[own], y[own]), 1)
  profile, number = np.unique(
    wanted[wanted.any(axis=1)], axis=0, return_counts=True
  )
  order = np.argsort(-profile.sum(axis=1), kind='stable')
  # In a random order the first of a class of a patient are a random choice.
  shuffled = numbers.permutation(len(y))
  members, starts = _by_patient_and_class(shuffled, patient, y, shape)
  free = np.ones(len(held), bool)
  lacking = np.zeros(shape[1], int)
  taken: list[np.ndarray] = []
  for entry, times in zip(profile[order], number[order], strict=True):
    able = np.flatnonzero(free & (held >= entry).all(axis=1))
    who = numbers.permutation(able)[:times]
    free[who] = False
    lacking += (times - len(who)) * entry
    taken += [
      members[starts[who, c][:, None] + np.arange(n)].ravel()
      for c, n in enumerate(entry)
    ]
  chosen = np.concatenate([np.zeros(0, int), *taken])
  return np.sort(
    np.r_[chosen, _fill(chosen, lacking, free, patient, y, numbers)]
  )


def _by_patient_and_class(
  shuffled: np.ndarray, patient: np.ndarray, y: np.ndarray, shape: tuple
) -> tuple[np.ndarray, np.ndarray]:
  """The originals by patient and class, and where those of each begin.

  Returns:
    `[M]` int, of one patient and class in the order given; and the position of
    the first, `shape` int.
  """
  group = patient[shuffled] * shape[1] + y[shuffled]
  members = shuffled[np.argsort(group, kind='stable')]
  counts = np.bincount(group, minlength=shape[0] * shape[1])
  return members, (np.cumsum(counts) - counts).reshape(shape)


def _fill(
  chosen: np.ndarray,
  lacking: np.ndarray,
  free: np.ndarray,
  patient: np.ndarray,
  y: np.ndarray,
  numbers: np.random.Generator,
) -> np.ndarray:
  """Draws as many further originals of each class as `lacking` `[C]` says."""
  if not lacking.any():
    return np.zeros(0, int)
  rank = numbers.permutation(len(free))[patient]
  # Patients one after another, those first who were not taken.
  order = np.lexsort((numbers.permutation(len(y)), rank, ~free[patient]))
  order = order[~np.isin(order, chosen)]
  return np.concatenate([
    order[y[order] == c][:number] for c, number in enumerate(lacking)
  ])

"""One numbering of the clusters of several trainings, folds and sizes.

"The way that a cluster algorithm assigns labels is arbitrarily ... cluster
identifying and re-labeling was performed using the cluster patients" (Mendez
2019, section 3).

Axes: R trainings, N samples, K clusters.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from heterojax.cluster import matching


def numbers(
  labels: np.ndarray,
  ids: Sequence[str],
  reference: Mapping[str, int],
  k: int,
  metric: np.ndarray | None = None,
) -> np.ndarray:
  """New numbers, alike over trainings and like those of a reference.

  Args:
    labels: `[R, N]`.
    ids: N.
    reference: id to cluster; images that it does not name do not count, and
      where it names none the trainings are only made alike.
    k: clusters.
    metric: `[R, K]`; where given, trainings are matched by it as well, as the
      paper's were "using the cluster patients and accuracy".

  Returns:
    `[R, K]`, the new number of each cluster of each training.
  """
  new = matching.align_trainings(labels, k, metric)
  shared = [i for i, name in enumerate(ids) if name in reference]
  if not shared:
    return new
  numbered = majority(renumbered(labels, new)[:, shared], k)
  wanted = np.array([reference[ids[i]] for i in shared])
  return matching.match(wanted, numbered, k)[new]


def renumbered(labels: np.ndarray, new: np.ndarray) -> np.ndarray:
  """`[R, N]` labels under the new numbers `[R, K]`."""
  return np.take_along_axis(new, labels, axis=1)


def majority(labels: np.ndarray, k: int) -> np.ndarray:
  """`[N]`, the cluster of most trainings `[R, N]`; the first of equals."""
  return np.argmax((labels[..., None] == np.arange(k)).sum(axis=0), axis=1)

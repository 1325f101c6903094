"""What the page of a sample-size study shows besides its results."""

from typing import NamedTuple

import numpy as np

from heterojax.studies.sample_size.cluster_cv import FoldClusters


class View(NamedTuple):
  """The images of the audit of columns, of the first fold of the largest size.

  Attributes:
    audited: `[A]` str, ids of the training images: each picture once.
    audited_labels: `[A]` int, the cluster of each.
  """

  audited: np.ndarray
  audited_labels: np.ndarray


def view(fold: FoldClusters) -> View:
  """The view of the audited fold."""
  samples = fold.part.samples
  _, first = np.unique(samples.row, return_index=True)
  audited = [i for i in np.sort(first) if samples.split[i] == 'train']
  return View(np.array(samples.ids)[audited], fold.clusters[audited])

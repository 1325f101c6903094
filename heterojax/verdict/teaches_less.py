"""Does a cluster teach less than random sets of its size and classes?

The clusters are one partition of the original images; the draws are others with
the same sizes and class counts. For each a head is trained on each of its sets,
and the accuracies on the same test images are compared. Clusters are made from
the features, so that they are no random partition on any data: a small p-value
says that the cluster teaches less than most sets like it, and not why. That it
covers less of one cloud is enough.
"""

import jax
import numpy as np

from heterojax.verdict import exchange as exchanges
from heterojax.verdict import ranks
from heterojax.verdict import records

DRAWS = 199
# The middle 95 % of the draws.
_PERCENTILES = (2.5, 97.5)


def partitions(
  labels: np.ndarray,
  y: np.ndarray,
  key: jax.Array,
  draws: int = DRAWS,
  groups: np.ndarray | None = None,
) -> np.ndarray:
  """Draws whole partitions of the originals, alike to the clusters.

  Each is the labels after a random exchange of originals of the same class, so
  that each original is in exactly one set, and each set has as many originals
  of each class as the cluster of its number. Copies (flipped, rotated) are no
  rows here: they follow their original, in clusters and draws alike.

  With groups patients are exchanged as a whole, with those who have as many
  originals of each class, and the originals of one patient and class among
  themselves: a set then has as many patients in one piece as its cluster. A
  patient like no other keeps its clusters in all draws, which makes draws and
  clusters more alike the more originals that concerns (`exchange.stays`).

  Args:
    labels: `[N]` int, the clusters of the originals.
    y: `[N]` of anything that NumPy can sort, their classes.
    key: of the draws; more draws with the same key begin with the same, and
      other names of the clusters give the same sets.
    draws: B.
    groups: `[N]` patients; None: each original is a unit by itself.

  Returns:
    `[B, N]` of the dtype of the labels.

  Raises:
    ValueError: if lengths differ.
  """
  labels = np.asarray(labels)
  for column in (y, groups):
    if column is not None and np.shape(column) != labels.shape:
      raise ValueError(f'{np.shape(column)} rows beside {labels.shape} labels')
  exchange = exchanges.exchange(exchanges.strata(y), groups)
  drawn = np.empty((draws, len(labels)), labels.dtype)
  for i, block in enumerate(exchange.blocks):
    start = 0
    for rows in exchanges.shuffled(block, labels, key, i, draws):
      drawn[start : start + len(rows), block.images.ravel()] = rows
      start += len(rows)
  return drawn


def test(
  observed: np.ndarray,
  null: np.ndarray,
  unit: str = 'image',
  stays: int = 0,
) -> records.Test:
  """Ranks the clusters' accuracies among those of random partitions.

  z_c = (mean - accuracy) / deviation, over the B + 1 rows, the observed one
  included. The statistic is the sum of the squares of what is above 0; the
  adjusted p-values are of z_c, by step-down maxT. Both are exact where the
  clusters are a random partition: then all rows are exchangeable, if all heads
  are trained alike (the mean over the same number of seeds for each).

  Args:
    observed: `[K]` accuracy, or another metric that is larger for better, of
      the head of each cluster; NaN where there is no head.
    null: `[B, K]`, the same for the sets of `partitions`, B at least 1.
    unit: what was exchanged.
    stays: units that could not be.

  Returns:
    The test. The effect is by how much the cluster's accuracy is below the mean
    of its draws; the interval is the middle 95 % of the draws, each less the
    cluster's, and so about the draws and not about other images.

  Raises:
    ValueError: if shapes differ, there are no draws, or a draw lacks what its
      cluster has.
  """
  observed = np.asarray(observed, np.float64)
  null = np.asarray(null, np.float64)
  if null.ndim != 2 or not len(null) or null.shape[1:] != observed.shape:
    raise ValueError(f'null is {null.shape}, observed {observed.shape}')
  known = ~np.isnan(observed)
  if np.any(np.isnan(null[:, known])):
    raise ValueError('a draw lacks what its cluster has')
  effect = np.mean(null, axis=0) - observed
  interval = np.percentile(null, _PERCENTILES, axis=0).T
  interval = interval - observed[:, np.newaxis]
  z = -ranks.standardised(np.vstack([observed, null]))
  z[:, ~known] = np.nan
  none = np.isnan(z).all()
  if none:
    why = 'no draw differs from its cluster' if known.any() else 'no heads'
    return records.Test(
      statistic=np.nan,
      null=np.zeros(0),
      p_value=None,
      adjusted=z[0],
      effect=effect,
      interval=interval,
      unit=unit,
      stays=stays,
      why=why,
    )
  statistic = ranks.total(np.nan_to_num(z).clip(0) ** 2)
  return records.Test(
    statistic=float(statistic[0]),
    null=statistic[1:],
    p_value=ranks.p_value(statistic, ranks.TIE),
    adjusted=ranks.step_down(z),
    effect=effect,
    interval=interval,
    unit=unit,
    stays=stays,
  )


# Its name begins with `test`, but it is no case.
test.__test__ = False

"""Which of our clusters stands beside which of the paper's."""

from collections.abc import Sequence
import math
from typing import NamedTuple

import numpy as np
from scipy import optimize

from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import PublishedCluster

Clusters = Sequence[Cluster] | Sequence[PublishedCluster]


class Pair(NamedTuple):
  """A cluster of the reference and the one that is most like it.

  Attributes:
    reference: its id; None if a cluster of ours has no partner.
    ours: the same the other way round.
    cost: distance of the two, see `place`; None without a partner.
  """

  reference: int | None
  ours: int | None
  cost: float | None


def place(clusters: Clusters, classes: Sequence[str]) -> list[list[float]]:
  """Where clusters lie in the space in which they are matched.

  Args:
    clusters: of the paper or of a run.
    classes: C, in the order of the study.

  Returns:
    For each, the shares of all classes but the last among its training images,
    and its share of all training images; 0 of an empty one. The distance of two
    clusters is Euclidean: 0 for the same mix and share, 1 between only
    positives and only negatives of two classes.
  """
  total = sum(c.size for c in clusters)
  return [
    [
      *(c.class_counts[name] / (c.size or 1) for name in classes[:-1]),
      c.size / total,
    ]
    for c in clusters
  ]


def match(
  reference: Clusters, ours: Clusters, classes: Sequence[str]
) -> list[Pair]:
  """Matches clusters one to one at the least sum of distances.

  Args:
    reference: clusters of the paper, or of a run.
    ours: clusters of a run; their number may differ.
    classes: C, in the order of the study.

  Returns:
    Every cluster of the reference in its order, then those of ours that are
    left over. The assignment is `scipy.optimize.linear_sum_assignment`'s.
  """
  cost = np.array([
    [math.dist(a, b) for b in place(ours, classes)]
    for a in place(reference, classes)
  ])
  rows, columns = optimize.linear_sum_assignment(cost)
  partner = dict(zip(rows.tolist(), columns.tolist(), strict=True))
  pairs = []
  for i, c in enumerate(reference):
    j = partner.get(i)
    pairs.append(
      Pair(c.id, None, None)
      if j is None
      else Pair(c.id, ours[j].id, float(cost[i, j]))
    )
  pairs += [
    Pair(None, c.id, None)
    for j, c in enumerate(ours)
    if j not in partner.values()
  ]
  return pairs

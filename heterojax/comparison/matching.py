"""Which cluster of a run stands beside which of the paper, or of another run.

Runs of the same images are matched by the images that their clusters share, and
others by the class mix and size of their clusters, which is all that the paper
tells.
"""

from collections.abc import Mapping, Sequence
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
    cost: of the match, 0 to about 1; None without a partner.
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


def by_mix(
  reference: Clusters, ours: Clusters, classes: Sequence[str]
) -> np.ndarray:
  """`[len(reference), len(ours)]`, the distances of clusters in `place`."""
  return np.array([
    [math.dist(a, b) for b in place(ours, classes)]
    for a in place(reference, classes)
  ])


def by_members(
  reference: Clusters,
  ours: Clusters,
  members: Mapping[str, int],
  own: Mapping[str, int],
) -> np.ndarray:
  """How few images clusters share.

  Args:
    reference: clusters of a run.
    ours: those of another run.
    members: the cluster of each image of the first run, by id.
    own: the same of the other run; at least one id is in both.

  Returns:
    `[len(reference), len(ours)]`, 1 less the Jaccard similarity over the images
    of both runs: 0 for the same images, 1 where two clusters share none.
  """
  both = [(members[name], own[name]) for name in members if name in own]
  first, second = (
    np.array(labels)[:, None] for labels in zip(*both, strict=True)
  )
  in_a = first == [c.id for c in reference]
  in_b = second == [c.id for c in ours]
  shared = in_a.T.astype(int) @ in_b
  either = in_a.sum(0)[:, None] + in_b.sum(0) - shared
  return 1 - shared / np.maximum(either, 1)


def match(reference: Clusters, ours: Clusters, cost: np.ndarray) -> list[Pair]:
  """Matches clusters one to one at the least sum of costs.

  Args:
    reference: clusters of the paper, or of a run.
    ours: clusters of a run; their number may differ.
    cost: `[len(reference), len(ours)]`, of `by_mix` or `by_members`.

  Returns:
    Every cluster of the reference in its order, then those of ours that are
    left over. The assignment is `scipy.optimize.linear_sum_assignment`'s.
  """
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

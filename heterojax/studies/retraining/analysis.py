"""What the numbers of a retraining study say, beyond the tables."""

from collections.abc import Sequence
import itertools

import numpy as np
from scipy import stats
from sklearn.metrics import adjusted_rand_score

from heterojax.datasets.manifest import Cohort
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.report.formatting import counted
from heterojax.stats import metrics
from heterojax.stats.scores import Score
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import DistanceVsPerformance
from heterojax.studies.retraining.records import Pair
from heterojax.studies.retraining.records import Subpopulations
from heterojax.studies.samples import Samples

# Hardly any image of such a cluster is an original.
_ARTIFICIAL = 0.05
# A cluster of one class to this share explains its head's failure by itself.
LOPSIDED = 0.8


def distance_vs_performance(
  retrained: Sequence[Score], distances: np.ndarray, task: str
) -> DistanceVsPerformance:
  """Wang 2023's second finding, as a test of its own.

  "Closer clusters exhibiting more similar retrained model performances": the
  centroid distance of each pair of clusters against the absolute difference of
  their retrained heads in each metric.

  Args:
    retrained: K, of the head of each cluster.
    distances: `[K, K]` of the centroids.
    task: of the heads.

  Returns:
    Pairs, Spearman's rank correlation per metric, and what it can show.
  """
  names = metrics.names(task)
  pairs = tuple(
    Pair(
      a,
      b,
      float(distances[a, b]),
      _difference(retrained[a], retrained[b], names),
    )
    for a, b in itertools.combinations(range(len(retrained)), 2)
  )
  return DistanceVsPerformance(
    pairs,
    {name: _rank_correlation(pairs, name) for name in names},
    _what_pairs_show(len(retrained), pairs),
  )


def _difference(
  first: Score, second: Score, names: Sequence[str]
) -> dict[str, Estimate]:
  """How much two heads differ in each metric."""
  difference: dict[str, Estimate] = {}
  for name in names:
    a, b = first.value(name), second.value(name)
    if a is None or b is None:
      difference[name] = Missing('one of the two has none')
    else:
      difference[name] = abs(a - b)
  return difference


def _rank_correlation(pairs: Sequence[Pair], name: str) -> Estimate:
  known = [p for p in pairs if p.of(name) is not None]
  distance = [p.centroid_distance for p in known]
  # Equal fractions differ in their last bits, which must not rank them.
  difference = [round(p.of(name) or 0, 12) for p in known]
  if len(known) < 3:
    have = 'has' if len(known) == 1 else 'have'
    return Missing(f'{counted(len(known), "pair")} {have} no ranking')
  if len(set(difference)) == 1 or len(set(distance)) == 1:
    return Missing('all pairs are equal')
  return float(np.asarray(stats.spearmanr(distance, difference))[0])


def _what_pairs_show(k: int, pairs: Sequence[Pair]) -> str:
  if k == 2:
    return 'k = 2 gives 1 pair, which can show no relation.'
  number = len(pairs)
  complete = sum(
    all(p.of(name) is not None for name in p.difference) for p in pairs
  )
  text = (
    f'k = {k} gives {number} pairs, which share clusters and so are not'
    ' independent.'
  )
  if complete < number:
    have = 'has' if complete == 1 else 'have'
    text += f' Only {complete} of them {have} all scores.'
  if complete == 6:
    return (
      f'{text} With six pairs only a rank correlation beyond ±0.88 would'
      ' be significant at 0.05 (two-sided) even if they were independent:'
      ' this can suggest a relation, not show one.'
    )
  return f'{text} This can suggest a relation, not show one.'


def known_subpopulations(
  cohort: Cohort, samples: Samples, labels: np.ndarray, column: str
) -> Subpopulations:
  """Adjusted Rand index of the clusters with a column of the manifest.

  Args:
    cohort: with that column.
    samples: of the study.
    labels: `[N]` clusters.
    column: its name.

  Returns:
    The index over the training originals and over the test images.
  """
  names = {c.id: dict(c.columns).get(column, '') for c in cohort.included}

  def index(split: str) -> float:
    positions = samples.of(split)
    positions = positions[samples.is_original[positions]]
    truth = [names[samples.ids[i]] for i in positions]
    return float(adjusted_rand_score(truth, labels[positions]))

  return Subpopulations(column, index('train'), index('test'))


def artificial(clusters: Sequence[Cluster]) -> list[str]:
  """Clusters that augmentation made, a sentence each.

  Args:
    clusters: K.

  Returns:
    The sentences.
  """
  return [
    f'Only {_number(c.originals)} of the {_number(c.size)} training images of'
    f' cluster {c.id} are originals: it shows what augmentation does to an'
    ' image, and nothing of the data.'
    for c in clusters
    if c.size and c.originals <= _ARTIFICIAL * c.size
  ]


def _number(value: float) -> str:
  """A count, or a mean of counts over folds."""
  return f'{value:.1f}'.removesuffix('.0')

"""What the numbers of a retraining study say, beyond the tables."""

from collections.abc import Sequence
import itertools

import numpy as np
from scipy import stats
from sklearn.metrics import adjusted_rand_score

from heterojax.datasets.manifest import Cohort
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.stats import metrics
from heterojax.stats.scores import Score
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import DistanceVsPerformance
from heterojax.studies.retraining.records import Pair
from heterojax.studies.retraining.records import Subpopulations
from heterojax.studies.samples import Samples

# A head fails in a test cluster where it is right for no more than this share.
_FAILS = 0.6
# It falls behind where every random head beats it, and their mean by this.
_SHORTFALL = 0.1
# Hardly any image of such a cluster is an original.
_ARTIFICIAL = 0.05
# A cluster of one class to this share explains its head's failure by itself.
LOPSIDED = 0.8


def distance_vs_performance(
  retrained: Sequence[Score], distances: np.ndarray
) -> DistanceVsPerformance:
  """Wang 2023's second finding, as a test of its own.

  "Closer clusters exhibiting more similar retrained model performances": the
  centroid distance of each pair of clusters against the absolute difference of
  their retrained heads in each metric.

  Args:
    retrained: K, of the head of each cluster.
    distances: `[K, K]` of the centroids.

  Returns:
    Pairs, Spearman's rank correlation per metric, and what it can show.
  """
  pairs = tuple(
    Pair(a, b, float(distances[a, b]), _difference(retrained[a], retrained[b]))
    for a, b in itertools.combinations(range(len(retrained)), 2)
  )
  return DistanceVsPerformance(
    pairs,
    {name: _rank_correlation(pairs, name) for name in _metrics()},
    _what_pairs_show(len(retrained), pairs),
  )


def _metrics() -> tuple[str, ...]:
  return metrics.names('classification')


def _difference(first: Score, second: Score) -> dict[str, Estimate]:
  """How much two heads differ in each metric."""
  difference: dict[str, Estimate] = {}
  for name in _metrics():
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
    return Missing(f'{len(known)} pairs have no ranking')
  if len(set(difference)) == 1 or len(set(distance)) == 1:
    return Missing('all pairs are equal')
  return float(np.asarray(stats.spearmanr(distance, difference))[0])


def _what_pairs_show(k: int, pairs: Sequence[Pair]) -> str:
  number = len(pairs)
  complete = sum(
    all(p.of(name) is not None for name in p.difference) for p in pairs
  )
  text = (
    f'k = {k} gives {number} pair{"s" if number != 1 else ""}, which share'
    ' clusters and so are not independent.'
  )
  if complete < number:
    text += f' Only {complete} of them have all scores.'
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


def findings(clusters: Sequence[Cluster]) -> list[str]:
  """Which cluster's head fails elsewhere, a paragraph each.

  Args:
    clusters: K.

  Returns:
    A summary and a paragraph per cluster whose head falls behind: every random
    head does better, and their mean by `_SHORTFALL` or more. Then a sentence
    per cluster whose head would, but has not learned it, and per cluster that
    augmentation made.
  """
  return (
    _heads_behind(clusters)
    + _unlearned(clusters)
    + [
      f'Only {_number(c.originals)} of the {_number(c.size)} training images of'
      f' cluster {c.id} are originals: it shows what augmentation does to an'
      ' image, and nothing of the data.'
      for c in clusters
      if c.size and c.originals <= _ARTIFICIAL * c.size
    ]
  )


def _heads_behind(clusters: Sequence[Cluster]) -> list[str]:
  known = [c for c in clusters if _accuracy(c.retrained) is not None]
  if not known:
    return ['No cluster has training images in every fold, and so none a head.']
  behind = [c for c in known if falls_behind(c)]
  runs, n = len(known[0].random.runs), known[0].retrained.n
  points = f'{100 * _SHORTFALL:.0f} percentage points or more'
  if not behind:
    return [
      f"No cluster's head falls behind all {runs} heads that were trained on"
      f' equally many random images, and behind their mean by {points}. With'
      f' {n} test images and {runs} random runs only a large effect would'
      ' show.'
    ]
  lopsided = sum(c.majority[1] >= LOPSIDED for c in behind)
  summary = (
    f'{len(behind)} of {len(clusters)} clusters have a head that falls behind'
    f' all {runs} heads trained on equally many random images, and behind'
    f' their mean by {points}.'
  )
  if lopsided:
    summary += (
      f' In {lopsided} of them one class makes up {LOPSIDED:.0%} or more of'
      ' the cluster, which may explain it.'
    )
  return [summary, *map(_paragraph, behind)]


def _unlearned(clusters: Sequence[Cluster]) -> list[str]:
  return [
    f'The head retrained on cluster {c.id} has not learned its own cluster: it'
    f' is right for {_accuracy(c.retrained_in_test_clusters[c.id]):.0%} of'
    f' {c.retrained_in_test_clusters[c.id].n} there, where always answering the'
    f' larger class gives {_always(c):.0%}. What it gets wrong elsewhere says'
    ' nothing of what this cluster teaches.'
    for c in clusters
    if _beaten(c) and unlearned(c)
  ]


def _number(value: float) -> str:
  """A count, or a mean of counts over folds."""
  return f'{value:.1f}'.removesuffix('.0')


def _accuracy(score: Score) -> Number | None:
  return score.value('accuracy')


def falls_behind(c: Cluster) -> bool:
  """Whether every random head does better, and their mean by a tenth.

  A head that has not learned its own cluster does not: what it gets wrong
  elsewhere says nothing of what the cluster teaches.
  """
  return _beaten(c) and not unlearned(c)


def _beaten(c: Cluster) -> bool:
  accuracy, mean = _accuracy(c.retrained), _accuracy(c.random)
  if accuracy is None or mean is None:
    return False
  beaten_by_all = all(accuracy < run for run in c.random.known('accuracy'))
  # 0.9 - 0.8 is below 0.1 in its last bits.
  return beaten_by_all and round(mean - accuracy, 12) >= _SHORTFALL


def unlearned(c: Cluster) -> bool:
  """Whether a cluster's head is no better there than its larger class."""
  accuracy = _accuracy(c.retrained_in_test_clusters[c.id])
  # Of one class alone, even the larger class is always right.
  return accuracy is not None and accuracy <= _always(c) < 1


def _always(c: Cluster) -> float:
  """What always answering the larger class gives in a cluster's test images."""
  home = c.retrained_in_test_clusters[c.id]
  return max(home.positives, home.n - home.positives) / home.n


def _paragraph(c: Cluster) -> str:
  runs = c.random.known('accuracy')
  text = (
    f'The head retrained on cluster {c.id} is right for'
    f' {_accuracy(c.retrained):.0%} of the {c.retrained.n} test images; heads'
    f' trained on {_number(c.size)} random images are right for'
    f' {_accuracy(c.random):.0%} on average ({min(runs):.0%} to'
    f' {max(runs):.0%} over {len(runs)} runs).'
  )
  fails = [
    f'{accuracy:.0%} of {score.n} in cluster {j}'
    for j, score in enumerate(c.retrained_in_test_clusters)
    if j != c.id
    and (accuracy := _accuracy(score)) is not None
    and accuracy <= _FAILS
  ]
  home = c.retrained_in_test_clusters[c.id]
  elsewhere = f'it fails elsewhere: {", ".join(fails)}' if fails else ''
  if (accuracy := _accuracy(home)) is not None:
    text += (
      f' In its own cluster it is right for {accuracy:.0%} of {home.n} (always'
      f' answering the larger class gives {_always(c):.0%})'
    )
    link = 'but' if accuracy > _FAILS else 'and'
    text += f', {link} {elsewhere}.' if fails else '.'
  elif fails:
    text += f' {elsewhere.capitalize()}.'
  name, share = c.majority
  if share < LOPSIDED:
    if fails:
      text += ' What this cluster teaches does not hold for the others.'
    return text
  return (
    f'{text} {share:.0%} of its training images are {name}, so the class mix'
    ' alone may explain this; it is no evidence of another difference.'
  )

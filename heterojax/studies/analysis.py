"""What the numbers of a retraining study say, beyond the tables."""

import itertools
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import adjusted_rand_score

from heterojax import metrics
from heterojax.datasets.manifest import Cohort
from heterojax.studies.samples import Samples

# A cluster head is said to fail where its accuracy is no better than this, ...
_FAILS = 0.6
# ... to know its own cluster where it is at least this, ...
_KNOWS = 0.8
# ... and to fall short of chance subsets by at least this.
_SHORTFALL = 0.05


def distance_vs_performance(
    clusters: list[dict[str, Any]], distances: np.ndarray
) -> dict[str, Any]:
  """Wang 2023's second finding, as a test of its own.

  "Closer clusters exhibiting more similar retrained model performances": the
  centroid distance of each pair of clusters against the absolute difference of
  their retrained heads in each metric.

  Args:
    clusters: `results.json`'s.
    distances: `[K, K]` of the centroids.

  Returns:
    Pairs, Spearman's rank correlation per metric, and what it can show.
  """
  pairs = []
  for a, b in itertools.combinations(range(len(clusters)), 2):
    scores = [clusters[c]['retrained'] for c in (a, b)]
    pairs.append({
        'a': a,
        'b': b,
        'centroid_distance': float(distances[a, b]),
        'difference': {
            name: _difference(scores, name) for name in metrics.METRICS
        },
    })
  spearman: dict[str, Any] = {}
  for name in metrics.METRICS:
    spearman |= _rank_correlation(pairs, name)
  return {
      'pairs': pairs,
      'spearman': spearman,
      'why': _what_pairs_show(len(clusters), len(pairs)),
  }


def _difference(scores: list[dict[str, Any]], name: str) -> float | None:
  first, second = (score[name] for score in scores)
  return None if None in (first, second) else abs(first - second)


def _rank_correlation(
    pairs: list[dict[str, Any]], name: str
) -> dict[str, Any]:
  known = [p for p in pairs if p['difference'][name] is not None]
  distance = [p['centroid_distance'] for p in known]
  difference = [p['difference'][name] for p in known]
  if len(known) < 3:
    return {name: None, f'{name}_why': f'{len(known)} pairs have no ranking'}
  if len(set(difference)) == 1 or len(set(distance)) == 1:
    return {name: None, f'{name}_why': 'all pairs are equal'}
  return {name: float(stats.spearmanr(distance, difference).statistic)}


def _what_pairs_show(k: int, number: int) -> str:
  text = (
      f'k = {k} gives {number} pair{"s" if number != 1 else ""}, which share'
      ' clusters and so are not independent.'
  )
  if k == 4:
    return (
        f'{text} With six pairs only a rank correlation of 0.89 or more would be'
        ' significant at 0.05 (two-sided) even if they were independent: this'
        ' can suggest a relation, not show one.'
    )
  return f'{text} This can suggest a relation, not show one.'


def known_subpopulations(
    cohort: Cohort, samples: Samples, labels: np.ndarray, column: str
) -> dict[str, Any]:
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
  result: dict[str, Any] = {'column': column}
  for split in ('train', 'test'):
    positions = samples.of(split)
    positions = positions[samples.is_original[positions]]
    truth = [names[samples.ids[i]] for i in positions]
    index = adjusted_rand_score(truth, labels[positions])
    result[f'adjusted_rand_{split}'] = float(index)
  return result


def findings(clusters: list[dict[str, Any]]) -> list[str]:
  """Which cluster's head fails elsewhere, one sentence each."""
  sentences = []
  for c in clusters:
    own = c['retrained_in_test_clusters'][c['id']]['accuracy']
    elsewhere = [
        (j, score['accuracy'])
        for j, score in enumerate(c['retrained_in_test_clusters'])
        if j != c['id']
        and score['accuracy'] is not None
        and score['accuracy'] <= _FAILS
    ]
    shortfall = c['random']['accuracy'] - c['retrained']['accuracy']
    one_class = 0 in c['class_counts'].values()
    if shortfall < _SHORTFALL:
      continue
    text = (
        f'The head retrained on cluster {c["id"]} ({c["size"]} images) is right'
        f' for {c["retrained"]["accuracy"]:.0%} of the test images; heads'
        ' trained on equally many random images are right for'
        f' {c["random"]["accuracy"]:.0%} on average.'
    )
    if one_class:
      text += ' It saw images of one class only.'
    elif elsewhere and own is not None and own >= _KNOWS:
      where = ' and '.join(f'{a:.0%} in cluster {j}' for j, a in elsewhere)
      text += (
          f' It fails elsewhere: {own:.0%} in its own cluster, but {where}. What'
          ' this cluster teaches does not hold there.'
      )
    elif elsewhere:
      where = ' and '.join(f'{a:.0%} in cluster {j}' for j, a in elsewhere)
      text += f' It fails elsewhere: {where}.'
    sentences.append(text)
  if not sentences:
    sentences.append(
        "No cluster's head falls behind heads trained on equally many random"
        f' images by {_SHORTFALL:.0%} or more: no sign that these clusters teach'
        ' something else.'
    )
  return sentences

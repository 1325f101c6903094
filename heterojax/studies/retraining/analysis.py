"""What the numbers of a retraining study say, beyond the tables."""

import itertools
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import adjusted_rand_score

from heterojax.datasets.manifest import Cohort
from heterojax.stats import metrics
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
      'difference': _differences(scores),
    })
  spearman: dict[str, Any] = {}
  for name in metrics.METRICS:
    spearman |= _rank_correlation(pairs, name)
  return {
    'pairs': pairs,
    'spearman': spearman,
    'why': _what_pairs_show(len(clusters), pairs),
  }


def _differences(scores: list[dict[str, Any]]) -> dict[str, Any]:
  """Of two SCOREs in each metric; null, and why, where one has none."""
  found: dict[str, Any] = {}
  for name in metrics.METRICS:
    first, second = (score[name] for score in scores)
    if None in (first, second):
      found |= {name: None, f'{name}_why': 'one of the two has none'}
    else:
      found[name] = abs(first - second)
  return found


def _rank_correlation(pairs: list[dict[str, Any]], name: str) -> dict[str, Any]:
  known = [p for p in pairs if p['difference'][name] is not None]
  distance = [p['centroid_distance'] for p in known]
  # Equal fractions differ in their last bits, which must not rank them.
  difference = [round(p['difference'][name], 12) for p in known]
  if len(known) < 3:
    return {name: None, f'{name}_why': f'{len(known)} pairs have no ranking'}
  if len(set(difference)) == 1 or len(set(distance)) == 1:
    return {name: None, f'{name}_why': 'all pairs are equal'}
  return {name: float(stats.spearmanr(distance, difference).statistic)}


def _what_pairs_show(k: int, pairs: list[dict[str, Any]]) -> str:
  number = len(pairs)
  complete = sum(None not in p['difference'].values() for p in pairs)
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
  """Which cluster's head fails elsewhere, a paragraph each.

  Args:
    clusters: `results.json`'s.

  Returns:
    A summary and a paragraph per cluster whose head falls behind: every random
    head does better, and their mean by `_SHORTFALL` or more. Then a sentence
    per cluster that augmentation made.
  """
  return _heads_behind(clusters) + [
    f'Only {_number(c["originals"])} of the {_number(c["size"])} training'
    f' images of cluster {c["id"]} are originals: it shows what augmentation'
    ' does to an image, and nothing of the data.'
    for c in clusters
    if c['size'] and c['originals'] <= _ARTIFICIAL * c['size']
  ]


def _heads_behind(clusters: list[dict[str, Any]]) -> list[str]:
  known = [c for c in clusters if c['retrained']['accuracy'] is not None]
  if not known:
    return ['No cluster has training images in every fold, and so none a head.']
  behind = [c for c in known if _falls_behind(c)]
  runs, n = len(known[0]['random']['runs']), known[0]['retrained']['n']
  points = f'{100 * _SHORTFALL:.0f} percentage points or more'
  if not behind:
    return [
      f"No cluster's head falls behind all {runs} heads that were trained on"
      f' equally many random images, and behind their mean by {points}. With'
      f' {n} test images and {runs} random runs only a large effect would'
      ' show.'
    ]
  lopsided = sum(_majority(c)[1] >= LOPSIDED for c in behind)
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


def _number(value: float) -> str:
  """A count, or a mean of counts over folds."""
  return f'{value:.1f}'.removesuffix('.0')


def _falls_behind(c: dict[str, Any]) -> bool:
  own = c['retrained']['accuracy']
  beaten_by_all = all(own < run['accuracy'] for run in c['random']['runs'])
  # 0.9 - 0.8 is below 0.1 in its last bits.
  shortfall = round(c['random']['accuracy'] - own, 12)
  return beaten_by_all and shortfall >= _SHORTFALL


def _majority(c: dict[str, Any]) -> tuple[str, float]:
  """The larger class of a cluster's training images, and its share."""
  name = max(c['class_counts'], key=c['class_counts'].get)
  return name, c['class_counts'][name] / c['size']


def _paragraph(c: dict[str, Any]) -> str:
  runs = [run['accuracy'] for run in c['random']['runs']]
  retrained = c['retrained']
  text = (
    f'The head retrained on cluster {c["id"]} is right for'
    f' {retrained["accuracy"]:.0%} of the {retrained["n"]} test images; heads'
    f' trained on {_number(c["size"])} random images are right for'
    f' {c["random"]["accuracy"]:.0%} on average ({min(runs):.0%} to'
    f' {max(runs):.0%} over {len(runs)} runs).'
  )
  fails = [
    f'{score["accuracy"]:.0%} of {score["n"]} in cluster {j}'
    for j, score in enumerate(c['retrained_in_test_clusters'])
    if j != c['id']
    and score['accuracy'] is not None
    and score['accuracy'] <= _FAILS
  ]
  own = c['retrained_in_test_clusters'][c['id']]
  elsewhere = f'it fails elsewhere: {", ".join(fails)}' if fails else ''
  unlearned = False
  if own['accuracy'] is not None:
    positives = own['tp'] + own['fn']
    always = max(positives, own['n'] - positives) / own['n']
    # Of one class alone, even the larger class is always right.
    unlearned = own['accuracy'] <= always < 1
    text += (
      f' In its own cluster it is right for {own["accuracy"]:.0%} of'
      f' {own["n"]} (always answering the larger class gives {always:.0%})'
    )
    link = 'but' if own['accuracy'] > _FAILS else 'and'
    text += f', {link} {elsewhere}.' if fails else '.'
  elif fails:
    text += f' {elsewhere.capitalize()}.'
  name, share = _majority(c)
  if unlearned:
    return f'{text} It has not learned its own cluster either.'
  if share < LOPSIDED:
    if fails:
      text += ' What this cluster teaches does not hold for the others.'
    return text
  return (
    f'{text} {share:.0%} of its training images are {name}, so the class mix'
    ' alone may explain this; it is no evidence of another difference.'
  )

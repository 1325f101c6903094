"""What a reader must know before the findings of a retraining study."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from heterojax.cluster import distances
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.settings import Settings


def cautions(settings: Settings, folds: Sequence[Fold], unit: str) -> list[str]:
  """Sentences on clusters that are no clusters, the gravest first; or none.

  Args:
    settings: of the study.
    folds: with their clusters.
    unit: what one sample is called.

  Returns:
    That centroids coincide, and which clusters teach nothing.
  """
  k, coinciding, empty = settings.cluster.k, [], Counter()
  for fold in folds:
    train, clusters = fold.samples.of('train'), fold.clusters
    labels = clusters.labels[train]
    coinciding.append(
      distances.coinciding(clusters.z[train], clusters.centers, labels)
    )
    empty.update(set(range(k)) - set(labels.tolist()))
  sentences = []
  if text := _coincide(settings, coinciding):
    sentences.append(text)
  for number in sorted(set(empty.values()), reverse=True):
    which = [c for c in sorted(empty) if empty[c] == number]
    where = f' in {number} of {len(folds)} folds' if len(folds) > 1 else ''
    who = f'Clusters {", ".join(map(str, which))} have'
    if len(which) == 1:
      who = f'Cluster {which[0]} has'
    sentences.append(
      f'{who} no training {unit}s{where}: no head and no random heads of that'
      ' size are scored.'
    )
  return sentences


def _coincide(settings: Settings, folds: Sequence[np.ndarray]) -> str:
  """What it means that two centroids are one, `[K, K]` of each fold; or ''."""
  if not (number := sum(bool(pairs.any()) for pairs in folds)):
    return ''
  k = settings.cluster.k
  often = np.sum(folds, axis=0)
  a, b = np.unravel_index(np.argmax(often), (k, k))
  where = f' in {number} of {len(folds)} folds' if len(folds) > 1 else ''
  advice = 'A smaller k would say so.'
  if settings.cluster.method == 'fuzzy':
    advice = (
      f'With the fuzzifier {settings.cluster.fuzzifier:g} fewer than {k}'
      ' centroids are best; a smaller one (1.1 or 1.5) keeps them apart, and'
      ' so does a smaller k.'
    )
  return (
    f'Centroids coincide{where}, as those of clusters {a} and {b}: what is'
    ' called two clusters there is one that was cut in two, so do not read'
    f' their difference. {advice}'
  )

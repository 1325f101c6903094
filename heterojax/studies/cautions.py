"""What a reader must know before the numbers of a study."""

from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np

from heterojax.cluster import distances
from heterojax.datasets.manifest import Cohort
from heterojax.stats import chance
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.sample_size.cluster_cv import SizeClusters
from heterojax.studies.settings import Settings

# Share of the test images whose patients cannot be exchanged.
_STAY = 0.2


def cautions(
  settings: Settings, cohort: Cohort, found: Sequence[SizeClusters]
) -> list[str]:
  """Sentences on a sample-size study, the gravest first; or none.

  That centroids coincide stands beside each fold, as `coinciding`.

  Args:
    settings: of the study.
    cohort: of a fold of the largest size.
    found: the clusterings of all sizes.
  """
  return [
    *_unconverged(settings, found),
    *_groups(cohort, found),
  ]


def of_retraining(settings: Settings, folds: Sequence[Fold]) -> list[str]:
  """The same of a retraining study; a cluster may teach nothing there.

  Args:
    settings: of the study.
    folds: with their clusters.
  """
  k, coinciding, empty = settings.cluster.k, [], Counter()
  for fold in folds:
    train, own = fold.samples.of('train'), fold.clusters
    coinciding.append(
      distances.coinciding(own.z[train], own.centers, own.labels[train])
    )
    empty.update(set(range(k)) - set(own.labels[train].tolist()))
  found = []
  if text := _coincide(settings, coinciding):
    found.append(text)
  for number in sorted(set(empty.values()), reverse=True):
    own = [c for c in sorted(empty) if empty[c] == number]
    where = f' in {number} of {len(folds)} folds' if len(folds) > 1 else ''
    who = (
      f'Cluster {own[0]} has'
      if len(own) == 1
      else (f'Clusters {", ".join(map(str, own))} have')
    )
    found.append(
      f'{who} no training images{where}: no head and no random heads of that'
      ' size are scored.'
    )
  return found


def _coincide(settings: Settings, folds: Sequence[np.ndarray]) -> str:
  """What it means that two centroids are one, `[K, K]` of each fold; or ''."""
  if not (number := sum(bool(own.any()) for own in folds)):
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


def _unconverged(
  settings: Settings, found: Sequence[SizeClusters]
) -> Iterator[str]:
  for size in found:
    converged = np.concatenate([fold.converged for fold in size.folds])
    if not converged.all():
      yield (
        f'At n = {size.n} {int(np.sum(~converged))} of {len(converged)}'
        ' trainings of the clustering had not converged after'
        f' {settings.cluster.max_iter} iterations: raise'
        ' --config.cluster.max_iter.'
      )


def _groups(cohort: Cohort, found: Sequence[SizeClusters]) -> Iterator[str]:
  images = Counter(c.group for c in cohort.included if c.group)
  shared = sum(n for n in images.values() if n > 1)
  if not shared:
    return
  stay = 1 - np.mean([chance.exchangeable(f.units) for f in found[-1].folds])
  text = (
    f'{shared} of {len(cohort.included)} images share their patient or group'
    ' with another. For the band of chance, the images of a patient were'
    ' exchanged together, with those of a patient who has as many.'
  )
  if stay > _STAY:
    text += (
      f' At n = {found[-1].n} no other has as many for {stay:.0%} of the test'
      ' images, which stay in their clusters: the band then lies too near the'
      ' CV to show a difference.'
    )
  yield text

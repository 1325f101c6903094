"""What a reader must know before the numbers of a sample-size study."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from heterojax.datasets.manifest import Cohort
from heterojax.studies.sample_size.cluster_cv import SizeClusters
from heterojax.studies.settings import Settings

# Share of the test images whose patients cannot be exchanged.
_STAY = 0.2


def cautions(
  settings: Settings,
  cohort: Cohort,
  clustered: Sequence[SizeClusters],
  unit: str,
) -> list[str]:
  """Sentences, the gravest first; or none.

  That centroids coincide stands beside each fold, as `coinciding`.

  Args:
    settings: of the study.
    cohort: of a fold of the largest size.
    clustered: the clusterings of all sizes.
    unit: what one sample is called.
  """
  return [
    *_unconverged(settings, clustered),
    *_groups(cohort, clustered[-1], unit),
  ]


def _unconverged(
  settings: Settings, clustered: Sequence[SizeClusters]
) -> Iterator[str]:
  for size in clustered:
    converged = np.concatenate([fold.converged for fold in size.folds])
    if not converged.all():
      yield (
        f'At n = {size.n} {int(np.sum(~converged))} of {len(converged)}'
        ' trainings of the clustering had not converged after'
        f' {settings.cluster.max_iter} iterations: raise'
        ' --config.cluster.max_iter.'
      )


def _groups(cohort: Cohort, largest: SizeClusters, unit: str) -> Iterator[str]:
  images = Counter(c.group for c in cohort.included if c.group)
  shared = sum(n for n in images.values() if n > 1)
  if not shared:
    return
  stay = 1 - largest.null.exchange.moved
  alike = 'as many of each class' if cohort.classes else 'as many'
  text = (
    f'{shared} of {len(cohort.included)} {unit}s share their patient or group'
    f' with another. For the band of chance, the {unit}s of a patient were'
    f' exchanged together, with those of a patient who has {alike}.'
  )
  if stay > _STAY:
    text += (
      f' At n = {largest.n} no other has {alike} for {stay:.0%} of the'
      f' test {unit}s, which stay in their clusters: the band then lies too'
      ' near the CV to show a difference.'
    )
  yield text

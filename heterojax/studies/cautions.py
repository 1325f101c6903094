"""What a reader of a sample-size study must know before its numbers."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from heterojax.datasets.manifest import Cohort
from heterojax.studies.cluster_cv import SizeClusters
from heterojax.studies.settings import Settings


def cautions(
    settings: Settings, cohort: Cohort, found: Sequence[SizeClusters]
) -> list[str]:
  """Sentences, the gravest first; none where there is nothing to say.

  Args:
    settings: of the study.
    cohort: of a fold of the largest size.
    found: the clusterings of all sizes.
  """
  return [
      *_coinciding(settings, found),
      *_unconverged(settings, found),
      *_groups(cohort),
  ]


def _coinciding(
    settings: Settings, found: Sequence[SizeClusters]
) -> Iterator[str]:
  k, trainings = settings.cluster.k, settings.cluster.trainings
  for size in found:
    folds = [fold.coinciding > trainings / 2 for fold in size.folds]
    if not (number := sum(bool(own.any()) for own in folds)):
      continue
    a, b = np.unravel_index(np.argmax(sum(folds)), (k, k))
    advice = 'A smaller k would say so.'
    if settings.cluster.method == 'fuzzy':
      advice = (
          f'With the fuzzifier {settings.cluster.fuzzifier:g} fewer than {k}'
          ' centroids are best; a smaller one (1.1 or 1.5, see the table) keeps'
          ' them apart, and so does a smaller k.'
      )
    yield (
        f'At n = {size.n} centroids coincide in {number} of {len(folds)} folds,'
        f' as those of clusters {a} and {b}: what is called two clusters there'
        f' is one that was cut in two, so do not read their difference. {advice}'
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


def _groups(cohort: Cohort) -> Iterator[str]:
  images = Counter(c.group for c in cohort.included if c.group)
  shared = sum(n for n in images.values() if n > 1)
  if shared:
    yield (
        f'{shared} of {len(cohort.included)} images share their patient or'
        ' group with another. The band of chance takes images for independent;'
        ' where those of one patient are alike it is too narrow.'
    )

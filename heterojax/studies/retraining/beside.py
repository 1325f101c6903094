"""What needs no head, and so is found out while heads are trained.

Heads of one machine wait for its memory more than for its cores, and much of
what is here for Python.
"""

from collections.abc import Callable, Iterator, Sequence
import concurrent.futures
import contextlib
import functools
from typing import NamedTuple

from heterojax.compute import collectives
from heterojax.compute import cores
from heterojax.compute import row_blocks
from heterojax.compute.arrays import Array
from heterojax.datasets import leaks
from heterojax.datasets.manifest import Cohort
from heterojax.records.codec import Missing
from heterojax.studies import audits
from heterojax.studies.retraining import facts
from heterojax.studies.retraining import same_mix
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.paper_counts import SameMix
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings


class Found(NamedTuple):
  """What was found.

  Attributes:
    leaks: see `audits.find_leaks_of_folds`.
    jaccard: see `facts.jaccard`.
    same_mix: see `same_mix.of_paper`.
  """

  leaks: leaks.Found
  jaccard: facts.Jaccard
  same_mix: tuple[SameMix, ...] | Missing | None


@contextlib.contextmanager
def begun(
  settings: Settings,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  x: Array,
  clusters: Sequence[Clusters],
) -> Iterator[Callable[[], Found]]:
  """Begins beside other work, where that may be.

  Args:
    settings: of the study.
    cohorts: T.
    samples: T.
    x: `[P, D]` features of all pictures.
    clusters: T.

  Yields:
    What waits for it, or does it then.
  """
  find = functools.partial(_find, settings, cohorts, samples, x, clusters)
  if not _together(settings, x):
    yield find
    return
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    yield pool.submit(find).result


def _together(settings: Settings, x: Array) -> bool:
  """Whether heads leave it room, and neither disturbs the other."""
  return not (
    # Both would say how many threads LAPACK has.
    settings.at_optimum
    or collectives.number() > 1
    # Heads may fill an accelerator; and nobody has counted on both at once.
    or cores.memory() is not None
    or row_blocks.is_large(*x.shape)
  )


def _find(
  settings: Settings,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  x: Array,
  clusters: Sequence[Clusters],
) -> Found:
  return Found(
    audits.find_leaks_of_folds(
      audits.FoldFeatures(cohort, fold, x, fold.row)
      for cohort, fold in zip(cohorts, samples, strict=True)
    ),
    facts.jaccard(settings, list(zip(samples, clusters, strict=True))),
    same_mix.of_paper(settings.seed, samples, x, cohorts[0].classes),
  )

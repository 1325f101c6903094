"""What else may explain the CV of the largest size: leaks and shortcuts."""

from collections.abc import Sequence
import dataclasses
from typing import NamedTuple

import numpy as np

from heterojax.datasets import leaks as leaks_lib
from heterojax.datasets.manifest import Cohort
from heterojax.records.codec import Missing
from heterojax.studies import audits
from heterojax.studies import records
from heterojax.studies import shortcuts as shortcuts_lib
from heterojax.studies.sample_size.cluster_cv import FoldClusters
from heterojax.studies.sample_size.top_models import Learned

_NO_CLASSES = Missing('the labels are numbers, of which none is a class')


class Audits(NamedTuple):
  """Leaks and shortcuts of one size.

  Attributes:
    all_leaks: every leak of every fold.
    leaks: how many images they concern.
    shortcuts: of the first fold, a column of the manifest each; of a regression
      with the clusters alone.
  """

  all_leaks: list[leaks_lib.Leak]
  leaks: records.Leaks
  shortcuts: tuple[records.Shortcut, ...]


def audit(
  cohorts: Sequence[Cohort],
  learned: Sequence[Learned],
  folds: Sequence[FoldClusters],
) -> Audits:
  """Audits the T folds of one size.

  Args:
    cohorts: T, of the folds.
    learned: T, features of each.
    folds: T, with their clusters.

  Returns:
    The leaks and the shortcuts.
  """
  found = audits.find_leaks_of_folds(
    audits.FoldFeatures(cohort, fold.part.samples, said.x, said.row)
    for cohort, said, fold in zip(cohorts, learned, folds, strict=True)
  )
  return Audits(
    found.leaks,
    leaks_lib.count(found, cohorts[0]),
    _shortcuts(cohorts[0], folds[0]),
  )


def _shortcuts(
  cohort: Cohort, fold: FoldClusters
) -> tuple[records.Shortcut, ...]:
  samples = fold.part.samples
  if not cohort.classes:
    # Associations with the clusters need no class.
    nothing = np.zeros(len(samples.y), int)
    samples = dataclasses.replace(samples, y=nothing)
  entries = audits.find_shortcuts(cohort, samples, fold.clusters)
  return entries if cohort.classes else tuple(map(_without_class, entries))


def _without_class(entry: records.Shortcut) -> records.Shortcut:
  """The entry of a column where labels are numbers."""
  if entry.column == shortcuts_lib.ALL_COLUMNS:
    return dataclasses.replace(entry, auc_alone=_NO_CLASSES)
  if isinstance(entry.kind, Missing):
    return entry
  return dataclasses.replace(
    entry, with_class=_NO_CLASSES, p_value=_NO_CLASSES, auc_alone=_NO_CLASSES
  )

"""What else may explain a result: leaks between the parts, and shortcuts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from heterojax import cluster
from heterojax.datasets import leaks
from heterojax.datasets import sources
from heterojax.datasets.manifest import Cohort
from heterojax.studies import shortcuts
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import Outcome

# Each image has its own.
_DIGESTS = ('sha256', 'pixels_sha256')
_NOT_AUDITED = {'prediction': 'it is an answer to the same question'}


def find_leaks(cohorts: Sequence[Cohort], outcome: Outcome) -> list[leaks.Leak]:
  """What the held-out parts of every fold share with its training part."""
  found = []
  for cohort, fold in zip(cohorts, outcome.folds, strict=True):
    found += leaks.find(cohort, _nearest(cohort, fold, outcome.x))
  return found


def _nearest(
  cohort: Cohort, fold: Fold, x: np.ndarray
) -> dict[str, leaks.Nearest]:
  """For each held-out part the nearest original images of training."""
  samples = fold.samples
  row = dict(zip(samples.ids, samples.row, strict=True))
  digest = {c.id: sources.content(dict(c.columns)) for c in cohort.included}
  number = {d: n for n, d in enumerate(dict.fromkeys(digest.values()))}
  content = np.full(len(x), -1)
  for i, d in digest.items():
    content[row[i]] = number[d]
  result = {}
  for split, held_out, training in leaks.sides(cohort):
    ids, others = [c.id for c in held_out], [c.id for c in training]
    nearest, distance = cluster.nearest_by_cosine(
      x,
      np.array([row[i] for i in ids]),
      np.array([row[i] for i in others]),
      content,
    )
    result[split] = leaks.Nearest(
      {i: others[n] for i, n in zip(ids, nearest, strict=True)},
      {i: float(d) for i, d in zip(ids, distance, strict=True)},
    )
  return result


def find_shortcuts(cohort: Cohort, fold: Fold) -> list[dict[str, Any]]:
  """Which columns of the manifest go with a class or a cluster.

  Args:
    cohort: of the fold.
    fold: the first, where there are several.

  Returns:
    See `shortcuts.audit`; over the distinct images of training, and all test
    images, as the scores of the heads are.
  """
  samples = fold.samples
  own = {c.id: dict(c.columns) for c in cohort.included}
  names = dict.fromkeys(name for columns in own.values() for name in columns)
  train, test = samples.of('train'), samples.of('test')
  train = train[samples.is_original[train]]
  _, first = np.unique(samples.row[train], return_index=True)
  chosen = [*train[np.sort(first)], *test]
  excluded = dict.fromkeys(cohort.label_columns, 'it tells the class itself')
  return shortcuts.audit(
    {
      name: [own[samples.ids[i]].get(name, '') for i in chosen]
      for name in names
      if name not in _DIGESTS
    },
    samples.y[chosen],
    fold.clusters.labels[chosen],
    samples.split[chosen] == 'train',
    excluded=_NOT_AUDITED | excluded,
  )

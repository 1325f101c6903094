"""What the answer needs to know of a sample-size study: its largest size."""

from collections.abc import Sequence

import numpy as np

from heterojax.stats import inference
from heterojax.stats import scores
from heterojax.stats.metrics import Classes
from heterojax.stats.scores import RegressionScore
from heterojax.stats.scores import Score
from heterojax.studies.answer import conditions
from heterojax.studies.answer import facts as facts_lib
from heterojax.studies.answer.facts import Facts
from heterojax.studies.answer.facts import PerClass
from heterojax.studies.sample_size import scoring
from heterojax.studies.sample_size.cluster_cv import FoldClusters
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.top_models import Learned
from heterojax.studies.samples import numbered


def facts(
  results: Results,
  learned: Sequence[Learned],
  folds: Sequence[FoldClusters],
) -> Facts:
  """The facts.

  A sample is in the cluster that most trainings give it. How a cluster's own
  head does there is not known, as the study has none.

  Args:
    results: of the study, whatever their verdict is.
    learned: T, predictions of the folds of the largest size.
    folds: T, with their clusters.

  Returns:
    The facts.
  """
  k, shared = results.cluster.k, 'What test and training share'
  noun = '1 − NRMSE' if results.task == 'regression' else results.metric
  of_clusters = f'The {noun} of each cluster over sample sizes'
  tested = [_of_part(fold, 'test') for fold in folds]
  trained = [_of_part(fold, 'train') for fold in folds]
  classes = results.classes
  names = classes.names
  return Facts(
    score=_score(classes, learned, folds),
    baseline=None if names else _baseline(learned, folds),
    classes=names,
    test_counts=_counts(tested, k, 1, names) if names else (),
    train_counts=_counts(trained, k, len(folds), names) if names else (),
    own=(),
    protocol=results.protocol,
    folds=results.split.folds,
    leaks=results.leaks or {},
    jaccard=facts_lib.mean_jaccard([fold.jaccard for fold in folds]),
    shortcuts=results.shortcuts or (),
    unit=results.unit,
    headings={
      conditions.SKILL: of_clusters,
      conditions.NUMBERS: of_clusters,
      conditions.STABILITY: 'How stable the clusters are',
      conditions.PATIENTS: shared,
      conditions.COPIES: shared,
      conditions.COLUMNS: 'Shortcuts',
    },
    further=facts_lib.further(
      results.backbone,
      optimum=results.heads is not None,
      numbers=not names,
      predictions=results.predictions_given,
    ),
  )


def _of_part(fold: FoldClusters, name: str) -> tuple[np.ndarray, np.ndarray]:
  """y and clusters of a part."""
  at = fold.part.samples.of(name)
  return fold.part.samples.y[at], fold.clusters[at]


def _counts(
  parts: Sequence[tuple[np.ndarray, np.ndarray]],
  k: int,
  over: int,
  classes: Sequence[str],
) -> tuple[PerClass, ...]:
  """K numbers of each class, over all parts together divided by a number."""
  y = np.concatenate([own for own, _ in parts])
  labels = np.concatenate([own for _, own in parts])
  return tuple(
    tuple(
      float(np.sum((y == code) & (labels == c)) / over)
      for code in reversed(range(len(classes)))
    )
    for c in range(k)
  )


def _score(
  classes: Classes, learned: Sequence[Learned], folds: Sequence[FoldClusters]
) -> Score | RegressionScore:
  """How the heads do on the test samples of all folds together."""
  at = [fold.part.samples.of('test') for fold in folds]
  y = np.concatenate([
    fold.part.samples.y[i] for fold, i in zip(folds, at, strict=True)
  ])
  predicted, ranks = (
    np.concatenate([
      getattr(said, name)[i] for said, i in zip(learned, at, strict=True)
    ])
    for name in ('predicted', 'ranks')
  )
  return scoring.every_metric(y, predicted, ranks, classes, _units(folds))


def _units(folds: Sequence[FoldClusters]) -> np.ndarray:
  """Patients of the test samples of all folds together."""
  return numbered([
    name
    for fold in folds
    for name in fold.part.samples.unit_names(fold.part.samples.of('test'))
  ])


def _baseline(
  learned: Sequence[Learned], folds: Sequence[FoldClusters]
) -> facts_lib.Baseline | None:
  """Always answering the mean of a fold's training targets."""
  of_folds = []
  for said, fold in zip(learned, folds, strict=True):
    samples = fold.part.samples
    test, train = samples.of('test'), samples.of('train')
    mean = np.full(len(test), samples.y[train].mean())
    of_folds.append([samples.y[test], said.predicted[test], mean])
  y, predicted, means = np.concatenate(of_folds, axis=1)
  value = scores.regression_score(y, means).value('one_minus_nrmse')
  if value is None:
    return None
  squares = (y - means) ** 2
  low, high = inference.ratio(
    squares - (y - predicted) ** 2, squares, _units(folds)
  )
  # No model spares more than all.
  return facts_lib.Baseline(value, (low, min(high, 1.0)))

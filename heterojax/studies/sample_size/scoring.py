"""The metric of a sample-size study, as a mean over the test images.

Accuracy, or 1 - NRMSE (Mendez 2019, sections 2.1 and 2.2).

Axes: M test images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heterojax.stats import metrics
from heterojax.stats import scores as scores_lib
from heterojax.stats.metrics import Classes
from heterojax.stats.scores import RegressionScore
from heterojax.stats.scores import Score
from heterojax.studies.sample_size.top_models import Learned
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

METRIC = {'classification': 'accuracy', 'regression': 'one_minus_nrmse'}


class Scored(NamedTuple):
  """The test images of one part under the study's metric.

  Attributes:
    terms: of the metric, over the M test images; the range of the target is
      that of the fold's test images, so that the clusters of a fold are on one
      scale [our choice].
    metric: over all test images.
    baseline: of always answering the majority class, or the mean, of training.
    scores: every metric of the task.
  """

  terms: metrics.Terms
  metric: float | None
  baseline: float | None
  scores: Score | RegressionScore


def answers(predicted: np.ndarray, classes: Sequence[str]) -> np.ndarray:
  """Codes of classes, of two at threshold 0.5; values of a target as they are.

  Args:
    predicted: see `Learned`.
    classes: C; () where labels are numbers.
  """
  return metrics.likeliest(predicted, len(classes)) if classes else predicted


def every_metric(
  y: np.ndarray,
  predicted: np.ndarray,
  ranks: np.ndarray,
  classes: Classes,
  units: np.ndarray,
) -> Score | RegressionScore:
  """Every metric of the task.

  Args:
    y: `[M]` codes of the classes, or targets.
    predicted: see `Learned`, and so is `ranks`.
    ranks: of the same images.
    classes: of the study.
    units: `[M]`, equal for images of one patient.
  """
  if not classes.names:
    return scores_lib.regression_score(y, predicted)
  if len(classes.names) == 2:  # Given probabilities have no logits.
    return scores_lib.score(y, predicted, ranks, units)
  return scores_lib.score_of(y, ranks, classes, units)


def score(settings: Settings, samples: Samples, learned: Learned) -> Scored:
  """The metric of the test images of one part."""
  task = settings.data.task
  train, test = samples.of('train'), samples.of('test')
  y, predicted = samples.y[test], learned.predicted[test]
  classes = Classes(samples.classes, settings.data.ordered)
  scores = every_metric(
    y, predicted, learned.ranks[test], classes, samples.units(test)
  )
  return Scored(
    metrics.terms(METRIC[task], y, answers(predicted, samples.classes)),
    scores.value(METRIC[task]),
    metrics.baseline(samples.y[train], y, task),
    scores,
  )

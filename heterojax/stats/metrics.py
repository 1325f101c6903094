"""Scores of a binary classifier at threshold 0.5 and of a regression.

Of two classes the positive one is the disease.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import numpy as np
from scipy import special
from scipy import stats

from heterojax.stats import inference as statistics

METRICS = ('accuracy', 'auc', 'sensitivity', 'specificity')
COUNTS = ('n', 'tp', 'fp', 'tn', 'fn')
# 1 minus the root mean squared error over the range, the mean and the standard
# deviation of the targets; the first is the metric of the studies.
NORMALISED = (
  'one_minus_nrmse',
  'one_minus_nrmse_mean',
  'one_minus_nrmse_std',
)
ERRORS = ('rmse', 'mean_absolute_error')
# Metrics that are a function of the mean of one value per image.
OF_MEANS = ('accuracy', 'one_minus_nrmse', 'mean_absolute_error')

Transform = Callable[[Any], Any]


class Terms(NamedTuple):
  """What each image adds to a metric.

  Attributes:
    values: `[N]` float64.
    transform: from means of values to the metric, of NumPy and JAX arrays.
  """

  values: np.ndarray
  transform: Transform


def probability(logits: np.ndarray) -> np.ndarray:
  """Sigmoid in float64, which float32 would round to 1 above a logit of 17."""
  return special.expit(np.asarray(logits, np.float64))


def auc(y: np.ndarray, values: np.ndarray) -> float:
  """Area under the ROC curve as a Mann-Whitney U with midranks for ties.

  Args:
    y: `[N]` of 0 and 1, both present.
    values: `[N]`, larger for the positive class.

  Returns:
    The area, as `sklearn.metrics.roc_auc_score`.
  """
  y = np.asarray(y, bool)
  ranks = stats.rankdata(values)
  positives, negatives = int(y.sum()), int((~y).sum())
  u = ranks[y].sum() - positives * (positives + 1) / 2
  return float(u / (positives * negatives))


def score(
  y: np.ndarray,
  probabilities: np.ndarray,
  ranks: np.ndarray | None = None,
) -> dict[str, Any]:
  """The contract's SCORE.

  Args:
    y: `[N]` of 0 and 1.
    probabilities: `[N]` of the positive class.
    ranks: `[N]`, what the AUC compares, if not the probabilities: those of
      logits above 37 are all 1.

  Returns:
    Counts and metrics as fractions; what cannot be estimated is None, with a
    sibling `<name>_why`. `intervals` holds each metric's 95 % interval as
    `[low, high]`, None where the metric is: Wilson's of the proportions and
    DeLong's of the AUC (`statistics`). They take images for independent; where
    one patient has several, they are too narrow.
  """
  y = np.asarray(y, bool)
  ranks = probabilities if ranks is None else ranks
  predicted = np.asarray(probabilities) > 0.5
  tp, fp = int(np.sum(predicted & y)), int(np.sum(predicted & ~y))
  fn, tn = int(np.sum(~predicted & y)), int(np.sum(~predicted & ~y))
  result: dict[str, Any] = dict(
    zip(COUNTS, (len(y), tp, fp, tn, fn), strict=True)
  )
  estimates = {
    'accuracy': (len(y), lambda: _proportion(tp + tn, len(y))),
    'auc': (
      (tp + fn) * (tn + fp),
      lambda: (auc(y, ranks), statistics.delong(y, ranks)),
    ),
    'sensitivity': (tp + fn, lambda: _proportion(tp, tp + fn)),
    'specificity': (tn + fp, lambda: _proportion(tn, tn + fp)),
  }
  intervals: dict[str, list[float] | None] = {}
  for name, (possible, estimate) in estimates.items():
    if possible:
      result[name], interval = estimate()
      intervals[name] = list(interval)
    else:
      result[name] = intervals[name] = None
      result[f'{name}_why'] = _why(len(y), tp + fn)
  return {**result, 'intervals': intervals}


def mean_score(scores: list[dict[str, Any]]) -> dict[str, Any]:
  """Mean of every count and metric over runs on the same images."""
  result: dict[str, Any] = {}
  for name in COUNTS + METRICS:
    values = [s[name] for s in scores]
    if any(value is None for value in values):
      result[name] = None
      result[f'{name}_why'] = scores[0][f'{name}_why']
    else:
      result[name] = float(np.mean(values))
  result['n'] = scores[0]['n']
  return result


def regression_score(y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
  """Scores of a regression, in the manner of `score`.

  Args:
    y: `[N]` targets.
    predicted: `[N]`, in the same unit.

  Returns:
    `n`; the metrics of NORMALISED, with the range max - min, the mean and the
    population standard deviation of `y` [our choice; the paper names none];
    those of ERRORS, in the unit of `y`. What cannot be estimated is None, with
    a sibling `<name>_why`. The third of NORMALISED is 1 - sqrt(1 - R^2), with R
    as `sklearn.metrics.r2_score`.
  """
  y = np.asarray(y, np.float64)
  error = np.asarray(predicted, np.float64) - y
  result: dict[str, Any] = {'n': len(y)}
  if not len(y):
    for name in NORMALISED + ERRORS:
      result |= {name: None, f'{name}_why': _why(0, 0)}
    return result
  rmse = float(np.sqrt(np.mean(error**2)))
  # The standard deviation of equal numbers may not be 0 to the last bit.
  constant = np.ptp(y) == 0
  scales = (np.ptp(y), np.mean(y), 0.0 if constant else np.std(y))
  for name, scale in zip(NORMALISED, scales, strict=True):
    if scale > 0:
      result[name] = float(1 - rmse / scale)
      continue
    result[name] = None
    result[f'{name}_why'] = (
      'the mean of the targets is not above 0'
      if name == 'one_minus_nrmse_mean'
      else f'all {len(y)} targets are the same'
    )
  absolute = float(np.mean(np.abs(error)))
  return result | dict(zip(ERRORS, (rmse, absolute), strict=True))


def baseline(
  y_train: np.ndarray, y_test: np.ndarray, task: str
) -> float | None:
  """Metric of the answer that looks at no image.

  Args:
    y_train: `[N]` classes or targets.
    y_test: `[M]`.
    task: 'classification': always the most frequent class of training, of
      equally frequent ones the smallest; 'regression': always their mean.

  Returns:
    The accuracy, or `one_minus_nrmse` by the range of `y_test`; None where it
    cannot be estimated.
  """
  y_train, y_test = np.asarray(y_train), np.asarray(y_test)
  if not len(y_train) or not len(y_test):
    return None
  if task == 'regression':
    answer = np.full(len(y_test), np.mean(y_train))
    return regression_score(y_test, answer)['one_minus_nrmse']
  classes, counts = np.unique(y_train, return_counts=True)
  return float(np.mean(y_test == classes[np.argmax(counts)]))


def terms(metric: str, y: np.ndarray, predicted: np.ndarray) -> Terms:
  """A metric as a function of the mean of one value per image.

  Args:
    metric: one of OF_MEANS. The errors of `one_minus_nrmse` are divided by the
      range of `y`, so that parts of these images are on one scale with all of
      them [our choice].
    y: `[N]` classes or targets.
    predicted: `[N]` classes or targets.

  Returns:
    The terms; those of `one_minus_nrmse` lead to NaN where `y` is constant.

  Raises:
    ValueError: if the metric is another one.
  """
  if metric not in OF_MEANS:
    raise ValueError(f'metric is {metric!r}, but must be one of {OF_MEANS}')
  if metric == 'accuracy':
    correct = np.asarray(y) == np.asarray(predicted)
    return Terms(correct.astype(np.float64), _SAME)
  error = np.asarray(predicted, np.float64) - np.asarray(y, np.float64)
  if metric == 'mean_absolute_error':
    return Terms(np.abs(error), _SAME)
  scale = float(np.ptp(y)) if len(error) else 0.0
  # Of a compiled program the scale is then an argument and not a part.
  return Terms(
    error**2, jax.tree_util.Partial(_one_minus_root, scale or np.nan)
  )


def _same(mean: Any) -> Any:
  return mean


def _one_minus_root(scale: float, mean: Any) -> Any:
  return 1 - mean**0.5 / scale


_SAME = jax.tree_util.Partial(_same)


def _proportion(
  successes: int, number: int
) -> tuple[float, tuple[float, float]]:
  return successes / number, statistics.wilson(successes, number)


def _why(number: int, positives: int) -> str:
  if not number:
    return 'no images'
  kind = 'negative' if positives == 0 else 'positive'
  return f'all {number} images are {kind}'

"""Scores of a binary classifier at threshold 0.5; positive is the disease."""

from typing import Any

import numpy as np
from scipy import special
from scipy import stats

from heterojax import statistics

METRICS = ('accuracy', 'auc', 'sensitivity', 'specificity')
COUNTS = ('n', 'tp', 'fp', 'tn', 'fn')


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


def score(y: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
  """The contract's SCORE.

  Args:
    y: `[N]` of 0 and 1.
    probabilities: `[N]` of the positive class.

  Returns:
    Counts and metrics as fractions; what cannot be estimated is None, with a
    sibling `<name>_why`. `intervals` holds each metric's 95 % interval as
    `[low, high]`, None where the metric is: Wilson's of the proportions and
    DeLong's of the AUC (`statistics`). They take images for independent; where
    one patient has several, they are too narrow.
  """
  y = np.asarray(y, bool)
  predicted = np.asarray(probabilities) > 0.5
  tp, fp = int(np.sum(predicted & y)), int(np.sum(predicted & ~y))
  fn, tn = int(np.sum(~predicted & y)), int(np.sum(~predicted & ~y))
  result: dict[str, Any] = dict(zip(COUNTS, (len(y), tp, fp, tn, fn)))
  estimates = {
      'accuracy': (len(y), lambda: _proportion(tp + tn, len(y))),
      'auc': (
          (tp + fn) * (tn + fp),
          lambda: (auc(y, probabilities), statistics.delong(y, probabilities)),
      ),
      'sensitivity': (tp + fn, lambda: _proportion(tp, tp + fn)),
      'specificity': (tn + fp, lambda: _proportion(tn, tn + fp)),
  }
  intervals: dict[str, list[float] | None] = {}
  for name, (possible, estimate) in estimates.items():
    result[name], interval = estimate() if possible else (None, None)
    intervals[name] = list(interval) if possible else None
    if not possible:
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


def _proportion(
    successes: int, number: int
) -> tuple[float, tuple[float, float]]:
  return successes / number, statistics.wilson(successes, number)


def _why(number: int, positives: int) -> str:
  if not number:
    return 'no images'
  kind = 'negative' if positives == 0 else 'positive'
  return f'all {number} images are {kind}'

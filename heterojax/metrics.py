"""Scores of a binary classifier at threshold 0.5; positive is the disease."""

from typing import Any

import numpy as np
from scipy import special
from scipy import stats

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
    sibling `<name>_why`.
  """
  y = np.asarray(y, bool)
  predicted = np.asarray(probabilities) > 0.5
  tp, fp = int(np.sum(predicted & y)), int(np.sum(predicted & ~y))
  fn, tn = int(np.sum(~predicted & y)), int(np.sum(~predicted & ~y))
  result: dict[str, Any] = dict(zip(COUNTS, (len(y), tp, fp, tn, fn)))
  estimates = {
      'accuracy': (len(y), lambda: (tp + tn) / len(y)),
      'auc': ((tp + fn) * (tn + fp), lambda: auc(y, probabilities)),
      'sensitivity': (tp + fn, lambda: tp / (tp + fn)),
      'specificity': (tn + fp, lambda: tn / (tn + fp)),
  }
  for name, (possible, estimate) in estimates.items():
    result[name] = estimate() if possible else None
    if not possible:
      result[f'{name}_why'] = _why(len(y), tp + fn)
  return result


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


def _why(number: int, positives: int) -> str:
  if not number:
    return 'no images'
  kind = 'negative' if positives == 0 else 'positive'
  return f'all {number} images are {kind}'

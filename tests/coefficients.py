"""Coefficients of variation over clusters: by a plain loop, and as they are."""

import numpy as np

from heterojax.stats import heterogeneity
from heterojax.stats import metrics


def by_loop(values, labels, k, transform) -> float:
  """Mean over clusterings of sd / mean of the metrics, in plain Python."""
  cvs = []
  for row in labels:
    of_clusters = [
      transform(np.mean(values[row == c])) for c in range(k) if c in row
    ]
    if len(of_clusters) > 1 and np.mean(of_clusters) > 0:
      cvs.append(np.std(of_clusters) / np.mean(of_clusters))
  return float(np.mean(cvs)) if cvs else float('nan')


def of(terms: metrics.Terms, labels: np.ndarray, k: int) -> float:
  means, _ = heterogeneity.cluster_means(terms.values, labels, k)
  return heterogeneity.mean_cv(
    heterogeneity.coefficient_of_variation(terms.transform(means))
  )

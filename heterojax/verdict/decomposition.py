"""Why a cluster's head does worse than the head of all images, in four terms.

  overall - own = size + class mix + reach + other rule

  size        the head of all images, less heads of as many random images
  class mix   these, less heads of as many random images of each class
  reach       these, less the cluster's own head, where one rule holds for all
              (`one_rule`): what comes of covering a part of the data only
  other rule  what is left, beyond what one rule gives

Each is a mean over heads that are trained for the tests anyway. DISDE (Cai,
Namkoong and Yadlowsky 2023) splits a drop of performance into a shift of the
images and one of their labels in the same way.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

TERMS = ('size', 'class_mix', 'reach', 'other_rule')
_CONFIDENCE = 0.95


class Decomposition(NamedTuple):
  """The terms of each cluster, in the order of `TERMS`.

  Attributes:
    gap: `[K]` accuracy of the head of all images less that of the cluster's.
    terms: `[K, 4]`, whose sum is the gap.
    interval: `[K, 4, 2]`, Student's 95 % over units (patients where they are
      known), given the heads.
  """

  gap: np.ndarray
  terms: np.ndarray
  interval: np.ndarray


def decomposition(
  overall: np.ndarray,
  own: np.ndarray,
  any_class: np.ndarray,
  same_class: np.ndarray,
  reach: np.ndarray,
  units: np.ndarray,
) -> Decomposition:
  """Splits the gap of each cluster.

  Args:
    overall: `[N]` 1 where the head of all images is right, of tested images.
    own: `[K, N]` the same of each cluster's head.
    any_class: `[K, N]` mean over heads of random images of any class.
    same_class: `[K, N]` mean over heads of the cluster's class counts.
    reach: `[K, N]` see `one_rule.Worlds`.
    units: `[N]` int.

  Returns:
    The terms; NaN for a cluster without a head.
  """
  overall = np.broadcast_to(np.asarray(overall, np.float64), own.shape)
  own, any_class, same_class = (
    np.asarray(a, np.float64) for a in (own, any_class, same_class)
  )
  terms = np.stack(
    [
      overall - any_class,
      any_class - same_class,
      reach,
      same_class - own - reach,
    ],
    axis=1,
  )
  mean, half = _interval(terms, units)
  interval = np.stack([mean - half, mean + half], axis=-1)
  return Decomposition((overall - own).mean(axis=1), mean, interval)


def _interval(
  values: np.ndarray, units: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Means of `[..., N]`, and how far their interval reaches, over units."""
  _, unit = np.unique(units, return_inverse=True)
  number, n = int(unit.max()) + 1, len(unit)
  mean = values.mean(axis=-1)
  sums = np.zeros((*values.shape[:-1], number))
  np.add.at(
    np.moveaxis(sums, -1, 0),
    unit,
    np.moveaxis(values - mean[..., np.newaxis], -1, 0),
  )
  if number < 2:
    return mean, np.full_like(mean, np.inf)
  variance = np.sum(sums**2, axis=-1) / n**2 * number / (number - 1)
  t = stats.t.ppf((1 + _CONFIDENCE) / 2, number - 1)
  return mean, t * np.sqrt(variance)

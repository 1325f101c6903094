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

from heterojax.stats import inference

TERMS = ('size', 'class_mix', 'reach', 'other_rule')


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
  mean, half = inference.over_units(terms, units)
  interval = np.stack([mean - half, mean + half], axis=-1)
  return Decomposition((overall - own).mean(axis=1), mean, interval)

"""What the tests would have found with probability 0.8, had it been there."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import jax
import numpy as np
from scipy import optimize
from scipy import special
from scipy import stats

from heterojax import rng
from heterojax.verdict import alike as alike_lib
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import gains
from heterojax.verdict import one_rule
from heterojax.verdict import ranks
from heterojax.verdict import rule as rules
from heterojax.verdict.folds import Fold

POWER, LEVEL = 0.8, 0.05
# Shares of a cluster's images in which the rule is reversed, the most first:
# reversed in half of them it is no rule at all.
SHARES = (1.0, 0.875, 0.75, 0.625)
WORLDS = 40


def reversed_share(
  folds: Sequence[Fold],
  found: one_rule.OneRule,
  k: int,
  key: jax.Array,
  worlds: int = WORLDS,
  level: float = LEVEL,
) -> tuple[np.ndarray, np.ndarray]:
  """The smallest share of a cluster whose reversed rule would be found.

  In worlds of the one rule it is reversed about the mean log odds of the
  cluster, for a random share of its images; the head of all images and the
  cluster's own are refitted, and the total gain compared with that of the
  worlds of the test.

  Args:
    folds: T.
    found: the test, with its worlds.
    k: K.
    key: of the labels.
    worlds: for each cluster and share.
    level: the largest p-value that counts as found.

  Returns:
    `[K]` of `SHARES`; NaN where not even the whole cluster would be found.
    `[K]` the power for the whole cluster; 0 where its gain is not estimable,
    NaN where so few worlds allow no p of that level.
  """
  assert found.rule is not None and found.worlds is not None
  null = found.worlds.gain[1:]
  at = np.concatenate([fold.labels[fold.test] for fold in folds])
  size = np.bincount(at, minlength=k) / len(at)
  null = np.nan_to_num(null) * size
  # p is at most the level beyond the value at this place.
  most = int(level * (1 + len(null)) + ranks.TIE)
  least, power = np.full(k, np.nan), np.zeros(k)
  if not most:
    return least, least
  critical = np.sort(ranks.total(null))[-most]
  for c in range(k):
    if np.isnan(found.gain[c]):
      continue
    others = np.delete(null, c, axis=1)
    others = np.resize(ranks.total(others), worlds) if k > 1 else 0
    for number, share in enumerate(SHARES):
      # Other names of the clusters must give the same bits.
      stream = rng.from_key(key, _name(folds, c), number)
      gain = _gains(folds, found.rule, c, share, worlds, stream)
      total = np.nan_to_num(gain) * size[c] + others
      shown = np.mean(total > critical + ranks.TIE)
      if number == 0:
        power[c] = shown
      if shown < POWER:
        break
      least[c] = share
  return least, power


def heads(k: int) -> int:
  """How many heads of a fold are fitted at most."""
  return 2 * k * len(SHARES) * WORLDS


def _name(folds: Sequence[Fold], c: int) -> int:
  """The first image of a cluster."""
  first = np.flatnonzero(folds[0].labels == c)
  return int(first[0]) if len(first) else -1


def _gains(
  folds: Sequence[Fold],
  rule: rules.Rule,
  c: int,
  share: float,
  worlds: int,
  stream: np.random.Generator,
) -> np.ndarray:
  """`[W]` gains of a cluster in which the rule is reversed."""
  n, classes = len(rule.p), folds[0].classes
  p = np.nan_to_num(rule.p, nan=1 / classes)
  inside = np.zeros(n, bool)
  for fold in folds:  # As where an image is tested, or else trained on.
    inside[fold.train] = fold.labels[fold.train] == c
  for fold in folds:
    inside[fold.test] = fold.labels[fold.test] == c
  turned = _turned(p, inside)
  chance = stream.random((worlds, int(rule.tied.max()) + 1))[:, rule.tied]
  turns = inside & (stream.random((worlds, n)) < share)
  shape = turns.shape + p.shape[1:]
  of_turns = turns.reshape(*turns.shape, *(1,) * (p.ndim - 1))
  y = rules.labels_of(chance, np.where(of_turns, turned, p), classes)
  overall = np.zeros((len(folds), *shape))
  own = np.zeros_like(overall)
  for number, fold in enumerate(folds):
    rows = [fold.train, fold.train[fold.labels[fold.train] == c]]
    logits = folds_lib.fitted(fold, y, [rows] * worlds)
    overall[number], own[number] = logits[:, 0], logits[:, 1]
  only = [f._replace(labels=np.where(f.labels == c, 0, 1)) for f in folds]
  return gains.blended(overall, own, y, only, 2)[:, 0]


def _turned(p: np.ndarray, inside: np.ndarray) -> np.ndarray:
  """Probabilities of the rule reversed about the mean of its log odds."""
  p = np.clip(p, 1e-12, 1 - 1e-12)
  if p.ndim == 1:
    log_odds = special.logit(p)
    return special.expit(2 * log_odds[inside].mean() - log_odds)
  logs = np.log(p)
  return special.softmax(2 * logs[inside].mean(axis=0) - logs, axis=1)


def accuracy_points(
  wrong: np.ndarray,
  strata: np.ndarray,
  labels: np.ndarray,
  k: int,
  level: float = LEVEL,
  groups: np.ndarray | None = None,
) -> np.ndarray:
  """By how much a cluster's accuracy would have to be lower to be found.

  The power of Q (`uneven`) where sums of clusters are normal. Images vary as
  their stratum does, those of the cluster as one that is wrong so much more
  often, which also raises what Q reaches by chance; those of one patient vary
  together as far as they do in the data, whose draws are taken apart as far
  (`alike`). Only images that change places with those of other clusters say
  anything of a cluster.

  Args:
    wrong: `[N]` of 0 and 1, where the model is wrong.
    strata: `[N]` int from 0, class and fold.
    labels: `[N]` int.
    k: K.
    level: the largest p-value that counts as found.
    groups: `[N]` patients; None: each image is a unit by itself.

  Returns:
    `[K]` shares of 1; NaN for a cluster that is empty or alone in its strata,
    and where no errors or no right answers show how much they vary.
  """
  cell = alike_lib.in_order(strata * k + labels)[1]
  alike = alike_lib.alike(wrong, cell, labels, k, groups)
  _, apart = alike_lib.beyond_exchange(wrong, strata, labels, k, groups)
  of_strata = np.bincount(strata, wrong) / np.maximum(np.bincount(strata), 1)
  block = np.empty_like(strata)
  for number, units in enumerate(exchanges.exchange(strata, groups).blocks):
    block[units.images] = number
  # Images of a stratum change places with those of patients like theirs.
  _, first, part, sizes = np.unique(
    exchanges.strata(strata, block),
    return_index=True,
    return_inverse=True,
    return_counts=True,
  )
  rates = of_strata[strata[first]]
  table = np.bincount(part * k + labels, minlength=len(sizes) * k)
  table = table.reshape(-1, k).astype(float)
  # From sums of clusters to what they are above the expected ones: [S, K, K].
  share = table / sizes[:, np.newaxis]
  above = np.eye(k) - share[..., np.newaxis]
  above /= np.sqrt(np.maximum(table.sum(axis=0), 1))[:, np.newaxis]
  together = alike.covariance(part * k + labels, len(sizes) * k)

  def covariance(rate: np.ndarray) -> np.ndarray:
    by = (above * np.sqrt(rate * (1 - rate))[:, np.newaxis]).swapaxes(0, 1)
    by = by.reshape(k, -1)
    return by @ (together @ by.T)

  points = np.full(k, np.nan)
  base = np.tile(rates[:, np.newaxis], k)
  varies = np.diag(covariance(base)) > 0
  for c in np.flatnonzero(varies).tolist():

    def more(d: float, c: int = c) -> np.ndarray:
      more = np.zeros_like(base)
      more[:, c] = np.minimum(d, 1 - rates)
      return more

    def lacks(d: float, more=more) -> float:
      rate = base + more(d)
      pooled = np.sum(share * rate, axis=1, keepdims=True)
      null = covariance(np.broadcast_to(pooled, rate.shape))
      critical = apart * _critical(null, level)
      shift = np.einsum('sij,sj->i', above, table * more(d))
      return _power(covariance(rate), shift, critical) - POWER

    if lacks(1) < 0:
      continue
    d = cast(float, optimize.brentq(lacks, 0, 1))
    # Other names of the clusters must give the same bits.
    points[c] = round(float(np.average(more(d)[:, c], weights=table[:, c])), 6)
  return points


class _Like(NamedTuple):
  """A noncentral chi-squared variable that a sum of squares is like.

  Attributes:
    df: degrees of freedom.
    noncentrality: of it.
    factor: by which the sum is larger.
    mean: of the sum.
  """

  df: float
  noncentrality: float
  factor: float
  mean: float


def _like(covariance: np.ndarray, shift: np.ndarray) -> _Like:
  """That of the squares of normal variables (Liu, Tang and Zhang 2009)."""
  power, several = np.eye(len(shift)), []
  for order in range(1, 5):
    noncentral = order * (shift @ power @ shift)
    power = power @ covariance
    several.append(float(np.trace(power) + noncentral))
  first, second, third, fourth = several
  skew, kurtosis = third / second**1.5, fourth / second**2
  a, noncentrality = 1 / skew, 0.0
  # Of equal variances both are the same, but for rounding.
  if skew**2 > kurtosis * (1 + 1e-9):
    a = 1 / (skew - np.sqrt(skew**2 - kurtosis))
    noncentrality = skew * a**3 - a**2
  df = a**2 - 2 * noncentrality
  return _Like(df, noncentrality, np.sqrt(second) / a, first)


def _critical(covariance: np.ndarray, level: float) -> float:
  """What Q reaches by chance with some probability; 0 without any."""
  if not np.trace(covariance) > 0:
    return 0.0
  null = _like(covariance, np.zeros(len(covariance)))
  at = stats.ncx2.isf(level, null.df, null.noncentrality)
  return float((at - null.df - null.noncentrality) * null.factor + null.mean)


def _power(covariance: np.ndarray, shift: np.ndarray, critical: float) -> float:
  """How often Q reaches it where sums are shifted."""
  like = _like(covariance, shift)
  at = (critical - like.mean) / like.factor + like.df + like.noncentrality
  return float(stats.ncx2.sf(at, like.df, like.noncentrality))

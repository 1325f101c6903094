"""Made-up measurements and facts, for tests of what is said of them."""

from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np

from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.stats import scores
from heterojax.stats.scores import Score
from heterojax.studies.answer.facts import Facts
from heterojax.studies.answer.records import Detectable
from heterojax.studies.answer.records import Gap
from heterojax.studies.answer.records import Measured
from heterojax.studies.answer.records import OfCluster
from heterojax.studies.answer.records import Question
from heterojax.studies.answer.records import Rule
from heterojax.studies.answer.records import Term
from heterojax.studies.answer.records import Tested

# Two classes that every cluster has enough of.
COUNTS = ((20, 20), (16, 16), (15, 17))


def scored(right: int, wrong: int, *, positives: float = 0.5) -> Score:
  """A head that is right for so many images, and ranks them as well as that."""
  n = right + wrong
  y = np.arange(n) < round(positives * n)
  stream = np.random.default_rng(n)
  miss = np.zeros(n, bool)
  miss[stream.permutation(n)[:wrong]] = True
  return scores.score(y, np.where(y ^ miss, 0.9, 0.1) + 0.05 * stream.random(n))


def ranking(n: int, positives: int, *, auc: float, answers: bool) -> Score:
  """A head that answers one class, or half right, but ranks like this AUC."""
  y = np.arange(n) < positives
  quantile = np.linspace(0.001, 0.999, n - positives)
  ranks = np.concatenate([np.full(positives, auc), quantile])
  return scores.score(y, np.full(n, 0.9 if answers else 0.1), ranks)


def clusters(
  effects: Sequence[float | Missing],
  p_values: Sequence[float | Missing],
  given: float | Missing | None,
) -> tuple[OfCluster, ...]:
  """K of them."""
  return tuple(
    OfCluster(
      effect,
      effect
      if isinstance(effect, Missing)
      else (round(effect - 0.05, 4), round(effect + 0.04, 4)),
      p,
      given,
    )
    for effect, p in zip(effects, p_values, strict=True)
  )


def question(
  p: float | Missing,
  effects: Sequence[float | Missing] = (0.01, 0.02, -0.01),
  p_values: Sequence[float | Missing] = (0.9, 0.8, 1.0),
  *,
  adjusted: float | Missing | None = None,
  given: float | Missing | None = None,
  draws: int = 199,
) -> Question:
  """A question with these numbers; adjusted as if it were the only one."""
  return Question(
    p_value=p,
    adjusted=p if adjusted is None else adjusted,
    given_one_rule=given,
    draws=draws,
    unit='image',
    stays=0,
    clusters=clusters(effects, p_values, given),
  )


def term(value: float) -> Term:
  return Term(value, (round(value - 0.04, 4), round(value + 0.04, 4)))


def gap(size: float, class_mix: float, reach: float, other: float) -> Gap:
  terms = map(term, (size, class_mix, reach, other))
  return Gap(round(size + class_mix + reach + other, 4), *terms)


def tested(*rarer: int) -> tuple[Tested, ...]:
  """Clusters with twice as many images as of their rarer class."""
  return tuple(Tested(2 * n, n) for n in rarer)


QUIET = Measured(
  uneven=question(0.4, given=0.5, draws=9999),
  teaches_less=question(0.3, given=0.6),
  one_rule=question(0.38),
  rule=Rule(0.01, 2.8, 0.94, 0.938),
  tested=tested(20, 16, 15),
  decomposition=(gap(0.0, 0.0, 0.0, 0.0),) * 3,
  detectable=(
    Detectable(0.14, 1.0, 0.9),
    Detectable(0.12, 0.75, 1.0),
    Detectable(0.2, Missing('no share would be found'), 0.4),
  ),
  columns=(),
)
FACTS = Facts(
  score=scored(95, 9),
  baseline=None,
  classes=('disease', 'normal'),
  test_counts=COUNTS,
  train_counts=((60, 50), (40, 60), (70, 30)),
  own=(scored(36, 4), scored(29, 3), scored(30, 2)),
  protocol='clean',
  folds=0,
  leaks={
    kind: Partly({'disease': 0, 'normal': 0})
    for kind in (
      'same_path',
      'identical_file',
      'identical_pixels',
      'near_duplicate',
      'shared_group',
    )
  },
  jaccard=(0.95, 0.9, 0.8),
  shortcuts=(),
  unit='image',
  headings={},
  further='Let the heads learn more.',
  tested=QUIET.tested,
)


def measured(**changes: Any) -> Measured:
  """Nothing was found, but for these questions."""
  return dataclasses.replace(QUIET, **changes)


def found_in_first(k: int) -> Measured:
  """K clusters, in the first of which another rule holds."""
  none = Missing('it has 2 test images of a class, and 3 are needed')
  effects = [0.12, *[0.01] * (k - 2), none]
  p_values = [0.005, *[0.8] * (k - 2), none]
  return measured(
    uneven=question(0.4, [0.02] * k, [0.9] * k, given=0.5, draws=9999),
    teaches_less=question(0.03, [0.1] * k, [0.04] * k, given=0.01),
    one_rule=question(0.005, effects, p_values, adjusted=0.015),
    tested=tested(*[20] * k),
    decomposition=tuple(
      gap(0.01, 0.05 * c, 0.03, 0.2 - 0.1 * c) for c in range(k)
    ),
    detectable=tuple(Detectable(0.14, 0.75, 0.9) for _ in range(k)),
  )


def facts(k: int) -> Facts:
  """Facts of K clusters."""
  return FACTS._replace(
    test_counts=((20, 20),) * k,
    train_counts=((60, 50),) * k,
    own=(None,) * k,
    jaccard=(0.9,) * k,
  )

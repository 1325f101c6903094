"""What was measured, as records: numbers, or why there are none."""

from collections.abc import Sequence

import numpy as np

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.studies.answer import records
from heterojax.verdict import detectable as detectables
from heterojax.verdict.decomposition import Decomposition
from heterojax.verdict.folds import Fold
from heterojax.verdict.one_rule import OneRule
from heterojax.verdict.records import Test

_FEW = 'a fold has too few images of the cluster, or of others beside it'
# As where its patients have no others like them to change places with.
_SAME = 'no draw changes what the cluster has'


def unmeasured(k: int, why: str) -> records.Measured:
  """Nothing, and why."""
  missing = Missing(why)
  of_cluster = records.OfCluster(missing, missing, missing, missing)
  term = records.Term(missing, missing)
  question = records.Question(
    missing, missing, missing, 0, 'image', 0, (of_cluster,) * k
  )
  alone = records.Question(
    missing,
    missing,
    None,
    0,
    'image',
    0,
    (records.OfCluster(missing, missing, missing, None),) * k,
  )
  return records.Measured(
    uneven=question,
    teaches_less=question,
    one_rule=alone,
    rule=records.Rule(missing, missing, missing, missing),
    tested=(records.Tested(missing, missing),) * k,
    decomposition=(records.Gap(missing, term, term, term, term),) * k,
    detectable=(records.Detectable(missing, missing, missing),) * k,
    columns=(),
  )


def question(
  test: Test, adjusted: float | None, beside: Test | str | None
) -> records.Question:
  """One question.

  Args:
    test: of it.
    adjusted: its p-value, for there being three questions.
    beside: the same statistic among those of worlds with one rule, or why there
      are none; None for the question that asks just that.

  Returns:
    It.
  """
  why = test.why or 'there is no p-value'
  several = tuple(
    records.OfCluster(
      effect=codec.estimate(effect, test.why or _FEW),
      interval=_interval(ends, test.why or _FEW),
      p_value=codec.estimate(
        p, test.why or (_SAME if np.isfinite(effect) else _FEW)
      ),
      given_one_rule=_given(beside, c),
    )
    for c, (effect, ends, p) in enumerate(
      zip(test.effect, test.interval, test.adjusted, strict=True)
    )
  )
  return records.Question(
    p_value=codec.estimate(test.p_value, why),
    adjusted=codec.estimate(adjusted, why),
    given_one_rule=_given(beside),
    draws=len(test.null),
    unit=test.unit,
    stays=test.stays,
    clusters=several,
  )


def _given(beside: Test | str | None, c: int | None = None) -> Estimate | None:
  """The p-value beside worlds, of a cluster or of all of them together."""
  if beside is None:
    return None
  if isinstance(beside, str):
    return Missing(beside)
  p = beside.p_value if c is None else beside.adjusted[c]
  return codec.estimate(p, beside.why or _FEW)


def _interval(ends: np.ndarray, why: str) -> Interval | Missing:
  if not np.all(np.isfinite(ends)):
    return Missing(why)
  return float(ends[0]), float(ends[1])


def rule(folds: Sequence[Fold], found: OneRule) -> records.Rule:
  """The one rule, and the penalty of its heads."""
  c = float(np.exp(np.mean([np.log(fold.c) for fold in folds])))
  if found.rule is None:
    missing = Missing(found.test.why)
    return records.Rule(c, missing, missing, missing)
  return records.Rule(
    c, found.rule.slope, found.rule.observed, found.rule.expected
  )


def gaps(split: Decomposition, found: OneRule) -> tuple[records.Gap, ...]:
  """The terms of each cluster's gap."""
  several = []
  for gap, terms, ends in zip(*split, strict=True):
    why = 'the cluster has no head'
    if np.isfinite(gap):
      why = found.test.why or 'there is one unit'
    several.append(
      records.Gap(
        codec.estimate(gap, why),
        *(
          records.Term(codec.estimate(value, why), _interval(pair, why))
          for value, pair in zip(terms, ends, strict=True)
        ),
      )
    )
  return tuple(several)


def detectable(
  points: np.ndarray, share: np.ndarray, power: np.ndarray, found: OneRule
) -> tuple[records.Detectable, ...]:
  """What would have been found in each cluster, `[K]` each.

  Args:
    points: of `detectable.accuracy_points`.
    share: of `detectable.reversed_share`, NaN without worlds.
    power: the same, and NaN where they are too few.
    found: the test of one rule.

  Returns:
    K.
  """
  why = found.test.why or (
    'not even a rule that is reversed in the whole cluster would be found with'
    f' probability {detectables.POWER}'
  )
  if found.worlds is not None and np.isnan(power).all():
    why = (
      f'{len(found.test.null)} worlds of one rule allow no p-value that is'
      ' small enough for all questions'
    )
  return tuple(
    records.Detectable(
      accuracy_points=codec.estimate(
        points[c],
        'too few images of the cluster can change places with others, or there'
        ' are no errors',
      ),
      reversed_share=codec.estimate(share[c], why),
      power_reversed=codec.estimate(power[c], why),
    )
    for c in range(len(points))
  )

"""Yes, no sign, too little data, or cannot be answered: from numbers to words.

The answer is that of one question, whether another rule holds in a cluster. The
other two tests reject where one rule holds for all (one cloud, cut into parts),
so they say where a model is worse, and never why.
"""

import dataclasses
from typing import NamedTuple

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.studies.answer import advice
from heterojax.studies.answer import measured as measured_lib
from heterojax.studies.answer import sentences
from heterojax.studies.answer import skill as skills
from heterojax.studies.answer import statements
from heterojax.studies.answer import unmeasured
from heterojax.studies.answer.conditions import ESTIMABLE
from heterojax.studies.answer.conditions import LEVEL
from heterojax.studies.answer.conditions import conditions
from heterojax.studies.answer.facts import Facts
from heterojax.studies.answer.records import CANNOT
from heterojax.studies.answer.records import NO_SIGN
from heterojax.studies.answer.records import TOO_LITTLE
from heterojax.studies.answer.records import YES
from heterojax.studies.answer.records import Measured
from heterojax.studies.answer.records import Verdict
from heterojax.verdict.detectable import POWER
from heterojax.verdict.rule import TOLERANCE


class Decision(NamedTuple):
  """The answer.

  Attributes:
    answer: of `records.ANSWERS`.
    clusters: that are named, where it is yes.
    sentence: with effect, p and n.
    because: of no skill, the published protocol, worlds that are no measure, a
      regression, and so on: what `advice` goes by; '' where there is an answer.
  """

  answer: str
  clusters: tuple[int, ...]
  sentence: str
  because: str = ''


def verdict(measured: Measured | Missing, facts: Facts) -> Verdict:
  """What a study says.

  Args:
    measured: the three questions, or why they were not asked.
    facts: the study beside them.

  Returns:
    The answer and what it rests on.
  """
  if isinstance(measured, Missing):
    measured = measured_lib.unmeasured(facts.k, measured.why)
  facts = facts._replace(tested=measured.tested)
  decision = decide(measured, facts)
  found = conditions(measured, facts)
  return Verdict(
    **{
      field.name: getattr(measured, field.name)
      for field in dataclasses.fields(Measured)
    },
    answer=decision.answer,
    clusters=decision.clusters,
    sentence=decision.sentence,
    statements=tuple(statements.statements(measured, facts)),
    conditions=found,
    next=tuple(
      advice.advice(
        decision.answer, decision.because, decision.clusters, found, facts
      )
    ),
  )


def decide(measured: Measured, facts: Facts) -> Decision:
  """The answer; the first that applies.

  Nothing can be asked of a head without skill, nor where p-values mean nothing.
  Then comes what was found, then whether anything could have been found. But
  rules that contradict each other leave a head of all images without skill: a
  cluster whose own head is shown to have some, and gains, goes before.
  """
  question = measured.one_rule
  skill = skills.skill(facts)
  p = codec.known(question.adjusted)
  if not skill.enough:
    text = sentences.no_skill(skill)
    if skill.none and p is not None and p <= LEVEL:
      found = _found(measured, facts)
      if found.clusters and all(map(facts.has_shown, found.clusters)):
        text = f'{found.sentence} {sentences.contradict(skill)}'
        return found._replace(sentence=text)
      text += f' {sentences.gains_all_the_same(measured)}'
    because = advice.RANKS if skill.ranks else advice.SKILL
    return Decision(CANNOT, (), text, because)
  if p is None:
    return _without_p_value(measured, facts)
  if p <= LEVEL:
    return _found(measured, facts)
  powers = [codec.known(d.power_reversed) for d in measured.detectable]
  known = [power for power in powers if power is not None]
  if not known:
    why = codec.why(measured.detectable[0].power_reversed)
    return Decision(CANNOT, (), sentences.cannot(why), advice.FEW_WORLDS)
  if max(known) < POWER:
    text = sentences.no_power(measured, powers)
    return Decision(TOO_LITTLE, (), text, advice.POWER)
  return Decision(NO_SIGN, (), sentences.no_sign(measured, facts))


def _without_p_value(measured: Measured, facts: Facts) -> Decision:
  why = codec.why(measured.one_rule.adjusted)
  if facts.protocol == 'published':
    text = sentences.published()
    return Decision(CANNOT, (), text, advice.PUBLISHED)
  if not facts.classes:
    text = sentences.cannot(unmeasured.REGRESSION)
    return Decision(CANNOT, (), text, advice.REGRESSION)
  if _worlds_differ(measured):
    return Decision(CANNOT, (), sentences.cannot(why), advice.WORLDS)
  if max(facts.ranked, default=ESTIMABLE) < ESTIMABLE:
    return Decision(TOO_LITTLE, (), sentences.too_few(facts), advice.FEW)
  return Decision(CANNOT, (), sentences.cannot(why), advice.OTHER)


def _worlds_differ(measured: Measured) -> bool:
  """Whether worlds of one rule are harder or easier than the data."""
  here = codec.known(measured.rule.accuracy)
  there = codec.known(measured.rule.accuracy_in_worlds)
  if here is None or there is None:
    return False
  return abs(here - there) > TOLERANCE


def _found(measured: Measured, facts: Facts) -> Decision:
  """One rule is not enough: for which clusters can that be said?"""
  clusters = measured.one_rule.clusters

  def counts(c: int) -> bool:
    p = codec.known(clusters[c].p_value)
    return p is not None and p <= LEVEL and facts.has_learned(c)

  if named := tuple(filter(counts, range(len(clusters)))):
    return Decision(YES, named, sentences.yes(measured, facts, named))
  effects = {
    c: effect
    for c, of in enumerate(clusters)
    if (effect := codec.known(of.effect)) is not None
  }
  largest = max(effects, key=lambda c: effects[c])
  if not facts.has_learned(largest):
    text = sentences.not_learned(measured, largest)
    return Decision(NO_SIGN, (), text, advice.UNLEARNED)
  text = sentences.yes_somewhere(measured, facts, largest)
  return Decision(YES, (), text)

"""The answer in one sentence or two, with effect, p and n."""

from collections.abc import Sequence

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import p_equals
from heterojax.report.formatting import percent
from heterojax.studies.answer import conditions
from heterojax.studies.answer.conditions import ESTIMABLE
from heterojax.studies.answer.conditions import LEVEL
from heterojax.studies.answer.conditions import MOST_NAMES
from heterojax.studies.answer.facts import Facts
from heterojax.studies.answer.records import Measured
from heterojax.studies.answer.records import Question
from heterojax.studies.answer.skill import Skill
from heterojax.verdict.detectable import POWER

_TIE = 1e-9


def p_of(question: Question, what: str = 'worlds') -> str:
  """The p-value of a question, and whether it could have been smaller."""
  p, adjusted = codec.known(question.p_value), codec.known(question.adjusted)
  if p is None or adjusted is None:
    return ''
  text = p_equals(p)
  if question.draws and p <= 1 / (1 + question.draws) + _TIE:
    text += f', the smallest that {question.draws:,} {what} can give'
  # Else it would contradict what is said of it.
  if p <= LEVEL < adjusted:
    text += f'; {p_equals(adjusted)} adjusted for all questions'
  return text


def named(clusters: Sequence[int]) -> str:
  """See `conditions.named`; within a sentence."""
  text = conditions.named(clusters)
  return text[:1].lower() + text[1:]


def yes(measured: Measured, facts: Facts, which: Sequence[int]) -> str:
  """Another rule, and in which clusters."""
  question = measured.one_rule
  text = f'Yes: in {named(which)} another rule holds.'
  first, *others = (question.clusters[c] for c in which)
  p = p_of(question)
  if not others:
    (c,) = which
    between = rest = ''
    if not isinstance(first.interval, Missing):
      low, high = first.interval
      between = f'{_auc(low)} to {_auc(high)}; '
      # P is of these images, and the interval of others as well.
      if low <= 0:
        rest = ' The interval holds 0: other images may show no gain.'
    return (
      f'{text} Its own head improves the ranking of its'
      f' {counted(facts.n(c), facts.unit)}, none of which it has seen, by'
      f' {_auc(codec.known(first.effect))} in {_scale(facts)} more than one'
      f' rule for all would ({between}{p}).{rest}'
    )
  shown = sorted(
    which, key=lambda c: -(codec.known(question.clusters[c].effect) or 0)
  )[:MOST_NAMES]
  gains = listed(
    f'{_auc(codec.known(question.clusters[c].effect))} (cluster {c}, n ='
    f' {facts.n(c):,})'
    for c in shown
  )
  return (
    f'{text} Their own heads improve the ranking of their own'
    f' {facts.unit}s, none of which they have seen, by {gains} in'
    f' {_scale(facts)} more than one rule for all would ({p}).'
  )


def _scale(facts: Facts) -> str:
  """What a gain is of: of more than two classes each against the rest."""
  return 'mean AUC' if len(facts.classes) > 2 else 'AUC'


def yes_somewhere(measured: Measured, facts: Facts, largest: int) -> str:
  """Another rule, but no cluster for which that can be said alone."""
  question = measured.one_rule
  effect = codec.known(question.clusters[largest].effect)
  return (
    f'Yes: another rule holds in some cluster ({p_of(question)}). No single one'
    ' could be named; the largest gain beyond that of one rule is'
    f' {_auc(effect)} in {_scale(facts)}, in cluster {largest} (n ='
    f' {facts.n(largest):,}).'
  )


def not_learned(measured: Measured, largest: int) -> str:
  """A head that does not know its own cluster is no evidence."""
  return (
    'No sign of another rule that could be trusted. One rule for all seldom'
    f' gives as much ({p_of(measured.one_rule)}), but the gain is that of'
    f' cluster {largest}, whose own head is not shown to have learned its'
    ' own cluster: this is no evidence.'
  )


def no_sign(measured: Measured, facts: Facts) -> str:
  """Nothing was found, and what would have been."""
  told = [
    c
    for c, found in enumerate(measured.detectable)
    if not isinstance(found.reversed_share, Missing)
  ]
  untold = [c for c in range(facts.k) if c not in told]
  where = ' in any cluster'
  if told and untold:
    where = f' in {named(told)}, and too little data in {named(untold)}'
  text = f'No sign of another rule{where} ({p_of(measured.one_rule)}).'
  return f'{text} {detectable(measured, facts)}'


def detectable(measured: Measured, facts: Facts) -> str:
  """Which reversal of the rule would have been found."""
  shares: dict[float, list[int]] = {}
  never, untold, unknown = [], [], ''
  for c, found in enumerate(measured.detectable):
    share, power = found.reversed_share, codec.known(found.power_reversed)
    if not isinstance(share, Missing):
      shares.setdefault(float(share), []).append(c)
    elif isinstance(measured.one_rule.clusters[c].effect, Missing):
      untold.append(c)
      unknown = unknown or share.why
    elif power is not None:
      never.append(c)
    else:
      unknown = unknown or share.why
  if not shares and not never:
    return f'What would have been found is not known: {unknown}.'
  one = facts.unit
  parts = [
    (
      f'all {one}s of {named(clusters)}'
      if share >= 1
      else f'{percent(share, 0)} of the {one}s of {named(clusters)}'
    )
    for share, clusters in sorted(shares.items())
  ]
  text = (
    f'A rule reversed for {" or for ".join(parts)} would have been found with'
    f' probability {POWER}'
  )
  if never:
    text += f'; in {named(never)} not even one reversed for all'
  if untold:
    text += f'; of {named(untold)} nothing can be told'
  return f'{text}.'


def no_power(measured: Measured, powers: Sequence[float | None]) -> str:
  """Not even a reversed rule would have been found."""
  best = max(range(len(powers)), key=lambda c: powers[c] or 0)
  return (
    f'Too little data: not even a rule reversed for all of a cluster would have'
    f' been found with probability {POWER} (at best with {powers[best]:.2f}, in'
    f' cluster {best}). Nothing was found ({p_of(measured.one_rule)}).'
  )


def too_few(facts: Facts) -> str:
  """No cluster has enough images of both classes."""
  of = 'a class and of the others' if len(facts.classes) > 2 else 'each class'
  return (
    f'Too little data: no cluster has {ESTIMABLE} {facts.unit}s of {of},'
    ' without which its own head cannot be compared with that of all'
    f' {facts.unit}s.'
  )


def no_skill(skill: Skill) -> str:
  """Nothing can be asked of the head of all images."""
  return f'Cannot be answered: {skill.why_not}. {skill.numbers}'


def contradict(skill: Skill) -> str:
  """Why another rule is seen where nothing else can be asked."""
  return (
    f'But {skill.why_not}: rules that contradict each other may leave none for'
    ' all.'
  )


def gains_all_the_same(measured: Measured) -> str:
  """What is seen there of own heads that are not shown to have learned."""
  return (
    'One rule for all seldom gives as large a gain of the clusters’ own heads'
    f' ({p_of(measured.one_rule)}), as where rules contradict each other, but'
    ' they are not shown to have learned their own clusters.'
  )


def published() -> str:
  """The published protocol has no p-values."""
  return (
    'Cannot be answered with protocol=published: training may hold copies of'
    ' what tests, and early stopping may look at it. No p-value holds there.'
    ' Use protocol=clean.'
  )


def cannot(why: str) -> str:
  """Any other reason."""
  return f'Cannot be answered: {why}.'


def _auc(value: float | None) -> str:
  return f'{value or 0:z.3f}'.replace('-', '−')

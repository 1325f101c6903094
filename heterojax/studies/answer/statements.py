"""What each question says, where a cluster falls short, and what is not known.

A test that rejects says where a model is worse. That one rule for all gives as
much is said where it was compared with such worlds, and nowhere else.
"""

from collections.abc import Iterator

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import p_equals
from heterojax.report.formatting import percent
from heterojax.studies.answer.columns import CONFOUNDED
from heterojax.studies.answer.conditions import ESTIMABLE
from heterojax.studies.answer.conditions import LEVEL
from heterojax.studies.answer.conditions import MOST_NAMES
from heterojax.studies.answer.conditions import fewest
from heterojax.studies.answer.conditions import rarer
from heterojax.studies.answer.facts import Facts
from heterojax.studies.answer.records import Gap
from heterojax.studies.answer.records import Measured
from heterojax.studies.answer.records import Question
from heterojax.studies.answer.records import Term
from heterojax.studies.answer.sentences import named
from heterojax.studies.answer.sentences import p_of

_POINTS = ' percentage points'
# The terms of a gap, and what each is called in a sentence.
TERMS = {
  'size': 'its size',
  'class_mix': 'its class mix',
  'reach': 'how little of the data it covers',
  'other_rule': 'what its size, its class mix and one rule do not give',
}


def statements(measured: Measured, facts: Facts) -> Iterator[str]:
  """Which groups there are, one for each question in their order, and others.

  Args:
    measured: the questions.
    facts: the study beside them.

  Yields:
    Sentences.
  """
  if facts.groups:
    yield facts.groups
  yield _uneven(measured, facts)
  yield _teaches_less(measured, facts)
  yield _one_rule(measured, facts.unit)
  yield from _gaps(measured, facts)
  yield from _columns(measured)
  yield from _not_estimable(measured, facts)


def _columns(measured: Measured) -> Iterator[str]:
  """Which columns could be read in the place of the class."""
  names = [c.column for c in measured.columns if c.word == CONFOUNDED]
  if not names:
    return
  shown = listed([
    *names[:MOST_NAMES],
    *(['others'] * (len(names) > MOST_NAMES)),
  ])
  says = 'says' if len(names) == 1 else 'say'
  them = 'it' if len(names) == 1 else 'them'
  yield (
    f'The features hold {shown}, which also {says} the class: a head could read'
    f' {them} in the place of the class.'
  )


def _uneven(measured: Measured, facts: Facts) -> str:
  question, tested = measured.uneven, facts.score.n
  if not facts.classes:
    return _uneven_errors(question, tested, facts.unit)
  what = (
    f'wrong more often in {{}} than the classes of its {facts.unit}s let expect'
  )
  if why := codec.why(question.adjusted):
    return (
      f'Whether the classifier is {what.format("a cluster")} is not known:'
      f' {why}.'
    )
  if (codec.known(question.adjusted) or 0) > LEVEL:
    text = (
      f'The classifier is not shown to be {what.format("any cluster")}'
      f' ({p_of(question, "draws")}, n = {tested:,}).'
    )
    return f'{text}{_points(measured)}'
  which = _significant(question)
  where = named(which) if which else 'some cluster, which cannot be named,'
  more = _effects(question, which, 'above that')
  return (
    f'The classifier is {what.format(where)} ({more}{p_of(question, "draws")},'
    f' n = {tested:,}).{_given(question, facts.unit)}'
  )


def _uneven_errors(question: Question, tested: float, unit: str) -> str:
  """Whether a regression errs more in a cluster; squared errors are asked."""
  if why := codec.why(question.adjusted):
    return f'Whether the model errs more in a cluster is not known: {why}.'
  p = f'{p_of(question, "draws")}, n = {tested:,}'
  if (codec.known(question.adjusted) or 0) > LEVEL:
    return f'The model is not shown to err more in any cluster ({p}).'
  which = _significant(question)
  where = named(which) if which else 'some cluster, which cannot be named,'
  return f'The model errs more in {where} ({p}).{_given(question, unit)}'


def _points(measured: Measured) -> str:
  """The smallest difference that would have been found, over the clusters."""
  known = {
    c: points
    for c, found in enumerate(measured.detectable)
    if (points := codec.known(found.accuracy_points)) is not None
  }
  if not known:
    return ''
  c = min(known, key=lambda c: known[c])
  return (
    f' An accuracy that is {_in_points(known[c])} lower in cluster {c} would'
    ' have been found with probability 0.8.'
  )


def _teaches_less(measured: Measured, facts: Facts) -> str:
  question, one = measured.teaches_less, facts.unit
  what = f'random sets of as many {one}s of each class'
  if why := codec.why(question.adjusted):
    return f'Whether a cluster teaches less than {what} is not known: {why}.'
  if (codec.known(question.adjusted) or 0) > LEVEL:
    p = p_of(question, 'draws')
    return f'No cluster is shown to teach less than {what} ({p}).'
  every = _significant(question)
  which = [c for c in every if facts.has_learned(c)]
  dumb = [c for c in every if not facts.has_learned(c)]
  text = ''
  if which or not every:
    who = named(which) if which else 'some cluster, which cannot be named,'
    more = _effects(question, which, 'below them')
    does = 'teach' if len(which) > 1 else 'teaches'
    text = (
      f'{who.capitalize()} alone {does} less than {what}'
      f' ({more}{p_of(question, "draws")}).{_given(question, facts.unit)}'
    )
  if dumb:
    does, heads, are, its, clusters = (
      ('do', 'heads', 'are', 'their', 'clusters')
      if len(dumb) > 1
      else ('does', 'head', 'is', 'its', 'cluster')
    )
    also = f' ({p_of(question, "draws")})'
    if text:
      text, also = f'{text} ', ', too'
    text += (
      f'The {heads} of {named(dumb)} {does} worse than those of {what}{also}.'
      f' This is no evidence: {"they" if len(dumb) > 1 else "it"} {are} not'
      f' shown to have learned {its} own {clusters}.'
    )
  return text


def _one_rule(measured: Measured, unit: str) -> str:
  question, rule = measured.one_rule, measured.rule
  if why := codec.why(question.adjusted):
    return f'Whether another rule holds in a cluster is not known: {why}.'
  here = codec.known(rule.accuracy)
  there = codec.known(rule.accuracy_in_worlds)
  matched = ''
  if here is not None and there is not None:
    matched = (
      f' Refitted heads are right for {percent(there)} of the {unit}s in these'
      f' worlds, and for {percent(here)} in the data.'
    )
  # The data are counted among the worlds in p.
  p = codec.known(question.p_value) or 0
  number = round(p * (1 + question.draws)) - 1
  gives = 'give' if number > 1 else 'gives'
  return (
    f'{number or "None"} of {counted(question.draws, "world")} with one rule'
    f' for all {gives} as large a gain of the clusters’ own heads'
    f' ({p_of(question)}).{matched}{_hint(question)}'
  )


def _hint(question: Question) -> str:
  """A hint: clusters whose own p-value is small, where that of all is not."""
  which = _significant(question)
  if not which or _is_small(question.adjusted):
    return ''
  p = max(codec.known(question.clusters[c].p_value) or 0 for c in which)
  most = 'at most ' if len(which) > 1 else ''
  have = 'have' if len(which) > 1 else 'has'
  return (
    f' {named(which).capitalize()} alone {have} a p-value of'
    f' {most}{p_equals(p).removeprefix("p = ")}: a hint and no finding, as the'
    ' clusters together have no significant one.'
  )


def _given(question: Question, unit: str) -> str:
  """What worlds with one rule say of a difference that was found."""
  given = question.given_one_rule
  if given is None:
    return ''
  if isinstance(given, Missing):
    return f' Whether one rule for all gives as much is not known: {given.why}.'
  if given > LEVEL:
    return f' One rule for all {unit}s may give as much ({p_equals(given)}).'
  return f' One rule for all {unit}s gives less ({p_equals(given)}).'


def _significant(question: Question) -> list[int]:
  """Clusters for which the difference can be said alone."""
  return [
    c
    for c, of in enumerate(question.clusters)
    if _is_small(of.p_value) and (codec.known(of.effect) or 0) > 0
  ]


def _is_small(p: Estimate) -> bool:
  return not isinstance(p, Missing) and p <= LEVEL


def _effects(question: Question, which: list[int], what: str) -> str:
  """'by 8 points', to stand before a p-value."""
  if not which or len(which) > MOST_NAMES:
    return ''
  effects = [codec.known(question.clusters[c].effect) for c in which]
  *most, last = effects
  shown = [_in_points(effect).removesuffix(_POINTS) for effect in most]
  return f'{listed([*shown, _in_points(last)])} {what}; '


def _in_points(share: float | None) -> str:
  """A difference of shares."""
  points = f'{100 * (share or 0):z.1f}'.replace('-', '−')
  return points.removesuffix('.0') + _POINTS


def _gaps(measured: Measured, facts: Facts) -> Iterator[str]:
  """For each cluster whose head falls short: the largest term of its gap."""
  short = [
    (gap, c, of)
    for c, of in enumerate(measured.decomposition)
    if (gap := codec.known(of.gap)) is not None and gap > 0 and largest(of)
  ]
  short.sort(key=lambda row: (-row[0], row[1]))
  for gap, c, of in short[:MOST_NAMES]:
    name = largest(of)
    term: Term = getattr(of, name)
    between = ''
    if not isinstance(term.interval, Missing):
      # As exact as the value, or it would seem to lie outside.
      low, high = (
        _in_points(end).removesuffix(_POINTS) for end in term.interval
      )
      between = f', {low} to {high}'
    text = (
      f'The accuracy of the refitted head of cluster {c} is {_in_points(gap)}'
      f' below that of the head of all {facts.unit}s; the largest of the'
      f' {_among(of, name)} is {TERMS[name]}'
      f' ({_in_points(codec.known(term.value))}{between}).'
    )
    given = codec.known(measured.teaches_less.clusters[c].given_one_rule)
    if name == 'other_rule' and given is not None and given > LEVEL:
      text += f' Some worlds with one rule give as much ({p_equals(given)}).'
    if not facts.has_learned(c):
      text += ' It is not shown to have learned its own cluster.'
    yield text
  if more := max(0, len(short) - MOST_NAMES):
    heads, fall = ('heads', 'fall') if more > 1 else ('head', 'falls')
    yield (
      f'The {heads} of {counted(more, "more cluster")} {fall} short as well, by'
      ' less.'
    )


def largest(gap: Gap) -> str:
  """The largest term above zero whose interval is too; '' without one."""
  values = {}
  for name in TERMS:
    term: Term = getattr(gap, name)
    value = codec.known(term.value)
    ends = codec.known(term.interval)
    if value is not None and value > 0 and (ends is None or ends[0] > 0):
      values[name] = value
  return max(values, key=lambda name: values[name]) if values else ''


def _among(gap: Gap, name: str) -> str:
  """The terms of which one is the largest: not all, where another may be."""
  values = [codec.known(getattr(gap, other).value) for other in TERMS]
  known = [value for value in values if value is not None]
  if max(known) > codec.known(getattr(gap, name).value):
    return 'terms whose interval lies above 0'
  return 'four terms' if len(known) == len(values) else 'terms that are known'


def _not_estimable(measured: Measured, facts: Facts) -> Iterator[str]:
  """Clusters of which the one-rule question cannot be asked."""
  if codec.known(measured.one_rule.adjusted) is None:
    return
  which = [
    c
    for c, of in enumerate(measured.one_rule.clusters)
    if isinstance(of.effect, Missing)
  ]
  few = [
    c for c in which if c < len(facts.ranked) and facts.ranked[c] < ESTIMABLE
  ]
  if few:
    counts = fewest(facts, few)
    has = 'have' if len(few) > 1 else 'has'
    ones = facts.unit if counts == '1' else f'{facts.unit}s'
    yield (
      f'{named(few).capitalize()} {has} {counts} {ones}'
      f' {rarer(facts)}: whether a rule of its own holds there cannot be told.'
    )
  for c in which[:MOST_NAMES]:
    if c not in few:
      why = codec.why(measured.one_rule.clusters[c].effect)
      yield (
        f'Whether a rule of its own holds in cluster {c} cannot be told: {why}.'
      )

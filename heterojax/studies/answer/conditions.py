"""What an answer rests on, each with its number: pass, warn or fail."""

from collections.abc import Sequence
import math

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import number
from heterojax.report.formatting import p_equals
from heterojax.report.formatting import percent
from heterojax.studies import shortcuts
from heterojax.studies.answer import skill as skills
from heterojax.studies.answer.facts import Facts
from heterojax.studies.answer.records import FAIL
from heterojax.studies.answer.records import PASS
from heterojax.studies.answer.records import WARN
from heterojax.studies.answer.records import Condition
from heterojax.studies.answer.records import Measured

LEVEL = 0.05
# Longer lists of clusters are no sentence.
MOST_NAMES = 6
# A cluster that is of one class to this share is that class.
LOPSIDED = 0.8
# Hennig (2007): stable from here on, and not to be trusted below the other.
STABLE, DOUBTFUL = 0.75, 0.6
# Test images of each class without which no ranking is estimable, and from
# which on it is no longer rough.
ESTIMABLE, COMFORTABLE = 3, 10

# Neutral: a name that claims something reads wrong beside a warning.
SKILL = 'skill of the classifier'
CLASSES = 'classes of the clusters'
PATIENTS = 'patients in training and test'
COPIES = 'copies in training'
STABILITY = 'stability of the clusters'
COLUMNS = 'columns that go with the clusters'
NUMBERS = 'size of each class'
CHANCE = 'chance'


def conditions(measured: Measured, facts: Facts) -> tuple[Condition, ...]:
  """All of them, in the order in which a reader should look at them."""
  found = [_skill(facts), _patients(facts), _copies(facts)]
  if facts.classes:
    found += [_numbers(measured, facts), _classes(facts)]
  return (*found, _stability(facts), _columns(facts), _chance(measured, facts))


def _condition(
  facts: Facts, name: str, state: str, value: Estimate, sentence: str
) -> Condition:
  return Condition(name, state, value, sentence, facts.headings.get(name, ''))


def _skill(facts: Facts) -> Condition:
  found = skills.skill(facts)
  state = PASS if found.enough else FAIL
  return _condition(facts, SKILL, state, found.value, found.numbers)


def _patients(facts: Facts) -> Condition:
  of, one = facts.of_shared_patients, facts.unit
  if isinstance(of, Missing):
    text = (
      f'Whether training and test share their patients is not known: {of.why}.'
    )
    if facts.suspicion:
      text = f'{facts.suspicion} {text}'
    return _condition(facts, PATIENTS, WARN, of, text)
  text = f'No test {one} is of a patient or group that training has.'
  if of:
    text = (
      f'{counted(of, f"test {one}")} {_are(of)} of a patient or group that'
      ' training has as well.'
    )
  return _condition(facts, PATIENTS, FAIL if of else PASS, of, text)


def _copies(facts: Facts) -> Condition:
  of, near, one = facts.copies, facts.near_duplicates, facts.unit
  if of:
    text = f'{counted(of, f"test {one}")} {_are(of)} in training as well.'
    return _condition(facts, COPIES, FAIL, of, text)
  if isinstance(near, Missing):
    text = (
      f'No test {one} is in training as well. Whether one looks almost like one'
      f' of training is not known: {near.why}.'
    )
    return _condition(facts, COPIES, WARN, near, text)
  if near:
    text = (
      f'{counted(near, f"test {one}")} {_are(near)} so close to one of training'
      ' that it may be a copy.'
    )
    return _condition(facts, COPIES, WARN, near, text)
  text = f'No test {one} has a copy in training, as far as was looked.'
  return _condition(facts, COPIES, PASS, 0, text)


def _are(n: Number) -> str:
  return 'is' if n == 1 else 'are'


def _numbers(measured: Measured, facts: Facts) -> Condition:
  """Enough images of the rarer class in each cluster, to test its head on."""
  ranked, one = facts.ranked, facts.unit
  if not ranked:
    why = codec.why(measured.tested[0].rarer)
    text = f'No head is tested in its own cluster: {why}.'
    return _condition(facts, NUMBERS, WARN, Missing(why), text)
  few = [c for c, n in enumerate(ranked) if n < ESTIMABLE]
  rough = [c for c, n in enumerate(ranked) if n < COMFORTABLE]
  state = PASS if not rough else WARN
  if len(few) == len(ranked):
    state = FAIL
  several = len(facts.classes) > 2
  each = 'one class and of the others' if several else 'each class'
  text = (
    f'Every cluster has at least {min(ranked):g} {one}s of {each} to test on.'
  )
  if rough:
    of = 'any class or of the others' if several else 'a class'
    text = (
      f'{named(rough)} {_has(rough)} fewer than {COMFORTABLE} {one}s of {of}'
      f' to test on ({fewest(facts, rough)}), which makes a ranking rough.'
    )
  if few:
    text += (
      f' {named(few)} {_has(few)} fewer than {ESTIMABLE}, which makes it'
      ' impossible.'
    )
  return _condition(facts, NUMBERS, state, min(ranked), text)


def _classes(facts: Facts) -> Condition:
  shares = {
    c: max(counts) / sum(counts)
    for c, counts in enumerate(facts.train_counts)
    if sum(counts)
  }
  if not shares:
    why = f'no cluster has training {facts.unit}s'
    return _condition(
      facts, CLASSES, FAIL, Missing(why), f'It cannot be told: {why}.'
    )
  lopsided = [c for c, share in shares.items() if share >= LOPSIDED]
  least, most = min(shares.values()), max(shares.values())
  larger = 'largest' if len(facts.classes) > 2 else 'larger'
  ends = ' to '.join(dict.fromkeys(percent(s, 0) for s in (least, most)))
  text = (
    f'The {larger} class makes up {ends} of the training {facts.unit}s of a'
    ' cluster.'
  )
  state = PASS
  if lopsided:
    state = WARN
    text += (
      f' {named(lopsided)} {_are(len(lopsided))} of one class to'
      f' {LOPSIDED:.0%} or more: what a head learns there may be the class mix'
      ' alone.'
    )
  if len(lopsided) == len(shares):
    most_of = [facts.train_counts[c] for c in shares]
    classes = {counts.index(max(counts)) for counts in most_of}
    if len(classes) > 1:
      state = FAIL
      text += ' The clusters are the classes, and hardly anything else.'
    else:  # Which says nothing of how the clusters were found.
      (only,) = classes
      name = facts.classes[only]
      text += f' In each it is “{name}”, of which there are most by far.'
  return _condition(facts, CLASSES, state, least, text)


def _stability(facts: Facts) -> Condition:
  known = {c: j for c, j in enumerate(facts.jaccard) if j is not None}
  if facts.groups:
    why = Missing('the groups are known, and were not found')
    return _condition(facts, STABILITY, PASS, why, facts.groups)
  if not known:
    why = Missing('the clusters were not made again in bootstraps')
    text = f'How stable the clusters are is not known: {why.why}.'
    return _condition(facts, STABILITY, WARN, why, text)
  worst = min(known, key=lambda c: known[c])
  least = known[worst]
  state = PASS if least >= STABLE else WARN if least >= DOUBTFUL else FAIL
  what = {
    PASS: f'{STABLE} or more is called stable',
    WARN: f'below {STABLE} a cluster is doubtful',
    FAIL: f'below {DOUBTFUL} a cluster is not to be trusted',
  }[state]
  text = (
    f'Bootstraps find every cluster again with a Jaccard similarity of at'
    f' least {_rounded_down(least):.2f} (cluster {worst}; {what}).'
  )
  below = [c for c, j in known.items() if j < STABLE]
  if len(below) > 1:
    text += f' {named(below)} are below {STABLE}.'
  return _condition(facts, STABILITY, state, least, text)


def _rounded_down(share: float) -> float:
  """To two decimals: 0.746 is not "at least 0.75"."""
  return math.floor(100 * share + 1e-9) / 100


def explaining(facts: Facts) -> list[str]:
  """Columns that go strongly with the clusters, the strongest first."""
  strong = []
  for entry in facts.shortcuts:
    strength = shortcuts.strength(
      str(entry.measure), entry.with_cluster, entry.p_value_with_cluster
    )
    if strength >= 1:
      strong.append((strength, entry.column))
  return [column for _, column in sorted(strong, reverse=True)]


def _columns(facts: Facts) -> Condition:
  found = explaining(facts)
  audited = sum(
    codec.known(s.with_cluster) is not None for s in facts.shortcuts
  )
  if not audited:
    why = Missing('no column of the data could be audited')
    text = f'Whether a column explains the clusters is not known: {why.why}.'
    return _condition(facts, COLUMNS, WARN, why, text)
  text = (
    f'Of {counted(audited, "column")} none goes strongly with the clusters.'
  )
  if found:
    goes = 'goes' if len(found) == 1 else 'go'
    text = f'{listed(found)} {goes} strongly with the clusters.'
  return _condition(facts, COLUMNS, WARN if found else PASS, len(found), text)


def _chance(measured: Measured, facts: Facts) -> Condition:
  p = measured.one_rule.adjusted
  if isinstance(p, Missing):
    text = f'There is no p-value for another rule: {p.why}.'
    return _condition(facts, CHANCE, WARN, p, text)
  does = 'seldom gives' if p <= LEVEL else 'may give'
  text = (
    f'One rule for all {does} as large a gain: {p_equals(p)},'
    ' adjusted for all questions.'
  )
  return _condition(facts, CHANCE, PASS if p <= LEVEL else WARN, p, text)


def named(which: Sequence[int]) -> str:
  """'Cluster 1', 'Clusters 1 and 2', '12 clusters'."""
  if len(which) > MOST_NAMES:
    return f'{len(which)} clusters'
  return f'Cluster{"s" if len(which) > 1 else ""} {listed(which)}'


def fewest(facts: Facts, which: Sequence[int]) -> str:
  """Images of the rarer class of clusters, see `Facts.ranked`."""
  numbers = [facts.ranked[c] for c in which]
  if len(which) > MOST_NAMES:
    return f'{number(min(numbers))} to {number(max(numbers))}'
  if len(set(numbers)) == 1:
    numbers = numbers[:1]
  return listed(map(number, numbers))


def rarer(facts: Facts) -> str:
  """Which images `fewest` counts: those of one test alone rank nothing."""
  if len(facts.classes) > 2:
    return 'of a class, or of all others, tested together'
  return 'of the rarer class tested beside others'


def _has(which: Sequence[int]) -> str:
  return 'have' if len(which) > 1 else 'has'

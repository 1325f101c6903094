"""What to do now: commands where there is one, a sentence each."""

from collections.abc import Iterator, Sequence

from heterojax.report.formatting import listed
from heterojax.studies.answer import conditions as conditions_lib
from heterojax.studies.answer.conditions import COMFORTABLE
from heterojax.studies.answer.conditions import ESTIMABLE
from heterojax.studies.answer.facts import Facts
from heterojax.studies.answer.records import FAIL
from heterojax.studies.answer.records import NO_SIGN
from heterojax.studies.answer.records import PASS
from heterojax.studies.answer.records import TOO_LITTLE
from heterojax.studies.answer.records import YES
from heterojax.studies.answer.records import Condition
from heterojax.studies.answer.sentences import named

# Why there is no answer, or none to rely on.
SKILL, PUBLISHED, REGRESSION, WORLDS = (
  'skill',
  'published',
  'regression',
  'worlds',
)
RANKS, FEW, FEW_WORLDS, POWER, UNLEARNED, OTHER = (
  'ranks',
  'few',
  'few worlds',
  'power',
  'unlearned',
  'other',
)


def advice(
  answer: str,
  because: str,
  clusters: Sequence[int],
  found: Sequence[Condition],
  facts: Facts,
) -> Iterator[str]:
  """Sentences, the most urgent first.

  Args:
    answer: of the study.
    because: why there is none, of the names above; '' where there is one.
    clusters: that the answer names.
    found: the conditions.
    facts: the study.

  Yields:
    Sentences.
  """
  state = {condition.name: condition.state for condition in found}
  one = facts.unit
  if because == PUBLISHED:
    yield (
      'Run the clean protocol: add protocol=clean to the arguments of --config.'
    )
    return
  if because == SKILL:
    yield f'Look at a few {one}s: are their labels what they should be?'
    yield facts.further
    return
  if because == RANKS:
    yield (
      f'Use as many {one}s of every class (--config.data.balance=true), with'
      ' which a head that ranks them is right more often than one answer.'
    )
    yield facts.further
    return
  if because == FEW_WORLDS:
    yield (
      'Draw more worlds (--config.verdict.worlds), and allow the time for them'
      ' (--config.verdict.seconds).'
    )
    return
  if because == REGRESSION:
    yield (
      'Name two classes, as children and adults of an age, and ask of these'
      ' (--config.data.task=classification).'
    )
    return
  if because == UNLEARNED:
    yield facts.further
  if because == WORLDS:
    yield (
      f'Use more {one}s, or other features: labels of no one rule are as hard'
      ' as these.'
    )
  yield from _trust(state, facts)
  if answer == YES:
    yield from _after_yes(clusters, facts)
  if answer in (NO_SIGN, TOO_LITTLE):
    yield from _more_data(answer, because, state, facts)


def _trust(state: dict[str, str], facts: Facts) -> Iterator[str]:
  """What would make the answer one to rely on."""
  one = facts.unit
  if FAIL in (
    state.get(conditions_lib.PATIENTS),
    state.get(conditions_lib.COPIES),
  ):
    yield (
      'Keep patients and copies apart before anything is concluded: use'
      ' protocol=clean, or mend the named split.'
    )
  if state.get(conditions_lib.PATIENTS) not in (PASS, FAIL):
    yield f'Name the patient of each {one} (column group), if one has several.'
  if state.get(conditions_lib.STABILITY) == FAIL:
    yield (
      'Make other clusters, as these are hardly found again:'
      ' --config.cluster.k, --config.cluster.method, or fewer components.'
    )
  if state.get(conditions_lib.CLASSES) == FAIL:
    yield (
      'Name groups that are not the classes (--config.cluster.method).'
      if facts.groups
      else 'Make clusters that are not the classes: another --config.cluster.k,'
      f' or features that see more of the {one}s than the class.'
    )


def _after_yes(clusters: Sequence[int], facts: Facts) -> Iterator[str]:
  one = facts.unit
  columns = conditions_lib.explaining(facts)
  where = 'the clusters'
  if clusters:
    where = named(clusters)
  if columns:
    yield (
      f'Look at {listed(columns)}:'
      f' {"it goes" if len(columns) == 1 else "they go"} with the clusters, and'
      ' may be what makes the rules differ.'
    )
  yield (
    f'Look at the {one}s of {where} beside the others, and ask what their'
    ' labels mean there: the test says that another rule holds, not which.'
  )
  if not facts.folds and not facts.groups:
    yield (
      'Confirm it with another --config.seed, and with'
      f' --config.split.folds=4, whose clusters have not seen the {one}s that'
      ' heads are tested on.'
    )
  else:
    yield 'Confirm it with another --config.seed, or on other data.'


def _more_data(
  answer: str, because: str, state: dict[str, str], facts: Facts
) -> Iterator[str]:
  if state.get(conditions_lib.CLASSES) == FAIL:
    return  # Of more images the clusters would be the classes, too.
  one = facts.unit
  scarce = [c for c, n in enumerate(facts.ranked) if n < COMFORTABLE]
  if scarce and (because == FEW or answer == TOO_LITTLE):
    has = 'have' if len(scarce) > 1 else 'has'
    yield (
      f'Collect more {one}s: {named(scarce)} {has}'
      f' {conditions_lib.fewest(facts, scarce)} {one}s'
      f' {conditions_lib.rarer(facts)};'
      f' {ESTIMABLE} are needed, {COMFORTABLE} are comfortable.'
    )
  elif answer == TOO_LITTLE:
    yield f'Collect more {one}s.'
  if facts.groups:
    return  # They are what they are.
  if facts.k > 2 and state.get(conditions_lib.STABILITY) != FAIL:
    fewer = facts.k - 1
    yield (
      f'Make other clusters: fewer hold more {one}s each'
      f' (--config.cluster.k={fewer}); another kind of difference may need'
      ' other features (--config.backbone.name).'
    )

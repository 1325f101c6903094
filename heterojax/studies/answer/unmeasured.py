"""Questions without an answer, and what results will hold before there is one.

Lengths: K clusters.
"""

import dataclasses

from heterojax.records.codec import Missing
from heterojax.studies.answer.records import Detectable
from heterojax.studies.answer.records import Gap
from heterojax.studies.answer.records import Measured
from heterojax.studies.answer.records import OfCluster
from heterojax.studies.answer.records import Question
from heterojax.studies.answer.records import Rule
from heterojax.studies.answer.records import Term

QUESTIONS = ('uneven', 'teaches_less', 'one_rule')
PUBLISHED = (
  'with protocol=published early stopping looks at the test set, and copies of'
  ' it are in training'
)
REGRESSION = 'labels are numbers, and one rule is tested of two classes only'
NOT_YET = 'not measured'
_P_VALUES = ('p_value', 'adjusted', 'given_one_rule')


def unmeasured(k: int, why: str, unit: str = 'image') -> Measured:
  """Nothing was measured.

  Args:
    k: K.
    why: the reason, as it stands in the results.
    unit: of the questions.

  Returns:
    Questions of which all is missing.
  """
  none = Missing(why)

  def question(given: Missing | None) -> Question:
    of_cluster = OfCluster(none, none, none, given)
    return Question(none, none, given, 0, unit, 0, (of_cluster,) * k)

  term = Term(none, none)
  return Measured(
    uneven=question(none),
    teaches_less=question(none),
    one_rule=question(None),
    rule=Rule(none, none, none, none),
    decomposition=(Gap(none, term, term, term, term),) * k,
    detectable=(Detectable(none, none, none),) * k,
  )


def without_p_values(measured: Measured, why: str) -> Measured:
  """The same effects, of which no chance is known for this reason."""
  none = Missing(why)

  def question(asked: Question) -> Question:
    given = None if asked.given_one_rule is None else none
    return dataclasses.replace(
      asked,
      p_value=none,
      adjusted=none,
      given_one_rule=given,
      clusters=tuple(
        dataclasses.replace(c, p_value=none, given_one_rule=given)
        for c in asked.clusters
      ),
    )

  asked = {name: question(getattr(measured, name)) for name in QUESTIONS}
  return dataclasses.replace(measured, **asked)


# The question about one rule is not compared with itself.
ABSENT = frozenset({
  'verdict.one_rule.given_one_rule',
  'verdict.one_rule.clusters.given_one_rule',
})


def null(protocol: str, task: str) -> frozenset[str]:
  """Paths of the results that will be null, see `records.foretell.Known`."""
  names: tuple[str, ...] = ('one_rule',) if task == 'regression' else ()
  if protocol == 'published':
    names = QUESTIONS
  return (
    frozenset(
      f'verdict.{name}.{of}{p}'
      for name in names
      for of in ('', 'clusters.')
      for p in _P_VALUES
      if (of, p) != ('clusters.', 'adjusted')
    )
    - ABSENT
  )

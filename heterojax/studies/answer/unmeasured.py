"""Questions without a p-value, and which are known to have none beforehand."""

import dataclasses

from heterojax.records.codec import Missing
from heterojax.studies.answer import stage
from heterojax.studies.answer.records import Measured
from heterojax.studies.answer.records import Question
from heterojax.studies.settings import Settings

QUESTIONS = ('uneven', 'teaches_less', 'one_rule')
PUBLISHED = (
  'with protocol=published early stopping looks at the test set, and copies of'
  ' it are in training'
)
REGRESSION = 'labels are numbers, and one rule is tested of two classes only'
NOT_YET = 'not measured'
_P_VALUES = ('p_value', 'adjusted', 'given_one_rule')


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


def null(settings: Settings) -> frozenset[str]:
  """Paths of the results that will be null, see `records.foretell.Known`."""
  names: tuple[str, ...] = ()
  if settings.data.task == 'regression':
    names = ('one_rule',)
  if stage.why_not(settings):
    names = QUESTIONS
  paths = {
    f'verdict.{name}.{of}{p}'
    for name in names
    for of in ('', 'clusters.')
    for p in _P_VALUES
    if (of, p) != ('clusters.', 'adjusted')
  }
  return frozenset(paths - ABSENT)

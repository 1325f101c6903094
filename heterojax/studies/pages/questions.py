"""How the three questions were asked, for a methods section."""

from heterojax.records import codec
from heterojax.report.formatting import counted
from heterojax.studies.answer.records import Question
from heterojax.studies.answer.records import Verdict


def sentences(found: Verdict | None, unit: str, *, numbers: bool) -> str:
  """Those that have a p-value, and by how many draws; '' where none has.

  Args:
    found: the answer; None in results of an earlier release.
    unit: what one sample is called.
    numbers: whether labels are such.
  """
  if found is None:
    return ''
  uneven, less, rule = found.uneven, found.teaches_less, found.one_rule
  errors = 'squared errors' if numbers else 'errors'
  strata = 'fold' if numbers else 'class and fold'
  together = ', those of a patient together,' * (uneven.unit == 'patient')
  asked = _those_with_p_value(
    (
      uneven,
      f'whether the model errs more there ({errors} of test {unit}s of one'
      f' {strata}{together} were exchanged in'
      f' {counted(uneven.draws, "draw")})',
    ),
    (
      less,
      'whether its own head, over all tests, is right less often than heads of'
      f' random sets with as many {unit}s of each class'
      f' ({counted(less.draws, "set")})',
    ),
    (
      rule,
      'whether another rule holds there (the gain in AUC that its own head'
      f' brings to the ranking of its new {unit}s, beside that in'
      f' {counted(rule.draws, "world")} with labels of one rule for all'
      f' {unit}s)',
    ),
  )
  if not asked:
    return ''
  several = ''
  if len(asked) > 1:
    several = (
      f' and for {len(asked)} questions (Holm). Heads of all but the first were'
      ' logistic regressions at their optimum, refitted for it'
    )
  return (
    f'Of each cluster it was asked {"; ".join(asked)}. P-values are adjusted'
    f' for several clusters (step-down maxT){several}.'
  )


def _those_with_p_value(*asked: tuple[Question, str]) -> list[str]:
  return [
    text
    for question, text in asked
    if codec.known(question.p_value) is not None
  ]

"""Questions without a p-value, and which are known to have none beforehand."""

from heterojax.studies.answer import stage
from heterojax.studies.settings import Settings

QUESTIONS = ('uneven', 'teaches_less', 'one_rule')
REGRESSION = 'labels are numbers, and one rule is tested of classes only'
_P_VALUES = ('p_value', 'adjusted', 'given_one_rule')


# The question about one rule is not compared with itself.
ABSENT = frozenset({
  'verdict.one_rule.given_one_rule',
  'verdict.one_rule.clusters.given_one_rule',
})


def null(settings: Settings) -> frozenset[str]:
  """Paths of the results that will be null, see `records.foretell.Known`."""
  names: tuple[str, ...] = ()
  if stage.why_uneven_alone(settings):
    names = ('teaches_less', 'one_rule')
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

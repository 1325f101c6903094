"""Metrics and their intervals, in words and in cells."""

from heterojax.records.codec import Number
from heterojax.report import formatting
from heterojax.report.blocks import Text
from heterojax.report.blocks import missing
from heterojax.report.blocks import with_small
from heterojax.stats import metrics
from heterojax.stats.metrics import Classes
from heterojax.stats.metrics import Metric
from heterojax.stats.scores import Values

Ends = tuple[Number, Number] | None


# Of more classes their names are no title.
_MOST_NAMES = 5


def against(classes: Classes) -> str:
  """The classes, in a title."""
  names = classes.names
  if len(names) == 2:
    return ' against '.join(names)
  if len(names) > _MOST_NAMES:
    return f'{len(names)} classes'
  return f'{len(names)} classes, {formatting.listed(names)}'


def told_apart(classes: Classes) -> str:
  """The task, in a methods section."""
  if len(classes.names) == 2:
    positive, negative = classes.names
    return f'{positive} (positive) against {negative}'
  order = ', in this order' if classes.ordered else ''
  return (
    f'to tell {len(classes.names)} classes apart'
    f' ({formatting.listed(classes.names)}{order})'
  )


def units(classes: Classes) -> str:
  """What a head is."""
  if len(classes.names) == 2:
    return 'one sigmoid unit'
  return f'{len(classes.names)} softmax units'


def threshold(classes: Classes) -> str:
  """How a head answers, to stand after a verb; '' of more than two classes."""
  return ' at a threshold of 0.5' if len(classes.names) == 2 else ''


def names(task: str) -> str:
  """The metrics of a task, in one line."""
  return formatting.listed(m.noun for m in metrics.of_task(task))


def definition(metric: Metric, unit: str, classes: tuple[str, ...]) -> str:
  """What a metric is, a clause.

  Args:
    metric: which.
    unit: what one sample is called.
    classes: of two, that of the disease first; others have no part in it.
  """
  positive, negative = classes if len(classes) == 2 else ('', '')
  return metric.definition.format(
    unit=unit, positive=positive, negative=negative
  )


def _intervals(task: str) -> list[tuple[str, str]]:
  """Whose 95 % intervals there are, and of which metrics."""
  nouns: dict[str, list[str]] = {}
  for metric in metrics.of_task(task):
    if metric.interval:
      nouns.setdefault(metric.interval, []).append(metric.noun)
  return [(whose, formatting.listed(of)) for whose, of in nouns.items()]


def _lacks(task: str) -> bool:
  """Whether a metric of the task has no interval."""
  return not all(metric.interval for metric in metrics.of_task(task))


def intervals(task: str) -> str:
  """'Wilson; for the AUC, Newcombe': the first is of all that are not named.

  Where a metric has none, 'Wilson for the accuracy; Newcombe for the AUC'.
  """
  if _lacks(task):
    return '; '.join(f'{by} for the {of}' for by, of in _intervals(task))
  (first, _), *others = _intervals(task)
  return '; '.join([first, *(f'for the {of}, {by}' for by, of in others)])


def intervals_by(task: str) -> str:
  """'by Wilson and, for the AUC, by Newcombe', for a methods section."""
  if _lacks(task):
    of_each = (f'for the {of} by {by}' for by, of in _intervals(task))
    return formatting.listed(of_each)
  (first, _), *others = _intervals(task)
  parts = [f'by {first}', *(f'for the {of}, by {by}' for by, of in others)]
  return ' and, '.join(parts)


def cell(score: Values, name: str, ends: Ends = None) -> Text:
  """A metric with what it goes from and to, or why it is not known.

  Args:
    score: that has it, or not.
    name: of the metric.
    ends: a pair to show for the interval of the score.

  Returns:
    The cell.
  """
  if (value := score.value(name)) is None:
    return missing(score.why(name))
  small = between(ends or score.interval(name))
  return with_small(formatting.fraction(value), small)


def between(ends: Ends) -> str:
  """Two numbers as a range; '' without them."""
  if not ends:
    return ''
  low, high = ends
  return f'{formatting.fraction(low)}–{formatting.fraction(high)}'

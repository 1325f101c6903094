"""One number beside others: its value, its interval and what it is over."""

from typing import Any
from typing import NamedTuple

from heterojax.stats import inference as statistics
from heterojax.studies.retraining.pages import tables

PAPER = 'Wang 2023'
INTERVAL = '95 %'
WILSON = f'{INTERVAL} Wilson [our computation]'
_DIGITS = 4  # Of a fraction in the paper.


class Cell(NamedTuple):
  """One number of one source.

  Attributes:
    table: of the paper, or what it would hold.
    row: of that table; a cluster's row is that of the paper's cluster.
    metric: the column of that table.
    source: the paper, or the label of a run.
    value: None if it is not known; the note says why.
    lo: lower end of the interval.
    hi: upper end of the interval.
    interval: what the two ends are.
    n: images that the value is a share of.
    note: what a reader must know.
  """

  table: str
  row: str
  metric: str
  source: str
  value: float | None
  lo: float | None = None
  hi: float | None = None
  interval: str = ''
  n: float | None = None
  note: str = ''


Where = tuple[str, str, str]  # Table, row and metric.


def score(
  where: Where, source: str, scores: dict[str, Any], note: str = ''
) -> Cell:
  """A metric of a run.

  Args:
    where: the metric may stand behind `retrained_`.
    source: label of the run.
    scores: SCORE of `results.json`.
    note: to begin with.

  Returns:
    The cell, with the run's own interval.
  """
  metric = where[2].removeprefix('retrained_')
  value = scores[metric]
  ends = (scores.get('intervals') or {}).get(metric)
  if value is not None and ends is None:
    note = joined(note, f'results.json gives no {INTERVAL} interval')
  low, high = ends or (None, None)
  note = joined(note, tables.why_null(scores, metric))
  kind = INTERVAL if ends else ''
  n = _over(scores, metric)
  return Cell(*where, source, value, low, high, kind, n, note)


def mean_of_runs(
  where: Where, source: str, random: dict[str, Any], note: str
) -> Cell:
  """The mean of the random heads, with the least and the greatest of them."""
  metric = where[2].removeprefix('random_')
  ends = tables.extremes(random, metric)
  runs = len(random['runs'])
  kind = f'minimum to maximum of {runs} runs' if ends else ''
  low, high = ends or (None, None)
  note = joined(note, f'mean of {runs} runs', tables.why_null(random, metric))
  n = _over(random, metric)
  return Cell(*where, source, random[metric], low, high, kind, n, note)


def _over(scores: dict[str, Any], metric: str) -> float:
  """Images that a metric is a share of."""
  positives, negatives = tables.class_counts(scores)
  sizes = {'sensitivity': positives, 'specificity': negatives}
  n = sizes.get(metric, scores['n'])
  # The counts of a mean over runs add up to a whole number but for rounding.
  return round(n) if abs(n - round(n)) < 1e-6 else n


def proportion(where: Where, value: float, n: int) -> Cell:
  """A share that the paper reports, with its Wilson interval.

  Args:
    where: table, row and metric.
    value: rounded, as printed.
    n: images it is a share of.

  Returns:
    The cell; the interval is that of the nearest whole number of images.
  """
  low, high = statistics.wilson(round(value * n), n)
  return Cell(*where, PAPER, value, low, high, WILSON, n)


def is_fraction(value: float, n: int) -> bool:
  """Whether a printed value can be a share of at most n images."""
  return any(
    round(round(value * m) / m, _DIGITS) == value for m in range(1, n + 1)
  )


def overlap(a: Cell, b: Cell) -> str:
  """Whether two intervals have a point in common, in words."""
  if None in (a.lo, b.lo):
    return 'not both have an interval'
  if a.lo <= b.hi and b.lo <= a.hi:
    return f'the {INTERVAL} intervals overlap'
  return f'the {INTERVAL} intervals do not overlap'


def joined(*notes: str) -> str:
  return '; '.join(note for note in notes if note)

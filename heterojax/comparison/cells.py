"""One number beside others: its value, its interval and what it is over."""

from collections.abc import Sequence
from typing import NamedTuple

from heterojax.records.codec import Number
from heterojax.stats import inference
from heterojax.stats.metrics import Metric
from heterojax.stats.scores import PublishedScore
from heterojax.stats.scores import Score
from heterojax.studies.retraining.records import Random

PAPER = 'Wang 2023'
INTERVAL = '95%'
OURS = '[our computation]'
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
  value: Number | None
  lo: float | None = None
  hi: float | None = None
  interval: str = ''
  n: Number | None = None
  note: str = ''


Where = tuple[str, str, str]  # Table, row and metric.


def score(
  where: Where, source: str, metric: Metric, scored: Score, note: str = ''
) -> Cell:
  """A metric of a run, with the run's own interval.

  Args:
    where: table, row and column.
    source: label of the run.
    metric: which.
    scored: the score.
    note: to begin with.

  Returns:
    The cell.
  """
  value, ends = scored.value(metric.name), scored.interval(metric.name)
  if value is not None and ends is None:
    note = joined(note, f'results.json gives no {INTERVAL} interval')
  note = joined(note, scored.why(metric.name))
  low, high = ends or (None, None)
  kind = INTERVAL if ends else ''
  return Cell(
    *where, source, value, low, high, kind, _over(metric, scored), note
  )


def mean_of_runs(
  where: Where, source: str, metric: Metric, random: Random, note: str
) -> Cell:
  """The mean of the random heads, with the least and the greatest of them."""
  ends = random.extremes(metric.name)
  runs = len(random.runs)
  kind = f'minimum to maximum of {runs} runs' if ends else ''
  low, high = ends or (None, None)
  note = joined(note, f'mean of {runs} runs', random.why(metric.name))
  value, n = random.value(metric.name), _over(metric, random)
  return Cell(*where, source, value, low, high, kind, n, note)


def _over(metric: Metric, counts: Score) -> Number:
  """Images that a metric is a share of, or is computed from."""
  n = counts.n
  if metric.over:
    n = metric.over(counts.class_sizes)
  # The counts of a mean over runs add up to a whole number but for rounding.
  return round(n) if abs(n - round(n)) < 1e-6 else n


def printed(
  where: Where,
  metric: Metric,
  scored: PublishedScore,
  counts: Sequence[Number],
) -> Cell:
  """A metric that the paper reports, with our interval where it is a share.

  Args:
    where: table, row and column.
    metric: which.
    scored: what the paper prints.
    counts: its test images of each class.

  Returns:
    The cell; the interval is that of the nearest whole number of images.
  """
  value = scored.value(metric.name)
  if value is None:
    return Cell(*where, PAPER, None, note=scored.why(metric.name))
  if metric.over is None:
    article = 'an' if metric.noun[0].lower() in 'aeiou' else 'a'
    note = f'{article} {metric.noun} alone has no interval'
    return Cell(*where, PAPER, value, n=sum(counts), note=note)
  n = int(metric.over(counts))
  low, high = inference.wilson(round(value * n), n)
  kind = f'{INTERVAL} Wilson {OURS}'
  return Cell(*where, PAPER, value, low, high, kind, n)


def is_fraction(value: float, n: int) -> bool:
  """Whether a printed value can be a share of at most n images."""
  return any(
    round(round(value * m) / m, _DIGITS) == value for m in range(1, n + 1)
  )


def overlap(a: Cell, b: Cell) -> str:
  """Whether two intervals have a point in common, in words."""
  if a.lo is None or a.hi is None or b.lo is None or b.hi is None:
    return 'not both have an interval'
  if a.lo <= b.hi and b.lo <= a.hi:
    return f'the {INTERVAL} intervals overlap'
  return f'the {INTERVAL} intervals do not overlap'


def joined(*notes: str) -> str:
  return '; '.join(note for note in notes if note)

"""A cell as text of the page."""

from heterojax.comparison import numbers
from heterojax.comparison.cells import OURS
from heterojax.comparison.cells import PAPER
from heterojax.comparison.cells import Cell
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Text
from heterojax.stats import metrics


def text(cell: Cell | None, with_n: bool = False) -> Text:
  """A cell with its interval, and what it is over, or why it is unknown."""
  if cell is None:
    return ''
  if cell.value is None:
    return blocks.missing(cell.note)
  small = []
  if cell.lo is not None and cell.hi is not None:
    low, high = _value(cell, cell.lo), _value(cell, cell.hi)
    of_runs = cell.interval.startswith('minimum')
    small.append(f'min {low}, max {high}' if of_runs else f'{low} to {high}')
    small += [OURS] if cell.source == PAPER else []
  if with_n and cell.n is not None:
    small.append(f'n = {formatting.number(cell.n)}')
  shown: Text = _printed(cell)
  for line in small:
    shown = blocks.with_small(shown, line)
  return shown


def _printed(cell: Cell) -> str:
  """The value; a metric of the paper with its own digits."""
  value = cell.value or 0
  if cell.source == PAPER and _is_metric(cell):
    return formatting.exact(value)
  return _value(cell, value)


def _value(cell: Cell, value: float) -> str:
  """The value of a cell, or an end of its interval, as text."""
  if cell.metric == 'matching_cost':
    return f'{value:.2f}'
  if _is_metric(cell) or cell.table == numbers.KEY:
    return signed(value)
  return formatting.number(value)


def signed(value: float) -> str:
  """Three decimals, with the minus sign of typesetters but for 0."""
  return formatting.fraction(value).replace('-', '−')


def _is_metric(cell: Cell) -> bool:
  name = cell.metric.removeprefix('retrained_').removeprefix('random_')
  return name in metrics.METRICS

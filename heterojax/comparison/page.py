"""`comparison.html`: one file that needs nothing else."""

from collections.abc import Sequence

from heterojax.comparison import reasons
from heterojax.comparison import side_by_side
from heterojax.comparison.cells import PAPER
from heterojax.comparison.cells import Cell
from heterojax.comparison.side_by_side import Comparison
from heterojax.report import formatting
from heterojax.report import templates
from heterojax.stats import metrics
from heterojax.studies.retraining.pages import figures

_PARTS = {
  'train': 'Training',
  'train_augmented': 'Training with augmented copies',
  'test': 'Test',
}
# Row to metric to source.
_Pivot = dict[str, dict[str, dict[str, Cell]]]


def render(compared: Sequence[Comparison]) -> str:
  """The page.

  Args:
    compared: one comparison per pair of classes.

  Returns:
    Its HTML.
  """
  filters = {'value': _value, 'signed': _signed}
  return templates.load('comparison.html', filters).render(
    compared=compared,
    pivot=_pivot,
    by_accuracy=_by_accuracy,
    titles=_titles,
    parts=_PARTS,
    side=side_by_side,
    paper=PAPER,
    features=reasons.features,
  )


def _pivot(compared: Comparison, table: str) -> _Pivot:
  """The cells of a table, by row, metric and source."""
  rows: _Pivot = {}
  for cell in compared.cells:
    if cell.table == table:
      of_row = rows.setdefault(cell.row, {})
      of_row.setdefault(cell.metric, {})[cell.source] = cell
  return rows


def _by_accuracy(compared: Comparison, source: str) -> list[Cell]:
  """The test clusters of a source, the best first, the unknown last."""
  found = [
    cell
    for cell in compared.cells
    if cell.table == compared.printed_in['overall']
    and cell.source == source
    and 'test cluster ' in cell.row
  ]
  return sorted(found, key=lambda c: (c.value is None, -(c.value or 0)))


def _titles(compared: Comparison) -> dict[str, str]:
  """Metric to what the page calls it."""
  positive, negative = compared.group.classes
  titles = {
    'matched_cluster': 'Matched cluster of the run',
    'matching_cost': 'Cost of the match',
    'n': 'All',
    'size': 'Training images',
    'n_positive': positive,
    'n_negative': negative,
    'intra_cluster_distance': 'Intra-cluster distance',
    'centroid_distance': 'Distance',
  }
  for name in metrics.METRICS:
    titles[name] = figures.TITLES[name]
    titles[f'retrained_{name}'] = f'{figures.TITLES[name]}, retrained'
    titles[f'random_{name}'] = f'{figures.TITLES[name]}, random'
  return titles


def _value(cell: Cell, end: float | None = None) -> str:
  """A cell's value, or an end of its interval, as text."""
  value = cell.value if end is None else end
  if cell.metric == 'matching_cost':
    return f'{value:.2f}'
  if not cell.metric.endswith(metrics.METRICS):
    return formatting.number(value)
  if cell.source == PAPER and end is None:
    return f'{value:g}'  # Its own digits.
  return f'{value:.3f}'


def _signed(value: float) -> str:
  return f'{value:+.3f}'.replace('-', '−')

"""The forest plot: a line for each run, a panel for each key number."""

from collections.abc import Sequence
import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heterojax.comparison.numbers import Panel
from heterojax.report import drawing

_COLUMNS = 3
_LINE = 0.24  # Inches.
_LABEL = 30  # Characters.


def draw(panels: Sequence[Panel], labels: Sequence[str]) -> Figure:
  """Draws them.

  Args:
    panels: the key numbers.
    labels: of the runs, top to bottom.

  Returns:
    A figure; what a run lacks is left empty.
  """
  rows = math.ceil(len(panels) / _COLUMNS)
  height = rows * (0.9 + _LINE * len(labels))
  figure = Figure((drawing.WIDTH, height), layout='constrained')
  axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True)
  names = [drawing.clipped(label, _LABEL) for label in labels]
  for panel, one in zip(panels, axes.flat, strict=False):
    _panel(one, panel, labels)
  for one in axes.flat[len(panels) :]:
    one.set_axis_off()
  # Shared, so that one of them turns them all.
  first = axes.flat[0]
  first.set_yticks(range(len(labels)), names)
  first.set_ylim(len(labels) - 0.5, -0.5)
  return figure


def _panel(axes: Axes, panel: Panel, labels: Sequence[str]) -> None:
  axes.set_title(panel.title)
  drawing.grid(axes, 'x')
  for cell in panel.cells:
    if cell.value is None:
      continue
    line = labels.index(cell.source)
    if cell.lo is not None and cell.hi is not None:
      axes.plot([cell.lo, cell.hi], [line, line], color=drawing.GRAY, lw=2)
    axes.plot(cell.value, line, 'o', color=drawing.RETRAINED, markersize=5)

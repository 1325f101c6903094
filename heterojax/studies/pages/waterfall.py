"""Why each cluster's head falls short: its gap as a waterfall of four terms."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heterojax.records import codec
from heterojax.report import drawing
from heterojax.studies.answer.records import Gap
from heterojax.studies.answer.records import Verdict
from heterojax.studies.pages.verdict_tables import TERMS

NAME = 'waterfall'
# More panels are no figure; the table has them all.
MOST = 24
_ACROSS = 4
# Shades from dark to light, and hatches: no colour is needed.
_LOOKS = {
  'size': ('#555555', ''),
  'class_mix': ('#8a8a8a', '///'),
  'reach': ('#bbbbbb', '|||'),
  'other_rule': ('#ffffff', 'xxx'),
}


def known(found: Verdict) -> list[tuple[int, Gap]]:
  """The clusters that have all terms, those that fall shortest at most."""
  whole = [
    (c, gap)
    for c, gap in enumerate(found.decomposition)
    if codec.known(gap.gap) is not None
    and all(codec.known(getattr(gap, name).value) is not None for name in TERMS)
  ]
  whole.sort(key=lambda row: -(codec.known(row[1].gap) or 0))
  return sorted(whole[:MOST], key=lambda row: row[0])


def draw(found: Verdict) -> Figure:
  """A panel for each cluster of `known`, of which there is one at least."""
  panels = known(found)
  across = min(_ACROSS, len(panels))
  down = math.ceil(len(panels) / across)
  figure = Figure((drawing.WIDTH, 0.5 + 1.75 * down), layout='constrained')
  grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
  for axes, (c, gap) in zip(grid.flat, panels, strict=False):
    _panel(axes, c, gap)
  for column in range(across):
    last = (len(panels) - 1 - column) // across
    grid[last, column].tick_params(labelbottom=True)
  for axes in grid.flat[len(panels) :]:
    axes.set_axis_off()
  names = [*TERMS.values(), 'Gap']
  grid[0, 0].set_yticks(range(len(names)), names)
  grid[0, 0].set_ylim(len(names) - 0.5, -0.6)
  figure.supxlabel(
    'percentage points below the accuracy of the overall head', fontsize=9
  )
  return figure


def _panel(axes: Axes, c: int, gap: Gap) -> None:
  start, ends = 0.0, []
  for row, name in enumerate(TERMS):
    term = getattr(gap, name)
    value = 100 * (codec.known(term.value) or 0)
    fill, hatch = _LOOKS[name]
    axes.barh(
      row,
      value,
      left=start,
      height=0.62,
      color=fill,
      hatch=hatch,
      edgecolor=drawing.INK,
      linewidth=0.8,
    )
    interval = codec.known(term.interval)
    if interval and all(map(math.isfinite, interval)):
      low, high = (start + 100 * end for end in interval)
      axes.plot([low, high], [row + 0.4] * 2, color=drawing.INK, lw=0.9)
      ends += [low, high]
    start += value
    axes.plot([start] * 2, [row - 0.31, row + 1.31], color=drawing.INK, lw=0.6)
    _label(axes, max(start, start - value, *ends[-2:]), row, value)
  last = len(TERMS)
  axes.barh(last, start, height=0.62, color=drawing.INK)
  _label(axes, max(start, 0.0), last, start)
  axes.axvline(0, color=drawing.INK, linewidth=0.8)
  axes.set_title(f'Cluster {c}')
  axes.margins(x=0.18)
  axes.tick_params(axis='y', length=0)
  axes.spines['left'].set_visible(False)
  drawing.grid(axes, 'x')


def _label(axes: Axes, x: float, row: int, value: float) -> None:
  text = f'{value:z.0f}'.replace('-', '−')
  axes.text(x, row, f' {text}', va='center', ha='left', fontsize=7.5)


def files(found: Verdict | None) -> dict[str, Figure]:
  """Name to figure; none where no cluster has all terms."""
  if found is None or not known(found):
    return {}
  return {NAME: draw(found)}

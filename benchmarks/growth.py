"""Points of a sweep, the exponents fitted to them, and their figure."""

from collections.abc import Sequence
import pathlib
import statistics
import tempfile
from typing import Any

from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from benchmarks import sides
from benchmarks import sweeps
from benchmarks import turns
from heterojax.report import drawing

_COLUMNS = 3


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
  """Slope of the least-squares line through the logarithms."""
  return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def point(module: str, name: str, case: sides.Case) -> dict[str, Any]:
  """Measures one.

  Args:
    module: where `CASES` has the case.
    name: of the case.
    case: the same, with the one side 'ours'.

  Returns:
    Median seconds, of an iteration if the side counts any, and the bytes that
    the work added at its peak; or why there are none.
  """
  with tempfile.TemporaryDirectory() as folder, turns.Crew(module) as crew:
    scale = sides.Scale(True, pathlib.Path(folder))
    worker = turns.run(crew, name, case, scale, ['ours'])['ours']
    if worker.trouble:
      return worker.trouble
    result = turns.result_of(scale, 'ours')
  iterations = float(result.get('n_iter', 1))
  counted = [s / iterations for s in worker.counted(case.turns[True])]
  return {
    'seconds': statistics.median(counted),
    'seconds_lowest': min(counted),
    'seconds_highest': max(counted),
    'turns': len(counted),
    'memory_bytes': worker.memory,
  }


def fitted(name: str, points: list[dict[str, Any]]) -> dict[str, Any]:
  """A sweep's points with its exponents, where there are enough points."""
  record: dict[str, Any] = {'name': name, 'points': points}
  for key in ('seconds', 'memory_bytes'):
    known = [p for p in points if p.get(key)]
    if len(known) > 1:
      values = [p[key] for p in known]
      record[f'{key}_exponent'] = exponent([p['size'] for p in known], values)
      record[f'{key}_last_over_first'] = values[-1] / values[0]
  return record


def _panel(axes: Axes, record: dict[str, Any], key: str, unit: float) -> None:
  known = [p for p in record['points'] if p.get(key)]
  sizes = np.array([p['size'] for p in known])
  values = np.array([p[key] for p in known]) / unit
  axes.set_xscale('log')
  axes.set_yscale('log')
  axes.plot(sizes, values, 'o', color=drawing.colour(0), markersize=4)
  axes.set_xticks(sizes, [f'{size:,}' for size in sizes])
  axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  axes.yaxis.set_major_formatter('{x:g}')
  axes.minorticks_off()
  if len(known) > 1:
    slope = record[f'{key}_exponent']
    middle = np.exp(np.log(values).mean() - slope * np.log(sizes).mean())
    axes.plot(sizes, middle * sizes**slope, color=drawing.GRAY, linewidth=1)
    axes.annotate(
      f'exponent {slope:z.2f}', (0.05, 0.9), xycoords='axes fraction'
    )
  # Noise about a constant should not fill the panel.
  low, high = values.min(), values.max()
  if high < 4 * low:
    axes.set_ylim(low / 2, high * 2)


def drawn(records: list[dict[str, Any]]) -> Figure:
  """A panel of seconds and, below it, one of megabytes for each sweep."""
  records = [r for r in records if 'seconds_exponent' in r]
  columns = min(_COLUMNS, len(records))
  rows = -(-len(records) // columns)
  figure = Figure((drawing.WIDTH, 4.2 * rows), layout='constrained')
  panels = figure.subplots(2 * rows, columns, squeeze=False)
  for axes in panels.flat:
    axes.set_visible(False)
  for i, record in enumerate(records):
    sweep = sweeps.SWEEPS[record['name']]
    time_axes, memory_axes = panels[
      2 * (i // columns) : 2 * (i // columns) + 2, i % columns
    ]
    time_axes.set_visible(True)
    time_axes.set_title(sweep.title)
    each = ' per iteration' if record['name'].startswith('kmeans') else ''
    time_axes.set_ylabel(f'seconds{each}')
    _panel(time_axes, record, 'seconds', 1)
    time_axes.set_xlabel(sweep.axis)
    if 'memory_bytes_exponent' in record:
      memory_axes.set_visible(True)
      memory_axes.set_ylabel('MB added')
      memory_axes.set_xlabel(sweep.axis)
      _panel(memory_axes, record, 'memory_bytes', 1e6)
  return figure

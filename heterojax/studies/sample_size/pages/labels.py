"""Names along the axis of sizes, and at the ends of lines."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from heterojax.report import drawing
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.records import Size


def size_axis(axes: Axes, sizes: Sequence[Size], room: float) -> None:
  """One place per size, named by its numbers of images.

  Args:
    axes: to draw on.
    sizes: the smallest first.
    room: share of the width that is kept for labels on the right.
  """
  last = len(sizes) - 1
  width = (last + 0.8) / (1 - room)
  axes.set_xlim(-0.4, -0.4 + width)
  texts = []
  for size in sizes:
    texts.append(
      f'{values.of_size(size.n)}\n{values.tested(size)} test\n'
      f'{values.tested_per_cluster(size)} per cluster'
    )
  axes.set_xticks(range(len(sizes)), texts)
  axes.tick_params(axis='x', length=0, labelsize=tick_size(sizes))


def tick_size(sizes: Sequence[Size]) -> float:
  """Size of letters that leaves the names of all sizes apart."""
  return min(8.5, max(42 / len(sizes), 5))


def name_ends(axes: Axes, ends: Sequence[tuple[np.ndarray, str, Any]]) -> None:
  """Names lines at their right ends, moved apart where they would touch."""
  named = [
    (line, text, colour)
    for line, text, colour in ends
    if np.isfinite(line).any()
  ]
  if not named:
    axes.text(0.5, 0.5, 'not estimable', ha='center', transform=axes.transAxes)
    return
  assert isinstance(axes.figure, Figure)
  axes.figure.draw_without_rendering()
  low, high = axes.get_ylim()
  per_line = 12.5 / 72 * axes.figure.dpi / axes.get_window_extent().height
  # Fractions of the height: where a label would stand, and how high it is.
  wanted, heights = [], []
  for line, text, _ in named:
    last = line[np.isfinite(line)][-1]
    wanted.append((last - low) / (high - low))
    heights.append(per_line * (1 + text.count('\n')))
  placed = apart(np.array(wanted), np.array(heights))
  right = max(len(line) for line, _, _ in named) - 1
  for (line, text, colour), want, place in zip(
    named, wanted, placed, strict=True
  ):
    start = np.flatnonzero(np.isfinite(line))[-1]
    axes.annotate(
      text,
      (start, low + want * (high - low)),
      (right + 0.18, low + place * (high - low)),
      va='center',
      fontsize=8.5,
      color=colour,
      annotation_clip=False,
      arrowprops={
        'arrowstyle': '-',
        'color': drawing.PALE,
        'lw': 0.8,
        'shrinkB': 5,
        'shrinkA': 0,
        'relpos': (0, 0.5),
      },
    )


def apart(wanted: np.ndarray, heights: np.ndarray) -> np.ndarray:
  """Places of labels that do not touch, near where they are wanted."""
  order = np.argsort(wanted, kind='stable')
  placed = wanted[order].astype(float)
  tall = heights[order]
  for _ in range(200):
    gaps = np.diff(placed) - (tall[1:] + tall[:-1]) / 2
    if (gaps >= -1e-9).all():
      break
    for i in np.flatnonzero(gaps < 0):
      placed[i] += gaps[i] / 2
      placed[i + 1] -= gaps[i] / 2
  result = np.empty_like(placed)
  result[order] = placed
  return result

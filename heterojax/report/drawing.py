"""What the figures share: style, colours, heat maps, labels, files.

Figures are drawn through objects alone, so that neither a display nor a
caller's own plots are touched.
"""

import base64
from collections.abc import Iterator, Sequence
import contextlib
import io
import re
from typing import Any, Literal
import warnings

import matplotlib
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import RcKeyType
import numpy as np
from PIL import Image

WIDTH = 9.6  # Inches; shown at about 900 pixels in the report.
# In an SVG file, after its head.
_EMBEDDED = re.compile(rb'(?<=data:image/png;base64,)[A-Za-z0-9+/=\s]+')
INK = '#222222'
GRAY = '#8a8a8a'
PALE = '#e8e8e8'
RETRAINED = '#D55E00'
# Positive and negative class.
_TWO_CLASSES = ('#D55E00', '#56B4E9')
# Of more classes, by their codes; the first two are those of two.
_MARKERS = ('x', 'o', '^', 's', 'D', 'v', 'P', '*')
# Okabe and Ito's palette, which colour-blind readers can tell apart.
_PALETTE = (
  '#0072B2',
  '#E69F00',
  '#009E73',
  '#CC79A7',
  '#56B4E9',
  '#D55E00',
  '#555555',
)
MORE = colors.LinearSegmentedColormap.from_list(
  'more', ['#ffffff', '#9ecae1', '#0072B2']
).with_extremes(bad='#ffffff')
WRONG_RIGHT = colors.LinearSegmentedColormap.from_list(
  'wrong_right', ['#D55E00', '#ffffff', '#0072B2']
).with_extremes(bad='#eeeeee')
# Where a label may stand beside its point, the best first.
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
_STYLE: dict[RcKeyType, Any] = {
  'axes.edgecolor': GRAY,
  'axes.labelcolor': INK,
  'axes.labelsize': 9,
  'axes.spines.right': False,
  'axes.spines.top': False,
  'axes.titlelocation': 'left',
  'axes.titlesize': 9.5,
  'axes.titleweight': 'bold',
  'font.family': 'DejaVu Sans',
  'font.size': 8.5,
  'legend.frameon': False,
  # Element names in SVG files are else random.
  'svg.hashsalt': 'heterojax',
  'text.color': INK,
  # A class may be called '$x$'.
  'text.parse_math': False,
  'xtick.color': INK,
  'ytick.color': INK,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
  """The report's style, whatever the user's own settings are."""
  with matplotlib.rc_context(), warnings.catch_warnings():
    # A class name in a script without glyphs here shows as boxes.
    warnings.filterwarnings('ignore', 'Glyph .* missing')
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(_STYLE)
    yield


def colour(cluster: int) -> tuple[float, float, float]:
  """The colour of a cluster; the palette repeats paler, then darker."""
  base = np.array(colors.to_rgb(_PALETTE[cluster % len(_PALETTE)]))
  paler = 0.5 * base + 0.5
  red, green, blue = (base, paler, 0.6 * base)[cluster // len(_PALETTE) % 3]
  return red, green, blue


def class_colour(which: int, classes: int) -> str:
  """Colour of a class by its place among all, and none of a cluster."""
  if classes == 2:
    return _TWO_CLASSES[which]
  # Black is to be read on the darkest.
  shade = 0.08 + 0.57 * which / (classes - 1)
  return colors.to_hex(matplotlib.colormaps['YlGnBu'](shade))


def class_marker(code: int) -> str:
  """Marker of a class by its code."""
  return _MARKERS[code % len(_MARKERS)]


def grid(axes: Axes, which: Literal['both', 'x', 'y']) -> None:
  """Pale lines behind what is drawn."""
  axes.grid(True, axis=which, color=PALE, linewidth=0.8)
  axes.set_axisbelow(True)


def key(label: str, **look: Any) -> Line2D:
  """An entry of a legend; `look` as a line of Matplotlib takes it."""
  return Line2D([], [], label=label, **look)


def clipped(text: str, length: int = 24) -> str:
  """A name from outside, on one line and not longer than fits."""
  text = ''.join(c if c.isprintable() else '\ufffd' for c in text)
  return text if len(text) <= length else f'{text[: length - 1]}…'


def files(figures: dict[str, Figure]) -> dict[str, bytes]:
  """File name to content: each figure as PNG and as SVG."""
  content = {}
  for name, figure in figures.items():
    for kind in ('png', 'svg'):
      content[f'{name}.{kind}'] = encoded(figure, kind)
      # It is laid out now, which takes as long as drawing it.
      figure.set_layout_engine('none')
  return content


def encoded(figure: Figure, kind: str) -> bytes:
  """The figure as a file, the same bytes each time."""
  buffer = io.BytesIO()
  if kind == 'png':
    # It is compressed once it has its palette.
    fast = {'compress_level': 0}
    figure.savefig(buffer, format=kind, dpi=150, pil_kwargs=fast)
    return _with_palette(buffer.getvalue())
  # Points that are too many for shapes are pixels in it, as on a screen.
  figure.savefig(buffer, format=kind, dpi=100, metadata={'Date': None})
  return _EMBEDDED.sub(
    lambda pixels: base64.b64encode(
      _with_palette(base64.b64decode(pixels.group()))
    ),
    buffer.getvalue(),
  )


def _with_palette(png: bytes) -> bytes:
  """At most 256 colours, which nobody misses: a third of the size."""
  with Image.open(io.BytesIO(png)) as image:
    opaque = image.getchannel('A').getextrema() == (255, 255)
    few = (image.convert('RGB') if opaque else image).quantize(
      method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    content = io.BytesIO()
    few.save(content, 'png', dpi=image.info.get('dpi'))
  return content.getvalue()


def heat_map(
  axes: Axes,
  values: np.ndarray,
  labels: Sequence[Sequence[str]],
  limits: tuple[float, float],
  shades: colors.Colormap,
) -> None:
  """A matrix as coloured cells, each with its number.

  Args:
    axes: to draw on.
    values: `[rows, columns]`; NaN leaves a cell empty.
    labels: what each cell says.
    limits: values of the colour scale's ends.
    shades: the colour scale.
  """
  axes.imshow(values, shades, aspect='auto', vmin=limits[0], vmax=limits[1])
  scale = colors.Normalize(*limits)
  size = float(np.clip(90 / max(values.shape), 5, 8.5))
  for (row, column), value in np.ndenumerate(values):
    ink = INK
    if np.isfinite(value):
      red, green, blue, _ = shades(scale(value))
      # Rec. 709 luminance decides whether black or white reads better.
      if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5:
        ink = 'white'
    axes.text(
      column,
      row,
      labels[int(row)][int(column)],
      ha='center',
      va='center',
      fontsize=size,
      color=ink,
    )
  axes.spines[:].set_visible(False)
  axes.tick_params(length=0)
  axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
  axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
  axes.grid(which='minor', color='white', linewidth=1.5)
  axes.tick_params(which='minor', length=0)


def label_points(
  axes: Axes,
  points: Sequence[tuple[float, float]],
  texts: Sequence[str],
  avoided: Sequence[tuple[float, float]] = (),
) -> None:
  """Names points, each on the side where it covers least.

  Args:
    axes: laid out already, because covering is a matter of pixels.
    points: in data coordinates.
    texts: one a point.
    avoided: further points that labels should not cover, those of a line, say.
  """
  if not points:
    return
  pixels = list(axes.transData.transform(np.array(points)))
  inch = axes.figure.dpi
  size = np.array([0.075 * inch * max(map(len, texts)), 0.13 * inch])
  gap = 0.06 * inch
  placed = [(p, size * 0.4) for p in pixels]
  for p in avoided:
    placed.append((axes.transData.transform(p), np.full(2, 0.03 * inch)))
  for pixel, point, text in zip(pixels, points, texts, strict=True):
    sides = [np.array([x, y]) * (gap + size / 2) for x, y in _SIDES]
    cost = [_covered(pixel + side, size, placed, pixel) for side in sides]
    best = sides[int(np.argmin(cost))]
    placed.append((pixel + best, size))
    right, up = best * 72 / inch
    axes.annotate(
      text,
      point,
      (right, up),
      textcoords='offset points',
      ha='center',
      va='center',
      fontsize=8,
    )


def _covered(
  centre: np.ndarray,
  size: np.ndarray,
  placed: Sequence[tuple[np.ndarray, np.ndarray]],
  point: np.ndarray,
) -> float:
  """Area that a box shares with what is there, but for its own point."""
  area = 0.0
  for other, extent in placed:
    if other is point:
      continue
    overlap = (size + extent) / 2 - np.abs(centre - other)
    area += float(np.prod(np.clip(overlap, 0, None)))
  return area

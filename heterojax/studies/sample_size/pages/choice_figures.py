"""What the clustering was chosen by: validity indices, number of components."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
import numpy as np

from heterojax.records import codec
from heterojax.report import drawing
from heterojax.studies import choosing
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.records import ByComponents
from heterojax.studies.sample_size.records import Results

_INDICES = {
  'inertia': 'Inertia: look for the elbow',
  'silhouette': 'Silhouette: higher is better',
  'calinski_harabasz': 'Calinski-Harabasz: higher is better',
  'davies_bouldin': 'Davies-Bouldin: lower is better',
}
_LOOKS = {
  'kmeans': ('#0072B2', 'o'),
  'fuzzy': ('#D55E00', 's'),
  'gmm': ('#009E73', '^'),
}
_COLUMNS = 2


def validity(results: Results) -> Figure:
  """Four indices over the number of clusters, for each algorithm."""
  rows = results.validity.rows
  figure = Figure((drawing.WIDTH, 4.9), layout='constrained')
  panels = figure.subplots(2, 2, sharex=True)
  chosen = results.cluster
  methods = [m for m in _LOOKS if any(row.method == m for row in rows)]
  for axes, (name, title) in zip(panels.flat, _INDICES.items(), strict=True):
    axes.axvline(chosen.k, color=drawing.GRAY, lw=7, alpha=0.25)
    for method in methods:
      points = sorted(
        (row.k, value)
        for row in rows
        if row.method == method
        and (value := codec.known(row.indices[name])) is not None
      )
      colour, marker = _LOOKS[method]
      used = method == chosen.method
      axes.plot(
        *np.array(points, float).reshape(-1, 2).T,
        color=colour,
        marker=marker,
        ms=4,
        lw=2 if used else 1.1,
        mfc=colour if used else 'white',
      )
    axes.set_title(title, fontweight='normal')
    axes.grid(True, axis='y', color=drawing.PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xticks(sorted({row.k for row in rows}))
  for axes in panels[-1]:
    axes.set_xlabel('Number of clusters')
  handles = [
    Line2D(
      [],
      [],
      color=_LOOKS[method][0],
      marker=_LOOKS[method][1],
      ms=5,
      lw=2 if method == chosen.method else 1.1,
      mfc=_LOOKS[method][0] if method == chosen.method else 'white',
      label=_name(method, chosen.method),
    )
    for method in methods
  ]
  handles.append(
    Line2D([], [], color=drawing.GRAY, lw=7, alpha=0.25, label='k of this run')
  )
  figure.legend(handles=handles, loc='outside lower center', ncols=4)
  return figure


def _name(method: str, chosen: str) -> str:
  text = choosing.METHODS[method]
  return f'{text} (this run)' if method == chosen else text


def cv_by_components(results: Results) -> Figure:
  """The CV in every number of components, and which of them was taken."""
  sizes = [
    size
    for size in results.by_size
    if any(codec.known(fold.cv_by_components) for fold in size.folds)
  ]
  rows = -(-len(sizes) // _COLUMNS)
  columns = min(len(sizes), _COLUMNS)
  figure = Figure((drawing.WIDTH, 0.6 + 2.3 * rows), layout='constrained')
  grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
  for axes, size in zip(grid.flat, sizes, strict=False):
    for number, fold in enumerate(size.folds):
      if curve := codec.known(fold.cv_by_components):
        _fold(axes, number, curve)
    axes.set_title(
      f'{values.of_size(size.n)}, {values.tested(size)} test {results.unit}s'
    )
    axes.grid(True, axis='y', color=drawing.PALE, linewidth=0.8)
    axes.set_axisbelow(True)
  for axes in grid.flat[len(sizes) :]:
    axes.set_visible(False)
  for axes in grid[-1]:
    axes.set_xlabel('Number of components')
  for axes in grid[:, 0]:
    axes.set_ylabel('CV, percent')
  folds = max(len(size.folds) for size in sizes)
  handles = [
    Line2D([], [], color=drawing.colour(t), lw=1.4, label=f'fold {t}')
    for t in range(folds)
  ]
  handles.append(
    Line2D(
      [],
      [],
      marker='D',
      ls='',
      color=drawing.INK,
      ms=5,
      label='chosen: the smallest with the mode',
    )
  )
  handles.append(
    Line2D([], [], color=drawing.GRAY, lw=0.8, ls='--', label='mode')
  )
  figure.legend(
    handles=handles, loc='outside lower center', ncols=min(len(handles), 6)
  )
  return figure


def _fold(axes: Axes, number: int, curve: ByComponents) -> None:
  colour = drawing.colour(number)
  cv = 100 * np.array(curve.cv_minus_one.value, float)
  axes.plot(curve.n_components, cv, color=colour, lw=1.1)
  mode, chosen = codec.known(curve.mode), codec.known(curve.chosen)
  if mode is not None and chosen is not None:
    axes.axhline(100 * mode, color=colour, lw=0.8, ls='--', alpha=0.7)
    axes.plot([chosen], [100 * mode], 'D', color=colour, ms=6, mec=drawing.INK)

"""What the clustering was chosen by: validity indices, number of components."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
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
      curve = sorted(
        (row.k, value)
        for row in rows
        if row.method == method
        and (value := codec.known(row.indices[name])) is not None
      )
      look = _look(method, chosen.method)
      axes.plot(*np.array(curve, float).reshape(-1, 2).T, ms=4, **look)
    axes.set_title(title, fontweight='normal')
    drawing.grid(axes, 'y')
    axes.set_xticks(sorted({row.k for row in rows}))
  for axes in panels[-1]:
    axes.set_xlabel('Number of clusters')
  handles = [
    drawing.key(_name(m, chosen.method), ms=5, **_look(m, chosen.method))
    for m in methods
  ]
  handles.append(
    drawing.key('k of this run', color=drawing.GRAY, lw=7, alpha=0.25)
  )
  figure.legend(handles=handles, loc='outside lower center', ncols=4)
  return figure


def _look(method: str, chosen: str) -> dict[str, Any]:
  """The line of an algorithm; that of the one chosen is thick and filled."""
  colour, marker = _LOOKS[method]
  width, fill = (2, colour) if method == chosen else (1.1, 'white')
  return {'color': colour, 'marker': marker, 'lw': width, 'mfc': fill}


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
    drawing.grid(axes, 'y')
  for axes in grid.flat[len(sizes) :]:
    axes.set_visible(False)
  for axes in grid[-1]:
    axes.set_xlabel('Number of components')
  for axes in grid[:, 0]:
    axes.set_ylabel('CV, percent')
  folds = max(len(size.folds) for size in sizes)
  handles = [
    drawing.key(f'fold {t}', color=drawing.colour(t), lw=1.4)
    for t in range(folds)
  ]
  label = 'chosen: the smallest with the mode'
  handles += [
    drawing.key(label, marker='D', ls='', color=drawing.INK, ms=5),
    drawing.key('mode', color=drawing.GRAY, lw=0.8, ls='--'),
  ]
  figure.legend(
    handles=handles, loc='outside lower center', ncols=min(len(handles), 6)
  )
  return figure


def _fold(axes: Axes, number: int, curve: ByComponents) -> None:
  colour = drawing.colour(number)
  cv = 100 * np.array(own.cv_minus_one.value, float)
  axes.plot(own.n_components, cv, color=colour, lw=1.1)
  mode, chosen = codec.known(own.mode), codec.known(own.chosen)
  if mode is not None and chosen is not None:
    axes.axhline(100 * mode, color=colour, lw=0.8, ls='--', alpha=0.7)
    axes.plot([chosen], [100 * mode], 'D', color=colour, ms=6, mec=drawing.INK)

"""The figures of the heads: Tables 1 and 3, transfer, distance and performance.

Each function draws one from the results. Clusters are rows wherever there is
room, so that twenty of them make a taller figure and not a smaller one.
"""

from collections.abc import Iterable, Sequence
import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
import numpy as np

from heterojax.records import codec
from heterojax.report import drawing
from heterojax.report import formatting
from heterojax.stats import metrics
from heterojax.stats.scores import Score
from heterojax.stats.scores import Values
from heterojax.studies.retraining import records

# More names than this on one scatter plot cover each other.
MAX_NAMES = 15
# Families of random heads beside that of the dots.
_STYLE = {'ls': '', 'alpha': 0.6, 'mew': 0}
_ANY_MIX: dict[str, Any] = {'marker': '^', 'color': '#0072B2', **_STYLE}
_SAME_MIX: dict[str, Any] = {'marker': 's', 'color': '#009E73', **_STYLE}


def table1_overall_in_clusters(results: records.Results) -> Figure:
  """Table 1: the head of all images, in the whole test set and each cluster."""
  described = [('All', results.overall)]
  described += [(f'Cluster {c.id}', c.test) for c in results.clusters]
  rows: list[tuple[str, Values]] = [
    (f'{name}, n = {score.n:,}', score) for name, score in described
  ]
  low = _lowest(score for _, score in rows)
  panels = [('This run', rows, drawing.RETRAINED)]
  if paper := results.paper:
    rows = [('All', paper.overall)]
    rows += [(f'Its cluster {c.number}', c.test) for c in paper.test_clusters]
    low = min(low, _lowest(score for _, score in rows))
    panels.append(('Published, Wang (2023)', rows, 'white'))
  height = 0.8 + 0.36 * max(len(rows) for _, rows, _ in panels)
  figure = Figure((drawing.WIDTH, height), layout='constrained')
  grid = figure.subplots(1, len(panels), squeeze=False)[0]
  for axes, (title, rows, fill) in zip(grid, panels, strict=True):
    # As in the table.
    text = formatting.exact if fill == 'white' else formatting.fraction
    for row, (_, score) in enumerate(rows):
      accuracy = score.value('accuracy')
      axes.axhline(row, color=drawing.PALE, linewidth=0.8, zorder=0)
      if accuracy is None:
        axes.text(low, row, 'not estimable', va='center', fontsize=7)
        continue
      _interval(axes, row, score.interval('accuracy'))
      axes.plot([accuracy], [row], 'D', ms=6, color=drawing.RETRAINED, mfc=fill)
      axes.text(
        accuracy,
        row - 0.32,
        text(accuracy),
        ha='center',
        va='center',
        fontsize=7.5,
      )
    _share_axis(axes, low)
    of = 'accuracy, 95% interval' if fill != 'white' else 'accuracy'
    axes.set_title(f'{title}: {of}')
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.tick_params(axis='y', length=0)
    axes.spines['left'].set_visible(False)
  return figure


def _interval(axes: Axes, row: int, ends: Sequence[float] | None) -> None:
  if ends:
    axes.plot(
      ends,
      [row, row],
      color=drawing.RETRAINED,
      lw=3.5,
      alpha=0.3,
      solid_capstyle='butt',
    )


def table3_retrained_vs_random(results: records.Results) -> Figure:
  """Table 3: the retrained head of each cluster against the random heads."""
  n, unit = results.dataset.n_test, results.backbone.unit
  blocks: list[
    tuple[str, Sequence[records.Cluster | records.PublishedCluster], bool]
  ] = [(f'This run, {n:,} test {unit}s', results.clusters, True)]
  if paper := results.paper:
    n = paper.dataset.n_test
    title = f'Published (Wang 2023), {n} test images; its own cluster numbers'
    blocks.append((title, paper.clusters, False))
  shown = metrics.of_task(results.classes.task)
  # Inches of each block: its rows and what stands around them.
  heights = [0.56 * len(rows) + 0.6 for _, rows, _ in blocks]
  figure = Figure((drawing.WIDTH, 0.5 + sum(heights)), layout='constrained')
  parts = figure.subfigures(len(blocks), height_ratios=heights, squeeze=False)
  for part, (title, rows, ours) in zip(parts[:, 0], blocks, strict=True):
    part.suptitle(title, x=0.01, ha='left', fontsize=9.5, fontweight='bold')
    grid = part.subplots(1, len(shown), sharey=True)
    for axes, metric in zip(grid, shown, strict=True):
      for row, cluster in enumerate(rows):
        _retrained_and_random(axes, row, cluster, metric.name, ours)
      _share_axis(axes)
      axes.set_title(metric.title, fontweight='normal')
      axes.set_ylim(len(rows) - 0.45, -0.6)
      axes.tick_params(axis='y', length=0)
      axes.spines['left'].set_visible(False)
    grid[0].set_yticks(range(len(rows)), [_cluster_name(c) for c in rows])
  figure.legend(
    handles=_table3_key(results), loc='outside lower center', ncols=4
  )
  return figure


def _retrained_and_random(
  axes: Axes,
  row: int,
  cluster: records.Cluster | records.PublishedCluster,
  name: str,
  ours: bool,
) -> None:
  axes.axhline(row, color=drawing.PALE, linewidth=0.8, zorder=0)
  retrained, mean = cluster.retrained.value(name), cluster.random.value(name)
  known = []
  if isinstance(cluster, records.Cluster):
    known = cluster.random.known(name)
    _others(axes, row, cluster, name)
  axes.plot(
    known, [row] * len(known), 'o', color=drawing.GRAY, ms=3.5, alpha=0.6
  )
  if mean is not None:
    axes.plot([mean], [row], '|', color=drawing.INK, ms=13, mew=1.4)
    axes.text(
      mean,
      row + 0.36,
      formatting.fraction(mean),
      ha='center',
      va='center',
      fontsize=7,
      color='#666666',
    )
  if retrained is None:
    axes.text(0.02, row - 0.28, 'not estimable', fontsize=7, color='#666666')
    return
  _interval(axes, row, cluster.retrained.interval(name))
  axes.plot(
    [retrained],
    [row],
    'D',
    ms=6.5,
    mew=1.4,
    color=drawing.RETRAINED,
    mfc=drawing.RETRAINED if ours else 'white',
  )
  axes.text(
    retrained,
    row - 0.33,
    formatting.fraction(retrained),
    ha='center',
    va='center',
    fontsize=7.5,
    color=drawing.RETRAINED,
  )


def _others(axes: Axes, row: int, cluster: records.Cluster, name: str) -> None:
  """Other trainings of the own head above the line, the same mix below it."""
  if own := cluster.retrained_runs:
    known = own.known(name)[1:]
    style = {'color': drawing.RETRAINED, 'ms': 3, 'alpha': 0.6, 'mew': 0}
    axes.plot(known, [row - 0.13] * len(known), 'D', **style)
    if (deviation := own.deviation(name)) is not None:
      mean, place = own.value(name) or 0, [row - 0.13] * 2
      ends = [mean - deviation, mean + deviation]
      axes.plot(ends, place, color=drawing.RETRAINED, lw=0.8)
  for family, style, place in (
    (cluster.random_originals, _ANY_MIX, row + 0.13),
    (cluster.random_same_mix, _SAME_MIX, row + 0.22),
  ):
    if not family:
      continue
    known = family.known(name)
    axes.plot(known, [place] * len(known), ms=3.2, **style)
    if (mean := family.value(name)) is not None:
      bar = {'color': style['color'], 'ms': 8, 'mew': 1.4}
      axes.plot([mean], [place], '|', **bar)


def _table3_key(results: records.Results) -> list[Line2D]:
  diamond = {'marker': 'D', 'ls': '', 'color': drawing.RETRAINED, 'ms': 6}
  dot = {'marker': 'o', 'ls': '', 'color': drawing.GRAY, 'ms': 4, 'alpha': 0.6}
  bar = {'marker': '|', 'ls': '', 'color': drawing.INK, 'ms': 11, 'mew': 1.4}
  one = results.backbone.unit
  key = [
    drawing.key('retrained on the cluster', **diamond),
    drawing.key('its 95% interval', color=drawing.RETRAINED, lw=3.5, alpha=0.3),
  ]
  if results.own_runs > 1:
    small = diamond | {'ms': 3.5, 'alpha': 0.6}
    key.append(drawing.key('retrained again, ± sd', **small))
  if results.paper:
    key.append(drawing.key('same, published', **diamond, mfc='white'))
  mix = ''
  if results.fair_sets:
    mix = ', any class mix'
    if results.clusters[0].random_originals:
      mix = ' (rows)'
  key += [
    drawing.key(f'one run on random {one}s{mix}', **dot),
    drawing.key('mean of the random runs', **bar),
  ]
  if results.clusters[0].random_originals:
    key.append(drawing.key(f'as many distinct {one}s', ms=4, **_ANY_MIX))
  if results.fair_sets:
    key.append(drawing.key('same class mix', ms=4, **_SAME_MIX))
  return key


def _cluster_name(cluster: records.Cluster | records.PublishedCluster) -> str:
  counts = ' + '.join(map(formatting.number, cluster.class_counts.values()))
  return f'Cluster {cluster.id}\nn = {counts}'


def _lowest(scores: Iterable[Values]) -> float:
  """The tenth below all accuracies and their intervals."""
  ends = [
    (score.interval('accuracy') or [score.value('accuracy')])[0]
    for score in scores
  ]
  known = [end for end in ends if end is not None]
  return math.floor(10 * min(known, default=0)) / 10


def _share_axis(axes: Axes, low: float = 0) -> None:
  ticks = (low, (low + 1) / 2, 1)
  axes.set(xlim=(low - 0.05 * (1 - low), 1 + 0.07 * (1 - low)))
  axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
  drawing.grid(axes, 'x')


def distance_vs_performance(results: records.Results) -> Figure:
  """Centroid distance against how much two retrained heads differ."""
  compared = results.distance_vs_performance
  shown = metrics.of_task(results.classes.task)
  rows = -(-len(shown) // 2)
  figure = Figure((drawing.WIDTH, 2.8 * rows), layout='constrained')
  grid = figure.subplots(rows, 2, sharex=True, squeeze=False).ravel()
  named = []
  for axes, metric in zip(grid, shown, strict=False):
    known = [
      (pair, difference)
      for pair in compared.pairs
      if (difference := pair.of(metric.name)) is not None
    ]
    points = [(p.centroid_distance, difference) for p, difference in known]
    axes.plot(*np.array(points).reshape(-1, 2).T, 'o', color='#0072B2', ms=5)
    rho = codec.known(compared.spearman.get(metric.name))
    text = 'not estimable' if rho is None else formatting.signed(rho)
    pairs = formatting.counted(len(points), 'pair')
    axes.set_title(f'{metric.title}: Spearman {text} ({pairs})')
    axes.margins(x=0.12)
    drawing.grid(axes, 'both')
    top = max([difference for _, difference in points], default=0) or 0.1
    axes.set_ylim(-0.08 * top, 1.15 * top)
    named.append((axes, points, [f'{p.a}–{p.b}' for p, _ in known]))
  for axes in grid[len(shown) :]:
    # The panel above it is then the lowest one.
    grid[len(shown) - 2].tick_params(labelbottom=True)
    axes.remove()
  figure.supxlabel('Distance between the centroids', fontsize=9)
  figure.supylabel('Absolute difference of the retrained heads', fontsize=9)
  figure.draw_without_rendering()
  for axes, points, texts in named:
    if len(points) <= MAX_NAMES:
      drawing.label_points(axes, points, texts)
  return figure


def transfer(results: records.Results) -> Figure:
  """Accuracy of the head of each cluster in each test cluster."""
  described, unit = results.clusters, results.backbone.unit
  k = len(described)
  whole = results.overall
  columns = [*(c.test for c in described), whole]
  rows = [(f'Head of all {unit}s', columns)]
  rows += [
    (f'Head of cluster {c.id}', [*c.retrained_in_test_clusters, c.retrained])
    for c in described
  ]
  accuracy = [[score.value('accuracy') for score in row] for _, row in rows]
  accuracy.append([_larger_share(score) for score in columns])
  values = np.array(accuracy, float)
  texts = [['–' if np.isnan(v) else f'{v:.2f}' for v in row] for row in values]
  figure = Figure((drawing.WIDTH, 1.5 + 0.34 * (k + 2)), layout='constrained')
  axes = figure.subplots()
  drawing.heat_map(axes, values, texts, (0, 1), drawing.WRONG_RIGHT)
  for c in range(k):
    axes.add_patch(
      Rectangle((c - 0.48, c + 0.52), 0.96, 0.96, fill=False, lw=1.6)
    )
  short = 'Test cluster {}' if k <= 6 else '{}'
  names = [short.format(c.id) for c in described] + ['All']
  prefix = 'n = ' if k <= 6 else ''
  axes.set_xticks(
    range(k + 1),
    [f'{n}\n{prefix}{s.n}' for n, s in zip(names, columns, strict=True)],
  )
  axes.tick_params(labeltop=True, labelbottom=False, labelsize=8)
  axes.set_yticks(
    range(k + 2),
    [*(name for name, _ in rows), 'Always the most frequent class'],
  )
  if k > 6:
    axes.set_xlabel(f'Test cluster and its number of {unit}s')
    axes.xaxis.set_label_position('top')
  return figure


def _larger_share(score: Score) -> float | None:
  """What one gets by always naming the more frequent class."""
  return max(score.class_sizes) / score.n if score.n else None

"""The figures of the clusters: Figure 1, their images, their class mix."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from heterojax.report import drawing
from heterojax.report import formatting
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import View

# Above this, points in an SVG file are one picture, or it would not open.
_MAX_VECTOR_POINTS = 1000
# Names of classes in a row of a legend.
_LEGEND = 5


def figure1_distances(results: Results) -> Figure:
  """Figure 1: distances between the clusters, as numbers and as a map."""
  clusters = results.clusters
  distances = np.array(results.between_cluster_distances, float)
  k = len(clusters)
  height = float(np.clip(1.6 + 0.65 * k, 2.9, 4.2)) if k <= 12 else 5
  figure = Figure((drawing.WIDTH, height), layout='constrained')
  left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
  below = np.tril(np.ones((k, k), bool), -1)
  shown = np.where(below, distances, np.nan)[1:, :-1]
  largest = distances.max() or 1
  digits = int(2 - np.floor(np.log10(largest)))
  # Beyond four decimals, or a million, none of them says anything.
  form = f'.{max(digits, 0)}f' if -4 <= digits <= 4 else '.2g'
  texts = [['' if np.isnan(d) else f'{d:{form}}' for d in row] for row in shown]
  drawing.heat_map(left, shown, texts, (0, largest), drawing.MORE)
  left.set_xticks(range(k - 1), range(k - 1))
  left.set_yticks(range(k - 1), range(1, k))
  left.set(xlabel='Cluster', ylabel='Cluster')
  left.set_title('Distance between centroids')
  _map(right, clusters, distances)
  return figure


def _map(
  axes: Axes, clusters: Sequence[Cluster], distances: np.ndarray
) -> None:
  points, kept = classical_scaling(distances)
  sizes = np.array([c.size for c in clusters], float)
  areas = 13000 / max(len(clusters), 5) * sizes / sizes.max()
  for c, point, area in zip(clusters, points, areas, strict=True):
    axes.scatter(*point, s=area, color=[drawing.colour(c.id)], alpha=0.55)
    size = f'\nn = {formatting.number(c.size)}' if len(clusters) <= 8 else ''
    axes.annotate(f'{c.id}{size}', point, ha='center', va='center', fontsize=8)
  # One scale for both directions, and room for the circles.
  half = 0.75 * max(np.ptp(points, axis=0).max(), 1e-9)
  limits = [(m - half, m + half) for m in (points.min(0) + points.max(0)) / 2]
  axes.set(xlim=limits[0], ylim=limits[1], aspect='equal', xticks=[], yticks=[])
  axes.spines[:].set_visible(False)
  axes.set_title('Map of the centroids; area: number in training', fontsize=9.5)
  axes.set_xlabel(f'the plane keeps {kept:.0%} of the squared distances')


def classical_scaling(distances: np.ndarray) -> tuple[np.ndarray, float]:
  """Points in the plane whose distances are nearest to those given.

  Args:
    distances: `[K, K]`.

  Returns:
    `[K, 2]`, and the share of the squared distances that the plane keeps.
  """
  k = len(distances)
  centring = np.eye(k) - 1 / k
  values, vectors = np.linalg.eigh(-0.5 * centring @ distances**2 @ centring)
  values, vectors = np.clip(values[::-1], 0, None), vectors[:, ::-1]
  # The sign of an eigenvector is arbitrary; the picture should not be.
  peak = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(k)]
  points = vectors * np.where(peak < 0, -1, 1) * np.sqrt(values)
  plane = np.zeros((k, 2))
  plane[:, : min(k, 2)] = points[:, :2]
  return plane, float(values[:2].sum() / (values.sum() or 1))


def training(results: Results, of: str = '') -> str:
  """What the training images of this run, or of a fold, are called."""
  copies = ', copies included' if results.copies else ''
  return f'Training {results.backbone.unit}s{of}{copies}'


def clusters(results: Results, view: View) -> Figure:
  """Every sample in two dimensions of the space that was clustered."""
  figure = Figure((drawing.WIDTH, 4.7), layout='constrained')
  grid = figure.subplots(1, 2, sharex=True, sharey=True)
  one, names = results.backbone.unit, results.classes.names
  of = ' of the first fold' if results.folds else ''
  for axes, split, title in zip(
    grid,
    ('train', 'test'),
    (
      f'{training(results, of)} (n = {{:,}})',
      f'Test {one}s{of} (n = {{:,}}); circled: misclassified',
    ),
    strict=True,
  ):
    chosen = np.flatnonzero(view.split == split)
    labels, points = view.labels[chosen], view.points[chosen]
    axes.set_title(title.format(len(chosen)))
    axes.set(xlabel='First principal component', xticks=[], yticks=[])
    colours = np.array([drawing.colour(c) for c in labels])
    for y in range(len(names)):
      of_class = view.y[chosen] == y
      axes.scatter(
        *points[of_class].T,
        s=12,
        c=colours[of_class],
        marker=drawing.class_marker(y),
        alpha=0.65,
        linewidths=0 if y else 0.8,  # The first one is but lines.
        rasterized=len(chosen) > _MAX_VECTOR_POINTS,
      )
    wrong = points[view.wrong[chosen] & (split == 'test')]
    axes.scatter(
      *wrong.T,
      s=70,
      ec='black',
      fc='none',
      rasterized=len(wrong) > _MAX_VECTOR_POINTS,
    )
    for c in np.unique(labels):
      axes.text(
        *np.median(points[labels == c], axis=0),
        str(c),
        ha='center',
        va='center',
        fontweight='bold',
        bbox={
          'boxstyle': 'circle',
          'fc': 'white',
          'ec': drawing.colour(c),
          'lw': 2,
        },
      )
  grid[0].set_ylabel('Second principal component')
  figure.legend(
    handles=[
      drawing.key(
        drawing.clipped(name),
        marker=drawing.class_marker(len(names) - 1 - which),
        ls='',
        color=drawing.INK,
        ms=5,
      )
      for which, name in enumerate(names)
    ],
    loc='outside lower center',
    ncols=min(len(names), _LEGEND),
  )
  return figure


def class_mix(results: Results) -> Figure:
  """How many images of each class every cluster has."""
  described, names = results.clusters, results.classes.names
  of = ', mean over folds' if results.folds else ''
  parts = {
    training(results, of): [tuple(c.class_counts.values()) for c in described],
    f'Test {results.backbone.unit}s': [c.test.class_sizes for c in described],
  }
  height = 1.1 + 0.32 * len(described)
  figure = Figure((drawing.WIDTH, height), layout='constrained')
  grid = figure.subplots(1, 2, sharey=True)
  for axes, (title, pairs) in zip(grid, parts.items(), strict=True):
    counts = np.array(pairs)
    longest = counts.sum(axis=1).max()
    start = np.zeros(len(described), int)
    for which, name in enumerate(names):
      axes.barh(
        range(len(described)),
        counts[:, which],
        0.72,
        start,
        color=drawing.class_colour(which, len(names)),
        label=drawing.clipped(name),
      )
      for row, n in enumerate(counts[:, which]):
        if n > 0.07 * longest:
          axes.text(
            start[row] + n / 2,
            row,
            formatting.number(n),
            ha='center',
            va='center',
          )
      start = start + counts[:, which]
    for row, total in enumerate(start):
      pair = ' + '.join(map(formatting.number, counts[row]))
      small = total and (counts[row] <= 0.07 * longest).any()
      text = formatting.number(total) + (f' = {pair}' if small else '')
      axes.text(total + 0.02 * longest, row, text, va='center', color='#666666')
    axes.set_title(title)
    axes.set_xlim(0, 1.32 * longest)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
  grid[0].set_yticks(
    range(len(described)), [f'Cluster {c.id}' for c in described]
  )
  grid[0].set_ylim(len(described) - 0.5, -0.5)
  key, texts = grid[0].get_legend_handles_labels()
  figure.legend(
    key, texts, loc='outside lower center', ncols=min(len(names), _LEGEND)
  )
  return figure

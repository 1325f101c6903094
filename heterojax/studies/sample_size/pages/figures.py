"""Figures 2 to 5 of Mendez 2019, from the results.

Sizes stand side by side at equal steps, as in the paper, so that any list of
sizes can be read; each is drawn with its number of images.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
import numpy as np

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.report import drawing
from heterojax.report import formatting
from heterojax.stats import heterogeneity
from heterojax.stats import inference as statistics
from heterojax.studies.pages import waterfall
from heterojax.studies.sample_size.pages import choice_figures
from heterojax.studies.sample_size.pages import choice_tables
from heterojax.studies.sample_size.pages import labels
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.records import Results

# Of the CV, of what chance gives, and of a text about it.
RAW, CHANCE, CHANCE_TEXT = '#0072B2', '#E69F00', '#8f6200'
# Grays of the paper's bands, the smallest CV first.
_ZONES = ('#ffffff', '#f8f8f8', '#f2f2f2', '#ebebeb', '#e3e3e3')
# More numbers than this above bars cover each other.
_MAX_NUMBERS = 44


def figure2_metric_per_cluster(results: Results) -> Figure:
  """Figure 2: the metric of each cluster over sizes, and of all images."""
  sizes, unit = results.by_size, results.unit
  figure = Figure((drawing.WIDTH, 4.6), layout='constrained')
  axes = figure.subplots()
  at = range(len(sizes))
  ends = []
  for c in range(results.cluster.k):
    line = np.array(
      [size.cluster_metric_mean.value[c] for size in sizes], float
    )
    axes.plot(at, line, '-o', color=drawing.colour(c), ms=4, lw=1.2)
    ends.append((line, f'cluster {c}', drawing.colour(c)))
  whole = _numbers([size.metric_mean for size in sizes])
  axes.plot(at, whole, '-D', color=drawing.INK, ms=6, lw=2.4)
  ends.append((whole, f'all test {unit}s', drawing.INK))
  baseline = _numbers([size.baseline for size in sizes])
  axes.plot(at, baseline, '--', color=drawing.GRAY, lw=1.4, marker='_', ms=12)
  name = values.BASELINES[results.metric].replace(' with', '\nwith')
  ends.append((baseline, name, '#666666'))
  labels.size_axis(axes, sizes, room=0.3)
  axes.set_ylabel(formatting.capital(values.metric(results)))
  drawing.grid(axes, 'y')
  axes.margins(y=0.08)
  labels.name_ends(axes, ends)
  return figure


def _numbers(estimates: Sequence[Estimate]) -> np.ndarray:
  """`[S]`, NaN for what cannot be estimated."""
  return np.array([codec.known(value) for value in estimates], float)


def figure3_cluster_sizes(results: Results) -> Figure:
  """Figure 3: how many of the images each cluster has."""
  sizes, k = results.by_size, results.cluster.k
  figure = Figure((drawing.WIDTH, 3.2), layout='constrained')
  axes = figure.subplots()
  bar = 0.84 / k
  numbers = k * len(sizes) <= _MAX_NUMBERS
  for c in range(k):
    at = np.arange(len(sizes)) + (c - (k - 1) / 2) * bar
    shares = 100 * np.array([size.cluster_size_mean[c] for size in sizes])
    axes.bar(at, shares, 0.9 * bar, color=drawing.colour(c))
    for x, share in zip(at, shares, strict=True) if numbers else ():
      axes.annotate(
        f'{share:.0f}',
        (x, share),
        (0, 2),
        textcoords='offset points',
        ha='center',
        va='bottom',
        fontsize=8,
        bbox={'fc': 'white', 'ec': 'none', 'pad': 0.4},
      )
  axes.axhline(100 / k, color=drawing.INK, lw=0.9, ls=(0, (4, 3)), zorder=0.5)
  axes.set_xlim(-0.5, len(sizes) - 0.5)
  folds = [formatting.counted(len(size.folds), 'fold') for size in sizes]
  texts = [
    f'{values.of_size(size.n)}, {number}'
    for size, number in zip(sizes, folds, strict=True)
  ]
  axes.set_xticks(range(len(sizes)), texts)
  axes.tick_params(axis='x', length=0, labelsize=labels.tick_size(sizes))
  axes.set_ylabel(f'Share of the {results.unit}s, percent')
  axes.margins(y=0.12)
  figure.legend(
    handles=[
      Patch(color=drawing.colour(c), label=f'cluster {c}') for c in range(k)
    ],
    loc='outside lower center',
    ncols=min(k, 10),
    handlelength=1,
    columnspacing=1.2,
  )
  return figure


def figure4_cv(results: Results) -> Figure:
  """Figure 4: the CV over sizes, with what chance alone gives."""
  sizes = results.by_size
  figure = Figure((drawing.WIDTH, 4.8), layout='constrained')
  axes = figure.subplots()
  at = np.arange(len(sizes))
  lines = {
    'cv': 100 * _numbers([size.mean_of_cvs for size in sizes]),
    'expected': 100 * _numbers([size.cv_expected for size in sizes]),
    'corrected': 100 * _numbers([size.cv_corrected for size in sizes]),
  }
  bands = [codec.known(size.cv_band) for size in sizes]
  low, high = 100 * np.array([b or (np.nan, np.nan) for b in bands]).T
  axes.fill_between(at, low, high, color=CHANCE, alpha=0.25, lw=0)
  # A size between two without a band has no area of its own.
  axes.vlines(at, low, high, color=CHANCE, alpha=0.45, lw=9)
  for x, size in zip(at, sizes, strict=True):
    cvs = 100 * _numbers([fold.cv for fold in size.folds])
    cvs = cvs[np.isfinite(cvs)]
    axes.plot([x] * len(cvs), cvs, 'o', color=RAW, ms=3.5, alpha=0.35)
  axes.plot(at, lines['expected'], ':_', color=CHANCE_TEXT, lw=1.4, ms=14)
  axes.plot(
    at, lines['corrected'], '--s', color=drawing.INK, lw=1.2, ms=5, mfc='white'
  )
  axes.plot(at, lines['cv'], '-D', color=RAW, lw=2.2, ms=6)
  known = np.concatenate([*lines.values(), high])
  known = known[np.isfinite(known)]
  top = 1.12 * max(known, default=0) or 1
  axes.set_ylim(-0.02 * top, max(top, 110 * values.RECOMMENDED))
  labels.size_axis(axes, sizes, room=0.33)
  _zones(axes)
  axes.set_ylabel('Coefficient of variation over clusters, percent')
  labels.name_ends(
    axes,
    [
      (lines['cv'], 'CV, mean of the folds (dots)', RAW),
      (
        lines['expected'],
        'expected by chance alone\n(shaded: its 95% band)',
        CHANCE_TEXT,
      ),
      (lines['corrected'], 'corrected for chance', drawing.INK),
    ],
  )
  return figure


def _zones(axes: Axes) -> None:
  """The paper's bands and their names, as far as the axis goes."""
  bottom, top = axes.get_ylim()
  starts = [0.0, *(100 * end for end in heterogeneity.BANDS.values())]
  names = [*heterogeneity.BANDS, heterogeneity.band(np.inf)]
  for start, end, name, shade in zip(
    starts, [*starts[1:], np.inf], names, _ZONES, strict=True
  ):
    end = min(end, top)
    if start >= end:
      continue
    axes.axhspan(start or bottom, end, color=shade, zorder=0, lw=0)
    axes.axhline(end, color='white', lw=0.8, zorder=0.5)
    if end - start > 0.035 * (top - bottom):
      axes.annotate(
        name,
        (1, (start + end) / 2),
        (-4, 0),
        va='center',
        ha='right',
        xycoords=axes.get_yaxis_transform(),
        textcoords='offset points',
        fontsize=8,
        color='#666666',
        style='italic',
      )


def figure5_cv_vs_metric(results: Results) -> Figure:
  """Figure 5: the metric over the CV, one point per size."""
  relation, sizes = results.cv_vs_metric, results.by_size
  cv = _numbers([size.mean_of_cvs for size in sizes])
  metric = _numbers([size.metric_mean for size in sizes])
  both = np.isfinite(cv) & np.isfinite(metric)
  cv, metric = cv[both], metric[both]
  figure = Figure((drawing.WIDTH, 4.2), layout='constrained')
  axes = figure.subplots()
  line: list[tuple[float, float]] = []
  if fit := codec.known(relation.fit):
    line = _fit(axes, cv, metric, fit)
  axes.plot(100 * cv, metric, 'D', color=RAW, ms=7)
  axes.margins(x=0.15)
  axes.set_xlabel('Coefficient of variation over clusters, percent')
  whole = f'of all test {results.unit}s'
  axes.set_ylabel(f'{formatting.capital(values.metric(results))} {whole}')
  drawing.grid(axes, 'both')
  number = formatting.counted(len(cv), 'size')
  text = 'not estimable'
  if (pearson := codec.known(relation.pearson)) is not None:
    text = formatting.signed(pearson)
  axes.set_title(f'Pearson {text} ({number})')
  if len(cv):
    low, high = metric.min(), metric.max()
    room = 0.35 * (high - low) or 0.05
    axes.set_ylim(low - room, high + room)
  figure.draw_without_rendering()
  drawing.label_points(
    axes,
    list(zip(100 * cv, metric, strict=True)),
    [values.of_size(size.n) for size in np.array(sizes, object)[both]],
    line,
  )
  return figure


def _fit(
  axes: Axes, cv: np.ndarray, metric: np.ndarray, fit: heterogeneity.Fit
) -> list[tuple[float, float]]:
  """The line, and where 95 % of new sizes would lie if it were right."""
  line = statistics.fit_line(cv, metric)
  room = 0.12 * np.ptp(cv)
  x = np.linspace(max(cv.min() - room, 0), cv.max() + room, 80)
  ends = np.array([statistics.predict(line, float(v))[1] for v in x]).T
  axes.fill_between(100 * x, *ends, color=CHANCE, alpha=0.2, lw=0)
  y = fit.intercept + fit.slope * x
  axes.plot(100 * x, y, color=drawing.INK, lw=1.2)
  return list(zip(100 * x, y, strict=True))


def draw(results: Results) -> dict[str, bytes]:
  """File name to content: each figure as PNG and as SVG."""
  functions = [
    figure2_metric_per_cluster,
    figure3_cluster_sizes,
    figure4_cv,
    figure5_cv_vs_metric,
    choice_figures.validity,
  ]
  if choice_tables.has_components(results):
    functions.append(choice_figures.cv_by_components)
  with drawing.style():
    drawn = {function.__name__: function(results) for function in functions}
    drawn |= waterfall.files(results.verdict)
    return drawing.files(drawn)

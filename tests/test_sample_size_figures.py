"""The figures of a sample-size study show the numbers of its results."""

from matplotlib import colors
import numpy as np
import pytest
from sample_size_results import MODELS
from sample_size_results import example
from scipy import stats

from heterojax.records import codec
from heterojax.report import drawing
from heterojax.studies.sample_size.pages import choice_figures
from heterojax.studies.sample_size.pages import figures
from heterojax.studies.sample_size.pages import labels
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.records import Results


@pytest.fixture(params=sorted(MODELS))
def results(request):
  return example(request.param)


def drawn(function, results: Results):
  with drawing.style():
    return function(results)


def lines_of(axes) -> list[np.ndarray]:
  """`[L]` lines of `[2, S]`."""
  return [np.array(line.get_data(), float) for line in axes.lines]


def texts_of(figure) -> str:
  return '\n'.join(t.get_text() for t in figure.findobj(match=_is_text))


def _is_text(artist) -> bool:
  return hasattr(artist, 'get_text')


def test_figure_2_shows_clusters_all_images_and_baseline(results):
  figure = drawn(figures.figure2_metric_per_cluster, results)
  (axes,) = figure.axes
  wanted = [
    [s.cluster_metric_mean.value[c] for s in results.sizes] for c in range(4)
  ]
  wanted.append([s.metric_mean for s in results.sizes])
  wanted.append([s.baseline for s in results.sizes])
  for line, values_ in zip(lines_of(axes), wanted, strict=True):
    np.testing.assert_array_equal(line, [range(4), values_])
  shown = texts_of(figure)
  for size, tick in zip(results.sizes, axes.get_xticklabels(), strict=True):
    n_test = [fold.n_test for fold in size.folds]
    assert f'{size.n:,}' in tick.get_text()
    assert f'{min(n_test):,}–{max(n_test):,} test' in tick.get_text()
  assert 'cluster 3' in shown and 'all test images' in shown


def test_figure_3_shows_shares_in_percent(results):
  (axes,) = drawn(figures.figure3_cluster_sizes, results).axes
  for c, bars in enumerate(axes.containers):
    shares = [100 * s.cluster_size_mean[c] for s in results.sizes]
    np.testing.assert_allclose([bar.get_height() for bar in bars], shares)
    colour = colors.to_rgb(bars[0].get_facecolor())
    assert colour == pytest.approx(drawing.colour(c))
  total = [sum(b[s].get_height() for b in axes.containers) for s in range(4)]
  np.testing.assert_allclose(total, 100)


def test_figure_4_shows_cv_chance_and_zones(results):
  figure = drawn(figures.figure4_cv, results)
  (axes,) = figure.axes
  wide = [line for line in lines_of(axes) if line.shape[1] == 4]
  # The dots of the folds stand above one size; lines go over all of them.
  lines = [line for line in wide if np.ptp(line[0]) == 3]
  for of in (
    lambda size: size.mean_of_cvs,
    lambda size: size.cv_expected,
    lambda size: size.cv_corrected,
  ):
    wanted = [100 * of(size) for size in results.sizes]
    assert sum(np.allclose(line[1], wanted) for line in lines) == 1
  dots = [line for line in wide if np.ptp(line[0]) == 0]
  for line, size in zip(dots, results.sizes, strict=True):
    cvs = [100 * fold.cv for fold in size.folds]
    np.testing.assert_allclose(line[1], cvs)
  (bars,) = [c for c in axes.collections if hasattr(c, 'get_segments')]
  ends = [np.array(segment)[:, 1] for segment in bars.get_segments()]
  bands = [100 * np.array(size.cv_band) for size in results.sizes]
  np.testing.assert_allclose(ends, bands)
  shown = texts_of(figure).split('\n')
  assert 'recommended' in shown and 'very good' in shown
  top = axes.get_ylim()[1]
  assert ('not acceptable' in shown) == (top > 31)


def test_figure_5_shows_points_line_and_interval(results):
  figure = drawn(figures.figure5_cv_vs_metric, results)
  (axes,) = figure.axes
  line, points = lines_of(axes)
  sizes, found = results.sizes, results.cv_vs_metric
  np.testing.assert_allclose(points[0], [100 * s.mean_of_cvs for s in sizes])
  np.testing.assert_allclose(points[1], [s.metric_mean for s in sizes])
  fit = found.fit
  np.testing.assert_allclose(line[1], fit.intercept + fit.slope * line[0] / 100)
  # Half the interval at the mean of the CVs: t s sqrt(1 + 1/n).
  half = stats.t.ppf(0.975, 2) * fit.residual_sd * np.sqrt(1.25)
  outline = axes.collections[0].get_paths()[0].vertices
  middle = outline[np.abs(outline[:, 0] - points[0].mean()) < 0.1]
  assert np.ptp(middle[:, 1]) == pytest.approx(2 * half, rel=0.05)
  assert f'{found.pearson:.2f}'.replace('-', '−') in axes.get_title('left')
  shown = texts_of(figure)
  for size in sizes:
    assert values.of_size(size.n) in shown


def test_figure_of_validity_shows_every_index(results):
  figure = drawn(choice_figures.validity, results)
  names = ('inertia', 'silhouette', 'calinski_harabasz', 'davies_bouldin')
  for axes, name in zip(figure.axes, names, strict=True):
    chosen, *lines = lines_of(axes)
    assert set(chosen[0]) == {4}
    for line, method in zip(lines, ('kmeans', 'fuzzy', 'gmm'), strict=True):
      own = [
        (row.k, codec.known(row.indices[name]))
        for row in results.validity.rows
        if row.method == method
      ]
      known = [pair for pair in own if pair[1] is not None]
      np.testing.assert_allclose(line.T, known)


def test_figure_of_components_marks_the_choice():
  results = example(sizes=(100, 300), components=True)
  figure = drawn(choice_figures.cv_by_components, results)
  for axes, size in zip(figure.axes, results.sizes, strict=True):
    lines = lines_of(axes)
    for t, fold in enumerate(size.folds):
      own = fold.cv_by_components
      curve, mode, mark = lines[3 * t : 3 * t + 3]
      np.testing.assert_allclose(
        curve[1], 100 * np.array(own.cv_minus_one.value)
      )
      np.testing.assert_allclose(mode[1], 100 * own.mode)
      np.testing.assert_allclose(mark[:, 0], [own.chosen, 100 * own.mode])


def test_labels_do_not_touch():
  wanted = np.array([0.5, 0.5, 0.52, 0.1, 0.51])
  heights = np.array([0.05, 0.05, 0.1, 0.05, 0.05])
  placed = labels.apart(wanted, heights)
  order = np.argsort(placed)
  gaps = np.diff(placed[order])
  assert (gaps >= (heights[order][1:] + heights[order][:-1]) / 2 - 1e-6).all()
  assert placed[3] == 0.1 and np.abs(placed - wanted).max() < 0.2

"""Tables and the page of a sample-size study on made-up results.

What the page says is in `snapshots/sample_size.txt`; here are its numbers.
"""

import csv
import dataclasses
import pathlib
import re

import pytest
from sample_size_results import HOSTILE
from sample_size_results import MODELS
from sample_size_results import VIEW
from sample_size_results import example
from sample_size_results import html_of
from sample_size_results import nulled
from sample_size_results import put
from sample_size_results import write
import snapshots

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.report import views
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Table
from heterojax.run import artifacts
from heterojax.run import atomic
from heterojax.run import run_folder
from heterojax.stats import metrics
from heterojax.studies import running
from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import page
from heterojax.studies.sample_size.pages import relation
from heterojax.studies.sample_size.pages import tables
from heterojax.studies.sample_size.records import Coinciding
from heterojax.studies.sample_size.records import Results

TABLES = (
  'figure2_metric_per_cluster',
  'figure3_cluster_sizes',
  'figure4_cv',
  'figure5_cv_vs_metric',
  'table1',
  'table2',
  'folds',
  'clusters',
  'validity',
  'shortcuts',
)
FIGURES = (
  'figure2_metric_per_cluster',
  'figure3_cluster_sizes',
  'figure4_cv',
  'figure5_cv_vs_metric',
  'validity',
)


def rows_of(folder: pathlib.Path, name: str) -> list[dict[str, str]]:
  with (folder / 'tables' / f'{name}.csv').open(newline='') as file:
    return list(csv.DictReader(file))


def number(text: str) -> float | None:
  return float(text) if text else None


def known(**estimates: object) -> dict[str, object]:
  """Name to value, None where it is missing."""
  return {name: codec.known(value) for name, value in estimates.items()}


def text_of(html: str) -> str:
  """Text without tags, with ordinary blanks."""
  return ' '.join(re.sub(r'<[^>]*>', ' ', html).split())


def section(html: str, start: str) -> str:
  """Part of the page, from a heading to the next section."""
  html = re.sub('<h2 id=[^>]*>', '<h2>', html)
  return text_of(html[html.index(start) :].split('</section>')[0])


@pytest.fixture(scope='module', params=sorted(MODELS))
def written(request, tmp_path_factory):
  folder = tmp_path_factory.mktemp(request.param)
  sizes = {
    'classification': (100, 300, 1464, 2928),
    'regression': (300, 700, 2837, 5674),
  }
  results = example(
    request.param,
    sizes[request.param],
    components=request.param == 'classification',
  )
  return folder, results, write(folder, results)


def cases() -> dict[str, Results]:
  """A result for everything that a page may have to say."""
  validated = example('regression', sizes=(300, 700), folds=2)
  validated = put(validated, 'sizes.*.folds.*.n_train', lambda n: n - 20)
  return {
    'classification, as in the paper, components chosen': example(
      sizes=(100, 300, 1464), folds=2, components=True
    ),
    'regression, validated': validated,
    'given features and predictions': example(
      sizes=(100, 300), k=3, given=True, method='gmm'
    ),
    'one size, one split, two clusters': example(
      sizes=(60,), k=2, folds=1, method='kmeans'
    ),
    'nothing estimable': nulled(example(sizes=(300, 700, 900), folds=2)),
  }


def test_the_page_says_what_was_reviewed() -> None:
  """Bodies of tables are left out: they are compared with the results."""
  text = ''
  for name, results in cases().items():
    html = re.sub(
      r'(?s)(</thead>\s*)<tbody>.*?</tbody>', r'\1', html_of(results)
    )
    text += f'=== {name}\n{snapshots.words(html)}'
  snapshots.check('sample_size', text)


def test_a_regression_is_asked_about_its_errors(written):
  _, results, html = written
  of_numbers = 'Does the model err more in a cluster?' in html
  assert of_numbers == (results.task == 'regression')


def test_all_files_are_there(written):
  folder, results, _ = written
  names = {str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file()}
  assert {f'tables/{name}.csv' for name in (*TABLES, 'fuzzifiers')} <= names
  for kind in ('png', 'svg'):
    assert {f'figures/{name}.{kind}' for name in FIGURES} <= names
  chosen = results.task == 'classification'
  assert ('tables/components.csv' in names) == chosen
  assert ('figures/cv_by_components.svg' in names) == chosen
  assert not [name for name in names if name.startswith('.')]


def test_report_loads_nothing_and_runs_nothing(written):
  html, scripts = re.subn('(?s)<script>.*?</script>', '', written[2])
  assert scripts == 1 and '<script' not in html
  html = re.sub('data:[^"]*', 'data:', html)
  links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\'\s>)]+)', html)
  assert links and all(link.startswith(('data:', '#')) for link in links)
  assert not re.search(r'\b(nan|None|inf|Missing|Partly)\b', text_of(html))


@pytest.mark.slow
def test_drawn_again_from_its_folder_it_has_the_same_bytes(written, tmp_path):
  folder, results, _ = written
  write(tmp_path, results)
  atomic.write(
    tmp_path / 'results.json', run_folder.to_json(codec.encode(results))
  )
  views.save(tmp_path, VIEW)
  artifacts.seal(tmp_path)
  for path in (tmp_path / 'report.html', *tmp_path.glob('figures/*')):
    path.unlink()
  running.draw_again(tmp_path)
  for path in folder.rglob('*'):
    if path.is_file():
      again = tmp_path / path.relative_to(folder)
      assert path.read_bytes() == again.read_bytes(), path


@pytest.mark.slow
def test_names_from_outside_are_escaped(tmp_path):
  labels = (f'{HOSTILE} & $x$', '" onload="x')
  results = example(sizes=(100, 300), name=HOSTILE, labels=labels)
  results = put(results, 'findings', (f'{HOSTILE} was found.',))
  html = write(tmp_path, results)
  assert html.count('<script') == 1  # The page's own.
  assert '" onload="' not in html
  # Name, class, note, reason and finding.
  assert html.count('&lt;script&gt;') >= 8
  assert '&lt;script&gt;alert(1)&lt;/script&gt; was found.' in html
  for path in (tmp_path / 'figures').glob('*.svg'):
    assert '<script' not in path.read_text()


def test_table_of_sizes_is_that_of_the_results(written):
  folder, results, html = written
  shown = section(html, '<h2>Figure 4.')
  for row, size in zip(
    rows_of(folder, 'figure4_cv'), results.sizes, strict=True
  ):
    assert int(row['n']) == size.n
    expected = known(
      metric=size.metric_mean,
      n_test=size.n_test,
      baseline=size.baseline,
      mean_of_cvs=size.mean_of_cvs,
      cv_of_means=size.cv_of_means,
      cv_expected=size.cv_expected,
      cv_p_value=size.cv_p_value,
      cv_corrected=size.cv_corrected,
      band_draws=size.band_draws,
      band_stays=size.band_stays,
      adjusted_rand=size.adjusted_rand,
      sd_over_trainings=size.training_spread.cv_std,
    )
    assert {name: number(row[name]) for name in expected} == expected
    ends = (number(row['cv_band_low']), number(row['cv_band_high']))
    assert ends == size.cv_band
    assert (row['band'], row['against_chance']) == (size.band, size.position)
    assert row['band_unit'] == size.band_unit
    cells = (
      f'{size.baseline:.3f} {size.metric_mean:.3f}'
      f' {100 * size.mean_of_cvs:.1f}% {100 * size.cv_of_means:.1f}%'
      f' {100 * size.cv_expected:.1f}%'
      f' {100 * ends[0]:.1f}%–{100 * ends[1]:.1f}%'
      f' {size.cv_p_value:.3f}'
      f' {100 * size.cv_corrected:.1f}% {size.band} {size.position}'
    )
    assert cells in shown


def test_table_of_folds_is_that_of_the_results(written):
  folder, results, html = written
  rows = iter(rows_of(folder, 'folds'))
  shown = section(html, '<h3>Every fold')
  for size in results.sizes:
    for t, fold in enumerate(size.folds):
      row, spread = next(rows), fold.training_spread
      assert (int(row['n']), int(row['fold'])) == (size.n, t)
      expected = known(
        n_train=fold.n_train,
        n_test=fold.n_test,
        metric=fold.metric,
        baseline=fold.baseline,
        cv=fold.cv,
        cv_of_means=fold.cv_of_means,
        cv_expected=fold.cv_expected,
        cv_corrected=fold.cv_corrected,
        adjusted_rand=fold.adjusted_rand,
        n_components=fold.n_components,
        explained_variance=fold.explained_variance,
        cv_sd=spread.cv_std,
        cv_min=spread.cv_min,
        cv_max=spread.cv_max,
      )
      expected |= {
        name: fold.scores.value(name) for name in metrics.names(results.task)
      }
      assert {name: number(row[name]) for name in expected} == expected
      assert (
        f'{100 * fold.cv:.1f}% {100 * spread.cv_min:.1f}%–'
        f'{100 * spread.cv_max:.1f}% sd {100 * spread.cv_std:.1f}%'
      ) in shown
  assert next(rows, None) is None


def test_table_of_clusters_is_that_of_the_results(written):
  folder, results, html = written
  shown = section(html, '<h2>Figure 2.')
  rows = iter(rows_of(folder, 'clusters'))
  for size in results.sizes:
    for t, fold in enumerate(size.folds):
      for c in range(4):
        row = next(rows)
        place = (int(row['n']), int(row['fold']), int(row['cluster']))
        assert place == (size.n, t, c)
        spread = fold.training_spread.cluster_metric_std.value[c]
        expected = {
          'metric': fold.cluster_metric.value[c],
          'n_test': fold.cluster_n_test[c],
          'size': fold.cluster_size[c],
          'jaccard': fold.jaccard.value[c],
          'metric_sd_over_trainings': spread,
        }
        assert {name: number(row[name]) for name in expected} == expected
        if row['metric']:
          n = f'{fold.cluster_n_test[c]:.0f}'
          assert f'{fold.cluster_metric.value[c]:.3f} n = {n}' in shown
        else:
          assert row['reason'] == 'metric not estimable: no test image'
          assert row['empty_in_trainings'] == '10'
  assert 'fold 0: cluster 3 in 10 of 10 trainings.' in shown
  assert 'not estimable: no test image' in shown


def test_tables_of_figures_2_and_3(written):
  folder, results, _ = written
  two = rows_of(folder, 'figure2_metric_per_cluster')
  three = rows_of(folder, 'figure3_cluster_sizes')
  for size, metric, share in zip(results.sizes, two, three, strict=True):
    assert int(metric['n']) == int(share['n']) == size.n
    assert number(metric['all']) == size.metric_mean
    assert number(metric['baseline']) == size.baseline
    for c in range(4):
      name = f'cluster_{c}'
      assert number(metric[name]) == size.cluster_metric_mean.value[c]
      assert number(share[name]) == size.cluster_size_mean[c]


def test_distances_stand_beside_the_papers(written):
  folder, results, html = written
  found = {
    (r['source'], r['kind'], int(r['n']), int(r['a']), int(r['b'])): float(
      r['distance']
    )
    for r in rows_of(folder, 'table1')
  }
  assert len(found) == 2 * 2 * 4 * 6
  both = (
    ('this run', results.sizes),
    ('published', results.published.sizes),
  )
  for source, sizes in both:
    for size in sizes:
      for kind in distances.KINDS:
        for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
          own = found[source, kind.name, size.n, a, b]
          assert own == kind.of(size).value[a][b]
  first, last = results.sizes[0].n, results.sizes[-1].n
  # Table 1 of the paper, pair 2-3 of its smallest and largest size.
  printed = {100: (10.05, 12.38), 300: (5.96, 11.65)}[first]
  pair = (2, 3)
  assert found['published', 'centroid', first, *pair] == printed[0]
  assert found['published', 'centroid', last, *pair] == printed[1]
  row = [
    size.centroid_distances.value[2][3] for _, sizes in both for size in sizes
  ]
  shown = section(html, '<h2>Tables 1 and 2')
  assert ' '.join(['2–3', *(f'{d:.2f}' for d in row)]) in shown


def test_table_2_stands_beside_the_papers(written):
  folder, results, html = written
  rows = iter(rows_of(folder, 'table2'))
  for sizes in (results.sizes, results.published.sizes):
    for size in sizes:
      for own in size.to_centroid:
        row = next(rows)
        assert int(row['n']) == size.n
        for name in ('cluster', 'min', 'max', 'mean', 'std'):
          assert number(row[name]) == getattr(own, name)
  assert next(rows, None) is None
  papers = results.published.sizes[1].to_centroid[2]
  cells = (
    f'{papers.min:.2f} {papers.max:.2f} {papers.mean:.2f} {papers.std:.2f}'
  )
  # Its own 4.50, 22.25, 13.50 and 5.125 in the same row.
  shown = section(html, '<h2>Tables 1 and 2')
  assert f'2 4.50 22.25 13.50 5.12 {cells}' in shown


def test_sizes_that_are_not_the_papers_stand_apart():
  results = example(sizes=(60, 100))
  rows = distances.to_centroid(results)
  assert [r[:2] for r in rows] == [
    (n, c) for n in (60, 100, 300, 1464, 2928) for c in range(4)
  ]
  assert [(own is None, papers is None) for _, _, own, papers in rows[::4]] == [
    (False, True),
    (False, False),
    (True, False),
    (True, False),
    (True, False),
  ]
  shown = section(html_of(results), '<h2>Tables 1')
  assert '0 – – – – 4.42 29.84 11.67 3.48' in shown


def test_predictions_both_ways(written):
  folder, results, html = written
  found, rows = results.cv_vs_metric, rows_of(folder, 'figure5_cv_vs_metric')
  by_what = {(row['source'], row['what']): row for row in rows}
  value = lambda source, what: number(by_what[source, what]['value'])
  assert value('this run', 'pearson') == found.pearson
  assert value('this run', 'spearman') == found.spearman
  assert value('this run', 'fit_cv slope') == found.fit_cv.slope
  papers = {'accuracy': -0.9871, 'one_minus_nrmse': -0.9832}
  assert value('published', 'pearson') == papers[results.metric]
  shown = section(html, '<h2>Figure 5.')
  for predicted, given in (
    (found.metric_given_cv, 'cv'),
    (found.cv_given_metric, 'metric'),
  ):
    own = [r for r in rows if r['what'] == f'prediction from the {given}']
    for row, expected in zip(own, predicted, strict=True):
      assert number(row['cv']) == expected.cv
      assert number(row['metric']) == expected.metric
      assert (number(row['low']), number(row['high'])) == expected.interval
      assert bool(row['reason']) == expected.extrapolated
  low, high = found.metric_given_cv[0].interval
  ends = f'{low:.3f} to {high:.3f}'.replace('-', '−')
  assert ends in shown
  assert found.warning in section(html, '<h2>What was found')


def test_validity_and_fuzzifiers_are_those_of_the_results(written):
  folder, results, html = written
  rows = rows_of(folder, 'validity')
  for row, own in zip(rows, results.validity.rows, strict=True):
    assert (row['method'], int(row['k'])) == (own.method, own.k)
    for name, value in own.indices.items():
      assert number(row[name]) == codec.known(value)
    assert tuple(map(int, row['sizes'].split())) == own.sizes
  assert rows[-1]['reason'] == 'silhouette not estimable: one cluster is empty'
  own = iter(rows_of(folder, 'fuzzifiers'))
  for size in results.sizes:
    for expected in size.fuzzifiers:
      row = next(own)
      assert number(row['fuzzifier']) == expected.fuzzifier
      assert number(row['mean_of_cvs']) == expected.mean_of_cvs
      assert number(row['cv_of_means']) == expected.cv_of_means
      sizes = [number(row[f'size_of_largest_{i}']) for i in (1, 2, 3, 4)]
      assert sizes == sorted(expected.cluster_size_mean)[::-1]
  assert '2 (this run)' in section(html, '<h3>Other fuzzifiers')


@pytest.mark.slow
def test_components_are_those_of_the_results(tmp_path):
  results = example(sizes=(100, 300), components=True)
  html = write(tmp_path, results)
  fold = results.sizes[1].folds[2].cv_by_components
  rows = [
    row
    for row in rows_of(tmp_path, 'components')
    if (row['n'], row['fold']) == ('300', '2')
  ]
  assert [int(row['n_components']) for row in rows] == list(range(1, 71))
  assert tuple(number(row['cv']) for row in rows) == fold.cv.value
  minus_one = tuple(number(row['cv_minus_one']) for row in rows)
  assert minus_one == fold.cv_minus_one.value
  (chosen,) = [row for row in rows if row['chosen'] == 'true']
  assert int(chosen['n_components']) == fold.chosen > 1
  honest = fold.cv.value[fold.chosen - 1]
  assert (
    f'{100 * fold.mode:.1f}% {fold.frequency} of 70 {fold.chosen}'
    f' {100 * honest:.1f}%'
  ) in section(html, '<h2>The number of components')


@pytest.mark.slow
@pytest.mark.parametrize('task', sorted(MODELS))
def test_nothing_estimable_says_why_everywhere(tmp_path, task):
  results = nulled(example(task, sizes=(300, 700, 900), components=True))
  html = write(tmp_path, results)
  assert html.count('not estimable: this is made up') > 20
  assert not re.search(r'\b(nan|None|inf|Missing|Partly)\b', text_of(html))
  for name in TABLES:
    for row in rows_of(tmp_path, name):
      assert not {'nan', 'None'} & set(row.values())
  row = rows_of(tmp_path, 'figure4_cv')[0]
  assert row['mean_of_cvs'] == row['cv_band_low'] == row['against_chance'] == ''
  assert 'mean_of_cvs not estimable: this is made up' in row['reason']


@pytest.mark.slow
def test_reasons_are_those_of_the_results(tmp_path):
  results = example(sizes=(300, 700, 900))
  without = lambda place: (
    lambda own: tuple(
      None if i == place else value for i, value in enumerate(own)
    )
  )
  for path, place, why in (
    ('cluster_metric_mean', 2, 'all targets are one'),
    ('folds.1.cluster_metric', 2, 'these targets are one'),
  ):
    results = put(
      results,
      f'sizes.0.{path}',
      lambda own, place=place, why=why: Partly(without(place)(own.value), why),
    )
  results = put(
    results,
    'sizes.0.closest_point_distances',
    lambda own: Partly(
      (without(1)(own.value[0]), *own.value[1:]), 'a cluster is empty'
    ),
  )
  assert results.sizes[0].folds[1].cluster_n_test[2]
  html = write(tmp_path, results)
  (row,) = (
    row
    for row in rows_of(tmp_path, 'clusters')
    if (row['n'], row['fold'], row['cluster']) == ('300', '1', '2')
  )
  why = 'not estimable: these targets are one'
  assert row['reason'] == f'metric {why}' and why in html
  row = rows_of(tmp_path, 'figure2_metric_per_cluster')[0]
  assert row['reason'] == 'cluster_2 not estimable: all targets are one'
  assert 'not estimable: all targets are one' in html
  reasons = {row['reason'] for row in rows_of(tmp_path, 'table1')}
  assert reasons == {'', 'not estimable: a cluster is empty'}


@pytest.mark.slow
@pytest.mark.parametrize(
  'options',
  [
    {'sizes': (60,), 'k': 2, 'folds': 1, 'method': 'kmeans'},
    {'sizes': (60,), 'k': 3, 'folds': 2, 'task': 'regression'},
    {'sizes': (100, 300), 'k': 2},
    {
      'sizes': (100, 150, 200, 300, 500, 800, 1000),
      'k': 10,
      'method': 'gmm',
      'given': True,
    },
  ],
)
def test_any_design(tmp_path, options):
  results = example(**options)
  html = write(tmp_path, results)
  k, sizes = options['k'], options['sizes']
  assert len(rows_of(tmp_path, 'table2')) == k * len(sizes)
  assert len(rows_of(tmp_path, 'table1')) == k * (k - 1) * len(sizes)
  fuzzy = options.get('method', 'fuzzy') == 'fuzzy'
  assert (tmp_path / 'tables' / 'fuzzifiers.csv').exists() == fuzzy
  shown = section(html, '<h2>Figure 5.')
  if len(sizes) < 3:
    assert results.cv_vs_metric.fit.why in shown
    assert not relation.predictions(results)
  assert 'Mendez (2019)' not in section(html, '<h2>Tables 1 and 2')
  facts = dict(page.page(results, None, VIEW, []).facts)
  assert ('features' in facts) == results.backbone.given
  assert ('network' in facts) != results.backbone.given


@pytest.mark.slow
@pytest.mark.parametrize('task', sorted(MODELS))
def test_given_features_are_of_samples_not_of_images(tmp_path, task):
  options = {'task': task, 'sizes': (100, 300), 'name': 'made up'}
  results = example(**options, given=True)
  # Nothing was computed per image, and a reason is the study's own.
  results = put(results, 'timings', {'heads': {'seconds': 1.0}})
  pixels = {'identical_pixels': Missing('there are none')}
  results = put(results, 'leaks', lambda own: own | pixels)
  # The answer's sentences are tested with those of both studies.
  results = dataclasses.replace(results, verdict=None)
  html = write(tmp_path, results)
  body = re.sub(r'(src|href)="[^"]*"', '', html[html.index('<body>') :])
  body = re.sub(r'(?s)<script>.*</script>', '', body)
  assert not re.search(r'\bimages?\b', body, re.IGNORECASE)
  assert 'Test samples' in text_of(body) and 'test samples' in text_of(body)
  for path in (tmp_path / 'tables').iterdir():
    # What was exchanged is image or patient, whatever an image is.
    assert 'image' not in path.read_text().replace(',image,', ','), path
  html = html_of(example(**options))
  shown = section(html, '<h2>Figure 4')
  assert not re.search(r'\bsamples?\b(?! sizes?)', shown)
  assert 'test images' in text_of(html)


def test_validation_has_a_column_where_there_is_such_a_part():
  results = example(sizes=(100, 300))
  heads = lambda table: [column.head for column in table.heads]
  assert 'Validation' not in heads(tables.folds(results))
  results = put(results, 'sizes.1.folds.2.n_train', lambda n: n - 17)
  assert heads(tables.folds(results))[2:5] == ['Training', 'Validation', 'Test']
  fold = results.sizes[1].folds[2]
  shown = section(html_of(results), '<h3>Every')
  assert f'2 {fold.n_train} 17 {fold.n_test} 0.550' in shown


def test_a_head_stands_in_the_file_or_the_page_from_one_place(written):
  _, results, html = written
  table = tables.figure4_cv(results)
  assert table.csv().split('\n')[0].split(',') == [
    column.key for column in table.columns if column.key
  ]
  for column in table.heads:
    assert f'>{column.head}</th>' in html


def test_coinciding_centroids_are_told_once_beside_what_the_study_says():
  results = example(sizes=(100, 300))
  results = put(results, 'findings', ('Another caution.',))
  results = put(
    results, 'sizes.1.folds.0.coinciding', (Coinciding((0, 1), 10),)
  )
  shown = section(html_of(results), '<h2>What was found')
  assert shown.count('entroids coincide in') == 1
  assert 'Another caution.' in shown


def test_the_spread_over_trainings_is_shown_where_there_is_one():
  results = example(sizes=(100,))
  fold = results.sizes[0].folds[1]
  own = f'sd {100 * fold.training_spread.cv_std:.1f}%'
  assert own in section(html_of(results), '<h3>Every fold')
  for name, value in (('min', fold.cv), ('max', fold.cv), ('std', 0.0)):
    path = f'sizes.0.folds.1.training_spread.cv_{name}'
    results = put(results, path, value)
  shown = section(html_of(results), '<h3>Every fold')
  assert own not in shown and f'{100 * fold.cv:.1f}%–' not in shown


def test_early_stopping_on_the_test_set_is_a_limit():
  results = example(sizes=(100, 300))
  limits = lambda own: html_of(own).split('>Limits</h2>')[1].count('<li>')
  kept = put(results, 'sizes.*.folds.*.n_train', lambda n: n - 5)
  assert limits(results) == limits(kept) + 1


def test_metrics_are_not_said_to_be_missing():
  rows = html_of(example()).split('Reporting checklists</')[-1].split('<tr')
  (row,) = (row for row in rows if 'metrics of performance' in row)
  assert 'nothing in this report' not in row and 'Figure 2' in row


def test_one_fold_shares_nothing_with_others():
  results = example(sizes=(100, 300))
  one = put(results, 'sizes.*.folds', lambda folds: folds[:1])
  limits = lambda own: html_of(own).split('>Limits</h2>')[1]
  assert 'Folds share training' in limits(results)
  assert 'Folds share' not in limits(one)
  assert 'Sizes may share images: they are' in limits(one)


def test_where_patients_are_exchanged_the_band_is_approximate():
  results = example(sizes=(100,))
  patients = put(results, 'sizes.0.band_unit', 'patient')
  said = 'images of a patient are more alike in one cluster than in two'
  assert said not in html_of(results) and said in html_of(patients)


def test_audits_are_of_the_largest_size():
  results = example(sizes=(100, 300))
  html = html_of(results)
  data, found = section(html, '<h2>Data'), section(html, '<h2>What was found')
  tested = sum(fold.n_test for fold in results.sizes[1].folds)
  for shown in (data, found):
    assert f'2 of {tested} test images' in shown and 'scanner' in shown
  older = put(put(results, 'leaks', None), 'shortcuts', None)
  made = page.page(older, None, VIEW, [])
  blocks = [block for part in made.sections for block in part.blocks]
  anchors = {block.anchor for block in blocks if isinstance(block, Heading)}
  assert not anchors & {'leaks', 'shortcuts'}
  names = {block.name for block in blocks if isinstance(block, Table)}
  assert 'shortcuts' not in names
  warned = [
    b for b in blocks if isinstance(b, Paragraph) and b.style == 'warning'
  ]
  assert len(warned) == 1


def test_values_of_a_column_in_each_cluster_come_from_the_manifest(tmp_path):
  results = put(example(sizes=(100, 300)), 'shortcuts.0.with_cluster', 0.9)
  html = write(tmp_path, results)
  # The audited images are of one scanner in cluster 0, of the other in 1.
  assert '100% of cluster 1 and 0% of cluster 0' in section(html, '<h2>Data')

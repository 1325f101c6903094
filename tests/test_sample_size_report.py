"""Tables and the page of a sample-size study on made-up results."""

import collections
import csv
import pathlib
import re

import pytest
import sample_size_results
from sample_size_results import HOSTILE
from sample_size_results import MODELS
from sample_size_results import example
from sample_size_results import write

from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import page
from heterojax.studies.sample_size.pages import tables

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
)
FIGURES = (
  'figure2_metric_per_cluster',
  'figure3_cluster_sizes',
  'figure4_cv',
  'figure5_cv_vs_metric',
  'validity',
)


def page_of(folder: pathlib.Path, results: dict) -> str:
  """The page of other results, without figures."""
  return page.render(folder, results, collections.defaultdict(bytes))


def rows_of(folder: pathlib.Path, name: str) -> list[dict[str, str]]:
  with (folder / 'tables' / f'{name}.csv').open(newline='') as file:
    return list(csv.DictReader(file))


def number(text: str) -> float | None:
  return float(text) if text else None


def text_of(html: str) -> str:
  """Text without tags, with ordinary blanks."""
  return ' '.join(re.sub(r'<[^>]*>', ' ', html).split())


def section(html: str, start: str) -> str:
  """Of the page, from a heading to the next section."""
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


def test_all_files_are_there(written):
  folder, results, _ = written
  names = {str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file()}
  assert {f'tables/{name}.csv' for name in (*TABLES, 'fuzzifiers')} <= names
  for kind in ('png', 'svg'):
    assert {f'figures/{name}.{kind}' for name in FIGURES} <= names
  chosen = results['task'] == 'classification'
  assert ('tables/components.csv' in names) == chosen
  assert ('figures/cv_by_components.svg' in names) == chosen
  assert not [name for name in names if name.startswith('.')]


def test_report_loads_nothing_and_runs_nothing(written):
  html = written[2]
  assert '<script' not in html
  links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\'\s>)]+)', html)
  assert links and all(link.startswith(('data:', '#')) for link in links)
  assert not re.search(r'\b(nan|None|inf)\b', text_of(html))


def test_the_same_results_give_the_same_bytes(written, tmp_path):
  folder, results, _ = written
  write(tmp_path, results)
  for path in folder.rglob('*'):
    if path.is_file():
      again = tmp_path / path.relative_to(folder)
      assert path.read_bytes() == again.read_bytes(), path


def test_names_from_outside_are_escaped(tmp_path):
  labels = (f'{HOSTILE} & $x$', '" onload="x')
  results = example(sizes=(100, 300), name=HOSTILE, labels=labels)
  results['findings'] = [f'{HOSTILE} was found.']
  html = write(tmp_path, results)
  assert '<script' not in html and '" onload="' not in html
  # Name, class, note, reason and finding.
  assert html.count('&lt;script&gt;') >= 8
  assert '&lt;script&gt;alert(1)&lt;/script&gt; was found.' in html
  for path in (tmp_path / 'figures').glob('*.svg'):
    assert '<script' not in path.read_text()


def test_table_of_sizes_is_that_of_the_results(written):
  folder, results, html = written
  shown = section(html, '<h2>Figure 4.')
  for row, size in zip(
    rows_of(folder, 'figure4_cv'), results['sizes'], strict=True
  ):
    assert int(row['n']) == size['n']
    assert number(row['metric']) == size['metric_mean']
    for name in (
      'n_test',
      'baseline',
      'mean_of_cvs',
      'cv_of_means',
      'cv_expected',
      'cv_corrected',
      'adjusted_rand',
    ):
      assert number(row[name]) == size[name]
    ends = [number(row['cv_band_low']), number(row['cv_band_high'])]
    assert ends == size['cv_band']
    assert row['band'] == size['band']
    assert number(row['sd_over_trainings']) == size['training_spread']['cv_std']
    cells = (
      f'{size["metric_mean"]:.3f} {size["baseline"]:.3f}'
      f' {100 * size["mean_of_cvs"]:.1f}% {size["band"]}'
      f' {100 * size["cv_expected"]:.1f}%'
      f' {100 * ends[0]:.1f}%–{100 * ends[1]:.1f}%'
      f' {row["against_chance"]} {100 * size["cv_corrected"]:.1f}%'
      f' {100 * size["cv_of_means"]:.1f}%'
    )
    assert cells in shown


def test_table_of_folds_is_that_of_the_results(written):
  folder, results, html = written
  rows = iter(rows_of(folder, 'folds'))
  shown = section(html, '<h3>Every fold')
  for size in results['sizes']:
    for t, fold in enumerate(size['folds']):
      row = next(rows)
      assert (int(row['n']), int(row['fold'])) == (size['n'], t)
      for name in (
        'n_train',
        'n_test',
        'metric',
        'baseline',
        'cv',
        'cv_of_means',
        'cv_expected',
        'cv_corrected',
        'adjusted_rand',
        'n_components',
        'explained_variance',
      ):
        assert number(row[name]) == fold[name], name
      for column, name in (
        ('cv_sd', 'cv_std'),
        ('cv_min', 'cv_min'),
        ('cv_max', 'cv_max'),
      ):
        assert number(row[column]) == fold['training_spread'][name]
      for name in tables.score_names(results):
        assert number(row[name]) == fold['scores'][name], name
      spread = fold['training_spread']
      assert (
        f'{100 * fold["cv"]:.1f}% {100 * spread["cv_min"]:.1f}%–'
        f'{100 * spread["cv_max"]:.1f}% sd {100 * spread["cv_std"]:.1f}%'
      ) in shown
  assert next(rows, None) is None


def test_table_of_clusters_is_that_of_the_results(written):
  folder, results, html = written
  shown = section(html, '<h2>Figure 2.')
  rows = iter(rows_of(folder, 'clusters'))
  for size in results['sizes']:
    for t, fold in enumerate(size['folds']):
      for c in range(4):
        row = next(rows)
        place = (int(row['n']), int(row['fold']), int(row['cluster']))
        assert place == (size['n'], t, c)
        assert number(row['metric']) == fold['cluster_metric'][c]
        assert number(row['n_test']) == fold['cluster_n_test'][c]
        assert number(row['size']) == fold['cluster_size'][c]
        assert number(row['jaccard']) == fold['jaccard'][c]
        spread = fold['training_spread']['cluster_metric_std'][c]
        assert number(row['metric_sd_over_trainings']) == spread
        if row['metric']:
          n = f'{fold["cluster_n_test"][c]:.0f}'
          assert f'{fold["cluster_metric"][c]:.3f} n = {n}' in shown
        else:
          assert row['reason'] == 'metric not estimable: no test image'
          assert row['empty_in_trainings'] == '10'
  assert 'fold 0: cluster 3 in 10 of 10 trainings.' in shown
  assert 'not estimable: no test image' in shown


def test_tables_of_figures_2_and_3(written):
  folder, results, _ = written
  two = rows_of(folder, 'figure2_metric_per_cluster')
  three = rows_of(folder, 'figure3_cluster_sizes')
  for size, metric, share in zip(results['sizes'], two, three, strict=True):
    assert int(metric['n']) == int(share['n']) == size['n']
    assert number(metric['all']) == size['metric_mean']
    assert number(metric['baseline']) == size['baseline']
    for c in range(4):
      name = f'cluster_{c}'
      assert number(metric[name]) == size['cluster_metric_mean'][c]
      assert number(share[name]) == size['cluster_size_mean'][c]


def test_distances_stand_beside_the_papers(written):
  folder, results, html = written
  found = {
    (r['source'], r['kind'], int(r['n']), int(r['a']), int(r['b'])): float(
      r['distance']
    )
    for r in rows_of(folder, 'table1')
  }
  assert len(found) == 2 * 2 * 4 * 6
  for source, sizes in (
    ('this run', results['sizes']),
    ('published', results['published']['sizes']),
  ):
    for size in sizes:
      for name, kind in distances.KINDS.items():
        for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
          assert found[source, kind, size['n'], a, b] == size[name][a][b]
  first, last = results['sizes'][0]['n'], results['sizes'][-1]['n']
  # Table 1 of the paper, pair 2-3 of its smallest and largest size.
  printed = {100: (10.05, 12.38), 300: (5.96, 11.65)}[first]
  pair = (2, 3)
  assert found['published', 'centroid', first, *pair] == printed[0]
  assert found['published', 'centroid', last, *pair] == printed[1]
  row = [results['sizes'][s]['centroid_distances'][2][3] for s in range(4)]
  row += [s['centroid_distances'][2][3] for s in results['published']['sizes']]
  shown = section(html, '<h2>Tables 1 and 2')
  assert ' '.join(['2–3', *(f'{d:.2f}' for d in row)]) in shown
  assert 'only ranges compare' in shown


def test_table_2_stands_beside_the_papers(written):
  folder, results, html = written
  rows = iter(rows_of(folder, 'table2'))
  for sizes in (results['sizes'], results['published']['sizes']):
    for size in sizes:
      for own in size['to_centroid']:
        row = next(rows)
        assert int(row['n']) == size['n']
        for name in ('cluster', 'min', 'max', 'mean', 'std'):
          assert number(row[name]) == own[name]
  assert next(rows, None) is None
  papers = results['published']['sizes'][1]['to_centroid'][2]
  cells = [f'{papers[name]:.2f}' for name in ('min', 'max', 'mean', 'std')]
  # Its own 4.50, 22.25, 13.50 and 5.125 in the same row.
  shown = section(html, '<h2>Tables 1 and 2')
  assert f'2 4.50 22.25 13.50 5.12 {" ".join(cells)}' in shown


def test_sizes_that_are_not_the_papers_stand_apart(tmp_path):
  results = example(sizes=(60, 100))
  html = page_of(tmp_path, results)
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
  assert '0 – – – – 4.42 29.84 11.67 3.48' in section(html, '<h2>Tables 1')


def test_predictions_both_ways(written):
  folder, results, html = written
  found, rows = results['cv_vs_metric'], rows_of(folder, 'figure5_cv_vs_metric')
  by_what = {(row['source'], row['what']): row for row in rows}
  assert number(by_what['this run', 'pearson']['value']) == found['pearson']
  assert number(by_what['this run', 'spearman']['value']) == found['spearman']
  slope = by_what['this run', 'fit_cv slope']['value']
  assert number(slope) == found['fit_cv']['slope']
  papers = {'accuracy': -0.9871, 'one_minus_nrmse': -0.9832}
  printed = by_what['published', 'pearson']['value']
  assert number(printed) == papers[results['metric']]
  shown = section(html, '<h2>Figure 5.')
  for name, given in (('metric_given_cv', 'cv'), ('cv_given_metric', 'metric')):
    own = [r for r in rows if r['what'] == f'prediction from the {given}']
    for row, expected in zip(own, found[name], strict=True):
      assert number(row['cv']) == expected['cv']
      assert number(row['metric']) == expected['metric']
      assert [number(row['low']), number(row['high'])] == expected['interval']
      assert bool(row['reason']) == expected['extrapolated']
  low, high = found['metric_given_cv'][0]['interval']
  ends = f'{low:.3f} to {high:.3f}'.replace('-', '−')
  assert ends in shown
  assert found['warning'] in shown and 'carry little' in shown


def test_validity_and_fuzzifiers_are_those_of_the_results(written):
  folder, results, html = written
  rows = rows_of(folder, 'validity')
  for row, own in zip(rows, results['validity']['rows'], strict=True):
    assert (row['method'], int(row['k'])) == (own['method'], own['k'])
    for name in (
      'inertia',
      'silhouette',
      'calinski_harabasz',
      'davies_bouldin',
    ):
      assert number(row[name]) == own[name]
    assert [int(n) for n in row['sizes'].split()] == own['sizes']
  assert rows[-1]['reason'] == (
    'silhouette not estimable: one cluster is empty'
  )
  own = iter(rows_of(folder, 'fuzzifiers'))
  for size in results['sizes']:
    for expected in size['fuzzifiers']:
      row = next(own)
      assert number(row['fuzzifier']) == expected['fuzzifier']
      assert number(row['mean_of_cvs']) == expected['mean_of_cvs']
      assert number(row['cv_of_means']) == expected['cv_of_means']
      sizes = [number(row[f'size_of_largest_{i}']) for i in (1, 2, 3, 4)]
      assert sizes == sorted(expected['cluster_size_mean'])[::-1]
  assert '2 (this run)' in section(html, '<h3>Other fuzzifiers')


def test_components_are_those_of_the_results(tmp_path):
  results = example(sizes=(100, 300), components=True)
  html = page_of(tmp_path, results)
  (tmp_path / 'tables').mkdir()
  text = tables.files(results)['components.csv']
  (tmp_path / 'tables' / 'components.csv').write_text(text)
  fold = results['sizes'][1]['folds'][2]['cv_by_components']
  rows = [
    row
    for row in rows_of(tmp_path, 'components')
    if (row['n'], row['fold']) == ('300', '2')
  ]
  assert [int(row['n_components']) for row in rows] == list(range(1, 71))
  assert [number(row['cv']) for row in rows] == fold['cv']
  assert [number(row['cv_minus_one']) for row in rows] == fold['cv_minus_one']
  (chosen,) = [row for row in rows if row['chosen'] == 'true']
  assert int(chosen['n_components']) == fold['chosen'] > 1
  honest = fold['cv'][fold['chosen'] - 1]
  assert (
    f'{100 * fold["mode"]:.1f}% {fold["frequency"]} of 70 {fold["chosen"]}'
    f' {100 * honest:.1f}%'
  ) in section(html, '<h2>The number of components')


@pytest.mark.parametrize('task', sorted(MODELS))
def test_nothing_estimable_says_why_everywhere(tmp_path, task):
  results = sample_size_results.nulled(
    example(task, sizes=(300, 700, 900), components=True)
  )
  html = write(tmp_path, results)
  assert html.count('not estimable: this is made up') > 20
  assert not re.search(r'\b(nan|None|inf)\b', text_of(html))
  for name in TABLES:
    for row in rows_of(tmp_path, name):
      assert 'nan' not in row.values()
  row = rows_of(tmp_path, 'figure4_cv')[0]
  assert row['mean_of_cvs'] == row['cv_band_low'] == row['against_chance'] == ''
  assert 'mean_of_cvs not estimable: this is made up' in row['reason']


def test_reasons_are_those_of_the_results(tmp_path):
  results = example(sizes=(300, 700, 900))
  size = results['sizes'][0]
  size['cluster_metric_mean'][2] = None
  size['cluster_metric_mean_why'] = 'all targets are one'
  size['closest_point_distances'][0][1] = None
  size['closest_point_distances_why'] = 'a cluster is empty'
  fold = size['folds'][1]
  fold['cluster_metric'][2] = None
  fold['cluster_metric_why'] = 'these targets are one'
  assert fold['cluster_n_test'][2]
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
  if len(sizes) < 3:
    assert 'fewer than three sizes' in section(html, '<h2>Figure 5.')
  assert 'Mendez (2019)' not in section(html, '<h2>Tables 1 and 2')
  if options.get('given'):
    assert 'given, 512 numbers' in html
    assert 'The features were given' in html


@pytest.mark.parametrize('task', sorted(MODELS))
def test_given_features_are_of_samples_not_of_images(tmp_path, task):
  options = {'task': task, 'sizes': (100, 300), 'name': 'made up'}
  results = example(**options, given=True)
  # Nothing was computed per image, and a reason is the study's own.
  del results['timings']['features']
  for fold in (f for size in results['sizes'] for f in size['folds']):
    fold['scores']['sensitivity_why'] = 'none is of the class'
  html = write(tmp_path, results)
  body = re.sub(r'src="[^"]*"', '', html[html.index('<body>') :])
  assert not re.search(r'\bimages?\b', body, re.IGNORECASE)
  assert 'Test samples' in text_of(body) and 'test samples' in text_of(body)
  for path in (tmp_path / 'tables').iterdir():
    assert 'image' not in path.read_text(), path
  own = tmp_path / 'own'
  own.mkdir()
  html = write(own, example(**options))
  shown = section(html, '<h2>Figure 4')
  assert not re.search(r'\bsamples?\b(?! sizes?)', shown)
  assert 'test images' in text_of(html)


def test_validation_has_a_column_where_there_is_such_a_part(tmp_path):
  results = example(sizes=(100, 300))
  assert 'Validation' not in section(page_of(tmp_path, results), '<h3>Every')
  fold = results['sizes'][1]['folds'][2]
  fold['n_train'] -= 17
  shown = section(page_of(tmp_path, results), '<h3>Every')
  assert 'Training Validation Test' in shown
  assert f'2 {fold["n_train"]} 17 {fold["n_test"]} 0.550' in shown


def test_coinciding_centroids_are_told_once_beside_what_the_study_says(
  tmp_path,
):
  results = example(sizes=(100, 300))
  results['findings'] = ['Another caution.']
  results['sizes'][1]['folds'][0]['coinciding'] = [
    {'clusters': [0, 1], 'trainings': 10}
  ]
  shown = section(page_of(tmp_path, results), '<h2>What was found')
  assert shown.count('entroids coincide in') == 1
  assert 'Another caution.' in shown


def test_the_spread_over_trainings_is_shown_where_there_is_one(tmp_path):
  results = example(sizes=(100,))
  spread = results['sizes'][0]['folds'][1]['training_spread']
  own = f'sd {100 * spread["cv_std"]:.1f}%'
  assert own in section(page_of(tmp_path, results), '<h3>Every fold')
  cv = results['sizes'][0]['folds'][1]['cv']
  spread |= {'cv_min': cv, 'cv_max': cv, 'cv_std': 0.0}
  shown = section(page_of(tmp_path, results), '<h3>Every fold')
  assert own not in shown and f'{100 * cv:.1f}%–' not in shown


def test_early_stopping_on_the_test_set_is_a_limit(tmp_path):
  results = example(sizes=(100, 300))
  said = 'Early stopping looked at the test images'
  assert said in section(page_of(tmp_path, results), '<h2>Limits')
  for size in results['sizes']:
    for fold in size['folds']:
      fold['n_train'] -= 5
  assert said not in section(page_of(tmp_path, results), '<h2>Limits')

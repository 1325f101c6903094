"""The tables, figures and page of a retraining study."""

import base64
import csv
import dataclasses
import hashlib
import html
import pathlib
import re

import answers
import matplotlib
import numpy as np
import pytest
from retraining_results import HOSTILE
from retraining_results import changed
from retraining_results import leaking
from retraining_results import many
from retraining_results import study
import snapshots

from heterojax.comparison import shown as comparison_shown
from heterojax.configs import fundus
from heterojax.datasets import manifest
from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report import views
from heterojax.studies.answer import answer
from heterojax.studies.pages import clusters as cluster_words
from heterojax.studies.pages import common
from heterojax.studies.pages import questions
from heterojax.studies.retraining import pages
from heterojax.studies.retraining import wang2023
from heterojax.studies.retraining.pages import cluster_figures
from heterojax.studies.retraining.pages import deviations
from heterojax.studies.retraining.pages import methods
from heterojax.studies.retraining.pages import montage
from heterojax.studies.retraining.pages import page
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.pages import wording
from heterojax.studies.retraining.records import Rejected
from heterojax.studies.retraining.records import RejectedCluster
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.records import Subpopulations
from heterojax.studies.retraining.view import View
from heterojax.studies.sample_size.pages import values as sample_size_values

FIGURES = (
  'table1_overall_in_clusters',
  'table3_retrained_vs_random',
  'figure1_distances',
  'distance_vs_performance',
  'clusters',
  'transfer',
  'class_mix',
)
TABLES = (
  'table1',
  'table3',
  'between_cluster_distances',
  'distance_vs_performance',
  'transfer',
  'shortcuts',
)
METRICS = ('accuracy', 'auc', 'sensitivity', 'specificity')


def rows_of(folder: pathlib.Path, name: str) -> list[dict[str, str]]:
  with (folder / 'tables' / f'{name}.csv').open(newline='') as file:
    return list(csv.DictReader(file))


def cells(values) -> list[str]:
  return ['' if v is None else str(v) for v in values]


def known(value) -> str:
  """A value of the results as a CSV file has it."""
  return cells([codec.known(value)])[0]


@pytest.fixture(scope='module', name='written')
def _written(tmp_path_factory) -> tuple[pathlib.Path, Results, View]:
  folder = tmp_path_factory.mktemp('run')
  results, view = study(folder, 4, one_class=True)
  pages.write(folder, results, view)
  return folder, results, view


def page_of(written, results: Results, **view: np.ndarray) -> str:
  """The page of other results, with the figures of those written."""
  folder, _, own = written
  drawn = {p.name: p.read_bytes() for p in (folder / 'figures').iterdir()}
  rows, config = common.manifest(folder), common.config(folder)
  return blocks.html(
    page.page(results, own._replace(**view), rows, config), drawn
  )


def section(html_: str, start: str, end: str) -> str:
  """Text between two headings, without tags."""
  own = html_[html_.index(start) : html_.index(end, html_.index(start))]
  return ' '.join(re.sub(r'<[^>]*>', ' ', own).split())


def paragraph(results: Results, config: dict) -> str:
  return methods.paragraph(results, page.shared_of(results), config)


def settings(results: Results, config: dict) -> dict[str, str]:
  return dict(methods.settings(results, page.shared_of(results), config))


# --- What the page says.


def test_what_the_page_says(written, tmp_path_factory) -> None:
  """The whole page of one run; of others, what it does not say as well."""
  _, demo, view = written
  told: list[str] = []

  def tell(title: str, results: Results, own: View, folder: pathlib.Path):
    drawn = snapshots.NoFigures()
    rows, config = common.manifest(folder), common.config(folder)
    text = blocks.html(page.page(results, own, rows, config), drawn)
    lines = snapshots.words(text).splitlines()
    told.extend([f'=== {title}', *(line for line in lines if line not in told)])

  def other(title: str, **how) -> None:
    folder = tmp_path_factory.mktemp('run')
    tell(title, *study(folder, 3, **how), folder)

  tell('one split, published numbers, one class alone', demo, view, written[0])
  leaks = leaking(
    demo,
    same_path=(2, 0),
    identical_file=(2, 0),
    identical_pixels=(3, 1),
    near_duplicate=(0, 1),
    shared_group=(3, 1),
    validation_shared_group=(0, 5),
  )
  tell('leaks', changed(leaks, 'dataset.n_validation', 9), view, written[0])
  other('folds', folds=3)
  other('given features', given=True, names=('1', '0'))
  other('five grades', names=('none', 'mild', 'moderate', 'severe', 'worst'))
  other('an empty cluster, no reduction', empty=True, method='none')
  snapshots.check('retraining', '\n'.join(told) + '\n')


@pytest.mark.slow
def test_the_page_of_the_folder_alone_is_the_same(written, tmp_path) -> None:
  """A view that was saved and read again draws the same bytes."""
  folder, results, view = written
  views.save(tmp_path, view)
  for name in ('manifest.csv', 'config.json'):
    (tmp_path / name).write_bytes((folder / name).read_bytes())
  # A user's own style must not reach the report.
  with matplotlib.rc_context({'font.size': 20, 'axes.facecolor': 'red'}):
    pages.write(tmp_path, results, views.load(tmp_path, View))
  names = [p.relative_to(folder) for p in folder.rglob('*') if p.is_file()]
  for name in names:
    if name.suffix != '.png' or name.parent.name == 'figures':
      assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
  assert len(names) > len(TABLES) + 2 * len(FIGURES)


def test_all_files_are_there(written) -> None:
  folder, _, _ = written
  names = {str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file()}
  assert {f'tables/{name}.csv' for name in TABLES} <= names
  for kind in ('png', 'svg'):
    assert {f'figures/{name}.{kind}' for name in FIGURES} <= names
  assert {'report.html', 'figures/montage.png'} <= names
  assert not [name for name in names if name.startswith('.')]


def test_report_loads_nothing_and_runs_nothing(written) -> None:
  text = (written[0] / 'report.html').read_text()
  (script,) = re.findall(r'(?s)<script>(.*?)</script>', text)
  assert len(script.encode()) < 3000
  # The browser runs and applies nothing else.
  policy = html.unescape(re.search('Policy" content="([^"]*)"', text)[1])
  assert policy.startswith("default-src 'none'; img-src data:;")
  (style,) = re.findall(r'(?s)<style>(.*?)</style>', text)
  for kind, own in (('script', script), ('style', style)):
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"{kind}-src 'sha256-{digest}'" in policy
  assert not re.search(r'<[^>]* (style|on\w+)=', re.sub('data:[^"]*', '', text))
  text = re.sub('data:[^"]*', 'data:', text.replace(script, ''))
  links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\'\s>)]+)', text)
  assert links and all(link.startswith(('data:', '#')) for link in links)


@pytest.mark.slow
def test_names_from_outside_are_escaped(tmp_path) -> None:
  names = (f'{HOSTILE} & $x$', '" onload="x')
  results, view = study(tmp_path, 2, names=names)
  pages.write(tmp_path, results, view)
  text = (tmp_path / 'report.html').read_text()
  assert text.count('<script') == 1 and '" onload="' not in text
  # As class, as file id in the montage, as weights and as reason.
  assert text.count('&lt;script&gt;alert(1)&lt;/script&gt;') > 10
  for path in (tmp_path / 'figures').glob('*.svg'):
    assert '<script' not in path.read_text()


@pytest.mark.slow
def test_ten_thousand_images_are_a_small_page(tmp_path) -> None:
  results, view = study(tmp_path, 4, one_class=True)
  # Pictures of a fundus take 2.5 KB each.
  view = many(view, 4, 10_000, (100, 140))
  pages.write(tmp_path, results, view)
  assert (tmp_path / 'report.html').stat().st_size < 1.5e6


def test_names_with_braces_are_names(tmp_path) -> None:
  results, _ = study(tmp_path, 2, names=('{unit}', '{0}'))
  told = ' '.join(c.definition for c in tables.table3(results).definitions)
  assert 'test images of {unit} that' in told and 'one of {0}' in told


def test_every_picture_says_what_it_shows(written) -> None:
  text = (written[0] / 'report.html').read_text()
  pictures = re.findall(r'<img [^>]*>', text)
  assert len(pictures) > 5
  for picture in pictures:
    alt = re.search(r'alt="([^"]+)"', picture)
    assert alt and '{' not in alt[1]


# --- Tables.


def test_heads_of_file_and_page_come_from_the_same_columns(written) -> None:
  folder, results, view = written
  made = page.page(results, view, [], {})
  shown = [
    block
    for part in made.sections
    for block in part.blocks
    if isinstance(block, blocks.Table)
  ]
  columns = {
    (table.name, column.key)
    for table in shown
    for column in table.heads
    if column.key
  }
  text = (folder / 'report.html').read_text()
  for table in tables.every(results):
    header = [column.key for column in table.columns if column.key]
    path = folder / 'tables' / f'{table.name}.csv'
    assert path.read_text().splitlines()[0].split(',') == header
    for column in table.heads:
      assert f'>{html.escape(str(column.head))}</th>' in text
      assert not column.key or (table.name, column.key) in columns
  assert len(columns) > 15


def test_null_says_why(written) -> None:
  folder, results, _ = written
  cluster = results.clusters[0]
  assert cluster.test.value('specificity') is None
  text = (folder / 'report.html').read_text()
  assert 'not estimable: no images' in text  # The last cluster's test images.
  assert not re.search(r'\bnan\b', text, re.IGNORECASE)
  row = rows_of(folder, 'table1')[4]
  assert (row['n'], row['accuracy']) == ('0', '')
  assert row['reason'] == 'not estimable: no images'


def test_null_in_table_3(written) -> None:
  results = written[1]
  for kind in ('retrained', 'random'):
    path = f'clusters.1.{kind}.values.auc'
    results = changed(results, path, Missing('all are alike'))
  for run in range(5):
    path = f'clusters.1.random.runs.{run}.values.auc'
    results = changed(results, path, Missing('all are alike'))
  path = 'clusters.2.intra_cluster_distance'
  results = changed(results, path, Missing('one image has no pair'))
  rows = manifest.parse_csv(tables.table3(results).csv())
  assert rows[1]['retrained_auc'] == rows[1]['random_auc_min'] == ''
  assert 'retrained_auc not estimable: all are alike' in rows[1]['reason']
  assert 'one image has no pair' in rows[2]['reason']
  text = page_of(written, results)
  assert 'not estimable: all are alike' in text
  assert 'not estimable: one image has no pair' in text


def test_table_3_is_that_of_the_results(written) -> None:
  folder, results, _ = written
  ours = [r for r in rows_of(folder, 'table3') if r['source'] == 'this run']
  for row, cluster in zip(ours, results.clusters, strict=True):
    assert int(row['size']) == cluster.size
    distance = 'intra_cluster_distance'
    assert float(row[distance]) == cluster.intra_cluster_distance
    for name in METRICS:
      runs = [run.value(name) for run in cluster.random.runs]
      assert float(row[f'retrained_{name}']) == cluster.retrained.value(name)
      assert float(row[f'random_{name}']) == cluster.random.value(name)
      assert float(row[f'random_{name}_min']) == min(runs)
      assert float(row[f'random_{name}_max']) == max(runs)


def test_published_numbers_are_exact(written) -> None:
  rows = rows_of(written[0], 'table3')
  published = [r for r in rows if r['source'] == 'published']
  expected = [
    ('42', '335', '42', '0', '0.5', '0.934', '0.9462'),
    ('441', '195', '20', '421', '0.8173', '0.9423', '0.9635'),
    ('274', '428', '144', '130', '0.9375', '0.9413', '0.9712'),
    ('671', '201', '622', '49', '0.9567', '0.9548', '0.9731'),
  ]
  columns = (
    'size',
    'intra_cluster_distance',
    'n_positive',
    'n_negative',
    'retrained_accuracy',
    'random_accuracy',
    'random_specificity',
  )
  assert [tuple(r[c] for c in columns) for r in published] == expected
  text = (written[0] / 'report.html').read_text()
  for number in ('0.9375', '>428<', '0.9712', '0.6731', '>0.9694<'):
    assert number in text


@pytest.mark.slow
@pytest.mark.parametrize('k, method', [(2, 'none'), (12, 'pca')])
def test_any_number_of_clusters(tmp_path, k, method) -> None:
  results, view = study(tmp_path, k, names=('a', 'b'), method=method)
  assert results.paper is None
  results = dataclasses.replace(
    results, known_subpopulations=Subpopulations(HOSTILE, 0.9, 0.8)
  )
  # Random weights.
  results = changed(results, 'backbone.weights_sha256', Missing('random'))
  pages.write(tmp_path, results, view)
  assert len(rows_of(tmp_path, 'table3')) == k
  assert len(rows_of(tmp_path, 'transfer')) == k * k


def test_intervals_in_the_tables_are_those_of_the_results(written) -> None:
  folder, results, _ = written

  def ends_of(row: dict[str, str], name: str) -> list[str]:
    return [row[f'{name}_lo'], row[f'{name}_hi']]

  scores = [results.overall, *(c.test for c in results.clusters)]
  for row, score in zip(rows_of(folder, 'table1'), scores):
    ends = score.interval('accuracy') or (None, None)
    assert ends_of(row, 'accuracy') == cells(ends)
  for row, cluster in zip(rows_of(folder, 'table3'), results.clusters):
    for name in METRICS:
      ends = cluster.retrained.interval(name)
      assert ends_of(row, f'retrained_{name}') == cells(ends)
  transfer = iter(rows_of(folder, 'transfer'))
  for cluster in results.clusters:
    for score in cluster.retrained_in_test_clusters:
      ends = score.interval('accuracy') or (None, None)
      assert ends_of(next(transfer), 'accuracy') == cells(ends)
  printed = rows_of(folder, 'table3')[len(results.clusters) :]
  for row in printed:
    assert ends_of(row, 'retrained_auc') == ['', '']
  low, high = results.overall.interval('accuracy')
  assert f'{low:.3f}–{high:.3f}' in (folder / 'report.html').read_text()


def test_shortcuts_csv_is_that_of_the_results(written) -> None:
  folder, results, _ = written
  rows = rows_of(folder, 'shortcuts')
  assert [r['column'] for r in rows][-1] == 'all columns'
  for row, entry in zip(rows, results.shortcuts, strict=True):
    fields = vars(entry)
    for name, value in fields.items():
      assert row[name] == known(value)
    whys = {codec.why(value) for value in fields.values()} - {''}
    assert all(why in row['reason'] for why in whys)
    assert bool(row['reason']) == bool(whys)


@pytest.mark.slow
def test_folds(tmp_path) -> None:
  results, view = study(tmp_path, 3, folds=3)
  # Not what the columns are compared with.
  results = changed(results, 'overall.values.auc', 0.5)
  pages.write(tmp_path, results, view)
  text = (tmp_path / 'report.html').read_text()
  told = section(text, '<summary><h3>Folds', '<h3>What was left out')
  assert 'is the first' in told and 'excellent (0.95)' in told
  assert 'poor (0.40)' in told and 'mixes them' in told
  rows = rows_of(tmp_path, 'folds')
  assert [row['fold'] for row in rows] == ['0', '1', '2']
  for row, fold in zip(rows, results.folds, strict=True):
    for name in ('n_train', 'n_test', 'adjusted_rand_with_first'):
      assert row[name] == str(getattr(fold, name))
    for name in METRICS:
      assert row[name] == known(fold.overall.value(name))
      ends = fold.overall.interval(name)
      assert [row[f'{name}_lo'], row[f'{name}_hi']] == cells(ends)
    sizes = [row[f'size_of_cluster_{c}'] for c in range(3)]
    assert sizes == cells(fold.cluster_sizes)
    assert f'{" + ".join(sizes)}' in told
  # 32 images in 3 folds: means with fractions, shown short.
  assert results.dataset.n_train == pytest.approx(64 / 3)
  assert '21.3' in section(text, 'Training, mean over folds', '</table>')
  without_figures = re.sub(r'data:[^"]*', '', text)
  assert not re.search(r'\d\.\d{5}', without_figures)
  assert not re.search(r'\bnan\b', without_figures, re.IGNORECASE)
  auc = results.folds[0].overall.value('auc')
  assert f'of the first fold, the network {auc:.2f}' in text


def test_one_split_speaks_of_no_folds(written) -> None:
  text = re.sub(r'data:[^"]*', '', (written[0] / 'report.html').read_text())
  assert not re.search(r'\bfolds?\b', text.replace('4-fold', ''))
  assert not (written[0] / 'tables' / 'folds.csv').exists()


# --- Figures.


def test_scaling_in_the_plane_keeps_plane_distances() -> None:
  points = np.array([[0, 0], [3, 0], [0, 4], [5, 5.0]])
  distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
  found, kept = cluster_figures.classical_scaling(distances)
  again = np.linalg.norm(found[:, None] - found[None], axis=-1)
  np.testing.assert_allclose(again, distances, atol=1e-9)
  assert kept == pytest.approx(1)


def test_a_montage_names_the_class_once(written) -> None:
  tile = np.zeros((128, 128, 3), np.uint8)
  text = page_of(
    written,
    written[1],
    tile_images=np.stack([tile] * 6),
    tile_wrong=np.arange(6) == 5,
    tile_answers=np.array([0, 0, 0, 0, 0, 1]),
    tile_shares=np.array([0.6, 0.6, 0.6, 0.6, 0.6, 0.875]),
    tile_labels=np.array([0, 0, 0, 1, 1, 1]),
    tile_y=np.array([1, 0, 0, 0, 0, 0]),
    tile_names=np.array(list('012345')),
    tile_problems=np.array(['', '', '', '', 'torn', '']),
  )
  told = section(text, '<h3>Cluster 0', '<h2 id="data">')
  one, other = written[1].classes.names
  none = 'No original training image is in this cluster.'
  right = 'No test image of this cluster is answered wrongly.'
  assert told == (
    f'Cluster 0 {other} 0 {one} 1 2 {right} Cluster 1 {other} 3 4: cannot be'
    f' shown, torn 5 {other}, answered {one} (88%) Cluster 2 {none} {right}'
    f' Cluster 3 {none} {right}'
  )
  row = [montage.Tile(tile, str(i), c, '', c, 1) for i, c in enumerate('abb')]
  assert montage.usual_label(row) == 'b'
  assert montage.usual_label([]) == ''
  drawn = montage.figure(written[1], [row] * 4).axes
  assert drawn[0].get_ylabel() == 'Cluster 0\nb'
  assert [axes.get_xlabel() for axes in drawn[:3]] == ['0\na', '1', '2']


@pytest.mark.slow
def test_given_features_have_no_montage(tmp_path) -> None:
  results, view = study(tmp_path, 2, names=('a', 'b'), given=True)
  pages.write(tmp_path, results, view)
  text = re.sub(r'data:[^"]*', '', (tmp_path / 'report.html').read_text())
  assert 'What each cluster looks like' not in text
  assert not (tmp_path / 'figures' / 'montage.png').exists()
  assert 'EfficientNet' not in paragraph(results, {})
  assert 'random weights' not in text and '>None' not in text


# --- Which sentence there is.


@pytest.mark.slow
def test_given_features_are_of_samples_not_of_images(tmp_path) -> None:
  results, view = study(tmp_path, 4, given=True)
  pages.write(tmp_path, results, view)
  text = (tmp_path / 'report.html').read_text()
  body = re.sub(r'(src|href)="[^"]*"', '', text[text.index('<body>') :])
  body = html.unescape(body)
  # The words of the study and the title of the paper stand as they are.
  for told in (*results.findings, methods.CITATION, methods.BIBTEX):
    body = body.replace(told, '')
  body = re.sub('(not estimable: |Not audited: )[^<]*', '', body)
  # The paper's are images.
  paper = r'<h2[^>]*>What the published counts can show.*?</section>'
  body = re.sub(paper, '', body, flags=re.DOTALL)
  assert not re.findall(r'[^.<>]*\bimages?\b[^.<>]*', body, re.IGNORECASE)
  assert 'test samples' in body


def test_intervals_are_called_worse_where_the_protocol_copies(written) -> None:
  def told(results: Results) -> str:
    return wording.intervals(results, page.shared_of(results))

  warning = 'Do not quote'
  assert warning not in told(leaking(written[1]))
  groups = leaking(written[1], shared_group=(3, 1))
  assert warning in told(groups) and 'patients or groups of 4' in told(groups)
  both = leaking(written[1], shared_group=(3, 1), identical_pixels=(2, 1))
  assert warning in told(both) and 'copies of 3 of 12' in told(both)
  assert warning not in told(changed(both, 'protocol', 'clean'))


@pytest.mark.parametrize(
  'chosen, named',
  [
    ({'method': 'kmeans'}, 'K-means'),
    ({'method': 'fuzzy', 'fuzzifier': 1.5}, 'fuzzy K-means (fuzzifier 1.5)'),
    (
      {'method': 'gmm', 'covariance': 'diag'},
      'Gaussian mixture with diagonal covariances',
    ),
  ],
)
def test_the_algorithm_is_the_one_of_the_run(written, chosen, named) -> None:
  results = written[1]
  for name, value in (chosen | {'n_init': 10}).items():
    results = changed(results, f'cluster.{name}', value)
  k = len(results.clusters)
  config = fundus.get_config().to_dict()
  assert cluster_words.algorithm(results.cluster) == named
  text = paragraph(results, config)
  assert f'{k} clusters by {named}, the best of 10 starts, and' in text
  probable = 'most probable component' in text
  assert probable == (chosen['method'] == 'gmm')
  told = settings(results, config)['Clusters']
  assert told.startswith(f'{named}, k = {k}, the best of 10 starts, at most')
  notes = ' '.join(n for _, n in deviations.not_in_the_paper(results, config))
  assert ('the paper used K-means' in notes) == (chosen['method'] != 'kmeans')
  assert 'several starts' in notes
  one = changed(results, 'cluster.n_init', 1)
  assert 'starts' not in paragraph(one, config)


def test_the_second_data_set_is_in_other_tables(written) -> None:
  published = wang2023.published('Cardiomegaly', 'No Finding')
  results = changed(written[1], 'published', published)
  text = page_of(written, results)
  for title in ('Table 2. The head', 'Table 4. Heads', 'Figure 2. The'):
    assert f'>{title}' in text
  assert 'Wang (2023), Table 4;' in text and 'Table 1' not in text
  rows = manifest.parse_csv(tables.table1(results).csv())
  assert 'cluster 4 of its Table 2' in [row['part'] for row in rows]


def test_the_rejected_reduction_stands_beside(written) -> None:
  results = written[1]
  assert 'Another reduction' not in page_of(written, results)
  names = results.classes.names
  rejected = Rejected(
    57,
    0.4,
    0.123,
    tuple(
      RejectedCluster(c, 900 + c, dict(zip(names, (700, c)))) for c in range(4)
    ),
  )
  results = changed(results, 'reduction.rejected', rejected)
  text = section(page_of(written, results), 'Another reduction', '</section>')
  assert '57 principal components (40.0% of the variance), group' in text
  assert 'is poor: an adjusted Rand index of 0.12,' in text
  for cluster in results.clusters:
    own = [cluster.size, *cluster.class_counts.values()]
    beside = f'{900 + cluster.id} 700 {cluster.id}'
    assert f'{cluster.id} {" ".join(map(str, own))} {beside}' in text
  published = wang2023.published('Cardiomegaly', 'No Finding')
  results = changed(results, 'published', published)
  assert 'which the paper rejected' in wording.rejected(results, rejected)


def test_the_split_has_its_numbers(written) -> None:
  _, results, _ = written
  split = settings(results, {})['Split']
  assert split.startswith('published protocol: ')
  assert f'{results.dataset.n_train} images for training' in split
  assert 'none for validation' in split
  assert 'early stopping used the test set' in split
  limit = 'Early stopping looked at the test images'
  assert limit in page_of(written, results)
  own = changed(results, 'protocol', 'clean')
  own = changed(own, 'dataset.n_validation', 31)
  split = settings(own, {})['Split']
  assert '31 for validation' in split
  assert 'early stopping used the validation part' in split
  assert limit not in page_of(written, own)


# --- How numbers are written.


@pytest.mark.parametrize(
  'value, text',
  [
    (0, '< 0.001'),
    (0.00099, '< 0.001'),
    (0.001, '0.001'),
    (0.0416, '0.042'),
    (0.05, '0.050'),
    (0.0504, '> 0.05'),
    (0.0505001, '0.051'),
    (0.999, '0.999'),
    (0.9996, '> 0.999'),
    (1.0, '> 0.999'),
  ],
)
def test_p_values_are_never_0_or_1_nor_small_by_rounding(value, text) -> None:
  assert formatting.p_value(value) == text


@pytest.mark.parametrize(
  'value, text',
  [
    (0.0, '0.0'),
    (195.44, '195.4'),
    (1.0, '1.0'),
    (0.042, '0.042'),
    (3e-30, '3e-30'),
    (2.5e36, '2.5e+36'),
  ],
)
def test_no_distance_is_shown_as_none(value, text) -> None:
  assert formatting.distance(value) == text


@pytest.mark.parametrize(
  ('write', 'small', 'text'),
  [
    (formatting.fraction, 0.0004, '0.000'),
    (formatting.signed, 0.004, '0.00'),
    (formatting.percent, 0.0004, '0.0%'),
    (sample_size_values.fraction, 0.0004, '0.000'),
    (sample_size_values.percent, 0.0004, '0.0%'),
    (comparison_shown.signed, 0.0004, '0.000'),
  ],
)
def test_what_rounds_to_0_has_no_sign(write, small, text) -> None:
  assert write(small) == write(-small) == write(-0.0) == text
  assert write(-0.5).lstrip('-−') == write(0.5) != write(-0.5)


@pytest.mark.parametrize(
  'value, spread, text',
  [
    (10000060.863214549, 13.6003, '10000060.86'),
    (16.837242853238585, 13.6003, '16.84'),
    (90161946.56043784, 13600349.6, '90161947'),
    (6.086321454763996e-05, 1.36003e-05, '6.086e−05'),
    (20.0, 13.6, '20'),
    (-44.0287, 13.6, '−44.03'),
    (-0.0002, 13.6, '0'),
    (0.1234567, 0.0, '0.1234567'),
  ],
)
def test_numbers_have_the_digits_of_their_spread(value, spread, text) -> None:
  assert formatting.resolved(value, spread) == text


def test_numbers() -> None:
  shown = map(formatting.number, (3, 1234, 1234.0, 120.25, np.float64(2.5), 0))
  assert list(shown) == ['3', '1,234', '1,234', '120.2', '2.5', '0']


@pytest.mark.parametrize(
  'label, text',
  [
    ('normal', '3 normal'),
    ('0', '3 of class 0'),
    ('0 or 1', '3 of class 0 or 1'),
  ],
)
def test_counts_and_names_are_told_apart(label, text) -> None:
  assert formatting.of_class(3, label) == text


def test_speed_in_words() -> None:
  timings = {
    'data': {'seconds': 0.51},
    'features': {
      'seconds': 2.0,
      'images': 30,
      'images_per_second': 15.04,
      'flops': 3e9,
      'model_flop_utilisation': 0.1234,
    },
    'ceiling': {'seconds': 0.3, 'bfloat16_flops_per_second': 1.2345e12},
    'heads': {'seconds': 1.0, 'heads': 0},
  }
  told = common.environment({}, timings).blocks
  (stages,) = [block for block in told if isinstance(block, blocks.Table)]
  texts = [[text for _, text in row] for row in stages.cells]
  assert [row[1:] for row in texts] == [
    ['0.5 s', ''],
    [
      '2.0 s',
      '15.0 images a second, 12.3% of the ceiling (model FLOP utilisation)',
    ],
    ['0.3 s', '1,234 GFLOP a second in bfloat16'],
    ['1.0 s', ''],
  ]


def test_known_groups_are_those_of_every_fold(tmp_path) -> None:
  results, _ = study(tmp_path, 3, folds=3)
  assert 'clusters of its own' in wording.folds_agree(results)
  known = changed(results, 'cluster.method', 'column:age')
  said = wording.folds_agree(known)
  assert said == 'Every image is in the same group in every fold.'


def test_a_penalty_that_was_used_is_told(written) -> None:
  how = {'epochs': 7, 'patience': 2, 'batch_size': 8, 'learning_rate': 0.001}
  how |= {'monitor': 'val_loss', 'random_runs': 5}
  for l2, told in ((0.25, True), (0.0, False)):
    config = {'heads': how | {'l2': l2}}
    text = '0.25 times the squared kernel in the loss'
    assert (text in paragraph(written[1], config)) == told
    assert (text in settings(written[1], config)['Heads']) == told


def test_folds_are_of_whole_patients_under_both_protocols(tmp_path) -> None:
  """As `splits.split` makes them, which only named folds may not be."""
  results, _ = study(tmp_path, 3, folds=3)
  results = leaking(results, shared_group=(0, 0))
  results = changed(results, 'protocol', 'published')
  said = paragraph(results, {})
  assert 'No known patient or group was in two folds, and early' in said
  assert 'were of rows' not in said and 'rows were' not in said.lower()
  named = paragraph(changed(results, 'split.named', True), {})
  assert 'The folds were those of the data set' in named


def test_methods_follow_the_settings(tmp_path) -> None:
  results, _ = study(tmp_path, 3)
  named = changed(changed(results, 'split.named', True), 'protocol', 'clean')
  assert 'The split was that of the data set; no ' in paragraph(named, {})
  rule = {'reduction': {'rule': 'variance', 'variance': 0.85}}
  reduced = changed(results, 'reduction.n_components', 7)
  reduced = changed(reduced, 'reduction.explained_variance', 0.861)
  text = '7 principal components (86.1% of the variance), as many as explain 85'
  assert text in paragraph(reduced, rule)
  assert text in settings(reduced, rule)['Reduction']
  assert 'as many as explain' not in paragraph(reduced, {})
  training = fundus.get_config().to_dict()['heads']
  for vary, told in (('both', False), ('initialisation', True)):
    said = paragraph(results, {'heads': training | {'random_vary': vary}})
    assert ('shared their draw' in said) == told


def test_one_is_told_as_one(tmp_path) -> None:
  """Random heads, runs and epochs, of which there may be one."""
  results, _ = study(tmp_path, 3)
  alone = dataclasses.replace(
    results,
    clusters=tuple(
      dataclasses.replace(
        c, random=dataclasses.replace(c.random, runs=c.random.runs[:1])
      )
      for c in results.clusters
    ),
  )
  said = [text for text in wording.clusters(alone) if 'its own head' in text]
  assert said and all('its random head, which is right for' in s for s in said)
  assert not any('on average' in text for text in said)
  training = fundus.get_config().to_dict()['heads']
  text = paragraph(alone, {'heads': training | {'epochs': 1}})
  assert 'and once per cluster on' in text and 'up to 1 epoch with' in text
  told = settings(alone, {'heads': training | {'random_runs': 1}})['Heads']
  assert '1 random run per cluster' in told


def test_methods_tell_the_questions_that_were_asked() -> None:
  verdict = answer.verdict(answers.QUIET, answers.FACTS)
  said = questions.sentences(verdict, 'image', numbers=False)
  for part in ('9,999 draws', '199 sets', '199 worlds', '3 questions (Holm)'):
    assert part in said
  why = Missing('labels are numbers')
  alone = dataclasses.replace(
    verdict,
    teaches_less=answers.question(why),
    one_rule=answers.question(why),
    uneven=dataclasses.replace(verdict.uneven, unit='patient'),
  )
  said = questions.sentences(alone, 'sample', numbers=True)
  assert (
    'squared errors of test samples of one fold, those of a patient' in said
  )
  assert 'Holm' not in said and 'world' not in said
  none = dataclasses.replace(alone, uneven=answers.question(why))
  assert questions.sentences(none, 'sample', numbers=True) == ''
  assert questions.sentences(None, 'sample', numbers=True) == ''


def test_known_groups_were_found_by_no_algorithm(tmp_path) -> None:
  """So that there are no starts, and no other network would group otherwise."""
  results, view = study(tmp_path, 3)
  results = changed(results, 'cluster.n_init', 2)
  known = changed(results, 'cluster.method', 'column:age')
  of_algorithm, of_groups = (
    str(page.page(own, view, (), {'heads': {}})) for own in (results, known)
  )
  for claim in (
    'Clusters are made by an algorithm',
    'Another network, seed, number of clusters',
    'The best of several starts is kept',
  ):
    assert claim in of_algorithm and claim not in of_groups
  assert 'Groups are those that were named' in of_groups

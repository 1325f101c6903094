"""The report of a retraining study on a small made-up outcome."""

import copy
import csv
import dataclasses
from html import unescape
import json
import pathlib
import re
import types

import jax
import matplotlib
import numpy as np
from PIL import Image
import pytest

from heterojax.configs import fundus
from heterojax.datasets import leaks
from heterojax.datasets import manifest
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.heads.ensemble import Member
from heterojax.report import formatting
from heterojax.report import parts
from heterojax.studies import settings as settings_lib
from heterojax.studies.retraining import pages as report
from heterojax.studies.retraining import published
from heterojax.studies.retraining import summary
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.retraining.pages import audits
from heterojax.studies.retraining.pages import cluster_figures
from heterojax.studies.retraining.pages import deviations
from heterojax.studies.retraining.pages import methods
from heterojax.studies.retraining.pages import montage
from heterojax.studies.retraining.pages import page
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.pages import wording
from heterojax.studies.samples import Samples

HOSTILE = '<script>alert(1)</script>'
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


def study(
  folder: pathlib.Path,
  k: int,
  *,
  names: tuple[str, str] = ('cataract', 'normal fundus'),
  method: str = 'pca',
  one_class: bool = False,
  folds: int = 1,
  given: bool = False,
) -> tuple[dict, Outcome]:
  """Results and outcome of heads that guess, in k clusters on a circle.

  Args:
    folder: for a few images, and `manifest.csv` and `config.json`.
    k: clusters; the last has no test image.
    names: positive and negative class.
    method: of reduction.
    one_class: whether cluster 0 has positives only.
    folds: that test every image once; 1 for one split.
    given: whether the features are given.

  Returns:
    What `report.write` takes.
  """
  stream = np.random.default_rng(k)
  one_split = np.repeat(['train', 'test'], [8 * k, 4 * (k - 1)])
  labels = [np.arange(8 * k) % k, np.arange(4 * (k - 1)) % (k - 1)]
  labels = np.concatenate(labels)
  n = len(one_split)
  y = (stream.random(n) < 0.5).astype(int)
  y[:4], y[-4:] = (0, 1, 0, 1), (0, 1, 0, 1)
  if one_class:
    y[labels == 0] = 1
  angle = 2 * np.pi * np.arange(k) / k
  centers = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
  z = centers[labels] + 0.1 * stream.normal(size=(n, 3))
  paths = [f'{HOSTILE.replace("/", "")}{i}.png' for i in range(n)]
  for path in paths[:3]:
    colour = tuple(stream.integers(0, 255, 3))
    Image.new('RGB', (9, 7), colour).save(folder / path)
  ids = tuple(f'{HOSTILE}{i}' for i in range(n))
  sides = np.array([f'{HOSTILE}left', 'right'])
  candidates = tuple(
    manifest.Candidate(
      ids[i],
      paths[i],
      names[1 - y[i]],
      f'patient {i % 7}',
      columns=(
        ('sha256', paths[i]),
        ('pixels_sha256', paths[i]),
        # Tells clusters 0 and 1 from the others, in training alone.
        (f'{HOSTILE}eye', sides[int(labels[i] > 1 or i >= 8 * k)]),
        ('age', f'{50 + 3 * np.sin(i):.2f}'),
        ('site', 'here'),
      ),
    )
    for i in range(n)
  )
  left_out = manifest.Candidate('out', 'x', names[0], 'p').left_out(HOSTILE)
  settings = fundus.get_config('protocol=published').to_dict()
  settings['cluster']['k'] = k
  settings['reduction']['method'] = method
  cohorts, found = [], []
  for number in range(folds):
    split = one_split
    if folds > 1:
      split = np.where(np.arange(n) % folds == number, 'test', 'train')
    cohorts.append(
      manifest.Cohort(
        'made up',
        sources.Files(folder),
        *names,
        tuple(
          dataclasses.replace(c, split=str(own))
          for c, own in zip(candidates, split)
        )
        + (left_out,),
        notes=(f'{HOSTILE} is a note.',),
      )
    )
    samples = Samples(
      ids,
      ids,
      (IDENTITY,) * n,
      split,
      y,
      np.arange(n),
      tuple(Picture(path, IDENTITY) for path in paths),
      y,
    )
    heads, key = {}, jax.random.key(0)
    for name in [
      HeadName('overall'),
      *(HeadName('cluster', c) for c in range(k)),
      *(HeadName('random', c, r) for c in range(k) for r in range(5)),
    ]:
      in_cluster = labels == max(name.cluster, 0)
      rows = np.flatnonzero((split == 'train') & in_cluster)
      heads[name] = Member(rows, rows, key, key)
    distance = np.linalg.norm(z - centers[labels], axis=1)
    guesses = 0.3 * y + 0.7 * stream.random((len(heads), n))
    found.append(
      Fold(
        samples,
        Clusters(z.astype(np.float32), centers, labels, distance, 0.7),
        heads,
        8 * (guesses - 0.5),
      )
    )
  outcome = Outcome(sources.Files(folder), z, tuple(found))
  backbone = types.SimpleNamespace(
    name='efficientnet_b0',
    source='keras',
    weights=HOSTILE,
    weights_sha256='ab' * 32,
  )
  if given:
    backbone, settings['backbone']['name'] = None, 'given'
    outcome = outcome._replace(source=object())
  results = summary.summarise(
    settings_lib.from_dict(settings),
    cohorts,
    backbone,
    outcome,
    [1.0, 0.4, 0.95][:folds],
    [l for cohort in cohorts for l in leaks.find(cohort, {})],
  )
  results |= {
    'timings': {
      'heads': {'seconds': 1.0, 'heads': 25, 'heads_per_second': 25.0}
    },
    'environment': {'heterojax': '0', 'packages': {'jax': '0'}},
  }
  (folder / 'manifest.csv').write_text(
    manifest.manifest_csv(splits.by_fold(cohorts))
  )
  (folder / 'config.json').write_text(json.dumps(settings))
  return json.loads(json.dumps(results)), outcome


def rows_of(folder: pathlib.Path, name: str) -> list[dict[str, str]]:
  with (folder / 'tables' / f'{name}.csv').open(newline='') as file:
    return list(csv.DictReader(file))


@pytest.fixture(scope='module', name='written')
def _written(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  results, outcome = study(folder, 4, one_class=True)
  report.write(folder, results, outcome)
  return folder, results, outcome


def test_all_files_are_there(written):
  folder, _, _ = written
  names = {str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file()}
  assert {f'tables/{name}.csv' for name in TABLES} <= names
  for kind in ('png', 'svg'):
    assert {f'figures/{name}.{kind}' for name in FIGURES} <= names
  assert {'report.html', 'figures/montage.png'} <= names
  assert not [name for name in names if name.startswith('.')]


def test_report_loads_nothing_and_runs_nothing(written):
  html = (written[0] / 'report.html').read_text()
  assert '<script' not in html
  links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\'\s>)]+)', html)
  assert links and all(link.startswith(('data:', '#')) for link in links)


@pytest.mark.slow
def test_names_from_outside_are_escaped(tmp_path):
  names = (f'{HOSTILE} & $x$', '" onload="x')
  results, outcome = study(tmp_path, 2, names=names)
  report.write(tmp_path, results, outcome)
  html = (tmp_path / 'report.html').read_text()
  assert '<script' not in html and '" onload="' not in html
  # As class, as file id in the montage, as weights and as reason.
  assert html.count('&lt;script&gt;alert(1)&lt;/script&gt;') > 10
  for path in (tmp_path / 'figures').glob('*.svg'):
    assert '<script' not in path.read_text()


def test_null_says_why(written):
  folder, results, _ = written
  cluster = results['clusters'][0]
  assert cluster['test']['specificity'] is None
  html = (folder / 'report.html').read_text()
  assert 'not estimable: no images' in html  # The last cluster's test images.
  assert not re.search(r'\bnan\b', html, re.IGNORECASE)
  row = rows_of(folder, 'table1')[4]
  assert (row['n'], row['accuracy']) == ('0', '')
  assert row['reason'] == 'not estimable: no images'


def test_null_in_table_3(written):
  results = json.loads(json.dumps(written[1]))
  for kind in ('retrained', 'random'):
    results['clusters'][1][kind] |= {'auc': None, 'auc_why': 'all are alike'}
  for run in results['clusters'][1]['random']['runs']:
    run['auc'] = None
  results['clusters'][2] |= {
    'intra_cluster_distance': None,
    'intra_cluster_distance_why': 'one image has no pair',
  }
  table = tables.table3(results)
  row = dict(zip(table.header, table.rows[1]))
  assert row['retrained_auc'] is row['random_auc_min'] is None
  assert 'retrained_auc not estimable: all are alike' in row['reason']
  assert 'one image has no pair' in table.rows[2][-1]


def test_table_3_is_that_of_the_results(written):
  folder, results, _ = written
  ours = [r for r in rows_of(folder, 'table3') if r['source'] == 'this run']
  for row, cluster in zip(ours, results['clusters'], strict=True):
    assert int(row['size']) == cluster['size']
    distance = 'intra_cluster_distance'
    assert float(row[distance]) == cluster[distance]
    for name in ('accuracy', 'auc', 'sensitivity', 'specificity'):
      runs = [run[name] for run in cluster['random']['runs']]
      assert float(row[f'retrained_{name}']) == cluster['retrained'][name]
      assert float(row[f'random_{name}']) == cluster['random'][name]
      assert float(row[f'random_{name}_min']) == min(runs)
      assert float(row[f'random_{name}_max']) == max(runs)


def test_published_numbers_are_exact(written):
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
  html = (written[0] / 'report.html').read_text()
  for number in ('0.9375', '>428<', '0.9712', '0.6731', '>0.9694<'):
    assert number in html


@pytest.mark.slow
@pytest.mark.parametrize('k, method', [(2, 'none'), (12, 'pca')])
def test_any_number_of_clusters(tmp_path, k, method):
  results, outcome = study(tmp_path, k, names=('a', 'b'), method=method)
  assert results['published'] is None
  results['known_subpopulations'] = {
    'column': HOSTILE,
    'adjusted_rand_train': 0.9,
    'adjusted_rand_test': 0.8,
  }
  results['backbone']['weights_sha256'] = None  # Random weights.
  report.write(tmp_path, results, outcome)
  assert len(rows_of(tmp_path, 'table3')) == k
  assert len(rows_of(tmp_path, 'transfer')) == k * k


@pytest.mark.slow
def test_the_same_results_give_the_same_bytes(written, tmp_path):
  folder, results, outcome = written
  for name in ('manifest.csv', 'config.json'):
    (tmp_path / name).write_bytes((folder / name).read_bytes())
  # A user's own style must not reach the report.
  with matplotlib.rc_context({'font.size': 20, 'axes.facecolor': 'red'}):
    report.write(tmp_path, results, outcome)
  for part in ('tables', 'figures'):
    for path in (folder / part).iterdir():
      again = tmp_path / part / path.name
      assert path.read_bytes() == again.read_bytes(), path
  name = 'report.html'
  assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()


def test_scaling_in_the_plane_keeps_plane_distances():
  points = np.array([[0, 0], [3, 0], [0, 4], [5, 5.0]])
  distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
  found, kept = cluster_figures.classical_scaling(distances)
  again = np.linalg.norm(found[:, None] - found[None], axis=-1)
  np.testing.assert_allclose(again, distances, atol=1e-9)
  assert kept == pytest.approx(1)


def page_of(written, results: dict, **parts) -> str:
  """The page of other results, with the figures of those written."""
  folder, _, outcome = written
  drawn = {p.name: p.read_bytes() for p in (folder / 'figures').iterdir()}
  parts = {'tiles': [], 'fold': outcome.folds[0]} | parts
  return page.render(folder, results, drawn, parts['tiles'], parts['fold'])


def section(html: str, start: str, end: str) -> str:
  """Text between two headings, without tags."""
  own = html[html.index(start) : html.index(end, html.index(start))]
  return ' '.join(re.sub(r'<[^>]*>', ' ', own).split())


def ends_of(row: dict[str, str], name: str) -> list[str]:
  return [row[f'{name}_lo'], row[f'{name}_hi']]


def cells(values) -> list[str]:
  return ['' if v is None else str(v) for v in values]


def test_intervals_in_the_tables_are_those_of_the_results(written):
  folder, results, _ = written
  scores = [results['overall'], *(c['test'] for c in results['clusters'])]
  for row, score in zip(rows_of(folder, 'table1'), scores):
    ends = score['intervals']['accuracy'] or (None, None)
    assert ends_of(row, 'accuracy') == cells(ends)
  for row, cluster in zip(rows_of(folder, 'table3'), results['clusters']):
    for name in METRICS:
      ends = cluster['retrained']['intervals'][name]
      assert ends_of(row, f'retrained_{name}') == cells(ends)
  transfer = iter(rows_of(folder, 'transfer'))
  for cluster in results['clusters']:
    for score in cluster['retrained_in_test_clusters']:
      ends = score['intervals']['accuracy'] or (None, None)
      assert ends_of(next(transfer), 'accuracy') == cells(ends)
  printed = rows_of(folder, 'table3')[len(results['clusters']) :]
  for row in printed:
    assert ends_of(row, 'retrained_auc') == ['', '']
  low, high = results['overall']['intervals']['accuracy']
  assert f'{low:.3f}–{high:.3f}' in (folder / 'report.html').read_text()


def test_intervals_are_called_worse_where_the_protocol_copies(written):
  results = copy.deepcopy(written[1])
  names = [results['dataset'][k] for k in ('positive', 'negative')]
  none, some = dict.fromkeys(names, 0), dict(zip(names, (3, 1)))
  results['leaks'] |= {'shared_group': none, 'identical_pixels': none}
  assert 'Do not quote' not in wording.intervals(results)
  results['leaks']['shared_group'] = some
  assert 'the patients or groups of 4 of 12' in wording.intervals(results)
  results['leaks']['identical_pixels'] = some
  assert 'copies of 4 of 12 test images' in wording.intervals(results)
  results['protocol'] = 'clean'
  assert 'Do not quote' not in wording.intervals(results)


def leaking(written, **kinds) -> dict:
  """Results whose leaks are (positive, negative) counts, or why unknown."""
  results = copy.deepcopy(written[1])
  names = [results['dataset'][k] for k in ('positive', 'negative')]
  found = dict.fromkeys(tables.LEAKS, dict.fromkeys(names, 0))
  for kind, value in kinds.items():
    if isinstance(value, str):
      found |= {kind: None, f'{kind}_why': value}
    else:
      found[kind] = dict(zip(names, value))
  results['leaks'] = found
  return results


def test_leaks_are_said_once_and_the_strongest_first(written):
  results = leaking(
    written,
    same_path=(2, 0),
    identical_file=(2, 0),
    identical_pixels=(3, 1),
    near_duplicate=(0, 1),
    shared_group=(3, 1),
  )
  sentences = audits.leaks(results)
  starts = ['2 of 12 ', '4 of 12 ', '1 of 12 ', '4 of 12 ']
  assert len(sentences) == len(starts)
  for sentence, start in zip(sentences, starts):
    assert sentence.startswith(start)
  assert 'pixel for pixel' in sentences[1] and 'included' in sentences[1]
  assert 'patient' in sentences[3] and 'included' not in sentences[3]
  assert sentences[0].endswith('(2 cataract and 0 normal fundus).')
  html = page_of(written, results)
  assert 'is not independent of training.</strong> 2 of 12' in html
  rows = section(html, 'Shared with training', 'Near duplicates')
  for title, pair in zip(
    tables.LEAKS.values(), ('2 0', '2 0', '3 1', '0 1', '3 1')
  ):
    assert f'{title} {pair}' in rows


def test_no_leak_no_warning(written):
  results = leaking(written, near_duplicate=HOSTILE, shared_group='nobody')
  html = page_of(written, results)
  assert audits.leaks(results) == []
  assert 'independent of training' not in html and HOSTILE not in html
  text = section(html, 'id="leaks"', 'id="shortcuts"')
  assert 'No test image has anything in common' in text
  assert 'identical file and identical pixels.' in text
  assert 'Same patient or group not known: nobody' in text
  assert 'tables/leaks.csv' not in text


def test_what_is_known_of_some_patients_is_a_lower_bound(written):
  results = leaking(written, shared_group=(3, 1))
  results['leaks']['shared_group_why'] = '1 of 32 images name no patient'
  html = page_of(written, results)
  text = section(html, 'id="leaks"', 'id="shortcuts"')
  assert (
    'Same patient or group at least: 1 of 32 images name no patient 3 1' in text
  )
  rows = [
    {'included': 'true', 'split': split, 'group': group}
    for split, group in (('train', 'a'), ('train', ''), ('test', 'b'))
  ]
  told = audits.patients(results, rows)
  assert told.startswith('Patients or groups: 1 in test, 1 in train. 1 of 32')
  results['leaks']['shared_group'] = None
  assert audits.patients(results, rows).startswith('1 of 32')


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
def test_the_algorithm_is_the_one_of_the_run(written, chosen, named):
  results = copy.deepcopy(written[1])
  results['cluster'] |= chosen | {'n_init': 10}
  k = len(results['clusters'])
  config = fundus.get_config().to_dict()
  text = methods.paragraph(results, config)
  assert f'{k} clusters by {named}, the best of 10 starts, and' in text
  probable = 'went to the most probable component' in text
  assert probable == (chosen['method'] == 'gmm')
  told = dict(methods.settings(results, config))['Clusters']
  assert told.startswith(f'{named}, k = {k}, the best of 10 starts, at most')
  notes = ' '.join(n for _, n in deviations.not_in_the_paper(results, config))
  assert ('the paper used K-means' in notes) == (chosen['method'] != 'kmeans')
  assert 'best of several starts' in notes
  results['cluster']['n_init'] = 1
  assert 'starts' not in methods.paragraph(results, config)


def test_leaks_of_the_validation_part(written):
  results = leaking(written, validation_shared_group=(0, 5))
  results['dataset']['n_validation'] = 9
  assert audits.leaks(results) == []
  html = page_of(written, results)
  assert 'independent of training' not in html
  text = section(html, 'id="leaks"', 'id="shortcuts"')
  assert '5 validation images are of a patient' in text
  assert 'Same patient or group 0 0 0 5' in text


def test_features_that_are_alike_are_no_proof(written):
  html = page_of(written, leaking(written, near_duplicate=(1, 0)))
  assert 'The test set may not be independent of training.' in html


def test_shortcuts_csv_is_that_of_the_results(written):
  folder, results, _ = written
  rows = rows_of(folder, 'shortcuts')
  assert [r['column'] for r in rows][-1] == 'all columns'
  for row, entry in zip(rows, results['shortcuts'], strict=True):
    for name in (
      'column',
      'kind',
      'measure',
      'n',
      'with_class',
      'p_value',
      'with_cluster',
      'p_value_with_cluster',
      'auc_alone',
    ):
      assert [row[name]] == cells([entry[name]])
    whys = {v for k, v in entry.items() if k.endswith('_why')}
    assert all(why in row['reason'] for why in whys)
    assert bool(row['reason']) == bool(whys)


def with_shortcut(written, which: str, measure: str, strength: float) -> dict:
  """Results with one column that may be strong; the others are not."""
  results = copy.deepcopy(written[1])
  for entry in results['shortcuts']:
    for name in ('with_class', 'with_cluster'):
      if entry[name] is not None:
        entry[name] = 0.01
  own = results['shortcuts'][0]
  own |= {'measure': measure, f'with_{which}': strength}
  own |= {'p_value': 0.0004, 'p_value_with_cluster': 0.0312}
  return results


@pytest.mark.parametrize('which', ['class', 'cluster'])
@pytest.mark.parametrize(
  'measure, strength, is_strong',
  [
    ("Cramer's V", 0.499, False),
    ("Cramer's V", 0.5, True),
    ('eta squared', 0.249, False),
    ('eta squared', 0.25, True),
  ],
)
def test_strong_columns_are_named(written, which, measure, strength, is_strong):
  results = with_shortcut(written, which, measure, strength)
  other = 'class' if which == 'cluster' else 'cluster'
  assert audits.strong(results, other) == []
  sentences = audits.strong(results, which)
  assert len(sentences) == is_strong
  html = page_of(written, results)
  assert ('href="#shortcuts"' in html) == is_strong
  assert ('No column reaches' in html) != is_strong
  if is_strong:
    p = 'p = 0.031' if which == 'cluster' else 'p &lt; 0.001'
    shown = measure.replace("Cramer's", 'Cramér’s')
    assert f'({shown} {strength:.2f}, {p})' in html
    assert HOSTILE not in html


def test_how_clusters_differ_in_a_column(written):
  # Clusters 0 and 1 are all left, and 2 and 3 right.
  html = page_of(written, with_shortcut(written, 'cluster', "Cramer's V", 0.9))
  assert 'it is “right” for 100% of cluster 2 and 0% of cluster 0.' in html
  results = copy.deepcopy(written[1])
  entry = results['shortcuts'][0] | {'with_cluster': 0.9}
  entry['p_value_with_cluster'] = 0.0
  results['shortcuts'] = [entry | {'kind': 'numeric'}]
  values = [['1', '2', '30', ''], [], ['7', '9'], ['5']]
  (sentence,) = audits.strong(results, 'cluster', {entry['column']: values})
  assert sentence.endswith(': its median is 2 in cluster 0 and 8 in cluster 2.')
  # A cluster of copies alone has no share.
  results['shortcuts'] = [entry]
  for values, text in (
    (
      [['a', 'b', ''], [], ['a', 'a', 'a', '']],
      '“a” for 75% of cluster 2 and 33% of cluster 0',
    ),
    (
      [['', '', 'a'], [], ['a', 'b']],
      'missing for 67% of cluster 0 and 0% of cluster 2',
    ),
    ([[], ['a', ''], []], ''),
  ):
    (sentence,) = audits.strong(results, 'cluster', {entry['column']: values})
    assert sentence.endswith(f': it is {text}.' if text else '< 0.001).')


def test_columns_alone_against_the_network(written):
  results = copy.deepcopy(written[1])
  results['shortcuts'][-1]['auc_alone'] = 0.8
  results['overall']['auc'] = 0.9
  text = 'These columns alone reach an AUC of 0.80 on the test images, the'
  assert audits.columns_alone(results) == f'{text} network 0.90.'
  results['overall']['auc'] = 0.7
  assert 'network 0.70. The network does no better' in page_of(written, results)
  results['shortcuts'][-1] |= {'auc_alone': None, 'auc_alone_why': 'x'}
  assert audits.columns_alone(results) == ''


def test_columns_that_were_not_audited_are_listed(written):
  assert (
    'Not audited: site (all 32 training images have the same value).'
    in (written[0] / 'report.html').read_text()
  )
  results = copy.deepcopy(written[1])
  results['shortcuts'] = results['shortcuts'][-1:]
  assert 'No column could be audited.' in page_of(written, results)


@pytest.mark.parametrize(
  'value, text',
  [
    (0, '< 0.001'),
    (0.00099, '< 0.001'),
    (0.001, '0.001'),
    (0.0416, '0.042'),
    (0.999, '0.999'),
    (0.9996, '> 0.999'),
    (1.0, '> 0.999'),
  ],
)
def test_p_values_are_never_0_or_1(value, text):
  assert formatting.p_value(value) == text


def test_numbers():
  shown = map(formatting.number, (3, 1234, 1234.0, 120.25, np.float64(2.5), 0))
  assert list(shown) == ['3', '1,234', '1,234', '120.2', '2.5', '0']


@pytest.mark.slow
def test_folds(tmp_path):
  results, outcome = study(tmp_path, 3, folds=3)
  results['overall']['auc'] = 0.5  # Not what the columns are compared with.
  report.write(tmp_path, results, outcome)
  html = (tmp_path / 'report.html').read_text()
  text = section(html, '<h3>Folds', '<h3>What was left out')
  assert 'is the first' in text and 'excellent (0.95)' in text
  assert 'poor (0.40)' in text and 'mixes them' in text
  rows = rows_of(tmp_path, 'folds')
  assert [row['fold'] for row in rows] == ['0', '1', '2']
  for row, fold in zip(rows, results['folds']):
    for name in ('n_train', 'n_test', 'adjusted_rand_with_first'):
      assert [row[name]] == cells([fold[name]])
    for name in METRICS:
      assert [row[name]] == cells([fold['overall'][name]])
      ends = fold['overall']['intervals'][name]
      assert ends_of(row, name) == cells(ends)
    sizes = [row[f'size_of_cluster_{c}'] for c in range(3)]
    assert sizes == cells(fold['cluster_sizes'])
    assert f'{" + ".join(sizes)}' in text
  # 32 images in 3 folds: means with fractions, shown short.
  assert results['dataset']['n_train'] == pytest.approx(64 / 3)
  assert '21.3' in section(html, 'Training, mean over folds', '</table>')
  page_without_figures = re.sub(r'data:[^"]*', '', html)
  assert not re.search(r'\d\.\d{5}', page_without_figures)
  assert not re.search(r'\bnan\b', page_without_figures, re.IGNORECASE)
  paragraph = methods.paragraph(results, {})
  assert '32 images, each tested once in 3 folds' in paragraph
  assert 'out-of-fold predictions' in paragraph and 'Hungarian' in paragraph
  assert 'the fold that was tested' in paragraph
  for what in ('The first fold: every image', 'of the first fold nearest'):
    assert what in ' '.join(html.split())
  auc = results['folds'][0]['overall']['auc']
  assert f'of the first fold, the network {auc:.2f}' in html


def test_one_split_speaks_of_no_folds(written):
  html = re.sub(r'data:[^"]*', '', (written[0] / 'report.html').read_text())
  assert not re.search(r'\bfolds?\b', html.replace('4-fold', ''))
  assert not (written[0] / 'tables' / 'folds.csv').exists()


@pytest.mark.slow
def test_given_features(tmp_path):
  results, outcome = study(tmp_path, 2, names=('a', 'b'), given=True)
  report.write(tmp_path, results, outcome)
  html = re.sub(r'data:[^"]*', '', (tmp_path / 'report.html').read_text())
  assert 'What each cluster looks like' not in html
  assert not (tmp_path / 'figures' / 'montage.png').exists()
  assert 'EfficientNet' not in methods.paragraph(results, {})
  assert 'random weights' not in html and '>None' not in html
  assert 'The features were given' in html


def test_the_second_data_set_is_in_other_tables(written):
  results = copy.deepcopy(written[1])
  results['published'] = published.wang2023('Cardiomegaly', 'No Finding')
  html = page_of(written, results)
  for title in ('Table 2. The head', 'Table 4. Heads', 'Figure 2. The'):
    assert f'<h2>{title}' in html
  assert 'Wang (2023), Table 4;' in html and 'Table 1' not in html
  parts = [row[1] for row in tables.table1(results).rows]
  assert 'cluster 4 of its Table 2' in parts


def test_the_rejected_reduction_stands_beside(written):
  results = copy.deepcopy(written[1])
  assert 'Another reduction' not in page_of(written, results)
  names = list(results['clusters'][0]['class_counts'])
  results['reduction']['rejected'] = {
    'n_components': 57,
    'explained_variance': 0.4,
    'adjusted_rand': 0.123,
    'clusters': [
      {'id': c, 'size': 900 + c, 'class_counts': dict(zip(names, (700, c)))}
      for c in range(4)
    ],
  }
  text = section(page_of(written, results), 'Another reduction', '<section>')
  assert '57 principal components (40.0% of the variance), group' in text
  assert 'is poor: an adjusted Rand index of 0.12,' in text
  for cluster in results['clusters']:
    own = [cluster['size'], *cluster['class_counts'].values()]
    beside = f'{900 + cluster["id"]} 700 {cluster["id"]}'
    assert f'{cluster["id"]} {" ".join(map(str, own))} {beside}' in text
  results['published'] = published.wang2023('Cardiomegaly', 'No Finding')
  text = section(page_of(written, results), 'Another reduction', '<section>')
  assert 'which the paper rejected' in text


def test_a_montage_names_the_class_once(written):
  image = np.zeros((2, 2, 3), np.uint8)
  row = [montage.Tile(image, str(i), c, '') for i, c in enumerate('abb')]
  assert montage.usual_label(row) == 'b'
  assert montage.usual_label([]) == ''
  html = page_of(written, written[1], tiles=[row, row[1:], [], []])
  text = section(html, '<h3>Cluster 0', '<h2>Data')
  assert text == (
    'Cluster 0 b 0 a 1 2 Cluster 1 b 1 2 Cluster 2 No original training image'
    ' is in this cluster. Cluster 3 No original training image is in this'
    ' cluster.'
  )
  drawn = montage.figure(written[1], [row] * 4).axes
  assert drawn[0].get_ylabel() == 'Cluster 0\nb'
  assert [axes.get_xlabel() for axes in drawn[:3]] == ['0\na', '1', '2']


def test_notes_of_the_data_set(written):
  html = (written[0] / 'report.html').read_text()
  assert '<li>&lt;script&gt;alert(1)&lt;/script&gt; is a note.</li>' in html


def test_every_picture_says_what_it_shows(written):
  html = (written[0] / 'report.html').read_text()
  pictures = re.findall(r'<img [^>]*>', html)
  assert len(pictures) > 5
  for picture in pictures:
    alt = re.search(r'alt="([^"]+)"', picture)
    assert alt and '{' not in alt[1]
  assert 'the numbers are in Table 3.' in html


def test_the_split_has_its_numbers(written):
  _, results, _ = written
  split = dict(methods.settings(results, {}))['Split']
  d = results['dataset']
  assert split.startswith('published protocol: ')
  assert f'{d["n_train"]} images for training' in split
  assert 'none for validation' in split
  assert 'early stopping used the test set' in split
  limit = 'Early stopping looked at the test images'
  assert limit in page_of(written, results)
  own = copy.deepcopy(results)
  own['protocol'], own['dataset']['n_validation'] = 'clean', 31
  split = dict(methods.settings(own, {}))['Split']
  assert '31 for validation' in split
  assert 'early stopping used the validation part' in split
  own['dataset']['class_counts_validation'] = dict.fromkeys(
    d['class_counts_test'], 0
  )
  assert limit not in page_of(written, own)


@pytest.mark.slow
def test_given_features_are_of_samples_not_of_images(tmp_path):
  results, outcome = study(tmp_path, 4, given=True)
  report.write(tmp_path, results, outcome)
  html = (tmp_path / 'report.html').read_text()
  body = unescape(re.sub(r'src="[^"]*"', '', html[html.index('<body>') :]))
  # The words of the study and the title of the paper stand as they are.
  for text in (*results['findings'], methods.CITATION, methods.BIBTEX):
    body = body.replace(text, '')
  body = re.sub('(not estimable: |Not audited: )[^<]*', '', body)
  assert not re.findall(r'[^.<>]*\bimages?\b[^.<>]*', body, re.IGNORECASE)
  assert 'test samples' in body


def test_speed_in_words():
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
  assert [row[1:] for row in parts.stages(timings)] == [
    ('0.5 s', ''),
    (
      '2.0 s',
      '15.0 images a second, 12.3% of the ceiling (model FLOP utilisation)',
    ),
    ('0.3 s', '1,234 GFLOP a second in bfloat16'),
    ('1.0 s', ''),
  ]

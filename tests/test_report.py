"""The report of a retraining study on a small made-up outcome."""

import csv
import json
import pathlib
import re
import types

import jax
import matplotlib
import numpy as np
from PIL import Image
import pytest

from heterojax import report
from heterojax.configs import fundus
from heterojax.datasets import manifest
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.heads.ensemble import Member
from heterojax.report import cluster_figures
from heterojax.report import tables
from heterojax.studies import settings as settings_lib
from heterojax.studies import summary
from heterojax.studies.outcome import Clusters
from heterojax.studies.outcome import HeadName
from heterojax.studies.outcome import Outcome
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
)


def study(
    folder: pathlib.Path,
    k: int,
    *,
    names: tuple[str, str] = ('cataract', 'normal fundus'),
    method: str = 'pca',
    one_class: bool = False,
) -> tuple[dict, Outcome]:
  """Results and outcome of heads that guess, in k clusters on a circle.

  Args:
    folder: for a few images, and `manifest.csv` and `config.json`.
    k: clusters; the last has no test image.
    names: positive and negative class.
    method: of reduction.
    one_class: whether cluster 0 has positives only.

  Returns:
    What `report.write` takes.
  """
  stream = np.random.default_rng(k)
  splits = np.repeat(['train', 'test'], [8 * k, 4 * (k - 1)])
  labels = [np.arange(8 * k) % k, np.arange(4 * (k - 1)) % (k - 1)]
  labels = np.concatenate(labels)
  n = len(splits)
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
  cohort = manifest.Cohort(
      'made up', folder, *names,
      tuple(
          manifest.Candidate(
              ids[i], paths[i], names[1 - y[i]], f'patient {i % 7}', splits[i],
              columns=(('sha256', paths[i]),),
          )
          for i in range(n)
      )
      + (manifest.Candidate('out', 'x', names[0], 'p').left_out(HOSTILE),),
  )  # pyformat: disable
  samples = Samples(
      ids, ids, (IDENTITY,) * n, splits, y, np.arange(n),
      tuple(Picture(folder / path, IDENTITY) for path in paths),
  )  # pyformat: disable
  heads, key = {}, jax.random.key(0)
  settings = fundus.get_config('protocol=published').to_dict()
  settings['cluster']['k'] = k
  settings['reduction']['method'] = method
  for name in [
      HeadName('overall'),
      *(HeadName('cluster', c) for c in range(k)),
      *(HeadName('random', c, r) for c in range(k) for r in range(5)),
  ]:
    in_cluster = labels == max(name.cluster, 0)
    rows = np.flatnonzero((splits == 'train') & in_cluster)
    heads[name] = Member(rows, key, key)
  distance = np.linalg.norm(z - centers[labels], axis=1)
  outcome = Outcome(
      samples,
      Clusters(z.astype(np.float32), centers, labels, distance, 0.7),
      heads,
      np.clip(0.3 * y + 0.7 * stream.random((len(heads), n)), 0, 1),
  )
  backbone = types.SimpleNamespace(
      name='efficientnet_b0', source='keras', weights=HOSTILE,
      weights_sha256='ab' * 32,
  )  # pyformat: disable
  results = summary.summarise(
      settings_lib.from_dict(settings), cohort, backbone, outcome
  )
  results['backbone']['dim'] = 62720
  results |= {
      'timings': {'heads': {'seconds': 1.0, 'heads_per_second': 25.0}},
      'environment': {'heterojax': '0', 'packages': {'jax': '0'}},
  }
  (folder / 'manifest.csv').write_text(manifest.manifest_csv(cohort))
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
      'size', 'intra_cluster_distance', 'n_positive', 'n_negative',
      'retrained_accuracy', 'random_accuracy', 'random_specificity',
  )  # pyformat: disable
  assert [tuple(r[c] for c in columns) for r in published] == expected
  html = (written[0] / 'report.html').read_text()
  for number in ('0.9375', '>428<', '0.9712', '0.6731', '>0.9694<'):
    assert number in html


@pytest.mark.parametrize('k, method', [(2, 'none'), (12, 'pca')])
def test_any_number_of_clusters(tmp_path, k, method):
  results, outcome = study(tmp_path, k, names=('a', 'b'), method=method)
  assert results['published'] is None
  results['known_subpopulations'] = {
      'column': HOSTILE, 'adjusted_rand_train': 0.9, 'adjusted_rand_test': 0.8
  }  # pyformat: disable
  results['backbone']['weights_sha256'] = None  # Random weights.
  report.write(tmp_path, results, outcome)
  assert len(rows_of(tmp_path, 'table3')) == k
  assert len(rows_of(tmp_path, 'transfer')) == k * k


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

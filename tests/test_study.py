"""The command: one study end to end, its artifacts, its mistakes."""

import csv
import gzip
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import answers
from field_paths import foretold
from field_paths import missing
from field_paths import unnamed
import numpy as np
from PIL import Image
import pytest
from reasons import nulls_without_reason
from sklearn import metrics as sklearn_metrics

from heterojax.backbones import efficientnet
from heterojax.backbones import imagenet
from heterojax.compute import forward
from heterojax.configs import fundus
from heterojax.heads import ensemble
from heterojax.heads import head
from heterojax.launch import study
from heterojax.run import checkpoint
from heterojax.studies.answer import answer
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining import study as retraining

EXAMPLE = (
  pathlib.Path(__file__).parent.parent / 'docs' / 'results_retraining.json'
)


def launch(*args: str) -> int:
  return study.main(['study.py', *args])


def rows_of(path: pathlib.Path) -> list[dict[str, str]]:
  with path.open(newline='') as file:
    return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """A tiny demo study."""
  workdir = tmp_path_factory.mktemp('runs') / 'demo'
  assert launch('--config=demo:tiny', f'--workdir={workdir}') == 0
  return workdir


@pytest.fixture(scope='module')
def results(run: pathlib.Path) -> dict:
  return json.loads((run / 'results.json').read_text())


@pytest.fixture
def photos(tmp_path: pathlib.Path) -> pathlib.Path:
  """24 small images in a folder per class."""
  rng = np.random.default_rng(0)
  for label, shade in (('glaucoma', 60), ('normal', 180)):
    folder = tmp_path / 'photos' / label
    folder.mkdir(parents=True)
    for i in range(12):
      pixels = np.clip(rng.normal(shade, 40, (40, 40, 3)), 0, 255)
      Image.fromarray(pixels.astype(np.uint8)).save(folder / f'{i}.jpg')
  return tmp_path / 'photos'


@pytest.mark.medium
def test_all_artifacts_are_there(run: pathlib.Path) -> None:
  for name in (
    'config.json',
    'manifest.csv',
    'augmented.csv',
    'clusters.csv',
    'results.json',
    'report.html',
    'log.txt',
    'features/features.npy',
    'checkpoints/heads',
    'tables/table1.csv',
    'tables/table3.csv',
  ):
    assert (run / name).exists(), name
  assert {p.suffix for p in (run / 'figures').iterdir()} == {'.png', '.svg'}


@pytest.mark.medium
def test_numbers_agree_with_each_other(
  run: pathlib.Path, results: dict
) -> None:
  manifest = rows_of(run / 'manifest.csv')
  clusters = rows_of(run / 'clusters.csv')
  data = results['dataset']
  count = lambda rows, **kv: sum(
    all(r[k] == v for k, v in kv.items()) for r in rows
  )
  assert data['n_train'] == count(manifest, split='train', included='true')
  assert data['n_test'] == count(manifest, split='test', included='true')
  assert data['n_validation'] == count(manifest, split='validation')
  assert len({r['id'] for r in manifest}) == len(manifest)
  assert count(clusters, split='train') == data['n_train_augmented']
  assert (
    sum(c['size'] for c in results['clusters']) == data['n_train_augmented']
  )
  assert sum(c['test']['n'] for c in results['clusters']) == data['n_test']
  overall = results['overall']
  assert (
    overall['tp'] + overall['fp'] + overall['tn'] + overall['fn']
    == data['n_test']
  )
  right = count(clusters, split='test', correct='true')
  assert overall['accuracy'] == right / data['n_test']
  for c in results['clusters']:
    assert c['size'] == count(clusters, split='train', cluster=str(c['id']))
    assert c['size'] == sum(c['class_counts'].values())
    for r in c['random']['runs']:
      assert sum(r['class_counts'].values()) == c['size']
      assert r['n'] == data['n_test']
    mean = np.mean([r['accuracy'] for r in c['random']['runs']])
    assert c['random']['accuracy'] == pytest.approx(mean, abs=1e-12)
  distances = np.array(results['between_cluster_distances'])
  np.testing.assert_array_equal(distances, distances.T)
  assert (np.diag(distances) == 0).all()


@pytest.mark.medium
def test_the_checkpoint_gives_the_probabilities(run: pathlib.Path) -> None:
  """The stored overall head on stored features is what clusters.csv says."""
  tree = checkpoint.load(run / 'checkpoints' / 'heads')
  x = np.load(run / 'features' / 'features.npy').astype(np.float64)
  logits = (
    x @ tree['params.kernel'][0].astype(np.float64) + tree['params.bias'][0]
  )
  stored = [float(r['probability']) for r in rows_of(run / 'clusters.csv')]
  # Features stand per picture, and here every sample is a picture of its own.
  np.testing.assert_allclose(1 / (1 + np.exp(-logits)), stored, atol=1e-5)
  names = json.loads((run / 'checkpoints' / 'heads.json').read_text())
  assert names[0]['name'] == 'overall'
  # Twice each cluster's own head, and two random ones of two families.
  assert len(names) == len(tree['params.kernel']) == 1 + 3 * (2 + 2 * 2)


@pytest.mark.slow
def test_the_same_command_gives_the_same_results(
  tmp_path: pathlib.Path, results: dict
) -> None:
  def without_clock(tree: dict) -> dict:
    return {
      k: v for k, v in tree.items() if k not in ('timings', 'environment')
    }

  assert launch('--config=demo:tiny', f'--workdir={tmp_path / "a"}') == 0
  again = json.loads((tmp_path / 'a' / 'results.json').read_text())
  assert without_clock(again) == without_clock(results)
  assert (
    launch(
      '--config=demo:tiny', f'--workdir={tmp_path / "b"}', '--config.seed=1'
    )
    == 0
  )
  other = json.loads((tmp_path / 'b' / 'results.json').read_text())
  assert other['clusters'] != results['clusters']


def shape(value, path='') -> set[str]:
  """Paths of everything in a tree of results."""
  if isinstance(value, dict):
    return set().union(
      *(shape(v, f'{path}.{k}') for k, v in value.items()), {path}
    )
  if isinstance(value, list):
    return set().union(*(shape(v, f'{path}[]') for v in value), {path})
  return {path}


@pytest.mark.medium
def test_the_example_in_the_docs_has_the_same_shape(results: dict) -> None:
  # What differs by data set: names of classes, notes why something is missing.
  own = (
    'class_counts',
    '_why',
    'published',
    'known_subpop',
    'timings',
    'environment',
    'notes',
    # The example is of a release without an answer.
    'verdict',
    'findings',
    # Of the published protocol, and that of the run is clean.
    'random_originals',
  )
  keep = lambda paths: {
    p for p in paths if not any(w in p for w in own) and 'leaks.' not in p
  }
  example = json.loads(EXAMPLE.read_text())
  assert keep(shape(example)) == keep(shape(results))
  assert example['schema_version'] == results['schema_version'] == 1


def _stand_ins(run: pathlib.Path) -> dict:
  return foretold(json.loads((run / 'config.json').read_text()))


def test_every_null_says_why(folds: pathlib.Path, results: dict) -> None:
  """What the codec promises of every file, seen from outside."""
  found = json.loads((folds / 'results.json').read_text())
  assert nulls_without_reason(results) == nulls_without_reason(found) == []


@pytest.mark.slow
def test_conditions_are_checked_by_the_names_of_the_results(
  run: pathlib.Path, folds: pathlib.Path, results: dict
) -> None:
  found = json.loads((folds / 'results.json').read_text())
  assert unnamed(_stand_ins(run), results) == []
  assert unnamed(_stand_ins(folds), found) == []
  # One split has no folds, which is not known before the data are read.
  assert missing(_stand_ins(run), results) == ['results.folds']
  assert missing(_stand_ins(folds), found) == []
  example = json.loads(EXAMPLE.read_text())
  config = fundus.get_config('protocol=published')
  assert unnamed(foretold(config.to_dict()), example) == []


@pytest.fixture(scope='module')
def folds(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """The demo study in two folds, which share no training image."""
  workdir = tmp_path_factory.mktemp('runs') / 'folds'
  flags = ('--config=demo:tiny', '--config.split.folds=2')
  assert launch(*flags, f'--workdir={workdir}') == 0
  return workdir


@pytest.mark.slow
def test_folds_test_every_image_once(
  folds: pathlib.Path, results: dict
) -> None:
  found = json.loads((folds / 'results.json').read_text())
  data, manifest = found['dataset'], rows_of(folds / 'manifest.csv')
  assert found['split'] == {'folds': 2, 'named': False}
  assert results['split'] == {'folds': 0, 'named': False}
  assert {r['split'] for r in manifest if r['included'] == 'true'} == {
    'fold_0',
    'fold_1',
  }
  clusters = rows_of(folds / 'clusters.csv')
  assert data['n_test'] == 60 == sum(r['included'] == 'true' for r in manifest)
  tested = [r['id'] for r in clusters if r['split'] == 'test']
  assert sorted(tested) == sorted(
    r['id'] for r in manifest if r['included'] == 'true'
  )
  for r in clusters:
    if r['split'] == 'test':
      (own,) = (m for m in manifest if m['id'] == r['id'])
      assert own['split'] == f'fold_{r["fold"]}'
  for counts in ('train', 'train_augmented', 'test'):
    assert sum(data[f'class_counts_{counts}'].values()) == data[f'n_{counts}']
  assert [f['n_test'] for f in found['folds']] == [
    sum(r['split'] == 'test' and r['fold'] == str(fold) for r in clusters)
    for fold in (0, 1)
  ]
  assert found['leaks']['same_path'] == {'disease': 0, 'normal': 0}
  # The same results as of one split, and those of each fold beside them.
  own = (
    '_why',
    'folds',
    'leaks',
    'timings',
    'environment',
    'findings',
    'notes',
    # What has an interval, or a p-value, differs with the data.
    'verdict',
  )
  keep = lambda tree: {p for p in shape(tree) if not any(w in p for w in own)}
  assert keep(found) == keep(results)


@pytest.mark.slow
def test_scores_of_folds_are_over_all_predictions(folds: pathlib.Path) -> None:
  """By hand from clusters.csv, with scikit-learn."""
  found = json.loads((folds / 'results.json').read_text())
  label = {r['id']: r['label'] for r in rows_of(folds / 'manifest.csv')}
  clusters = rows_of(folds / 'clusters.csv')
  tested = [r for r in clusters if r['split'] == 'test']

  def check(score: dict, rows: list[dict[str, str]]) -> None:
    y = np.array([label[r['id']] == 'disease' for r in rows])
    p = np.array([float(r['probability']) for r in rows])
    right = (p > 0.5) == y
    assert [r['correct'] for r in rows] == [str(v).lower() for v in right]
    assert score['n'] == len(rows)
    assert score['tp'] == np.sum(right & y) and score['tn'] == np.sum(
      right & ~y
    )
    if len(rows):
      assert score['accuracy'] == pytest.approx(right.mean(), abs=1e-12)
    if y.any() and not y.all():
      assert score['auc'] == pytest.approx(
        sklearn_metrics.roc_auc_score(y, p), abs=1e-12
      )

  check(found['overall'], tested)
  for fold, own in enumerate(found['folds']):
    check(own['overall'], [r for r in tested if r['fold'] == str(fold)])
  for c in found['clusters']:
    check(c['test'], [r for r in tested if r['cluster'] == str(c['id'])])
    sizes = [
      sum(
        (r['split'], r['fold'], r['cluster']) == ('train', fold, str(c['id']))
        for r in clusters
      )
      for fold in '01'
    ]
    assert sizes == [own['cluster_sizes'][c['id']] for own in found['folds']]
    assert c['size'] == np.mean(sizes) == sum(c['class_counts'].values())
    assert c['retrained']['n'] == 60
    for run in c['random']['runs']:
      assert run['n'] == 60
      assert sum(run['class_counts'].values()) == c['size']


@pytest.mark.slow
def test_clusters_of_folds_have_numbers_in_common(folds: pathlib.Path) -> None:
  """No other numbering of the second fold's agrees with more images."""
  found = json.loads((folds / 'results.json').read_text())
  first, second = (
    {
      r['id']: int(r['cluster'])
      for r in rows_of(folds / 'clusters.csv')
      if r['fold'] == fold and '+' not in r['id']
    }
    for fold in '01'
  )
  assert first.keys() == second.keys() and len(first) == 60
  agreeing = [
    sum(new[second[i]] == first[i] for i in first)
    for new in itertools.permutations(range(3))
  ]
  assert agreeing[0] == max(agreeing)
  index = sklearn_metrics.adjusted_rand_score(
    [first[i] for i in first], [second[i] for i in first]
  )
  agreed = [f['adjusted_rand_with_first'] for f in found['folds']]
  assert agreed == [1, pytest.approx(index)]


@pytest.mark.slow
def test_the_heads_of_folds_give_their_probabilities(
  folds: pathlib.Path,
) -> None:
  """Each fold's own overall head, on the features of all folds."""
  tree = checkpoint.load(folds / 'checkpoints' / 'heads')
  x = np.load(folds / 'features' / 'features.npy').astype(np.float64)
  names = json.loads((folds / 'checkpoints' / 'heads.json').read_text())
  assert len(names) == len(tree['params.kernel']) == 2 * (1 + 3 * (2 + 2 * 2))
  overall = [i for i, n in enumerate(names) if n['name'] == 'overall']
  assert [names[i]['fold'] for i in overall] == [0, 1]
  # Pictures stand in the order in which the folds show them first.
  picture: dict[str, int] = {}
  rows = rows_of(folds / 'clusters.csv')
  for r in rows:
    picture.setdefault(r['id'], len(picture))
  assert len(picture) == len(x)
  for r in rows:
    head_of = overall[int(r['fold'])]
    logit = x[picture[r['id']]] @ tree['params.kernel'][head_of].astype(
      np.float64
    )
    logit += tree['params.bias'][head_of]
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(
      float(r['probability']), abs=1e-5
    )


@pytest.mark.slow
def test_relaunching_does_no_finished_work_again(
  run: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """No image goes through the network, and no head is trained."""
  calls = []
  for module, name in (
    (forward, 'batches'),
    (ensemble, 'train'),
    (clustering, 'cluster_analysis'),
  ):
    monkeypatch.setattr(
      module, name, lambda *args, n=name, **kw: calls.append(n)
    )
  folders = ('features', 'checkpoints/heads', 'checkpoints/clusters')

  def written() -> dict[pathlib.Path, int]:
    paths = [p for name in folders for p in (run / name).rglob('*')]
    return {path: path.stat().st_mtime_ns for path in paths}

  before = written()
  assert len(before) > 10
  assert launch('--config=demo:tiny', f'--workdir={run}') == 0
  assert not calls
  assert written() == before
  log = (run / 'log.txt').read_text()
  assert 'Resuming: 60 of 60 features are there' in log
  assert 'Resuming: the clusters are there' in log
  assert 'Resuming: all 19 heads are trained' in log


@pytest.mark.slow
def test_timings_are_of_the_work_that_was_done(
  run: pathlib.Path, results: dict, tmp_path: pathlib.Path
) -> None:
  """Of 60 pictures and 19 heads; the shares by hand from what stands there."""
  timings = results['timings']
  own, heads = timings['features'], timings['heads']
  most = timings['ceiling']['float32_flops_per_second']
  assert own['images'] == 60 and heads['heads'] == 1 + 3 * (2 + 2 * 2)
  assert own['images_per_second'] == pytest.approx(60 / own['seconds'])
  # EfficientNet-Lite0 has 0.384 billion products at 224 pixels, here are 64.
  each = own['flops'] / 60
  assert each == pytest.approx(2 * 0.384e9 * (64 / 224) ** 2, rel=0.01)
  share = each * own['images_per_second'] / most
  assert own['model_flop_utilisation'] == pytest.approx(share)
  assert 0 < share < 1
  # At most 3 epochs of all images.
  x = np.load(run / 'features' / 'features.npy', mmap_mode='r')
  described = json.loads((run / 'checkpoints' / 'heads.json').read_text())
  assert all(1 <= head['epochs'] <= 3 for head in described)
  n = results['dataset']['n_train_augmented']
  # Overall, the clusters twice, two runs of two families.
  trained = 4 * x.shape[1] * 3 * n * (1 + 2 + 2 * 2)
  validated = 2 * x.shape[1] * 3 * 19 * results['dataset']['n_validation']
  assert 0 < heads['flops'] <= trained + validated
  assert heads['flops'] >= (trained + validated) / 3
  # Features that are there already are not timed.
  again = pathlib.Path(shutil.copytree(run, tmp_path / 'again'))
  assert launch('--config=demo:tiny', f'--workdir={again}') == 0
  timings = json.loads((again / 'results.json').read_text())['timings']
  assert set(timings['features']) == {'seconds', 'images'}
  assert timings['features']['images'] == 0 and 'ceiling' not in timings
  assert set(timings['heads']) == {'seconds', 'heads'}
  assert timings['heads']['heads'] == 0
  assert 'model_flop_utilisation' not in timings['heads']


@pytest.mark.slow
def test_bfloat16_features_are_computed_anew_and_told(
  run: pathlib.Path, tmp_path: pathlib.Path, capfd
) -> None:
  narrow = ('--config=demo:tiny', '--config.backbone.dtype=bfloat16')
  workdir = tmp_path / 'run'
  assert launch(*narrow, f'--workdir={workdir}') == 0
  shutil.rmtree(workdir / 'features')
  shutil.copytree(run / 'features', workdir / 'features')
  (workdir / 'results.json').unlink()
  assert launch(*narrow, f'--workdir={workdir}') == 0
  found = json.loads((workdir / 'results.json').read_text())
  assert found['timings']['features']['images'] == 60
  assert found['backbone']['dtype'] == 'bfloat16'
  x, wide = (
    np.load(folder / 'features' / 'features.npy') for folder in (workdir, run)
  )
  assert x.dtype == np.float32 and not np.array_equal(x, wide)
  cosine = np.sum(x * wide, axis=1)
  cosine /= np.linalg.norm(x, axis=1) * np.linalg.norm(wide, axis=1)
  assert np.median(cosine) > 0.99
  page = (workdir / 'report.html').read_text()
  assert 'frozen, in bfloat16;' in page
  assert 'was frozen and computed in bfloat16;' in page
  page = (run / 'report.html').read_text()
  assert 'frozen, in float32;' in page and 'bfloat16' not in page
  assert launch(*narrow, f'--workdir={run}') == 4
  assert 'backbone.dtype differs' in capfd.readouterr().err


@pytest.mark.slow
def test_profile_writes_a_trace(tmp_path: pathlib.Path) -> None:
  workdir = tmp_path / 'run'
  assert launch('--config=demo:tiny', '--profile', f'--workdir={workdir}') == 0
  (trace,) = (workdir / 'profile').rglob('*.trace.json.gz')
  with gzip.open(trace) as file:
    events = json.load(file)['traceEvents']
  names = {event.get('name', '') for event in events}
  assert {'features', 'clusters', 'heads', 'evaluation'} <= names
  # The network's program among others, and no calls of Python.
  assert any('apply)' in name for name in names)
  assert not any('.py:' in name for name in names)
  assert (workdir / 'results.json').exists()


@pytest.mark.slow
def test_fail_if(run: pathlib.Path, capfd) -> None:
  common = ('--config=demo:tiny', f'--workdir={run}')
  assert launch(*common, '--fail_if=overall.accuracy >= 0') == 1
  assert launch(*common, '--fail_if=clusters[0].size < 0') == 0
  assert launch(*common, '--fail_if=overall.auc_why > 0') == 2
  assert 'overall.auc_why > 0 is not of numbers' in capfd.readouterr().err


@pytest.mark.slow
def test_fail_if_of_the_answer(
  run: pathlib.Path, tmp_path: pathlib.Path, capfd, monkeypatch
) -> None:
  real = answer.verdict
  monkeypatch.setattr(
    answer,
    'verdict',
    lambda measured, facts: real(answers.found_in_first(facts.k), facts),
  )
  workdir = tmp_path / 'run'
  shutil.copytree(run, workdir)
  common = ('--config=demo:tiny', f'--workdir={workdir}')
  found = launch(*common, '--fail_if=verdict.answer == "yes"')
  tree = json.loads((workdir / 'results.json').read_text())['verdict']
  assert found == int(tree['answer'] == 'yes')
  assert launch(*common, '--fail_if=verdict.one_rule.p_value < 0.05') == 1
  assert launch(*common, '--fail_if=verdict.one_rule.p_value < 0.001') == 0
  lines = capfd.readouterr().out.splitlines()
  assert tree['sentence'] in lines
  assert lines[-1].startswith('The report is at')
  assert lines[-2].startswith('WARN ')
  # Refused before anything is read.
  assert launch(*common, '--fail_if=verdict.one_rule.given_one_rule < 1') == 2
  says = "verdict.one_rule has no field 'given_one_rule'"
  assert says in capfd.readouterr().err


@pytest.mark.slow
def test_a_truncated_image_is_listed_and_left_out(
  photos: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  path = photos / 'normal' / '3.jpg'
  path.write_bytes(path.read_bytes()[:200])
  workdir = tmp_path / 'run'
  assert (
    launch(
      '--config=folder:tiny',
      f'--config.data.dir={photos}',
      '--config.cluster.k=2',
      f'--workdir={workdir}',
    )
    == 0
  )
  bad = [
    r for r in rows_of(workdir / 'manifest.csv') if r['included'] == 'false'
  ]
  assert [r['path'] for r in bad] == ['normal/3.jpg']
  assert 'cannot be decoded' in bad[0]['reason']
  assert 'Left out: 1 (cannot be decoded)' in (workdir / 'log.txt').read_text()


@pytest.mark.slow
def test_an_image_that_changes_during_a_run_is_not_shown(
  photos: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Its thumbnail would stand for another image than its number."""
  evaluate = retraining.evaluate

  def then_changed(*args: Any) -> Any:
    for path in photos.rglob('*.jpg'):
      path.write_bytes(path.read_bytes() + b' ')
    return evaluate(*args)

  monkeypatch.setattr(retraining, 'evaluate', then_changed)
  workdir = tmp_path / 'run'
  given = f'--config.data.dir={photos}', '--config.cluster.k=2'
  assert launch('--config=folder:tiny', *given, f'--workdir={workdir}') == 0
  with np.load(workdir / 'view.npz') as view:
    problems = {*view['tile_problems'].tolist()}
  assert problems == {'it has changed'}


@pytest.mark.slow
def test_what_is_passed_on_names_no_path_of_this_machine(
  photos: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  package = efficientnet.LITE0.published
  original, _ = imagenet.locate('', package, download=False)
  weights = tmp_path / 'my.pth'
  shutil.copy(original, weights)
  workdir = tmp_path / 'run'
  flags = (
    f'--config.data.dir={photos}',
    f'--config.backbone.weights={weights}',
    '--config.cluster.k=2',
    f'--workdir={workdir}',
  )
  assert launch('--config=folder:tiny', *flags) == 0
  results = (workdir / 'results.json').read_text()
  assert json.loads(results)['backbone']['weights'] == 'my.pth'
  page = (workdir / 'report.html').read_text()
  assert 'weights my.pth (source lukemelas; SHA-256' in page
  tables = [path.read_text() for path in workdir.rglob('*.csv')]
  for text in (results, page, *tables):
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
  'flags,sentence',
  [
    (['--config=folder'], '--config.data.dir must name'),
    (['--workdir=W'], 'Say what to run with --config=NAME'),
    (['--config=nothing', '--workdir=W'], "no configuration 'nothing'"),
    (['--config=configs/nothing.py', '--workdir=W'], 'no configuration file'),
    (['--config=demo:colour', '--workdir=W'], "no argument 'colour'"),
    (['--config=demo', '--config.data.dri=x', '--workdir=W'], 'dri'),
    (['--config=demo', '--confg=x', '--workdir=W'], 'confg'),
    (
      ['--config=demo', '--config.seed=x', '--workdir=W'],
      'config.seed=x: it is no whole number',
    ),
    (
      ['--config=demo', '--config.cluster.tol=x', '--workdir=W'],
      'config.cluster.tol=x: it is no number',
    ),
    (
      ['--config=features', '--config.data.dir=D.npz', '--workdir=W'],
      'D.npz does not exist',
    ),
    (
      [
        '--config=features',
        '--config.data.dir=D',
        '--config.data.files=F',
        '--workdir=W',
      ],
      'give one of them',
    ),
    (
      ['--config=demo', 'extra', '--workdir=W'],
      "'extra' is no command or configuration",
    ),
    (['--config=folder', '--workdir=W'], '--config.data.dir must name'),
    (
      ['--config=folder', '--config.data.dir=D', '--workdir=W'],
      'does not exist',
    ),
    (['--config=fundus', '--config.data.dir=D', '--workdir=W'], 'full_df.csv'),
    (
      ['--config=demo:tiny', '--config.cluster.k=0', '--workdir=W'],
      'cluster.k is 0',
    ),
    (
      ['--config=demo:tiny', '--config.cluster.k=900', '--workdir=W'],
      'for 900 clusters',
    ),
    (
      ['--config=demo:tiny', '--config.backbone.name=x', '--workdir=W'],
      "no backbone 'x'",
    ),
    (['--config=demo:tiny', '--config.backbone.weights=D', '--workdir=W'], 'D'),
    (
      ['--config=demo:tiny', '--fail_if=__import__("os")', '--workdir=W'],
      'Call',
    ),
    (
      [
        '--config=demo:tiny',
        '--config.reduction.rejected=900',
        '--workdir=W',
      ],
      '900 principal',
    ),
    (
      ['--config=demo:tiny', '--config.heads.learning_rate=inf', '--workdir=W'],
      'out of range',
    ),
    (
      ['--config=demo:tiny', '--config.heads.learning_rate=nan', '--workdir=W'],
      'out of range',
    ),
    (
      [
        '--config=demo:tiny',
        '--config.seed=99999999999999999999',
        '--workdir=W',
      ],
      'out of range',
    ),
    (
      ['--config=demo:tiny', '--config.data.subpopulation=x', '--workdir=W'],
      "no column 'x'",
    ),
    (['--config=demo:tiny', '--fail_if=', '--workdir=W'], 'not a condition'),
    (
      ['--config=demo:tiny', '--fail_if=overall.f1 < 1', '--workdir=W'],
      "overall has no field 'f1'",
    ),
    (
      ['--config=demo:tiny', '--fail_if=clusters[4].size < 1', '--workdir=W'],
      'clusters has 3 entries',
    ),
    (
      ['--config=demo:tiny', '--fail_if=folds[0].n_train < 1', '--workdir=W'],
      "no field 'folds'",
    ),
  ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capfd,
  flags: list[str],
  sentence: str,
) -> None:
  monkeypatch.chdir(tmp_path)
  lite0 = '--config.backbone.name=efficientnet_lite0'
  if '--config=fundus' in flags:
    flags = [*flags, lite0]
    (tmp_path / 'D').mkdir()
  assert launch(*flags) == 2
  lines = capfd.readouterr().err.strip().splitlines()
  assert lines[-1].startswith('heterojax: ')
  assert sentence in lines[-1]
  assert not any('Traceback' in line for line in lines)
  made = {p.name for p in tmp_path.iterdir()} - {'D'}
  # Only the demo draws its images before it can count them.
  assert made <= ({'W'} if 'demo' in flags[0] else set())
  assert not (tmp_path / 'W' / 'config.json').exists()


@pytest.mark.parametrize('name', ['weights.h5', 'weights.pth'])
def test_garbage_weights(tmp_path: pathlib.Path, capfd, name: str) -> None:
  path = tmp_path / name
  path.write_bytes(b'garbage' * 100)
  workdir = tmp_path / 'run'
  assert (
    launch(
      '--config=demo:tiny',
      f'--config.backbone.weights={path}',
      f'--workdir={workdir}',
    )
    == 2
  )
  assert str(path) in capfd.readouterr().err
  assert not workdir.exists()


def test_one_class_only(photos: pathlib.Path, tmp_path, capfd) -> None:
  for path in (photos / 'normal').iterdir():
    path.unlink()
  assert (
    launch(
      '--config=folder:tiny',
      f'--config.data.dir={photos}',
      f'--workdir={tmp_path / "run"}',
    )
    == 2
  )
  assert "of the class 'glaucoma'" in capfd.readouterr().err


@pytest.mark.slow
def test_flags_stand_in_any_order(
  photos: pathlib.Path, tmp_path, capfd
) -> None:
  assert (
    launch(
      f'--config.data.dir={photos}',
      '--dry_run',
      '--config.cluster.k=2',
      '--workdir',
      str(tmp_path / 'run'),
      '--config',
      'folder:tiny',
    )
    == 0
  )
  assert '24 pictures' in capfd.readouterr().out


@pytest.mark.slow
def test_another_configuration_in_the_same_folder_is_refused(
  run: pathlib.Path, capfd
) -> None:
  assert (
    launch('--config=demo:tiny', '--config.seed=5', f'--workdir={run}') == 4
  )
  assert 'seed differs' in capfd.readouterr().err


@pytest.mark.slow
def test_a_third_class_and_unknown_patients(
  photos: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  (photos / 'myopia').mkdir()
  shown = photos / 'normal' / '0.jpg'
  (photos / 'myopia' / '0.jpg').write_bytes(shown.read_bytes())
  workdir = tmp_path / 'run'
  assert (
    launch(
      '--config=folder:tiny',
      f'--config.data.dir={photos}',
      '--config.data.positive=glaucoma',
      '--config.data.negative=normal',
      '--config.cluster.k=2',
      '--config.features.batch_size=100000',
      f'--workdir={workdir}',
    )
    == 0
  )
  rows = rows_of(workdir / 'manifest.csv')
  assert [r['path'] for r in rows if r['included'] == 'false'] == [
    'myopia/0.jpg'
  ]
  results = json.loads((workdir / 'results.json').read_text())
  assert results['leaks']['shared_group'] is None
  why = results['leaks']['shared_group_why']
  assert why == 'the data name no patient or group'
  page = (workdir / 'report.html').read_text()
  assert why in page and 'other label' in page
  assert 'No patient' not in page and 'no patient in two' not in page


@pytest.mark.slow
def test_contradictory_labels_are_said(
  photos: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  shown = photos / 'glaucoma' / '0.jpg'
  (photos / 'normal' / '0.jpg').write_bytes(shown.read_bytes())
  workdir = tmp_path / 'run'
  assert (
    launch(
      '--config=folder:tiny',
      f'--config.data.dir={photos}',
      '--config.cluster.k=2',
      f'--workdir={workdir}',
    )
    == 0
  )
  left_out = [r for r in rows_of(workdir / 'manifest.csv') if r['reason']]
  assert [(r['path'], r['reason']) for r in left_out] == [
    (
      'normal/0.jpg',
      'same image as glaucoma/0.jpg, which is labelled glaucoma',
    )
  ]


@pytest.mark.parametrize(
  'flag, shown',
  [('--debug', True), ('--debug=true', True), ('--debug=false', False)],
)
def test_debug_shows_the_traceback(
  tmp_path: pathlib.Path, capfd, flag, shown
) -> None:
  assert launch('--config=folder', f'--workdir={tmp_path / "W"}', flag) == 2
  assert ('Traceback' in capfd.readouterr().err) == shown


@pytest.mark.medium
def test_dry_run_writes_nothing(photos: pathlib.Path, tmp_path, capfd) -> None:
  workdir = tmp_path / 'run'
  assert (
    launch(
      '--config=folder:tiny',
      f'--config.data.dir={photos}',
      '--dry_run',
      '--config.cluster.k=2',
      f'--workdir={workdir}',
    )
    == 0
  )
  said = capfd.readouterr().out
  assert '24 pictures' in said
  # Lite0 has 0.0627 GFLOP at 64 pixels.
  assert 'Features: 1280 numbers each, 0.1 MB on disk, 1.50 GFLOP.' in said
  assert re.search(r'\nMemory: about \d+\.\d MB at the most, of which ', said)
  assert 'and 0.1 MB for the features' in said
  assert not workdir.exists()


@pytest.mark.medium
def test_dry_run_leaves_no_made_up_images(tmp_path: pathlib.Path) -> None:
  workdir = tmp_path / 'run'
  assert launch('--config=demo:tiny', '--dry_run', f'--workdir={workdir}') == 0
  assert not workdir.exists()


@pytest.mark.slow
def test_a_stopped_run_exits_with_3_and_resumes(tmp_path: pathlib.Path) -> None:
  workdir = tmp_path / 'run'
  command = [
    sys.executable,
    '-m',
    'heterojax.launch.study',
    '--config=demo:tiny',
    '--config.data.num_images=1000',
    f'--workdir={workdir}',
  ]
  process = subprocess.Popen(
    command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
  )
  index = workdir / 'features' / 'blocks.jsonl'
  deadline = time.monotonic() + 600
  while not index.exists() or len(index.read_text().splitlines()) < 2:
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.05)
  process.send_signal(signal.SIGTERM)
  _, errors = process.communicate(timeout=600)
  assert process.returncode == 3
  assert 'Stopped by SIGTERM' in errors and 'Resume with: python -m' in errors
  assert not (workdir / 'results.json').exists()
  done = index.read_text()
  again = subprocess.run(command, capture_output=True, text=True, check=True)
  assert 'Resuming: ' in again.stderr
  assert index.read_text().startswith(done)


@pytest.mark.slow
def test_one_class_cluster_gives_numbers() -> None:
  """A head that saw one class calls everything that class: 0.5, as in W."""
  import jax

  from heterojax import rng
  from heterojax.stats import metrics
  from heterojax.stats import scores

  generator = np.random.default_rng(0)
  x = np.abs(generator.normal(size=(60, 8))).astype(np.float32)
  y = np.arange(60) % 2
  member = ensemble.Member(
    np.flatnonzero(y),
    np.arange(60),
    rng.key(0, rng.Purpose.INITIALISATION),
    rng.key(0, rng.Purpose.ORDER),
  )
  trained = ensemble.train(x, y, [member], ensemble.Training(60, 60, 8, 0.01))
  last = jax.tree.map(lambda leaf: leaf[0], trained.params)
  score = scores.score(y, metrics.probability(head.logits(last, x)))
  assert score.value('accuracy') >= 0.5 and score.value('auc') is not None

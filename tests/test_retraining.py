"""Which images each head of the retraining study trains and validates on."""

import csv
import dataclasses
import json
import pathlib
import re
from typing import Any

import given_study
import head_rows
import jax.numpy as jnp
import numpy as np
import pytest

from heterojax.configs import fundus
from heterojax.heads import ensemble
from heterojax.launch import study
from heterojax.stats import metrics
from heterojax.studies import checks
from heterojax.studies import running
from heterojax.studies import stages
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining import study as retraining
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

_N, _D, _K = 90, 12, 3


def _settings(**changes: object) -> Settings:
  config = fundus.get_config('protocol=published')
  config.reduction.n_components = 4
  config.cluster.k = _K
  with config.unlocked():
    for path, value in changes.items():
      section, field = path.split('__')
      config[section][field] = value
  return checks.from_dict(config.to_dict())


def _clusters(settings: Settings, x: np.ndarray, samples: Samples) -> Clusters:
  return clustering.cluster_analysis(settings, jnp.asarray(x), samples, 0)


@pytest.mark.slow
def test_members(samples: Samples, blobs: np.ndarray) -> None:
  settings = _settings()
  found = _clusters(settings, blobs, samples)
  heads = retraining.members(settings, samples, found, 0)
  # Its own head five times; random rows and two families of random sets.
  assert len(heads) == 1 + _K * (5 + 3 * 5)
  train = samples.row[:60]
  np.testing.assert_array_equal(heads[HeadName('overall')].rows, train)
  own = [heads[HeadName('cluster', c)].rows for c in range(_K)]
  np.testing.assert_array_equal(np.sort(np.concatenate(own)), np.sort(train))
  available = np.bincount(train, minlength=80)
  # All heads stop early by the same images.
  for member in heads.values():
    np.testing.assert_array_equal(member.validation, samples.row[60:])
  for c in range(_K):
    runs = [heads[HeadName('random', c, r)].rows for r in range(5)]
    for rows in runs:
      assert len(rows) == len(own[c])
      # Without replacement: no picture more often than training has it.
      assert (np.bincount(rows, minlength=80) <= available).all()
    assert len({tuple(sorted(rows)) for rows in runs}) == 5


def test_more_runs_change_no_other_head(
  samples: Samples, blobs: np.ndarray
) -> None:
  few, many = _settings(heads__random_runs=2), _settings(heads__random_runs=7)
  found = _clusters(few, blobs, samples)
  more = retraining.members(many, samples, found, 0)
  for name, member in retraining.members(few, samples, found, 0).items():
    np.testing.assert_array_equal(member.rows, more[name].rows)
    assert (member.init_key == more[name].init_key).all()
    assert (member.order_key == more[name].order_key).all()


def test_only_the_initialisation_varies(
  samples: Samples, blobs: np.ndarray
) -> None:
  settings = _settings(heads__random_vary='initialisation')
  found = _clusters(settings, blobs, samples)
  heads = retraining.members(settings, samples, found, 0)
  first, second = (heads[HeadName('random', 1, r)] for r in (0, 1))
  np.testing.assert_array_equal(first.rows, second.rows)
  assert (first.init_key != second.init_key).any()


def test_folds_draw_other_numbers(samples: Samples, blobs: np.ndarray) -> None:
  settings = _settings()
  found = _clusters(settings, blobs, samples)
  first, second = (
    retraining.members(settings, samples, found, fold) for fold in (0, 1)
  )
  for name, member in first.items():
    assert (member.init_key != second[name].init_key).any()
    assert (member.order_key != second[name].order_key).any()
    same = np.array_equal(member.rows, second[name].rows)
    assert same == (name.kind in ('overall', 'cluster'))


def test_how_heads_are_trained() -> None:
  settings = _settings(
    heads__epochs=7,
    heads__patience=4,
    heads__batch_size=5,
    heads__learning_rate=0.5,
    heads__monitor='val_loss',
    heads__l2=0.25,
  )
  assert stages.training(settings) == ensemble.Training(
    7, 4, 5, 0.5, 'val_loss', 0.25
  )


def test_validation_is_the_test_set_where_there_is_none(
  samples: Samples,
) -> None:
  np.testing.assert_array_equal(stages.validation(samples), np.arange(60, 90))
  split = samples.split.astype('<U10')
  split[55:60] = 'validation'
  own = dataclasses.replace(samples, split=split)
  np.testing.assert_array_equal(stages.validation(own), np.arange(55, 60))


# --- Clusters without images, by the command.


def _write(path: pathlib.Path, x: np.ndarray, y: np.ndarray) -> str:
  np.savez(path, features=x.astype(np.float32), label=y)
  return f'--config.data.dir={path}'


def _run(folder: pathlib.Path, *args: str) -> dict[str, Any]:
  code = study.main([
    'study.py',
    '--config=features:tiny',
    '--config.data.positive=1',
    '--config.heads.epochs=2',
    f'--workdir={folder / "run"}',
    *args,
  ])
  assert code == 0
  return json.loads((folder / 'run' / 'results.json').read_text())


def _check_clusters(folder: pathlib.Path, results: dict[str, Any]) -> list[int]:
  """Heads, two of them random, for clusters with images; which have none."""
  with (folder / 'run' / 'clusters.csv').open() as file:
    rows = list(csv.DictReader(file))
  names = json.loads(
    (folder / 'run' / 'checkpoints' / 'heads.json').read_text()
  )
  trained_rows = head_rows.of(folder / 'run')
  folds = max(int(r.get('fold', 0)) for r in rows) + 1
  missing = []
  for c in results['clusters']:
    sizes = [
      sum(
        (r['split'], r['cluster'], r.get('fold', '0'))
        == ('train', str(c['id']), str(fold))
        for r in rows
      )
      for fold in range(folds)
    ]
    assert c['size'] == np.mean(sizes)
    own = (
      f'cluster_{c["id"]}_',
      f'random_{c["id"]}_',
      f'random_originals_{c["id"]}_',
      f'random_same_mix_{c["id"]}_',
    )
    for fold, size in enumerate(sizes):
      trained = [
        len(own_rows)
        for h, own_rows in zip(names, trained_rows, strict=True)
        if h['fold'] == fold and (h['name'] + '_').startswith(own)
      ]
      # Its own head, an optimum, and two random ones of each family.
      families = 3 if results['protocol'] == 'published' else 2
      assert trained == [size] * (1 + 2 * families) * bool(size)
    n_test = results['dataset']['n_test']
    kinds = 'retrained', 'random', 'random_same_mix'
    n = [c[kind]['n'] for kind in kinds]
    if all(sizes):
      assert n == [n_test] * 3
      assert 0 <= c['random']['accuracy'] <= 1
      continue
    missing.append(c['id'])
    why = 'no training image is in this cluster'
    assert n == [0] * 3 and c['random']['runs'] == []
    for score in (c[kind] for kind in kinds):
      for name in metrics.names('classification'):
        assert score[name] is None and score[f'{name}_why'].startswith(why)
    assert c['intra_cluster_distance_why'].startswith(why)
    for pair in results['distance_vs_performance']['pairs']:
      if c['id'] in (pair['a'], pair['b']):
        assert pair['difference']['accuracy'] is None
    page = (folder / 'run' / 'report.html').read_text()
    assert f'not estimable: {why}' in page
  return missing


@pytest.mark.slow
@pytest.mark.parametrize('folds', [0, 3])
def test_fuzzy_centroids_that_coincide(
  folds: int, tmp_path: pathlib.Path
) -> None:
  """In noise of many dimensions a fuzzifier of 2 leaves one centroid."""
  rng = np.random.default_rng(0)
  data = _write(
    tmp_path / 'f.npz', rng.normal(size=(60, 30)), np.arange(60) % 2
  )
  results = _run(
    tmp_path,
    data,
    '--config.cluster.method=fuzzy',
    '--config.cluster.k=4',
    '--config.reduction.method=none',
    f'--config.split.folds={folds}',
  )
  missing = _check_clusters(tmp_path, results)
  assert 0 < len(missing) < 4
  distances = np.array(results['between_cluster_distances'])
  np.testing.assert_allclose(distances, 0, atol=1e-3)
  coincide, *others = results['findings']
  empty = [text for text in others if 'no training samples' in text]
  assert coincide.startswith('Centroids coincide') and 'fuzzifier 2' in coincide
  told = {int(n) for text in empty for n in re.findall(r'\d+', text[:20])}
  assert told == set(missing)


@pytest.mark.slow
def test_fewer_different_images_than_clusters(tmp_path: pathlib.Path) -> None:
  x = np.repeat(np.eye(2, 5), 30, axis=0)
  # Each row differs from all others by less than float32 tells of the rest.
  data = _write(tmp_path / 'f.npz', x, np.arange(60) % 2)
  results = _run(
    tmp_path,
    data,
    '--config.cluster.k=4',
    '--config.reduction.method=none',
    '--config.split.protocol=published',
  )
  assert len(_check_clusters(tmp_path, results)) == 2
  assert results['findings'][0].startswith('Centroids coincide, as those of')
  assert results['findings'][0].endswith('A smaller k would say so.')
  _check_drawn_again(tmp_path / 'run')


def _check_drawn_again(folder: pathlib.Path) -> None:
  """A folder alone gives the same tables, figures and page, to the byte."""
  before = {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}
  written = (folder / 'report.html').stat().st_ino
  running.draw_again(folder)
  assert (folder / 'report.html').stat().st_ino != written
  assert {p: p.read_bytes() for p in before} == before


@pytest.mark.slow
def test_a_cluster_of_one_image_and_of_one_class(
  tmp_path: pathlib.Path,
) -> None:
  rng = np.random.default_rng(0)
  x = rng.normal(size=(60, 5))
  x[:20] += 50  # One class, far away.
  y = np.r_[np.ones(20, int), np.arange(40) % 2]
  x[30] -= 500  # One image, farther away.
  split = rng.permutation(['train', 'test', 'train', 'validation'] * 15)
  split[30] = 'train'
  np.savez(
    tmp_path / 'f.npz', features=x.astype(np.float32), label=y, split=split
  )
  results = _run(
    tmp_path,
    f'--config.data.dir={tmp_path / "f.npz"}',
    '--config.cluster.k=3',
    '--config.reduction.method=none',
  )
  assert _check_clusters(tmp_path, results) == []
  alone = min(results['clusters'], key=lambda c: c['size'])
  assert alone['size'] == 1 and alone['intra_cluster_distance'] is None
  assert alone['intra_cluster_distance_why'] == 'one image has no pair'
  one_class = [c for c in results['clusters'] if c['class_counts']['0'] == 0]
  assert [c['size'] for c in one_class] == [sum(split[:20] == 'train')]
  for c in (alone, *one_class):
    assert len(c['random']['runs']) > 0 and c['retrained']['auc'] is not None


@pytest.mark.slow
def test_the_answer_is_of_the_features_of_each_fold(
  tmp_path: pathlib.Path,
) -> None:
  """Only the network of the first fold has learned the classes."""
  stream = np.random.default_rng(0)
  y, tested = stream.integers(2, size=120), np.arange(120) % 3
  for fold in range(3):
    x = stream.normal(size=(120, 4))
    x[:, 0] += 6 * y * (fold == 0)
    np.savez(
      tmp_path / f'fold_{fold}.npz',
      features=x.astype(np.float32),
      label=np.array(['no', 'yes'])[y],
      id=[f'image {i}' for i in range(120)],
      split=np.where(tested == fold, 'test', 'train'),
    )
  assert not given_study.run(
    tmp_path / 'fold_0.npz',
    '--config.data.dir=',
    f'--config.data.files={tmp_path / "fold_*.npz"}',
    '--config.heads.kind=logistic',
    '--config.verdict.worlds=3',
  )
  found = json.loads((tmp_path / 'run' / 'results.json').read_text())
  first, *others = (fold['overall']['accuracy'] for fold in found['folds'])
  assert first > 0.95 and max(others) < 0.75
  # The head of all images, of the answer.
  assert found['verdict']['rule']['accuracy'] == pytest.approx(
    found['overall']['accuracy'], abs=0.1
  )

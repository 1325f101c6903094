"""The retraining study's stages on made-up features, against scikit-learn."""

import dataclasses
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from heterojax.configs import fundus
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.studies import retraining
from heterojax.studies import settings as settings_lib
from heterojax.studies.outcome import HeadName
from heterojax.studies.samples import Samples

_N, _D, _K = 90, 12, 3


def _settings(**changes: object) -> settings_lib.Settings:
  config = fundus.get_config('protocol=published')
  config.reduction.n_components = 4
  config.cluster.k = _K
  with config.unlocked():
    for path, value in changes.items():
      section, field = path.split('__')
      config[section][field] = value
  return settings_lib.from_dict(config.to_dict())


@pytest.fixture
def samples() -> Samples:
  """60 training samples, of which the last 10 repeat pictures, and 30 others."""
  row = np.concatenate([np.arange(50), np.arange(10), 50 + np.arange(30)])
  ids = tuple(map(str, range(_N)))
  return Samples(
      ids=ids,
      parents=ids,
      transforms=(IDENTITY,) * _N,
      split=np.array(['train'] * 60 + ['test'] * 30),
      y=row % 2,
      row=row,
      pictures=tuple(Picture(pathlib.Path(str(i)), IDENTITY) for i in range(80)),
  )


@pytest.fixture
def blobs() -> np.ndarray:
  """`[80, D]` float32 pictures in three blobs, found by row modulo 3."""
  rng = np.random.default_rng(0)
  centers = 10 * rng.standard_normal((_K, _D))
  x = centers[np.arange(80) % 3] + rng.standard_normal((80, _D))
  return x.astype(np.float32)


def test_cluster_analysis(samples: Samples, blobs: np.ndarray) -> None:
  found = retraining.cluster_analysis(_settings(), jnp.asarray(blobs), samples)
  truth = samples.row % 3
  assert adjusted_rand_score(truth, found.labels) == 1
  # The reduction is fitted on the training samples, repeats and all.
  x = blobs[samples.row].astype(np.float64)
  oracle = PCA(4, svd_solver='full').fit(x[:60])
  np.testing.assert_allclose(found.z, oracle.transform(x), atol=1e-4)
  assert found.explained_variance == pytest.approx(
      oracle.explained_variance_ratio_.sum(), abs=1e-6
  )
  for c in range(_K):
    mean = found.z[:60][found.labels[:60] == c].mean(axis=0)
    np.testing.assert_allclose(found.centers[c], mean, atol=1e-4)
  own = found.centers[found.labels]
  np.testing.assert_allclose(
      found.distance, np.linalg.norm(found.z - own, axis=1), rtol=1e-5
  )


def test_without_reduction(samples: Samples, blobs: np.ndarray) -> None:
  settings = _settings(reduction__method='none')
  found = retraining.cluster_analysis(settings, jnp.asarray(blobs), samples)
  assert found.explained_variance is None
  np.testing.assert_array_equal(found.z, blobs[samples.row])


def test_a_separate_reduction_moves_the_test_samples_only(
    samples: Samples, blobs: np.ndarray
) -> None:
  # A test sample that shows a training picture must not move that one.
  shared = dataclasses.replace(
      samples, row=np.concatenate([samples.row[:60], np.arange(30)])
  )
  together, apart = (
      retraining.cluster_analysis(
          _settings(reduction__fit=fit), jnp.asarray(blobs), shared
      )
      for fit in ('train', 'separate')
  )
  np.testing.assert_array_equal(apart.z[:60], together.z[:60])
  np.testing.assert_array_equal(apart.centers, together.centers)
  x = blobs[:30].astype(np.float64)
  oracle = PCA(4, svd_solver='full').fit(x)
  np.testing.assert_allclose(apart.z[60:], oracle.transform(x), atol=1e-4)


def test_members(samples: Samples, blobs: np.ndarray) -> None:
  settings = _settings()
  found = retraining.cluster_analysis(settings, jnp.asarray(blobs), samples)
  heads = retraining.members(settings, samples, found)
  assert len(heads) == 1 + _K * (1 + 5)
  train = samples.row[:60]
  np.testing.assert_array_equal(heads[HeadName('overall')].rows, train)
  own = [heads[HeadName('cluster', c)].rows for c in range(_K)]
  np.testing.assert_array_equal(
      np.sort(np.concatenate(own)), np.sort(train)
  )
  available = np.bincount(train, minlength=80)
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
  found = retraining.cluster_analysis(few, jnp.asarray(blobs), samples)
  more = retraining.members(many, samples, found)
  for name, member in retraining.members(few, samples, found).items():
    np.testing.assert_array_equal(member.rows, more[name].rows)
    assert (member.init_key == more[name].init_key).all()
    assert (member.order_key == more[name].order_key).all()


def test_only_the_initialisation_varies(
    samples: Samples, blobs: np.ndarray
) -> None:
  settings = _settings(heads__random_vary='initialisation')
  found = retraining.cluster_analysis(settings, jnp.asarray(blobs), samples)
  heads = retraining.members(settings, samples, found)
  first, second = (heads[HeadName('random', 1, r)] for r in (0, 1))
  np.testing.assert_array_equal(first.rows, second.rows)
  assert (first.init_key != second.init_key).any()


def test_validation_is_the_test_set_where_there_is_none(
    samples: Samples,
) -> None:
  np.testing.assert_array_equal(
      retraining.validation(samples), np.arange(60, 90)
  )
  split = samples.split.astype('<U10')
  split[55:60] = 'validation'
  own = dataclasses.replace(samples, split=split)
  np.testing.assert_array_equal(retraining.validation(own), np.arange(55, 60))

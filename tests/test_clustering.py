"""The cluster analysis on made-up features, against scikit-learn."""

import dataclasses
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from heterojax.configs import fundus
from heterojax.datasets.augmentation import IDENTITY
from heterojax.errors import UserError
from heterojax.studies import checks
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining.outcome import Clusters
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


def _clusters(
  settings: Settings,
  x: np.ndarray,
  samples: Samples,
  fold: int = 0,
) -> Clusters:
  return clustering.cluster_analysis(settings, jnp.asarray(x), samples, fold)


@pytest.mark.slow
def test_a_component_without_a_direction_is_zero(
  samples: Samples, blobs: np.ndarray
) -> None:
  """Distances would depend on what rounding made of it."""
  x = np.zeros_like(blobs)
  x[:, :3] = blobs[:, :3]
  found = _clusters(_settings(reduction__n_components=5), x, samples)
  assert found.z.shape[1] == 5
  assert (found.z[:, 3:] == 0).all() and (found.z[:, :3] != 0).any(axis=0).all()


@pytest.mark.slow
def test_cluster_analysis(samples: Samples, blobs: np.ndarray) -> None:
  found = _clusters(_settings(), blobs, samples)
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


@pytest.mark.slow
def test_without_reduction(samples: Samples, blobs: np.ndarray) -> None:
  settings = _settings(reduction__method='none')
  found = _clusters(settings, blobs, samples)
  assert found.explained_variance is None
  np.testing.assert_array_equal(found.z, blobs[samples.row])


@pytest.mark.slow
def test_a_separate_reduction_moves_the_test_samples_only(
  samples: Samples, blobs: np.ndarray
) -> None:
  # A test sample that shows a training picture must not move that one.
  shared = dataclasses.replace(
    samples, row=np.concatenate([samples.row[:60], np.arange(30)])
  )
  together, apart = (
    _clusters(_settings(reduction__fit=fit), blobs, shared)
    for fit in ('train', 'separate')
  )
  np.testing.assert_array_equal(apart.z[:60], together.z[:60])
  np.testing.assert_array_equal(apart.centers, together.centers)
  x = blobs[:30].astype(np.float64)
  oracle = PCA(4, svd_solver='full').fit(x)
  np.testing.assert_allclose(apart.z[60:], oracle.transform(x), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('share', [0.3, 0.7, 0.99])
def test_as_many_components_as_explain_a_share(
  samples: Samples, blobs: np.ndarray, share: float
) -> None:
  settings = _settings(
    reduction__rule='variance',
    reduction__variance=share,
    reduction__n_components=11,
  )
  found = _clusters(settings, blobs, samples)
  x = blobs[samples.row].astype(np.float64)
  oracle = PCA(share, svd_solver='full').fit(x[:60])
  assert found.z.shape == (_N, oracle.n_components_)
  np.testing.assert_allclose(found.z, oracle.transform(x), atol=1e-4)
  assert found.explained_variance == pytest.approx(
    oracle.explained_variance_ratio_.sum(), abs=1e-6
  )


def test_too_few_test_images_for_a_separate_share(
  samples: Samples, blobs: np.ndarray
) -> None:
  few = dataclasses.replace(
    samples,
    split=np.array(['train'] * 60 + ['validation'] * 27 + ['test'] * 3),
  )
  settings = _settings(reduction__fit='separate')
  with pytest.raises(UserError, match='needs 4 test images and there are 3'):
    _clusters(settings, blobs, few)


def test_clusters_may_be_empty(samples: Samples) -> None:
  """Of two different images two clusters have some, and the third none."""
  two = np.repeat(np.eye(2, _D, dtype=np.float32), 40, axis=0)
  found = _clusters(_settings(reduction__method='none'), two, samples)
  sizes = np.bincount(found.labels[:60], minlength=_K)
  first = samples.row[:60] < 40
  assert sorted(sizes) == [0, *sorted([sum(first), sum(~first)])]
  np.testing.assert_allclose(found.distance, 0, atol=1e-6)
  # Folds without images in a cluster get numbers all the same.
  aligned, agreement = clustering.align([(samples, found)] * 2)
  for own in aligned:
    np.testing.assert_array_equal(own.labels, found.labels)
  assert agreement == [1, 1]


@pytest.mark.slow
def test_the_rejected_clusters(samples: Samples, blobs: np.ndarray) -> None:
  settings = _settings(reduction__method='none', reduction__rejected=2)
  chosen = _clusters(settings, blobs, samples)
  found = clustering.rejected(
    settings, jnp.asarray(blobs), samples, chosen, ('ill', 'well')
  )
  x = blobs[samples.row[:60]].astype(np.float64)
  oracle = PCA(2, svd_solver='full').fit(x)
  kmeans = KMeans(_K, n_init=10, random_state=0)
  labels = kmeans.fit_predict(oracle.transform(x))
  assert found.n_components == 2
  assert found.explained_variance == pytest.approx(
    oracle.explained_variance_ratio_.sum(), abs=1e-6
  )
  assert found.adjusted_rand == pytest.approx(
    adjusted_rand_score(chosen.labels[:60], labels)
  )
  want = [
    (int(np.sum(own)), int(np.sum(own & (samples.y[:60] == 1))))
    for own in (labels == c for c in range(_K))
  ]
  got = [(c.size, c.class_counts['ill']) for c in found.clusters]
  assert sorted(got) == sorted(want)
  assert [c.id for c in found.clusters] == [0, 1, 2]
  for c in found.clusters:
    assert sum(c.class_counts.values()) == c.size


def _made(labels: np.ndarray, train: np.ndarray) -> tuple[Samples, Clusters]:
  """Images 0, 1, ... of one fold, and a copy of the first that trains."""
  n, k = len(labels), labels.max() + 1
  order = np.concatenate([np.flatnonzero(train), np.flatnonzero(~train)])
  copied = int(order[0])
  ids = tuple(map(str, order)) + (f'{copied}+1',)
  own = np.append(labels[order], k - 1 - labels[copied])  # Counts for nothing.
  samples = Samples(
    ids=ids,
    parents=ids[:-1] + (str(copied),),
    transforms=(IDENTITY,) * (n + 1),
    split=np.append(np.where(train[order], 'train', 'test'), 'train'),
    y=np.zeros(n + 1, int),
    row=np.append(order, n),
    pictures=(),
    y_of_pictures=np.zeros(n + 1, int),
  )
  centers = 10.0 * np.arange(k)[:, None] + np.zeros((1, 2))
  z = centers[own]
  return samples, Clusters(z, centers, own, np.zeros(n + 1), None)


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('folds', [2, 4])
def test_aligned_as_the_best_of_all_permutations(seed: int, folds: int) -> None:
  rng = np.random.default_rng([seed, folds])
  k, n = 4, 60
  truth, part = rng.integers(k, size=n), rng.integers(folds, size=n)
  made = []
  for fold in range(folds):
    labels = rng.permutation(k)[truth]
    wrong = rng.random(n) < 0.4
    labels[wrong] = rng.integers(k, size=wrong.sum())
    labels[:k] = np.arange(k)  # None is empty.
    made.append(_made(labels, part != fold))
  aligned, agreement = clustering.align(made)
  reference = {
    i: c for i, c in zip(made[0][0].ids, made[0][1].labels) if '+' not in i
  }
  for (samples, before), after, index in zip(made, aligned, agreement):
    originals = np.flatnonzero(samples.is_original)
    want = np.array([reference[samples.ids[i]] for i in originals])
    same = [
      int(np.sum(np.array(new)[before.labels[originals]] == want))
      for new in itertools.permutations(range(k))
    ]
    assert np.sum(after.labels[originals] == want) == max(same)
    assert index == pytest.approx(
      adjusted_rand_score(before.labels[originals], want)
    )
    # Only the numbers changed: every sample has the centroid that it had.
    np.testing.assert_array_equal(
      after.centers[after.labels], before.centers[before.labels]
    )
    assert after.z is before.z and after.distance is before.distance
  np.testing.assert_array_equal(aligned[0].labels, made[0][1].labels)
  assert agreement[0] == 1


def test_one_split_keeps_its_numbers(
  samples: Samples, blobs: np.ndarray
) -> None:
  found = _clusters(_settings(), blobs, samples)
  (aligned,), agreement = clustering.align([(samples, found)])
  np.testing.assert_array_equal(aligned.labels, found.labels)
  np.testing.assert_array_equal(aligned.centers, found.centers)
  assert agreement == [1]


@pytest.mark.slow
def test_folds_have_restarts_of_their_own(samples: Samples) -> None:
  """Noise has many local minima, so that another key finds another one."""
  x = np.random.default_rng(3).normal(size=(80, _D)).astype(np.float32)
  settings = _settings(cluster__n_init=1)
  first, again, other = (
    _clusters(settings, x, samples, fold) for fold in (0, 0, 1)
  )
  np.testing.assert_array_equal(first.labels, again.labels)
  assert adjusted_rand_score(first.labels, other.labels) < 1


def test_folds_that_share_no_image_with_the_first_are_refused(
  samples: Samples, blobs: np.ndarray
) -> None:
  others = dataclasses.replace(
    samples, ids=tuple(f'other {name}' for name in samples.ids)
  )
  found = _clusters(_settings(), blobs, samples)
  with pytest.raises(UserError, match='share no image'):
    clustering.align([(samples, found), (others, found)])

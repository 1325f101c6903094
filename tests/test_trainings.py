"""Trainings of the clustering: parts do not see each other; what coincides."""

import dataclasses
import types

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from heterojax.configs import features as features_config
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.stats import metrics
from heterojax.stats import scores
from heterojax.studies import checks
from heterojax.studies import stability
from heterojax.studies.sample_size import cautions
from heterojax.studies.sample_size import cluster_cv
from heterojax.studies.sample_size import trainings
from heterojax.studies.sample_size.components import Reduced
from heterojax.studies.sample_size.scoring import Scored
from heterojax.studies.sample_size.top_models import Part
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings


def _settings(**cluster: object) -> Settings:
  config = features_config.get_config('study=sample_size')
  config.cluster.trainings = 3
  config.cluster.update(cluster)
  return checks.from_dict(config.to_dict())


def _part(n: int, fold: int = 0) -> Part:
  ids = tuple(map(str, range(n)))
  split = np.array(['test' if i % 4 == fold else 'train' for i in range(n)])
  pictures = tuple(Picture(i, IDENTITY) for i in ids)
  y = np.arange(n) % 2
  return Part(
    n,
    fold,
    Samples(ids, ids, (IDENTITY,) * n, split, y, np.arange(n), pictures, y),
  )


def _reduced(z: np.ndarray) -> Reduced:
  return Reduced(z.astype(np.float32), z.shape[1], 1.0, None, None)


def _groups(n: int, q: int, seed: int) -> np.ndarray:
  rng = np.random.default_rng(seed)
  centers = 2 * rng.standard_normal((4, q))
  return centers[np.arange(n) % 4] + rng.standard_normal((n, q))


@pytest.mark.slow
@pytest.mark.parametrize(
  'method, covariance',
  [
    ('kmeans', 'full'),
    ('fuzzy', 'full'),
    ('gmm', 'full'),
    ('gmm', 'diag'),
    ('gmm', 'spherical'),
  ],
)
def test_a_part_alone_is_the_part_among_others(
  method: str, covariance: str
) -> None:
  """Others have more images and more components."""
  settings = _settings(method=method, covariance=covariance)
  parts = [_part(60), _part(100), _part(100, 1)]
  reduced = [
    _reduced(_groups(60, 3, 0)),
    _reduced(_groups(100, 5, 1)),
    _reduced(_groups(100, 4, 2)),
  ]
  together = trainings.train(settings, parts, reduced)
  for part, own, among in zip(parts, reduced, together, strict=True):
    (alone,) = trainings.train(settings, [part], [own])
    assert among.centers.shape == (3, 4, own.z.shape[1])
    for a, b in zip(among.labels, alone.labels, strict=True):
      # Ties between restarts may number clusters differently.
      assert adjusted_rand_score(a, b) == 1
    np.testing.assert_allclose(among.membership, alone.membership, atol=1e-5)
    np.testing.assert_array_equal(among.again < 0, alone.again < 0)
    for a, b in zip(among.again, alone.again, strict=True):
      assert adjusted_rand_score(a, b) == 1


def _clusters(settings: Settings, z: np.ndarray) -> cluster_cv.SizeClusters:
  part, reduced = _part(len(z)), _reduced(z)
  test = part.samples.of('test')
  y = part.samples.y[test]
  scored = Scored(metrics.terms('accuracy', y, y), 1.0, 0.5, scores.score(y, y))
  (size,) = cluster_cv.analyse(
    settings,
    [part],
    [reduced],
    [scored],
    trainings.train(settings, [part], [reduced]),
  )
  return size


@pytest.mark.slow
def test_coinciding_centroids_are_found() -> None:
  """Of one cloud fuzzy K-means finds one centroid; K-means always parts it."""
  cloud = np.random.default_rng(0).standard_normal((80, 10))
  settings = _settings(method='fuzzy', fuzzifier=2.0)
  found = _clusters(settings, cloud)
  off_diagonal = ~np.eye(4, dtype=bool)
  assert (found.folds[0].coinciding[off_diagonal] == 3).any()
  parted = _settings(method='kmeans')
  found = _clusters(parted, cloud)
  assert not found.folds[0].coinciding.any()
  # Of groups that are there, a start may still find one twice, but not all.
  found = _clusters(settings, 9 * _groups(80, 10, 3))
  assert (found.folds[0].coinciding < 3).all()


@pytest.mark.slow
def test_stability_is_of_the_clusters_that_are_shown(monkeypatch) -> None:
  """Not of those of the first training, where most others differ from it."""
  n, k = 120, 3
  cloud = np.arange(n) % 2
  data = np.random.default_rng(7).standard_normal((n, 4))
  data[:, 0] += 9 * cloud
  settings = _settings(method='kmeans', k=k, n_init=1, trainings=9)
  found = cloud + ((cloud == 1) & (np.arange(n) < n // 2))

  def partitions(x, weights, keys, algorithm) -> types.SimpleNamespace:
    """One clustering, whatever was drawn."""
    labels = np.broadcast_to(found, (len(weights), 1, n))
    return types.SimpleNamespace(labels=labels)

  monkeypatch.setattr(stability, 'partitions', partitions)
  (fold,) = _clusters(settings, data).folds
  pairs = fold.trainings.labels[0], fold.clusters
  assert adjusted_rand_score(*pairs) < 0.9  # Or nothing is tested.
  drawn = np.random.default_rng(2).random((500, n)) < 1 - np.exp(-1)
  drawn[:, fold.part.samples.of('test')] = False
  for c in range(k):
    similar = [
      max(
        np.sum(own & other) / np.sum(own | other)
        for other in (found[often] == name for name in range(k))
      )
      for often in drawn
      for own in [(fold.clusters == c)[often]]
    ]
    # 20 bootstraps of about 57 images.
    error = np.std(similar) / np.sqrt(stability.BOOTSTRAPS)
    assert abs(fold.jaccard[c] - np.mean(similar)) < 4 * error + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize('grouped', [True, False])
def test_patients_keep_together_in_the_null(grouped: bool) -> None:
  """Where each cluster is one patient, exchanging patients changes no CV."""
  rng = np.random.default_rng(0)
  data = 9 * rng.standard_normal((4, 10))[np.arange(80) // 4 % 4]
  data += rng.standard_normal((80, 10))
  settings = _settings(method='kmeans', n_init=5)
  (part,), reduced = [_part(80)], _reduced(data)
  trained = trainings.train(settings, [part], [reduced])
  groups = ('',) * 80
  if grouped:
    groups = tuple(f'patient {c}' for c in trained[0].labels[0])
  part = part._replace(samples=dataclasses.replace(part.samples, groups=groups))
  test = part.samples.of('test')
  y = part.samples.y[test]
  right = np.where(np.arange(len(y)) % 3 > 0, y, 1 - y)
  scored = Scored(
    metrics.terms('accuracy', y, right), 0.5, 0.5, scores.score(y, right)
  )
  (size,) = cluster_cv.analyse(settings, [part], [reduced], [scored], trained)
  (fold,) = size.folds
  assert size.null.exchange.unit == ('patient' if grouped else 'image')
  same = np.isclose(size.null.cvs, fold.trainings.cv.mean())
  assert same.all() if grouped else same.mean() < 0.5


@pytest.mark.slow
def test_what_has_not_converged_is_counted() -> None:
  data = _groups(80, 5, 0)
  short = _settings(method='fuzzy', max_iter=2)
  found = _clusters(short, data)
  assert not found.folds[0].converged.any()
  (sentence,) = cautions._unconverged(short, [found])  # pylint: disable=protected-access
  assert '3 of 3 trainings' in sentence and 'max_iter' in sentence
  long = _settings(method='fuzzy', max_iter=3000)
  assert _clusters(long, data).folds[0].converged.all()


@pytest.mark.slow
def test_matching_by_members_and_metric_keeps_the_metrics() -> None:
  """Only numbers differ between the two ways of matching."""
  data = _groups(80, 5, 4)
  found = [
    _clusters(_settings(method='kmeans', n_init=1, matching=how), data)
    for how in ('members', 'members_and_metric')
  ]
  for own in zip(*(f.folds[0].trainings.counts for f in found), strict=True):
    np.testing.assert_array_equal(*map(np.sort, own))
  np.testing.assert_allclose(*(f.folds[0].trainings.cv for f in found))

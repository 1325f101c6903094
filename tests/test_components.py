"""Components of one part against scikit-learn, and rules for their number."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from heterojax.configs import features as features_config
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.studies import checks
from heterojax.studies.sample_size import components
from heterojax.studies.sample_size.top_models import Learned
from heterojax.studies.sample_size.top_models import Part
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

_N, _D = 120, 30


def _settings(**changed: object) -> Settings:
  config = features_config.get_config('study=sample_size')
  config.cluster.method, config.cluster.n_init = 'kmeans', 3
  config.reduction.update(changed)
  return checks.from_dict(config.to_dict())


def _part() -> Part:
  ids = tuple(map(str, range(_N)))
  split = np.array(['train'] * 80 + ['validation'] * 10 + ['test'] * 30)
  return Part(
    _N,
    0,
    Samples(
      ids,
      ids,
      (IDENTITY,) * _N,
      split,
      np.arange(_N) % 2,
      np.arange(_N),
      tuple(Picture(i, IDENTITY) for i in ids),
      np.arange(_N) % 2,
    ),
  )


def _learned(rank: int = _D, seed: int = 0) -> Learned:
  """Four groups in `rank` dimensions; right for two images of three."""
  rng = np.random.default_rng(seed)
  z = 5 * rng.standard_normal((4, rank))[np.arange(_N) % 4]
  z += rng.standard_normal((_N, rank))
  x = z @ rng.standard_normal((rank, _D))
  right = np.arange(_N) % 3 > 0
  predicted = np.where(right, np.arange(_N) % 2, 1 - np.arange(_N) % 2)
  return Learned(
    x.astype(np.float32), np.arange(len(x)), *(2 * [predicted.astype(float)])
  )


def _fitted(learned: Learned, n_components: float) -> PCA:
  pca = PCA(n_components, svd_solver='full')
  return pca.fit(learned.x[:80].astype(float))


def test_components_are_those_of_the_training_images() -> None:
  learned = _learned()
  found = components.reduce(_settings(), _part(), learned)
  pca = _fitted(learned, 10)
  want = pca.transform(learned.x.astype(float))
  np.testing.assert_allclose(
    np.abs(found.z), np.abs(want), rtol=2e-3, atol=1e-3
  )
  assert found.n_components == 10 and found.by_components is None
  assert found.explained_variance == pytest.approx(
    pca.explained_variance_ratio_.sum(), rel=1e-5
  )


def test_beyond_the_rank_components_are_zero() -> None:
  found = components.reduce(_settings(), _part(), _learned(rank=4))
  assert found.z.shape == (_N, 10)
  assert (found.z[:, 4:] == 0).all() and (found.z[:, :4] != 0).all()
  assert found.explained_variance == pytest.approx(1, abs=1e-6)


def test_a_share_of_the_variance() -> None:
  learned = _learned()
  found = components.reduce(
    _settings(rule='variance', variance=0.9), _part(), learned
  )
  assert found.n_components == _fitted(learned, 0.9).n_components_
  assert found.explained_variance > 0.9


def test_no_reduction() -> None:
  learned = _learned()
  found = components.reduce(_settings(method='none'), _part(), learned)
  np.testing.assert_array_equal(found.z, learned.x)
  assert found.explained_variance is None


@pytest.mark.slow
def test_minimum_mode_cv() -> None:
  """The chosen number is the first with the most frequent CV."""
  settings = _settings(rule='minimum_mode_cv', most_components=12)
  found = components.reduce(settings, _part(), _learned())
  curve = found.by_components
  assert curve.n_components == tuple(range(1, 13))
  rounded = np.round(curve.cv_minus_one.value, 4)
  values, counts = np.unique(rounded, return_counts=True)
  mode = values[np.argmax(counts)]
  assert curve.frequency == counts.max()
  assert curve.mode == pytest.approx(mode, abs=1e-4)
  chosen = 1 + int(np.argmax(rounded == mode))
  assert (curve.chosen, found.n_components) == (chosen, chosen)
  assert found.z.shape == (_N, chosen)
  # No cluster is empty, so that both conventions agree.
  assert curve.cv == curve.cv_minus_one

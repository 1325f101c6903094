"""What `results.json` says of a sample size, by hand."""

import pathlib

import numpy as np
import pytest

from heterojax.configs import features as features_config
from heterojax.datasets.augmentation import IDENTITY
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Files
from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.stats import metrics
from heterojax.stats import scores
from heterojax.studies import checks
from heterojax.studies.sample_size import cautions
from heterojax.studies.sample_size import cluster_cv
from heterojax.studies.sample_size import summary
from heterojax.studies.sample_size.cluster_cv import FoldClusters
from heterojax.studies.sample_size.cluster_cv import SizeClusters
from heterojax.studies.sample_size.components import Reduced
from heterojax.studies.sample_size.records import Empty
from heterojax.studies.sample_size.records import Size
from heterojax.studies.sample_size.scoring import Scored
from heterojax.studies.sample_size.top_models import Part
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

_K, _TRAIN, _TEST = 3, 6, 6


def _settings(method: str = 'kmeans') -> Settings:
  config = features_config.get_config('study=sample_size')
  config.cluster.k, config.cluster.trainings = _K, 2
  config.cluster.method = method
  return checks.from_dict(config.to_dict())


def _fold(
  train: list[str],
  test: list[str],
  correct: str = '110110',
  groups: str = 'abcdef',
) -> FoldClusters:
  """Clusters of each training as digits, and which test images are right."""
  n = _TRAIN + _TEST
  ids = tuple(map(str, range(n)))
  y = np.ones(n, int)
  split = np.array(['train'] * _TRAIN + ['test'] * _TEST)
  samples = Samples(
    ids,
    ids,
    (IDENTITY,) * n,
    split,
    y,
    np.arange(n),
    (),
    y,
    groups=('',) * _TRAIN + tuple(groups),
  )
  part = Part(n, 0, samples)
  right = np.array(list(correct), int)
  terms = metrics.terms('accuracy', y[split == 'test'], right)
  score = scores.score(y[split == 'test'], right)
  scored = Scored(terms, right.mean(), 0.5, score)
  labels = np.array(
    [list(a + b) for a, b in zip(train, test, strict=True)], int
  )
  runs = len(labels)
  z = np.arange(2.0 * n).reshape(n, 2)
  return FoldClusters(
    part=part,
    reduced=Reduced(z, 2, None, None, None),
    scored=scored,
    centers=np.arange(6.0 * runs).reshape(runs, _K, 2),
    trainings=cluster_cv._trainings(part, scored, labels, _K),  # pylint: disable=protected-access
    fuzzified={},
    adjusted_rand=0.5,
    jaccard=np.array([0.5, 0.6, np.nan]),
    membership=np.ones(n),
    converged=np.ones(runs, bool),
    coinciding=np.zeros((_K, _K), int),
  )


def _size(*folds: FoldClusters, method: str = 'kmeans') -> Size:
  settings = _settings(method)
  found = SizeClusters(12, folds, cluster_cv.null(settings, folds))
  described = summary._size(settings, found)  # pylint: disable=protected-access
  # Whatever is null says why, and so it can be written.
  assert codec.decode(Size, codec.encode(described)) == described
  return described


def test_clusters_that_have_test_images() -> None:
  """A CV goes over 2 clusters in one training and over 3 in the other."""
  own = _fold(['000111'] * 2, ['001111', '001122'])
  full = _fold(['001122'] * 2, ['001122', '220011'])
  size = _size(own, full)
  first, second = size.folds
  assert (first.n_clusters_with_test, second.n_clusters_with_test) == (
    2.5,
    3,
  )
  assert size.n_clusters_with_test == 2.75
  assert _size(full).n_clusters_with_test == 3
  # Right are images 0, 1, 3 and 4: 2 of 2, 2 of 4; and 2 of 2, 1 of 2 twice.
  cvs = [0.25 / 0.75, np.std([1, 0.5, 0.5]) / (2 / 3)]
  assert first.cv == pytest.approx(np.mean(cvs))
  # The third cluster counts in the one training in which it has images.
  assert first.cluster_metric.value == pytest.approx((1, 0.5, 0.5))
  assert first.cluster_n_test == (2, 3, 1)
  assert first.cv_of_means == pytest.approx(np.std([1, 0.5, 0.5]) * 1.5)
  assert first.empty == (Empty(2, 1),)


def test_a_cluster_without_any_image() -> None:
  fold = _fold(['000111'] * 2, ['001111'] * 2)
  size = _size(fold)
  (own,) = size.folds
  for metric in (own.cluster_metric, size.cluster_metric_mean):
    assert metric.value == (1, 0.5, None)
    assert 'no test images' in metric.why
  assert own.training_spread.cluster_metric_std.value == (0, 0, None)
  assert own.jaccard.value[2] is None and size.n_clusters_with_test == 2
  closest = size.closest_point_distances
  # From (4, 5) to (6, 7).
  assert closest.value[0][1] == pytest.approx(8**0.5)
  assert closest.value[0][2] is None and closest.value[1][2] is None
  assert 'no training images' in closest.why
  assert isinstance(size.to_centroid[2].mean, Missing)
  assert not isinstance(size.to_centroid[0].mean, Missing)
  assert size.fuzzifiers == Missing('K-means has none')


@pytest.mark.parametrize(
  'test, correct, why',
  [
    ('000000', '110110', 'fewer than two clusters have a metric'),
    ('001122', '000000', 'the mean of the metric over clusters is not'),
  ],
)
def test_why_there_is_no_cv(test: str, correct: str, why: str) -> None:
  size = _size(_fold(['001122'], [test], correct))
  for of in (size, *size.folds):
    for value in (
      of.cv_of_means,
      of.cv_expected,
      of.cv_band,
      of.cv_p_value,
    ):
      assert isinstance(value, Missing) and value.why.startswith(why)
  assert isinstance(size.band, Missing) and size.band.why.startswith(why)
  assert size.folds[0].training_spread.cv_std.why.startswith(why)
  # One fold that has a CV is enough.
  both = _size(
    _fold(['001122'], [test], correct),
    _fold(['001122'], ['001122']),
  )
  assert both.mean_of_cvs == both.folds[1].cv > 0
  assert isinstance(both.folds[0].cv, Missing)


def test_what_the_band_exchanges() -> None:
  args = (['001122'], ['001212'])
  images, pairs = _size(_fold(*args)), _size(_fold(*args, groups='aabbcc'))
  # Two of 6 are wrong, in 15 ways; of two pairs that are half wrong, in 3 * 4.
  for size, unit, others in ((images, 'image', 14), (pairs, 'patient', 11)):
    assert (size.band_unit, size.band_draws) == (unit, others)
    assert (size.band_stays, size.band_exchanged) == (0, 1)
    assert 0 < size.cv_p_value <= 1 and size.cv_band[0] < size.cv_band[1]
  # Of two folds, in one of which all patients have other numbers of images.
  both = _size(_fold(*args), _fold(*args, groups='xxyyyz'))
  assert (both.band_unit, both.band_stays) == ('patient', 3)
  assert both.band_exchanged == 0.5


def test_a_band_needs_what_can_be_exchanged() -> None:
  right = _fold(['001122'], ['001122'], '111111')
  # No patient is like another, and each is in one cluster.
  apart = _fold(['001122'], ['011222'], groups='abbccc')
  for fold, unit in ((right, 'image'), (apart, 'patient')):
    size = _size(fold)
    for of in (size, *size.folds):
      assert not isinstance(of.judged, Missing)
      for value in (of.cv_expected, of.cv_band, of.cv_corrected, of.cv_p_value):
        assert value == Missing(
          f'no exchange of {unit}s that are alike changes the CV'
        )
    assert size.position == ''


def test_cautions_say_that_patients_stay() -> None:
  images = tuple(
    Candidate(str(i), str(i), 'ill', group) for i, group in enumerate('aabbbc')
  )
  cohort = Cohort('made up', Files(pathlib.Path('.')), ('ill', 'well'), images)

  def told(groups: str, unit: str = 'image') -> str:
    fold = _fold(['001122'], ['001122'], groups=groups)
    null = cluster_cv.null(_settings(), [fold])
    size = SizeClusters(12, (fold,), null)
    (text,) = cautions._groups(cohort, size, unit)  # pylint: disable=protected-access
    return text

  assert told('aabbcc').startswith('5 of 6 images share their patient')
  assert 'exchanged together' in told('aabbcc')
  assert 'stay in their clusters' not in told('aabbcc')
  assert 'for 100% of the test images' in told('aabbbc')
  # Of given features, nothing is an image.
  assert told('aabbbc', 'sample').startswith('5 of 6 samples share')
  assert 'image' not in told('aabbbc', 'sample')

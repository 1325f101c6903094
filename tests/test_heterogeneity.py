"""Coefficients of variation, against loops, SciPy and the values that the
paper's laboratory published.
"""

import csv
import itertools
import json
import pathlib

import coefficients
import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import stats
from sklearn import cluster as sklearn_cluster
from sklearn import decomposition
import threadpoolctl

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.stats import heterogeneity
from heterojax.stats import metrics

MENDEZ = (
  pathlib.Path(__file__).resolve().parent.parent.parent
  / 'shared'
  / 'data'
  / 'mendez_features'
)

_CASES = st.tuples(
  st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 3)),
    min_size=1,
    max_size=20,
  ),
  st.sampled_from(metrics.OF_MEANS),
)


@hypothesis.given(case=_CASES)
def test_cluster_means_and_cv_are_the_loop(case) -> None:
  rows, metric = case
  predicted, *labels = np.array(rows).T
  labels, y = np.array(labels), np.arange(len(rows)) % 7
  terms = metrics.terms(metric, y, predicted)
  means, counts = heterogeneity.cluster_means(terms.values, labels, 4)
  for r, c in itertools.product(range(2), range(4)):
    members = terms.values[labels[r] == c]
    assert counts[r, c] == len(members)
    assert len(members) == 0 or means[r, c] == pytest.approx(members.mean())
    assert np.isnan(means[r, c]) == (len(members) == 0)
  got = coefficients.of(terms, labels, 4)
  if metric == 'one_minus_nrmse' and np.ptp(y) == 0:
    assert np.isnan(got)
    return
  want = coefficients.by_loop(terms.values, labels, 4, terms.transform)
  assert got == pytest.approx(want, nan_ok=True)
  why = heterogeneity.why_none(terms.transform(means))
  assert (why == '') == (not np.isnan(got))


def test_hand_value() -> None:
  # Mean 0.8, deviations 0.1, 0.1, -0.1, -0.1: population sd 0.1.
  got = heterogeneity.coefficient_of_variation([0.9, 0.9, 0.7, 0.7])
  assert got == pytest.approx(0.125)
  both = heterogeneity.coefficient_of_variation([
    [0.9, 0.9, 0.7, 0.7],
    [0.5, None, None, 1.0],
  ])
  np.testing.assert_allclose(both, [0.125, 0.25 / 0.75])


def test_empty_as_minus_one_is_the_laboratorys_rule() -> None:
  metric = [10.0, np.nan, 20.0, 15.0]
  got = heterogeneity.coefficient_of_variation(metric, 'minus_one')
  assert got == pytest.approx(stats.variation([10, -1, 20, 15]))
  got = heterogeneity.coefficient_of_variation(metric)
  assert got == pytest.approx(stats.variation([10, 20, 15]))
  with pytest.raises(ValueError, match='keep'):
    heterogeneity.coefficient_of_variation(metric, 'keep')


@pytest.mark.parametrize(
  'metric, why',
  [
    ([[np.nan] * 4], 'fewer than two clusters have a metric'),
    ([[0.5, np.nan]], 'fewer than two clusters have a metric'),
    ([[0.0, 0.0]], 'the mean of the metric over clusters is not above 0'),
    ([[-0.5, 0.2]], 'the mean of the metric over clusters is not above 0'),
    ([[0.5, np.nan], [0.5, 0.7]], ''),
  ],
)
def test_what_is_not_estimable(metric: list, why: str) -> None:
  cvs = heterogeneity.coefficient_of_variation(metric)
  assert np.isnan(heterogeneity.mean_cv(cvs)) == bool(why)
  assert heterogeneity.why_none(metric) == why


@pytest.mark.parametrize(
  'cv, name',
  [
    (0, 'recommended'),
    (0.0499, 'recommended'),
    (0.05, 'very good'),
    (0.0999, 'very good'),
    (0.1, 'good'),
    (0.2, 'acceptable'),
    (0.3, 'acceptable'),
    (0.3001, 'not acceptable'),
    (2.0, 'not acceptable'),
    (None, None),
    (float('nan'), None),
  ],
)
def test_band(cv: float | None, name: str | None) -> None:
  assert heterogeneity.band(cv) == name


def test_minimum_mode_cv() -> None:
  # 0.1234 three times to 4 decimals; the first of them has 3 components.
  cvs = [0.5, None, 0.12344, 0.2, 0.12341, 0.2, 0.123381]
  got = heterogeneity.minimum_mode_cv(cvs)
  assert got == (0.12344, 3, 3)
  # 0.1232 is another CV.
  got = heterogeneity.minimum_mode_cv([0.1232, 0.1234, 0.1234])
  assert got == (0.1234, 2, 2)
  # Equally frequent: the smaller CV, though it comes later.
  got = heterogeneity.minimum_mode_cv([0.3, 0.2, 0.3, 0.2])
  assert got == (0.2, 2, 2)
  got = heterogeneity.minimum_mode_cv([None, float('nan')])
  assert np.isnan(got.cv) and got[1:] == (0, None)


@hypothesis.given(tenths=st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_minimum_mode_cv_is_scipys_mode(tenths: list[int]) -> None:
  cvs = [t / 10 for t in tenths]
  got = heterogeneity.minimum_mode_cv(cvs)
  want = stats.mode(cvs)
  assert got[:2] == (want.mode, want.count)
  assert got.n_components == 1 + cvs.index(want.mode)


def test_a_mean_of_zero_has_no_variation() -> None:
  for metric in [-1.0, 1.0], [0.0, 0.0], [-3.0, 1.0]:
    assert np.isnan(heterogeneity.variation(np.array(metric), np))


def test_one_training_with_two_clusters_has_the_mean_to_blame() -> None:
  why = heterogeneity.why_none(np.array([[0.5, np.nan], [0.0, 0.0]]))
  assert why == 'the mean of the metric over clusters is not above 0'
  why = heterogeneity.why_none(np.array([[0.5, np.nan], [np.nan, 0.3]]))
  assert why == 'fewer than two clusters have a metric'


def test_cv_vs_metric() -> None:
  cvs, accuracies = [0.2, None, 0.12, 0.1, 0.03], [0.7, 0.9, 0.8, None, 0.95]
  x, y = [0.2, 0.12, 0.03], [0.7, 0.8, 0.95]
  got = heterogeneity.cv_vs_metric(cvs, accuracies, [0.05, 0.4], [0.9])
  assert got.n == 3 and got.n_left_out == 2
  assert got.pearson == pytest.approx(np.corrcoef(x, y)[0, 1])
  assert got.spearman == pytest.approx(-1)
  slope, intercept = np.polyfit(x, y, 1)
  assert got.fit.slope == pytest.approx(slope)
  assert got.fit.intercept == pytest.approx(intercept)
  back, _ = np.polyfit(y, x, 1)
  assert got.fit_cv.slope == pytest.approx(back)
  # The product of both slopes is the squared correlation.
  assert slope * back == pytest.approx(got.pearson**2)
  near, far = got.metric_given_cv
  assert (near.cv, near.extrapolated) == (0.05, False)
  assert (far.cv, far.extrapolated) == (0.4, True)
  assert near.metric == pytest.approx(intercept + slope * 0.05)
  assert near.interval[0] < near.metric < near.interval[1]
  assert np.ptp(far.interval) > np.ptp(near.interval)
  [row] = got.cv_given_metric
  assert row.metric == 0.9 and row.cv == pytest.approx(
    np.polyval(np.polyfit(y, x, 1), 0.9)
  )
  # t of 0.997 with one degree of freedom is 12.71.
  assert got.warning.startswith('3 sizes carry little')
  assert '0.997' in got.warning
  text = json.dumps(codec.encode(got), allow_nan=False)
  assert codec.decode(heterogeneity.CvVsMetric, json.loads(text)) == got


def test_four_sizes_of_the_paper_are_few() -> None:
  cvs = [0.2, 0.15, 0.1, 0.05]
  got = heterogeneity.cv_vs_metric(cvs, [0.7, 0.8, 0.85, 0.9])
  assert [row.cv for row in got.metric_given_cv] == [0.05, 0.1, 0.2, 0.3]
  assert 'beyond 0.950' in got.warning
  assert got.pearson_p_value < 0.05


@pytest.mark.parametrize(
  'cvs, values, why',
  [
    ([], [], 'fewer than three sizes have both a CV and a metric'),
    ([0.1, 0.2], [0.8, 0.7], 'fewer than three sizes have both a CV and a'),
    ([0.1, None, 0.2], [0.8, 0.9, 0.7], 'fewer than three sizes'),
    ([0.1] * 4, [0.6, 0.7, 0.8, 0.9], 'the CV is the same for all sizes'),
    ([0.1, 0.2, 0.3], [0.9] * 3, 'the metric is the same for all sizes'),
    (
      [0.12, 0.08, 0.05],
      [np.mean([0.76, 0.96, 0.96, 0.84]), 0.88, 0.88],
      'the metric is the same for all sizes',
    ),
  ],
)
def test_no_relation(cvs: list, values: list, why: str) -> None:
  got = heterogeneity.cv_vs_metric(cvs, values)
  for value in (
    got.pearson,
    got.spearman,
    got.fit,
    got.fit_cv,
    got.metric_given_cv,
    got.cv_given_metric,
  ):
    assert isinstance(value, Missing) and value.why.startswith(why)
  assert got.n + got.n_left_out == len(cvs)
  assert 'show no relation' in got.warning
  json.dumps(codec.encode(got), allow_nan=False)


def _laboratory(
  name: str, metric: str, components: range | tuple[int, ...], n_init: int
) -> dict[str, list[float]]:
  """CVs of one published fold by scikit-learn's PCA and K-means."""
  path = MENDEZ / f'{name}.csv'
  if not path.is_file():
    pytest.skip("the laboratory's features are not beside this checkout")
  with path.open() as f:
    rows = list(csv.DictReader(f))
  x = np.array([[row[str(d)] for d in range(512)] for row in rows], float)
  y, predicted = (
    np.array([row[column] for row in rows], float)
    for column in ('labels', 'predictions')
  )
  train = np.array([row['phase'] == 'train' for row in rows])
  terms = metrics.terms(metric, y[~train], predicted[~train])
  reduction = decomposition.PCA(max(components), svd_solver='full')
  z, z_test = reduction.fit_transform(x[train]), reduction.transform(x[~train])
  cvs = {'leave_out': [], 'minus_one': []}
  for q in components:
    clusters = sklearn_cluster.KMeans(4, n_init=n_init, random_state=0)
    # Threads cost more than they save on data this small.
    with threadpoolctl.threadpool_limits(1):
      labels = clusters.fit(z[:, :q]).predict(z_test[:, :q])[np.newaxis]
    means, _ = heterogeneity.cluster_means(terms.values, labels, 4)
    for empty, found in cvs.items():
      found += heterogeneity.coefficient_of_variation(
        terms.transform(means), empty
      ).tolist()
  return cvs


def _published(name: str) -> list[float]:
  with (MENDEZ / f'published_cv_{name}.csv').open() as f:
    return [float(row['cv_mode']) for row in csv.DictReader(f)]


@pytest.mark.medium
@pytest.mark.parametrize('n, fold', [(100, 0), (300, 1), (300, 2), (300, 3)])
def test_published_cvs_of_the_plates(n: int, fold: int) -> None:
  name = f'teeth_features_{n}_red_whole_fold_{fold}'
  # Of the 1 to 70 components of the laboratory every other number.
  cvs = _laboratory(name, 'accuracy', range(2, 71, 2), 10)['leave_out']
  got = heterogeneity.minimum_mode_cv(cvs)
  published = _published('psp_plates')[fold + (0 if n == 100 else 4)]
  # The published value is one of those that are equal to 4 decimals.
  assert round(got.cv, 4) == round(published, 4)
  assert got.frequency > 15


@pytest.mark.medium
@pytest.mark.parametrize(
  'fold, published, honest',
  [
    (0, 0.208295, 0.208295),
    (1, 0.606392, 0.067791),
    (2, 0.328183, 0.328183),
    (3, 0.603481, 0.034510),
  ],
)
def test_published_cvs_of_the_bone_age(
  fold: int, published: float, honest: float
) -> None:
  cvs = _laboratory(
    f'boneage_features_red_whole_300_fold_{fold}',
    'mean_absolute_error',
    (5, 10, 40),
    100,
  )
  got = heterogeneity.minimum_mode_cv(cvs['minus_one'])
  assert got.cv == pytest.approx(published, abs=1e-6)
  assert got.cv == pytest.approx(_published('boneage')[fold], abs=1e-9)
  # Two folds have a test cluster without images, which is all of their CV.
  got = heterogeneity.minimum_mode_cv(cvs['leave_out'])
  assert got.cv == pytest.approx(honest, abs=1e-6)


def test_the_mean_of_nothing_is_no_division() -> None:
  some = np.array([[np.nan, np.nan], [np.nan, 3], [1, 2]])
  with np.errstate(all='raise'):
    got = heterogeneity.mean_of_known(some, np)
    means, counts = heterogeneity.cluster_means([3, 5], np.array([[0, 0]]), 2)
  np.testing.assert_array_equal(got[0], [np.nan, 3, 1.5])
  np.testing.assert_array_equal(got[1], [0, 1, 2])
  np.testing.assert_array_equal((means, counts), [[[4, np.nan]], [[2, 0]]])

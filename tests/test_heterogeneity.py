"""Coefficients of variation and their null, against loops, SciPy, simulation
and the values that the paper's laboratory published.
"""

import collections
import csv
import itertools
import json
import pathlib

import hypothesis
from hypothesis import strategies as st
import jax
import numpy as np
import pytest
from scipy import stats
from sklearn import cluster as sklearn_cluster
from sklearn import decomposition
import threadpoolctl

from heterojax import heterogeneity
from heterojax import metrics

MENDEZ = (
    pathlib.Path(__file__).resolve().parent.parent.parent
    / 'shared' / 'data' / 'mendez_features'
)  # pyformat: disable


def _loop_cv(values, labels, k, transform) -> float:
  """Mean over clusterings of sd / mean of the metrics, in plain Python."""
  cvs = []
  for row in labels:
    of_clusters = [
        transform(np.mean(values[row == c])) for c in range(k) if c in row
    ]
    if len(of_clusters) > 1 and np.mean(of_clusters) > 0:
      cvs.append(np.std(of_clusters) / np.mean(of_clusters))
  return float(np.mean(cvs)) if cvs else float('nan')


def _cv(terms: metrics.Terms, labels: np.ndarray, k: int) -> float:
  means, _ = heterogeneity.cluster_means(terms.values, labels, k)
  return heterogeneity.mean_cv(
      heterogeneity.coefficient_of_variation(terms.transform(means))
  )


def _null(
    terms: metrics.Terms, labels: np.ndarray, k: int, seed: int, draws: int
) -> np.ndarray:
  return heterogeneity.null_cvs(
      terms.values, labels, k, terms.transform, jax.random.key(seed), draws
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
  got = _cv(terms, labels, 4)
  if metric == 'one_minus_nrmse' and np.ptp(y) == 0:
    assert np.isnan(got)
    return
  want = _loop_cv(terms.values, labels, 4, terms.transform)
  assert got == pytest.approx(want, nan_ok=True)
  why = heterogeneity.why_none(terms.transform(means))
  assert (why == '') == (not np.isnan(got))


def test_hand_value() -> None:
  # Mean 0.8, deviations 0.1, 0.1, -0.1, -0.1: population sd 0.1.
  got = heterogeneity.coefficient_of_variation([0.9, 0.9, 0.7, 0.7])
  assert got == pytest.approx(0.125)
  both = heterogeneity.coefficient_of_variation(
      [[0.9, 0.9, 0.7, 0.7], [0.5, None, None, 1.0]]
  )
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


@pytest.mark.parametrize('metric', metrics.OF_MEANS)
def test_null_is_every_permutation(metric: str) -> None:
  # Of 6 images all 720 orders, for two clusterings under the same order.
  y = np.array([0.0, 1, 2, 3, 4, 9])
  predicted = np.array([0.0, 2, 2, 1, 4, 9.5])
  labels = np.array([[0, 0, 0, 1, 1, 2], [2, 1, 1, 1, 0, 0]])
  terms = metrics.terms(metric, y, predicted)
  every = collections.Counter(
      round(_loop_cv(terms.values[list(order)], labels, 3, terms.transform), 9)
      for order in itertools.permutations(range(6))
  )
  draws = 14_400
  got = collections.Counter(
      np.round(_null(terms, labels, 3, 0, draws), 9).tolist()
  )
  assert set(got) == set(every)
  # Each of the values as often as in the enumeration, within the chance.
  values = sorted(every)
  p_value = stats.chisquare(
      [got[v] for v in values], [every[v] * draws / 720 for v in values]
  ).pvalue
  assert p_value > 0.001


def test_null_at_the_size_of_the_study() -> None:
  # Against permutations by NumPy: another generator, loops, no padding.
  rng = np.random.default_rng(0)
  n, runs, draws = 300, 5, 1500
  y, predicted = rng.normal(size=(2, n)) * [[3], [1]]
  labels = rng.choice(4, (runs, n), p=[0.55, 0.25, 0.15, 0.05])
  terms = metrics.terms('one_minus_nrmse', y, predicted)
  want = [
      _loop_cv(rng.permutation(terms.values), labels, 4, terms.transform)
      for _ in range(draws)
  ]
  got = _null(terms, labels, 4, 0, draws)
  assert got.shape == (draws,) and got.dtype == np.float64
  assert stats.ks_2samp(got, want).pvalue > 0.001
  # The clusterings share each permutation, so equal ones have equal draws.
  equal = np.repeat(labels[:1], runs, axis=0)
  got, alone = (_null(terms, rows, 4, 0, 128) for rows in (equal, equal[:1]))
  np.testing.assert_allclose(got, alone)


def test_null_keys_and_draws() -> None:
  rng = np.random.default_rng(0)
  terms = metrics.terms('accuracy', rng.integers(0, 2, 90), np.ones(90))
  labels = rng.integers(0, 4, (3, 90))
  got = _null(terms, labels, 4, 0, 200)
  np.testing.assert_array_equal(got[:70], _null(terms, labels, 4, 0, 70))
  assert not np.array_equal(got, _null(terms, labels, 4, 1, 200))
  # Neither the names of clusters nor clusters without images change it.
  renamed = np.array([3, 0, 4, 1])[labels]
  np.testing.assert_allclose(_null(terms, renamed, 6, 0, 200), got)
  # No images, or a clustering without two clusters, add nothing.
  none = _null(terms._replace(values=[]), labels[:, :0], 4, 0, 9)
  assert np.isnan(none).all() and none.shape == (9,)
  more = np.concatenate([labels, np.zeros((1, 90), int)])
  np.testing.assert_allclose(_null(terms, more, 4, 0, 200), got)


def test_null_keeps_the_metric_of_all_images() -> None:
  # With one image per cluster the mean over clusters is that of all images.
  terms = metrics.terms('mean_absolute_error', np.arange(7.0), np.zeros(7))
  labels = np.arange(7)[np.newaxis]
  null = _null(terms, labels, 7, 0, 100)
  np.testing.assert_allclose(null, stats.variation(np.arange(7)))
  estimate = heterogeneity.estimate(_cv(terms, labels, 7), null)
  assert estimate.corrected == pytest.approx(0, abs=1e-7)
  assert estimate.p_value == 1


def test_estimate_hand_value() -> None:
  null = np.arange(1, 100) / 1000
  got = heterogeneity.estimate(0.0905, null)
  assert got.cv == 0.0905
  assert got.expected == pytest.approx(0.05)
  # Of 99 numbers the 2.5 % point lies 2.45 steps from the first.
  assert got.band == pytest.approx((0.00345, 0.09655))
  # The mean of the squares 1, 4, ..., 99^2 is 100 * 199 / 6.
  square = 0.0905**2 - 100 * 199 / 6 / 1e6
  assert got.corrected == pytest.approx(np.sqrt(square))
  assert got.corrected == heterogeneity.corrected(0.0905, null)
  assert got.p_value == pytest.approx((1 + 9) / 100)
  assert heterogeneity.corrected(0.03, null) == 0
  assert heterogeneity.estimate(9.0, null).p_value == 1 / 100
  assert heterogeneity.estimate(0.0, null).p_value == 1
  # The last bits, which depend on the order of adding, are no difference.
  for below, p_value in ((1e-15, 1), (1e-6, 0.1)):
    null = np.full(9, 0.3 * (1 - below))
    assert heterogeneity.estimate(0.3, null).p_value == p_value


def test_combine_hand_value() -> None:
  cvs = [0.3, 0.1, np.nan]
  nulls = [[0.1, 0.2, 0.0], [0.1, 0.0, 0.2], [5.0, 5.0, 5.0]]
  got = heterogeneity.combine(cvs, nulls)
  assert got.cv == pytest.approx(0.2)
  # Draw by draw 0.1 each; its spread is that of the mean, not of the folds.
  assert got.expected == pytest.approx(0.1)
  assert got.band == pytest.approx((0.1, 0.1))
  assert got.p_value == 1 / 4
  # Mean of 0.09 - 0.05 / 3 and 0.01 - 0.05 / 3, of which one is negative.
  assert got.corrected == pytest.approx(np.sqrt(0.05 - 0.05 / 3))


def test_nothing_to_combine() -> None:
  nan = float('nan')
  for got in (
      heterogeneity.combine([nan, nan], np.full((2, 5), 0.1)),
      heterogeneity.combine([nan], np.full((1, 5), nan)),
      heterogeneity.estimate(nan, np.full(5, nan)),
  ):
    assert np.isnan([*got[:2], *got.band, *got[3:]]).all()


def test_draws_without_a_cv_count_against_a_finding() -> None:
  got = heterogeneity.estimate(0.5, np.array([0.1, 0.2, 0.3, np.nan]))
  assert got.p_value == 2 / 5
  assert got.expected == pytest.approx(0.2)


@pytest.mark.parametrize(
    'n, simulated', [(100, 6.2), (200, 4.4), (400, 3.1), (800, 2.2)]
)
def test_cv_of_chance_alone(n: int, simulated: float) -> None:
  # Accuracy 0.9 and four clusters of a quarter each, in percent. The other
  # simulation took the sample standard deviation, sqrt(4/3) times ours.
  terms = metrics.terms('accuracy', np.ones(n), np.arange(n) >= n // 10)
  null = _null(terms, np.arange(n)[np.newaxis] % 4, 4, 0, 1000)
  expected = heterogeneity.estimate(0.0, null).expected
  assert 100 * expected * np.sqrt(4 / 3) == pytest.approx(simulated, rel=0.04)
  # The errors of each cluster are drawn without replacement.
  errors = np.random.default_rng(0).multivariate_hypergeometric(
      [n // 4] * 4, n // 10, 20_000
  )
  direct = stats.variation(1 - errors / (n // 4), axis=1)
  assert expected == pytest.approx(direct.mean(), rel=0.04)
  assert np.mean(null > 0.05) == pytest.approx(np.mean(direct > 0.05), abs=0.05)


def test_corrected_is_the_heterogeneity() -> None:
  # Accuracies 0.95, 0.95, 0.85, 0.65 of 75 images each: mean 0.85, sd 0.1225.
  accuracy = np.array([0.95, 0.95, 0.85, 0.65])
  truth = float(stats.variation(accuracy))
  labels = np.arange(300)[np.newaxis] % 4
  rng = np.random.default_rng(0)
  raw, corrected = [], []
  for seed in range(100):
    correct = rng.random(300) < accuracy[labels[0]]
    terms = metrics.terms('accuracy', np.ones(300), correct)
    cv = _cv(terms, labels, 4)
    raw.append(cv**2)
    null = _null(terms, labels, 4, seed, 256)
    corrected.append(heterogeneity.corrected(cv, null) ** 2)
  # Squares, which is where the bias is removed.
  assert np.mean(raw) > 1.05 * truth**2
  assert np.mean(corrected) == pytest.approx(truth**2, rel=0.05)


def _study(seed: int, planted: bool) -> tuple[list, heterogeneity.Estimate]:
  """Folds and size of a study of 1,000 images in four groups.

  Groups and labels are of other dimensions, so all groups are equally hard,
  unless the labels of one follow the opposite relation.
  """
  rng = np.random.default_rng(seed)
  group = rng.integers(0, 4, 1000)
  x = 8 * np.eye(4, 10)[group] + rng.normal(size=(1000, 10))
  score = x[:, 4:].sum(axis=1)
  if planted:
    score = np.where(group == 3, -score, score)
  y = rng.random(1000) < 1 / (1 + np.exp(-score))
  design = np.c_[x, np.ones(1000)]
  fold = rng.permutation(1000) % 4
  cvs, nulls = [], []
  for f in range(4):
    train, test = fold != f, fold == f
    weights = np.linalg.lstsq(design[train], 2.0 * y[train] - 1)[0]
    terms = metrics.terms('accuracy', y[test], design[test] @ weights > 0)
    labels = group[np.newaxis, test]
    cvs.append(_cv(terms, labels, 4))
    nulls.append(_null(terms, labels, 4, 4 * seed + f, 256))
  folds = [heterogeneity.estimate(c, null) for c, null in zip(cvs, nulls)]
  return folds, heterogeneity.combine(cvs, nulls)


def _inside(estimate: heterogeneity.Estimate) -> bool:
  return estimate.band[0] <= estimate.cv <= estimate.band[1]


def test_without_heterogeneity_the_cv_stays_in_its_band() -> None:
  studies = [_study(seed, planted=False) for seed in range(200)]
  inside_folds = np.mean([_inside(e) for folds, _ in studies for e in folds])
  inside_sizes = np.mean([_inside(size) for _, size in studies])
  assert 0.93 <= inside_folds <= 0.97
  # 90 % at least; a band that is too wide would keep them all.
  assert 0.9 <= inside_sizes <= 0.99
  # By chance alone a CV is above 0, and half of the corrected ones are not.
  assert np.mean([size.cv for _, size in studies]) == pytest.approx(
      np.mean([size.expected for _, size in studies]), rel=0.05
  )
  assert 0.3 < np.mean([size.corrected == 0 for _, size in studies]) < 0.7


def test_planted_heterogeneity_leaves_the_band() -> None:
  for seed in range(5):
    folds, size = _study(seed, planted=True)
    for estimate in (*folds, size):
      assert estimate.cv > estimate.band[1] and not _inside(estimate)
      assert estimate.p_value == 1 / 257
      assert estimate.corrected > 0.2


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


@hypothesis.given(
    tenths=st.lists(st.integers(0, 5), min_size=1, max_size=30)
)
def test_minimum_mode_cv_is_scipys_mode(tenths: list[int]) -> None:
  cvs = [t / 10 for t in tenths]
  got = heterogeneity.minimum_mode_cv(cvs)
  want = stats.mode(cvs)
  assert got[:2] == (want.mode, want.count)
  assert got.n_components == 1 + cvs.index(want.mode)


def test_cv_vs_metric() -> None:
  cvs, accuracies = [0.2, None, 0.12, 0.1, 0.03], [0.7, 0.9, 0.8, None, 0.95]
  x, y = [0.2, 0.12, 0.03], [0.7, 0.8, 0.95]
  got = heterogeneity.cv_vs_metric(cvs, accuracies, [0.05, 0.4], [0.9])
  assert got['n'] == 3 and got['n_left_out'] == 2
  assert got['pearson'] == pytest.approx(np.corrcoef(x, y)[0, 1])
  assert got['spearman'] == pytest.approx(-1)
  slope, intercept = np.polyfit(x, y, 1)
  assert got['fit']['slope'] == pytest.approx(slope)
  assert got['fit']['intercept'] == pytest.approx(intercept)
  back, _ = np.polyfit(y, x, 1)
  assert got['fit_cv']['slope'] == pytest.approx(back)
  # The product of both slopes is the squared correlation.
  assert slope * back == pytest.approx(got['pearson'] ** 2)
  near, far = got['metric_given_cv']
  assert (near['cv'], near['extrapolated']) == (0.05, False)
  assert (far['cv'], far['extrapolated']) == (0.4, True)
  assert near['metric'] == pytest.approx(intercept + slope * 0.05)
  assert near['interval'][0] < near['metric'] < near['interval'][1]
  assert np.ptp(far['interval']) > np.ptp(near['interval'])
  [row] = got['cv_given_metric']
  assert row['metric'] == 0.9 and row['cv'] == pytest.approx(
      np.polyval(np.polyfit(y, x, 1), 0.9)
  )
  # t of 0.997 with one degree of freedom is 12.71.
  assert got['warning'].startswith('3 sizes carry little')
  assert '0.997' in got['warning']
  assert json.loads(json.dumps(got, allow_nan=False)) == got


def test_four_sizes_of_the_paper_are_few() -> None:
  cvs = [0.2, 0.15, 0.1, 0.05]
  got = heterogeneity.cv_vs_metric(cvs, [0.7, 0.8, 0.85, 0.9])
  assert [row['cv'] for row in got['metric_given_cv']] == [0.05, 0.1, 0.2, 0.3]
  assert 'beyond 0.950' in got['warning']
  assert got['pearson_p_value'] < 0.05


@pytest.mark.parametrize(
    'cvs, values, why',
    [
        ([], [], 'fewer than three sizes have both a CV and a metric'),
        ([0.1, 0.2], [0.8, 0.7], 'fewer than three sizes have both a CV and a'),
        ([0.1, None, 0.2], [0.8, 0.9, 0.7], 'fewer than three sizes'),
        ([0.1] * 4, [0.6, 0.7, 0.8, 0.9], 'the CV is the same for all sizes'),
        ([0.1, 0.2, 0.3], [0.9] * 3, 'the metric is the same for all sizes'),
    ],
)
def test_no_relation(cvs: list, values: list, why: str) -> None:
  got = heterogeneity.cv_vs_metric(cvs, values)
  for name in (
      'pearson',
      'spearman',
      'fit',
      'fit_cv',
      'metric_given_cv',
      'cv_given_metric',
  ):
    assert got[name] is None and got[f'{name}_why'].startswith(why)
  assert got['n'] + got['n_left_out'] == len(cvs)
  assert 'show no relation' in got['warning']
  json.dumps(got, allow_nan=False)


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

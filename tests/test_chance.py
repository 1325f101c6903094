"""The null of coefficients of variation, against loops, enumeration, SciPy and
simulation.
"""

import collections
import itertools

import coefficients
import jax
import numpy as np
import pytest
from scipy import stats

from heterojax.stats import chance
from heterojax.stats import metrics


def _null(
  terms: metrics.Terms,
  labels: np.ndarray,
  k: int,
  seed: int,
  draws: int,
  groups: np.ndarray | None = None,
) -> np.ndarray:
  return chance.null_cvs(
    terms.values,
    labels,
    k,
    terms.transform,
    jax.random.key(seed),
    draws,
    groups,
  )


def _alone(cv: float, null: np.ndarray) -> chance.Estimate:
  return chance.combine(np.array([cv]), null[np.newaxis])


@pytest.mark.medium
@pytest.mark.parametrize('metric', metrics.OF_MEANS)
def test_null_is_every_permutation(metric: str) -> None:
  # Of 6 images all 720 orders, for two clusterings under the same order.
  y = np.array([0.0, 1, 2, 3, 4, 9])
  predicted = np.array([0.0, 2, 2, 1, 4, 9.5])
  labels = np.array([[0, 0, 0, 1, 1, 2], [2, 1, 1, 1, 0, 0]])
  terms = metrics.terms(metric, y, predicted)
  every = collections.Counter(
    round(
      coefficients.by_loop(
        terms.values[list(order)], labels, 3, terms.transform
      ),
      9,
    )
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


def _moves_whole_groups(order: tuple[int, ...], groups: np.ndarray) -> bool:
  """Are two images in one group before just where they are after?"""
  return all(
    (groups[a] == groups[b]) == (groups[order[a]] == groups[order[b]])
    for a, b in itertools.combinations(range(len(groups)), 2)
  )


@pytest.mark.slow
@pytest.mark.parametrize(
  'groups, number',
  [
    # Two pairs in 2! 2! 2! ways, one triple in 3! ways.
    ('bcabcaa', 48),
    # Two of one image each, a pair, a triple that no other can replace.
    ('abccddd', 24),
    # The numbers of images differ, so that each patient stays.
    ('abbdddd', 48),
    ('abcdefg', 5040),
  ],
)
def test_null_is_every_permutation_of_whole_groups(
  groups: str, number: int
) -> None:
  groups = np.array(list(groups))
  values = np.array([0.3, 1, 2.5, 4, 6.1, 7, 9])
  labels = np.array([[0, 0, 1, 1, 2, 2, 2], [2, 1, 0, 1, 0, 2, 0]])
  terms = metrics.terms('mean_absolute_error', np.zeros(7), values)
  orders = [
    order
    for order in itertools.permutations(range(7))
    if _moves_whole_groups(order, groups)
  ]
  assert len(orders) == number
  every = collections.Counter(
    round(
      coefficients.by_loop(values[list(order)], labels, 3, terms.transform), 9
    )
    for order in orders
  )
  draws = max(30 * len(every), 2_000)
  got = collections.Counter(
    np.round(_null(terms, labels, 3, 0, draws, groups), 9).tolist()
  )
  assert set(got) <= set(every)
  values = sorted(every)
  p_value = stats.chisquare(
    [got[v] for v in values], [every[v] * draws / number for v in values]
  ).pvalue
  assert p_value > 0.001


@pytest.mark.medium
def test_exchangeable() -> None:
  for groups, share in (
    ('abc', 1),
    ('aab', 0),
    ('aabbc', 4 / 5),
    ('abccddd', 2 / 7),
    ('', 1),
  ):
    assert chance.exchangeable(np.array(list(groups))) == share
  # Where nothing can be exchanged, and each patient is in one cluster, the
  # band is the CV itself, which is then no finding.
  groups = np.repeat(np.arange(4), [1, 2, 3, 4])
  terms = metrics.terms('mean_absolute_error', np.arange(10.0), np.zeros(10))
  null = _null(terms, groups[None] % 3, 3, 0, 50, groups)
  np.testing.assert_allclose(null, coefficients.of(terms, groups[None] % 3, 3))


@pytest.mark.medium
def test_groups_of_one_image_are_images() -> None:
  rng = np.random.default_rng(0)
  terms = metrics.terms('accuracy', rng.integers(0, 2, 90), np.ones(90))
  labels = rng.integers(0, 4, (3, 90))
  np.testing.assert_array_equal(
    _null(terms, labels, 4, 0, 100),
    _null(terms, labels, 4, 0, 100, np.arange(90)),
  )


def _patients(seed: int) -> tuple[metrics.Terms, np.ndarray, np.ndarray]:
  """1 to 4 images of each patient, equally hard and in one cluster.

  No cluster is harder than another, but each holds few patients.
  """
  rng = np.random.default_rng(seed)
  groups = np.repeat(np.arange(40), rng.integers(1, 5, 40))
  of_patient = rng.gamma(2, size=40)[groups]
  error = of_patient + 0.1 * rng.random(len(groups))
  labels = rng.integers(0, 4, 40)[groups]
  terms = metrics.terms('mean_absolute_error', np.zeros(len(groups)), error)
  # Images stand in any order.
  order = rng.permutation(len(groups))
  terms = terms._replace(values=terms.values[order])
  return terms, labels[np.newaxis, order], groups[order]


@pytest.mark.slow
def test_images_of_one_patient_are_exchanged_together() -> None:
  """The level of the test, 5 %, without heterogeneity; and its power."""
  found, found_planted, studies = {'image': 0, 'group': 0}, 0, 300
  for seed in range(studies):
    terms, labels, groups = _patients(seed)
    cv = coefficients.of(terms, labels, 4)
    for unit, own in (('image', None), ('group', groups)):
      null = _null(terms, labels, 4, seed, 199, own)
      found[unit] += _alone(cv, null).p_value <= 0.05
    planted = terms._replace(values=terms.values + 4 * (labels[0] == 0))
    null = _null(planted, labels, 4, seed, 199, groups)
    found_planted += (
      _alone(coefficients.of(planted, labels, 4), null).p_value <= 0.05
    )
  # 99.9 % of experiments with a level of 5 %.
  low, high = stats.binom.interval(0.999, studies, 0.05)
  assert low <= found['group'] <= high, found
  assert found['image'] > 4 * 0.05 * studies, found
  assert found_planted > 0.9 * studies, found_planted


@pytest.mark.slow
def test_null_at_the_size_of_the_study() -> None:
  # Against permutations by NumPy: another generator, loops, no padding.
  rng = np.random.default_rng(0)
  n, runs, draws = 300, 5, 1500
  y, predicted = rng.normal(size=(2, n)) * [[3], [1]]
  labels = rng.choice(4, (runs, n), p=[0.55, 0.25, 0.15, 0.05])
  terms = metrics.terms('one_minus_nrmse', y, predicted)
  want = [
    coefficients.by_loop(
      rng.permutation(terms.values), labels, 4, terms.transform
    )
    for _ in range(draws)
  ]
  got = _null(terms, labels, 4, 0, draws)
  assert got.shape == (draws,) and got.dtype == np.float64
  assert stats.ks_2samp(got, want).pvalue > 0.001
  # The clusterings share each permutation, so equal ones have equal draws.
  equal = np.repeat(labels[:1], runs, axis=0)
  got, alone = (_null(terms, rows, 4, 0, 128) for rows in (equal, equal[:1]))
  np.testing.assert_allclose(got, alone)


@pytest.mark.slow
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


@pytest.mark.medium
def test_null_keeps_the_metric_of_all_images() -> None:
  # With one image per cluster the mean over clusters is that of all images.
  terms = metrics.terms('mean_absolute_error', np.arange(7.0), np.zeros(7))
  labels = np.arange(7)[np.newaxis]
  null = _null(terms, labels, 7, 0, 100)
  np.testing.assert_allclose(null, stats.variation(np.arange(7)))
  estimate = _alone(coefficients.of(terms, labels, 7), null)
  assert estimate.corrected == pytest.approx(0, abs=1e-7)
  assert estimate.p_value == 1


def test_estimate_hand_value() -> None:
  null = np.arange(1, 100) / 1000
  got = _alone(0.0905, null)
  assert got.cv == 0.0905
  assert got.expected == pytest.approx(0.05)
  # Of 99 numbers the 2.5 % point lies 2.45 steps from the first.
  assert got.band == pytest.approx((0.00345, 0.09655))
  # The mean of the squares 1, 4, ..., 99^2 is 100 * 199 / 6.
  square = 0.0905**2 - 100 * 199 / 6 / 1e6
  assert got.corrected == pytest.approx(np.sqrt(square))
  assert got.p_value == pytest.approx((1 + 9) / 100)
  assert _alone(0.03, null).corrected == 0
  assert _alone(9.0, null).p_value == 1 / 100
  assert _alone(0.0, null).p_value == 1
  # The last bits, which depend on the order of adding, are no difference.
  for below, p_value in ((1e-15, 1), (1e-6, 0.1)):
    null = np.full(9, 0.3 * (1 - below))
    assert _alone(0.3, null).p_value == p_value


def test_combine_hand_value() -> None:
  cvs = [0.3, 0.1, np.nan]
  nulls = [[0.1, 0.2, 0.0], [0.1, 0.0, 0.2], [5.0, 5.0, 5.0]]
  got = chance.combine(cvs, nulls)
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
    chance.combine([nan, nan], np.full((2, 5), 0.1)),
    chance.combine([nan], np.full((1, 5), nan)),
  ):
    assert np.isnan([*got[:2], *got.band, *got[3:]]).all()


def test_draws_without_a_cv_count_against_a_finding() -> None:
  got = _alone(0.5, np.array([0.1, 0.2, 0.3, np.nan]))
  assert got.p_value == 2 / 5
  assert got.expected == pytest.approx(0.2)


@pytest.mark.medium
@pytest.mark.parametrize(
  'n, simulated', [(100, 6.2), (200, 4.4), (400, 3.1), (800, 2.2)]
)
def test_cv_of_chance_alone(n: int, simulated: float) -> None:
  # Accuracy 0.9 and four clusters of a quarter each, in percent. The other
  # simulation took the sample standard deviation, sqrt(4/3) times ours.
  terms = metrics.terms('accuracy', np.ones(n), np.arange(n) >= n // 10)
  null = _null(terms, np.arange(n)[np.newaxis] % 4, 4, 0, 1000)
  expected = _alone(0.0, null).expected
  assert 100 * expected * np.sqrt(4 / 3) == pytest.approx(simulated, rel=0.04)
  # The errors of each cluster are drawn without replacement.
  errors = np.random.default_rng(0).multivariate_hypergeometric(
    [n // 4] * 4, n // 10, 20_000
  )
  direct = stats.variation(1 - errors / (n // 4), axis=1)
  assert expected == pytest.approx(direct.mean(), rel=0.04)
  assert np.mean(null > 0.05) == pytest.approx(np.mean(direct > 0.05), abs=0.05)


@pytest.mark.slow
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
    cv = coefficients.of(terms, labels, 4)
    raw.append(cv**2)
    null = _null(terms, labels, 4, seed, 256)
    corrected.append(_alone(cv, null).corrected ** 2)
  # Squares, which is where the bias is removed.
  assert np.mean(raw) > 1.05 * truth**2
  assert np.mean(corrected) == pytest.approx(truth**2, rel=0.05)


def _study(seed: int, planted: bool) -> tuple[list, chance.Estimate]:
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
    cvs.append(coefficients.of(terms, labels, 4))
    nulls.append(_null(terms, labels, 4, 4 * seed + f, 256))
  folds = [_alone(c, null) for c, null in zip(cvs, nulls)]
  return folds, chance.combine(cvs, nulls)


def _inside(estimate: chance.Estimate) -> bool:
  return estimate.band[0] <= estimate.cv <= estimate.band[1]


@pytest.mark.slow
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

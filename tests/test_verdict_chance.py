"""Coefficients of variation by chance, against enumeration, loops, SciPy and
simulation.
"""

from collections.abc import Sequence

import coefficients
import jax
import numpy as np
import pytest
from scipy import stats
from test_verdict_exchange import allowed

from benchmarks import band
from heterojax.stats import metrics
from heterojax.verdict import alike
from heterojax.verdict import chance
from heterojax.verdict import exchange as exchanges


def _key() -> jax.Array:
  return jax.random.key(0)


def _fold(
  terms: metrics.Terms,
  labels: Sequence | np.ndarray,
  classes: Sequence | np.ndarray | None = None,
  groups: Sequence[str] | np.ndarray | None = None,
) -> chance.Fold:
  n = len(terms.values)
  return chance.Fold(
    terms,
    np.zeros(n, int) if classes is None else np.asarray(classes),
    np.full(n, '') if groups is None else np.array(list(groups)),
    np.atleast_2d(labels),
  )


def _null(
  terms: metrics.Terms,
  labels: np.ndarray,
  k: int,
  seed: int,
  draws: int,
  groups: np.ndarray | None = None,
) -> np.ndarray:
  """`[1 + draws]` of one fold and class."""
  fold = _fold(terms, labels, groups=groups)
  return chance.null([fold], k, jax.random.key(seed), draws).cvs[:, 0]


def _alone(null: np.ndarray) -> chance.Estimate:
  return chance.estimate(null[:, np.newaxis])


def _errors(values: Sequence[float]) -> metrics.Terms:
  return metrics.terms('mean_absolute_error', np.zeros(len(values)), values)


_RIGHT = metrics.terms('accuracy', np.ones(6), np.array([1, 0, 1, 0, 0, 1]))
_WRONG = _errors([0.3, 1, 2.5, 4, 6.1, 1])
_TWICE = [[0, 0, 1, 1, 2, 2], [2, 1, 1, 1, 0, 0]]
_WHOLE = [[0, 0, 1, 1, 2, 0], [2, 2, 0, 0, 2, 1]]
_NO_ONE = ['', '', '', '', '', '']
_SMALL = {
  # Terms, clusters in two trainings, classes, patients, and sizes of folds.
  'images': (_RIGHT, _TWICE, '000000', _NO_ONE, [6]),
  'classes': (_RIGHT, _TWICE, '001101', _NO_ONE, [6]),
  'classes and folds': (_RIGHT, _TWICE, '001001', _NO_ONE, [3, 3]),
  # Two are of both classes and one is of one.
  'patients': (_RIGHT, _TWICE, '011011', list('aabbcc'), [6]),
  'patients in two folds': (_RIGHT, _TWICE, '011011', list('abcabc'), [3, 3]),
  'some patients': (
    _RIGHT,
    _TWICE,
    '000001',
    ['a', 'a', 'b', 'b', '', ''],
    [6],
  ),
  'a regression': (_WRONG, _TWICE, '000000', _NO_ONE, [3, 3]),
  # Each in one cluster of a training: else draws are further apart.
  'its patients': (_WRONG, _WHOLE, '000000', list('aabbcd'), [6]),
}


@pytest.mark.parametrize('name', _SMALL)
def test_small_data_have_the_p_value_of_all_exchanges(name: str) -> None:
  terms, labels, classes, names, sizes = _SMALL[name]
  classes, labels = np.array(list(classes), int), np.array(labels)
  number = np.repeat(np.arange(len(sizes)), sizes)
  ends = np.cumsum(sizes)
  at = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]

  def cvs(values: np.ndarray) -> list[float]:
    return [
      coefficients.by_loop(values[f], labels[:, f], 3, terms.transform)
      for f in at
    ]

  units = np.array([n or f'image {i}' for i, n in enumerate(names)])
  orders = list(allowed(2 * number + classes, units))
  every = np.array([cvs(terms.values[list(order)]) for order in orders])
  folds = [
    _fold(
      terms._replace(values=terms.values[f]),
      labels[:, f],
      classes[f],
      names[f],
    )
    for f in at
  ]
  null = chance.null(folds, 3, _key(), draws=50_000)
  np.testing.assert_allclose(null.cvs[0], cvs(terms.values), rtol=1e-12)
  # Arrangements that are alike are there once, so that shares are the same.
  for own, enumerated in (
    *zip(null.cvs.T[:, :, np.newaxis], every.T[:, :, np.newaxis], strict=True),
    (null.cvs, every),
  ):
    got, all_cvs = chance.estimate(own), enumerated.mean(axis=1)
    observed = own[0].mean()
    want = np.mean(all_cvs >= observed - 1e-9)
    assert got.draws == len(null.cvs) - 1 < 50_000
    if np.ptp(all_cvs) < 1e-9:
      assert np.isnan([got.p_value, got.expected]).all()
      continue
    assert got.p_value == pytest.approx(want, abs=1e-12)
    assert got.expected == pytest.approx(all_cvs.mean())
  assert np.ptp(null.cvs.mean(axis=1)) > 0.01
  assert null.exchange.unit == ('patient' if any(names) else 'image')


@pytest.mark.parametrize('patients', [False, True])
@pytest.mark.parametrize('metric', metrics.OF_MEANS)
def test_names_of_clusters_change_no_bit(metric: str, patients: bool) -> None:
  rng = np.random.default_rng(0)
  world = band.World(120, 2, patients=patients, trainings=3)
  folds = band.folds(world, 0)
  if metric != 'accuracy':
    folds = [
      f._replace(
        terms=metrics.terms(metric, *rng.standard_normal((2, len(f.classes))))
      )
      for f in folds
    ]
  name = np.array([3, 0, 4, 1])
  renamed = [f._replace(labels=name[f.labels]) for f in folds]
  with np.errstate(divide='raise', invalid='raise'):  # Not by an empty cluster.
    one, other = (
      chance.null(own, 5, _key(), draws=200).cvs for own in (folds, renamed)
    )
  assert not np.isnan(one).any()
  np.testing.assert_array_equal(one, other)
  assert chance.estimate(one) == chance.estimate(other)


def test_classes_keep_their_clusters() -> None:
  # Cluster 0 has the class that is always wrong.
  terms = metrics.terms('accuracy', np.ones(40), np.arange(40) >= 10)
  labels = np.where(np.arange(40) < 12, 0, 1)
  fold = _fold(terms, labels, np.arange(40) < 10)
  null = chance.null([fold], 2, _key())
  got = chance.estimate(null.cvs)
  assert got.cv > 0.5 and np.isnan([got.expected, *got.band, got.p_value]).all()
  mixed = chance.estimate(chance.null([_fold(terms, labels)], 2, _key()).cvs)
  assert mixed.p_value < 0.01


def test_units_that_stay() -> None:
  for names, classes, stays, moved in (
    ('abc', '000', 0, 1),
    ('abc', '001', 1, 2 / 3),
    ('aab', '000', 2, 0),
    ('aabbc', '00000', 1, 4 / 5),
    # As many images, but not of each class.
    ('aabbc', '01000', 3, 0),
    ('aabbc', '01100', 1, 4 / 5),
    ('abccddd', '0000000', 2, 2 / 7),
  ):
    fold = _fold(
      _errors(range(len(names))), [0] * len(names), list(classes), names
    )
    exchange = chance.null([fold], 2, _key(), 9).exchange
    assert (exchange.stays, exchange.moved) == (stays, moved)


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
    for unit, own in (('image', None), ('group', groups.astype(str))):
      null = _null(terms, labels, 4, seed, 199, own)
      found[unit] += _alone(null).p_value <= 0.05
    planted = terms._replace(values=terms.values + 4 * (labels[0] == 0))
    null = _null(planted, labels, 4, seed, 199, groups.astype(str))
    found_planted += _alone(null).p_value <= 0.05
  # 99.9 % of experiments with a level of 5 %.
  low, high = stats.binom.interval(0.999, studies, 0.05)
  assert low <= found['group'] <= high, found
  assert found['image'] > 4 * 0.05 * studies, found
  assert found_planted > 0.9 * studies, found_planted


def test_draws_are_further_from_their_mean_where_exchanges_keep_less() -> None:
  labels, errors = np.array(_TWICE), np.array([0.3, 1, 2.5, 4, 6.1, 1.2])
  patients, none = np.array([0, 0, 1, 1, 2, 3]), np.zeros(6, int)
  orbits = exchanges.exchange(none, patients).orbits
  orders = list(allowed(none, patients))
  every = np.array([
    [[errors[list(o)][row == c].mean() for c in range(3)] for row in labels]
    for o in orders
  ])
  ratio = np.array([
    alike.beyond_exchange(errors, none, row, 3, patients, orbits)[0]
    for row in labels
  ])
  # In the first training each patient is in one cluster.
  assert np.all(ratio[0] == 1) and np.max(ratio[1]) > 1.05
  mean = every.mean(axis=0)
  apart = mean + np.sqrt(ratio) * (every - mean)
  apart[orders.index(tuple(range(6)))] = np.nan
  want = np.mean(np.std(apart, axis=2) / np.mean(apart, axis=2), axis=1)
  fold = _fold(_errors(errors), labels, groups=patients.astype(str))
  got = chance.null([fold], 3, _key(), draws=50_000).cvs[:, 0]
  assert got[0] == pytest.approx(coefficients.of(fold.terms, labels, 3))
  np.testing.assert_allclose(np.sort(got[1:]), np.sort(want)[:-1])


def _alike(
  seed: int, task: str, of_cluster: bool, worse: float = 0.0
) -> list[chance.Fold]:
  """Four folds of ten patients with ten images in four clusters.

  A patient's images are alike in all clusters, or in each by itself. Many
  patients have a composition of their own and stay.
  """
  rng = np.random.default_rng(seed)
  patient = np.repeat(np.arange(40), 10)
  labels = rng.integers(4, size=400)
  y = rng.integers({'two': 2, 'five': 5, 'regression': 1}[task], size=400)
  level = rng.random((40, 4))[patient, labels if of_cluster else 0]
  level = np.where(rng.random(400) < 0.9, level, rng.random(400))
  folds = []
  for fold in range(4):
    own = patient % 4 == fold
    if task == 'regression':
      errors = stats.norm.ppf(level[own]) * (1 + worse * (labels[own] == 0))
      y_own = rng.uniform(0, 12, 100)
      terms = metrics.terms('one_minus_nrmse', y_own, y_own + errors)
    else:
      wrong = level < 0.2 + 0.05 * y + worse * (labels == 0)
      terms = metrics.terms('accuracy', np.zeros(100), wrong[own])
    names = patient[own].astype(str)
    folds.append(_fold(terms, labels[own], y[own], names))
  return folds


def _share_small(
  task: str, of_cluster: bool, sets: int, worse: float = 0.0
) -> float:
  """Of made-up sets, the share with p at most .05."""
  return np.mean([
    chance.estimate(
      chance.null(
        _alike(seed, task, of_cluster, worse), 4, jax.random.key(seed), 59
      ).cvs
    ).p_value
    <= 0.05
    for seed in range(sets)
  ])


@pytest.mark.slow
@pytest.mark.parametrize('of_cluster', [False, True])
@pytest.mark.parametrize('task', ['two', 'five', 'regression'])
def test_images_alike_in_one_cluster_leave_the_band_as_seldom_as_said(
  task: str, of_cluster: bool
) -> None:
  sets = 400
  level = 0.05 + 3 * np.sqrt(0.05 * 0.95 / sets)
  assert _share_small(task, of_cluster, sets) < level


@pytest.mark.medium
@pytest.mark.parametrize(
  'task, worse', [('two', 0.5), ('five', 0.5), ('regression', 2.0)]
)
def test_a_worse_cluster_is_seen_where_images_are_alike_in_one(
  task: str, worse: float
) -> None:
  assert _share_small(task, True, 30, worse) > 0.8


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
  assert got.shape == (1 + draws,) and got.dtype == np.float64
  assert got[0] == pytest.approx(coefficients.of(terms, labels, 4))
  assert stats.ks_2samp(got[1:], want).pvalue > 0.001
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
  np.testing.assert_array_equal(got[:71], _null(terms, labels, 4, 0, 70))
  assert not np.array_equal(got, _null(terms, labels, 4, 1, 200))
  # Neither the names of clusters nor clusters without images change it.
  renamed = np.array([3, 0, 4, 1])[labels]
  np.testing.assert_allclose(_null(terms, renamed, 6, 0, 200), got)
  # A clustering without two clusters adds nothing.
  more = np.concatenate([labels, np.zeros((1, 90), int)])
  np.testing.assert_allclose(_null(terms, more, 4, 0, 200), got)


@pytest.mark.medium
def test_null_keeps_the_metric_of_all_images() -> None:
  # With one image per cluster the mean over clusters is that of all images.
  labels = np.arange(7)[np.newaxis]
  null = _null(_errors(np.arange(7.0)), labels, 7, 0, 100)
  np.testing.assert_allclose(null, stats.variation(np.arange(7)))
  # Equal to their last bits: no exchange changes the CV.
  assert np.isnan(_alone(null).p_value)


def test_estimate_hand_value() -> None:
  null = np.r_[0.0905, np.arange(1, 100) / 1000]
  got = _alone(null)
  assert got.cv == 0.0905 and got.draws == 99
  assert got.expected == pytest.approx(0.050405)
  # Of 100 numbers the 2.5 % point lies 2.475 steps from the first.
  assert got.band == pytest.approx((0.003475, 0.096525))
  # The mean of the squares 1, 4, ..., 99^2 is 100 * 199 / 6.
  squares = 99 * 100 * 199 / 6 / 1e6 + 0.0905**2
  assert got.corrected == pytest.approx(np.sqrt(0.0905**2 - squares / 100))
  assert got.p_value == pytest.approx((1 + 9) / 100)
  for cv, p_value in ((0.03, 0.71), (9.0, 0.01), (0.0, 1)):
    got = _alone(np.r_[cv, null[1:]])
    assert got.p_value == pytest.approx(p_value)
    assert (got.corrected == 0) == (cv < 0.05)
    assert (got.cv > got.band[1]) == (cv == 9)
  # The last bits, which depend on the order of adding, are no difference.
  for below, p_value in ((1e-15, 1), (1e-6, 0.2)):
    got = _alone(np.r_[0.3, 0.4, np.full(8, 0.3 * (1 - below))])
    assert got.p_value == p_value


def test_combine_hand_value() -> None:
  nan = np.nan
  got = chance.estimate(
    np.array([[0.3, 0.1, nan], [0.1, 0.1, 5], [0.2, 0, 5], [0, 0.2, 5]])
  )
  assert got.cv == pytest.approx(0.2)
  # Draw by draw 0.1 each; its spread is that of the mean, not of the folds.
  assert got.expected == pytest.approx(0.125)
  assert got.band[0] == pytest.approx(0.1)
  assert got.p_value == 1 / 4
  # Mean of 0.09 - 0.14 / 4 and 0.01 - 0.06 / 4, of which one is negative.
  assert got.corrected == pytest.approx(np.sqrt((0.055 - 0.005) / 2))


def test_nothing_to_estimate() -> None:
  nan = float('nan')
  for cvs in (np.full((6, 2), nan), np.array([[nan], [0.1]])):
    got = chance.estimate(cvs)
    assert np.isnan([*got[:2], *got.band, *got[3:5]]).all()
  got = chance.estimate(np.full((6, 1), 0.1))
  assert got.cv == 0.1 and np.isnan([got.expected, *got.band, *got[3:5]]).all()


def test_draws_without_a_cv_count_against_a_finding() -> None:
  got = _alone(np.array([0.5, 0.1, 0.2, 0.3, np.nan]))
  assert got.p_value == 2 / 5
  assert got.expected == pytest.approx(0.275)


@pytest.mark.slow
@pytest.mark.parametrize(
  'world', band.worlds(), ids=lambda world: '-'.join(map(str, world))
)
def test_classes_and_chance_stay_in_the_band(world: band.World) -> None:
  sets = 300
  got = band.rates(world, sets, within=True)
  # 99.9 % of experiments.
  assert sets * got.above <= stats.binom.ppf(0.999, sets, 0.025)
  assert sets * got.small <= stats.binom.ppf(0.999, sets, 0.05)


@pytest.mark.medium
def test_ignoring_classes_leaves_the_band() -> None:
  world = band.World(400, 1, band.SHARES[1])
  assert band.rates(world, 60, within=False).above > 0.5
  assert band.rates(world, 60, within=True).above < 0.15


@pytest.mark.medium
@pytest.mark.parametrize(
  'n, simulated', [(100, 6.2), (200, 4.4), (400, 3.1), (800, 2.2)]
)
def test_cv_of_chance_alone(n: int, simulated: float) -> None:
  # Accuracy 0.9 and four clusters of a quarter each, in percent. The other
  # simulation took the sample standard deviation, sqrt(4/3) times ours.
  terms = metrics.terms('accuracy', np.ones(n), np.arange(n) >= n // 10)
  null = _null(terms, np.arange(n)[np.newaxis] % 4, 4, 0, 1000)
  expected = _alone(null[1:]).expected
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
    got = _alone(_null(terms, labels, 4, seed, 999))
    raw.append(got.cv**2)
    corrected.append(got.corrected**2)
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
  folds = []
  for f in range(4):
    train, test = fold != f, fold == f
    weights = np.linalg.lstsq(design[train], 2.0 * y[train] - 1)[0]
    terms = metrics.terms('accuracy', y[test], design[test] @ weights > 0)
    folds.append(_fold(terms, group[test], y[test]))
  cvs = chance.null(folds, 4, jax.random.key(seed), 256).cvs
  return [_alone(own) for own in cvs.T], chance.estimate(cvs)


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

"""Whether errors are uneven over clusters: against enumeration, SciPy, and data
whose truth is known.
"""

from fractions import Fraction
import itertools

import jax
import numpy as np
import pytest
from scipy import stats
from sklearn import cluster
from sklearn import linear_model
import threadpoolctl

from heterojax import rng
from heterojax.rng import Purpose
from heterojax.verdict import alike
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import ranks
from heterojax.verdict import sums
from heterojax.verdict import uneven
from heterojax.verdict import worlds

_SPLIT = (slice(300), slice(300, None))  # Training and test.


def _q(values, labels, strata) -> Fraction:
  """The statistic image by image, in fractions."""
  values, labels, strata = map(np.asarray, (values, labels, strata))

  def mean(of: np.ndarray) -> Fraction:
    return Fraction(int(values[of].sum()), int(of.sum()))

  total = Fraction(0)
  for c in np.unique(labels):
    images = np.flatnonzero(labels == c)
    expected = sum(mean(strata == strata[i]) for i in images) / len(images)
    total += len(images) * (mean(labels == c) - expected) ** 2
  return total


def _data(n: int, seed: int, k: int = 4, rate: float = 0.15, worse=0.0):
  """Errors 0 and 1 that depend on the class, and in cluster 0 on it too."""
  generator = np.random.default_rng([n, seed])
  y = generator.integers(2, size=n)
  # Clusters differ in their classes: from 20 % to 80 % of class 1.
  shares = np.linspace(0.2, 0.8, k)
  weights = np.where(y[:, np.newaxis], shares, 1 - shares)
  sums_to = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
  labels = np.sum(generator.random((n, 1)) > sums_to[:, :-1], axis=1)
  p = np.where(y, rate, rate / 3) + worse * (labels == 0)
  return (generator.random(n) < p).astype(int), y, labels


@pytest.mark.parametrize('seed', range(4))
def test_small_data_have_the_p_value_of_all_arrangements(seed: int) -> None:
  generator = np.random.default_rng(seed)
  n = 10
  labels = generator.permutation([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
  y = generator.permutation([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
  values = np.zeros(n, int)
  for c, ones in ((0, 3), (1, 2)):
    values[generator.choice(np.flatnonzero(y == c), ones, False)] = 1
  every = []
  for places in itertools.product(
    itertools.combinations(np.flatnonzero(y == 0), 3),
    itertools.combinations(np.flatnonzero(y == 1), 2),
  ):
    moved = np.zeros(n, int)
    moved[np.concatenate(places).astype(int)] = 1
    every.append(_q(moved, labels, y))
  own = _q(values, labels, y)
  got = uneven.test(values, y, labels, 3, key=jax.random.key(0))
  assert len(got.null) == len(every) - 1 == 119
  assert got.statistic == float(own)
  assert got.p_value == np.mean([q >= own for q in every])
  np.testing.assert_allclose(
    np.sort(np.append(got.null, float(own))),
    np.sort(np.array(every, float)),
    atol=1e-12,
  )


def test_draws_have_the_p_value_of_all_arrangements(monkeypatch) -> None:
  values, y, labels = _data(16, 0, k=3, rate=0.4)
  every = uneven.test(values, y, labels, 3, key=jax.random.key(0))
  assert len(every.null) < 9999
  monkeypatch.setattr(sums, '_LISTED', 1)
  drawn = uneven.test(values, y, labels, 3, key=jax.random.key(0))
  assert len(drawn.null) == 9999
  error = np.sqrt(every.p_value * (1 - every.p_value) / 9999)
  assert abs(drawn.p_value - every.p_value) < 4 * error
  np.testing.assert_allclose(drawn.adjusted, every.adjusted, atol=0.02)
  assert drawn.effect.tolist() == every.effect.tolist()


@pytest.mark.parametrize('values', ['errors', 'squared errors'])
def test_two_clusters_are_the_permutation_test_of_scipy(values: str) -> None:
  x, _, labels = _data(80, 1, k=2, rate=0.3, worse=0.1)
  if values == 'squared errors':
    x = (x + np.random.default_rng(0).standard_normal(80)) ** 2
  draws = 4999
  got = uneven.test(
    x, np.zeros(80), labels, 2, key=jax.random.key(0), draws=draws
  )
  peer = stats.permutation_test(
    (x[labels == 0], x[labels == 1]),
    lambda a, b, axis: np.abs(a.mean(axis) - b.mean(axis)),
    n_resamples=draws,
    vectorized=True,
    alternative='greater',
    rng=np.random.default_rng(0),
  )
  error = np.sqrt(2 * peer.pvalue * (1 - peer.pvalue) / draws)
  assert 0.01 < peer.pvalue < 0.5
  assert abs(got.p_value - peer.pvalue) < 3 * error
  # Of two clusters one is worse than the other: the same, two-sided, but for
  # the mean of the draws, which is not quite that of all arrangements.
  assert got.adjusted.min() == pytest.approx(got.p_value, abs=0.01)


@pytest.mark.parametrize(
  'table', [((7, 7), (5, 1)), ((6, 6), (0, 4)), ((7, 7), (2, 3))]
)
def test_two_equal_clusters_are_fishers_exact_test(table) -> None:
  (n, m), (a, b) = table
  values = np.repeat([1, 0, 1, 0], [a, n - a, b, m - b])
  labels = np.repeat([0, 1], [n, m])
  got = uneven.test(values, np.zeros(n + m), labels, 2, key=jax.random.key(0))
  fisher = stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue
  assert got.p_value == pytest.approx(fisher, abs=1e-12)


@pytest.mark.parametrize('table', [((9, 5), (1, 3)), ((4, 10), (0, 4))])
def test_two_clusters_are_the_hypergeometric_distribution(table) -> None:
  (n, m), (a, b) = table
  values = np.repeat([1, 0, 1, 0], [a, n - a, b, m - b])
  labels = np.repeat([0, 1], [n, m])
  got = uneven.test(values, np.zeros(n + m), labels, 2, key=jax.random.key(0))
  law = stats.hypergeom(n + m, a + b, n)
  x = np.arange(a + b + 1)
  far = np.abs(x - law.mean()) >= abs(a - law.mean()) - 1e-9
  assert got.p_value == pytest.approx(law.pmf(x[far]).sum(), abs=1e-12)


def _same(a, b, order=slice(None)) -> None:
  """Two tests to the bit, the clusters of the second in another order."""
  assert (a.statistic, a.p_value) == (b.statistic, b.p_value)
  assert np.array_equal(a.null, b.null)
  for name in ('adjusted', 'effect', 'interval'):
    assert np.array_equal(getattr(a, name), getattr(b, name)[order]), name


def _squared(x: np.ndarray) -> np.ndarray:
  noise = np.random.default_rng(5).standard_normal(len(x))
  return (x + noise) ** 2


@pytest.mark.parametrize('groups', [False, True])
@pytest.mark.parametrize('real', [False, True])
@pytest.mark.parametrize('limit', [0, 1 << 12])
def test_names_of_clusters_and_chunks_change_no_bit(
  real: bool, groups: bool, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.setattr(sums, '_SHUFFLED', limit)
  values, y, labels = _data(150, 2, k=5)
  values = _squared(values) if real else values
  more = {
    'folds': np.arange(150) % 3,
    'groups': np.arange(150) // 2 if groups else None,
    'draws': 400,
    'key': jax.random.key(0),
  }
  one = uneven.test(values, y, labels, 5, **more)
  names = np.array([3, 0, 4, 2, 1])
  _same(one, uneven.test(values, y, names[labels], 5, **more), names)
  monkeypatch.setattr(exchanges, '_CHUNK', 1000)
  _same(one, uneven.test(values, y, labels, 5, **more))
  fewer = uneven.test(values, y, labels, 5, **(more | {'draws': 99}))
  assert np.array_equal(fewer.null, one.null[:99])


@pytest.mark.parametrize('n', [12, 150])
def test_the_order_of_images_changes_no_bit(n: int) -> None:
  # Some clusters have the same numbers of images of each class.
  values, y, labels = _data(n, 3)
  order = np.random.default_rng(0).permutation(n)
  one = uneven.test(values, y, labels, 4, key=jax.random.key(0), draws=400)
  other = uneven.test(
    values[order], y[order], labels[order], 4, key=jax.random.key(0), draws=400
  )
  if len(one.null) < 400:  # All arrangements, in any order.
    one = one._replace(null=np.sort(one.null))
    other = other._replace(null=np.sort(other.null))
  _same(one, other)


def test_clusters_alike_in_all_numbers_may_change_places() -> None:
  values = np.tile([1, 0, 0, 0, 0, 0], 8)
  labels = np.repeat(np.arange(8) % 4, 6)
  y = np.arange(48) % 2
  order = np.random.default_rng(0).permutation(48)
  one = uneven.test(values, y, labels, 4, key=jax.random.key(0), draws=100)
  other = uneven.test(
    values[order], y[order], labels[order], 4, key=jax.random.key(0), draws=100
  )
  _same(one, other)


def test_equal_statistics_are_equal() -> None:
  # Thirds and sevenths have no exact floats; 0.1 + 0.2 is not 0.3.
  values = np.array([1, 0, 0, 1, 0, 0, 1, 0, 0, 0])
  labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
  y = np.zeros(10)
  got = uneven.test(values, y, labels, 3, key=jax.random.key(0))
  # One error in each of three clusters is the least uneven table there is.
  assert got.p_value == 1
  real = uneven.test(values * 0.1 + 0.2, y, labels, 3, key=jax.random.key(0))
  assert real.p_value == 1
  assert got.adjusted.tolist() == real.adjusted.tolist()
  np.testing.assert_allclose(real.null, got.null * 0.01, atol=1e-12)


def _alike_in_one(real: bool):
  """Values, classes, clusters and patients, alike in a cluster alone."""
  stream, k = np.random.default_rng(5), 3
  patient = np.repeat(np.arange(30), 6)
  y, labels = stream.integers(2, size=180), stream.integers(k, size=180)
  level = stream.random((30, k))[patient, labels]
  level = np.where(stream.random(180) < 0.5, level, stream.random(180))
  return level if real else (level < 0.3).astype(int), y, labels, patient


@pytest.mark.parametrize('seed', range(8))
def test_other_values_tie_as_whole_numbers_do(seed: int) -> None:
  stream = np.random.default_rng(seed)
  labels = stream.permutation([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
  values, y = stream.permutation([1] * 5 + [0] * 5), np.zeros(10)
  whole = uneven.test(values, y, labels, 3, key=jax.random.key(0))
  for scale in (0.1, 1e-7, 1e7):
    # A third is not represented, and sums of it differ in their last bits.
    real = uneven.test(
      (values + 1 / 3) * scale, y, labels, 3, key=jax.random.key(0)
    )
    assert real.p_value == whole.p_value
    np.testing.assert_array_equal(real.adjusted, whole.adjusted)


def test_the_unit_of_values_changes_nothing() -> None:
  values, y, labels, patient = _alike_in_one(True)
  given = {'key': jax.random.key(0), 'groups': patient, 'draws': 199}
  own = uneven.test(values, y, labels, 3, **given)
  assert own.p_value < 0.5
  for scale in (2.0**-30, 2.0**30):
    got = uneven.test(values * scale, y, labels, 3, **given)
    assert got.p_value == own.p_value
    np.testing.assert_array_equal(got.adjusted, own.adjusted)


@pytest.mark.parametrize('real', [False, True])
def test_a_cluster_of_one_image_counts(real: bool) -> None:
  labels, y = np.array([0, 0, 0, 1, 1, 2]), np.zeros(6)
  values = np.array([0, 1, 0, 0, 0, 1])
  given = values * 0.5 if real else values
  got = uneven.test(given, y, labels, 3, key=jax.random.key(0))
  own = float(_q(values, labels, y))
  assert got.statistic == pytest.approx(own / 4 if real else own)


@pytest.mark.parametrize('draws', [1, 2])
def test_a_single_draw_is_one(draws: int) -> None:
  values, y, labels = _data(60, 3)
  got = uneven.test(values, y, labels, 4, key=jax.random.key(0), draws=draws)
  assert got.null.shape == (draws,)
  assert got.p_value * (1 + draws) == 1 + np.sum(got.null >= got.statistic)


def test_step_down_is_its_definition() -> None:
  values, y, labels = _data(120, 4, worse=0.2)
  got = uneven.test(values, y, labels, 4, key=jax.random.key(0), draws=199)
  exchange = exchanges.exchange(exchanges.strata(y))
  images = sums.Images(values, labels[np.newaxis], 4)
  rows = sums.sums(
    images, exchanges.strata(y), exchange, jax.random.key(0), 199
  )
  z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
  left, smallest = set(range(4)), 0.0
  while left:
    c = max(left, key=lambda c: z[0, c])
    reached = [max(row[d] for d in left) >= z[0, c] - 1e-9 for row in z]
    smallest = max(smallest, sum(reached) / 200)
    assert got.adjusted[c] == pytest.approx(smallest, abs=1e-12)
    left.remove(c)


def test_a_cluster_that_is_better_is_not_named() -> None:
  generator = np.random.default_rng(0)
  labels = np.repeat([0, 1, 2, 3], 100)
  rates = np.array([0.02, 0.4, 0.4, 0.4])
  values = (generator.random(400) < rates[labels]).astype(int)
  got = uneven.test(
    values, np.zeros(400), labels, 4, key=jax.random.key(0), draws=999
  )
  assert got.p_value == 1 / 1000
  assert got.adjusted[0] > 0.9
  assert got.effect[0] < -0.2


def test_effect_is_mean_less_expected() -> None:
  values, y, labels = _data(90, 6)
  got = uneven.test(values, y, labels, 4, key=jax.random.key(0), draws=9)
  for c in range(4):
    expected = np.mean([
      values[y == y[i]].mean() for i in np.where(labels == c)[0]
    ])
    assert got.effect[c] == pytest.approx(values[labels == c].mean() - expected)
    assert got.interval[c, 0] < got.effect[c] < got.interval[c, 1]


def test_several_clusterings_share_their_draws() -> None:
  values, y, labels = _data(200, 7, worse=0.25)
  noise = np.random.default_rng(0).integers(3, size=200)
  both = uneven.test_several(
    values,
    y,
    np.stack([noise, labels]),
    (3, 4),
    key=jax.random.key(0),
    draws=999,
  )
  assert [len(t.adjusted) for t in both.tests] == [3, 4]
  assert both.p_value == both.adjusted.min() == both.adjusted[1] < 0.02
  assert both.adjusted[0] > 0.05
  assert both.adjusted[1] >= both.tests[1].p_value
  renamed = uneven.test_several(
    values,
    y,
    np.stack([2 - noise, labels]),
    (3, 4),
    key=jax.random.key(0),
    draws=999,
  )
  assert renamed.adjusted.tolist() == both.adjusted.tolist()
  assert np.array_equal(renamed.tests[1].null, both.tests[1].null)
  none = uneven.test_several(
    values,
    y,
    np.stack([0 * noise, labels]),
    (1, 4),
    key=jax.random.key(0),
    draws=999,
  )
  assert np.isnan(none.adjusted[0]) and none.p_value == none.adjusted[1]


_ONES = [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
  'values, y, labels, groups, why',
  [
    (_ONES, [0] * 6, [1] * 6, None, 'all test images are in one cluster'),
    (
      _ONES,
      [1, 0] * 3,
      [0, 0, 1, 1, 1, 1],
      None,
      'all test images of a class and fold have the same error',
    ),
    (
      _ONES,
      [0, 0, 0, 1, 1, 1],
      [0, 0, 0, 1, 1, 1],
      None,
      'no exchange of images changes what the clusters have',
    ),
    (
      [0.1, 0.7, 0.3, 0.2, 0.6, 0.9],
      [0, 0, 0, 1, 1, 1],
      [0, 0, 0, 1, 1, 1],
      None,
      'no exchange of images changes what the clusters have',
    ),
    (
      _ONES,
      [0] * 6,
      [0, 1, 1, 1, 1, 1],
      [0, 1, 1, 2, 2, 2],
      'no exchange of patients changes what the clusters have',
    ),
  ],
)
def test_without_a_p_value_there_is_a_reason(
  values, y, labels, groups, why
) -> None:
  groups = None if groups is None else np.array(groups)
  got = uneven.test(
    np.array(values),
    np.array(y),
    np.array(labels),
    2,
    key=jax.random.key(0),
    groups=groups,
  )
  assert got.p_value is None and got.why == why
  assert np.isnan(got.statistic) and np.isnan(got.adjusted).all()
  assert not len(got.null)


def test_an_empty_cluster_has_nothing() -> None:
  values, y, labels = _data(60, 8, k=2)
  two = uneven.test(values, y, labels, 2, key=jax.random.key(0), draws=99)
  three = uneven.test(values, y, 2 * labels, 3, key=jax.random.key(0), draws=99)
  assert two.p_value == three.p_value
  assert np.isnan(three.adjusted[1]) and np.isnan(three.effect[1])
  assert np.isnan(three.interval[1]).all()


@pytest.mark.parametrize(
  'changed, why',
  [
    ({'labels': [0, 1, 2]}, 'labels are not from 0 to 1'),
    ({'labels': [0, -1, 1]}, 'labels are not from 0 to 1'),
    ({'labels': [0, 1]}, 'labels are'),
    ({'values': [0.0, 1.0, np.nan]}, 'values are not finite'),
    ({'classes': [0, 1]}, 'classes are'),
    ({'groups': np.array([0, 1])}, 'groups are'),
    ({'draws': 0}, '0 draws'),
  ],
)
def test_mistakes_are_told(changed: dict, why: str) -> None:
  right = {
    'values': [0, 1, 1],
    'classes': [0, 0, 0],
    'labels': [0, 1, 1],
    'k': 2,
    'key': jax.random.key(0),
  }
  with pytest.raises(ValueError, match=why):
    uneven.test(**(right | changed))


def _p_values(sets: int, **more) -> np.ndarray:
  """Of data sets of 200 images, whose images may be pairs of a patient."""
  found = []
  for seed in range(sets):
    values, y, labels = _data(200, seed, **more)
    key = rng.key(0, Purpose.PERMUTATION, seed)
    found.append(uneven.test(values, y, labels, 4, key=key, draws=99).p_value)
  return np.array(found)


@pytest.mark.medium
def test_size_on_its_own_null() -> None:
  p = _p_values(150)
  limit = 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(p))
  assert 0.01 < np.mean(p <= 0.05) < limit
  # On the grid, and never 0.
  assert np.array_equal(np.round(p * 100) / 100, p) and p.min() >= 0.01


@pytest.mark.medium
def test_power_where_one_cluster_is_worse() -> None:
  assert np.mean(_p_values(60, worse=0.35) <= 0.05) > 0.9


def _patients(seed: int, real: bool):
  """Two images of each of 40 patients, alike in error and cluster."""
  generator = np.random.default_rng(seed)
  home = generator.integers(3, size=40)
  harder = generator.random(40)
  labels = np.repeat(home, 2)
  moves = generator.random(80) < 0.1
  labels = np.where(moves, generator.integers(3, size=80), labels)
  values = np.repeat(harder, 2) + 0.1 * generator.random(80)
  values = values**2 if real else (values > 0.8).astype(int)
  return values, np.zeros(80), labels, np.repeat(np.arange(40), 2)


@pytest.mark.medium
@pytest.mark.parametrize('limit', [0, 1 << 12])
def test_size_with_patients_of_two_images(limit: int, monkeypatch) -> None:
  monkeypatch.setattr(sums, '_SHUFFLED', limit)
  sets, levels = 80, {True: 0, False: 0}
  for seed in range(sets):
    values, y, labels, groups = _patients(seed, bool(limit))
    key = rng.key(1, Purpose.PERMUTATION, seed)
    for given in levels:
      got = uneven.test(
        values,
        y,
        labels,
        3,
        key=key,
        groups=groups if given else None,
        draws=99,
      )
      levels[given] += got.p_value <= 0.05
  error = np.sqrt(0.05 * 0.95 / sets)
  assert levels[True] / sets < 0.05 + 3 * error
  # Images one by one are as if there were twice as many patients.
  assert levels[False] / sets > 0.05 + 3 * error


@pytest.mark.slow
@pytest.mark.parametrize(
  'name, least, most', [('largest_axis', 0.8, 1), ('three_groups', 0, 0.15)]
)
def test_harder_is_not_another_rule(name, least, most) -> None:
  # One rule for all: parts of a cloud that lie closer to it are harder.
  found = []
  for i in range(60):
    world = worlds.WORLDS[name](worlds.key(0, name, i), 500, 16)
    train, test = (worlds.World(*(p[s] for p in world)) for s in _SPLIT)
    with threadpoolctl.threadpool_limits(1):
      head = linear_model.LogisticRegression().fit(train.x, train.y)
      kmeans = cluster.KMeans(4, n_init=3, random_state=i).fit(train.x)
    got = uneven.test(
      head.predict(test.x) != test.y,
      test.y,
      kmeans.predict(test.x),
      4,
      key=rng.key(4, Purpose.PERMUTATION, i),
      draws=199,
    )
    found.append(got.p_value <= 0.05)
  assert least <= np.mean(found) <= most


@pytest.mark.slow
@pytest.mark.parametrize('real', [False, True])
def test_size_of_rotations(real: bool, monkeypatch) -> None:
  monkeypatch.setattr(sums, '_SHUFFLED', 0)
  monkeypatch.setattr(sums, '_CELLS', 0)
  found = []
  for seed in range(1500):
    values, y, labels = _data(100, seed)
    if real:
      values = (values + np.random.default_rng(seed).standard_normal(100)) ** 2
    key = rng.key(2, Purpose.PERMUTATION, seed)
    found.append(uneven.test(values, y, labels, 4, key=key, draws=99).p_value)
  found = np.array(found)
  for level in (0.05, 0.2, 0.5):
    error = np.sqrt(level * (1 - level) / len(found))
    assert abs(np.mean(found <= level) - level) < 3 * error


@pytest.mark.slow
@pytest.mark.parametrize('n', [200, 400, 1000])
def test_size_and_what_ignoring_classes_does(n: int) -> None:
  stratified, naive = [], []
  for seed in range(1000):
    values, y, labels = _data(n, seed, rate=0.3)
    key = rng.key(3, Purpose.PERMUTATION, seed)
    for found, classes in ((stratified, y), (naive, np.zeros(n))):
      got = uneven.test(values, classes, labels, 4, key=key, draws=99)
      found.append(got.p_value <= 0.05)
  assert abs(np.mean(stratified) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 1000)
  assert np.mean(naive) > 0.2


@pytest.mark.parametrize('real', [False, True])
def test_draws_are_taken_apart_by_what_exchanges_do_not_keep(
  real: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Against the same draws as they are."""
  values, y, labels, patient = _alike_in_one(real)
  k, draws = 3, 199
  given = {'key': jax.random.key(0), 'groups': patient, 'draws': draws}
  got = uneven.test(values, y, labels, k, **given)
  beyond, of_all = alike.beyond_exchange(values, y, labels, k, patient)
  assert 1.05 < of_all < 2 and np.all(beyond > 1)
  exchange = exchanges.exchange(y, patient)
  images = sums.Images(sums.exact(values), labels[np.newaxis], k)
  if real:
    means = np.bincount(y, values) / np.bincount(y)
    images = images._replace(values=values - means[y])
  z = ranks.standardised(sums.sums(images, y, exchange, given['key'], draws))
  z[1:] *= np.sqrt(beyond)
  np.testing.assert_allclose(got.adjusted, ranks.step_down(z))
  # Each draw is taken apart, the first one too.
  for number in range(8):
    few = {**given, 'key': jax.random.key(number), 'draws': 2}
    rows = sums.sums(images, y, exchange, few['key'], 2)
    z = ranks.standardised(rows)
    z[1:] *= np.sqrt(beyond)
    found = uneven.test(values, y, labels, k, **few)
    np.testing.assert_array_equal(found.adjusted, ranks.step_down(z))
  monkeypatch.setattr(alike, 'beyond_exchange', lambda *_: (np.ones(k), 1.0))
  raw = uneven.test(values, y, labels, k, **given)
  assert got.statistic == raw.statistic
  np.testing.assert_allclose(got.null, raw.null * of_all, rtol=1e-12)
  as_large = np.sum(raw.null * of_all > raw.statistic * (1 - 1e-9))
  assert got.p_value == (1 + as_large) / (1 + draws)
  assert got.p_value > raw.p_value

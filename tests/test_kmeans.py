"""K-means against scikit-learn, and what must hold without an oracle."""

from collections.abc import Iterator
import itertools
import logging
from typing import Any
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance
from sklearn import cluster as sklearn_cluster
from sklearn import metrics

from heterojax.cluster import by_cores
from heterojax.cluster import forms
from heterojax.cluster import fuzzy_kmeans
from heterojax.cluster import gaussian_mixture
from heterojax.cluster import initialisation
from heterojax.cluster import kmeans
from heterojax.cluster import lloyd
from heterojax.cluster import points as points_lib
from heterojax.cluster import predict
from heterojax.cluster import products
from heterojax.cluster.kmeans import fit


@pytest.fixture(
  name='way',
  scope='module',
  params=['rows', 'products', 'by cores', 'blocks'],
  autouse=True,
)
def _way(request: pytest.FixtureRequest) -> Iterator[str]:
  """As rows, by inner products, divided over cores, and block by block."""
  with pytest.MonkeyPatch.context() as patch:
    wide = 0 if request.param == 'products' else np.inf
    patch.setattr(points_lib, '_WIDE', wide)
    if request.param == 'by cores':
      patch.setattr(by_cores, '_LEAST', 0)
      # Several blocks in a part, and no equal shares.
      patch.setattr(by_cores, '_ROWS', 16)
      patch.setattr(by_cores, '_PARTS', 3)
    if request.param == 'blocks':
      patch.setattr(forms, '_MOST', 0)
      # No whole number of them in most of the data.
      patch.setattr(products, '_CHUNK', 16)
    jax.clear_caches()
    yield request.param
    jax.clear_caches()


@pytest.fixture(name='x64')
def _x64() -> Iterator[None]:
  with jax.enable_x64(True):
    yield


def _oracle(
  x: np.ndarray, init: np.ndarray, max_iter: int = 300, tol: float = 1e-4
) -> sklearn_cluster.KMeans:
  solver = sklearn_cluster.KMeans(
    len(init), init=init, n_init=1, max_iter=max_iter, tol=tol
  )
  with warnings.catch_warnings():
    # Fewer distinct points than clusters, or the iterations ran out.
    warnings.simplefilter('ignore')
    return solver.fit(x)


def _check_same(
  x: np.ndarray, init: np.ndarray, max_iter: int = 300, tol: float = 1e-4
) -> int:
  """Compares with scikit-learn in float64; the iterations."""
  want = _oracle(x, init, max_iter, tol)
  got = kmeans(x, len(init), init=init, max_iter=max_iter, tol=tol)
  assert got.centers.dtype == np.float64
  assert int(got.n_iter) == want.n_iter_
  np.testing.assert_array_equal(got.labels, want.labels_)
  np.testing.assert_allclose(
    got.centers, want.cluster_centers_, rtol=1e-12, atol=1e-12
  )
  assert float(got.inertia) == pytest.approx(
    want.inertia_, rel=1e-12, abs=1e-20
  )
  return want.n_iter_


def _moved(init: np.ndarray, number: int) -> np.ndarray:
  """The first starting centers moved far off, so that nothing is near."""
  init = init.copy()
  init[:number] += 100.0 * np.arange(1, number + 1)[:, None]
  return init


@pytest.mark.slow
@pytest.mark.usefixtures('x64')
@pytest.mark.parametrize('tol', [0.0, 1e-4, 1e-2])
@pytest.mark.parametrize('n_empty', [0, 1, 2, 3])
def test_is_scikit_learn_in_float64(tol: float, n_empty: int) -> None:
  iterations = []
  for seed in range(4):
    rng = np.random.default_rng([seed, n_empty])
    x = rng.normal(size=(200, 4)) + [0, 5, -3, 1]
    init = _moved(x[rng.choice(200, 6, replace=False)], n_empty)
    if n_empty:
      nearest = distance.cdist(x, init).argmin(axis=1)
      assert len(np.unique(nearest)) == 6 - n_empty
    iterations.append(_check_same(x, init, tol=tol))
  assert max(iterations) > 5


@pytest.mark.slow
@pytest.mark.usefixtures('x64')
def test_tolerance_is_scaled_and_ends_sooner() -> None:
  x = np.random.default_rng(0).normal(size=(200, 4))
  sooner = _check_same(x, x[:6], tol=1e-2)
  assert sooner < _check_same(x, x[:6], tol=0)
  # It is a share of the variance, so units do not matter.
  for scale in (1e-6, 1e6):
    assert sooner == _check_same(x * scale, x[:6] * scale, tol=1e-2)


@pytest.mark.slow
@pytest.mark.usefixtures('x64')
@pytest.mark.parametrize('max_iter', [1, 2, 3])
def test_iterations_run_out(max_iter: int) -> None:
  x = np.random.default_rng(1).normal(size=(200, 4))
  for tol in (0.0, 1e-4):
    assert _check_same(x, x[:6], max_iter, tol) == max_iter


@pytest.mark.usefixtures('x64')
@pytest.mark.parametrize('offset', [1e4, -1e7])
def test_large_offset(offset: float) -> None:
  x = np.random.default_rng(2).normal(size=(200, 4))
  want = kmeans(x, 6, init=x[:6])
  # The rounding of the offset itself is part of the data.
  x = x + offset
  solver = _oracle(x, x[:6])
  got = kmeans(x, 6, init=x[:6])
  np.testing.assert_array_equal(got.labels, solver.labels_)
  np.testing.assert_array_equal(got.labels, want.labels)
  assert int(got.n_iter) == solver.n_iter_
  assert float(got.inertia) == pytest.approx(solver.inertia_, rel=1e-8)


@pytest.mark.slow
@pytest.mark.usefixtures('x64')
def test_shapes_at_the_edge() -> None:
  rng = np.random.default_rng(3)
  x = rng.normal(size=(60, 3))
  assert _check_same(x, x[:1]) == 2
  assert _check_same(x, x.copy()) == 1  # K = N: they are their own centers.
  line = rng.normal(size=(60, 1))
  _check_same(line, line[:4])
  _check_same(line, np.array([[5.0], [6.0], [7.0], [8.0]]))
  _check_same(x[:1], x[:1])
  constant = np.concatenate([x, np.full((60, 2), 1e6)], axis=1)
  _check_same(constant, constant[:5])


@pytest.mark.slow
@pytest.mark.usefixtures('x64')
def test_duplicates() -> None:
  rng = np.random.default_rng(4)
  few = rng.normal(size=(4, 3))
  _check_same(np.repeat(few, 15, axis=0), few)
  x = np.repeat(rng.normal(size=(40, 3)), 3, axis=0)
  for seed in range(5):
    rows = np.random.default_rng(seed).choice(40, 5, replace=False) * 3
    _check_same(x, x[rows])
    # Equal centers: the first one gets all, the others are empty.
    _check_same(x, x[rows[[0, 1, 1, 2, 1]]])


@pytest.mark.slow
@pytest.mark.usefixtures('x64')
@pytest.mark.parametrize('tol', [0.0, 1e-4])
def test_no_variance(tol: float) -> None:
  x = np.full((9, 2), 3.0)
  _check_same(x, x[:3], tol=tol)
  _check_same(x, x[:3] + np.arange(3)[:, None], tol=tol)
  got = kmeans(x, 3, key=jax.random.key(0), tol=tol)
  assert float(got.inertia) == pytest.approx(0, abs=1e-20)
  np.testing.assert_allclose(got.centers, x[:3], rtol=1e-15)


@pytest.mark.medium
@pytest.mark.usefixtures('x64')
@pytest.mark.parametrize(
  'seed', [0, 1, 2, 3, 168, 320, 387, 557, 635, 849, 966, 1154]
)
def test_many_empty_clusters(seed: int) -> None:
  # With the later seeds a cluster loses its only sample to an empty one, and
  # the result depends on where it is put.
  rng = np.random.default_rng(seed)
  x, init = rng.normal(size=(20, 3)), rng.normal(size=(10, 3)) * 2
  _check_same(x, init)


@pytest.mark.slow
@pytest.mark.usefixtures('x64')
def test_nearly_as_many_clusters_as_samples() -> None:
  # The order of many relocated samples is unspecified in scikit-learn, so the
  # clusters may be numbered otherwise.
  for seed in range(6):
    rng = np.random.default_rng(seed)
    x, init = rng.normal(size=(60, 3)), rng.normal(size=(40, 3))
    want, got = _oracle(x, init), kmeans(x, 40, init=init)
    assert int(got.n_iter) == want.n_iter_
    assert metrics.adjusted_rand_score(got.labels, want.labels_) == 1
    assert float(got.inertia) == pytest.approx(want.inertia_, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize('offset', [0.0, 1e4])
def test_float32_is_close_to_float64(offset: float) -> None:
  rng = np.random.default_rng(5)
  blobs = rng.normal(size=(8, 20)) * 1.5
  x = blobs[rng.integers(8, size=2000)] + rng.normal(size=(2000, 20))
  x = (x + offset).astype(np.float32)
  for start in range(3):
    init = x[start * 8 : start * 8 + 8]
    want = _oracle(x.astype(np.float64), init.astype(np.float64))
    got = kmeans(x, 8, init=init)
    assert got.centers.dtype == got.inertia.dtype == np.float32
    assert float(got.inertia) == pytest.approx(want.inertia_, rel=1e-5)
    assert np.mean(np.asarray(got.labels) != want.labels_) <= 0.005
    # The centered copy and its mean are rounded to float32, no more.
    np.testing.assert_allclose(
      got.centers, want.cluster_centers_, rtol=1e-6, atol=2e-2
    )


@pytest.mark.medium
def test_hand_value() -> None:
  x = np.array([[0.0], [1.0], [10.0], [11.0]], np.float32)
  # Labels 0111, then 0011, then 0011 again.
  got = kmeans(x, 2, init=x[:2])
  np.testing.assert_array_equal(got.labels, [0, 0, 1, 1])
  np.testing.assert_allclose(got.centers, [[0.5], [10.5]])
  assert float(got.inertia) == 1.0
  assert int(got.n_iter) == 3
  assert got.labels.dtype == got.n_iter.dtype == jnp.int32
  # Those of the centers, which are not those of the last iteration.
  got = kmeans(x, 2, init=x[:2], max_iter=1)
  np.testing.assert_array_equal(got.labels, [0, 0, 1, 1])
  np.testing.assert_allclose(got.centers, [[0], [22 / 3]], rtol=1e-6)
  assert int(got.n_iter) == 1


@pytest.mark.medium
def test_hand_values_of_the_tolerance() -> None:
  """The centers move by 80.2, 20.6 and 0 in all, and the variance is 25.25."""
  x = np.repeat(np.array([[0], [1], [10], [11]], np.float32), 2, axis=1)
  for start, tol, iterations in (
    *(((0, 1), 0.81, 3), ((0, 1), 0.82, 2), ((0, 1), 0, 3)),
    ((0.5, 10.5), 0, 1),  # They stay, though no label is an earlier one.
  ):
    got = kmeans(x, 2, init=np.repeat(start, 2).reshape(2, 2), tol=tol)
    assert int(got.n_iter) == iterations
    np.testing.assert_allclose(got.centers, [[0.5] * 2, [10.5] * 2])


_fit = jax.jit(fit, static_argnums=(4, 5))


@pytest.mark.medium
@pytest.mark.parametrize('way', ['rows'], indirect=True)
@pytest.mark.parametrize('width', [1, 3])
def test_clusters_and_features_that_do_not_exist_change_nothing(
  width: int,
) -> None:
  """Features that are 0 somewhere do exist, and a single one does."""
  x = np.random.default_rng(7).normal(size=(60, width)).astype(np.float32) + 5
  x[range(width), range(width)] = 0
  wide = np.concatenate([x, np.zeros((60, 50), np.float32)], axis=1)
  keys, iterations = jax.random.split(jax.random.key(1), 1), set()
  for tol in np.geomspace(1e-4, 1, 12):
    want = _fit(x, None, keys, tol, 4, 300)
    got = _fit(wide, None, keys, tol, 6, 300, 4)
    assert int(got.n_iter) == int(want.n_iter)
    iterations.add(int(got.n_iter))
    np.testing.assert_array_equal(got.labels, want.labels)
    centers = np.zeros((6, 50 + width))
    centers[:4, :width], centers[4:, :width] = want.centers, x.mean(axis=0)
    np.testing.assert_allclose(got.centers, centers, rtol=1e-5, atol=1e-6)
  assert len(iterations) > 2


def test_hand_value_of_a_relocation() -> None:
  # All are nearest to the first of two equal centers; the second one gets the
  # sample that is farthest off, and the next iteration moves nothing.
  x = np.array([[0.0], [1.0], [2.0], [10.0]], np.float32)
  got = kmeans(x, 2, init=[[1.0], [1.0]])
  np.testing.assert_array_equal(got.labels, [0, 0, 0, 1])
  np.testing.assert_allclose(got.centers, [[1.0], [10.0]], rtol=1e-6)
  assert float(got.inertia) == pytest.approx(2.0, rel=1e-6)
  assert int(got.n_iter) == 2


@pytest.mark.usefixtures('x64')
def test_moving_or_permuting_rows_changes_nothing_else() -> None:
  rng = np.random.default_rng(6)
  x = rng.normal(size=(200, 4))
  init = x[:6]
  got = kmeans(x, 6, init=init)
  moved = kmeans(x + 16, 6, init=init + 16)
  np.testing.assert_array_equal(moved.labels, got.labels)
  np.testing.assert_allclose(moved.centers, got.centers + 16, rtol=1e-12)
  order = rng.permutation(200)
  permuted = kmeans(x[order], 6, init=init)
  np.testing.assert_array_equal(permuted.labels, got.labels[order])
  for other in (moved, permuted):
    assert float(other.inertia) == pytest.approx(float(got.inertia), rel=1e-12)
    assert int(other.n_iter) == int(got.n_iter)


def _many_blobs() -> np.ndarray:
  rng = np.random.default_rng(12)
  places = rng.uniform(-20, 20, size=(20, 2))
  x = places[rng.integers(20, size=600)] + rng.normal(size=(600, 2))
  return x.astype(np.float32)


@pytest.mark.slow
def test_more_restarts_are_never_worse() -> None:
  x, gains = _many_blobs(), 0
  for seed in range(4):
    key = jax.random.key(seed)
    one, many = (
      float(kmeans(x, 20, key=key, n_init=n).inertia) for n in (1, 6)
    )
    assert many <= one
    gains += many < one
  assert gains > 0


def _check_consistent(x: np.ndarray, k: int, **kwargs) -> None:
  got = kmeans(x, k, **kwargs)
  centers = np.asarray(got.centers, np.float64)
  apart = distance.cdist(np.asarray(x, np.float64), centers, 'sqeuclidean')
  np.testing.assert_array_equal(got.labels, apart.argmin(axis=1))
  np.testing.assert_array_equal(got.labels, predict(x, got.centers))
  assert float(got.inertia) == pytest.approx(
    apart.min(axis=1).sum(), rel=1e-5, abs=1e-9
  )


@pytest.mark.slow
def test_labels_and_inertia_are_those_of_the_centers() -> None:
  x = np.random.default_rng(8).normal(size=(150, 3)).astype(np.float32)
  _check_consistent(x, 5, key=jax.random.key(0), n_init=2)
  # Stopped early, where labels are not those of the last iteration.
  _check_consistent(x, 5, key=jax.random.key(1), n_init=2, tol=0.5)
  # As few samples as candidates of k-means++, and every sample a center.
  _check_consistent(x[:2], 2, key=jax.random.key(2))


def plus_plus(
  key: jax.Array, x: jax.Array, k: int, weights: jax.Array | None = None
) -> jax.Array:
  """The rows that are chosen."""
  points, _ = points_lib.points_of(x, jnp.zeros(x.shape[1], x.dtype))
  return x[initialisation.plus_plus(key, points, k, weights)]


@pytest.mark.medium
def test_plus_plus_chooses_rows() -> None:
  x = np.random.default_rng(9).normal(size=(40, 3)).astype(np.float32)
  chosen = jax.jit(plus_plus, static_argnums=2)(jax.random.key(0), x, 40)
  chosen = np.asarray(chosen)
  # No row twice while there are others: all of them, in some order.
  np.testing.assert_array_equal(
    chosen[np.lexsort(chosen.T)], x[np.lexsort(x.T)]
  )


_draw = jax.jit(jax.vmap(plus_plus, in_axes=(0, None, None)), static_argnums=2)


@pytest.mark.slow
@pytest.mark.parametrize('spread', [0.0, 1e-3])
def test_plus_plus_finds_every_group(spread: float) -> None:
  rng = np.random.default_rng(10)
  places = np.array([[0, 0], [9, 0], [0, 9], [9, 9], [30, 30]])
  group = np.repeat(np.arange(5), [1, 3, 20, 40, 200])
  x = places[group] + spread * rng.normal(size=(264, 2))
  x = jnp.asarray(x, jnp.float32)
  keys = jax.random.split(jax.random.key(0), 200)
  chosen = _draw(keys, x, 5)
  found = distance.cdist(np.asarray(chosen).reshape(-1, 2), places).argmin(1)
  np.testing.assert_array_equal(
    np.sort(found.reshape(200, 5)), np.tile(np.arange(5), (200, 1))
  )


@pytest.mark.medium
def test_plus_plus_with_more_centers_than_places() -> None:
  x = jnp.asarray(np.repeat(np.eye(3, dtype=np.float32), 4, axis=0))
  chosen = jax.jit(plus_plus, static_argnums=2)(jax.random.key(0), x, 6)
  chosen = np.asarray(chosen)
  assert len(np.unique(chosen[:3], axis=0)) == 3
  assert len(np.unique(chosen, axis=0)) == 3  # Rows of x, and no other.
  assert np.isin(chosen, (0.0, 1.0)).all()


def _first_two(x: np.ndarray, num_candidates: int) -> np.ndarray:
  """`[N, N]` probabilities of (first, second) center, by enumeration."""
  n = len(x)
  apart = distance.cdist(x, x, 'sqeuclidean')
  result = np.zeros((n, n))
  for first in range(n):
    shares = apart[first] / apart[first].sum()
    for drawn in itertools.product(range(n), repeat=num_candidates):
      potential = [np.minimum(apart[first], apart[i]).sum() for i in drawn]
      best = drawn[int(np.argmin(potential))]
      result[first, best] += np.prod(shares[list(drawn)]) / n
  return result


@pytest.mark.slow
@pytest.mark.parametrize('k, num_candidates', [(2, 2), (3, 3), (8, 4)])
def test_plus_plus_draws_as_greedy_k_means_plus_plus(
  k: int, num_candidates: int
) -> None:
  # 2 + int(ln k) candidates.
  x = np.array(
    [[0, 0], [1, 0], [0, 2], [3, 1], [2, 4], [5, 5], [1, 7], [8, 2]], float
  )
  keys = jax.random.split(jax.random.key(11), 20000)
  rows = jnp.asarray(x, jnp.float32)
  chosen = _draw(keys, rows, k)[:, :2]
  index = distance.cdist(np.asarray(chosen).reshape(-1, 2), x).argmin(axis=1)
  counts = np.zeros((8, 8))
  np.add.at(counts, tuple(index.reshape(-1, 2).T), 1)

  def p_value(candidates: int) -> float:
    expected = _first_two(x, candidates) * len(keys)
    assert not counts[expected == 0].any()
    # The test is an approximation for cells that are not nearly empty.
    rare = expected < 5
    pairs = [(counts[~rare], expected[~rare])]
    if expected[rare].sum() > 0:
      pairs.append(([counts[rare].sum()], [expected[rare].sum()]))
    observed, wanted = (np.concatenate(v) for v in zip(*pairs))
    return float(stats.chisquare(observed, wanted).pvalue)

  assert p_value(num_candidates) > 0.01
  assert p_value(num_candidates - 1) < 1e-9
  if num_candidates < 4:  # More are slow to enumerate.
    assert p_value(num_candidates + 1) < 1e-9


@pytest.mark.slow
def test_restarts_are_as_good_as_scikit_learns() -> None:
  x = _many_blobs()
  ours = [
    float(kmeans(x, 20, key=jax.random.key(i), n_init=1).inertia)
    for i in range(40)
  ]
  theirs = [
    sklearn_cluster.KMeans(20, n_init=1, random_state=i).fit(x).inertia_
    for i in range(40)
  ]
  # Two samples of the same distribution.
  error = np.hypot(stats.sem(ours), stats.sem(theirs))
  assert abs(np.mean(ours) - np.mean(theirs)) < 3 * error
  assert error < 0.02 * np.mean(theirs)


def test_predict() -> None:
  rng = np.random.default_rng(13)
  x = rng.normal(size=(90, 4)).astype(np.float32)
  centers = rng.normal(size=(5, 4)).astype(np.float32)
  want = distance.cdist(x, centers).argmin(axis=1)
  for same in (x, jnp.asarray(x), np.asfortranarray(x)):
    got = predict(same, centers)
    assert got.dtype == jnp.int32
    np.testing.assert_array_equal(got, want)
  # The first of equals.
  np.testing.assert_array_equal(
    predict(jnp.zeros((1, 1)), jnp.array([[2.0], [1.0], [-1.0], [1.0]])), [1]
  )


@pytest.mark.slow
@pytest.mark.parametrize('offset', [0.0, 1e4])
def test_predict_gives_the_labels_of_the_fit(offset: float) -> None:
  x = np.random.default_rng(17).normal(offset, 1, (400, 8)).astype(np.float32)
  fitted = kmeans(x, 4, init=x[:4], tol=0)
  np.testing.assert_array_equal(predict(x, fitted.centers), fitted.labels)


@pytest.mark.slow
def test_containers_and_types() -> None:
  x = np.random.default_rng(14).integers(0, 9, size=(30, 3))
  want = kmeans(x.astype(np.float64), 4, init=x[:4])
  every_other = np.repeat(x, 2, axis=0).astype(np.float64)[::2]
  fortran = np.asfortranarray(x)
  for same in (x, x.tolist(), jnp.asarray(x), every_other, fortran):
    got = kmeans(same, 4, init=x[:4].tolist())
    for a, b in zip(got, want):
      assert a.dtype == b.dtype
      np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.usefixtures('x64')
def test_float32_stays_float32_beside_float64() -> None:
  x = np.random.default_rng(15).normal(size=(60, 3)).astype(np.float32)
  for start in ({'init': x[:4].astype(np.float64)}, {'key': jax.random.key(0)}):
    got = kmeans(x, 4, **start)
    assert got.centers.dtype == got.inertia.dtype == np.float32
    assert got.labels.dtype == got.n_iter.dtype == np.int32


@pytest.mark.slow
@pytest.mark.parametrize('value', [np.nan, np.inf])
@pytest.mark.parametrize('place', [np.asarray, jnp.asarray])
def test_what_is_not_finite_is_refused(value: float, place: Any) -> None:
  x = np.random.default_rng(16).normal(size=(30, 3)).astype(np.float32)
  x[5, 1] = value
  for cluster in (kmeans, fuzzy_kmeans, gaussian_mixture):
    with pytest.raises(ValueError, match='not finite'):
      cluster(place(x), 4, key=jax.random.key(0))
  # Though their sum is infinite.
  kmeans(np.full((4, 2), 3e38, np.float32), 1, key=jax.random.key(0))


@pytest.mark.parametrize('k', [-1, 0, 11])
def test_impossible_number_of_clusters(k: int) -> None:
  with pytest.raises(ValueError, match='from 1 to N'):
    kmeans(np.zeros((10, 2)), k, key=jax.random.key(0))


@pytest.mark.parametrize('shape', [(10,), (2, 3, 4), (0, 3)])
def test_not_a_matrix_of_rows(shape: tuple[int, ...]) -> None:
  with pytest.raises(ValueError, match='from 1 to N'):
    kmeans(np.zeros(shape), 1, key=jax.random.key(0))


def test_other_mistakes() -> None:
  x, key = np.zeros((10, 2)), jax.random.key(0)
  with pytest.raises(ValueError, match='either init or key'):
    kmeans(x, 2)
  with pytest.raises(ValueError, match='either init or key'):
    kmeans(x, 2, init=x[:2], key=key)
  with pytest.raises(ValueError, match='n_init 0'):
    kmeans(x, 2, key=key, n_init=0)
  with pytest.raises(ValueError, match='max_iter 0'):
    kmeans(x, 2, key=key, max_iter=0)
  for init in (x[:3], x[:2, :1], x[0]):
    with pytest.raises(ValueError, match=r'init must be \[2, 2\]'):
      kmeans(x, 2, init=init)


def _compilations(caplog: pytest.LogCaptureFixture, name: str) -> int:
  start = f'Compiling jit({name}) '
  return sum(r.getMessage().startswith(start) for r in caplog.records)


@pytest.mark.slow
def test_compiles_once_per_shape(
  caplog: pytest.LogCaptureFixture, way: str
) -> None:
  if way == 'by cores':
    pytest.skip('its programs are those that `cores` keeps')
  rng = np.random.default_rng(17)
  with jax.log_compiles(), caplog.at_level(logging.WARNING):
    for seed, tol in enumerate((1e-4, 0.0, 0.1)):
      x = rng.normal(size=(31, 3)).astype(np.float32)
      kmeans(x, 3, key=jax.random.key(seed), n_init=2, tol=tol)
      kmeans(x, 3, init=x[:3], tol=tol)
    assert _compilations(caplog, 'fit') == 1
    assert _compilations(caplog, '_fit_from') == 1
    kmeans(x[:30], 3, init=x[:3])
    assert _compilations(caplog, '_fit_from') == 2


def test_products_are_in_full_precision() -> None:
  # Seen only on accelerators, where float32 products are rounded by default.
  x = jnp.zeros((4, 3))
  for function in (predict, lambda x, c: plus_plus(jax.random.key(0), x, 2)):
    text = str(jax.make_jaxpr(function)(x, x[:2]))
    assert text.count('dot_general') == text.count('Precision.HIGHEST') / 2 > 0


@pytest.mark.slow
def test_float64_data_is_computed_in_float64_whatever_the_setting() -> None:
  assert not jax.config.jax_enable_x64
  x = np.random.default_rng(0).normal(size=(200, 5))
  want = sklearn_cluster.KMeans(4, init=x[:4], n_init=1).fit(x)
  got = kmeans(x, 4, init=x[:4])
  assert got.centers.dtype == np.float64
  np.testing.assert_array_equal(got.labels, want.labels_)
  np.testing.assert_allclose(float(got.inertia), want.inertia_, rtol=1e-12)
  np.testing.assert_array_equal(predict(x, got.centers), want.predict(x))


def _weighted() -> tuple[np.ndarray, np.ndarray]:
  rng = np.random.default_rng(18)
  x = rng.normal(size=(120, 3)) + 2 * rng.integers(3, size=(120, 1))
  return x, rng.integers(0, 4, size=120).astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize('n_empty', [0, 2])
def test_weights_are_scikit_learns(n_empty: int) -> None:
  x, weights = _weighted()
  for w in (weights, 0.3 * weights):
    kept = w > 0
    init = _moved(x[:5], n_empty)
    want = sklearn_cluster.KMeans(5, init=init, n_init=1, tol=0).fit(
      x[kept], sample_weight=w[kept]
    )
    far = np.where(kept[:, None], x, x + 500)  # Nothing of them may count.
    got = kmeans(far, 5, init=init, weights=w, tol=0)
    assert int(got.n_iter) == want.n_iter_
    np.testing.assert_array_equal(np.asarray(got.labels)[kept], want.labels_)
    np.testing.assert_array_equal(got.labels, want.predict(far))
    np.testing.assert_allclose(
      np.asarray(got.centers), want.cluster_centers_, rtol=1e-10
    )
    assert float(got.inertia) == pytest.approx(want.inertia_, rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize('tol', [1e-2, 0.1])
def test_weights_are_repetitions_of_rows(tol: float) -> None:
  x, weights = _weighted()
  want = _oracle(np.repeat(x, weights.astype(int), axis=0), x[:5], tol=tol)
  assert want.n_iter_ < _oracle(x, x[:5], tol=0).n_iter_
  got = kmeans(x, 5, init=x[:5], weights=weights, tol=tol)
  assert int(got.n_iter) == want.n_iter_
  np.testing.assert_allclose(
    np.asarray(got.centers), want.cluster_centers_, rtol=1e-10
  )


@pytest.mark.slow
def test_plus_plus_draws_by_weight_and_never_a_zero() -> None:
  x = jnp.asarray([[0.0], [1.0], [2.0], [50.0]])
  weights = jnp.asarray([1.0, 0.0, 3.0, 0.0])
  keys = jax.random.split(jax.random.key(19), 4000)
  draw = jax.jit(
    jax.vmap(plus_plus, in_axes=(0, None, None, None)), static_argnums=2
  )
  chosen = np.asarray(draw(keys, x, 3, weights))[:, :, 0]
  assert set(np.unique(chosen)) == {0.0, 2.0}
  # The first by weight, the second at the other place, then any.
  assert (chosen[:, 1] == 2 - chosen[:, 0]).all()
  often = int((chosen[:, 0] == 2).sum())
  assert stats.binomtest(often, 4000, 0.75).pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize('n_empty', [0, 2])
def test_clusters_that_do_not_exist_get_no_relocated_sample(
  n_empty: int,
) -> None:
  x, weights = _weighted()
  x -= np.average(x, axis=0, weights=weights)
  init = _moved(x[:5], n_empty)
  want = kmeans(x, 5, init=init, weights=weights, tol=0)
  with jax.enable_x64(True):
    init = jnp.concatenate([init, np.zeros((4, 3))])
    points, start = points_lib.points_of(jnp.asarray(x), jnp.zeros(3), init)
    got = lloyd.lloyd(
      points, jnp.asarray(weights), start, 0.0, 300, jnp.arange(9) < 5
    )
    centers = points_lib.centers_of(
      points, got.centers, jnp.asarray(x), jnp.zeros(3), init
    )
  assert int(got.n_iter) == int(want.n_iter)
  np.testing.assert_array_equal(got.labels, want.labels)
  np.testing.assert_allclose(
    np.asarray(centers)[:5], np.asarray(want.centers), atol=1e-10
  )
  assert (np.asarray(centers)[5:] == 0).all()


def test_weights_that_are_no_weights() -> None:
  x = np.zeros((10, 2))
  for weights in (-np.ones(10), np.zeros(10), np.full(10, np.nan), np.ones(9)):
    with pytest.raises(ValueError, match='weight'):
      kmeans(x, 2, init=x[:2], weights=weights)


@pytest.mark.parametrize('k', [1, 16, 17, 64, 65])
def test_the_first_of_the_smallest_is_found(k: int) -> None:
  rows = np.random.default_rng(k).integers(9, size=(50, k)).astype(np.float32)
  got = lloyd.argmin(jnp.asarray(rows))
  assert got.dtype == jnp.int32
  np.testing.assert_array_equal(got, rows.argmin(axis=1))

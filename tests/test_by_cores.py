"""K-means divided over the cores: same result, whatever their number."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import cluster as sklearn_cluster

from heterojax.cluster import by_cores
from heterojax.cluster import kmeans
from heterojax.compute import cores
from heterojax.compute import platform

# More than `by_cores` divides at least, and no whole number of blocks.
_N, _D, _K = 262_201, 64, 16


@pytest.fixture(name='x', scope='module')
def _x() -> np.ndarray:
  rng = np.random.default_rng(0)
  places = rng.normal(size=(_K, _D)).astype(np.float32)
  noise = 2 * rng.standard_normal((_N, _D), np.float32)
  return places[rng.integers(_K, size=_N)] + noise + 5


def _check_equal(got: tuple, want: tuple) -> None:
  for a, b in zip(got, want):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.slow
@pytest.mark.parametrize('k', [_K, 4])
def test_result_does_not_depend_on_the_number_of_cores(
  x: np.ndarray, k: int, use_cores: Callable[[int], None]
) -> None:
  x, found = x[:5000], []
  # Shares of equal and unequal size; more cores than there are parts.
  for number in (1, 2, 3, 12):
    use_cores(number)
    found.append(by_cores.best(jnp.asarray(x), [x[:k]], 0, 8))
  assert len(np.unique(found[0].labels)) == k
  for other in found[1:]:
    _check_equal(other, found[0])


@pytest.mark.slow
def test_shares_of_so_many_cores_are_unequal(
  x: np.ndarray,
  monkeypatch: pytest.MonkeyPatch,
  use_cores: Callable[[int], None],
) -> None:
  # One part of 512 rows for each block, and the last one has 392.
  monkeypatch.setattr(by_cores, '_PARTS', 10)
  seen = _arguments(monkeypatch)
  for number, firsts in (
    (1, [0]),
    (3, [0, 2048, 4096]),
    (12, list(range(0, 5000, 512))),
  ):
    use_cores(number)
    by_cores.best(jnp.asarray(x[:5000]), [x[:4]], 0, 1)
    assert [int(args[2]) for args in seen[-len(firsts) :]] == firsts
    seen.clear()


def _arguments(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
  """Those of every call of a program from now on."""
  seen, program = [], cores.program

  def noted(*args, **kwargs) -> tuple[Callable, ...]:
    def note(run: Callable) -> Callable:
      return lambda *own: (seen.append(own), run(*own))[1]

    return tuple(note(run) for run in program(*args, **kwargs))

  monkeypatch.setattr(cores, 'program', noted)
  return seen


@pytest.mark.slow
def test_much_data_is_divided_and_like_scikit_learns(
  x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
  seen = _arguments(monkeypatch)
  got = kmeans(x, _K, init=x[:_K], tol=0, max_iter=10)
  assert seen
  want = sklearn_cluster.KMeans(
    _K, init=x[:_K], n_init=1, tol=0, max_iter=10
  ).fit(x)
  assert int(got.n_iter) == want.n_iter_
  assert np.mean(np.asarray(got.labels) != want.labels_) <= 0.005
  assert float(got.inertia) == pytest.approx(want.inertia_, rel=1e-5)
  np.testing.assert_allclose(got.centers, want.cluster_centers_, atol=1e-2)


@pytest.mark.medium
def test_samples_are_not_copied(
  x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
  x, seen = jnp.asarray(x), _arguments(monkeypatch)
  by_cores.best(x, [x[:4]], 0, 1)
  places = {args[0].unsafe_buffer_pointer() for args in seen}
  assert places == {x.unsafe_buffer_pointer()}


@pytest.mark.medium
def test_best_of_restarts(x: np.ndarray) -> None:
  x = jnp.asarray(x[:3000])
  starts = [x[i : i + _K] for i in (0, 100, 200, 0)]
  runs = [by_cores.best(x, [start], 0, 3) for start in starts]
  losses = [float(run.inertia) for run in runs]
  assert len(set(losses)) == 3
  _check_equal(by_cores.best(x, starts, 0, 3), runs[int(np.argmin(losses))])


@pytest.mark.parametrize(
  'shape, weighted, made_for, want',
  [
    ((2**18, 64), False, 'cpu', True),
    ((2**18 - 1, 64), False, 'cpu', False),
    ((2**17, 200), False, 'cpu', True),
    ((2**17, 201), False, 'cpu', False),
    ((2**18, 64), True, 'cpu', False),
    ((2**18, 64), False, 'cuda', False),
  ],
)
def test_what_is_divided(
  shape: tuple[int, int],
  weighted: bool,
  made_for: platform.Platform,
  want: bool,
) -> None:
  x = jax.ShapeDtypeStruct(shape, np.float32)
  weights = jax.ShapeDtypeStruct(shape[:1], np.float32) if weighted else None
  with platform.use(made_for):
    assert by_cores.suits(x, weights) == want

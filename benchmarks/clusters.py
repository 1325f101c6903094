"""K-means, PCA, fuzzy K-means, mixtures and validity indices, once each."""

from collections.abc import Callable
import functools
from typing import Any

import numpy as np

from benchmarks import sides

_Q = 10  # Components that the sample-size study clusters in.


def _start(x: np.ndarray, k: int) -> np.ndarray:
  return x[np.random.default_rng(0).choice(len(x), k, replace=False)]


def _turns(n: int, d: int) -> tuple[int, int]:
  """Quick and full; what takes seconds varies little."""
  return (3, 7) if n * d < 2e7 else (1, 5)


def _iterations(n: int) -> int:
  return 300 if n < 10_000 else 20


def _kmeans_ours(
    scale: sides.Scale, *, n: int, d: int, k: int, n_init: int
) -> sides.Side:
  del scale
  sides.start_ours()
  from heterojax.cluster import kmeans
  import jax

  x = sides.like_features(n, d)
  starts = {'init': _start(x, k)}
  if n_init > 1:
    starts = {'key': jax.random.key(0), 'n_init': n_init}
  x = jax.numpy.asarray(x)

  def run() -> sides.Result:
    fitted = kmeans(x, k, tol=0, max_iter=_iterations(n), **starts)
    return {
        'labels': np.asarray(fitted.labels),
        'inertia': np.asarray(fitted.inertia),
        'n_iter': np.asarray(fitted.n_iter),
    }

  return sides.Side(run)


def _kmeans_theirs(
    scale: sides.Scale, *, n: int, d: int, k: int, n_init: int
) -> sides.Side:
  from sklearn.cluster import KMeans

  x = sides.like_features(n, d)
  init = _start(x, k) if n_init == 1 else 'k-means++'

  runs = n_init if scale.full or d < 10_000 else max(1, n_init // 5)

  def run() -> sides.Result:
    fitted = KMeans(
        k,
        init=init,
        n_init=runs,
        tol=0,
        max_iter=_iterations(n),
        random_state=0,
    ).fit(x)
    return {
        'labels': fitted.labels_,
        'inertia': np.array(fitted.inertia_),
        'n_iter': np.array(fitted.n_iter_),
    }

  return sides.Side(run, runs / n_init)


def _kmeans_quality(
    ours: sides.Result, theirs: sides.Result, *, same_start: bool
) -> dict[str, float]:
  quality = {'inertia_ratio': float(ours['inertia'] / theirs['inertia'])}
  if same_start:
    quality |= {
        'other_labels': float(np.mean(ours['labels'] != theirs['labels'])),
        'our_iterations': float(ours['n_iter']),
        'their_iterations': float(theirs['n_iter']),
    }
  return quality


def _kmeans(n: int, d: int, k: int, n_init: int = 1) -> sides.Case:
  own = dict(n=n, d=d, k=k, n_init=n_init)
  return sides.Case(
      f'{n_init} start{"s" * (n_init > 1)}, tol 0, at most {_iterations(n)}'
      ' iterations',
      {
          'ours': functools.partial(_kmeans_ours, **own),
          'scikit-learn': functools.partial(_kmeans_theirs, **own),
      },
      functools.partial(_kmeans_quality, same_start=n_init == 1),
      turns=_turns(n, d),
  )


def _pca_ours(scale: sides.Scale, *, n: int, d: int, q: int) -> sides.Side:
  del scale
  sides.start_ours()
  from heterojax.cluster import pca
  import jax

  x = sides.like_features(n, d)

  def run() -> sides.Result:
    fitted = jax.block_until_ready(pca(x, q))
    return {'share': np.asarray(fitted.explained_variance_ratio)}

  return sides.Side(run)


def _pca_theirs(
    scale: sides.Scale, *, n: int, d: int, q: int, solver: str
) -> sides.Side:
  from sklearn.decomposition import PCA

  x = sides.like_features(n, d)
  rows = n
  if solver == 'full' and n * d > 5e7 and not scale.full:
    # Its time is linear in the larger side.
    rows = n // 10 if n > d else n
    x = x[:rows]

  def run() -> sides.Result:
    fitted = PCA(q, svd_solver=solver, random_state=0).fit(x)
    return {'share': fitted.explained_variance_ratio_}

  return sides.Side(run, rows / n)


def _pca_quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  gap = np.sum(ours['share'], dtype=np.float64) - np.sum(
      theirs['share'], dtype=np.float64
  )
  return {'explained_variance_gap': float(gap)}


def _pca(n: int, d: int, q: int) -> sides.Case:
  own = dict(n=n, d=d, q=q)
  # d x d is not to be thought of for the widest.
  solvers = ['full', 'covariance_eigh', 'randomized']
  if d > 10_000:
    solvers.remove('covariance_eigh')
  return sides.Case(
      f'{q} components',
      {
          'ours': functools.partial(_pca_ours, **own),
          **{
              f'scikit-learn/{solver}': functools.partial(
                  _pca_theirs, **own, solver=solver
              )
              for solver in solvers
          },
      },
      _pca_quality,
      turns=_turns(n, d),
  )


def _groups(n: int) -> np.ndarray:
  return sides.like_features(n, _Q).astype(np.float64)


def _once(
    make: Callable[[np.ndarray], Callable[[], dict[str, Any]]],
    n: int,
    ours: bool,
) -> Callable[[sides.Scale], sides.Side]:
  """A side from what sets up a run on `[n, _Q]`."""

  def setup(scale: sides.Scale) -> sides.Side:
    del scale
    if ours:
      sides.start_ours()
    run = make(_groups(n))
    return sides.Side(
        lambda: {name: np.asarray(value) for name, value in run().items()}
    )

  return setup


def _memberships(n: int) -> np.ndarray:
  draws = np.random.default_rng(0).uniform(size=(n, 4))
  return draws / draws.sum(axis=1, keepdims=True)


def _fuzzy_ours(x: np.ndarray) -> Callable[[], dict[str, Any]]:
  from heterojax.cluster import fuzzy_kmeans

  init = _memberships(len(x))

  def run() -> dict[str, Any]:
    fitted = fuzzy_kmeans(x, 4, fuzzifier=1.5, init=init, tol=1e-5)
    return {'value': fitted.objective, 'n_iter': fitted.n_iter}

  return run


def _fuzzy_theirs(x: np.ndarray) -> Callable[[], dict[str, Any]]:
  import skfuzzy

  init = _memberships(len(x)).T

  def run() -> dict[str, Any]:
    *_, objectives, n_iter, _ = skfuzzy.cmeans(
        x.T, 4, 1.5, 1e-5, 300, init=init
    )
    return {'value': objectives[-1], 'n_iter': n_iter}

  return run


def _mixture_start(x: np.ndarray) -> tuple[np.ndarray, ...]:
  precision = np.linalg.inv(np.cov(x.T) + 1e-6 * np.eye(x.shape[1]))
  return np.full(4, 0.25), _start(x, 4), np.stack([precision] * 4)


def _mixture_ours(x: np.ndarray) -> Callable[[], dict[str, Any]]:
  from heterojax.cluster import gaussian_mixture

  init = _mixture_start(x)

  def run() -> dict[str, Any]:
    fitted = gaussian_mixture(x, 4, init=init)
    return {'value': fitted.lower_bound, 'n_iter': fitted.n_iter}

  return run


def _mixture_theirs(x: np.ndarray) -> Callable[[], dict[str, Any]]:
  from sklearn.mixture import GaussianMixture

  weights, means, precisions = _mixture_start(x)

  def run() -> dict[str, Any]:
    fitted = GaussianMixture(
        4, weights_init=weights, means_init=means, precisions_init=precisions
    ).fit(x)
    return {'value': fitted.lower_bound_, 'n_iter': fitted.n_iter_}

  return run


def _labelings(x: np.ndarray) -> np.ndarray:
  """As many as a table of k = 2..10 has for one algorithm."""
  return np.stack([
      np.argmin(((x[:, None] - _start(x, k)[None]) ** 2).sum(-1), axis=1)
      for k in range(2, 11)
  ])


def _silhouette_ours(x: np.ndarray) -> Callable[[], dict[str, Any]]:
  from heterojax.cluster import validity

  labels = _labelings(x)
  return lambda: {'value': validity.indices(x, labels, 10).silhouette}


def _silhouette_theirs(x: np.ndarray) -> Callable[[], dict[str, Any]]:
  from sklearn.metrics import silhouette_score

  labels = _labelings(x)
  return lambda: {'value': [silhouette_score(x, own) for own in labels]}


def _same_value(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  quality = {
      'relative_error': sides.relative_error(ours['value'], theirs['value'])
  }
  if 'n_iter' in ours:
    quality['our_iterations'] = float(ours['n_iter'])
    quality['their_iterations'] = float(theirs['n_iter'])
  return quality


def _pair(
    work: str,
    n: int,
    ours: Callable[..., Any],
    peer: str,
    theirs: Callable[..., Any],
) -> sides.Case:
  return sides.Case(
      work,
      {'ours': _once(ours, n, True), peer: _once(theirs, n, False)},
      _same_value,
  )


CASES = {
    **{
        f'kmeans/{n}x{d}x{k}': _kmeans(n, d, k)
        for n, d, k in (
            (1428, 62720, 4),
            (1428, 1280, 4),
            (100_000, 200, 4),
            (100_000, 200, 64),
            (1_000_000, 64, 16),
        )
    },
    **{
        f'kmeans/1428x{d}x4/n_init10': _kmeans(1428, d, 4, 10)
        for d in (62720, 1280)
    },
    **{
        f'pca/{n}x{d}x200': _pca(n, d, 200)
        for n, d in ((1428, 62720), (1428, 1280), (100_000, 1280))
    },
    'fuzzy/2928x10x4': _pair(
        'one start', 2928, _fuzzy_ours, 'scikit-fuzzy', _fuzzy_theirs
    ),
    'gmm/2928x10x4': _pair(
        'one start', 2928, _mixture_ours, 'scikit-learn', _mixture_theirs
    ),
    'silhouette/2928x10': _pair(
        '9 labelings',
        2928,
        _silhouette_ours,
        'scikit-learn',
        _silhouette_theirs,
    ),
}

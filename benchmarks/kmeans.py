"""K-means: equal starts, iterations and tolerance on all sides."""

from collections.abc import Callable
import functools
import importlib
from unittest import mock

import numpy as np

from benchmarks import sides

_ESTIMATORS = {'scikit-learn': 'sklearn', 'scikit-learn-intelex': 'sklearnex'}
_N_ITER = 'n_iter.npy'


def _iterations(n: int) -> int:
  return 300 if n < 10_000 else 20


def _ours(scale: sides.Scale, *, n: int, k: int, n_init: int) -> sides.Side:
  sides.start_ours()
  import jax

  from heterojax.cluster import kmeans

  x = sides.read_features(scale)
  starts = {'init': sides.some_rows(x, k)}
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

  # Of many starts the second that compiles counts too, against us.
  return sides.Side(run, steady=n_init > 1)


def _estimator(
  scale: sides.Scale, *, n: int, k: int, n_init: int, library: str
) -> sides.Side:
  """scikit-learn, or what stands in for it."""
  estimator = importlib.import_module(f'{library}.cluster').KMeans
  x = sides.read_features(scale)
  init = sides.some_rows(x, k) if n_init == 1 else 'k-means++'
  runs = n_init if scale.full or x.size < 2e7 else max(1, n_init // 10)

  def fit(x: np.ndarray) -> sides.Result:
    fitted = estimator(
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

  def compared(result: sides.Result) -> sides.Result:
    if scale.full and n_init == 1:
      # Whose rounding is it where labels differ?
      result['exact'] = fit(x.astype(np.float64))['labels']
    return result

  return sides.Side(
    lambda: fit(x), runs / n_init, steady=True, compared=compared
  )


def _faiss(x: np.ndarray, k: int, niter: int) -> tuple[np.ndarray, np.ndarray]:
  import faiss

  fitted = faiss.Kmeans(
    x.shape[1],
    k,
    niter=niter,
    min_points_per_centroid=1,
    max_points_per_centroid=len(x),
  )
  fitted.train(x, init_centroids=sides.some_rows(x, k))
  return fitted.centroids, fitted.index.search(x, 1)[1][:, 0]


def _fastkmeans(
  x: np.ndarray, k: int, niter: int
) -> tuple[np.ndarray, np.ndarray]:
  import fastkmeans
  import torch

  fitted = fastkmeans.FastKMeans(x.shape[1], k, niter, tol=0, gpu=False)
  # It takes no centers: it draws rows.
  start = torch.from_numpy(sides.some(len(x), k))
  with mock.patch.object(torch, 'randperm', lambda n: start):
    fitted.train(x)
  return fitted.centroids, fitted.predict(x)


def _unstopped(
  scale: sides.Scale,
  *,
  n: int,
  k: int,
  fit: Callable[[np.ndarray, int, int], tuple[np.ndarray, np.ndarray]],
) -> sides.Side:
  """A library that makes as many iterations as it is told."""
  importlib.import_module(fit.__name__[1:])
  x = sides.read_features(scale)
  n_iter = int(np.load(scale.folder / _N_ITER))
  # Labels that repeated are those of the last centers, for which these
  # libraries look once more.
  updates = n_iter - (n_iter < _iterations(n))

  def compared(found: tuple[np.ndarray, np.ndarray]) -> sides.Result:
    centers, labels = found
    inertia = sum(
      np.sum((x[labels == j] - center) ** 2, dtype=np.float64)
      for j, center in enumerate(centers)
    )
    return {
      'labels': labels,
      'inertia': np.array(inertia),
      'n_iter': np.array(n_iter),
    }

  return sides.Side(lambda: fit(x, k, updates), steady=True, compared=compared)


def _prepare(scale: sides.Scale, *, n: int, d: int, k: int) -> None:
  """The features, and for those who do not stop, when others do."""
  from sklearn.cluster import KMeans

  sides.write_features(scale, n=n, d=d)
  if scale.full:
    x = sides.read_features(scale)
    init = sides.some_rows(x, k)
    fitted = KMeans(k, init=init, n_init=1, tol=0, max_iter=_iterations(n))
    np.save(scale.folder / _N_ITER, fitted.fit(x).n_iter_)


def _quality(
  ours: sides.Result, theirs: sides.Result, *, same_start: bool
) -> dict[str, float]:
  quality = {'inertia_ratio': float(ours['inertia'] / theirs['inertia'])}
  if same_start:
    quality |= {
      'other_labels': float(np.mean(ours['labels'] != theirs['labels'])),
      'our_iterations': float(ours['n_iter']),
      'their_iterations': float(theirs['n_iter']),
    }
  if 'exact' in theirs:
    exact = theirs['exact']
    quality |= {
      'other_labels_than_float64': float(np.mean(ours['labels'] != exact)),
      'theirs_other_than_float64': float(np.mean(theirs['labels'] != exact)),
    }
  return quality


def _case(n: int, d: int, k: int, n_init: int = 1) -> sides.Case:
  own = {'n': n, 'k': k}
  makes = {
    'ours': functools.partial(_ours, n_init=n_init, **own),
    **{
      name: functools.partial(_estimator, n_init=n_init, library=library, **own)
      for name, library in _ESTIMATORS.items()
    },
  }
  # With several starts these two make all iterations of each.
  more = {'faiss-cpu': _faiss, 'fastkmeans': _fastkmeans} if n_init == 1 else {}
  for name, fit in more.items():
    makes[name] = functools.partial(_unstopped, fit=fit, **own)
  return sides.Case(
    f'{n_init} start{"s" * (n_init > 1)}, tol 0, at most {_iterations(n)}'
    ' iterations',
    makes,
    functools.partial(_quality, same_start=n_init == 1),
    functools.partial(_prepare, n=n, d=d, k=k),
    turns=sides.turns(n, d),
    full_only=list(more),
  )


CASES = {
  **{
    f'kmeans/{n}x{d}x{k}': _case(n, d, k)
    for n, d, k in (
      (1428, 62720, 4),
      (1428, 1280, 4),
      (100_000, 200, 4),
      (100_000, 200, 64),
      (1_000_000, 64, 16),
    )
  },
  **{
    f'kmeans/1428x{d}x4/n_init10': _case(1428, d, 4, 10) for d in (62720, 1280)
  },
}

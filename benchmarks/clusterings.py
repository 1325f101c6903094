"""The clusterings of a sample-size study: many small ones of several sizes.

4 sizes x 4 folds x 10 trainings of K-means, fuzzy K-means and a Gaussian
mixture on made-up features, fitted on three quarters of the rows and labelling
all: ours in one program per algorithm, the peers in a loop, with equal k,
n_init, tol and max_iter.
"""

import functools
import warnings

import numpy as np

from benchmarks import sides

_SIZES = (100, 300, 1464, 2928)
_FOLDS, _TRAININGS, _Q, _K = 4, 10, 10, 4
_MAX_ITER, _TOL = 300, 1e-4
_METHODS = {
  'kmeans': 'scikit-learn',
  'fuzzy': 'scikit-fuzzy',
  'gmm': 'scikit-learn',
}


def _parts() -> list[np.ndarray]:
  """A fold of each size after the other: four groups that overlap."""
  parts = []
  for n in _SIZES:
    for fold in range(_FOLDS):
      rng = np.random.default_rng([n, fold])
      centers = 1.5 * rng.normal(size=(4, _Q))
      parts.append(centers[rng.integers(4, size=n)] + rng.normal(size=(n, _Q)))
  return parts


def _ours(scale: sides.Scale, *, method: str) -> sides.Side:
  """Padding included: it is a part of what the one shape costs."""
  sides.start_ours()
  import jax

  from heterojax import cluster

  parts = _parts()
  algorithm = cluster.Algorithm(method, _K, max_iter=_MAX_ITER, tol=_TOL)
  keys = jax.random.split(jax.random.key(0), (len(parts), _TRAININGS))

  def run() -> sides.Result:
    z = np.zeros((len(parts), max(_SIZES), _Q))
    weights = np.zeros(z.shape[:2])
    for i, x in enumerate(parts):
      z[i, : len(x)] = x
      weights[i, : len(x) * 3 // 4] = 1
    fitted = cluster.partitions(z, weights, keys, algorithm)
    return {'objective': np.asarray(fitted.objective)}

  return sides.Side(run)


def _theirs(scale: sides.Scale, *, method: str) -> sides.Side:
  from sklearn import cluster as sklearn_cluster
  from sklearn import mixture

  if method == 'fuzzy':
    import skfuzzy
  parts = _parts()
  warnings.simplefilter('ignore')  # Iterations may run out on either side.
  trainings = range(_TRAININGS if scale.full else _TRAININGS // 5)

  def fit(x: np.ndarray, seed: int) -> float:
    train = x[: len(x) * 3 // 4]
    if method == 'kmeans':
      solver = sklearn_cluster.KMeans(
        _K, n_init=1, max_iter=_MAX_ITER, tol=_TOL, random_state=seed
      ).fit(train)
      solver.predict(x)
      return solver.inertia_
    if method == 'gmm':
      solver = mixture.GaussianMixture(
        _K, max_iter=_MAX_ITER, tol=_TOL, random_state=seed
      ).fit(train)
      solver.predict_proba(x)
      return -solver.lower_bound_
    centers, _, _, _, objectives, _, _ = skfuzzy.cmeans(
      train.T, _K, 2.0, _TOL, _MAX_ITER, seed=seed
    )
    skfuzzy.cmeans_predict(x.T, centers, 2.0, _TOL, _MAX_ITER, seed=seed)
    return objectives[-1]

  def run() -> sides.Result:
    found = [[fit(x, seed) for seed in trainings] for x in parts]
    return {'objective': np.array(found)}

  return sides.Side(run, len(trainings) / _TRAININGS)


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  # Starts differ, and so each part is compared by its best training.
  best = [side['objective'].min(axis=1) for side in (ours, theirs)]
  ratio = best[0] / best[1]
  return {
    'objective_ratio_lowest': float(ratio.min()),
    'objective_ratio_highest': float(ratio.max()),
  }


CASES = {
  f'clusterings/{method}': sides.Case(
    '160 clusterings',
    {
      'ours': functools.partial(_ours, method=method),
      peer: functools.partial(_theirs, method=method),
    },
    _quality,
  )
  for method, peer in _METHODS.items()
}

"""Many clusterings: python -m benchmarks.clusterings --out=FILE.json.

4 sizes x 4 folds x 10 trainings of K-means, fuzzy K-means and a Gaussian
mixture on made-up features, fitted on three quarters of the rows and labelling
all: ours in one program per algorithm, scikit-learn and scikit-fuzzy in a loop,
with equal k, n_init, tol and max_iter. The two take turns. A ratio above 1
means that ours is faster; `ratio_with_compilation` charges ours with its first
call. Peers come from the extra `parity`; a missing one is reported as missing.
"""

from collections.abc import Callable
import json
import pathlib
import re
import statistics
import time
import warnings

from absl import app
from absl import flags
import jax
import numpy as np
from sklearn import cluster as sklearn_cluster
from sklearn import mixture

import heterojax  # Appends the XLA flags before any backend exists.
from heterojax import arithmetic
from heterojax import cluster
from heterojax import environment

_OUT = flags.DEFINE_string('out', None, 'JSON file to write.', required=True)
_ONLY = flags.DEFINE_string('only', '', 'Regular expression of methods.')
_REPEATS = flags.DEFINE_integer('repeats', 3, 'Turns of each side.')

del heterojax

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


def _ours(method: str, parts: list[np.ndarray]) -> Callable[[], np.ndarray]:
  """Padding included: it is a part of what the one shape costs."""
  algorithm = cluster.Algorithm(method, _K, max_iter=_MAX_ITER, tol=_TOL)
  keys = jax.random.split(jax.random.key(0), (len(parts), _TRAININGS))

  def run() -> np.ndarray:
    z = np.zeros((len(parts), max(_SIZES), _Q))
    weights = np.zeros(z.shape[:2])
    for i, x in enumerate(parts):
      z[i, : len(x)] = x
      weights[i, : len(x) * 3 // 4] = 1
    fitted = cluster.partitions(z, weights, keys, algorithm)
    return np.asarray(jax.block_until_ready(fitted).objective)

  return run


def _theirs(method: str, parts: list[np.ndarray]) -> Callable[[], np.ndarray]:
  if method == 'fuzzy':
    import skfuzzy  # Missing without the extra `parity`.

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

  seeds = range(_TRAININGS)
  return lambda: np.array([[fit(x, seed) for seed in seeds] for x in parts])


def _timed(function: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
  start = time.perf_counter()
  result = function()
  return time.perf_counter() - start, result


def measure(method: str) -> dict[str, object]:
  """One record; see the module's docstring."""
  name, parts = f'clusterings/{method}', _parts()
  try:
    theirs = _theirs(method, parts)
  except ImportError as error:
    return {'name': name, 'missing': str(error)}
  ours = _ours(method, parts)
  first, got = _timed(ours)
  turns, want = [], None
  for _ in range(_REPEATS.value):
    own, _ = _timed(ours)
    other, want = _timed(theirs)
    turns.append((own, other))
  own, other = (statistics.median(side) for side in zip(*turns))
  ratios = sorted(b / a for a, b in turns)
  # Starts differ, and so each part is compared by its best training.
  quality = got.min(axis=1) / want.min(axis=1)
  return {
      'name': name,
      'peer': _METHODS[method],
      'ratio': other / own,
      'ratio_lowest': ratios[0],
      'ratio_highest': ratios[-1],
      'ratio_with_compilation': other / first,
      'ours': own,
      'ours_with_compilation': first,
      'theirs': other,
      'unit': 's',
      'quality': {
          'objective_ratio_lowest': float(quality.min()),
          'objective_ratio_highest': float(quality.max()),
      },
  }


def main(argv: list[str]) -> None:
  del argv
  arithmetic.start()
  records = []
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # Iterations may run out on either side.
    for method in _METHODS:
      if re.search(_ONLY.value, method):
        records.append(measure(method))
        print(json.dumps(records[-1]), flush=True)
  timed = [record for record in records if 'ours' in record]
  theirs, ours, first = (
      sum(record[side] for record in timed)
      for side in ('theirs', 'ours', 'ours_with_compilation')
  )
  report = {
      'schema_version': 1,
      'machine': environment.describe(),
      'records': records,
      'total': {
          'theirs': theirs,
          'ours': ours,
          'ours_with_compilation': first,
      },
  }
  print(json.dumps(report['total']))
  pathlib.Path(_OUT.value).write_text(json.dumps(report, indent=1) + '\n')


if __name__ == '__main__':
  app.run(main)

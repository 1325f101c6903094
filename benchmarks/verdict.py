"""Whether errors are uneven over clusters: 9,999 draws of images' errors.

Errors of 0 and 1, and squared errors, over four clusters, without classes,
folds or patients, which SciPy's permutation test does not know. Its images are
sorted by cluster, which makes its sums as fast as they can be; it permutes all
images in each draw.
"""

import functools

import numpy as np

from benchmarks import sides

_K, _DRAWS = 4, 9999


def _data(n: int, real: bool) -> tuple[np.ndarray, np.ndarray]:
  """Values and clusters; the first is a little worse."""
  rng = np.random.default_rng(n)
  labels = np.sort(rng.integers(_K, size=n))
  if real:
    values = rng.standard_normal(n) ** 2 * (1 + 2 / np.sqrt(n) * (labels == 0))
  else:
    values = rng.random(n) < 0.1 + 0.5 / np.sqrt(n) * (labels == 0)
  return values.astype(float), labels


def _ours(scale: sides.Scale, *, n: int, real: bool) -> sides.Side:
  sides.start_ours()
  import jax

  from heterojax.verdict import uneven

  values, labels = _data(n, real)
  key = jax.random.key(0)

  def run() -> sides.Result:
    # A class of its own for all.
    test = uneven.test(values, np.zeros(n), labels, _K, key=key, draws=_DRAWS)
    return {'p_value': np.array(test.p_value)}

  return sides.Side(run, steady=True)


def _scipy(scale: sides.Scale, *, n: int, real: bool) -> sides.Side:
  from scipy import stats

  values, labels = _data(n, real)
  sizes = np.bincount(labels, minlength=_K)
  first = np.cumsum(sizes) - sizes
  draws = _DRAWS if scale.full else max(99, 10_000_000 // n)
  draws = min(draws, _DRAWS)

  def q(x: np.ndarray, axis: int) -> np.ndarray:
    means = np.add.reduceat(x, first, axis=axis) / sizes
    distance = means - x.mean(axis=axis, keepdims=True)
    return np.sum(sizes * distance**2, axis=axis)

  def run() -> sides.Result:
    test = stats.permutation_test(
      (values,),
      q,
      permutation_type='pairings',
      vectorized=True,
      n_resamples=draws,
      batch=max(1, 1_000_000 // n),
      alternative='greater',
      rng=np.random.default_rng(0),
    )
    return {'p_value': np.array(test.pvalue)}

  return sides.Side(run, draws / _DRAWS, steady=True)


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  # Both are random, and the fewer draws of a part of the work the more so.
  return {
    'p_value_ours': float(ours['p_value']),
    'p_value_theirs': float(theirs['p_value']),
  }


CASES = {
  f'verdict/uneven/{name}/{n}': sides.Case(
    f'{_DRAWS:,} draws of {n:,} images',
    {
      'ours': functools.partial(_ours, n=n, real=real),
      'scipy': functools.partial(_scipy, n=n, real=real),
    },
    _quality,
  )
  for name, real in (('errors', False), ('squared', True))
  for n in (400, 4000, 100_000)
}

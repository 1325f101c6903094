"""PCA against the solvers of scikit-learn."""

import functools

import numpy as np

from benchmarks import sides

_LARGE = 5e7  # Numbers, with which some solvers take too long for `quick`.


def _ours(scale: sides.Scale, *, q: int) -> sides.Side:
  sides.start_ours()
  import jax

  from heterojax.cluster import pca

  x = sides.read_features(scale)

  def run() -> sides.Result:
    fitted = jax.block_until_ready(pca(x, q))
    return {'share': np.asarray(fitted.explained_variance_ratio)}

  return sides.Side(run)


def _theirs(scale: sides.Scale, *, q: int, solver: str) -> sides.Side:
  from sklearn.decomposition import PCA

  x = sides.read_features(scale)
  fraction = 1.0
  if solver == 'full' and x.size > _LARGE and not scale.full:
    # Its time is linear in the larger side.
    part = [max(size // 10, min(x.shape)) for size in x.shape]
    fraction = part[0] * part[1] / x.size
    x = np.ascontiguousarray(x[: part[0], : part[1]])

  def run() -> sides.Result:
    fitted = PCA(q, svd_solver=solver, random_state=0).fit(x)
    return {'share': fitted.explained_variance_ratio_}

  return sides.Side(run, fraction, steady=True)


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  gap = np.sum(ours['share'], dtype=np.float64) - np.sum(
    theirs['share'], dtype=np.float64
  )
  return {'explained_variance_gap': float(gap)}


def _case(n: int, d: int, q: int) -> sides.Case:
  # d x d is not to be thought of for the widest.
  solvers = ['full', 'covariance_eigh', 'randomized']
  if d > 10_000:
    solvers.remove('covariance_eigh')
  return sides.Case(
    f'{q} components',
    {
      'ours': functools.partial(_ours, q=q),
      **{
        f'scikit-learn/{solver}': functools.partial(_theirs, q=q, solver=solver)
        for solver in solvers
      },
    },
    _quality,
    functools.partial(sides.write_features, n=n, d=d),
    turns=sides.turns(n, d),
    full_only=['scikit-learn/randomized'] if n * d > _LARGE else (),
  )


CASES = {
  f'pca/{n}x{d}x200': _case(n, d, 200)
  for n, d in ((1428, 62720), (1428, 1280), (100_000, 1280))
}

"""PCA against the solvers of scikit-learn, and of what stands in for it."""

import functools
import importlib

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
    return {
      'share': np.asarray(fitted.explained_variance_ratio),
      'components': np.asarray(fitted.components),
    }

  return sides.Side(run)


def _theirs(
  scale: sides.Scale, *, q: int, solver: str, library: str
) -> sides.Side:
  estimator = importlib.import_module(f'{library}.decomposition').PCA
  x = sides.read_features(scale)
  fraction = 1.0
  if solver == 'full' and x.size > _LARGE and not scale.full:
    # Its time is linear in the larger side.
    part = [max(size // 10, min(x.shape)) for size in x.shape]
    fraction = part[0] * part[1] / x.size
    x = np.ascontiguousarray(x[: part[0], : part[1]])

  def run() -> sides.Result:
    fitted = estimator(q, svd_solver=solver, random_state=0).fit(x)
    return {
      'share': fitted.explained_variance_ratio_,
      'components': fitted.components_,
    }

  return sides.Side(run, fraction, steady=True)


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  gap = np.sum(ours['share'], dtype=np.float64) - np.sum(
    theirs['share'], dtype=np.float64
  )
  quality = {'explained_variance_gap': float(gap)}
  spans = ours['components'], theirs['components']
  if spans[0].shape == spans[1].shape:
    quality['sine_of_spans'] = _sine(*spans)
  return quality


def _sine(a: np.ndarray, b: np.ndarray) -> float:
  """Of the largest angle between the spans of orthonormal rows."""
  a, b = (np.linalg.qr(rows.T.astype(np.float64)).Q for rows in (a, b))
  return float(np.linalg.norm(b - a @ (a.T @ b), 2))


def _case(n: int, d: int, q: int) -> sides.Case:
  solvers = {
    'scikit-learn/full': ('sklearn', 'full'),
    'scikit-learn/covariance_eigh': ('sklearn', 'covariance_eigh'),
    'scikit-learn/randomized': ('sklearn', 'randomized'),
    'scikit-learn-intelex/covariance_eigh': ('sklearnex', 'covariance_eigh'),
    'scikit-learn-intelex/full': ('sklearnex', 'full'),
  }
  if d > 10_000:
    # d x d is not to be thought of for the widest.
    solvers = {
      name: solver
      for name, solver in solvers.items()
      if solver[1] != 'covariance_eigh'
    }
  large = n * d > _LARGE
  return sides.Case(
    f'{q} components',
    {
      'ours': functools.partial(_ours, q=q),
      **{
        name: functools.partial(_theirs, q=q, library=library, solver=solver)
        for name, (library, solver) in solvers.items()
      },
    },
    _quality,
    functools.partial(sides.write_features, n=n, d=d),
    turns=sides.turns(n, d),
    full_only=[
      'scikit-learn-intelex/full',
      *(['scikit-learn/randomized'] if large else []),
    ],
  )


CASES = {
  f'pca/{n}x{d}x200': _case(n, d, 200)
  for n, d in ((1428, 62720), (1428, 1280), (100_000, 1280))
}

"""Fuzzy K-means, mixtures and validity indices, once each."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import sides

_Q = 10  # Components that the sample-size study clusters in.


def _groups(n: int) -> np.ndarray:
  return sides.like_features(n, _Q).astype(np.float64)


def _once(
  make: Callable[[np.ndarray], Callable[[], dict[str, Any]]],
  n: int,
  ours: bool,
) -> Callable[[sides.Scale], sides.Side]:
  """A side from what sets up a run on `[n, _Q]`."""

  def setup(scale: sides.Scale) -> sides.Side:
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
  return np.full(4, 0.25), sides.some_rows(x, 4), np.stack([precision] * 4)


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
  centers = [sides.some_rows(x, k) for k in range(2, 11)]
  return np.stack([
    np.argmin(((x[:, None] - own[None]) ** 2).sum(-1), axis=1)
    for own in centers
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

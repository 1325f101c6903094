"""Logistic heads at their optimum: all at once against one by one.

Both sides minimise the same objective in float64 and return coefficients, which
are compared. The solvers of scikit-learn have the tolerance that brings those
to 1e-6 or so (`lbfgs` stops by the objective before it gets there); with the
default of 1e-4 they are right to a few hundredths.
"""

from collections.abc import Callable, Mapping, Sequence
import functools
import importlib
from typing import NamedTuple

import numpy as np

from benchmarks import sides

_N, _D = 1428, 1280
_CLUSTERS, _FOLDS = (42, 441, 274, 671), 5
_CS = np.logspace(-4, 4, 45)
# Results of so many heads are compared.
_COMPARED = 20
_TOLERANCE = 1e-10
_PEER = 'scikit-learn/LogisticRegression'
# Worlds of one rule, and C of their heads.
_WORLDS, _STRONG = 200, 1e-3


class _Fit(NamedTuple):
  """One head of scikit-learn: its rows, its C, and its number in ours."""

  rows: np.ndarray
  c: float
  number: tuple[int, ...]


def _problem(
  scale: sides.Scale,
) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
  """Standardised features `[N, D]` and labels of a rule with noise `[N]`."""
  x = sides.read_features(scale).astype(np.float64)
  x = (x - x.mean(axis=0)) / x.std(axis=0)
  rng = np.random.default_rng(1)
  outputs = x @ rng.standard_normal(_D)
  noise = rng.standard_normal(_N) * outputs.std()
  return x, (outputs + noise > 0).astype(int), rng


def _random(rng: np.random.Generator) -> list[np.ndarray]:
  return [rng.permutation(_N)[:140] for _ in range(1000)]


def _folds(rng: np.random.Generator) -> list[np.ndarray]:
  """Of each cluster the rows outside of each fold."""
  cuts = np.cumsum(_CLUSTERS)[:-1]
  return [
    cluster[np.arange(len(cluster)) % _FOLDS != fold]
    for cluster in np.split(rng.permutation(_N), cuts)
    for fold in range(_FOLDS)
  ]


def _ours(scale: sides.Scale, *, path: bool) -> sides.Side:
  sides.start_ours()
  from heterojax.heads import logistic

  x, y, rng = _problem(scale)
  rows = _folds(rng) if path else _random(rng)

  def run() -> logistic.Heads:
    features = logistic.gram(x)
    if path:
      heads = logistic.path(features, y, rows, _CS)
    else:
      heads = logistic.fit(features, y, rows)
    return logistic.coefficients(heads, features)

  def compared(heads: logistic.Heads) -> sides.Result:
    return {'coef': heads.coef, 'converged': heads.converged}

  return sides.Side(run, compared=compared)


def _fits(
  rows: Sequence[np.ndarray], path: bool, full: bool
) -> tuple[list[_Fit], float]:
  """What scikit-learn fits, and its share of all; in the quick suite, few."""
  cs = _CS if path else np.ones(1)
  every = [
    _Fit(own, c, (h, k) if path else (h,))
    for h, own in enumerate(rows)
    for k, c in enumerate(cs)
  ]
  if full:
    return every, 1.0
  # Of every cluster one fold, and of its 45 values every fifth.
  chosen = every[:25]
  if path:
    chosen = [
      fit
      for fit in every
      if fit.number[0] % _FOLDS == 0 and fit.number[1] % 5 == 2
    ]
  return chosen, len(chosen) / len(every)


def _peer(library: str, threads: int | None) -> type:
  """The `LogisticRegression` of scikit-learn, or of its extension by Intel.

  Args:
    library: 'sklearn' or 'sklearnex'.
    threads: of BLAS; None for as many as it likes.
  """
  import threadpoolctl

  linear_model = importlib.import_module(f'{library}.linear_model')
  if threads:
    threadpoolctl.threadpool_limits(threads, user_api='blas')
  return linear_model.LogisticRegression


def _sklearn(
  scale: sides.Scale,
  *,
  path: bool,
  solver: str = 'lbfgs',
  tol: float = _TOLERANCE,
  threads: int | None = None,
  library: str = 'sklearn',
) -> sides.Side:
  peer = _peer(library, threads)
  x, y, rng = _problem(scale)
  rows = _folds(rng) if path else _random(rng)
  fits, fraction = _fits(rows, path, scale.full)

  def run() -> list[np.ndarray]:
    return [
      peer(C=fit.c, solver=solver, tol=tol, max_iter=100_000)
      .fit(x[fit.rows], y[fit.rows])
      .coef_[0]
      for fit in fits
    ]

  def compared(coefs: list[np.ndarray]) -> sides.Result:
    some = np.linspace(0, len(fits) - 1, _COMPARED).astype(int)
    return {
      'coef': np.stack([coefs[i] for i in some]),
      'heads': np.array([fits[i].number for i in some]),
    }

  return sides.Side(run, fraction, steady=True, compared=compared)


def _sklearn_path(scale: sides.Scale) -> sides.Side:
  """`LogisticRegressionCV`, each C of which begins where the last one ended.

  It scores held-out rows too, and fits each cluster once more.
  """
  from sklearn.linear_model import LogisticRegressionCV

  x, y, rng = _problem(scale)
  rows = _folds(rng)

  def fitted(cluster: int) -> np.ndarray:
    kept = rows[cluster * _FOLDS : (cluster + 1) * _FOLDS]
    every = np.unique(np.concatenate(kept))
    inside = [np.isin(every, own) for own in kept]
    found = LogisticRegressionCV(
      Cs=_CS,
      cv=[(np.flatnonzero(own), np.flatnonzero(~own)) for own in inside],
      scoring='neg_log_loss',
      l1_ratios=(0.0,),
      tol=_TOLERANCE,
      max_iter=100_000,
      use_legacy_attributes=False,
    ).fit(x[every], y[every])
    return found.coefs_paths_[:, 0, :, 0, :-1]

  def run() -> np.ndarray:
    return np.concatenate([fitted(c) for c in range(len(_CLUSTERS))])

  def compared(coef: np.ndarray) -> sides.Result:
    heads = np.argwhere(np.ones(coef.shape[:2], bool))[:: coef.shape[1] - 1]
    return {'coef': coef[tuple(heads.T)], 'heads': heads}

  return sides.Side(run, steady=True, compared=compared)


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  gaps = [
    sides.relative_error(ours['coef'][tuple(number)], coef)
    for number, coef in zip(theirs['heads'], theirs['coef'])
  ]
  return {
    'largest_gap_of_coefficients': max(gaps),
    'median': float(np.median(gaps)),
    'ours_converged': float(ours['converged'].mean()),
  }


def _worlds(
  scale: sides.Scale,
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
  """Features, labels `[W, N]` drawn anew, and rows: all, and each cluster."""
  x, y, rng = _problem(scale)
  chance = np.where(y == 1, 0.85, 0.15)
  labels = (rng.random((_WORLDS, _N)) < chance).astype(int)
  cuts = np.cumsum(_CLUSTERS)[:-1]
  return x, labels, [np.arange(_N), *np.split(rng.permutation(_N), cuts)]


def _our_worlds(scale: sides.Scale) -> sides.Side:
  sides.start_ours()
  from heterojax.heads import labellings
  from heterojax.heads import logistic

  x, y, rows = _worlds(scale)

  def run() -> list[logistic.Heads]:
    return [labellings.fit(x, y, own, _STRONG) for own in rows]

  def compared(heads: list[logistic.Heads]) -> sides.Result:
    return {
      'coef': np.stack([own.coef for own in heads]),
      'converged': np.stack([own.converged for own in heads]),
    }

  return sides.Side(run, compared=compared)


def _their_worlds(
  scale: sides.Scale,
  *,
  solver: str = 'lbfgs',
  threads: int | None = None,
  library: str = 'sklearn',
) -> sides.Side:
  peer = _peer(library, threads)
  x, y, rows = _worlds(scale)
  worlds = range(_WORLDS if scale.full else _COMPARED // len(rows))

  def run() -> list[np.ndarray]:
    return [
      peer(C=_STRONG, solver=solver, tol=_TOLERANCE, max_iter=100_000)
      .fit(x[own], y[w][own])
      .coef_[0]
      for own in rows
      for w in worlds
    ]

  def compared(coefs: list[np.ndarray]) -> sides.Result:
    numbers = [(h, w) for h in range(len(rows)) for w in worlds]
    some = np.linspace(0, len(coefs) - 1, _COMPARED).astype(int)
    return {
      'coef': np.stack([coefs[i] for i in some]),
      'heads': np.array([numbers[i] for i in some]),
    }

  return sides.Side(run, len(worlds) / _WORLDS, steady=True, compared=compared)


def _case(
  work: str,
  ours: Callable[[sides.Scale], sides.Side],
  theirs: Callable[..., sides.Side],
  more: Mapping[str, Callable[[sides.Scale], sides.Side]],
) -> sides.Case:
  """A case with the common peers, and more of them in the full suite."""
  full_only = {
    # The threads of BLAS gain little on such matrices, and lose much to others.
    _PEER: theirs,
    f'{_PEER} newton-cg': functools.partial(theirs, solver='newton-cg'),
    **more,
  }
  makes = {
    'ours': ours,
    f'{_PEER} one thread': functools.partial(theirs, threads=1),
    'scikit-learn-intelex/LogisticRegression': functools.partial(
      theirs, library='sklearnex'
    ),
    **full_only,
  }
  return sides.Case(
    work,
    makes,
    _quality,
    functools.partial(sides.write_features, n=_N, d=_D),
    (3, 3),
    full_only=list(full_only),
  )


def _of_labels(work: str, path: bool) -> sides.Case:
  """A case of one labelling."""
  theirs = functools.partial(_sklearn, path=path)
  more = {f'{_PEER} tol=1e-4': functools.partial(theirs, tol=1e-4)}
  if path:
    more[f'{_PEER}CV'] = _sklearn_path
  return _case(work, functools.partial(_ours, path=path), theirs, more)


CASES = {
  'logistic/1000': _of_labels('1,000 logistic heads of 140 rows', False),
  'logistic/worlds': _case(
    '5 logistic heads of 42 to 1,428 rows in 200 worlds',
    _our_worlds,
    _their_worlds,
    {},
  ),
  'logistic/path': _of_labels('45 values of C x 5 folds x 4 clusters', True),
}

"""K-means: equal starts, iterations and tolerance on both sides."""

import functools

import numpy as np

from benchmarks import sides


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


def _theirs(scale: sides.Scale, *, n: int, k: int, n_init: int) -> sides.Side:
  from sklearn.cluster import KMeans

  x = sides.read_features(scale)
  init = sides.some_rows(x, k) if n_init == 1 else 'k-means++'
  runs = n_init if scale.full or x.size < 2e7 else max(1, n_init // 10)

  def fit(x: np.ndarray) -> sides.Result:
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

  def compared(result: sides.Result) -> sides.Result:
    if scale.full and n_init == 1:
      # Whose rounding is it where labels differ?
      result['exact'] = fit(x.astype(np.float64))['labels']
    return result

  return sides.Side(
    lambda: fit(x), runs / n_init, steady=True, compared=compared
  )


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
  own = {'n': n, 'k': k, 'n_init': n_init}
  return sides.Case(
    f'{n_init} start{"s" * (n_init > 1)}, tol 0, at most {_iterations(n)}'
    ' iterations',
    {
      'ours': functools.partial(_ours, **own),
      'scikit-learn': functools.partial(_theirs, **own),
    },
    functools.partial(_quality, same_start=n_init == 1),
    functools.partial(sides.write_features, n=n, d=d),
    turns=sides.turns(n, d),
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

"""What reads mapped features by blocks, beside libraries that hold them.

Peers have the features in memory before the clock starts; ours reads the
file, which the system has in memory too.
"""

import functools
import importlib

import numpy as np

from benchmarks import sides

_COMPONENTS, _HEADS, _C = 200, 4, 1e-3
# Of near duplicates, the rows that are asked about.
_ASKED = 0.2


def _mapped(scale: sides.Scale) -> np.ndarray:
  return np.load(scale.folder / sides.FEATURES, mmap_mode='r')


def _our_components(scale: sides.Scale) -> sides.Side:
  sides.start_ours()
  from heterojax.cluster import pca

  x = _mapped(scale)

  def run() -> sides.Result:
    fitted = pca(x, _COMPONENTS)
    return {'share': np.asarray(fitted.explained_variance_ratio)}

  return sides.Side(run)


def _their_components(scale: sides.Scale, **settings: int) -> sides.Side:
  from sklearn.decomposition import PCA

  x = sides.read_features(scale)

  def run() -> sides.Result:
    fitted = PCA(
      _COMPONENTS, svd_solver='randomized', random_state=0, **settings
    ).fit(x)
    return {'share': fitted.explained_variance_ratio_}

  return sides.Side(run, steady=True)


def _explained(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  # Neither is exact: the more of the variance, the better.
  totals = [np.sum(s['share'], dtype=np.float64) for s in (ours, theirs)]
  return {'explained_variance_gap': float(totals[0] - totals[1])}


def _sides_of(n: int) -> tuple[np.ndarray, np.ndarray]:
  rows = np.random.default_rng(0).permutation(n)
  asked = int(_ASKED * n)
  return np.sort(rows[:asked]), np.sort(rows[asked:])


def _our_duplicates(scale: sides.Scale) -> sides.Side:
  sides.start_ours()
  from heterojax.cluster import distances

  x = _mapped(scale)
  asked, others = _sides_of(len(x))
  content = np.arange(len(x))

  def run() -> sides.Result:
    found, distance = distances.nearest_by_cosine(x, asked, others, content)
    return {'nearest': others[found], 'distance': distance}

  return sides.Side(run)


def _neighbours(scale: sides.Scale) -> sides.Side:
  from sklearn.neighbors import NearestNeighbors

  x = sides.read_features(scale)
  asked, others = _sides_of(len(x))

  def run() -> sides.Result:
    origin = x[others].mean(axis=0)
    search = NearestNeighbors(n_neighbors=1, metric='cosine', algorithm='brute')
    distance, found = search.fit(x[others] - origin).kneighbors(
      x[asked] - origin
    )
    return {'nearest': others[found[:, 0]], 'distance': distance[:, 0]}

  return sides.Side(run, steady=True)


def _faiss(scale: sides.Scale) -> sides.Side:
  import faiss

  x = sides.read_features(scale)
  asked, others = _sides_of(len(x))

  def run() -> sides.Result:
    origin = x[others].mean(axis=0)
    base, own = x[others] - origin, x[asked] - origin
    faiss.normalize_L2(base)
    faiss.normalize_L2(own)
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(base)
    cosine, found = index.search(own, 1)
    return {'nearest': others[found[:, 0]], 'distance': 1 - cosine[:, 0]}

  return sides.Side(run, steady=True)


def _same_neighbours(
  ours: sides.Result, theirs: sides.Result
) -> dict[str, float]:
  gap = np.abs(ours['distance'] - theirs['distance'])
  return {
    'other_neighbours': float(np.mean(ours['nearest'] != theirs['nearest'])),
    'largest_gap': float(gap.max()),
  }


def _heads(n: int) -> tuple[np.random.Generator, list[np.ndarray]]:
  """What labels are drawn by, and the rows of each head: the first has all."""
  numbers = np.random.default_rng(1)
  sizes = [n // 2**h for h in range(_HEADS)]
  return numbers, [np.sort(numbers.permutation(n)[:size]) for size in sizes]


def _labels(x: np.ndarray, numbers: np.random.Generator) -> np.ndarray:
  outputs = np.asarray(x @ numbers.standard_normal(x.shape[1]))
  outputs -= outputs.mean()
  noise = outputs.std() * numbers.standard_normal(len(x))
  return (outputs + noise > 0).astype(int)


def _our_heads(scale: sides.Scale) -> sides.Side:
  sides.start_ours()
  from heterojax.heads import optimum

  x = _mapped(scale)
  numbers, rows = _heads(len(x))
  y = _labels(x, numbers)
  # All parts are equal: C is given, and nothing is held out.
  fold = optimum.Fold(rows, rows[0], np.zeros(len(x), int))

  def run() -> sides.Result:
    fitted = optimum.fit(x, y, fold, _C, standardised=True)
    return {'coef': fitted.kernel}

  return sides.Side(run)


def _their_heads(scale: sides.Scale, *, library: str = 'sklearn') -> sides.Side:
  linear_model = importlib.import_module(f'{library}.linear_model')
  x = sides.read_features(scale)
  numbers, every = _heads(len(x))
  y = _labels(x, numbers)
  # The quick suite lets them fit the smallest head alone.
  rows = every if scale.full else every[-1:]
  share = sum(map(len, rows)) / sum(map(len, every))

  def run() -> sides.Result:
    deviation = x.std(axis=0, dtype=np.float64)
    z = (x - x.mean(axis=0, dtype=np.float64)) / deviation
    model = linear_model.LogisticRegression(C=_C, tol=1e-8, max_iter=10_000)
    coefs = [model.fit(z[own], y[own]).coef_[0] / deviation for own in rows]
    return {'coef': np.stack(coefs)}

  return sides.Side(run, share, steady=True)


def _coefficients(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  own = ours['coef'][-len(theirs['coef']) :]
  return {'relative_gap': sides.relative_error(own, theirs['coef'])}


CASES = {
  'streams/components': sides.Case(
    f'{_COMPONENTS} components of 10,000 x 9,000',
    {
      'ours': _our_components,
      # As many random directions as ours, and four products to our three.
      'scikit-learn/randomized, one iteration': functools.partial(
        _their_components, n_oversamples=_COMPONENTS + 32, iterated_power=1
      ),
      'scikit-learn/randomized': _their_components,
    },
    _explained,
    functools.partial(sides.write_features, n=10_000, d=9_000),
    turns=(1, 3),
    full_only=['scikit-learn/randomized'],
  ),
  'streams/near_duplicates': sides.Case(
    'nearest of 16,000 rows to 4,000, of 1,280 features',
    {
      'ours': _our_duplicates,
      'scikit-learn': _neighbours,
      'faiss-cpu': _faiss,
    },
    _same_neighbours,
    functools.partial(sides.write_features, n=20_000, d=1280),
    turns=(1, 5),
    full_only=['scikit-learn'],
  ),
  'streams/logistic': sides.Case(
    f'{_HEADS} logistic heads on 2,500 to 20,000 rows of 1,280 features',
    {
      'ours': _our_heads,
      'scikit-learn/LogisticRegression': _their_heads,
      'scikit-learn-intelex/LogisticRegression': functools.partial(
        _their_heads, library='sklearnex'
      ),
    },
    _coefficients,
    functools.partial(sides.write_features, n=20_000, d=1280),
    turns=(1, 3),
    full_only=['scikit-learn-intelex/LogisticRegression'],
  ),
}

"""Which algorithm and how many clusters: validity indices of all (Mendez 2019).

"We tested different clustering algorithms: K-Means, Fuzzy K-Means and Gaussian
Mixture Model using unsupervised clustering performance metrics such as Elbow
Method, Silhouette Coefficient, Calinski-Harabaz Index, Davies-Bouldin Index and
amount of patients in each cluster."
"""

from collections.abc import Sequence
import dataclasses
import itertools
import pathlib
from typing import NamedTuple, cast

import jax
import numpy as np

from heterojax.cluster import validity
from heterojax.cluster.partitions import Algorithm
from heterojax.cluster.partitions import Method
from heterojax.cluster.partitions import partitions
from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.report.formatting import listed

METHODS = {
  'kmeans': 'K-means',
  'fuzzy': 'fuzzy K-means',
  'gmm': 'Gaussian mixture',
}
_GIVEN = {'column': 'groups by {}', 'ids': 'the groups of {}'}
_RESTARTS = 10
_INDICES = {
  'silhouette': 'the silhouette',
  'calinski_harabasz': 'Calinski-Harabasz',
  'davies_bouldin': 'Davies-Bouldin',
  'elbow': 'the elbow of the inertia',
}


def named(method: str) -> str:
  """An algorithm, or the groups that are known in its place."""
  kind, _, of = method.partition(':')
  if kind == 'ids':  # Folders of this machine are no one else's business.
    of = pathlib.PurePath(of).name
  return _GIVEN[kind].format(of.strip()) if of else METHODS[kind]


def is_known(method: str) -> bool:
  """Whether it is an algorithm, or names groups."""
  kind, _, of = method.partition(':')
  return kind in _GIVEN if of else kind in METHODS


def groups(method: str, names: tuple[str, ...] | Missing) -> str:
  """Which number each known group has, as a sentence; '' of an algorithm."""
  if isinstance(names, Missing):
    return ''
  each = listed(f'{c} is {name}' for c, name in enumerate(names))
  return f'Clusters are {named(method)}: {each}.'


def clusters(method: str) -> bool:
  """Whether it is an algorithm, and not groups that are known."""
  return method in METHODS


@dataclasses.dataclass(frozen=True)
class Choice:
  """The validity indices of one algorithm with one number of clusters."""

  method: str
  k: int
  inertia: Estimate
  silhouette: Estimate
  calinski_harabasz: Estimate
  davies_bouldin: Estimate
  sizes: tuple[int, ...]
  # See `validity.Indices`; None where the silhouette is that of all samples.
  silhouette_margin: float | None = None

  @property
  def indices(self) -> dict[str, Estimate]:
    """Name to value."""
    return {
      'inertia': self.inertia,
      'silhouette': self.silhouette,
      'calinski_harabasz': self.calinski_harabasz,
      'davies_bouldin': self.davies_bouldin,
    }


class Preferred(NamedTuple):
  """The number of clusters that each index prefers; None without one."""

  silhouette: int | None
  calinski_harabasz: int | None
  davies_bouldin: int | None
  elbow: int | None


def choose(
  z: np.ndarray, *, key: jax.Array, k_values: Sequence[int] = range(2, 11)
) -> tuple[Choice, ...]:
  """Fits every algorithm with every number of clusters.

  Each is the best of 10 restarts. Fuzzy K-means and the mixture give a sample
  to the cluster it belongs to most, with a fuzzifier of 2 and full covariances.

  Args:
    z: `[N, Q]` training samples, in the space that is clustered.
    key: PRNG key of the restarts; it is consumed.
    k_values: numbers of clusters.

  Returns:
    One for each algorithm and number.
  """
  results: dict[tuple[str, int], tuple[dict[str, float], np.ndarray]] = {}
  if tried := [k for k in k_values if k <= len(z)]:
    labels = np.concatenate([
      _labels(z, method, tried, jax.random.fold_in(key, number))
      for number, method in enumerate(METHODS)
    ])
    indices = validity.indices(z, labels, max(tried))
    pairs = itertools.product(METHODS, tried)
    rows = zip(*indices, strict=True)
    for pair, row, its_labels in zip(pairs, rows, labels, strict=True):
      results[pair] = dict(zip(indices._fields, row, strict=True)), its_labels
  return tuple(
    _choice(len(z), method, k, *results.get((method, k), ({}, None)))
    for method in METHODS
    for k in k_values
  )


def _labels(
  z: np.ndarray, method: str, k_values: Sequence[int], key: jax.Array
) -> np.ndarray:
  """`[number of k_values, N]`, fitted by one program."""
  number = len(k_values)
  fitted = partitions(
    np.broadcast_to(z, (number, *z.shape)),
    np.ones((number, len(z))),
    jax.random.split(key, (number, 1)),
    Algorithm(cast(Method, method), max(k_values), n_init=_RESTARTS),
    k_values,
  )
  return fitted.labels[:, 0]


def _choice(
  n: int,
  method: str,
  k: int,
  indices: dict[str, float],
  labels: np.ndarray | None,
) -> Choice:
  sizes = [] if labels is None else np.bincount(labels, minlength=k).tolist()
  why = 'all images are in one cluster'
  if sum(size > 0 for size in sizes) in (0, n):
    why = f'there are {n} images for {k} clusters'
  margin = indices.pop('silhouette_margin', 0.0)
  values = {
    name: codec.estimate(indices.get(name), why)
    for name in validity.Indices._fields
    if name != 'silhouette_margin'
  }
  known = float(margin) if margin > 0 else None
  return Choice(
    method=method,
    k=k,
    sizes=tuple(sizes),
    silhouette_margin=known,
    **values,
  )


def best(rows: Sequence[Choice], method: str) -> Preferred:
  """The number of clusters that each index prefers for an algorithm.

  It is the largest silhouette and Calinski-Harabasz and the smallest
  Davies-Bouldin, the fewest clusters of equals. The elbow of the inertia is
  where it lies farthest below the straight line between its ends, both axes
  from 0 to 1 (as "kneedle", Satopaa et al. 2011) [our choice].

  Args:
    rows: of `choose`.
    method: of the algorithm.

  Returns:
    The numbers.
  """
  rows = [row for row in rows if row.method == method]
  rows.sort(key=lambda row: row.k)

  def least(name: str, sign: int) -> int | None:
    values = [(codec.known(row.indices[name]), row.k) for row in rows]
    ranked = [(sign * v, k) for v, k in values if v is not None]
    return min(ranked)[1] if ranked else None

  curve = [(row.k, codec.known(row.inertia)) for row in rows]
  return Preferred(
    silhouette=least('silhouette', -1),
    calinski_harabasz=least('calinski_harabasz', -1),
    davies_bouldin=least('davies_bouldin', 1),
    elbow=_elbow([(k, value) for k, value in curve if value is not None]),
  )


def _elbow(curve: Sequence[tuple[int, float]]) -> int | None:
  """None where the curve has less than three points or nowhere bends down."""
  if len(curve) < 3 or curve[0][1] <= curve[-1][1]:
    return None
  k, inertia = np.array(curve, np.float64).T
  line = (k[-1] - k) / (k[-1] - k[0])
  below = line - (inertia - inertia[-1]) / (inertia[0] - inertia[-1])
  # The ends lie on the line, and so may others but for rounding.
  return int(k[np.argmax(below)]) if below.max() > 1e-9 else None


def reading(rows: Sequence[Choice]) -> tuple[str, ...]:
  """One sentence per algorithm on what the indices prefer."""
  sentences = []
  for method, name in METHODS.items():
    preferred: dict[int, list[str]] = {}
    for index, k in best(rows, method)._asdict().items():
      if k is not None:
        preferred.setdefault(k, []).append(_INDICES[index])
    if not preferred:
      continue
    parts = [
      f'{k} clusters by {_listed(preferred[k])}' for k in sorted(preferred)
    ]
    sentences.append(f'{name[0].upper()}{name[1:]}: {"; ".join(parts)}.')
  return tuple(sentences)


def _listed(names: Sequence[str]) -> str:
  *first, last = names
  return f'{", ".join(first)} and {last}' if first else last

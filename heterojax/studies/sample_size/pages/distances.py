"""Tables 1 and 2: how far clusters and their images are apart.

Cluster numbers are arbitrary, here and in the paper: its numbers stand beside
those of a run, but only their ranges compare.
"""

from typing import Any

from heterojax.studies.retraining.pages.tables import Table
from heterojax.studies.sample_size.pages import values

_TO_CENTROID = ('min', 'max', 'mean', 'std')
# Kinds of Table 1.
KINDS = {
  'centroid_distances': 'centroid',
  'closest_point_distances': 'closest point',
}


def _sources(
  results: dict[str, Any],
) -> list[tuple[str, list[dict[str, Any]]]]:
  return [
    (values.OURS, values.smallest_first(results)),
    (values.PUBLISHED, values.published_sizes(results)),
  ]


def table1(results: dict[str, Any]) -> Table:
  """Table 1: distances between the clusters, a pair a row."""
  rows = [
    [
      source,
      kind,
      size['n'],
      a,
      b,
      size[name][a][b],
      values.why(size, name) if size[name][a][b] is None else '',
    ]
    for source, sizes in _sources(results)
    for name, kind in KINDS.items()
    for size in sizes
    for a, b in values.pairs(len(size[name]))
  ]
  return Table(['source', 'kind', 'n', 'a', 'b', 'distance', 'reason'], rows)


def table2(results: dict[str, Any]) -> Table:
  """Table 2: distances between a centroid and the points of its cluster."""
  rows = [
    [
      source,
      row['cluster'],
      size['n'],
      *(row[name] for name in _TO_CENTROID),
      values.reasons(row, _TO_CENTROID),
    ]
    for source, sizes in _sources(results)
    for size in sizes
    for row in size['to_centroid']
  ]
  header = ['source', 'cluster', 'n', *_TO_CENTROID, 'reason']
  return Table(header, rows)


def all_pairs(results: dict[str, Any]) -> list[tuple[int, int]]:
  """Of clusters, in this run or in the paper."""
  sizes = [size for _, sizes in _sources(results) for size in sizes]
  return values.pairs(max(len(size['to_centroid']) for size in sizes))


def to_centroid(
  results: dict[str, Any],
) -> list[tuple[int, int, dict[str, Any] | None, dict[str, Any] | None]]:
  """Number of images, cluster, its row of Table 2 here and in the paper."""
  own, papers = (
    {
      (size['n'], row['cluster']): row
      for size in sizes
      for row in size['to_centroid']
    }
    for _, sizes in _sources(results)
  )
  return [(*at, own.get(at), papers.get(at)) for at in sorted({*own, *papers})]

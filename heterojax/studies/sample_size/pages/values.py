"""Numbers of a sample-size study as the report reads and writes them.

S sizes, T folds, K clusters.
"""

from collections.abc import Sequence
from typing import Any

from heterojax.report import formatting
from heterojax.stats import heterogeneity

# Sources of a row.
OURS, PUBLISHED = 'this run', 'published'
METRICS = {'accuracy': 'accuracy', 'one_minus_nrmse': '1 − NRMSE'}
BASELINES = {
  'accuracy': 'always answering with the larger class of training',
  'one_minus_nrmse': 'always answering with the mean of training',
}
# What the paper recommends to stay below.
RECOMMENDED = heterogeneity.BANDS['recommended']


def why(values: dict[str, Any], name: str) -> str:
  """Why a value, or any of several, is null, in words; '' where none is."""
  if reason := values.get(f'{name}_why'):
    return f'not estimable: {reason}'
  return 'not estimable' if values.get(name) is None else ''


def reasons(values: dict[str, Any], names: Sequence[str]) -> str:
  """Of every value that is null, for a table's last column."""
  found = [(name, why(values, name)) for name in names]
  return '; '.join(f'{name} {text}' for name, text in found if text)


def interval(values: dict[str, Any], name: str) -> tuple[float, float] | None:
  """A pair of limits; None where one of them cannot be estimated."""
  pair = values.get(name)
  return None if pair is None or None in pair else (pair[0], pair[1])


def k_of(results: dict[str, Any]) -> int:
  return results['cluster']['k']


def metric(results: dict[str, Any]) -> str:
  """The metric's name in a sentence."""
  return METRICS[results['metric']]


def shown(results: dict[str, Any], value: float) -> str:
  """A value of the metric in a sentence: accuracy in percent."""
  if results['metric'] == 'accuracy':
    return percent(value)
  return fraction(value)


def fraction(value: float) -> str:
  return f'{value:.3f}'.replace('-', '−')


def short(value: float) -> str:
  """Four digits, or all before the point."""
  text = f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.4g}'
  return text.replace('-', '−')


def percent(value: float, digits: int = 1) -> str:
  return formatting.percent(value, digits).replace('-', '−')


def of_size(n: float) -> str:
  """'n = 100', which no line break divides."""
  return f'n\u00a0=\u00a0{formatting.number(n)}'


def whole(value: float) -> str:
  """A count that may be a mean, short."""
  digits = 0 if abs(value - round(value)) < 0.05 else 1
  return f'{value:,.{digits}f}'


def spread(numbers: Sequence[float], sign: str = '–') -> str:
  """'3–9', or '3' where all are 3."""
  low, high = whole(min(numbers)), whole(max(numbers))
  return low if low == high else f'{low}{sign}{high}'


def tested(size: dict[str, Any]) -> str:
  """Number of test images of a fold of this size."""
  return spread([fold['n_test'] for fold in size['folds']])


def tested_per_cluster(size: dict[str, Any]) -> str:
  """Smallest and largest test cluster over the folds."""
  return spread([n for f in size['folds'] for n in f['cluster_n_test']])


def tested_clusters(size: dict[str, Any]) -> list[int]:
  """How many clusters have test images, in each fold."""
  return [sum(n > 0 for n in fold['cluster_n_test']) for fold in size['folds']]


def validation(size: dict[str, Any]) -> list[int]:
  """Images kept for early stopping in each fold: in no other part."""
  return [
    size['n'] - fold['n_train'] - fold['n_test'] for fold in size['folds']
  ]


def missing(results: dict[str, Any]) -> str:
  """Why a cluster has no metric."""
  return f'not estimable: no test {formatting.unit(results)}'


def position(values: dict[str, Any], name: str) -> str | None:
  """Where a CV lies: 'above', 'inside' or 'below' what chance alone gives.

  Args:
    values: of a size or a fold.
    name: of the CV.

  Returns:
    None where the CV or the band cannot be estimated.
  """
  cv, band = values[name], interval(values, 'cv_band')
  if cv is None or band is None:
    return None
  if cv > band[1]:
    return 'above'
  return 'below' if cv < band[0] else 'inside'


def smallest_first(results: dict[str, Any]) -> list[dict[str, Any]]:
  """The sizes."""
  return sorted(results['sizes'], key=lambda size: size['n'])


def pairs(k: int) -> list[tuple[int, int]]:
  """Of clusters, as the paper's Table 1 lists them."""
  return [(a, b) for a in range(k) for b in range(a + 1, k)]


def published_sizes(results: dict[str, Any]) -> list[dict[str, Any]]:
  """What the paper gives for each of its sizes; nothing for other data."""
  return (results['published'] or {}).get('sizes', [])


def validity_rows(results: dict[str, Any]) -> list[dict[str, Any]]:
  """Indices of each algorithm and number of clusters."""
  return (results['validity'] or {}).get('rows', [])


def coinciding(results: dict[str, Any], fold: dict[str, Any]) -> list[set[int]]:
  """Clusters whose centroids are one in most trainings of a fold.

  Returns:
    Groups of clusters, none of which shares one with another.
  """
  groups: list[set[int]] = []
  for pair in fold.get('coinciding', ()):
    if 2 * pair['trainings'] <= results['cluster']['trainings']:
      continue
    joined = set(pair['clusters'])
    for group in [g for g in groups if g & joined]:
      groups.remove(group)
      joined |= group
    groups.append(joined)
  return groups

"""Numbers of a sample-size study as the report reads and writes them."""

from collections.abc import Callable, Sequence

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Row
from heterojax.report.blocks import Text
from heterojax.stats import heterogeneity
from heterojax.stats import metrics
from heterojax.studies.sample_size.records import Fold
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.records import Size

BASELINES = {
  'accuracy': 'always answering with the most frequent class of training',
  'one_minus_nrmse': 'always answering with the mean of training',
}
# What the paper recommends to stay below.
RECOMMENDED = heterogeneity.BANDS['recommended']


def why(value: object) -> str:
  """Why a value, or any of several, is null, in words; '' where none is."""
  reason = codec.why(value)
  return f'not estimable: {reason}' if reason else ''


def reasons(**estimates: object) -> str:
  """Why each value that is null is so, for a table's last column."""
  return blocks.reasons((name, why(value)) for name, value in estimates.items())


def entries(several: Partly[tuple[float | None, ...]]) -> list[Estimate]:
  """The values of several, each with the reason that they share."""
  return [Missing(several.why) if v is None else v for v in several.value]


def estimated(
  key: str,
  value: Callable[[Row], Estimate],
  head: Text = '',
  write: Callable[[float], str] | None = None,
) -> Column[Row]:
  """A column of estimates."""
  text = (lambda row: blocks.estimate(value(row), write)) if write else None
  return Column(key, lambda row: codec.known(value(row)), head, text)


def metric(results: Results) -> str:
  """The metric's name in a sentence."""
  return metrics.METRICS[results.metric].noun


def shown(results: Results, value: float) -> str:
  """A value of the metric in a sentence: accuracy in percent."""
  if results.metric == 'accuracy':
    return percent(value)
  return fraction(value)


def _signed(text: str) -> str:
  return text.replace('-', '−')


def fraction(value: float) -> str:
  return _signed(formatting.fraction(value))


def short(value: float) -> str:
  """Four digits, or all before the point."""
  return _signed(f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.4g}')


def percent(value: float, digits: int = 1) -> str:
  return _signed(formatting.percent(value, digits))


def of_size(n: float) -> str:
  """'n = 100', which no line break divides."""
  return f'n\u00a0=\u00a0{formatting.number(n)}'


def whole(value: float) -> str:
  """A count that may be a mean, short."""
  digits = 0 if abs(value - round(value)) < 0.05 else 1
  return f'{value:,.{digits}f}'


def spread(numbers: Sequence[float]) -> str:
  """'3–9', or '3' where all are 3."""
  low, high = whole(min(numbers)), whole(max(numbers))
  return low if low == high else f'{low}–{high}'


def tested(size: Size) -> str:
  """Number of test images of a fold of this size."""
  return spread([fold.n_test for fold in size.folds])


def tested_per_cluster(size: Size) -> str:
  """Smallest and largest test cluster over the folds."""
  return spread([n for fold in size.folds for n in fold.cluster_n_test])


def pairs(k: int) -> list[tuple[int, int]]:
  """The pairs of clusters, as the paper's Table 1 lists them."""
  return [(a, b) for a in range(k) for b in range(a + 1, k)]


def coinciding(results: Results, fold: Fold) -> list[set[int]]:
  """Clusters whose centroids are one in most trainings of a fold.

  Returns:
    Groups of clusters, none of which shares one with another.
  """
  groups: list[set[int]] = []
  for pair in fold.coinciding:
    if 2 * pair.trainings <= results.cluster.trainings:
      continue
    joined = set(pair.clusters)
    for group in [g for g in groups if g & joined]:
      groups.remove(group)
      joined |= group
    groups.append(joined)
  return groups

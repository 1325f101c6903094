"""The key numbers of a run with their intervals, for a forest plot."""

from collections.abc import Iterator, Sequence
import operator
from typing import Any, NamedTuple

from heterojax.comparison import cells
from heterojax.comparison.cells import Cell
from heterojax.comparison.runs import Run
from heterojax.records import codec
from heterojax.report import formatting
from heterojax.stats import metrics

KEY = 'key numbers'
_WHOLE = 'all test images'


class Panel(NamedTuple):
  """One key number of each run that has it."""

  title: str
  cells: tuple[Cell, ...]


def of_run(run: Run) -> Iterator[Cell]:
  """What stands in the forest plot of a run."""
  if hasattr(run.results, 'sizes'):
    yield from _by_size(run)
  else:
    yield from _of_clusters(run)
  if found := run.results.verdict:
    yield _effect(run, found.one_rule.clusters)


def panels(found: Sequence[Cell]) -> list[Panel]:
  """Cells by what they are of, in the order in which that is first met."""
  alike: dict[tuple[str, str], list[Cell]] = {}
  for cell in found:
    alike.setdefault((cell.row, cell.metric), []).append(cell)
  return [
    Panel(f'{title(metric)}, {row}', tuple(of))
    for (row, metric), of in alike.items()
  ]


def title(metric: str) -> str:
  """What a key number is called."""
  known = metrics.METRICS.get(metric)
  return known.title if known else _TITLES[metric]


_TITLES = {
  'gain': 'Gain by another rule',
  'mean_of_cvs': 'CV over clusters',
  'cv_expected': 'CV by chance alone',
}


def _of_clusters(run: Run) -> Iterator[Cell]:
  """Key numbers of a run of the retraining study."""
  overall = run.results.overall
  for name in ('accuracy', overall.ranking):
    where = (KEY, _WHOLE, name)
    yield cells.score(where, run.label, metrics.METRICS[name], overall)
  known = [
    (value, c)
    for c in run.results.clusters
    if (value := c.test.value('accuracy')) is not None
  ]
  if known:
    _, worst = min(known, key=operator.itemgetter(0))
    where, metric = (KEY, 'worst cluster', 'accuracy'), metrics.METRICS
    note = f'cluster {worst.id}'
    yield cells.score(where, run.label, metric['accuracy'], worst.test, note)


def _effect(run: Run, clusters: Sequence[Any]) -> Cell:
  """The largest gain in AUC of a cluster's own head beyond one rule."""
  where = (KEY, 'cluster with the largest', 'gain')
  known = [
    (value, c)
    for c, of in enumerate(clusters)
    if (value := codec.known(of.effect)) is not None
  ]
  if not known:
    return Cell(*where, run.label, None, note='not estimable in any cluster')
  value, c = max(known)
  low, high = codec.known(clusters[c].interval) or (None, None)
  kind = cells.INTERVAL if low is not None else ''
  note = f'cluster {c}'
  if (p := run.p_value) is not None:
    note = f'{note}; {formatting.p_equals(p)} of all'
  return Cell(*where, run.label, value, low, high, kind, note=note)


def _by_size(run: Run) -> Iterator[Cell]:
  """Key numbers of a sample-size run: metric and CV at each size."""
  for size in run.results.by_size:
    row = f'n = {formatting.number(size.n)}'
    for metric, mean, each in (
      (run.results.metric, size.metric_mean, [f.metric for f in size.folds]),
      ('mean_of_cvs', size.mean_of_cvs, [f.cv for f in size.folds]),
    ):
      known = [v for v in map(codec.known, each) if v is not None]
      low, high = (min(known), max(known)) if len(known) > 1 else (None, None)
      kind = (
        f'minimum to maximum of {len(known)} folds' if len(known) > 1 else ''
      )
      note = cells.joined(codec.why(mean) or '')
      value = codec.known(mean)
      yield Cell(KEY, row, metric, run.label, value, low, high, kind, note=note)
    band = codec.known(size.cv_band) or (None, None)
    value, (low, high) = codec.known(size.cv_expected), band
    kind = 'middle 95% of what chance gives' if value is not None else ''
    note = codec.why(size.cv_expected) or ''
    name = 'cv_expected'
    yield Cell(KEY, row, name, run.label, value, low, high, kind, note=note)

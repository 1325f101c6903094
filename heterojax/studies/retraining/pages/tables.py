"""The tables of a retraining study, from its results alone.

A value that cannot be estimated is an empty cell of the CSV file, and the
column `reason` says why. What Wang 2023 reports stands in rows of its own,
`source` published.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Row
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.blocks import estimate
from heterojax.report.blocks import missing
from heterojax.report.blocks import quiet
from heterojax.report.blocks import reasons
from heterojax.report.blocks import stacked
from heterojax.report.blocks import with_small
from heterojax.stats import metrics
from heterojax.stats.metrics import Classes
from heterojax.stats.metrics import Metric
from heterojax.stats.scores import Score
from heterojax.stats.scores import Values
from heterojax.studies.pages import clusters as cluster_words
from heterojax.studies.pages import scores
from heterojax.studies.pages import shortcuts
from heterojax.studies.pages import verdict
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import Fold
from heterojax.studies.retraining.records import Own
from heterojax.studies.retraining.records import Pair
from heterojax.studies.retraining.records import PublishedCluster
from heterojax.studies.retraining.records import Random
from heterojax.studies.retraining.records import Results

_OURS, _PUBLISHED = 'this run', 'published'


def _ends(
  key: str,
  pair: Callable[[Row], scores.Ends],
  ends: tuple[str, str] = ('lo', 'hi'),
) -> list[Column[Row]]:
  """Two columns of the CSV file, whose names end with those of a pair."""
  return [
    Column(f'{key}_{end}', lambda row, i=i: (pair(row) or (None, None))[i])
    for i, end in enumerate(ends)
  ]


class _Tested(NamedTuple):
  """A row of Table 1: some test images, and the head of all images on them."""

  source: str
  part: str
  title: Text
  n: float | None
  counts: Sequence[float | None]
  score: Values
  note: str = ''


def _tested(source: str, part: str, title: Text, score: Score) -> _Tested:
  return _Tested(source, part, title, score.n, score.class_sizes, score)


def _accuracy(results: Results) -> list[Column[_Tested]]:
  """Number, class mix and accuracy of rows that are `_Tested`."""
  name = 'accuracy'

  def text(row: _Tested) -> Text:
    if row.source == _OURS:
      return scores.cell(row.score, name)
    return estimate(row.score.value(name), formatting.exact)

  def n(row: _Tested) -> Text:
    if row.n is None:
      return quiet('n not reported')
    return formatting.number(row.n)

  return [
    Column('n', lambda row: row.n, 'n', n),
    *(
      Column(key, lambda row, i=i: row.counts[i], head)
      for i, (key, head) in enumerate(of_each(results.classes))
    ),
    Column(
      name,
      lambda row: row.score.value(name),
      metrics.METRICS[name].title,
      text,
    ),
    *_ends(name, lambda row: row.score.interval(name)),
    Column('reason', lambda row: row.note or row.score.why(name)),
  ]


def table1(results: Results) -> Table[_Tested]:
  """Accuracy of the overall head, on the whole test set and per cluster."""
  rows = [_tested(_OURS, 'whole test set', 'All', results.overall)]
  rows += [
    _tested(_OURS, f'cluster {c.id}', f'Cluster {c.id}', c.test)
    for c in results.clusters
  ]
  if paper := results.paper:
    d = paper.dataset
    counts = tuple(d.class_counts_test.values())
    rows.append(
      _Tested(
        _PUBLISHED,
        'whole test set',
        quiet('The paper’s test set'),
        d.n_test,
        counts,
        paper.overall,
      )
    )
    rows += [
      _Tested(
        _PUBLISHED,
        f'cluster {c.number} of its {paper.printed_in["overall"]}',
        quiet(f'The paper’s cluster {c.number}'),
        None,
        (None, None),
        c.test,
        'n not reported',
      )
      for c in paper.test_clusters
    ]
  return Table(
    'table1',
    [
      Column('source', lambda row: row.source),
      Column(
        'part',
        lambda row: row.part,
        f'Test {results.backbone.unit}s',
        lambda row: row.title,
        align='text',
      ),
      *_accuracy(results),
    ],
    rows,
  )


def classes(results: Results) -> Table[int]:
  """Each of more than two classes: what is answered, and how often rightly."""
  names, unit = results.classes.names, results.backbone.unit
  whole = results.overall.table

  def right(i: int) -> float | None:
    return whole[i][i] / sum(whole[i]) if sum(whole[i]) else None

  def ends(i: int) -> scores.Ends:
    return (results.overall.sensitivity_intervals or {}).get(names[i])

  def text(i: int) -> Text:
    if (value := right(i)) is None:
      return missing(f'not estimable: no test {unit} is of this class')
    return with_small(formatting.fraction(value), scores.between(ends(i)))

  def inside(i: int, c: Cluster) -> Estimate:
    return (c.test.sensitivities or {})[names[i]]

  columns: list[Column[int]] = [
    Column('class', lambda i: names[i], 'Class', align='text'),
    Column('n', lambda i: sum(whole[i]), f'Test {unit}s'),
    *(
      Column(f'answered_{name}', lambda i, at=at: whole[i][at], f'“{name}”')
      for at, name in enumerate(names)
    ),
    Column(
      'sensitivity',
      right,
      'Sensitivity',
      text,
      f'share of the test {unit}s of the class that are classified rightly',
    ),
    *_ends('sensitivity', ends),
    *(
      Column(
        f'sensitivity_in_cluster_{c.id}',
        lambda i, c=c: codec.known(inside(i, c)),
        f'In cluster {c.id}',
        lambda i, c=c: estimate(inside(i, c), formatting.fraction),
      )
      for c in results.clusters
    ),
  ]
  caption = (
    f'Each class (row) and what the head of all {unit}s answers (columns in'
    ' quotes).'
  )
  return Table('classes', columns, range(len(names)), caption)


class _Row3(NamedTuple):
  """A row of Table 3."""

  source: str
  cluster: Cluster | PublishedCluster
  n_test: int

  @property
  def ours(self) -> bool:
    return self.source == _OURS


def table3(results: Results) -> Table[_Row3]:
  """Each cluster's retrained head beside the random heads of its size."""
  d, unit = results.dataset, results.backbone.unit
  rows = [_Row3(_OURS, c, d.n_test) for c in results.clusters]
  if paper := results.paper:
    n_test = paper.dataset.n_test
    rows += [_Row3(_PUBLISHED, c, n_test) for c in paper.clusters]
  columns: list[Column[_Row3]] = [
    Column('source', lambda row: row.source),
    Column('cluster', lambda row: row.cluster.id, 'Cluster', align='text'),
    Column(
      'size',
      lambda row: row.cluster.size,
      formatting.capital(f'{unit}s'),
      _size_and_mix,
      f'of training; below, {" + ".join(results.classes.names)}',
    ),
    *_class_counts(results.classes),
    Column(
      'distinct_originals',
      lambda row: getattr(row.cluster, 'distinct_originals', None),
    ),
    Column(
      'intra_cluster_distance',
      lambda row: codec.known(row.cluster.intra_cluster_distance),
      'Intra-cluster distance',
      lambda row: estimate(
        row.cluster.intra_cluster_distance,
        formatting.distance if row.ours else formatting.exact,
      ),
      f'mean distance of all pairs of training {unit}s in a cluster; smaller is'
      ' more alike',
    ),
    Column('n_test', lambda row: row.n_test),
    Column('', lambda row: None, 'Trained on', _trained_on, align='short'),
  ]
  shown = list(dict.fromkeys(f.key for row in rows for f in _families(row)))
  names = metrics.names(results.classes.task)
  for name in names:
    columns += _of_both(metrics.METRICS[name], unit, results.classes, shown)
  columns.append(Column('reason', lambda row: _reason3(row, names)))
  return Table('table3', columns, rows)


def of_each(classes: Classes) -> list[tuple[str, str]]:
  """Key and head of a column of numbers of images for each class."""
  keys = [f'n_of_{name}' for name in classes.names]
  if len(keys) == 2:
    keys = ['n_positive', 'n_negative']
  return list(zip(keys, classes.names, strict=True))


def _class_counts(classes: Classes) -> list[Column[_Row3]]:
  """Columns of the file: training images of each class."""
  return [
    Column(key, lambda row, i=i: list(row.cluster.class_counts.values())[i])
    for i, (key, _) in enumerate(of_each(classes))
  ]


def _size_and_mix(row: _Row3) -> Text:
  counts = map(formatting.number, row.cluster.class_counts.values())
  return with_small(formatting.number(row.cluster.size), ' + '.join(counts))


class _Family(NamedTuple):
  """Heads that differ by chance alone, and what they are called."""

  key: str
  title: str
  runs: Own | Random


def _families(row: _Row3) -> list[_Family]:
  """The random heads of a cluster beside those of `random`."""
  c = row.cluster
  if not isinstance(c, Cluster):
    return []
  named = (
    ('random_originals', 'random, any class mix', c.random_originals),
    ('random_same_mix', 'random, same class mix', c.random_same_mix),
  )
  return [_Family(key, title, runs) for key, title, runs in named if runs]


def _own(row: _Row3) -> Own | None:
  """All trainings of a cluster's own head, where there are several."""
  own = row.cluster.retrained_runs if isinstance(row.cluster, Cluster) else None
  return own if own and len(own.runs) > 1 else None


def _trained_on(row: _Row3) -> Text:
  if not row.ours:
    return stacked('cluster', 'random')
  titles = [with_small('cluster', '95% interval')]
  if own := _own(row):
    titles.append(with_small(f'cluster, mean of {len(own.runs)} ± sd', ''))
  families = _families(row)
  random = 'random'
  if families:
    random += ' rows' if len(families) > 1 else ', any class mix'
  titles.append(with_small(f'{random} ± sd', 'min to max'))
  return stacked(*titles, *(f'{f.title} ± sd' for f in families))


def _extremes(random: Values, name: str) -> scores.Ends:
  """Smallest and largest over the random runs; None where not reported."""
  return random.extremes(name) if isinstance(random, Random) else None


def _deviation(runs: Values | None, name: str) -> float | None:
  """Standard deviation over runs; None where there are not several."""
  return runs.deviation(name) if isinstance(runs, (Own, Random)) else None


def _with_deviation(runs: Own | Random, name: str, small: str = '') -> Text:
  """A mean, how far the runs are from it, and something smaller below."""
  if (value := runs.value(name)) is None:
    return scores.cell(runs, name)
  text = formatting.fraction(value)
  if (deviation := _deviation(runs, name)) is not None:
    # On one line: lines of a cell stand beside those of the others.
    text += f'\xa0±\xa0{formatting.fraction(deviation)}'
  return with_small(text, small)


def _of_both(
  metric: Metric, unit: str, classes: Classes, shown: Sequence[str]
) -> list[Column[_Row3]]:
  """A metric of the retrained head and of the random heads.

  Args:
    metric: which.
    unit: what one sample is called.
    classes: of the study.
    shown: keys of the families beside `random` that the results have.
  """
  name = metric.name

  def retrained(row: _Row3) -> Values:
    return row.cluster.retrained

  def random(row: _Row3) -> Values:
    return row.cluster.random

  def text(row: _Row3) -> Text:
    if not row.ours:
      return stacked(
        *(
          estimate(of.value(name), formatting.exact)
          for of in (retrained(row), random(row))
        )
      )
    cells: list[Text] = [scores.cell(retrained(row), name)]
    if retrained(row).interval(name) is None:
      # As many lines as beside it, where there are intervals.
      cells = [with_small(cells[0], '\xa0')]
    if own := _own(row):
      cells.append(_with_deviation(own, name))
    drawn = row.cluster.random
    if isinstance(drawn, Random):
      ends = scores.between(drawn.extremes(name))
      cells.append(_with_deviation(drawn, name, ends))
    cells += [_with_deviation(f.runs, name) for f in _families(row)]
    return stacked(*cells)

  def family(row: _Row3, key: str) -> Values | None:
    return next((f.runs for f in _families(row) if f.key == key), None)

  columns: list[Column[_Row3]] = [
    Column(
      f'retrained_{name}',
      lambda row: retrained(row).value(name),
      metric.title,
      text,
      scores.definition(metric, unit, classes.names),
    ),
    *_ends(f'retrained_{name}', lambda row: retrained(row).interval(name)),
    *_mean_and_deviation(f'retrained_seeds_{name}', name, _own),
    Column(f'random_{name}', lambda row: random(row).value(name)),
    *_ends(
      f'random_{name}',
      lambda row: _extremes(random(row), name),
      ('min', 'max'),
    ),
    Column(f'random_{name}_sd', lambda row: _deviation(random(row), name)),
  ]
  for key in shown:
    columns += _mean_and_deviation(
      f'{key}_{name}', name, lambda row, key=key: family(row, key)
    )
  return columns


def _mean_and_deviation(
  key: str, name: str, runs: Callable[[_Row3], Values | None]
) -> list[Column[_Row3]]:
  """Two columns of the CSV file; empty where there are no such runs."""

  def mean(row: _Row3) -> float | None:
    found = runs(row)
    return found.value(name) if found else None

  return [
    Column(key, mean),
    Column(f'{key}_sd', lambda row: _deviation(runs(row), name)),
  ]


def _reason3(row: _Row3, names: Sequence[str]) -> str:
  distance = row.cluster.intra_cluster_distance
  whys = [('intra_cluster_distance', formatting.why_null(distance))]
  for name in names:
    whys += [
      (f'retrained_{name}', row.cluster.retrained.why(name)),
      (f'random_{name}', row.cluster.random.why(name)),
      *((f'{f.key}_{name}', f.runs.why(name)) for f in _families(row)),
    ]
  if not row.ours:
    whys.append(('random minimum and maximum', 'not reported'))
  return reasons(whys)


def between_cluster_distances(
  results: Results,
) -> Table[tuple[int, tuple[float, ...]]]:
  """Figure 1 as numbers: Euclidean distances of the centroids."""
  ids = [c.id for c in results.clusters]
  columns: list[Column[tuple[int, tuple[float, ...]]]] = [
    Column('cluster', lambda row: row[0]),
    *(
      Column(f'cluster_{i}', lambda row, at=at: row[1][at])
      for at, i in enumerate(ids)
    ),
  ]
  rows = list(zip(ids, results.between_cluster_distances, strict=True))
  return Table('between_cluster_distances', columns, rows)


def distance_vs_performance(results: Results) -> Table[Pair]:
  """Each pair's centroid distance and how much its heads' metrics differ."""
  names = metrics.names(results.classes.task)

  def reason(pair: Pair) -> str:
    why = 'not estimable: one of the two metrics is not'
    return reasons(
      (f'difference_{name}', why) for name in names if pair.of(name) is None
    )

  return Table(
    'distance_vs_performance',
    [
      Column('a', lambda pair: pair.a),
      Column('b', lambda pair: pair.b),
      Column('centroid_distance', lambda pair: pair.centroid_distance),
      *(
        Column(f'difference_{name}', lambda pair, name=name: pair.of(name))
        for name in names
      ),
      Column('reason', reason),
    ],
    results.distance_vs_performance.pairs,
  )


def transfer(results: Results) -> Table[tuple[int, int, _Tested]]:
  """The head of each cluster in each test cluster."""
  rows = [
    (c.id, j, _tested(_OURS, '', '', score))
    for c in results.clusters
    for j, score in enumerate(c.retrained_in_test_clusters)
  ]
  columns: list[Column[tuple[int, int, _Tested]]] = [
    Column('head_of_cluster', lambda row: row[0]),
    Column('test_cluster', lambda row: row[1]),
    *(
      Column(column.key, lambda row, of=column.value: of(row[2]))
      for column in _accuracy(results)
    ),
  ]
  return Table('transfer', columns, rows)


def folds(results: Results) -> Table[tuple[int, Fold]]:
  """Each fold's sizes, the score of its overall head, and its clusters."""
  rows = list(enumerate(results.folds or ()))
  copies = ' with copies' if results.copies else ''
  columns: list[Column[tuple[int, Fold]]] = [
    Column('fold', lambda row: row[0], 'Fold', align='text'),
    Column('n_train', lambda row: row[1].n_train),
    Column(
      'n_train_augmented',
      lambda row: row[1].n_train_augmented,
      f'Training{copies}',
    ),
    Column('n_validation', lambda row: row[1].n_validation, 'Validation'),
    Column('n_test', lambda row: row[1].n_test, 'Test'),
  ]
  shown = metrics.of_task(results.classes.task)
  for metric in shown:
    columns += _of_folds(metric)
  return Table(
    'folds',
    [
      *columns,
      *(
        Column(
          f'size_of_cluster_{c.id}', lambda row, c=c: row[1].cluster_sizes[c.id]
        )
        for c in results.clusters
      ),
      Column('', lambda row: None, 'Cluster sizes', _sizes),
      Column(
        'adjusted_rand_with_first',
        lambda row: row[1].adjusted_rand_with_first,
        'Agreement of its clusters with the first fold’s',
        _agreement,
        align='text',
      ),
      Column('reason', lambda row: _reason_of_fold(row, shown)),
    ],
    rows,
  )


def _of_folds(metric: Metric) -> list[Column[tuple[int, Fold]]]:
  """A metric of the overall head."""
  name = metric.name
  return [
    Column(
      name,
      lambda row: row[1].overall.value(name),
      metric.title,
      lambda row: scores.cell(row[1].overall, name),
    ),
    *_ends(name, lambda row: row[1].overall.interval(name)),
  ]


def _sizes(row: tuple[int, Fold]) -> str:
  return ' + '.join(map(formatting.number, row[1].cluster_sizes))


def _agreement(row: tuple[int, Fold]) -> Text:
  number, fold = row
  if not number:
    return quiet('is the first')
  rand = fold.adjusted_rand_with_first
  return f'{cluster_words.agreement(rand)} ({formatting.signed(rand)})'


def _reason_of_fold(row: tuple[int, Fold], shown: Sequence[Metric]) -> str:
  score = row[1].overall
  return reasons((m.name, score.why(m.name)) for m in shown)


def every(results: Results) -> list[Table]:
  """All tables that have a CSV file."""
  made = [
    table1(results),
    table3(results),
    between_cluster_distances(results),
    distance_vs_performance(results),
    transfer(results),
    shortcuts.table(results.shortcuts, results.backbone.unit),
    *verdict.tables(results.verdict),
  ]
  if len(results.classes.names) > 2:
    made.append(classes(results))
  return made + ([folds(results)] if results.folds else [])

"""The second data set: how the clusters and heads of the first do on it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.blocks import estimate
from heterojax.report.blocks import reasons
from heterojax.stats import metrics
from heterojax.stats.scores import Score
from heterojax.studies.pages import checklists
from heterojax.studies.pages import scores
from heterojax.studies.retraining.external_records import Difference
from heterojax.studies.retraining.external_records import External
from heterojax.studies.retraining.external_records import Shift
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.records import Results

_ANCHOR = 'external'
# What the page shows; the CSV file has all.
_SHOWN = ('accuracy', 'auc', 'macro_auc')


class _Row(NamedTuple):
  """All images of the second data set, or those of one cluster."""

  part: str
  n: int
  n_test: int
  counts: Sequence[float]
  distances: Sequence[Estimate]  # Of them, of training, of test; or none.
  overall: Score
  own: Score | None = None
  own_on_all: Score | None = None


def link(results: Results) -> list[Block]:
  """Where it stands, for the head of the page; nothing without one."""
  found = codec.known(results.external)
  if found is None:
    return []
  text = Markup('{} See <a href="#{}">The second data set</a>.')
  return [Paragraph(text.format(found.sentence, _ANCHOR))]


def sections(results: Results) -> list[Section]:
  """The section; none without a second data set."""
  found = codec.known(results.external)
  if found is None:
    return []
  one, shift = results.backbone.unit, found.shift
  folds = ''
  if results.folds:
    folds = (
      ' Clusters, distances and this comparison are those of the first fold; a'
      ' head is the mean of the logits of its heads of all folds.'
    )
  used = (
    f'{formatting.number(found.n)} of {formatting.number(found.n_candidates)}'
    f' candidate {one}s of {found.name} are used; '
  )
  blocks: list[Block] = [
    Paragraph(found.sentence),
    Paragraph(
      f'How many {one}s are in each cluster: {_p(shift.clusters)} (chi-square).'
      f' How they lie in the clustering space: {_p(shift.space)} (energy'
      f' distance{_part(found, one)}).{_exchanged(found, one)}{folds}',
      'quiet',
    ),
    Paragraph(_score(results, found)),
    table(results),
    Paragraph(
      Markup(
        '{}<code>external.csv</code> has every one. Near duplicates of the'
        ' first data set were not looked for.'
      ).format(used),
      'quiet',
    ),
  ]
  if found.notes:
    blocks.append(Items(found.notes, 'quiet'))
  return [
    Section('The second data set', blocks, _ANCHOR, asked=checklists.EXTERNAL)
  ]


def _exchanged(found: External, one: str) -> str:
  shift = found.shift
  if codec.known(shift.clusters.p_value) is None:
    return ''
  return (
    f' Which data set {_units(found, one)} is of was exchanged {_draws(shift)},'
    f' among those with as many {one}s of each class, so that another'
    ' prevalence alone is no difference;'
    f' {formatting.percent(shift.moved, 0)} of the {one}s have such others. The'
    ' p-values are adjusted for the two questions (Holm).'
  )


def _p(difference: Difference) -> str:
  if (value := codec.known(difference.adjusted)) is None:
    return f'not tested, as {codec.why(difference.adjusted)}'
  return formatting.p_equals(value)


def _part(found: External, one: str) -> str:
  shift = found.shift
  if shift.space.n == shift.clusters.n:
    return ''
  n = formatting.number(shift.space.n)
  return f', of a random part of {n} {one}s of both'


def _units(found: External, one: str) -> str:
  return 'a patient' if found.shift.unit == 'patient' else f'each {one}'


def _draws(shift: Shift) -> str:
  clusters = shift.clusters
  n = formatting.number(clusters.draws)
  if clusters.enumerated:
    return f'in all {n} ways'
  return f'{n} times at random'


def _score(results: Results, found: External) -> str:
  one = results.backbone.unit
  parts = []
  for name in _SHOWN:
    new, first = found.overall.value(name), results.overall.value(name)
    if new is not None and first is not None:
      parts.append(
        f'{metrics.METRICS[name].noun} {formatting.fraction(new)} and'
        f' {formatting.fraction(first)}'
      )
  if not parts:
    return (
      f'The head of all training {one}s cannot be scored on both data sets.'
    )
  return (
    f'The head of all training {one}s on the second data set and on the test'
    f' {one}s of the first: {", ".join(parts)}.'
  )


def table(results: Results) -> Table[_Row]:
  """Each cluster of the second data set, and the heads on it."""
  found = codec.known(results.external)
  assert found is not None
  one, classes = results.backbone.unit, results.classes
  rows = [
    _Row(
      'all',
      found.n,
      found.shift.n_test,
      [found.class_counts[name] for name in classes.names],
      (),
      found.overall,
    )
  ]
  rows += [
    _Row(
      f'cluster {c.id}',
      c.n,
      c.n_test,
      [c.class_counts[name] for name in classes.names],
      (c.distance, c.distance_train, c.distance_test),
      c.overall,
      c.retrained,
      on_all,
    )
    for c, on_all in zip(found.clusters, found.retrained, strict=True)
  ]
  all_n, all_test = max(found.n, 1), max(found.shift.n_test, 1)
  columns: list[Column[_Row]] = [
    Column(
      'part',
      lambda row: row.part,
      formatting.capital(f'{one}s'),
      lambda row: formatting.capital(row.part),
      align='text',
    ),
    Column('n', lambda row: row.n, 'n'),
    *(
      Column(key, lambda row, i=i: row.counts[i], name)
      for i, (key, name) in enumerate(tables.of_each(classes))
    ),
    Column(
      'share',
      lambda row: row.n / all_n,
      'Share',
      lambda row: formatting.percent(row.n / all_n, 0),
    ),
    Column('n_test', lambda row: row.n_test),
    Column(
      'share_test',
      lambda row: row.n_test / all_test,
      f'Share of test {one}s',
      lambda row: formatting.percent(row.n_test / all_test, 0),
      f'of the first data set{", first fold" if results.folds else ""};'
      f' patients with {"an" if one == "image" else "a"} {one} in both are left'
      ' out',
    ),
    *(
      Column(
        key,
        lambda row, i=i: (
          codec.known(row.distances[i]) if row.distances else None
        ),
        head,
        lambda row, i=i: _distance(row, i),
        definition,
      )
      for i, (key, head, definition) in enumerate((
        (
          'distance',
          'Distance',
          f'mean distance of these {one}s to the centroid of the cluster',
        ),
        (
          'distance_train',
          f'Distance of training {one}s',
          'that of the first data set, which the centroid was fitted to',
        ),
        (
          'distance_test',
          f'Distance of test {one}s',
          f'that of the test {one}s of which the share is',
        ),
      ))
    ),
  ]
  heads: tuple[tuple[str, str, Callable[[_Row], Score | None], str], ...] = (
    ('overall', 'head of all', lambda row: row.overall, ''),
    (
      'own',
      'own head',
      lambda row: row.own,
      f'of the cluster’s head on these {one}s',
    ),
    (
      'own_on_all',
      'own head, on all',
      lambda row: row.own_on_all,
      f'of the cluster’s head on all {one}s of the second data set',
    ),
  )
  names = metrics.names(classes.task)
  for name in names:
    for key, head, of, definition in heads:
      columns += _metric(name, key, head, of, definition)
  columns.append(Column('reason', lambda row: _reason(row, names)))
  return Table('external', columns, rows)


def _distance(row: _Row, i: int) -> Text:
  return (
    estimate(row.distances[i], formatting.distance) if row.distances else ''
  )


def _metric(
  name: str,
  key: str,
  head: str,
  of: Callable[[_Row], Score | None],
  definition: str,
) -> list[Column[_Row]]:
  """A metric of one kind of head, and the ends of its interval."""

  def value(row: _Row) -> object:
    score = of(row)
    return score.value(name) if score else None

  def text(row: _Row) -> Text:
    score = of(row)
    return scores.cell(score, name) if score else ''

  def end(row: _Row, i: int) -> object:
    score = of(row)
    interval = score.interval(name) if score else None
    return interval[i] if interval else None

  title = f'{metrics.METRICS[name].title}, {head}' if name in _SHOWN else ''
  return [
    Column(f'{name}_{key}', value, title, text, definition),
    Column(f'{name}_{key}_lo', lambda row: end(row, 0)),
    Column(f'{name}_{key}_hi', lambda row: end(row, 1)),
  ]


def _reason(row: _Row, names: Sequence[str]) -> str:
  distances = 'distance', 'distance_train', 'distance_test'
  whys = [
    (name, codec.why(value))
    for name, value in zip(distances, row.distances, strict=False)
  ]
  for key, score in (
    ('overall', row.overall),
    ('own', row.own),
    ('own_on_all', row.own_on_all),
  ):
    if score:
      whys += [(f'{name}_{key}', score.why(name)) for name in names]
  return reasons(whys)

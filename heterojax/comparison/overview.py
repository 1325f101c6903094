"""The first blocks of a comparison: answers, settings, key numbers, ranks."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from heterojax.comparison import agreement
from heterojax.comparison import forest
from heterojax.comparison import numbers
from heterojax.comparison import ranking
from heterojax.comparison import reasons
from heterojax.comparison import shown
from heterojax.comparison.agreement import Setting
from heterojax.comparison.runs import Run
from heterojax.comparison.side_by_side import Comparison
from heterojax.report import blocks
from heterojax.report import drawing
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.blocks import on_page

_SAME = 'All settings that the runs have kept are the same.'
_FOREST = (
  'A point is the value, a line its interval: 95% of a share, an AUC or a'
  ' gain; over folds, the smallest and the largest of them; of the CV that'
  ' chance alone gives, the middle 95%. The worst cluster, and that with the'
  ' largest gain, are chosen after the fact, and are others in each run.'
)
_RANKING = (
  'Runs stand in the order of the AUC of the head of all images. Two runs are'
  ' compared on the test images of both, in which what both find hard cancels'
  ' (DeLong’s variance; images of one patient count together). The variance is'
  ' made larger by what another training set would change (Nadeau and Bengio'
  ' 2003), and p-values are adjusted for the number of pairs (Holm).'
)


def answers(runs: Sequence[Run]) -> Iterator[Block]:
  """What the runs are, what they answered, and how their settings differ."""
  yield Table(
    '',
    [
      on_page('Run', lambda run: run.name, 'text'),
      on_page('Does another rule hold in a cluster?', _answer, 'text'),
      on_page('p', _p_value, 'short'),
      on_page('Study', lambda run: run.study.replace('_', ' '), 'text'),
      on_page('Data set', lambda run: run.results.dataset.name, 'text'),
      on_page(
        'Network and features',
        lambda run: reasons.features(run.results.backbone),
        'long',
      ),
      on_page('Seed', lambda run: run.results.seed),
    ],
    runs,
  )
  if len(runs) < 2:
    return
  yield Heading('Settings that differ')
  if differ := agreement.settings(runs):
    yield Table(
      '',
      [
        on_page('Setting', lambda setting: setting.name, 'text'),
        on_page('Values, and the runs that have them', _values, 'long'),
      ],
      differ,
    )
  else:
    yield Paragraph(_SAME)
  if lost := [run.name for run in runs if run.config is None]:
    yield Paragraph(
      f'{formatting.listed(lost)}: there is no config.json, so that their'
      ' settings are not known.',
      'quiet',
    )


def group(c: Comparison, number: int) -> Iterator[Block]:
  """Key numbers of the runs of a group, and which of them ranks images best.

  Args:
    c: of the group.
    number: of the group, after which its figure is called.
  """
  yield Heading('Key numbers')
  panels = _panels(c)
  yield blocks.Figure(
    _figure(number),
    'Forest plot of '
    + '; '.join(panel.title for panel in panels)
    + '. The numbers are in the table below.',
    _FOREST,
  )
  yield Table(
    '',
    [
      on_page('Run', lambda run: run.label, 'text'),
      *(on_page(panel.title, _cell_in(panel)) for panel in panels),
    ],
    c.group.runs,
  )
  if len(c.group.runs) < 2 or not c.group.classes.names:
    return
  yield Heading('Which run ranks new images best')
  yield Items(ranking.sentences(c.pairs) or ['There is nothing to compare.'])
  yield _ranks(c)
  yield Paragraph(_RANKING, 'quiet')


def figures(compared: Sequence[Comparison]) -> dict[str, bytes]:
  """The forest plots: file name to content."""
  drawn = {}
  with drawing.style():
    for number, c in enumerate(compared):
      labels = [run.label for run in c.group.runs]
      figure = forest.draw(_panels(c), labels)
      drawn |= drawing.files({_figure(number): figure})
  return drawn


def _figure(number: int) -> str:
  return f'forest_{number}'


def _panels(c: Comparison) -> list[numbers.Panel]:
  return numbers.panels([cell for cell in c.cells if cell.table == numbers.KEY])


def _cell_in(panel: numbers.Panel) -> Callable[[Run], Text]:
  of_runs = {cell.source: cell for cell in panel.cells}

  def cell(run: Run) -> Text:
    own = of_runs.get(run.label)
    text = shown.text(own)
    return blocks.with_small(text, own.note if own and own.value else '')

  return cell


def _answer(run: Run) -> Text:
  return run.answer or blocks.quiet('not asked')


def _p_value(run: Run) -> Text:
  if run.p_value is None:
    return blocks.quiet('none')
  return formatting.p_equals(run.p_value)


def _values(setting: Setting) -> Text:
  return blocks.stacked(
    *(
      f'{value}: {formatting.listed(names)}'
      for value, names in setting.runs.items()
    )
  )


def _ranks(c: Comparison) -> Table[Run]:
  """The runs, the best first, each beside the best of all."""
  runs = ranking.order(c.group)
  best = runs[0].label
  beside: Mapping[str, ranking.Pair] = {
    ({pair.better, pair.worse} - {best}).pop(): pair
    for pair in c.pairs
    if best in (pair.better, pair.worse)
  }

  def difference(run: Run) -> Text:
    pair = beside.get(run.label)
    if pair is None or pair.difference is None:
      return '' if run.label == best else blocks.missing('not comparable')
    sign = 1 if pair.better == best else -1
    low, high = sorted(sign * end for end in pair.difference.interval)
    return blocks.with_small(
      shown.signed(sign * pair.difference.value),
      f'{shown.signed(low)} to {shown.signed(high)}, n = {pair.n}',
    )

  def adjusted(run: Run) -> Text:
    pair = beside.get(run.label)
    p = pair.adjusted if pair else None
    return '' if p is None else formatting.p_equals(p)

  return Table(
    '',
    [
      on_page('Run', lambda run: run.label, 'text'),
      on_page('AUC', _auc),
      on_page(f'{best} is better by', difference),
      on_page('p, adjusted', adjusted, 'short'),
      on_page('Answer', _answer, 'text'),
      on_page('p of the answer', _p_value, 'short'),
      on_page('Accuracy in clusters', _in_clusters, 'long'),
    ],
    runs,
  )


def _auc(run: Run) -> Text:
  value = ranking.auc(run)
  if value is None:
    return blocks.missing('not estimable')
  scored = ranking.scores_of(run)
  ends = scored[0].interval(scored[0].ranking) if len(scored) == 1 else None
  small = f'{ends[0]:.3f} to {ends[1]:.3f}' if ends else ''
  return blocks.with_small(formatting.fraction(value), small)


def _in_clusters(run: Run) -> str:
  if hasattr(run.results, 'sizes'):
    values = run.results.largest.cluster_metric_mean.value
    each = [(c, value, '') for c, value in enumerate(values)]
  else:
    each = [
      (c.id, c.test.value('accuracy'), f' (n = {formatting.number(c.test.n)})')
      for c in run.results.clusters
    ]
  return '; '.join(
    f'{c}: {"none" if value is None else formatting.fraction(value)}{n}'
    for c, value, n in each
  )

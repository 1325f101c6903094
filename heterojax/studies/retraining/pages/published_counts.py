"""What the published counts can show, as sentences and a table."""

from collections.abc import Mapping, Sequence

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.stats import inference
from heterojax.studies.retraining.paper_counts import PaperCounts
from heterojax.studies.retraining.paper_counts import Reconstruction
from heterojax.studies.retraining.paper_counts import SameMix
from heterojax.studies.retraining.records import Published
from heterojax.studies.retraining.records import PublishedCluster
from heterojax.studies.retraining.records import Results

TITLE = 'What the published counts can show'
_LEVEL = 0.05


def sections(results: Results) -> list[Section]:
  """The section; none where the paper has no such classes."""
  paper = results.paper
  if paper is None or isinstance(paper.counts, Missing):
    return []
  items = [*sentences(paper), *_explained(paper.counts, paper.clusters)]
  beside = {'Same class mix in this run': paper.counts.same_mix}
  return [Section(TITLE, [Items(items), *table(paper, beside)])]


def same_mix_of(results: Results) -> tuple[SameMix, ...] | Missing:
  """The heads of the published class mixes in a run."""
  if (paper := results.paper) is None:
    return Missing('the paper reports no such pair of classes')
  counts = paper.counts
  return counts if isinstance(counts, Missing) else counts.same_mix


def sentences(paper: Published) -> list[str]:
  """What can be said of the paper's counts without any run."""
  counts = codec.known(paper.counts)
  if counts is None:
    return []
  printed, clusters = paper.printed_in['overall'], paper.printed_in['clusters']
  runs, k = counts.random_runs, len(paper.clusters)
  return [
    _of_chance(counts, printed),
    *_reconstructed(paper, counts, printed),
    f'{clusters}: beside {runs} random runs the p-value of one cluster is at'
    f' least 1/{runs + 1} = {counts.least_p_value:.2f}, and'
    f' {counts.least_adjusted_p_value:.2f} when it is corrected for {k}'
    ' clusters (Holm). By itself the table cannot show that a cluster teaches'
    ' something else.',
  ]


def _of_chance(counts: PaperCounts, printed: str) -> str:
  if isinstance(counts.p_value, Missing):
    return f'The paper’s {printed} cannot be tested: {counts.p_value.why}.'
  low, high = counts.p_value
  p = f'p = {low:.2f}'
  if f'{low:.2f}' != f'{high:.2f}':
    p = f'p from {low:.2f} to {high:.2f}'
  verdict = 'may or may not be chance'
  if low >= _LEVEL:
    verdict = 'is consistent with chance'
  elif high < _LEVEL:
    verdict = 'is not explained by chance alone'
  number = len(counts.reconstructions)
  every = f', for each of {number} possible sizes' if number > 1 else ''
  return (
    f'The paper’s {printed} {verdict}: {p} (exact, {counts.n_test}'
    f' images{every}).'
  )


def _reconstructed(
  paper: Published, counts: PaperCounts, printed: str
) -> list[str]:
  """How sizes follow from accuracies."""
  rows = counts.reconstructions
  if not rows:
    return []
  shares = formatting.listed(
    _share(rows, k) for k in range(len(paper.test_clusters))
  )
  text = (
    f'{printed} gives no sizes. Its accuracies are those of {shares} images,'
    f' and of no others that sum to {counts.n_test} with the errors of the'
    ' whole test set.'
  )
  for k in counts.misprinted:
    value = formatting.exact(paper.test_clusters[k].test.value('accuracy') or 0)
    text += (
      f' {value} is no share of at most {counts.n_test} images: of it the first'
      ' two digits were used.'
    )
  return [text]


def _share(rows: Sequence[Reconstruction], k: int) -> str:
  """'14 of 17', or 'all of 1 to 9'."""
  right = 'all'
  if any(row.errors[k] for row in rows):
    right = _range([row.sizes[k] - row.errors[k] for row in rows])
  return f'{right} of {_range([row.sizes[k] for row in rows])}'


def _range(values: Sequence[int]) -> str:
  low, high = min(values), max(values)
  return str(low) if low == high else f'{low} to {high}'


def _explained(
  counts: PaperCounts, clusters: Sequence[PublishedCluster]
) -> list[str]:
  """Which published accuracies are lower than their class mix explains."""
  if isinstance(counts.same_mix, Missing):
    return []
  n, below = counts.n_test, []
  for c, own in zip(clusters, counts.same_mix, strict=True):
    accuracy = c.retrained.value('accuracy')
    # A head of one class is right for that class's share of a test set.
    if not all(c.class_counts.values()):
      continue
    # Of other images: the published one is as rough as its test set is small.
    if (
      accuracy is not None
      and inference.wilson(round(accuracy * n), n)[1] < own.interval[0]
    ):
      below.append(c.id)
  number = len(clusters) - len(below)
  text = (
    f'{number} of {len(clusters)} published retrained accuracies are no lower'
    ' than those of heads of random images with the same class mix, trained'
    f' here (95% interval of a published one over {n} images against the middle'
    ' 95% of the heads): there the class mix alone may explain a low one.'
  )
  if below:
    text += f' Lower than that is cluster {formatting.listed(below)}.'
  return [f'{text} Images and heads are not the paper’s.']


def table(
  paper: Published, beside: Mapping[str, tuple[SameMix, ...] | Missing]
) -> list[Block]:
  """The paper's clusters, and heads of their mixes in runs.

  Args:
    paper: what it reports.
    beside: head of a column to the heads of a run.

  Returns:
    The table and what it is.
  """
  first, second = next(iter(paper.clusters)).class_counts

  def of_run(
    same_mix: tuple[SameMix, ...] | Missing, c: PublishedCluster
  ) -> Text:
    if isinstance(same_mix, Missing):
      return blocks.missing(same_mix.why)
    own = next(own for own in same_mix if own.id == c.id)
    low, high = own.interval
    mix = ' + '.join(map(formatting.number, own.class_counts.values()))
    shown = blocks.with_small(f'{own.accuracy:.3f}', f'{low:.3f} to {high:.3f}')
    return blocks.with_small(shown, f'n = {mix}')

  def accuracy(of: str, c: PublishedCluster) -> Text:
    return blocks.estimate(getattr(c, of).value('accuracy'), formatting.exact)

  def none(c: PublishedCluster) -> None:
    return None

  columns: list[Column[PublishedCluster]] = [
    Column('', lambda c: c.id, 'Published cluster', align='text'),
    *(
      Column('', lambda c, name=name: c.class_counts[name], name)
      for name in (first, second)
    ),
    Column('', none, 'Retrained', lambda c: accuracy('retrained', c)),
    Column('', none, 'Random, mean', lambda c: accuracy('random', c)),
    *(
      Column('', none, head, lambda c, own=own: of_run(own, c))
      for head, own in beside.items()
    ),
  ]
  heads = [own[0].heads for own in beside.values() if isinstance(own, tuple)]
  said: list[Block] = [Table('', columns, paper.clusters, 'Accuracies.')]
  if heads:
    said.append(
      Paragraph(
        f'Same class mix: {max(heads)} logistic heads for each cluster, each'
        ' trained on random training images without copies, of the published'
        ' class mix, scaled to the training images of the run, and no more of'
        ' a class than there are. On its test images: the mean, and the middle'
        ' 95% of the heads.',
        'quiet',
      )
    )
  return said

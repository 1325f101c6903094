"""What the report says of the results of a sample-size study, in sentences."""

from collections import Counter

from heterojax.records import codec
from heterojax.records.codec import Interval
from heterojax.report import formatting
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.studies.pages.clusters import agreement
from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages.values import percent
from heterojax.studies.sample_size.records import Distances
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.records import Size

# Groups of clusters that a sentence names.
_MAX_GROUPS = 3


def findings(results: Results) -> list[str]:
  """The answer: the largest size first, then how it came there."""
  sentences = [largest(results), *skill(results), *trend(results)]
  if codec.known(results.cv_vs_metric.pearson) is not None:
    sentences.append(correlation(results))
  return [*sentences, *coinciding(results)]


def largest(results: Results) -> str:
  """What the largest size says."""
  size = results.largest
  metric = values.metric(results)
  only = len(results.sizes) == 1
  text = f'At {"the only" if only else "the largest"} size, {_n(size)},'
  cv, band = codec.known(size.mean_of_cvs), codec.known(size.cv_band)
  if cv is None:
    return f'{text} the CV is {values.why(size.mean_of_cvs)}.'
  text += f' the CV of the {metric} over {_clusters(results, size)} is'
  text += f' {_cv(cv, size)}.'
  if band is None:
    return (
      f'{text} What chance alone gives is'
      f' {values.why(size.cv_band)}: this CV cannot be judged.'
    )
  low, high = (percent(end, _digits(cv, band)) for end in band)
  chance = (
    f'the {low} to {high} that {_chance(results)} at this test size'
    f' ({values.tested_per_cluster(size)} test {results.unit}s per'
    f' cluster{_p_value(size)})'
  )
  if size.position == 'above':
    text += (
      f' This lies above {chance}: the clusters differ in {metric} by more'
      f' than chance{_explain(results)}. {_extremes(results, size)}'
    )
    if any(values.coinciding(results, fold) for fold in size.folds):
      text += ' But the centroids of some of these clusters coincide (below).'
    return text
  if size.position == 'below':
    return (
      f'{text} This lies below {chance}: the clusters are more alike than'
      ' random groups of these sizes usually are, which is no sign of'
      ' heterogeneity.'
    )
  return (
    f'{text} This is inside {chance}: the run neither shows that the'
    f' {metric} depends on the kind of {results.unit} nor rules it out.'
    f' More test {results.unit}s would narrow what chance can give.'
  )


def _p_value(size: Size) -> str:
  if (p := codec.known(size.cv_p_value)) is None:
    return ''
  text = formatting.p_value(p)
  return f'; p {"" if text[0] in "<>" else "= "}{text}'


def _chance(results: Results) -> str:
  """What makes CVs where no cluster is harder, with a verb."""
  if results.within_classes:
    return 'chance and the mix of classes give'
  return 'chance alone gives'


def _explain(results: Results) -> str:
  """What may make clusters differ besides their kinds of images."""
  if results.within_classes:
    return ' and their mix of classes explain'
  return ' explains'


def _clusters(results: Results, size: Size) -> str:
  """How many clusters the CV of a size is over, in words."""
  k = results.cluster.k
  tested = [fold.clusters_with_test for fold in size.folds]
  if min(tested) == k:
    return f'{k} clusters'
  each = ' in a fold' if len(tested) > 1 else ''
  return (
    f'the {values.spread(tested)} of {k} clusters that have test'
    f' {results.unit}s{each}'
  )


def _n(size: Distances) -> str:
  return values.of_size(size.n)


def _cv(cv: float, size: Size) -> str:
  text = percent(cv, _digits(cv, codec.known(size.cv_band)))
  return f'{text} (“{size.band}” in the paper)'


def _digits(cv: float, band: Interval | None) -> int:
  """Enough digits to tell a CV from the ends of its band."""
  return 2 if percent(cv) in map(percent, band or ()) else 1


def _extremes(results: Results, size: Size) -> str:
  """The worst and the best cluster of a size."""
  known = [
    (metric, c)
    for c, metric in enumerate(size.cluster_metric_mean.value)
    if metric is not None
  ]
  (low, worst), (high, best) = min(known), max(known)
  told = []
  for metric, c in ((low, worst), (high, best)):
    n = values.spread([fold.cluster_n_test[c] for fold in size.folds])
    told.append(
      f'cluster {c} ({values.shown(results, metric)},'
      f' {n} test {results.unit}s per fold)'
    )
  return f'It is lowest in {told[0]} and highest in {told[1]}.'


def coinciding(results: Results) -> list[str]:
  """Clusters that are one cut in two, or empty, over all sizes and folds."""
  where: list[str] = []
  split: Counter[tuple[int, ...]] = Counter()
  empty: Counter[tuple[int, ...]] = Counter()
  for size in results.by_size:
    coincide = [values.coinciding(results, fold) for fold in size.folds]
    if number := sum(map(bool, coincide)):
      folds = counted(len(coincide), 'fold')
      where.append(f'{number} of {folds} at {_n(size)}')
    for fold, groups in zip(size.folds, coincide, strict=True):
      for group in groups:
        held = sorted(c for c in group if fold.cluster_size[c])
        if len(held) > 1:
          split[tuple(held)] += 1
        empty.update((c,) for c in group.difference(held))
  if not where:
    return []
  text = f'Centroids coincide in {listed(where)}.'
  if split:
    text += (
      f' There one cluster was cut in parts: {_most(split)}. Do not read the'
      ' difference of such parts.'
    )
  if empty:
    text += f' Empty there: {_most(empty)}.'
  c = results.cluster
  advice = ' A smaller k would keep them apart.'
  if c.method == 'fuzzy':
    advice = (
      f' With the fuzzifier {c.fuzzifier:g} fewer than {c.k} centroids'
      ' are best: a smaller fuzzifier or a smaller k keeps them apart.'
    )
  return [text + advice]


def _most(frequency: Counter[tuple[int, ...]]) -> str:
  """The most frequent groups of clusters and in how many folds they are."""
  told = []
  for group, folds in frequency.most_common(_MAX_GROUPS):
    several = 's' if len(group) > 1 else ''
    told.append(f'cluster{several} {listed(group)} in {counted(folds, "fold")}')
  more = ', among others' if len(frequency) > _MAX_GROUPS else ''
  return f'{listed(told)}{more}'


def skill(results: Results) -> list[str]:
  """Whether there is a model to speak of, at the largest size."""
  size = results.largest
  metric, baseline = codec.known(size.metric_mean), codec.known(size.baseline)
  if metric is None or baseline is None:
    return []
  name = values.metric(results)
  text = (
    f'The {name} of all test {results.unit}s at {_n(size)} is'
    f' {values.shown(results, metric)};'
    f' {values.BASELINES[results.metric]} would give'
    f' {values.shown(results, baseline)}.'
  )
  if metric <= baseline:
    text += (
      ' The model does no better than that, and how even its mistakes are'
      ' over clusters says nothing about the data set.'
    )
  return [text]


def trend(results: Results) -> list[str]:
  """How much of the change of the CV over sizes chance alone explains."""
  known = [
    (size, cv, expected)
    for size in results.by_size
    if (cv := codec.known(size.mean_of_cvs)) is not None
    and (expected := codec.known(size.cv_expected)) is not None
  ]
  if len(known) < 2:
    return []
  (first, first_cv, first_expected), *_, (last, last_cv, last_expected) = known
  raw, chance = first_cv - last_cv, first_expected - last_expected
  text = (
    f'From {_n(first)} to {_n(last)} the CV goes from'
    f' {percent(first_cv)} to {percent(last_cv)};'
    f' what {_chance(results)} on average goes from'
    f' {percent(first_expected)} to {percent(last_expected)}.'
  )
  if raw <= 0:
    return [f'{text} More data did not make the clusters more alike.']
  if chance >= raw:
    return [
      f'{text} That explains the whole fall, which does not show that more'
      ' data make the clusters more alike.'
    ]
  share = f'about {percent(chance / raw, 0)}' if chance > 0 else 'none'
  text += f' That explains {share} of the fall'
  # One CV falls by more and another by less than their average.
  if first.position != 'above':
    rest = 'the rest' if chance > 0 else 'it'
    text += (
      f'; {rest} may be chance all the same, as the CV at {_n(first)} does not'
      ' lie above what chance gives'
    )
  return [f'{text}.']


def correlation(results: Results) -> str:
  """Figure 5 in words, with how little it can carry."""
  relation, metric = results.cv_vs_metric, values.metric(results)
  papers = ''
  if published := codec.known(results.published):
    value = published.cv_vs_metric.pearson
    papers = f' The paper reports {_signed(value, 4)} over its 4 sizes.'
  sizes = counted(relation.n, 'size')
  if isinstance(relation.pearson, codec.Missing):
    return (
      f'The correlation of CV and {metric} over sizes is'
      f' {values.why(relation.pearson)}.{papers}'
    )
  return (
    f'Over {sizes}, CV and {metric} have a Pearson correlation of'
    f' {_signed(relation.pearson, 2)} (Spearman'
    f' {_signed(codec.known(relation.spearman), 2)}).{papers}'
    f' {relation.warning}'
  )


def _signed(value: float | None, digits: int) -> str:
  if value is None:
    return 'not estimable'
  return f'{value:z.{digits}f}'.replace('-', '−')


def one_rule_band(results: Results) -> str:
  """The CV beside worlds in which one rule holds for all clusters; or ''."""
  band = codec.known(results.one_rule_band)
  if band is None:
    return ''
  low, high = (percent(end, 1) for end in band.band)
  says = 'one rule for all clusters may give as much'
  if band.p_value <= 0.05:
    says = 'that is more than one rule for all clusters gives'
  return (
    'Clusters may differ in how hard they are although one rule holds for all:'
    ' some lie nearer to its boundary. Where labels are drawn from one such'
    f' rule, 95% of the CVs of refitted heads lie from {low} to {high}; with'
    f' the labels of the data it is {percent(band.cv, 1)}'
    f' ({formatting.p_equals(band.p_value)}): {says}.'
  )


def small_tests(results: Results) -> tuple[str, str] | None:
  """That a CV is above 5 % where no cluster is harder: title and text.

  Returns:
    None where no expected value can be estimated.
  """
  known = [
    (size, expected)
    for size in results.by_size
    if (expected := codec.known(size.cv_expected)) is not None
  ]
  if not known:
    return None
  told = listed(
    f'{percent(expected)} at {_n(size)}'
    f' ({values.tested(size)} test {results.unit}s a fold)'
    for size, expected in known
  )
  title, each, mix = 'Small test sets alone', '', ''
  if results.within_classes:
    title = 'Chance and the mix of classes'
    each, mix = ' for each class', ' and their mix of classes'
  text = (
    f'If every cluster were equally hard{each}, so that nothing but chance{mix}'
    f' made them differ, the CV would still be {told} on average.'
  )
  over = [size for size, expected in known if expected > values.RECOMMENDED]
  if over:
    text += (
      f' At {listed(map(_n, over))} that is above the recommended'
      f' {percent(values.RECOMMENDED, 0)}, however homogeneous the data. Judge'
      ' a CV by its band of chance, not by 5%.'
    )
    return f'{title} give a CV above 5%.', text
  return f'{formatting.capital(_chance(results))} a CV above 0%.', (
    f'{text} That is below the recommended {percent(values.RECOMMENDED, 0)}'
    ' at every size of this run; smaller test sets would not be.'
  )


def stability(results: Results) -> str:
  """How alike the trainings of the clustering are."""
  known = [
    (rand, _n(size))
    for size in results.by_size
    if (rand := codec.known(size.adjusted_rand)) is not None
  ]
  trainings = counted(results.cluster.trainings, 'training')
  if not known:
    return (
      f'With {trainings} of the clustering, their agreement cannot be'
      ' estimated.'
    )
  told = listed(f'{_signed(rand, 2)} at {n}' for rand, n in known)
  text = (
    f'The {trainings} of the clustering differ in their random start. Their'
    f' agreement (adjusted Rand index: 1 is the same grouping, 0 what chance'
    f' gives) is {told}: {agreement(min(known)[0])}'
    f'{" at worst" if len(known) > 1 else ""}.'
  )
  if coinciding(results):
    text += (
      ' That says nothing for clusters whose centroids coincide: they are cut'
      ' alike from every start.'
    )
  if agreement(min(known)[0]) == 'poor':
    text += (
      ' Where it is poor, a cluster’s number stands for different'
      f' {results.unit}s in different trainings, and what is given per'
      ' cluster mixes them.'
    )
  return text


def empty(results: Results) -> list[str]:
  """Clusters without test images, each fold in a sentence."""
  sentences = []
  for size in results.by_size:
    for number, fold in enumerate(size.folds):
      if fold.empty:
        told = listed(
          f'cluster {e.cluster} in {e.trainings} of'
          f' {counted(results.cluster.trainings, "training")}'
          for e in fold.empty
        )
        sentences.append(f'{_n(size)}, fold {number}: {told}.')
  return sentences


def ranges(results: Results, kind: distances.Kind) -> str:
  """Distances of Table 1 as ranges, beside the paper's."""
  told = []
  for whose, sizes in (
    ('here', results.by_size),
    ('in the paper', distances.published_sizes(results)),
  ):
    extremes = []
    for size in sizes:
      matrix = kind.of(size)
      every = [
        matrix.value[a][b] for a, b in values.pairs(len(size.to_centroid))
      ]
      if known := [value for value in every if value is not None]:
        extremes.append(f'{min(known):.2f}–{max(known):.2f} ({_n(size)})')
    if extremes:
      told.append(f'{whose} {listed(extremes)}')
  text = '; '.join(told) or 'not estimable'
  return f'Range of the {kind.name} distances: {text}.'

"""What the report says about a sample-size study, in sentences."""

from collections import Counter
from typing import Any

from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import unit
from heterojax.studies.retraining.pages.methods import agreement
from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages.values import percent

# Groups of clusters that a sentence names.
_MAX_GROUPS = 3


def findings(results: dict[str, Any]) -> list[str]:
  """The answer: the largest size first, then how it came there."""
  sentences = [largest(results), *skill(results), *trend(results)]
  if results['cv_vs_metric']['pearson'] is not None:
    sentences.append(correlation(results))
  return [*sentences, *coinciding(results)]


def largest(results: dict[str, Any]) -> str:
  """What the largest size says."""
  size = values.smallest_first(results)[-1]
  metric = values.metric(results)
  only = len(results['sizes']) == 1
  text = f'At {"the only" if only else "the largest"} size, {_n(size)},'
  if size['mean_of_cvs'] is None:
    return f'{text} the CV is {values.why(size, "mean_of_cvs")}.'
  text += f' the CV of the {metric} over {_clusters(results, size)} is'
  text += f' {_cv(size)}.'
  where = values.position(size, 'mean_of_cvs')
  if where is None:
    return (
      f'{text} What chance alone gives is'
      f' {values.why(size, "cv_band")}: this CV cannot be judged.'
    )
  low, high = _band(size)
  chance = (
    f'the {low} to {high} that chance alone gives at this test size'
    f' ({values.tested_per_cluster(size)} test {unit(results)}s per cluster)'
  )
  if where == 'above':
    text += (
      f' This lies above {chance}: the clusters differ in {metric} by more'
      f' than chance explains. {_extremes(results, size)}'
    )
    if any(values.coinciding(results, fold) for fold in size['folds']):
      text += ' But the centroids of some of these clusters coincide (below).'
    return text
  if where == 'below':
    return (
      f'{text} This lies below {chance}: the clusters are more alike than'
      ' random groups of these sizes usually are, which is no sign of'
      ' heterogeneity.'
    )
  return (
    f'{text} This is inside {chance}: the run neither shows that the'
    f' {metric} depends on the kind of {unit(results)} nor rules it out.'
    f' More test {unit(results)}s would narrow what chance can give.'
  )


def _clusters(results: dict[str, Any], size: dict[str, Any]) -> str:
  """How many clusters the CV of a size is over, in words."""
  k, tested = values.k_of(results), values.tested_clusters(size)
  if min(tested) == k:
    return f'{k} clusters'
  each = ' in a fold' if len(tested) > 1 else ''
  return (
    f'the {values.spread(tested)} of {k} clusters that have test'
    f' {unit(results)}s{each}'
  )


def _n(size: dict[str, Any]) -> str:
  return values.of_size(size['n'])


def _cv(size: dict[str, Any]) -> str:
  cv = percent(size['mean_of_cvs'], _digits(size))
  return f'{cv} (“{size["band"]}” in the paper)'


def _band(size: dict[str, Any]) -> tuple[str, str]:
  low, high = values.interval(size, 'cv_band')
  return percent(low, _digits(size)), percent(high, _digits(size))


def _digits(size: dict[str, Any]) -> int:
  """As many as tell the CV from the ends of its band."""
  ends = values.interval(size, 'cv_band') or ()
  shown = percent(size['mean_of_cvs'])
  return 2 if shown in [percent(end) for end in ends] else 1


def _extremes(results: dict[str, Any], size: dict[str, Any]) -> str:
  """The worst and the best cluster of a size."""
  known = [
    (metric, c)
    for c, metric in enumerate(size['cluster_metric_mean'])
    if metric is not None
  ]
  (low, worst), (high, best) = min(known), max(known)
  told = []
  for metric, c in ((low, worst), (high, best)):
    n = values.spread([f['cluster_n_test'][c] for f in size['folds']])
    told.append(
      f'cluster {c} ({values.shown(results, metric)},'
      f' {n} test {unit(results)}s per fold)'
    )
  return f'It is lowest in {told[0]} and highest in {told[1]}.'


def coinciding(results: dict[str, Any]) -> list[str]:
  """Clusters that are one cut in two, or empty, over all sizes and folds."""
  where: list[str] = []
  split: Counter[tuple[int, ...]] = Counter()
  empty: Counter[tuple[int, ...]] = Counter()
  for size in values.smallest_first(results):
    found = [values.coinciding(results, fold) for fold in size['folds']]
    if any(found):
      number = sum(map(bool, found))
      where.append(f'{number} of {counted(len(found), "fold")} at {_n(size)}')
    for fold, groups in zip(size['folds'], found, strict=True):
      for group in groups:
        held = sorted(c for c in group if fold['cluster_size'][c])
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
  c = results['cluster']
  advice = ' A smaller k would keep them apart.'
  if c['method'] == 'fuzzy':
    advice = (
      f' With the fuzzifier {c["fuzzifier"]:g} fewer than {c["k"]} centroids'
      ' are best: a smaller fuzzifier or a smaller k keeps them apart.'
    )
  return [text + advice]


def _most(found: Counter[tuple[int, ...]]) -> str:
  """The most frequent groups of clusters and in how many folds they are."""
  told = []
  for group, folds in found.most_common(_MAX_GROUPS):
    several = 's' if len(group) > 1 else ''
    told.append(f'cluster{several} {listed(group)} in {counted(folds, "fold")}')
  more = ', among others' if len(found) > _MAX_GROUPS else ''
  return f'{listed(told)}{more}'


def skill(results: dict[str, Any]) -> list[str]:
  """Whether there is a model to speak of, at the largest size."""
  size = values.smallest_first(results)[-1]
  metric, baseline = size['metric_mean'], size['baseline']
  if metric is None or baseline is None:
    return []
  name = values.metric(results)
  text = (
    f'The {name} of all test {unit(results)}s at {_n(size)} is'
    f' {values.shown(results, metric)};'
    f' {values.BASELINES[results["metric"]]} would give'
    f' {values.shown(results, baseline)}.'
  )
  if metric <= baseline:
    text += (
      ' The model does no better than that, and how even its mistakes are'
      ' over clusters says nothing about the data set.'
    )
  return [text]


def trend(results: dict[str, Any]) -> list[str]:
  """How much of the change of the CV over sizes chance alone explains."""
  known = [
    size
    for size in values.smallest_first(results)
    if None not in (size['mean_of_cvs'], size['cv_expected'])
  ]
  if len(known) < 2:
    return []
  first, last = known[0], known[-1]
  raw = first['mean_of_cvs'] - last['mean_of_cvs']
  chance = first['cv_expected'] - last['cv_expected']
  text = (
    f'From {_n(first)} to {_n(last)} the CV goes from'
    f' {percent(first["mean_of_cvs"])} to {percent(last["mean_of_cvs"])};'
    ' what is expected by chance alone goes from'
    f' {percent(first["cv_expected"])} to {percent(last["cv_expected"])}.'
  )
  if raw <= 0:
    return [f'{text} More data did not make the clusters more alike.']
  if chance >= raw:
    return [
      f'{text} Larger test sets alone explain the whole fall: it does not'
      ' show that more data make the clusters more alike.'
    ]
  if chance <= 0:
    return [f'{text} Chance explains none of the fall.']
  return [
    f'{text} Larger test sets alone explain about {percent(chance / raw, 0)}'
    ' of the fall.'
  ]


def correlation(results: dict[str, Any]) -> str:
  """Figure 5 in words, with how little it can carry."""
  found, metric = results['cv_vs_metric'], values.metric(results)
  papers = ''
  if results['published']:
    value = results['published']['cv_vs_metric']['pearson']
    papers = f' The paper reports {_signed(value, 4)} over its 4 sizes.'
  sizes = counted(found['n'], 'size')
  if found['pearson'] is None:
    return (
      f'The correlation of CV and {metric} over sizes is'
      f' {values.why(found, "pearson")}.{papers}'
    )
  return (
    f'Over {sizes}, CV and {metric} have a Pearson correlation of'
    f' {_signed(found["pearson"], 2)} (Spearman'
    f' {_signed(found["spearman"], 2)}).{papers} {found["warning"]}'
  )


def _signed(value: float | None, digits: int) -> str:
  if value is None:
    return 'not estimable'
  return f'{value:.{digits}f}'.replace('-', '−')


def small_tests(results: dict[str, Any]) -> tuple[str, str] | None:
  """That small test sets alone give a CV above 5 %: title and text.

  Returns:
    None where no expected value can be estimated.
  """
  known = [
    size
    for size in values.smallest_first(results)
    if size['cv_expected'] is not None
  ]
  if not known:
    return None
  expected = listed(
    f'{percent(size["cv_expected"])} at {_n(size)}'
    f' ({values.tested(size)} test {unit(results)}s a fold)'
    for size in known
  )
  text = (
    'If every cluster were equally hard, so that nothing but chance made them'
    f' differ, the CV would still be {expected} on average.'
  )
  over = [s for s in known if s['cv_expected'] > values.RECOMMENDED]
  if over:
    text += (
      f' At {listed(map(_n, over))} a CV below the recommended'
      f' {percent(values.RECOMMENDED, 0)} is out of reach for most data,'
      ' however homogeneous. Judge a CV by its band of chance, not by 5%.'
    )
    return 'Small test sets alone give a CV above 5%.', text
  return 'Chance alone gives a CV above 0%.', (
    f'{text} That is below the recommended {percent(values.RECOMMENDED, 0)}'
    ' at every size of this run; smaller test sets would not be.'
  )


def stability(results: dict[str, Any]) -> str:
  """How alike the trainings of the clustering are."""
  known = [
    (size['adjusted_rand'], _n(size))
    for size in values.smallest_first(results)
    if size['adjusted_rand'] is not None
  ]
  trainings = counted(results['cluster']['trainings'], 'training')
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
      f' {unit(results)}s in different trainings, and what is given per'
      ' cluster mixes them.'
    )
  return text


def empty(results: dict[str, Any]) -> list[str]:
  """Clusters without test images, each fold in a sentence."""
  sentences = []
  for size in values.smallest_first(results):
    for number, fold in enumerate(size['folds']):
      if fold['empty']:
        told = listed(
          f'cluster {own["cluster"]} in {own["trainings"]} of'
          f' {counted(results["cluster"]["trainings"], "training")}'
          for own in fold['empty']
        )
        sentences.append(f'{_n(size)}, fold {number}: {told}.')
  return sentences


def ranges(results: dict[str, Any], name: str) -> str:
  """Distances of Table 1 as ranges, beside the paper's."""
  told = []
  for whose, sizes in (
    ('here', values.smallest_first(results)),
    ('in the paper', values.published_sizes(results)),
  ):
    found = []
    for size in sizes:
      known = [
        size[name][a][b]
        for a, b in values.pairs(len(size[name]))
        if size[name][a][b] is not None
      ]
      if known:
        found.append(f'{min(known):.2f}–{max(known):.2f} ({_n(size)})')
    if found:
      told.append(f'{whose} {listed(found)}')
  kind = f'{distances.KINDS[name]} distances'
  return f'Range of the {kind}: {"; ".join(told) or "not estimable"}.'

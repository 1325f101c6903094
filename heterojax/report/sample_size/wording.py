"""What the report says about a sample-size study, in sentences."""

from typing import Any

from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.methods import agreement
from heterojax.report.sample_size import distances
from heterojax.report.sample_size import values
from heterojax.report.sample_size.values import percent


def findings(results: dict[str, Any]) -> list[str]:
  """The answer: the largest size first, then how it came there."""
  sentences = [largest(results), *skill(results)]
  if len(results['sizes']) > 1 or results['sizes'][0]['mean_of_cvs']:
    sentences += [at_size(size) for size in values.smallest_first(results)]
  sentences += trend(results)
  sentences.append(correlation(results))
  return sentences


def largest(results: dict[str, Any]) -> str:
  """What the largest size says."""
  size = values.smallest_first(results)[-1]
  metric = values.metric(results)
  only = len(results['sizes']) == 1
  text = f'At {"the only" if only else "the largest"} size, {_n(size)},'
  if size['mean_of_cvs'] is None:
    return f'{text} the CV is {values.why(size, "mean_of_cvs")}.'
  text += f' the CV of the {metric} over clusters is {_cv(size)}.'
  where = values.position(size, 'mean_of_cvs')
  if where is None:
    return (
        f'{text} What chance alone gives is'
        f' {values.why(size, "cv_band")}: this CV cannot be judged.'
    )
  low, high = _band(size)
  chance = (
      f'the {low} to {high} that chance alone gives at this test size'
      f' ({values.test_images_per_cluster(size)} test images per cluster)'
  )
  if where == 'above':
    text += (
        f' This lies above {chance}: the clusters differ in {metric} by more'
        f' than chance explains. {_extremes(results, size)}'
    )
    if values.coinciding(size):
      text += ' But some of these clusters are one that was cut in two (below).'
    return text
  if where == 'below':
    return (
        f'{text} This lies below {chance}: the clusters are more alike than'
        ' random groups of these sizes usually are, which is no sign of'
        ' heterogeneity.'
    )
  return (
      f'{text} This is inside {chance}: the run neither shows that the'
      f' {metric} depends on the kind of image nor rules it out. More test'
      ' images would narrow what chance can give.'
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
        f' {n} test images per fold)'
    )
  return f'It is lowest in {told[0]} and highest in {told[1]}.'


def at_size(size: dict[str, Any]) -> str:
  """The CV of one size, its band by name, chance, and the corrected CV."""
  if size['mean_of_cvs'] is None:
    return f'{_n(size)}: the CV is {values.why(size, "mean_of_cvs")}.'
  text = f'{_n(size)}: CV {_cv(size)}'
  where = values.position(size, 'mean_of_cvs')
  if where is None:
    return f'{text}; what chance alone gives is {values.why(size, "cv_band")}.'
  low, high = _band(size)
  text += f', {where} what chance alone gives ({low} to {high}'
  if size['cv_expected'] is not None:
    text += f', {percent(size["cv_expected"])} on average'
  corrected = values.why(size, 'cv_corrected')
  if not corrected:
    corrected = percent(size['cv_corrected'])
  return f'{text}); corrected for chance: {corrected}.'


def skill(results: dict[str, Any]) -> list[str]:
  """Whether there is a model to speak of, at the largest size."""
  size = values.smallest_first(results)[-1]
  metric, baseline = size['metric_mean'], size['baseline']
  if metric is None or baseline is None:
    return []
  name = values.metric(results)
  text = (
      f'The {name} of all test images at {_n(size)} is'
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
      f' ({values.test_images(size)} test images a fold)'
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
  if any(values.coinciding(size) for size in results['sizes']):
    text += (
        ' That says nothing for clusters whose centroids coincide: they are cut'
        ' alike from every start.'
    )
  if agreement(min(known)[0]) == 'poor':
    text += (
        ' Where it is poor, a cluster’s number stands for different images in'
        ' different trainings, and what is given per cluster mixes them.'
    )
  return text


def empty(results: dict[str, Any]) -> list[str]:
  """Clusters without a test image, each fold in a sentence."""
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

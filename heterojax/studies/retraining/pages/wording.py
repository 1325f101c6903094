"""What the report says about heads and clusters, in sentences."""

from heterojax.records.codec import Number
from heterojax.report.formatting import counted
from heterojax.report.formatting import distance
from heterojax.report.formatting import listed
from heterojax.report.formatting import of_class
from heterojax.report.formatting import percent
from heterojax.studies import choosing
from heterojax.studies.pages import clusters as cluster_words
from heterojax.studies.pages import scores
from heterojax.studies.pages.leaks import Shared
from heterojax.studies.retraining.analysis import LOPSIDED
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import Own
from heterojax.studies.retraining.records import Random
from heterojax.studies.retraining.records import Rejected
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.records import Subpopulations


def overall(results: Results) -> str:
  """Table 1 in words."""
  score, one = results.overall, results.backbone.unit
  tested = counted(score.n, f'test {one}')
  right = f'{percent(score.value("accuracy") or 0)} of {tested}'
  text = f'The head trained on all training {one}s is right for {right}.'
  if folds := results.split.folds:
    text = (
      f'The {folds} heads trained on all training {one}s of a fold'
      f' are right for {right}: every {one} is tested once, by the head that'
      ' has not seen it.'
    )
  known = [
    (accuracy, c.id, c.test.n)
    for c in results.clusters
    if (accuracy := c.test.value('accuracy')) is not None
  ]
  if len(known) > 1:
    low, high = (
      f'{percent(accuracy)} (cluster {i}, n = {n})'
      for accuracy, i, n in (min(known), max(known))
    )
    text += f' Over the test clusters this goes from {low} to {high}.'
  if paper := results.paper:
    share = percent(paper.overall.value('accuracy') or 0, 2)
    text += f' The paper reports {share} of {paper.dataset.n_test} test {one}s.'
  return text


def intervals(results: Results, shared: Shared) -> str:
  """What the 95 % intervals are, and what they take for independent."""
  one = results.backbone.unit
  text = (
    'Small below a metric: its 95% interval'
    f' ({scores.intervals(results.classes.task)}).'
  )
  if shared.groups_known:
    text += f' It takes patients for independent, and not their {one}s.'
  else:
    text += (
      f' It takes the test {one}s for independent, but for those of a patient'
      ' who is named; where others are of one patient, it is too narrow.'
    )
  known = shared.copies or sum(shared.counts('shared_group'))
  if results.protocol == 'published' and known:
    what = 'copies' if shared.copies else 'the patients or groups'
    text += (
      f' Here it also lies around a number that is too high: {what} of'
      f' {known:,} of {counted(results.dataset.n_test, f"test {one}")} were in'
      ' training. Do not quote these intervals.'
    )
  return text


def clusters(results: Results) -> list[str]:
  """Table 3 in words, one sentence per cluster."""
  sentences, one = [], results.backbone.unit
  for c in results.clusters:
    counts = listed(of_class(n, label) for label, n in c.class_counts.items())
    accuracy = c.retrained.value('accuracy')
    ends = c.random.extremes('accuracy')
    if accuracy is None or ends is None:
      why = c.retrained.why('accuracy')
      sentences.append(f'Cluster {c.id} ({counts}): {why}.')
      continue
    text = (
      f'Cluster {c.id} ({counts}): its own head is right for'
      f' {percent(accuracy)} of the test {one}s{_over_seeds(c)},'
      f' {_beside_random(accuracy, c.random, ends)}'
    )
    # The family that `random` is not.
    for runs, kind in (
      (c.random_originals, f'of as many distinct {one}s'),
      (c.random_same_mix, 'of the same class mix'),
    ):
      if runs:
        text += f'; random ones {kind} for {_with_deviation(runs)}'
    sentences.append(f'{text}.')
  return sentences


def _beside_random(
  accuracy: Number, random: Random, ends: tuple[Number, Number]
) -> str:
  """Where an accuracy lies among those of random heads, or beside one."""
  low, high = ends
  mean = percent(random.value('accuracy') or 0)
  if len(random.runs) == 1:
    where = 'above' if accuracy > high else 'below'
    where = 'as often as' if accuracy == high else where
    return f'{where} its random head, which is right for {mean}'
  where = 'within the range of' if accuracy >= low else 'below all of'
  where = 'above all of' if accuracy > high else where
  return (
    f'{where} its {counted(len(random.runs), "random head")}, which are right'
    f' for {mean} on average, {percent(low)} to {percent(high)}'
  )


def _over_seeds(c: Cluster) -> str:
  own = c.retrained_runs
  if not own or len(own.runs) < 2:
    return ''
  return f' ({_with_deviation(own)} over {len(own.runs)} trainings)'


def _with_deviation(runs: Own | Random) -> str:
  """The mean accuracy, and how far runs are from it."""
  text = percent(runs.value('accuracy') or 0)
  deviation = runs.deviation('accuracy')
  return text if deviation is None else f'{text} ± {percent(deviation)}'


def class_mix(results: Results) -> str:
  """Which clusters are nearly of one class, and what that explains."""
  lopsided = [
    c.id for c in results.clusters if c.size and c.majority[1] >= LOPSIDED
  ]
  one = results.backbone.unit
  if not lopsided:
    return (
      f'No cluster has {LOPSIDED:.0%} or more of its training {one}s in one'
      ' class.'
    )
  several = 's' if len(lopsided) > 1 else ''
  return (
    f'In cluster{several} {listed(lopsided)} at least'
    f' {LOPSIDED:.0%} of the training {one}s are of one class. A head that'
    ' saw hardly anything else tends to answer with that class everywhere,'
    ' so part of its failure elsewhere may be the class mix and no other'
    f' difference of the {one}s. {_separated(results)}'
  )


def _separated(results: Results) -> str:
  """What tells the class mix from another difference."""
  if not results.fair_sets:
    return (
      'The random heads share the size, not the class mix: this run does not'
      ' separate the two.'
    )
  return (
    'Random heads of the same class mix fail with it for that reason alone:'
    ' what they do worse than those of any class mix is the class mix, and what'
    ' the cluster’s own head does worse than they do is not.'
  )


def distances(results: Results) -> str:
  """Figure 1 in words."""
  pairs = [
    (p.centroid_distance, f'{p.a} and {p.b}')
    for p in results.distance_vs_performance.pairs
  ]
  near, far = min(pairs), max(pairs)
  text = f'The nearest clusters are {near[1]} ({distance(near[0])} apart)'
  if len(pairs) > 1:
    text += f', the furthest {far[1]} ({distance(far[0])})'
  return (
    f'{text}. The unit is that of the features: compare distances within this'
    ' run only.'
  )


def subpopulations(known: Subpopulations, unit: str, folds: int) -> str:
  """How the clusters agree with what the data set names itself."""
  first = ' This is of the first fold.' if folds else ''
  return (
    f'The data set names subpopulations itself (column {known.column}). The'
    ' agreement of the clusters with them (adjusted Rand index: 1 is the same'
    f' grouping, 0 what chance gives) is {known.adjusted_rand_train:.2f} over'
    ' the training originals and'
    f' {known.adjusted_rand_test:.2f} over the test {unit}s.{first}'
  )


def rejected(results: Results, beside: Rejected) -> str:
  """The second clustering beside the one of the study, in a sentence."""
  whose = ''
  papers = results.paper and results.paper.reduction.rejected
  if papers and papers.n_components == beside.n_components:
    whose = (
      ', which the paper rejected because they “could not provide meaningful'
      ' clusters”'
    )
  where = ' of the first fold' if results.folds else ''
  return (
    f'{components(beside.n_components, beside.explained_variance)}{whose},'
    f' group the training {results.backbone.unit}s{where} as below. Their'
    ' agreement with the clusters of this report is'
    f' {cluster_words.agreement(beside.adjusted_rand)}: an adjusted Rand index'
    f' of {beside.adjusted_rand:.2f}, where 1 is the same grouping and 0 what'
    ' chance gives.'
  )


def components(number: float, explained_variance: float) -> str:
  """A reduction by principal components, in words."""
  share = percent(explained_variance)
  return f'{counted(number, "principal component")} ({share} of the variance)'


def folds_agree(results: Results) -> str:
  """How alike the clusters of the folds are."""
  one = results.backbone.unit
  if not choosing.clusters(results.cluster.method):
    return f'Every {one} is in the same group in every fold.'
  others = [f.adjusted_rand_with_first for f in (results.folds or ())[1:]]
  text = (
    f'Every fold has clusters of its own and gives every {one} one of them;'
    ' they got the numbers of the first fold’s clusters with which they share'
    f' most {one}s. Agreement is the adjusted Rand index over all {one}s: 1'
    ' is the same grouping, 0 what chance gives.'
  )
  if cluster_words.agreement(min(others)) == 'poor':
    text += (
      f' Where it is poor, a cluster’s number stands for different {one}s in'
      ' different folds, and what this report gives per cluster mixes them.'
    )
  return text

"""What the report says about heads and clusters, in sentences."""

from typing import Any

from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import of_class
from heterojax.report.formatting import percent
from heterojax.report.formatting import unit
from heterojax.studies.retraining.analysis import LOPSIDED
from heterojax.studies.retraining.pages import audits
from heterojax.studies.retraining.pages import tables


def folds(results: dict[str, Any]) -> int:
  """How many folds there are; 0 where the data are split once."""
  return results['split']['folds']


def not_a_test(results: dict[str, Any]) -> str:
  """Why the findings are a description."""
  runs = tables.random_runs(results)
  return (
    'This study describes and does not test. With'
    f' {counted(runs, "random run")} per cluster, even a head that does worse'
    ' than every random head has a randomisation p-value of no less than'
    f' 1/{runs + 1}: a difference below can be a hint, not evidence.'
  )


def overall(results: dict[str, Any]) -> str:
  """Table 1 in words."""
  score, one = results['overall'], unit(results)
  tested = counted(score['n'], f'test {one}')
  right = f'{percent(score["accuracy"])} of {tested}'
  text = f'The head trained on all training {one}s is right for {right}.'
  if folds(results):
    text = (
      f'The {folds(results)} heads trained on all training {one}s of a fold'
      f' are right for {right}: every {one} is tested once, by the head that'
      ' has not seen it.'
    )
  known = [
    (c['test']['accuracy'], c['id'], c['test']['n'])
    for c in results['clusters']
    if c['test']['accuracy'] is not None
  ]
  if len(known) > 1:
    low, high = (
      f'{percent(accuracy)} (cluster {i}, n = {n})'
      for accuracy, i, n in (min(known), max(known))
    )
    text += f' Over the test clusters this goes from {low} to {high}.'
  return text


def intervals(results: dict[str, Any]) -> str:
  """What the 95 % intervals are, and why they are too narrow."""
  one = unit(results)
  text = (
    'Small below a metric: its 95% interval (Wilson; for the AUC, DeLong). It'
    f' takes the test {one}s for independent; several {one}s of one patient'
    ' are not, which makes it too narrow.'
  )
  copies = max(sum(tables.leaked(results, kind)) for kind in audits.COPIES)
  known = copies or sum(tables.leaked(results, 'shared_group'))
  if results['protocol'] == 'published' and known:
    what = 'copies' if copies else 'the patients or groups'
    text += (
      f' Here it also lies around a number that is too high: {what} of'
      f' {known:,} of {counted(results["dataset"]["n_test"], f"test {one}")}'
      ' were in training. Do not quote these intervals.'
    )
  return text


def clusters(results: dict[str, Any]) -> list[str]:
  """Table 3 in words, one sentence per cluster."""
  sentences = []
  for c in results['clusters']:
    counts = listed(
      of_class(n, label) for label, n in c['class_counts'].items()
    )
    own, random = c['retrained']['accuracy'], c['random']['accuracy']
    if own is None:
      why = tables.why_null(c['retrained'], 'accuracy')
      sentences.append(f'Cluster {c["id"]} ({counts}): {why}.')
      continue
    low, high = tables.extremes(c['random'], 'accuracy')
    where = 'within the range of' if own >= low else 'below all of'
    where = 'above all of' if own > high else where
    sentences.append(
      f'Cluster {c["id"]} ({counts}): its own head is right for'
      f' {percent(own)} of the test {unit(results)}s, {where} its'
      f' {counted(len(c["random"]["runs"]), "random head")}, which are right'
      f' for {percent(random)} on average, {percent(low)} to {percent(high)}.'
    )
  return sentences


def class_mix(results: dict[str, Any]) -> str:
  """Which clusters are nearly of one class, and what that explains."""
  lopsided = [
    c['id']
    for c in results['clusters']
    if c['size'] and max(c['class_counts'].values()) >= LOPSIDED * c['size']
  ]
  one = unit(results)
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
    f' difference of the {one}s. The random heads share the size, not the'
    ' class mix: this version does not separate the two.'
  )


def distances(results: dict[str, Any]) -> str:
  """Figure 1 in words."""
  pairs = [
    (p['centroid_distance'], f'{p["a"]} and {p["b"]}')
    for p in results['distance_vs_performance']['pairs']
  ]
  near, far = min(pairs), max(pairs)
  text = f'The nearest clusters are {near[1]} ({near[0]:.1f} apart)'
  if len(pairs) > 1:
    text += f', the furthest {far[1]} ({far[0]:.1f})'
  return (
    f'{text}. The unit is that of the features: compare distances within this'
    ' run only.'
  )


def subpopulations(known: dict[str, Any]) -> str:
  return (
    f'The data set names subpopulations itself (column {known["column"]}).'
    ' The agreement of the clusters with them (adjusted Rand index: 1 is the'
    ' same grouping, 0 what chance gives) is'
    f' {known["adjusted_rand_train"]:.2f} over the training originals and'
    f' {known["adjusted_rand_test"]:.2f} over the test images.'
  )

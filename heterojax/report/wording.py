"""What the report says about heads and clusters, in sentences."""

from typing import Any

from heterojax.report import audits
from heterojax.report import tables
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import number
from heterojax.report.formatting import percent
from heterojax.studies.analysis import LOPSIDED


def folds(results: dict[str, Any]) -> int:
  """How many folds there are; 0 where the data are split once."""
  return results['split']['folds']


def not_a_test(results: dict[str, Any]) -> str:
  """Why the findings are a description."""
  runs = len(results['clusters'][0]['random']['runs'])
  return (
      'This study describes and does not test. With'
      f' {counted(runs, "random run")} per cluster, even a head that does worse'
      ' than every random head has a randomisation p-value of no less than'
      f' 1/{runs + 1}: a difference below can be a hint, not evidence.'
  )


def overall(results: dict[str, Any]) -> str:
  """Table 1 in words."""
  score = results['overall']
  right = f'{percent(score["accuracy"])} of {counted(score["n"], "test image")}'
  text = f'The head trained on all training images is right for {right}.'
  if folds(results):
    text = (
        f'The {folds(results)} heads trained on all training images of a fold'
        f' are right for {right}: every image is tested once, by the head that'
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
  text = (
      'Small below a metric: its 95% interval (Wilson; for the AUC, DeLong). It'
      ' takes the test images for independent; several images of one patient'
      ' are not, which makes it too narrow.'
  )
  copies = max(sum(tables.leaked(results, kind)) for kind in audits.COPIES)
  known = copies or sum(tables.leaked(results, 'shared_group'))
  if results['protocol'] == 'published' and known:
    what = 'copies' if copies else 'the patients or groups'
    text += (
        f' Here it also lies around a number that is too high: {what} of'
        f' {known:,} of {counted(results["dataset"]["n_test"], "test image")}'
        ' were in training. Do not quote these intervals.'
    )
  return text


def clusters(results: dict[str, Any]) -> list[str]:
  """Table 3 in words, one sentence per cluster."""
  sentences = []
  for c in results['clusters']:
    counts = listed(
        f'{number(n)} {label}' for label, n in c['class_counts'].items()
    )
    own, random = c['retrained']['accuracy'], c['random']['accuracy']
    low, high = tables.extremes(c['random'], 'accuracy')
    where = 'within the range of' if own >= low else 'below all of'
    where = 'above all of' if own > high else where
    sentences.append(
        f'Cluster {c["id"]} ({counts}): its own head is right for'
        f' {percent(own)} of the test images, {where} its'
        f' {counted(len(c["random"]["runs"]), "random head")}, which are right'
        f' for {percent(random)} on average, {percent(low)} to {percent(high)}.'
    )
  return sentences


def class_mix(results: dict[str, Any]) -> str:
  """Which clusters are nearly of one class, and what that explains."""
  lopsided = [
      c['id']
      for c in results['clusters']
      if max(c['class_counts'].values()) >= LOPSIDED * c['size']
  ]
  if not lopsided:
    return (
        f'No cluster has {LOPSIDED:.0%} or more of its training images in one'
        ' class.'
    )
  one = len(lopsided) == 1
  return (
      f'In cluster{"" if one else "s"} {listed(lopsided)} at least'
      f' {LOPSIDED:.0%} of the training images are of one class. A head that'
      ' saw hardly anything else tends to answer with that class everywhere,'
      ' so part of its failure elsewhere may be the class mix and no other'
      ' difference of the images. The random heads share the size, not the'
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

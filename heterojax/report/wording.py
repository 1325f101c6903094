"""What the report says about a run's numbers, in sentences."""

from collections.abc import Iterable
from typing import Any

from heterojax.report import tables

_LOPSIDED = 0.8
_LEAKS = {
    'same_path': 'show a file that training has as well',
    'identical_file': 'are, byte for byte, a file that training has as well',
    'shared_group': 'are of a patient or group that training has as well',
}


def percent(value: float, digits: int = 1) -> str:
  return f'{100 * value:.{digits}f}%'


def listed(items: Iterable[object]) -> str:
  """'a', 'a and b', 'a, b and c'."""
  *most, last = map(str, items)
  return f'{", ".join(most)} and {last}' if most else last


def counted(n: int, noun: str) -> str:
  return f'{n:,} {noun}' if n == 1 else f'{n:,} {noun}s'


def not_a_test(results: dict[str, Any]) -> str:
  """Why the findings are a description."""
  runs = len(results['clusters'][0]['random']['runs'])
  return (
      'This first version describes and does not test. With'
      f' {counted(runs, "random run")} per cluster, even a head that does worse'
      ' than every random head has a randomisation p-value of no less than'
      f' 1/{runs + 1}: a difference below can be a hint, not evidence.'
  )


def overall(results: dict[str, Any]) -> str:
  """Table 1 in words."""
  score = results['overall']
  text = (
      'The head trained on all training images is right for'
      f' {percent(score["accuracy"])} of {counted(score["n"], "test image")}.'
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


def clusters(results: dict[str, Any]) -> list[str]:
  """Table 3 in words, one sentence per cluster."""
  sentences = []
  for c in results['clusters']:
    counts = listed(f'{n:,} {label}' for label, n in c['class_counts'].items())
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
      if max(c['class_counts'].values()) >= _LOPSIDED * c['size']
  ]
  if not lopsided:
    return (
        f'No cluster has {_LOPSIDED:.0%} or more of its training images in one'
        ' class.'
    )
  one = len(lopsided) == 1
  return (
      f'In cluster{"" if one else "s"} {listed(lopsided)} at least'
      f' {_LOPSIDED:.0%} of the training images are of one class. A head that'
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


def leaks(results: dict[str, Any]) -> list[str]:
  """What the test set shares with training; empty where it shares nothing."""
  n = results['dataset']['n_test']
  sentences = []
  for kind, by_class in results['leaks'].items():
    if isinstance(by_class, dict) and (total := sum(by_class.values())):
      counts = listed(f'{m:,} {label}' for label, m in by_class.items())
      sentences.append(
          f'{total:,} of {counted(n, "test image")} {_LEAKS.get(kind, kind)}'
          f' ({counts}).'
      )
  return sentences


def leaks_mean(results: dict[str, Any]) -> str:
  """What such leaks do to the numbers."""
  text = (
      'A head can be right about such an image because it has seen it, or the'
      ' same patient, in training: the metrics in this report are probably too'
      ' high.'
  )
  if results['protocol'] == 'published':
    text += (
        ' The published protocol splits rows, not patients, and so leaks by'
        ' design: it is there to compare with the paper. For numbers to rely'
        ' on, run the clean protocol.'
    )
  return text


def patients_known(results: dict[str, Any]) -> bool:
  return results['leaks']['shared_group'] is not None


def nothing_shared(results: dict[str, Any]) -> str:
  """What was looked for in vain."""
  what = 'the file name or the content'
  if patients_known(results):
    what = 'the file name, the content or the patient or group'
  return f'No test image has {what} of a training image.'


def patients(results: dict[str, Any], rows: list[dict[str, str]]) -> str:
  """How many patients there are, or that nobody knows."""
  if not patients_known(results):
    return (
        f'{results["leaks"]["shared_group_why"]}: whether training and test'
        ' share patients cannot be checked.'
    )
  used = [row for row in rows if row['included'] == 'true']
  groups = {}
  for row in used:
    groups.setdefault(row['split'], set()).add(row['group'])
  parts = [f'{len(g):,} in {split}' for split, g in sorted(groups.items())]
  return f'Patients or groups: {", ".join(parts)}.'


def left_out(
    rows: list[dict[str, str]], labels: tuple[str, str]
) -> list[tuple[str, list[int]]]:
  """Reasons and how many candidates of each class and of none they left out."""
  counts: dict[str, list[int]] = {}
  for row in rows:
    if row['included'] == 'true':
      continue
    reason = row['reason']
    if reason.startswith('same image as '):
      reason = 'same image as another'
    reason = reason.split(':')[0]
    # The last column is for labels of neither class.
    of_class = counts.setdefault(reason, [0] * (len(labels) + 1))
    known = row['label'] in labels
    of_class[labels.index(row['label']) if known else -1] += 1
  return sorted(counts.items(), key=lambda item: -sum(item[1]))


def subpopulations(known: dict[str, Any]) -> str:
  return (
      f'The data set names subpopulations itself (column {known["column"]}).'
      ' The agreement of the clusters with them (adjusted Rand index: 1 is the'
      ' same grouping, 0 what chance gives) is'
      f' {known["adjusted_rand_train"]:.2f} over the training originals and'
      f' {known["adjusted_rand_test"]:.2f} over the test images.'
  )

"""What the report says about leaks and shortcuts, in sentences."""

import statistics
from typing import Any

from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import of_class
from heterojax.report.formatting import p_value
from heterojax.report.formatting import unit
from heterojax.studies.retraining.pages import tables

_LEAKS = {
  'same_path': 'show a file that training has as well',
  'identical_file': 'are, byte for byte, in training as well',
  'identical_pixels': 'are, pixel for pixel, in training as well',
  'near_duplicate': (
    'are so close to one of training in feature space that they may'
    ' be copies of it'
  ),
  'shared_group': 'are of a patient or group that training has as well',
}
# Each contains the one before it.
COPIES = ('same_path', 'identical_file', 'identical_pixels')
# From here a column is a likely shortcut. Cohen (1988) calls a V of 0.5 large,
# for columns of two values; eta is 0.5 as well where its square is 0.25.
STRONG = {"Cramer's V": 0.5, 'eta squared': 0.25}


def leaks(results: dict[str, Any], part: str = 'test') -> list[str]:
  """What the test set or the validation part shares with training.

  Args:
    results: `results.json`.
    part: 'test' or 'validation'.

  Returns:
    A sentence per kind, the strongest first; none where nothing is shared. A
    kind of copy with the counts of a stronger one says nothing new.
  """
  d = results['dataset']
  labels = (d['positive'], d['negative'])
  prefix = '' if part == 'test' else f'{part}_'
  of = f' of {counted(d["n_test"], f"test {unit(results)}")}'
  if part == 'validation':
    of = f' validation {unit(results)}s'
  sentences, told = [], []
  for kind, what in _LEAKS.items():
    counts = tables.leaked(results, prefix + kind)
    repeated = kind in COPIES and counts in told
    if not sum(counts) or repeated:
      continue
    classes = listed(map(of_class, counts, labels))
    more = ''
    if kind in COPIES:
      more = ', those above included' if told else ''
      told.append(counts)
    sentences.append(f'{sum(counts):,}{of} {what} ({classes}){more}.')
  return sentences


def not_independent(results: dict[str, Any]) -> str:
  """The warning's first words; less sure where features alone are alike."""
  sure = any(
    sum(tables.leaked(results, kind))
    for kind in _LEAKS
    if kind != 'near_duplicate'
  )
  verb = 'is not' if sure else 'may not be'
  return f'The test set {verb} independent of training.'


def leaks_mean(results: dict[str, Any]) -> str:
  """What such leaks do to the numbers."""
  text = (
    f'A head can be right about such {unit(results)}s because it has seen'
    ' them, or the same patients, in training: the metrics in this report are'
    ' probably too high.'
  )
  if results['protocol'] == 'published':
    text += (
      ' The published protocol keeps every row of the source, copies'
      ' included, and leaks by design: it is there to compare with the paper.'
      ' For numbers to rely on, run the clean protocol.'
    )
  return text


def patients_known(results: dict[str, Any]) -> bool:
  """Whether every image names its patient."""
  return 'shared_group_why' not in results['leaks']


def nothing_shared(results: dict[str, Any]) -> str:
  """What was looked for in vain."""
  known = [
    title.lower()
    for kind, title in tables.LEAKS.items()
    if results['leaks'][kind] is not None
  ]
  return (
    f'No test {unit(results)} has anything in common with a training'
    f' {unit(results)}, as far as was looked: {listed(known)}.'
  )


def patients(results: dict[str, Any], rows: list[dict[str, str]]) -> str:
  """How many patients there are, as far as that is known."""
  unchecked = ''
  if not patients_known(results):
    unchecked = (
      f'{results["leaks"]["shared_group_why"]}: whether training and test'
      ' share their patients cannot be checked.'
    )
  if results['leaks']['shared_group'] is None:
    return unchecked
  used = [row for row in rows if row['included'] == 'true']
  groups = {}
  for row in used:
    if row['group']:
      groups.setdefault(row['split'], set()).add(row['group'])
  parts = [
    f'{len(g):,} in {split.replace("_", " ")}'
    for split, g in sorted(groups.items())
  ]
  known = f'Patients or groups: {", ".join(parts)}.'
  return f'{known} {unchecked}'.rstrip()


def strong(
  results: dict[str, Any],
  which: str,
  by_cluster: dict[str, list[list[str]]] | None = None,
) -> list[str]:
  """Columns that go strongly with the clusters or with the class.

  Args:
    results: `results.json`.
    which: 'cluster' or 'class'.
    by_cluster: column to the values in each cluster, where they are known.

  Returns:
    A sentence per column whose association reaches `STRONG`, the strongest
    first.
  """
  d = results['dataset']
  p_name = 'p_value' if which == 'class' else 'p_value_with_cluster'
  sentences = []
  excess = {
    i: strength / STRONG[entry['measure']]
    for i, entry in enumerate(results['shortcuts'])
    if (strength := entry[f'with_{which}']) is not None
  }
  for i in sorted(excess, key=excess.get, reverse=True):
    if excess[i] < 1:
      break
    entry = results['shortcuts'][i]
    strength = entry[f'with_{which}']
    p = p_value(entry[p_name])
    sign = '' if p[0] in '<>' else '= '
    how = f'{measure(entry)} {strength:.2f}, p {sign}{p}'
    column = entry['column']
    if which == 'class':
      sentences.append(
        f'{d["positive"]} and {d["negative"]} differ in {column} ({how}): a'
        f' head that reads it from the {unit(results)} could pass for one that'
        ' sees the disease.'
      )
      continue
    values = (by_cluster or {}).get(column)
    detail = ''
    if values and sum(map(bool, values)) > 1:
      detail = _contrast(values, entry['kind'])
    sentences.append(f'The clusters differ in {column} ({how}){detail}.')
  return sentences


def measure(entry: dict[str, Any]) -> str:
  return entry['measure'].replace("Cramer's", 'Cramér’s')


def _contrast(values: list[list[str]], kind: str) -> str:
  """Between which two clusters a column differs most.

  A cluster without a value, or of augmented copies alone, is none of them.
  """
  if kind == 'numeric':
    medians = {
      c: statistics.median(map(float, known))
      for c, own in enumerate(values)
      if (known := [v for v in own if v])
    }
    low, high = min(medians, key=medians.get), max(medians, key=medians.get)
    return (
      f': its median is {medians[low]:g} in cluster {low} and'
      f' {medians[high]:g} in cluster {high}'
    )
  found = []
  for value in dict.fromkeys(v for own in values for v in own):
    shares = {
      c: own.count(value) / len(own) for c, own in enumerate(values) if own
    }
    low, high = min(shares, key=shares.get), max(shares, key=shares.get)
    name = f'“{value}”' if value else 'missing'
    text = (
      f': it is {name} for {shares[high]:.0%} of cluster {high} and'
      f' {shares[low]:.0%} of cluster {low}'
    )
    found.append((shares[high] - shares[low], text))
  return max(found)[1]


def columns_alone(results: dict[str, Any]) -> str:
  """What a model of the columns reaches; '' where there is none."""
  *_, together = results['shortcuts']
  alone, own = together['auc_alone'], results['overall']
  where = ''
  if 'folds' in results:
    own = results['folds'][0]['overall']
    where = ' of the first fold'
  if alone is None or own['auc'] is None:
    return ''
  text = (
    f'These columns alone reach an AUC of {alone:.2f} on the test'
    f' {unit(results)}s{where}, the network {own["auc"]:.2f}.'
  )
  if alone >= own['auc']:
    text += ' The network does no better than they do.'
  return text


def not_audited(results: dict[str, Any]) -> list[str]:
  """Columns that were not looked at, by reason."""
  columns: dict[str, list[str]] = {}
  for entry in results['shortcuts'][:-1]:
    if entry['kind'] is None:
      columns.setdefault(entry['kind_why'], []).append(entry['column'])
  return [f'{listed(names)} ({why})' for why, names in columns.items()]

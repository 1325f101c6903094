"""Patients by the names of files: as a user says, or as names suggest."""

from collections import Counter
from collections.abc import Iterator, Sequence
import dataclasses
import pathlib
import re
from typing import NamedTuple

from heterojax.datasets import meanings
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_OPTION = '--config.data.group'
# Numbers in a name that are tried.
_MOST = 4
# What may follow a number at once: the sides of a pair.
_SIDE = re.compile('left|right|l|r|od|os', re.IGNORECASE)
# Fewer names that repeat are sites or days rather than patients, and so are
# those of more images each.
_FEWEST, _LARGEST = 6, 15


def grouped(cohort: Cohort, group: str) -> Cohort:
  """Names the patient of each candidate.

  Args:
    cohort: all candidates.
    group: a column of the data set, named as `meanings.key` compares names, or
      a regular expression. That is looked for in the name of a file and then in
      those of its folders, the nearest first and the class's not at all; its
      groups, or else the whole match, are the patient. '' changes nothing.

  Returns:
    The cohort with its groups; '' where nothing matches.

  Raises:
    UserError: if it is neither, or nothing matches.
  """
  if not group:
    return cohort
  notes = ()
  if column := _column(cohort, group):
    cells = [dict(c.columns).get(column, '') for c in cohort.candidates]
    path = pathlib.Path(cohort.source.name)
    found, notes = meanings.groups(path, cells)
    what = f'The column {column}'
  elif meanings.of(group) == 'group' and any(c.group for c in cohort.included):
    return cohort  # Its reader has taken that column for the group.
  else:
    pattern = _compiled(group)
    found = [_match(pattern, c) for c in cohort.candidates]
    what = f'What {group} finds in names'
  used = [
    name for name, c in zip(found, cohort.candidates, strict=True) if c.included
  ]
  if not any(used):
    example = next((c.path for c in cohort.included), 'none')
    raise UserError(
      f'{_OPTION} is {group!r}, which finds no patient in {len(used):,} names'
      f' of {cohort.source.name}, such as {example}.'
    )
  note = f'{what} is the patient: {len(set(used) - {""}):,} of them.'
  if missing := sum(not name for name in used):
    note += f' {missing:,} of {len(used):,} images name none.'
  candidates = tuple(
    dataclasses.replace(c, group=name)
    for name, c in zip(found, cohort.candidates, strict=True)
  )
  return dataclasses.replace(
    cohort, candidates=candidates, notes=(*cohort.notes, note, *notes)
  )


def _column(cohort: Cohort, name: str) -> str:
  """The column that a user calls so, or ''."""
  names = dict.fromkeys(k for c in cohort.candidates for k, _ in c.columns)
  if name in names:
    return name
  alike = [k for k in names if meanings.key(k) == meanings.key(name)]
  return alike[0] if len(alike) == 1 else ''


def _compiled(pattern: str) -> re.Pattern[str]:
  try:
    return re.compile(pattern)
  except (re.error, OverflowError, RecursionError) as error:
    raise UserError(
      f'{_OPTION} is {pattern!r}, which is neither a column nor a regular'
      f" expression ({error}): write one as '(\\d+)_'."
    ) from error


def _match(pattern: re.Pattern[str], candidate: Candidate) -> str:
  """What a pattern finds in the names of one file; '' if nothing."""
  for name in (_name(candidate), *_folders(candidate)):
    if match := pattern.search(name):
      groups = [group for group in match.groups() if group]
      return '_'.join(groups) if pattern.groups else match.group()
  return ''


def _name(candidate: Candidate) -> str:
  return pathlib.PurePosixPath(candidate.path).name


def _folders(candidate: Candidate) -> list[str]:
  """The folders of a file, the nearest first, without that of its class."""
  parts = pathlib.PurePosixPath(candidate.path).parts[:-1]
  return [part for part in reversed(parts) if part != candidate.label]


def suspected(cohorts: Sequence[Cohort]) -> str:
  """That names seem to tell the patient although none is named.

  A number that most names share with another, and that something else follows
  or that a folder has, is taken for one: 123_left and 123_right.

  Args:
    cohorts: selected and split; one, or one per fold.

  Returns:
    A sentence, with how many test images share it with training; '' where names
    do not suggest it.
  """
  used = cohorts[0].included
  if not used or any(c.group for c in used):
    return ''
  for reading in _readings(used):
    if not _are_patients(reading):
      continue
    patient = dict(zip((c.id for c in used), reading.keys, strict=True))
    n = shared = 0
    for cohort in cohorts:
      test = [c for c in cohort.included if c.split == 'test']
      known = {patient[c.id] for c in cohort.included if c.split != 'test'}
      n += len(test)
      shared += sum(patient[c.id] in known - {''} for c in test)
    times = Counter(reading.keys)
    first = next(k for k in reading.keys if k and times[k] > 1)
    pair = [c.path for c in used if patient[c.id] == first][:2]
    return (
      'No patient is named, but most names share a number, as'
      f' {" and ".join(pair)}: if that is the patient, {shared} of {n} test'
      ' images are of one that training has as well, and the metrics are too'
      f" high. Say that it is with --config.data.group='{reading.pattern}'."
    )
  return ''


class _Reading(NamedTuple):
  """One way to read patients out of names.

  Attributes:
    keys: what would be the patient of each image; '' where a name has none.
    rests: (label, what follows in the name) of each.
    pattern: a regular expression that finds it.
  """

  keys: list[str]
  rests: list[tuple[str, str]]
  pattern: str


def _readings(used: Sequence[Candidate]) -> Iterator[_Reading]:
  stems = [pathlib.PurePosixPath(c.path).stem for c in used]
  labels_of: dict[str, set[str]] = {}
  for c, stem in zip(used, stems, strict=True):
    labels_of.setdefault(stem, set()).add(c.label)
  # Where two classes have the same names, each counts its own.
  per_class = any(len(labels) > 1 for labels in labels_of.values())
  for number in range(1, _MOST + 1):
    cut = [_cut(stem, number) for stem in stems]
    keys = [
      f'{c.label}/{key}' if key and per_class else key
      for c, (key, _) in zip(used, cut, strict=True)
    ]
    rests = [(c.label, rest) for c, (_, rest) in zip(used, cut, strict=True)]
    plain = all(key.isdecimal() for key, _ in cut if key)
    pattern = r'^(\D*\d+)' if number == 1 else rf'^((?:\D*\d+){{{number}}})'
    yield _Reading(keys, rests, r'^(\d+)' if plain else pattern)
  for level in range(min(max(len(_folders(c)) for c in used), _MOST)):
    names = [''.join(_folders(c)[level : level + 1]) for c in used]
    keys = [name if re.search(r'\d', name) else '' for name in names]
    rests = [(c.label, c.path) for c in used]
    prefix = re.escape(re.split(r'\d', next(filter(None, keys), ''))[0])
    yield _Reading(keys, rests, rf'{prefix}(\d+)' if prefix else r'^(\d+)$')


def _cut(stem: str, number: int) -> tuple[str, str]:
  """A name up to one of its numbers and what follows; ('', '') if nothing."""
  ends = [match.end() for match in re.finditer(r'\d+', stem)]
  if number > len(ends):
    return '', ''
  key, rest = stem[: ends[number - 1]], stem[ends[number - 1] :]
  follows = re.match(r'[ _.()-]+[^ _.()-]', rest) or _SIDE.fullmatch(rest)
  return (key, rest) if follows else ('', '')


def _are_patients(reading: _Reading) -> bool:
  """Whether most names share theirs with a few others."""
  times = Counter(filter(None, reading.keys))
  n = len(reading.keys)
  sharing = sum(number for number in times.values() if number > 1)
  if sharing * 2 <= n or len(times) < max(_FEWEST, n / _LARGEST):
    return False
  # One ending for each class is the class: 7_ill and 7_well are two images.
  return len(set(reading.rests)) > len({label for label, _ in reading.rests})

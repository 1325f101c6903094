"""Who trains, who is tested: the published and the clean protocol."""

from collections import Counter
from collections.abc import Iterator, Sequence
import dataclasses
from fractions import Fraction
import re
import warnings

import numpy as np
from sklearn.model_selection import StratifiedKFold

from heterojax import rng
from heterojax.datasets import strata
from heterojax.datasets.group_folds import GroupFolds
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

PROTOCOLS = ('clean', 'published')
# What sources call the part of an image, as small letters without blanks, `_`
# and `-`; '' where they do not say.
WORDS = {
  '': '',
  **dict.fromkeys(('train', 'training', 'trn', 'trainval'), 'train'),
  **dict.fromkeys(('val', 'valid', 'validate', 'validation'), 'validation'),
  **dict.fromkeys(('dev', 'eval', 'evaluation'), 'validation'),
  **dict.fromkeys(('tune', 'tuning'), 'validation'),
  **dict.fromkeys(('test', 'testing', 'tst', 'holdout'), 'test'),
}
MOST_DIGITS = 18  # Of the number of a fold; Python refuses to read thousands.
# What a source may call the part of an image, beside train, validation, test.
_FOLD = re.compile(r'fold_\d+')
# Or, where each fold has splits of its own, as `of_fold` writes them.
_OF_FOLD = re.compile(r'(fold_\d+)_(.+)')
# Of the test images (of one class); beyond it, they show one patient.
_LARGE_GROUP = 0.2
_MOST_PARTS = 20
# Images from which on those that are a group each are drawn without a search.
_MANY = 20_000


def of_fold(fold: str, split: str) -> str:
  """The split of a fold that has splits of its own."""
  return f'fold_{fold}_{split}'


def unnamed(cohort: Cohort) -> Cohort:
  """The cohort without the splits that its source names."""
  candidates = (dataclasses.replace(c, split='') for c in cohort.candidates)
  return dataclasses.replace(cohort, candidates=tuple(candidates))


def assign(
  cohort: Cohort,
  *,
  seed: int,
  protocol: str,
  test_share: float,
  validation_share: float,
  folds: int,
) -> tuple[Cohort, ...]:
  """Gives every included candidate its split; splits of the source stay.

  Args:
    cohort: selected candidates; a source may name their splits, or their folds
      as `fold_0`, `fold_1`, ...
    seed: of the study.
    protocol: 'published' splits rows, stratified by class (or by quarter of
      the numbers, where labels are such), with no validation part, whatever
      image or patient they show (Wang 2023); 'clean' splits groups, so that no
      patient is on both sides, and takes a validation part from the training
      groups.
    test_share: share of the test set, 0..1; where there are no folds.
    validation_share: share of the training groups that 'clean' validates on; 0
      where nothing that is trained stops early.
    folds: T, each of whole groups and stratified under both protocols, so that
      every image is tested once (as the paper wishes); 0 for one split.

  Returns:
    The cohort with `split` set: one, or T of them.

  Raises:
    UserError: if there are too few images or groups for it.
  """
  rows = cohort.included
  cohort = dataclasses.replace(cohort, named_splits=any(c.split for c in rows))
  if named := {c.split for c in rows} - {''}:
    parts = _named_parts(cohort, rows, named, folds)
  elif folds:
    what = f'{folds} folds (--config.split.folds)'
    where = _folds(cohort, rows, folds, what, seed, 0)
    parts = [_tested(rows, where == fold) for fold in range(folds)]
  elif protocol == 'published':
    parts = [_tested(rows, _stratified(cohort, rows, test_share, seed))]
  else:
    held_out = _share(cohort, rows, 'test', test_share, seed, 0)
    parts = [_tested(rows, held_out)]
  cohorts = []
  for fold, part in enumerate(parts):
    named = any(c.split == 'validation' for c in part)
    if protocol == 'clean' and validation_share and not named:
      training = [c for c in part if c.split == 'train']
      held_out = _share(
        cohort, training, 'validation', validation_share, seed, 1, fold
      )
      part = [
        *_marked(training, held_out, 'validation', 'train'),
        *(c for c in part if c.split == 'test'),
      ]
    _check(cohort, part, protocol, validated=bool(validation_share))
    split = cohort.replaced({c.id: c for c in part})
    notes = split.notes + tuple(_large_groups(split))
    cohorts.append(dataclasses.replace(split, notes=notes))
  return tuple(cohorts)


def _large_groups(cohort: Cohort) -> Iterator[str]:
  """Sentences about patients who are much of what a class is tested on."""
  for label in cohort.classes or (None,):
    tested = [
      c.group
      for c in cohort.included
      if c.split == 'test' and label in (None, c.label) and c.group
    ]
    images, others = 'test images', 'others'
    if label is not None:
      images, others = f'test images of {label}', 'the class'
    for group, n in Counter(tested).most_common(1):
      if n > 2 and n > _LARGE_GROUP * len(tested):
        yield (
          f'{n} of the {len(tested)} {images} are of one patient or group'
          f' ({group}): scores say as much about that one as about {others},'
          ' and their intervals are too narrow.'
        )


def by_fold(cohorts: Sequence[Cohort]) -> Cohort:
  """One cohort for the manifest, whose splits say which fold tests whom.

  Folds may differ in their candidates, as files of features do.

  Raises:
    UserError: if two folds test one image, whose scores would count twice.
  """
  if len(cohorts) == 1:
    return cohorts[0]
  _check_tested_once(cohorts)
  every = {c.id: c for cohort in reversed(cohorts) for c in cohort.candidates}
  order = dict.fromkeys(c.id for cohort in cohorts for c in cohort.candidates)
  tested = {
    c.id: dataclasses.replace(c, split=f'fold_{fold}')
    for fold, cohort in enumerate(cohorts)
    for c in cohort.included
    if c.split == 'test'
  }
  candidates = tuple(tested.get(i, every[i]) for i in order)
  return dataclasses.replace(cohorts[0], candidates=candidates)


def _check_tested_once(cohorts: Sequence[Cohort]) -> None:
  """Raises a UserError where folds test an image twice, or are copies.

  Rows without ids have one each, which does not tell copies of a file.
  """
  by_id: dict[str, int] = {}
  copies: dict[tuple[str | None, ...], int] = {}
  for fold, cohort in enumerate(cohorts):
    tested = [c for c in cohort.included if c.split == 'test']
    contents = tuple(dict(c.columns).get('sha256') for c in tested)
    earlier = copies.setdefault(contents, fold) if any(contents) else fold
    again = [c.id for c in tested if by_id.setdefault(c.id, fold) < fold]
    if again or earlier < fold:
      said = f'image {again[0]}' if again else 'the same images'
      earlier = by_id[again[0]] if again else earlier
      raise UserError(
        f'Folds {earlier} and {fold} of {cohort.source.name} both test {said},'
        ' whose scores would count twice: take out a file that is there twice,'
        ' or let each fold test other images.'
      )


def _named_parts(
  cohort: Cohort, rows: Sequence[Candidate], named: set[str], folds: int
) -> list[list[Candidate]]:
  """The parts that the source names."""
  name = cohort.source.name
  if without := sum(not c.split for c in rows):
    raise UserError(
      f'Only {len(rows) - without} of {len(rows)} images of {name} have a'
      ' split: name it for all of them or for none.'
    )
  if own := [m[1] for m in map(_OF_FOLD.fullmatch, named) if m]:
    first = min(own)
    number = first.removeprefix('fold_')
    if {*own} != {first} or len(own) < len(named):
      raise UserError(
        f'{name} has folds with splits of their own, as {first}: study one'
        f' with --config.data.where=fold={number}, or split all images anew'
        ' with --config.split.named=False.'
      )
    return [_without_folds(rows)]
  numbered = sorted(filter(_FOLD.fullmatch, named), key=lambda s: int(s[5:]))
  if not numbered:
    if folds:
      raise UserError(
        f'{name} names the split of its images, so --config.split.folds must'
        f' be 0 and not {folds}; --config.split.named=False splits them anew.'
      )
    return [list(rows)]
  if len(numbered) < len(named) or len(numbered) == 1:
    raise UserError(
      f'{name} names the splits {", ".join(sorted(named))}: name two folds or'
      ' more, or train and test, and not both.'
    )
  if folds not in (0, len(numbered)):
    raise UserError(
      f'{name} names {len(numbered)} folds, so --config.split.folds must be'
      f' {len(numbered)} or 0 and not {folds}.'
    )
  return [
    _tested(rows, np.array([c.split == fold for c in rows]))
    for fold in numbered
  ]


def _without_folds(rows: Sequence[Candidate]) -> list[Candidate]:
  """The rows of one fold, by its own splits."""
  return [
    dataclasses.replace(c, split=m[2] if m else c.split)
    for c in rows
    for m in [_OF_FOLD.fullmatch(c.split)]
  ]


def _marked(
  rows: Sequence[Candidate], chosen: np.ndarray, yes: str, no: str
) -> list[Candidate]:
  return [
    dataclasses.replace(c, split=yes if is_chosen else no)
    for c, is_chosen in zip(rows, chosen, strict=True)
  ]


def _tested(rows: Sequence[Candidate], chosen: np.ndarray) -> list[Candidate]:
  return _marked(rows, chosen, 'test', 'train')


def _stratified(
  cohort: Cohort, rows: Sequence[Candidate], share: float, seed: int
) -> np.ndarray:
  """`[N]` bool: a share of the rows, with the strata in proportion.

  The sizes are those of scikit-learn's `train_test_split`. A tie between the
  classes goes to the disease, as in Wang 2023, whose 57 test images of 141 and
  141 are 29 with the disease and 28 without.
  """
  n = len(rows)
  wanted = int(np.ceil(share * n))
  of = np.array(strata.of(cohort, rows))
  members = [np.flatnonzero(of == name) for name in strata.names(cohort)]
  numbers = strata.shares([*map(len, members)], wanted)
  stream = rng.generator(seed, rng.Purpose.SPLIT, 0)
  chosen = np.zeros(n, bool)
  for stratum, number in zip(members, numbers, strict=True):
    chosen[stream.permutation(stratum)[:number]] = True
  return chosen


def _share(
  cohort: Cohort,
  rows: Sequence[Candidate],
  name: str,
  share: float,
  seed: int,
  *stage: int,
) -> np.ndarray:
  """`[N]` bool: as many of up to 20 equal parts of whole groups as it takes."""
  most = max(_MOST_PARTS, round(1 / share))
  exact = Fraction(share).limit_denominator(most)
  what = (
    f'a {name} part of {exact.numerator}/{exact.denominator} of them'
    f' (--config.split.{name}_share)'
  )
  part = _folds(cohort, rows, exact.denominator, what, seed, *stage)
  return part < exact.numerator


def _folds(
  cohort: Cohort,
  rows: Sequence[Candidate],
  number: int,
  what: str,
  seed: int,
  *stage: int,
) -> np.ndarray:
  """`[N]` int: which of several equal parts, each of whole groups, a row is in.

  Args:
    cohort: of the rows.
    rows: to be split.
    number: of parts.
    what: the parts are for, for messages.
    seed: of the study.
    *stage: of the splitting.

  Raises:
    UserError: if there are fewer groups than parts.
  """
  stream = rng.generator(seed, rng.Purpose.SPLIT, *stage)
  state = int(stream.integers(2**31))
  units = [str(c.unit) for c in rows]
  by = GroupFolds
  if len(rows) > _MANY and len(set(units)) == len(rows):
    by = StratifiedKFold  # The other one takes hours where each is a group.
  splitter = by(number, shuffle=True, random_state=state)
  # It fills its parts in order, the largest groups first: without this the part
  # that is tested would always hold the same large patients.
  order = stream.permutation(number)
  labels = strata.of(cohort, rows)
  part = np.empty(len(rows), int)
  try:
    with warnings.catch_warnings():
      # A class with fewer groups than parts; `_check` looks at the outcome.
      warnings.simplefilter('ignore', UserWarning)
      split = splitter.split(np.zeros(len(rows)), labels, units)
      for index, (_, chosen) in enumerate(split):
        part[chosen] = order[index]
  except ValueError as error:
    kind = 'training images' if all(c.split for c in rows) else 'images'
    of = 'class' if cohort.classes else 'quarter of the numbers'
    raise UserError(
      f'{len(rows)} {kind} of {len(set(units))} groups (patients, or single'
      f' images where none is named) are too few for {what}, because no {of}'
      f' has {number}: more images, of more groups, are needed.'
    ) from error
  return part


def _check(
  cohort: Cohort, rows: Sequence[Candidate], protocol: str, validated: bool
) -> None:
  name, splits = cohort.source.name, ['train', 'test']
  if protocol == 'clean' and validated:
    splits.append('validation')
  for split in splits:
    labels = {c.label for c in rows if c.split == split}
    missing = [
      f'no image of the class {label!r}'
      for label in cohort.classes
      if label not in labels
    ]
    if not labels and not cohort.classes:
      missing = ['no image']
    if missing:
      remedy = 'more images are needed'
      if cohort.named_splits:
        remedy = 'its own splits say so (a column or folders), mend those'
      if len(cohort.classes) > 2:
        remedy += (
          ', or name the classes that have enough (--config.data.classes)'
        )
      raise UserError(f'The {split} part of {name} has {missing[0]}: {remedy}.')
  if protocol == 'clean':
    sides = {}
    for c in rows:
      sides.setdefault(c.unit, set()).add(c.split)
    mixed = [group for (_, group), parts in sides.items() if len(parts) > 1]
    if mixed:
      raise UserError(
        f'{name} names splits that put the group {mixed[0]!r} on both sides:'
        ' mend them, or run with protocol=published.'
      )

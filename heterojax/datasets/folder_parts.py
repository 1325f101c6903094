"""The parts that folders name: splits such as train, folds such as fold_0.

A fold is a column of the image, as that of a file of features is. It is the
split as well where folders name no train and test.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
import dataclasses
import re

from heterojax.datasets import masks
from heterojax.datasets import meanings
from heterojax.datasets import parts
from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate

# Folders of these words hold the images, or the parts, of what is around them.
PLAIN = frozenset({
  *('images', 'image', 'imgs', 'img', 'pictures', 'photos', 'data', 'dataset'),
  *('png', 'jpg', 'jpeg', 'dicom', 'dcm'),
})
FOLD = 'fold'  # The column.
_OF_PARTS = PLAIN | {'set', 'split', 'part', 'folder', 'input', 'fold', 'folds'}
_GAP = r'[\s_.-]*'
_DIGITS = rf'[0-9]{{1,{splits.MOST_DIGITS}}}'
# The whole name, as 0_fold and fold_a.
_WHOLE = (
  re.compile(rf'({_DIGITS})(?:st|nd|rd|th)?{_GAP}fold', re.IGNORECASE),
  re.compile(r'fold[\s_.-]([a-j])', re.IGNORECASE),
)
# Or a part of it, as that of train_fold_0, k0, cv_2, 5-fold_1 and Fold 1 of 5.
_FOLD = re.compile(
  rf'(?<![a-z])(?:(?:(?:(?<![0-9])[0-9]+|k|cv){_GAP})?folds?|k|cv|split)'
  rf'{_GAP}({_DIGITS})(?:{_GAP}of{_GAP}[0-9]+)?(?![a-z0-9])',
  re.IGNORECASE,
)
# Of a folder that holds folds, as folds, 5-fold, kfold and cross_validation.
_OF_FOLDS = re.compile(
  rf'(?:[0-9]+|k|cv)?{_GAP}folds?|cross{_GAP}val(?:idation)?(?:{_GAP}folds?)?',
  re.IGNORECASE,
)


def fold(folder: str) -> str:
  """The number of the fold that a folder is called by; '' if none.

  A letter counts from 0.
  """
  found = _whole(folder) or _FOLD.search(folder)
  if not found or split_and_others(folder)[1] - _OF_PARTS:
    return ''
  number = found[1].casefold()
  return str(int(number) if number.isdecimal() else ord(number) - ord('a'))


def _whole(folder: str) -> re.Match | None:
  return next(filter(None, (p.fullmatch(folder) for p in _WHOLE)), None)


def holds_folds(folder: str, inside: Collection[str]) -> bool:
  """Whether a folder is called as one of folds and holds nothing else."""
  is_called_so = _OF_FOLDS.fullmatch(folder) and inside
  return bool(is_called_so) and all(map(numbered, inside))


def numbered(folder: str) -> str:
  """The fold of a folder in one of folds, which may be its number alone."""
  return str(int(folder)) if re.fullmatch(_DIGITS, folder) else fold(folder)


def split(folder: str) -> str:
  """The split that a folder is called by; '' if none."""
  found, others = split_and_others(folder)
  return found if others <= _OF_PARTS else ''


def split_and_others(folder: str) -> tuple[str, set[str]]:
  """The one split among the words of a name, '' if none, and other words."""
  if _whole(folder):
    return '', set()
  folder = _FOLD.sub(' ', folder)
  if whole := parts.word(folder):  # As hold-out.
    return whole, set()
  found = {word: parts.word(word) for word in masks.words(folder)}
  of = set(filter(None, found.values()))
  others = {word for word, split in found.items() if not split}
  return of.pop() if len(of) == 1 else '', others


def is_plain(folder: str) -> bool:
  """Whether a folder says nothing of the images in it."""
  found = masks.words(folder)
  return bool(found) and found <= PLAIN


def is_part(folder: str) -> bool:
  """Whether a folder below a class says which part its images are, at most."""
  return is_plain(folder) or bool(split(folder) or fold(folder))


def with_parts(
  candidates: Sequence[Candidate], folds: Mapping[str, str]
) -> tuple[list[Candidate], tuple[str, ...]]:
  """The candidates with the parts that can serve, and what is to be said.

  Args:
    candidates: with the splits that their folders name.
    folds: by id, '' where a folder names none.
  """
  candidates, trained = _with_training(candidates, folds)
  candidates, notes = _with_splits(candidates)
  notes = trained + notes
  numbers = {folds[c.id] for c in candidates if c.included} - {''}
  if not numbers:
    return candidates, notes
  candidates = [
    dataclasses.replace(c, columns=(*c.columns, (FOLD, folds[c.id])))
    for c in candidates
  ]
  return _with_folds(candidates, folds, sorted(numbers, key=int), notes)


def _with_training(
  candidates: Sequence[Candidate], folds: Mapping[str, str]
) -> tuple[Sequence[Candidate], tuple[str, ...]]:
  """The candidates; folds beside a part for testing are what is trained on."""
  said = {(c.split, bool(folds[c.id])) for c in candidates if c.included}
  if said != {('test', False), ('', True)}:
    return candidates, ()
  return [
    dataclasses.replace(c, split=c.split or 'train') for c in candidates
  ], ('Folders of folds beside one for testing are what is trained on.',)


def _with_splits(
  candidates: Sequence[Candidate],
) -> tuple[list[Candidate], tuple[str, ...]]:
  there = {c.split for c in candidates if c.included}
  if not there - {''}:
    return [dataclasses.replace(c, split='') for c in candidates], ()
  names = ', '.join(sorted(there - {''}))
  renamed, note = {}, f'The folders name the split of each image ({names}).'
  if {'train', 'validation'} <= there and 'test' not in there:
    renamed = {'validation': 'test'}
    note = (
      'There are folders of training and of validation and none of test: those'
      ' of validation are the test set.'
    )
  elif not {'train', 'test'} <= there:
    renamed = dict.fromkeys(there, '')
    note = (
      f'Folders name the split {names} alone, which splits nothing: images are'
      ' split at random.'
    )
  return [
    dataclasses.replace(c, split=renamed.get(c.split, c.split))
    for c in candidates
  ], (note,)


def _with_folds(
  candidates: Sequence[Candidate],
  folds: Mapping[str, str],
  numbers: Sequence[str],
  notes: tuple[str, ...],
) -> tuple[list[Candidate], tuple[str, ...]]:
  """The candidates, whose splits are folds where nothing else splits them."""
  shown = meanings.shown([f'fold_{number}' for number in numbers])
  pairs = {(folds[c.id], c.split) for c in candidates if c.included and c.split}
  of = Counter(number for number, _ in pairs if number)
  if sum(n > 1 for n in of.values()) > 1:
    return [_of_fold(c, folds[c.id], pairs) for c in candidates], (
      f'Each of the folds {shown} has splits of its own; of one without a test'
      ' part, that of validation is tested.',
    )
  if pairs:
    return list(candidates), (
      *notes,
      f'The folds that folders name ({shown}) are the column {FOLD} and split'
      ' nothing, as folders of splits are there.',
    )
  if len(numbers) == 1:
    return list(candidates), (
      f'The folders name one fold alone ({shown}), which splits nothing: images'
      ' are split at random.',
    )
  tested = [
    dataclasses.replace(c, split=f'fold_{folds[c.id]}') if folds[c.id] else c
    for c in candidates
  ]
  return tested, (
    f'The folders name the fold of each image ({shown}), which is the column'
    f' {FOLD}: each fold is tested once, unless --config.split.named=False.',
  )


def _of_fold(
  c: Candidate, number: str, pairs: Collection[tuple[str, str]]
) -> Candidate:
  """The candidate of a fold with splits of its own, by both."""
  if not (number and c.split):
    return c
  is_tested = c.split == 'validation' and (number, 'test') not in pairs
  split = splits.of_fold(number, 'test' if is_tested else c.split)
  return dataclasses.replace(c, split=split)


def taken_for_folds(folders: Sequence[str]) -> str:
  """A sentence on folders that could be meant as classes."""
  return (
    f'Folders called {meanings.shown(folders, 3)} are folds and no classes,'
    ' unless --config.data.positive and --config.data.negative name them.'
  )

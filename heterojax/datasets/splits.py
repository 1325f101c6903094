"""Who trains, who is tested: the published and the clean protocol."""

from collections.abc import Sequence
import dataclasses
import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.model_selection import train_test_split

from heterojax import rng
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

PROTOCOLS = ('clean', 'published')


def assign(
    cohort: Cohort,
    *,
    seed: int,
    protocol: str,
    test_share: float,
    validation_share: float,
) -> Cohort:
  """Gives every included candidate its split; splits of the source stay.

  Args:
    cohort: selected candidates.
    seed: of the study.
    protocol: 'published' splits rows, stratified by class, with no validation
      part, whatever image or patient they show (Wang 2023); 'clean' splits
      groups, so that no patient is on both sides, and takes a validation part
      from the training groups.
    test_share: share of the test set, 0..1.
    validation_share: share of the training groups that 'clean' validates on.

  Returns:
    The cohort with `split` set.

  Raises:
    UserError: if there are too few images or groups for it.
  """
  rows = cohort.included
  named = [c for c in rows if c.split]
  if named and len(named) < len(rows):
    raise UserError(
        f'Only {len(named)} of {len(rows)} images of {cohort.root} have a'
        ' split: name it for all of them or for none.'
    )
  if not named:
    rows = _split(rows, test_share, 'train', 'test', seed, protocol, 0)
  if protocol == 'clean' and not any(c.split == 'validation' for c in rows):
    training = [c for c in rows if c.split == 'train']
    training = _split(
        training, validation_share, 'train', 'validation', seed, protocol, 1
    )
    rows = [*training, *(c for c in rows if c.split == 'test')]
  _check(cohort, rows, protocol)
  return cohort.replaced({c.id: c for c in rows})


def _split(
    rows: Sequence[Candidate],
    share: float,
    large: str,
    small: str,
    seed: int,
    protocol: str,
    stage: int,
) -> list[Candidate]:
  """Marks a share of the rows as `small`, the others as `large`."""
  labels = [c.label for c in rows]
  stream = rng.generator(seed, rng.Purpose.SPLIT, stage)
  state = int(stream.integers(2**31))
  try:
    if protocol == 'published':
      _, chosen = train_test_split(
          np.arange(len(rows)),
          test_size=share,
          stratify=labels,
          random_state=state,
      )
    else:
      # Of `parts` equal parts, each of whole groups and stratified, the first
      # is the share.
      parts = round(1 / share)
      folds = StratifiedGroupKFold(parts, shuffle=True, random_state=state)
      units = [str(c.unit) for c in rows]
      with warnings.catch_warnings():
        # A class with fewer groups than parts; `_check` looks at the outcome.
        warnings.simplefilter('ignore', UserWarning)
        _, chosen = next(folds.split(np.zeros(len(rows)), labels, units))
  except ValueError as error:
    units = len({c.unit for c in rows})
    raise UserError(
        f'{len(rows)} images of {units} groups (patients, or single images where'
        f' none is named) cannot be split into {large} and {small}: more images,'
        f' of more groups, are needed for a share of {share:g}.'
    ) from error
  chosen = set(chosen.tolist())
  return [
      dataclasses.replace(c, split=small if i in chosen else large)
      for i, c in enumerate(rows)
  ]


def _check(cohort: Cohort, rows: Sequence[Candidate], protocol: str) -> None:
  splits = ('train', 'test') if protocol == 'published' else (
      'train', 'validation', 'test'
  )
  for split in splits:
    for label in (cohort.positive, cohort.negative):
      if not any(c.split == split and c.label == label for c in rows):
        raise UserError(
            f'The {split} part of {cohort.root} has no image of the class'
            f' {label!r}: more images are needed.'
        )
  if protocol == 'clean':
    sides = {}
    for c in rows:
      sides.setdefault(c.unit, set()).add(c.split)
    mixed = [group for (_, group), found in sides.items() if len(found) > 1]
    if mixed:
      raise UserError(
          f'{cohort.root} names splits that put the group {mixed[0]!r} on both'
          ' sides: mend them, or run with protocol=published.'
      )

"""Data sets: each module's read(path, named) gives a Cohort."""

from collections.abc import Callable, Iterable
import dataclasses
import functools
import pathlib
import re

from heterojax.datasets import bone_age
from heterojax.datasets import folder
from heterojax.datasets import meanings
from heterojax.datasets import medmnist
from heterojax.datasets import nih
from heterojax.datasets import numbers
from heterojax.datasets import odir
from heterojax.datasets import outside
from heterojax.datasets import patients
from heterojax.datasets import prepared
from heterojax.datasets import ready
from heterojax.datasets import restriction
from heterojax.datasets.choices import NO_CHOICES
from heterojax.datasets.choices import Choices
from heterojax.datasets.classes import Classes
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

READERS = {
  'odir5k': odir.read,
  'nih_cxr': nih.read,
  'bone_age': bone_age.read,
  'folder': folder.read,
  'medmnist': medmnist.read,
  'features': ready.read,
  'demo': folder.read,
  'demo_control': folder.read,
  'demo_classes': folder.read,
  'demo_five': folder.read,
  'demo_five_control': folder.read,
  'demo_hands': folder.read,
}
NAMES = tuple(READERS)
# Of data that users lay out as they like.
_WITH_CHOICES = ('folder', 'features')
# Whose readers take a task; the others know classes alone.
_WITH_NUMBERS = ('bone_age', 'folder', 'features', 'demo_hands')


def read(
  name: str,
  path: pathlib.Path,
  named: Classes,
  *,
  task: str = 'classification',
  where: str = '',
  group: str = '',
  choices: Choices = NO_CHOICES,
) -> Cohort:
  """Finds the candidates of the classes, or of a regression.

  Args:
    name: one of `NAMES`.
    path: the folder or file of the data set, or what `launch.prepare` made of
      it.
    named: see `classes.Classes`.
    task: one of `manifest.TASKS`; a regression has no classes, and its labels
      are numbers.
    where: which candidates are of interest, see `restriction.restrict`.
    group: what names the patients, see `patients.grouped`.
    choices: of the readers of folders, tables and files of features.

  Returns:
    All candidates, none looked at yet.

  Raises:
    UserError: if this is not that data set, or has no such classes, numbers or
      columns.
  """
  if name == 'folder' and path.suffix == '.npz':
    name = 'medmnist'
  if task == 'regression':
    cohort = _read_numbers(name, path, named, choices)
  else:
    cohort = _read_classes(name, path, named, choices)
  told = *_told(cohort.notes, path), *outside.notes(cohort)
  cohort = dataclasses.replace(cohort, notes=told)
  cohort = patients.grouped(cohort, group)
  return restriction.restrict(cohort, where)


def _told(notes: Iterable[str], path: pathlib.Path) -> tuple[str, ...]:
  """Notes for others, to whom the folders above the data say nothing."""
  whole = rf'(?<!\S){re.escape(str(path))}(?!\w)'
  return tuple(
    re.sub(whole, lambda _: path.name or '.', note) for note in notes
  )


def _read_classes(
  name: str, path: pathlib.Path, named: Classes, choices: Choices
) -> Cohort:
  if name == 'demo_hands':
    raise UserError(
      'The made-up hands have numbers and no classes: give'
      ' --config.data.task=regression.'
    )
  if prepared.find(path):
    cohort = prepared.read(path, named, choices.incomplete)
    if choices.columns:
      raise UserError(
        f'{path} was prepared: {meanings.OPTION} is for the preparation.'
      )
    if choices.masks and cohort.masks_are_left_out:
      raise UserError(
        f'{path} was prepared without masks: prepare it with'
        ' --config.data.masks=True.'
      )
    return cohort
  return _named(name, _reader(name, choices)(path, named))


def _reader(name: str, choices: Choices) -> Callable[..., Cohort]:
  """The reader of a data set; those of users' own data know the choices."""
  if name in _WITH_CHOICES:
    return functools.partial(READERS[name], choices=choices)
  if choices._replace(incomplete=False) != NO_CHOICES:
    raise UserError(
      f'{meanings.OPTION}, --config.data.images and --config.data.masks are for'
      f' folders and tables, which {name} is not.'
    )
  if name == 'medmnist':
    return functools.partial(medmnist.read, incomplete=choices.incomplete)
  return READERS[name]


def _read_numbers(
  name: str, path: pathlib.Path, named: Classes, choices: Choices
) -> Cohort:
  numbers.require_no_classes(named)
  if name not in _WITH_NUMBERS:
    raise UserError(
      f'{name} has classes, no numbers: --config.data.task=regression is for'
      f' {", ".join(_WITH_NUMBERS)}.'
    )
  if not prepared.find(path):
    return _named(name, _reader(name, choices)(path, named, 'regression'))
  cohort = prepared.read(path, named)
  if cohort.name != bone_age.NAME:
    raise UserError(
      f'{path} was prepared for classes: with --config.data.task=regression,'
      ' --config.data.dir must be the data set itself.'
    )
  return bone_age.with_ages(cohort)


def _named(name: str, cohort: Cohort) -> Cohort:
  """Made-up cohorts are called as the user calls them."""
  if name.startswith('demo'):
    return dataclasses.replace(cohort, name=name)
  return cohort

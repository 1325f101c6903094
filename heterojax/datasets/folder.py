"""Any data set: a folder per class, or a CSV of paths and labels."""

from collections.abc import Sequence
import dataclasses
import os
import pathlib
import re
from typing import NamedTuple

from heterojax import addresses
from heterojax.datasets import class_folders
from heterojax.datasets import classes
from heterojax.datasets import headers
from heterojax.datasets import images
from heterojax.datasets import layout
from heterojax.datasets import namesakes
from heterojax.datasets import numbers
from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import read_table
from heterojax.datasets.manifest import require_columns
from heterojax.datasets.sources import Files
from heterojax.errors import UserError

# Words by which data sets call the class without the disease. Numbers are no
# such words: in some data sets, 0 is the disease.
_HEALTHY = (
  'normal',
  'normal fundus',
  'no finding',
  'no_finding',
  'healthy',
  'control',
  'negative',
  'no',
)
# What columns are called, as small letters alone; the first name is preferred.
_COLUMNS = {
  'path': ('path',),
  'label': ('label',),
  'group': ('group', 'patient', 'patientid', 'subject', 'subjectid'),
  'split': ('split',),
  'fold': ('fold',),
}
# What the manifest writes itself; a CSV's column of that name is prefixed.
_MANIFEST_COLUMNS = (
  'id',
  'included',
  'reason',
  'width',
  'height',
  'sha256',
  'pixels_sha256',
)


class Choices(NamedTuple):
  """What a user may say of a folder or table of images.

  Attributes:
    images: folder in which a table's images are looked for; '' for the table's.
    masks: whether what looks like a mask is an image as any other.
  """

  images: str = ''
  masks: bool = False


NO_CHOICES = Choices()


@dataclasses.dataclass(frozen=True)
class Listed(Files):
  """Image files that a CSV lists; messages name the CSV."""

  table: pathlib.Path

  @property
  def name(self) -> str:
    return str(self.table)


def read(
  path: pathlib.Path,
  named: classes.Classes,
  task: str = 'classification',
  choices: Choices = NO_CHOICES,
) -> Cohort:
  """Reads `DIR/class/image.png` or a CSV `path,label[,group][,split]`.

  Args:
    path: a folder with one folder per class, see `class_folders`; or a CSV file
      whose paths start from its folder or are absolute, see `namesakes`; or the
      folder of one. Hidden files and folders, whose names begin with a dot, do
      not count. Names of columns may have capitals; the group may be called
      patient, patient_id, subject or subject_id.
    named: see `classes.Classes`; '' where two labels leave no doubt.
    task: 'regression' where the labels of a CSV are numbers; then there are no
      classes.
    choices: see `Choices`.

  Returns:
    All images; those of other labels are left out with that reason.

  Raises:
    UserError: if there is nothing to read or the two classes are not clear.
  """
  path = _here(path)
  if os.path.isfile(path):
    return _from_table(path, named, task, choices)
  tree = layout.walk(path)
  tables = [n for n in tree.folders[''] if n.lower().endswith('.csv')]
  found = class_folders.read(tree, named, choices.masks)
  # Folders that are not the classes may be the parts of a download.
  elsewhere = not found.labels or (
    any(named) and found.labels.isdisjoint(map(classes.composed, named))
  )
  if len(tables) == 1 and (elsewhere or choices.images or task == 'regression'):
    return _from_table_of(path, tables[0], found, named, task, choices)
  _require_classes(path, task, choices)
  hint = [
    f'To read its table, give --config.data.dir={path / name}.'
    for name in tables[:1]
  ]
  _require_images(path, found, hint)
  candidates, headed = headers.described(found.candidates, path)
  return _cohort(
    path,
    named,
    Files(path),
    candidates,
    (*found.notes, *headed),
    labels=found.labels,
    hint=hint,
    masks_are_left_out=not choices.masks,
  )


def _here(path: pathlib.Path) -> pathlib.Path:
  """The path, or the one that is there of the same name."""
  if os.path.exists(path):
    return path
  try:
    alike = [
      name
      for name in os.listdir(path.parent)
      if classes.composed(name) == classes.composed(path.name)
    ]
  except OSError:
    alike = []
  if len(alike) == 1:
    return path.parent / alike[0]
  raise UserError(
    f'{path} does not exist: --config.data.dir must be a folder with one'
    ' folder per class, or a CSV file with the columns path and label.'
  )


def _require_classes(path: pathlib.Path, task: str, choices: Choices) -> None:
  """Raises a UserError where a folder is asked for what a table has."""
  if choices.images:
    raise UserError(
      f'--config.data.images is {choices.images}, but {path} is no table that'
      ' names images: give the CSV file as --config.data.dir.'
    )
  if task == 'regression':
    raise UserError(
      f'{path} is a folder, whose folders are classes and no numbers: with'
      ' --config.data.task=regression, --config.data.dir must be a CSV file'
      ' with the columns path and label.'
    )


def _require_images(
  path: pathlib.Path, found: class_folders.Found, hint: Sequence[str]
) -> None:
  if found.labels:
    return
  text = (
    f'{path} holds no images: it needs one folder per class with'
    f' {", ".join(images.READABLE)} files in it.'
  )
  if any(c.reason == class_folders.NO_CLASS for c in found.candidates):
    text = (
      f'{path} holds images and no class folder: --config.data.dir must be'
      ' the folder above, with one folder per class.'
    )
  raise UserError(' '.join([text, *found.notes, *hint]))


def _from_table(
  path: pathlib.Path, named: classes.Classes, task: str, choices: Choices
) -> Cohort:
  candidates, notes = _from_csv(path)
  root = path.parent
  if choices.images:
    root = _images_folder(path, choices.images)
  else:
    namesakes.refuse_addresses(path, [c.path for c in candidates])
  candidates, more = namesakes.located(candidates, root, path)
  candidates, headed = headers.described(candidates, root)
  source, notes = Listed(root, path), (*notes, *more, *headed)
  if task == 'regression':
    candidates = tuple(numbers.labelled(c, c.label) for c in candidates)
    numbers.require_some(str(path), candidates)
    return Cohort(path.stem, source, (), candidates, notes, task=task)
  labels = {c.label for c in candidates if c.label}
  return _cohort(path, named, source, candidates, notes, labels=labels)


def _from_table_of(
  path: pathlib.Path,
  name: str,
  found: class_folders.Found,
  named: classes.Classes,
  task: str,
  choices: Choices,
) -> Cohort:
  """Reads the one table of a folder; an error names its class folders too."""
  try:
    cohort = _from_table(path / name, named, task, choices)
  except UserError as error:
    if not found.labels:
      raise
    shown = ', '.join(sorted(found.labels))
    raise UserError(f'{error} The folders of {path} are {shown}.') from error
  note = f'The table {name} of {path} names the images.'
  return dataclasses.replace(cohort, notes=(note, *cohort.notes))


def _images_folder(table: pathlib.Path, given: str) -> pathlib.Path:
  """The folder of the images, from where we are or beside the table."""
  folder = pathlib.Path(given).expanduser()
  for place in (folder, table.parent / folder):
    if os.path.isdir(place):
      return place
  raise UserError(
    f'--config.data.images is {given}, but there is no such folder, neither'
    f' here nor beside {table}.'
  )


def _cohort(
  path: pathlib.Path,
  named: classes.Classes,
  source: Files,
  candidates: Sequence[Candidate],
  notes: tuple[str, ...],
  *,
  labels: set[str],
  hint: Sequence[str] = (),
  masks_are_left_out: bool = False,
) -> Cohort:
  try:
    chosen = _classes(path, labels, named)
  except UserError as error:  # What was not read may be the reason.
    raise UserError(' '.join([str(error), *notes, *hint])) from error
  candidates = tuple(
    c
    if c.label in chosen or not c.included
    else c.left_out(classes.reason(c.label))
    for c in candidates
  )
  return Cohort(
    path.stem,
    source,
    chosen,
    candidates,
    notes,
    masks_are_left_out=masks_are_left_out,
  )


def _from_csv(path: pathlib.Path) -> tuple[list[Candidate], tuple[str, ...]]:
  rows = read_table(path)
  column = _columns(path, [*rows[0]] if rows else [])
  if not {'path', 'label'} <= column.keys():
    require_columns(path, rows, ('path', 'label'))
  others = [name for name in rows[0] if name not in column.values()]
  candidates = []
  for number, row in enumerate(rows):
    cells = {role: row[name] for role, name in column.items()}
    name, split = cells['path'], cells.get('split', '')
    if split.lower() not in splits.WORDS:
      raise UserError(
        f'{path}, row {number + 1}: split is {split!r}, but must be one of'
        ' train, validation, test or empty.'
      )
    part = splits.WORDS[split.lower()]
    if fold := cells.get('fold', ''):
      if not fold.isdecimal() or len(fold) > splits.MOST_DIGITS or part:
        raise UserError(
          f'{path}, row {number + 1}: fold is {fold!r}, but must be a number,'
          ' and the split empty.'
        )
      part = f'fold_{int(fold)}'
    candidate = Candidate(
      id=str(number),
      path=_path(name),
      label=cells['label'],
      group=cells.get('group', ''),
      split=part,
      columns=tuple(
        (f'source_{k}' if k in _MANIFEST_COLUMNS else k, row[k]) for k in others
      ),
    )
    if not name:
      candidate = candidate.left_out('no path')
    elif not cells['label']:
      candidate = candidate.left_out('no label')
    candidates.append(candidate)
  notes = ()
  if column.get('group', 'group') != 'group':
    notes = (f'The column {column["group"]} of {path.name} is the group.',)
  return candidates, notes


def _path(name: str) -> str:
  """A path as it is looked up; addresses stay what they are."""
  if not name or addresses.is_address(name):
    return name
  return pathlib.PurePath(name).as_posix()


def _columns(path: pathlib.Path, names: Sequence[str]) -> dict[str, str]:
  """Which column plays which part."""
  column = {}
  for role, known in _COLUMNS.items():
    matching = [n for n in names if re.sub('[ _-]', '', n.lower()) in known]
    # Its plain name is what a user calls a column on purpose.
    matching = next(([n] for n in matching if n == role), matching)
    if len(matching) > 1:
      raise UserError(
        f'{path} has the columns {" and ".join(matching)}: call the one that is'
        f' meant {role!r}.'
      )
    if matching:
      column[role] = matching[0]
  return column


def _classes(
  path: pathlib.Path, labels: set[str], named: classes.Classes
) -> classes.Classes:
  healthy = {name for name in labels if name.lower() in _HEALTHY}
  if len(labels) == 2 and len(healthy) == 1 and not any(named):
    return *(labels - healthy), *healthy
  return classes.choose(path, labels, named)

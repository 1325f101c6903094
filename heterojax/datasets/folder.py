"""Any data set: a folder per class, or a CSV of paths and labels."""

from collections.abc import Sequence
import dataclasses
import os
import pathlib
import posixpath
import re

from heterojax.datasets import classes
from heterojax.datasets import layout
from heterojax.datasets import numbers
from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import read_table
from heterojax.datasets.manifest import require_columns
from heterojax.datasets.sources import Files
from heterojax.errors import UserError

_ENDINGS = (
  '.jpg',
  '.jpeg',
  '.png',
  '.bmp',
  '.tif',
  '.tiff',
  '.gif',
  '.webp',
  '.dcm',
  '.dicom',
)
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
  'format',
  'bit_depth',
  'minimum_value',
  'mean_value',
  'maximum_value',
  'value_range',
  'sha256',
  'pixels_sha256',
)


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
) -> Cohort:
  """Reads `DIR/class/image.png` or a CSV `path,label[,group][,split]`.

  Args:
    path: a folder with one folder per class, or a CSV file whose paths start
      from its folder or are absolute. Hidden files and folders, whose names
      begin with a dot, do not count. Names of columns may have capitals; the
      group may be called patient, patient_id, subject or subject_id.
    named: see `classes.Classes`; '' where two labels leave no doubt.
    task: 'regression' where the labels of a CSV are numbers; then there are no
      classes.

  Returns:
    All images; those of other labels are left out with that reason.

  Raises:
    UserError: if there is nothing to read or the two classes are not clear.
  """
  if not os.path.exists(path):
    raise UserError(
      f'{path} does not exist: --config.data.dir must be a folder with one'
      ' folder per class, or a CSV file with the columns path and label.'
    )
  if os.path.isfile(path):
    source = Listed(path.parent, path)
    candidates, notes = _from_csv(path)
  elif task == 'regression':
    raise UserError(
      f'{path} is a folder, whose folders are classes and no numbers: with'
      ' --config.data.task=regression, --config.data.dir must be a CSV file'
      ' with the columns path and label.'
    )
  else:
    source = Files(path)
    candidates, notes = _from_folders(path)
  if task == 'regression':
    candidates = tuple(numbers.labelled(c, c.label) for c in candidates)
    numbers.require_some(str(path), candidates)
    return Cohort(path.stem, source, (), candidates, notes, task=task)
  try:
    chosen = _classes(path, candidates, named)
  except UserError as error:  # What could not be searched may be the reason.
    raise UserError(' '.join([str(error), *notes])) from error
  candidates = tuple(
    c
    if c.label in chosen or not c.included
    else c.left_out(classes.reason(c.label))
    for c in candidates
  )
  return Cohort(path.stem, source, chosen, candidates, notes)


def _from_folders(
  folder: pathlib.Path,
) -> tuple[list[Candidate], tuple[str, ...]]:
  tree = layout.walk(folder)
  # A directory that is named like an image stays in: inspecting it tells why it
  # cannot be used.
  names = [*tree.folders]
  for inner, files in tree.folders.items():
    names += [posixpath.join(inner, name) for name in files]
  names = sorted(n for n in names if n.lower().endswith(_ENDINGS))
  candidates = []
  for name in names:
    if '/' not in name:
      continue
    # A name that is not UTF-8 cannot be written into a manifest.
    shown = name.encode(errors='surrogateescape')
    shown = shown.decode(errors='backslashreplace')
    label = shown.split('/')[0]
    candidate = Candidate(id=shown, path=shown, label=label, group='')
    if shown != name:
      candidate = candidate.left_out('the file name is not UTF-8')
    candidates.append(candidate)
  if names and not candidates:
    raise UserError(
      f'{folder} holds images and no class folder:'
      ' --config.data.dir must be the folder above, with one folder per class.'
    )
  if not candidates:
    raise UserError(
      f'{folder} holds no images: it needs one folder per class with'
      f' {", ".join(_ENDINGS)} files in it.'
    )
  outside = len(names) - len(candidates)
  notes = tree.notes
  if outside:
    notes += (f'{outside:,} images of {folder} lie in no class folder.',)
  return candidates, notes


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
      path=pathlib.PurePath(name).as_posix() if name else '',
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
  path: pathlib.Path, candidates: Sequence[Candidate], named: classes.Classes
) -> classes.Classes:
  labels = {c.label for c in candidates if c.label}
  healthy = {name for name in labels if name.lower() in _HEALTHY}
  if len(labels) == 2 and len(healthy) == 1 and not any(named):
    return *(labels - healthy), *healthy
  return classes.choose(path, labels, named)

"""Any data set: a folder per class, or a CSV of paths and labels."""

from collections.abc import Collection, Sequence
import dataclasses
import os
import pathlib
import posixpath

from heterojax.datasets import classes
from heterojax.datasets import labels
from heterojax.datasets import layout
from heterojax.datasets import lookalikes
from heterojax.datasets import meanings
from heterojax.datasets import numbers
from heterojax.datasets import parts
from heterojax.datasets import splits
from heterojax.datasets import tables
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
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
_MEANINGS = ('path', 'label', 'group', 'split', 'fold')
# What the manifest writes itself; a CSV's column of that name is prefixed.
_MANIFEST_COLUMNS = (
  *_MEANINGS,
  'id',
  'included',
  'reason',
  'width',
  'height',
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
  columns: meanings.Columns = meanings.NONE,
) -> Cohort:
  """Reads `DIR/class/image.png` or a CSV `path,label[,group][,split]`.

  Args:
    path: a folder with one folder per class, or a CSV file whose paths start
      from its folder or are absolute. Hidden files and folders, whose names
      begin with a dot, do not count. For names of columns see `meanings`.
    named: see `classes.Classes`; '' where two labels leave no doubt.
    task: 'regression' where the labels of a CSV are numbers; then there are no
      classes.
    columns: what the user says of them, see `meanings.parse`.

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
    candidates, notes = _from_csv(path, columns)
    named = tuple(map(meanings.whole, named))
  elif task == 'regression':
    raise UserError(
      f'{path} is a folder, whose folders are classes and no numbers: with'
      ' --config.data.task=regression, --config.data.dir must be a CSV file'
      ' with the columns path and label.'
    )
  elif columns:
    raise UserError(
      f'{path} is a folder, but {meanings.OPTION} is of a table: name the CSV'
      ' file with --config.data.dir.'
    )
  else:
    source = Files(path)
    candidates, notes = _from_folders(path)
  found = [c.label for c in candidates]
  absent = labels.absent(found, named, task)
  notes += labels.notes(path, found, absent, named, task)
  candidates = tuple(labels.left_out(c, absent) for c in candidates)
  if task == 'regression':
    candidates = tuple(numbers.labelled(c, c.label) for c in candidates)
    numbers.require_some(str(path), candidates)
    return Cohort(path.stem, source, (), candidates, notes, task=task)
  try:
    chosen = _classes(path, candidates, named, absent)
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


def _from_csv(
  path: pathlib.Path, asked: meanings.Columns
) -> tuple[list[Candidate], tuple[str, ...]]:
  table = tables.read(path)
  chosen, notes = meanings.choose(path, table.names, asked, _MEANINGS)
  if not table.has_names:
    chosen, notes = _by_content(table, chosen)
  if not table.rows:
    raise UserError(f'{path} holds no rows.')
  cells = {name: [row[name] for row in table.rows] for name in table.names}
  chosen = parts.without_phases(chosen, asked, cells.__getitem__)
  used = {name for names in chosen.values() for name in names}
  unused = {name: cells[name] for name in table.names if name not in used}
  likely = {}
  if 'label' not in chosen and (several := labels.one_hot_columns(unused)):
    likely = {'label': '|'.join(several)}
  meanings.require(path, table.names, chosen, ('path', 'label'), likely)
  of = {m: cells[names[0]] for m, names in chosen.items()}
  found = [meanings.whole(cell) for cell in of['label']]
  if len(chosen['label']) > 1:
    found = labels.one_hot(
      path, {name: cells[name] for name in chosen['label']}
    )
  nothing = [''] * len(found)
  groups, more = meanings.groups(path, of.get('group', nothing))
  notes += more
  column = chosen.get('split', ('split',))[0]
  splits_, more = parts.named(path, column, of.get('split', nothing))
  notes += tuple(note.replace(parts.FILE, path.name) for note in more)
  folds = [meanings.known(cell) for cell in of.get('fold', nothing)]
  candidates = []
  for row, name in enumerate(of['path']):
    candidate = Candidate(
      id=str(row),
      path=pathlib.PurePath(name).as_posix() if name else '',
      label=found[row],
      group=groups[row],
      split=_part(path, row + 1, splits_[row], folds[row]),
      columns=tuple(
        (f'source_{k}' if k in _MANIFEST_COLUMNS else k, v[row])
        for k, v in unused.items()
      ),
    )
    if meanings.is_missing(name):
      candidate = candidate.left_out('no path')
    candidates.append(candidate)
  looks = lookalikes.find(unused, found, groups)
  notes += lookalikes.notes(path, looks)
  return candidates, table.notes + notes


def _by_content(
  table: tables.Table, chosen: dict[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
  """Columns without names: the one of images, and the one beside it."""
  images = [
    name
    for name in table.names
    if all(tables.is_image_name(row[name]) for row in table.rows)
  ]
  notes = ()
  for meaning, found in (
    ('path', images),
    ('label', [name for name in table.names if name not in images]),
  ):
    if meaning not in chosen and len(found) == 1:
      chosen = {**chosen, meaning: (found[0],)}
      notes += (f'{found[0]} is the {meaning}.',)
  return chosen, notes


def _part(path: pathlib.Path, row: int, split: str, fold: str) -> str:
  if not fold:
    return split
  if not fold.isdecimal() or len(fold) > splits.MOST_DIGITS or split:
    raise UserError(
      f'{path}, row {row}: fold is {fold!r}, but must be a number,'
      ' and the split empty.'
    )
  return f'fold_{int(fold)}'


def _classes(
  path: pathlib.Path,
  candidates: Sequence[Candidate],
  named: classes.Classes,
  absent: Collection[str],
) -> classes.Classes:
  found = {c.label for c in candidates if c.label not in absent}
  healthy = {name for name in found if name.lower() in _HEALTHY}
  if len(found) == 2 and len(healthy) == 1 and not any(named):
    return *(found - healthy), *healthy
  return classes.choose(path, found, named)

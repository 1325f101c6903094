"""Any data set: a folder per class, or a CSV of paths and labels."""

from collections.abc import Sequence
import dataclasses
import os
import pathlib

from heterojax import addresses
from heterojax.datasets import class_folders
from heterojax.datasets import classes
from heterojax.datasets import folder_parts
from heterojax.datasets import headers
from heterojax.datasets import images
from heterojax.datasets import labels
from heterojax.datasets import layout
from heterojax.datasets import lookalikes
from heterojax.datasets import meanings
from heterojax.datasets import namesakes
from heterojax.datasets import numbers
from heterojax.datasets import parts
from heterojax.datasets import splits
from heterojax.datasets import tables
from heterojax.datasets.choices import NO_CHOICES
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
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
_NOT_NAMED = (('', ''), classes.ALL)
_MEANINGS = ('path', 'label', 'group', 'split', 'fold')
# What the manifest writes itself; a CSV's column of that name is prefixed.
_MANIFEST_COLUMNS = (
  *_MEANINGS,
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
  choices: Choices = NO_CHOICES,
) -> Cohort:
  """Reads `DIR/class/image.png` or a CSV `path,label[,group][,split]`.

  Args:
    path: a folder with one folder per class, see `class_folders`; or a CSV file
      whose paths start from its folder or are absolute, see `namesakes`; or the
      folder of one. Hidden files and folders, whose names begin with a dot, do
      not count. For names of columns see `meanings`.
    named: see `classes.Classes`; '' where two labels leave no doubt.
    task: 'regression' where the labels of a CSV are numbers; then there are no
      classes.
    choices: see `Choices`.

  Returns:
    All images; those of other labels are left out with that reason.

  Raises:
    UserError: if there is nothing to read or the classes are not clear.
  """
  path = _here(path)
  if os.path.isfile(path):
    return _from_table(path, named, task, choices)
  tree = layout.walk(path)
  found_tables = [n for n in tree.folders[''] if n.lower().endswith('.csv')]
  asked = classes.asked_for(named)
  found = class_folders.read(tree, asked, choices.masks)
  # Folders that are not the classes may be the parts of a download.
  elsewhere = not found.labels or (
    asked and found.labels.isdisjoint(map(classes.composed, asked))
  )
  of_table = choices.images or choices.columns or task == 'regression'
  if len(found_tables) == 1 and (elsewhere or of_table):
    return _from_table_of(path, found_tables[0], found, named, task, choices)
  _require_classes(path, task, choices)
  hint = [
    f'To read its table, give --config.data.dir={path / folder / name}.'
    for folder, names in tree.folders.items()
    for name in names
    if name.lower().endswith('.csv')
  ][:1]
  _require_images(path, found, hint)
  candidates, headed = headers.described(found.candidates, path)
  cohort = Cohort(
    path.stem,
    Files(path),
    (),
    tuple(candidates),
    (*found.notes, *headed),
    masks_are_left_out=not choices.masks,
  )
  return _labelled(cohort, path, named, task, choices, hint)


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
  if choices.columns:
    raise UserError(
      f'{path} is a folder, but {meanings.OPTION} is of a table: name the CSV'
      ' file with --config.data.dir.'
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
  candidates, notes = _from_csv(path, meanings.parse(choices.columns))
  root = path.parent
  if choices.images:
    root = _images_folder(path, choices.images)
  else:
    namesakes.refuse_addresses(path, [c.path for c in candidates])
  candidates, more = namesakes.located(candidates, root, path)
  candidates, headed = headers.described(candidates, root)
  cohort = Cohort(
    path.stem,
    Listed(root, path),
    (),
    tuple(candidates),
    (*notes, *more, *headed),
    task=task,
  )
  return _labelled(
    cohort, path, tuple(map(meanings.whole, named)), task, choices
  )


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


def _labelled(
  cohort: Cohort,
  path: pathlib.Path,
  named: classes.Classes,
  task: str,
  choices: Choices,
  hint: Sequence[str] = (),
) -> Cohort:
  """The cohort with its classes or numbers, and without rows of neither."""
  found = [c.label for c in cohort.included]
  absent = labels.absent(found, named, task)
  notes = cohort.notes + labels.notes(path, found, absent, named, task)
  candidates = tuple(labels.left_out(c, absent) for c in cohort.candidates)
  if task == 'regression':
    candidates = tuple(numbers.labelled(c, c.label) for c in candidates)
    numbers.require_some(str(path), candidates)
    return dataclasses.replace(cohort, candidates=candidates, notes=notes)
  try:
    there = [label for label in found if label not in absent]
    merged = classes.merge(path, there, named, choices.incomplete)
    chosen = _classes(path, {*map(merged.name, there)}, merged.named)
  except UserError as error:  # What was not read may be the reason.
    raise UserError(' '.join([str(error), *notes, *hint])) from error
  return dataclasses.replace(
    cohort,
    classes=chosen,
    candidates=tuple(
      classes.of_either(merged.labelled(c), chosen) for c in candidates
    ),
    notes=notes + merged.notes,
    label_columns=merged.label_columns,
  )


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
  groups = nothing = [''] * len(found)
  if 'group' in of:
    groups, more = meanings.groups(path, of['group'])
    notes += more
  column = chosen.get('split', ('split',))[0]
  splits_, more = parts.named(path, column, of.get('split', nothing))
  notes += tuple(note.replace(parts.FILE, path.name) for note in more)
  folds = [meanings.known(cell) for cell in of.get('fold', nothing)]
  candidates = []
  for row, name in enumerate(of['path']):
    candidate = Candidate(
      id=str(row),
      path=_path(name),
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


def _path(name: str) -> str:
  """A path as it is looked up; addresses elsewhere stay what they are."""
  name = addresses.local_path(name) or name
  if not name or addresses.is_address(name):
    return name
  return pathlib.PurePath(name).as_posix()


def _part(path: pathlib.Path, row: int, split: str, fold: str) -> str:
  if not fold:
    return split
  fold = folder_parts.fold(fold) or fold
  if not fold.isdecimal() or len(fold) > splits.MOST_DIGITS or split:
    raise UserError(
      f'{path}, row {row}: fold is {fold!r}, but must be a number,'
      ' and the split empty.'
    )
  return f'fold_{int(fold)}'


def _classes(
  path: pathlib.Path,
  found: set[str],
  named: classes.Classes,
) -> classes.Classes:
  healthy = {name for name in found if name.lower() in _HEALTHY}
  if len(found) == 2 and len(healthy) == 1 and named in _NOT_NAMED:
    return *(found - healthy), *healthy
  return classes.choose(path, found, named)

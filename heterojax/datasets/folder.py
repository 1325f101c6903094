"""Any data set: a folder per class, or a CSV of paths and labels."""

import pathlib

from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import read_table
from heterojax.datasets.manifest import require_columns
from heterojax.errors import UserError

_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.gif', '.webp')
# Names by which data sets call the class without the disease.
_HEALTHY = (
    'normal',
    'normal fundus',
    'no finding',
    'no_finding',
    'healthy',
    'control',
    'negative',
    'no',
    '0',
)
_SPLITS = ('', 'train', 'validation', 'test')
_CSV_COLUMNS = ('path', 'label', 'group', 'split')
# What the manifest writes itself; a CSV's own column of that name is prefixed.
_MANIFEST_COLUMNS = ('id', 'included', 'reason', 'width', 'height', 'sha256')


def read(path: pathlib.Path, positive: str, negative: str) -> Cohort:
  """Reads `DIR/class/image.png` or a CSV `path,label[,group][,split]`.

  Args:
    path: a folder with one folder per class, or a CSV file whose paths start
      from its own folder or are absolute. Hidden files and folders, whose names
      begin with a dot, do not count.
    positive: label of the disease; '' where two labels leave no doubt.
    negative: label of the other class; likewise.

  Returns:
    All images; those of other labels are left out with that reason.

  Raises:
    UserError: if there is nothing to read or the two classes are not clear.
  """
  if not path.exists():
    raise UserError(
        f'{path} does not exist: --config.data.dir must be a folder with one'
        ' folder per class, or a CSV file with the columns path and label.'
    )
  found = _from_csv(path) if path.is_file() else _from_folders(path)
  root = path.parent if path.is_file() else path
  positive, negative = _classes(path, found, positive, negative)
  candidates = tuple(
      c
      if c.label in (positive, negative) or not c.included
      else c.left_out(f'label {c.label!r} is not one of the two classes')
      for c in found
  )
  return Cohort(path.stem, root, positive, negative, candidates)


def _from_folders(folder: pathlib.Path) -> list[Candidate]:
  candidates = []
  for path in sorted(folder.glob('*/**/*')):
    name = path.relative_to(folder).as_posix()
    if name.startswith('.') or '/.' in name:
      continue
    # A directory that is named like an image stays in: inspecting it tells why
    # it cannot be used.
    if path.suffix.lower() in _ENDINGS:
      # A name that is not UTF-8 cannot be written into a manifest.
      shown = name.encode(errors='surrogateescape')
      shown = shown.decode(errors='backslashreplace')
      label = shown.split('/')[0]
      candidate = Candidate(id=shown, path=shown, label=label, group='')
      if shown != name:
        candidate = candidate.left_out('the file name is not UTF-8')
      candidates.append(candidate)
  if not candidates:
    raise UserError(
        f'{folder} holds no images: it needs one folder per class with'
        f' {", ".join(_ENDINGS)} files in it.'
    )
  return candidates


def _from_csv(path: pathlib.Path) -> list[Candidate]:
  rows = read_table(path)
  require_columns(path, rows, ('path', 'label'))
  candidates = []
  for number, row in enumerate(rows):
    split = row.get('split', '')
    candidate = Candidate(
        id=str(number),
        path=pathlib.PurePath(row['path']).as_posix() if row['path'] else '',
        label=row['label'],
        group=row.get('group', ''),
        split=split,
        columns=tuple(
            (f'source_{k}' if k in _MANIFEST_COLUMNS else k, v)
            for k, v in row.items()
            if k not in _CSV_COLUMNS
        ),
    )
    if split not in _SPLITS:
      raise UserError(
          f'{path}, row {number + 1}: split is {split!r}, but must be one of'
          f' {", ".join(_SPLITS[1:])} or empty.'
      )
    if not row['path']:
      candidate = candidate.left_out('no path')
    elif not row['label']:
      candidate = candidate.left_out('no label')
    candidates.append(candidate)
  return candidates


def _classes(
    path: pathlib.Path, found: list[Candidate], positive: str, negative: str
) -> tuple[str, str]:
  labels = sorted({c.label for c in found if c.label})
  if not labels:
    raise UserError(f'No image of {path} has a label.')
  for option, name in (('positive', positive), ('negative', negative)):
    if name and name not in labels:
      raise UserError(
          f'{path} has no label {name!r} (--config.data.{option}): its labels'
          f' are {", ".join(labels)}.'
      )
  if positive and negative:
    return positive, negative
  if len(labels) < 2:
    raise UserError(
        f'All images of {path} are of the class {labels[0]!r}: a study needs'
        ' two classes.'
    )
  if len(labels) == 2:
    if positive or negative:
      other = labels[1 - labels.index(positive or negative)]
      return (positive, other) if positive else (other, negative)
    healthy = [name for name in labels if name.lower() in _HEALTHY]
    if len(healthy) == 1:
      return labels[1 - labels.index(healthy[0])], healthy[0]
  raise UserError(
      f'{path} has the labels {", ".join(labels)}: say which is the disease and'
      ' which is not with --config.data.positive=NAME and'
      ' --config.data.negative=NAME.'
  )

"""NIH chest X-rays: the Kaggle sample and the full ChestX-ray14.

The sample of Wang 2023 (Kaggle `nih-chest-xrays/sample`) has 5,606 images, the
full set (Wang et al. 2017, `Data_Entry_2017.csv` and its revision of 2020)
112,120. An image has one or several findings, separated by bars.
"""

from collections import Counter
from collections.abc import Sequence
import functools
import pathlib
import re

from heterojax.datasets import classes
from heterojax.datasets import layout
from heterojax.datasets import tables
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Files
from heterojax.errors import UserError

_SAMPLE = 'sample_labels.csv'
_FULL = ('Data_Entry_2017.csv', 'Data_Entry_2017_v2020.csv')
_NO_FINDING = 'No Finding'
# Rows, patients and images with each finding, of the sample and the full set.
_PUBLISHED = {
  'rows': (5606, 112_120),
  'patients': (4230, 30_805),
  _NO_FINDING: (3044, 60_361),
  'Infiltration': (967, 19_894),
  'Effusion': (644, 13_317),
  'Atelectasis': (508, 11_559),
  'Nodule': (313, 6331),
  'Mass': (284, 5782),
  'Pneumothorax': (271, 5302),
  'Consolidation': (226, 4667),
  'Pleural_Thickening': (176, 3385),
  'Cardiomegaly': (141, 2776),
  'Emphysema': (127, 2516),
  'Edema': (118, 2303),
  'Fibrosis': (84, 1686),
  'Pneumonia': (62, 1431),
  'Hernia': (13, 227),
}
_REQUIRED = ('Image Index', 'Finding Labels', 'Patient ID')
_SPLIT_LISTS = {'train_val_list.txt': 'train_val', 'test_list.txt': 'test'}
# Units of DICOM ages per year.
_PER_YEAR = {'': 1, 'Y': 1, 'M': 12, 'W': 52.18, 'D': 365.25}
_OLDEST = 120


def read(path: pathlib.Path, named: classes.Classes) -> Cohort:
  """Finds the candidates of the classes.

  Args:
    path: folder of the download, or its CSV file; the images may lie at any
      depth.
    named: a finding of each class, as ('Cardiomegaly', 'No Finding'), in any
      case.

  Returns:
    One candidate per row with either finding; those with both are left out. Its
    group is the patient. Where the lists of the official split are there, the
    column `official_split` tells it.

  Raises:
    UserError: if the folder does not hold the download.
  """
  tree, table = layout.find_table(
    path,
    (_SAMPLE, *_FULL),
    'the NIH chest X-rays (Kaggle nih-chest-xrays/sample or data)',
  )
  text = tables.read(table)
  rows = text.rows
  tables.require_columns(table, rows, _REQUIRED)
  names = [row['Image Index'] for row in rows]
  findings = [_findings(row['Finding Labels']) for row in rows]
  patients = [_whole(row['Patient ID']) for row in rows]
  counts = Counter(f for of_image in findings for f in of_image)
  chosen = tuple(
    _known(table, counts, name, option)
    for option, name in classes.options(named)
  )
  is_full = table.name.startswith('Data_Entry')
  published = {k: both[is_full] for k, both in _PUBLISHED.items()}
  counts |= {'rows': len(rows), 'patients': len(set(patients))}
  notes = [*tree.notes, *text.notes]
  notes += layout.compare(table.name, counts, published)
  paths, file_notes = layout.locate(tree, table, names)
  ids = layout.unique(names)
  notes += [*file_notes, *_doubtful(table, names, ids, rows)]
  official = _official_split(tree)
  candidates = []
  for i, row in enumerate(rows):
    labels = [f for f in chosen if f in findings[i]]
    if not labels:
      continue
    candidate = Candidate(
      id=ids[i],
      path=paths[names[i]],
      label=labels[0],
      group=patients[i],
      columns=_columns(row, official),
    )
    if not names[i]:
      candidate = candidate.left_out('no image is named')
    elif len(labels) > 1:
      candidate = candidate.left_out(
        'has both labels' if len(chosen) == 2 else 'has several of the labels'
      )
    candidates.append(candidate)
  return Cohort(
    'chest_xray14' if is_full else 'nih_sample',
    Files(tree.root),
    chosen,
    tuple(candidates),
    tuple(notes),
    label_columns=('Finding Labels',),
  )


_SPELLINGS = {classes.key(name): name for name in list(_PUBLISHED)[2:]}


@functools.cache
def _findings(text: str) -> tuple[str, ...]:
  """Findings of an image as the published files spell them."""
  parts = [part.strip() for part in text.split('|')]
  parts = [_SPELLINGS.get(classes.key(part), part) for part in parts if part]
  return tuple(dict.fromkeys(parts))


def _known(
  table: pathlib.Path, counts: Counter[str], name: str, option: str
) -> str:
  """The spelling of a class among the findings that there are."""
  for finding in counts:
    if classes.key(finding) == classes.key(name):
      return finding
  labels = ', '.join(f for f, _ in counts.most_common())
  raise UserError(
    f'{table} has no finding {name!r} (--config.data.{option}): its findings'
    f' are {labels}.'
  )


def _whole(text: str) -> str:
  """A whole number without the zeros in front; other text as it is."""
  return text.lstrip('0') or '0' if text.isdecimal() else text


@functools.cache
def _years(text: str) -> str:
  """An age as a plain number; '' where it is none, or not that of a person."""
  parts = re.fullmatch(r'(\d+(?:\.\d+)?)([YMWD]?)', text.upper())
  if not parts:
    return ''
  years = float(parts[1]) / _PER_YEAR[parts[2]]
  return f'{years:.3g}' if years <= _OLDEST else ''


# Columns of the manifest by what the published files call them. The header of
# the full set has `OriginalImage[Width,Height]` without quotation marks, which
# are two columns.
_COLUMNS = {
  'Finding Labels': ('Finding Labels', str),
  'Follow-up #': ('Follow-up #', _whole),
  'Patient Age': ('Patient Age', _years),
  'Patient Gender': ('Patient Gender', str),
  'Patient Sex': ('Patient Gender', str),
  'View Position': ('View Position', str),
  'OriginalImageWidth': ('OriginalImageWidth', str),
  'OriginalImage[Width': ('OriginalImageWidth', str),
  'OriginalImageHeight': ('OriginalImageHeight', str),
  'Height]': ('OriginalImageHeight', str),
  'OriginalImagePixelSpacing_x': ('OriginalImagePixelSpacing_x', str),
  'OriginalImagePixelSpacing[x': ('OriginalImagePixelSpacing_x', str),
  'OriginalImagePixelSpacing_y': ('OriginalImagePixelSpacing_y', str),
  'y]': ('OriginalImagePixelSpacing_y', str),
}


def _columns(
  row: dict[str, str], official: dict[str, str]
) -> tuple[tuple[str, str], ...]:
  columns = [
    (name, parse(row[key]))
    for key, (name, parse) in _COLUMNS.items()
    if key in row
  ]
  if official:
    columns.append(('official_split', official.get(row['Image Index'], '')))
  return tuple(columns)


def _doubtful(
  table: pathlib.Path,
  names: Sequence[str],
  ids: Sequence[str],
  rows: Sequence[dict[str, str]],
) -> list[str]:
  """Notes on cells that cannot be right."""
  notes = []
  ages = Counter(row.get('Patient Age', '') for row in rows)
  odd = {age: n for age, n in ages.items() if age and not _years(age)}
  if odd:
    notes.append(
      f'Ages in {table.name} that no person has: {sum(odd.values()):,}, as'
      f' {next(iter(odd))}; they count as not known.'
    )
  repeated = sum(name != id_ for name, id_ in zip(names, ids, strict=True))
  if repeated:
    notes.append(f'Rows of {table.name} that repeat an image: {repeated:,}.')
  return notes


def _official_split(tree: layout.Tree) -> dict[str, str]:
  """The part of each image, where both lists are there."""
  splits = {}
  for name, split in _SPLIT_LISTS.items():
    there = [f for f, files in tree.folders.items() if name in files]
    if not there:
      return {}
    path = tree.root / there[0] / name
    try:
      lines = layout.read_file(path).decode('utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
      raise UserError(
        f'{path} cannot be read as UTF-8 text ({error}).'
      ) from error
    splits |= {line.strip(): split for line in lines}
  return splits

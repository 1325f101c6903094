"""ODIR-5K fundus photographs (Kaggle `ocular-disease-recognition-odir5k`).

The selection of Wang 2023: both keyword columns, exact match. The CSV has one
row per eye but both eyes' keywords on each row, so one eye can be two rows: 518
cataract rows are 262 eyes.
"""

from collections import Counter
from collections.abc import Sequence
import hashlib
import pathlib
import posixpath

from heterojax.datasets import layout
from heterojax.datasets import tables
from heterojax.datasets.classes import Classes
from heterojax.datasets.classes import options
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Files
from heterojax.errors import UserError

_CSV = 'full_df.csv'
_SHA256 = '3bb34a50bfe369df15dcd76edc2fd795e913d888b68072674629a06fd28d0b24'
_PUBLISHED = {'rows': 6392, 'patients': 3358}
# The images of the download that were cropped and resized for it.
_PREFERRED = 'preprocessed_images'
_SIDES = ('Left', 'Right')
_COLUMNS = (
  'ID',
  'Left-Fundus',
  'Right-Fundus',
  'Left-Diagnostic Keywords',
  'Right-Diagnostic Keywords',
)
_PATIENT_COLUMNS = ('Patient Age', 'Patient Sex')
# Of the eye alone, in the published file; others derived from it lack them.
_EYE_COLUMNS = ('labels', 'target', 'filename')
# Pictures with a white instead of a black background, which published lists of
# unused pictures name. 13 are cataracts and 2 normal: a cue of the class that
# is none of the eye.
_WHITE_BACKGROUND = [
  '2174_right',
  '2175_left',
  '2176_left',
  '2177_left',
  '2177_right',
  '2178_right',
  '2179_left',
  '2179_right',
  '2180_left',
  '2180_right',
  '2181_left',
  '2181_right',
  '2182_left',
  '2182_right',
  '2957_left',
  '2957_right',
]


def read(path: pathlib.Path, named: Classes) -> Cohort:
  """Finds the candidates of the classes.

  Args:
    path: folder of the download, or its `full_df.csv`; the images may lie at
      any depth, `preprocessed_images` before others.
    named: keywords of each class, as ('cataract', 'normal fundus').

  Returns:
    One candidate per CSV row and eye whose keywords are exactly one of the two;
    its group is the patient.

  Raises:
    UserError: if the folder does not hold the download, or a class has no row.
  """
  tree, table = layout.find_table(
    path,
    (_CSV,),
    'the ODIR-5K download from Kaggle (ocular-disease-recognition-odir5k)',
  )
  text = _read_table(table)
  rows = text.rows
  names = [row[f'{side}-Fundus'] for row in rows for side in _SIDES]
  held = layout.holders(tree, names)
  if not held:
    raise layout.no_images(tree, table, names)
  # Images of two folders differ in size, so that they are not mixed.
  images = next((f for f in held if f.split('/')[-1] == _PREFERRED), [*held][0])
  chosen = candidates(table, rows, named, images)
  eyes = {posixpath.basename(c.path) for c in chosen}
  notes = (
    *tree.notes,
    *text.notes,
    *_notes_on_table(table, rows),
    *_notes_on_classes(chosen, named),
    f'{len(eyes & set(held[images])):,} of these {len(eyes):,} eyes have a'
    f' file in {images or tree.root}.',
  )
  return Cohort('odir5k', Files(tree.root), named, chosen, notes)


def read_rows(table: pathlib.Path) -> list[dict[str, str]]:
  """Rows of the CSV.

  Args:
    table: `full_df.csv`.

  Returns:
    One dictionary a row.

  Raises:
    UserError: if it is not the CSV of the data set.
  """
  return _read_table(table).rows


def _read_table(table: pathlib.Path) -> tables.Table:
  text = tables.read(table)
  tables.require_columns(table, text.rows, _COLUMNS)
  odd = [row['ID'] for row in text.rows if not row['ID'].isdecimal()]
  if odd:
    raise UserError(
      f'{table} has {len(odd):,} rows whose ID is no number, as {odd[0]!r}:'
      ' altered copies of the file hold augmented images, so take the'
      f' published one of {_PUBLISHED["rows"]:,} rows.'
    )
  return text


def candidates(
  table: pathlib.Path,
  rows: Sequence[dict[str, str]],
  named: Classes,
  images: str,
) -> tuple[Candidate, ...]:
  """Candidates of the classes, whether or not their files are there.

  Args:
    table: `full_df.csv`, for messages.
    rows: of it.
    named: keywords of each class.
    images: folder of the images.

  Returns:
    As `read` does.

  Raises:
    UserError: if a class has no row.
  """
  keywords = Counter(
    row[f'{side}-Diagnostic Keywords'] for row in rows for side in _SIDES
  )
  for option, name in options(named):
    if not name or name not in keywords:
      common = ', '.join(f'{k} ({n:,})' for k, n in keywords.most_common(12))
      raise UserError(
        f'No eye of {table} has exactly the keywords {name!r}'
        f' (--config.data.{option}): the most frequent ones are {common}.'
      )
  eyes = []
  for number, row in enumerate(rows):
    for side in _SIDES:
      label, name = row[f'{side}-Diagnostic Keywords'], row[f'{side}-Fundus']
      if label not in named:
        continue
      is_white = posixpath.splitext(name)[0] in _WHITE_BACKGROUND
      columns = (('eye', side.lower()),)
      columns += tuple((k, row[k]) for k in _PATIENT_COLUMNS if k in row)
      columns += (('background', 'white' if is_white else 'black'),)
      candidate = Candidate(
        id=f'{number}_{side.lower()}',
        path=posixpath.join(images, name),
        label=label,
        group=row['ID'],
        columns=columns,
      )
      if not name:
        candidate = candidate.left_out('no image is named')
      eyes.append(candidate)
  return tuple(eyes)


def _notes_on_table(
  table: pathlib.Path, rows: Sequence[dict[str, str]]
) -> list[str]:
  try:
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
  except OSError as error:
    raise UserError(f'{table} cannot be read ({error.strerror}).') from error
  if digest == _SHA256:
    return [f'{table.name} is the published file of {len(rows):,} rows.']
  counts = {
    'rows': len(rows),
    'patients': len({row['ID'] for row in rows}),
  }
  notes = [
    f'{table.name} is not byte for byte the published file (sha256'
    f' {digest[:8]}, published {_SHA256[:8]}).',
    *layout.compare(table.name, counts, _PUBLISHED),
  ]
  lacking = [name for name in _EYE_COLUMNS if name not in rows[0]]
  if lacking:
    notes.append(
      f'{table.name} lacks the columns {", ".join(lacking)}, so that it is a'
      ' file derived from the published one.'
    )
  damaged = sum(
    '?' in row[f'{side}-Diagnostic Keywords'] for row in rows for side in _SIDES
  )
  if damaged:
    notes.append(
      f'{damaged:,} keyword lists of {table.name} have a question mark, which'
      ' a wrong encoding left of the full-width comma: lists cannot be asked'
      ' for as they were published.'
    )
  return notes


def _notes_on_classes(
  chosen: Sequence[Candidate], labels: Classes
) -> list[str]:
  notes = []
  for label in dict.fromkeys(labels):
    rows = [c for c in chosen if c.label == label]
    times = Counter(c.path for c in rows)
    notes.append(
      f'{label}: {len(rows):,} rows show {len(times):,} eyes of'
      f' {len({c.group for c in rows}):,} patients,'
      f' {sum(n > 1 for n in times.values()):,} of them more than once.'
    )
  white = {
    c.path: c.label for c in chosen if ('background', 'white') in c.columns
  }
  if white:
    shares = ', '.join(f'{n} {k}' for k, n in Counter(white.values()).items())
    notes.append(
      f'Eyes with a white background: {len(white)} ({shares}), a cue that is'
      ' none of the eye; they stay, as in the paper, and the column'
      ' background tells them.'
    )
  return notes

"""Ready features of any model, one row per image; see `feature_files`."""

from collections.abc import Container, Sequence
import dataclasses
import glob
import hashlib
import os
import pathlib
import re

import numpy as np

from heterojax.datasets import classes
from heterojax.datasets import extremes
from heterojax.datasets import feature_files
from heterojax.datasets import labels as labels_lib
from heterojax.datasets import meanings
from heterojax.datasets import numbers
from heterojax.datasets import parts as parts_lib
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.choices import NO_CHOICES
from heterojax.datasets.choices import Choices
from heterojax.datasets.feature_files import Table
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_FILES = parts_lib.FILE  # In a note: the names of those that it is said of.
NO_PREDICTION = 'neither one of the classes nor between 0 and 1'
_LABELS = (
  'The predictions are labels and not probabilities, so that an AUC of them is'
  ' the mean of a sensitivity and a specificity.'
)
_BETWEEN_WORDS = '_. -'
_WORD = re.compile(rf'[0-9]+|[^0-9{_BETWEEN_WORDS}]+|[{_BETWEEN_WORDS}]+')


@dataclasses.dataclass(frozen=True)
class Vectors:
  """Features instead of images; a path is the number of the row.

  Attributes:
    file: they were read from, or the pattern of several files.
    matrix: `[N, D]` float32; the rows of several files one after another.
    predictions: `[N]` float64, what the file says that a model made of each
      row, NaN where that is not known; None where it says nothing. With
      classes, 1 is the disease, 0 the other class, and a fraction the
      probability of the disease; with numbers, it is the estimate.
    features: D, their names; () where they have none.
  """

  file: pathlib.Path
  matrix: np.ndarray = dataclasses.field(compare=False, repr=False)
  predictions: np.ndarray | None = dataclasses.field(
    default=None, compare=False, repr=False
  )
  features: tuple[str, ...] = ()

  @property
  def name(self) -> str:
    return str(self.file)

  def exists(self, path: str) -> bool:
    return path.isdecimal() and int(path) < len(self.matrix)

  def inspect(self, path: str) -> sources.Inspection:
    if not self.exists(path):
      return sources.Inspection('not in the file')
    row = self.matrix[int(path)]
    if not np.isfinite(row).all():
      return sources.Inspection('features are not finite')
    return sources.Inspection('', (('sha256', digest(row)),))


def digest(row: np.ndarray) -> str:
  """SHA-256 of the features of one row, as hexadecimal digits."""
  return hashlib.sha256(row.tobytes()).hexdigest()


def read(
  path: pathlib.Path,
  named: classes.Classes,
  task: str = 'classification',
  choices: Choices = NO_CHOICES,
) -> Cohort:
  """Reads a file of features.

  Args:
    path: of the .npz, .csv, .tsv, .parquet or .pq file.
    named: see `classes.Classes`; one is enough where there are two labels.
      Whole numbers are written without a fraction, as '1'.
    task: 'regression' where labels are numbers; then there are no classes.
    choices: see `Choices`; of columns and features.

  Returns:
    One candidate a row, whose source is `Vectors`; those of other labels are
    left out with that reason. Predictions and folds are the manifest's columns
    'prediction' and 'fold'; where there are folds and no splits, the split of a
    row is its fold, as 'fold_2'.

  Raises:
    UserError: if it cannot be read or the classes are not clear.
  """
  (cohort,) = _cohorts([path], path, named, task, choices)
  return cohort


def read_files(
  pattern: str,
  named: classes.Classes,
  task: str = 'classification',
  choices: Choices = NO_CHOICES,
) -> tuple[Cohort, ...]:
  """Reads several files of features, say one per fold.

  Args:
    pattern: of their names, with * and ?, as 'DIR/fold_*.csv'.
    named: see `read`.
    task: likewise.
    choices: likewise.

  Returns:
    One cohort a file, as `read` gives it, in the order of the numbers in their
    names, and all under the name that the files share. All are on one source,
    which has the rows of all files. Ids are those of the files; where they
    cannot serve, rows are counted over all files.

  Raises:
    UserError: as `read`; or if there is no file, or they differ in the number
      of features.
  """
  names = glob.glob(os.path.expanduser(pattern), recursive=True)
  if not names:
    raise UserError(
      f'There is no file {pattern}: --config.data.files must be the pattern'
      ' of the names of files of features, as DIR/fold_*.csv.'
    )
  paths = [pathlib.Path(name) for name in sorted(names, key=_by_number)]
  return _cohorts(paths, pathlib.Path(pattern), named, task, choices)


def _by_number(name: str) -> list[str | int]:
  """A sort key by which fold_10 comes after fold_9."""
  parts = re.split('([0-9]+)', name)
  return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _shared_name(paths: Sequence[pathlib.Path]) -> str:
  """The words with which all names of files begin, or else their folder's."""
  if len(paths) == 1:
    return paths[0].stem
  words = [_WORD.findall(path.stem) for path in paths]
  shared = list(os.path.commonprefix(words))
  # The word before the number of a fold is no name.
  while shared and shared[-1].strip(_BETWEEN_WORDS) in ('', 'fold'):
    shared.pop()
  if shared:
    return ''.join(shared)
  folder = os.path.commonpath([path.parent.absolute() for path in paths])
  return pathlib.Path(folder).name or folder


def _cohorts(
  paths: Sequence[pathlib.Path],
  name: pathlib.Path,
  named: classes.Classes,
  task: str,
  choices: Choices,
) -> tuple[Cohort, ...]:
  """A cohort a file, all on the source `name`."""
  columns = meanings.parse(choices.columns)
  tables = [
    feature_files.read(path, columns=columns, features=choices.features)
    for path in paths
  ]
  widths = [table.matrix.shape[1] for table in tables]
  for path, width in zip(paths, widths, strict=True):
    if width != widths[0]:
      raise UserError(
        f'{paths[0]} has {widths[0]} features and {path} has {width}: all'
        ' files must have equally many.'
      )
  _check_same_features(paths, tables)
  named = tuple(map(meanings.whole, named))
  labels = [label for t in tables for label in t.columns['label']]
  absent = labels_lib.absent(labels, named, task)
  doubts = labels_lib.notes(name, labels, absent, named, task)
  chosen, merged = (), classes.Merged(named)
  if task == 'classification':
    there = [label for label in labels if label not in absent]
    try:
      merged = classes.merge(name, there, named, choices.incomplete)
      chosen = classes.choose(name, map(merged.name, there), merged.named)
    except UserError as error:  # What is left out may be the reason.
      raise UserError(' '.join([str(error), *doubts])) from error
  predictions, more = _predictions(tables, labels, absent, merged, chosen, task)
  matrix = tables[0].matrix
  if len(tables) > 1:
    matrix = np.concatenate([table.matrix for table in tables])
  source = Vectors(name, matrix, predictions, tables[0].features)
  shared = _shared_name(paths)
  cohorts, said, start = [], [], 0
  for path, table in zip(paths, tables, strict=True):
    candidates, notes = _candidates(path, table, start)
    said += [(path.name, note) for note in table.notes + notes]
    start += len(candidates)
    if task == 'regression':
      candidates = [
        numbers.labelled(labels_lib.left_out(c, absent), c.label)
        for c in candidates
      ]
    else:
      candidates = [
        classes.of_either(
          merged.labelled(labels_lib.left_out(c, absent)), chosen
        )
        for c in candidates
      ]
    told = ('prediction',) if 'prediction' in table.columns else ()
    cohorts.append(
      Cohort(
        shared,
        source,
        chosen,
        tuple(candidates),
        label_columns=told + merged.label_columns,
        task=task,
      )
    )
  notes = _of_all_files(said) + doubts + merged.notes + more
  cohorts = [dataclasses.replace(c, notes=notes) for c in cohorts]
  if task == 'regression':
    numbers.require_some(str(name), [c for o in cohorts for c in o.candidates])
  return tuple(cohorts)


def _check_same_features(
  paths: Sequence[pathlib.Path], tables: Sequence[Table]
) -> None:
  """Raises a UserError where columns of the same names are in another order."""
  for path, table in zip(paths, tables, strict=True):
    first = tables[0].features
    if table.features != first and {*table.features} == {*first}:
      raise UserError(
        f'{path} has the features of {paths[0]} in another order: write all'
        ' files with their columns in one order.'
      )


def _of_all_files(said: Sequence[tuple[str, str]]) -> tuple[str, ...]:
  """What is said of several (file, note) is one sentence that names them."""
  files: dict[str, list[str]] = {}
  for name, note in said:
    files.setdefault(note, []).append(name)
  sentences = []
  for note, names in files.items():
    shown = names[0]
    if more := len(names) - 1:
      shown += f' and {more} other file{"s" if more > 1 else ""}'
    sentences.append(note.replace(_FILES, shown))
  return tuple(sentences)


def _candidates(
  path: pathlib.Path, table: Table, start: int
) -> tuple[list[Candidate], tuple[str, ...]]:
  """A file's rows, of whatever label, and what must be said of them.

  Args:
    path: of the file.
    table: its content.
    start: how many rows the files before it have.
  """
  columns = dict(table.columns)
  labels = columns['label']
  parts, notes = parts_lib.named(
    path, table.split_column, columns.get('split', [''] * len(labels))
  )
  if not any(parts):
    parts, more = _folds(columns.get('fold', parts))
    notes += more
  rows = [str(row) for row in range(start, start + len(labels))]
  ids, more = _ids(columns, rows)
  others = [name for name in columns if name not in ('label', 'group', 'split')]
  candidates = [
    Candidate(
      id=ids[i],
      path=rows[i],
      label=label,
      group=columns['group'][i] if 'group' in columns else '',
      split=parts[i],
      columns=tuple((name, columns[name][i]) for name in others),
    )
    for i, label in enumerate(labels)
  ]
  more += extremes.notes(table.matrix, ids, table.features)
  return candidates, notes + more


def _predictions(
  tables: Sequence[Table],
  labels: Sequence[str],
  absent: Container[str],
  merged: classes.Merged,
  chosen: classes.Classes,
  task: str,
) -> tuple[np.ndarray | None, tuple[str, ...]]:
  """`Vectors.predictions`, and what must be said of them.

  Labels of the file stand for themselves. Where a prediction is none of them,
  all are probabilities: of the label 1 where the classes are 0 and 1, or else
  of the disease. Of more than two classes they are labels.
  """
  cells = [
    '' if cell in absent else cell
    for t in tables
    for cell in t.columns.get('prediction', [''] * len(t.columns['label']))
  ]
  if not any(cells):
    return None, ()
  values = np.array([numbers.parse(cell) for cell in cells])
  used = np.array([merged.name(label) in chosen for label in labels])
  if task == 'regression':
    used = np.isfinite([numbers.parse(label) for label in labels])
  # What they are is not for a row to say that is left out.
  told = {cell for cell, own in zip(cells, used, strict=True) if own}
  notes: tuple[str, ...] = ()
  if task == 'classification':
    if merged.of and told - {''} <= {'0', '1'} <= {*labels}:
      raise UserError(
        'Predictions are 0 and 1, which are labels that are merged as well:'
        f' write them as {" and ".join(chosen)}, or as probabilities.'
      )
    if told <= {'', *labels, *chosen}:
      notes = (_LABELS,) if told - {''} else ()
      known = {label: float(code) for code, label in enumerate(chosen[::-1])}
      values = np.array([known.get(merged.name(c), np.nan) for c in cells])
    elif len(chosen) > 2:
      odd = min(told - {'', *labels, *chosen})
      raise UserError(
        f'A prediction is {odd!r}, but those of {len(chosen)} classes must be'
        f' labels, such as {chosen[0]}.'
      )
    else:
      values[(values < 0) | (values > 1)] = np.nan
      if chosen == ('0', '1'):
        values = 1 - values
  unknown = int(np.sum(np.isnan(values) & used))
  if unknown:
    odd = 'no number' if task == 'regression' else NO_PREDICTION
    notes += (
      f'{unknown} of {int(np.sum(used))} images have no prediction, or one'
      f' that is {odd}.',
    )
  return values, notes


def _folds(cells: list[str]) -> tuple[list[str], tuple[str, ...]]:
  """Folds as splits, and what must be said of them."""
  folds = sorted(set(cells) - {''}, key=lambda cell: (len(cell), cell))
  if len(set(cells)) == 1:
    notes = (
      f'The rows of {_FILES} are all of one fold, which splits nothing: they'
      ' are split at random.',
    )
    return [''] * len(cells), notes if folds else ()
  numbers = {cell: number for number, cell in enumerate(folds)}
  most = splits.MOST_DIGITS
  if all(cell.isdecimal() and len(cell) <= most for cell in folds):
    numbers = {cell: int(cell) for cell in folds}
  return [f'fold_{numbers[cell]}' if cell else '' for cell in cells], ()


def _ids(
  columns: dict[str, list[str]], rows: list[str]
) -> tuple[list[str], tuple[str, ...]]:
  """One id a row; those of the file are taken out where they can serve."""
  if 'id' not in columns:
    return rows, ()
  ids = columns.pop('id')
  if all(ids) and len(set(ids)) == len(ids):
    return ids, ()
  columns['source_id'] = ids
  return rows, (
    'The ids are not different for every row: rows are named by their number'
    ' and the ids are kept as source_id.',
  )

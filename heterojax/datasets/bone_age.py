"""RSNA Pediatric Bone Age (Kaggle `kmader/rsna-bone-age`).

12,611 hand radiographs with the skeletal age in months and the sex, one image
a child. The classes are the sexes; a regression estimates the bone age.
"""

from collections import Counter
import dataclasses
import pathlib

from heterojax.datasets import layout
from heterojax.datasets import numbers
from heterojax.datasets import tables
from heterojax.datasets.classes import Classes
from heterojax.datasets.classes import options
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Files
from heterojax.errors import UserError

NAME = 'rsna_bone_age'
_CSV = 'boneage-training-dataset.csv'
_COLUMNS = ('id', 'boneage', 'male')
_PUBLISHED = {'rows': 12_611, 'male': 6833, 'female': 5778}
_LABELS = {'true': 'male', 'false': 'female'}
_NO_SEX = 'the sex is not known'


def read(
  path: pathlib.Path,
  named: Classes,
  task: str = 'classification',
) -> Cohort:
  """Finds all candidates.

  Args:
    path: folder of the download, or its CSV file; the images may lie at any
      depth.
    named: 'male' and 'female' in the order of the classes; '' stands for the
      other sex, and both for ('male', 'female').
    task: 'regression' makes the bone age the label, see `with_ages`.

  Returns:
    One candidate per row, with the bone age in months as the column `boneage`.
    Every image is of another child, so that the group is the id.

  Raises:
    UserError: if the folder does not hold the download.
  """
  sexes = ('male', 'female')
  for option, name in options(named):
    if name and name not in sexes:
      raise UserError(
        f'Bone ages have no class {name!r} (--config.data.{option}): their'
        ' classes are male and female.'
      )
  if not any(named):
    named = sexes
  elif not all(named):
    (other,) = set(sexes) - set(named)
    named = tuple(name or other for name in named)
  tree, table = layout.find_table(
    path, (_CSV,), 'the RSNA bone ages (Kaggle kmader/rsna-bone-age)'
  )
  text = tables.read(table)
  rows = text.rows
  tables.require_columns(table, rows, _COLUMNS)
  names = [f'{row["id"]}.png' for row in rows]
  labels = [_LABELS.get(row['male'].lower(), '') for row in rows]
  of_sex = Counter(labels)
  counts = {'rows': len(rows), **{k: of_sex[k] for k in _LABELS.values()}}
  notes = [*tree.notes, *text.notes]
  notes += layout.compare(table.name, counts, _PUBLISHED)
  paths, file_notes = layout.locate(tree, table, names)
  ids = layout.unique([row['id'] for row in rows])
  candidates = []
  for row, id_, name, label in zip(rows, ids, names, labels, strict=True):
    candidate = Candidate(
      id=id_,
      path=paths[name],
      label=label,
      group=row['id'],
      columns=(('boneage', row['boneage']), ('male', row['male'])),
    )
    if not row['id']:
      candidate = candidate.left_out('no image is named')
    elif not label:
      candidate = candidate.left_out(_NO_SEX)
    candidates.append(candidate)
  cohort = Cohort(
    NAME,
    Files(tree.root),
    named,
    tuple(candidates),
    (*notes, *file_notes),
    label_columns=('male',),
  )
  return with_ages(cohort) if task == 'regression' else cohort


def with_ages(cohort: Cohort) -> Cohort:
  """A cohort of sexes as one for a regression of the bone age.

  Args:
    cohort: with the sexes as classes.

  Returns:
    The cohort with the months as labels and the sex as the column `sex`.
    Images of unknown sex are included, those of unknown age are not.
  """
  candidates = []
  for c in cohort.candidates:
    if c.reason == _NO_SEX:
      c = dataclasses.replace(c, included=True, reason='')
    sex = dataclasses.replace(c, columns=(*c.columns, ('sex', c.label)))
    candidates.append(numbers.labelled(sex, dict(c.columns)['boneage']))
  numbers.require_some(cohort.source.name, candidates)
  return dataclasses.replace(
    cohort,
    classes=(),
    candidates=tuple(candidates),
    label_columns=('boneage',),
    task='regression',
  )

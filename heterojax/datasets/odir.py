"""ODIR-5K fundus photographs (Kaggle `ocular-disease-recognition-odir5k`).

The selection of Wang 2023: both keyword columns, exact match. The CSV has one
row per eye but both eyes' keywords on each row, so one eye can be two rows: 518
cataract rows are 262 eyes.
"""

import pathlib

from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import read_table
from heterojax.datasets.manifest import require_columns
from heterojax.errors import UserError

_CSV = 'full_df.csv'
# The nesting depths seen in copies of the download.
_IMAGE_FOLDERS = (
    'preprocessed_images',
    'ODIR-5K/ODIR-5K/Training Images',
    'ODIR-5K/Training Images',
    'Training Images',
)
_COLUMNS = (
    'ID',
    'Left-Fundus',
    'Right-Fundus',
    'Left-Diagnostic Keywords',
    'Right-Diagnostic Keywords',
)
_OWN_COLUMNS = ('Patient Age', 'Patient Sex')


def read(folder: pathlib.Path, positive: str, negative: str) -> Cohort:
  """Finds the candidates of two classes.

  Args:
    folder: of the download, with `full_df.csv` in it.
    positive: keyword of the disease, as 'cataract'.
    negative: keyword of the other class, as 'normal fundus'.

  Returns:
    One candidate per CSV row and eye whose keywords are exactly one of the two;
    its group is the patient.

  Raises:
    UserError: if the folder does not hold the download.
  """
  table = folder / _CSV
  if not table.is_file():
    raise UserError(
        f'{folder} holds no {_CSV}: --config.data.dir must be the folder of the'
        ' ODIR-5K download from Kaggle (ocular-disease-recognition-odir5k).'
    )
  images = next((d for d in _IMAGE_FOLDERS if (folder / d).is_dir()), None)
  if images is None:
    raise UserError(
        f'{folder} holds none of the image folders {", ".join(_IMAGE_FOLDERS)}:'
        ' unpack the images of the ODIR-5K download beside full_df.csv.'
    )
  rows = read_table(table)
  require_columns(table, rows, _COLUMNS)
  candidates = []
  for number, row in enumerate(rows):
    for side in ('Left', 'Right'):
      label = row[f'{side}-Diagnostic Keywords']
      if label not in (positive, negative):
        continue
      own = (('eye', side.lower()),)
      own += tuple((name, row[name]) for name in _OWN_COLUMNS if name in row)
      candidates.append(
          Candidate(
              id=f'{number}_{side.lower()}',
              path=f'{images}/{row[f"{side}-Fundus"]}',
              label=label,
              group=row['ID'],
              columns=own,
          )
      )
  return Cohort('odir5k', folder, positive, negative, tuple(candidates))

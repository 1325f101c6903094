"""The images of a finished run for other programs."""

import pathlib

from heterojax.errors import UserError
from heterojax.exports import fiftyone
from heterojax.exports import tables
from heterojax.run import links
from heterojax.studies import images
from heterojax.studies import reading

FORMATS = ('csv', 'parquet', 'fiftyone')


def write(
  folder: pathlib.Path, to: str, out: pathlib.Path | None
) -> pathlib.Path:
  """Writes a row, or a sample, for each image.

  Args:
    folder: of the run.
    to: of `FORMATS`.
    out: where to; by default `export` in the run folder.

  Returns:
    The file, or the folder of FiftyOne's.

  Raises:
    UserError: for another format, or where the run has no images, they are not
      as it left them, or a link is where they go.
  """
  if to not in FORMATS:
    raise UserError(f'--to is {to!r}, but must be one of {", ".join(FORMATS)}.')
  if not all((folder / name).is_file() for name in images.SOURCES):
    raise UserError(
      f'{folder} has no {" and ".join(images.SOURCES)}: the run has not'
      ' finished; give its command again.'
    )
  with reading.unchanged(folder):
    # A copy by augmentation is no file.
    rows = list(images.rows(folder, copies=to != 'fiftyone'))
  where = out or folder / 'export' / (
    to if to == 'fiftyone' else f'images.{to}'
  )
  if not out:
    links.refuse_between(folder, where)
  if to == 'fiftyone':
    fiftyone.write(rows, folder, where)
  elif to == 'csv':
    tables.write_csv(rows, where)
  else:
    tables.write_parquet(rows, where)
  return where

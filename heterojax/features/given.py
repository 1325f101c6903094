"""Features that a file gives, in the order of a study's pictures."""

import pathlib

import numpy as np

from heterojax.compute import row_blocks
from heterojax.features import Features
from heterojax.features.store import Store
from heterojax.features.store import header_of
from heterojax.run import checkpoint
from heterojax.run.progress import Progress


def gather(
  matrix: np.ndarray, rows: np.ndarray, folder: pathlib.Path, fingerprint: str
) -> Features:
  """Rows of a matrix, of which large ones are written and mapped again.

  Args:
    matrix: `[N, D]` float32.
    rows: `[P]` int, the row of each picture.
    folder: for `features.npy` and `blocks.jsonl`, if they are large.
    fingerprint: of the numbers in these rows.

  Returns:
    The features, of which none were computed.

  Raises:
    UserError: if they cannot be written.
  """
  shape = len(rows), matrix.shape[1]
  if not row_blocks.is_large(shape[0], shape[1]):
    x = matrix[rows]
    return Features(x, 0, checkpoint.digest(x))
  folder.mkdir(parents=True, exist_ok=True)
  header = header_of(shape, row_blocks.size(shape[1]), fingerprint)
  store = Store(folder, header)
  store.open()
  missing = store.missing()
  done = len(rows) - sum(block.stop - block.start for block in missing)
  with Progress('features', len(rows), 'rows', done) as progress:
    for block in missing:
      store.write(block, matrix[rows[block]])
      progress.update(block.stop - block.start)
  return Features(store.close(), 0, store.digest())

"""Features that a file gives, in the order of a study's pictures."""

from collections.abc import Sequence
import pathlib

import numpy as np

from heterojax.compute import row_blocks
from heterojax.features import Features
from heterojax.features import Keep
from heterojax.features import filled
from heterojax.features.store import header_of
from heterojax.run import checkpoint


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

  def copied(blocks: Sequence[slice], keep: Keep) -> None:
    for block in blocks:
      keep(block, matrix[rows[block]])

  header = header_of(shape, row_blocks.size(shape[1]), fingerprint)
  found = filled(folder, header, 'rows', copied)
  return found._replace(computed=0)

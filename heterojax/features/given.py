"""Features that a file gives, in the order of a study's pictures."""

from collections.abc import Sequence
import pathlib

import numpy as np

from heterojax.compute import row_blocks
from heterojax.datasets import ready
from heterojax.datasets.sources import GivenFeatures
from heterojax.errors import UserError
from heterojax.features import Features
from heterojax.features import Keep
from heterojax.features import filled
from heterojax.features.store import header_of
from heterojax.run import checkpoint


def gather(
  source: GivenFeatures,
  rows: np.ndarray,
  folder: pathlib.Path,
  sha256: Sequence[str],
) -> Features:
  """Rows of a source, of which large ones are written and mapped again.

  Args:
    source: of the features, whose matrix may be a mapped file.
    rows: `[P]` int, the row of each picture.
    folder: for `features.npy` and `blocks.jsonl`, if they are large.
    sha256: P digests of these rows, as they were inspected.

  Returns:
    The features, of which none were computed.

  Raises:
    UserError: if they cannot be written, or the file has changed since.
  """
  shape = len(rows), source.matrix.shape[1]

  def read(block: slice) -> np.ndarray:
    x = source.matrix[rows[block]]  # A copy, which cannot change any more.
    for row, values, digest in zip(rows[block], x, sha256[block], strict=True):
      if ready.digest(values) != digest:
        raise UserError(
          f'Row {row} of {source.name} is not what it was when the study'
          ' began: put the file back, or choose another --workdir for what it'
          ' is now.'
        )
    return x

  if not row_blocks.is_large(*shape):
    x = read(slice(None))
    return Features(x, 0, checkpoint.digest(x))

  def copied(blocks: Sequence[slice], keep: Keep) -> None:
    for block in blocks:
      keep(block, read(block))

  fingerprint = checkpoint.of_texts(sha256)
  header = header_of(shape, row_blocks.size(shape[1]), fingerprint)
  found = filled(folder, header, 'rows', copied)
  return found._replace(computed=0)

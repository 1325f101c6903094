"""Rows of features so large that they stand for missing values.

A number such as -1e20 or float32's largest is finite, and one row of it makes
all others one cluster without a difference between them.
"""

from collections.abc import Sequence

import numpy as np

from heterojax.compute import row_blocks

_TIMES = 1e6  # As large as the largest feature of a row usually is.


def notes(
  matrix: np.ndarray, ids: Sequence[str], features: Sequence[str]
) -> tuple[str, ...]:
  """What must be said of rows that are far larger than the others.

  Args:
    matrix: `[N, D]` features.
    ids: N, of the rows.
    features: D names, or none.

  Returns:
    A sentence that names the first such row, or nothing.
  """
  if not matrix.size:
    return ()
  sizes = np.concatenate([
    np.maximum(block.max(axis=1), -block.min(axis=1)).astype(float)
    for block in row_blocks.of(matrix)
  ])
  known = sizes[np.isfinite(sizes) & (sizes > 0)]
  if not known.size:
    return ()
  far = np.flatnonzero(np.isfinite(sizes) & (sizes > _TIMES * np.median(known)))
  if not far.size:
    return ()
  row = far[0]
  column = int(np.argmax(np.abs(matrix[row])))
  where = features[column] if features else f'feature {column + 1}'
  rows = 'rows have features' if len(far) > 1 else 'row has features'
  return (
    f'{len(far):,} {rows} more than a million times as large as most, as'
    f' {ids[row]} ({matrix[row, column]:.3g} in {where}): clusters and'
    ' distances are theirs alone, so write what is missing as nan, which leaves'
    ' a row out.',
  )

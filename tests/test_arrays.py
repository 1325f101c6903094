"""The bytes of arrays of any type."""

import ml_dtypes
import numpy as np
import pytest

from heterojax.compute.arrays import bytes_of


@pytest.mark.parametrize(
  'array',
  [
    np.arange(6.0).reshape(2, 3),
    np.arange(6).reshape(2, 3).T,
    np.array(['a', 'bcd']),
    np.array([True, False]),
    np.arange(3).astype(ml_dtypes.bfloat16),
    np.array(['2020-01-01'], 'datetime64[D]'),
    np.arange(3, dtype='>f8'),
    np.float32(2),
    np.zeros((0, 3)),
    np.zeros((3, 0)),
  ],
)
def test_are_those_of_its_rows(array: np.ndarray) -> None:
  assert bytes(bytes_of(array)) == array.tobytes()

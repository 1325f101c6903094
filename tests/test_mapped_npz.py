"""Large members of .npz files are mapped, and are what NumPy reads."""

import pathlib
import zipfile

import numpy as np
import pytest

from heterojax.datasets import npz
from heterojax.errors import UserError


@pytest.fixture(name='file')
def _file(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
  monkeypatch.setattr(npz, '_MAPPED', 1000)
  return tmp_path / 'some.npz'


@pytest.mark.parametrize('name', ['x', 'a_longer_name'])
@pytest.mark.parametrize('dtype', ['<f4', '<f8', '>i2', '<U3'])
@pytest.mark.parametrize('order', ['C', 'F'])
def test_mapped_arrays_are_numpys(
  file: pathlib.Path, name: str, dtype: str, order: str
) -> None:
  numbers = np.random.default_rng(0).integers(-99, 99, (60, 17))
  x = np.asarray(numbers.astype(dtype), order=order)
  np.savez(file, first=np.arange(3), **{name: x}, last=np.arange(5))
  found = npz.load(file, name)
  assert isinstance(found, np.memmap) and not found.flags.writeable
  np.testing.assert_array_equal(found, x)
  assert found.dtype == x.dtype
  assert not isinstance(npz.load(file, 'last'), np.memmap)


def test_compressed_arrays_are_read(file: pathlib.Path) -> None:
  x = np.random.default_rng(0).normal(size=(60, 17))
  np.savez_compressed(file, x=x)
  found = npz.load(file, 'x')
  assert not isinstance(found, np.memmap)
  np.testing.assert_array_equal(found, x)


def test_a_flipped_byte_of_a_mapped_array_is_refused(
  file: pathlib.Path,
) -> None:
  np.savez(file, x=np.random.default_rng(0).normal(size=(60, 17)))
  with zipfile.ZipFile(file) as archive:
    start = archive.getinfo('x.npy').header_offset
  content = bytearray(file.read_bytes())
  content[start + 2000] ^= 1
  file.write_bytes(content)
  with pytest.raises(UserError, match='CRC'):
    npz.load(file, 'x')

"""Large members of .npz files are mapped, and are what NumPy reads."""

import pathlib
import zipfile

import numpy as np
import pytest

from heterojax import features
from heterojax.datasets import augmentation
from heterojax.datasets import npz
from heterojax.datasets import ready
from heterojax.datasets import selection
from heterojax.errors import UserError
from heterojax.studies import stages
from heterojax.studies.settings import Settings


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


def test_a_mapped_file_that_changes_meanwhile_is_no_data_of_the_study(
  file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  x = np.random.default_rng(0).normal(size=(60, 17)).astype(np.float32)
  np.savez(file, features=x, label=np.arange(60) % 2)
  cohort = selection.select(
    ready.read(file, ('1', '0')),
    seed=0,
    balance=False,
    distinct=True,
    max_bad_share=0,
    workers=1,
  )
  pictures = [
    features.Picture(c.path, augmentation.IDENTITY) for c in cohort.included
  ]

  def extract() -> np.ndarray:
    found = stages.extract(Settings(), None, pictures, [cohort], tmp_path)
    return found.x

  np.testing.assert_array_equal(extract(), x)
  changed = x.copy()
  changed[7, 3] += 1
  content = file.read_bytes().replace(x.tobytes(), changed.tobytes())
  with file.open('r+b') as same:  # As another program saves it once more.
    same.write(content)
  with pytest.raises(UserError, match='Row 7 of .*some.npz is not what it was'):
    extract()

"""NumPy's .npz archives: what is in one, and one array of it. Never pickles."""

import math
import pathlib
from typing import NamedTuple
import zipfile
import zlib

import numpy as np

from heterojax.errors import UserError

# What zipfile and NumPy raise on a damaged or foreign file.
_DAMAGE = (
    OSError, EOFError, KeyError, NotImplementedError, RuntimeError, ValueError,
    zipfile.BadZipFile, zlib.error,
)  # pyformat: disable


class Header(NamedTuple):
  """What an array says of itself."""

  shape: tuple[int, ...]
  dtype: np.dtype


def headers(path: pathlib.Path) -> dict[str, Header]:
  """Shapes and types, without reading the arrays themselves.

  Args:
    path: of the archive.

  Returns:
    By the name of the array.

  Raises:
    UserError: if it is not such an archive, or damaged.
  """
  found = {}
  try:
    with zipfile.ZipFile(path) as archive:
      for member in archive.infolist():
        if member.filename.endswith('.npy'):
          with archive.open(member) as file:
            header = _header(file)
            _check_length(header, member.file_size - file.tell())
          found[member.filename.removesuffix('.npy')] = header
  except _DAMAGE as error:
    raise UserError(_sentence(path, error)) from error
  return found


def load(path: pathlib.Path, name: str) -> np.ndarray:
  """Reads one array; a compressed one cannot be read in parts.

  Args:
    path: of the archive.
    name: of the array.

  Returns:
    The array.

  Raises:
    UserError: if it cannot be read.
  """
  try:
    with np.load(path, allow_pickle=False) as arrays:
      return arrays[name]
  except _DAMAGE as error:
    raise UserError(_sentence(path, error)) from error


def _header(file: zipfile.ZipExtFile) -> Header:
  version = np.lib.format.read_magic(file)
  readers = {
      (1, 0): np.lib.format.read_array_header_1_0,
      (2, 0): np.lib.format.read_array_header_2_0,
  }
  if version not in readers:
    raise ValueError(f'version {version} of its format is not known')
  shape, _, dtype = readers[version](file)
  if dtype.hasobject:
    raise ValueError('it holds Python objects, which are not loaded')
  return Header(shape, dtype)


def _check_length(header: Header, length: int) -> None:
  """A false shape would ask for any amount of memory."""
  if math.prod(header.shape) * header.dtype.itemsize != length:
    raise ValueError('an array is not as long as its header says')


def _sentence(path: pathlib.Path, error: Exception) -> str:
  said = ' '.join(str(error).split()).rstrip('.') or type(error).__name__
  return f'{path} cannot be read as an .npz file of plain arrays ({said}).'

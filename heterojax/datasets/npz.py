"""NumPy's .npz archives: what is in one, and one array of it. Never pickles."""

from collections.abc import Iterator
import contextlib
import io
import math
import pathlib
import struct
from typing import IO, NamedTuple
import zipfile

import numpy as np

from heterojax.errors import UserError

_ENDING = '.npy'
# Plain arrays never compress better, and what does is made to fill memory.
_MOST_TIMES = 100
_ALWAYS_ALLOWED = 64 << 20  # Bytes.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Those of NumPy.
# Bytes from which on an array is mapped, and of those that are read at a time.
_MAPPED = 256 << 20
_CHUNK = 1 << 20
# Where a member's own header tells the lengths of its name and of what follows.
_LENGTHS = 26
_LONGEST_HEADER = 10_000  # Bytes; NumPy reads no longer ones either.


class Header(NamedTuple):
  """What an array says of itself."""

  shape: tuple[int, ...]
  dtype: np.dtype
  fortran_order: bool = False


def headers(path: pathlib.Path) -> dict[str, Header]:
  """Shapes and types, without reading the arrays themselves.

  Args:
    path: of the archive.

  Returns:
    By the name of the array. One of Python objects has no other shape than its
    own word for it, and cannot be loaded.

  Raises:
    UserError: if it is not such an archive, or damaged.
  """
  with _opened(path) as archive:
    by_name = {}
    for member in archive.infolist():
      if member.filename.endswith(_ENDING):
        with archive.open(member) as file:
          by_name[member.filename.removesuffix(_ENDING)] = _header(file, member)
    return by_name


def load(path: pathlib.Path, name: str) -> np.ndarray:
  """Reads one array; a large one that is not compressed is mapped.

  Args:
    path: of the archive.
    name: of the array.

  Returns:
    The array; a mapped one is read-only, and its rows are in memory only while
    they are used.

  Raises:
    UserError: if it cannot be read.
  """
  with _opened(path) as archive:
    member = archive.getinfo(f'{name}{_ENDING}')
    with archive.open(member) as file:
      header = _header(file, member)
      start = file.tell()
      mapped = member.file_size >= _MAPPED and _can_be_mapped(member, header)
      while mapped and file.read(_CHUNK):  # Compares the checksum at its end.
        pass
    if mapped:
      offset = _offset(path, member) + start
      order = 'F' if header.fortran_order else 'C'
      return np.memmap(path, header.dtype, 'r', offset, header.shape, order)
    with archive.open(member) as file:
      return np.lib.format.read_array(file, allow_pickle=False)


def _can_be_mapped(member: zipfile.ZipInfo, header: Header) -> bool:
  return (
    member.compress_type == zipfile.ZIP_STORED and not header.dtype.hasobject
  )


def _offset(path: pathlib.Path, member: zipfile.ZipInfo) -> int:
  """Where the content of a stored member begins in the file."""
  with path.open('rb') as file:
    file.seek(member.header_offset + _LENGTHS)
    name, extra = struct.unpack('<HH', file.read(4))
  return member.header_offset + _LENGTHS + 4 + name + extra


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[zipfile.ZipFile]:
  """An archive; what is raised while it is open becomes a sentence."""
  try:
    if not path.is_file():
      raise OSError('it is not a regular file')
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
      members = archive.infolist()
      if any(member.compress_type not in _METHODS for member in members):
        raise ValueError('it is compressed in a way that NumPy never does')
      # The sum, since members can share what they are stored as.
      most = max(_ALWAYS_ALLOWED, _MOST_TIMES * size)
      if sum(member.file_size for member in members) > most:
        raise ValueError(
          f'its arrays are more than {_MOST_TIMES} times as large as the file'
        )
      yield archive
  # Neither zipfile nor NumPy documents all that it raises on a damaged file.
  except Exception as error:
    said = ' '.join(str(error).split()).rstrip('.') or type(error).__name__
    raise UserError(
      f'{path} cannot be read as an .npz file of plain arrays ({said[:200]}).'
    ) from error


def _header(file: IO[bytes], member: zipfile.ZipInfo) -> Header:
  version = np.lib.format.read_magic(file)
  # Bytes that tell the length of the header, and what reads it.
  readers = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
  }
  if version not in readers:
    raise ValueError(f'version {version} of its format is not known')
  size, reader = readers[version]
  told = file.read(size)
  if (length := int.from_bytes(told, 'little')) > _LONGEST_HEADER:
    raise ValueError(f'an array has a header of {length:,} bytes')
  shape, by_columns, dtype = reader(io.BytesIO(told + file.read(length)))
  if dtype.hasobject:  # Pickled: its length says nothing, and none is loaded.
    return Header(shape, dtype, by_columns)
  # A false shape, or one of nothing, would ask for any memory.
  length = member.file_size - file.tell()
  if math.prod(shape) * dtype.itemsize != length:
    raise ValueError('an array is not as long as its header says')
  if min(shape, default=0) < 0 or max(shape, default=0) > member.file_size:
    raise ValueError('an array has a side that its length cannot have')
  return Header(shape, dtype, by_columns)

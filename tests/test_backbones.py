"""Backbones: blocks against stored peers' outputs, real weights, mistakes."""

import hashlib
import pathlib
import socket
import threading

from flax import nnx
import jax
import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.datasets import load_sample_images

from heterojax import backbones
from heterojax.backbones import efficientnet
from heterojax.backbones import imagenet
from heterojax.backbones import layers
from heterojax.backbones import networks
from heterojax.backbones import porting
from heterojax.backbones import resnet
from heterojax.backbones import sources
from heterojax.backbones import vgg
from heterojax.backbones import weight_files
from heterojax.backbones.architecture import Architecture
from heterojax.backbones.architecture import Source
from heterojax.compute import platform
from heterojax.datasets import images
from heterojax.errors import UserError

_GOLDENS = np.load(pathlib.Path(__file__).parent / 'goldens' / 'blocks.npz')
_CASES = sorted({'/'.join(key.split('/')[:3]) for key in _GOLDENS.files})


@pytest.fixture(scope='module')
def lite0() -> backbones.Backbone:
  return backbones.load('efficientnet_lite0')


@pytest.mark.slow
@pytest.mark.parametrize('case', _CASES)
def test_block_equals_its_peer(case: str) -> None:
  source_name, index, _ = case.split('/')
  source = efficientnet.B0.sources[source_name]
  spec = list(efficientnet.block_specs())[int(index)]
  variant = efficientnet.Variant(squeeze_excite=True, relu6=False)
  block = efficientnet.Block(spec, variant, source.padding)
  graphdef, state = nnx.split(block)
  prefix = f'{case}/weights/'
  entries = {
    key.removeprefix(prefix): _GOLDENS[key]
    for key in _GOLDENS.files
    if key.startswith(prefix)
  }
  shapes = {}
  for path, leaf in nnx.to_flat_state(state):
    layer = '.'.join([f'blocks.{index}', *map(str, path[:-1])])
    shapes.setdefault(layer, {})[path[-1]] = leaf.shape
  file = weight_files.WeightFile(entries, source.layout, '')
  filled = porting.port(shapes, file, source, 'golden')
  leaves = [
    (
      path,
      leaf.replace(filled['.'.join([f'blocks.{index}', *path[:-1]])][path[-1]]),
    )
    for path, leaf in nnx.to_flat_state(state)
  ]
  network = nnx.merge(graphdef, nnx.from_flat_state(leaves))
  want = _GOLDENS[f'{case}/y']
  got = np.asarray(network(_GOLDENS[f'{case}/x']))
  assert got.shape == want.shape
  np.testing.assert_allclose(got, want, atol=1e-5 * np.abs(want).max())


def test_the_goldens_tell_the_paddings_apart() -> None:
  # The same block with the other rule is wrong by far more than the tolerance.
  source = efficientnet.B0.sources
  assert source['keras'].padding != source['torchvision'].padding
  x = np.ones((1, 8, 8, 1), np.float32)
  same = layers.pad(x, 3, 2, 'same')
  symmetric = layers.pad(x, 3, 2, 'symmetric')
  np.testing.assert_array_equal(same[0, 0, :, 0], [1] * 8 + [0])
  np.testing.assert_array_equal(symmetric[0, 1, :, 0], [0] + [1] * 8 + [0])


@pytest.mark.medium
@pytest.mark.parametrize('size', [5, 6])
@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('stride', [1, 2])
def test_shifted_products_equal_the_grouped_convolution(
  size: int, kernel: int, stride: int
) -> None:
  rng = np.random.default_rng(0)
  conv = layers.DepthwiseConv(
    4, kernel_size=kernel, stride=stride, padding='same'
  )
  conv.kernel[...] = rng.normal(size=conv.kernel.shape)
  conv.bias[...] = rng.normal(size=4)
  x = rng.normal(size=(2, size, size, 4)).astype(np.float32)
  shifted = conv(x)
  with platform.use('cuda'):
    np.testing.assert_allclose(shifted, conv(x), atol=1e-5)


@pytest.mark.slow
def test_lite0_knows_the_sample_photographs(lite0: backbones.Backbone) -> None:
  flower, temple = (
    images.resize(image, 224)
    for name in ('flower.jpg', 'china.jpg')
    for image in _sample(name)
  )
  top = np.argsort(-np.asarray(lite0.logits(np.stack([flower, temple]))))[:, :3]
  assert 985 in top[0]  # daisy
  # palace, monastery, stupa, boathouse, bell cote: a Chinese pavilion has no
  # class of its own.
  assert set(top[1]) & {698, 663, 832, 449, 442}


def _sample(name: str) -> list[np.ndarray]:
  found = load_sample_images()
  paths = [pathlib.Path(path).name for path in found.filenames]
  return [found.images[paths.index(name)]]


@pytest.mark.slow
def test_shapes(lite0: backbones.Backbone) -> None:
  x = np.zeros((2, 224, 224, 3), np.uint8)
  assert lite0.feature_map(x).shape == (2, 7, 7, 1280)
  assert lite0.pooled(x).shape == (2, 1280)
  assert lite0.logits(x).shape == (2, 1000)
  assert lite0.feature_map(np.zeros((1, 97, 65, 3))).shape == (1, 4, 3, 1280)
  assert len(lite0.weights_sha256) == 64


@pytest.mark.slow
def test_pooled_is_the_mean_of_the_map(lite0: backbones.Backbone) -> None:
  x = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3))
  mean = np.mean(np.asarray(lite0.feature_map(x), np.float64), axis=(1, 2))
  np.testing.assert_allclose(lite0.pooled(x), mean, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_one_shape_compiles_once(lite0: backbones.Backbone) -> None:
  x = np.zeros((3, 32, 32, 3), np.float32)
  lite0.pooled(x)
  before = backbones._jitted._cache_size()  # pylint: disable=protected-access
  for value in range(3):
    lite0.pooled(x + value)
  assert backbones._jitted._cache_size() == before  # pylint: disable=protected-access


@pytest.mark.slow
def test_random_b0() -> None:
  backbone = backbones.load('efficientnet_b0', None)
  out = np.asarray(backbone.logits(np.full((1, 64, 64, 3), 100, np.uint8)))
  assert out.shape == (1, 1000) and np.isfinite(out).all() and out.std() > 0
  again = backbones.load('efficientnet_b0', None)
  np.testing.assert_array_equal(
    out, again.logits(np.full((1, 64, 64, 3), 100, np.uint8))
  )


@pytest.mark.parametrize(
  'name, source, number',
  [
    ('resnet18', 'torchvision', 11_689_512),
    ('vgg16', 'torchvision', 138_357_544),
    ('efficientnet_b0', 'torchvision', 5_288_548),
    ('efficientnet_lite0', 'timm', 4_652_008),
  ],
)
def test_parameters_are_as_many_as_published(
  name: str, source: str, number: int
) -> None:
  """By the tables of torchvision and timm; running statistics are none."""
  architecture = networks.ARCHITECTURES[name]
  row = architecture.sources[source]
  _, state = networks.build(architecture, row, with_norms=True, with_top=True)
  of_training = nnx.filter_state(state, nnx.Param)
  assert sum(leaf.size for leaf in jax.tree.leaves(of_training)) == number


@pytest.mark.slow
@pytest.mark.parametrize(
  'name,shapes',
  [
    ('resnet18', {(65, 97): (3, 4), (64, 32): (2, 1)}),
    ('vgg16', {(65, 97): (2, 3), (32, 32): (1, 1)}),
  ],
)
def test_feature_maps_of_other_sizes(name: str, shapes: dict) -> None:
  backbone = backbones.load(name, None, top=False)
  for size, sides in shapes.items():
    x = np.random.default_rng(0).uniform(0, 255, (2, *size, 3))
    feature_map = np.asarray(backbone.feature_map(x))
    assert feature_map.shape == (2, *sides, 512)
    np.testing.assert_allclose(
      backbone.pooled(x), feature_map.mean(axis=(1, 2)), rtol=1e-5, atol=1e-5
    )


@pytest.mark.slow
def test_vgg16_says_which_images_it_reads() -> None:
  headless = backbones.load('vgg16', None, top=False)
  with pytest.raises(UserError, match='at least 32 x 32'):
    headless.pooled(np.zeros((1, 31, 64, 3)))
  with pytest.raises(UserError, match='no classifier'):
    headless.logits(np.zeros((1, 224, 224, 3)))
  build = lambda: vgg.VGG16(padding='same', norm=None, with_top=True)
  for size in (223, 256):
    x = jax.ShapeDtypeStruct((1, size, 224, 3), np.float32)
    with pytest.raises(UserError, match=f'224 to 255 px, not {size} x 224'):
      nnx.eval_shape(lambda x: build().logits(x), x)
  x = jax.ShapeDtypeStruct((1, 255, 224, 3), np.float32)
  assert nnx.eval_shape(lambda x: build().logits(x), x).shape == (1, 1000)


@pytest.mark.medium
def test_max_pool_by_hand() -> None:
  x = -np.arange(1.0, 17).reshape(1, 4, 4, 1)
  # Nothing of the margin, 0 or not, is larger than what is inside.
  np.testing.assert_array_equal(
    layers.max_pool(x, 3, 2, margin=1)[0, ..., 0], [[-1, -2], [-5, -6]]
  )
  np.testing.assert_array_equal(
    layers.max_pool(x, 2, 2)[0, ..., 0], [[-1, -3], [-9, -11]]
  )


@pytest.mark.parametrize('made_for', platform.PLATFORMS)
def test_a_strided_pointwise_convolution_is_every_other_pixel(
  made_for: platform.Platform,
) -> None:
  x = np.random.default_rng(0).normal(size=(1, 5, 4, 3)).astype(np.float32)
  conv = layers.Conv(3, 2, stride=2)
  conv.kernel[...] = np.arange(6.0).reshape(1, 1, 3, 2)
  want = np.einsum('bhwi,io->bhwo', x[:, ::2, ::2], conv.kernel[0, 0])
  with platform.use(made_for):
    np.testing.assert_allclose(conv(x), want, rtol=1e-5, atol=1e-5)
    # As a product, its gradient aborts the compiler for GPUs.
    program = str(jax.make_jaxpr(conv)(x))
  assert ('conv_general_dilated' in program) == (made_for != 'cpu')


def _lite0_file() -> pathlib.Path:
  lite0 = efficientnet.LITE0
  return imagenet.locate(lite0.name, lite0.published, download=False)[0]


def _lite0_entries() -> dict[str, np.ndarray]:
  return {
    key: np.ascontiguousarray(value)
    for key, value in weight_files.read(_lite0_file()).entries.items()
  }


def _save(path: pathlib.Path, entries: dict[str, np.ndarray]) -> pathlib.Path:
  save_file(entries, path)
  return path


@pytest.mark.slow
def test_a_file_in_another_container_gives_the_same_network(
  tmp_path: pathlib.Path, lite0: backbones.Backbone
) -> None:
  path = _save(tmp_path / 'w.safetensors', _lite0_entries())
  x = np.full((1, 64, 64, 3), 50.0)
  other = backbones.load('efficientnet_lite0', path)
  assert other.source == 'lukemelas'
  np.testing.assert_array_equal(lite0.logits(x), other.logits(x))


@pytest.mark.parametrize(
  'missing',
  ['_conv_head.weight', '_blocks.7._bn1.running_var', '_fc.bias'],
)
def test_a_missing_entry_is_named(tmp_path: pathlib.Path, missing: str) -> None:
  entries = _lite0_entries()
  del entries[missing]
  path = _save(tmp_path / 'w.safetensors', entries)
  with pytest.raises(UserError, match=f'lacks the entry {missing}'):
    backbones.load('efficientnet_lite0', path)


def test_a_left_over_entry_is_named(tmp_path: pathlib.Path) -> None:
  entries = _lite0_entries() | {
    '_blocks.16._bn0.weight': np.ones(3, np.float32)
  }
  path = _save(tmp_path / 'w.safetensors', entries)
  with pytest.raises(UserError, match='the first is _blocks.16._bn0.weight'):
    backbones.load('efficientnet_lite0', path)


def test_a_wrong_shape_and_a_nan_are_named(tmp_path: pathlib.Path) -> None:
  good = _lite0_entries()
  entries = good | {'_conv_stem.weight': np.ones((32, 1, 3, 3), np.float32)}
  with pytest.raises(UserError, match='_conv_stem'):
    backbones.load('efficientnet_lite0', _save(tmp_path / 'a', entries))
  entries = good | {'_fc.bias': np.full(1000, np.nan, np.float32)}
  with pytest.raises(UserError, match='not finite in _fc'):
    backbones.load('efficientnet_lite0', _save(tmp_path / 'b', entries))


def test_a_file_whose_end_has_not_arrived_is_told(tmp_path) -> None:
  """It may have its whole length before, as some programs copy."""
  path = _save(tmp_path / 'w.safetensors', _lite0_entries())
  data = path.read_bytes()
  path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
  with pytest.raises(UserError, match='w.safetensors holds nothing but zeros'):
    backbones.load('efficientnet_lite0', path)


@pytest.mark.slow
def test_weights_without_a_top_have_no_logits(tmp_path: pathlib.Path) -> None:
  entries = {k: v for k, v in _lite0_entries().items() if '_fc' not in k}
  path = _save(tmp_path / 'w.safetensors', entries)
  backbone = backbones.load('efficientnet_lite0', path)
  x = np.zeros((1, 32, 32, 3))
  assert backbone.pooled(x).shape == (1, 1280)
  with pytest.raises(UserError, match='no classifier'):
    backbone.logits(x)


def test_mistakes_are_sentences(tmp_path: pathlib.Path) -> None:
  path = _lite0_file()
  other = _save(tmp_path / 'w', {'layer.weight': np.ones(3, np.float32)})
  for match, call in {
    'no backbone': lambda: backbones.load('resnet19', None),
    'no weight source': lambda: backbones.load('efficientnet_b0', None, 'x'),
    # Lite0's names are B0's but for the squeeze-excite layers.
    'lacks the entry _blocks.0._se': lambda: backbones.load(
      'efficientnet_b0', path
    ),
    'is a torch file': lambda: backbones.load('efficientnet_b0', path, 'keras'),
    'does not hold the weights of efficientnet_b0': lambda: backbones.load(
      'efficientnet_b0', other
    ),
  }.items():
    with pytest.raises(UserError, match=match):
      call()


def test_imagenet_never_downloads_by_itself(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path))

  def refuse(*args, **kwargs):
    raise AssertionError('the network was used')

  monkeypatch.setattr(imagenet.urllib.request, 'urlopen', refuse)
  with pytest.raises(
    UserError, match=r'--download .* put that file at'
  ) as info:
    backbones.load('efficientnet_b0')
  assert str(tmp_path / 'efficientnetb0_notop.h5') in str(info.value)
  (tmp_path / 'efficientnetb0_notop.h5').write_bytes(b'another file')
  with pytest.raises(UserError, match='is not the published'):
    backbones.load('efficientnet_b0')


def test_a_download_is_kept_only_with_the_right_hash(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path / 'cache'))
  served = tmp_path / 'served.h5'
  served.write_bytes(b'not the weights')
  published = imagenet.Published(served.as_uri(), 'md5', '0' * 32, 'keras')
  with pytest.raises(UserError, match='nothing was kept'):
    imagenet.locate('b0', [published], download=True)
  assert list((tmp_path / 'cache').iterdir()) == []
  for algorithm in ('md5', 'sha256'):
    digest = hashlib.new(algorithm, served.read_bytes()).hexdigest()
    # Some of its digits are not enough.
    some = published._replace(algorithm=algorithm, digest=digest[:8])
    with pytest.raises(UserError, match='nothing was kept'):
      imagenet.locate('b0', [some], download=True)
    published = published._replace(algorithm=algorithm, digest=digest)
    path, source = imagenet.locate('b0', [published], download=True)
    assert path.read_bytes() == b'not the weights'
    assert path == tmp_path / 'cache' / 'served.h5'
    assert source == 'keras'
    path.unlink()
  assert list((tmp_path / 'cache').iterdir()) == []


@pytest.mark.parametrize(
  ('sent', 'says'),
  [
    (b'200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal', 'fetched'),
    (b'200 OK\r\n' + 200 * b'A: b\r\n' + b'\r\n', 'fetched'),
    (b'302 Found\r\nLocation: http://[::1\r\n\r\n', 'fetched'),
    (b'302 Found\r\nLocation: file:///etc/passwd\r\n\r\n', 'fetched'),
    (b'what is this?\r\n\r\n', 'fetched'),
    (b'200 OK\r\nContent-Length: 9\r\n\r\nhalf', 'nothing was kept'),
  ],
)
def test_a_download_that_goes_wrong_is_one_sentence(
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  sent: bytes,
  says: str,
) -> None:
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path))
  monkeypatch.setenv('no_proxy', '*')
  server = socket.create_server(('127.0.0.1', 0))

  def serve() -> None:
    line, _ = server.accept()
    with line:
      line.recv(2**16)
      line.sendall(b'HTTP/1.1 ' + sent)

  threading.Thread(target=serve, daemon=True).start()
  origin = f'http://127.0.0.1:{server.getsockname()[1]}/weights.h5'
  published = imagenet.Published(origin, 'md5', '0' * 32, 'keras')
  with server, pytest.raises(UserError, match=says) as caught:
    imagenet.locate('b0', [published], download=True)
  assert str(caught.value).startswith(origin)
  assert not [*tmp_path.iterdir()]


def _entries(
  architecture: Architecture, source: Source
) -> dict[str, np.ndarray]:
  """A file with the right names and shapes, without its classifier."""
  rng = np.random.default_rng(0)
  _, state = networks.build(
    architecture, source, with_norms=True, with_top=False
  )
  entries = {}
  for path, leaf in nnx.to_flat_state(state):
    *layer, kind = map(str, path)
    name = source.names['.'.join(layer)]
    suffix = {
      'kernel': 'weight',
      'scale': 'weight',
      'bias': 'bias',
      'mean': 'running_mean',
      'var': 'running_var',
    }[kind]
    value = rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
    if kind == 'kernel':
      value = np.ascontiguousarray(value.transpose(3, 2, 0, 1))
    entries[f'{name}.{suffix}'] = value
  return entries


def _named(*names: str) -> weight_files.WeightFile:
  entries = {name: np.full(1, i) for i, name in enumerate(names)}
  return weight_files.WeightFile(entries, 'torch', '')


_RESNET = [
  name + '.weight'
  for layer, name in resnet.ARCHITECTURE.sources['timm'].names.items()
  if layer != 'classifier'
]


@pytest.mark.parametrize(
  'prefix',
  [
    'model.',
    '_orig_mod.',
    'timm_model.',
    'net.',
    'module.model._orig_mod.',
    'backbone.encoder.',
  ],
)
@pytest.mark.parametrize('others', [(), ('criterion.weight', 'n_averaged')])
def test_what_wrapped_a_network_is_taken_off(
  prefix: str, others: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
  plain = _named(*_RESNET)
  wrapped = _named(*(prefix + name for name in _RESNET), *others)
  with caplog.at_level('INFO', 'heterojax'):
    got = sources.unwrapped(resnet.ARCHITECTURE, wrapped, 'file')
  assert got == plain
  said = f'file: the network is what lies under {prefix}; 2 other entries'
  assert (said in caplog.text) == bool(others)


def test_names_of_the_network_itself_are_no_wrapper() -> None:
  whole = _named(*_RESNET, 'fc.weight', 'model.extra')
  assert sources.unwrapped(resnet.ARCHITECTURE, whole, 'f') is whole
  # A block has a conv1 as well; so few names are not the network's.
  part = _named('layer1.0.conv1.weight', 'layer1.0.bn1.weight')
  assert sources.unwrapped(resnet.ARCHITECTURE, part, 'f') is part
  features = _named(*(f'features.{i}.weight' for i in range(30)))
  assert sources.unwrapped(vgg.ARCHITECTURE, features, 'f') is features


def test_two_networks_in_one_file_are_refused() -> None:
  names = [p + name for p in ('student.', 'teacher.') for name in _RESNET]
  with pytest.raises(UserError, match=r'once, under student\., teacher\.: '):
    sources.unwrapped(resnet.ARCHITECTURE, _named(*names), 'f')


@pytest.mark.slow
def test_sources_that_differ_in_nothing_are_not_refused(
  tmp_path: pathlib.Path,
) -> None:
  source = resnet.ARCHITECTURE.sources['torchvision']
  assert source == resnet.ARCHITECTURE.sources['timm']
  entries = _entries(resnet.ARCHITECTURE, source)
  assert entries['layer2.0.downsample.0.weight'].shape == (128, 64, 1, 1)
  assert len(entries) == 20 * 5
  path = _save(tmp_path / 'w', entries)
  backbone = backbones.load('resnet18', path)
  assert backbone.source == 'torchvision' and not backbone.has_top
  np.testing.assert_array_equal(
    backbones
    .load('resnet18', path, trainable=True)
    .params['network']
    .stem.norm.var[...],
    entries['bn1.running_var'],
  )
  entries['layer1.2.conv1.weight'] = np.ones(3, np.float32)  # A ResNet34's.
  with pytest.raises(UserError, match='the first is layer1.2.conv1.weight'):
    backbones.load('resnet18', _save(tmp_path / 'x', entries))


def test_vgg16_sources_are_told_by_their_classifiers() -> None:
  first = {'features.0.weight': np.zeros((64, 3, 3, 3))}
  for key, want in {
    'classifier.6.weight': 'torchvision',
    'head.fc.weight': 'timm',
    'features.28.bias': 'torchvision',  # No classifier: the same either way.
  }.items():
    file = weight_files.WeightFile(first | {key: np.zeros(1)}, 'torch', '')
    assert sources.detect(vgg.ARCHITECTURE, file, 'x') == want
  file = weight_files.WeightFile(
    {'block1_conv1/kernel': np.zeros(1)}, 'keras', ''
  )
  assert sources.detect(vgg.ARCHITECTURE, file, 'x') == 'keras'
  with pytest.raises(UserError, match='does not hold the weights of vgg16'):
    sources.detect(
      vgg.ARCHITECTURE, weight_files.WeightFile(first, 'keras', ''), 'x'
    )


def test_caffe_reads_blue_green_red(tmp_path: pathlib.Path) -> None:
  # The first convolution of the network against what Caffe's own order gives.
  source = vgg.ARCHITECTURE.sources['keras']
  kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 2)).astype(np.float32)
  file = weight_files.WeightFile(
    {'block1_conv1/kernel': kernel, 'block1_conv1/bias': np.zeros(2)},
    'keras',
    '',
  )
  shapes = {'convs.0': {'kernel': (3, 3, 3, 2), 'bias': (2,)}}
  got = porting.port(shapes, file, source, 'x')['convs.0']['kernel']
  rgb = np.random.default_rng(1).uniform(0, 255, (3, 3, 3))
  caffe = rgb[..., ::-1] - [103.939, 116.779, 123.68]
  mean, std = sources.preprocessing(source, file)
  np.testing.assert_allclose(
    np.einsum('hwi,hwio->o', (rgb - mean) / std, got),
    np.einsum('hwi,hwio->o', caffe, kernel),
    rtol=1e-5,
  )


@pytest.mark.parametrize('source', ['keras', 'torchvision', 'timm'])
def test_a_dense_layer_over_a_map_is_permuted(source: str) -> None:
  rng = np.random.default_rng(0)
  x = rng.normal(size=(7, 7, 4))  # H, W, C
  kernel = rng.normal(size=(7, 7, 4, 5))
  raw = {
    'keras': kernel.reshape(-1, 5),
    'torchvision': kernel.transpose(3, 2, 0, 1).reshape(5, -1),
    'timm': kernel.transpose(3, 2, 0, 1),
  }[source]
  row = vgg.ARCHITECTURE.sources[source]
  name = row.names['fc1']
  separator = '/' if source == 'keras' else '.'
  file = weight_files.WeightFile(
    {
      row.kernel('fc1'): raw,
      f'{name}{separator}bias': np.zeros(5),
    },
    row.layout,
    '',
  )
  shapes = {'fc1': {'kernel': (7, 7, 4, 5), 'bias': (5,)}}
  filled = porting.port(shapes, file, row, 'x')['fc1']
  dense = layers.MapDense(7, 4, 5)
  dense.kernel[...] = filled['kernel']
  flat = x.ravel() if source == 'keras' else x.transpose(2, 0, 1).ravel()
  want = flat @ raw if source == 'keras' else raw.reshape(5, -1) @ flat
  got = dense(x[None].astype(np.float32))[0]
  np.testing.assert_allclose(got, want, rtol=1e-4)


@pytest.mark.slow
def test_the_classifier_can_be_left_out(lite0: backbones.Backbone) -> None:
  headless = backbones.load('efficientnet_lite0', top=False)
  x = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
  assert not headless.has_top
  assert 'classifier' not in headless.params['network']
  np.testing.assert_array_equal(headless.pooled(x), lite0.pooled(x))


def test_a_file_of_weights_may_be_named_from_home(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Shells leave the ~ of `backbone.weights=~/w.pth`."""
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.setenv('USERPROFILE', str(tmp_path))
  path, source = backbones.locate('resnet18', '~/w.pth', 'timm')
  assert (path, source) == (tmp_path / 'w.pth', 'timm')

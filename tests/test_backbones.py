"""Backbones: blocks against stored peers' outputs, real weights, mistakes."""

import pathlib

from flax import nnx
import jax
import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.datasets import load_sample_images

from heterojax import backbones
from heterojax.backbones import efficientnet
from heterojax.backbones import imagenet
from heterojax.backbones import porting
from heterojax.backbones import sources
from heterojax.backbones import weight_files
from heterojax.datasets import images
from heterojax.errors import UserError

_GOLDENS = np.load(pathlib.Path(__file__).parent / 'goldens' / 'blocks.npz')
_CASES = sorted({'/'.join(key.split('/')[:3]) for key in _GOLDENS.files})


@pytest.fixture(scope='module')
def lite0() -> backbones.Backbone:
  return backbones.load('efficientnet_lite0')


@pytest.mark.parametrize('case', _CASES)
def test_block_equals_its_peer(case: str) -> None:
  source_name, index, _ = case.split('/')
  source = sources.SOURCES['efficientnet_b0'][source_name]
  spec = list(efficientnet.block_specs())[int(index)]
  block = efficientnet.Block(
      spec, efficientnet.VARIANTS['efficientnet_b0'], source.padding
  )
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
  source = sources.SOURCES['efficientnet_b0']
  assert source['keras'].padding != source['torchvision'].padding
  x = np.ones((1, 8, 8, 1), np.float32)
  same = backbones.efficientnet.layers.pad(x, 3, 2, 'same')
  symmetric = backbones.efficientnet.layers.pad(x, 3, 2, 'symmetric')
  np.testing.assert_array_equal(same[0, 0, :, 0], [1] * 8 + [0])
  np.testing.assert_array_equal(symmetric[0, 1, :, 0], [0] + [1] * 8 + [0])


@pytest.mark.parametrize('size', [5, 6])
@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('stride', [1, 2])
def test_shifted_products_equal_the_grouped_convolution(
    size: int, kernel: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
  layers = backbones.efficientnet.layers
  rng = np.random.default_rng(0)
  conv = layers.DepthwiseConv(4, kernel_size=kernel, stride=stride, padding='same')
  conv.kernel[...] = rng.normal(size=conv.kernel.shape)
  conv.bias[...] = rng.normal(size=4)
  x = rng.normal(size=(2, size, size, 4)).astype(np.float32)
  shifted = conv(x)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  np.testing.assert_allclose(shifted, conv(x), atol=1e-5)


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


def test_shapes(lite0: backbones.Backbone) -> None:
  x = np.zeros((2, 224, 224, 3), np.uint8)
  assert lite0.feature_map(x).shape == (2, 7, 7, 1280)
  assert lite0.pooled(x).shape == (2, 1280)
  assert lite0.logits(x).shape == (2, 1000)
  assert lite0.feature_map(np.zeros((1, 97, 65, 3))).shape == (1, 4, 3, 1280)
  assert len(lite0.weights_sha256) == 64


def test_pooled_is_the_mean_of_the_map(lite0: backbones.Backbone) -> None:
  x = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3))
  mean = np.mean(np.asarray(lite0.feature_map(x), np.float64), axis=(1, 2))
  np.testing.assert_allclose(lite0.pooled(x), mean, rtol=1e-5, atol=1e-6)


def test_one_shape_compiles_once(lite0: backbones.Backbone) -> None:
  x = np.zeros((3, 32, 32, 3), np.float32)
  lite0.pooled(x)
  before = backbones._jitted._cache_size()  # pylint: disable=protected-access
  for value in range(3):
    lite0.pooled(x + value)
  assert backbones._jitted._cache_size() == before  # pylint: disable=protected-access


def test_random_b0() -> None:
  backbone = backbones.load('efficientnet_b0', None)
  out = np.asarray(backbone.logits(np.full((1, 64, 64, 3), 100, np.uint8)))
  assert out.shape == (1, 1000) and np.isfinite(out).all() and out.std() > 0
  again = backbones.load('efficientnet_b0', None)
  np.testing.assert_array_equal(
      out, again.logits(np.full((1, 64, 64, 3), 100, np.uint8))
  )


def _lite0_entries() -> dict[str, np.ndarray]:
  path, _ = imagenet.locate('efficientnet_lite0', download=False)
  return {
      key: np.ascontiguousarray(value)
      for key, value in weight_files.read(path).entries.items()
  }


def _save(path: pathlib.Path, entries: dict[str, np.ndarray]) -> pathlib.Path:
  save_file(entries, path)
  return path


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
  entries = _lite0_entries() | {'_blocks.16._bn0.weight': np.ones(3, np.float32)}
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


def test_weights_without_a_top_have_no_logits(tmp_path: pathlib.Path) -> None:
  entries = {k: v for k, v in _lite0_entries().items() if '_fc' not in k}
  path = _save(tmp_path / 'w.safetensors', entries)
  backbone = backbones.load('efficientnet_lite0', path)
  x = np.zeros((1, 32, 32, 3))
  assert backbone.pooled(x).shape == (1, 1280)
  with pytest.raises(UserError, match='no classifier'):
    backbone.logits(x)


def test_mistakes_are_sentences(tmp_path: pathlib.Path) -> None:
  path, _ = imagenet.locate('efficientnet_lite0', download=False)
  other = _save(tmp_path / 'w', {'layer.weight': np.ones(3, np.float32)})
  for match, call in {
      'no backbone': lambda: backbones.load('resnet1', None),
      'no weight source': lambda: backbones.load('efficientnet_b0', None, 'x'),
      # Lite0's names are B0's but for the squeeze-excite layers.
      'lacks the entry _blocks.0._se': lambda: (
          backbones.load('efficientnet_b0', path)
      ),
      'is a torch file': lambda: (
          backbones.load('efficientnet_b0', path, 'keras')
      ),
      'does not hold the weights of efficientnet_b0': lambda: (
          backbones.load('efficientnet_b0', other)
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
  with pytest.raises(UserError, match=r'--download .* put that file at') as info:
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
  monkeypatch.setattr(imagenet, '_B0_URL', served.as_uri())
  with pytest.raises(UserError, match='nothing was kept'):
    imagenet.locate('efficientnet_b0', download=True)
  assert list((tmp_path / 'cache').iterdir()) == []
  monkeypatch.setattr(imagenet, '_B0_MD5', imagenet.md5(served))
  path, source = imagenet.locate('efficientnet_b0', download=True)
  assert path.read_bytes() == b'not the weights'
  assert source == 'keras_imagenet'

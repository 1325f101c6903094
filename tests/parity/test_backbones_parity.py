"""Every weight source against the library that wrote the weights."""

import hashlib
import pathlib

from jax import numpy as jnp
import numpy as np
import pytest

from heterojax import backbones
from heterojax.backbones import imagenet

torch = pytest.importorskip('torch')
keras = pytest.importorskip('keras')
timm = pytest.importorskip('timm')
torchvision = pytest.importorskip('torchvision')
efficientnet_lite_pytorch = pytest.importorskip('efficientnet_lite_pytorch')

SIZES = (224, 193)
TOLERANCE = 1e-4


def _images(size: int) -> np.ndarray:
  return np.random.default_rng(size).uniform(0, 255, (2, size, size, 3))


def _relative_error(got, want) -> float:
  want = np.asarray(want, np.float64)
  return np.max(np.abs(np.asarray(got) - want)) / np.max(np.abs(want))


def _assert_equal(backbone, x, feature_map, logits) -> None:
  got = backbone.feature_map(x)
  assert got.shape == feature_map.shape
  assert _relative_error(got, feature_map) <= TOLERANCE
  pooled = np.mean(np.asarray(feature_map, np.float64), axis=(1, 2))
  assert _relative_error(backbone.pooled(x), pooled) <= TOLERANCE
  if logits is not None:
    assert _relative_error(backbone.logits(x), logits) <= TOLERANCE


def _randomise_keras(model) -> None:
  """Random weights, batch norm statistics too, that keep signals in range."""
  rng = np.random.default_rng(1)
  for layer in model.layers:
    if not layer.get_weights():
      continue
    name = type(layer).__name__
    if name == 'BatchNormalization':
      width = layer.get_weights()[0].shape
      layer.set_weights([
          rng.uniform(0.5, 1.5, width),
          rng.normal(0, 0.3, width),
          rng.normal(0, 0.3, width),
          rng.uniform(0.5, 2.0, width),
      ])
    elif name != 'Normalization':
      layer.set_weights([
          w + rng.normal(0, 0.02, w.shape) if w.ndim == 1 else w
          for w in layer.get_weights()
      ])


def _keras_outputs(model, x):
  """Feature map and logits of a Keras EfficientNet with its top."""
  top = model.get_layer('predictions')
  pooled = keras.Model(
      model.input,
      [model.get_layer('top_activation').output, model.get_layer('avg_pool').output],
  )
  feature_map, mean = (np.asarray(v) for v in pooled(x, training=False))
  kernel, bias = (np.asarray(w, np.float64) for w in top.get_weights())
  return feature_map, mean.astype(np.float64) @ kernel + bias


@pytest.mark.parametrize('ending', ['weights.h5', 'h5'])
def test_keras_b0(tmp_path: pathlib.Path, ending: str) -> None:
  path = tmp_path / f'model.{ending}'
  for size in SIZES:
    model = keras.applications.EfficientNetB0(
        weights=None, input_shape=(size, size, 3)
    )
    if path.exists():  # Keras fixes its padding at construction.
      model.load_weights(path)
    else:
      _randomise_keras(model)
      save = model.save_weights if ending == 'weights.h5' else model.save
      save(path)
    x = _images(size)
    backbone = backbones.load('efficientnet_b0', path)
    assert backbone.source == 'keras'
    _assert_equal(backbone, x, *_keras_outputs(model, x))


def test_keras_b0_imagenet(tmp_path: pathlib.Path, monkeypatch) -> None:
  """weights='imagenet' rescales once more; weights=PATH does not.

  The published file is not at hand, so Keras is given one of its own making in
  the published layout, with the statistics that the published one holds.
  """
  from keras.src.applications import efficientnet as module
  import h5py
  from keras.src.legacy.saving import legacy_h5_format

  source = keras.applications.EfficientNetB0(weights=None, include_top=False)
  _randomise_keras(source)
  for layer in source.layers:
    if type(layer).__name__ == 'Normalization':
      mean, variance, count = layer.get_weights()
      layer.set_weights([
          np.reshape([0.485, 0.456, 0.406], mean.shape),
          np.reshape([0.229, 0.224, 0.225], variance.shape),
          count,
      ])
  path = tmp_path / 'efficientnetb0_notop.h5'
  with h5py.File(path, 'w') as file:
    legacy_h5_format.save_weights_to_hdf5_group(file, source)
  monkeypatch.setattr(module.file_utils, 'get_file', lambda *a, **k: str(path))
  x = _images(224)
  model = keras.applications.EfficientNetB0(
      weights='imagenet', include_top=False, input_shape=(224, 224, 3)
  )
  want = np.asarray(model(x, training=False))

  with pytest.raises(Exception, match='keras or keras_imagenet'):
    backbones.load('efficientnet_b0', path)
  backbone = backbones.load('efficientnet_b0', path, 'keras_imagenet')
  _assert_equal(backbone, x, want, None)
  with pytest.raises(Exception, match='no classifier'):
    backbone.logits(x)

  # By the hash that only the published file has.
  md5 = hashlib.md5(path.read_bytes()).hexdigest()
  monkeypatch.setattr(backbones.sources, '_KNOWN_KERAS_MD5', (md5,))
  assert backbones.load('efficientnet_b0', path).source == 'keras_imagenet'
  # Through the cache, as weights='imagenet' finds it.
  monkeypatch.setattr(imagenet, '_B0_MD5', md5)
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path))
  assert backbones.load('efficientnet_b0').source == 'keras_imagenet'


def _randomise_torch(model) -> None:
  generator = torch.Generator().manual_seed(2)
  for module in model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
      for tensor, low, high in (
          (module.weight.data, 0.5, 1.5),
          (module.bias.data, -0.3, 0.3),
          (module.running_mean, -0.3, 0.3),
          (module.running_var, 0.5, 2.0),
      ):
        tensor.uniform_(low, high, generator=generator)


def _nchw(x: np.ndarray, backbone) -> 'torch.Tensor':
  """Preprocessed with the numbers that the peer's own transform names."""
  mean, std = (np.asarray(backbone.params[k]) for k in ('mean', 'std'))
  scaled = ((x - mean) / std).astype(np.float32)
  return torch.from_numpy(scaled.transpose(0, 3, 1, 2))


def _nhwc(x: 'torch.Tensor') -> np.ndarray:
  return x.detach().numpy().transpose(0, 2, 3, 1)


def test_torchvision_b0(tmp_path: pathlib.Path) -> None:
  model = torchvision.models.efficientnet_b0(weights=None).eval()
  _randomise_torch(model)
  path = tmp_path / 'b0.pth'
  torch.save(model.state_dict(), path)
  backbone = backbones.load('efficientnet_b0', path)
  assert backbone.source == 'torchvision'
  published = torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1
  transform = published.transforms()
  np.testing.assert_allclose(
      np.ravel(backbone.params['mean']), 255 * np.array(transform.mean)
  )
  np.testing.assert_allclose(
      np.ravel(backbone.params['std']), 255 * np.array(transform.std), rtol=1e-6
  )
  for size in SIZES:
    x = _images(size)
    with torch.no_grad():
      images = _nchw(x, backbone)
      _assert_equal(backbone, x, _nhwc(model.features(images)), model(images))


@pytest.mark.parametrize(
    'name,source,architecture',
    [
        ('efficientnet_b0', 'timm', 'efficientnet_b0'),
        ('tf_efficientnet_b0', 'timm_tf', 'efficientnet_b0'),
        ('efficientnet_lite0', 'timm', 'efficientnet_lite0'),
        ('tf_efficientnet_lite0', 'timm_tf', 'efficientnet_lite0'),
    ],
)
def test_timm(
    tmp_path: pathlib.Path, name: str, source: str, architecture: str
) -> None:
  model = timm.create_model(name, pretrained=False).eval()
  _randomise_torch(model)
  path = tmp_path / 'model.pth'
  torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)
  with pytest.raises(Exception, match='timm or timm_tf'):
    backbones.load(architecture, path)
  backbone = backbones.load(architecture, path, source)
  config = model.pretrained_cfg
  for key in ('mean', 'std'):
    np.testing.assert_allclose(
        np.ravel(backbone.params[key]), 255 * np.array(config[key]), rtol=1e-6
    )
  for size in SIZES:
    x = _images(size)
    with torch.no_grad():
      images = _nchw(x, backbone)
      # timm's forward_features ends with the activated last feature map.
      features = _nhwc(model.forward_features(images))
      _assert_equal(backbone, x, features, model(images))


def test_lite0_with_its_real_weights() -> None:
  backbone = backbones.load('efficientnet_lite0')
  assert backbone.source == 'lukemelas'
  path, _ = imagenet.locate('efficientnet_lite0', download=False)
  for size in SIZES:
    # Static padding is made for one image size.
    blocks, global_params = efficientnet_lite_pytorch.utils.get_model_params(
        'efficientnet-lite0', {'image_size': size}
    )
    model = efficientnet_lite_pytorch.EfficientNet(blocks, global_params)
    model.load_state_dict(torch.load(path))
    model.eval()
    x = _images(size)
    images = torch.from_numpy(
        ((x - 127) / 128).astype(np.float32).transpose(0, 3, 1, 2)
    )
    with torch.no_grad():
      features = _nhwc(model.extract_features(images))
      _assert_equal(backbone, x, features, model(images))


def test_uint8_and_float_images_agree() -> None:
  backbone = backbones.load('efficientnet_lite0')
  x = _images(64).astype(np.uint8)
  np.testing.assert_array_equal(
      backbone.pooled(x), backbone.pooled(jnp.asarray(x, jnp.float32))
  )

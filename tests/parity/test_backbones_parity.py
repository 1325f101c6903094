"""Every weight source against the library that wrote the weights."""

import dataclasses
import hashlib
import pathlib

from flax import nnx
import jax
from jax import numpy as jnp
import numpy as np
import pytest

from heterojax import backbones
from heterojax.backbones import efficientnet
from heterojax.backbones import imagenet
from heterojax.backbones import networks
from heterojax.backbones import porting
from heterojax.backbones import weight_files

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
    [
      model.get_layer('top_activation').output,
      model.get_layer('avg_pool').output,
    ],
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
  import h5py
  from keras.src.applications import efficientnet as module
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
  b0 = backbones.ARCHITECTURES['efficientnet_b0']
  b0 = dataclasses.replace(
    b0,
    digests={md5: 'keras_imagenet'},
    published=(b0.published[0]._replace(digest=md5),),
  )
  monkeypatch.setitem(backbones.ARCHITECTURES, 'efficientnet_b0', b0)
  assert backbones.load('efficientnet_b0', path).source == 'keras_imagenet'
  # Through the cache, as weights='imagenet' finds it.
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
  lite0 = efficientnet.LITE0
  path, _ = imagenet.locate(lite0.name, lite0.published, download=False)
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


@pytest.mark.parametrize('library', ['torchvision', 'timm'])
def test_resnet18(tmp_path: pathlib.Path, library: str) -> None:
  if library == 'timm':
    model = timm.create_model('resnet18', pretrained=False).eval()
    features = model.forward_features
    mean, std = (model.pretrained_cfg[key] for key in ('mean', 'std'))
  else:
    model = torchvision.models.resnet18(weights=None).eval()
    features = torch.nn.Sequential(*list(model.children())[:-2])
    published = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    mean, std = published.mean, published.std
  _randomise_torch(model)
  path = tmp_path / 'resnet18.pth'
  torch.save(model.state_dict(), path)
  # The two write the same names for the same network.
  assert backbones.load('resnet18', path).source == 'torchvision'
  backbone = backbones.load('resnet18', path, library)
  for key, value in (('mean', mean), ('std', std)):
    np.testing.assert_allclose(
      np.ravel(backbone.params[key]), 255 * np.array(value), rtol=1e-6
    )
  for size in SIZES:
    x = _images(size)
    with torch.no_grad():
      images = _nchw(x, backbone)
      _assert_equal(backbone, x, _nhwc(features(images)), model(images))


def _given(monkeypatch, entries, layout: str) -> str:
  """Has a file read as these entries: with its top it would take 550 MB."""
  file = weight_files.WeightFile(entries, layout, '0' * 64)
  monkeypatch.setattr(weight_files, 'read', lambda path: file)
  return 'given'


@pytest.mark.parametrize('library', ['torchvision', 'timm'])
def test_vgg16_of_torch(monkeypatch, library: str) -> None:
  if library == 'timm':
    model = timm.create_model('vgg16', pretrained=False).eval()
    mean, std = (model.pretrained_cfg[key] for key in ('mean', 'std'))
  else:
    model = torchvision.models.vgg16(weights=None).eval()
    published = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()
    mean, std = published.mean, published.std
  for name, value in model.named_parameters():
    if name.endswith('bias'):
      value.data.uniform_(-0.3, 0.3)
  entries = {key: value.numpy() for key, value in model.state_dict().items()}
  backbone = backbones.load('vgg16', _given(monkeypatch, entries, 'torch'))
  assert backbone.source == library
  for key, value in (('mean', mean), ('std', std)):
    np.testing.assert_allclose(
      np.ravel(backbone.params[key]), 255 * np.array(value), rtol=1e-6
    )
  for size in SIZES:
    x = _images(size)
    with torch.no_grad():
      images = _nchw(x, backbone)
      logits = model(images) if size == 224 else None
      _assert_equal(backbone, x, _nhwc(model.features(images)), logits)


def _randomise_keras_biases(model) -> None:
  rng = np.random.default_rng(3)
  for layer in model.layers:
    if layer.get_weights():
      kernel, bias = layer.get_weights()
      layer.set_weights([kernel, rng.uniform(-0.3, 0.3, bias.shape)])


def _caffe(x: np.ndarray) -> np.ndarray:
  return keras.applications.vgg16.preprocess_input(x.copy())


@pytest.mark.parametrize('ending', ['weights.h5', 'h5'])
def test_vgg16_of_keras(tmp_path: pathlib.Path, ending: str) -> None:
  keras.utils.clear_session()
  model = keras.applications.VGG16(weights=None, include_top=False)
  _randomise_keras_biases(model)
  path = tmp_path / f'notop.{ending}'
  (model.save_weights if ending == 'weights.h5' else model.save)(path)
  backbone = backbones.load('vgg16', path)
  assert backbone.source == 'keras' and not backbone.has_top
  for size in SIZES:
    x = _images(size)
    want = np.asarray(model(_caffe(x), training=False))
    _assert_equal(backbone, x, want, None)


def test_vgg16_of_keras_with_its_top(monkeypatch) -> None:
  model = keras.applications.VGG16(weights=None, classifier_activation=None)
  _randomise_keras_biases(model)
  entries = {
    f'{layer.name}/{weight.name}': np.asarray(weight)
    for layer in model.layers
    for weight in layer.weights
  }
  backbone = backbones.load('vgg16', _given(monkeypatch, entries, 'keras'))
  x = _images(224)
  want = np.asarray(model(_caffe(x), training=False))
  assert _relative_error(backbone.logits(x), want) <= TOLERANCE


def _assert_step_equal(
  backbone, x, direction, pooled, entries, rounding: float
) -> None:
  """One step of training: outputs, running statistics and gradients.

  In double precision: many gradients are 0 but for rounding (of a bias that a
  later batch norm takes out), and others jump where an activation has its kink.

  Args:
    backbone: a trainable one.
    x: images.
    direction: `[B, D]`; the loss is the sum of its products with the features.
    pooled: the peer's features.
    entries: in the peer's names, its gradients and, where a weight is not
      trained, its value after the step.
    rounding: of the peer's gradients, as a share of the largest of them.
  """

  @jax.jit
  def step(trained, rest, params, x):
    def loss(trained):
      network = nnx.merge_state(trained, rest)
      got, new = backbones.forward_training(
        backbone.graphdef, {**params, 'network': network}, x
      )
      return jnp.sum(got * direction), (got, new)

    return jax.grad(loss, has_aux=True)(trained)

  params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), backbone.params)
  trained, rest = nnx.split_state(params['network'], nnx.Param, ...)
  gradient, (got, new) = step(trained, rest, params, jnp.asarray(x))
  assert _relative_error(got, pooled) <= TOLERANCE
  shapes = networks.shapes(params['network'])
  row = backbones.ARCHITECTURES[backbone.name].sources[backbone.source]
  file = weight_files.WeightFile(entries, row.layout, '')
  want = porting.port(shapes, file, row, 'peer')
  stats = nnx.split_state(new['network'], nnx.BatchStat, ...)[0]
  leaves = [*nnx.to_flat_state(gradient), *nnx.to_flat_state(stats)]
  assert len(leaves) == sum(map(len, shapes.values()))
  largest = max(np.max(np.abs(leaf)) for leaf in jax.tree.leaves(gradient))
  for path, leaf in leaves:
    layer = want['.'.join(map(str, path[:-1]))][path[-1]]
    error = np.max(np.abs(np.asarray(leaf[...]) - layer))
    bound = max(TOLERANCE * np.max(np.abs(layer)), rounding * largest)
    assert error <= bound, (path, error, bound)


@pytest.mark.parametrize(
  'name,source,architecture',
  [
    ('resnet18', 'timm', 'resnet18'),
    ('efficientnet_b0', 'timm', 'efficientnet_b0'),
    ('tf_efficientnet_lite0', 'timm_tf', 'efficientnet_lite0'),
  ],
)
def test_training_step_of_torch(
  tmp_path: pathlib.Path, name: str, source: str, architecture: str
) -> None:
  model = timm.create_model(name, pretrained=False, num_classes=0)
  _randomise_torch(model)
  path = tmp_path / 'model.pth'
  torch.save(model.state_dict(), path)
  backbone = backbones.load(architecture, path, source, trainable=True)
  x = np.random.default_rng(4).integers(0, 256, (4, 96, 96, 3))
  mean, std = (np.float64(backbone.params[k]) for k in ('mean', 'std'))
  images = torch.from_numpy(((x - mean) / std).transpose(0, 3, 1, 2))
  pooled = model.double().train()(images)
  direction = np.random.default_rng(5).normal(size=pooled.shape)
  (pooled * torch.from_numpy(direction)).sum().backward()
  entries = {key: value.numpy() for key, value in model.state_dict().items()}
  entries |= {k: v.grad.numpy() for k, v in model.named_parameters()}
  with jax.enable_x64(True):
    _assert_step_equal(backbone, x, direction, pooled.detach(), entries, 1e-10)


def test_training_step_of_keras(tmp_path: pathlib.Path) -> None:
  keras.utils.clear_session()
  model = keras.applications.EfficientNetB0(
    weights=None, include_top=False, pooling='avg', input_shape=(96, 96, 3)
  )
  _randomise_keras(model)
  for layer in model.layers:
    if isinstance(layer, keras.layers.Dropout):
      layer.rate = 0.0  # Drop-connect, which is left out.
  path = tmp_path / 'model.weights.h5'
  model.save_weights(path)
  backbone = backbones.load('efficientnet_b0', path, trainable=True)
  x = np.random.default_rng(4).integers(0, 256, (4, 96, 96, 3))
  direction = np.random.default_rng(5).normal(size=(4, 1280))

  def loss(trained, rest):
    pooled, rest = model.stateless_call(
      trained, rest, x.astype(np.float32), training=True
    )
    return jnp.sum(pooled * direction), (pooled, rest)

  trained, rest = model.trainable_variables, model.non_trainable_variables
  gradients, (pooled, moved) = jax.jit(jax.grad(loss, has_aux=True))(
    [v.value for v in trained], [v.value for v in rest]
  )
  values = dict(zip([v.path for v in trained], gradients, strict=True))
  values |= dict(zip([v.path for v in rest], moved, strict=True))
  entries = {
    key.replace('dwconv/kernel', 'dwconv/depthwise_kernel'): np.asarray(value)
    for key, value in values.items()
    if 'seed' not in key
  }
  # Keras on JAX knows no double precision.
  with jax.enable_x64(True):
    _assert_step_equal(backbone, x, direction, pooled, entries, 1e-6)

"""Weight files that PyTorch and Keras themselves write."""

import os

import h5py
import numpy as np
import pytest

from heterojax.backbones import weight_files
from heterojax.errors import UserError

os.environ.setdefault('KERAS_BACKEND', 'jax')
torch = pytest.importorskip('torch')
keras = pytest.importorskip('keras')
safetensors_torch = pytest.importorskip('safetensors.torch')

_DTYPES = (
  torch.bfloat16,
  torch.bool,
  torch.float16,
  torch.float32,
  torch.float64,
  torch.int16,
  torch.int32,
  torch.int64,
  torch.int8,
  torch.uint8,
)


def _numpy(tensor) -> np.ndarray:
  tensor = tensor.detach()
  return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _tensors() -> dict:
  base = torch.arange(24.0).reshape(2, 3, 4)
  named = {str(dtype): torch.arange(5).to(dtype) for dtype in _DTYPES}
  return named | {
    'base': base,
    'transposed': base.permute(2, 0, 1),
    'sliced': base[:, 1:, ::2],
    'shared': base[1],
    'expanded': torch.tensor([3.0]).expand(4),
    'scalar': torch.tensor(7),
    'empty': torch.zeros(0, 3),
    'parameter': torch.nn.Parameter(torch.ones(2)),
  }


def _check_equal(entries, expected):
  assert set(entries) == set(expected)
  for name, array in expected.items():
    assert entries[name].dtype == array.dtype, name
    np.testing.assert_array_equal(entries[name], array, strict=True)


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('protocol', [2, 4])
def test_torch_save(tmp_path, zipped, protocol):
  path = tmp_path / 'x.pth'
  tensors = _tensors()
  torch.save(
    {'state_dict': tensors, 'epoch': 3},
    path,
    pickle_protocol=protocol,
    _use_new_zipfile_serialization=zipped,
  )
  _check_equal(
    weight_files.read(path).entries,
    {name: _numpy(tensor) for name, tensor in tensors.items()},
  )


@pytest.mark.parametrize('zipped', [True, False])
def test_torch_module(tmp_path, zipped):
  path = tmp_path / 'x.pth'
  model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
  torch.save(model, path, _use_new_zipfile_serialization=zipped)
  with pytest.raises(UserError, match='names .torch.nn.modules'):
    weight_files.read(path)
  torch.save(
    torch.nn.DataParallel(model).state_dict(),
    path,
    _use_new_zipfile_serialization=zipped,
  )
  expected = {k: _numpy(v) for k, v in model.state_dict().items()}
  _check_equal(weight_files.read(path).entries, expected)


def test_safetensors_save(tmp_path):
  path = tmp_path / 'x.safetensors'
  tensors = {name: tensor.clone() for name, tensor in _tensors().items()}
  tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
  safetensors_torch.save_file(tensors, path)
  _check_equal(
    weight_files.read(path).entries,
    {name: _numpy(tensor) for name, tensor in tensors.items()},
  )


def test_keras_layouts_agree(tmp_path):
  legacy_h5_format = pytest.importorskip(
    'keras.src.legacy.saving.legacy_h5_format'
  )
  # Models of other tests would make this one's layers 'normalization_6'.
  keras.utils.clear_session()
  keras.utils.set_random_seed(0)
  model = keras.applications.EfficientNetB0(weights=None)
  model.save_weights(tmp_path / 'new.weights.h5')
  model.save(tmp_path / 'whole.h5')
  with h5py.File(tmp_path / 'legacy.h5', 'w') as file:
    legacy_h5_format.save_weights_to_hdf5_group(file, model)

  expected = {}
  for layer in model.layers:
    for weight in layer.weights:
      name = f'{layer.name}/{weight.name}'
      if layer.name.endswith('dwconv'):
        name = name.replace('/kernel', '/depthwise_kernel')
      expected[name] = keras.ops.convert_to_numpy(weight)
  assert len(expected) == 314
  for name in 'new.weights.h5', 'whole.h5', 'legacy.h5':
    file = weight_files.read(tmp_path / name)
    assert file.layout == 'keras'
    _check_equal(file.entries, expected)


def test_keras_model_in_model(tmp_path):
  inner = keras.applications.EfficientNetB0(
    weights=None, include_top=False, pooling='avg'
  )
  model = keras.Sequential([
    keras.Input((224, 224, 3)),
    keras.layers.RandomFlip(),
    inner,
    keras.layers.Dropout(0.5),
    keras.layers.Dense(2, name='head'),
  ])
  model.compile(optimizer='adam', loss='mse')
  model.save_weights(tmp_path / 'new.weights.h5')
  model.save(tmp_path / 'whole.h5')
  new = weight_files.read(tmp_path / 'new.weights.h5').entries
  assert len(new) == 312 + 2
  assert {'head/kernel', 'normalization/mean', 'stem_conv/kernel'} <= set(new)
  _check_equal(weight_files.read(tmp_path / 'whole.h5').entries, new)

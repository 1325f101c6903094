"""Three steps of fine-tuning against gradients of PyTorch."""

from collections.abc import Iterator
import dataclasses
import pathlib

import jax
import numpy as np
from PIL import Image
import pytest

from heterojax import backbones
from heterojax import features
from heterojax import finetuning
from heterojax.datasets import augmentation
from heterojax.datasets import sources
from heterojax.heads import head
from heterojax.heads.order import batch_order
from heterojax.run import checkpoint

torch = pytest.importorskip('torch')
timm = pytest.importorskip('timm')

_SIZE, _BATCH, _STEPS = 64, 4, 3
_RATE, _DECAY = 1e-3, 0.1
_KERNELS = {
  'stem': 'conv_stem',
  'blocks.0.depthwise': 'blocks.0.0.conv_dw',
  'blocks.3.depthwise': 'blocks.2.0.conv_dw',  # 5 x 5 with stride 2.
  'blocks.7.expand': 'blocks.3.2.conv_pw',
  'top': 'conv_head',
}
# Before an activation: the bias of a projection has no gradient, because the
# next batch norm takes it away.
_NORMS = {
  'stem': 'bn1',
  'blocks.7.depthwise': 'blocks.3.2.bn2',
  'blocks.15.depthwise': 'blocks.6.0.bn2',
  'top': 'bn2',
}
_LEAVES = {
  'scale': 'weight',
  'bias': 'bias',
  'mean': 'running_mean',
  'var': 'running_var',
}


@pytest.fixture
def model() -> 'torch.nn.Module':
  """Lite0 of timm in float64, with weights that are no initial ones."""
  torch.manual_seed(0)
  model = timm.create_model('tf_efficientnet_lite0', pretrained=False)
  for module in model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
      torch.nn.init.uniform_(module.weight, 0.5, 1.5)
      torch.nn.init.normal_(module.bias, 0.0, 0.2)
  # What float32 keeps is where both start from.
  return model.float().double()


def _pictures(folder: pathlib.Path, count: int) -> list[features.Picture]:
  rng = np.random.default_rng(0)
  for i in range(count):
    small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(small)
    image = image.resize((_SIZE, _SIZE), Image.Resampling.BICUBIC)
    image.save(folder / f'{i}.png')
  return [
    features.Picture(f'{i}.png', augmentation.IDENTITY) for i in range(count)
  ]


def _tensor(folder: pathlib.Path, rows: np.ndarray) -> 'torch.Tensor':
  pixels = np.stack([
    np.asarray(Image.open(folder / f'{r}.png'), np.float64) for r in rows
  ])
  return torch.tensor((pixels - 127.5) / 127.5).permute(0, 3, 1, 2)


def _axes(kernel: np.ndarray) -> np.ndarray:
  """OIHW to ours: HWIO, and `[h, w, C]` of depthwise kernels."""
  kernel = kernel.transpose(2, 3, 1, 0)
  depthwise = kernel.shape[2] == 1 and kernel.shape[0] > 1
  return kernel[:, :, 0] if depthwise else kernel


def _adamw(values: list['torch.Tensor'], count: int, moments: list) -> None:
  """Keras' AdamW by hand, decaying kernels alone."""
  step = _RATE * np.sqrt(1 - 0.999**count) / (1 - 0.9**count)
  with torch.no_grad():
    for value, (decays, m, v) in zip(values, moments, strict=True):
      grad = value.grad.numpy()
      m += 0.1 * (grad - m)
      v += 0.001 * (grad**2 - v)
      old = value.numpy()
      new = old - step * m / (np.sqrt(v) + 1e-7)
      value.copy_(torch.tensor(new - decays * _RATE * _DECAY * old))


@pytest.fixture
def _double() -> Iterator[None]:
  """Float64: Adam makes a whole step of a gradient that is rounding alone."""
  with jax.enable_x64(True):
    yield


def _in_double(backbone: backbones.Backbone) -> backbones.Backbone:
  params = jax.tree.map(lambda a: a.astype(np.float64), backbone.params)
  return dataclasses.replace(backbone, params=params)


@pytest.mark.usefixtures('_double')
def test_three_steps(tmp_path: pathlib.Path, model: 'torch.nn.Module') -> None:
  torch.save(model.float().state_dict(), tmp_path / 'lite0.pth')
  model = model.double()
  backbone = backbones.load(
    'efficientnet_lite0', tmp_path / 'lite0.pth', 'timm_tf', trainable=True
  )
  n = _BATCH * _STEPS
  pictures = _pictures(tmp_path, n + 4)
  y = np.arange(n + 4) % 2
  job = finetuning.Job(
    np.arange(n),
    np.arange(n, n + 4),
    np.zeros(0, int),
    jax.random.key(1),
    jax.random.key(2),
  )
  got, _ = finetuning.fine_tune(
    _in_double(backbone),
    sources.Files(tmp_path),
    pictures,
    y,
    job,
    finetuning.Tuning(
      'classification', (), 1, 1, _BATCH, _RATE, _DECAY, 'val_loss'
    ),
    features.Extraction('avg', _SIZE, 'keras', _BATCH, 2),
    tmp_path / 'job',
    contents=[''] * (n + 4),
  )

  top = head.init(job.init_key, 1280)
  kernel = torch.tensor(np.array(top.kernel, np.float64), requires_grad=True)
  bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
  named = [
    (name, value)
    for name, value in model.named_parameters()
    if not name.startswith('classifier')
  ]
  values = [value for _, value in named] + [kernel, bias]
  moments = [
    (value.ndim == 4, np.zeros(value.shape), np.zeros(value.shape))
    for _, value in named
  ]
  moments += [
    (decays, np.zeros(value.shape), np.zeros(value.shape))
    for decays, value in ((True, kernel), (False, bias))
  ]
  start = {k: v.numpy().copy() for k, v in model.state_dict().items()}
  order = np.asarray(batch_order(job.order_key, 0, n, n))
  model.train()
  losses = []
  for count in range(1, _STEPS + 1):
    rows = order[(count - 1) * _BATCH : count * _BATCH]
    pooled = model.forward_features(_tensor(tmp_path, rows)).mean(dim=(2, 3))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
      pooled @ kernel + bias, torch.tensor(y[rows], dtype=torch.float64)
    )
    for value in values:
      value.grad = None
    loss.backward()
    losses.append(loss.item())
    _adamw(values, count, moments)
  model.eval()
  with torch.no_grad():
    x = _tensor(tmp_path, got.rows)
    want = model.forward_features(x).mean(dim=(2, 3))
    outputs = (want @ kernel + bias).numpy()
  want = want.numpy()

  def close(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return np.max(np.abs(ours - theirs)) <= 1e-4 * np.max(np.abs(theirs))

  np.testing.assert_allclose(got.losses, [np.mean(losses)], rtol=1e-4)
  assert close(got.features, want)
  assert close(got.outputs, outputs)
  # Weights too, by what the steps changed.
  stored = checkpoint.load(tmp_path / 'job')
  state = {k: v.numpy() for k, v in model.state_dict().items()}
  assert close(stored['weights.top.kernel'], kernel.detach().numpy())
  for ours, theirs in _NORMS.items():
    for leaf, entry in _LEAVES.items():
      name = f'{theirs}.{entry}'
      change = stored[f'weights.network.{ours}.norm.{leaf}'] - start[name]
      assert close(change, state[name] - start[name]), (ours, leaf)
  for ours, theirs in _KERNELS.items():
    name = f'{theirs}.weight'
    change = stored[f'weights.network.{ours}.kernel'] - _axes(start[name])
    assert close(change, _axes(state[name] - start[name])), ours

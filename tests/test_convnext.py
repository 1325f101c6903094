"""A backbone of another family is one module and one line of the registry."""

from collections.abc import Callable
import dataclasses
import json
import pathlib
import textwrap

import convnext
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from heterojax import backbones
from heterojax.backbones import flops
from heterojax.errors import UserError
from heterojax.launch import study
from heterojax.records.codec import Missing

_IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 33, 42, 3))
# Of blocks and what is between them, in the file's own layout.
_SHAPES = {
  'features.0.0.weight': (8, 3, 4, 4),
  'features.1.0.block.0.weight': (8, 1, 7, 7),
  'features.1.0.block.3.weight': (32, 8),
  'features.1.0.block.5.weight': (8, 32),
  'features.2.1.weight': (16, 8, 2, 2),
  'features.3.0.block.0.weight': (16, 1, 7, 7),
  'features.3.0.block.3.weight': (64, 16),
  'features.3.0.block.5.weight': (16, 64),
  'classifier.2.weight': (5, 16),
}
_NORMS = {
  'features.0.1': 8,
  'features.1.0.block.2': 8,
  'features.2.0': 8,
  'features.3.0.block.2': 16,
  'classifier.0': 16,
}
_SCALES = {'features.1.0': 8, 'features.3.0': 16}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
  own = convnext.ARCHITECTURE
  monkeypatch.setitem(backbones.ARCHITECTURES, own.name, own)


def _entries() -> dict[str, np.ndarray]:
  """A state dict, every number drawn."""
  shapes = dict(_SHAPES)
  for name, shape in _SHAPES.items():
    shapes[name.replace('weight', 'bias')] = shape[:1]
  for name, features in _NORMS.items():
    shapes |= {f'{name}.{kind}': (features,) for kind in ('weight', 'bias')}
  for name, features in _SCALES.items():
    shapes[f'{name}.layer_scale'] = (features,)
  rng = np.random.default_rng(1)
  entries = {
    name: rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
    for name, shape in shapes.items()
  }
  return {name: value.astype(np.float32) for name, value in entries.items()}


def _save(path: pathlib.Path, entries: dict[str, np.ndarray]) -> pathlib.Path:
  save_file(entries, path)
  return path


def _peer(
  entries: dict[str, np.ndarray], images: np.ndarray
) -> tuple[jax.Array, jax.Array]:
  """Feature map `[B, h, w, C]` and logits, as the definition and in NCHW."""

  def conv(x, name, stride=1, margin=0, groups=1):
    y = jax.lax.conv_general_dilated(
      x,
      entries[f'{name}.weight'],
      (stride, stride),
      [(margin, margin)] * 2,
      feature_group_count=groups,
    )
    return y + entries[f'{name}.bias'][None, :, None, None]

  def norm(x, name):
    mean = jnp.mean(x, 1, keepdims=True)
    var = jnp.mean((x - mean) ** 2, 1, keepdims=True)
    wide = (None, slice(None), *(None,) * (x.ndim - 2))
    y = (x - mean) / jnp.sqrt(var + 1e-6)
    return y * entries[f'{name}.weight'][wide] + entries[f'{name}.bias'][wide]

  def linear(x, name):
    y = jnp.einsum('bi...,oi->bo...', x, entries[f'{name}.weight'])
    wide = (None, slice(None), *(None,) * (x.ndim - 2))
    return y + entries[f'{name}.bias'][wide]

  def block(x, name):
    y = conv(x, f'{name}.block.0', margin=3, groups=x.shape[1])
    y = linear(norm(y, f'{name}.block.2'), f'{name}.block.3')
    y = y * 0.5 * (1 + jax.scipy.special.erf(y / np.sqrt(2)))
    scale = entries[f'{name}.layer_scale'][None, :, None, None]
    return x + linear(y, f'{name}.block.5') * scale

  mean, std = convnext.ARCHITECTURE.sources['torchvision'][3:5]
  x = jnp.asarray((images - mean) / std, jnp.float32).transpose(0, 3, 1, 2)
  x = block(norm(conv(x, 'features.0.0', 4), 'features.0.1'), 'features.1.0')
  x = block(conv(norm(x, 'features.2.0'), 'features.2.1', 2), 'features.3.0')
  pooled = norm(jnp.mean(x, (2, 3)), 'classifier.0')
  return x.transpose(0, 2, 3, 1), linear(pooled, 'classifier.2')


@pytest.mark.slow
def test_it_has_random_weights() -> None:
  backbone = backbones.load('convnext', None)
  pooled = np.asarray(backbone.pooled(_IMAGES))
  assert pooled.shape == (2, 16) and np.isfinite(pooled).all()
  assert np.all(np.std(pooled, axis=1) > 0)
  assert backbone.logits(_IMAGES).shape == (2, 5)
  np.testing.assert_array_equal(
    backbone.params['network'].last.layer_scale[...], np.ones(16)
  )


@pytest.mark.slow
def test_it_is_ported_from_a_state_dict(tmp_path: pathlib.Path) -> None:
  entries = _entries()
  path = _save(tmp_path / 'w', entries)
  backbone = backbones.load('convnext', path)
  assert backbone.source == 'torchvision' and backbone.has_top
  feature_map, logits = _peer(entries, _IMAGES)
  got = backbone.feature_map(_IMAGES)
  np.testing.assert_allclose(got, feature_map, rtol=1e-4, atol=1e-4)
  np.testing.assert_allclose(
    backbone.logits(_IMAGES), logits, rtol=1e-4, atol=1e-4
  )
  headless = backbones.load('convnext', path, top=False)
  np.testing.assert_array_equal(headless.feature_map(_IMAGES), got)
  with pytest.raises(UserError, match='no classifier'):
    headless.logits(_IMAGES)
  trainable = backbones.load('convnext', path, trainable=True)
  pooled, _ = backbones.forward_training(
    trainable.graphdef, trainable.params, jnp.asarray(_IMAGES)
  )
  np.testing.assert_allclose(pooled, backbone.pooled(_IMAGES), rtol=1e-4)


def test_what_is_wrong_with_a_plain_parameter_is_said(
  tmp_path: pathlib.Path,
) -> None:
  name = 'features.3.0.layer_scale'
  entries = _entries()
  for value, message in (
    (np.ones((16, 1), np.float32), rf'{name} with shape \(16, 1\)'),
    (np.full(16, np.inf, np.float32), f'not finite in {name}'),
  ):
    path = _save(tmp_path / 'w', entries | {name: value})
    with pytest.raises(UserError, match=message):
      backbones.load('convnext', path)
  del entries[name]
  with pytest.raises(UserError, match=f'lacks the entry {name}'):
    backbones.load('convnext', _save(tmp_path / 'w', entries))


def test_without_published_weights_it_asks_for_a_file() -> None:
  with pytest.raises(UserError, match='no published ImageNet weights of conv'):
    backbones.load('convnext')


@pytest.mark.parametrize('trainable', [False, True])
def test_its_operations_need_no_rule(trainable: bool) -> None:
  backbone = backbones.load('convnext', None, trainable=trainable)
  first = 8 * 8 * (4 * 4 * 3 * 8 + 7 * 7 * 8 + 2 * 8 * 32)
  last = 4 * 4 * (2 * 2 * 8 * 16 + 7 * 7 * 16 + 2 * 16 * 64)
  assert flops.per_image(backbone, 32) == 2 * (first + last)


class _Repeated(convnext.ConvNeXt):
  """Runs its last block as often as the images say."""

  def feature_map(self, x: jax.Array) -> jax.Array:
    image = super().feature_map(x)
    return jax.lax.while_loop(
      lambda y: jnp.max(jnp.abs(y)) > 100, lambda y: self.last(0.1 * y), image
    )


def _study(path: pathlib.Path, *flags: str) -> int:
  return study.main([
    'study.py',
    '--config=demo:tiny,feature=avg',
    '--config.backbone.name=convnext',
    f'--config.backbone.weights={path / "w"}',
    f'--workdir={path / "run"}',
    *flags,
  ])


@pytest.mark.slow
def test_it_runs_through_a_study(tmp_path: pathlib.Path) -> None:
  _save(tmp_path / 'w', _entries())
  assert _study(tmp_path) == 0
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  own = results['backbone']
  assert (own['name'], own['source'], own['dim']) == (
    'convnext',
    'torchvision',
    16,
  )
  backbone = backbones.load('convnext', tmp_path / 'w', top=False)
  work = results['timings']['features']
  assert work['flops'] == 60 * flops.per_image(backbone, 64)
  assert (
    convnext.ARCHITECTURE.title
    in (tmp_path / 'run' / 'report.html').read_text()
  )


@pytest.mark.slow
def test_without_a_rule_for_its_operations_a_run_goes_on(
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capsys: pytest.CaptureFixture,
) -> None:
  own = dataclasses.replace(convnext.ARCHITECTURE, build=_Repeated)
  monkeypatch.setitem(backbones.ARCHITECTURES, own.name, own)
  _save(tmp_path / 'w', _entries())
  backbone = backbones.load('convnext', tmp_path / 'w', top=False)
  missing = flops.per_image(backbone, 64)
  assert isinstance(missing, Missing) and missing.why.endswith(': while')
  assert _study(tmp_path, '--dry_run') == 0
  assert f'on disk, FLOP not counted ({missing.why}).' in (
    capsys.readouterr().out
  )
  assert _study(tmp_path) == 0
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  work, heads = (results['timings'][stage] for stage in ('features', 'heads'))
  for name in ('flops', 'model_flop_utilisation'):
    assert work[name] is None and work[f'{name}_why'] == missing.why
    assert heads[name] > 0
  assert work['images'] == 60


@pytest.mark.parametrize(
  'kind,products',
  [
    (lambda f, x: jax.lax.scan(lambda y, _: (f(y), None), x, length=7)[0], 7),
    (lambda f, x: jax.checkpoint(f)(x), 1),
    (lambda f, x: jax.jit(f)(x), 1),
    (lambda f, x: jax.lax.cond(x[0, 0] > 0, f, f, x), None),
    (
      lambda f, x: jax.lax.fori_loop(
        0, x[0, 0].astype(int), lambda _, y: f(y), x
      ),
      None,
    ),
    (lambda f, x: jax.pure_callback(f, x, x), None),
    # Without products it does not matter which.
    (lambda f, x: jax.lax.cond(x[0, 0] > 0, jnp.sin, jnp.cos, x), 0),
  ],
)
def test_programs_in_programs(
  kind: Callable[..., jax.Array], products: int | None
) -> None:
  program = jax.make_jaxpr(lambda x: kind(lambda y: y @ y, x))(jnp.ones((3, 3)))
  if products is not None:
    assert flops.products(program.jaxpr) == 27 * products
  else:
    with pytest.raises(flops.NoRuleError):
      flops.products(program.jaxpr)


def test_the_recipe_of_the_package_is_right() -> None:
  recipe = backbones.__doc__.partition('::\n')[2].partition('\nLayers may')[0]
  made: dict = {}
  exec(textwrap.dedent(recipe), made)
  own = made['ARCHITECTURE']
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(backbones.ARCHITECTURES, own.name, own)
    backbone = backbones.load(own.name, None)
    assert backbone.pooled(_IMAGES).shape == (2, 8)
    assert flops.per_image(backbone, 32) == 2 * 8 * 8 * (4 * 4 * 3 * 8)
    assert backbones.title(own.name) == own.title

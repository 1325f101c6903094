"""Batch norm by the batch: hand values, gradients, running statistics."""

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from heterojax import backbones
from heterojax.backbones import batch_norm
from heterojax.backbones import efficientnet
from heterojax.compute import platform

pytestmark = pytest.mark.trains


def _plain(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
  """The definition, for XLA to differentiate; broadcasts spelled out."""
  wide = lambda v: jnp.broadcast_to(v, x.shape)
  mean = wide(jnp.mean(x, axis=(0, 1, 2), keepdims=True))
  var = wide(jnp.mean((x - mean) ** 2, axis=(0, 1, 2), keepdims=True))
  z = (x - mean) / jnp.sqrt(var + 1e-3)
  return z * wide(scale[None, None, None]) + wide(bias[None, None, None])


@pytest.fixture(name='batch')
def _batch() -> tuple[jax.Array, jax.Array, jax.Array]:
  rng = np.random.default_rng(0)
  return tuple(
    jnp.asarray(rng.normal(3, 1, shape), jnp.float32)
    for shape in ((2, 5, 4, 6), (6,), (6,))
  )


@pytest.mark.slow
def test_output_and_gradient_are_those_of_the_definition(batch) -> None:
  own = lambda *a: batch_norm.normalise(*a, 1e-3)[0]
  got, backward = jax.vjp(own, *batch)
  want, peer = jax.vjp(_plain, *batch)
  np.testing.assert_allclose(got, want, atol=1e-5)
  g = jnp.asarray(np.random.default_rng(1).normal(size=want.shape), jnp.float32)
  for ours, theirs in zip(backward(g), peer(g), strict=True):
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_other_platforms_get_the_same_sums(batch) -> None:
  rows = batch_norm.normalise(*batch, 1e-3)
  with platform.use('cuda'):
    others = batch_norm.normalise(*batch, 1e-3)
  for ours, theirs in zip(rows, others, strict=True):
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.medium
@pytest.mark.parametrize(
  'norm,mean,var',
  [
    # Of 1, 2, 3, 6: mean 3, variance 3.5 of n and 14 / 3 of n - 1.
    (batch_norm.Norm(1e-3, 0.99, unbiased=False), 0.03, 0.99 + 0.035),
    (batch_norm.Norm(1e-5, 0.9, unbiased=True), 0.3, 0.9 + 1.4 / 3),
  ],
)
def test_running_statistics_by_hand(norm, mean: float, var: float) -> None:
  layer = batch_norm.BatchNorm(1, norm)
  x = np.array([1.0, 2, 3, 6], np.float32).reshape(2, 1, 2, 1)
  np.testing.assert_allclose(layer(x), x / np.sqrt(1 + norm.epsilon), rtol=1e-6)
  assert layer.mean[...] == 0  # Not in training.
  layer.train()
  y = np.ravel(layer(x))
  np.testing.assert_allclose(
    y, (x.ravel() - 3) / np.sqrt(3.5 + norm.epsilon), rtol=1e-5
  )
  np.testing.assert_allclose(layer.mean[...], [mean], rtol=1e-6)
  np.testing.assert_allclose(layer.var[...], [var], rtol=1e-6)
  layer.eval()
  np.testing.assert_allclose(
    np.ravel(layer(x)),
    (x.ravel() - mean) / np.sqrt(var + norm.epsilon),
    rtol=1e-5,
  )


@pytest.mark.slow
def test_kept_batch_norm_equals_the_folded_one() -> None:
  x = np.random.default_rng(0).uniform(0, 255, (2, 96, 65, 3))
  folded = backbones.load('efficientnet_lite0')
  kept = backbones.load('efficientnet_lite0', trainable=True)
  for output in ('pooled', 'logits'):
    want = np.asarray(getattr(folded, output)(x))
    got = np.asarray(getattr(kept, output)(x))
    assert np.max(np.abs(got - want)) <= 1e-5 * np.max(np.abs(want)), output


@pytest.mark.slow
def test_a_random_network_is_the_same_kept_or_folded() -> None:
  x = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
  one = backbones.load('resnet18', None)
  other = backbones.load('resnet18', None, trainable=True)
  got, want = np.asarray(one.logits(x)), np.asarray(other.logits(x))
  assert np.max(np.abs(got - want)) <= 1e-5 * np.max(np.abs(want))


@pytest.mark.slow
def test_training_moves_only_the_running_statistics() -> None:
  resnet = backbones.load('resnet18', None, trainable=True, top=False)
  x = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3))
  x = x.astype(np.float32)
  train = jax.jit(backbones.forward_training, static_argnums=0)
  pooled, new = train(resnet.graphdef, resnet.params, x)
  assert pooled.shape == (4, 512)
  before, after = resnet.params['network'], new['network']
  assert jax.tree.structure(new) == jax.tree.structure(resnet.params)
  jax.tree.map(
    np.testing.assert_array_equal,
    nnx.filter_state(before, nnx.Param),
    nnx.filter_state(after, nnx.Param),
  )
  stats = zip(
    nnx.to_flat_state(nnx.filter_state(before, nnx.BatchStat)),
    nnx.to_flat_state(nnx.filter_state(after, nnx.BatchStat)),
    strict=True,
  )
  moved = [np.any(a[...] != b[...]) for (_, a), (_, b) in stats]
  # Mean and variance of 1 + 8 * 2 + 3 convolutions.
  assert len(moved) == 40 and all(moved)
  # The first statistic by hand: the mean of the stem's convolution.
  scaled = (x - resnet.params['mean']) / resnet.params['std']
  conv = jax.lax.conv_general_dilated(
    scaled,
    before.stem.kernel[...],
    (2, 2),
    ((3, 3), (3, 3)),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  np.testing.assert_allclose(
    after.stem.norm.mean[...],
    0.1 * jnp.mean(conv, axis=(0, 1, 2)),
    rtol=1e-4,
    atol=1e-5,
  )
  # The same images through the running statistics are others.
  running = backbones.apply(resnet.graphdef, 'pooled', new, x)
  assert np.max(np.abs(running - pooled)) > 0.01


@pytest.mark.slow
def test_the_gradient_is_the_slope_of_the_loss() -> None:
  """Central difference along the gradient, through one block's statistics."""
  spec = list(efficientnet.block_specs())[1]
  variant = efficientnet.Variant(squeeze_excite=True, relu6=False)
  norm = batch_norm.Norm(1e-3, 0.99, unbiased=False)
  graphdef, trained, rest = nnx.split(
    efficientnet.Block(spec, variant, 'same', norm), nnx.Param, ...
  )
  rng = np.random.default_rng(0)
  trained = jax.tree.map(
    lambda a: jnp.asarray(rng.normal(0.5, 0.5, a.shape), jnp.float32), trained
  )
  x = jnp.asarray(rng.normal(size=(4, 6, 6, 16)), jnp.float32)
  target = jnp.asarray(rng.normal(size=(4, 3, 3, 24)), jnp.float32)

  @jax.jit
  def loss(trained):
    block = nnx.merge(graphdef, trained, rest, copy=True)
    block.train()
    return jnp.mean((block(x) - target) ** 2)

  gradient = jax.grad(loss)(trained)
  square = sum(float(jnp.sum(g**2)) for g in jax.tree.leaves(gradient))
  step = 0.01 / np.sqrt(square)
  up, down = (
    float(loss(jax.tree.map(lambda a, g, s=s: a + s * g, trained, gradient)))
    for s in (step, -step)
  )
  np.testing.assert_allclose((up - down) / (2 * step), square, rtol=0.01)

"""Shorter forms of the convolutions and pools, against plain ones."""

import functools

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from heterojax import backbones
from heterojax.backbones import layers
from heterojax.backbones import strided
from heterojax.backbones import winograd
from heterojax.compute import forward


def _exact(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
  """Float64 convolution by 3 x 3 with a margin of one, shift by shift."""
  height, width = x.shape[1:3]
  x = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
  return sum(
    x[:, i : i + height, j : j + width] @ kernel[i, j].astype(np.float64)
    for i in range(3)
    for j in range(3)
  )


def _conv(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    'VALID',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _assert_near(got: jax.Array, want: np.ndarray, error: float) -> None:
  assert got.shape == want.shape
  np.testing.assert_allclose(got, want, atol=error * np.abs(want).max())


# The last three are done strip by strip, of unequal heights but for one.
@pytest.mark.parametrize(
  'shape',
  [
    (2, 1, 1),
    (1, 2, 3),
    (3, 4, 4),
    (2, 5, 7),
    (1, 13, 6),
    (3, 28, 28),
    (2, 45, 33),
    (1, 64, 64),
  ],
)
def test_equals_the_exact_convolution(shape: tuple[int, ...]) -> None:
  rng = np.random.default_rng(0)
  x = rng.normal(size=(*shape, 40)).astype(np.float32)
  kernel = rng.normal(size=(3, 3, 40, 5)).astype(np.float32)
  bias = 10 * rng.normal(size=5).astype(np.float32)
  got = jax.jit(winograd.convolve)(x, winograd.transform(kernel), bias)
  assert got.dtype == np.float32
  _assert_near(got, _exact(x, kernel) + bias, 3e-6)


def test_is_about_as_exact_as_the_plain_convolution() -> None:
  rng = np.random.default_rng(0)
  # Not negative, as after an activation.
  x = np.abs(rng.normal(size=(2, 24, 24, 128))).astype(np.float32)
  kernel = rng.normal(size=(3, 3, 128, 16)).astype(np.float32)
  want = _exact(x, kernel)
  padded = layers.pad(jnp.asarray(x), 3, 1, 'same')
  errors = [
    np.sqrt(np.mean((np.asarray(y, np.float64) - want) ** 2)) / want.std()
    for y in (
      jax.jit(winograd.convolve)(x, winograd.transform(kernel), jnp.zeros(16)),
      _conv(padded, kernel, 1),
    )
  ]
  # The usual points are at 2e-6.
  assert errors[0] < 1.3e-6 and errors[0] < 6 * errors[1]


def _in_bfloat16(conv: layers.Conv, x: jax.Array) -> jax.Array:
  graphdef, state = nnx.split(conv)
  state, x = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (state, x))
  return nnx.merge(graphdef, state)(x).astype(jnp.float32)


@pytest.mark.parametrize('padding', ['same', 'symmetric'])
@pytest.mark.parametrize('sides', [(9, 8), (30, 41)])
def test_a_transformed_layer_is_the_same(
  padding: layers.Padding, sides: tuple[int, int]
) -> None:
  rng = np.random.default_rng(0)
  conv = layers.Conv(32, 6, kernel_size=3, padding=padding)
  conv.kernel[...] = rng.normal(size=conv.kernel.shape)
  conv.bias[...] = rng.normal(size=6)
  x = jnp.asarray(rng.normal(size=(2, *sides, 32)), jnp.float32)
  plain, narrow = conv(x), _in_bfloat16(conv, x)
  conv.transform()
  got = nnx.jit(conv)(x)
  assert not np.array_equal(got, plain)
  _assert_near(got, plain, 3e-6)
  np.testing.assert_array_equal(_in_bfloat16(conv, x), narrow)


def test_other_layers_stay_as_they_are() -> None:
  for conv in (
    layers.Conv(64, 64),
    layers.Conv(64, 64, kernel_size=5),
    layers.Conv(64, 64, kernel_size=3, stride=2),
    layers.Conv(3, 64, kernel_size=3),
  ):
    conv.transform()
    assert conv.points is None


@pytest.mark.parametrize('padding', ['same', 'symmetric'])
@pytest.mark.parametrize('size', [3, 7])
@pytest.mark.parametrize('sides', [(8, 9), (15, 12)])
def test_strides_of_two(
  padding: layers.Padding, size: int, sides: tuple[int, int]
) -> None:
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(2, *sides, 3)), jnp.float32)
  kernel = jnp.asarray(rng.normal(size=(size, size, 3, 4)), jnp.float32)
  cut = jnp.pad(x, size)[2:4, :, :, 5:8]
  for padded in (layers.pad(x, size, 2, padding), cut):
    want = np.asarray(_conv(padded, kernel, 2))
    _assert_near(strided.convolve(padded, kernel), want, 2e-6)


@pytest.mark.parametrize('size,stride,margin', [(3, 2, 1), (2, 2, 0)])
@pytest.mark.parametrize('sides', [(8, 9), (7, 5)])
def test_max_pool_and_its_gradient(
  size: int, stride: int, margin: int, sides: tuple[int, int]
) -> None:
  # Whole numbers, of which many are equal.
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.integers(-3, 0, (2, *sides, 4)), jnp.float32)

  def windows(x: jax.Array) -> jax.Array:
    around = (margin, margin)
    return jax.lax.reduce_window(
      x,
      -jnp.inf,
      jax.lax.max,
      (1, size, size, 1),
      (1, stride, stride, 1),
      ((0, 0), around, around, (0, 0)),
    )

  want, peer = jax.vjp(windows, x)
  g = jnp.asarray(rng.normal(size=want.shape), jnp.float32)
  pool = lambda x: layers.max_pool(x, size, stride, margin)
  np.testing.assert_array_equal(pool(x), want)
  got, backward = jax.vjp(pool, x)
  np.testing.assert_array_equal(got, want)
  np.testing.assert_array_equal(backward(g)[0], peer(g)[0])


def test_means_of_large_maps_stay_exact() -> None:
  x = np.random.default_rng(0).uniform(1, 2, (2, 112, 90, 8))
  x = x.astype(np.float32)
  want = x.mean((1, 2), np.float64, keepdims=True)
  np.testing.assert_allclose(layers.image_mean(x), want, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['resnet18', 'vgg16'])
def test_frozen_networks_give_what_trainable_ones_give(name: str) -> None:
  frozen = backbones.load(name, None, top=False)
  trainable = backbones.load(name, None, top=False, trainable=True)
  x = np.random.default_rng(0).uniform(0, 255, (2, 33, 40, 3))
  want = np.asarray(trainable.feature_map(x))
  _assert_near(frozen.feature_map(x), want, 1e-5)
  points = [
    sum(path[-1] == 'points' for path, _ in nnx.to_flat_state(state))
    for state in (frozen.params['network'], trainable.params['network'])
  ]
  # All of 3 x 3 but for those that stride and the first.
  assert points == [{'resnet18': 13, 'vgg16': 12}[name], 0]


@pytest.mark.slow
def test_an_image_gives_the_same_bits_at_every_place() -> None:
  backbone = backbones.load('resnet18', None, top=False)
  x = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3))
  x = x.astype(np.float32)
  order = np.roll(np.arange(8), 3)
  apply = functools.partial(backbones.apply, backbone.graphdef, 'pooled')
  with forward.batches(apply, backbone.params, x.shape) as run:
    want = run(x, 8)()
    np.testing.assert_array_equal(run(x[order], 8)(), want[order])

"""Depthwise convolution and its gradient against XLA's grouped convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from heterojax.backbones import depthwise


def _grouped(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  return jax.lax.conv_general_dilated(
    x,
    kernel[:, :, None, :],
    (stride, stride),
    'VALID',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=x.shape[-1],
  )


@pytest.mark.slow
@pytest.mark.parametrize('sides', [(9, 8), (6, 7)])
@pytest.mark.parametrize('size', [3, 5])
@pytest.mark.parametrize('stride', [1, 2])
def test_equals_the_grouped_convolution(
  sides: tuple[int, int], size: int, stride: int
) -> None:
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(2, *sides, 4)), jnp.float32)
  kernel = jnp.asarray(rng.normal(size=(size, size, 4)), jnp.float32)
  got, backward = jax.vjp(
    lambda x, k: depthwise.convolve(x, k, stride), x, kernel
  )
  want, peer = jax.vjp(lambda x, k: _grouped(x, k, stride), x, kernel)
  np.testing.assert_allclose(got, want, atol=1e-5)
  g = jnp.asarray(rng.normal(size=want.shape), jnp.float32)
  for ours, theirs in zip(backward(g), peer(g), strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize('channels', [1, 230, 672])
def test_channels_in_parts_are_those_of_the_whole(channels: int) -> None:
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(1, 6, 7, channels)), jnp.float32)
  kernel = jnp.asarray(rng.normal(size=(5, 5, channels)), jnp.float32)
  got = depthwise.convolve(x, kernel, 1)
  windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), (1, 2))
  want = np.einsum('byxchw,hwc->byxc', windows, kernel)
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)

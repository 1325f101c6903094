"""Batch normalisation as a layer, and its gradient.

The gradient is written out because XLA on CPU fuses what comes before a sum
over images and positions into it and computes it slowly; a loop that adds whole
rows is about three times as fast.

Axes: B batch, H height, W width, C channels.
"""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

from flax import nnx
import jax
import jax.numpy as jnp

from heterojax.backbones import forms


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalise(
  x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Normalises a batch (Ioffe and Szegedy 2015).

  Args:
    x: `[B, H, W, C]`.
    scale: `[C]`.
    bias: `[C]`.
    epsilon: added to the variance.

  Returns:
    The output `[B, H, W, C]`, and mean and variance (of n) of the batch, `[C]`,
    through which, as outputs, no gradient flows.
  """
  return _forward(x, scale, bias, epsilon)[0]


def _sums(function: Callable, *arrays: jax.Array) -> tuple[jax.Array, ...]:
  """Sums of the arrays that a function makes of `[B, H, W, C]` ones, `[C]`."""
  if not forms.are_of_cpu():
    return tuple(jnp.sum(a, axis=(0, 1, 2)) for a in function(*arrays))
  rows = [a.reshape(-1, *a.shape[2:]) for a in arrays]

  def add_row(sums, row):
    return tuple(s + t for s, t in zip(sums, function(*row), strict=True)), None

  shapes = jax.eval_shape(function, *(a[0] for a in rows))
  zeros = tuple(jnp.zeros(s.shape, s.dtype) for s in shapes)
  sums, _ = jax.lax.scan(add_row, zeros, rows)
  return tuple(jnp.sum(s, axis=0) for s in sums)


def _wide(channels: jax.Array, like: jax.Array) -> jax.Array:
  return jax.lax.broadcast_in_dim(channels, like.shape, (like.ndim - 1,))


def _forward(x, scale, bias, epsilon):
  n = x.size // x.shape[-1]
  mean = _sums(lambda x: (x,), x)[0] / n
  # About the mean, for E[x^2] - E[x]^2 cancels in float32.
  var = _sums(lambda x: ((x - _wide(mean, x)) ** 2,), x)[0] / n
  inverse = jax.lax.rsqrt(var + epsilon)
  factor = scale * inverse
  y = x * _wide(factor, x) + _wide(bias - mean * factor, x)
  return (y, mean, var), (x, scale, mean, inverse)


def _backward(epsilon, saved, gradients):
  del epsilon  # It is in the inverse standard deviation.
  # With z = (x - mean) * inverse and y = scale * z + bias:
  #   d scale = sum(g z), d bias = sum(g),
  #   d x = scale * inverse * (g - mean(g) - z mean(g z)).
  x, scale, mean, inverse = saved
  g = gradients[0]
  n = x.size // x.shape[-1]
  d_bias, d_scale = _sums(
    lambda g, x: (g, g * (x - _wide(mean, x)) * _wide(inverse, x)), g, x
  )
  factor = scale * inverse
  slope = -factor * inverse * d_scale / n
  shift = -factor * d_bias / n - slope * mean
  d_x = g * _wide(factor, x) + x * _wide(slope, x) + _wide(shift, x)
  return d_x, d_scale, d_bias


normalise.defvjp(_forward, _backward)


class Norm(NamedTuple):
  """How a library normalises batches.

  Attributes:
    epsilon: added to the variance.
    momentum: share of the running statistics that an update keeps (Keras'
      meaning; PyTorch's momentum is the share that it replaces).
    unbiased: whether the running variance is of n - 1; PyTorch's is, Keras' is
      of n. What normalises the batch is of n in both.
  """

  epsilon: float
  momentum: float
  unbiased: bool


PYTORCH = Norm(1e-5, 0.9, unbiased=True)  # What it does by default.


class BatchNorm(nnx.Module):
  """Batch normalisation over all but the channels (Ioffe and Szegedy 2015).

  `train()` and `eval()` of the network switch between the statistics of the
  batch, which then also move the running ones, and the running ones.

  Attributes:
    scale, bias: `[C]`, trained.
    mean, var: `[C]`, running statistics.
  """

  def __init__(self, features: int, norm: Norm):
    self.scale = nnx.Param(jnp.ones(features))
    self.bias = nnx.Param(jnp.zeros(features))
    self.mean = nnx.BatchStat(jnp.zeros(features))
    self.var = nnx.BatchStat(jnp.ones(features))
    self.norm = norm
    self.use_running_average = True

  def __call__(self, x: jax.Array) -> jax.Array:
    scale, bias = self.scale[...], self.bias[...]
    if self.use_running_average:
      scale *= jax.lax.rsqrt(self.var[...] + self.norm.epsilon)
      bias -= self.mean[...] * scale
      return x * scale[None, None, None] + bias[None, None, None]
    outputs: Any = normalise(x, scale, bias, self.norm.epsilon)
    y, mean, var = outputs
    self._update(mean, var, x.size // x.shape[-1])
    return y

  def _update(self, mean: jax.Array, var: jax.Array, n: int) -> None:
    keep = self.norm.momentum
    if self.norm.unbiased:
      var = var * (n / max(n - 1, 1))
    for running, batch in ((self.mean, mean), (self.var, var)):
      batch = jax.lax.stop_gradient(batch)
      running[...] = keep * running[...] + (1 - keep) * batch

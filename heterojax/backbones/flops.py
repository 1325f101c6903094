"""Floating-point operations of the networks, as papers count them.

Two for each product of a convolution or matrix, and none for anything else.
They are read off the network's program, so that a network needs no list of
its layers: off the plain one, for they are those of the network and not of the
algorithm that runs it. XLA's count of a compiled program leaves out what a
shorter algorithm saves, and the images of a loop after its first.

Axes: S side of an image.
"""

from collections.abc import Callable, Iterator
import functools
import math
from typing import Any

import jax
from jax.extend import core
import numpy as np

from heterojax import backbones
from heterojax.compute import platform
from heterojax.records.codec import Missing


class NoRuleError(Exception):
  """An operation whose products cannot be counted; its name."""


def per_image(backbone: backbones.Backbone, side: int) -> float | Missing:
  """Operations of a pass to the last feature map of an image `[S, S, 3]`."""
  network = functools.partial(backbones.apply, backbone.graphdef, 'feature_map')
  image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
  with platform.use('cuda'):
    program = jax.make_jaxpr(network)(backbone.params, image)
  try:
    return 2.0 * products(program.jaxpr)
  except NoRuleError as error:
    return Missing(
      f'the network {backbone.name} has operations of a kind without a rule:'
      f' {error}'
    )


def products(program: core.Jaxpr) -> int:
  """Products of convolutions and matrices in a program.

  Raises:
    NoRuleError: where they cannot be counted.
  """
  return sum(map(_of_operation, program.eqns))


def _of_operation(equation: core.JaxprEqn) -> int:
  kind = equation.primitive.name
  if kind in RULES:
    return RULES[kind](equation)
  inner = sum(map(products, _inner(equation.params)))
  # Without products it does not matter how often it runs.
  if kind in _HIDDEN or (inner and kind not in _ONCE):
    raise NoRuleError(kind)
  return inner


def _inner(params: dict[str, Any]) -> Iterator[core.Jaxpr]:
  """Programs that an operation runs."""
  kinds = core.ClosedJaxpr | core.Jaxpr
  for value in jax.tree.leaves(params, is_leaf=lambda v: isinstance(v, kinds)):
    if isinstance(value, kinds):
      yield getattr(value, 'jaxpr', value)


def _of_matrices(equation: core.JaxprEqn) -> int:
  (contracted, _), _ = equation.params['dimension_numbers']
  left, _, outputs = _arrays(equation)
  return outputs.size * math.prod(left.shape[axis] for axis in contracted)


def _of_convolution(equation: core.JaxprEqn) -> int:
  _, kernel, outputs = _arrays(equation)
  features = kernel.shape[equation.params['dimension_numbers'].rhs_spec[0]]
  return outputs.size * kernel.size // features


def _arrays(equation: core.JaxprEqn) -> list[Any]:
  return [array.aval for array in (*equation.invars, *equation.outvars)]


def _of_loop(equation: core.JaxprEqn) -> int:
  return equation.params['length'] * products(equation.params['jaxpr'].jaxpr)


# Name of a JAX primitive to its number of products; a network with a special
# kernel may add the kernel's.
RULES: dict[str, Callable[[core.JaxprEqn], int]] = {
  'dot_general': _of_matrices,
  'conv_general_dilated': _of_convolution,
  'scan': _of_loop,
}
# They run an inner program exactly once.
_ONCE = ('jit', 'closed_call', 'custom_jvp_call', 'custom_vjp_call', 'remat2')
# They do not show what they run.
_HIDDEN = ('pure_callback', 'io_callback', 'ffi_call')

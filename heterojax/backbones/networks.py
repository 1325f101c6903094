"""The networks by name, and how their arrays are laid out and filled."""

import functools
from typing import Any

from flax import nnx
import jax
import numpy as np

from heterojax.backbones import efficientnet
from heterojax.backbones import layers
from heterojax.backbones import porting
from heterojax.backbones import resnet
from heterojax.backbones import vgg
from heterojax.backbones.architecture import Architecture
from heterojax.backbones.architecture import Source

ARCHITECTURES = {
  architecture.name: architecture
  for architecture in (
    efficientnet.B0,
    efficientnet.LITE0,
    resnet.ARCHITECTURE,
    vgg.ARCHITECTURE,
  )
}


def build(
  architecture: Architecture, row: Source, with_norms: bool, with_top: bool
) -> tuple[nnx.GraphDef, nnx.State]:
  """Graph and shapes of a network, without allocating it."""
  network = functools.partial(
    architecture.build,
    padding=row.padding,
    norm=row.norm if with_norms else None,
    with_top=with_top,
  )
  return nnx.split(nnx.eval_shape(network))


def _place(path: tuple[Any, ...]) -> tuple[str, str]:
  """Layer, as in 'blocks.3.expand', and leaf."""
  *layer, leaf = map(str, path)
  return '.'.join(layer), leaf


def shapes(state: nnx.State) -> dict[str, dict[str, tuple[int, ...]]]:
  """Layer path, as in 'blocks.3.expand', to the shapes of its leaves."""
  of_layer: dict[str, dict[str, tuple[int, ...]]] = {}
  for path, variable in nnx.to_flat_state(state):
    layer, leaf = _place(path)
    of_layer.setdefault(layer, {})[leaf] = variable.shape
  return of_layer


def params(
  state: nnx.State,
  filled: dict[str, porting.Leaves],
  mean: np.ndarray,
  std: np.ndarray,
) -> dict[str, Any]:
  """What a `Backbone` holds: the network's arrays, and its preprocessing's."""
  leaves = []
  for path, variable in nnx.to_flat_state(state):
    layer, leaf = _place(path)
    leaves.append((path, variable.replace(filled[layer][leaf])))
  # At once: `jnp.asarray` would compile a program for every shape.
  return jax.device_put({
    'network': nnx.from_flat_state(leaves),
    'mean': mean.astype(np.float32)[None, None, None],
    'std': std.astype(np.float32)[None, None, None],
  })


def transformed(
  graphdef: nnx.GraphDef, params: dict[str, Any]
) -> tuple[nnx.GraphDef, dict[str, Any]]:
  """The network with its convolutions ready for inference on CPU."""
  network = nnx.merge(graphdef, params['network'])
  for _, module in nnx.iter_modules(network):
    if isinstance(module, layers.Conv):
      module.transform()
  graphdef, state = nnx.split(network)
  return graphdef, {**params, 'network': state}


def random(
  shapes: dict[str, dict[str, tuple[int, ...]]], row: Source
) -> dict[str, porting.Leaves]:
  """He-normal kernels and the rest without effect, from a fixed seed.

  Without effect are biases and means of 0 and anything else of 1.
  """
  rng = np.random.Generator(np.random.Philox(0))
  # With this variance a batch norm is the identity, epsilon included.
  plain = {'bias': 0.0, 'mean': 0.0}
  if row.norm is not None:
    plain['var'] = 1.0 - row.norm.epsilon

  def fill(leaf: str, shape: tuple[int, ...]) -> np.ndarray:
    if leaf != 'kernel':
      return np.full(shape, plain.get(leaf, 1.0), np.float32)
    # A depthwise kernel [h, w, C] sees one channel; the others all but the
    # last axis.
    depthwise = porting.is_depthwise(shape)
    fan_in = np.prod(shape[:2] if depthwise else shape[:-1])
    return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)

  return {
    layer: {leaf: fill(leaf, shape) for leaf, shape in leaves.items()}
    for layer, leaves in shapes.items()
  }

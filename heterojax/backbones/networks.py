"""The networks by name, and how their arrays are laid out and filled."""

import functools
from typing import Any

from flax import nnx
import jax
import numpy as np

from heterojax.backbones import efficientnet
from heterojax.backbones import layers
from heterojax.backbones import resnet
from heterojax.backbones import sources
from heterojax.backbones import vgg

ARCHITECTURES = {
  **{
    name: functools.partial(efficientnet.EfficientNet, variant)
    for name, variant in efficientnet.VARIANTS.items()
  },
  'resnet18': resnet.ResNet18,
  'vgg16': vgg.VGG16,
}


def build(
  name: str, row: sources.Source, trainable: bool, with_top: bool
) -> tuple[nnx.GraphDef, nnx.State]:
  """Graph and shapes of a network, without allocating it."""
  network = functools.partial(
    ARCHITECTURES[name],
    padding=row.padding,
    norm=row.norm if trainable else None,
    with_top=with_top,
  )
  return nnx.split(nnx.eval_shape(network))


def shapes(state: nnx.State) -> dict[str, dict[str, tuple[int, ...]]]:
  """Layer path, as in 'blocks.3.expand', to the shapes of its leaves."""
  found = {}
  for path, leaf in nnx.to_flat_state(state):
    found.setdefault('.'.join(map(str, path[:-1])), {})[path[-1]] = leaf.shape
  return found


def params(
  state: nnx.State,
  filled: dict[str, dict[str, np.ndarray]],
  mean: np.ndarray,
  std: np.ndarray,
) -> dict[str, Any]:
  leaves = [
    (path, variable.replace(filled['.'.join(map(str, path[:-1]))][path[-1]]))
    for path, variable in nnx.to_flat_state(state)
  ]
  # At once: `jnp.asarray` would compile a program for every shape.
  return jax.device_put({
    'network': nnx.from_flat_state(leaves),
    'mean': np.float32(mean)[None, None, None],
    'std': np.float32(std)[None, None, None],
  })


def transformed(
  graphdef: nnx.GraphDef, params: dict[str, Any]
) -> tuple[nnx.GraphDef, dict[str, Any]]:
  """The same network, its convolutions ready for inference on CPU."""
  network = nnx.merge(graphdef, params['network'])
  for _, module in nnx.iter_modules(network):
    if isinstance(module, layers.Conv):
      module.transform()
  graphdef, state = nnx.split(network)
  return graphdef, {**params, 'network': state}


def random(
  shapes: dict[str, dict[str, tuple[int, ...]]], row: sources.Source
) -> dict[str, dict[str, np.ndarray]]:
  """He-normal kernels and the rest without effect, from a fixed seed."""
  rng = np.random.Generator(np.random.Philox(0))
  # With this variance a batch norm is the identity, epsilon included.
  plain = {'scale': 1.0, 'bias': 0.0, 'mean': 0.0}
  if row.norm is not None:
    plain['var'] = 1.0 - row.norm.epsilon
  filled = {}
  for layer, leaves in shapes.items():
    filled[layer] = {
      leaf: np.full(shape, plain[leaf], np.float32)
      for leaf, shape in leaves.items()
      if leaf != 'kernel'
    }
    if 'kernel' in leaves:
      shape = leaves['kernel']
      # A depthwise kernel [h, w, C] sees one channel; the others all but the
      # last axis.
      fan_in = np.prod(shape[:2] if len(shape) == 3 else shape[:-1])
      kernel = rng.normal(0, np.sqrt(2 / fan_in), shape)
      filled[layer]['kernel'] = kernel.astype(np.float32)
  return filled

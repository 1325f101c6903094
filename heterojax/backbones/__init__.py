"""Pretrained convolutional networks as frozen feature extractors."""

import dataclasses
import functools
import pathlib
from typing import Any

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np

from heterojax.backbones import efficientnet
from heterojax.backbones import imagenet
from heterojax.backbones import porting
from heterojax.backbones import sources
from heterojax.backbones import weight_files
from heterojax.errors import UserError

NAMES = tuple(efficientnet.VARIANTS)
SOURCE_NAMES = (
    'auto',
    'keras',
    'keras_imagenet',
    'torchvision',
    'timm',
    'timm_tf',
    'lukemelas',
)


@dataclasses.dataclass(frozen=True)
class Backbone:
  """A frozen network with its weights and its own preprocessing.

  Axes: B batch, H height, W width. All three functions take RGB images of
  0..255, `[B, H, W, 3]`, of any number type, and are jit-compiled per shape.

  Attributes:
    name: the architecture.
    source: whose training and preprocessing.
    weights: where they came from: 'imagenet', a path or 'random'.
    weights_sha256: of the file; None for random weights.
    has_top: whether `logits` can be had.
    params: arrays of the network and `mean`, `std` of its preprocessing.
    graphdef: the network without arrays.
  """

  name: str
  source: str
  weights: str
  weights_sha256: str | None
  has_top: bool
  params: Any
  graphdef: nnx.GraphDef

  def feature_map(self, x: jax.typing.ArrayLike) -> jax.Array:
    """Last feature map, `[B, ceil(H / 32), ceil(W / 32), 1280]` float32."""
    return _jitted(self.graphdef, 'feature_map', self.params, _images(x))

  def pooled(self, x: jax.typing.ArrayLike) -> jax.Array:
    """Mean of the feature map over the image, `[B, 1280]` float32."""
    return _jitted(self.graphdef, 'pooled', self.params, _images(x))

  def logits(self, x: jax.typing.ArrayLike) -> jax.Array:
    """ImageNet logits, `[B, 1000]` float32.

    Args:
      x: images.

    Raises:
      UserError: if the weights came without a top.
    """
    if not self.has_top:
      raise UserError(
          f'The weights of {self.name} ({self.weights}) have no classifier, so'
          ' there are no logits: load a file with its top.'
      )
    return _jitted(self.graphdef, 'logits', self.params, _images(x))


def _images(x: jax.typing.ArrayLike) -> jax.Array:
  x = jnp.asarray(x)
  if x.ndim != 4 or x.shape[-1] != 3:
    raise ValueError(f'images must be [B, H, W, 3], not {list(x.shape)}')
  return x


def apply(
    graphdef: nnx.GraphDef, output: str, params: Any, x: jax.Array
) -> jax.Array:
  """Preprocesses 0..255 RGB and runs the network; pure, for use under jit."""
  scaled = (x.astype(jnp.float32) - params['mean']) / params['std']
  return getattr(nnx.merge(graphdef, params['network']), output)(scaled)


_jitted = jax.jit(apply, static_argnums=(0, 1))


def load(
    name: str,
    weights: str | pathlib.Path | None = 'imagenet',
    source: str = 'auto',
    *,
    download: bool = False,
) -> Backbone:
  """Loads a network.

  Args:
    name: one of `NAMES`.
    weights: 'imagenet', the path of a weight file (Keras .h5 or .weights.h5,
      PyTorch .pth, .safetensors), or None for random weights.
    source: whose weights they are, one of `SOURCE_NAMES`; 'auto' decides by
      keys and hash.
    download: whether weights='imagenet' may fetch a file that is not here.

  Returns:
    The network.

  Raises:
    UserError: for an unknown name or source, a file that cannot be read, does
      not fit or may be of several sources, or weights that are not here.
  """
  if name not in NAMES:
    raise UserError(
        f'There is no backbone {name!r}: --config.backbone.name is one of'
        f' {", ".join(NAMES)}.'
    )
  known = sources.SOURCES[name]
  if source not in SOURCE_NAMES or (source != 'auto' and source not in known):
    raise UserError(
        f'There is no weight source {source!r} for {name}:'
        f' --config.backbone.source is auto or one of {", ".join(known)}.'
    )
  if weights is None:
    source = next(iter(known)) if source == 'auto' else source
    return _random(name, source)
  path = pathlib.Path(weights)
  if str(weights) == 'imagenet':
    path, published = imagenet.locate(name, download=download)
    source = published if source == 'auto' else source
  file = weight_files.read(path)
  if source == 'auto':
    source = sources.detect(name, file, imagenet.md5(path), str(path))
  row = known[source]
  if row.layout != file.layout:
    raise UserError(
        f'{path} is a {file.layout} file, but the source {source!r} writes'
        f' {row.layout} files: change --config.backbone.source.'
    )
  classifier, _ = row.names()['classifier']
  has_top = any(
      entry.startswith(classifier) for entry in file.entries
  )
  graphdef, state = _network(name, row, has_top)
  layers = _layers(state)
  shapes = {
      layer: {leaf: value.shape for leaf, value in leaves.items()}
      for layer, leaves in layers.items()
  }
  filled = porting.port(shapes, file, row, str(path))
  mean, std = sources.preprocessing(source, row, file)
  return Backbone(
      name=name,
      source=source,
      weights=str(weights),
      weights_sha256=file.sha256,
      has_top=has_top,
      params=_params(state, filled, mean, std),
      graphdef=graphdef,
  )


def _network(
    name: str, source: sources.Source, has_top: bool
) -> tuple[nnx.GraphDef, nnx.State]:
  """Graph and shapes of a network, without allocating it."""
  build = functools.partial(
      efficientnet.EfficientNet,
      efficientnet.VARIANTS[name],
      padding=source.padding,
      with_top=has_top,
  )
  return nnx.split(nnx.eval_shape(build))


def _layers(state: nnx.State) -> dict[str, dict[str, Any]]:
  """Layer path, as in 'blocks.3.expand', to its leaves."""
  layers = {}
  for path, leaf in nnx.to_flat_state(state):
    layers.setdefault('.'.join(map(str, path[:-1])), {})[path[-1]] = leaf
  return layers


def _params(
    state: nnx.State,
    filled: dict[str, dict[str, np.ndarray]],
    mean: np.ndarray,
    std: np.ndarray,
) -> dict[str, Any]:
  leaves = [
      (path, variable.replace(jnp.asarray(
          filled['.'.join(map(str, path[:-1]))][path[-1]]
      )))
      for path, variable in nnx.to_flat_state(state)
  ]
  return {
      'network': nnx.from_flat_state(leaves),
      'mean': jnp.asarray(mean, jnp.float32)[None, None, None],
      'std': jnp.asarray(std, jnp.float32)[None, None, None],
  }


def _random(name: str, source: str) -> Backbone:
  """He-normal kernels and zero biases from a fixed seed."""
  row = sources.SOURCES[name][source]
  graphdef, state = _network(name, row, has_top=True)
  rng = np.random.Generator(np.random.Philox(0))
  filled = {}
  for layer, leaves in _layers(state).items():
    shape = leaves['kernel'].shape
    # A depthwise kernel [h, w, C] sees one channel; the others all but the last
    # axis.
    fan_in = np.prod(shape[:2]) if len(shape) == 3 else np.prod(shape[:-1])
    filled[layer] = {
        'kernel': rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32),
        'bias': np.zeros(leaves['bias'].shape, np.float32),
    }
  mean, std = sources.preprocessing(source, row, None)
  return Backbone(
      name=name,
      source=source,
      weights='random',
      weights_sha256=None,
      has_top=True,
      params=_params(state, filled, mean, std),
      graphdef=graphdef,
  )

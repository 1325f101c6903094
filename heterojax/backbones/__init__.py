"""Pretrained convolutional networks, frozen or to be trained further.

A new one is a module, and its record's line in `networks.ARCHITECTURES`::

  import jax
  from heterojax.backbones import layers
  from heterojax.backbones.architecture import (
    IMAGENET, Architecture, Network, Source)

  class Patches(Network):
    def __init__(self, *, padding, norm, with_top):
      self.stem = layers.Conv(3, 8, kernel_size=4, stride=4, padding='valid')
      self.classifier = layers.Dense(8, 1000) if with_top else None

    def feature_map(self, x):
      return jax.nn.gelu(self.stem(x))

  names = {'stem': 'conv1', 'classifier': 'fc'}  # Ours to those of the file.
  timm = Source('torch', 'symmetric', None, *IMAGENET, names)
  ARCHITECTURE = Architecture('patches', 'Patches', Patches, {'timm': timm})

Layers may be new ones. A parameter called kernel is ported with the file's axes
turned; scale and bias, mean and var are a norm's; any other, which `names`
lists by its path, is taken as it is. Operations are read off the program.
"""

import dataclasses
import pathlib
from typing import Any

from flax import nnx
import jax
import jax.numpy as jnp

from heterojax.backbones import forms
from heterojax.backbones import imagenet
from heterojax.backbones import networks
from heterojax.backbones import porting
from heterojax.backbones import sources
from heterojax.backbones import weight_files
from heterojax.errors import UserError

ARCHITECTURES = networks.ARCHITECTURES
NAMES = tuple(ARCHITECTURES)


def title(name: str) -> str:
  """A network in words; one that is not known here by its name."""
  known = ARCHITECTURES.get(name)
  return name if known is None else known.title


@dataclasses.dataclass(frozen=True)
class Backbone:
  """A network with its weights and its preprocessing.

  Axes: B batch, H height, W width, D features: 1280 of the EfficientNets, 512
  of ResNet18 and VGG16. All three functions take RGB images of 0..255,
  `[B, H, W, 3]`, of any number type, and are jit-compiled per shape. They never
  use statistics of the batch.

  Attributes:
    name: the architecture.
    source: whose training and preprocessing.
    weights: where they came from: 'imagenet', the name of a file or 'random';
      not its path, which is of one machine.
    weights_sha256: of the file; None for random weights.
    has_top: whether `logits` can be had.
    params: 'network', an nnx.State, and 'mean' and 'std' of its preprocessing,
      `[1, 1, 1, 3]`.
    graphdef: the network without arrays.
  """

  name: str
  source: str
  weights: str
  weights_sha256: str | None
  has_top: bool
  params: Any
  graphdef: nnx.GraphDef

  @property
  def identity(self) -> list[str | None]:
    """What tells it from all networks of other features."""
    return [self.name, self.source, self.weights_sha256]

  def feature_map(self, x: jax.typing.ArrayLike) -> jax.Array:
    """Last feature map, `[B, ceil(H / 32), ceil(W / 32), D]` float32.

    VGG16's is `[B, H // 32, W // 32, D]`, after its last pool.
    """
    return _jitted(self.graphdef, 'feature_map', self.params, _images(x))

  def pooled(self, x: jax.typing.ArrayLike) -> jax.Array:
    """Mean of the feature map over the image, `[B, D]` float32."""
    return _jitted(self.graphdef, 'pooled', self.params, _images(x))

  def logits(self, x: jax.typing.ArrayLike) -> jax.Array:
    """ImageNet logits, `[B, 1000]` float32.

    Args:
      x: images, for VGG16 of 224 to 255 px.

    Raises:
      UserError: if the weights came without a top, or VGG16 gets another size.
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
  network = nnx.merge(graphdef, params['network'])
  return getattr(network, output)(_normalised(params, x))


def forward_training(
  graphdef: nnx.GraphDef, params: Any, x: jax.Array
) -> tuple[jax.Array, Any]:
  """Pooled features as training sees them; pure, for use under jit and grad.

  Batch norm uses the statistics of the batch, through which gradients flow, and
  moves its running ones as the library of the weights does. EfficientNet's
  drop-connect and dropout are left out [our choice]; VGG16 has no batch norm.

  Args:
    graphdef: of a backbone loaded with `trainable=True`.
    params: of the same.
    x: 0..255 RGB images, `[B, H, W, 3]`.

  Returns:
    The pooled features, `[B, D]`, and params with new running statistics.
  """
  # A copy: variables made outside of a gradient cannot be updated inside it.
  network = nnx.merge(graphdef, params['network'], copy=True)
  network.train()
  pooled = network.pooled(_normalised(params, x))
  return pooled, {**params, 'network': nnx.state(network)}


def _normalised(params: Any, x: jax.Array) -> jax.Array:
  return (x.astype(jnp.float32) - params['mean']) / params['std']


_jitted = jax.jit(apply, static_argnums=(0, 1))


def locate(
  name: str,
  weights: str | pathlib.Path = 'imagenet',
  source: str = 'auto',
  *,
  download: bool = False,
  with_norms: bool = False,
) -> tuple[pathlib.Path, str]:
  """Where the weights of a network are, without reading them.

  Args:
    name: see `load`, as `weights`, `source` and `download`.
    weights: 'imagenet' or a path, which need not exist.
    source: 'auto' or one of the architecture's.
    download: whether a file may be fetched.
    with_norms: whether only files will do that have batch norms.

  Returns:
    The path, and the source, which is still 'auto' of a file of the user's.

  Raises:
    UserError: for published weights that are not here.
  """
  if str(weights) != 'imagenet':
    return pathlib.Path(weights).expanduser(), source
  fitting = sources.published(ARCHITECTURES[name], source, with_norms)
  path, found = imagenet.locate(name, fitting, download=download)
  return path, found if source == 'auto' else source


def load(
  name: str,
  weights: str | pathlib.Path | None = 'imagenet',
  source: str = 'auto',
  *,
  download: bool = False,
  trainable: bool = False,
  folded: bool = False,
  top: bool = True,
) -> Backbone:
  """Loads a network.

  Args:
    name: one of `NAMES`.
    weights: 'imagenet', the path of a weight file (Keras .h5 or .weights.h5,
      PyTorch .pth, .safetensors, TensorFlow.js: see `weight_files.read`), or
      None for random weights.
    source: whose weights they are, one of the architecture's `sources`; 'auto'
      decides by keys and hash. Where sources differ in nothing, as
      torchvision's and timm's ResNet18, 'auto' calls them torchvision's.
    download: whether weights='imagenet' may fetch a file that is not here.
    trainable: whether batch norm is kept as layers, with nnx.BatchStat leaves,
      for `forward_training`, instead of being folded into the convolutions.
    folded: of a trainable network, whether they are folded all the same.
    top: whether to keep the classifier where the file has one; that of VGG16 is
      124 of its 138 million numbers.

  Returns:
    The network.

  Raises:
    UserError: for an unknown name or source, a file that cannot be read, does
      not fit or may be of several sources, weights that are not here, or a
      trainable network of a file whose batch norms were folded.
  """
  if name not in ARCHITECTURES:
    raise UserError(
      f'There is no backbone {name!r}: --config.backbone.name is one of'
      f' {", ".join(ARCHITECTURES)}.'
    )
  architecture = ARCHITECTURES[name]
  known, with_norms = architecture.sources, trainable and not folded
  if source != 'auto' and source not in known:
    raise UserError(
      f'There is no weight source {source!r} for {name}:'
      f' --config.backbone.source is auto or one of {", ".join(known)}.'
    )
  if weights is None:
    source = next(iter(known)) if source == 'auto' else source
    row = known[source]
    if with_norms:
      sources.require_norms(architecture, row, 'random weights')
    graphdef, state = networks.build(architecture, row, with_norms, top)
    filled = networks.random(networks.shapes(state), row)
    file, has_top = None, top and bool(architecture.top)
  else:
    path, source = locate(
      name, weights, source, download=download, with_norms=with_norms
    )
    where = str(path)
    file = sources.unwrapped(architecture, weight_files.read(path), where)
    if source == 'auto':
      source = sources.detect(architecture, file, where)
    row = known[source]
    if row.layout != file.layout:
      raise UserError(
        f'{where} is a {file.layout} file, but the source {source!r} writes'
        f' {row.layout} files: change --config.backbone.source.'
      )
    has_top = top and sources.has_top(architecture, row, file)
    graphdef, state = networks.build(architecture, row, with_norms, has_top)
    if not top:
      file = sources.without_top(architecture, row, file)
    if with_norms:
      sources.require_norms(architecture, row, where)
    filled = porting.port(networks.shapes(state), file, row, where)
    if with_norms and sources.are_spent(filled):
      raise sources.folded(architecture, where)
  mean, std = sources.preprocessing(row, file)
  params = networks.params(state, filled, mean, std)
  if not trainable and forms.are_of_cpu():
    graphdef, params = networks.transformed(graphdef, params)
  return Backbone(
    name=name,
    source=source,
    weights='random'
    if weights is None
    else pathlib.Path(weights).absolute().name,
    weights_sha256=None if file is None else file.sha256,
    has_top=has_top,
    params=params,
    graphdef=graphdef,
  )

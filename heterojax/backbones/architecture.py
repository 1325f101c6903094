"""The record of a backbone, which the module of its network makes.

Axes: B batch, H height, W width, D features.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import types
from typing import NamedTuple

from flax import nnx
import jax

from heterojax.backbones import layers
from heterojax.backbones.batch_norm import Norm
from heterojax.backbones.imagenet import Packaged
from heterojax.backbones.imagenet import Published

# Of ImageNet's RGB of 0..1; and the mean and it of 0..255.
IMAGENET_STD = (0.229, 0.224, 0.225)
IMAGENET = (
  tuple(255 * value for value in (0.485, 0.456, 0.406)),
  tuple(255 * value for value in IMAGENET_STD),
)

# Path of a layer of ours, 'blocks.3.expand', or of a plain parameter, to what
# a project calls it; the stem first. A batch norm '<convolution>.norm' that the
# network does not have is folded into its convolution.
Names = Mapping[str, str]


class Network(nnx.Module):
  """Normalised images `[B, H, W, 3]` to features and logits.

  Attributes:
    classifier: of the pooled features; None where it was left out.
  """

  classifier: layers.Dense | None

  def feature_map(self, x: jax.Array) -> jax.Array:
    """The last feature map, `[B, h, w, D]`."""
    raise NotImplementedError

  def pooled(self, x: jax.Array) -> jax.Array:
    """`[B, D]`, the mean of the feature map over the image."""
    return layers.image_mean(self.feature_map(x))[:, 0, 0]

  def logits(self, x: jax.Array) -> jax.Array:
    """`[B, 1000]` ImageNet logits; of a network with its classifier."""
    return self.classified(self.pooled(x))

  def classified(self, x: jax.Array) -> jax.Array:
    """The classifier's output."""
    if self.classifier is None:
      raise ValueError('the network was built without its classifier')
    return self.classifier(x)


class Source(NamedTuple):
  """How one project's networks read images and name weights.

  Attributes:
    layout: 'keras' or 'torch', which fixes suffixes and kernel axes.
    padding: rule of the striding and depthwise convolutions.
    norm: of every batch norm; None for a network without.
    mean: per channel, subtracted from 0..255 RGB.
    std: per channel, divides what is left.
    names: see `Names`.
    reads_bgr: whether the first kernel takes the channels in Caffe's order.
    normalises: names of what files may hold of 'mean', 'std' or 'variance', and
      of the 'factor' of RGB of 0..1 before it; they stand in for those above.
    rescaled: whether Keras divides by sqrt(std) once more, see
      `sources.preprocessing`.
    sha256: of the one published file; another is not taken for one of these
      unless a user says so. Empty where there may be many.
  """

  layout: str
  padding: layers.Padding
  norm: Norm | None
  mean: tuple[float, ...]
  std: tuple[float, ...]
  names: Names
  reads_bgr: bool = False
  normalises: Mapping[str, str] = types.MappingProxyType({})
  rescaled: bool = False
  sha256: str = ''

  def kernel(self, layer: str) -> str:
    """Entry that holds the kernel of a layer of ours; '' where it has none."""
    suffix = '/kernel' if self.layout == 'keras' else '.weight'
    return self.names[layer] + suffix if layer in self.names else ''


@dataclasses.dataclass(frozen=True)
class Architecture:
  """A network, and where its weights come from.

  Attributes:
    name: in configurations and results.
    title: in reports.
    build: (padding, norm, with_top), by these names, to the network: the rule
      of its convolutions, the batch norm to keep as layers or None where it is
      folded, and whether it has a classifier.
    sources: name of a project to how its networks are; without one that is
      named, random weights are of the first.
    published: files of the ImageNet weights, the first one first.
    digests: MD5, or first eight digits of the SHA-256, of published files to
      their source, where names do not tell.
    top: layers of the classifier, the last one last.
  """

  name: str
  title: str
  build: Callable[..., Network]
  sources: Mapping[str, Source]
  published: Sequence[Published | Packaged] = ()
  digests: Mapping[str, str] = dataclasses.field(default_factory=dict)
  top: tuple[str, ...] = ('classifier',)

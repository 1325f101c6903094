"""Floating-point operations of the networks, as papers count them.

Two for each product of a convolution or matrix, and none for anything else.
They are those of the network and not of the algorithm that runs it: XLA's own
count of a compiled program leaves out what a shorter algorithm saves, and the
images of a loop after its first.

Axes: S side of an image.
"""

from collections.abc import Iterator

from flax import nnx

from heterojax import backbones
from heterojax.backbones import efficientnet
from heterojax.backbones import layers
from heterojax.backbones import resnet
from heterojax.backbones import vgg

# Layers, and at how many positions of an image their kernel is applied.
_Applied = Iterator[tuple[layers.Conv | layers.DepthwiseConv, int]]


def per_image(backbone: backbones.Backbone, side: int) -> float:
  """Of one forward pass to the last feature map, of an image `[S, S, 3]`."""
  network = nnx.merge(backbone.graphdef, backbone.params['network'])
  return 2.0 * sum(
    layer.kernel[...].size * positions
    for layer, positions in _APPLIED[type(network)](network, side)
  )


def _strided(side: int, layer: layers.Conv | layers.DepthwiseConv) -> int:
  return -(-side // layer.stride)


def _efficientnet(network: efficientnet.EfficientNet, side: int) -> _Applied:
  side = _strided(side, network.stem)
  yield network.stem, side**2
  for block in network.blocks:
    if block.expand is not None:
      yield block.expand, side**2
    side = _strided(side, block.depthwise)
    yield block.depthwise, side**2
    if block.squeeze_excite is not None:
      yield block.squeeze_excite.reduce, 1
      yield block.squeeze_excite.expand, 1
    yield block.project, side**2
  yield network.top, side**2


def _resnet18(network: resnet.ResNet18, side: int) -> _Applied:
  side = _strided(side, network.stem)
  yield network.stem, side**2
  side = -(-side // 2)  # A pool.
  for block in network.blocks:
    side = _strided(side, block.first)
    yield block.first, side**2
    yield block.second, side**2
    if block.shortcut is not None:
      yield block.shortcut, side**2


def _vgg16(network: vgg.VGG16, side: int) -> _Applied:
  convs = iter(network.convs)
  for stage in vgg.STAGES:
    for _ in range(stage.convolutions):
      yield next(convs), side**2
    side //= 2  # A pool.


_APPLIED = {
  efficientnet.EfficientNet: _efficientnet,
  resnet.ResNet18: _resnet18,
  vgg.VGG16: _vgg16,
}

"""The network and its features, in words."""

from heterojax import backbones
from heterojax.records import codec
from heterojax.studies.records import Network


def title(network: Network) -> str:
  """How the network is written."""
  return backbones.title(network.name)


def weights(network: Network) -> str:
  """Which weights, in words."""
  if network.given:
    return 'unknown weights'
  digest = codec.known(network.weights_sha256)
  if digest is None:
    return 'random weights'
  return (
    f'weights {network.weights} (source {network.source}; SHA-256 {digest})'
  )


def frozen(network: Network) -> str:
  """What was done to a network that was not trained, in words."""
  if network.dtype == 'float32':
    return 'frozen'
  return f'frozen and computed in {network.dtype}'


def feature(network: Network) -> str:
  """What stands for an image, in words."""
  dim = f'{network.dim:,} numbers'
  if network.given:
    return f'the features that were given ({dim})'
  if network.feature == 'flatten':
    return f'the whole last feature map ({dim})'
  return f'the mean of the last feature map over the image ({dim})'

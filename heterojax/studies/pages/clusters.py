"""The clustering and the agreement of two groupings, in words."""

from heterojax.studies import choosing
from heterojax.studies.records import Clustering

# Steinley (2004) on how well two groupings agree.
_AGREEMENT = (
  (0.9, 'excellent'),
  (0.8, 'good'),
  (0.65, 'moderate'),
  (-1, 'poor'),
)
_COVARIANCES = {
  'full': 'full covariances',
  'diag': 'diagonal covariances',
  'spherical': 'one variance per component',
}


def algorithm(clustering: Clustering) -> str:
  """The algorithm with what it depends on, but for the number of clusters."""
  text = choosing.named(clustering.method)
  if clustering.method == 'fuzzy':
    return f'{text} (fuzzifier {clustering.fuzzifier:g})'
  if clustering.method == 'gmm':
    return f'{text} with {_COVARIANCES[str(clustering.covariance)]}'
  return text


def nearest(clustering: Clustering) -> str:
  """Where what was not clustered itself went."""
  if clustering.method == 'gmm':
    return 'the most probable component'
  return 'the nearest centroid'


def agreement(rand: float) -> str:
  """An adjusted Rand index in words."""
  return next(word for least, word in _AGREEMENT if rand >= least)

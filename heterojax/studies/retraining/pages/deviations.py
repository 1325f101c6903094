"""Where a run is not simply the paper: what is inferred, and what is ours."""

from typing import Any

from heterojax.datasets import augmentation
from heterojax.report import formatting
from heterojax.report.formatting import unit
from heterojax.studies import choosing
from heterojax.studies.retraining.pages import methods
from heterojax.studies.retraining.pages import wording

# Where a statement comes from.
INFERRED, OUR_CHOICE, KERAS = '[inferred]', '[our choice]', '[Keras default]'
# What augmented copies are.
COPIES = (
  f'left-right flips and rotations of up to {augmentation.MAX_DEGREES:g}'
  ' degrees, mirrored at the edge'
)


def not_in_the_paper(
  results: dict[str, Any], config: dict[str, Any]
) -> list[tuple[str, str]]:
  """Marks and statements: where this run is not simply the paper."""
  notes, one = [], unit(results)
  clean = results['protocol'] == 'clean'
  if formatting.given(results):
    notes.append((
      OUR_CHOICE,
      'The features were given; the paper computed its own with'
      ' EfficientNet-B0.',
    ))
  else:
    notes += _network_notes(results)
  if folds := wording.folds(results):
    notes.append((
      OUR_CHOICE,
      f'{folds} folds by patient or group; the paper split once, and wished'
      ' for 4 folds.',
    ))
  if clean:
    notes.append((
      OUR_CHOICE,
      f'Distinct {one}s, no known patient in two parts, and a validation'
      ' part; the paper splits rows and names no third part.',
    ))
  elif not results['dataset']['n_validation']:
    notes.append((
      INFERRED,
      'The validation set that the paper monitors is taken to be the test'
      ' set, because it names no third part.',
    ))
  d = results['dataset']
  if d['n_train_augmented'] > d['n_train']:
    notes.append((
      OUR_CHOICE,
      f'Augmented copies are {COPIES}; the paper gives their number, not'
      ' their kind.',
    ))
  if config.get('data', {}).get('balance'):
    notes.append((
      OUR_CHOICE,
      f'Which {one}s of the larger class are drawn is decided by the seed;'
      ' the paper’s draw is unknown.',
    ))
  vary = config.get('heads', {}).get('random_vary')
  if vary == 'both':
    notes.append((
      OUR_CHOICE,
      f'Each random run draws its own {one}s and its own initial weights; the'
      ' paper’s words also allow one draw trained five times.',
    ))
  elif vary:
    notes.append((
      OUR_CHOICE,
      'The random runs of a cluster share one draw and differ in their'
      f' initial weights and the order of {one}s.',
    ))
  c = results['cluster']
  if c['method'] != 'kmeans':
    notes.append((
      OUR_CHOICE,
      f'Clusters are of {choosing.METHODS[c["method"]]}; the paper used'
      ' K-means.',
    ))
  if c['n_init'] > 1:
    notes.append((
      OUR_CHOICE,
      'The best of several starts is kept; the paper names none.',
    ))
  notes += [
    (
      INFERRED,
      'Distances are Euclidean, in the space that was clustered, over all'
      f' training {one}s with their copies.',
    ),
    (
      KERAS,
      'Where the paper is silent about training: initial weights, the'
      f' optimiser’s constants, the order of {one}s, the moment of early'
      ' stopping and which epoch is kept.',
    ),
  ]
  return notes


def _network_notes(results: dict[str, Any]) -> list[tuple[str, str]]:
  notes = []
  if results['backbone']['name'] != 'efficientnet_b0':
    notes.append((
      OUR_CHOICE,
      f'The network is {methods.network(results)}; the paper used'
      ' EfficientNet-B0.',
    ))
  if results['backbone']['feature'] == 'flatten':
    notes.append((
      INFERRED,
      'The paper’s “second-last layer” is taken to be the whole last feature'
      ' map: its intra-cluster distances of 195 to 428 fit that, not the mean'
      ' over the image.',
    ))
  else:
    notes.append((
      OUR_CHOICE,
      'Features are the mean of the last feature map over the image; the'
      ' paper’s distances fit the whole map.',
    ))
  return notes

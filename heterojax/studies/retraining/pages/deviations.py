"""Where a run is not simply the paper: what is inferred, and what is ours."""

from collections.abc import Mapping
from typing import Any

from heterojax.datasets import augmentation
from heterojax.report.terms import INFERRED
from heterojax.report.terms import KERAS
from heterojax.report.terms import OUR_CHOICE
from heterojax.studies import choosing
from heterojax.studies.pages import heads as head_words
from heterojax.studies.pages import network as network_words
from heterojax.studies.records import Network
from heterojax.studies.retraining.records import Results

# What augmented copies are.
COPIES = (
  f'left-right flips and rotations of up to {augmentation.MAX_DEGREES:g}'
  ' degrees, mirrored at the edge'
)


def not_in_the_paper(
  results: Results, config: Mapping[str, Any]
) -> list[tuple[str, str]]:
  """Marks and statements: where this run is not simply the paper."""
  notes, one = [], results.backbone.unit
  if results.backbone.given:
    notes.append((
      OUR_CHOICE,
      'The features were given; the paper computed its own with'
      ' EfficientNet-B0.',
    ))
  else:
    notes += _network_notes(results.backbone)
  if folds := results.split.folds:
    notes.append((
      OUR_CHOICE,
      f'{folds} folds; the paper split once, and wished for 4 folds.',
    ))
  if results.protocol == 'clean':
    notes.append((
      OUR_CHOICE,
      f'Distinct {one}s, no known patient in two parts'
      f'{"" if results.heads else ", and a validation part"}; the paper splits'
      ' rows and names no third part.',
    ))
  elif not results.dataset.n_validation and not results.heads:
    notes.append((
      INFERRED,
      'The validation set that the paper monitors is taken to be the test'
      ' set, because it names no third part.',
    ))
  if results.copies:
    notes.append((
      OUR_CHOICE,
      f'Augmented copies are {COPIES}; the paper gives their number, not'
      ' their kind.',
    ))
  if config.get('data', {}).get('balance'):
    notes.append((
      OUR_CHOICE,
      f'Which {one}s of a larger class are drawn is decided by the seed;'
      ' the paper’s draw is unknown.',
    ))
  vary = config.get('heads', {}).get('random_vary')
  if results.fair_sets:
    notes.append((OUR_CHOICE, _sets(results)))
  if results.own_runs > 1:
    notes.append((
      OUR_CHOICE,
      f'Each cluster’s own head is trained {results.own_runs} times, from other'
      f' initial weights and in other orders of {one}s; the paper trained one,'
      ' which the first stands for.',
    ))
  if results.heads:
    notes.append((OUR_CHOICE, head_words.deviation(results.heads)))
  elif vary == 'both':
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
  c = results.cluster
  found = choosing.clusters(c.method)
  what = f'{"of " if found else ""}{choosing.named(c.method)}'
  if c.method != 'kmeans':
    notes.append((
      OUR_CHOICE,
      f'Clusters are {what}; the paper used K-means.',
    ))
  if found and c.n_init > 1:
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
  ]
  if not results.heads:
    notes += [
      (
        INFERRED,
        'A head keeps the weights of the epoch that early stopping finds best,'
        ' the first of equals: the paper names a model checkpoint, though not'
        ' which. Keras would keep the last epoch.',
      ),
      (
        KERAS,
        'Where the paper is silent about training: initial weights, the'
        f' optimiser’s constants, the order of {one}s and the moment of early'
        ' stopping.',
      ),
    ]
  return notes


def _sets(results: Results) -> str:
  """Which random sets are not the paper's."""
  one = results.backbone.unit
  like = (
    f'as many distinct {one}s as the cluster, from as many patients where these'
    ' are known; one family has any class mix, the other the cluster’s'
  )
  if results.clusters[0].random_originals:
    return (
      'Beside the paper’s random rows, which show more distinct'
      f' {one}s than a cluster of as many rows does, stand random sets with'
      f' {like}.'
    )
  return f'Random sets have {like}; the paper drew rows.'


def _network_notes(network: Network) -> list[tuple[str, str]]:
  notes = []
  if network.name != 'efficientnet_b0':
    notes.append((
      OUR_CHOICE,
      f'The network is {network_words.title(network)}; the paper used'
      ' EfficientNet-B0.',
    ))
  if network.feature == 'flatten':
    notes.append((
      INFERRED,
      'The paper’s “second-last layer” is taken to be the whole last feature'
      ' map. The intra-cluster distances of its chest images (212 to 239) fit'
      ' that, not the mean over the image; those of its fundus images (195 to'
      ' 428) are larger than any that we found with the paper’s network.',
    ))
  else:
    notes.append((
      OUR_CHOICE,
      'Features are the mean of the last feature map over the image; the'
      ' paper’s distances are rather those of the whole map.',
    ))
  return notes

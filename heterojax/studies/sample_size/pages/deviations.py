"""Where a sample-size study is not simply the paper's."""

from heterojax.report import formatting
from heterojax.report.terms import INFERRED
from heterojax.report.terms import KERAS
from heterojax.report.terms import OUR_CHOICE
from heterojax.studies import choosing
from heterojax.studies.pages import heads as head_words
from heterojax.studies.pages import network as networks
from heterojax.studies.sample_size.pages import methods
from heterojax.studies.sample_size.records import Results
from heterojax.studies.settings import Settings

# Of the paper: section 3.
_NETWORKS = {
  'classification': ('resnet18', 'ResNet18'),
  'regression': ('vgg16', 'VGG16'),
}
_COMPONENTS, _K, _TRAININGS, _FOLDS = 10, 4, 10, 4
# Of the laboratory's later code.
_FUZZIFIER = 2

_Notes = list[tuple[str, str]]


def not_in_the_paper(results: Results, settings: Settings | None) -> _Notes:
  """Marks and statements: where this run is not simply the paper."""
  return [
    *_network(results),
    *_top_model(results),
    *_design(results, settings),
    *_clustering(results),
    *_measure(results),
  ]


def _network(results: Results) -> _Notes:
  if results.backbone.given:
    return [
      (
        OUR_CHOICE,
        'The features were given, of a network that this program did not run;'
        ' the paper computed its own.',
      )
    ]
  notes = []
  name, printed = _NETWORKS[results.task]
  if results.backbone.name != name:
    notes.append((
      OUR_CHOICE,
      f'The network is {networks.title(results.backbone)}; the paper used'
      f' {printed}.',
    ))
  if not methods.trained(results):
    notes.append((
      OUR_CHOICE,
      'The network is frozen and the top model alone is trained in each fold'
      ' of each size; in the paper “both the back and top model need to be'
      ' trained”.',
    ))
  if results.backbone.feature == 'avg':
    notes.append((
      OUR_CHOICE,
      'Features are the mean of the last feature map over the image; the'
      ' paper gives their number, 512, and for VGG16 not how.',
    ))
  return notes


def _top_model(results: Results) -> _Notes:
  if results.predictions_given:
    return []
  if results.heads:
    return [(OUR_CHOICE, head_words.deviation(results.heads))]
  notes = []
  if results.task == 'regression':
    notes.append((
      OUR_CHOICE,
      'The widths of the four layers of the top model: the paper gives their'
      ' number.',
    ))
  if results.peeks:
    notes.append((
      INFERRED,
      'Early stopping looks at the test set, because the paper names no third'
      ' part.',
    ))
  else:
    notes.append((
      OUR_CHOICE,
      'A validation part is kept for early stopping: neither the top model'
      ' nor components and clusters are fitted on it. The paper names no such'
      ' part.',
    ))
  notes.append((
    KERAS,
    'Where the paper is silent about training: initial weights, optimiser,'
    f' epochs, the order of {results.unit}s and the moment of early'
    ' stopping.',
  ))
  return notes


def _design(results: Results, settings: Settings | None) -> _Notes:
  notes = []
  if settings and not settings.data.files and len(results.sizes) > 1:
    how = 'holds the smaller ones' if settings.nested else 'is drawn anew'
    notes.append((
      OUR_CHOICE,
      f'Each size {how}, drawn by the seed; the paper does not say.',
    ))
  if results.protocol == 'clean':
    notes.append((
      OUR_CHOICE,
      'No known patient or group is in two folds; the paper names none.',
    ))
  if methods.folds(results) != _FOLDS:
    folds = f'There are {methods.folds(results)} folds; the paper had {_FOLDS}.'
    if methods.folds(results) == 1:
      folds = f'There is one split; the paper had {_FOLDS} folds.'
    notes.append((OUR_CHOICE, folds))
  return notes


def _clustering(results: Results) -> _Notes:
  c, r = results.cluster, results.reduction
  notes = []
  if c.method == 'fuzzy':
    source = 'its laboratory’s later code has 2'
    mark = INFERRED if c.fuzzifier == _FUZZIFIER else OUR_CHOICE
    notes += [
      (
        mark,
        f'The fuzzifier is {c.fuzzifier:g}; the paper gives none and {source}.',
      ),
      (INFERRED, 'The cluster with the largest membership counts.'),
    ]
  else:
    notes.append((
      OUR_CHOICE,
      f'Clusters are of {choosing.METHODS[c.method]}; the paper chose fuzzy'
      ' K-means.',
    ))
  if c.k != _K:
    notes.append((OUR_CHOICE, f'k = {c.k}; the paper chose {_K}.'))
  if r.method == 'none':
    notes.append((
      OUR_CHOICE,
      'Nothing was reduced; the paper clustered 10 principal components.',
    ))
  elif r.rule == 'minimum_mode_cv':
    notes.append((
      OUR_CHOICE,
      'The number of components is the minimum mode CV, a later rule of the'
      f' paper’s laboratory; the paper had {_COMPONENTS}.',
    ))
  elif r.rule != 'fixed' or r.n_components != _COMPONENTS:
    notes.append((
      OUR_CHOICE,
      f'The number of components is not the paper’s {_COMPONENTS}.',
    ))
  if c.trainings != _TRAININGS:
    notes.append((
      OUR_CHOICE,
      f'The clustering was trained {formatting.times(c.trainings)} per fold,'
      f' not {_TRAININGS} times.',
    ))
  notes += [
    (
      INFERRED,
      'Components and clusters are fitted on the training'
      f' {results.unit}s, and test {results.unit}s are assigned to them; the'
      ' paper does not say.',
    ),
    (
      OUR_CHOICE,
      f'{formatting.capital(methods.matching(results))}; the paper used'
      ' “the cluster patients and accuracy”.',
    ),
  ]
  return notes


def _measure(results: Results) -> _Notes:
  notes = [
    (
      INFERRED,
      'CV: population standard deviation over mean, as in numbers that the'
      ' paper’s laboratory published later.',
    ),
    (
      OUR_CHOICE,
      'The CV is taken of each training and fold and then averaged; the'
      ' other order, the CV of the clusters’ mean metrics, stands beside'
      ' it. The paper does not say which.',
    ),
    (
      OUR_CHOICE,
      f'A cluster without test {results.unit}s is left out of the CV and'
      ' listed; the laboratory’s later code counts it as −1.',
    ),
    (
      OUR_CHOICE,
      'What chance alone gives and the corrected CV are not in the paper.',
    ),
  ]
  if results.metric == 'one_minus_nrmse':
    notes.insert(
      0,
      (
        OUR_CHOICE,
        'NRMSE is over the range of the targets of the fold’s whole test set,'
        ' so that all clusters are on one scale; the paper names no normaliser.'
        ' Those by mean and by standard deviation are in the table of folds.',
      ),
    )
  return notes
